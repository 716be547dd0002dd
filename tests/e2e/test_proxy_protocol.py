"""The PROXY protocol before TLS and before HTTP: which headers are taken, whose are believed, what the address is used for, and that half a
header keeps nobody out. Real proxies that send them are in test_proxies.py."""
import contextlib
import http.client
import json
import os
import socket
import struct
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import servers  # noqa: E402
import tcp  # noqa: E402
import test_shares  # noqa: E402
from test_server import Folder, initialise  # noqa: E402
from test_stop import HEAD, read_all  # noqa: E402

LONG = os.environ.get("BULLA_TEST_LONG") == "1"
PROXY, STRANGER = "127.0.0.1", "127.0.0.9"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
TLV = b"\x04\0\x04abcd"
HALF = {"a byte": b"P", "half a line": b"PROXY TCP4 203.0.113.7 ", "half a signature": SIGNATURE[:7], "half an address": None, "half a TLV": None}


def v1(client="203.0.113.7", port=4711):
    family, own = ("TCP6", "2001:db8::2") if ":" in client else ("TCP4", "192.0.2.2")
    return f"PROXY {family} {client} {own} {port} 8200\r\n".encode()


def v2(client="203.0.113.7", port=4711, more=b"", command=0x21, family=None):
    kind = socket.AF_INET6 if ":" in client else socket.AF_INET
    addresses = socket.inet_pton(kind, client) * 2 + struct.pack("!HH", port, 8200)
    family = family or (0x21 if kind == socket.AF_INET6 else 0x11)
    return SIGNATURE + struct.pack("!BBH", command, family, len(addresses + more)) + addresses + more


HALF["half an address"], HALF["half a TLV"] = v2()[:-1], v2(more=b"\x04\xff\0" + b"x" * 65280)[:-9]

# header, and the address that is recorded of a client whose proxy is believed; None: the proxy's own
TAKEN = [(b"", None), (v1(), "203.0.113.7"), (v1("2001:db8::7"), "2001:db8::7"), (b"PROXY UNKNOWN\r\n", None), (b"PROXY UNKNOWN what ever\r\n", None),
         (v2(), "203.0.113.7"), (v2("2001:db8::7"), "2001:db8::7"), (v2("::ffff:203.0.113.7"), "203.0.113.7"), (v2(more=TLV), "203.0.113.7"),
         (v2(more=b"\x04\xff\xff"), "203.0.113.7"), (v2(more=b"x" * 65523), "203.0.113.7"), (v2(command=0x20), None), (SIGNATURE + b"\x20\0\0\0", None),
         (SIGNATURE + b"\x21\0\0\0", None), (SIGNATURE + b"\x21\x31\0\xd8" + bytes(216), None), (v2(family=0x12), "203.0.113.7")]
REFUSED = [b"PROXY TCP4 203.0.113.777 192.0.2.2 1 2\r\n", b"PROXY TCP4 203.0.113.7 192.0.2.2 1 2\n", b"PROXY \r\n", b"PROXYX / HTTP/1.1\r\n",
           b"PROXY TCP4 203.0.113.7 192.0.2.2 65536 2\r\n", b"PROXY TCP4 203.0.113.7  192.0.2.2 1 2\r\n", b"PROXY UNKNOWN " + b"x" * 120 + b"\r\n",
           v2()[:12] + b"\x11" + v2()[13:], v2(family=0x41), v2(command=0x22), v2()[:14] + b"\0\x0b" + v2()[16:]]


def listener(behavior, more=""):
    addresses = "" if behavior == "use_always" else f'  proxy_protocol_authorized_addrs = ["{PROXY}", "192.0.2.0/24"]\n'
    return f'  proxy_protocol_behavior = "{behavior}"\n{addresses}  {more}\n'


class Protocol(Folder):
    @classmethod
    def setUpClass(cls):
        cls.files = servers.tempfile.mkdtemp(prefix="bulla-test-")
        cls.addClassCleanup(servers.shutil.rmtree, cls.files)
        servers.certificates(cls.files)
        tls = f'tls_cert_file = "{cls.files}/server.pem"\n  tls_key_file = "{cls.files}/server.key"'
        forwarded = 'x_forwarded_for_authorized_addrs = "203.0.113.7"\n  x_forwarded_for_reject_not_present = false'
        kinds = {"use_always": listener("use_always"), "allow": listener("allow_authorized"), "deny": listener("deny_unauthorized"),
                 "tls": listener("deny_unauthorized", tls), "tls_allow": listener("allow_authorized", tls),
                 "forwarded": listener("deny_unauthorized", forwarded)}
        cls.ports = {kind: servers.free_port() for kind in kinds}
        extra = "".join(f'listener "tcp" {{\n  address = "127.0.0.1:{cls.ports[kind]}"\n{text}  {"" if "tls_" in text else "tls_disable = true"}\n}}\n'
                        for kind, text in kinds.items())
        extra += f'log_level = "debug"\naudit "file" "main" {{\n  options {{\n    file_path = "{cls.files}/audit"\n  }}\n}}\n'
        port = servers.free_port()
        cls.server = servers.bulla_config(cls.files, servers.config_text(port, f"{cls.files}/b.db", extra=extra), port)
        cls.addClassCleanup(cls.server.close)
        initialise(cls.server.start())
        cls.context = servers.tls_context(cls.files)

    @contextlib.contextmanager
    def connected(self, kind, header, source=PROXY, step=None):
        """A connection whose header is sent: with TLS on it, where the listener has that. step: in such pieces."""
        with contextlib.ExitStack() as stack:
            sock = stack.enter_context(socket.create_connection(("127.0.0.1", self.ports[kind]), servers.START_S, (source, 0)))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for at in range(0, len(header), step or len(header)) if header else ():
                sock.sendall(header[at:at + (step or len(header))])
                if step:
                    time.sleep(0.001)
            if kind.startswith("tls"):
                sock = stack.enter_context(self.context.wrap_socket(sock, server_hostname="localhost"))
            yield sock

    def ask(self, sock, path="sys/mounts", more="", token=None, close=False):
        sock.sendall(f"GET /v1/{path} HTTP/1.1\r\nHost: h\r\nX-Vault-Token: {token or self.server.token}\r\n{more}\r\n".encode())
        if close:
            sock.shutdown(socket.SHUT_WR)
        return self.reply(sock)[0]

    def reply(self, sock):
        """Status and body; 0: the connection was closed."""
        with http.client.HTTPResponse(sock) as reply:
            try:
                reply.begin()
            except http.client.RemoteDisconnected:
                return 0, b""
            return reply.status, reply.read()

    def served(self, kind, header, source):
        """The status of a request; 0: the connection was closed before."""
        with socket.create_connection(("127.0.0.1", self.ports[kind]), servers.START_S, (source, 0)) as sock, contextlib.suppress(OSError):
            sock.sendall(header)
            if not kind.startswith("tls"):
                return self.ask(sock)
            with self.context.wrap_socket(sock, server_hostname="localhost") as inner:
                return self.ask(inner)
        return 0

    def recorded(self):
        with open(f"{self.files}/audit") as f:
            return [json.loads(line) for line in f][-1]["request"]

    def check(self, kind, header, address, port=4711, **how):
        with self.subTest(kind=kind, header=header[:60], **how), self.connected(kind, header, **how) as sock:
            self.assertEqual(self.ask(sock), 200)
            said = self.recorded()
            own = sock.getsockname()
            self.assertEqual((said["remote_address"], said["remote_port"]), (address or own[0], port if address else own[1]))

    def test_headers(self):
        for header, address in TAKEN:
            for kind in ("use_always", "deny", "tls"):
                self.check(kind, header, address)
        for header, address in ((v1(), "203.0.113.7"), (v2(more=TLV * 20), "203.0.113.7"), (b"PROXY UNKNOWN\r\n", None)):
            for kind in ("deny", "tls"):
                for step in (1, 7):
                    self.check(kind, header, address, step=step)

    def test_what_is_no_header(self):
        for header in REFUSED:
            for kind, source in (("use_always", PROXY), ("allow", PROXY), ("allow", STRANGER), ("tls", PROXY)):
                with self.subTest(kind=kind, header=header[:60]):
                    self.assertEqual(self.served(kind, header, source), 0)
        self.assertIn("a header that is none", self.server.log_text())
        with self.connected("deny", v1() + v1()) as sock:  # the first one counts, and the second is no request
            self.assertEqual(self.ask(sock), 400)

    def test_whose_are_believed(self):
        for header, _ in TAKEN:
            for kind in ("allow", "tls_allow"):
                self.check(kind, header, None, source=STRANGER)
        self.check("use_always", v1(), "203.0.113.7", source=STRANGER)
        for kind in ("deny", "tls"):
            for header in (b"", v1(), v2()):
                with self.subTest(kind=kind, header=header):
                    self.assertEqual(self.served(kind, header, STRANGER), 0)
        self.assertIn(f"{STRANGER}:", self.server.log_text())

    def test_the_other_end_may_be_shut(self):
        for header in (b"", v1(), v2()):
            with self.connected("deny", header) as sock:
                self.assertEqual(self.ask(sock, close=True), 200)
        with self.connected("deny", v1()[:20]) as sock:
            sock.shutdown(socket.SHUT_WR)
            self.assertEqual(sock.recv(1), b"")

    def test_bound_addresses(self):
        self.server.post("sys/auth/userpass", {"type": "userpass"})
        user = {"password": "p", "token_bound_cidrs": ["203.0.113.0/24"], "token_policies": ["default"]}
        self.assertEqual(self.server.post("auth/userpass/users/u", user).status, 204)
        login = b'POST /v1/auth/userpass/login/u HTTP/1.1\r\nHost: h\r\nContent-Length: 16\r\n\r\n{"password":"p"}'
        with self.connected("tls", v1()) as sock:
            sock.sendall(login)
            token = json.loads(self.reply(sock)[1])["auth"]["client_token"]
        for header, status in ((v1(), 200), (v2("203.0.113.99"), 200), (v1("198.51.100.1"), 403), (b"", 403), (v2(command=0x20), 403)):
            with self.subTest(header=header), self.connected("tls", header) as sock:
                self.assertEqual(self.ask(sock, "auth/token/lookup-self", token=token), status)
                sock.sendall(login)
                self.assertEqual(self.reply(sock)[0] == 200, status == 200)

    def test_rate_limits(self):
        self.assertEqual(self.server.post("sys/quotas/rate-limit/one", {"rate": 1, "interval": "1h", "path": "sys/internal/ui/mounts"}).status // 100, 2)
        try:
            for client in ("203.0.113.7", "203.0.113.8", "2001:db8::7"):
                with self.connected("deny", v1(client)) as sock:
                    self.assertEqual([self.ask(sock, "sys/internal/ui/mounts") == 429 for _ in range(2)], [False, True])
        finally:
            self.server.delete("sys/quotas/rate-limit/one")

    def test_forwarded_for_comes_after(self):
        """What the header names is whom X-Forwarded-For is believed of."""
        named = "X-Forwarded-For: 198.51.100.77\r\n"
        with self.connected("forwarded", v1("203.0.113.7")) as sock:
            self.assertEqual(self.ask(sock, more=named), 200)
            self.assertEqual(self.recorded()["remote_address"], "198.51.100.77")
        with self.connected("forwarded", v1("203.0.113.8")) as sock:
            self.assertEqual(self.ask(sock, more=named), 400)
        with self.connected("forwarded", b"") as sock:
            self.assertEqual(self.ask(sock, more=named), 400)

    def test_half_a_header_ends(self):
        """When the server stops, too."""
        ended, port = [], servers.free_port()
        text = servers.config_text(port, f"{self.folder}/b.db", listener="tls_disable = true\n" + listener("use_always"))
        with contextlib.ExitStack() as stack:
            server = servers.bulla_config(self.folder, text + ('max_request_duration = "1s"\n' if not LONG else ""), port)
            self.addCleanup(server.close)
            server.start()
            for half in HALF.values():
                sock = stack.enter_context(socket.create_connection(("127.0.0.1", port), servers.START_S))
                sock.sendall(half)
                ended.append(sock)
            began = time.monotonic()
            for sock in ended:
                self.assertEqual(read_all(sock), b"")
            self.assertLess(time.monotonic() - began, 25)  # what has not begun a header has 30 s
            late = [stack.enter_context(socket.create_connection(("127.0.0.1", port), servers.START_S)) for _ in HALF]
            for sock, half in zip(late, HALF.values()):
                sock.sendall(half)
            self.assertEqual(server.stop(), 0)


class Scarce(test_shares.Shares):
    """While connections are scarce each address has its share: of a believed header the client's, of half a header who sends it."""

    def header(self, data, client=None):
        return (v1(client) if client else b"") + data

    def check_behavior(self, behavior, *ways):
        server = self.serve_few(listener=f"tls_disable = true\n{listener(behavior)}")
        for way in ways:
            with self.subTest(way), contextlib.ExitStack() as stack:
                for i in range(40):  # more of them than there are slots, and all the time somebody else in between
                    self.take(stack, server, HALF[way][:1024], test_shares.GREEDY // 32, source=STRANGER)
                    with self.open(server, PROXY) as sock:
                        sock.sendall(self.header(HEAD + b"\r\n", f"198.51.100.{i}"))
                        self.assertIn(b" 200 ", sock.recv(4096))

    def test_half_headers(self):
        self.check_behavior("use_always", "a byte", "half an address", "half a TLV")

    def test_half_headers_that_do_not_count(self):
        self.check_behavior("allow_authorized", "half a line")

    def test_clients_behind_the_proxy(self):
        server = self.serve_few(listener=f"tls_disable = true\n{listener('deny_unauthorized')}")
        with contextlib.ExitStack() as stack:
            self.take(stack, server, self.header(HEAD[:12], "203.0.113.7"), source=PROXY)
            for i in range(20):
                with self.open(server, PROXY) as sock:
                    sock.sendall(self.header(HEAD + b"\r\n", f"198.51.100.{i}"))
                    self.assertIn(b" 200 ", sock.recv(4096))

    def memory(self, server):
        with open(f"/proc/{server.process.pid}/status") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))

    def test_half_a_header_costs_little(self):
        server = self.serve_few(files=1200, listener=f"tls_disable = true\n{listener('use_always')}", extra="connection_share_percent = 100\n")
        before = self.memory(server)
        with contextlib.ExitStack() as stack:
            socks = self.take(stack, server, v1()[:20], 1000)
            self.assertTrue(all(tcp.ends(sock)[0] for sock in (socks[0], socks[-1])), "they are kept, for a while")
            self.assertLess(self.memory(server) - before, 4096, "KiB for 1000 connections")

    # those of the base class are its own
    test_one_address_does_not_keep_another_out = test_nor_over_tls = test_with_all_slots = None
    test_trusted_proxies_and_unix_sockets_are_not_counted = None


if __name__ == "__main__":
    unittest.main()
