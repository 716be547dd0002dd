"""The README's walk: every command in it is run, and answers what stands there."""
import os
import re
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import servers  # noqa: E402


def walk(text):
    """The commands ("    $ ...") with the lines that follow: what they print."""
    found = re.findall(r"^    \$ (.*)\n((?:    (?!\$ ).*\n)*)", text, re.M)
    return [(command, re.sub("^    ", "", printed, flags=re.M)) for command, printed in found]


def shape(text):
    """Without what differs from run to run."""
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID", text.strip())
    return re.sub(r'":1[78]\d{8}', '":TIME', re.sub(r"vault:v(\d+):[A-Za-z0-9+/=]+", r"vault:v\1:CT", text))


class Readme(unittest.TestCase):
    def test_walk(self):
        with open(os.path.join(servers.TOP, "README.md")) as f:
            commands = walk(f.read())
        self.assertGreater(len(commands), 5)
        with servers.bulla_dev() as server:
            server.post("sys/mounts/transit", {"type": "transit"})
            bulla = os.path.dirname(servers.bulla_binary())
            env = servers.clean_environment() | {"VAULT_ADDR": server.url, "VAULT_TOKEN": "root", "PATH": bulla + ":" + os.environ["PATH"]}
            known = {}  # ciphertexts of the README, and what they are here
            for command, printed in commands:
                for theirs, ours in known.items():
                    command = command.replace(theirs, ours)
                done = subprocess.run(["bash", "-c", command], env=env, capture_output=True, text=True)
                with self.subTest(command):
                    self.assertEqual((done.returncode, shape(done.stdout)), (0, shape(printed)), done.stderr)
                pattern = r"vault:v\d+:[A-Za-z0-9+/=]+"
                known.update(zip(re.findall(pattern, printed), re.findall(pattern, done.stdout)))


if __name__ == "__main__":
    unittest.main()
