"""A list leaves nothing out without a word: an entry whose record is damaged is missing, and a warning says so."""
import contextlib
import os
import sqlite3
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import servers  # noqa: E402
from test_audit import Audited  # noqa: E402
from test_server import initialise  # noqa: E402

# what makes one of each, and the lists that must name it or warn
MAKES = [
    ("transit/keys/{}", {}), ("auth/approle/role/{}", {}), ("auth/approle/role/first/secret-id", {}), ("auth/userpass/users/{}", {"password": "x"}),
    ("auth/cert/certs/{}", {"certificate": "PEM"}), ("auth/jwt/role/{}", {"role_type": "jwt", "user_claim": "sub", "bound_audiences": ["a"]}),
    ("auth/token/roles/{}", {}), ("auth/token/create", {"ttl": "1h"}), ("sys/policies/acl/{}", {"policy": 'path "a" { capabilities = ["read"] }'}),
    ("cubbyhole/{}", {"x": "y"}),
]
LISTS = ["transit/keys", "auth/approle/role", "auth/approle/role/first/secret-id", "auth/userpass/users", "auth/cert/certs", "auth/jwt/role",
         "auth/token/roles", "auth/token/accessors", "sys/policies/acl", "sys/policy", "sys/policies/detailed/acl", "cubbyhole/",
         "sys/leases/lookup/auth/token/create"]


class Lists(Audited):
    def make(self, server, name):
        for path, body in MAKES:
            body = {k: self.pem if v == "PEM" else v for k, v in body.items()}
            answer = server.post(path.format(name), body)
            self.assertIn(answer.status, (200, 204), (path, answer))

    def ids(self):
        with contextlib.closing(sqlite3.connect(self.database)) as db:
            return {row[0] for row in db.execute("SELECT id FROM record")}

    def listed(self, server):
        answers = {path: server.list(path) for path in LISTS}
        for path, answer in answers.items():
            self.assertEqual(answer.status, 200, (path, answer))
        return {path: (len(answer.data["keys"]), answer.json.get("warnings")) for path, answer in answers.items()}

    def test_each_list_warns(self):
        servers.certificates(self.folder)
        with open(os.path.join(self.folder, "ca.pem")) as f:
            self.pem = f.read()
        server = self.serve()
        initialise(server)
        for path, kind in (("mounts/transit", "transit"), *((f"auth/{kind}", kind) for kind in ("approle", "userpass", "cert", "jwt"))):
            self.assertEqual(server.post(f"sys/{path}", {"type": kind}).status, 204)
        self.make(server, "first")
        before = self.listed(server)
        self.assertEqual(server.stop(), 0)
        good = self.ids()
        server.start()
        self.make(server, "second")
        self.assertEqual([n for n, _ in self.listed(server).values()], [n + 1 for n, _ in before.values()])
        self.assertEqual(server.stop(), 0)
        with contextlib.closing(sqlite3.connect(self.database)) as db, db:
            for id in self.ids() - good:
                (text,) = db.execute("SELECT bytes FROM record WHERE id = ?", (id,)).fetchone()
                db.execute("UPDATE record SET bytes = ? WHERE id = ?", (text[:-1] + bytes([text[-1] ^ 1]), id))
        server.start()
        after = self.listed(server)
        for path, (count, warnings) in after.items():
            with self.subTest(path):
                self.assertEqual(count, before[path][0])
                self.assertIsNone(before[path][1])
                self.assertRegex(" ".join(warnings or []), r"damaged (are not listed: [1-9]|records were left out)")


if __name__ == "__main__":
    unittest.main()
