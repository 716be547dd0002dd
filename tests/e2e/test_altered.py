"""A store that was changed from outside, one row put back, taken away or added, is told when it is unsealed, and is not served."""
import contextlib
import os
import sqlite3
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import servers  # noqa: E402
from test_server import PLAIN, Folder, initialise  # noqa: E402

TEXT = "changed from outside"
DENY = 'path "transit/decrypt/k" { capabilities = ["deny"] }'
ALLOW = 'path "transit/*" { capabilities = ["update", "read"] }'


class Altered(Folder):
    def setUp(self):
        super().setUp()
        self.server = self.serve()
        initialise(self.server)
        for path, kind in (("mounts/transit", "transit"), ("auth/userpass", "userpass"), ("auth/approle", "approle")):
            self.post(f"sys/{path}", {"type": kind})
        self.post("transit/keys/k")
        self.cipher = self.post("transit/encrypt/k", {"plaintext": PLAIN}).data["ciphertext"]

    def post(self, path, body=None):
        answer = self.server.post(path, body or {})
        self.assertEqual(answer.status // 100, 2, (path, answer))
        return answer

    def delete(self, path):
        self.assertEqual(self.server.delete(path).status, 204)

    def rows(self):
        with contextlib.closing(sqlite3.connect(self.database)) as db:
            return {row[0]: row for row in db.execute("SELECT id, revision, sequence, bytes FROM record")}

    def run_sql(self, *statements):
        with contextlib.closing(sqlite3.connect(self.database)) as db, db:
            for sql, values in statements:
                db.execute(sql, values)

    def put_back(self, row):
        self.run_sql(("INSERT OR REPLACE INTO record VALUES (?, ?, ?, ?)", row))

    def refused_and_told(self):
        done = subprocess.run(self.server.argv, capture_output=True, text=True, timeout=servers.START_S)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn(TEXT, done.stderr)

    def accept(self):
        port, folder = servers.free_port(), os.path.join(self.folder, "accepting")
        os.mkdir(folder)
        server = servers.bulla_config(folder, servers.config_text(port, self.database, extra="accept_altered_store = true\n"), port)
        server.token = self.server.token
        self.addCleanup(server.close)
        server.start()
        self.assertEqual(server.post("transit/decrypt/k", {"ciphertext": self.cipher}).status, 200)
        self.assertEqual(server.stop(), 0)
        self.assertIn("count as they are (accept_altered_store)", server.log_text())

    def sound(self):
        self.server.start()
        self.assertIs(self.server.request("GET", "sys/seal-status", token=None).json["sealed"], False)
        self.assertEqual(self.server.stop(), 0)
        self.assertNotIn(TEXT, self.server.log_text())

    def each_row(self, change):
        """Between two stops something is changed: each row of before that is another now, or gone, is put back alone."""
        self.server.stop()
        before = self.rows()
        self.server.start()
        change()
        self.server.stop()
        after = self.rows()
        old = [row for id, row in before.items() if after.get(id) != row]
        self.assertGreater(len(old), 0)
        self.sound()
        after = self.rows()
        for row in old:
            with self.subTest(row[0].hex()):
                self.put_back(row)
                self.refused_and_told()
                self.run_sql(("DELETE FROM record WHERE id = ?", (row[0],)), *([("INSERT INTO record VALUES (?, ?, ?, ?)", after[row[0]])] if row[0] in after else []))
        self.sound()

    def test_minimum_version(self):
        self.post("transit/keys/k/rotate")
        self.each_row(lambda: self.post("transit/keys/k/config", {"min_decryption_version": 2}))

    def test_revoked_token(self):
        token = self.post("auth/token/create", {"policies": ["default"]}).json["auth"]["client_token"]
        self.each_row(lambda: self.post("auth/token/revoke", {"token": token}))

    def test_policy(self):
        self.post("sys/policies/acl/p", {"policy": ALLOW})
        self.each_row(lambda: self.post("sys/policies/acl/p", {"policy": DENY}))

    def test_password(self):
        self.post("auth/userpass/users/u", {"password": "old"})
        self.each_row(lambda: self.post("auth/userpass/users/u/password", {"password": "new"}))

    def test_secret_id(self):
        self.post("auth/approle/role/r", {})
        secret = self.post("auth/approle/role/r/secret-id").data["secret_id"]
        self.each_row(lambda: self.post("auth/approle/role/r/secret-id/destroy", {"secret_id": secret}))

    def test_uses(self):
        token = self.post("auth/token/create", {"num_uses": 5}).json["auth"]["client_token"]
        self.each_row(lambda: self.assertEqual(self.server.get("auth/token/lookup-self", token=token).status, 200))

    def test_mount_and_key(self):
        self.post("sys/mounts/other", {"type": "transit"})
        self.post("other/keys/k")
        self.each_row(lambda: self.delete("sys/mounts/other"))

    def test_trimmed_and_deleted(self):
        self.post("transit/keys/d")
        self.post("transit/keys/d/rotate")
        self.post("transit/keys/d/config", {"min_decryption_version": 2, "min_encryption_version": 2, "deletion_allowed": True})
        self.each_row(lambda: self.post("transit/keys/d/trim", {"min_available_version": 2}))
        self.server.start()
        self.each_row(lambda: self.delete("transit/keys/d"))

    def test_taken_away(self):
        """Each row of the store."""
        self.post("sys/policies/acl/deny", {"policy": DENY})
        self.server.stop()
        for id, row in self.rows().items():
            if any(id[:15]) or id[15] == 1:  # without the seal's own two it does not get as far
                with self.subTest(id.hex()):
                    self.run_sql(("DELETE FROM record WHERE id = ?", (id,)))
                    self.refused_and_told()
                    self.put_back(row)
        self.sound()

    def test_accepted(self):
        self.post("sys/policies/acl/p", {"policy": DENY})
        self.server.stop()
        before = self.rows()
        self.server.start()
        self.delete("sys/policies/acl/p")
        self.server.stop()
        (gone,) = [row for id, row in before.items() if id not in self.rows()]
        self.put_back(gone)
        self.refused_and_told()
        self.accept()
        self.sound()

    def test_killed(self):
        """Whatever a server is at when it is killed: all of it adds up."""
        for _ in range(3):
            for i in range(20):
                self.post("transit/keys/k/rotate")
            self.server.kill()
            self.server.start()
        self.server.stop()
        self.sound()


if __name__ == "__main__":
    unittest.main()
