"""A server whose clocks are set while it runs, and between runs: dates follow at once, nothing that has a length notices. A preloaded
library (clock_shift.c) stands between the server and the machine's clocks."""
import datetime
import json
import mmap
import os
import shutil
import signal
import ssl
import struct
import subprocess
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
sys.path.insert(0, HERE)
import servers  # noqa: E402
from test_jwt import ROLE, Key  # noqa: E402

HOUR, DAY = 3600, 86400
STEPS = [("30 s", 30), ("10 min", 600), ("2 h", 2 * HOUR), ("-1 day", -DAY), ("40 days", 40 * DAY), ("1970", None)]


def seconds_of(text):
    """RFC 3339, as replies, audit and log have it, in seconds since 1970."""
    whole, _, fraction = text.rstrip("Z").partition(".")
    at = datetime.datetime.strptime(whole, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=datetime.timezone.utc)
    return at.timestamp() + float("0." + (fraction or "0"))


class Clocks:
    """The file that the preloaded library reads."""

    def __init__(self, folder):
        self.library, self.path = os.path.join(folder, "clock_shift.so"), os.path.join(folder, "clocks")
        subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", self.library, os.path.join(HERE, "clock_shift.c")], check=True)
        with open(self.path, "wb") as f:
            f.write(bytes(16))
        self.file = open(self.path, "r+b")
        self.map = mmap.mmap(self.file.fileno(), 16)
        self.wall = self.passed = 0

    def close(self):
        self.map.close()
        self.file.close()

    def write(self):
        struct.pack_into("<qq", self.map, 0, int((self.wall + self.passed) * 1e9), int(self.passed * 1e9))

    def step(self, seconds):
        """Sets the system's clock off by so much; None: to the first seconds of 1970."""
        self.wall = seconds if seconds is not None else 10 - int(time.time() + self.passed)
        self.write()

    def passes(self, seconds):
        """As if time had passed, on all clocks."""
        self.passed += seconds
        self.write()

    def now(self):
        return time.time() + self.wall + self.passed

    @property
    def environment(self):
        return {"LD_PRELOAD": self.library, "CLOCK_SHIFT": self.path}


class Stepped(unittest.TestCase):
    def start(self, wall=0):
        """A new store, begun with the system's clock off by so much."""
        self.clocks.step(wall)
        self.server.start()
        answer = self.server.request("PUT", "sys/init", {"recovery_shares": 1, "recovery_threshold": 1}, token=None)
        self.server.token = answer.json["root_token"]

    def setUp(self):
        self.folder = servers.tempfile.mkdtemp(prefix="bulla-test-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.clocks = Clocks(self.folder)
        self.addCleanup(self.clocks.close)
        self.clocks.passes(DAY - time.time() % DAY + 60)  # windows of an hour and a day have just begun
        servers.certificates(self.folder)
        port = servers.free_port()
        tls = "tls_cert_file = \"{0}/server.pem\"\n  tls_key_file = \"{0}/server.key\"".format(self.folder)
        self.audit = os.path.join(self.folder, "audit.log")
        extra = f'audit "file" "main" {{\n  options {{\n    file_path = "{self.audit}"\n  }}\n}}\n'
        extra += 'user_lockout "userpass" {\n  lockout_threshold = 2\n  lockout_duration = "30m"\n  lockout_counter_reset = "30m"\n}\n'
        text = servers.config_text(port, os.path.join(self.folder, "b.db"), listener=tls, extra=extra)
        self.server = servers.bulla_config(self.folder, text, port, context=ssl.create_default_context(
            cafile=os.path.join(self.folder, "ca.pem")))
        self.server.environment = self.clocks.environment
        self.addCleanup(self.server.close)

    def ok(self, answer, status=(200, 204)):
        self.assertIn(answer.status, status, answer)
        return answer

    def post(self, path, body=None, **kw):
        return self.ok(self.server.post(path, body, **kw))

    def restart(self, *flags, sig=signal.SIGTERM):
        self.server.stop(sig)
        del self.server.argv[3:]
        self.server.argv += flags
        open(self.server.log, "w").close()
        self.server.start()

    def make_token(self, **args):
        return self.post("auth/token/create", {"policies": ["default"], **args}).json["auth"]["client_token"]

    def left(self, token):
        """Seconds that the token has; None: it has ended."""
        answer = self.ok(self.server.get("auth/token/lookup-self", token=token), (200, 403))
        return answer.data["ttl"] if answer.status == 200 else None

    def wait_for(self, what, condition):
        end = time.monotonic() + 60
        while not condition():
            self.assertLess(time.monotonic(), end, what)
            time.sleep(0.05)

    # ---- what has a length

    def make_all(self):
        p = self.post
        self.begun = time.monotonic()
        self.token, self.batch = self.make_token(ttl="1h"), self.make_token(ttl="1h", type="batch")
        self.periodic = self.make_token(period="1h")
        self.wrapped = p("sys/wrapping/wrap", {"a": "b"}, headers={"X-Vault-Wrap-TTL": "1h"}).json["wrap_info"]["token"]
        p("sys/auth/approle", {"type": "approle"})
        p("auth/approle/role/app", {"secret_id_ttl": "1h", "token_ttl": "1h"})
        self.secret = {"role_id": self.server.get("auth/approle/role/app/role-id").data["role_id"],
                       "secret_id": p("auth/approle/role/app/secret-id").data["secret_id"]}
        p("sys/auth/people", {"type": "userpass"})
        for name in ("alice", "mallory"):
            p(f"auth/people/users/{name}", {"password": "right"})
        for _ in range(2):
            self.ok(self.login_user("mallory", "wrong"), (400,))
        p("sys/auth/jwt", {"type": "jwt"})
        self.key = Key(self.folder, "issuer")
        p("auth/jwt/config", {"jwt_validation_pubkeys": [self.key.pem]})
        p("auth/jwt/role/app", ROLE)
        p("sys/auth/cert", {"type": "cert"})
        with open(os.path.join(self.folder, "ca.pem")) as f:
            p("auth/cert/certs/app", {"certificate": f.read()})
        p("sys/mounts/transit", {"type": "transit"})
        p("transit/keys/k")
        p("transit/keys/rotates", {"auto_rotate_period": "1h"})
        p("sys/policies/acl/one-hour", {"policy": 'path "transit/random" { capabilities = ["update"] }', "ttl": "1h"})
        p("sys/policies/acl/spends", {"policy": 'path "transit/encrypt/k" { capabilities = ["update"]  budget = ["1/hour", "1/day"] }'})
        self.holder = self.make_token(policies=["one-hour", "spends"], ttl="20h")
        self.ok(self.spend())
        p("sys/quotas/rate-limit/hash", {"path": "transit/hash", "rate": 1, "interval": "1h"})
        p("transit/hash", {"input": "AA=="})

    def spend(self):
        return self.server.post("transit/encrypt/k", {"plaintext": "AA=="}, token=self.holder)

    def login_user(self, name, password="right"):
        return self.server.post(f"auth/people/login/{name}", {"password": password}, token=None)

    def login_jwt(self, **claims):
        return self.server.post("auth/jwt/login", {"role": "app", "jwt": self.key.token(**claims)}, token=None)

    def login_cert(self):
        context = servers.tls_context(self.folder, client=True)
        connection = servers.http.client.HTTPSConnection(*self.server.address.split(":"), context=context, timeout=60)
        self.addCleanup(connection.close)
        return self.server.post("auth/cert/login", {}, token=None, connection=connection)

    def check_lengths(self):
        """All that was made for an hour is there, has what it should have left, and shows an end at that distance."""
        for token in (self.token, self.batch, self.periodic):
            before, data, after = self.clocks.now(), self.ok(self.server.get("auth/token/lookup-self", token=token)).data, self.clocks.now()
            self.assertLessEqual(data["ttl"], HOUR)
            self.assertGreaterEqual(data["ttl"], HOUR - 2 - (time.monotonic() - self.begun))
            self.assertLessEqual(before + data["ttl"] - 2, seconds_of(data["expire_time"]))
            self.assertLessEqual(seconds_of(data["expire_time"]), after + data["ttl"] + 2)
        self.assertEqual(self.post("auth/token/renew-self", token=self.periodic).json["auth"]["lease_duration"], HOUR)
        self.assertEqual(self.post("sys/wrapping/lookup", {"token": self.wrapped}).data["creation_ttl"], HOUR)
        self.post("auth/approle/login", self.secret, token=None)
        self.ok(self.login_user("alice"))
        self.ok(self.login_user("mallory"), (403,))
        self.post("transit/random", token=self.holder)
        self.ok(self.spend(), (429,))
        self.ok(self.server.post("transit/hash", {"input": "AA=="}), (429,))
        self.assertEqual(self.server.get("transit/keys/rotates").data["latest_version"], 1)

    def check_dates(self, certificate_is_valid):
        before = int(self.clocks.now())
        health = self.server.get("sys/health", token=None).json["server_time_utc"]
        created = self.server.get("auth/token/lookup-self", token=self.make_token(ttl="1m")).data
        with open(self.audit) as f:
            record = [json.loads(line) for line in f if '"type":"response"' in line][-1]
        after = self.clocks.now() + 1
        for what in (health, created["creation_time"], seconds_of(created["issue_time"]), seconds_of(record["time"])):
            self.assertTrue(before <= what <= after, (before, what, after))
        now = int(self.clocks.now())
        if now > 1000:
            self.ok(self.login_jwt(iat=now, exp=now + 300))
            self.assertIn("token is expired", self.ok(self.login_jwt(iat=now - 700, exp=now - 400), (400,)).errors[0])
        self.ok(self.login_jwt(iat=now + 700, nbf=now + 700, exp=now + 900), (400,))
        self.ok(self.login_cert(), (200,) if certificate_is_valid else (400, 403, 500))

    def test_while_it_runs(self):
        self.start()
        self.make_all()
        self.check_lengths()
        self.check_dates(True)
        wall = 0
        for name, seconds in STEPS:
            with self.subTest(name):
                self.clocks.step(seconds)
                self.check_dates(abs(self.clocks.wall) < 12 * HOUR)
                self.check_lengths()
                size = self.clocks.wall - wall
                wall = self.clocks.wall
                text = f"the system's clock was set {'forward' if size > 0 else 'back'} by {abs(size):.0f}."
                self.wait_for(text, lambda: text in self.server.log_text())
                line = next(ln for ln in self.server.log_text().splitlines() if text in ln)
                self.assertLess(abs(seconds_of(line.split()[0]) - self.clocks.now()), 60)
        self.assertEqual(self.server.log_text().count("clock was set"), len(STEPS))
        # and when an hour has passed, with the clock still wrong, all of it has
        self.clocks.passes(HOUR)
        for token in (self.token, self.batch, self.periodic):
            self.assertIsNone(self.left(token))
        self.ok(self.server.post("sys/wrapping/lookup", {"token": self.wrapped}), (400,))
        self.ok(self.server.post("auth/approle/login", self.secret, token=None), (400,))
        self.ok(self.login_user("mallory"))
        self.ok(self.server.post("transit/random", token=self.holder), (403,))
        self.ok(self.spend(), (429,))  # of the day's budget
        self.post("transit/hash", {"input": "AA=="})
        self.wait_for("a rotation", lambda: self.server.get("transit/keys/rotates").data["latest_version"] == 2)
        # nor does what has ended come back
        self.clocks.step(-2 * DAY)
        self.assertIsNone(self.left(self.token))
        self.assertIsNone(self.left(self.batch))

    def test_begun_in_1970(self):
        """As a machine without a battery begins, before it has asked for the time."""
        self.start(None)
        self.make_all()
        self.check_lengths()
        self.check_dates(False)
        self.clocks.step(0)
        self.check_dates(True)
        self.check_lengths()
        self.restart()
        self.assertIn("too many to be believed", self.server.log_text())
        self.assertGreater(self.left(self.token), HOUR - 600)
        self.check_dates(True)

    def test_over_restarts(self):
        self.start()
        hour, minute = self.make_token(ttl="1h"), self.make_token(ttl="1m", type="batch")
        self.clocks.passes(90)
        self.assertIsNone(self.left(minute))
        behind, ahead = "behind the time that this store has reached", "too many to be believed"
        # stopped in order, or killed when the point had been kept; started with the clock set back: nothing revives, nothing dies
        for seconds, sig, text in [(-DAY, signal.SIGTERM, behind), (None, signal.SIGTERM, behind), (40 * DAY, signal.SIGTERM, ahead),
                                   (None, signal.SIGKILL, behind), (0, signal.SIGTERM, None)]:
            with self.subTest(step=seconds, sig=sig):
                self.clocks.step(seconds)
                self.restart(sig=sig)
                self.assertIn(text or "listening", self.server.log_text())
                self.assertIsNone(self.left(minute))
                self.assertGreater(self.left(hour), HOUR - 90 - 600)
                self.assertLessEqual(self.left(hour), HOUR - 90)
                health = self.server.get("sys/health", token=None).json["server_time_utc"]
                self.assertLess(abs(health - self.clocks.now()), 60)
        # what it was off counts, as long as the clock can be believed
        self.clocks.step(600)
        self.restart()
        self.assertLessEqual(self.left(hour), HOUR - 90 - 600)
        self.clocks.step(40 * DAY)
        self.restart("-clock-from-wall")
        self.assertIn("as it was asked for", self.server.log_text())
        self.assertIsNone(self.left(hour))
        token = self.make_token(ttl="1h")
        self.restart()
        self.assertGreater(self.left(token), HOUR - 600)
        self.assertNotIn(ahead, self.server.log_text())


if __name__ == "__main__":
    unittest.main()
