"""bin/run in a copy of the project: first start, second start, and what it refuses."""
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import servers  # noqa: E402

READY_S = 400  # it builds


class Run(unittest.TestCase):
    def setUp(self):
        self.folder = servers.tempfile.mkdtemp(prefix="bulla-test-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.top = os.path.join(self.folder, "a project")
        names = subprocess.run(["git", "ls-files"], cwd=servers.TOP, capture_output=True, text=True)
        if names.returncode != 0:
            self.skipTest("the project is no git clone: no telling its own files from what was built")
        for name in names.stdout.splitlines():
            to = os.path.join(self.top, name)
            os.makedirs(os.path.dirname(to), exist_ok=True)
            shutil.copy2(os.path.join(servers.TOP, name), to)
        self.port = servers.free_port()
        self.process = None

    def tearDown(self):
        if self.process is not None:
            if self.process.poll() is None:
                self.stop()
            self.process.stdout.close()

    def start(self):
        """Runs bin/run until it is ready; gives what it printed."""
        if self.process is not None:
            self.process.stdout.close()
        env = servers.clean_environment() | {"BULLA_PORT": str(self.port)}
        # a shell cannot catch what was ignored when it started, as Ctrl-C is in a shell's background jobs
        heed = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # noqa: E731
        self.process = subprocess.Popen(["bin/run"], cwd=self.top, preexec_fn=heed, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True, start_new_session=True)
        said, end = "", time.monotonic() + READY_S
        for line in self.process.stdout:
            said += line
            if line.startswith("curl ") or time.monotonic() > end:
                return said
        return said

    def stop(self):
        """Ctrl-C in a terminal reaches every process of the group."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(30)

    def listening(self):
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def paste(self, said, command):
        """A shell into which the printed exports were pasted."""
        exports = "\n".join(line for line in said.splitlines() if line.startswith("export "))
        env = servers.clean_environment() | {"PATH": os.path.join(self.top, "build/run/src") + ":" + os.environ["PATH"]}
        return subprocess.run(["bash", "-c", exports + "\n" + command], env=env, capture_output=True, text=True)

    def check_round_trip(self, said):
        self.assertIn(f"export VAULT_ADDR=http://127.0.0.1:{self.port}\n", said)
        self.assertRegex(said, r"(?m)^export VAULT_TOKEN=\S+$")
        first, second = re.findall(r"decrypt (vault:v\d+:\S+)", said)
        self.assertTrue(first.startswith("vault:v1:") and second.startswith("vault:v2:"))
        self.assertEqual(said.count("       -> 4111111111111111"), 2)
        return first, second

    def test_starts(self):
        said = self.start()
        first, second = self.check_round_trip(said)
        for name in ("seal.key", "root-token", "init.txt", "bulla.hcl", "server.log"):
            self.assertEqual(stat.S_IMODE(os.stat(os.path.join(self.top, "run", name)).st_mode), 0o600, name)
        self.assertEqual(sorted(n for n in os.listdir(os.path.join(self.top, "data")) if not n.startswith("bulla.db")), [])
        self.assertIn('"ciphertext":"vault:v2:', self.paste(said, said.splitlines()[-1]).stdout)
        self.assertIn("cards", self.paste(said, "bulla list transit/keys").stdout)
        token = re.search(r"VAULT_TOKEN=(\S+)", said)[1]
        with open(os.path.join(self.top, "run", "server.log")) as log:
            self.assertNotIn(token, log.read())

        another = subprocess.run(["bin/run"], cwd=self.top, env=servers.clean_environment() | {"BULLA_PORT": str(self.port), "BULLA_STARTUP_WAIT": "1"},
                                 capture_output=True, text=True)
        self.assertEqual(another.returncode, 1)
        self.assertIn("waiting up to 1 s", another.stdout)
        self.assertIn(f"port {self.port} is taken", another.stderr)

        self.assertEqual(self.stop(), 0)
        self.assertFalse(self.listening())

        again = self.start()
        self.assertEqual(self.check_round_trip(again)[0], first)
        self.assertEqual(re.search(r"VAULT_TOKEN=(\S+)", again)[1], token)
        decrypted = self.paste(again, f"bulla write -field=plaintext transit/decrypt/cards ciphertext={second}")
        self.assertEqual(decrypted.stdout, servers.b64("4111111111111111"))
        self.assertIn("latest_version            2", self.paste(again, "bulla read transit/keys/cards").stdout)
        self.stop()

        os.rename(os.path.join(self.top, "run", "seal.key"), os.path.join(self.folder, "kept.key"))
        self.assertIn("which is missing", self.start())
        self.assertEqual(self.process.wait(30), 1)
        with open(os.path.join(self.top, "run", "seal.key"), "w") as key:
            key.write(servers.b64(b"x" * 32))
        self.assertIn("the server did not start", self.start())
        self.assertEqual(self.process.wait(30), 1)
        os.replace(os.path.join(self.folder, "kept.key"), os.path.join(self.top, "run", "seal.key"))
        self.check_round_trip(self.start())

    def test_bad_port(self):
        done = subprocess.run(["bin/run"], cwd=self.top, env=servers.clean_environment() | {"BULLA_PORT": "x"}, capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("BULLA_PORT", done.stderr)


if __name__ == "__main__":
    unittest.main()
