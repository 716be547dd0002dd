#!/usr/bin/env python3
"""A full disk: writes fail with 500 and say so, nothing acknowledged is lost, reads go on, and writes work again when there is room.

Once on a small file system of its own (this takes root), once with a limit on the size of files. BULLA_BIN names the program."""
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import servers  # noqa: E402

PLAIN = servers.b64("4111111111111111")
FULL = "the storage is full: nothing was changed"
MOST_KEYS = 20000


class Full(unittest.TestCase):
    """What both ways share. A subclass makes self.folder, and lets prefix() go before the server's command line."""
    prefix = ()

    def make_server(self):
        port = servers.free_port()
        server = servers.bulla_config(self.folder, servers.config_text(port, os.path.join(self.folder, "b.db")), port, self.token)
        server.argv = [*self.prefix, *server.argv]
        self.addCleanup(server.close)
        return server

    def initialise(self):
        self.token = None
        self.server = self.make_server().start()
        answer = self.server.request("PUT", "sys/init", {}, token=None)
        self.assertEqual(answer.status, 200, answer)
        self.server.token = self.token = answer.json["root_token"]
        self.assertEqual(self.server.post("sys/mounts/transit", {"type": "transit"}).status, 204)
        self.ciphertexts = {}
        self.made, self.tokens, self.rotations = [], [], 0
        self.connection = self.server.connection()
        self.addCleanup(self.connection.close)

    def create(self, name):
        return self.server.request("POST", f"transit/encrypt/{name}", {"plaintext": PLAIN}, connection=self.connection)

    def fill(self):
        """Makes keys until one is refused."""
        for number in range(MOST_KEYS):
            answer = self.create(f"k{number}")
            if answer.status != 200:
                return answer
            self.ciphertexts[f"k{number}"] = answer.data["ciphertext"]
        self.fail(f"{MOST_KEYS} keys fit")

    def refuses(self, path_of, body):
        """Makes things of a kind until one is refused: space that the log already has may take a few even now. Gives its number."""
        for number in range(MOST_KEYS):
            self.take_all()
            answer = self.server.post(path_of(number), body)
            if answer.status not in (200, 204):
                self.assertEqual(answer.status, 500, answer)
                self.assertEqual(answer.errors, [f"1 error occurred:\n\t* {FULL}\n\n"])
                return number
            self.keep(path_of(number), answer)
        self.fail(f"{MOST_KEYS} writes of {path_of(0)} fit")

    def keep(self, path, answer):
        """Notes what was acknowledged, so that reads_all() looks for it."""
        if path.startswith("transit/encrypt/"):
            self.ciphertexts[path.rsplit("/", 1)[1]] = answer.data["ciphertext"]
        elif path == "auth/token/create":
            self.tokens.append(answer.json["auth"]["client_token"])
        elif path.endswith("/rotate"):
            self.rotations += 1
        else:
            self.made.append(path)

    def refuses_to_write(self, when):
        """Each kind of write; what was refused is not there, and what was not refused is."""
        number = self.refuses(lambda n: f"transit/keys/{when}-{n}", {})
        self.assertEqual(self.server.get(f"transit/keys/{when}-{number}").status, 404)
        number = self.refuses(lambda n: f"transit/encrypt/one-more-{when}-{n}", {"plaintext": PLAIN})
        self.assertEqual(self.server.get(f"transit/keys/one-more-{when}-{number}").status, 404)
        number = self.refuses(lambda n: f"sys/mounts/{when}-{n}", {"type": "transit"})
        self.assertNotIn(f"{when}-{number}/", self.server.get("sys/mounts").data)
        self.refuses(lambda n: "transit/keys/k0/rotate", {})
        self.refuses(lambda n: "auth/token/create", {})
        self.reads_all()

    def reads_all(self):
        for name, ciphertext in self.ciphertexts.items():
            answer = self.server.post(f"transit/decrypt/{name}", {"ciphertext": ciphertext})
            self.assertEqual(answer.status, 200, f"{name}: {answer}")
            self.assertEqual(answer.data["plaintext"], PLAIN)
        self.assertEqual(self.server.get("transit/keys/k0").data["latest_version"], 1 + self.rotations)
        mounts = self.server.get("sys/mounts").data
        for path in self.made:
            if path.startswith("sys/mounts/"):
                self.assertIn(path[len("sys/mounts/"):] + "/", mounts)
            else:
                self.assertEqual(self.server.get(path).status, 200, path)
        for token in self.tokens:
            self.assertEqual(self.server.get("auth/token/lookup-self", token=token).status, 200)

    def writes(self):
        for number in range(20):
            name = f"later-{number}"
            answer = self.server.post(f"transit/encrypt/{name}", {"plaintext": PLAIN})
            self.assertEqual(answer.status, 200, answer)
            self.ciphertexts[name] = answer.data["ciphertext"]


class FileSystem(Full):
    """A tmpfs, with a ballast that takes room and gives it back."""

    def setUp(self):
        self.folder = servers.tempfile.mkdtemp(prefix="bulla-full-")
        self.addCleanup(os.rmdir, self.folder)
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1536k", "bulla-full", self.folder], capture_output=True, text=True)
        if mounted.returncode != 0:
            self.skipTest(f"no file system can be mounted here: {mounted.stderr.strip()}")
        self.addCleanup(subprocess.run, ["umount", self.folder], check=True)
        self.ballast = os.path.join(self.folder, "ballast")
        with open(self.ballast, "wb") as f:
            f.write(bytes(600 * 1024))

    def take_all(self):
        """Not one block is left."""
        with open(os.path.join(self.folder, "rest"), "ab", buffering=0) as f:
            while True:
                try:
                    f.write(bytes(4096))
                except OSError:
                    return

    def test_full(self):
        self.initialise()
        answer = self.fill()
        self.assertEqual(answer.status, 500, answer)
        self.assertEqual(answer.errors, [f"1 error occurred:\n\t* {FULL}\n\n"])
        self.assertGreater(len(self.ciphertexts), 20)
        self.refuses_to_write("full")

        # killed on the full disk: it starts there again and reads
        self.server.kill()
        self.server = self.make_server().start()
        self.reads_all()
        self.refuses_to_write("killed")

        # room again: without a restart
        os.unlink(os.path.join(self.folder, "rest"))
        os.unlink(self.ballast)
        self.writes()
        self.reads_all()
        self.assertEqual(self.server.stop(), 0)
        self.server = self.make_server().start()
        self.reads_all()

    def test_init_on_a_full_disk(self):
        self.token = None
        server = self.make_server().start()
        self.take_all()
        answer = server.request("PUT", "sys/init", {}, token=None)
        self.assertEqual(answer.status, 500, answer)
        self.assertFalse(server.get("sys/seal-status", token=None).json["initialized"])
        os.unlink(os.path.join(self.folder, "rest"))
        answer = server.request("PUT", "sys/init", {}, token=None)
        self.assertEqual(answer.status, 200, answer)

    def test_start_on_a_full_disk(self):
        self.token = None
        server = self.make_server()
        self.take_all()
        server.start(wait=False)
        self.assertEqual(server.process.wait(20), 1)
        self.assertIn("b.db", server.log_text())
        self.assertFalse(os.path.exists(os.path.join(self.folder, "b.db")), "what could not be set up was left behind")


class FileSize(Full):
    """Files may not grow past a limit, which is an error like a quota's."""
    prefix = ("prlimit", "--fsize=1200000")

    def setUp(self):
        self.folder = servers.tempfile.mkdtemp(prefix="bulla-full-")
        self.addCleanup(servers.shutil.rmtree, self.folder)

    def test_full(self):
        self.initialise()
        answer = self.fill()
        self.assertEqual(answer.status, 500, answer)
        self.assertEqual(answer.errors, [f"1 error occurred:\n\t* {FULL}\n\n"])
        self.assertGreater(len(self.ciphertexts), 20)
        self.reads_all()
        self.server.kill()
        self.prefix = ()
        self.server = self.make_server().start()
        self.reads_all()
        self.writes()
        self.reads_all()


if __name__ == "__main__":
    unittest.main()
