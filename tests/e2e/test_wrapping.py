"""Wrapped replies on a real server: of many that ask at once one gets it, also over a kill; and none stands in the file."""
import concurrent.futures
import os
import shutil
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import servers  # noqa: E402

WRAP = {"X-Vault-Wrap-TTL": "300s"}
SECRET = "4111-1111-1111-1111"


class Wrapping(unittest.TestCase):
    def setUp(self):
        self.folder = servers.tempfile.mkdtemp(prefix="bulla-test-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.database = os.path.join(self.folder, "b.db")
        self.port = servers.free_port()
        self.server = self.serve()
        answer = self.server.request("PUT", "sys/init", {"recovery_shares": 1, "recovery_threshold": 1}, token=None)
        self.token = self.server.token = answer.json["root_token"]

    def serve(self, token=None):
        server = servers.bulla_config(self.folder, servers.config_text(self.port, self.database), self.port, token).start()
        self.addCleanup(server.close)
        return server

    def restart(self):
        self.server.kill()
        self.server = self.serve(self.token)

    def wrap(self, value=SECRET):
        answer = self.server.post("sys/wrapping/wrap", {"pan": value}, headers=WRAP)
        self.assertEqual(answer.status, 200, answer)
        return answer.json["wrap_info"]["token"]

    def unwrap(self, token, own=False):
        """True: it was handed out, False: it was refused, None: the server went away."""
        try:
            answer = self.server.post("sys/wrapping/unwrap", {} if own else {"token": token}, token=token if own else self.token)
        except (OSError, servers.http.client.HTTPException):
            return None
        if answer.status == 200:
            self.assertEqual(answer.data, {"pan": SECRET})
            return True
        self.assertEqual((answer.status, answer.errors), (400, ["wrapping token is not valid or does not exist"]))
        return False

    def test_many_ask_at_once(self):
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            for _ in range(12):
                token = self.wrap()
                got = list(pool.map(lambda i: self.unwrap(token, own=i % 2 == 0), range(8)))
                self.assertEqual(sorted(got), [False] * 7 + [True])

    def test_never_twice_over_a_kill(self):
        handed_out = killed_before = 0
        for i in range(10):
            tokens = [self.wrap() for _ in range(8)]
            got = []

            def ask():
                for token in tokens:
                    got.append((token, self.unwrap(token)))

            asking = threading.Thread(target=ask)
            asking.start()
            time.sleep(0.002 * i)
            self.server.kill()
            asking.join()
            self.server = self.serve(self.token)
            for token in tokens:
                before = [answer for asked, answer in got if asked == token]
                after = self.unwrap(token)
                if True in before:  # it was handed out before the kill: never again
                    self.assertFalse(after)
                    handed_out += 1
                elif before != [None]:  # nobody had asked: it is still there
                    self.assertTrue(after)
                killed_before += bool(after)
                self.assertFalse(self.unwrap(token))
        self.assertGreater(killed_before, 0)

    def test_lives_through_seal_and_restart(self):
        token = self.wrap()
        self.restart()
        self.assertEqual(self.server.post("sys/wrapping/lookup", {"token": token}).data["creation_ttl"], 300)
        self.assertTrue(self.unwrap(token, own=True))
        self.restart()
        self.assertFalse(self.unwrap(token, own=True))

    def test_is_not_in_the_file(self):
        token = self.wrap()
        self.server.stop()
        for name in os.listdir(self.folder):
            if name.startswith("b.db"):
                with open(os.path.join(self.folder, name), "rb") as f:
                    data = f.read()
                for text in (SECRET, token, "response-wrapping", "sys/wrapping/wrap"):
                    self.assertNotIn(text.encode(), data, name)

    def test_any_request(self):
        self.server.post("sys/mounts/transit", {"type": "transit"})
        self.server.post("transit/keys/k", {"exportable": True})
        for method, path, body in (("GET", "transit/keys/k", None), ("LIST", "transit/keys", None), ("GET", "sys/mounts", None),
                                   ("PUT", "transit/encrypt/k", {"plaintext": "aGk="}), ("GET", "transit/export/encryption-key/k", None),
                                   ("POST", "transit/datakey/plaintext/k", {}), ("GET", "auth/token/lookup-self", None),
                                   ("POST", "auth/token/create", {}), ("POST", "transit/keys/k/rotate", {})):
            with self.subTest(path=path):
                answer = self.server.request(method, path, body, headers=WRAP)
                self.assertEqual((answer.status, answer.data, answer.json["auth"]), (200, None, None))
                self.assertNotIn('"plaintext":', answer.body.decode())
                token = answer.json["wrap_info"]["token"]
                inside = self.server.post("sys/wrapping/unwrap", token=token)
                self.assertEqual(inside.status, 200)
                self.assertTrue(inside.json["data"] or inside.json["auth"])
                self.assertIsNone(inside.json["wrap_info"])

    def test_full_disk_gives_nothing_away(self):
        """The reply that cannot be put away does not go out either."""
        self.server.post("sys/mounts/transit", {"type": "transit"})
        self.server.post("transit/keys/k", {"exportable": True})
        limit = os.path.getsize(self.database) + 400_000
        subprocess.run(["prlimit", f"--fsize={limit}", f"--pid={self.server.process.pid}"], check=True)
        refused = 0
        for _ in range(200):
            answer = self.server.post("transit/random/16384", headers=WRAP)
            if answer.status == 200:
                self.assertIsNone(answer.data)
                continue
            refused += 1
            self.assertEqual((answer.status, set(answer.json)), (500, {"errors"}))
            self.assertLess(len(answer.body), 300)
            if refused == 5:
                break
        self.assertEqual(refused, 5)


if __name__ == "__main__":
    unittest.main()
