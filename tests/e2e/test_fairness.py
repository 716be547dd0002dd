"""What heavy and hostile clients do to an honest one: beside each load (support/load.py) a rotation, an encryption and a login go on. The limits are
far above what is measured (bin/bench -f) and far below what it was when a class of work had others wait for it: tens of seconds."""
import os
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import load  # noqa: E402
import servers  # noqa: E402

LONG = os.environ.get("BULLA_TEST_LONG") == "1"
MOST_S = {"encrypt": 4.0, "rotate": 4.0, "login": 6.0}
EACH_S = 3.0 if LONG else 0.2
# of each kind one; the others with --long
SHORT = ["6 batches of 420 rsa-4096 signatures, 15 KB", "creations of rsa-4096", "64 wrong passwords",
         "unknown kids, silent JWKS host, 9 KB", "batches of 128 encrypted under rsa-4096", "batches of 10,000 under AES", "bodies of 30 MB"]


class Fairness(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = servers.bulla_dev().start()
        cls.world = load.World(cls.server)
        cls.honest = load.Honest(cls.world)

    @classmethod
    def tearDownClass(cls):
        cls.world.close()
        cls.server.close()

    def test_beside_loads(self):
        for name in load.LOADS if LONG else SHORT:
            with self.subTest(name), load.Rivals(self.world, name):
                time.sleep(0.2)
                for what, times in self.honest.measure(EACH_S).items():
                    self.assertLess(times[-1], MOST_S[what], what)

    def test_a_client_that_resets_is_given_up(self):
        """Its batch would take a minute of a core."""
        body = load.encode(load.batch(8000, input="AAAA"))
        with load.resetting(self.world, "POST", "transit/sign/r4", body, self.world.rival):
            time.sleep(0.3)
        self.server.post("transit/sign/r4", {"input": "AAAA"}, token=self.world.rival)  # of the same caller, and behind it
        end = time.monotonic() + 30
        before = load.cpu_s(self.server.process.pid)
        while time.monotonic() < end:
            time.sleep(0.3)
            now = load.cpu_s(self.server.process.pid)
            if now - before < 0.1:
                return
            before = now
        self.fail("it is still signing")

    def test_sealing_ends_batches(self):
        with servers.bulla_dev() as server:
            server.post("sys/mounts/transit", {"type": "transit"})
            server.post("transit/keys/r", {"type": "rsa-2048"})
            answers = []
            long = threading.Thread(target=lambda: answers.append(server.post("transit/sign/r", load.batch(60000, input="AAAA"))))
            long.start()
            time.sleep(0.8)
            self.assertEqual(server.post("sys/seal").status, 204)
            long.join(20)
            self.assertEqual([a.status for a in answers], [503])
            self.assertEqual(answers[0].errors, ["Vault is sealed"])

    def test_a_stop_ends_batches_at_its_limit(self):
        port = servers.free_port()
        with servers.temporary_folder() as folder:
            text = servers.config_text(port, os.path.join(folder, "bulla.db"), extra='max_request_duration = "1s"\n')
            with servers.bulla_config(folder, text, port) as server:
                server.token = server.request("POST", "sys/init", {"recovery_shares": 1, "recovery_threshold": 1}, token=None).json["root_token"]
                server.post("sys/mounts/transit", {"type": "transit"})
                server.post("transit/keys/r", {"type": "rsa-2048"})
                body = load.encode(load.batch(60000, input="AAAA"))
                with load.resetting(load.Bare(server), "POST", "transit/sign/r", body, server.token, reset=False):
                    time.sleep(0.3)
                    began = time.monotonic()
                    self.assertEqual(server.stop(timeout=40), 0)
                    self.assertLess(time.monotonic() - began, 20)

    def test_a_greedy_caller_is_told(self):
        """With 503 and Retry-After, when its part of the queue is full; others are served."""
        with load.Rivals(self.world, "400 signatures at a time") as rivals:
            time.sleep(0.6)
            for times in self.honest.measure(0.1).values():
                self.assertLess(times[-1], 6)
        self.assertGreater(rivals.counts.get(503, 0), 0, rivals.counts)
        self.assertEqual(rivals.told, {"1"})


if __name__ == "__main__":
    unittest.main()
