#!/usr/bin/env python3
"""Damage in the file: what is hit fails and is named, all else goes on; and nothing can be read in the file without its seal.

Every stored record is damaged in turn, then bytes at random places of the file, then the header. BULLA_BIN names the program;
SEED repeats a run."""
import os
import random
import re
import shutil
import sqlite3
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import servers  # noqa: E402

PLAIN = servers.b64("4111111111111111")
KEYS = ("anna", "berta", "clara")
VERSIONS = 3
SEED = int(os.environ.get("SEED", random.randrange(1 << 32)))
PLACES = int(os.environ.get("PLACES", "60"))


class Damage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        """A database with three keys of three versions, closed."""
        cls.folder = servers.tempfile.mkdtemp(prefix="bulla-damage-")
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.good, cls.path = os.path.join(cls.folder, "good.db"), os.path.join(cls.folder, "b.db")
        cls.port = servers.free_port()
        cls.token = None
        server = cls.make_server().start()
        cls.token = server.token = server.request("PUT", "sys/init", {}, token=None).json["root_token"]
        server.post("sys/mounts/transit", {"type": "transit"})
        cls.ciphertexts = {}
        for name in KEYS:
            server.post(f"transit/keys/{name}", {"deletion_allowed": True})
            for version in range(1, VERSIONS + 1):
                if version > 1:
                    server.post(f"transit/keys/{name}/rotate")
                cls.ciphertexts[name, version] = server.post(f"transit/encrypt/{name}", {"plaintext": PLAIN}).data["ciphertext"]
        assert server.stop() == 0
        server.close()
        os.rename(cls.path, cls.good)

    @classmethod
    def make_server(cls):
        return servers.bulla_config(cls.folder, servers.config_text(cls.port, cls.path), cls.port, cls.token)

    def fresh(self):
        for suffix in ("", "-wal", "-journal"):
            if os.path.exists(self.path + suffix):
                os.unlink(self.path + suffix)
        shutil.copy(self.good, self.path)

    def survey(self, server):
        """{(name, version): error} of what does not decrypt. What decrypts is right. None: the root token's record was hit, or
        pages were lost and the server takes the file for one that waits to be initialised."""
        failed = {}
        answer = server.get("auth/token/lookup-self")
        if answer.status != 200:
            self.assertIn(answer.status, (403, 500, 503), answer)
            return None
        for (name, version), ciphertext in self.ciphertexts.items():
            answer = server.post(f"transit/decrypt/{name}", {"ciphertext": ciphertext})
            if answer.status == 200:
                self.assertEqual(answer.data["plaintext"], PLAIN)
            else:
                self.assertIn(answer.status, (400, 403, 404, 500), answer)
                failed[name, version] = answer
        return failed

    def start(self):
        """A server on the damaged file, or None and what it said when it refused to start."""
        server = self.make_server()
        self.addCleanup(server.close)
        try:
            return server.start(), ""
        except RuntimeError:
            self.assertEqual(server.process.returncode, 1, f"ended by a signal:\n{server.log_text()}")
            return None, server.log_text()

    def records(self):
        with sqlite3.connect(self.good) as db:
            rows = db.execute("SELECT id, bytes FROM record ORDER BY id").fetchall()
        db.close()
        return rows

    def test_each_record(self):
        heads, versions, refused, others = set(), set(), 0, 0
        rows = self.records()
        for record, content in rows:
            self.fresh()
            at = len(content) // 2
            db = sqlite3.connect(self.path)
            with db:
                db.execute("UPDATE record SET bytes = ? WHERE id = ?", (content[:at] + bytes([content[at] ^ 1]) + content[at + 1:], record))
            db.close()
            server, said = self.start()
            if server is None:
                self.assertRegex(said, "b.db: .*(damaged|does not open this database)")
                refused += 1
                continue
            failed = self.survey(server)
            if failed is None:
                others += 1
                server.kill()
                continue
            names = {name for name, _ in failed}
            self.assertLessEqual(len(names), 1, f"more than one key fails: {failed}")
            for (name, version), answer in failed.items():
                self.assertEqual(answer.status, 500, answer)
                self.assertIn(name, answer.errors[0])
            if len(failed) == VERSIONS:
                heads |= names
            elif len(failed) == 1:
                versions |= set(failed)
            else:
                self.assertEqual(failed, {})
                others += 1
            for name in set(KEYS) - names:  # the others can be changed, too
                self.assertEqual(server.post(f"transit/keys/{name}/rotate").status, 200)
            self.assertEqual(server.stop(), 0)
        self.assertEqual(heads, set(KEYS))
        # the newest version takes part in every use of a key, so that its record may stop the whole key
        self.assertGreaterEqual(len(versions), len(KEYS) * (VERSIONS - 1), versions)
        self.assertEqual(refused + others, len(rows) - len(KEYS) * (VERSIONS + 1))
        self.assertGreaterEqual(refused, 2)  # the seal record and the barrier's keyring at least

    def test_swapped_records(self):
        """Two records change places: it is told."""
        rows = self.records()
        chance = random.Random(SEED)
        for _ in range(6):
            (one, one_bytes), (two, two_bytes) = chance.sample([r for r in rows if any(r[0][:16])], 2)
            self.fresh()
            db = sqlite3.connect(self.path)
            with db:
                db.execute("UPDATE record SET bytes = ? WHERE id = ?", (two_bytes, one))
                db.execute("UPDATE record SET bytes = ? WHERE id = ?", (one_bytes, two))
            db.close()
            server, said = self.start()
            self.assertIsNone(server)
            self.assertIn("others, than were written: they were changed from outside", said)

    def test_random_places(self):
        """Whatever byte is hit: a right answer or an error, and no crash."""
        chance = random.Random(SEED)
        print(f"{PLACES} places, SEED={SEED}", flush=True)
        outcomes = {"refused": 0, "some failed": 0, "unharmed": 0}
        for _ in range(PLACES):
            self.fresh()
            with open(self.path, "r+b") as f:
                at = chance.randrange(100, os.path.getsize(self.path))
                f.seek(at)
                old = f.read(1)
                f.seek(at)
                f.write(bytes([old[0] ^ chance.randrange(1, 256)]))
            server, said = self.start()
            if server is None:
                outcomes["refused"] += 1
                self.assertIn("b.db", said)
                continue
            failed = self.survey(server)
            outcomes["some failed" if failed is None or failed else "unharmed"] += 1
            server.post("transit/keys/new")  # may fail, must not crash
            self.assertIsNone(server.process.poll(), f"ended at byte {at}:\n{server.log_text()}")
            server.stop()
        print(outcomes, flush=True)
        self.assertGreater(outcomes["refused"] + outcomes["some failed"], 0)

    def test_header(self):
        """Every damaged byte of the header that means something is refused, with the file as it was."""
        for at, byte in ((0, 0x58), (16, 0x11), (18, 9), (21, 0), (44, 1), (60, 1), (63, 0), (63, 9), (68, 0), (71, 0)):
            with self.subTest(at=at):
                self.fresh()
                with open(self.path, "r+b") as f:
                    f.seek(at)
                    f.write(bytes([byte]))
                with open(self.path, "rb") as f:
                    before = f.read()
                server, said = self.start()
                self.assertIsNone(server)
                self.assertIn("b.db", said)
                with open(self.path, "rb") as f:
                    self.assertEqual(f.read(), before)
                self.assertFalse(os.path.exists(self.path + "-wal") or os.path.exists(self.path + "-shm"))

    def test_nothing_can_be_read(self):
        """As strings(1) would look, also while the server runs: only the schema, and the id of the seal key."""
        self.fresh()
        server = self.make_server()
        self.addCleanup(server.close)
        server.start()
        token = server.post("auth/token/create", {"display_name": "a-display-name", "meta": {"meta-key": "meta-value"}}).json["auth"]
        server.post("sys/mounts/a-mount-path", {"type": "transit", "description": "a-description"})
        server.post("a-mount-path/encrypt/a-key-name", {"plaintext": PLAIN, "associated_data": servers.b64("some-aad")})
        export = server.post("transit/keys/exported", {"exportable": True})
        self.assertEqual(export.status, 200, export)
        material = server.get("transit/export/encryption-key/exported").data["keys"]["1"]
        content = b""
        for suffix in ("", "-wal"):
            with open(self.path + suffix, "rb") as f:
                content += f.read()
        self.assertGreater(len(content), 20000)
        needles = [*KEYS, token["client_token"], token["accessor"], self.token, "a-display-name", "meta-key", "meta-value", "a-mount-path",
                   "a-description", "a-key-name", "some-aad", "4111111111111111", PLAIN, material, "exported", "root", "default", "transit",
                   "aes256-gcm96", "auth/token", servers.SEAL_KEY]
        for needle in needles:
            self.assertNotIn(needle.encode(), content, needle)
        for raw in (servers.base64.b64decode(material), bytes.fromhex(servers.SEAL_KEY)):
            self.assertNotIn(raw, content)
        schema = b"".join(row[0].encode() for row in sqlite3.connect(self.good).execute("SELECT sql FROM sqlite_schema WHERE sql NOT NULL"))
        # random bytes look like a name of 16 letters, or like any text of 24, once in a million files
        for text in set(re.findall(rb"[ -~]{24,}|[a-z0-9_./: -]{16,}|[A-Za-z_/]{16,}", content)):
            known = any(part in text for part in (b"CREATE TABLE", b"SQLite format 3", b"tablerecordrecord")) or text in schema
            self.assertTrue(known, f"readable: {text!r}")


if __name__ == "__main__":
    unittest.main()
