"""The service over HTTP and HTTPS with curl, as a person at a shell uses it, and the limits that a body meets."""
import json
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import servers  # noqa: E402

PAN = "4111111111111111"


class Curl(unittest.TestCase):
    """Over HTTP; the classes below run the same over HTTPS and a unix socket."""
    curl_options = ()

    @classmethod
    def setUpClass(cls):
        cls.folder = servers.tempfile.mkdtemp(prefix="bulla-test-")
        cls.begin()
        cls.curl(cls, "POST", "sys/mounts/transit", {"type": "transit"})

    @classmethod
    def begin(cls):
        cls.server = servers.bulla_dev().start()
        cls.base = cls.server.url

    @classmethod
    def tearDownClass(cls):
        cls.server.close()
        servers.shutil.rmtree(cls.folder)

    def curl(self, method, path, body=None, *options, token="root"):
        """Status and document of one request."""
        argv = ["curl", "-sS", "-o", "-", "-w", "\n%{http_code}", "-X", method, "-H", f"X-Vault-Token: {token}", *self.curl_options, *options]
        if body is not None:
            argv += ["--data-binary", "@-"]
        sent = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        done = subprocess.run([*argv, f"{self.base}/v1/{path}"], input=sent, capture_output=True, timeout=120,
                              env=servers.clean_environment())
        text, _, status = done.stdout.rpartition(b"\n")
        if done.returncode != 0:
            raise AssertionError(f"curl: {done.stderr}")
        return int(status), json.loads(text) if text else None

    def test_card_number(self):
        """Create, encrypt, rotate, encrypt, decrypt both, rewrap."""
        self.assertEqual(self.curl("POST", "transit/keys/cards")[0], 200)
        first = self.curl("POST", "transit/encrypt/cards", {"plaintext": servers.b64(PAN)})[1]["data"]["ciphertext"]
        self.assertTrue(first.startswith("vault:v1:"))
        self.assertEqual(self.curl("POST", "transit/keys/cards/rotate")[0], 200)
        second = self.curl("POST", "transit/encrypt/cards", {"plaintext": servers.b64(PAN)})[1]["data"]["ciphertext"]
        self.assertTrue(second.startswith("vault:v2:"))
        for ciphertext in (first, second):
            status, doc = self.curl("POST", "transit/decrypt/cards", {"ciphertext": ciphertext})
            self.assertEqual((status, doc["data"]["plaintext"]), (200, servers.b64(PAN)))
        rewrapped = self.curl("POST", "transit/rewrap/cards", {"ciphertext": first})[1]["data"]["ciphertext"]
        self.assertTrue(rewrapped.startswith("vault:v2:"))

    def test_altered_ciphertext(self):
        self.curl("POST", "transit/keys/altered")
        ciphertext = self.curl("POST", "transit/encrypt/altered", {"plaintext": servers.b64(PAN)})[1]["data"]["ciphertext"]
        raw = bytearray(servers.base64.b64decode(ciphertext.split(":")[2]))
        for at in (0, 11, 12, len(raw) - 1):
            raw[at] ^= 1
            status, doc = self.curl("POST", "transit/decrypt/altered", {"ciphertext": "vault:v1:" + servers.b64(bytes(raw))})
            self.assertEqual((status, list(doc)), (400, ["errors"]))
            raw[at] ^= 1

    def test_encryption_context(self):
        self.curl("POST", "transit/keys/bound")
        body = {"plaintext": servers.b64(PAN), "encryption_context": {"tenant": "a", "table": "cards"}}
        ciphertext = self.curl("POST", "transit/encrypt/bound", body)[1]["data"]["ciphertext"]
        good = {"ciphertext": ciphertext, "encryption_context": {"table": "cards", "tenant": "a"}}
        self.assertEqual(self.curl("POST", "transit/decrypt/bound", good)[1]["data"]["plaintext"], servers.b64(PAN))
        for context in ({"tenant": "b", "table": "cards"}, {"tenant": "a"}, {}, None):
            body = {"ciphertext": ciphertext} | ({"encryption_context": context} if context is not None else {})
            self.assertEqual(self.curl("POST", "transit/decrypt/bound", body)[0], 400, context)
        moved = {"ciphertext": ciphertext, "decrypt_encryption_context": {"tenant": "a", "table": "cards"},
                 "encryption_context": {"tenant": "b"}}
        status, doc = self.curl("POST", "transit/rewrap/bound", moved)
        self.assertEqual(status, 200, doc)
        again = {"ciphertext": doc["data"]["ciphertext"], "encryption_context": {"tenant": "b"}}
        self.assertEqual(self.curl("POST", "transit/decrypt/bound", again)[1]["data"]["plaintext"], servers.b64(PAN))

    def test_batch_of_10000(self):
        self.curl("POST", "transit/keys/batch")
        items = [{"plaintext": servers.b64(f"{PAN}-{i}"), "reference": str(i)} for i in range(10000)]
        status, doc = self.curl("POST", "transit/encrypt/batch", {"batch_input": items})
        self.assertEqual(status, 200)
        results = doc["data"]["batch_results"]
        self.assertEqual([r["reference"] for r in results], [str(i) for i in range(10000)])
        back = [{"ciphertext": r["ciphertext"]} for r in results]
        status, doc = self.curl("POST", "transit/decrypt/batch", {"batch_input": back})
        self.assertEqual([r["plaintext"] for r in doc["data"]["batch_results"]], [i["plaintext"] for i in items])
        status, doc = self.curl("POST", "transit/rewrap/batch", {"batch_input": back})
        self.assertEqual((status, len(doc["data"]["batch_results"])), (200, 10000))

    def test_body_over_the_limit(self):
        """33 MiB: 413, whether curl asks first (Expect), sends chunks, or just sends; and the server serves on."""
        body = b'{"plaintext":"' + b"A" * (33 << 20) + b'"}'
        for options in (("-H", "Expect:"), ("-H", "Expect: 100-continue"), ("-H", "Expect:", "-H", "Transfer-Encoding: chunked")):
            with self.subTest(options):
                self.assertEqual(self.curl("POST", "transit/encrypt/cards", body, *options)[0], 413)
        self.assertEqual(self.curl("GET", "sys/health")[0], 200)

    def test_body_within_the_limit(self):
        self.curl("POST", "transit/keys/large")
        plain = "QUFB" * (7 << 20)  # 28 MiB
        status, doc = self.curl("POST", "transit/encrypt/large", {"plaintext": plain})
        self.assertEqual(status, 200)
        self.assertEqual(len(servers.base64.b64decode(doc["data"]["ciphertext"].split(":")[2])), 3 * (7 << 20) + 28)

    def test_no_token(self):
        for token in ("", "nosuch"):
            self.assertEqual(self.curl("GET", "transit/keys/cards", token=token), (403, {"errors": ["permission denied"]}))

    def test_list_and_export(self):
        self.curl("POST", "transit/keys/shown", {"exportable": True, "type": "chacha20-poly1305"})
        self.assertIn("shown", self.curl("LIST", "transit/keys")[1]["data"]["keys"])
        self.assertIn("shown", self.curl("GET", "transit/keys?list=true")[1]["data"]["keys"])
        keys = self.curl("GET", "transit/export/encryption-key/shown")[1]["data"]["keys"]
        self.assertEqual(len(servers.base64.b64decode(keys["1"])), 32)


class CurlTls(Curl):
    @classmethod
    def begin(cls):
        servers.certificates(cls.folder)
        port = servers.free_port()
        f = cls.folder
        text = servers.config_text(port, f"{f}/b.db", listener=f'tls_cert_file = "{f}/server.pem"\n  tls_key_file = "{f}/server.key"')
        cls.server = servers.bulla_config(f, text, port, context=servers.tls_context(f)).start()
        done = cls.server.request("PUT", "sys/init", {"recovery_shares": 1, "recovery_threshold": 1}, token=None)
        cls.token = cls.server.token = done.json["root_token"]
        cls.base = f"https://localhost:{port}"
        cls.curl_options = ("--cacert", f"{f}/ca.pem")

    def curl(self, method, path, body=None, *options, token=None):
        return Curl.curl(self, method, path, body, *options, token=self.token if token is None else token)

    def test_unknown_ca(self):
        done = subprocess.run(["curl", "-sS", f"{self.base}/v1/sys/health"], capture_output=True)
        self.assertEqual(done.returncode, 60)

    def test_http_on_the_tls_port(self):
        done = subprocess.run(["curl", "-sS", "-w", " %{http_code}", self.base.replace("https", "http") + "/v1/sys/health"], capture_output=True)
        self.assertEqual(done.stdout, b"Client sent an HTTP request to an HTTPS server.\n 400", done.stderr)
        self.assertEqual(self.curl("GET", "sys/health")[0], 200)

    def test_old_tls(self):
        done = subprocess.run(["curl", "-sS", *self.curl_options, "--tls-max", "1.1", f"{self.base}/v1/sys/health"], capture_output=True)
        self.assertNotEqual(done.returncode, 0)

    def test_own_client(self):
        env = servers.clean_environment() | {"VAULT_ADDR": self.base, "VAULT_TOKEN": self.token}
        self.assertEqual(subprocess.run([servers.bulla_binary(), "status"], env=env, capture_output=True).returncode, 1)
        for more in ({"BULLA_CACERT": f"{self.folder}/ca.pem"}, {"VAULT_CACERT": f"{self.folder}/ca.pem"}, {"VAULT_SKIP_VERIFY": "true"}):
            with self.subTest(more):
                done = subprocess.run([servers.bulla_binary(), "status"], env=env | more, capture_output=True)
                self.assertEqual(done.returncode, 0, done.stderr)


class CurlUnix(Curl):
    @classmethod
    def begin(cls):
        port = servers.free_port()
        cls.socket = os.path.join(cls.folder, "sock")
        text = servers.config_text(port, f"{cls.folder}/b.db")
        text += f'listener "unix" {{\n  address = "{cls.socket}"\n  socket_mode = "0600"\n}}\n'
        cls.server = servers.bulla_config(cls.folder, text, port).start()
        done = cls.server.request("PUT", "sys/init", {"recovery_shares": 1, "recovery_threshold": 1}, token=None)
        cls.token = cls.server.token = done.json["root_token"]
        cls.base = "http://localhost"
        cls.curl_options = ("--unix-socket", cls.socket)

    curl = CurlTls.curl

    def test_socket_mode(self):
        self.assertEqual(os.stat(self.socket).st_mode & 0o777, 0o600)

    def test_own_client(self):
        env = servers.clean_environment() | {"VAULT_ADDR": "unix://" + self.socket, "VAULT_TOKEN": self.token}
        done = subprocess.run([servers.bulla_binary(), "status"], env=env, capture_output=True)
        self.assertEqual(done.returncode, 0, done.stderr)


class ClientCertificates(unittest.TestCase):
    def test_only_with_one(self):
        with servers.temporary_folder() as f:
            servers.certificates(f)
            port = servers.free_port()
            listener = (f'tls_cert_file = "{f}/server.pem"\n  tls_key_file = "{f}/server.key"\n'
                        f'  tls_client_ca_file = "{f}/ca.pem"\n  tls_require_and_verify_client_cert = true\n  tls_min_version = "tls13"')
            text = servers.config_text(port, f"{f}/b.db", listener=listener)
            with servers.bulla_config(f, text, port, context=servers.tls_context(f, client=True)) as server:
                env = servers.clean_environment() | {"VAULT_ADDR": server.url, "VAULT_CACERT": f"{f}/ca.pem"}
                bulla = [servers.bulla_binary(), "operator", "init", "-status"]
                self.assertEqual(subprocess.run(bulla, env=env, capture_output=True).returncode, 1)
                env |= {"VAULT_CLIENT_CERT": f"{f}/client.pem", "VAULT_CLIENT_KEY": f"{f}/client.key"}
                done = subprocess.run(bulla, env=env, capture_output=True, text=True)
                self.assertEqual((done.returncode, done.stdout), (2, "Vault is not initialized\n"), done.stderr)
                done = subprocess.run(["curl", "-sS", "--cacert", f"{f}/ca.pem", "--cert", f"{f}/client.pem", "--key", f"{f}/client.key",
                                       "--tls-max", "1.2", f"{server.url}/v1/sys/health"], capture_output=True)
                self.assertNotEqual(done.returncode, 0, "TLS 1.2 where 1.3 is the least")


if __name__ == "__main__":
    unittest.main()
