"""OpenBao's own `seal "transit"`: a real bao server (raft storage) that Bulla unseals. Start, restart, outage, revoked token, rotated key."""
import json
import os
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import servers  # noqa: E402

BAO = os.path.join(os.path.dirname(sys.executable), "bao")
KEY = "unseal"
CONFIG = """
storage "raft" {{
  path = "{folder}/raft"
  node_id = "one"
}}
listener "tcp" {{
  address = "127.0.0.1:{port}"
  cluster_address = "127.0.0.1:{cluster_port}"
  tls_disable = true
}}
seal "transit" {{
  address = "{url}"
  token = "{token}"
  mount_path = "transit/"
  key_name = "unseal"
  {tls}
}}
api_addr = "http://127.0.0.1:{port}"
cluster_addr = "http://127.0.0.1:{cluster_port}"
disable_mlock = true
"""


def wait(what, seconds=180):
    """what() until it gives something true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            got = what()
        except OSError:
            got = None
        if got:
            return got
        time.sleep(0.2)
    raise AssertionError(f"{what.__name__}: not within {seconds} s")


class AutoUnseal(unittest.TestCase):
    """Bulla with a file and a static seal, so that it can go away and come back as it was."""

    tls = False

    def setUp(self):
        self.folder = servers.tempfile.mkdtemp(prefix="bulla-test-")
        self.addCleanup(servers.shutil.rmtree, self.folder, ignore_errors=True)
        os.mkdir(os.path.join(self.folder, "raft"))
        port = servers.free_port()
        f, listener, context = self.folder, "tls_disable = true", None
        if self.tls:
            servers.certificates(f)
            listener = f'tls_cert_file = "{f}/server.pem"\n  tls_key_file = "{f}/server.key"'
            context = servers.tls_context(f)
        text = servers.config_text(port, f"{f}/b.db", listener=listener)
        self.bulla = servers.bulla_config(f, text, port, context=context).start()
        self.addCleanup(self.bulla.close)
        made = self.bulla.request("PUT", "sys/init", {"recovery_shares": 1, "recovery_threshold": 1}, token=None)
        self.bulla.token = made.json["root_token"]
        self.bulla.post("sys/mounts/transit", {"type": "transit"})
        self.bulla.post("transit/keys/" + KEY)
        auth = self.bulla.post("auth/token/create-orphan", {"policies": ["root"], "period": "24h", "display_name": "seal"}).json["auth"]
        self.token, self.accessor = auth["client_token"], auth["accessor"]
        self.configure()

    def configure(self):
        port, cluster_port = servers.free_port(), servers.free_port()
        path = os.path.join(self.folder, "bao.hcl")
        tls = f'tls_ca_cert = "{self.folder}/ca.pem"' if self.tls else ""
        with open(path, "w") as f:
            f.write(CONFIG.format(folder=self.folder, port=port, cluster_port=cluster_port, url=self.bulla.url, token=self.token, tls=tls))
        self.bao = servers.Server([BAO, "server", f"-config={path}"], f"127.0.0.1:{port}")
        self.addCleanup(self.bao.close)

    def status(self):
        return self.bao.get("sys/seal-status", token=None).json

    def unsealed(self):
        return not self.status()["sealed"]

    def active(self):
        return self.bao.get("sys/health", token=None).status == 200

    def initialise(self):
        self.bao.start()
        self.assertEqual(self.status()["type"], "transit")
        made = self.bao.request("PUT", "sys/init", {"recovery_shares": 1, "recovery_threshold": 1}, token=None)
        self.assertEqual(made.status, 200, made)
        self.bao.token = made.json["root_token"]
        wait(self.active)

    def stays_sealed(self, seconds=5):
        """bao either waits sealed, or does not listen yet, or has given up: it never serves."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.bao.process.poll() is not None:
                self.assertNotEqual(self.bao.process.returncode, 0)
                return
            try:
                self.assertFalse(self.active())
            except OSError:
                pass
            time.sleep(0.2)

    def store(self, value):
        self.assertEqual(self.bao.post("cubbyhole/x", {"v": value}).status, 204)

    def stored(self):
        return self.bao.get("cubbyhole/x").data["v"]

    def test_restart(self):
        self.initialise()
        self.store("1")
        self.bao.stop()
        self.bao.start()
        wait(self.active)
        self.assertEqual(self.stored(), "1")

    def test_rotated_key(self):
        self.initialise()
        self.store("2")
        self.bulla.post(f"transit/keys/{KEY}/rotate")
        for _ in range(2):  # the second time with what was sealed anew
            self.bao.stop()
            self.bao.start()
            wait(self.active)
            self.assertEqual(self.stored(), "2")

    def test_outage(self):
        """Bulla is away when bao starts: bao stays sealed, and opens once Bulla is back."""
        self.initialise()
        self.store("3")
        self.bao.stop()
        self.assertEqual(self.bulla.stop(), 0)
        self.bao.start(wait=False)
        self.stays_sealed()
        self.bulla.start()
        if self.bao.process.poll() is not None:
            self.bao.start(wait=False)
        wait(self.active)
        self.assertEqual(self.stored(), "3")

    def test_outage_while_it_runs(self):
        """What is unsealed goes on without Bulla."""
        self.initialise()
        self.store("4")
        self.bulla.stop()
        self.assertEqual(self.stored(), "4")
        self.store("5")
        self.bulla.start()
        self.bao.stop()
        self.bao.start()
        wait(self.active)
        self.assertEqual(self.stored(), "5")

    def test_token_is_renewed(self):
        """The seal renews its token with renew-self when it starts; without the token nothing unseals."""
        self.initialise()
        renewed = self.bulla.post("auth/token/lookup-accessor", {"accessor": self.accessor}).data
        self.assertEqual(renewed["period"], 86400)
        self.assertIn("last_renewal", renewed)
        self.store("6")
        self.bao.stop()
        self.bulla.post("auth/token/revoke-accessor", {"accessor": self.accessor})
        self.bao.start(wait=False)
        self.stays_sealed()

    def test_recovery_share_stays_with_bao(self):
        self.initialise()
        status = self.status()
        self.assertEqual((status["recovery_seal"], status["t"], status["n"]), (True, 1, 1), json.dumps(status))


class AutoUnsealTls(AutoUnseal):
    """The same with Bulla behind HTTPS."""

    tls = True


if __name__ == "__main__":
    unittest.main()
