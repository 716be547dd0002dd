"""Sealing, and its like, while requests come: what was begun is finished or refused with 503, and nothing is an internal error."""
import collections
import http.client
import os
import random
import signal
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import servers  # noqa: E402
from test_audit import Audited, device_text  # noqa: E402

LONG = os.environ.get("BULLA_TEST_LONG") == "1"
REQUESTS = [
    ("POST", "transit/encrypt/k", {"plaintext": "eA=="}), ("POST", "transit/encrypt/k", {"batch_input": 300 * [{"plaintext": "eA=="}]}),
    ("GET", "transit/keys/k", None), ("LIST", "transit/keys", None), ("POST", "transit/keys/k/rotate", {}), ("POST", "auth/token/create", {}),
    ("GET", "auth/token/lookup-self", None), ("POST", "transit/encrypt/new", {"plaintext": "eA=="}), ("GET", "sys/mounts", None),
    ("POST", "cubbyhole/a", {"x": "y"}), ("POST", "sys/policies/acl/p", {"policy": 'path "a" { capabilities = ["read"] }'}),
    ("POST", "other/encrypt/k", {"plaintext": "eA=="}), ("POST", "transit/encrypt/gone", {"plaintext": "eA=="}),
]


class Load:
    """Clients that send requests until it is left; what they were answered in .statuses, answers that should not be in .bad."""

    def __init__(self, server, clients=4):
        self.server, self.statuses, self.bad, self.stopping = server, collections.Counter(), [], False
        self.threads = [threading.Thread(target=self.run, args=(random.Random(n),)) for n in range(clients)]

    def run(self, rng):
        connection = None
        while not self.stopping:
            method, path, body = rng.choice(REQUESTS)
            try:
                connection = connection or self.server.connection()
                answer = self.server.request(method, path, body, connection=connection)
            except (OSError, http.client.HTTPException):
                connection = None
                continue
            self.statuses[answer.status] += 1
            if answer.status not in (200, 204, 400, 404, 503):
                self.bad.append((method, path, answer))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping = True
        for thread in self.threads:
            thread.join()


class UnderLoad(Audited):
    def serve_shamir(self, **options):
        path = os.path.join(self.folder, "log")
        server = self.serve(seal_key=None, extra="unsafe_allow_api_audit_creation = true\n" + device_text(path, **options))
        answer = server.request("PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1}, token=None).json
        server.token, self.key = answer["root_token"], answer["keys"][0]
        self.unseal(server)
        server.post("sys/mounts/transit", {"type": "transit"})
        self.assertEqual(server.post("transit/keys/k").status, 200)
        return server

    def unseal(self, server):
        self.assertEqual(server.request("PUT", "sys/unseal", {"key": self.key}, token=None).status, 200)

    def under_load(self, server, rounds, change):
        with Load(server) as load:
            for _ in range(10 * rounds if LONG else rounds):
                change(server)
                time.sleep(0.02)
        self.assertEqual(load.bad, [], server.log_text())
        self.assertGreater(load.statuses[200], 0)
        return load

    def seal_and_unseal(self, server):
        self.assertEqual(server.post("sys/seal").status, 204)
        self.unseal(server)

    def test_sealing(self):
        server = self.serve_shamir()
        self.assertGreater(self.under_load(server, 10, self.seal_and_unseal).statuses[503], 0)

    @unittest.skipUnless(LONG, "BULLA_TEST_LONG=1")
    def test_sealing_with_a_slow_device(self):
        self.under_load(self.serve_shamir(sync="true"), 15, self.seal_and_unseal)

    def change_all(self, server):
        server.process.send_signal(signal.SIGHUP)
        path = os.path.join(self.folder, "second")
        self.assertEqual(server.post("sys/audit/second", {"type": "file", "options": {"file_path": path}}).status, 204)
        self.assertEqual(server.post("sys/mounts/other", {"type": "transit"}).status, 204)
        self.assertEqual(server.post("transit/keys/gone/config", {"deletion_allowed": True}).status in (200, 400), True)
        time.sleep(0.02)
        self.assertEqual(server.delete("sys/audit/second").status, 204)
        self.assertEqual(server.delete("sys/mounts/other").status, 204)
        self.assertIn(server.delete("transit/keys/gone").status, (204, 400))

    def test_other_changes(self):
        """SIGHUP, audit devices that come and go, mounts that do, keys that are deleted."""
        self.under_load(self.serve_shamir(), 6, self.change_all)


class StuckDisk(Audited):
    """Syncs of the database, or of the audit log, do not end: what does not write is served, and sealing seals."""

    def setUp(self):
        super().setUp()
        self.library, self.hang = os.path.join(self.folder, "hang.so"), os.path.join(self.folder, "hang")
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sync_hang.c")
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", self.library, source, "-ldl"], check=True)

    def stuck(self, name, extra=""):
        """A server with a key that is in memory and a list that is, whose disk then stops answering."""
        port = servers.free_port()
        text = servers.config_text(port, self.database, seal_key=None, extra=extra)
        server = servers.bulla_config(self.folder, text, port)
        server.environment = {"LD_PRELOAD": self.library, "SYNC_HANG_NAME": name, "SYNC_HANG": self.hang}
        self.addCleanup(server.close)
        server.start()
        answer = server.request("PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1}, token=None).json
        server.token, self.key = answer["root_token"], answer["keys"][0]
        self.assertEqual(server.request("PUT", "sys/unseal", {"key": self.key}, token=None).status, 200)
        self.assertEqual(server.post("sys/mounts/transit", {"type": "transit"}).status, 204)
        self.assertEqual(server.post("transit/keys/k").status, 200)
        self.assertEqual(server.post("transit/encrypt/k", {"plaintext": "eA=="}).status, 200)
        self.assertEqual(server.list("transit/keys").data["keys"], ["k"])
        open(self.hang, "w").close()
        return server

    def writes(self, server, count):
        """Writes that wait for the disk: more than there are threads."""
        for n in range(count):
            connection = server.connection()
            self.addCleanup(connection.close)
            connection.request("POST", f"/v1/transit/keys/new{n}", body=b"{}", headers={"X-Vault-Token": server.token})
        time.sleep(0.5)

    def sealed(self, server):
        self.assertEqual(server.post("sys/seal").status, 204)
        self.assertTrue(server.get("sys/seal-status", token=None).json["sealed"])
        self.assertEqual(server.get("sys/health", token=None).status, 503)
        self.assertEqual(server.post("transit/encrypt/k", {"plaintext": "eA=="}).status, 503)

    def ask_to_unseal(self, server, count):
        """What needs no token, and the disk: nobody who seals may have to wait behind it."""
        for _ in range(count):
            connection = server.connection()
            self.addCleanup(connection.close)
            connection.request("PUT", "/v1/sys/unseal", body=b'{"key":"' + b"00" * 32 + b'"}')
        time.sleep(0.3)

    def unseal(self, server):
        """When the disk answers again. While it does not, the answer is 503, and why."""
        answer = server.request("PUT", "sys/unseal", {"key": self.key}, token=None)
        self.assertEqual(answer.status, 503, answer)
        self.assertIn("still being sealed", answer.errors[0])
        os.unlink(self.hang)
        end = time.monotonic() + 60
        while server.request("PUT", "sys/unseal", {"key": self.key}, token=None).status != 200:
            self.assertLess(time.monotonic(), end)
            time.sleep(0.05)
        self.assertEqual(server.post("transit/encrypt/k", {"plaintext": "eA=="}).status, 200)
        self.assertEqual(server.stop(), 0)

    def test_of_the_database(self):
        server = self.stuck("b.db")
        self.writes(server, 40)
        self.ask_to_unseal(server, 3)
        large = servers.b64(b"x" * 75000)
        ciphertext = server.post("transit/encrypt/k", {"plaintext": large})
        self.assertEqual(ciphertext.status, 200)
        self.assertEqual(server.post("transit/decrypt/k", {"ciphertext": ciphertext.data["ciphertext"]}).data["plaintext"], large)
        self.assertEqual(server.post("transit/encrypt/k", {"batch_input": 300 * [{"plaintext": "eA=="}]}).status, 200)
        self.assertEqual(server.list("transit/keys").data["keys"], ["k"])
        self.assertEqual(server.get("transit/keys/k").status, 200)
        self.assertEqual(server.get("auth/token/lookup-self").status, 200)
        self.assertEqual(server.get("sys/health", token=None).status, 200)
        self.sealed(server)
        self.assertIn("the keys are wiped but for what these writes hold", server.log_text())
        self.unseal(server)

    def test_of_the_log(self):
        """Sealing is done at once, though no device can record it."""
        server = self.stuck("audit.log", device_text(os.path.join(self.folder, "audit.log"), sync="true"))
        self.assertEqual(server.get("sys/health", token=None).status, 200)
        self.sealed(server)
        self.assertIn("is being sealed, though no audit device could record that", server.log_text())
        os.unlink(self.hang)

    @unittest.skipUnless(LONG, "BULLA_TEST_LONG=1")
    def test_of_a_log_beside_another(self):
        """Nobody waits for the disk of a log whose records another device has."""
        second = device_text(os.path.join(self.folder, "second")).replace('"main"', '"second"')
        server = self.stuck("audit.log", device_text(os.path.join(self.folder, "audit.log"), sync="true") + second)
        since = time.monotonic()
        for _ in range(20):
            self.assertEqual(server.post("transit/encrypt/k", {"plaintext": "eA=="}).status, 200)
            self.assertEqual(server.post("transit/keys/k/rotate").status, 200)
        self.assertLess(time.monotonic() - since, 40)
        self.sealed(server)
        os.unlink(self.hang)


if __name__ == "__main__":
    unittest.main()
