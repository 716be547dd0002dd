"""Wire cases of the framing: where requests begin and end, what is refused, and how connections end. Part of http_wire.py.

Each answer is wanted once: what follows it on a connection that was refused is the end."""
import contextlib
import json
import os
import socket
import ssl
import tempfile

import tcp
from http_wire import Reader, ask, case, certificates, connect, server, tls_connect, tls_context, wait_until_read

MAX_HEAD, MAX_TARGET, MAX_LINES = 32768, 16384, 100  # src/http/framing.h
HOST = b"Host: h\r\n"
GET = b"GET /echo HTTP/1.1\r\n" + HOST


def everything(sock):
    """Until the end, however it comes."""
    got = b""
    with contextlib.suppress(ConnectionResetError):
        while data := sock.recv(65536):
            got += data
    return got


def answer_of(port, data):
    """The status of the only answer to data, whose connection is left open; its headers, and its body."""
    with connect(port) as c:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            c.sendall(data)
        status, headers, body = Reader(c).answer()
        if headers.get("connection", "").lower() == "close":
            assert everything(c) == b"", data[:200]
        return status, headers, body


def refused(port, data, status, text=None):
    """One answer of this status, in our form, and then the end of the connection."""
    with connect(port) as c:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            c.sendall(data)
        reader = Reader(c)
        try:
            got, headers, body = reader.answer()
        except EOFError as e:
            raise AssertionError(f"no answer to {data[:100]!r}...{data[-40:]!r}") from e
        assert got == status, (got, status, body, data[:100])
        assert headers["cache-control"] == "no-store" and headers["connection"].lower() == "close", headers
        assert reader.buffer + everything(c) == b"", data[:100]
        (error,) = json.loads(body)["errors"]
        assert text is None or text in error, (error, data[:100])


def head(lines):
    return b"GET /echo HTTP/1.1\r\n" + HOST + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def around(*limits, step=1999, end=100000):
    return sorted({n + d for n in limits for d in (-2, -1, 0, 1, 2)} | set(range(60, end, step)))


# ---- sizes ---------------------------------------------------------------------------

@case
def a_head_of_every_size_is_answered():
    with server("tcp", "loops=1") as s:
        for n in around(MAX_HEAD, 16384, 20480, 8192):
            data = GET + b"X: " + b"a" * (n - len(GET) - 7) + b"\r\n\r\n"
            assert len(data) == n
            if n <= MAX_HEAD:
                assert answer_of(s.ports[0], data)[0] == 200, n
            else:
                refused(s.ports[0], data, 431)
        for n in around(MAX_TARGET):
            data = b"GET /" + b"a" * (n - 1) + b" HTTP/1.1\r\n" + HOST + b"\r\n"
            if n <= MAX_TARGET:
                status, _, body = answer_of(s.ports[0], data)
                assert status == 200 and len(json.loads(body)["target"]) == n, n
            else:
                refused(s.ports[0], data, 414)


@case
def headers_that_are_read_are_bounded():
    with server("tcp", "loops=1") as s:
        for n in around(16384, 32600, step=3777, end=32700):
            status, _, body = answer_of(s.ports[0], head([b"X-Vault-Token: " + b"t" * n]))
            assert status == 200 and json.loads(body)["token"] == "t" * n, (n, status)
        refused(s.ports[0], head([b"X-Vault-Token: " + b"t" * 32721]), 431)
        for lines in ([b"Connection: t"], [b"Connection: " + b"t" * 2000], [b"Connection: t"] * 16):
            assert answer_of(s.ports[0], head(lines))[0] == 200
        for lines in ([b"Connection: " + b"t" * 2100], [b"Connection:"] * 17, [b"Connection:"] * 2000, [b"Expect:"] * 90, [b"Connection: " + b"t" * 20000]):
            refused(s.ports[0], head(lines), 431)
        for n in (1, 90, MAX_LINES, MAX_LINES + 1, 500, 1500, 5000):
            data = head([b"X-Vault-Token: t"] * n)
            if n <= MAX_LINES:
                assert answer_of(s.ports[0], data)[0] == 200, n
            else:
                refused(s.ports[0], data, 431)
        # a long target beside long headers
        target = b"GET /" + b"a" * (MAX_TARGET - 1) + b" HTTP/1.1\r\n" + HOST
        for n in (4000, 15000, 16300):
            status, _, body = answer_of(s.ports[0], target + b"X-Vault-Token: " + b"t" * n + b"\r\n\r\n")
            assert status == 200 and json.loads(body)["token"] == "t" * n and len(json.loads(body)["target"]) == MAX_TARGET
        refused(s.ports[0], target + b"X-Vault-Token: " + b"t" * 16400 + b"\r\n\r\n", 431)


@case
def many_small_headers_are_answered():
    with server("tcp", "loops=1") as s:
        for n in (1, 10, 100, 1000, 2500, 3600, 3700, 5000, 9000):
            data = head([b"X%d: y" % i for i in range(n)])
            if len(data) <= MAX_HEAD:
                assert answer_of(s.ports[0], data)[0] == 200, n
            else:
                refused(s.ports[0], data, 431)


@case
def query_parameters_are_not_counted_here():
    with server("tcp", "loops=1") as s, connect(s.ports[0]) as c:
        reader = Reader(c)
        for n in (1, 215, 216, 250, 300, 1000, 1100, 1700):
            query = "&".join(f"a{i}=1" for i in range(n))
            c.sendall(f"GET /echo?{query} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
            status, _, body = reader.answer()
            assert status == 200 and json.loads(body)["target"] == "/echo?" + query, n
        refused(s.ports[0], b"GET /echo?" + b"a=1&" * 5000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414)


@case
def cookies_are_dropped():
    cookies = (
        [b"Cookie: " + b"; ".join(b"n%d=v" % i for i in range(220))],
        [b"Cookie: a=" + b"x" * 7900],
        [b"Cookie: a=" + b"x" * 4000, b"cookie: b=" + b"y" * 4000],
        [b"COOKIE: a=" + b"x" * 30000],
        [b"Cookie: a=b"] * 2000,
        [b"Cookie:"],
    )
    with server("tcp", "loops=1") as s:
        for lines in cookies:
            status, _, body = answer_of(s.ports[0], head([*lines, b"X-Vault-Token: t"]))
            assert status == 200 and json.loads(body)["token"] == "t", lines[0][:40]
        refused(s.ports[0], head([b"Cookie: a=" + b"x" * 33000]), 431)


# ---- forms ---------------------------------------------------------------------------

POST = b"POST /echo HTTP/1.1\r\n" + HOST
INNER = b"GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
REFUSED = (
    # the request line
    (b"GARBAGE\r\n\r\n", 400), (b"GET /echo\r\n\r\n", 400), (b"GET  /echo HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    (b"GET /echo  HTTP/1.1\r\n" + HOST + b"\r\n", 400), (b"GET /echo HTTP/1.1 \r\n" + HOST + b"\r\n", 400),
    (b" GET /echo HTTP/1.1\r\n" + HOST + b"\r\n", 400), (b"GET\t/echo\tHTTP/1.1\r\n" + HOST + b"\r\n", 400),
    (b"GET /ec\0ho HTTP/1.1\r\n" + HOST + b"\r\n", 400), (b"GET /e\tcho HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    (b"GET /e\x7f HTTP/1.1\r\n" + HOST + b"\r\n", 400), (b"GET /a b HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    (b"G\xc3\xa4T /echo HTTP/1.1\r\n" + HOST + b"\r\n", 400), (b"G(T /echo HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    (b"G" * 65 + b" /echo HTTP/1.1\r\n" + HOST + b"\r\n", 400), (b"GET /echo http/1.1\r\n" + HOST + b"\r\n", 400),
    (b"GET /echo HTTP/11\r\n" + HOST + b"\r\n", 400), (b"GET /echo HTTP/1.10\r\n" + HOST + b"\r\n", 400),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505), (b"GET /echo HTTP/0.9\r\n" + HOST + b"\r\n", 505),
    (b"\r\n\r\n" + GET + b"\r\n", 400), (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    # line ends
    (GET + b"X: a\rb\r\n\r\n", 400), (GET + b"X: a\r\r\n\r\n", 400), (GET + b"X: a\rb\n\n", 400), (b"\n\n" + GET + b"\n", 400),
    (GET + b"X: y\n folded\n\n", 400), (GET + b"X\n: y\n\n", 400),
    # Host
    (b"GET /echo HTTP/1.1\r\n\r\n", 400), (b"GET /echo HTTP/1.1\r\nX: y\r\n\r\n", 400), (GET + HOST + b"\r\n", 400),
    (GET + b"host: other\r\n\r\n", 400), (b"GET /echo HTTP/1.0\r\n" + HOST + HOST + b"\r\n", 400),
    (b"GET /echo HTTP/1.1\r\nHost: a b\r\n\r\n", 400), (b"GET /echo HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
    (b"GET /echo HTTP/1.1\r\nHost: a@b\r\n\r\n", 400), (b"GET /echo HTTP/1.1\r\nHost : h\r\n\r\n", 400),
    # names and values
    (GET + b"X : y\r\n\r\n", 400), (GET + b"X\t: y\r\n\r\n", 400), (GET + b": y\r\n\r\n", 400), (GET + b"X\r\n\r\n", 400),
    (GET + b"X y: z\r\n\r\n", 400), (GET + b"X\x01: z\r\n\r\n", 400), (GET + b"X\0: z\r\n\r\n", 400), (GET + b"X\xe9: z\r\n\r\n", 400),
    (GET + b"X(): z\r\n\r\n", 400), (GET + b"X: a\0b\r\n\r\n", 400), (GET + b"X: a\x01b\r\n\r\n", 400), (GET + b"X: a\x7f\r\n\r\n", 400),
    (GET + b"X: a\x0bb\r\n\r\n", 400), (GET + b"X: y\r\n folded\r\n\r\n", 400), (GET + b"X: y\r\n\tfolded\r\n\r\n", 400),
    (GET + b"X: y\r\n \r\n\r\n", 400), (b"GET /echo HTTP/1.1\r\n Host: h\r\n\r\n", 400), (GET + b"Cookie : a=b\r\n\r\n", 400),
    (GET + b"Cookie: a\0b\r\n\r\n", 400), (GET + b"X-Vault-Token : t\r\n\r\n", 400),
    # lengths
    *((POST + b"Content-Length: %s\r\n\r\n" % n + INNER, 400) for n in (
        b"", b"x", b"+5", b"-5", b"5 5", b"5,5", b"5, 5", b"0x5", b"5.0", b"1e1", b"\x0b5", b"5\xc2\xa0", b"\xef\xbc\x95", b'"5"', b"5;")),
    (POST + b"Content-Length : 5\r\n\r\n" + INNER, 400), (POST + b"Content-Length\t: 5\r\n\r\n" + INNER, 400),
    (POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400), (POST + b"Content-Length: 3\r\ncontent-length: 4\r\n\r\nabc", 400),
    (POST + b"Content-Length: 99999999999999999999\r\n\r\n" + INNER, 413), (POST + b"Content-Length: 18446744073709551617\r\n\r\n", 413),
    (POST + b"Content-Length: " + b"9" * 4000 + b"\r\n\r\n", 413), (POST + b"Content-Length: 1\r\n 2\r\n\r\nab", 400),
    # codings
    (POST + b"Transfer-Encoding : chunked\r\n\r\n" + INNER, 400), (POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    (b"POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    *((POST + b"Transfer-Encoding: %s\r\n\r\n0\r\n\r\n" % c, 501) for c in (
        b"gzip, chunked", b"chunked, gzip", b"identity", b"chunked, chunked", b"xchunked", b"", b'"chunked"', b"chunked;q=1", b"identity, chunked")),
    (POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", 501), (POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", 400),
    (POST + b"Content-Length: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    # expectations
    (POST + b"Expect: 200-ok\r\nContent-Length: 1\r\n\r\na", 417),
    # chunks
    *((CHUNKED + c, 400) for c in (
        b"zz\r\n", b"\r\n", b"+1\r\na\r\n0\r\n\r\n", b"-1\r\n", b"0x1\r\na\r\n0\r\n\r\n", b" 1\r\na\r\n0\r\n\r\n", b"1 \r\na\r\n0\r\n\r\n", b"1\na\r\n0\r\n\r\n",
        b"1\r\na\n0\r\n\r\n", b"1\r\nab\r\n0\r\n\r\n", b"1\r\na0\r\n\r\n", b"ffffffffffffffff1\r\n", b"1;a\0b\r\na\r\n0\r\n\r\n", b"1 a\r\na\r\n0\r\n\r\n",
        b"1;" + b"e" * 4096 + b"\r\na\r\n0\r\n\r\n", b"1;" + b"e" * 100000, b"1" * 5000, (b"1;" + b"e" * 1000 + b"\r\na\r\n") * 20 + b"0\r\n\r\n",
        b"1\r\na\r\n0\r\nX : y\r\n\r\n", b"1\r\na\r\n0\r\n folded\r\n\r\n", b"1\r\na\r\n0\r\nno colon\r\n\r\n", b"1\r\na\r\n0\r\nX: \0\r\n\r\n", b"0\r\n\n",
        b"0\r\nX: y\n\r\n")),
    *((CHUNKED + b"1\r\na\r\n0\r\n" + t, 431) for t in (b"X: " + b"t" * 9000 + b"\r\n\r\n", b"X: y\r\n" * 2000 + b"\r\n", b"X: " + b"t" * 100000)),
)


@case
def what_could_be_read_in_two_ways_is_refused():
    with server("tcp", "loops=1") as s:
        for data, status in REFUSED:
            refused(s.ports[0], data, status)
        assert ask(s.ports[0], "GET", "/echo")[0] == 200


@case
def a_refusal_comes_in_its_turn():
    with server("tcp", "loops=1") as s:
        for first in (b"/echo", b"/block?20"):
            with connect(s.ports[0]) as c:
                c.sendall(b"GET " + first + b" HTTP/1.1\r\n" + HOST + b"\r\n" + GET + b"X : y\r\n\r\n" + INNER)
                reader = Reader(c)
                assert reader.answer()[0] == 200 and reader.answer()[0] == 400 and reader.buffer + everything(c) == b""
        with connect(s.ports[0]) as c:  # to HEAD without a body
            c.sendall(b"HEAD /echo HTTP/1.1\r\n" + HOST + b"X : y\r\n\r\n")
            assert everything(c).partition(b"\r\n\r\n")[2] == b""


@case
def what_is_right_is_served():
    good = (
        b"\r\n" + GET + b"\r\n",
        b"GET /echo HTTP/1.0\r\n\r\n",
        # LF alone ends a line of a head (RFC 9112 section 2.2), as for OpenBao
        b"GET /echo HTTP/1.1\nHost: h\n\n", GET + b"X: y\n\r\n", GET + b"\n", b"\n" + GET + b"\r\n", GET + b"X: y\r\n\n",
        b"POST /echo HTTP/1.1\nHost: h\nContent-Length: 3\n\nabc",
        b"OPTIONS * HTTP/1.0\r\n\r\n",
        b"GET /echo HTTP/1.9\r\n" + HOST + b"\r\n",
        b"GET /echo HTTP/1.1\r\nHost:\r\n\r\n",
        b"GET /echo HTTP/1.1\r\nHOST:[::1]:8200\r\n\r\n",
        b"GET /e\xc3\xa4cho\xff HTTP/1.1\r\n" + HOST + b"\r\n",
        GET + b"X:\r\nY: \r\nZ: \ta\tb\t \r\nW: \xff\x80\xc3\xa4\r\n!#$%&'*+-.^_`|~09azAZ: ok\r\n\r\n",
        POST + b"Content-Length: \t3 \t\r\n\r\nabc", POST + b"Content-Length: 0003\r\n\r\nabc", POST + b"content-length:3\r\n\r\nabc",
        POST + b"Transfer-Encoding: \tCHUNKED \r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        CHUNKED + b"003;a=b;c=\"d e\"\r\nabc\r\n00;x\r\nTrailer: x\r\nContent-Length: 7\r\n\r\n", CHUNKED + b"3 ;a\r\nabc\r\n0\t;b\r\n\r\n",
        CHUNKED + b"1\r\na\r\n2\r\nbc\r\n000000000000000\r\n\r\n",
    )
    with server("tcp", "loops=1") as s:
        for data in good:
            status, _, body = answer_of(s.ports[0], data)
            assert status == 200, (status, body, data)
            assert not data.startswith(POST) or json.loads(body)["body"] == "abc", (body, data)


@case
def header_values_keep_their_bytes():
    with server("tcp", "loops=1") as s:
        for value in (b"a  b", b"a\tb", b"\xc3\xa4", b"a:b: c", b"\"q\"", b"a,b;c"):
            _, _, body = answer_of(s.ports[0], head([b"X-Vault-Token: \t" + value + b" \t"]))
            assert json.loads(body)["token"].encode() == value, (body, value)


# ---- splits --------------------------------------------------------------------------

STREAM = (b"\r\nPOST /echo?1 HTTP/1.1\r\nHost: h\r\nCookie: a=b\r\nX-Vault-Token: t1\r\nContent-Length: 4\r\n\r\nbody"
          b"POST /echo?2 HTTP/1.1\r\nUser-Agent: u\r\nHost: h\r\nTransfer-Encoding: chunked\r\nX-Vault-Token: t2\r\n\r\n"
          b"0002;ext=1\r\nbo\r\n2\r\ndy\r\n0;last\r\nTrailer: x\r\n\r\n"
          b"GET /echo?3 HTTP/1.1\r\nX-Vault-Token: t3\r\nHost: h\r\nCookie: c=d\r\n\r\n")


def check_stream(reader):
    for i, body in ((1, "body"), (2, "body"), (3, "")):
        status, _, text = reader.answer()
        got = json.loads(text)
        assert status == 200 and got["target"] == f"/echo?{i}" and got["token"] == f"t{i}" and got["body"] == body, got


@case
def requests_split_anywhere():
    with server("tcp", "loops=1") as s:
        with connect(s.ports[0]) as c:
            reader = Reader(c)
            for at in range(1, len(STREAM), 11):  # each: tests/unit/http_framing.c
                c.sendall(STREAM[:at])
                tcp.wait_until_read(c)
                c.sendall(STREAM[at:])
                check_stream(reader)
        with connect(s.ports[0]) as c:
            reader = Reader(c)
            for at in range(len(STREAM)):
                c.sendall(STREAM[at:at + 1])
            check_stream(reader)
            c.sendall(STREAM * 200)
            for _ in range(200):
                check_stream(reader)
        for size in (8191, 8192, 20000, MAX_HEAD - 1, MAX_HEAD, MAX_HEAD + 1, 50000):  # large heads in parts
            data = GET + b"X-Vault-Token: t\r\nX: " + b"a" * (size - len(GET) - 25) + b"\r\n\r\n"
            for part in (1000, 4096, 16383):
                with connect(s.ports[0]) as c:
                    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                        for at in range(0, len(data), part):
                            c.sendall(data[at:at + part])
                            if at % 9000 == 0:
                                tcp.wait_until_read(c)
                    assert Reader(c).answer()[0] == (200 if size <= MAX_HEAD else 431), (size, part)


@case
def tls_requests_split_anywhere():
    with certificates() as d, server(f"tls:{d}/one.pem:{d}/one.key", "loops=1") as s:
        with tls_connect(s.ports[0], tls_context(d)) as c:
            reader = Reader(c)
            for at in range(1, len(STREAM), 7):
                c.sendall(STREAM[:at])
                c.sendall(STREAM[at:])
                check_stream(reader)
            for at in range(len(STREAM)):
                c.sendall(STREAM[at:at + 1])
            check_stream(reader)
            c.sendall(STREAM * 200)
            for _ in range(200):
                check_stream(reader)
        for n in (16384, MAX_HEAD, MAX_HEAD + 1, 70000):
            with tls_connect(s.ports[0], tls_context(d)) as c:
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    c.sendall(GET + b"X: " + b"a" * (n - len(GET) - 7) + b"\r\n\r\n")
                assert Reader(c).answer()[0] == (200 if n <= MAX_HEAD else 431), n


# ---- ends ----------------------------------------------------------------------------

@case
def half_closed_connections_are_answered_and_closed():
    with server("tcp", "loops=1", "workers=2") as s:
        for target in (b"/echo", b"/block?50", b"/fill?3000000", b"/none"):
            with connect(s.ports[0]) as c:
                c.sendall(b"GET " + target + b" HTTP/1.1\r\n" + HOST + b"\r\n")
                c.shutdown(socket.SHUT_WR)
                got = everything(c)
                assert got.startswith(b"HTTP/1.1 20") and got.count(b"HTTP/1.1 ") == 1, (target, got[:100])
        with connect(s.ports[0]) as c:  # the end comes while a worker serves
            c.sendall(b"GET /hold HTTP/1.1\r\n" + HOST + b"\r\n")
            assert s.command("held 1") == ["held", "1"]
            c.shutdown(socket.SHUT_WR)
            assert ask(s.ports[0], "GET", "/echo")[0] == 200
            s.release()
            assert everything(c).startswith(b"HTTP/1.1 200")
        with connect(s.ports[0]) as c:  # the end comes after the answer
            c.sendall(GET + b"\r\n")
            assert Reader(c).answer()[0] == 200
            c.shutdown(socket.SHUT_WR)
            assert everything(c) == b""
        with connect(s.ports[0]) as c:  # all of a pipeline is answered
            c.sendall(STREAM + b"GET /block?5 HTTP/1.1\r\n" + HOST + b"\r\n" + STREAM)
            c.shutdown(socket.SHUT_WR)
            reader = Reader(c)
            check_stream(reader)
            assert reader.answer()[0] == 200
            check_stream(reader)
            assert reader.buffer + everything(c) == b""
        with connect(s.ports[0]) as c:  # nothing at all
            c.shutdown(socket.SHUT_WR)
            assert everything(c) == b""


@case
def requests_that_end_early_are_refused():
    with server("tcp", "loops=1") as s:
        for part in (b"G", b"GET /echo", b"GET /echo HTTP/1.1\r\n", GET, GET + b"X: y", GET + b"\r", CHUNKED, CHUNKED + b"5", CHUNKED + b"1\r\na",
                     CHUNKED + b"1\r\na\r\n0\r\n", CHUNKED + b"1\r\na\r\n0\r\nX: y\r\n"):
            for wait in (False, True):
                with connect(s.ports[0]) as c:
                    c.sendall(part)
                    if wait:
                        wait_until_read(s.ports[0], [c])
                    c.shutdown(socket.SHUT_WR)
                    got = everything(c)
                    assert got.startswith(b"HTTP/1.1 400") and got.count(b"HTTP/1.1 ") == 1, (part, got)
        for part in (POST + b"Content-Length: 9\r\n\r\nabc", CHUNKED + b"5\r\nabc"):
            with connect(s.ports[0]) as c:
                c.sendall(part)
                c.shutdown(socket.SHUT_WR)
                assert everything(c) == b""
        with connect(s.ports[0]) as c:  # behind a whole one
            c.sendall(GET + b"\r\n" + GET)
            c.shutdown(socket.SHUT_WR)
            reader = Reader(c)
            assert reader.answer()[0] == 200 and reader.answer()[0] == 400 and everything(c) == b""


@case
def half_closed_connections_take_no_slots():
    with server("tcp", "connections=40", "share=100", "loops=1") as s:
        open_ = []
        for i in range(400):
            c = connect(s.ports[0])
            c.sendall(GET + b"\r\n" if i % 2 else b"GET /block?1 HTTP/1.1\r\n" + HOST + b"\r\n")
            with contextlib.suppress(OSError):  # one that was too many may be closed already
                c.shutdown(socket.SHUT_WR)
            open_.append(c)
        for c in open_:
            got = everything(c)
            assert got.count(b"HTTP/1.1 ") == 1 and got.startswith((b"HTTP/1.1 200", b"HTTP/1.1 503")) or got == b"", got
        tcp.wait_until(lambda: ask(s.ports[0], "GET", "/echo")[0] == 200, "serving")
        [c.close() for c in open_]


@case
def half_closed_tls_connections_are_answered_and_closed():
    with certificates() as d, server(f"tls:{d}/one.pem:{d}/one.key", "loops=1", "workers=2") as s:
        context = tls_context(d)
        for target in (b"/echo", b"/block?50", b"/fill?300000"):
            with tls_connect(s.ports[0], context) as c:  # FIN alone
                c.sendall(b"GET " + target + b" HTTP/1.1\r\n" + HOST + b"\r\n")
                socket.socket.shutdown(c, socket.SHUT_WR)
                reader = Reader(c)
                assert reader.answer()[0] == 200 and reader.closed(), target
            for fin in (False, True):  # close_notify, with and without FIN
                got = notify_and_read(s.ports[0], context, b"GET " + target + b" HTTP/1.1\r\n" + HOST + b"\r\n", fin)
                assert got.startswith(b"HTTP/1.1 200") and got.count(b"HTTP/1.1") == 1, (target, fin, got[:100])
        assert notify_and_read(s.ports[0], context, GET, False).startswith(b"HTTP/1.1 400")
        assert notify_and_read(s.ports[0], context, b"", False) == b""


def notify_and_read(port, context, data, fin):
    """Sends data and close_notify in one write, then FIN if wanted; all that is answered until the end."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with connect(port) as c:
        def until(what):
            while True:
                try:
                    return what()
                except ssl.SSLWantReadError:
                    if outgoing.pending:
                        c.sendall(outgoing.read())
                    raw = c.recv(65536)
                    incoming.write(raw) if raw else incoming.write_eof()
                except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                    return b""
        until(tls.do_handshake)
        if data:
            tls.write(data)
        with contextlib.suppress(ssl.SSLWantReadError):
            tls.unwrap()
        c.sendall(outgoing.read())
        if fin:
            c.shutdown(socket.SHUT_WR)
        got = b""
        while part := until(lambda: tls.read(65536)):
            got += part
        assert everything(c) == b""
        return got


# ---- early answers ---------------------------------------------------------------------

def upload(sock, data):
    """Sends all of it, whatever is answered meanwhile, and then reads: as simple clients do. The answer."""
    sock.sendall(data)
    reader = Reader(sock)
    answer = reader.answer()
    assert reader.closed()
    return answer


@case
def an_early_answer_is_seen_by_who_sends_on():
    body = b"a" * 900000
    early = (
        (b"Content-Length: 900000\r\n\r\n" + body, 413),                    # more than twice the limit
        (b"Content-Length: 900000\r\nX : y\r\n\r\n" + body, 400),
        (b"Transfer-Encoding: chunked\r\n\r\nfffff\r\n" + body, 413),       # a chunk that is too large
        (b"Transfer-Encoding: chunked\r\n\r\n" + b"2000\r\n" * 2 + body, 400),
        (b"X: " + body + b"\r\n\r\n", 431),
        (b"Content-Length: 3\r\nConnection: close\r\n\r\nabc" + body, 200),
    )
    with certificates() as d, tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "s")
        with server("tcp", f"tls:{d}/one.pem:{d}/one.key", f"unix:{path}:0600", "bytes=100000", "loops=1") as s:
            for text, status in early:
                for _ in range(5):
                    with connect(s.ports[0]) as c:
                        assert upload(c, POST + text)[0] == status, text[:60]
                with tls_connect(s.ports[1], tls_context(d)) as c:
                    assert upload(c, POST + text)[0] == status, text[:60]
                with socket.socket(socket.AF_UNIX) as c:
                    c.connect(path)
                    assert upload(c, POST + text)[0] == status, text[:60]
            assert ask(s.ports[0], "GET", "/echo")[0] == 200


@case
def a_refused_connection_lingers():
    with server("tcp", "connections=12", "share=100", "loops=1", "bytes=100000") as s:
        idle = [connect(s.ports[0]) for _ in range(8)]
        for c in idle:
            c.sendall(GET + b"\r\n")
            assert Reader(c).answer()[0] == 200
        with connect(s.ports[0]) as c:
            assert upload(c, POST + b"Content-Length: 900000\r\n\r\n" + b"a" * 900000)[0] == 503
        [c.close() for c in idle]


@case
def lingering_is_bounded():
    with server("tcp", "connections=40", "share=100", "loops=1", "bytes=100000") as s:
        silent = []
        for _ in range(60):  # who neither sends nor leaves holds no slot for long
            c = connect(s.ports[0])
            c.sendall(POST + b"Content-Length: 900000\r\n\r\n" + b"a" * 1000)
            silent.append(c)
        for c in silent:
            assert Reader(c).answer()[0] in (413, 503)
        tcp.wait_until(lambda: ask(s.ports[0], "GET", "/echo")[0] == 200, "freeing the slots")
        with connect(s.ports[0]) as c:  # who sends without end is cut
            c.sendall(POST + b"Content-Length: 90000000000\r\n\r\n")
            try:
                for _ in range(100000):
                    c.sendall(b"a" * 65536)
                assert False, "nobody stopped the sender"
            except (BrokenPipeError, ConnectionResetError):
                pass
        [c.close() for c in silent]
