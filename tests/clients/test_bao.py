"""The `bao` command line client, unmodified, against Bulla: all of transit, import included, and what it has for tokens, mounts and seals."""
import base64
import json
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import servers  # noqa: E402

BAO = os.path.join(os.path.dirname(sys.executable), "bao")
PLAIN = servers.b64("4111111111111111")
CONTEXT = servers.b64("tenant 7")


class Cli(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = servers.tempfile.mkdtemp(prefix="bulla-test-")
        cls.addClassCleanup(servers.shutil.rmtree, cls.folder)
        cls.server = servers.bulla_dev().start()
        cls.addClassCleanup(cls.server.close)
        cls.server.post("sys/mounts/transit", {"type": "transit"})

    def run_bao(self, *args, stdin="", token=None):
        env = servers.clean_environment()
        env |= {"HOME": self.folder, "BAO_ADDR": self.server.url, "BAO_TOKEN": self.server.token if token is None else token}
        done = subprocess.run([BAO, *args], input=stdin, capture_output=True, text=True, env=env, timeout=120)
        return done.returncode, done.stdout, done.stderr

    def bao(self, *args, **kw):
        """What a command that must succeed printed."""
        status, out, err = self.run_bao(*args, **kw)
        self.assertEqual(status, 0, f"{args}: {out}{err}")
        return out

    def json(self, *args, **kw):
        return json.loads(self.bao(*args[:1], "-format=json", *args[1:], **kw))

    def write(self, path, *pairs, **kw):
        return self.json("write", path, *pairs, **kw)["data"]

    def refused(self, status, *args, **kw):
        got, out, err = self.run_bao(*args, **kw)
        self.assertEqual(got, status, f"{args}: {out}{err}")
        return err

    def file(self, name, content):
        path = os.path.join(self.folder, name)
        with open(path, "wb") as f:
            f.write(content)
        return path


class Transit(Cli):
    def test_keys(self):
        self.bao("write", "-f", "transit/keys/k", "exportable=true")
        self.bao("write", "-f", "transit/keys/k/rotate")
        self.bao("write", "-f", "transit/keys/k/rotate")
        data = self.json("read", "transit/keys/k")["data"]
        self.assertEqual((data["latest_version"], data["exportable"], set(data["keys"])), (3, True, {"1", "2", "3"}))
        self.bao("write", "transit/keys/k/config", "min_decryption_version=2", "min_encryption_version=3", "deletion_allowed=true",
                 "auto_rotate_period=24h")
        self.bao("write", "transit/keys/k/trim", "min_available_version=2")
        self.assertEqual(self.bao("read", "-field=auto_rotate_period", "transit/keys/k").strip(), "86400")
        self.assertIn("k", self.json("list", "transit/keys"))
        keys = self.json("read", "transit/export/encryption-key/k")["data"]["keys"]
        self.assertEqual(set(keys), {"2", "3"})
        self.assertEqual(self.json("read", "transit/export/encryption-key/k/latest")["data"]["keys"], {"3": keys["3"]})
        self.assertEqual(set(self.json("read", "transit/export/hmac-key/k/2")["data"]["keys"]), {"2"})
        self.assertEqual(self.bao("delete", "transit/keys/k"), "Success! Data deleted (if it existed) at: transit/keys/k\n")
        self.assertIn("No value found at transit/keys/k", self.refused(2, "read", "transit/keys/k"))
        self.refused(2, "list", "nosuch/keys")

    def test_encrypt(self):
        self.bao("write", "-f", "transit/keys/e")
        old = self.write("transit/encrypt/e", "plaintext=" + PLAIN)["ciphertext"]
        self.bao("write", "-f", "transit/keys/e/rotate")
        self.assertEqual(self.write("transit/decrypt/e", "ciphertext=" + old)["plaintext"], PLAIN)
        new = self.bao("write", "-field=ciphertext", "transit/rewrap/e", "ciphertext=" + old).strip()
        self.assertTrue(new.startswith("vault:v2:"))
        self.assertEqual(self.write("transit/encrypt/e", "plaintext=" + PLAIN, "key_version=1")["key_version"], 1)
        batch = json.dumps({"batch_input": [{"plaintext": PLAIN}, {"plaintext": CONTEXT, "associated_data": PLAIN}]})
        made = self.write("transit/encrypt/e", "-", stdin=batch)["batch_results"]
        back = json.dumps({"batch_input": [{"ciphertext": made[0]["ciphertext"]},
                                           {"ciphertext": made[1]["ciphertext"], "associated_data": PLAIN}]})
        self.assertEqual([r["plaintext"] for r in self.write("transit/decrypt/e", "-", stdin=back)["batch_results"]], [PLAIN, CONTEXT])
        self.assertIn("Code: 400", self.refused(2, "write", "transit/decrypt/e", "ciphertext=vault:v9:AAAA"))
        self.refused(2, "write", "transit/decrypt/e", "-", stdin=json.dumps({"batch_input": [{"ciphertext": "vault:v9:AAAA"}]}))

    def test_upsert_and_its_switch(self):
        self.write("transit/encrypt/made-by-use", "plaintext=" + PLAIN)
        self.bao("write", "transit/config/keys", "disable_upsert=true")
        self.assertEqual(self.json("read", "transit/config/keys")["data"]["disable_upsert"], True)
        self.assertIn("Code: 400", self.refused(2, "write", "transit/encrypt/not-made", "plaintext=" + PLAIN))
        self.bao("write", "transit/config/keys", "disable_upsert=false")
        self.bao("write", "transit/cache-config", "size=500")
        self.assertEqual(self.json("read", "transit/cache-config")["data"]["size"], 500)

    def test_derived(self):
        self.bao("write", "transit/keys/d", "derived=true", "convergent_encryption=true")
        made = [self.write("transit/encrypt/d", "plaintext=" + PLAIN, "context=" + CONTEXT)["ciphertext"] for _ in range(2)]
        self.assertEqual(made[0], made[1])
        self.assertEqual(self.write("transit/decrypt/d", "ciphertext=" + made[0], "context=" + CONTEXT)["plaintext"], PLAIN)
        self.refused(2, "write", "transit/encrypt/d", "plaintext=" + PLAIN)

    def test_sign(self):
        for kind in ("ed25519", "ecdsa-p256", "ecdsa-p384", "ecdsa-p521", "rsa-2048"):
            with self.subTest(kind):
                self.bao("write", "transit/keys/s-" + kind, "type=" + kind)
                made = self.write(f"transit/sign/s-{kind}", "input=" + PLAIN)["signature"]
                self.assertTrue(self.write(f"transit/verify/s-{kind}", "input=" + PLAIN, "signature=" + made)["valid"])
                self.assertFalse(self.write(f"transit/verify/s-{kind}", "input=" + CONTEXT, "signature=" + made)["valid"])
                made = self.write(f"transit/sign/s-{kind}/sha2-512", "input=" + PLAIN)["signature"]
                self.assertTrue(self.write(f"transit/verify/s-{kind}/sha2-512", "input=" + PLAIN, "signature=" + made)["valid"])
        made = self.write("transit/sign/s-rsa-2048", "input=" + PLAIN, "signature_algorithm=pkcs1v15")["signature"]
        self.assertTrue(self.write("transit/verify/s-rsa-2048", "input=" + PLAIN, "signature_algorithm=pkcs1v15", "signature=" + made)["valid"])
        public = self.json("read", "transit/export/public-key/s-ed25519")["data"]["keys"]["1"]
        self.assertEqual(len(base64.b64decode(public)), 32)

    def test_hmac(self):
        self.bao("write", "transit/keys/h", "type=hmac", "key_size=32")
        made = self.write("transit/hmac/h/sha2-512", "input=" + PLAIN)["hmac"]
        self.assertTrue(self.write("transit/verify/h/sha2-512", "input=" + PLAIN, "hmac=" + made)["valid"])
        self.assertFalse(self.write("transit/verify/h/sha2-256", "input=" + PLAIN, "hmac=" + made)["valid"])

    def test_data_keys_and_tools(self):
        self.bao("write", "-f", "transit/keys/dk")
        data = self.write("transit/datakey/plaintext/dk", "bits=512")
        self.assertEqual(len(base64.b64decode(data["plaintext"])), 64)
        self.assertEqual(self.write("transit/decrypt/dk", "ciphertext=" + data["ciphertext"])["plaintext"], data["plaintext"])
        self.assertNotIn("plaintext", self.json("write", "-f", "transit/datakey/wrapped/dk")["data"])
        self.assertEqual(len(base64.b64decode(self.json("write", "-f", "transit/random/20")["data"]["random_bytes"])), 20)
        self.assertEqual(len(self.write("sys/tools/random/20", "format=hex")["random_bytes"]), 40)
        for path in ("transit/hash/sha2-256", "sys/tools/hash/sha2-256"):
            self.assertEqual(self.write(path, "input=" + servers.b64("abc"))["sum"],
                             "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")

    def test_backup(self):
        self.bao("write", "transit/keys/b", "exportable=true", "allow_plaintext_backup=true")
        made = self.write("transit/encrypt/b", "plaintext=" + PLAIN)["ciphertext"]
        backup = self.bao("read", "-field=backup", "transit/backup/b").strip()
        self.bao("write", "transit/restore/b2", "backup=" + backup)
        self.assertEqual(self.write("transit/decrypt/b2", "ciphertext=" + made)["plaintext"], PLAIN)
        self.assertIn("Code: 500", self.refused(2, "write", "transit/restore/b2", "backup=" + backup))
        self.bao("write", "transit/restore/b2", "backup=" + backup, "force=true")

    def test_certificates(self):
        self.bao("write", "transit/keys/ca", "type=ecdsa-p256")
        request = self.bao("write", "-field=csr", "-f", "transit/keys/ca/csr")
        path = self.file("request.pem", request.encode())
        subprocess.run(["openssl", "req", "-verify", "-noout", "-in", path], check=True, capture_output=True)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "x.key",
                        "-out", "x.pem", "-days", "2", "-subj", "/CN=x"], check=True, capture_output=True, cwd=self.folder)
        subprocess.run(["openssl", "x509", "-req", "-in", path, "-CA", "x.pem", "-CAkey", "x.key", "-CAcreateserial", "-out", "leaf.pem",
                        "-days", "1"], check=True, capture_output=True, cwd=self.folder)
        self.bao("write", "transit/keys/ca/set-certificate", f"certificate_chain=@{self.folder}/leaf.pem")
        self.refused(2, "write", "transit/keys/ca/set-certificate", f"certificate_chain=@{self.folder}/x.pem")

    def test_agreement(self):
        for name in ("a1", "a2"):
            self.bao("write", f"transit/keys/{name}", "type=ecdsa-p256", "exportable=true")
        public = [self.json("read", f"transit/keys/{name}")["data"]["keys"]["1"]["public_key"] for name in ("a1", "a2")]
        for mine, other, made in (("a1", public[1], "s1"), ("a2", public[0], "s2")):
            path = self.file(f"{mine}.pem", other.encode())
            self.bao("write", f"transit/derive-key/{made}", f"base_key_name={mine}", f"peer_public_key=@{path}",
                     "derived_key_type=aes256-gcm96")
        made = self.write("transit/encrypt/s1", "plaintext=" + PLAIN)["ciphertext"]
        self.assertEqual(self.write("transit/decrypt/s2", "ciphertext=" + made)["plaintext"], PLAIN)

    def test_byok_export(self):
        self.bao("write", "transit/keys/src", "exportable=true", "allow_plaintext_backup=true")
        made = self.write("transit/encrypt/src", "plaintext=" + PLAIN)["ciphertext"]
        pem = self.json("read", "transit/wrapping_key")["data"]["public_key"]
        self.bao("write", "transit/keys/dest/import", "type=rsa-4096", f"public_key=@{self.file('wrap.pem', pem.encode())}")
        blob = self.json("read", "transit/byok-export/dest/src/1")["data"]["keys"]["1"]
        self.bao("write", "transit/keys/moved/import", "type=aes256-gcm96", f"ciphertext=@{self.file('blob', blob.encode())}")
        self.assertEqual(self.write("transit/decrypt/moved", "ciphertext=" + made)["plaintext"], PLAIN)

    def test_path_help(self):
        for path in ("transit", "transit/keys/x", "transit/encrypt/x", "sys/mounts", "auth/token/create"):
            self.assertTrue(self.bao("path-help", path).strip(), path)


class Import(Cli):
    """The client wraps the key itself, with the server's wrapping key (RSA-OAEP, AES-KWP)."""

    def test_symmetric(self):
        keys = [os.urandom(32), os.urandom(32)]
        self.bao("transit", "import", "transit/keys/i", servers.b64(keys[0]), "type=aes256-gcm96", "exportable=true", "allow_rotation=true")
        self.bao("transit", "import-version", "transit/keys/i", servers.b64(keys[1]))
        data = self.json("read", "transit/keys/i")["data"]
        self.assertEqual((data["imported_key"], data["imported_key_allow_rotation"], data["latest_version"]), (True, True, 2))
        self.assertEqual(self.json("read", "transit/export/encryption-key/i")["data"]["keys"],
                         {"1": servers.b64(keys[0]), "2": servers.b64(keys[1])})
        made = self.write("transit/encrypt/i", "plaintext=" + PLAIN)["ciphertext"]
        self.assertEqual(self.write("transit/decrypt/i", "ciphertext=" + made)["plaintext"], PLAIN)
        self.bao("write", "-f", "transit/keys/i/rotate")
        self.assertIn("Code: 500", self.refused(3, "transit", "import-version", "transit/keys/i", servers.b64(bytes(24))))

    def test_from_file(self):
        path = self.file("key.b64", servers.b64(os.urandom(32)).encode())
        self.bao("transit", "import", "transit/keys/f", "@" + path, "type=chacha20-poly1305")
        self.assertIn("Code: 500", self.refused(2, "write", "-f", "transit/keys/f/rotate"))
        self.assertIn("Code: 500", self.refused(3, "transit", "import", "transit/keys/f", "@" + path, "type=chacha20-poly1305"))

    def test_private_keys(self):
        for kind, options in (("ecdsa-p256", ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"]),
                              ("rsa-2048", ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"]), ("ed25519", ["ED25519"])):
            with self.subTest(kind):
                der = subprocess.run(["openssl", "genpkey", "-algorithm", *options, "-outform", "DER"], check=True, capture_output=True).stdout
                der = subprocess.run(["openssl", "pkcs8", "-topk8", "-nocrypt", "-inform", "DER", "-outform", "DER"], input=der,
                                     check=True, capture_output=True).stdout
                self.bao("transit", "import", "transit/keys/p-" + kind, servers.b64(der), "type=" + kind)
                made = self.write(f"transit/sign/p-{kind}", "input=" + PLAIN)["signature"]
                self.assertTrue(self.write(f"transit/verify/p-{kind}", "input=" + PLAIN, "signature=" + made)["valid"])
                if kind == "ed25519":
                    self.verify_outside(der, made)

    def verify_outside(self, der, signature):
        """OpenSSL takes what Bulla signed with the imported key."""
        private = self.file("ed.der", der)
        public = os.path.join(self.folder, "ed.pub")
        subprocess.run(["openssl", "pkey", "-inform", "DER", "-in", private, "-pubout", "-out", public], check=True, capture_output=True)
        subprocess.run(["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", public,
                        "-in", self.file("text", base64.b64decode(PLAIN)),
                        "-sigfile", self.file("sig", base64.b64decode(signature.split(":")[2]))], check=True, capture_output=True)


class System(Cli):
    def test_secrets(self):
        self.bao("secrets", "enable", "-path=m1", "-description=one", "-default-lease-ttl=1h", "transit")
        listed = json.loads(self.bao("secrets", "list", "-format=json"))
        self.assertEqual((listed["m1/"]["type"], listed["m1/"]["config"]["default_lease_ttl"]), ("transit", 3600))
        self.assertIn("m1/", self.bao("secrets", "list", "-detailed"))
        self.bao("secrets", "tune", "-max-lease-ttl=2h", "m1/")
        self.bao("write", "-f", "m1/keys/k")
        made = self.write("m1/encrypt/k", "plaintext=" + PLAIN)["ciphertext"]
        self.bao("secrets", "move", "m1/", "m2/")
        self.assertEqual(self.write("m2/decrypt/k", "ciphertext=" + made)["plaintext"], PLAIN)
        self.refused(2, "secrets", "enable", "-path=m2", "transit")
        self.bao("secrets", "disable", "m2/")
        self.refused(2, "read", "m2/keys/k")

    def test_tokens(self):
        auth = json.loads(self.bao("token", "create", "-format=json", "-policy=default", "-ttl=1h", "-display-name=x"))["auth"]
        token = auth["client_token"]
        self.assertEqual(json.loads(self.bao("token", "lookup", "-format=json", token))["data"]["display_name"], "token-x")
        self.assertEqual(json.loads(self.bao("token", "lookup", "-format=json", token=token))["data"]["policies"], ["default"])
        self.bao("token", "lookup", "-accessor", auth["accessor"])
        self.bao("token", "renew", "-increment=30m", token)
        self.bao("token", "renew", token=token)
        self.assertIn("Code: 403", self.refused(2, "list", "transit/keys", token=token))
        self.bao("token", "revoke", "-accessor", auth["accessor"])
        self.assertIn("Code: 403", self.refused(2, "token", "lookup", token=token))
        token = self.bao("token", "create", "-field=token", "-orphan", "-period=30m", "-policy=default")
        self.bao("token", "revoke", "-self", token=token)
        self.refused(2, "token", "lookup", token)

    def test_login(self):
        self.bao("login", "-no-store", "root")
        self.refused(2, "login", "-no-store", "nosuch")

    def test_wrapping(self):
        self.bao("write", "-f", "transit/keys/w")
        wrapped = json.loads(self.bao("write", "-format=json", "-wrap-ttl=5m", "transit/encrypt/w", "plaintext=" + PLAIN))["wrap_info"]
        self.assertEqual(wrapped["ttl"], 300)
        inside = json.loads(self.bao("unwrap", "-format=json", wrapped["token"]))["data"]
        self.assertEqual(self.write("transit/decrypt/w", "ciphertext=" + inside["ciphertext"])["plaintext"], PLAIN)
        self.refused(2, "unwrap", wrapped["token"])
        wrapped = self.bao("token", "create", "-field=wrapping_token", "-wrap-ttl=60s", "-policy=default")
        token = self.bao("unwrap", "-field=token", token=wrapped)
        self.assertIn("default", self.bao("token", "lookup", token=token))
        wrapped = json.loads(self.bao("write", "-format=json", "-wrap-ttl=60", "sys/wrapping/wrap", "card=4111"))["wrap_info"]["token"]
        self.assertEqual(self.write("sys/wrapping/lookup", "token=" + wrapped)["creation_path"], "sys/wrapping/wrap")
        again = json.loads(self.bao("write", "-format=json", "sys/wrapping/rewrap", "token=" + wrapped))["wrap_info"]["token"]
        self.assertEqual(self.write("sys/wrapping/unwrap", "token=" + again), {"card": "4111"})

    def test_operator(self):
        self.assertEqual(json.loads(self.bao("status", "-format=json"))["sealed"], False)
        term = json.loads(self.bao("operator", "key-status", "-format=json"))["term"]
        self.bao("operator", "rotate")
        self.assertEqual(json.loads(self.bao("operator", "key-status", "-format=json"))["term"], term + 1)


class Seal(Cli):
    @classmethod
    def setUpClass(cls):
        cls.folder = servers.tempfile.mkdtemp(prefix="bulla-test-")
        cls.addClassCleanup(servers.shutil.rmtree, cls.folder)
        port = servers.free_port()
        text = servers.config_text(port, os.path.join(cls.folder, "b.db"), seal_key=None)
        cls.server = servers.bulla_config(cls.folder, text, port, token="").start()
        cls.addClassCleanup(cls.server.close)

    def test_whole_way(self):
        self.refused(2, "status")
        self.refused(2, "operator", "init", "-status")
        made = json.loads(self.bao("operator", "init", "-format=json", "-key-shares=3", "-key-threshold=2"))
        self.bao("operator", "init", "-status")
        shares, token = made["unseal_keys_b64"], made["root_token"]
        self.bao("operator", "unseal", shares[0])
        self.refused(2, "status")
        self.bao("operator", "unseal", "-reset")
        self.bao("operator", "unseal", shares[2])
        self.assertFalse(json.loads(self.bao("operator", "unseal", "-format=json", shares[0]))["sealed"])
        self.bao("status")
        self.refused(2, "operator", "seal", token="nosuch")
        self.assertIn("sealed", self.bao("operator", "seal", token=token))
        self.refused(2, "status")
        self.assertIn("Code: 503", self.refused(2, "secrets", "list", token=token))
        for share in made["unseal_keys_hex"][1:]:
            self.bao("operator", "unseal", share)
        self.bao("secrets", "list", token=token)


if __name__ == "__main__":
    unittest.main()
