"""Odd requests that are HTTP all the same: each is sent, byte for byte, to Bulla and to a real OpenBao, and what comes back has to be the
same: status, headers, document, and whether the connection stays. What differs on purpose: docs/COMPATIBILITY.md."""
import http.client
import json
import os
import re
import socket
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import servers  # noqa: E402

BAO = os.environ.get("BAO_BIN") or os.path.join(servers.TOP, "tests", ".venv", "bin", "bao")
PASSED_OVER = {"date", "content-length", "transfer-encoding", "connection", "allow"}
OWN = {"request_id", "server_time_utc", "version", "cluster_name", "cluster_id", "commit_date", "build_date", "keys"}
KEY, HASH, BODY = "/v1/transit/keys/k", "/v1/sys/tools/hash", b'{"input":"QQ=="}'
CHUNKED = "Transfer-Encoding: chunked"

TARGETS = """http://h/v1/sys/health http://other:1/v1/sys/health HTTP://h/v1/sys/health https://h/v1/sys/health HttpS://h/v1/sys/health
 http://u:p@h/v1/sys/health //h/v1/sys/health /v1//sys/health /v1/sys//health /v1/./sys/health /v1/sys/../sys/health /v1/sys/health/
 /v1/sys/health// /v1/sys/health? /v1/sys/health?? /v1/sys/health?a#b /v1/%73ys/health /%76%31/sys/health /v1/sys/%68EALTH /V1/sys/health /v1/
 /v1/sys/health;x /v1/sys/health%20 /v1/sys/%c3%a4 /v1/sys/%C3%A4 /v1/sys/%ff /v1/sys/a%5Cb /v1/sys/a"b /v1/sys/<a> /v1/sys/a|b /v1/sys/{a}
 /v1/sys/[a] /v1/.. /v1/../v1/sys/health /../v1/sys/health /v1/sys/..%2fsys/health /v1/%2e%2e/v1/sys/health /v1/sys/%2e/health /v1/sys/...
 /v1/transit/keys/k/ /v1/transit//keys/k /v1/transit/keys//k /v1/transit/keys/%6b /v1/transit/keys/%6B /v1/transit/keys/k%2F /v1/transit/keys/k%2f..
 /v1/transit/keys /v1/transit/keys/ /v1/transit /v1/transit/ /x
 /v1/transit/keys?list=true /v1/transit/keys/?list=true /v1/transit/keys?list=1 /v1/transit/keys?list=TRUE /v1/transit/keys?list=t
 /v1/transit/keys?list=false /v1/transit/keys?list=0 /v1/transit/keys?list= /v1/transit/keys?list /v1/transit/keys?list=yes
 /v1/transit/keys?list=true&list=false /v1/transit/keys?list=false&list=true /v1/transit/keys?LIST=true /v1/transit/keys?lis%74=true
 /v1/transit/keys?list=tru%65 /v1/transit/keys?scan=true /v1/transit/keys?list=true&scan=true /v1/transit/keys?scan=1&list=1
 /v1/transit/keys?list=true&scan=false /v1/transit/keys?list=true&scan= /v1/transit/keys?&&list=true& /v1/transit/keys?list=true;a=b
 /v1/transit/keys?a=%zz&list=true /v1/transit/keys?a=+%20&list=true /v1/transit/keys/k?version= /v1/transit/keys/k?version=1&version=2
 /v1/transit/keys/k?x=% /v1/transit/keys/k?=1""".split()

CONNECTIONS = [[], ["close"], ["keep-alive"], ["Keep-Alive"], ["foo"], ["close, foo"], ["foo", "close"], ["CLOSE"], ["X-Vault-Token"]]

HEADERS = [[], ["Accept-Encoding: gzip"], ["Accept: text/html"], ["Accept-Encoding: gzip", "Accept-Encoding: br"], ["X-A: 1", "X-A: 2"], ["X-A:"],
           ["X-A:\t1 \t"], ["Range: bytes=0-1"], ["If-None-Match: *"], ["If-Modified-Since: Mon, 30 Nov 2026 19:52:50 GMT"],
           ["X-HTTP-Method-Override: DELETE"], ["Cookie: a=b"], ["Cookie: a=" + "b" * 3000], ["Forwarded: for=1.2.3.4"], ["X-Vault-Request: false"],
           ["User-Agent:"], ["Max-Forwards: 0"], ["Via: 1.1 x"], ["Date: x"], ["Content-Encoding: gzip"], ["Trailer: x"], ["Keep-Alive: timeout=5"],
           ["TE: deflate"], ["Connection: TE", "TE: trailers"], ["Connection: upgrade", "Upgrade: websocket"],
           ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA"],
           ["X-Vault-Namespace: root"], ["X-Vault-Namespace: /"], ["X-Vault-Namespace:"], ["X-Vault-Namespace: n"], ["X-Vault-Namespace: a\tb"],
           ["X-Vault-Wrap-TTL: 0"], ["X-Vault-Wrap-Format: x"], ["X-Vault-No-Request-Forwarding: 1"], ["X-Vault-Policy-Override: true"],
           ["X-Vault-MFA: a:b"], ["X-Vault-Forward: active-node"], ["x-vault-token: bad"], ["Authorization: Bearer bad"], ["Origin: http://a"]]

# what a body is said to be, and what it is
BODIES = [(["Content-Type: application/json"], BODY), (["Content-Type: text/plain"], BODY), (["Content-Type: ;;"], BODY),
          (["Content-Type: application/json; charset=utf-16"], BODY), ([], b""), ([], b" "), ([], b"null"), ([], b" {}"), ([], b"{} "), ([], b"{}{}"),
          ([], b'{"input":null}'), ([], b'{"input":"QQ==","input":"Qg=="}'), ([], b'{"Input":"QQ=="}'), ([], BODY + b"\n"), ([], b'{"":1,"input":"QQ=="}'),
          ([], b'{"input":"\xff"}'), ([], b'{"input":"\\ud800"}'), (["Content-Type: application/x-www-form-urlencoded"], b"input=QQ=="),
          (["Content-Type: application/x-www-form-urlencoded"], BODY)]

# (headers, bytes behind the head) of requests whose body comes in chunks
CHUNKS = [([CHUNKED], b"10\r\n" + BODY + b"\r\n0\r\n\r\n"), ([CHUNKED], b"5\r\n" + BODY[:5] + b"\r\nb\r\n" + BODY[5:] + b"\r\n0\r\n\r\n"),
          ([CHUNKED], b"5\r\n" + BODY[:5] + b"\r\nB\r\n" + BODY[5:] + b"\r\n0\r\n\r\n"), ([CHUNKED], b"0010;a=b\r\n" + BODY + b"\r\n0;c\r\n\r\n"),
          ([CHUNKED, "Trailer: X-T"], b"10\r\n" + BODY + b"\r\n0\r\nX-T: 1\r\n\r\n"), ([CHUNKED], b"10\r\n" + BODY + b"\r\n0\r\nX-Vault-Token: bad\r\n\r\n"),
          (["Transfer-Encoding: Chunked"], b"10\r\n" + BODY + b"\r\n0\r\n\r\n"), ([CHUNKED], b"0\r\n\r\n")]

HEREDOCS = ["<<EOF\nread\nEOF\n", "<<EOF\nEOF\n", "<<-EOF\n    a\n      b\n    EOF\n", "<<-EOF\n  a\n b\n  EOF\n", "<<-EOF\na\nEOF\n", "<<EOF\na\n \t EOF\n",
            "<<EOF\r\na\r\nEOF\r\n", "<<EOF\na\nEOF", "<<EOF\na\nEOF \n", "<< EOF\na\nEOF\n", "<<EOF \na\nEOF\n", '<<"EOF"\na\nEOF\n', "<<\na\n\n",
            "<<E-F\na\nE-F\n", "<<_1\na\n_1\n", "<EOF\na\nEOF\n", "<<EOF\n}\n# ${ /*\nEOF\n", "<<-EOF\nx\nEOF\n EOF\n", "<<EOF\na\nEOF\n, \"read\""]


class Same(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        servers.serve_beside_bao(cls, BAO)
        for server in cls.both:
            servers.bao_unseal(server)
            server.post("sys/mounts/transit", {"type": "transit"})
            server.post("transit/keys/k")

    def ask(self, server, method, raw):
        host, port = server.address.split(":")
        with socket.create_connection((host, int(port)), timeout=60) as sock:
            sock.sendall(raw.replace(b"TOKEN", server.token.encode()))
            with http.client.HTTPResponse(sock, method=method) as reply:
                reply.begin()
                return reply, reply.read()

    def told(self, server, method, raw):
        reply, body = self.ask(server, method, raw)
        head = sorted((name.lower(), value) for name, value in reply.getheaders() if name.lower() not in PASSED_OVER)
        try:
            body = json.loads(body)
        except ValueError:
            pass
        if isinstance(body, dict):
            body = {name: value for name, value in body.items() if name not in OWN}
            if isinstance(body.get("data"), dict):
                body["data"] = {name: value for name, value in body["data"].items() if name not in OWN}
        return reply.status, head, body, reply.will_close

    def same(self, method, target, *headers, body=b"", token=True, version="HTTP/1.1"):
        lines = [f"{method} {target} {version}", "Host: h", *headers]
        if token:
            lines.insert(2, "X-Vault-Token: TOKEN")
        raw = "\r\n".join([*lines, "", ""]).encode("latin1") + body
        with self.subTest(request=raw[:200]):
            ours, theirs = (self.told(server, method, raw) for server in (self.bulla, self.bao))
            self.assertEqual(ours, theirs)
            return ours

    def test_targets(self):
        for target in TARGETS:
            self.same("GET", target)

    def test_methods(self):
        for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "LIST", "SCAN", "TRACE", "PROPFIND", "get", "M-SEARCH"):
            for target in ("/v1/sys/health", KEY, "/v1/nothing", "/v1//sys/health", "/v1/sys/../sys/health", KEY + "/", "/v1/transit/keys/"):
                self.same(method, target, "Content-Length: 0")

    def test_headers(self):
        for headers in HEADERS:
            self.same("GET", KEY, *headers)
        self.same("GET", KEY, "X-Vault-Token: bad", "X-Vault-Token: TOKEN", token=False)
        self.same("GET", KEY, "X-Vault-Token:", "Authorization: Bearer TOKEN", token=False)
        for value in ("Bearer TOKEN", "bearer TOKEN", "Bearer  TOKEN", "Basic TOKEN", "TOKEN"):
            self.same("GET", KEY, f"Authorization: {value}", token=False)

    def test_connections(self):
        for values in CONNECTIONS:
            for version in ("HTTP/1.1", "HTTP/1.0"):
                self.same("GET", KEY, *(f"Connection: {value}" for value in values), version=version)
        self.same("GET", "/v1/sys/health", version="HTTP/1.2")

    def test_bodies(self):
        for headers, body in BODIES:
            self.same("POST", HASH, *headers, f"Content-Length: {len(body)}", body=body)
        for headers, body in CHUNKS:
            self.same("POST", HASH, *headers, body=body)
        for method in ("GET", "DELETE", "LIST", "HEAD", "OPTIONS", "PATCH", "SCAN"):
            self.same(method, HASH, "Content-Length: 16", body=BODY)
            self.same(method, HASH, CHUNKED, body=b"10\r\n" + BODY + b"\r\n0\r\n\r\n")
        self.same("POST", HASH, "Content-Length: 0016", body=BODY)
        self.same("POST", HASH, "Content-Length: 16", body=BODY, version="HTTP/1.0")
        self.same("POST", HASH, version="HTTP/1.0")

    def written(self, server, policy):
        """What a capability is that does not exist shows what a heredoc was read as; only the peer repeats the path."""
        answer = server.request("PUT", "sys/policies/acl/p", {"policy": policy})
        quoted = re.search(r"invalid capability (.*)", answer.errors[0], re.S) if answer.status == 400 else None
        return answer.status, quoted and quoted[1].replace("\\n", "\n").replace("\\t", "\t")

    def test_heredocs(self):
        for heredoc in HEREDOCS:
            for policy in ('path "a" {\n  comment = %s  capabilities = ["read"]\n}\n', 'path "a" {\n  capabilities = [%s]\n}\n',
                           'path "a" {\n  capabilities = ["read"]\n  required_parameters = [%s]\n}\n', 'path %s {\n}\n', '{"path": %s}'):
                with self.subTest(policy=policy % heredoc):
                    self.assertEqual(*(self.written(server, policy % heredoc) for server in self.both))
        for server in self.both:
            server.request("PUT", "sys/policies/acl/p", {"policy": 'path "a/*" {\n  comment = <<EOF\npath "b/*" {\nEOF\n  capabilities = ["read"]\n}\n'})
            token = server.post("auth/token/create", {"policies": ["p"], "no_default_policy": True}).json["auth"]["client_token"]
            answers = [server.post("sys/capabilities", {"token": token, "paths": [path]}).json["capabilities"] for path in ("a/x", "b/x")]
            self.assertEqual(answers, [["read"], ["deny"]])

    def test_asked_first(self):
        """Who asks before it sends a body is told to go on, once."""
        raw = f"POST {HASH} HTTP/1.1\r\nHost: h\r\nX-Vault-Token: TOKEN\r\nExpect: 100-continue\r\nContent-Length: 16\r\n\r\n".encode()
        for server in (self.bulla, self.bao):
            host, port = server.address.split(":")
            with socket.create_connection((host, int(port)), timeout=60) as sock, sock.makefile("rb") as reply:
                sock.sendall(raw.replace(b"TOKEN", server.token.encode()))
                self.assertEqual((reply.readline(), reply.readline()), (b"HTTP/1.1 100 Continue\r\n", b"\r\n"))
                sock.sendall(BODY)
                self.assertEqual(reply.readline(), b"HTTP/1.1 200 OK\r\n")


if __name__ == "__main__":
    unittest.main()
