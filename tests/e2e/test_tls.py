"""TLS listeners of a real server: who needs a client certificate, what a reload changes, which suites there are, what the
log says."""
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import servers  # noqa: E402
import tcp  # noqa: E402

# as Go's net/http sends it
NO_TLS = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"
DEMAND = "tls_require_and_verify_client_cert = true\n"


class Listener(unittest.TestCase):
    def setUp(self):
        self.folder = self.enterContext(servers.temporary_folder())
        servers.certificates(self.folder)

    def path(self, name):
        return os.path.join(self.folder, name)

    def start(self, more="", cert="server", wait=True):
        port = servers.free_port()
        listener = f'tls_cert_file = "{self.path(cert)}.pem"\n  tls_key_file = "{self.path(cert)}.key"\n  {more}'
        text = servers.config_text(port, self.path("b.db"), listener=listener, extra='log_level = "debug"\n')
        server = servers.bulla_config(self.folder, text, port, context=servers.tls_context(self.folder, client=True))
        self.addCleanup(server.close)
        return server.start() if wait else server

    def context(self, client=None, folder=None):
        context = ssl.create_default_context(cafile=self.path("ca.pem"))
        if client:
            folder = folder or self.folder
            context.load_cert_chain(os.path.join(folder, client + ".pem"), os.path.join(folder, client + ".key"))
        return context

    def connect(self, server, context):
        host, port = server.address.split(":")
        raw = socket.create_connection((host, int(port)), timeout=60)
        self.addCleanup(raw.close)
        sock = context.wrap_socket(raw, server_hostname="localhost")
        self.addCleanup(sock.close)
        return sock

    def status(self, server, context):
        """Of a request on a connection of its own; what went wrong, if there was none."""
        try:
            sock = self.connect(server, context)
            sock.sendall(b"GET /v1/sys/health HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            return sock.recv(12)
        except OSError as e:  # with TLS 1.3 a client hears of it when it reads
            return e

    def assert_served(self, server, context):
        self.assertEqual(self.status(server, context), b"HTTP/1.1 501", server.log_text())

    def assert_refused(self, server, context, alert, reason):
        before = server.log_text()
        error = self.status(server, context)
        self.assertIsInstance(error, OSError)
        self.assertIn(alert, str(error).upper())
        line = re.compile(r"TLS handshake with 127\.0\.0\.1:\d+ failed: .*" + reason)
        tcp.wait_until(lambda: line.search(server.log_text()[len(before):]), f"{reason} in the log")

    def reload(self, server, says):
        before = len(server.log_text())
        server.process.send_signal(signal.SIGHUP)
        tcp.wait_until(lambda: says in server.log_text()[before:], f"saying: {says}")


class ClientCertificates(Listener):
    def stranger(self):
        folder = self.path("other")
        os.mkdir(folder)
        servers.certificates(folder)
        return self.context("client", folder)

    def test_only_where_demanded(self):
        server = self.start(f'tls_client_ca_file = "{self.path("ca.pem")}"')
        self.assertIn("tls_client_ca_file does nothing without tls_require_and_verify_client_cert", server.log_text())
        self.assert_served(server, self.context())
        self.assert_served(server, self.context("client"))
        self.assert_served(server, self.stranger())

    def test_demanded(self):
        server = self.start(DEMAND + f'tls_client_ca_file = "{self.path("ca.pem")}"')
        self.assertNotIn("does nothing", server.log_text())
        servers.make_certificate(self.folder, "ended", names=None, expired=True)
        servers.make_certificate(self.folder, "web", names="DNS:web\nextendedKeyUsage=serverAuth")
        cases = ((self.context(), "ALERT", "."), (self.stranger(), "UNKNOWN_CA", "issuer is unknown"),
                 (self.context("web"), "CERTIFICATE", "purpose"), (self.context("ended"), "CERTIFICATE_EXPIRED", "expired"))
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            for context, alert, reason in cases:
                with self.subTest(version=version, reason=reason):
                    context.minimum_version = context.maximum_version = version
                    self.assert_refused(server, context, alert, reason)
            good = self.context("client")
            good.minimum_version = good.maximum_version = version
            self.assert_served(server, good)

    def test_of_the_systems_authorities(self):
        """Which did not sign ours."""
        if not os.path.exists("/etc/ssl/certs/ca-certificates.crt"):
            self.skipTest("this system has no authorities")
        server = self.start(DEMAND, wait=False)
        server.start(wait=False)
        tcp.wait_until(lambda: "listening on" in server.log_text(), "listening")
        self.assert_refused(server, self.context("client"), "UNKNOWN_CA", "issuer is unknown")

    def test_two_authorities_of_one_name(self):
        """A CA that got a new key: the clients of both are let in."""
        other = self.path("other")
        os.mkdir(other)
        servers.certificates(other)
        with open(self.path("both.pem"), "w") as out:
            for name in ("ca.pem", "other/ca.pem"):
                with open(self.path(name)) as text:
                    out.write(text.read())
        server = self.start(DEMAND + f'tls_client_ca_file = "{self.path("both.pem")}"')
        self.assert_served(server, self.context("client"))
        self.assert_served(server, self.context("client", other))

    def test_withdrawn_by_a_reload(self):
        other, trusted = self.path("other"), self.path("trusted.pem")
        os.mkdir(other)
        servers.certificates(other)

        def trust(*files):
            with open(trusted, "w") as out:
                for file in files:
                    with open(file) as text:
                        out.write(text.read())
        trust(self.path("ca.pem"), os.path.join(other, "ca.pem"))
        server = self.start(DEMAND + f'tls_client_ca_file = "{trusted}"')
        ours, theirs = self.context("client"), self.context("client", other)
        self.assert_served(server, theirs)
        kept = self.connect(server, theirs)
        kept.sendall(b"GET /v1/sys/health HTTP/1.1\r\nHost: h\r\n\r\n")
        self.assertEqual(kept.recv(12), b"HTTP/1.1 501")
        trust(self.path("ca.pem"))
        self.reload(server, "reloaded certificates, authorities for clients")
        self.assert_served(server, ours)
        self.assert_refused(server, theirs, "UNKNOWN_CA", "issuer is unknown")
        kept.sendall(b"GET /v1/sys/health HTTP/1.1\r\nHost: h\r\n\r\n")
        while b"HTTP/1.1 501" not in kept.recv(65536):  # a connection that is there stays
            pass
        trust(self.path("server.key"))
        self.reload(server, f"the certificates stay as they are: {trusted}")
        self.assert_served(server, ours)
        self.assert_refused(server, theirs, "UNKNOWN_CA", "issuer is unknown")

    def test_settings(self):
        for more, says in ((DEMAND + "tls_disable_client_certs = true", "tls_disable_client_certs contradicts"),
                           (DEMAND + 'tls_client_ca_file = "/no/such"', "/no/such: No such file"),
                           (DEMAND + f'tls_client_ca_file = "{self.path("ca.key")}"', f"{self.path('ca.key')}: ")):
            with self.subTest(more):
                server = self.start(more, wait=False)
                server.start(wait=False)
                self.assertEqual(server.process.wait(60), 1)
                self.assertIn(says, server.log_text())


class Suites(Listener):
    def cipher(self, server, *options):
        """What openssl's client gets; None: nothing."""
        done = subprocess.run(["openssl", "s_client", "-connect", server.address, *options], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=60)
        found = re.search(r"^New, (TLS\S+), Cipher is (\S+)", done.stdout, re.M)
        return found and found.group(2) if done.returncode == 0 else None

    def test_only_what_is_named(self):
        """In TLS 1.2: 1.3 has its own, as in Go."""
        server = self.start('tls_cipher_suites = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, '
                            'TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"')
        self.assertEqual(self.cipher(server, "-tls1_2"), "ECDHE-ECDSA-AES128-GCM-SHA256")
        self.assertIsNone(self.cipher(server, "-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-GCM-SHA384"))
        # named for RSA keys only
        self.assertIsNone(self.cipher(server, "-tls1_2", "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305"))
        for suite in ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"):
            self.assertEqual(self.cipher(server, "-tls1_3", "-ciphersuites", suite), suite)

    def test_none_for_this_key(self):
        server = self.start('tls_cipher_suites = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"')
        self.assertIsNone(self.cipher(server, "-tls1_2"))
        self.assertEqual(self.cipher(server, "-tls1_3"), "TLS_AES_256_GCM_SHA384")
        tcp.wait_until(lambda: "failed: No supported cipher suites" in server.log_text(), "saying so")

    def test_all(self):
        server = self.start()
        for suite in ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305"):
            self.assertEqual(self.cipher(server, "-tls1_2", "-cipher", suite), suite)
        for suite in ("ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384"):
            self.assertIsNone(self.cipher(server, "-tls1_2", "-cipher", suite))


class WithoutTls(Listener):
    def say(self, server, data):
        """What comes back until the server ends the connection."""
        with socket.create_connection(("127.0.0.1", int(server.address.split(":")[1])), timeout=60) as sock:
            for piece in data if isinstance(data, list) else [data]:
                sock.sendall(piece)
                if len(piece) < 5:
                    tcp.wait_until(lambda: tcp.ends(sock)[1][1] == 0, "sending")
            got = b""
            while piece := sock.recv(1000):
                got += piece
            return got

    def test_answers(self):
        server = self.start()
        head = b" HTTP/1.1\r\nHost: h\r\n\r\n"
        for line in (b"GET /v1/sys/health", b"HEAD /", b"POST /v1/x", b"PUT /v1/x", b"OPTIONS *", b"DELETE /v1/x",
                     b"LIST /v1/x", b"PATCH /v1/x", b"GET http://h/", b"CONNECT h:1"):
            with self.subTest(line):
                self.assertEqual(self.say(server, line + head), NO_TLS)
        self.assertEqual(self.say(server, [b"G", b"ET", b" /v1/sys/health" + head]), NO_TLS)
        # read, so that the answer is not taken back
        self.assertEqual(self.say(server, b"POST /v1/x" + head + b"x" * 60000), NO_TLS)
        for data, wanted in ((b"hello world", b""), (b"\x80\x2e\x01\x03\x01", b"\x15\x03\x01\x00\x02\x02\x46"),
                             (b"\x16\x03\x01\xff\xff", b"\x15\x03\x01\x00\x02\x02\x16"),
                             (b"\x16\x03\x01\x00\x00", b"\x15\x03\x01\x00\x02\x02\x0a")):
            with self.subTest(data):
                self.assertEqual(self.say(server, data), wanted)
        log = server.log_text()
        self.assertRegex(log, r"\[DEBUG\] TLS handshake with 127\.0\.0\.1:\d+ failed: an HTTP request to an HTTPS server")
        self.assertIn("failed: the first record does not look like a TLS handshake", log)
        self.assert_served(server, self.context())

    def test_hello_in_pieces(self):
        """The handshake works however it is cut."""
        server = self.start()
        for size in (1, 5, 100):
            context, incoming, outgoing = self.context(), ssl.MemoryBIO(), ssl.MemoryBIO()
            tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
            with socket.create_connection(("127.0.0.1", int(server.address.split(":")[1])), timeout=60) as sock:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

                def flush():
                    data = outgoing.read()
                    for i in range(0, len(data), size):
                        sock.sendall(data[i:i + size])
                done = False
                while not done:
                    try:
                        tls.do_handshake()
                        done = True
                    except ssl.SSLWantReadError:
                        flush()
                        incoming.write(sock.recv(65536))
                tls.write(b"GET /v1/sys/health HTTP/1.1\r\nHost: h\r\n\r\n")
                flush()
                incoming.write(sock.recv(65536))
                self.assertEqual(tls.read(12), b"HTTP/1.1 501")

    def test_not_told_at_info(self):
        port = servers.free_port()
        listener = f'tls_cert_file = "{self.path("server.pem")}"\n  tls_key_file = "{self.path("server.key")}"'
        text = servers.config_text(port, self.path("b.db"), listener=listener)
        with servers.bulla_config(self.folder, text, port, context=self.context()) as server:
            self.assertEqual(self.say(server, b"GET / HTTP/1.1\r\n\r\n"), NO_TLS)
            self.assert_served(server, self.context())
            self.assertNotIn("handshake", server.log_text())


class Ends(Listener):
    def make(self, name, days):
        subprocess.run(["openssl", "x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                        "-CAcreateserial", "-out", f"{name}.pem", "-days", str(days), "-extfile", "server.ext"],
                       check=True, cwd=self.folder, capture_output=True)
        servers.shutil.copy(self.path("server.key"), self.path(f"{name}.key"))

    def test_told_before_and_after(self):
        for name, days in (("long", 40), ("short", 29)):
            self.make(name, days)
        servers.make_certificate(self.folder, "ended", expired=True)
        for end in (".pem", ".key"):
            servers.shutil.copy(self.path("long" + end), self.path("live" + end))
        server = self.start(cert="live")
        self.assertNotIn("WARN", server.log_text())

        def replace(name):
            for end in (".pem", ".key"):
                servers.shutil.copy(self.path(name + end), self.path("live" + end))
        replace("short")
        self.reload(server, f"[WARN]  the certificate {self.path('live.pem')} ends in 2")
        replace("ended")
        self.reload(server, f"[WARN]  the certificate {self.path('live.pem')} has ended, on 2020-02-01T00:00:00Z")
        replace("long")
        before = len(server.log_text())
        self.reload(server, "reloaded certificates")
        self.assertEqual(self.connect(server, self.context()).version(), "TLSv1.3")
        self.assertNotIn("WARN", server.log_text()[before:])
        server.stop()
        replace("short")
        server.start()
        self.assertIn("[WARN]  the certificate ", server.log_text()[before:])


if __name__ == "__main__":
    unittest.main()
