"""The README's walk: every command in it is run, in one shell as a reader would, and answers what stands there; its package list is the
one that the scripts install."""
import os
import re
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import docs  # noqa: E402
import servers  # noqa: E402

class Readme(docs.Played):
    def test_walk(self):
        walks = docs.text("README.md").split("## By hand")
        commands = docs.commands(walks[0])
        self.assertGreater(len(commands), 9)
        with servers.bulla_dev() as server:
            server.post("sys/mounts/transit", {"type": "transit"})
            self.check(commands, server)

    def test_to_play(self):
        commands = docs.commands(docs.text("README.md").split("To play,")[1])
        self.assertEqual(len(commands), 2)
        with servers.bulla_dev() as server:
            self.check([(c.replace("http://127.0.0.1:8200", server.url), printed) for c, printed in commands], server)

    def test_packages(self):
        listed = re.search(r"^    \$ apt-get install (.*)$", docs.text("README.md"), re.M)[1].split()
        said = subprocess.run(["bash", "-c", ". bin/lib.sh; echo $BUILD_PACKAGES"], cwd=servers.TOP, capture_output=True, text=True)
        self.assertEqual(listed, [choice.split("|")[0] for choice in said.stdout.split()])


class Scripts(unittest.TestCase):
    """Asking for help does nothing else, and neither does a word that a script does not know."""

    def test_help(self):
        names = [n for n in os.listdir(os.path.join(servers.TOP, "bin")) if n not in ("lib.sh", "cards.sh")]
        self.assertGreater(len(names), 8)
        with servers.temporary_folder() as folder:
            env = servers.clean_environment() | {"HOME": folder, "TMPDIR": folder}
            for name in sorted(names):
                for words, status in ((["--help"], 0), (["-h"], 0), (["--nonsense"], 2)):
                    with self.subTest(name=name, words=words):
                        done = subprocess.run([os.path.join(servers.TOP, "bin", name), *words], cwd=folder, env=env, capture_output=True,
                                              text=True, timeout=60, stdin=subprocess.DEVNULL)
                        self.assertEqual(done.returncode, status, done)
                        said, silent = (done.stdout, done.stderr) if status == 0 else (done.stderr, done.stdout)
                        self.assertEqual(silent if status == 0 else "", "", done)
                        self.assertIn(name, said + silent)
                        self.assertEqual(os.listdir(folder), [])

    def test_a_folder_that_cannot_be_written(self):
        with servers.temporary_folder() as folder:
            open(os.path.join(folder, "build"), "w").close()
            done = subprocess.run(["bash", "-c", f". '{servers.TOP}/bin/lib.sh'; step building true; echo went on"], cwd=folder,
                                  capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertIn("cannot write build/logs/step.log", done.stderr)

    def test_a_step_that_fails(self):
        with servers.temporary_folder() as folder:
            script = f". '{servers.TOP}/bin/lib.sh'; step one bash -c 'exit 0'; step two bash -c 'echo why; exit 3'; echo went on"
            done = subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, text=True)
            self.assertEqual(done.returncode, 1)
            self.assertRegex(done.stdout, r"one: done \(\d+ s\)\ntwo \.\.\.")
            self.assertNotIn("went on", done.stdout)
            self.assertRegex(done.stderr, r"why\n.*failed: two")


if __name__ == "__main__":
    unittest.main()
