"""Audit logs of the real server: record by record beside OpenBao's, without a secret in them, whole over signals and kills."""
import base64
import contextlib
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import servers  # noqa: E402
from test_server import Folder, initialise, run_server  # noqa: E402

BAO = os.environ.get("BAO_BIN") or os.path.join(servers.TOP, "tests", ".venv", "bin", "bao")
DEVICE = 'audit "file" "main" {{\n  description = "the log"\n  options {{\n    file_path = "{path}"\n{more}  }}\n}}\n'


def device_text(path, **options):
    return DEVICE.format(path=path, more="".join(f'    {k} = "{v}"\n' for k, v in options.items()))


def records(path):
    """The records of a log, without checkpoints and without the probe of enabling."""
    with open(path) as f:
        lines = [json.loads(line) for line in f if line.strip()]
    return [r for r in lines if r["type"] in ("request", "response") and r["request"]["path"] != "sys/audit/test"]


def port_of(server):
    return int(server.url.rsplit(":", 1)[1])


def writes(pid):
    """Calls of write() and its like so far; what goes to sockets is not among them."""
    with open(f"/proc/{pid}/io") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("syscw"))


def command(*argv, server=None):
    env = servers.clean_environment()
    if server is not None:
        env.update(VAULT_ADDR=server.url, VAULT_TOKEN=server.token)
    done = subprocess.run([servers.bulla_binary(), "audit", *argv], capture_output=True, text=True, timeout=60, env=env,
                          stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout + done.stderr


class Audited(Folder):
    def audited(self, folder_name="log", extra="", **options):
        """A started, initialised server with a file device; its log's path in server.audit."""
        path = os.path.join(self.folder, folder_name)
        server = self.serve(extra=device_text(path, **options) + extra)
        if server.token is None:
            initialise(server)
        server.audit = path
        return server


# ---- beside the peer -------------------------------------------------------------------------------------------------------

# (method, path, body, token, headers); NEW: a token made just before; a list is run as one step
STEPS = [
    ("POST", "sys/mounts/transit", {"type": "transit"}),
    ("POST", "transit/keys/k", {"type": "aes256-gcm96"}),
    ("POST", "transit/encrypt/k", {"plaintext": "aGVsbG8="}),
    ("POST", "transit/encrypt/k", {"batch_input": [{"plaintext": "aGVsbG8=", "reference": "r"}, {"plaintext": "eA=="}],
                                   "x": 1, "b": True, "z": None, "o": {"a": ["x", 2]}, "t": "2026-11-21T22:33:57Z"}),
    ("GET", "transit/keys/k"), ("LIST", "transit/keys"), ("GET", "transit/keys?list=true&after=a"), ("GET", "transit/keys/none"),
    ("POST", "transit/hash", {"input": "aGVsbG8="}), ("POST", "transit/random/8", {}),
    ("GET", "transit/keys/k", None, "bad"), ("GET", "transit/keys/k", None, None),
    ("POST", "auth/token/create", {"policies": ["default"], "ttl": "1h", "meta": {"who": "me"}, "num_uses": 5}),
    ("GET", "auth/token/lookup-self", None, "NEW"), ("GET", "transit/keys/k", None, "NEW"),
    ("POST", "transit/datakey/plaintext/k", {}, "", {"X-Vault-Wrap-TTL": "60"}),
    ("GET", "transit/keys/k/foo/bar"), ("GET", "nowhere/foo"), ("POST", "transit/encrypt/k", {"plaintext": 5}),
    ("GET", "sys/health"), ("GET", "sys/seal-status"), ("OPTIONS", "transit/keys/k"),
    ("POST", "sys/audit-hash/main", {"input": "x"}), ("GET", "auth/token/lookup-self"), ("POST", "auth/token/renew-self", {}),
    ("POST", "transit/keys/k/config", {"deletion_allowed": True}), ("DELETE", "transit/keys/k"),
]

# members whose values are each server's own
OWN = {"time", "id", "mount_running_version", "mount_running_plugin_version", "mount_accessor", "remote_port", "token_issue_time",
       "creation_time", "issue_time", "expire_time", "ttl", "bulla_chain"}
# what only one of them has, on purpose: docs/AUDIT.md
OURS = {"request.mount_accessor", "response.mount_accessor", "bulla_chain"}


def shape(value, path=""):
    """{path: what stands there}: values that must be equal, "hmac" for whatever is hashed."""
    if isinstance(value, dict):
        found = {}
        for name, member in value.items():
            found.update(shape(member, f"{path}.{name}" if path else name))
        return found
    if isinstance(value, list):
        found = {}
        for i, member in enumerate(value):
            found.update(shape(member, f"{path}[{i}]"))
        return found
    if isinstance(value, str) and value.startswith("hmac-sha256:"):
        return {path: "hmac"}
    if path.rsplit(".", 1)[-1] in OWN:
        return {path: "own"}
    if re.fullmatch(r"response\.data\.keys\.\d+", path) and isinstance(value, int):
        return {path: "when the version was made"}
    return {path: value}


def play(server):
    made = None
    for method, path, *rest in STEPS:
        body, token, headers = (rest + [None, "", None][len(rest):])[:3] if rest else (None, "", None)
        answer = server.request(method, path, body, token=made if token == "NEW" else token, headers=headers)
        if path == "auth/token/create":
            made = answer.json["auth"]["client_token"]


@unittest.skipUnless(os.path.exists(BAO), "no OpenBao in tests/.venv")
class BesideThePeer(Audited):
    def bao(self, log):
        config = os.path.join(self.folder, "bao.hcl")
        with open(config, "w") as f:
            f.write(device_text(log))
        server = servers.bao_dev(BAO)
        server.argv.append(f"-config={config}")
        self.addCleanup(server.close)
        return server.start()

    def test_record_by_record(self):
        theirs_path = os.path.join(self.folder, "theirs")
        theirs, ours = self.bao(theirs_path), self.audited()
        started = len(records(theirs_path))
        ours_started = len(records(ours.audit))
        # both callers are to be the same: a root token of the same name
        ours.token = ours.post("auth/token/create", {"id": "same", "policies": ["root"], "no_parent": True,
                                                     "no_default_policy": True}).json["auth"]["client_token"]
        play(theirs)
        play(ours)
        want, got = records(theirs_path)[started:], records(ours.audit)[ours_started + 2:]
        names = [(r["type"], r["request"]["operation"], r["request"]["path"]) for r in want]
        self.assertEqual(names, [(r["type"], r["request"]["operation"], r["request"]["path"]) for r in got])
        for a, b in zip(want, got):
            with self.subTest(f"{a['type']} {a['request']['operation']} {a['request']['path']}"):
                theirs_shape, ours_shape = shape(a), shape(b)
                for key in OURS - set(theirs_shape):
                    ours_shape.pop(key, None)
                ours_shape = {k: v for k, v in ours_shape.items() if not k.startswith("bulla_chain")}
                # the text of an error is in clear at the peer where it comes from a key; here its kind stands there
                if theirs_shape.get("error") != ours_shape.get("error"):
                    self.assertTrue(theirs_shape.pop("error").startswith("1 error occurred"))
                    self.assertTrue(ours_shape.pop("error").startswith("1 error occurred"))
                if theirs_shape.get("request.data.plaintext") == 5:  # a secret without its quotes: hashed here
                    theirs_shape["request.data.plaintext"] = "hmac"
                differences = {k: (theirs_shape.get(k), ours_shape.get(k)) for k in {*theirs_shape, *ours_shape}
                               if theirs_shape.get(k) != ours_shape.get(k)}
                self.assertEqual(differences, {}, "theirs, ours")

    def test_hashes_are_the_peers(self):
        """HMAC-SHA256 with the device's salt as its key; checked against what sys/audit-hash says and what stands in the log."""
        server = self.audited()
        asked = server.post("sys/audit-hash/main", {"input": server.token}).data["hash"]
        self.assertEqual(records(server.audit)[-1]["request"]["client_token"], asked)


# ---- no secret ------------------------------------------------------------------------------------------------------------

class Secrets(Audited):
    def test_no_secret_in_any_log(self):
        server = self.audited(extra='log_level = "trace"\n')
        pan = "4111111111111111"
        secrets = {"the root token": server.token, "a PAN": pan, "its base64": servers.b64(pan)}
        self.assertEqual(server.post("sys/mounts/transit", {"type": "transit"}).status, 204)
        for kind in ("aes256-gcm96", "chacha20-poly1305", "ed25519", "ecdsa-p256", "hmac"):
            server.post(f"transit/keys/{kind}", {"type": kind, "exportable": True, "allow_plaintext_backup": True})
        key = "aes256-gcm96"
        answer = server.post(f"transit/encrypt/{key}", {"plaintext": servers.b64(pan), "encryption_context": {"tenant": "acme"}})
        secrets["a ciphertext"] = answer.data["ciphertext"]
        self.assertEqual(server.post(f"transit/decrypt/{key}", {"ciphertext": answer.data["ciphertext"],
                                                                "encryption_context": {"tenant": "acme"}}).status, 200)
        server.post(f"transit/encrypt/{key}", {"batch_input": [{"plaintext": servers.b64(pan)}, {"plaintext": pan}] * 400})
        # in the wrong place, in the wrong form, to the wrong door
        for path in (f"transit/encrypt/{key}", f"transit/decrypt/{key}", f"transit/keys/{key}/config", "auth/token/create",
                     "sys/wrapping/unwrap", "transit/hash", "sys/audit-hash/main", "sys/capabilities", "sys/mounts/x"):
            for name in ("plaintext", "ciphertext", "type", "ttl", "input", "token", "path", "algorithm", "nonce"):
                for value in (pan, int(pan), servers.b64(pan), [pan], [int(pan)], {"a": pan}, {"a": int(pan)}, server.token):
                    server.post(path, {name: value})
            server.post(path, f'{{"plaintext": "{pan}'.encode())
            server.request("POST", path, f"plaintext={pan}".encode(), headers={"Content-Type": "application/x-www-form-urlencoded"})
        for kind in ("encryption-key", "hmac-key", "signing-key"):
            for name in ("aes256-gcm96", "ed25519", "ecdsa-p256"):
                answer = server.get(f"transit/export/{kind}/{name}")
                for version, text in (answer.json.get("data") or {}).get("keys", {}).items():
                    secrets[f"{kind} of {name}"] = text.split("\n")[1] if "PRIVATE" in text else text
        self.assertIn("encryption-key of aes256-gcm96", secrets)
        self.assertIn("signing-key of ecdsa-p256", secrets)
        secrets["a backup"] = server.get(f"transit/backup/{key}").data["backup"]
        data_key = server.post(f"transit/datakey/plaintext/{key}", {}).data
        secrets["a data key"], secrets["a sealed data key"] = data_key["plaintext"], data_key["ciphertext"]
        made = server.post("auth/token/create", {"policies": ["default"]}).json["auth"]
        secrets["a token"], secrets["an accessor"] = made["client_token"], made["accessor"]
        wrapped = server.get(f"transit/export/encryption-key/{key}", headers={"X-Vault-Wrap-TTL": "60"}).json["wrap_info"]["token"]
        secrets["a wrapping token"] = wrapped
        self.assertEqual(server.request("POST", "sys/wrapping/unwrap", {"token": wrapped}).status, 200)
        server.request("POST", "sys/config/auditing/request-headers/X-Vault-Token", {"hmac": False})
        server.request("POST", "sys/config/auditing/request-headers/Authorization", {"hmac": False})
        server.get("transit/keys/x", headers={"Authorization": f"Bearer {server.token}"})
        server.get("transit/keys/x", token="wrong-" + server.token)
        self.assertEqual(server.stop(), 0)
        with open(server.audit) as f:
            audit = f.read()
        self.assertGreater(len(records(server.audit)), 800)
        self.assertIn('"tenant":"acme"', audit)
        self.assertIn('"x-vault-token":["hmac-sha256:', audit)
        for log, text in (("audit log", audit), ("server's log", server.log_text())):
            for what, secret in secrets.items():
                forms = [secret, base64.b64encode(secret.encode()).decode().rstrip("="), secret.encode().hex()]
                for form in forms:
                    at = text.find(form)
                    self.assertEqual(at, -1, f"{what} is in the {log}: {text[max(0, at - 200):at + 50]}")


# ---- over the server's life ------------------------------------------------------------------------------------------------

class Life(Audited):
    def verify(self, *files, server=None):
        options = ["-device=main"] if server is not None else []
        return command("verify", *options, *files, server=server)

    def make_key(self, server):
        server.post("sys/mounts/transit", {"type": "transit"})
        self.assertEqual(server.post("transit/keys/k").status, 200)

    def test_rotation_kill_and_tampering(self):
        server = self.audited(checkpoint_records=5)
        self.make_key(server)
        mode = os.stat(server.audit).st_mode & 0o777
        self.assertEqual(mode, 0o600)
        os.rename(server.audit, server.audit + ".1")
        server.process.send_signal(signal.SIGHUP)
        end = time.monotonic() + 30
        while not os.path.exists(server.audit) and time.monotonic() < end:
            server.get("sys/health")
        self.assertEqual(server.get("transit/keys/k").status, 200)
        server.kill()
        with open(server.audit, "a") as f:
            f.write('{"time":"2026-11-21T2')
        server.start()
        self.assertEqual(server.get("transit/keys/k").status, 200)
        both = [server.audit + ".1", server.audit]
        status, said = self.verify(*both, server=server)
        self.assertEqual(status, 0, said)
        self.assertIn("note: cut off by a crash", said)
        status, key = command("key", "main", server=server)
        self.assertEqual(status, 0, key)
        self.assertEqual(server.stop(), 0)
        status, said = command("verify", "-key=" + key.strip(), *both)
        self.assertEqual(status, 0, said)
        self.assertIn("the log ends where the server closed it", said)
        self.assertNotIn("taken from the log itself", said)
        with open(both[0]) as f:
            lines = f.readlines()
        with open(both[0], "w") as f:
            f.writelines(lines[:3] + [lines[3].replace("transit", "transjt", 1)] + lines[4:])
        status, said = self.verify(*both)
        self.assertEqual(status, 2, said)
        self.assertIn(f"{both[0]}:4: changed", said)
        self.assertEqual(command("verify", "-key=" + "A" * 43 + "=", both[1])[0], 2)
        self.assertEqual(command("verify", "-key=" + "A" * 43 + "=," + key.strip(), both[1])[0], 3)  # the first lines are in the other
        self.assertEqual(command("verify", "-key=" + key.strip() + ",", both[1])[0], 1)
        self.assertEqual(command("verify", "/nosuch")[0], 1)
        self.assertEqual(command("verify", "/dev/null")[0], 1)  # an emptied log is not a good one
        self.assertEqual(command("verify", "-key=short", both[1])[0], 1)

    def test_end_of_the_log(self):
        server = self.audited(checkpoint_records=1000)
        self.make_key(server)
        status, said = self.verify(server.audit, server=server)
        self.assertEqual(status, 0, said)
        self.assertIn("records are not signed yet: the server says that they are all there", said)
        self.assertNotIn("(-device)", said)
        self.assertIn("only the server can tell (-device)", self.verify(server.audit)[1])
        with open(server.audit) as f:
            lines = f.readlines()
        with open(server.audit + ".cut", "w") as f:
            f.writelines(lines[:-2])
        status, said = self.verify(server.audit + ".cut", server=server)
        self.assertEqual(status, 2, said)
        self.assertNotIn("all there", said)
        with open(server.audit + ".empty", "w") as f:
            f.write("")
        self.assertNotIn("(-device)", self.verify(server.audit + ".empty", server=server)[1])
        url, server.address = server.address, "127.0.0.1:9"  # nobody is there: it cannot be told
        self.assertEqual(command("verify", "-device=main", server.audit, server=server)[0], 1)
        server.address = url
        for option in ("-ca-cert=/nosuch", "-address=nosuch"):
            self.assertEqual(command("verify", option, server.audit)[0], 1)

    def test_items_that_failed(self):
        server = self.audited()
        self.make_key(server)
        good = server.post("transit/encrypt/k", {"plaintext": "eA=="}).data["ciphertext"]
        mac = server.post("transit/hmac/k", {"input": "eA=="}).data["hmac"]
        for path, items, outcome in (
                ("decrypt/k", [{"ciphertext": good}] * 2, "ok"),
                ("decrypt/k", [{"ciphertext": good}, {"ciphertext": good[:-8] + "AAAAAAA="}, {"ciphertext": good}], "2 of 3 items ok"),
                ("decrypt/k", [{"ciphertext": "x"}], "0 of 1 items ok"),
                ("verify/k", [{"input": "eA==", "hmac": mac}, {"input": "eQ==", "hmac": mac}, {"input": "!", "hmac": mac}], "1 of 3 items ok"),
                ("verify/k", [{"input": "eA==", "hmac": mac}], "ok")):
            server.post("transit/" + path, {"batch_input": items})
            said = command("tail", "-n=1", server.audit)[1]
            self.assertRegex(said, rf"  {len(items)} items  {outcome}\n\Z")
            said = command("filter", "-errors", "-type=response", server.audit)[1]
            self.assertEqual(said.endswith(f"  {outcome}\n"), outcome != "ok", said)
        server.post("transit/verify/k", {"input": "eQ==", "hmac": mac})
        self.assertRegex(command("filter", "-errors", server.audit)[1], r"transit/verify/k .*  not valid\n\Z")

    def test_addresses(self):
        server = self.audited()
        self.make_key(server)
        for verb in ("filter", "tail"):
            said = command(verb, "-h")[1]
            self.assertEqual(said.count("-remote-address="), 1)
            self.assertNotIn("  -address", said)  # no server is asked
            self.assertEqual(command(verb, "-address=127.0.0.1", server.audit)[0], 1)
        self.assertIn("transit/keys/k", command("filter", "-remote-address=127.0.0.1", server.audit)[1])
        self.assertEqual(command("filter", "-remote-address=10.0.0.1", server.audit), (0, ""))

    def test_printing(self):
        server = self.audited()
        self.make_key(server)
        for tenant in ("acme", "other"):
            server.post("transit/encrypt/k", {"plaintext": "eA==", "encryption_context": {"tenant": tenant}})
        server.get("transit/keys/none", token="bad")
        status, said = command("tail", "-n=2", server.audit)
        self.assertEqual((status, said.count("\n")), (0, 2), said)
        self.assertIn("error: permission denied", said)
        status, said = command("filter", "-context=tenant=acme", "-type=response", server.audit)
        self.assertEqual(status, 0)
        self.assertRegex(said, r"\A\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  response  update  transit/encrypt/k +root +127.0.0.1  ? ?tenant=acme  ok\n\Z")
        # nothing that a client sends moves the reader's cursor or turns his lines; nor does a line that somebody has added
        odd = "a\x1b[2J\nb\x7f\x9b31m\u202ec\u2028d\u2066e\u200ff\u061cg"
        server.post("transit/encrypt/k", {"plaintext": "eA==", "encryption_context": {"odd": odd, "even": "\u00e4\u20ac\u00a0"}})
        with open(server.audit, "a") as f:
            f.write(json.dumps({"time": "2026\x1b[31m-01-01T\u009b0:00:00Z", "type": "request", "error": "\x1b[0m", "request": {}}) + "\n")
        status, said = command("tail", "-n=2", server.audit)
        self.assertIn("odd=a?[2J?b??31m?c?d?e?f?g even=\u00e4\u20ac\u00a0", said)
        self.assertEqual([c for c in said if c in "\x1b\x7f\x9b\u202e\u2028\u2066\u200f\u061c"], [])
        self.assertEqual(said.count("\n"), 2)
        status, said = command("filter", "-errors", "-json", server.audit)
        self.assertEqual(json.loads(said.splitlines()[0])["error"], "permission denied")

    def test_config(self):
        server = self.audited()
        self.assertEqual(server.post("sys/audit/x", {"type": "file", "options": {"file_path": "/tmp/x"}}).status, 400)
        self.assertEqual(server.delete("sys/audit/main").errors, ["cannot disable configuration-managed audit device"])
        status, said = command("list", server=server)
        self.assertRegex(said, r"main/ +file +the log")
        status, said = command("enable", "file", "file_path=/tmp/x", server=server)
        self.assertEqual(status, 2)
        self.assertIn("declarative", said)
        self.assertEqual(server.stop(), 0)
        # what was made by the configuration stays as it was made, and goes with it
        config = os.path.join(self.folder, "bulla.hcl")
        with open(config) as f:
            text = f.read()
        with open(config, "w") as f:
            f.write(text.replace("the log", "another"))
        status, said = run_server(f"-config={config}")
        self.assertEqual(status, 1)
        self.assertIn('audit device main/ of this store was made with another description: it is "another" in the configuration, and was '
                      '"the log"', said)
        with open(config, "w") as f:
            f.write(re.sub(r'(?s)audit "file".*', "", text))
        server.start()
        self.assertEqual(server.get("sys/audit").data, {})

    def test_a_restored_store(self):
        """Its log is to be elsewhere: the start says which device, which option and what to do, and each of the ways works."""
        server = self.audited(mode="0640")
        self.make_key(server)
        self.assertEqual(server.stop(), 0)
        config, elsewhere = os.path.join(self.folder, "bulla.hcl"), os.path.join(self.folder, "elsewhere.log")
        with open(config) as f:
            text = f.read()
        for found, put, name, now, then in (
                (server.audit, elsewhere, "file_path", f'"{elsewhere}"', f'"{server.audit}"'), ("0640", "0600", "mode", '"0600"', '"0640"'),
                ('    mode = "0640"\n', "", "mode", "not given", '"0640"'),
                ("  options {", '  options {\n    sync = "true"', "sync", '"true"', "not given"), ('"file"', '"socket"', "type", '"socket"', '"file"')):
            with self.subTest(name=name, now=now):
                with open(config, "w") as f:
                    f.write(text.replace(found, put))
                status, said = run_server(f"-config={config}")
                self.assertEqual(status, 1)
                self.assertIn(f"audit device main/ of this store was made with another {name}: it is {now} in the configuration, and was {then}. "
                              "A device cannot be changed. To go on with its log, put what was back into the block "
                              'audit "file" "main"; to begin a new log, give the block another name: main/ is then disabled', said)
        with open(config, "w") as f:
            f.write(text.replace(server.audit, elsewhere).replace('"main"', '"second"'))
        with server:
            self.assertEqual(list(server.get("sys/audit").data), ["second/"])
            self.assertEqual(server.stop(), 0)
        self.assertEqual([command("verify", log)[0] for log in (server.audit, elsewhere)], [0, 0])

    def test_no_answer_without_a_record(self):
        server = self.audited()
        self.make_key(server)
        self.assertEqual(server.get("transit/keys/k").status, 200)
        os.unlink(server.audit)
        os.mkdir(server.audit)  # so that it cannot be opened again
        server.process.send_signal(signal.SIGHUP)
        end = time.monotonic() + 30
        while server.get("transit/keys/k").status != 500 and time.monotonic() < end:
            time.sleep(0.02)
        for _ in range(3):
            answer = server.post("transit/encrypt/k", {"plaintext": "eA=="})
            self.assertEqual((answer.status, answer.errors), (500, ["1 error occurred:\n\t* internal error\n\n"]))
        self.assertEqual(server.post("transit/keys/k/rotate").status, 500)
        health = server.get("sys/health?verbose=true", token=None)
        self.assertEqual(health.status, 200)
        self.assertEqual(health.json["audit"][0]["healthy"], False)
        self.assertIn("Is a directory", health.json["audit"][0]["trouble"])
        self.assertIn("audit device main/ (file) does not record", server.log_text())
        os.rmdir(server.audit)
        answer = server.get("transit/keys/k")
        self.assertEqual((answer.status, answer.data["latest_version"]), (200, 1))
        self.assertIn("records again", server.log_text())

    def hammer(self, server, answered):
        """Requests of which some are pipelined, and some are not waited for."""
        request, last = self.encrypt_request(server), self.encrypt_request(server, "Connection: close\r\n")
        for turn in range(40):
            with socket.create_connection(("127.0.0.1", port_of(server)), timeout=60) as s:
                s.sendall(request * (turn % 4) + last)
                if turn % 5 == 0:  # a reset: the server finds it in whatever it is about
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    continue
                answered.append(b"".join(iter(lambda: s.recv(65536), b"")).count(b"HTTP/1.1 200 "))

    def many_at_once(self, **options):
        """Both records of each request that was answered stand in the log, whoever left meanwhile."""
        server, answered = self.audited(**options), []
        self.make_key(server)
        threads = [threading.Thread(target=self.hammer, args=(server, answered)) for _ in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(sorted(answered), sorted(8 * [turn % 4 + 1 for turn in range(40) if turn % 5 != 0]))
        self.assertEqual(server.get("sys/health", token=None).status, 200)
        server.close()
        found = [r["type"] for r in records(server.audit) if r["request"]["path"] == "transit/encrypt/k"]
        self.assertEqual(found.count("request"), found.count("response"))
        self.assertGreaterEqual(found.count("response"), sum(answered))
        status, said = command("verify", server.audit)
        self.assertEqual(status, 0, said)

    def encrypt_request(self, server, more=""):
        body = '{"plaintext":"eA=="}'
        return (f"POST /v1/transit/encrypt/k HTTP/1.1\r\nHost: x\r\nX-Vault-Token: {server.token}\r\n{more}"
                f"Content-Length: {len(body)}\r\n\r\n{body}").encode()

    def test_a_turn_is_one_write(self):
        """Requests that a loop finds together are on record together: the first at once, the others in one write for each 32 KB."""
        server, count = self.audited(), 64
        self.make_key(server)
        request = self.encrypt_request(server)
        with contextlib.ExitStack() as stack:
            callers = [stack.enter_context(socket.create_connection(("127.0.0.1", port_of(server)), timeout=60)) for _ in range(count)]
            for s in callers:  # each has its loop
                s.sendall(request)
                self.assertIn(b" 200 ", s.recv(65536))
            before = writes(server.process.pid), len(records(server.audit))
            server.process.send_signal(signal.SIGSTOP)
            for s in callers:
                s.sendall(request)
            server.process.send_signal(signal.SIGCONT)
            for s in callers:
                self.assertIn(b" 200 ", s.recv(65536))
            self.assertEqual(len(records(server.audit)) - before[1], 2 * count)
            self.assertLess(writes(server.process.pid) - before[0], count / 2)

    def test_many_at_once(self):
        self.many_at_once()

    def test_many_at_once_on_a_slow_device(self):
        self.many_at_once(sync="true")

    def test_bad_config(self):
        good = servers.config_text(servers.free_port(), self.database)
        for line in ('audit "file" {\n}', 'audit "file" "a" {\n  nosuch = 1\n}', 'audit "file" "a" {\n  options {\n    a = []\n  }\n}',
                     'audit "file" "a" {\n}\naudit "file" "a" {\n}'):
            with self.subTest(line):
                status, said = run_server(f"-config={self.write(good + line)}")
                self.assertEqual(status, 1, said)
                self.assertIn("bulla.hcl:", said)


if __name__ == "__main__":
    unittest.main()
