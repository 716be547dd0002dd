#!/usr/bin/env python3
"""Memory that runs out: in each of many operations an allocation fails, alone or with all that follow it in that request.

A preload (starve.c, built here) makes the n-th allocation after the request was sent fail. However it fails: the server lives, an answer
comes or the connection ends (nobody waits), no answer is a wrong one, none that says 2xx is without its body, what the request was to
change is either changed or not, and the same request works as soon as there is memory. BULLA_TEST_LONG=1: every n until the
operation succeeds; else a few of them. BULLA_BIN names the program."""
import http.client
import json
import mmap
import os
import random
import signal
import struct
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import servers  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
LONG = bool(os.environ.get("BULLA_TEST_LONG"))
PLAIN = servers.b64("4111111111111111")
HANG_S = 60 if LONG else 30
LASTING = 1 << 40
CLOSED = None


class Starver:
    """The preload's side of a server: which allocations fail."""
    fields = ("armed", "seen", "at", "count", "failed", "live", "peak")

    def __init__(self, folder):
        self.library, path = os.path.join(folder, "starve.so"), os.path.join(folder, "starve")
        subprocess.run([os.environ.get("CC") or "cc", "-O1", "-shared", "-fPIC", "-o", self.library, os.path.join(HERE, "starve.c"), "-ldl"],
                       check=True)
        with open(path, "wb") as f:
            f.write(bytes(4096))
        with open(path, "r+b") as f:
            self.map = mmap.mmap(f.fileno(), 4096)
        # libtasn1, which GnuTLS reads certificates with, does not look at all of its allocations (docs/THREATS.md)
        self.environment = [f"LD_PRELOAD={self.library}", f"STARVE={path}", "STARVE_SPARE=libtasn1"]

    def get(self, field):
        return struct.unpack_from("<q", self.map, 8 * self.fields.index(field))[0]

    def set(self, **values):
        for field, value in values.items():
            struct.pack_into("<q", self.map, 8 * self.fields.index(field), value)

    def arm(self, at, count):
        self.set(at=at, count=count, failed=0, seen=0, armed=1)

    def disarm(self):
        """Gives whether anything failed."""
        self.set(armed=0)
        return self.get("failed") > 0


class Operation:
    """One request that is starved. before() makes what it needs and gives its context; ask(context) sends it; good(answer) says whether it is
    the whole right answer; after(context, answer) looks at what has become of it, with memory again; answer CLOSED: there was none."""

    def __init__(self, name, ask, good, before=None, after=None):
        self.name, self.ask, self.good = name, ask, good
        self.before, self.after = before or (lambda: None), after or (lambda context, answer: None)


class Memory(unittest.TestCase):
    audited = True

    @classmethod
    def setUpClass(cls):
        cls.folder = servers.tempfile.mkdtemp(prefix="bulla-starved-")
        cls.addClassCleanup(servers.shutil.rmtree, cls.folder, ignore_errors=True)
        servers.certificates(cls.folder)
        cls.starver = Starver(cls.folder)
        cls.numbers = iter(range(1, 1 << 30))
        port, cls.tls_port = servers.free_port(), servers.free_port()
        extra = (f'listener "tcp" {{\n  address = "127.0.0.1:{cls.tls_port}"\n  tls_cert_file = "{cls.folder}/server.pem"\n'
                 f'  tls_key_file = "{cls.folder}/server.key"\n}}\nlog_file = "{cls.folder}/server.log"\n')
        if cls.audited:
            extra += f'audit "file" "main" {{\n  options {{\n    file_path = "{cls.folder}/audit.log"\n  }}\n}}\n'
        text = servers.config_text(port, os.path.join(cls.folder, "b.db"), seal_key=None, extra=extra)
        cls.server = servers.bulla_config(cls.folder, text, port)
        cls.server.argv = ["env", *cls.starver.environment, *cls.server.argv]
        cls.server.start()
        cls.addClassCleanup(cls.server.close)
        cls.context = servers.tls_context(cls.folder)
        made = cls.server.request("PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1}, token=None).json
        cls.share, cls.server.token = made["keys"][0], made["root_token"]
        cls.unseal()
        cls.set_up()

    @classmethod
    def unseal(cls):
        answer = cls.server.request("PUT", "sys/unseal", {"key": cls.share}, token=None)
        assert answer.status == 200 and not answer.json["sealed"], answer

    @classmethod
    def must(cls, method, path, body=None, **kw):
        answer = cls.server.request(method, path, body, **kw)
        assert 200 <= answer.status < 300, (method, path, answer)
        return answer

    @classmethod
    def set_up(cls):
        must = cls.must
        must("POST", "sys/mounts/transit", {"type": "transit"})
        for name, kind in (("aes", "aes256-gcm96"), ("ed", "ed25519"), ("ec", "ecdsa-p256"), ("rsa", "rsa-2048")):
            must("POST", f"transit/keys/{name}", {"type": kind, "exportable": True, "allow_plaintext_backup": True})
        must("POST", "transit/keys/derived", {"derived": True})
        cls.ciphertext = must("POST", "transit/encrypt/aes", {"plaintext": PLAIN}).data["ciphertext"]
        cls.signature = must("POST", "transit/sign/ed", {"input": PLAIN}).data["signature"]
        must("POST", "sys/policies/acl/one", {"policy": 'path "transit/*" { capabilities = ["create", "read", "update"] }\n'
                                                        'path "sys/capabilities-self" { capabilities = ["update"] }\n'})
        must("POST", "sys/policies/acl/budgeted", {"policy": 'path "transit/encrypt/aes" { capabilities = ["update"]\n'
                                                             '  budget = "100000/hour" }\n'})
        for kind in ("approle", "userpass"):
            must("POST", f"sys/auth/{kind}", {"type": kind})
        must("POST", "auth/approle/role/app", {"token_policies": "one"})
        cls.role_id = must("GET", "auth/approle/role/app/role-id").data["role_id"]
        cls.secret_id = must("POST", "auth/approle/role/app/secret-id", {}).data["secret_id"]
        must("POST", "auth/userpass/users/ana", {"password": "correct horse", "token_policies": "one"})
        cls.limited = must("POST", "auth/token/create", {"policies": ["one"]}).json["auth"]["client_token"]

    # ---- what is asked

    def send(self, method, path, body=None, tls=False, **kw):
        """A connection of its own; CLOSED where it ended without an answer."""
        if tls:
            connection = http.client.HTTPSConnection("127.0.0.1", self.tls_port, context=self.context, timeout=HANG_S)
        else:
            connection = self.server.connection(timeout=HANG_S)
        try:
            return self.server.request(method, path, body, connection=connection, **kw)
        except TimeoutError as error:
            raise AssertionError(f"{method} {path}: no answer in {HANG_S} s") from error
        except (OSError, http.client.HTTPException):
            return CLOSED
        finally:
            connection.close()

    def name(self, prefix="x"):
        return f"{prefix}{next(self.numbers)}"

    def simple(self, name, method, path, body=None, has=None, status=200, **kw):
        """A request whose answer is known, and that leaves nothing behind that could be half there."""
        def good(answer):
            return answer.status == status and (has is None or has(answer.json))
        return Operation(name, lambda _: self.send(method, path, body, **kw), good)

    def writing(self, name, method, path, body=None, there=None, has=None, status=(200, 204), before=None, **kw):
        """path and body take a name that is new each time. there(name): whether the change has been made, wholly."""
        def make():
            new = self.name()
            if before:
                before(new)
            return new

        def good(answer):
            return answer.status in status and (answer.status == 204 or has is None or has(answer.json))

        def after(new, answer):
            done = there(new) if there else None
            if answer is not CLOSED and answer.status < 300 and done is not None:
                self.assertTrue(done, f"{name}: {answer}, but nothing was changed")

        return Operation(name, lambda new: self.send(method, path(new), body(new) if callable(body) else body, **kw), good, make, after)

    def operations(self):
        data = lambda *names: lambda j: all(j["data"].get(n) is not None for n in names)  # noqa: E731
        plain = lambda j: j["data"]["plaintext"] == PLAIN  # noqa: E731
        token = lambda j: j["auth"]["client_token"] and j["auth"]["accessor"]  # noqa: E731
        batch = {"batch_input": [{"plaintext": PLAIN}] * 20}
        large = servers.b64(bytes(100000))
        one = self.simple
        yield one("health", "GET", "sys/health", token=None, has=lambda j: j["initialized"])
        yield one("health over TLS", "GET", "sys/health", token=None, tls=True, has=lambda j: j["initialized"])
        yield one("seal status", "GET", "sys/seal-status", token=None, has=lambda j: "sealed" in j)
        yield one("encrypt", "POST", "transit/encrypt/aes", {"plaintext": PLAIN}, has=data("ciphertext"))
        yield one("encrypt by a policy", "POST", "transit/encrypt/aes", {"plaintext": PLAIN}, token=self.limited, has=data("ciphertext"))
        yield one("encrypt derived", "POST", "transit/encrypt/derived", {"plaintext": PLAIN, "context": PLAIN}, has=data("ciphertext"))
        yield one("decrypt", "POST", "transit/decrypt/aes", {"ciphertext": self.ciphertext}, has=plain)
        yield one("decrypt over TLS", "POST", "transit/decrypt/aes", {"ciphertext": self.ciphertext}, has=plain, tls=True)
        yield one("rewrap", "POST", "transit/rewrap/aes", {"ciphertext": self.ciphertext}, has=data("ciphertext"))
        yield one("encrypt a batch", "POST", "transit/encrypt/aes", batch,
                  has=lambda j: len(j["data"]["batch_results"]) == 20 and all("ciphertext" in r for r in j["data"]["batch_results"]))
        yield one("encrypt much", "POST", "transit/encrypt/aes", {"plaintext": large}, has=data("ciphertext"))
        yield one("encrypt wrapped", "POST", "transit/encrypt/aes", {"plaintext": PLAIN}, headers={"X-Vault-Wrap-TTL": "60"},
                  has=lambda j: j["wrap_info"]["token"])
        yield one("sign with ed25519", "POST", "transit/sign/ed", {"input": PLAIN}, has=data("signature"))
        yield one("sign with P-256", "POST", "transit/sign/ec", {"input": PLAIN}, has=data("signature"))
        yield one("sign with RSA", "POST", "transit/sign/rsa", {"input": PLAIN}, has=data("signature"))
        yield one("verify", "POST", "transit/verify/ed", {"input": PLAIN, "signature": self.signature}, has=lambda j: j["data"]["valid"] is True)
        yield one("hmac", "POST", "transit/hmac/aes", {"input": PLAIN}, has=data("hmac"))
        yield one("hash", "POST", "transit/hash", {"input": PLAIN}, has=data("sum"))
        yield one("random", "POST", "transit/random/32", {}, has=data("random_bytes"))
        yield one("data key", "POST", "transit/datakey/plaintext/aes", {}, has=data("plaintext", "ciphertext"))
        yield one("read a key", "GET", "transit/keys/rsa", has=data("keys"))
        yield one("list keys", "LIST", "transit/keys", has=lambda j: "aes" in j["data"]["keys"])
        yield one("export", "GET", "transit/export/encryption-key/aes", has=data("keys"))
        yield one("back up", "GET", "transit/backup/aes", has=data("backup"))
        yield one("capabilities", "POST", "sys/capabilities-self", {"paths": ["transit/keys/aes"]}, token=self.limited,
                  has=lambda j: sorted(j["data"]["transit/keys/aes"]) == ["create", "read", "update"])
        yield one("list mounts", "GET", "sys/mounts", has=lambda j: "transit/" in j["data"])
        yield one("mounts for interfaces", "GET", "sys/internal/ui/mounts", token=self.limited, has=lambda j: "transit/" in j["data"]["secret"])
        yield one("read a policy", "GET", "sys/policies/acl/one", has=data("policy"))
        yield one("list policies", "LIST", "sys/policies/acl", has=lambda j: "one" in j["data"]["keys"])
        yield one("look up oneself", "GET", "auth/token/lookup-self", token=self.limited, has=data("id", "policies"))
        yield one("refused", "GET", "sys/mounts", token=self.limited, status=403)
        yield one("not found", "GET", "transit/keys/nowhere", status=404)
        yield one("help", "GET", "transit/keys/aes?help=1", has=lambda j: j["help"])
        yield from self.fresh(data)
        yield from self.changes(data, token)
        yield from self.whole_server()

    def fresh(self, data):
        """What is in no cache: a token, a policy set, keys that were just made by somebody else's request are read again."""
        def new_token(policies):
            return lambda: self.must("POST", "auth/token/create", {"policies": policies}).json["auth"]["client_token"]

        good = lambda a: a.status == 200 and a.json["data"]["ciphertext"]  # noqa: E731
        encrypt = lambda token: self.send("POST", "transit/encrypt/aes", {"plaintext": PLAIN}, token=token)  # noqa: E731
        yield Operation("encrypt with a new token", encrypt, good, new_token(["one", self.name("no-such-")]))
        yield Operation("encrypt within a budget", encrypt, good, new_token(["budgeted", self.name("no-such-")]))

    def changes(self, data, token):
        must, get = self.must, self.server.get
        policy = 'path "a/*" { capabilities = ["read"] }'

        def whole_key(name):
            answer = get(f"transit/keys/{name}")
            if answer.status == 404:
                return False
            sealed = must("POST", f"transit/encrypt/{name}", {"plaintext": PLAIN}).data["ciphertext"]
            return must("POST", f"transit/decrypt/{name}", {"ciphertext": sealed}).data["plaintext"] == PLAIN

        def make_key(name):
            must("POST", f"transit/keys/{name}", {})

        def version(name):
            answer = must("GET", f"transit/keys/{name}").data
            self.assertEqual(len(answer["keys"]), answer["latest_version"])
            return answer["latest_version"] == 2

        def backup(name):
            must("POST", f"transit/keys/{name}", {"exportable": True, "allow_plaintext_backup": True})
            self.kept = must("GET", f"transit/backup/{name}").data["backup"]

        def deletable(name):
            make_key(name)
            must("POST", f"transit/keys/{name}/config", {"deletion_allowed": True})

        def exists(path):
            return lambda name: get(path(name)).status == 200

        def there_and_gone(name):
            path = f"sys/quotas/rate-limit/{name}"
            found = get(path).status == 200
            must("DELETE", path)  # a second one like it would be refused
            return found

        w = self.writing
        yield w("create a key", "POST", lambda n: f"transit/keys/{n}", {}, whole_key)
        yield w("create an RSA key", "POST", lambda n: f"transit/keys/{n}", {"type": "rsa-2048"}, exists(lambda n: f"transit/keys/{n}"))
        yield w("create an Ed25519 key", "POST", lambda n: f"transit/keys/{n}", {"type": "ed25519"}, exists(lambda n: f"transit/keys/{n}"))
        yield w("encrypt with a new key", "POST", lambda n: f"transit/encrypt/{n}", {"plaintext": PLAIN}, whole_key, data("ciphertext"))
        yield w("rotate", "POST", lambda n: f"transit/keys/{n}/rotate", {}, version, before=make_key)
        yield w("configure a key", "POST", lambda n: f"transit/keys/{n}/config", {"exportable": True},
                lambda n: must("GET", f"transit/keys/{n}").data["exportable"], before=make_key)
        yield w("delete a key", "DELETE", lambda n: f"transit/keys/{n}", None,
                lambda n: get(f"transit/keys/{n}").status == 404, before=deletable)
        yield w("restore", "POST", lambda n: f"transit/restore/copy-{n}", lambda n: {"backup": self.kept},
                lambda n: whole_key(f"copy-{n}"), before=backup)
        yield w("mount", "POST", lambda n: f"sys/mounts/{n}", {"type": "transit"}, lambda n: f"{n}/" in must("GET", "sys/mounts").data)
        yield w("unmount", "DELETE", lambda n: f"sys/mounts/{n}", None, lambda n: f"{n}/" not in must("GET", "sys/mounts").data,
                before=lambda n: must("POST", f"sys/mounts/{n}", {"type": "transit"}))
        yield w("write a policy", "POST", lambda n: f"sys/policies/acl/{n}", {"policy": policy}, exists(lambda n: f"sys/policies/acl/{n}"))
        yield w("delete a policy", "DELETE", lambda n: f"sys/policies/acl/{n}", None,
                lambda n: get(f"sys/policies/acl/{n}").status == 404,
                before=lambda n: must("POST", f"sys/policies/acl/{n}", {"policy": policy}))
        yield w("create a token", "POST", lambda n: "auth/token/create", {"policies": ["one"], "ttl": "1h"}, has=token)
        yield w("create a wrapped token", "POST", lambda n: "auth/token/create", {"ttl": "1h"}, has=lambda j: j["wrap_info"]["token"],
                headers={"X-Vault-Wrap-TTL": "60"})
        yield w("create a batch token", "POST", lambda n: "auth/token/create", {"type": "batch", "ttl": "1h", "policies": ["one"]}, has=lambda j: j["auth"]["client_token"])
        yield w("log in by a role", "POST", lambda n: "auth/approle/login", {"role_id": self.role_id, "secret_id": self.secret_id}, has=token, token=None)
        yield w("log in by a password", "POST", lambda n: "auth/userpass/login/ana", {"password": "correct horse"}, has=token, token=None)
        yield w("make a secret id", "POST", lambda n: "auth/approle/role/app/secret-id", {}, has=data("secret_id", "secret_id_accessor"))
        yield w("make a user", "POST", lambda n: f"auth/userpass/users/{n}", {"password": "p"}, exists(lambda n: f"auth/userpass/users/{n}"))
        yield w("wrap", "POST", lambda n: "sys/wrapping/wrap", {"a": "b"}, has=lambda j: j["wrap_info"]["token"], headers={"X-Vault-Wrap-TTL": "60"})
        yield w("write to the cubbyhole", "POST", lambda n: f"cubbyhole/{n}", {"a": "b"}, exists(lambda n: f"cubbyhole/{n}"))
        yield w("set a quota", "POST", lambda n: f"sys/quotas/rate-limit/{n}", {"path": "transit/", "rate": 100000}, there_and_gone)
        yield Operation("unwrap", lambda t: self.send("POST", "sys/wrapping/unwrap", {}, token=t), lambda a: a.status == 200 and a.json["data"] == {"a": "b"},
                        lambda: must("POST", "sys/wrapping/wrap", {"a": "b"}, headers={"X-Vault-Wrap-TTL": "60"}).json["wrap_info"]["token"])
        yield Operation("revoke a token", lambda t: self.send("POST", "auth/token/revoke", {"token": t}), lambda a: a.status == 204,
                        lambda: must("POST", "auth/token/create", {"ttl": "1h"}).json["auth"]["client_token"], self.is_revoked)

    def is_revoked(self, token, answer):
        if answer is not CLOSED and answer.status == 204:
            self.assertEqual(self.server.get("auth/token/lookup-self", token=token).status, 403)

    def whole_server(self):
        def reload(_):
            self.server.process.send_signal(signal.SIGHUP)
            time.sleep(0.02)  # whatever it needs of memory, it needs soon
            return CLOSED

        def is_sealed():
            return self.server.get("sys/seal-status", token=None).json["sealed"]

        def reopen(_, answer):
            if answer is not CLOSED and answer.status == 204:
                self.assertTrue(is_sealed())
            if is_sealed():
                self.unseal()

        yield Operation("seal", lambda _: self.send("PUT", "sys/seal", {}), lambda a: a.status == 204, None, reopen)
        yield Operation("unseal", lambda _: self.send("PUT", "sys/unseal", {"key": self.share}, token=None),
                        lambda a: a.status == 200 and not a.json["sealed"], lambda: self.must("PUT", "sys/seal", {}), reopen)
        yield Operation("reload", reload, lambda a: True)

    # ---- how it is asked

    def alive(self, where):
        code = self.server.process.poll()
        self.assertIsNone(code, f"{where}: the server ended with {code}:\n{self.server.log_text()[-2000:]}")

    def judge(self, operation, answer, where):
        """What came under starvation."""
        if answer is CLOSED:
            return
        try:
            good = operation.good(answer)
        except (ValueError, KeyError, TypeError) as error:
            good, _ = False, error
        if good:
            return
        self.assertIn(answer.status, (500, 503), f"{where}: a wrong answer: {answer}")
        if answer.body:
            self.assertTrue(json.loads(answer.body)["errors"], where)

    def starve(self, operation, at, count):
        """Gives whether anything failed."""
        where = f"{operation.name}, allocation {at}, {'once' if count == 1 else 'lasting'}"
        context = operation.before()
        self.starver.arm(at, count)
        try:
            answer = operation.ask(context)
        finally:
            failed = self.starver.disarm()
        self.alive(where)
        self.judge(operation, answer, where)
        operation.after(context, answer)
        return failed

    def works(self, operation):
        """With memory; gives how many allocations it takes."""
        context = operation.before()
        self.starver.set(armed=0, seen=0)
        answer = operation.ask(context)
        seen = self.starver.get("seen")
        self.alive(operation.name)
        if answer is not CLOSED or operation.name != "reload":
            self.assertIsNot(answer, CLOSED, operation.name)
            self.assertTrue(operation.good(answer), f"{operation.name}: {answer}")
        operation.after(context, answer)
        return seen

    def numbers_for(self, operation, total, chance):
        """Which allocations fail: each of the first, and some later ones."""
        if LONG:
            return range(total + 40)
        return sorted({chance.randrange(max(total, 1)) for _ in range(2)})

    def test_starved(self):
        chance = random.Random(4)
        for operation in self.operations():
            self.works(operation)
            total = self.works(operation)  # now that what is made once is there
            with self.subTest(operation.name):
                for at in self.numbers_for(operation, total, chance):
                    for count in (1, LASTING):
                        self.starve(operation, at, count)
                self.works(operation)
        self.assertEqual(self.server.stop(), 0)


class Unaudited(Memory):
    audited = False


if __name__ == "__main__":
    unittest.main()
