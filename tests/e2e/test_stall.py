"""Clients that come and are silent, on real sockets: what they cost the server in CPU time, and that others are served
beside them. 200 in each state, 1,000 with BULLA_TEST_LONG=1."""
import contextlib
import http.client
import os
import resource
import select
import signal
import socket
import ssl
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import servers  # noqa: E402
import tcp  # noqa: E402

LONG = os.environ.get("BULLA_TEST_LONG") == "1"
EACH = 1000 if LONG else 200
WATCHED_S = 5 if LONG else 2
MOST = 0.05  # of a core, for all of them: it was 0.65 to 0.9 for one
HEAD = b"GET /v1/sys/seal-status HTTP/1.1\r\nHost: h\r\nX-A: "
BODY = b"POST /v1/sys/tools/hash HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n{"
HONEST = 50


def cpu_s(pid):
    """Of all threads, to the nanosecond."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(FileNotFoundError), open(f"/proc/{pid}/task/{task}/schedstat") as f:
            total += int(f.read().split()[0])
    return total / 1e9


def hello(context):
    """The bytes of a ClientHello."""
    out = ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), out, server_hostname="localhost").do_handshake()
    return out.read()


class Served(unittest.TestCase):
    def setUp(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.folder = self.enterContext(servers.temporary_folder())
        self.stack = self.enterContext(contextlib.ExitStack())
        servers.certificates(self.folder)
        self.context = servers.tls_context(self.folder)

    def start(self, cert="server"):
        f, port = self.folder, servers.free_port()
        self.plain_port = servers.free_port()
        listener = f'tls_cert_file = "{f}/{cert}.pem"\n  tls_key_file = "{f}/{cert}.key"'
        text = servers.config_text(port, f"{f}/b.db", listener=listener)
        text += f'listener "tcp" {{\n  address = "127.0.0.1:{self.plain_port}"\n  tls_disable = true\n}}\n'
        self.server = servers.bulla_config(f, text, port, context=self.context)
        self.addCleanup(self.server.close)
        self.server.start()
        self.port = port

    def connect(self, port, data=b""):
        sock = self.stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=tcp.PATIENCE_S))
        sock.sendall(data)
        return sock

    def shaken(self, data=b""):
        raw = socket.create_connection(("127.0.0.1", self.port), timeout=tcp.PATIENCE_S)
        sock = self.context.wrap_socket(raw, server_hostname="localhost")
        self.stack.enter_context(sock)
        if data:
            sock.sendall(data)
        return sock

    def ask(self, connection):
        connection.request("GET", "/v1/sys/seal-status")
        answer = connection.getresponse()
        self.assertEqual(answer.status, 200)
        answer.read()

    def plain(self):
        return http.client.HTTPConnection("127.0.0.1", self.plain_port, timeout=tcp.PATIENCE_S)

    def is_idle(self):
        before = cpu_s(self.server.process.pid)
        time.sleep(0.2)
        return cpu_s(self.server.process.pid) - before < 0.2 * MOST


class Silent(Served):
    def test_they_cost_nothing(self):
        self.start()
        whole = hello(self.context)
        states = {
            "connected": lambda: self.connect(self.port),
            "3 bytes of a ClientHello": lambda: self.connect(self.port, whole[:3]),
            "11 bytes": lambda: self.connect(self.port, whole[:11]),
            "all but one": lambda: self.connect(self.port, whole[:-1]),
            "all of it": lambda: self.connect(self.port, whole),
            "idle after the handshake": self.shaken,
            "half a head": lambda: self.shaken(HEAD),
            "half a body": lambda: self.shaken(BODY),
            "connected, no TLS": lambda: self.connect(self.plain_port),
            "half a head, no TLS": lambda: self.connect(self.plain_port, HEAD),
            "half a body, no TLS": lambda: self.connect(self.plain_port, BODY),
        }
        kept, plain = (self.stack.enter_context(contextlib.closing(c)) for c in (self.server.connection(), self.plain()))
        self.ask(kept)
        self.ask(plain)
        made = []
        for name, make in states.items():
            with self.subTest(name):
                made += [make() for _ in range(EACH)]
                tcp.wait_until(self.is_idle, f"quiet beside {name}")
        before = cpu_s(self.server.process.pid)
        time.sleep(WATCHED_S)
        used = (cpu_s(self.server.process.pid) - before) / WATCHED_S
        self.assertLess(used, MOST, f"{len(made)} silent connections")
        for _ in range(HONEST):  # who speaks is served beside them, on new connections and on kept ones
            for connection in (kept, plain):
                self.ask(connection)
            for connection in (self.server.connection(), self.plain()):
                with contextlib.closing(connection):
                    self.ask(connection)
        self.assertEqual(self.server.stop(), 0)  # none of them is waited for


class Flood(Served):
    def test_who_is_connected_is_served_first(self):
        """All comes while the server stands still, the hellos before the request; yet the answer does not wait for all of
        the handshakes."""
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:4096", "-nodes", "-keyout", "slow.key", "-out", "slow.pem",
                        "-days", "2", "-subj", "/CN=slow", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
                       check=True, cwd=self.folder, capture_output=True)
        self.context = ssl.create_default_context(cafile=os.path.join(self.folder, "slow.pem"))
        self.start("slow")
        kept, whole = [self.shaken() for _ in range(4)], hello(self.context)
        flood = [self.connect(self.port) for _ in range(200)]
        tcp.wait_until(self.is_idle, "accepting them")
        self.server.process.send_signal(signal.SIGSTOP)
        try:
            for sock in flood:
                sock.sendall(whole)
            for sock in kept:
                sock.sendall(b"GET /v1/sys/seal-status HTTP/1.1\r\nHost: h\r\n\r\n")
        finally:
            self.server.process.send_signal(signal.SIGCONT)
        for sock in kept:
            self.assertEqual(sock.recv(12), b"HTTP/1.1 200")
        poll = select.poll()
        for sock in flood:
            poll.register(sock, select.POLLIN)
        self.assertLess(len(poll.poll(0)), 150, "handshakes that were answered before")
        for sock in flood:  # and they are not forgotten
            self.assertEqual(sock.recv(3), b"\x16\x03\x03")


if __name__ == "__main__":
    unittest.main()
