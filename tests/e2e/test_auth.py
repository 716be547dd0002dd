"""Logins with secret ids and passwords on the real program: what is taken is taken once, whoever asks at the same time and whenever
the server is killed; what is in its files and its log."""
import os
import re
import sys
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import servers  # noqa: E402

USES = 3
CLIENTS = 16
ROUNDS = 5


class Stored(unittest.TestCase):
    """A server on a file, which outlives it."""

    extra = ""

    def setUp(self):
        folder = servers.temporary_folder()
        self.folder = folder.__enter__()
        self.addCleanup(folder.__exit__, None, None, None)
        port = servers.free_port()
        self.database = os.path.join(self.folder, "bulla.db")
        self.server = servers.bulla_config(self.folder, servers.config_text(port, self.database, extra=self.extra), port)
        self.addCleanup(self.server.close)
        self.server.start()
        init = self.server.request("POST", "sys/init", {"recovery_shares": 1, "recovery_threshold": 1}, token=None)
        self.assertEqual(init.status, 200, init)
        self.server.token = init.json["root_token"]

    def done(self, answer, status=204):
        self.assertEqual(answer.status, status, answer.body)
        return answer


class SecretIds(Stored):
    def setUp(self):
        super().setUp()
        self.done(self.server.post("sys/auth/approle", {"type": "approle"}))

    def role(self, name):
        self.done(self.server.post(f"auth/approle/role/{name}", {"role_id": name}))
        made = self.done(self.server.post(f"auth/approle/role/{name}/secret-id", {"num_uses": USES}), 200)
        return made.data["secret_id"]

    def log_in(self, name, secret_id):
        return self.server.post("auth/approle/login", {"role_id": name, "secret_id": secret_id}, token=None)

    def log_in_at_once(self, name, secret_id, answered):
        """All clients at the same time; answered is called with each answer, by the client's thread."""
        ready = threading.Barrier(CLIENTS)

        def client():
            ready.wait()
            try:
                answered(self.log_in(name, secret_id))
            except OSError:
                pass  # the server was killed
            except servers.http.client.HTTPException:
                pass

        threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        return threads

    def locked(self):
        return [name for mount in self.done(self.server.get("sys/locked-users"), 200).data["by_namespace"][0]["mount_accessors"]
                for name in mount["alias_identifiers"]]

    def unlock(self, name):
        accessor = self.done(self.server.get("sys/auth"), 200).data["approle/"]["accessor"]
        self.done(self.server.post(f"sys/locked-users/{accessor}/unlock/{name}"))

    def logins(self):
        """How many tokens of logins there are."""
        accessors = self.done(self.server.list("auth/token/accessors"), 200).data["keys"]
        found = [self.done(self.server.post("auth/token/lookup-accessor", {"accessor": a}), 200).data for a in accessors]
        return sum(t["path"] == "auth/approle/login" for t in found)

    def uses_left(self, name, secret_id):
        answer = self.server.post(f"auth/approle/role/{name}/secret-id/lookup", {"secret_id": secret_id})
        return answer.data["secret_id_num_uses"] if answer.status == 200 else 0

    def test_at_the_same_time(self):
        secret_id, statuses = self.role("web"), []
        for thread in self.log_in_at_once("web", secret_id, lambda answer: statuses.append(answer.status)):
            thread.join()
        self.assertEqual(statuses.count(200), USES, statuses)
        self.assertEqual(set(statuses) - {200, 400, 403}, set())
        self.assertEqual(self.logins(), USES)
        self.server.kill()
        self.server.start()
        self.unlock("web")
        self.assertEqual(self.log_in("web", secret_id).status, 400)

    def test_locked_out(self):
        """Over a kill, too, and until somebody lets it in again."""
        secret_id = self.role("web")
        for _ in range(5):
            self.done(self.log_in("web", "wrong"), 400)
        self.done(self.log_in("web", secret_id), 403)
        self.assertEqual(self.locked(), ["web"])
        self.server.kill()
        self.server.start()
        self.done(self.log_in("web", secret_id), 403)
        self.assertEqual(self.locked(), ["web"])
        self.unlock("web")
        self.assertEqual(self.locked(), [])
        self.done(self.log_in("web", secret_id), 200)
        self.server.kill()
        self.server.start()
        self.done(self.log_in("web", secret_id), 200)

    def test_killed_between_logins(self):
        secret_id = self.role("web")
        for _ in range(USES):
            self.done(self.log_in("web", secret_id), 200)
            self.server.kill()
            self.server.start()
        self.assertEqual(self.log_in("web", secret_id).errors, ["invalid role or secret ID"])

    def test_killed_amid_logins(self):
        for number in range(ROUNDS):
            name = f"web-{number}"
            secret_id, answers, first = self.role(name), [], threading.Event()
            before = self.logins()

            def answered(answer, answers=answers, first=first):
                answers.append(answer.status)
                first.set()

            threads = self.log_in_at_once(name, secret_id, answered)
            self.assertTrue(first.wait(120))
            self.server.kill()
            for thread in threads:
                thread.join()
            self.server.start()
            made, left = self.logins() - before, self.uses_left(name, secret_id)
            with self.subTest(name, answers=answers, made=made, left=left):
                self.assertEqual(made + left, USES)  # a use and its token are there both, or neither
                self.assertLessEqual(answers.count(200), made)
            self.unlock(name)
            for _ in range(left):
                self.done(self.log_in(name, secret_id), 200)
            self.assertEqual(self.log_in(name, secret_id).status, 400)

    def test_wrapped(self):
        self.done(self.server.post("auth/approle/role/web", {"role_id": "web"}))
        wrapped = self.done(self.server.post("auth/approle/role/web/secret-id", headers={"X-Vault-Wrap-TTL": "60s"}), 200).json
        self.assertIsNone(wrapped["data"])
        made = self.done(self.server.post("sys/wrapping/unwrap", token=wrapped["wrap_info"]["token"]), 200).data
        self.done(self.log_in("web", made["secret_id"]), 200)

    def test_addresses(self):
        self.done(self.server.post("auth/approle/role/web", {"role_id": "web", "secret_id_bound_cidrs": "127.0.0.0/8"}))
        here = self.done(self.server.post("auth/approle/role/web/secret-id", {"cidr_list": "127.0.0.1/32"}), 200).data
        away = self.done(self.server.post("auth/approle/role/web/secret-id", {"cidr_list": "127.9.0.0/16"}), 200).data
        self.done(self.log_in("web", here["secret_id"]), 200)
        self.assertEqual(self.log_in("web", away["secret_id"]).errors,
                         ['source address "127.0.0.1" unauthorized through CIDR restrictions on the secret ID'])
        outside = self.server.post("auth/approle/role/web/secret-id", {"cidr_list": "10.0.0.0/8"})
        self.assertEqual(outside.status, 500)

    def test_nothing_lies_about(self):
        secret_id = self.role("web")
        self.done(self.log_in("web", secret_id), 200)
        self.log_in("web", "not-the-" + secret_id)
        self.assertEqual(self.server.stop(), 0)
        with open(self.database, "rb") as f:
            stored = f.read()
        self.assertNotIn(secret_id.encode(), stored)
        self.assertNotIn(secret_id, self.server.log_text())


class Passwords(Stored):
    extra = 'user_lockout "userpass" {\n  lockout_threshold = 2\n  lockout_duration = "10m"\n}\n'

    def setUp(self):
        super().setUp()
        self.done(self.server.post("sys/auth/people", {"type": "userpass"}))
        self.done(self.server.post("auth/people/users/alice", {"password": "correct horse", "token_policies": "default"}))

    def log_in(self, password, name="alice"):
        return self.server.post(f"auth/people/login/{name}", {"password": password}, token=None)

    def test_login(self):
        auth = self.done(self.log_in("correct horse"), 200).json["auth"]
        self.assertEqual((auth["metadata"], auth["policies"]), ({"username": "alice"}, ["default"]))
        own = self.done(self.server.get("auth/token/lookup-self", token=auth["client_token"]), 200).data
        self.assertEqual((own["display_name"], own["path"]), ("people-alice", "auth/people/login/alice"))
        self.server.kill()
        self.server.start()
        self.done(self.log_in("correct horse"), 200)

    def test_many_at_once(self):
        statuses = []
        threads = [threading.Thread(target=lambda: statuses.append(self.log_in("correct horse").status)) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(statuses, [200] * CLIENTS)

    def test_lockout(self):
        for _ in range(2):
            self.done(self.log_in("wrong"), 400)
        self.assertEqual(self.done(self.log_in("correct horse"), 403).errors, ["permission denied"])
        locked = self.done(self.server.get("sys/locked-users"), 200).data
        mount = locked["by_namespace"][0]["mount_accessors"][0]
        self.assertEqual((locked["total"], mount["alias_identifiers"]), (1, ["alice"]))
        self.done(self.server.post(f"sys/locked-users/{mount['mount_accessor']}/unlock/alice"))
        self.done(self.log_in("correct horse"), 200)
        for _ in range(4):  # nobody is locked out who does not exist
            self.done(self.log_in("wrong", name="bob"), 400)

    def test_large_body(self):
        answer = self.server.post("auth/people/login/alice", {"password": "a" * 9000}, token=None)
        self.assertEqual(answer.status, 400)
        self.done(self.log_in("correct horse"), 200)

    def test_nothing_lies_about(self):
        self.done(self.log_in("wrong horse"), 400)
        self.done(self.log_in("correct horse"), 200)
        self.assertEqual(self.server.stop(), 0)
        with open(self.database, "rb") as f:
            stored = f.read()
        self.assertIsNone(re.search(b"correct horse|argon2|alice", stored))
        self.assertNotIn("horse", self.server.log_text())


if __name__ == "__main__":
    unittest.main()
