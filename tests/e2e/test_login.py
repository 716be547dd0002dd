"""`bulla auth`, `login`, `policy` and `operator generate-root` against a real server, beside the real `bao` client where both have it."""
import json
import os
import pty
import stat
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import servers  # noqa: E402
import test_cli  # noqa: E402

ALIKE = """
auth enable
auth enable nosuch
auth enable transit
auth enable -path={m} -description=people userpass
auth enable -path={m} userpass
auth enable -path={m}/x userpass
auth tune
auth tune -default-lease-ttl=1h -token-type=batch -user-lockout-threshold=3 -user-lockout-duration=1m {m}
auth tune -token-type=nosuch {m}
auth tune nosuch
read -format=json sys/auth/{m}/tune
auth move nosuch
auth list x
auth disable
auth disable token
auth disable {m}
auth disable {m}
policy write
policy write x
policy write {m} POLICY
policy read {m}
policy read -format=json {m}
policy read nosuch
policy read
policy list x
policy delete {m}
policy delete {m}
policy delete root
policy delete
login nosuch
login -method=userpass -path=nosuch
"""
POLICY = '# who may encrypt\npath "transit/encrypt/cards" {\n  capabilities = ["update"]\n}\n'


class Commands(test_cli.Clients):
    def setUp(self):
        self.kept = os.path.join(self.server.folder, ".vault-token")
        self.policy = os.path.join(self.server.folder, "p.hcl")
        with open(self.policy, "w") as f:
            f.write(POLICY)
        self.addCleanup(lambda: os.path.exists(self.kept) and os.unlink(self.kept))

    def stored(self):
        with open(self.kept) as f:
            return f.read()

    def anonymous(self, *args, **kw):
        """Without a token in the environment."""
        return self.bulla(*args, env={"VAULT_TOKEN": None, **kw.pop("env", {})}, **kw)

    def good(self, run):
        self.assertEqual(run[0], 0, run)
        return run[1]

    def refused(self, run, text, status=2):
        self.assertEqual(run[0], status, run)
        self.assertIn(text, run[2])


class BesideBao(Commands):
    compare = test_cli.BesideBao.compare

    def test_line_by_line(self):
        for line in filter(None, ALIKE.replace("POLICY", self.policy).splitlines()):
            with self.subTest(line):
                ours = self.bulla(*line.format(m="ours0").split(" "))
                theirs = self.run_program(test_cli.BAO, *line.format(m="theirs").split(" "))
                self.compare(line, ours, theirs)

    def test_lists(self):
        for line in ("auth list", "auth list -detailed", "auth list -format=json", "policy list", "policy list -format=json"):
            with self.subTest(line):
                ours, theirs = self.bulla(*line.split(" ")), self.run_program(test_cli.BAO, *line.split(" "))
                self.assertEqual(ours[0], 0)
                if "json" in line:
                    self.assertEqual(list(json.loads(ours[1])), list(json.loads(theirs[1])))  # of mounts: their paths
                else:
                    self.assertEqual(ours[1], theirs[1])


class Moving(Commands):
    """The peer's client leaves "auth/" away when it asks for a move, and servers do not find the method then: ours takes both forms."""

    def test_a_method_and_back(self):
        self.good(self.bulla("auth", "enable", "-path=m1", "userpass"))
        self.server.post("auth/m1/users/alice", {"password": "correct horse"})
        token = self.server.post("auth/m1/login/alice", {"password": "correct horse"}).json["auth"]["client_token"]
        for line, there, gone in (("auth move m1/ m2", "m2", "m1"), ("auth move auth/m2 auth/m1/", "m1", "m2")):
            with self.subTest(line):
                out = self.good(self.bulla(*line.split(" ")))
                self.assertIn(f"Success! Finished moving auth method {gone}/ to {there}/, with migration ID ", out)
                self.assertEqual(self.server.get(f"auth/{there}/users/alice").status, 200)
                self.assertEqual(self.server.get(f"auth/{gone}/users/alice").status, 404)
        self.assertEqual(self.server.get("auth/token/lookup-self", token=token).status, 403)
        self.refused(self.bulla("auth", "move", "m2", "m3"), 'no matching mount at "auth/m2/"', status=2)


class Login(Commands):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.post("sys/auth/people", {"type": "userpass"})
        cls.server.post("auth/people/users/alice", {"password": "correct horse", "token_policies": "default"})
        cls.server.post("sys/auth/approle", {"type": "approle"})
        cls.server.post("auth/approle/role/r", {"token_policies": "default"})
        cls.role = cls.server.get("auth/approle/role/r/role-id").data["role_id"]

    USER = ("login", "-method=userpass", "-path=people", "username=alice")

    def works(self, token):
        return self.server.get("auth/token/lookup-self", token=token).status == 200

    def test_token(self):
        out = self.good(self.anonymous("login", "root"))
        self.assertIn("Success! You are now authenticated.", out)
        self.assertRegex(out, r"token_policies\s+\[.?root.?\]")
        self.assertEqual(self.stored(), "root")
        self.assertEqual(stat.S_IMODE(os.stat(self.kept).st_mode), 0o600)
        self.assertIn("root", self.good(self.anonymous("token", "lookup")))
        self.good(self.anonymous("login", "-", stdin="root\n"))
        self.good(self.anonymous("login", "token=root"))

    def test_stored_anew(self):
        """Whoever had the old file open, or a link to it, does not get the new token."""
        other = os.path.join(self.server.folder, "other")
        with open(other, "w") as f:
            f.write("theirs")
        os.chmod(other, 0o644)
        os.symlink(other, self.kept)
        self.good(self.anonymous("login", "root"))
        self.assertFalse(os.path.islink(self.kept))
        with open(other) as f:
            self.assertEqual(f.read(), "theirs")

    def test_refused(self):
        for args, text, status in ((("login", "nosuch"), "permission denied", 2), (("login", "-method=nosuch"), "Unknown auth method: nosuch", 1),
                                   (self.USER + ("password=bad",), "invalid username or password", 2),
                                   (("login", "-method=userpass", "-path=people"), "'username' must be specified", 2),
                                   (self.USER, "no terminal", 2), (("login",), "no terminal", 2), (("login", "a", "b"), "K=V", 1)):
            with self.subTest(args):
                self.refused(self.anonymous(*args), text, status)
                self.assertFalse(os.path.exists(self.kept))
        self.refused(self.anonymous("login", "root", env={"HOME": "/nosuch"}), "Error storing token")

    def test_userpass(self):
        out = self.good(self.anonymous(*self.USER, "password=-", stdin="correct horse"))
        self.assertRegex(out, r"token_meta_username\s+alice\n")
        self.assertTrue(self.works(self.stored()))
        # a token that has ended is not shown
        self.good(self.bulla(*self.USER, "password=correct horse", token="ended"))

    def test_password_is_asked_for_and_not_shown(self):
        master, slave = pty.openpty()
        environment = {**servers.clean_environment(), "HOME": self.server.folder, "VAULT_ADDR": self.server.url}
        process = subprocess.Popen([servers.bulla_binary(), *self.USER], stdin=slave, stdout=slave, stderr=slave, env=environment)
        os.close(slave)
        seen = b""
        while b"hidden): " not in seen:
            seen += os.read(master, 4096)
        os.write(master, b"correct horse\n")
        try:
            while True:
                more = os.read(master, 4096)
                if not more:
                    break
                seen += more
        except OSError:
            pass
        self.assertEqual(process.wait(60), 0, seen)
        os.close(master)
        self.assertNotIn(b"correct horse", seen)
        self.assertTrue(self.works(self.stored()))

    def test_approle(self):
        secret = os.path.join(self.server.folder, "secret-id")
        for command in (("login", "-method=approle", "-token-only"), ("write", "-field=token", "auth/approle/login")):
            with open(secret, "w") as f:
                f.write(self.server.post("auth/approle/role/r/secret-id").data["secret_id"])
            token = self.good(self.anonymous(*command, f"role_id={self.role}", "secret_id=@" + secret))
            self.assertTrue(self.works(token.strip()))
        self.refused(self.anonymous("login", "-method=approle", f"role_id={self.role}", "secret_id=x"), "invalid role or secret ID")

    def test_what_is_printed_and_kept(self):
        user = (*self.USER, "password=correct horse")
        login, rest = user[:1], user[1:]
        token = self.good(self.anonymous(*login, "-token-only", *rest))
        self.assertTrue(self.works(token))
        self.assertFalse(os.path.exists(self.kept))
        self.good(self.anonymous(*login, "-no-store", *rest))
        self.assertFalse(os.path.exists(self.kept))
        self.assertTrue(self.works(self.good(self.anonymous(*login, "-no-store", "-field=token", *rest)).strip()))
        auth = json.loads(self.good(self.anonymous(*login, "-no-store", "-format=json", *rest)))["auth"]
        self.assertEqual(auth["metadata"], {"username": "alice"})
        self.assertEqual(self.good(self.anonymous(*login, "-no-print", *rest)), "")
        self.assertTrue(self.works(self.stored()))
        self.assertIn("WARNING!", self.bulla(*user)[2])


class Policies(Commands):
    def test_standard_input_and_names(self):
        run = self.bulla("policy", "write", "Mixed", "-", stdin=POLICY)
        self.assertEqual(run[:2], (0, "Success! Uploaded policy: mixed\n"))
        self.assertIn('converted from "Mixed" to "mixed"', run[2])
        self.assertEqual(self.good(self.bulla("policy", "read", "MIXED")), POLICY)
        self.refused(self.bulla("policy", "write", "p", "-", stdin='path "a" {'), "failed to parse policy")
        self.refused(self.bulla("policy", "write", "p", "/nosuch"), "Error opening policy file")

    def test_fmt(self):
        with open(self.policy, "w") as f:
            f.write('path "a" { capabilities=["read","list"] # why\n}\n\n\n\npath "b/*" {\n\tallowed_parameters={ "x"=[] }\n}\n')
        self.assertEqual(self.good(self.bulla("policy", "fmt", self.policy)), f"Success! Formatted policy: {self.policy}\n")
        with open(self.policy) as f:
            text = f.read()
        self.assertEqual(text, 'path "a" {\n  capabilities = ["read", "list"] # why\n}\n\npath "b/*" {\n  allowed_parameters = {\n'
                               '    "x" = []\n  }\n}\n')
        self.good(self.bulla("policy", "fmt", self.policy))
        with open(self.policy) as f:
            self.assertEqual(f.read(), text)
        self.good(self.bulla("policy", "write", "formatted", self.policy))
        for content in ('path "a" {', "}"):
            with open(self.policy, "w") as f:
                f.write(content)
            self.refused(self.bulla("policy", "fmt", self.policy), "Error parsing policy", 1)
            with open(self.policy) as f:
                self.assertEqual(f.read(), content)
        self.refused(self.bulla("policy", "fmt", "/nosuch"), "Error reading source file", 1)


class GenerateRoot(Commands):
    """The server is -dev: one unseal key, which it prints."""

    def root(self, *args, **kw):
        return self.bulla("operator", "generate-root", *args, **kw)

    def field(self, out, name):
        return next(line.split()[-1] for line in out.splitlines() if line.startswith(name + " "))

    def test_life(self):
        key = next(line.split()[-1] for line in self.server.log_text().splitlines() if "Unseal Key" in line)
        self.refused(self.root(key, key), "Too many arguments", 1)
        self.refused(self.root(key, "-nonce=x"), "No root generation is in progress", 1)  # flags stand anywhere
        self.refused(self.root("-nonce=x", key), "No root generation is in progress", 1)
        self.assertRegex(self.good(self.root("-status")), r"Started\s+false\n")
        otp = self.good(self.root("-generate-otp")).strip()
        self.assertEqual(len(otp), 26)
        self.refused(self.root("-init", "-otp=short"), "OTP string has incorrect length")
        out = self.good(self.root("-init", f"-otp={otp}"))
        self.assertNotIn(otp, out)
        nonce = self.field(out, "Nonce")
        self.refused(self.root("-init"), "already in progress")
        self.refused(self.root(key), "Missing nonce value", 1)
        self.refused(self.root("-nonce=x", "-", stdin=key), "incorrect nonce supplied")
        out = self.good(self.root(f"-nonce={nonce}", "-", stdin=key + "\n"))
        self.assertRegex(out, r"Complete\s+true\n")
        encoded = self.field(out, "Encoded Token")
        self.refused(self.root("-decode=" + encoded), "Missing otp", 1)
        self.refused(self.root("-decode=" + encoded, "-otp=x"), "Error decoding root token", 1)
        token = self.good(self.root("-decode=-", f"-otp={otp}", stdin=encoded)).strip()
        self.assertEqual(self.server.get("auth/token/lookup-self", token=token).data["policies"], ["root"])
        self.assertIn("canceled", self.good(self.root("-cancel")))

    def test_without_a_token(self):
        self.refused(self.anonymous("operator", "generate-root", "-status"), "unsupported operation")


del Commands

if __name__ == "__main__":
    unittest.main()
