"""The two neighbours of the cards' story: bin/byok.sh and bin/alice-bob.sh."""
import os
import re
import subprocess
import unittest

import world
from world import servers


def key_pair(folder, name, kind):
    """What a KMS would make, of so many bits or on that curve: gives the files of the private and the public key."""
    private, public = (os.path.join(folder, f"{name}.{part}") for part in ("private", "public"))
    what = ["RSA", "-pkeyopt", "rsa_keygen_bits:" + kind] if kind.isdigit() else ["EC", "-pkeyopt", "ec_paramgen_curve:" + kind]
    subprocess.run(["openssl", "genpkey", "-algorithm", *what, "-out", private], check=True, capture_output=True)
    subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", public], check=True, capture_output=True)
    return private, public


class Neighbour(unittest.TestCase):
    kind = "bulla"

    @classmethod
    def setUpClass(cls):
        cls.world = world.World(cls.kind)
        cls.addClassCleanup(cls.world.close)
        cls.server = cls.world.server

    def ran(self, *argv, **env):
        """What a script that must succeed said."""
        done = self.world.run(*argv, **env)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def failed(self, *argv, **env):
        done = self.world.run(*argv, **env)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        return done.stderr


class Byok(Neighbour):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.post("sys/mounts/transit", {"type": "transit"})
        cls.out = os.path.join(cls.world.folder, "out")
        os.mkdir(cls.out)
        cls.private, cls.public = key_pair(cls.world.folder, "kms", "3072")

    def material(self, key, version):
        """The key's bytes as the API exports them."""
        text = self.server.get(f"transit/export/encryption-key/{key}/{version}").data["keys"][str(version)]
        return servers.base64.b64decode(text)

    def unwrapped(self, path):
        done = subprocess.run(["openssl", "pkeyutl", "-decrypt", "-inkey", self.private, "-in", path, "-pkeyopt", "rsa_padding_mode:oaep",
                               "-pkeyopt", "rsa_oaep_md:sha256"], check=True, capture_output=True)
        return done.stdout

    def test_export_and_check(self):
        said = self.ran("byok.sh", "-c", self.private, self.public, self.out)
        path = os.path.join(self.out, "byok-demo-key.v1.wrapped")
        self.assertIn("byok-demo-key created, exportable", said)
        self.assertIn(f"wrapped with RSAES_OAEP_SHA_256 (3072 bits): {path}", said)
        self.assertIn("the same 32 bytes", said)
        self.assertEqual(self.unwrapped(path), self.material("byok-demo-key", 1))
        self.assertEqual(len(self.material("byok-demo-key", 1)), 32)
        again = self.ran("byok.sh", self.public, self.out)
        self.assertIn("byok-demo-key version 1 wrapped", again)
        seen = world.read(self.world.seen)
        self.assertFalse(servers.base64.b64encode(self.material("byok-demo-key", 1)) in seen)
        self.assertEqual([n for n in os.listdir(self.out) if not n.endswith(".wrapped")], [])

    def test_rotate_and_import(self):
        """What cron would do: a new version each time, handed to the program that calls the KMS."""
        took = os.path.join(self.world.folder, "imported")
        program = world.write(os.path.join(self.world.folder, "kms-import"), f'#!/bin/sh\nprintf "%s\\n" "$*" >>{took}\n', 0o700)
        for version in (1, 2, 3):
            said = self.ran("byok.sh", "-k", "monthly", "-r", self.public, self.out, BYOK_IMPORT=program)
            self.assertIn("imported by", said)
            path = os.path.join(self.out, f"monthly.v{version}.wrapped")
            self.assertEqual(self.unwrapped(path), self.material("monthly", version))
        self.assertEqual(world.read(took).decode().splitlines(), [f"{self.out}/monthly.v{v}.wrapped monthly {v}" for v in (1, 2, 3)])
        world.write(program, "#!/bin/sh\nexit 3\n", 0o700)
        self.assertIn("did not import", self.failed("byok.sh", "-k", "monthly", self.public, self.out, BYOK_IMPORT=program))

    def test_refusals(self):
        self.server.post("transit/keys/fixed")
        self.server.post("transit/keys/signer", {"type": "ed25519", "exportable": True})
        self.server.post("transit/keys/small", {"type": "aes128-gcm96", "exportable": True})
        small, curve = key_pair(self.world.folder, "small", "1024")[1], key_pair(self.world.folder, "curve", "P-256")[1]
        other = key_pair(self.world.folder, "other", "2048")[0]
        for said, argv in {
            "was not exported": ["-k", "fixed", self.public],
            "of signer was not exported": ["-k", "signer", self.public],
            "has 16 bytes": ["-k", "small", self.public],
            "1024 bits only": [small],
            "is no RSA key": [curve],
            "is no public key": [self.private],
            "no folder": [self.public, self.out + "/nosuch"],
            "does not unwrap": ["-k", "checked", "-c", other, self.public, self.out],
        }.items():
            with self.subTest(said):
                self.assertIn(said, self.failed("byok.sh", *argv))
        self.assertEqual(self.world.run("byok.sh").returncode, 2)
        self.assertEqual(self.world.run("byok.sh", "").returncode, 2)


class ByokFromOpenBao(Neighbour):
    kind = "openbao"

    def test_export_and_check(self):
        self.server.post("sys/mounts/transit", {"type": "transit"})
        private, public = key_pair(self.world.folder, "kms", "2048")
        self.assertIn("the same 32 bytes", self.ran("byok.sh", "-c", private, public, self.world.folder))


class AliceAndBob(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.world = world.World("bulla", audited=True)
        cls.addClassCleanup(cls.world.close)

    def test_story(self):
        for _ in range(2):
            done = self.world.run("alice-bob.sh", self.world.audit)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            story, recorded = done.stdout.split("\n\n")
            self.assertRegex(story, r"^Alice encrypts for user=alice: vault:v1:\S+\nBob decrypts with user=alice: Meet me at the archive\.\n")
            self.assertEqual(re.findall(r"(?m)^(.*): refused \((.*)\)$", story), [
                ("Bob decrypts with user=bob", "message authentication failed"),
                ("Bob decrypts without a user", "permission denied"),
                ("Alice decrypts", "permission denied"),
                ("Bob encrypts", "permission denied"),
                ("Alice encrypts for user=bob", "permission denied"),
            ])
            lines = recorded.splitlines()[1:]
            self.assertEqual(len(lines), 4, recorded)
            self.assertEqual([line.split("-", 1)[1] for line in lines], [
                'bob {"user":"alice"} decrypted', 'bob {"user":"bob"} refused: invalid request',
                'bob {"user":""} refused: permission denied', 'alice {"user":"alice"} refused: permission denied'])

    def test_nothing_secret_is_recorded(self):
        self.assertEqual(self.world.run("alice-bob.sh").returncode, 0)
        log = world.read(self.world.audit)
        self.assertIn(b'"path":"transit/decrypt/letters"', log)
        for secret in (b"Meet me", servers.b64("Meet me at the archive.").encode(), self.world.server.token.encode(), b"vault:v1:"):
            self.assertFalse(secret in log, secret)

    def test_mistakes(self):
        self.assertEqual(self.world.run("alice-bob.sh", "a", "b").returncode, 2)
        self.assertIn("Alice may encrypt", self.world.run("alice-bob.sh", "-h").stdout)


if __name__ == "__main__":
    unittest.main()
