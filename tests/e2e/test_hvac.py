"""hvac, an unmodified Vault client, over HTTP and HTTPS."""
import os
import sys
import unittest

import hvac

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import servers  # noqa: E402

PLAIN = servers.b64("4111111111111111")


class Hvac(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = servers.bulla_dev().start()
        cls.client = hvac.Client(url=cls.server.url, token="root")
        cls.mount(cls)

    @classmethod
    def tearDownClass(cls):
        cls.client.adapter.close()
        cls.server.close()

    def mount(self):
        self.client.sys.enable_secrets_engine("transit", path="transit")
        self.transit = self.client.secrets.transit

    def test_status(self):
        self.assertTrue(self.client.is_authenticated())
        self.assertTrue(self.client.sys.is_initialized())
        self.assertFalse(self.client.sys.is_sealed())
        self.assertEqual(self.client.sys.read_health_status(method="GET")["sealed"], False)
        self.assertIn("transit/", self.client.sys.list_mounted_secrets_engines()["data"])

    def test_keys(self):
        for kind in ("aes128-gcm96", "aes256-gcm96", "chacha20-poly1305", "xchacha20-poly1305"):
            with self.subTest(kind):
                name = "h-" + kind
                self.client.write_data(f"transit/keys/{name}", data={"type": kind, "exportable": True})  # hvac knows two
                self.assertEqual(self.transit.read_key(name)["data"]["type"], kind)
                self.assertIn(name, self.transit.list_keys()["data"]["keys"])
                self.transit.rotate_key(name)
                self.assertEqual(self.transit.read_key(name)["data"]["latest_version"], 2)
                self.assertEqual(set(self.transit.export_key(name, "encryption-key")["data"]["keys"]), {"1", "2"})
                self.transit.update_key_configuration(name, min_decryption_version=2, deletion_allowed=True)
                self.client.write_data(f"transit/keys/{name}/config", data={"min_encryption_version": 2})
                self.transit.trim_key(name, 2)
                self.assertEqual(self.transit.read_key(name)["data"]["min_available_version"], 2)
                self.transit.delete_key(name)
                with self.assertRaises(hvac.exceptions.InvalidPath):
                    self.transit.read_key(name)

    def test_encrypt(self):
        self.transit.create_key("e")
        first = self.transit.encrypt_data("e", plaintext=PLAIN)["data"]["ciphertext"]
        self.transit.rotate_key("e")
        self.assertEqual(self.transit.decrypt_data("e", ciphertext=first)["data"]["plaintext"], PLAIN)
        second = self.transit.rewrap_data("e", ciphertext=first)["data"]["ciphertext"]
        self.assertTrue(second.startswith("vault:v2:"))
        with self.assertRaises(hvac.exceptions.InvalidRequest):
            self.transit.decrypt_data("e", ciphertext=second[:-4] + "AAA=")

    def test_batch(self):
        self.transit.create_key("b")
        answer = self.transit.encrypt_data("b", plaintext="", batch_input=[{"plaintext": PLAIN}] * 3)
        back = [{"ciphertext": r["ciphertext"]} for r in answer["data"]["batch_results"]]
        answer = self.transit.decrypt_data("b", ciphertext="", batch_input=back)
        self.assertEqual([r["plaintext"] for r in answer["data"]["batch_results"]], [PLAIN] * 3)

    def test_tokens(self):
        made = self.client.auth.token.create(policies=["default"], ttl="1h", num_uses=0, display_name="hvac")["auth"]
        other = hvac.Client(url=self.client.url, token=made["client_token"], verify=self.client.adapter._kwargs["verify"])
        self.addCleanup(other.adapter.close)
        self.assertEqual(other.auth.token.lookup_self()["data"]["policies"], ["default"])
        self.assertTrue(other.auth.token.renew_self()["auth"]["renewable"])
        with self.assertRaises(hvac.exceptions.Forbidden):
            other.secrets.transit.read_key("e")
        self.assertEqual(self.client.auth.token.lookup_accessor(made["accessor"])["data"]["display_name"], "token-hvac")
        self.client.auth.token.revoke_accessor(made["accessor"])
        with self.assertRaises(hvac.exceptions.Forbidden):
            other.auth.token.lookup_self()

    def test_mounts(self):
        self.client.sys.enable_secrets_engine("transit", path="second", description="another")
        self.client.secrets.transit.create_key("k", mount_point="second")
        with self.assertRaises(hvac.exceptions.InvalidRequest):
            self.client.sys.enable_secrets_engine("transit", path="second")
        self.client.sys.tune_mount_configuration("second", default_lease_ttl="1h")
        self.assertEqual(self.client.sys.read_mount_configuration("second")["data"]["default_lease_ttl"], 3600)
        self.client.sys.disable_secrets_engine("second")
        with self.assertRaises(hvac.exceptions.InvalidPath):
            self.client.secrets.transit.read_key("k", mount_point="second")

    def test_errors(self):
        with self.assertRaises(hvac.exceptions.InvalidRequest):
            self.client.write_data("transit/keys/bad", data={"type": "nosuch"})
        with self.assertRaises(hvac.exceptions.InvalidPath):
            self.client.read("transit/nosuch/k") or self.transit.read_key("nosuch")
        with self.assertRaises(hvac.exceptions.InvalidRequest):
            self.transit.encrypt_data("e2", plaintext="not base64!")


class HvacTls(Hvac):
    """The same over HTTPS; initialised and sealed through hvac as well."""

    @classmethod
    def setUpClass(cls):
        cls.folder = servers.tempfile.mkdtemp(prefix="bulla-test-")
        f = cls.folder
        servers.certificates(f)
        port = servers.free_port()
        text = servers.config_text(port, f"{f}/b.db", seal_key=None,
                                   listener=f'tls_cert_file = "{f}/server.pem"\n  tls_key_file = "{f}/server.key"')
        cls.server = servers.bulla_config(f, text, port, context=servers.tls_context(f)).start()
        cls.client = hvac.Client(url=cls.server.url, verify=f"{f}/ca.pem")
        made = cls.client.sys.initialize(3, 2)
        cls.shares = made["keys"]
        cls.client.sys.submit_unseal_keys(cls.shares[:2])
        cls.client.token = made["root_token"]
        cls.mount(cls)

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        servers.shutil.rmtree(cls.folder)

    def test_seal(self):
        self.client.sys.seal()
        self.assertTrue(self.client.sys.is_sealed())
        with self.assertRaises(hvac.exceptions.VaultDown):
            self.transit.list_keys()
        self.client.sys.submit_unseal_key(self.shares[2])
        self.client.sys.submit_unseal_key(reset=True)
        self.client.sys.submit_unseal_keys(self.shares[1:])
        self.assertFalse(self.client.sys.is_sealed())


if __name__ == "__main__":
    unittest.main()
