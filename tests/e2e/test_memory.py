"""Large bodies: who may send them, and what all of them together may take."""
import contextlib
import http.client
import json
import os
import socket
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import servers  # noqa: E402

KIB, MIB = 1 << 10, 1 << 20


def encrypt_body(size):
    """A body of about that size that is good for an encryption."""
    return json.dumps({"plaintext": servers.b64(bytes(size // 4 * 3))}).encode()


class Limits(unittest.TestCase):
    """A server that lets large requests take 48 MiB in all, and one of them send 3 MiB."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="bulla-limits-")
        cls.addClassCleanup(folder.cleanup)
        port = servers.free_port()
        text = servers.config_text(port, os.path.join(folder.name, "b.db"),
                                   extra='max_request_size = "3MiB"\nmax_request_memory = "48MiB"\n')
        cls.server = servers.bulla_config(folder.name, text, port)
        cls.addClassCleanup(cls.server.close)
        cls.server.start()
        made = cls.server.request("PUT", "sys/init", {}, token=None).json
        cls.server.token = made["root_token"]
        cls.server.post("sys/mounts/transit", {"type": "transit"})
        cls.server.post("transit/keys/k", {})
        cls.server.post("sys/auth/userpass", {"type": "userpass"})

    def token(self):
        return self.server.post("auth/token/create", {"policies": ["default"], "no_parent": True}).json["auth"]["client_token"]

    def open(self, path, length, token, chunked=False, more=""):
        """The head of a request; its body is to follow."""
        s = socket.create_connection(("127.0.0.1", int(self.server.address.rsplit(":", 1)[1])), timeout=60)
        self.addCleanup(s.close)
        framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {length}"
        known = f"X-Vault-Token: {token}\r\n" if token else ""
        s.sendall(f"POST /v1/{path} HTTP/1.1\r\nHost: x\r\n{known}{more}{framing}\r\n\r\n".encode())
        return s

    @staticmethod
    def answer(s):
        reply = http.client.HTTPResponse(s)
        reply.begin()
        return servers.Answer(reply.status, reply.headers, reply.read())

    def resident(self):
        with open(f"/proc/{self.server.process.pid}/status") as f:
            return next(int(line.split()[1]) * KIB for line in f if line.startswith("VmRSS"))

    def works(self):
        """A large request of the root token's, within a time in which all that was given up has gone."""
        end = time.monotonic() + 60
        while True:
            answer = self.server.post("transit/encrypt/k", encrypt_body(2 * MIB))
            if answer.status != 503 or time.monotonic() > end:
                break
            self.assertEqual(answer.headers["Retry-After"], "1")
            time.sleep(0.1)
        self.assertEqual(answer.status, 200, answer)
        self.assertTrue(answer.data["ciphertext"])

    # ---- who may

    def test_without_a_token_nothing_is_received(self):
        for path in ("transit/encrypt/k", "sys/policies/acl/x", "nowhere/at/all"):
            before = self.resident()
            s = self.open(path, 2 * MIB, None, more="Expect: 100-continue\r\n")
            self.assertEqual(self.answer(s).status, 403, path)
            s = self.open(path, 2 * MIB, None)
            s.sendall(bytes(2 * MIB))
            self.assertEqual(self.answer(s).status, 403, path)
            self.assertLess(self.resident() - before, MIB)

    def test_where_no_token_is_needed_bodies_are_small(self):
        for path in ("sys/unseal", "auth/userpass/login/ana"):
            answer = self.answer(self.open(path, 70 * KIB, None, more="Expect: 100-continue\r\n"))
            self.assertEqual(answer.status, 413, answer)
        almost = {"password": "x", "pad": "y" * (63 * KIB)}
        self.assertEqual(self.server.post("auth/userpass/login/ana", almost, token=None).status, 400)

    def test_with_a_wrong_token_nothing_is_parsed(self):
        for body in (b"{" * (70 * KIB), encrypt_body(MIB)):
            answer = self.server.request("POST", "transit/encrypt/k", body, token="hvs.wrong")
            self.assertEqual((answer.status, answer.errors), (403, ["permission denied"]))
        small = self.server.request("POST", "transit/encrypt/k", b"{" * KIB, token="hvs.wrong")
        self.assertEqual(small.status, 400, "small bodies are read first, as at OpenBao")

    def test_chunked(self):
        s = self.open("transit/encrypt/k", None, None, chunked=True)
        piece = b"2000\r\n" + bytes(0x2000) + b"\r\n"
        for _ in range(20):
            s.sendall(piece)
        s.sendall(b"0\r\n\r\n")
        self.assertEqual(self.answer(s).status, 403)
        body = encrypt_body(MIB)
        s = self.open("transit/encrypt/k", None, self.server.token, chunked=True)
        for at in range(0, len(body), 50000):
            part = body[at:at + 50000]
            s.sendall(b"%x\r\n%s\r\n" % (len(part), part))
        s.sendall(b"0\r\n\r\n")
        self.assertEqual(self.answer(s).status, 200)

    def test_a_use_is_counted_once(self):
        made = self.server.post("auth/token/create", {"policies": ["root"], "num_uses": 2}).json["auth"]["client_token"]
        for wanted in (200, 200, 403):
            answer = self.server.request("POST", "transit/encrypt/k", encrypt_body(MIB), token=made)
            self.assertEqual(answer.status, wanted, answer)

    # ---- how much

    def test_sizes(self):
        for size in (16, 64 * KIB, 70 * KIB, 255 * KIB, 256 * KIB, 257 * KIB, 2 * MIB):
            body = encrypt_body(size)
            answer = self.server.post("transit/encrypt/k", body)
            self.assertEqual(answer.status, 200, answer)
            back = self.server.post("transit/decrypt/k", {"ciphertext": answer.data["ciphertext"]})
            self.assertEqual(back.data["plaintext"], json.loads(body)["plaintext"])

    def test_more_than_there_will_ever_be(self):
        answer = self.server.post("transit/encrypt/k", {"plaintext": "YQ==", "x": [1] * 100000})
        self.assertEqual(answer.status, 413)
        self.assertIn("max_request_memory", answer.errors[0])
        self.works()

    def test_declaring_costs_nothing(self):
        before = self.resident()
        for _ in range(40):
            self.open("transit/encrypt/k", 3 * MIB, self.server.token)
        self.works()
        self.assertLess(self.resident() - before, 16 * MIB)

    def test_what_is_held_by_one_is_not_held_by_others(self):
        """A caller who sends much and never ends it gets 503 for more, and nobody else does; and it all comes back."""
        greedy, other = self.token(), self.token()
        self.assertEqual(self.server.get("auth/token/lookup-self", token=greedy).status, 200)
        self.assertEqual(self.server.get("auth/token/lookup-self", token=other).status, 200)
        held, answer = [], None
        while len(held) < 200 and (answer is None or answer.status != 503):  # those that come when there is no room for them hold nothing
            s = self.open("transit/encrypt/k", 3 * MIB, greedy)
            with contextlib.suppress(OSError):
                s.sendall(bytes(2 * MIB))
            held.append(s)
            answer = self.server.request("POST", "transit/encrypt/k", encrypt_body(MIB), token=greedy)
        self.assertEqual(answer.status, 503, answer)
        self.assertEqual(answer.headers["Retry-After"], "1")
        self.assertEqual(self.server.request("POST", "transit/encrypt/k", encrypt_body(100 * KIB), token=other).status, 403,
                         "parsed, and refused by its policies")
        for _ in range(20):
            self.assertEqual(self.server.post("transit/encrypt/k", encrypt_body(60 * KIB)).status, 200)
        for s in held:
            s.close()
        self.works()

    def test_many_at_once(self):
        """More than fits: each gets its answer or 503, small ones always get theirs, and the memory taken is bounded."""
        before, statuses, small, most = self.resident(), [], [], [0]
        body, stop = encrypt_body(2 * MIB), threading.Event()

        def large():
            for _ in range(4):
                statuses.append(self.server.post("transit/encrypt/k", body).status)

        def watch():
            while not stop.is_set():
                most[0] = max(most[0], self.resident())
                small.append(self.server.post("transit/encrypt/k", {"plaintext": "YQ=="}).status)

        threads = [threading.Thread(target=large) for _ in range(12)]
        watcher = threading.Thread(target=watch)
        for t in [watcher, *threads]:
            t.start()
        for t in threads:
            t.join()
        stop.set()
        watcher.join()
        self.assertLessEqual(set(statuses), {200, 503})
        self.assertIn(200, statuses)
        self.assertEqual(set(small), {200})
        self.assertLess(most[0] - before, (48 + 24) * MIB, "the bound, and what the allocator keeps")
        self.works()


if __name__ == "__main__":
    unittest.main()
