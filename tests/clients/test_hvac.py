"""hvac, unmodified: each public method of its transit class, and what it calls under sys/ and auth/token/; over HTTP and HTTPS."""
import base64
import hashlib
import inspect
import json
import os
import re
import sys
import unittest

import hvac
from hvac.api.auth_methods.token import Token
from hvac.api.secrets_engines.transit import Transit

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import servers  # noqa: E402

PLAIN = servers.b64("4111111111111111")
CONTEXT = servers.b64("tenant 7")
OTHER = servers.b64("tenant 8")
SIGNERS = ("ed25519", "ecdsa-p256", "ecdsa-p384", "ecdsa-p521", "rsa-2048", "rsa-3072", "rsa-4096")
HASHES = ("sha2-224", "sha2-256", "sha2-384", "sha2-512")


class Recorder:
    """Passes all through to hvac's transit class and remembers which of its methods were called."""

    called = set()

    def __init__(self, transit):
        self.transit = transit

    def __getattr__(self, name):
        value = getattr(self.transit, name)
        if callable(value):
            self.called.add(name)
        return value


def public_methods():
    return {n for n, _ in inspect.getmembers(Transit, inspect.isfunction) if not n.startswith("_") and n in vars(Transit)}


class Base(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = servers.bulla_dev().start()
        cls.client = hvac.Client(url=cls.server.url, token="root")
        cls.prepare()

    @classmethod
    def prepare(cls):
        cls.client.sys.enable_secrets_engine("transit", path="transit")
        cls.transit = Recorder(cls.client.secrets.transit)

    @classmethod
    def tearDownClass(cls):
        cls.client.adapter.close()
        cls.server.close()

    def another(self, token):
        client = hvac.Client(url=self.client.url, token=token, verify=self.client.adapter._kwargs["verify"])
        self.addCleanup(client.adapter.close)
        return client


class TransitMethods(Base):
    signers = SIGNERS

    @classmethod
    def setUpClass(cls):
        Recorder.called.clear()
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        left = public_methods() - Recorder.called
        if left:
            raise AssertionError(f"methods of hvac's transit class that no test calls: {sorted(left)}")

    def test_create_and_read(self):
        for kind in ("aes256-gcm96", "chacha20-poly1305") + self.signers:
            with self.subTest(kind):
                self.transit.create_key(f"c-{kind}", key_type=kind, exportable=True, allow_plaintext_backup=True)
                data = self.transit.read_key(f"c-{kind}")["data"]
                self.assertEqual((data["type"], data["latest_version"], data["exportable"]), (kind, 1, True))
                self.assertEqual(data["supports_signing"], kind in SIGNERS)
                if kind in SIGNERS:
                    self.assertTrue(data["keys"]["1"]["public_key"])
        self.assertIn("c-ed25519", self.transit.list_keys()["data"]["keys"])
        with self.assertRaises(hvac.exceptions.ParamValidationError):
            self.transit.create_key("c", key_type="nosuch")
        with self.assertRaises(hvac.exceptions.InvalidRequest):
            self.client.write_data("transit/keys/c", data={"type": "nosuch"})

    def test_configuration(self):
        self.transit.create_key("cfg", auto_rotate_period="24h")
        self.assertEqual(self.transit.read_key("cfg")["data"]["auto_rotate_period"], 86400)
        self.transit.rotate_key("cfg")
        self.transit.rotate_key("cfg")
        self.transit.update_key_configuration("cfg", min_decryption_version=2, min_encryption_version=3, deletion_allowed=True,
                                              exportable=True, allow_plaintext_backup=True, auto_rotate_period="0")
        data = self.transit.read_key("cfg")["data"]
        self.assertEqual((data["min_decryption_version"], data["min_encryption_version"], data["latest_version"]), (2, 3, 3))
        self.assertEqual((data["deletion_allowed"], data["exportable"], data["allow_plaintext_backup"]), (True, True, True))
        self.assertEqual(data["auto_rotate_period"], 0)
        self.transit.trim_key("cfg", 2)
        self.assertEqual(set(self.transit.read_key("cfg")["data"]["keys"]), {"2", "3"})
        with self.assertRaises(hvac.exceptions.InvalidRequest):
            self.transit.trim_key("cfg", 3)
        self.transit.delete_key("cfg")
        with self.assertRaises(hvac.exceptions.InvalidPath):
            self.transit.read_key("cfg")
        self.transit.create_key("kept")
        with self.assertRaises(hvac.exceptions.InvalidRequest):
            self.transit.delete_key("kept")

    def test_encrypt(self):
        self.transit.create_key("e")
        old = self.transit.encrypt_data("e", plaintext=PLAIN)["data"]["ciphertext"]
        self.transit.rotate_key("e")
        self.assertTrue(self.transit.encrypt_data("e", plaintext=PLAIN, key_version=1)["data"]["ciphertext"].startswith("vault:v1:"))
        self.assertEqual(self.transit.decrypt_data("e", ciphertext=old)["data"]["plaintext"], PLAIN)
        new = self.transit.rewrap_data("e", ciphertext=old)["data"]["ciphertext"]
        self.assertTrue(new.startswith("vault:v2:"))
        self.assertEqual(self.transit.decrypt_data("e", ciphertext=new)["data"]["plaintext"], PLAIN)
        bound = self.transit.encrypt_data("e", plaintext=PLAIN, associated_data=CONTEXT)["data"]["ciphertext"]
        self.assertEqual(self.transit.decrypt_data("e", ciphertext=bound, associated_data=CONTEXT)["data"]["plaintext"], PLAIN)
        for aad in (None, OTHER):
            with self.assertRaises(hvac.exceptions.InvalidRequest):
                self.transit.decrypt_data("e", ciphertext=bound, associated_data=aad)
        with self.assertRaises(hvac.exceptions.InvalidRequest):
            self.transit.encrypt_data("e", plaintext="not base64!")

    def test_derived(self):
        self.transit.create_key("d", derived=True, convergent_encryption=True)
        one = self.transit.encrypt_data("d", plaintext=PLAIN, context=CONTEXT)["data"]["ciphertext"]
        self.assertEqual(self.transit.encrypt_data("d", plaintext=PLAIN, context=CONTEXT)["data"]["ciphertext"], one)
        self.assertNotEqual(self.transit.encrypt_data("d", plaintext=PLAIN, context=OTHER)["data"]["ciphertext"], one)
        self.assertEqual(self.transit.decrypt_data("d", ciphertext=one, context=CONTEXT)["data"]["plaintext"], PLAIN)
        self.transit.rotate_key("d")
        self.assertTrue(self.transit.rewrap_data("d", ciphertext=one, context=CONTEXT)["data"]["ciphertext"].startswith("vault:v2:"))
        with self.assertRaises(hvac.exceptions.InvalidRequest):
            self.transit.decrypt_data("d", ciphertext=one, context=OTHER)
        with self.assertRaises(hvac.exceptions.InvalidRequest):
            self.transit.encrypt_data("d", plaintext=PLAIN)

    def test_batch(self):
        self.transit.create_key("b")
        items = [{"plaintext": servers.b64(str(i))} for i in range(20)]
        made = self.transit.encrypt_data("b", batch_input=items)["data"]["batch_results"]
        back = self.transit.decrypt_data("b", batch_input=[{"ciphertext": r["ciphertext"]} for r in made])["data"]["batch_results"]
        self.assertEqual([r["plaintext"] for r in back], [i["plaintext"] for i in items])
        self.transit.rotate_key("b")
        new = self.transit.rewrap_data("b", ciphertext="", batch_input=[{"ciphertext": r["ciphertext"]} for r in made])
        self.assertTrue(all(r["ciphertext"].startswith("vault:v2:") for r in new["data"]["batch_results"]))
        with self.assertRaises(hvac.exceptions.InvalidRequest):
            self.transit.decrypt_data("b", batch_input=[{"ciphertext": "vault:v9:AAAA"}])

    def test_rsa_encryption(self):
        self.transit.create_key("rsa", key_type="rsa-2048")
        made = self.transit.encrypt_data("rsa", plaintext=PLAIN)["data"]["ciphertext"]
        self.assertEqual(self.transit.decrypt_data("rsa", ciphertext=made)["data"]["plaintext"], PLAIN)

    def test_data_keys(self):
        self.transit.create_key("dk")
        for bits in (128, 256, 512):
            data = self.transit.generate_data_key("dk", "plaintext", bits=bits)["data"]
            self.assertEqual(len(base64.b64decode(data["plaintext"])) * 8, bits)
            self.assertEqual(self.transit.decrypt_data("dk", ciphertext=data["ciphertext"])["data"]["plaintext"], data["plaintext"])
        self.assertNotIn("plaintext", self.transit.generate_data_key("dk", "wrapped")["data"])

    def test_random(self):
        first = self.transit.generate_random_bytes(n_bytes=48)["data"]["random_bytes"]
        self.assertEqual(len(base64.b64decode(first)), 48)
        self.assertNotEqual(self.transit.generate_random_bytes(n_bytes=48)["data"]["random_bytes"], first)
        self.assertEqual(len(self.transit.generate_random_bytes(n_bytes=16, output_format="hex")["data"]["random_bytes"]), 32)
        self.assertEqual(len(base64.b64decode(self.transit.generate_random_bytes()["data"]["random_bytes"])), 32)

    def test_hash(self):
        for name in HASHES:
            digest = hashlib.new(name.replace("sha2-", "sha"), b"4111111111111111")
            self.assertEqual(self.transit.hash_data(PLAIN, algorithm=name)["data"]["sum"], digest.hexdigest())
            self.assertEqual(self.transit.hash_data(PLAIN, algorithm=name, output_format="base64")["data"]["sum"],
                             servers.b64(digest.digest()))

    def test_hmac(self):
        for kind in ("aes256-gcm96", "ed25519", "rsa-2048"):
            name = f"h-{kind}"
            self.transit.create_key(name, key_type=kind)
            for algorithm in HASHES:
                with self.subTest(kind=kind, algorithm=algorithm):
                    made = self.transit.generate_hmac(name, PLAIN, algorithm=algorithm)["data"]["hmac"]
                    self.assertTrue(made.startswith("vault:v1:"))
                    self.assertTrue(self.valid(name, PLAIN, hmac=made, hash_algorithm=algorithm))
                    self.assertFalse(self.valid(name, CONTEXT, hmac=made, hash_algorithm=algorithm))
        self.transit.rotate_key("h-ed25519")
        self.assertTrue(self.transit.generate_hmac("h-ed25519", PLAIN, key_version=1)["data"]["hmac"].startswith("vault:v1:"))

    def valid(self, name, text, **kw):
        return self.transit.verify_signed_data(name, text, **kw)["data"]["valid"]

    def test_sign(self):
        for kind in self.signers:
            name = f"s-{kind}"
            self.transit.create_key(name, key_type=kind)
            for algorithm in HASHES:
                with self.subTest(kind=kind, algorithm=algorithm):
                    made = self.transit.sign_data(name, PLAIN, hash_algorithm=algorithm)["data"]["signature"]
                    self.assertTrue(self.valid(name, PLAIN, signature=made, hash_algorithm=algorithm))
                    self.assertFalse(self.valid(name, CONTEXT, signature=made, hash_algorithm=algorithm))
            self.transit.rotate_key(name)
            made = self.transit.sign_data(name, PLAIN, key_version=1)["data"]["signature"]
            self.assertTrue(made.startswith("vault:v1:") and self.valid(name, PLAIN, signature=made))

    def test_sign_options(self):
        self.transit.create_key("so-rsa", key_type="rsa-2048")
        self.transit.create_key("so-ec", key_type="ecdsa-p256")
        self.transit.create_key("so-ed", key_type="ed25519", derived=True)
        digest = servers.b64(hashlib.sha256(b"4111111111111111").digest())
        for options in ({"signature_algorithm": "pkcs1v15"}, {"signature_algorithm": "pss", "salt_length": "hash"},
                        {"signature_algorithm": "pss", "salt_length": "20"}, {"signature_algorithm": "pss", "salt_length": "auto"}):
            with self.subTest(**options):
                made = self.transit.sign_data("so-rsa", PLAIN, hash_algorithm="sha2-256", **options)["data"]["signature"]
                self.assertTrue(self.valid("so-rsa", PLAIN, signature=made, hash_algorithm="sha2-256", **options))
                self.assertTrue(self.valid("so-rsa", digest, signature=made, hash_algorithm="sha2-256", prehashed=True, **options))
        for marshaling in ("asn1", "jws"):
            made = self.transit.sign_data("so-ec", digest, hash_algorithm="sha2-256", prehashed=True,
                                          marshaling_algorithm=marshaling)["data"]["signature"]
            self.assertTrue(self.valid("so-ec", PLAIN, signature=made, hash_algorithm="sha2-256", marshaling_algorithm=marshaling))
        made = self.transit.sign_data("so-ed", PLAIN, context=CONTEXT)["data"]["signature"]
        self.assertTrue(self.valid("so-ed", PLAIN, signature=made, context=CONTEXT))
        self.assertFalse(self.valid("so-ed", PLAIN, signature=made, context=OTHER))
        with self.assertRaises(hvac.exceptions.InternalServerError):  # the peer's status
            self.transit.sign_data("so-ed", PLAIN)

    def test_sign_batch(self):
        self.transit.create_key("sb", key_type="ecdsa-p256")
        made = self.transit.sign_data("sb", batch_input=[{"input": PLAIN}, {"input": CONTEXT}])["data"]["batch_results"]
        self.assertTrue(self.valid("sb", PLAIN, signature=made[0]["signature"]))
        self.assertTrue(self.valid("sb", CONTEXT, signature=made[1]["signature"]))
        self.assertFalse(self.valid("sb", CONTEXT, signature=made[0]["signature"]))

    def test_export(self):
        for kind, export in (("aes256-gcm96", "encryption-key"), ("ed25519", "signing-key"), ("rsa-2048", "hmac-key")):
            name = f"x-{kind}"
            self.transit.create_key(name, key_type=kind, exportable=True)
            self.transit.rotate_key(name)
            keys = self.transit.export_key(name, export)["data"]["keys"]
            self.assertEqual(set(keys), {"1", "2"})
            self.assertEqual(self.transit.export_key(name, export, version="latest")["data"]["keys"], {"2": keys["2"]})
            self.assertEqual(self.transit.export_key(name, export, version="1")["data"]["keys"], {"1": keys["1"]})
        self.transit.create_key("closed")
        with self.assertRaises(hvac.exceptions.InvalidRequest):
            self.transit.export_key("closed", "encryption-key")

    def test_backup(self):
        self.transit.create_key("bk", exportable=True, allow_plaintext_backup=True)
        made = self.transit.encrypt_data("bk", plaintext=PLAIN)["data"]["ciphertext"]
        backup = self.transit.backup_key("bk")["data"]["backup"]
        with self.assertRaises(hvac.exceptions.InternalServerError):
            self.transit.restore_key(backup)
        self.transit.restore_key(backup, force=True)
        self.transit.restore_key(backup, name="bk2")
        self.assertEqual(self.transit.decrypt_data("bk2", ciphertext=made)["data"]["plaintext"], PLAIN)
        self.transit.update_key_configuration("bk", deletion_allowed=True)
        self.transit.delete_key("bk")
        self.transit.restore_key(backup)
        self.assertEqual(self.transit.decrypt_data("bk", ciphertext=made)["data"]["plaintext"], PLAIN)
        self.transit.create_key("nobackup")
        with self.assertRaises(hvac.exceptions.InternalServerError):
            self.transit.backup_key("nobackup")


class TransitMethodsTls(TransitMethods):
    """The same over HTTPS, with a Shamir seal that hvac itself set up."""

    signers = ("ed25519", "ecdsa-p256", "rsa-2048")

    @classmethod
    def setUpClass(cls):
        Recorder.called.clear()
        cls.folder = f = servers.tempfile.mkdtemp(prefix="bulla-test-")
        cls.addClassCleanup(servers.shutil.rmtree, f)
        servers.certificates(f)
        port = servers.free_port()
        text = servers.config_text(port, f"{f}/b.db", seal_key=None,
                                   listener=f'tls_cert_file = "{f}/server.pem"\n  tls_key_file = "{f}/server.key"')
        cls.server = servers.bulla_config(f, text, port, context=servers.tls_context(f)).start()
        cls.client = hvac.Client(url=cls.server.url, verify=f"{f}/ca.pem")
        made = cls.client.sys.initialize(3, 2)
        cls.client.sys.submit_unseal_keys(made["keys"][:2])
        cls.client.token = made["root_token"]
        cls.prepare()


class System(Base):
    def test_status(self):
        self.assertTrue(self.client.is_authenticated())
        self.assertEqual(self.client.sys.read_health_status(method="HEAD").status_code, 200)
        self.assertFalse(self.client.sys.read_health_status(method="GET")["sealed"])
        self.assertFalse(self.client.sys.read_seal_status()["sealed"])
        self.assertFalse(self.client.sys.read_leader_status()["ha_enabled"])
        self.assertTrue(self.client.sys.read_init_status()["initialized"])
        before = self.client.sys.get_encryption_key_status()["data"]["term"]
        self.client.sys.rotate_encryption_key()
        self.assertEqual(self.client.sys.get_encryption_key_status()["data"]["term"], before + 1)

    def test_mounts(self):
        s, t = self.client.sys, self.client.secrets.transit
        s.enable_secrets_engine("transit", path="m1", description="one")
        self.assertEqual(s.list_mounted_secrets_engines()["data"]["m1/"]["description"], "one")
        t.create_key("k", mount_point="m1")
        made = t.encrypt_data("k", plaintext=PLAIN, mount_point="m1")["data"]["ciphertext"]
        s.tune_mount_configuration("m1", default_lease_ttl="1h", max_lease_ttl="2h", description="two")
        self.assertEqual(s.read_mount_configuration("m1")["data"]["default_lease_ttl"], 3600)
        s.move_backend("m1", "m2")
        self.assertEqual(t.decrypt_data("k", ciphertext=made, mount_point="m2")["data"]["plaintext"], PLAIN)
        with self.assertRaises(hvac.exceptions.InvalidRequest):
            s.enable_secrets_engine("transit", path="m2")
        s.disable_secrets_engine("m2")
        with self.assertRaises(hvac.exceptions.InvalidPath):
            t.read_key("k", mount_point="m2")

    def test_policies(self):
        """Both of hvac's places for policies, what they let a token do, and how it asks about that."""
        s = self.client.sys
        text = 'path "transit/keys/seen" { capabilities = ["read"] }'
        s.create_or_update_acl_policy("hvac-new", text)
        s.create_or_update_policy("hvac-old", {"path": {"transit/encrypt/seen": {"capabilities": ["update"], "required_parameters": ["context"]}}})
        self.assertEqual(s.read_acl_policy("hvac-new")["data"]["policy"], text)
        self.assertIn("required_parameters", s.read_policy("hvac-old")["data"]["rules"])
        self.assertEqual({"hvac-new", "hvac-old", "default", "root"} - set(s.list_acl_policies()["data"]["keys"]), set())
        self.assertIn("hvac-old", s.list_policies()["data"]["policies"])
        with self.assertRaisesRegex(hvac.exceptions.InvalidRequest, "failed to parse policy: At 1:1: "):
            s.create_or_update_acl_policy("hvac-bad", "nonsense = 1")
        self.client.secrets.transit.create_key("seen")
        made = self.client.auth.token.create(policies=["hvac-new", "hvac-old"], ttl="1h")["auth"]
        other = self.another(made["client_token"])
        self.assertEqual(other.secrets.transit.read_key("seen")["data"]["name"], "seen")
        with self.assertRaises(hvac.exceptions.Forbidden):
            other.secrets.transit.encrypt_data("seen", "aGk=")
        other.secrets.transit.encrypt_data("seen", "aGk=", context="aGk=")
        self.assertEqual(other.sys.get_capabilities(["transit/keys/seen"])["data"]["capabilities"], ["read"])
        self.assertEqual(s.get_capabilities(["transit/encrypt/seen"], token=made["client_token"])["data"]["capabilities"], ["update"])
        self.assertEqual(s.get_capabilities(["x"], accessor=made["accessor"])["data"]["capabilities"], ["deny"])
        s.delete_acl_policy("hvac-new")
        s.delete_policy("hvac-old")
        with self.assertRaises(hvac.exceptions.Forbidden):
            other.secrets.transit.read_key("seen")
        with self.assertRaises(hvac.exceptions.InvalidPath):
            s.read_acl_policy("hvac-new")

    def test_every_token_call(self):
        """Each public method of hvac's token class is called by this test or by test_tokens, both of this class."""
        source = "".join(inspect.getsource(getattr(type(self), name)) for name in ("test_tokens", "test_token_roles", "test_batch_tokens"))
        methods = {n for n, _ in inspect.getmembers(Token, inspect.isfunction) if not n.startswith("_") and n in vars(Token)}
        self.assertEqual({n for n in methods if not re.search(r"\b" + n + r"\(", source)}, set())

    def test_token_roles(self):
        tokens = self.client.auth.token
        tokens.create_or_update_role("nightly", allowed_policies=["default"], orphan=True, renewable=True, path_suffix="rev1",
                                     token_period="1h")
        role = tokens.read_role("nightly")["data"]
        self.assertEqual((role["allowed_policies"], role["orphan"], role["token_period"]), (["default"], True, 3600))
        self.assertIn("nightly", tokens.list_roles()["data"]["keys"])
        made = tokens.create(role_name="nightly")["auth"]
        self.assertEqual((made["orphan"], made["lease_duration"]), (True, 3600))
        self.assertEqual(tokens.lookup(made["client_token"])["data"]["path"], "auth/token/create/nightly/rev1")
        with self.assertRaisesRegex(hvac.exceptions.InvalidRequest, "must be subset of the role's allowed policies"):
            tokens.create(role_name="nightly", policies=["root"])
        tokens.delete_role("nightly")
        with self.assertRaises(hvac.exceptions.InvalidPath):
            tokens.read_role("nightly")

    def test_batch_tokens(self):
        tokens = self.client.auth.token
        made = tokens.create(policies=["default"], type="batch", ttl="1h")["auth"]
        self.assertEqual((made["accessor"], made["token_type"], made["renewable"]), ("", "batch", False))
        other = self.another(made["client_token"])
        self.assertEqual(other.auth.token.lookup_self()["data"]["type"], "batch")
        with self.assertRaisesRegex(hvac.exceptions.InvalidRequest, "batch tokens cannot be revoked"):
            tokens.revoke(made["client_token"])
        with self.assertRaisesRegex(hvac.exceptions.InvalidRequest, "batch tokens cannot be renewed"):
            other.auth.token.renew_self()
        parent = tokens.create(policies=["root"], ttl="1h")["auth"]
        child = self.another(parent["client_token"]).auth.token.create(policies=["default"], type="batch")["auth"]
        self.another(child["client_token"]).auth.token.lookup_self()
        tokens.revoke_and_orphan_children(parent["client_token"])
        with self.assertRaises(hvac.exceptions.Forbidden):
            self.another(child["client_token"]).auth.token.lookup_self()
        self.assertIn("successfully started", tokens.tidy().json()["warnings"][0])

    def test_tokens(self):
        tokens = self.client.auth.token
        made = tokens.create(policies=["default"], ttl="1h", renewable=True, display_name="hvac", meta={"a": "b"})["auth"]
        self.assertEqual(tokens.lookup(made["client_token"])["data"]["meta"], {"a": "b"})
        self.assertEqual(tokens.lookup_accessor(made["accessor"])["data"]["display_name"], "token-hvac")
        self.assertIn(made["accessor"], tokens.list_accessors()["data"]["keys"])
        other = self.another(made["client_token"])
        self.assertEqual(other.auth.token.lookup_self()["data"]["policies"], ["default"])
        self.assertEqual(other.auth.token.renew_self(increment="30m")["auth"]["lease_duration"], 1800)
        self.assertEqual(tokens.renew(made["client_token"], increment="20m")["auth"]["lease_duration"], 1200)
        self.assertEqual(tokens.renew_accessor(made["accessor"], increment="10m")["auth"]["lease_duration"], 600)
        with self.assertRaises(hvac.exceptions.Forbidden):
            other.secrets.transit.list_keys()
        orphan = tokens.create_orphan(policies=["default"])["auth"]
        self.assertTrue(orphan["orphan"])
        tokens.revoke(orphan["client_token"])
        other.auth.token.revoke_self()
        for gone in (made, orphan):
            with self.assertRaises(hvac.exceptions.Forbidden):
                self.another(gone["client_token"]).auth.token.lookup_self()
        third = tokens.create(policies=["default"])["auth"]
        tokens.revoke_accessor(third["accessor"])
        with self.assertRaises(hvac.exceptions.Forbidden):
            tokens.lookup(third["client_token"])

    def test_uses(self):
        token = self.client.auth.token.create(policies=["default"], num_uses=2)["auth"]["client_token"]
        other = self.another(token)
        other.auth.token.lookup_self()
        other.auth.token.lookup_self()
        with self.assertRaises(hvac.exceptions.Forbidden):
            other.auth.token.lookup_self()

    def test_wrapping(self):
        wrapped = self.client.sys.wrap(payload={"card": "4111"}, ttl=300)["wrap_info"]
        self.assertEqual(wrapped["ttl"], 300)
        self.assertEqual(self.client.sys.unwrap(wrapped["token"])["data"], {"card": "4111"})
        with self.assertRaises(hvac.exceptions.InvalidRequest):
            self.client.sys.unwrap(wrapped["token"])
        wrapped = self.client.sys.wrap(payload={"card": "4222"})["wrap_info"]
        self.assertEqual(self.another(wrapped["token"]).sys.unwrap()["data"], {"card": "4222"})
        wrapped = self.client.auth.token.create(policies=["default"], wrap_ttl="60s")
        self.assertIsNone(wrapped["auth"])
        inside = self.client.sys.unwrap(wrapped["wrap_info"]["token"])["auth"]
        self.assertEqual(self.another(inside["client_token"]).auth.token.lookup_self()["data"]["policies"], ["default"])

    def test_help(self):
        answer = self.client.adapter.get("/v1/transit?help=1")
        self.assertTrue((answer if isinstance(answer, dict) else json.loads(answer.text))["help"])


class Called:
    """Passes all through to one of hvac's classes; left_out says which of its methods nobody called."""

    def __init__(self, api):
        self.api, self.names = api, set()

    def __getattr__(self, name):
        self.names.add(name)
        return getattr(self.api, name)

    def left_out(self):
        own = vars(type(self.api))
        return sorted(n for n in own if not n.startswith("_") and callable(own[n]) and n not in self.names)


class AuthMethods(Base):
    @classmethod
    def prepare(cls):
        cls.client.sys.enable_auth_method("approle")
        cls.client.sys.enable_auth_method("userpass")

    def test_approle(self):
        api = Called(self.client.auth.approle)
        api.create_or_update_approle("web", token_policies=["default"], token_ttl="1h", secret_id_num_uses=2, secret_id_ttl="10m",
                                     token_type="service", enable_local_secret_ids=False)
        self.assertEqual(api.list_roles()["data"]["keys"], ["web"])
        role = api.read_role("web")["data"]
        self.assertEqual((role["token_policies"], role["token_ttl"], role["secret_id_ttl"]), (["default"], 3600, 600))
        api.update_role_id("web", "web-role")
        self.assertEqual(api.read_role_id("web")["data"]["role_id"], "web-role")
        made = api.generate_secret_id("web", metadata={"host": "web1"}, cidr_list=["127.0.0.0/8"])["data"]
        self.assertEqual(api.list_secret_id_accessors("web")["data"]["keys"], [made["secret_id_accessor"]])
        self.assertEqual(api.read_secret_id("web", made["secret_id"])["data"]["metadata"], {"host": "web1"})
        self.assertEqual(api.read_secret_id_accessor("web", made["secret_id_accessor"])["data"]["secret_id_num_uses"], 2)
        for _ in range(2):
            auth = api.login("web-role", made["secret_id"], use_token=False)["auth"]
        self.assertEqual(auth["metadata"], {"host": "web1", "role_name": "web"})
        own = self.another(auth["client_token"]).auth.token
        self.assertEqual(own.lookup_self()["data"]["display_name"], "approle")
        self.assertEqual(own.renew_self()["auth"]["lease_duration"], 3600)
        with self.assertRaises(hvac.exceptions.InvalidRequest):
            api.login("web-role", made["secret_id"], use_token=False)
        api.create_custom_secret_id("web", "chosen")
        api.destroy_secret_id("web", "chosen")
        accessor = api.generate_secret_id("web")["data"]["secret_id_accessor"]
        api.destroy_secret_id_accessor("web", accessor)
        wrapped = api.generate_secret_id("web", wrap_ttl="60s")["wrap_info"]["token"]
        secret_id = self.client.sys.unwrap(wrapped)["data"]["secret_id"]
        self.assertTrue(api.login("web-role", secret_id, use_token=False)["auth"]["client_token"])
        api.delete_role("web")
        with self.assertRaises(hvac.exceptions.InvalidPath):
            api.read_role("web")
        with self.assertRaises(hvac.exceptions.InternalServerError):
            own.renew_self()
        self.assertEqual(api.left_out(), [])

    def test_userpass(self):
        api = Called(self.client.auth.userpass)
        api.create_or_update_user("Alice", password="one", policies=["default"], token_ttl="30m")
        self.assertEqual(api.list_user()["data"]["keys"], ["alice"])
        self.assertEqual(api.read_user("alice")["data"]["token_ttl"], 1800)
        auth = api.login("alice", "one", use_token=False)["auth"]
        self.assertEqual((auth["metadata"], auth["lease_duration"]), ({"username": "alice"}, 1800))
        api.update_password_on_user("alice", "two")
        with self.assertRaises(hvac.exceptions.InvalidRequest):
            api.login("alice", "one", use_token=False)
        other = self.another(None)
        other.auth.userpass.login("alice", "two")
        self.assertEqual(other.auth.token.lookup_self()["data"]["display_name"], "userpass-alice")
        api.delete_user("alice")
        with self.assertRaises(hvac.exceptions.InvalidPath):
            api.read_user("alice")
        self.assertEqual(api.left_out(), [])


if __name__ == "__main__":
    unittest.main()
