"""A new root token from shares, and clients behind a proxy: what listeners decide."""
import base64
import os
import shutil
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import servers  # noqa: E402

ABORTED = "root generation aborted: unable to authenticate: unable to retrieve stored keys: invalid key: failed to decrypt keys from " \
    "storage: cipher: message authentication failed"


class Configured(unittest.TestCase):
    """A server of a configuration, with one listener for each of LISTENERS (their further settings)."""
    LISTENERS = [""]
    SEAL = ""
    INIT = {"secret_shares": 3, "secret_threshold": 2}

    def setUp(self):
        self.folder = servers.tempfile.mkdtemp(prefix="bulla-test-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.ports = [servers.free_port() for _ in self.LISTENERS]
        text = 'storage "inmem" {}\n' + self.SEAL
        for port, more in zip(self.ports, self.LISTENERS):
            text += f'listener "tcp" {{\n  address = "127.0.0.1:{port}"\n  tls_disable = true\n{more}\n}}\n'
        self.server = servers.bulla_config(self.folder, text, self.ports[0])
        self.addCleanup(self.server.close)
        self.server.start()
        self.init = self.server.request("PUT", "sys/init", self.INIT, token=None).json
        self.server.token = self.init["root_token"]
        self.keys = self.init.get("recovery_keys_base64") or self.init["keys_base64"]
        if not self.SEAL:
            self.unseal()

    def unseal(self):
        for key in self.keys[:2]:
            self.assertEqual(self.server.request("PUT", "sys/unseal", {"key": key}, token=None).status, 200)

    def at(self, listener, method, path, body=None, **kw):
        first, self.server.address = self.server.address, f"127.0.0.1:{self.ports[listener]}"
        try:
            return self.server.request(method, path, body, **kw)
        finally:
            self.server.address = first

    def refused(self, answer, status, text):
        self.assertEqual((answer.status, answer.errors), (status, [text]), answer)


class Root(Configured):
    LISTENERS = ["", "  disable_unauthed_generate_root_endpoints = false"]

    def open(self, method, path, body=None):
        return self.at(1, method, "sys/generate-root/" + path, body, token=None)

    def give(self, key, nonce):
        return self.open("PUT", "update", {"key": key, "nonce": nonce})

    def test_closed_unless_the_listener_says_so(self):
        for method, path in (("GET", "attempt"), ("PUT", "attempt"), ("DELETE", "attempt"), ("PUT", "update")):
            for token in (None, self.server.token):
                self.refused(self.at(0, method, "sys/generate-root/" + path, {}, token=token), 405, "unsupported operation")
        self.refused(self.at(0, "GET", "sys/generate-root-token/attempt", token=None), 403, "permission denied")

    def test_refusals(self):
        self.assertEqual(self.open("LIST", "attempt").status, 405)
        self.refused(self.open("PUT", "update", {}), 400, "'key' must be specified in request body as JSON")
        self.refused(self.give("!!", ""), 400, "'key' must be a valid hex or base64 string")
        self.refused(self.give(self.keys[0], "x"), 400, "no root generation in progress")
        self.refused(self.open("PUT", "attempt", {"otp": "short"}), 400, "OTP string has incorrect length")
        self.refused(self.open("PUT", "attempt", {"pgp_key": "x"}), 400, "encrypting keys with PGP is not supported")
        nonce = self.open("PUT", "attempt", {}).json["nonce"]
        self.refused(self.open("PUT", "attempt", {}), 400, "root generation already in progress for this namespace")
        self.refused(self.give(self.keys[0], "x"), 400,
                     f'incorrect nonce supplied; nonce for this root generation operation is "{nonce}"')
        self.refused(self.give("abcd", nonce), 400, "invalid key: key is shorter than minimum 16 bytes")
        self.assertEqual(self.give(self.keys[0], nonce).json["progress"], 1)
        self.refused(self.give(self.keys[0], nonce), 400, "given key has already been provided during this generation operation")
        self.refused(self.give(self.keys[1][:24], nonce), 400, "failed to compute root key: all parts must be the same length")
        self.assertEqual(self.open("GET", "attempt").json["progress"], 0)
        wrong = bytearray(base64.b64decode(self.keys[1]))
        wrong[0] ^= 1
        self.give(self.keys[0], nonce)
        self.refused(self.give(servers.b64(bytes(wrong)), nonce), 400, ABORTED)
        attempt = self.open("GET", "attempt").json
        self.assertEqual((attempt["started"], attempt["progress"], attempt["nonce"], attempt["otp"]), (True, 0, nonce, ""))
        self.assertEqual(self.open("DELETE", "attempt").status, 204)
        self.assertEqual(self.open("GET", "attempt").json["nonce"], "")

    def finish(self, otp, answer):
        decoded = self.server.post("sys/decode-token", {"encoded_token": answer["encoded_token"], "otp": otp}, token=None)
        token = decoded.data["token"]
        self.assertNotIn(token, self.server.log_text())
        found = self.server.get("auth/token/lookup-self", token=token).data
        self.assertEqual((found["policies"], found["path"], found["display_name"], found["ttl"]), (["root"], "auth/token/root", "root", 0))

    def test_without_a_token(self):
        begun = self.open("PUT", "attempt", {}).json
        self.assertEqual({k: begun[k] for k in ("started", "progress", "required", "complete", "otp_length", "encoded_token")},
                         {"started": True, "progress": 0, "required": 2, "complete": False, "otp_length": 26, "encoded_token": ""})
        first = self.give(self.keys[2], begun["nonce"]).json
        self.assertEqual((first["progress"], first["complete"], first["encoded_token"]), (1, False, ""))
        done = self.give(self.keys[0], begun["nonce"]).json
        self.assertEqual((done["progress"], done["complete"], done["encoded_root_token"]), (2, True, done["encoded_token"]))
        self.finish(begun["otp"], done)
        self.assertEqual(self.open("GET", "attempt").json["started"], False)
        self.refused(self.give(self.keys[0], begun["nonce"]), 400, "no root generation in progress")

    def test_with_a_token(self):
        otp = "a" * 26
        begun = self.server.post("sys/generate-root-token/attempt", {"otp": otp}).data
        self.assertEqual((begun["otp"], begun["started"], begun["required"]), ("", True, 2))
        update = {"nonce": begun["nonce"], "key": self.keys[0]}
        self.refused(self.server.post("sys/generate-root-token/update", {"key": "x"}), 400, "nonce is required")
        self.refused(self.server.post("sys/generate-root-token/update", {"nonce": "x"}), 400, "key is required")
        self.assertEqual(self.server.post("sys/generate-root-token/update", update).data["progress"], 1)
        again = self.server.post("sys/generate-root-token/update", update)
        self.assertEqual(again.status, 500)
        self.assertIn("given key has already been provided", again.errors[0])
        update["key"] = self.keys[1]
        done = self.server.post("sys/generate-root-token/update", update).data
        self.assertTrue(done["complete"])
        self.finish(otp, done)

    def test_sealing_ends_an_attempt(self):
        begun = self.open("PUT", "attempt", {}).json
        self.give(self.keys[0], begun["nonce"])
        self.assertEqual(self.server.request("PUT", "sys/seal").status, 204)
        self.assertEqual(self.open("GET", "attempt").status, 503)
        self.unseal()
        self.assertEqual(self.open("GET", "attempt").json["started"], False)

    def test_decoding(self):
        for body, text in (({}, "provided 'encoded_token' or 'otp' is empty"),
                           ({"encoded_token": "!!", "otp": "abcdef"}, "error decoding base64'd token: illegal base64 data at input byte 0"),
                           ({"encoded_token": "YWJj", "otp": "abcdef"}, "error xoring token: length of byte slices is not equivalent: 3 != 6")):
            self.refused(self.server.post("sys/decode-token", body, token=None), 400, text)
        self.assertEqual(self.server.post("sys/decode-token", {"encoded_token": "GxE", "otp": "ab"}, token=None).data, {"token": "zs"})


class RecoveryKeys(Root):
    """Under a static seal the shares are recovery keys."""
    SEAL = f'seal "static" {{\n  current_key_id = "k"\n  current_key = "{"ab" * 32}"\n}}\n'
    INIT = {"recovery_shares": 3, "recovery_threshold": 2}
    test_refusals = None
    test_sealing_ends_an_attempt = None
    test_decoding = None

    def test_wrong_keys(self):
        nonce = self.open("PUT", "attempt", {}).json["nonce"]
        wrong = bytearray(base64.b64decode(self.keys[1]))
        wrong[0] ^= 1
        self.give(self.keys[0], nonce)
        self.refused(self.give(servers.b64(bytes(wrong)), nonce), 400,
                     "invalid key: failed to verify recovery key: recovery key does not match submitted values")
        self.assertEqual(self.open("GET", "attempt").json["progress"], 0)


class Forwarded(Configured):
    LISTENERS = [
        "",
        '  x_forwarded_for_authorized_addrs = "127.0.0.1"',
        '  x_forwarded_for_authorized_addrs = ["10.0.0.0/8", "127.0.0.0/8"]\n  x_forwarded_for_hop_skips = 1\n'
        "  x_forwarded_for_reject_not_present = false",
        '  x_forwarded_for_authorized_addrs = "10.0.0.0/8,::1"',
        '  x_forwarded_for_authorized_addrs = "10.0.0.0/8"\n  x_forwarded_for_reject_not_authorized = "false"',
    ]

    def bound(self, cidr):
        body = {"policies": ["default"], "ttl": "1h"}
        self.server.post("auth/token/roles/r", {"token_bound_cidrs": cidr, "allowed_policies": "default"})
        return self.server.post("auth/token/create/r", body).json["auth"]["client_token"]

    def lookup(self, listener, token, *headers):
        connection = servers.http.client.HTTPConnection("127.0.0.1", self.ports[listener], timeout=60)
        connection.putrequest("GET", "/v1/auth/token/lookup-self")
        connection.putheader("X-Vault-Token", token)
        for header in headers:
            connection.putheader("X-Forwarded-For", header)
        connection.endheaders()
        reply = connection.getresponse()
        body = reply.read()
        connection.close()
        return reply.status, body

    def test_where_the_header_is_believed(self):
        token = self.bound("192.0.2.0/24")
        for listener, headers, status in (
            (0, (), 403), (0, ("192.0.2.7",), 403),
            (1, ("192.0.2.7",), 200), (1, ("198.51.100.1, 192.0.2.7",), 200), (1, ("198.51.100.1", "192.0.2.7"), 200),
            (1, ("192.0.2.7:4711",), 200), (1, ("192.0.2.7, 198.51.100.1",), 403), (1, ("192.0.2.7", "198.51.100.1"), 403),
            (1, (), 400), (1, ("",), 400), (1, ("unknown",), 400), (1, ("192.0.2.0/24",), 400), (1, ("192.0.2.7,",), 400),
            (2, ("192.0.2.7, 198.51.100.1",), 200), (2, ("1.1.1.1, 192.0.2.7, 198.51.100.1",), 200), (2, ("192.0.2.7",), 400),
            (2, ("198.51.100.1, 192.0.2.7",), 403), (2, (), 403),
            (3, ("192.0.2.7",), 400), (3, (), 400), (4, ("192.0.2.7",), 403),
        ):
            with self.subTest(listener=listener, headers=headers):
                answer = self.lookup(listener, token, *headers)
                self.assertEqual(answer[0], status, answer)

    def test_ipv6(self):
        token = self.bound("2001:db8::/32")
        for text, status in (("2001:db8::1", 200), ("[2001:db8::1]:443", 200), ("[2001:db8::1]", 200), ("2001:db9::1", 403)):
            self.assertEqual(self.lookup(1, token, text)[0], status, text)

    def test_texts(self):
        self.assertIn(b"missing x-forwarded-for header and configured to reject when not present", self.lookup(1, "x")[1])
        self.assertIn(b"hops to skip (1) would skip before earliest chain link (chain length 1)", self.lookup(2, "x", "1.2.3.4")[1])
        self.assertIn(b"client address not authorized for x-forwarded-for", self.lookup(3, "x", "1.2.3.4")[1])


del Configured

if __name__ == "__main__":
    unittest.main()
