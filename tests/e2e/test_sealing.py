"""Sealing, and its like, while requests come: what was begun is finished or refused with 503, and nothing is an internal error."""
import collections
import http.client
import os
import random
import signal
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
        self.assertGreater(self.under_load(server, 25, self.seal_and_unseal).statuses[503], 0)

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
        self.under_load(self.serve_shamir(), 10, self.change_all)


if __name__ == "__main__":
    unittest.main()
