"""What browsers are told: CORS, headers of pages, and custom_response_headers: each request is sent to Bulla and to a real OpenBao, and
status, headers and document have to be the same."""
import json
import os
import signal
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import servers  # noqa: E402

BAO = os.environ.get("BAO_BIN") or os.path.join(servers.TOP, "tests", ".venv", "bin", "bao")
PAGE = {"Origin": "https://app.example"}
STRANGER = {"Origin": "https://other.example"}
ASKS = {"Access-Control-Request-Method": "POST"}
CORS, UI = "sys/config/cors", "sys/config/ui/headers"
# what one reply has and the next has not, or what counts bytes of a document that is compared anyway
PASSED_OVER = {"date", "content-length", "transfer-encoding", "connection", "allow"}  # Allow: docs/COMPATIBILITY.md
# the documents differ, for versions and names of clusters do
OWN_DOCUMENTS = ("sys/health", "sys/seal-status", "sys/mounts")

HEADERS = '''custom_response_headers {
    "default" = {
      "x-def" = ["a", " b ", ""]
      "Content-Security-Policy" = ["default-src 'none'"]
      "x-vault-foo" = ["left out"]
      "X-Empty" = [""]
      "Cache-Control" = ["private"]
    }
    "2xx" = { "x-two" = ["2"], "X-Def" = ["two"] }
    "200" = { "X-Def" = ["exact"], "Content-Type" = ["text/own"] }
    "3xx" = { "Location" = ["/v1/elsewhere"] }
    "405" = { "X-M" = ["m"], "Strict-Transport-Security" = ["max-age=1"] }
    "4xx" = { "X-Four" = ["4"] }
    "503" = { "X-Sealed" = ["yes"] }
  }
'''


def told(answer, path):
    """Status, headers and document without what differs from one request to the next."""
    head = sorted((name.lower(), value) for name, value in answer.headers.items() if name.lower() not in PASSED_OVER)
    try:
        document = json.loads(answer.body)
        document.pop("request_id", None)
    except ValueError:
        document = answer.body
    own = path.startswith(OWN_DOCUMENTS) and isinstance(document, dict) and "errors" not in document
    return answer.status, head, "" if own else document


class Both(unittest.TestCase):
    """Two servers for all tests of a class, without CORS at the beginning of each."""
    listener = ""

    @classmethod
    def setUpClass(cls):
        servers.serve_beside_bao(cls, BAO, "tls_disable = true\n  " + cls.listener)

    def setUp(self):
        for server in self.both if self.bulla.token else ():
            self.assertEqual(server.delete(CORS).status, 204)

    def play(self, *steps):
        """Steps: (method, path[, body[, what request() takes]]). The answer of Bulla to the last one."""
        for method, path, *more in steps:
            body, options = (*more, None, None)[:2]
            ours, theirs = (server.request(method, path, body, **options or {}) for server in self.both)
            self.assertEqual(told(ours, path), told(theirs, path), f"{method} {path} {more}")
        return ours

    @classmethod
    def unseal(cls):
        for server in cls.both:
            servers.bao_unseal(server)

    def origins(self, *steps):
        """Each step from nobody, from a page that may and from one that may not; and as a preflight."""
        for path in steps:
            for headers in ({}, {"Origin": ""}, PAGE, STRANGER, {"Origin": "HTTPS://APP.EXAMPLE"}, {"Origin": "https://app.example/"},
                            {"Origin": "null"}):
                self.play(("GET", path, None, {"headers": headers}), ("OPTIONS", path, None, {"headers": headers, "token": None}),
                          ("OPTIONS", path, None, {"headers": {**headers, **ASKS}, "token": None}))


class Plain(Both):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.unseal()

    def test_refused(self):
        self.play(("POST", CORS, {}), ("POST", CORS, b""), ("POST", CORS, {"allowed_origins": ""}), ("POST", CORS, {"allowed_origins": []}),
                  ("POST", CORS, {"allowed_origins": "*,https://app.example"}),
                  ("POST", CORS, {"allowed_origins": "*", "allow_credentials": "perhaps"}), ("GET", CORS), ("LIST", CORS),
                  ("GET", CORS + "/"), ("PATCH", CORS, {}), ("DELETE", CORS), ("GET", CORS), ("GET", CORS, None, {"token": None}),
                  ("POST", CORS, {"allowed_origins": "*"}, {"token": "none"}), ("DELETE", CORS, None, {"token": None}))
        for headers in (PAGE, {**PAGE, **ASKS}):  # while it is off nobody asks
            self.play(("GET", "sys/health", None, {"headers": headers}), ("OPTIONS", "sys/health", None, {"headers": headers}),
                      ("OPTIONS", "sys/mounts", None, {"headers": headers}))
        for values in ({"allowed_origins": [str(i) for i in range(257)]}, {"allowed_origins": "x" * 1025},
                       {"allowed_origins": "*", "allowed_headers": ["x"] * 257}, {"allowed_origins": "*", "allowed_headers": "x" * 4097}):
            self.assertEqual(self.bulla.post(CORS, values).status, 400)
        self.assertEqual(self.bulla.get(CORS).data, {"enabled": False})

    def test_allowed(self):
        for values in ({"allowed_origins": ["https://app.example", " https://b ", ""], "allowed_headers": "X-My,  x-you ", "enable": False, "x": 1},
                       {"allowed_origins": "https://app.example, https://b", "allow_credentials": "true"},
                       {"allowed_origins": "https://app.example", "allowed_headers": ["a b", "c\nd", "e\tf"]}):
            self.play(("PUT", CORS, values), ("GET", CORS))
            self.origins("sys/health", "sys/mounts", "nothing/there")
        for method in ("GET", "LIST", "SCAN", "DELETE", "OPTIONS", "PUT", "PATCH", "HEAD", "get", "", "X"):
            for headers in ({**PAGE, "Access-Control-Request-Method": method}, {**STRANGER, "Access-Control-Request-Method": method}):
                self.play(("OPTIONS", "sys/mounts", None, {"headers": headers}))
        self.play(("GET", "a/../b", None, {"headers": PAGE}), ("OPTIONS", "a/../b", None, {"headers": {**PAGE, **ASKS}}),
                  ("GET", "a/../b", None, {"headers": STRANGER}), ("GET", "sys/mounts", None, {"headers": PAGE, "token": "none"}),
                  ("GET", "sys/mounts", None, {"headers": PAGE, "token": None}), ("PROPFIND", "sys/mounts", None, {"headers": PAGE}),
                  ("GET", "sys/mountsx", None, {"headers": {**PAGE, "X-Vault-Namespace": "n"}}),
                  ("GET", "sys/mountsx", None, {"headers": {**STRANGER, "X-Vault-Namespace": "n/"}}),
                  ("GET", "sys/health", None, {"headers": {**PAGE, "X-Vault-Namespace": "n"}}),
                  ("GET", "sys/health", None, {"headers": {**STRANGER, "X-Vault-Namespace": "n"}}),
                  ("POST", "sys/mounts/x", {}, {"headers": PAGE}), ("POST", CORS, {"allowed_origins": "*"}),
                  ("GET", "sys/mounts", None, {"headers": STRANGER}), ("GET", "sys/health", None, {"headers": {"Origin": "a\tb"}}),
                  ("GET", "sys/health", None, {"headers": {"Origin": "x" * 900}}))
        for origin in ("a\x01b", "a\x7f"):
            self.assertEqual([server.get("sys/health", headers={"Origin": origin}).status for server in self.both], [400, 400])
        self.assertEqual(self.bulla.get("sys/health", headers={"Origin": "x" * 1025}).status, 403)
        self.play(("DELETE", CORS), ("GET", CORS), ("GET", "sys/health", None, {"headers": STRANGER}),
                  ("OPTIONS", "sys/health", None, {"headers": {**STRANGER, **ASKS}}))

    def test_large_bodies(self):
        """What the head of an answer repeats of its request is still there when a large body has been served and given up."""
        self.bulla.post("sys/mounts/transit", {"type": "transit"})
        self.assertEqual(self.bulla.post("transit/keys/k").status, 200)
        self.bulla.post(CORS, {"allowed_origins": "https://app.example"})
        told_first = None
        for size in (10, 70000, 100000, 400000, 3000000):
            body = {"plaintext": servers.b64(b"x" * size)}
            for _ in range(4):
                answer = self.bulla.post("transit/encrypt/k", body, headers={**PAGE, "X-Vault-Namespace": "root"})
                self.assertEqual(answer.status, 200)
                told = [answer.headers[name] for name in ("X-Vault-Namespace", "Access-Control-Allow-Origin", "Vary")]
                told_first = told_first or told
                self.assertEqual(told, told_first, size)
        self.assertEqual(told_first[1], "https://app.example")

    def test_two_origins(self):
        """Of two headers the first counts."""
        self.play(("POST", CORS, {"allowed_origins": "https://app.example"}))
        for pair in ((PAGE, STRANGER), (STRANGER, PAGE)):
            answers = []
            for server in self.both:
                connection = server.connection()
                connection.putrequest("GET", "/v1/sys/health")
                for headers in pair:
                    connection.putheader("Origin", headers["Origin"])
                connection.endheaders()
                reply = connection.getresponse()
                answers.append(told(servers.Answer(reply.status, reply.headers, reply.read()), "sys/health"))
                connection.close()
            self.assertEqual(*answers)

    def test_who_may(self):
        rights = '["create", "read", "update", "delete", "list"'
        for server in self.both:
            for name, more in (("plain", "]"), ("sudo", ', "sudo"]')):
                server.post(f"sys/policies/acl/{name}", {"policy": f'path "sys/config/*" {{ capabilities = {rights}{more} }}'})
                server.post("auth/token/create", {"id": name, "policies": [name]})
        for token in ("plain", "sudo"):
            self.play(*((method, path, body, {"token": token}) for method, path, body in (
                ("GET", CORS, None), ("POST", CORS, {"allowed_origins": "*"}), ("DELETE", CORS, None), ("LIST", UI, None),
                ("POST", UI + "/x", {"values": ["a"]}), ("GET", UI + "/x", None), ("LIST", UI, None), ("DELETE", UI + "/x", None))))

    def test_sealed(self):
        """It holds while the server is sealed, over a restart only when it has been unsealed."""
        self.play(("POST", CORS, {"allowed_origins": "https://app.example", "allow_credentials": True}), ("POST", UI + "/x-a", {"values": ["b"]}),
                  ("PUT", "sys/seal"))
        self.origins("sys/mounts", "sys/seal-status")
        self.play(("GET", CORS), ("GET", UI + "/x-a"))
        self.unseal()
        self.origins("sys/mounts")
        self.assertEqual(self.bulla.stop(), 0)
        self.bulla.start()
        answer = self.bulla.request("OPTIONS", "sys/health", token=None, headers={**PAGE, **ASKS})
        self.assertEqual((answer.status, "Access-Control-Allow-Origin" in answer.headers), (405, False))
        servers.bao_unseal(self.bulla)
        self.origins("sys/mounts", "sys/health")
        self.play(("GET", CORS), ("GET", UI + "/x-a"), ("LIST", UI), ("DELETE", UI + "/x-a"))

    def test_counted(self):
        """Rate limits come first, and count a request once."""
        self.play(("POST", CORS, {"allowed_origins": "https://app.example"}), ("POST", "sys/quotas/config", {}),
                  ("POST", "sys/quotas/rate-limit/few", {"rate": 3, "interval": "1h", "path": "sys/nothing"}))
        self.play(*((method, "sys/nothing", None, {"headers": headers}) for method, headers in (
            ("GET", PAGE), ("OPTIONS", {**PAGE, **ASKS}), ("GET", STRANGER))))
        for headers in (PAGE, STRANGER):
            for server in self.both:
                answer = server.get("sys/nothing", headers=headers)
                self.assertEqual((answer.status, "Access-Control-Allow-Origin" in answer.headers), (429, False))
        for server in self.both:
            server.delete("sys/quotas/rate-limit/few")


    def test_headers_of_pages(self):
        self.play(("LIST", UI), ("GET", UI + "?list=true"), ("GET", UI), ("GET", UI + "/"), ("LIST", UI + "/"), ("GET", UI + "/x"),
                  ("POST", UI + "/x", {}), ("POST", UI + "/x", {"values": []}), ("POST", UI + "/x", {"values": "a,b"}),
                  ("GET", UI + "/x"), ("POST", UI + "/X-FOO", {"values": ["a,b", "c", ""]}), ("GET", UI + "/x-foo"),
                  ("GET", UI + "/x-foo?multivalue=true"), ("GET", UI + "/x-foo?multivalue=1"), ("GET", UI + "/x-foo?multivalue=perhaps"),
                  ("POST", UI + "/X-Vault-Foo", {"values": ["a"]}), ("POST", UI + "/Content-Security-Policy", {"values": ["a"]}),
                  ("POST", UI + "/strict-transport-security", {"values": ["a"]}), ("POST", UI + "/set-cookie", {"values": ["a", 3, True]}),
                  ("GET", UI + "/Set-Cookie?multivalue=true"),
                  ("POST", UI + "/-x", {"values": ["a"]}), ("POST", UI + "/x.y_z", {"values": ["a\nb"], "header": "other", "foo": 1}),
                  ("POST", UI + "/", {"values": ["a"]}), ("POST", UI, {"values": ["a"], "header": "x"}), ("GET", UI + "/x.y_z"),
                  ("GET", UI + "/bad"), ("DELETE", UI + "/X-FOO"), ("DELETE", UI + "/nothing"), ("DELETE", UI + "/X"), ("LIST", UI + "/X"),
                  ("PATCH", UI + "/X", {}), ("GET", UI + "/x", None, {"token": None}))
        lists = [server.list(UI).data["keys"] for server in self.both]
        self.assertEqual(lists[0], sorted(lists[1]))
        self.play(*(("DELETE", f"{UI}/{name}") for name in lists[0]), ("LIST", UI))
        for i in range(100):
            self.assertEqual(self.bulla.post(f"{UI}/x{i}", {"values": ["a"]}).status, 200)
        self.assertEqual(self.bulla.post(f"{UI}/x100", {"values": ["a"]}).status, 400)
        self.assertEqual(self.bulla.post(f"{UI}/x99", {"values": ["a" * 65536]}).status, 400)
        self.assertEqual(self.bulla.get(f"{UI}/x99").data, {"value": "a"})
        for i in range(100):
            self.assertEqual(self.bulla.delete(f"{UI}/x{i}").status, 204)


class OwnHeaders(Both):
    listener = HEADERS

    def test_replies(self):
        self.play(("GET", "sys/health"), ("GET", "sys/seal-status"), ("PROPFIND", "sys/health"), ("GET", "sys/mounts"))
        self.origins("sys/health")
        self.unseal()
        self.play(("GET", "sys/health"), ("GET", "sys/mounts"), ("GET", "nothing/there"), ("GET", "a/../b"), ("POST", "a/../b", {}),
                  ("PROPFIND", "sys/health"), ("POST", "sys/policies/acl/x", {"policy": 'path "a" {}'}), ("GET", "sys/mounts", None, {"token": None}),
                  ("POST", "sys/mounts/x", {}), ("PATCH", "sys/mounts/x", {}), ("HEAD", "sys/health"), ("GET", "sys/mounts?help=1", None, {"token": None}),
                  ("POST", f"{UI}/x-def", {"values": ["a"]}), ("POST", f"{UI}/x-two", {"values": ["a"]}), ("POST", f"{UI}/X-FOUR", {"values": ["a"]}),
                  ("POST", f"{UI}/strict-transport-security", {"values": ["a"]}), ("POST", f"{UI}/x-empty", {"values": ["a"]}),
                  ("POST", CORS, {"allowed_origins": "https://app.example"}))
        self.origins("sys/health", "nothing/there")
        self.play(("PUT", "sys/seal"), ("GET", "sys/mounts"), ("OPTIONS", "sys/mounts", None, {"headers": {**PAGE, **ASKS}}))
        for text in ("custom headers that begin with X-Vault- are left out: X-Vault-Foo", "a custom header without a value is left out: X-Empty"):
            self.assertIn(text, self.bulla.log_text())

        self.reload()

    def reload(self):
        """SIGHUP: what the configuration says now; if it is wrong, what it said before."""
        path = os.path.join(self.folder, "bulla.hcl")
        with open(path) as f:
            text = f.read()

        def reload_with(text, said):
            before = self.bulla.log_text().count(said)
            with open(path, "w") as f:
                f.write(text)
            self.bulla.process.send_signal(signal.SIGHUP)
            end = time.monotonic() + servers.START_S
            while self.bulla.log_text().count(said) == before:
                self.assertLess(time.monotonic(), end, self.bulla.log_text())
                time.sleep(0.02)
            return self.bulla.get("sys/seal-status").headers

        done, failed = "reloaded the headers of replies", "the headers of replies stay as they are"
        self.assertEqual(self.bulla.get("sys/seal-status").headers["X-Def"], "exact")
        self.assertEqual(reload_with(text.replace('["exact"]', '["other"]'), done)["X-Def"], "other")
        self.assertEqual(reload_with(text.replace('["exact"]', '"exact"'), failed)["X-Def"], "other")
        headers = reload_with(text.replace(HEADERS, ""), done)
        self.assertNotIn("X-Def", headers)
        self.assertEqual(headers["Strict-Transport-Security"], "max-age=31536000; includeSubDomains")
        self.assertEqual(reload_with(text, done)["X-Def"], "exact")


class Transport(Both):
    listener = '''custom_response_headers { "default" = { "strict-transport-security" = [""] } }'''

    def test_without(self):
        self.play(("GET", "sys/health"), ("PROPFIND", "sys/health"))
        self.unseal()
        self.play(("GET", "sys/health"), ("POST", f"{UI}/strict-transport-security", {"values": ["a"]}))
        self.assertNotIn("Strict-Transport-Security", self.bulla.get("sys/health").headers)


class Settings(unittest.TestCase):
    """What cannot be meant ends the start, with its line."""

    def test_refused(self):
        framing = ("Connection", "content-length", "Transfer-Encoding", "Keep-Alive", "Proxy-Connection", "TE", "trailer", "UPGRADE")
        cases = [(f'{{\n"default" = {{\n "{name}" = ["x"] }} }}', 6, "is the server's own affair") for name in framing]
        cases += [('"label" { }', 4, "must be an object"), ('= "x"', 4, "must be an object"), ('= [ ]', 4, "must be an object"),
                  ('= {\n"20" = { } }', 5, "is no status"), ('= {\n"600" = { } }', 5, "is no status"), ('= {\n"2XX" = { } }', 5, "is no status"),
                  ('= {\n"099" = { } }', 5, "is no status"), ('= {\n"" = { } }', 5, "is no status"), ('= {\n"+20" = { } }', 5, "is no status"),
                  ('= {\n"200" = { },\n"200" = { } }', 6, "given twice"), ('= {\n"200" = ["x"] }', 5, "must be an object of lists"),
                  ('= {\n"200" = { "X" = "a" } }', 5, "must be a list of strings"), ('= {\n"200" = { "X" = [1] } }', 5, "must be a list of strings"),
                  ('= {\n"200" = { "X" = [["a"]] } }', 5, "must be a list of strings"), ('= {\n"200" = { "X Y" = ["a"] } }', 5, "is no name of a header"),
                  ('= {\n"200" = { "" = ["a"] } }', 5, "is no name of a header"), ('= {\n"200" = { "X:" = ["a"] } }', 5, "is no name of a header"),
                  ('= {\n"200" = { "X" = ["a\\nb"] } }', 5, "control character"), ('= {\n"200" = { "X" = ["a\\r"] } }', 5, "control character"),
                  ('= {\n"200" = { "X" = ["a"],\n"x" = ["b"] } }', 6, "given twice"),
                  ('= { "default" = { "A" = ["' + "a" * 2048 + '"] }, "4xx" = { "B" = ["' + "b" * 2048 + '"] } }', 4, "more than 4096 bytes"),
                  ('= { }\ncustom_response_headers { }', 5, "given twice")]
        with servers.temporary_folder() as folder:
            for text, line, said in cases:
                with self.subTest(text[:60]):
                    listener = f"tls_disable = true\n  custom_response_headers {text}"
                    config = servers.config_text(servers.free_port(), f"{folder}/b.db", listener=listener)
                    server = servers.bulla_config(folder, config, 1)
                    server.start(wait=False)
                    self.assertEqual(server.process.wait(60), 1)
                    where = config[:config.index("custom_response_headers")].count("\n") + 1 + line - 4
                    self.assertRegex(server.log_text(), rf"bulla\.hcl:{where}:\d+: .*{said}")
                    server.close()

    def test_room(self):
        """The largest heads of requests and of replies fit beside each other."""
        with servers.temporary_folder() as folder:
            port = servers.free_port()
            listener = 'tls_disable = true\n  custom_response_headers { "default" = { "X-Large" = ["' + "a" * 3950 + '"] } }'
            config = servers.config_text(port, f"{folder}/b.db", listener=listener)
            with servers.bulla_config(folder, config, port) as server:
                server.token = server.request("PUT", "sys/init", {"recovery_shares": 1, "recovery_threshold": 1}, token=None).json["root_token"]
                wide = {"allowed_origins": "*", "allowed_headers": "a" * 4000, "allow_credentials": True}
                self.assertEqual(server.post(CORS, wide).status, 204)
                page = {"Origin": "o" * 1000, "X-Vault-Namespace": "", **ASKS}
                for target, token in ((200, 19), (1600, 3000), (15900, 2700), (16300, 2700)):
                    for method, header in (("GET", "X-Large"), ("OPTIONS", "Access-Control-Allow-Headers")):
                        answer = server.request(method, "sys/health?a=" + "b" * target, headers=page, token="t" * token)
                        self.assertEqual((answer.status, len(answer.headers[header]) > 3900), (200, True))

    def test_lists(self):
        """As a configuration in JSON becomes."""
        with servers.temporary_folder() as folder:
            port = servers.free_port()
            listener = 'tls_disable = true\n  custom_response_headers = [{ "default" = [{ "X-A" = ["b"] }] }]'
            with servers.bulla_config(folder, servers.config_text(port, f"{folder}/b.db", listener=listener), port) as server:
                self.assertEqual(server.get("sys/health").headers["X-A"], "b")


if __name__ == "__main__":
    unittest.main()
