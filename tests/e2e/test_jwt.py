"""Logins with JSON Web Tokens on a real server: static keys, a key set over HTTPS that changes, an OpenID issuer, and what is refused."""
import base64
import http.server
import json
import os
import shutil
import ssl
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import servers  # noqa: E402

ROLE = {"role_type": "jwt", "user_claim": "sub", "bound_audiences": ["bulla"], "token_ttl": "5m"}


def url64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Key:
    """An RSA key of openssl's, which signs with RS256."""

    def __init__(self, folder, name):
        self.name, self.path = name, os.path.join(folder, f"{name}.key")
        subprocess.run(["openssl", "genrsa", "-out", self.path, "2048"], check=True, capture_output=True)

    def openssl(self, *argv, data=None):
        return subprocess.run(["openssl", *argv], input=data, check=True, capture_output=True).stdout

    @property
    def pem(self):
        return self.openssl("pkey", "-in", self.path, "-pubout").decode()

    @property
    def jwk(self):
        modulus = self.openssl("rsa", "-in", self.path, "-noout", "-modulus").decode().strip().split("=")[1]
        return {"kty": "RSA", "use": "sig", "kid": self.name, "n": url64(bytes.fromhex(modulus)), "e": "AQAB"}

    def token(self, kid=True, **claims):
        header = {"alg": "RS256", "typ": "JWT", **({"kid": self.name} if kid else {})}
        claims = {"sub": "alice", "aud": "bulla", "iat": int(time.time()), "exp": int(time.time()) + 600, **claims}
        text = ".".join(url64(json.dumps(part).encode()) for part in (header, claims))
        return text + "." + url64(self.openssl("dgst", "-sha256", "-sign", self.path, data=text.encode()))


class Issuer:
    """An HTTPS server with documents by path; it counts what it is asked."""

    def __init__(self, folder, tls=True):
        issuer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                issuer.asked.append(self.path)
                status, body = issuer.documents.get(self.path, (404, b"{}"))
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", body.decode())
                    body = b""
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.documents, self.asked = {}, []
        self.httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(os.path.join(folder, "server.pem"), os.path.join(folder, "server.key"))
            self.httpd.socket = context.wrap_socket(self.httpd.socket, server_side=True)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.httpd.server_address[1]}"
        threading.Thread(target=self.httpd.serve_forever, daemon=True).start()

    def put(self, path, document, status=200):
        self.documents[path] = (status, document if isinstance(document, bytes) else json.dumps(document).encode())

    def close(self):
        self.httpd.shutdown()
        self.httpd.server_close()


class Jwt(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = servers.tempfile.mkdtemp(prefix="bulla-test-")
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        servers.certificates(cls.folder)
        with open(os.path.join(cls.folder, "ca.pem")) as f:
            cls.ca = f.read()
        cls.old, cls.new = Key(cls.folder, "old"), Key(cls.folder, "new")
        cls.server = servers.bulla_dev().start()
        cls.addClassCleanup(cls.server.close)

    def setUp(self):
        self.mount = f"auth/{self.id().rsplit('.', 1)[1]}"
        self.ok(self.server.post(f"sys/{self.mount}", {"type": "jwt"}))
        self.issuer = Issuer(self.folder)
        self.addCleanup(self.issuer.close)

    def ok(self, answer, status=204):
        self.assertEqual(answer.status, status, answer)
        return answer

    def configure(self, **config):
        return self.server.post(f"{self.mount}/config", config)

    def role(self, **role):
        return self.server.post(f"{self.mount}/role/app", {**ROLE, **role})

    def login(self, token, role="app"):
        return self.server.post(f"{self.mount}/login", {"role": role, "jwt": token}, token=None)

    def refused(self, answer, text):
        self.assertEqual(answer.status, 400, answer)
        self.assertIn(text, answer.errors[0])

    def test_static_keys(self):
        self.ok(self.configure(jwt_validation_pubkeys=[self.old.pem, self.new.pem], bound_issuer="https://ci"))
        self.ok(self.role(bound_claims={"env": ["prod", "test"]}, claim_mappings={"env": "environment"}))
        good = {"iss": "https://ci", "env": "prod"}
        auth = self.ok(self.login(self.new.token(**good)), 200).json["auth"]
        self.assertEqual(auth["metadata"], {"environment": "prod", "role": "app"})
        self.assertEqual((auth["lease_duration"], auth["token_type"], auth["orphan"]), (300, "service", True))
        seen = self.server.get("auth/token/lookup-self", token=auth["client_token"]).data
        self.assertEqual(seen["display_name"], f"{self.mount[5:]}-alice")
        self.assertEqual(seen["path"], f"{self.mount}/login")
        self.refused(self.login(self.new.token(**{**good, "env": "dev"})), "does not match any associated bound claim values")
        self.refused(self.login(self.new.token(**{**good, "iss": "https://other"})), "invalid issuer (iss) claim")
        self.refused(self.login(self.new.token(**good, iat=1, exp=int(time.time()) - 3600)), "token is expired")
        self.refused(self.login(Key(self.folder, "stranger").token(**good)), "no known key successfully validated")
        forged = self.new.token(**good).split(".")
        forged[1] = url64(json.dumps({**good, "sub": "root", "aud": "bulla", "iat": 1, "exp": 9999999999}).encode())
        self.refused(self.login(".".join(forged)), "no known key successfully validated")

    def test_key_set(self):
        self.issuer.put("/keys", {"keys": [self.old.jwk]})
        self.refused(self.configure(jwks_url=self.issuer.url + "/keys"), "error checking jwks URL")  # not a CA that the system trusts
        self.assertEqual(self.issuer.asked, [])
        self.refused(self.configure(jwks_url=self.issuer.url + "/none", jwks_ca_pem=self.ca), "error checking jwks URL")
        self.ok(self.configure(jwks_url=self.issuer.url + "/keys", jwks_ca_pem=self.ca))
        self.ok(self.role())
        self.issuer.asked.clear()
        for _ in range(3):
            self.ok(self.login(self.old.token()), 200)
        self.assertEqual(self.issuer.asked, ["/keys"], "the set is kept")
        # what a stranger sends does not make us ask each time
        for _ in range(5):
            self.refused(self.login(self.new.token()), "no known key successfully validated")
        self.assertLessEqual(len(self.issuer.asked), 2)

    def test_authorities_of_one_name(self):
        """In jwks_ca_pem and oidc_discovery_ca_pem: whose signature it is decides, and not the order."""
        issuers, cas = [], []
        for name in ("one", "two", "three"):
            folder = os.path.join(self.folder, f"ca-{name}")
            os.mkdir(folder)
            servers.certificates(folder)
            servers.make_certificate(folder, "server", "DNS:localhost,IP:127.0.0.1\nauthorityKeyIdentifier=none")
            issuer = Issuer(folder)
            self.addCleanup(issuer.close)
            issuer.put("/keys", {"keys": [self.old.jwk]})
            issuer.put("/.well-known/openid-configuration", {"issuer": issuer.url, "jwks_uri": issuer.url + "/keys"})
            issuers.append(issuer)
            with open(os.path.join(folder, "ca.pem")) as f:
                cas.append(f.read())
        for ca in (cas[0] + cas[1], cas[1] + cas[0]):
            for i, issuer in enumerate(issuers):
                answers = (self.configure(jwks_url=issuer.url + "/keys", jwks_ca_pem=ca),
                           self.configure(oidc_discovery_url=issuer.url, oidc_discovery_ca_pem=ca))
                self.assertEqual([a.status for a in answers], [204, 204] if i < 2 else [400, 400], answers)
        self.assertEqual(issuers[2].asked, [])

    def test_new_key(self):
        """A configuration that is written again fetches again."""
        self.issuer.put("/keys", {"keys": [self.old.jwk]})
        self.ok(self.configure(jwks_url=self.issuer.url + "/keys", jwks_ca_pem=self.ca))
        self.ok(self.role())
        self.ok(self.login(self.old.token()), 200)
        self.issuer.put("/keys", {"keys": [self.new.jwk]})
        self.ok(self.configure(jwks_url=self.issuer.url + "/keys", jwks_ca_pem=self.ca))
        self.ok(self.login(self.new.token()), 200)
        self.refused(self.login(self.old.token()), "no known key successfully validated")

    def test_issuer(self):
        self.issuer.put("/.well-known/openid-configuration", {"issuer": self.issuer.url, "jwks_uri": self.issuer.url + "/k"})
        self.issuer.put("/k", {"keys": [self.old.jwk, self.new.jwk]})
        self.ok(self.configure(oidc_discovery_url=self.issuer.url, oidc_discovery_ca_pem=self.ca))
        self.ok(self.role())
        self.ok(self.login(self.new.token()), 200)
        self.issuer.put("/.well-known/openid-configuration", {"issuer": "https://other", "jwks_uri": self.issuer.url + "/k"})
        self.refused(self.configure(oidc_discovery_url=self.issuer.url, oidc_discovery_ca_pem=self.ca), "issuer did not match")

    def test_what_an_issuer_may_not_do(self):
        plain = Issuer(self.folder, tls=False)
        self.addCleanup(plain.close)
        plain.put("/keys", {"keys": [self.old.jwk]})
        self.issuer.put("/down", plain.url.encode() + b"/keys", 302)
        self.issuer.put("/loop", (self.issuer.url + "/loop").encode(), 302)
        self.issuer.put("/large", b'{"keys":[]}' + b" " * (1 << 20))
        self.issuer.put("/text", b"hello")
        for path in ("/down", "/loop", "/large", "/text"):
            with self.subTest(path):
                self.refused(self.configure(jwks_url=self.issuer.url + path, jwks_ca_pem=self.ca), "error checking jwks URL")
        self.assertEqual(plain.asked, [], "never from https to http")
        for url in ("file:///etc/passwd", "ftp://127.0.0.1/x", "https://user:secret@127.0.0.1/keys", "gopher://x"):
            with self.subTest(url):
                self.refused(self.configure(jwks_url=url), "error checking jwks URL")
        self.ok(self.configure(jwks_url=plain.url + "/keys"))  # whoever says http means it

    def test_renewal_follows_the_role(self):
        self.ok(self.configure(jwt_validation_pubkeys=[self.old.pem]))
        self.ok(self.role())
        token = self.ok(self.login(self.old.token()), 200).json["auth"]["client_token"]
        self.ok(self.role(token_ttl="7m"))
        answer = self.ok(self.server.post("auth/token/renew-self", token=token), 200)
        self.assertEqual(answer.json["auth"]["lease_duration"], 420)
        self.ok(self.server.delete(f"{self.mount}/role/app"))
        answer = self.server.post("auth/token/renew-self", token=token)
        self.assertEqual(answer.status, 500, answer)
        self.assertIn("role app does not exist during renewal", answer.errors[0])

    def test_disabled(self):
        """With the mount go its settings and the tokens it gave."""
        self.ok(self.configure(jwt_validation_pubkeys=[self.old.pem]))
        self.ok(self.role())
        token = self.ok(self.login(self.old.token()), 200).json["auth"]["client_token"]
        self.ok(self.server.delete(f"sys/{self.mount}"))
        self.assertEqual(self.server.get("auth/token/lookup-self", token=token).status, 403)
        self.ok(self.server.post(f"sys/{self.mount}", {"type": "jwt"}))
        self.assertEqual(self.server.get(f"{self.mount}/config").status, 404)
        self.assertEqual(self.server.list(f"{self.mount}/role").status, 404)


if __name__ == "__main__":
    unittest.main()
