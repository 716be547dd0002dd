"""vault_reply_fields: with it replies have just the fields of Vault's that OpenBao's have not, without it none of them."""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import servers  # noqa: E402

HEALTH = {"performance_standby": False, "enterprise": False, "echo_duration_ms": 0, "clock_skew_ms": 0, "replication_primary_canary_age_ms": 0}
LEADER = {"is_self": False, "active_time": "0001-01-01T00:00:00Z", "leader_address": "", "leader_cluster_address": "",
          "performance_standby": False, "performance_standby_last_remote_wal": 0}
ENVELOPES = (  # method, path, body, and who answers
    ("POST", "transit/keys/k", {}, "transit"), ("GET", "transit/keys/k", None, "transit"), ("LIST", "transit/keys", None, "transit"),
    ("POST", "transit/encrypt/k", {"plaintext": "eA=="}, "transit"), ("POST", "transit/encrypt/k", {"batch_input": [{"plaintext": "eA=="}]}, "transit"),
    ("GET", "sys/mounts", None, "system"), ("POST", "sys/tools/random", {}, "system"), ("GET", "sys/policy", None, "system"),
    ("GET", "auth/token/lookup-self", None, "token"), ("POST", "auth/token/create", {}, "token"), ("GET", "auth/approle/role/r", None, "approle"),
    ("POST", "auth/userpass/login/u", {"password": "p"}, "userpass"), ("GET", "cubbyhole/a", None, "cubbyhole"),
)


class Fields(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.servers = {}
        for on in (False, True):
            folder = servers.temporary_folder()
            path = folder.__enter__()
            cls.addClassCleanup(folder.__exit__, None, None, None)
            port = servers.free_port()
            extra = "vault_reply_fields = true\n" if on else ""
            server = cls.servers[on] = servers.bulla_config(path, servers.config_text(port, f"{path}/b.db", extra=extra), port)
            cls.addClassCleanup(server.close)
            server.start()
            server.token = server.request("PUT", "sys/init", {"recovery_shares": 1, "recovery_threshold": 1}, token=None).json["root_token"]
            for kind, name in (("mounts", "transit"), ("auth", "approle"), ("auth", "userpass")):
                server.post(f"sys/{kind}/{name}", {"type": name})
            for path, body in (("auth/approle/role/r", {}), ("auth/userpass/users/u", {"password": "p"}), ("cubbyhole/a", {"x": "y"})):
                assert server.post(path, body).status == 204

    def added(self, method, path, body=None, **more):
        """The members that only one of the two has, from the whole of the reply; nothing else about it differs in form."""
        without, answer = [self.servers[on].request(method, path, body, **more) for on in (False, True)]
        self.assertEqual(without.status, answer.status)
        self.assertLessEqual(set(without.json), set(answer.json))
        return {name: value for name, value in answer.json.items() if name not in without.json}

    def test_the_envelope(self):
        for method, path, body, kind in ENVELOPES:
            self.assertEqual({"mount_type": kind}, self.added(method, path, body), (method, path))

    def test_states_of_the_server(self):
        self.assertEqual(HEALTH, self.added("GET", "sys/health", token=None))
        self.assertEqual(LEADER, self.added("GET", "sys/leader", token=None))
        self.assertEqual({"build_date"}, set(self.added("GET", "sys/seal-status", token=None)))
        status = self.servers[True].get("sys/seal-status").json
        self.assertEqual(status["commit_date"], status["build_date"])

    def test_without_it(self):
        server = self.servers[False]
        for path, fields in (("sys/health", HEALTH), ("sys/leader", LEADER), ("sys/seal-status", ("build_date",)), ("sys/mounts", ("mount_type",)),
                             ("transit/keys", ("mount_type",))):
            self.assertFalse(set(fields) & set(server.get(path).json), path)

    def test_no_envelope_no_field(self):
        for method, path, body in (("GET", "transit/keys/none", None), ("GET", "nosuch", None), ("GET", "sys/init", None), ("POST", "sys/mounts/transit", {})):
            self.assertEqual({}, self.added(method, path, body), path)

    def test_wrappings(self):
        """The wrapping is of nothing; the reply within keeps its own, and says so when it is unwrapped."""
        server = self.servers[True]
        wrapping = server.get("transit/keys/k", headers={"X-Vault-Wrap-TTL": "60"}).json
        self.assertEqual("", wrapping["mount_type"])
        self.assertEqual("transit", server.post("sys/wrapping/unwrap", token=wrapping["wrap_info"]["token"]).json["mount_type"])
        made = server.post("sys/wrapping/wrap", {"a": 1}, headers={"X-Vault-Wrap-TTL": "60"}).json
        self.assertEqual("", made["mount_type"])
        again = server.post("sys/wrapping/rewrap", {"token": made["wrap_info"]["token"]}).json
        self.assertEqual("", again["mount_type"])

    def test_the_setting(self):
        with servers.temporary_folder() as folder:
            port = servers.free_port()
            text = servers.config_text(port, f"{folder}/b.db", extra='vault_reply_fields = "perhaps"\n')
            server = servers.bulla_config(folder, text, port)
            server.start(wait=False)
            self.assertNotEqual(0, server.process.wait(60))
            self.assertIn("vault_reply_fields", server.log_text())
            server.close()


if __name__ == "__main__":
    unittest.main()
