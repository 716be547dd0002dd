"""How the server stops, and how another one takes its place: nobody who connected is reset, what is in work is finished, silence is not waited for."""
import contextlib
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import servers  # noqa: E402
import tcp  # noqa: E402
from test_server import PLAIN, Folder, initialise, make_key  # noqa: E402

AT_MOST_S = 25  # on a busy machine; what these connections were once waited for is 90 to 300 s
HEAD = b"GET /v1/sys/health HTTP/1.1\r\nHost: h\r\n"
BODY = b"POST /v1/sys/tools/hash HTTP/1.1\r\nHost: h\r\nX-Vault-Token: root\r\nContent-Length: 40\r\n\r\n{\"inp"
SILENT = {  # what a client sends before it falls silent
    "connected": b"", "half a line": HEAD[:9], "half a head": HEAD, "half a body": BODY,
    "half a chunk": BODY.replace(b"Content-Length: 40", b"Transfer-Encoding: chunked").replace(b"{\"inp", b"5\r\n{\"a"),
}


def port_of(server):
    return int(server.address.rsplit(":", 1)[1])


def connect(server):
    sock = socket.create_connection(("127.0.0.1", port_of(server)), servers.START_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def read_all(sock):
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while part := sock.recv(65536):
            data += part
    return data


class Silent(Folder):
    def serve_both(self):
        """Plain, and TLS on another port."""
        servers.certificates(self.folder)
        port = servers.free_port()
        tls = (f'listener "tcp" {{\n  address = "127.0.0.1:{port}"\n  tls_cert_file = "{self.folder}/server.pem"\n'
               f'  tls_key_file = "{self.folder}/server.key"\n}}\n')
        server = self.serve(extra=tls)
        initialise(server)
        return server, port

    def plain(self, server, stack):
        socks = [stack.enter_context(connect(server)) for _ in range(10 * len(SILENT))]
        for i, sock in enumerate(socks):
            sock.sendall(list(SILENT.values())[i % len(SILENT)])
        idle, half = stack.enter_context(connect(server)), stack.enter_context(connect(server))
        for sock in (idle, half):
            sock.sendall(HEAD + b"\r\n")
            self.assertIn(b" 200 ", sock.recv(4096))
        half.shutdown(socket.SHUT_WR)
        return [*socks, idle]

    def encrypted(self, port, stack):
        context, out = servers.tls_context(self.folder), ssl.MemoryBIO()
        with contextlib.suppress(ssl.SSLWantReadError):
            context.wrap_bio(ssl.MemoryBIO(), out, server_hostname="localhost").do_handshake()
        hello = out.read()
        for part in (0, 3, 50, len(hello)):
            for _ in range(5):
                sock = stack.enter_context(socket.create_connection(("127.0.0.1", port), servers.START_S))
                sock.sendall(hello[:part])
        for part in SILENT.values():
            sock = socket.create_connection(("127.0.0.1", port), servers.START_S)
            stack.enter_context(context.wrap_socket(sock, server_hostname="localhost")).sendall(part)

    def unread(self, server, stack):
        make_key(server)
        body = json.dumps({"batch_input": [{"plaintext": PLAIN}] * 60000}).encode()
        sock = stack.enter_context(socket.socket())
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.settimeout(servers.START_S)
        sock.connect(("127.0.0.1", port_of(server)))
        sock.sendall(b"POST /v1/transit/encrypt/k HTTP/1.1\r\nHost: h\r\nX-Vault-Token: %s\r\n" % server.token.encode()
                     + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self.assertEqual(sock.recv(12), b"HTTP/1.1 200")

    def test_none_is_waited_for(self):
        server, port = self.serve_both()
        with contextlib.ExitStack() as stack:
            socks = self.plain(server, stack)
            self.unread(server, stack)
            self.encrypted(port, stack)  # parts of a handshake stay unread
            for sock in socks:
                tcp.wait_until_read(sock)
            start = time.monotonic()
            self.assertEqual(server.stop(timeout=AT_MOST_S * 4), 0, server.log_text())
            self.assertLess(time.monotonic() - start, AT_MOST_S)
            for sock in socks:
                self.assertEqual(read_all(sock)[:5], b"")


class Stopping(Folder):
    def test_who_had_connected_is_served(self):
        """Connections that wait to be accepted when SIGTERM comes are answered, not reset; later ones are refused."""
        with servers.bulla_dev() as server:
            socks, refused = [], False
            killer = threading.Timer(0.1, server.process.send_signal, [signal.SIGTERM])
            killer.start()
            while not refused:
                try:
                    socks.append(connect(server))
                    socks[-1].sendall(HEAD + b"\r\n")
                except ConnectionRefusedError:
                    refused = True
            for sock in socks:
                self.assertIn(b" 200 ", sock.recv(4096))
                sock.close()
            self.assertEqual(server.process.wait(AT_MOST_S), 0)
            killer.join()

    def test_a_request_that_is_just_arriving_is_served(self):
        """On kept connections that were used a moment ago: each gets its answer, and the last one says that it is the last."""
        with servers.bulla_dev() as server:
            socks = [connect(server) for _ in range(64)]
            told = threading.Timer(0.2, server.process.send_signal, [signal.SIGTERM])
            told.start()
            open_ones, answers = list(socks), 0
            while open_ones:
                for sock in open_ones:
                    sock.sendall(HEAD + b"\r\n")
                for sock in list(open_ones):
                    reply = sock.recv(4096)
                    self.assertIn(b" 200 ", reply)
                    answers += 1
                    if b"connection: close" in reply.lower():
                        open_ones.remove(sock)
            self.assertGreater(answers, len(socks))
            for sock in socks:
                self.assertEqual(sock.recv(1), b"")
                sock.close()
            self.assertEqual(server.process.wait(AT_MOST_S), 0)
            told.join()

    def test_what_is_in_work_is_finished_and_new_ones_are_refused(self):
        with servers.bulla_dev() as server, contextlib.ExitStack() as stack:
            server.post("sys/mounts/transit", {"type": "transit"})
            server.post("transit/keys/r", {"type": "rsa-2048"})
            body = json.dumps({"batch_input": [{"input": PLAIN}] * 1500}).encode()
            sock = stack.enter_context(connect(server))
            sock.sendall(b"POST /v1/transit/sign/r HTTP/1.1\r\nHost: h\r\nX-Vault-Token: root\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            tcp.wait_until_read(sock)
            server.process.send_signal(signal.SIGTERM)

            def is_refused():
                try:
                    socket.create_connection(("127.0.0.1", port_of(server)), 0.05).close()
                except ConnectionRefusedError:
                    return True
                except TimeoutError:
                    pass
                return False
            tcp.wait_until(is_refused, "refusing connections")
            self.assertIsNone(server.process.poll(), "it did not wait for what was in work")
            reply = read_all(sock)
            self.assertEqual(reply[:12], b"HTTP/1.1 200")
            self.assertEqual(reply.count(b"vault:v1:"), 1500)
            self.assertEqual(server.process.wait(AT_MOST_S), 0)

    def test_twice_is_at_once(self):
        with servers.bulla_dev() as server, contextlib.ExitStack() as stack:
            server.post("sys/mounts/transit", {"type": "transit"})
            server.post("transit/keys/r", {"type": "rsa-2048"})
            body = json.dumps({"batch_input": [{"input": PLAIN}] * 50000}).encode()  # a minute
            sock = stack.enter_context(connect(server))
            sock.sendall(b"POST /v1/transit/sign/r HTTP/1.1\r\nHost: h\r\nX-Vault-Token: root\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            tcp.wait_until_read(sock)
            server.process.send_signal(signal.SIGTERM)
            tcp.wait_until(lambda: "SIGTERM: stopping" in server.log_text(), "stopping")
            server.process.send_signal(signal.SIGTERM)
            server.process.wait(AT_MOST_S)
            self.assertIn("SIGTERM again", server.log_text())

    def test_a_unix_socket_of_another_is_left_alone(self):
        """The file is removed at the beginning of the stop, so that the next server's is not."""
        path = os.path.join(self.folder, "s")
        server = self.serve(extra=f'listener "unix" {{\n  address = "{path}"\n}}\n')
        with contextlib.ExitStack() as stack:
            half = stack.enter_context(connect(server))
            half.sendall(BODY)
            tcp.wait_until_read(half)
            server.process.send_signal(signal.SIGTERM)
            tcp.wait_until(lambda: not os.path.exists(path), "removing the socket")
            mine = stack.enter_context(socket.socket(socket.AF_UNIX))
            mine.bind(path)
            server.process.wait(AT_MOST_S)
            self.assertTrue(os.path.exists(path))


class Restart(Folder):
    def replacement(self, server, *options):
        """Another process with the same configuration."""
        other = servers.Server([*server.argv, *options], server.address, server.token)
        self.addCleanup(other.close)
        return other

    def test_a_replacement_waits_for_the_old_one(self):
        pid = os.path.join(self.folder, "pid")
        old = self.serve(extra=f'pid_file = "{pid}"\n')
        initialise(old)
        ciphertext = make_key(old)
        new = self.replacement(old)
        new.start(wait=False)
        tcp.wait_until(lambda: "waiting up to 30s" in new.log_text(), "waiting")
        with connect(old) as half:
            half.sendall(BODY)  # holds the old one up for a while
            tcp.wait_until_read(half)
            self.assertEqual(old.stop(timeout=AT_MOST_S), 0)
        new.wait_until_ready()
        self.assertEqual(new.post("transit/decrypt/k", {"ciphertext": ciphertext}).data["plaintext"], PLAIN)
        self.assertEqual(new.log_text().count("waiting up to"), 1)
        with open(pid) as f:
            self.assertEqual(int(f.read()), new.process.pid)
        self.assertEqual(new.stop(), 0)
        self.assertFalse(os.path.exists(pid))

    def test_who_connects_while_the_storage_is_waited_for_is_served(self):
        old = self.serve()
        initialise(old)
        ciphertext = make_key(old)
        port = servers.free_port()
        path = self.write(servers.config_text(port, self.database), "second.hcl")
        new = servers.Server([servers.bulla_binary(), "server", f"-config={path}"], f"127.0.0.1:{port}", old.token)
        self.addCleanup(new.close)
        new.start(wait=False)
        tcp.wait_until(lambda: "in use by another process: waiting" in new.log_text(), "waiting")
        got = []
        threads = [threading.Thread(target=lambda: got.append(new.post("transit/decrypt/k", {"ciphertext": ciphertext}))) for _ in range(8)]
        [t.start() for t in threads]
        self.assertEqual(old.stop(), 0)
        [t.join() for t in threads]
        self.assertEqual([answer.data["plaintext"] for answer in got], [PLAIN] * 8)

    def test_the_wait_ends(self):
        old = self.serve()
        for options, extra in ((["-startup-wait=1s"], ""), ([], "startup_wait = 0\n")):
            port = servers.free_port()
            path = self.write(servers.config_text(port, self.database, extra=extra), "second.hcl")
            done = subprocess.run([servers.bulla_binary(), "server", f"-config={path}", *options], capture_output=True, text=True,
                                  timeout=servers.START_S, env=servers.clean_environment(), stdin=subprocess.DEVNULL)
            self.assertEqual(done.returncode, 1)
            self.assertIn(f"{self.database} is in use by another process", done.stderr)
            self.assertEqual(done.stderr.count("waiting up to 1s"), len(options))
        self.assertEqual(old.get("sys/health", token=None).status, 501)

    def test_who_waits_answers_signals(self):
        old = self.serve()
        for sig in (signal.SIGTERM, signal.SIGINT):
            new = self.replacement(old)
            new.start(wait=False)
            tcp.wait_until(lambda: "waiting up to" in new.log_text(), "waiting")
            new.process.send_signal(signal.SIGHUP)
            self.assertEqual(new.stop(sig), 0)

    def test_dev_waits_too(self):
        old = servers.bulla_dev(f"-dev-storage={self.database}")
        self.addCleanup(old.close)
        old.start()
        new = self.replacement(old)
        new.start(wait=False)
        tcp.wait_until(lambda: "waiting up to" in new.log_text(), "waiting")
        self.assertEqual(old.stop(), 0)
        new.wait_until_ready()
        self.assertEqual(new.stop(), 0)


if __name__ == "__main__":
    unittest.main()
