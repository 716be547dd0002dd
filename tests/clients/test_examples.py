"""The examples of docs/EXAMPLES.md: written, installed and run as they stand there. Packages are those that this folder pins."""
import os
import re
import shutil
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import docs  # noqa: E402
import servers  # noqa: E402

MADE = os.path.join(servers.TOP, "build", "clients")
PAGE = docs.text("docs/EXAMPLES.md")
LANGUAGES = {section.split(",")[0]: section for section in PAGE.split("\n## ")[1:]}
PATH = ":".join([os.path.join(servers.TOP, "tests", ".venv", "bin"), os.environ["PATH"], "/usr/local/go/bin"])


def pinned(name):
    with open(os.path.join(HERE, name)) as f:
        return f.read()


class Examples(docs.Played):
    @classmethod
    def setUpClass(cls):
        cls.server = servers.bulla_dev()
        cls.addClassCleanup(cls.server.close)
        cls.server.start().post("sys/mounts/transit", {"type": "transit"})

    def example(self, language, env, bring=()):
        """Its folder, after it was run in it."""
        folder = os.path.join(MADE, "examples", language)
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        for name in bring:
            shutil.copy(os.path.join(HERE, name), folder)
        for name, text in docs.files(LANGUAGES[language]).items():
            with open(os.path.join(folder, name), "w") as f:
                f.write(text)
        pairs = docs.commands(LANGUAGES[language])
        self.assertGreater(len(pairs), 1)
        self.check(pairs, self.server, folder, {"PATH": PATH, "HOME": os.environ.get("HOME", folder)} | env)
        return folder

    def test_all_are_run(self):
        self.assertEqual(set(LANGUAGES), {"Python", "Go", "Node", "Java", "C"})  # C: tests/install
        self.assertEqual(sum(len(docs.commands(section)) for section in LANGUAGES.values()), len(docs.commands(PAGE)))

    def test_python(self):
        version = re.search(r"(?m)^(hvac==.*)$", docs.text("tests/requirements.txt"))[1]
        self.assertIn(f"pip install -q {version}\n", PAGE)
        self.example("Python", {})

    def test_go(self):
        folder = self.example("Go", {"GOFLAGS": "-buildvcs=false -modcacherw", "GOCACHE": os.path.join(MADE, "go-cache"),
                                     "GOMODCACHE": os.path.join(MADE, "go-modules"), "CGO_ENABLED": "0"})
        with open(os.path.join(folder, "go.sum")) as f:
            sums = {line for line in f.read().splitlines() if "/go.mod " not in line}
        self.assertGreater(len(sums), 10)
        self.assertEqual(sums - set(pinned("go/go.sum").splitlines()), set())
        done = subprocess.run(["gofmt", "-l", "encrypt.go"], cwd=folder, env=os.environ | {"PATH": PATH}, capture_output=True, text=True)
        self.assertEqual((done.stdout, done.stderr), ("", ""))

    def test_node(self):
        self.example("Node", {"npm_config_cache": os.path.join(MADE, "npm-cache")}, ("node/package.json", "node/package-lock.json"))

    def test_java(self):
        folder = self.example("Java", {})
        done = subprocess.run(["sha256sum", "--check", "--quiet", os.path.join(HERE, "java", "sha256sums")], cwd=folder, capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)

    def test_nine_lines(self):
        """What a reader has to understand, apart from imports and brackets."""
        for language, section in LANGUAGES.items():
            for name, text in docs.files(section).items():
                with self.subTest(name):
                    body = text[text.index("func main"):] if language == "Go" else text
                    lines = [line for line in body.splitlines() if re.search(r"\w", line) and not re.match(r"import |class |func |\(async", line)]
                    self.assertLessEqual(len(lines), 9, lines)


if __name__ == "__main__":
    unittest.main()
