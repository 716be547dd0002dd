"""How requests begin and end on the real server: probes of load balancers beside a real OpenBao, and half-closed connections whose answers wait for
their audit records."""
import contextlib
import json
import os
import socket
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import servers  # noqa: E402

BAO = os.environ.get("BAO_BIN") or os.path.join(servers.TOP, "tests", ".venv", "bin", "bao")
DEVICE = 'audit "file" "main" {{\n  options {{\n    file_path = "{path}"\n  }}\n}}\n'


def exchange(address, data, half=False):
    """All that is answered until the end, which the request has to ask for, or the half-close brings."""
    with socket.create_connection(address, 60) as c:
        c.sendall(data)
        if half:
            c.shutdown(socket.SHUT_WR)
        got = b""
        with contextlib.suppress(ConnectionResetError):
            while part := c.recv(65536):
                got += part
    return got


def address_of(server):
    host, port = server.address.rsplit(":", 1)
    return host, int(port)


def parts(answer):
    """Status, Location and body."""
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines[1:])
    return int(lines[0].split()[1]), headers.get("location"), body


class Probes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # its pages as with -dev: without them it answers "/" with 404
        servers.serve_beside_bao(cls, BAO, bao_extra="ui = true\n")

    def test_every_target_is_answered(self):
        """Once, whatever its length and its parameters."""
        address = address_of(self.bulla)
        for count, wanted in ((1, 501), (215, 501), (250, 501), (1000, 501), (1001, 400), (1700, 400), (9000, 414)):
            query = "&".join(f"a{i}=1" for i in range(count))
            got = exchange(address, f"GET /v1/sys/health?{query} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".encode())
            self.assertEqual((parts(got)[0], got.count(b"HTTP/1.1 ")), (wanted, 1), count)
        for size in [*range(1000, 20000, 700), 16384, 16385, 100000]:  # each is to be redirected
            got = exchange(address, b"GET /v1//" + b"a" * (size - 5) + b" HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            self.assertEqual((parts(got)[0], got.count(b"HTTP/1.1 ")), (307 if size <= 2049 else 414, 1), size)

    def test_probes(self):
        """Sealed, not initialised: the node is counted in, as OpenBao's is."""
        for probe in (b"OPTIONS / HTTP/1.0\r\n\r\n", b"OPTIONS * HTTP/1.0\r\n\r\n", b"OPTIONS /?a=b HTTP/1.0\r\n\r\n",
                      b"OPTIONS / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", b"OPTIONS * HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
                      b"OPTIONS * HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc",
                      b"OPTIONS / HTTP/1.1\r\nHost: h\r\nOrigin: https://a.example\r\nConnection: close\r\n\r\n"):
            with self.subTest(probe=probe):
                ours, theirs = (parts(exchange(address_of(server), probe)) for server in (self.bulla, self.bao))
                self.assertEqual(ours, theirs)
                self.assertIn(ours[0], (200, 307))


class Ends(unittest.TestCase):
    def test_half_closed_while_audited(self):
        """The answer waits for its records, by the turn's group or a worker's, and still comes; each request is on record once."""
        folder = servers.tempfile.mkdtemp(prefix="bulla-test-")
        self.addCleanup(servers.shutil.rmtree, folder)
        path, port = os.path.join(folder, "audit.log"), servers.free_port()
        text = servers.config_text(port, os.path.join(folder, "b.db"), extra=DEVICE.format(path=path))
        server = servers.bulla_config(folder, text, port)
        self.addCleanup(server.close)
        server.start()
        server.token = server.request("PUT", "sys/init", {"recovery_shares": 1, "recovery_threshold": 1}, token=None).json["root_token"]
        server.post("sys/mounts/transit", {"type": "transit"})
        server.post("transit/keys/k", {})
        ids = []
        for i in range(60):
            what, body = (("encrypt/k", b'{"plaintext":"YQ=="}'), ("keys/k/rotate", b""), ("hash", b'{"input":"' + b"YWFh" * 3000 + b'"}'))[i % 3]
            got = exchange(("127.0.0.1", port), b"POST /v1/transit/%s HTTP/1.1\r\nHost: h\r\nX-Vault-Token: %s\r\nContent-Length: %d\r\n\r\n%s"
                           % (what.encode(), server.token.encode(), len(body), body), half=True)
            self.assertEqual(got.count(b"HTTP/1.1 "), 1, got)
            self.assertRegex(got, rb"^HTTP/1.1 20[04] ")
            if body:
                ids.append(json.loads(parts(got)[2])["request_id"])
        with open(path) as f:
            recorded = [json.loads(line) for line in f]
        answered = [r["request"]["id"] for r in recorded if r["type"] == "response"]
        for request_id in ids:
            self.assertEqual(answered.count(request_id), 1)


if __name__ == "__main__":
    unittest.main()
