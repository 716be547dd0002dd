"""Which refusal comes first: many paths by every method, with no token, a wrong one and root's, in no namespace, an unknown one and the root,
to a server that is new, open and sealed; and numbers that are none. Each goes to Bulla and to a real OpenBao; status, text and place of a
redirect have to be the same. Paths that are not here, and what else differs on purpose: docs/COMPATIBILITY.md."""
import http.client
import itertools
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import servers  # noqa: E402

BAO = os.environ.get("BAO_BIN") or os.path.join(servers.TOP, "tests", ".venv", "bin", "bao")
PATHS = (
    "/v1", "/v1/", "/v1/sys", "/v1/sys/", "/v1/sys/health", "/v1/sys/health/", "/v1/sys/seal-status", "/v1/sys/seal-status/", "/v1/sys/leader",
    "/v1/sys/init", "/v1/sys/unseal", "/v1/sys/mounts", "/v1/sys/mounts/", "/v1/sys/auth", "/v1/sys/policy", "/v1/sys/nosuch", "/v1/sys/nosuch/x",
    "/v1/auth", "/v1/auth/", "/v1/auth/token", "/v1/auth/token/", "/v1/auth/token/lookup-self", "/v1/auth/nosuch", "/v1/auth/nosuch/login",
    "/v1/nosuch", "/v1/nosuch/", "/v1/transit", "/v1/transit/", "/v1/transit/keys", "/v1/transit/keys/", "/v1/transit/keys/none",
    "/v1/transit/keys/%CD%B8", "/v1/transit/nosuch", "/v1/cubbyhole", "/v1/cubbyhole/", "/v1/cubbyhole/x", "/v1/sys/internal/ui/mounts",
    "/v1/sys/internal/ui/mounts/", "/v1/sys/internal/ui/mounts/nosuch", "/v1/sys/wrapping/lookup", "/v1/sys/capabilities-self",
    "/v1/auth/userpass/login/u", "/v1/auth/userpass/login/a%22b", "/v1/auth/userpass/", "/v1/auth/approle/login", "/v2/x", "/favicon.ico",
    "/v1/sys/seal", "/v1/sys/tools/random", "/v1/sys/key-status", "/v1/sys/internal/ui/resultant-acl", "/v1/identity", "/v1/identity/",
    "/v1/sys/leases/lookup", "/v1/ns/sys/mounts", "/v1/sys/policies/acl", "/v1/sys/policies/acl/", "/v1/sys/raw", "/v1/sys/decode-token",
    "/v1/sys/generate-root/attempt", "/v1//sys", "/v1/x/../sys", "/v1/sys/.", "/v1/%73ys", "/v1/sys?x=1&y=%20", "/v1/sys?help=1",
)
METHODS = ("GET", "LIST", "POST", "DELETE", "PATCH", "HEAD", "OPTIONS")
NAMESPACES = (None, "nosuch/", "root", "/")
# what docs/COMPATIBILITY.md says of them
ELSE = {("/v1/auth/approle/login", "PATCH"), ("/v1/auth/approle/login", "HEAD"),
        *(("/v1/sys/generate-root/attempt", m) for m in METHODS if m not in ("GET", "POST", "DELETE"))}
NUMBERS = (-5, "-5", "-5s", 0, "0", -1, "system", "", None, 1.5, "1.5", "5", 5, "5m", "5d", "1h30m", 99999999999, True, [], {}, [5], " 5", "+5", "0x10",
           "010", "1_000", "9223372036854775807", "-9223372036854775808", "9223372036854775808", "2562047h", "3000000h")
FIELDS = (
    ("sys/mounts/transit/tune", "default_lease_ttl"), ("sys/mounts/transit/tune", "max_lease_ttl"), ("sys/auth/userpass/tune", "default_lease_ttl"),
    ("sys/auth/userpass/tune", "max_lease_ttl"), ("auth/token/create", "ttl"), ("auth/token/create", "explicit_max_ttl"),
    ("auth/token/create", "period"), ("auth/token/roles/r", "token_period"), ("auth/approle/role/r", "token_ttl"),
    ("auth/approle/role/r", "token_period"), ("auth/approle/role/r/token-ttl", "token_ttl"), ("auth/approle/role/r/period", "period"),
    ("auth/approle/role/r", "secret_id_ttl"), ("auth/userpass/users/u", "token_ttl"), ("transit/keys/k/config", "auto_rotate_period"),
    ("transit/keys/k/config", "min_decryption_version"), ("transit/random", "bytes"), ("sys/leases/renew", "increment"),
)


class Statuses(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        servers.serve_beside_bao(cls, BAO)
        cls.connections = {}

    @classmethod
    def tearDownClass(cls):
        for connection in cls.connections.values():
            connection.close()

    def ask(self, server, method, path, headers):
        """Over the connection that is open to it, for as long as it stays so."""
        body = b"{}" if method in ("POST", "PATCH") else None
        for _ in range(2):
            connection = self.connections.setdefault(server, server.connection())
            try:
                connection.request(method, path, body, headers)
                answer = connection.getresponse()
                text = answer.read()
            except (OSError, http.client.HTTPException):
                self.connections.pop(server).close()
                continue
            try:
                text = json.loads(text).get("errors") if answer.status >= 300 else None
            except ValueError:
                text = text.decode()
            return answer.status, text, answer.headers.get("Location")
        return None

    def same(self, tokens):
        for path, method, token, namespace in itertools.product(PATHS, METHODS, tokens, NAMESPACES):
            if (path, method) in (*ELSE, ("/v1/sys/seal", "POST")):
                continue
            headers = {"Content-Type": "application/merge-patch+json"} if method == "PATCH" else {}
            headers |= {"X-Vault-Namespace": namespace} if namespace is not None else {}
            told = []
            for server in (self.bulla, self.bao):
                shown = server.token if token == "root" else token
                told.append(self.ask(server, method, path, headers | ({"X-Vault-Token": shown} if shown else {})))
            self.assertIsNotNone(told[0], (path, method))
            self.assertEqual(told[1], told[0], (path, method, token, namespace))

    def test_new_open_sealed(self):
        with self.subTest("new"):
            self.same((None, "s.nosuch"))
        for server in self.both:
            servers.bao_unseal(server)
            for path, kind in (("mounts", "transit"), ("auth", "userpass"), ("auth", "approle")):
                self.assertEqual(204, server.post(f"sys/{path}/{kind}", {"type": kind}).status)
        with self.subTest("open"):
            self.same((None, "s.nosuch", "root"))
        with self.subTest("numbers"):
            self.numbers()
        for server in self.both:
            self.assertEqual(204, server.post("sys/seal").status)
        with self.subTest("sealed"):
            self.same((None, "s.nosuch", "root"))

    def numbers(self):
        for server in self.both:
            for path, body in (("transit/keys/k", {}), ("auth/approle/role/r", {}), ("auth/userpass/users/u", {"password": "p"})):
                server.post(path, body)
        for (path, field), value in itertools.product(FIELDS, NUMBERS):
            told = []
            for server in self.both:
                answer = server.post(path, {field: value})
                said = answer.json.get("errors") if answer.status >= 300 else None
                kept = server.get(path).json.get("data", {}).get(field) if path.endswith("/tune") else None
                told.append((answer.status, said, kept))
            self.assertEqual(told[1], told[0], (path, field, value))
        for kind, field, value in itertools.product(("mounts", "auth"), ("default_lease_ttl", "listing_visibility", "passthrough_request_headers",
                                                                         "force_no_cache"), (True, [], {}, -5, None, "a,b", ["a"])):
            body = {"type": "transit" if kind == "mounts" else "userpass", "config": {field: value}}
            told = []
            for server in self.both:
                answer = server.post(f"sys/{kind}/new", body)
                told.append((answer.status, answer.json.get("errors") if answer.body else None))
                server.delete(f"sys/{kind}/new")
            self.assertEqual(told[1], told[0], (kind, body))

    def test_a_negative_time_of_a_mount_is_none(self):
        """OpenBao gives tokens that have ended by then, or none at all."""
        with servers.bulla_dev() as server:
            server.post("sys/auth/userpass", {"type": "userpass"})
            server.post("auth/userpass/users/u", {"password": "p"})
            for field in ("default_lease_ttl", "max_lease_ttl"):
                self.assertEqual(204, server.post("sys/auth/userpass/tune", {field: -5}).status)
                login = server.post("auth/userpass/login/u", {"password": "p"}, token=None)
                self.assertEqual((200, 2764800), (login.status, login.json["auth"]["lease_duration"]))

    def test_times_beyond_a_token(self):
        with servers.bulla_dev() as server:
            for ttl in ("1000000h", "2562047h"):
                made = server.post("auth/token/create", {"explicit_max_ttl": ttl})
                self.assertEqual(200, made.status, made)
                self.assertEqual(200, server.get("auth/token/lookup-self", token=made.json["auth"]["client_token"]).status)


if __name__ == "__main__":
    unittest.main()
