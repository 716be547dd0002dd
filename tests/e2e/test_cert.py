"""Logins by TLS client certificate on a real server: by CA and by the one certificate, names that must fit, and what is refused."""
import os
import shutil
import ssl
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import servers  # noqa: E402

BAO = os.environ.get("BAO_BIN") or os.path.join(servers.TOP, "tests", ".venv", "bin", "bao")
NO_CERTIFICATE = "no client certificate found"
NOT_TRUSTED = "invalid certificate or no client certificate supplied"
NAMES_DIFFER = "no chain matching all constraints could be found for this login certificate"


class Authority:
    """A CA in a folder of its own, and client certificates of it."""

    def __init__(self, folder, name):
        self.folder = os.path.join(folder, name)
        os.mkdir(self.folder)
        servers.certificates(self.folder)

    def path(self, name):
        return os.path.join(self.folder, name)

    def text(self, name):
        with open(self.path(name)) as f:
            return f.read()

    def client(self, name, subject, extensions="extendedKeyUsage=clientAuth\n", days="2"):
        def run(*argv):
            subprocess.run(["openssl", *argv], check=True, cwd=self.folder, capture_output=True)

        with open(self.path(f"{name}.ext"), "w") as f:
            f.write(extensions)
        run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr",
            "-subj", subject)
        run("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out", f"{name}.pem",
            "-days", days, "-extfile", f"{name}.ext")


class Cert(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = servers.tempfile.mkdtemp(prefix="bulla-test-")
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.own, cls.other = Authority(cls.folder, "own"), Authority(cls.folder, "other")
        usage = "extendedKeyUsage=clientAuth\n"
        cls.own.client("app", "/OU=cards/CN=app.example.com",
                       usage + "subjectAltName=DNS:app.example.com,email:app@example.com,URI:spiffe://example/app\n"
                       "1.2.3.4=ASN1:UTF8String:blue\n")
        cls.own.client("spare", "/OU=cards/CN=spare.example.com", usage)
        cls.own.client("web", "/CN=web", "extendedKeyUsage=serverAuth\n")
        cls.other.client("app", "/OU=cards/CN=app.example.com", usage)
        # the other CA has the same name: only the key tells them apart
        cls.own.client("nameless", "/CN=app.example.com", usage + "authorityKeyIdentifier=none\n")
        cls.other.client("nameless", "/CN=app.example.com", usage + "authorityKeyIdentifier=none\n")
        port = servers.free_port()
        cls.tls = f'tls_cert_file = "{cls.own.path("server.pem")}"\n  tls_key_file = "{cls.own.path("server.key")}"'
        cls.server = servers.bulla_config(cls.folder, servers.config_text(port, os.path.join(cls.folder, "b.db"), listener=cls.tls), port,
                                          context=ssl.create_default_context(cafile=cls.own.path("ca.pem"))).start()
        cls.addClassCleanup(cls.server.close)
        answer = cls.server.request("PUT", "sys/init", {"recovery_shares": 1, "recovery_threshold": 1}, token=None)
        cls.server.token = answer.json["root_token"]

    def setUp(self):
        self.mount = f"auth/{self.id().rsplit('.', 1)[1]}"
        self.ok(self.server.post(f"sys/{self.mount}", {"type": "cert"}))

    def ok(self, answer, status=204):
        self.assertEqual(answer.status, status, answer)
        return answer

    def refused(self, answer, text, status=400):
        self.assertEqual(answer.status, status, answer)
        self.assertIn(text, answer.errors[0])

    def connection(self, authority, name, server=None):
        context = ssl.create_default_context(cafile=self.own.path("ca.pem"))
        if authority is not None:
            context.load_cert_chain(authority.path(f"{name}.pem"), authority.path(f"{name}.key"))
        address = (server or self.server).address.split(":")
        connection = servers.http.client.HTTPSConnection(*address, context=context, timeout=60)
        self.addCleanup(connection.close)
        return connection

    def login(self, authority, client, **body):
        return self.server.post(f"{self.mount}/login", body, token=None, connection=self.connection(authority, client))

    def entry(self, name="app", **values):
        return self.server.post(f"{self.mount}/certs/{name}", {"certificate": self.own.text("ca.pem"), **values})

    def test_by_authority(self):
        self.refused(self.login(self.own, "app"), NOT_TRUSTED)
        self.ok(self.entry(token_policies="cards", token_ttl="5m", allowed_metadata_extensions="1.2.3.4"))
        self.refused(self.login(None, None), NO_CERTIFICATE)
        self.refused(self.login(self.other, "app"), NOT_TRUSTED)
        auth = self.ok(self.login(self.own, "app"), 200).json["auth"]
        self.assertEqual(auth["policies"], ["cards", "default"])
        self.assertEqual(auth["lease_duration"], 300)
        meta = auth["metadata"]
        self.assertEqual((meta["cert_name"], meta["common_name"], meta["1-2-3-4"]), ("app", "app.example.com", "blue"))
        serial = subprocess.run(["openssl", "x509", "-in", self.own.path("app.pem"), "-noout", "-serial"], capture_output=True, text=True)
        self.assertEqual(int(meta["serial_number"]), int(serial.stdout.strip().split("=")[1], 16))
        seen = self.server.get("auth/token/lookup-self", token=auth["client_token"]).data
        self.assertEqual((seen["display_name"], seen["path"]), (f"{self.mount[5:]}-app", f"{self.mount}/login"))
        # a certificate for servers only, though of the same authority
        self.refused(self.login(self.own, "web"), "failed to verify client's certificate", 500)

    def test_names(self):
        good = {"allowed_common_names": "*.example.com", "allowed_dns_sans": ["x", "app.*"], "allowed_email_sans": "*@example.com",
                "allowed_uri_sans": "spiffe://example/*", "allowed_organizational_units": "cards", "allowed_names": "app.*",
                "required_extensions": ["1.2.3.4:bl*"]}
        for field, value in good.items():
            with self.subTest(field):
                self.ok(self.entry(**{field: value}))
                self.ok(self.login(self.own, "app"), 200)
                self.ok(self.entry(**{field: "1.2.3.4:red" if field == "required_extensions" else "nothing*"}))
                self.refused(self.login(self.own, "app"), NAMES_DIFFER)
                self.ok(self.server.delete(f"{self.mount}/certs/app"))
        self.ok(self.entry(**good))
        self.ok(self.login(self.own, "app"), 200)
        self.refused(self.login(self.own, "spare"), NAMES_DIFFER)

    def test_one_certificate(self):
        self.ok(self.server.post(f"{self.mount}/certs/one", {"certificate": self.own.text("app.pem")}))
        self.ok(self.login(self.own, "app"), 200)
        self.refused(self.login(self.own, "spare"), NOT_TRUSTED)
        self.refused(self.login(self.other, "app"), NOT_TRUSTED)

    def test_which_entry(self):
        self.ok(self.entry("first", allowed_common_names="spare.*"))
        self.ok(self.entry("second"))
        self.assertEqual(self.ok(self.login(self.own, "app"), 200).json["auth"]["metadata"]["cert_name"], "second")
        self.assertEqual(self.ok(self.login(self.own, "spare"), 200).json["auth"]["metadata"]["cert_name"], "first")
        self.assertEqual(self.ok(self.login(self.own, "spare", name="Second"), 200).json["auth"]["metadata"]["cert_name"], "second")
        self.refused(self.login(self.own, "app", name="first"), NAMES_DIFFER)
        self.refused(self.login(self.own, "app", name="none"), NOT_TRUSTED)

    def test_authority_with_a_new_key(self):
        """An entry with a CA's old key says no more than that it does not know who is of the new one."""
        self.ok(self.entry("a-old"))
        self.refused(self.login(self.other, "nameless"), NOT_TRUSTED)
        self.ok(self.server.post(f"{self.mount}/certs/b-new", {"certificate": self.other.text("ca.pem")}))
        self.assertEqual(self.ok(self.login(self.other, "nameless"), 200).json["auth"]["metadata"]["cert_name"], "b-new")

    def test_authority_with_a_new_certificate(self):
        """What an entry with a CA's expired certificate says against a client is not the last word, if another has its new one."""
        def run(*argv):
            subprocess.run(["openssl", *argv], check=True, cwd=self.own.folder, capture_output=True)

        for name, text in (("old.cnf", "[ca]\ndefault_ca=one\n[one]\ndatabase=old.txt\nnew_certs_dir=.\nrand_serial=yes\npolicy=any\n"
                                       "[any]\ncommonName=supplied\n"),
                           ("old.ext", "basicConstraints=critical,CA:TRUE\n"), ("old.txt", "")):
            with open(self.own.path(name), "w") as f:
                f.write(text)
        run("req", "-new", "-key", "ca.key", "-subj", "/CN=test ca", "-out", "old.csr")
        run("ca", "-batch", "-selfsign", "-config", "old.cnf", "-keyfile", "ca.key", "-md", "sha256", "-in", "old.csr", "-notext",
            "-startdate", "20200101000000Z", "-enddate", "20200201000000Z", "-extfile", "old.ext", "-out", "old.pem")
        self.ok(self.server.post(f"{self.mount}/certs/a-old", {"certificate": self.own.text("old.pem")}))
        self.refused(self.login(self.own, "app"), "failed to verify client's certificate: certificate has expired", 500)
        self.ok(self.entry("b-new", allowed_common_names="app.*"))
        self.assertEqual(self.ok(self.login(self.own, "app"), 200).json["auth"]["metadata"]["cert_name"], "b-new")
        self.refused(self.login(self.own, "spare"), NAMES_DIFFER)
        self.refused(self.login(self.own, "app", name="a-old"), "certificate has expired", 500)

    def test_authorities_of_one_name(self):
        """Whose signature it is decides, and not the order, in one entry or several: as on a real OpenBao."""
        stranger = Authority(self.folder, "stranger")
        stranger.client("nameless", "/CN=app.example.com", "extendedKeyUsage=clientAuth\nauthorityKeyIdentifier=none\n")
        peer = servers.bao_config(BAO, self.folder, self.tls, self.server.context).start()
        self.addCleanup(peer.close)
        servers.bao_unseal(peer)
        self.ok(peer.post(f"sys/{self.mount}", {"type": "cert"}))

        def logins(server, entries):
            for i, text in enumerate(entries):
                self.ok(server.post(f"{self.mount}/certs/{i}", {"certificate": text}))
            answers = [server.post(f"{self.mount}/login", {}, token=None, connection=self.connection(authority, "nameless", server))
                       for authority in (self.own, self.other, stranger)]
            for i in range(len(entries)):
                self.ok(server.delete(f"{self.mount}/certs/{i}"))
            return [a.json["auth"]["metadata"]["cert_name"] if a.status == 200 else (a.status, a.errors) for a in answers]

        one, two, no = self.own.text("ca.pem"), self.other.text("ca.pem"), (400, [NOT_TRUSTED])
        for entries, wanted in (([one + two], ["0", "0", no]), ([two + one], ["0", "0", no]), ([one], ["0", no, no]),
                                ([two], [no, "0", no]), ([one, two], ["0", "1", no]), ([two, one], ["1", "0", no])):
            self.assertEqual(logins(self.server, entries), wanted)
            self.assertEqual(logins(peer, entries), wanted)

    def test_listener_with_authorities_of_one_name(self):
        """tls_client_ca_file: the same, in either order."""
        stranger = Authority(self.folder, "nobody")
        stranger.client("nameless", "/CN=app.example.com", "extendedKeyUsage=clientAuth\nauthorityKeyIdentifier=none\n")
        for order in ((self.own, self.other), (self.other, self.own)):
            with servers.temporary_folder() as folder:
                with open(f"{folder}/cas.pem", "w") as f:
                    f.write("".join(authority.text("ca.pem") for authority in order))
                port = servers.free_port()
                listener = f'{self.tls}\n  tls_client_ca_file = "{folder}/cas.pem"\n  tls_require_and_verify_client_cert = true'
                context = ssl.create_default_context(cafile=self.own.path("ca.pem"))
                context.load_cert_chain(self.own.path("nameless.pem"), self.own.path("nameless.key"))
                with servers.bulla_config(folder, servers.config_text(port, f"{folder}/b.db", listener=listener), port, context=context) as server:
                    for authority in (self.own, self.other, stranger):
                        connection = self.connection(authority, "nameless", server)
                        if authority is not stranger:
                            self.assertEqual(server.get("sys/health", token=None, connection=connection).status, 501)
                            continue
                        with self.assertRaisesRegex((OSError, servers.http.client.HTTPException), "(?i)unknown ca|disconnected|reset"):
                            server.get("sys/health", token=None, connection=connection)

    def test_renewal(self):
        """Over a connection of the same certificate, unless the mount does without."""
        self.ok(self.entry(token_ttl="5m"))
        token = self.ok(self.login(self.own, "app"), 200).json["auth"]["client_token"]

        def renew(authority, name):
            return self.server.post("auth/token/renew-self", token=token, connection=self.connection(authority, name))

        self.ok(renew(self.own, "app"), 200)
        self.refused(renew(self.own, "spare"), "client identity during renewal", 500)
        self.refused(renew(None, None), NO_CERTIFICATE, 500)
        self.ok(self.server.post(f"{self.mount}/config", {"disable_binding": True}))
        self.ok(renew(None, None), 200)
        self.ok(self.entry(token_policies="more"))
        self.refused(renew(self.own, "app"), "policies have changed, not renewing", 500)
        self.ok(self.server.delete(f"{self.mount}/certs/app"))
        self.assertEqual(renew(self.own, "app").status, 500)

    def test_bad_entries(self):
        for values, text in (({"certificate": ""}, "failed to parse certificate"), ({"certificate": "x"}, "failed to parse certificate"),
                             ({"certificate": self.own.text("ca.key")}, "failed to parse certificate"),
                             ({"certificate": self.own.text("web.pem")}, "nonCA certificates should have TLS client authentication"),
                             ({"required_extensions": "1.2.3"}, "required_extensions"), ({"ocsp_enabled": True}, "ocsp_enabled"),
                             ({"token_ttl": "2h", "token_max_ttl": "1h"}, "")):
            with self.subTest(values=list(values)):
                self.refused(self.entry("bad", **values), text)
        self.assertEqual(self.server.get(f"{self.mount}/certs/bad").status, 404)


if __name__ == "__main__":
    unittest.main()
