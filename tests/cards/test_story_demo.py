"""bin/demo: the story it tells, what it leaves, that it stops cleanly, and that README shows what it prints."""
import os
import re
import signal
import stat
import subprocess
import unittest

import world
from world import servers

LEFT = os.path.join(servers.TOP, "run", "demo")


def shape(text):
    """Without what differs from run to run."""
    text = re.sub(r"vault:v(\d+):[A-Za-z0-9+/=]+", r"vault:v\1:CT", text)
    return re.sub(r"\b[0-9a-f]{32}\b", "ID", re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME", text))


class Demo(unittest.TestCase):
    def setUp(self):
        self.ports = servers.free_port(), servers.free_port()
        build = os.path.dirname(os.path.dirname(servers.bulla_binary()))
        self.assertEqual(os.path.dirname(world.program("card-api")), os.path.join(build, "api"))
        # what would steer the programs is there, and must not
        self.env = servers.clean_environment() | {
            "BULLA_PORT": str(self.ports[0]), "CARD_PORT": str(self.ports[1]), "BULLA_BUILD": build,
            "VAULT_ADDR": "https://127.0.0.1:1", "VAULT_TOKEN": "nonsense", "CARD_KEY": "nonsense"}

    def run_demo(self):
        return subprocess.run(["bin/demo"], cwd=servers.TOP, env=self.env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600)

    def listening(self):
        found = []
        for port in self.ports:
            with servers.socket.socket() as s:
                if s.connect_ex(("127.0.0.1", port)) == 0:
                    found.append(port)
        return found

    def test_story(self):
        done = self.run_demo()
        said = done.stdout
        self.assertEqual((done.returncode, done.stderr), (0, ""), said)
        for line in ("rotated from version 1 to 2", "Processing CARLOS GARDEL card with number 4539296620131157",
                     "Processing ANÍBAL TROILO card with number 5500005555555559", "Processing ASTOR PIAZZOLLA card with number 4111111111111111",
                     "does not decrypt: its ciphertext is damaged or belongs to another card", "permission denied",
                     "older versions do not decrypt any more", "card with number ************1157", "no line was changed, removed or inserted", "none in: "):
            self.assertIn(line, said)
        self.assertRegex(said, r'"pan": ?"vault:v1:')
        self.assertRegex(said, r"transit/decrypt/cards .* \d+ of \d+ items ok")  # the ciphertext that was moved
        self.assertEqual(self.listening(), [])
        self.assertEqual(stat.S_IMODE(os.stat(LEFT).st_mode), 0o700)
        self.assertTrue({"bulla.db", "cards.db", "audit.log", "seal.key"} <= set(os.listdir(LEFT)))
        with open(os.path.join(servers.TOP, "README.md")) as f:
            story = re.search(r"`\./bin/demo`[^\n]*\n(?:[^\n]+\n)*\n((?:    [^\n]*\n)+)", f.read())[1]
        shown = [shape(line[4:]) for line in story.splitlines()]
        self.assertEqual(len(shown), 10)
        printed = [shape(line.strip()) for line in said.splitlines()]
        for line in shown:
            self.assertIn(line.strip(), printed)

    def test_interrupted(self):
        heed = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # noqa: E731
        with subprocess.Popen(["bin/demo"], cwd=servers.TOP, env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, start_new_session=True, preexec_fn=heed) as process:
            said = ""
            for line in process.stdout:
                said += line
                if "card-api answers" in line:
                    os.killpg(process.pid, signal.SIGINT)
            self.assertNotEqual(process.wait(60), 0, said)
        self.assertIn("card-api answers", said)
        self.assertNotIn("Everything stops", said)
        self.assertEqual(self.listening(), [])

    def test_refusals(self):
        with servers.socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            self.env["CARD_PORT"] = str(taken.getsockname()[1])
            done = self.run_demo()
        self.assertEqual(done.returncode, 1)
        self.assertIn("is taken", done.stderr)
        self.env["CARD_PORT"] = "x"
        self.assertIn("not a port: x", self.run_demo().stderr)


if __name__ == "__main__":
    unittest.main()
