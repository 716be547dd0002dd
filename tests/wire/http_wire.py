#!/usr/bin/env python3
"""Wire cases of the HTTP server: http_wire.py PROGRAM [NAME...]. PROGRAM is tests/wire/http_wire, whose serve() says what it
was given. Python's standard library only; openssl makes the certificates.

No case depends on how fast the machine is: what has to be true first is waited for, not slept for."""

import contextlib
import http.client
import json
import os
import resource
import shutil
import socket
import ssl
import stat
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import tcp  # noqa: E402

PROGRAM = sys.argv[1]
GET, POST, PUT, DELETE, LIST, PATCH, HEAD, OPTIONS, SCAN, UNKNOWN = range(10)
CASES = []


def case(fn):
    CASES.append(fn)
    return fn


class Server:
    def __init__(self, *args, files=None):
        limit = (lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))) if files else None
        self.folder = tempfile.TemporaryDirectory()
        self.gate = os.path.join(self.folder.name, "gate")
        self.process = subprocess.Popen([PROGRAM, f"hold={self.gate}", *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=limit)
        self.first = self.process.stdout.readline().split()
        self.ports = [int(p) for p in self.first[1:]] if self.first[:1] == ["ports"] else []

    def command(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().split()

    def release(self):
        with open(self.gate, "w"):
            pass

    def begin_stop(self):
        self.process.stdin.write("stop\n")
        self.process.stdin.flush()

    def end(self, timeout=tcp.PATIENCE_S):
        out, _ = self.process.communicate(timeout=timeout)
        self.folder.cleanup()
        assert self.process.returncode == 0, f"exit status {self.process.returncode}"
        return out


@contextlib.contextmanager
def server(*args, **options):
    s = Server(*args, **options)
    assert s.ports, s.first
    try:
        yield s
    finally:
        try:
            assert "stopped" in s.end()
        finally:
            s.process.kill()


def wait_until_read(port, socks):
    """Until a server of one loop has taken in all that was sent on these connections."""
    for sock in socks:
        tcp.wait_until_read(sock)
    for _ in range(2):  # it is past the turn in which it did so
        assert ask(port, "GET", "/echo")[0] == 200


def connect(port, timeout=tcp.PATIENCE_S):
    s = socket.create_connection(("127.0.0.1", port), timeout)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


class Reader:
    """Reads HTTP answers off a socket, one by one."""

    def __init__(self, sock):
        self.sock = sock
        self.buffer = b""

    def more(self):
        data = self.sock.recv(65536)
        self.buffer += data
        return bool(data)

    def answer(self, head=False):
        while b"\r\n\r\n" not in self.buffer:
            if not self.more():
                raise EOFError(self.buffer)
        top, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        lines = top.decode().split("\r\n")
        status = int(lines[0].split()[1])
        headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines[1:])}
        n = 0 if head or status in (100, 204) else int(headers.get("content-length", 0))
        while len(self.buffer) < n:
            if not self.more():
                raise EOFError("body")
        body, self.buffer = self.buffer[:n], self.buffer[n:]
        return status, headers, body

    def closed(self):
        """Whether nothing but the end follows."""
        try:
            while self.sock.recv(65536):
                pass
            return True
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False


def raw(port, data, head=False):
    with connect(port) as s:
        s.sendall(data)
        return Reader(s).answer(head)


def ask(port, method, target, body=None, headers=()):
    head = f"{method} {target} HTTP/1.1\r\nHost: h\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers)
    if body is not None:
        head += f"Content-Length: {len(body)}\r\n"
    status, got, text = raw(port, head.encode("latin1") + b"\r\n" + (body or b""), method == "HEAD")
    return status, got, json.loads(text) if text[:1] == b"{" else text


# ---- what arrives -------------------------------------------------------------

@case
def fields_arrive():
    with server("tcp") as s:
        status, headers, got = ask(s.ports[0], "POST", "/v1/a%20b/%2F%00//..?x=1&y=%3F", b'{"a":1}', [
            ("x-vault-token", "tok"), ("X-Vault-Namespace", "ns"), ("X-VAULT-WRAP-TTL", "5m"), ("Content-Type", "a/b")])
        assert status == 200
        assert got["target"] == "/v1/a%20b/%2F%00//..?x=1&y=%3F", got
        assert (got["token"], got["namespace"], got["wrap_ttl"], got["content_type"]) == ("tok", "ns", "5m", "a/b"), got
        assert got["body"] == '{"a":1}' and got["method"] == POST and got["remote"].startswith("127.0.0.1:")
        assert headers["cache-control"] == "no-store" and headers["content-type"] == "application/json"
        assert headers["strict-transport-security"] == "max-age=31536000; includeSubDomains"
        assert "connection" not in headers


@case
def methods_arrive():
    with server("tcp") as s:
        for name, number in (("GET", GET), ("PUT", PUT), ("DELETE", DELETE), ("LIST", LIST), ("PATCH", PATCH),
                             ("OPTIONS", OPTIONS), ("SCAN", SCAN), ("BREW", UNKNOWN), ("get", UNKNOWN)):
            assert ask(s.ports[0], name, "/echo")[2]["method"] == number, name


@case
def token_rules():
    rules = (
        ([("X-Vault-Token", "a"), ("X-Vault-Token", "b")], "a"),
        ([("X-Vault-Token", "a"), ("Authorization", "Bearer b")], "a"),
        ([("Authorization", "Bearer b"), ("X-Vault-Token", "a")], "a"),
        ([("X-Vault-Token", ""), ("Authorization", "Bearer b")], "b"),
        ([("X-Vault-Token", ""), ("X-Vault-Token", "a")], ""),
        ([("Authorization", "bearer b")], ""),
        ([("Authorization", "Bearer")], ""),
        ([("Authorization", "Basic eA=="), ("Authorization", "Bearer  b "), ("Authorization", "Bearer c")], "b"),
    )
    with server("tcp") as s:
        for headers, want in rules:
            assert ask(s.ports[0], "GET", "/echo", None, headers)[2]["token"] == want, headers


@case
def reply_fields():
    with server("tcp") as s:
        status, headers, body = ask(s.ports[0], "GET", "/none")
        assert status == 204 and body == b"" and "content-type" not in headers, headers
        status, headers, _ = ask(s.ports[0], "GET", "/moved")
        assert status == 307 and headers["location"] == "/elsewhere"
        status, headers, _ = ask(s.ports[0], "GET", "/wait")
        assert status == 503 and headers["retry-after"] == "7" and headers["allow"] == "GET, POST"


@case
def head_has_no_body():
    with server("tcp") as s, connect(s.ports[0]) as c:
        reader = Reader(c)
        c.sendall(b"HEAD /echo HTTP/1.1\r\nHost: h\r\n\r\n")
        assert reader.answer(head=True)[0] == 200
        c.sendall(b"GET /echo HTTP/1.1\r\nHost: h\r\n\r\n")
        assert json.loads(reader.answer()[2])["method"] == GET


@case
def malformed_is_refused():
    bad = (
        b"POST /e HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST /e HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"POST /e HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: identity\r\n\r\n",
        b"POST /e HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n",
        b"POST /e HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /e HTTP/1.1\r\n\r\n",
        b"GET /v1/x\0y HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /v1/x y HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GARBAGE\r\n\r\n",
    )
    with server("tcp", "loops=1") as s:
        for request in bad:
            with connect(s.ports[0]) as c:
                c.sendall(request)
                reader = Reader(c)
                try:
                    assert reader.answer()[0] in (400, 501), request
                except (EOFError, ConnectionResetError):
                    pass  # closed without a word is a refusal too
                assert reader.closed(), request
        with connect(s.ports[0]) as c:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it need not read all of that
                c.sendall(b"GET /echo HTTP/1.1\r\nHost: h\r\nX: " + b"a" * 70000 + b"\r\n\r\n")
            assert Reader(c).answer()[0] in (413, 431)
        assert ask(s.ports[0], "GET", "/echo")[0] == 200


@case
def coding_beside_a_length_ends_the_connection():
    head = b"POST /echo HTTP/1.1\r\nHost: h\r\n"
    framing = (b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n")
    with server("tcp", "loops=1") as s:
        for order in (framing, framing[::-1]):
            with connect(s.ports[0]) as c:
                c.sendall(head + b"".join(order) + b"\r\n2\r\n{}\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n")
                reader = Reader(c)
                status, headers, body = reader.answer()
                assert status == 200 and headers["connection"].lower() == "close", (status, headers)
                assert json.loads(body)["body"] == "{}", body
                assert reader.closed()


# ---- connections ----------------------------------------------------------------

@case
def keep_alive_and_pipelining():
    with server("tcp") as s, connect(s.ports[0]) as c:
        reader = Reader(c)
        for i in range(50):
            c.sendall(b"POST /echo?%d HTTP/1.1\r\nHost: h\r\nX-Vault-Token: t%d\r\nContent-Length: 3\r\n\r\nabc" % (i, i))
            got = json.loads(reader.answer()[2])
            assert got["target"] == "/echo?%d" % i and got["token"] == "t%d" % i
        kinds = [b"/echo", b"/block?1", b"/none", b"/block?0"]
        many = b"".join(b"POST %s?%d HTTP/1.1\r\nHost: h\r\nX-Vault-Token: t%d\r\nContent-Length: 5\r\n\r\n%05d"
                        % (kinds[i % 4], i, i, i) for i in range(200))
        threading.Thread(target=c.sendall, args=(many,)).start()
        for i in range(200):
            status, _, body = reader.answer()
            if i % 4 == 2:
                assert status == 204
                continue
            got = json.loads(body)
            assert got["token"] == "t%d" % i and got["body"] == "%05d" % i, (i, got)
        c.sendall(b"GET /echo HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        assert reader.answer()[1]["connection"] == "close" and reader.closed()


@case
def upgrade_is_ignored():
    with server("tcp") as s:
        headers = [("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "h2c"), ("HTTP2-Settings", "AAMAAABkAAQAAP__")]
        assert ask(s.ports[0], "GET", "/echo", None, headers)[0] == 200


@case
def workers_serve():
    with server("tcp") as s:
        got = ask(s.ports[0], "POST", "/block?1", b'{"x":"y"}')[2]
        assert got["blocked"] and got["body"] == '{"x":"y"}'
        assert not ask(s.ports[0], "POST", "/echo", b'{"x":"y"}')[2]["blocked"]
        got = ask(s.ports[0], "POST", "/echo", b"a" * 70000)[2]
        assert not got["blocked"] and got["body"] == "a" * 70000  # it is for serve() to say what is no work for a loop


@case
def loops_go_on_while_workers_wait():
    with server("tcp", "workers=2", "loops=1") as s:
        slow = [threading.Thread(target=ask, args=(s.ports[0], "GET", "/hold")) for _ in range(2)]
        [t.start() for t in slow]
        assert s.command("held 2") == ["held", "2"]
        for _ in range(20):
            assert ask(s.ports[0], "GET", "/echo")[0] == 200
        assert all(t.is_alive() for t in slow)
        s.release()
        [t.join() for t in slow]


@case
def full_queue_is_busy():
    with server("tcp", "workers=1", "queue=2", "loops=1") as s:
        statuses = []

        def one(target):
            status, headers, body = ask(s.ports[0], "GET", target)
            statuses.append((status, headers.get("retry-after"), body))
        threads = [threading.Thread(target=one, args=(target,)) for target in ["/hold"] + ["/block?10"] * 7]
        threads[0].start()
        assert s.command("held 1") == ["held", "1"]  # the worker has it, and the queue is empty
        [t.start() for t in threads[1:]]
        tcp.wait_until(lambda: len(statuses) >= 5, "refusing what the queue has no room for")
        s.release()
        [t.join() for t in threads]
        good = [x for x in statuses if x[0] == 200]
        busy = [x for x in statuses if x[0] == 503]
        assert len(good) == 3 and len(busy) == 5, [x[0] for x in statuses]
        assert busy[0][1] == "1" and busy[0][2] == {"errors": ["the server is busy; try again"]}
        assert ask(s.ports[0], "GET", "/echo")[0] == 200


@case
def connections_beyond_the_limit_are_told():
    with server("tcp", "connections=12", "share=100") as s:
        idle = [connect(s.ports[0]) for _ in range(8)]
        for c in idle:
            c.sendall(b"GET /echo HTTP/1.1\r\nHost: h\r\n\r\n")
            assert Reader(c).answer()[0] == 200
        status, headers, _ = ask(s.ports[0], "POST", "/echo", b"abc")
        assert status == 503 and headers["connection"] == "close" and headers["retry-after"] == "1"
        more = [connect(s.ports[0]) for _ in range(10)]  # past the last slot: they wait in the backlog
        [c.close() for c in idle + more]
        tcp.wait_until(lambda: ask(s.ports[0], "GET", "/echo")[0] == 200, "serving again")


@case
def out_of_descriptors_is_survived():
    with server("tcp", "loops=1", files=24) as s:
        with connect(s.ports[0]) as first:
            first.sendall(b"GET /echo HTTP/1.1\r\nHost: h\r\n\r\n")
            assert Reader(first).answer()[0] == 200
            many = [connect(s.ports[0]) for _ in range(40)]
            first.sendall(b"GET /block?1 HTTP/1.1\r\nHost: h\r\n\r\n")
            assert Reader(first).answer()[0] == 200
        [c.close() for c in many]
        assert ask(s.ports[0], "GET", "/echo")[0] == 200


@case
def connections_are_spread_over_loops():
    with server("tcp", "loops=3") as s:
        many = [connect(s.ports[0]) for _ in range(90)]
        for c in many:
            c.sendall(b"GET /echo HTTP/1.1\r\nHost: h\r\n\r\n")
        for c in many:
            assert Reader(c).answer()[0] == 200
        [c.close() for c in many]


@case
def a_peer_that_leaves_does_no_harm():
    with server("tcp", "workers=2") as s:
        for _ in range(20):
            with connect(s.ports[0]) as c:
                c.sendall(b"GET /block?30 HTTP/1.1\r\nHost: h\r\n\r\n")
            with connect(s.ports[0]) as c:
                c.sendall(b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nabc")
            with connect(s.ports[0]) as c:
                c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                c.sendall(b"GET /fill?2000000 HTTP/1.1\r\nHost: h\r\n\r\n")
                c.recv(10)
        assert ask(s.ports[0], "GET", "/block?1")[0] == 200


@case
def large_replies():
    with server("tcp") as s:
        assert len(ask(s.ports[0], "GET", "/fill?5000000")[2]) == 5000000


# ---- limits ---------------------------------------------------------------------

@case
def body_at_the_limit():
    with server("tcp", "bytes=100000") as s:
        assert ask(s.ports[0], "POST", "/echo", b"a" * 100000)[2]["body_len"] == 100000
        assert ask(s.ports[0], "POST", "/echo", b"a" * 100001)[0] == 413


@case
def oversize_body_without_expect():
    with server("tcp", "bytes=100000") as s, connect(s.ports[0]) as c:
        reader = Reader(c)
        c.sendall(b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 150000\r\n\r\n" + b"a" * 150000)
        status, _, body = reader.answer()
        assert status == 413 and json.loads(body)["body_len"] == 0
        c.sendall(b"GET /echo HTTP/1.1\r\nHost: h\r\n\r\n")
        assert reader.answer()[0] == 200  # all was read: the connection goes on


@case
def oversize_body_with_expect():
    with server("tcp", "bytes=1000") as s:
        with connect(s.ports[0]) as c:
            reader = Reader(c)
            c.sendall(b"POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 1500\r\n\r\n")
            assert reader.answer()[0] == 413 and reader.closed()
        with connect(s.ports[0]) as c:
            reader = Reader(c)
            c.sendall(b"POST /block?1 HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 1500\r\n\r\n")
            assert reader.answer()[0] == 413 and reader.closed()
        with connect(s.ports[0]) as c:
            reader = Reader(c)
            c.sendall(b"POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 900\r\n\r\n")
            assert reader.answer()[0] == 100
            c.sendall(b"b" * 900)
            assert reader.answer()[0] == 200


@case
def absurd_length_is_answered_at_once():
    with server("tcp", "bytes=1000") as s:
        assert raw(s.ports[0], b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999\r\n\r\n")[0] == 413


@case
def endless_chunks_are_cut():
    with server("tcp", "bytes=100000") as s:
        with connect(s.ports[0]) as c:
            c.sendall(b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
            sent = 0
            try:
                while sent < 50000000:
                    c.sendall(b"2000\r\n" + b"a" * 8192 + b"\r\n")
                    sent += 8192
                assert False, "nobody stopped the sender"
            except (BrokenPipeError, ConnectionResetError):
                pass
        with connect(s.ports[0]) as c:
            c.sendall(b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in range(15):
                c.sendall(b"2000\r\n" + b"a" * 8192 + b"\r\n")
            c.sendall(b"0\r\n\r\n")
            assert Reader(c).answer()[0] == 413
        with connect(s.ports[0]) as c:
            c.sendall(b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
            for i in range(300):
                c.sendall(b"3;ext=1\r\n%03d\r\n" % i)
            c.sendall(b"0\r\nTrailer: x\r\n\r\n")
            assert json.loads(Reader(c).answer()[2])["body"] == "".join("%03d" % i for i in range(300))


@case
def large_bodies_have_a_budget():
    with server("tcp", "bytes=1000000", "memory=16000000", "loops=1") as s:
        slow = []
        for _ in range(12):
            c = connect(s.ports[0])
            c.sendall(b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n" + b"a" * 999999)
            slow.append(c)
        wait_until_read(s.ports[0], slow)
        statuses = []
        for c in slow:
            c.sendall(b"a")
            statuses.append(Reader(c).answer()[0])
            c.close()
        assert 503 in statuses and 200 in statuses, statuses
        assert ask(s.ports[0], "POST", "/echo", b"a" * 900000)[0] == 200  # given back


@case
def slow_senders_are_cut():
    with server("tcp", "seconds=2", "loops=1") as s:
        begin = time.monotonic()
        with connect(s.ports[0]) as c:
            c.sendall(b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n")
            try:
                for _ in range(5 * tcp.PATIENCE_S):
                    c.sendall(b"a")
                    time.sleep(0.2)
                assert False, "still open"
            except (BrokenPipeError, ConnectionResetError):
                pass
        assert time.monotonic() - begin > 1.5
        with connect(s.ports[0]) as c:  # slow headers, after the request line
            c.sendall(b"GET /echo HTTP/1.1\r\nHost: h\r\n")
            try:
                for i in range(5 * tcp.PATIENCE_S):
                    c.sendall(b"X-%d: y\r\n" % i)
                    time.sleep(0.2)
                assert False, "still open"
            except (BrokenPipeError, ConnectionResetError):
                pass
        for beginning in (b"", b"GET /ec"):  # nothing at all, and half a request line
            begin = time.monotonic()
            with connect(s.ports[0]) as c:
                c.sendall(beginning)
                assert Reader(c).closed() and time.monotonic() - begin > 1
        assert ask(s.ports[0], "GET", "/block?3000")[0] == 200  # a worker's time does not count


@case
def slow_readers_are_cut():
    with server("tcp", "seconds=2") as s, connect(s.ports[0]) as c:
        c.sendall(b"GET /fill?30000000 HTTP/1.1\r\nHost: h\r\n\r\n")
        tcp.wait_until_cut(c)
        got = 0
        with contextlib.suppress(ConnectionResetError):
            while data := c.recv(1 << 20):
                got += len(data)
        assert 0 < got < 30000000, got


@case
def a_peer_that_leaves_frees_its_slot():
    with server("tcp", "connections=12", "share=100") as s:
        for _ in range(8):
            with connect(s.ports[0]) as c:
                c.sendall(b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nabc")
        tcp.wait_until(lambda: ask(s.ports[0], "GET", "/echo")[0] == 200, "freeing the slots")


@case
def a_peer_that_leaves_while_it_is_refused_frees_its_slot():
    with server("tcp", "connections=12", "share=100") as s:
        idle = [connect(s.ports[0]) for _ in range(8)]
        for c in idle:
            c.sendall(b"GET /echo HTTP/1.1\r\nHost: h\r\n\r\n")
            assert Reader(c).answer()[0] == 200
        for _ in range(4):
            with connect(s.ports[0]) as c:
                c.sendall(b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nabc")
        assert ask(s.ports[0], "GET", "/echo")[0] == 503  # all slots are taken until one of those is free
        [c.close() for c in idle]


# ---- shares of the connections --------------------------------------------------

def connect_from(address, port):
    return socket.create_connection(("127.0.0.1", port), tcp.PATIENCE_S, source_address=(address, 0))


@case
def an_address_beyond_its_share_is_told():
    """32 of 40 slots are one address's, with requests in work: beyond, it gets 503, and others are served."""
    with server("tcp", "connections=40", "workers=2", "loops=1") as s:
        held = []
        for _ in range(32):
            held.append(connect(s.ports[0]))
            held[-1].sendall(b"GET /hold HTTP/1.1\r\nHost: h\r\n\r\n")
            tcp.wait_until_read(held[-1])
        for address, wanted in (("127.0.0.1", 503), ("127.0.0.2", 200), ("127.0.0.1", 503), ("127.0.0.3", 200)):
            with connect_from(address, s.ports[0]) as c:
                c.sendall(b"GET /echo HTTP/1.1\r\nHost: h\r\n\r\n")
                status, headers, _ = Reader(c).answer()
                assert status == wanted, (address, status)
                assert ("retry-after" in headers) == (status == 503)
        s.release()
        assert [Reader(c).answer()[0] for c in held] == [200] * 32  # what is in work is not taken away
        [c.close() for c in held]


@case
def idle_connections_beyond_a_share_are_closed_the_oldest_first():
    with server("tcp", "connections=40", "loops=1") as s:
        other = connect_from("127.0.0.2", s.ports[0])
        other.sendall(b"GET /echo HTTP/1.1\r\nHost: h\r\n\r\n")
        assert Reader(other).answer()[0] == 200
        idle = []
        for _ in range(28):
            idle.append(connect(s.ports[0]))
            idle[-1].sendall(b"GET /echo HTTP/1.1\r\nHost: h\r\n\r\n")
            assert Reader(idle[-1]).answer()[0] == 200
        silent = [connect(s.ports[0]) for _ in range(6)]  # with the other one 35 of 40; 32 are not scarce
        assert Reader(idle[0]).closed()
        other.sendall(b"GET /echo HTTP/1.1\r\nHost: h\r\n\r\n")
        assert Reader(other).answer()[0] == 200
        [c.close() for c in (other, *idle, *silent)]


# ---- stopping -------------------------------------------------------------------

@case
def stop_finishes_what_is_in_flight():
    s = Server("tcp", "workers=2", "loops=1")
    with connect(s.ports[0]) as idle, connect(s.ports[0]) as busy, connect(s.ports[0]) as half:
        idle.sendall(b"GET /echo HTTP/1.1\r\nHost: h\r\n\r\n")
        assert Reader(idle).answer()[0] == 200
        busy.sendall(b"GET /hold HTTP/1.1\r\nHost: h\r\n\r\n")
        half.sendall(b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nab")
        assert s.command("held 1") == ["held", "1"]
        wait_until_read(s.ports[0], [half])
        s.begin_stop()
        assert Reader(idle).closed()  # it has begun
        half.sendall(b"cd")
        status, headers, body = Reader(half).answer()
        assert status == 200 and json.loads(body)["body"] == "abcd" and headers["connection"] == "close"
        try:
            late = connect(s.ports[0], 1)
            late.sendall(b"GET /echo HTTP/1.1\r\nHost: h\r\n\r\n")
            assert late.recv(100) == b""
        except (ConnectionRefusedError, ConnectionResetError, TimeoutError):
            pass
        s.release()
        status, headers, _ = Reader(busy).answer()
        assert status == 200 and headers["connection"] == "close"
        assert "stopped" in s.end()


@case
def stop_does_not_wait_for_ever():
    s = Server("tcp", "seconds=1", "loops=1")
    with connect(s.ports[0]) as half:
        half.sendall(b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nab")
        wait_until_read(s.ports[0], [half])
        s.begin_stop()
        assert "stopped" in s.end()


@case
def stop_under_load():
    s = Server("tcp", "workers=2")
    results = []

    def client():
        try:
            with connect(s.ports[0]) as c:
                reader = Reader(c)
                while True:
                    c.sendall(b"GET /block?2 HTTP/1.1\r\nHost: h\r\n\r\n")
                    results.append(reader.answer()[0])
        except (OSError, EOFError):
            pass
    threads = [threading.Thread(target=client) for _ in range(16)]
    [t.start() for t in threads]
    tcp.wait_until(lambda: len(results) > 50, "serving")
    s.begin_stop()
    assert "stopped" in s.end()
    [t.join() for t in threads]
    assert set(results) == {200}


# ---- listeners ------------------------------------------------------------------

@case
def unix_socket():
    with tempfile.TemporaryDirectory() as d:
        path = os.path.join(d, "s")
        with server(f"unix:{path}:0620", "tcp") as s:
            assert stat.S_IMODE(os.stat(path).st_mode) == 0o620
            with socket.socket(socket.AF_UNIX) as c:
                c.connect(path)
                reader = Reader(c)
                for _ in range(3):
                    c.sendall(b"GET /block?1 HTTP/1.1\r\nHost: h\r\n\r\n")
                    assert json.loads(reader.answer()[2])["remote"] == ""
            assert ask(s.ports[1], "GET", "/echo")[0] == 200
            second = Server(f"unix:{path}:0600")
            assert second.first[0] == "error" and "in use" in " ".join(second.first), second.first
            second.process.wait()
        assert not os.path.exists(path)
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(path)
        with server(f"unix:{path}:0600"):  # nobody answers there: taken over
            assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        with open(path, "w") as f:
            f.write("precious")
        third = Server(f"unix:{path}:0600")
        third.process.wait()
        assert third.first[0] == "error" and open(path).read() == "precious"


def certificate(directory, name, extensions, ca=None):
    """NAME.key and NAME.pem, signed by ca, or by itself."""
    path = os.path.join(directory, name)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "check": True}
    with open(path + ".ext", "w") as f:
        f.write("\n".join(extensions) + "\n")
    subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                    "-keyout", path + ".key", "-out", path + ".csr"], **quiet)
    how = ["-CA", ca + ".pem", "-CAkey", ca + ".key", "-CAcreateserial"] if ca else ["-signkey", path + ".key"]
    subprocess.run(["openssl", "x509", "-req", "-in", path + ".csr", "-days", "2", "-extfile", path + ".ext", "-out", path + ".pem",
                    *how], **quiet)
    return path


AUTHORITY = ["basicConstraints=critical,CA:TRUE", "keyUsage=keyCertSign"]
SERVER = ["subjectAltName=DNS:localhost,IP:127.0.0.1", "extendedKeyUsage=serverAuth"]
CLIENT = ["extendedKeyUsage=clientAuth"]


@contextlib.contextmanager
def certificates():
    with tempfile.TemporaryDirectory() as d:
        ca, other = certificate(d, "ca", AUTHORITY), certificate(d, "other_ca", AUTHORITY)
        certificate(d, "one", SERVER, ca)
        certificate(d, "two", SERVER, ca)
        certificate(d, "client", CLIENT, ca)
        certificate(d, "stranger", CLIENT, other)
        yield d


def tls_context(d, client=None):
    context = ssl.create_default_context(cafile=os.path.join(d, "ca.pem"))
    if client:
        context.load_cert_chain(os.path.join(d, client + ".pem"), os.path.join(d, client + ".key"))
    return context


def tls_connect(port, context):
    return context.wrap_socket(connect(port), server_hostname="localhost")


def name_of(sock):
    return dict(x[0] for x in sock.getpeercert()["subject"])["commonName"]


@case
def tls_serves_and_reloads():
    with certificates() as d:
        live = os.path.join(d, "live")
        for end in (".pem", ".key"):
            shutil.copy(os.path.join(d, "one" + end), live + end)
        with server(f"tls:{live}.pem:{live}.key", "tcp") as s:
            context = tls_context(d)
            old = tls_connect(s.ports[0], context)
            reader = Reader(old)
            assert name_of(old) == "one"
            for target in (b"/echo", b"/block?5", b"/fill?100000"):
                old.sendall(b"GET " + target + b" HTTP/1.1\r\nHost: h\r\n\r\n")
                assert reader.answer()[0] == 200
            old.sendall(b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n" + b"a" * 1000000)
            assert json.loads(reader.answer()[2])["body_len"] == 1000000
            shutil.copy(os.path.join(d, "two.pem"), live + ".pem")
            kept = s.command("reload")
            assert kept[0] == "kept" and "key of the certificate" in " ".join(kept), kept
            with tls_connect(s.ports[0], context) as c:
                assert name_of(c) == "one"
            shutil.copy(os.path.join(d, "two.key"), live + ".key")
            assert s.command("reload") == ["reloaded"]
            with tls_connect(s.ports[0], context) as c:
                assert name_of(c) == "two"
                c.sendall(b"GET /echo HTTP/1.1\r\nHost: h\r\n\r\n")
                assert Reader(c).answer()[0] == 200
            old.sendall(b"GET /echo HTTP/1.1\r\nHost: h\r\n\r\n")
            assert reader.answer()[0] == 200
            assert ask(s.ports[1], "GET", "/echo")[0] == 200
            with connect(s.ports[0]) as plain:  # no TLS at all
                plain.sendall(b"GET /echo HTTP/1.1\r\nHost: h\r\n\r\n")
                assert plain.recv(100).startswith(b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent")
            old.close()


@case
def tls_versions():
    with certificates() as d:
        one = os.path.join(d, "one")
        with server(f"tls:{one}.pem:{one}.key:-:tls13", f"tls:{one}.pem:{one}.key:-:tls12") as s:
            context = tls_context(d)
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            try:
                tls_connect(s.ports[0], context)
                assert False, "TLS 1.2 on a listener of TLS 1.3"
            except ssl.SSLError:
                pass
            with tls_connect(s.ports[1], context) as c:
                assert c.version() == "TLSv1.2" and "GCM" in c.cipher()[0] or "CHACHA" in c.cipher()[0]
            with tls_connect(s.ports[0], tls_context(d)) as c:
                assert c.version() == "TLSv1.3"
            context.set_ciphers("AES128-GCM-SHA256:ECDHE-ECDSA-AES128-SHA256")
            try:
                tls_connect(s.ports[1], context)
                assert False, "no forward secrecy"
            except ssl.SSLError:
                pass


@case
def tls_client_certificates():
    def answers(port, context):
        try:
            with tls_connect(port, context) as c:
                c.sendall(b"GET /echo HTTP/1.1\r\nHost: h\r\n\r\n")
                return Reader(c).answer()[0] == 200
        except (ssl.SSLError, EOFError, ConnectionError):
            return False
    with certificates() as d:
        one, ca = os.path.join(d, "one"), os.path.join(d, "ca.pem")
        with server(f"tls:{one}.pem:{one}.key:{ca}") as s:
            assert answers(s.ports[0], tls_context(d, "client"))
            assert not answers(s.ports[0], tls_context(d))
            assert not answers(s.ports[0], tls_context(d, "stranger"))
            assert not answers(s.ports[0], tls_context(d, "two"))  # right CA, but a server's certificate
            assert answers(s.ports[0], tls_context(d, "client"))


@case
def bad_listeners_do_not_start():
    with certificates() as d:
        one, two = os.path.join(d, "one"), os.path.join(d, "two")
        for args, text in (
            ([f"tls:{d}/none.pem:{one}.key"], "No such file"),
            ([f"tls:{one}.pem:{two}.key"], "key of the certificate"),
            ([f"tls:{one}.key:{one}.key"], "one.key"),
            ([f"tls:{one}.pem:{one}.key:{d}/none.pem"], "No such file"),
            ([f"tls:{one}.pem:{one}.key:-:tls11"], "TLS version"),
            ([f"unix:{d}/no/such/dir:0600"], "No such file"),
            ([f"unix:{d}/{'x' * 120}:0600"], "too long"),
        ):
            s = Server(*args)
            s.process.wait(10)
            assert s.first[0] == "error" and text in " ".join(s.first), (args, s.first)
            assert s.process.returncode == 1


def main():
    wanted = sys.argv[2:]
    failed = 0
    for fn in CASES:
        if wanted and fn.__name__ not in wanted:
            continue
        begin = time.monotonic()
        try:
            fn()
            print(f"ok   {fn.__name__} {time.monotonic() - begin:.1f}s", flush=True)
        except Exception as e:  # noqa: BLE001: the next case is to run whatever happened
            failed += 1
            print(f"FAIL {fn.__name__}: {type(e).__name__}: {e}", flush=True)
            import traceback
            traceback.print_exc()
    print(f"{failed} failed")
    return 1 if failed else 0


sys.modules["http_wire"] = sys.modules[__name__]  # whose cases use what is here
import http_framing  # noqa: E402, F401

sys.exit(main())
