"""bin/vault.sh and bin/rotate.sh on Bulla and on a real OpenBao: what is written, who may do what with it, and that both can be run again."""
import os
import re
import stat
import unittest

import world
from world import servers

PAN = servers.b64("4539296620131157")
CARD = {"card_id": "7f", "purpose": "pan"}


def read_role(around, name):
    return {key: world.read(around.role(name)[f"CARD_{key.upper()}_FILE"]).decode() for key in ("role_id", "secret_id")}


class Setup:
    """The tests, for either server."""

    @classmethod
    def setUpClass(cls):
        cls.world = world.World(cls.kind)
        cls.addClassCleanup(cls.world.close)
        cls.server = cls.world.server
        done = cls.world.run("vault.sh", cls.world.roles)
        assert done.returncode == 0, done.stdout + done.stderr
        cls.said = done.stdout

    def item(self, context=None, **more):
        """An item of a batch that is bound as this server binds."""
        context = CARD if context is None else context
        if self.kind == "bulla":
            return more | {"encryption_context": context}
        return more | {"associated_data": servers.b64(repr(sorted(context.items())))}

    def ask(self, token, path, *items):
        return self.server.post("transit/" + path, {"batch_input": list(items)}, token=token)

    def encrypt(self, role="card-api", **kw):
        answer = self.ask(self.world.log_in(role), "encrypt/cards", self.item(plaintext=PAN, **kw))
        self.assertEqual(answer.status, 200, answer)
        return answer.data["batch_results"][0]["ciphertext"]

    def assert_refused(self, answer):
        """403 of the request, or of each of its items."""
        if answer.status != 403:
            results = (answer.json.get("data") or {}).get("batch_results") or []
            self.assertTrue(results and all("permission denied" in r.get("error", "") for r in results), answer)

    def test_says_what_each_program_needs(self):
        for name in world.ROLES:
            for key, path in self.world.role(name).items():
                self.assertIn(f"{key}={path}\n", self.said)
                self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
            self.assertEqual(stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode), 0o700)
        self.assertIn(f"CARD_VAULT_ADDR={self.server.url}\n", self.said)
        self.assertIn(f"CARD_VAULT_CACERT={self.world.ca}\n", self.said)
        for secret in self.world.secrets():
            self.assertNotIn(secret.decode(), self.said)

    def test_again(self):
        before = self.world.secrets()
        done = self.world.run("vault.sh", self.world.roles)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.world.secrets(), before)
        self.assertIn("key cards is there", done.stdout)
        files = self.world.role("card-processor")
        kept = world.read(files["CARD_SECRET_ID_FILE"])
        world.write(files["CARD_SECRET_ID_FILE"], "no longer known")
        done = self.world.run("vault.sh", self.world.roles)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("card-processor has a new secret ID", done.stdout)
        self.assertNotIn("card-api has a new secret ID", done.stdout)
        self.world.log_in("card-processor")
        world.write(files["CARD_SECRET_ID_FILE"], kept)
        old = {name: read_role(self.world, name) for name in world.ROLES}
        self.assertEqual(self.world.run("vault.sh", "-n", self.world.roles).returncode, 0)
        self.assertFalse(set(self.world.secrets()[1:]) & {*before, kept})
        for name in world.ROLES:
            self.world.log_in(name)
            self.assertGreaterEqual(self.server.post("auth/approle/login", old[name], token=None).status, 400)  # destroyed
            self.assertEqual(sorted(os.listdir(os.path.join(self.world.roles, name))), ["role-id", "secret-id"])

    def test_who_may_do_what(self):
        sealed = self.encrypt()
        may = {"card-api": {"encrypt"}, "card-processor": {"decrypt"}, "card-rotator": {"rewrap", "config", "rotate", "read"}}
        if self.kind != "bulla":  # their rewrap knows no associated data
            may["card-rotator"] |= {"encrypt", "decrypt"}
        for name in world.ROLES:
            token = self.world.log_in(name)
            done = {
                "encrypt": self.ask(token, "encrypt/cards", self.item(plaintext=PAN)),
                "decrypt": self.ask(token, "decrypt/cards", self.item(ciphertext=sealed)),
                "rewrap": self.ask(token, "rewrap/cards", self.item(ciphertext=sealed)),
                "read": self.server.get("transit/keys/cards", token=token),
                "rotate": self.server.post("transit/keys/cards/rotate", token=token),
                "config": self.server.post("transit/keys/cards/config", {"min_decryption_version": 1}, token=token),
                "deletable": self.server.post("transit/keys/cards/config", {"deletion_allowed": True}, token=token),
                "both": self.server.post("transit/keys/cards/config", {"min_decryption_version": 1, "exportable": True}, token=token),
                "export": self.server.get("transit/export/encryption-key/cards", token=token),
                "trim": self.server.post("transit/keys/cards/trim", {"min_available_version": 1}, token=token),
                "delete": self.server.delete("transit/keys/cards", token=token),
                "index encrypt": self.server.post("transit/encrypt/card-index", {"plaintext": PAN}, token=token),
                "policy": self.server.get("sys/policies/acl/card-api", token=token),
                "a token": self.server.post("auth/token/create", {}, token=token),
                "own secret id": self.server.post(f"auth/approle/role/{name}/secret-id", {}, token=token),
            }
            for what, answer in done.items():
                with self.subTest(role=name, what=what):
                    if what not in may[name]:
                        self.assert_refused(answer)
                    elif what == "rewrap" and self.kind != "bulla":
                        self.assertNotEqual(answer.status, 403)
                    else:
                        self.assertIn(answer.status, (200, 204), answer)
            hmac = self.server.post("transit/hmac/card-index", {"batch_input": [{"input": PAN}]}, token=token)
            self.assertEqual(hmac.status, 200 if name == "card-api" else 403)
            self.assertEqual(self.ask(token, "encrypt/card-canary", self.item(plaintext=PAN)).status, 200)
            self.assertEqual(self.server.post("auth/token/renew-self", token=token).status, 200)
            self.assertEqual(self.server.post("auth/token/revoke-self", token=token).status, 204)

    def test_a_row_is_bound(self):
        sealed, token = self.encrypt(), self.world.log_in("card-processor")
        good = self.ask(token, "decrypt/cards", self.item(ciphertext=sealed))
        self.assertEqual(good.data["batch_results"][0]["plaintext"], PAN)
        moved = self.ask(token, "decrypt/cards", self.item({"card_id": "80", "purpose": "pan"}, ciphertext=sealed))
        self.assertIn("message authentication failed", moved.body.decode())
        self.assertNotIn(PAN, moved.body.decode())

    def test_rotate(self):
        old = self.encrypt()
        for _ in range(2):
            before = self.server.get("transit/keys/cards").data["latest_version"]
            done = self.world.run("rotate.sh", **self.world.role("card-rotator"))
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertRegex(done.stdout, rf"^\S+Z rotate\.sh: transit/keys/cards rotated from version {before} to {before + 1}\n$")
        self.assertTrue(self.encrypt().startswith(f"vault:v{before + 1}:"))
        answer = self.ask(self.world.log_in("card-processor"), "decrypt/cards", self.item(ciphertext=old))
        self.assertEqual(answer.data["batch_results"][0]["plaintext"], PAN)

    def test_rotate_logs_and_fails_visibly(self):
        log = os.path.join(self.world.folder, "cards.log")
        settings = os.path.join(self.world.folder, "cards.env")
        world.write(settings, "# settings\n\n" + "".join(f"{k}={v}\n" for k, v in self.world.role("card-rotator").items()) + f"CARDS_LOG={log}\n")
        done = self.world.run("rotate.sh", "-e", settings)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        before = self.server.get("transit/keys/cards").data["latest_version"]
        done = self.world.run("rotate.sh", "-e", settings, **{"CARD_KEY": "another"})
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("the version of transit/keys/another cannot be read", done.stderr)
        done = self.world.run("rotate.sh", "-e", settings, VAULT_ADDR="https://127.0.0.1:1")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("the login was refused", done.stderr)
        self.assertEqual(self.server.get("transit/keys/cards").data["latest_version"], before)
        lines = world.read(log).decode().splitlines()
        self.assertEqual(len(lines), 3, lines)
        self.assertIn("rotated from version", lines[0])
        self.assertIn("FAILED: the version of", lines[1])
        self.assertIn("FAILED: the login was refused", lines[2])
        done = self.world.run("rotate.sh", CARDS_LOG="/nowhere/cards.log", **self.world.role("card-rotator"))
        self.assertEqual((done.returncode, "cannot write /nowhere/cards.log" in done.stderr), (1, True), done.stderr)
        done = self.world.run("rotate.sh", "-m", **self.world.role("card-rotator"))
        self.assertEqual((done.returncode, "give -w as well" in done.stderr), (1, True))
        self.assertEqual(self.server.get("transit/keys/cards").data["latest_version"], before)  # found out before anything was done
        world.write(settings, "CARD_KEY=cards; touch nothing\nrm -rf /nothing\n")
        done = self.world.run("rotate.sh", "-e", settings)
        self.assertEqual(done.returncode, 1)
        self.assertIn("not KEY=VALUE", done.stderr)
        other = dict(self.world.role("card-rotator"), CARD_ROLE_ID_FILE=self.world.role("card-api")["CARD_ROLE_ID_FILE"])
        self.assertEqual(self.world.run("rotate.sh", **other).returncode, 1)

    def test_nothing_secret_is_shown(self):
        self.assertEqual(self.world.run("rotate.sh", **self.world.role("card-rotator")).returncode, 0)
        seen = world.read(self.world.seen)
        self.assertIn(b"transit/keys/cards/rotate", seen)
        for secret in self.world.secrets():
            self.assertFalse(secret in seen)
        self.assertFalse(re.search(rb"\bs\.[A-Za-z0-9]{24}\b", seen))  # tokens


class OnBulla(Setup, unittest.TestCase):
    kind = "bulla"

    def test_context_is_demanded(self):
        token = self.world.log_in("card-api")
        for context in (None, {}, {"card_id": "7f"}, {"card_id": "7f", "purpose": "cvv"}, {"purpose": "pan"}, {"card_id": "", "purpose": "pan"}):
            item = {"plaintext": PAN} | ({} if context is None else {"encryption_context": context})
            with self.subTest(context=context):
                self.assert_refused(self.ask(token, "encrypt/cards", item))
        both = self.ask(token, "encrypt/cards", self.item(plaintext=PAN), {"plaintext": PAN})
        first, second = both.data["batch_results"]
        self.assertIn("ciphertext", first)
        self.assertIn("permission denied", second["error"])

    def test_no_rotator_moves_a_card(self):
        """It may rewrap for every card, and bind none to another one."""
        sealed, token = self.encrypt(), self.world.log_in("card-rotator")
        other = {"card_id": "80", "purpose": "pan"}
        kept = self.ask(token, "rewrap/cards", {"ciphertext": sealed, "encryption_context": CARD, "decrypt_encryption_context": CARD})
        self.assertIn("ciphertext", kept.data["batch_results"][0])
        for old, new in ((CARD, other), (CARD, {}), (None, other), ({}, CARD)):
            item = {"ciphertext": sealed, "encryption_context": new} | ({} if old is None else {"decrypt_encryption_context": old})
            with self.subTest(old=old, new=new):
                for answer in (self.ask(token, "rewrap/cards", item), self.server.post("transit/rewrap/cards", item, token=token)):
                    self.assertNotIn(b"vault:v", answer.body)

    def test_another_client(self):
        """The client of the peer works on Bulla as well."""
        self.world.spy_on(world.BAO)
        self.addCleanup(self.world.spy_on, servers.bulla_binary())
        done = self.world.run("vault.sh", self.world.roles)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("the server is Bulla", done.stdout)
        self.assertEqual(self.world.run("rotate.sh", **self.world.role("card-rotator")).returncode, 0)


class OnOpenBao(Setup, unittest.TestCase):
    kind = "openbao"

    def test_server_is_told(self):
        self.assertIn("the server is no Bulla", self.said)


class Mistakes(unittest.TestCase):
    def run_script(self, *argv, **env):
        argv = [os.path.join(servers.TOP, "bin", argv[0]), *argv[1:]]
        return world.subprocess.run(argv, env=servers.clean_environment() | env, stdin=world.subprocess.DEVNULL, capture_output=True, text=True, timeout=60)

    def test_usage(self):
        for name in ("vault.sh", "rotate.sh", "rewrap.sh"):
            with self.subTest(name):
                done = self.run_script(name, "-h")
                self.assertEqual(done.returncode, 0)
                self.assertTrue(done.stdout.startswith(f"bin/{name}"), done.stdout)
                done = self.run_script(name, "-X")
                self.assertEqual(done.returncode, 2)
                done = self.run_script(name, VAULT_CLI="/no/such/program", VAULT_ADDR="https://127.0.0.1:1")
                self.assertEqual(done.returncode, 1)
                self.assertIn("/no/such/program", done.stderr)
                done = self.run_script(name, VAULT_CLI="true")
                self.assertEqual(done.returncode, 1)
                self.assertIn("VAULT_ADDR is not set", done.stderr)

    def test_no_empty_name(self):
        """A setting that is missing or empty is named, and not what it would be the name of."""
        for name in ("rotate.sh", "rewrap.sh"):
            for argv, env, said in ((("-e", ""), {}, "cannot read the settings, -e ''"), ((), {}, "CARD_ROLE_ID_FILE is not set"),
                                    ((), {"CARD_ROLE_ID_FILE": "/nosuch"}, "CARD_SECRET_ID_FILE is not set"),
                                    ((), {"CARD_ROLE_ID_FILE": "/nosuch", "CARD_SECRET_ID_FILE": "/nosuch"}, "CARD_ROLE_ID_FILE: /nosuch is missing")):
                done = self.run_script(name, *argv, VAULT_CLI="true", VAULT_ADDR="https://127.0.0.1:1", CARD_API="true", **env)
                self.assertEqual((done.returncode, done.stdout), (1, ""), done)
                self.assertIn(f"{name}: {said}", done.stderr)


if __name__ == "__main__":
    unittest.main()
