"""One client address that takes all connections it can get does not keep others out."""
import contextlib
import os
import resource
import socket
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import servers  # noqa: E402
import tcp  # noqa: E402
from test_server import Folder, initialise  # noqa: E402
from test_stop import BODY, HEAD, port_of  # noqa: E402

LONG = os.environ.get("BULLA_TEST_LONG") == "1"
FILES = 1024 if LONG else 512  # of the server: so many connections, but for 64
GREEDY = FILES + 130
HONEST = 10
WAYS = {"silent": b"", "half a line": HEAD[:12], "half a head": HEAD, "half a body": BODY, "idle": HEAD + b"\r\n"}


def more_files(n):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, n), hard), hard))


class Shares(Folder):
    def setUp(self):
        super().setUp()
        more_files(4 * GREEDY)

    def serve_few(self, files=FILES, listener="tls_disable = true", extra=""):
        port = servers.free_port()
        server = servers.bulla_config(self.folder, servers.config_text(port, self.database, listener=listener, extra=extra), port)
        server.argv = ["prlimit", f"--nofile={files}:{files}", *server.argv]
        if "cert" in listener:
            server.context = servers.tls_context(self.folder)
        self.addCleanup(server.close)
        server.start()
        initialise(server)
        return server

    def open(self, server, source="127.0.0.1"):
        sock = socket.socket()
        sock.settimeout(servers.START_S)
        sock.bind((source, 0))
        sock.connect(("127.0.0.1", port_of(server)))
        return sock

    def take(self, stack, server, data, count=GREEDY, source="127.0.0.1"):
        """Connections of one address that each send data; those that were closed are left out."""
        socks = []
        for _ in range(count):
            sock = self.open(server, source)
            stack.callback(sock.close)
            with contextlib.suppress(OSError):
                sock.sendall(data)
            socks.append(sock)
        return socks

    def ask(self, server, source):
        """The status of a request on a connection of its own."""
        with contextlib.ExitStack() as stack:
            sock = stack.enter_context(self.open(server, source))
            if server.context:
                sock = stack.enter_context(server.context.wrap_socket(sock, server_hostname="localhost"))
            sock.sendall(HEAD + b"\r\n")
            return int(sock.recv(4096)[9:12])

    def check_others(self, server):
        self.assertEqual([self.ask(server, "127.0.0.2") for _ in range(HONEST)], [200] * HONEST)

    def test_one_address_does_not_keep_another_out(self):
        server = self.serve_few()
        for way, data in WAYS.items():
            with self.subTest(way), contextlib.ExitStack() as stack:
                kept = stack.enter_context(self.open(server, "127.0.0.2"))
                kept.sendall(HEAD + b"\r\n")
                self.assertIn(b" 200 ", kept.recv(4096))
                socks = self.take(stack, server, data)
                self.check_others(server)
                kept.sendall(HEAD + b"\r\n")
                self.assertIn(b" 200 ", kept.recv(4096), "a connection of another address was closed")
                self.assertGreater(len(socks), FILES)
        self.assertEqual(server.stop(), 0)

    def test_nor_over_tls(self):
        servers.certificates(self.folder)
        server = self.serve_few(listener=f'tls_cert_file = "{self.folder}/server.pem"\n  tls_key_file = "{self.folder}/server.key"')
        with contextlib.ExitStack() as stack:
            for data in (b"", b"\x16\x03\x01\x02\x00\x01\x00"):
                self.take(stack, server, data)
                self.check_others(server)
        self.assertEqual(server.stop(), 0)

    def test_trusted_proxies_and_unix_sockets_are_not_counted(self):
        path = os.path.join(self.folder, "s")
        listener = 'tls_disable = true\n  x_forwarded_for_authorized_addrs = "127.0.0.1"\n  x_forwarded_for_reject_not_present = false'
        server = self.serve_few(listener=listener, extra=f'max_connections = 100\nlistener "unix" {{\n  address = "{path}"\n}}\n')
        with contextlib.ExitStack() as stack:
            proxy = self.take(stack, server, b"", 88)
            for i, sock in enumerate(proxy):
                sock.sendall(HEAD + b"X-Forwarded-For: 192.0.2.%d\r\n\r\n" % i)
                self.assertIn(b" 200 ", sock.recv(4096))
            with socket.socket(socket.AF_UNIX) as sock:
                sock.connect(path)
                sock.sendall(HEAD + b"\r\n")
                self.assertIn(b" 200 ", sock.recv(4096))
            # one of its clients has many requests in flight: it is told so, the others are not
            for sock in proxy[:60]:
                sock.sendall(BODY.replace(b"Host: h", b"Host: h\r\nX-Forwarded-For: 192.0.2.1"))
                tcp.wait_until_read(sock)
            for client, status in ((b"192.0.2.1", b" 503 "), (b"192.0.2.2", b" 200 "), (b"2001:db8::1", b" 200 ")):
                proxy[-1].sendall(HEAD + b"X-Forwarded-For: " + client + b"\r\n\r\n")
                reply = proxy[-1].recv(4096)
                self.assertIn(status, reply)
                self.assertEqual(b"retry-after: 1" in reply.lower(), status == b" 503 ")

    @unittest.skipUnless(LONG, "16,000 connections: only with BULLA_TEST_LONG=1")
    def test_with_all_slots(self):
        more_files(18000)
        if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < 18000:
            self.skipTest("not enough descriptors for 17,000 connections")
        server = self.serve_few(files=16384 + 200)
        for i, (way, data) in enumerate(WAYS.items()):
            with self.subTest(way), contextlib.ExitStack() as stack:
                self.take(stack, server, data, 17000, f"127.0.0.{10 + i}")  # an address has 28,000 ports
                self.check_others(server)


if __name__ == "__main__":
    unittest.main()
