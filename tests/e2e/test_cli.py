"""The client commands against a real server: what they print and how they end, beside the real `bao` client on the same server."""
import concurrent.futures
import json
import os
import pty
import re
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import servers  # noqa: E402

BAO = os.path.join(os.path.dirname(sys.executable), "bao")
PLAIN = servers.b64("4111111111111111")
KEY32 = servers.b64("0123456789abcdef" * 2)

# Each line is run by both programs, each on a mount of its own, in this order. {m}: the mount.
ALIKE = """
secrets enable -path={m} -description=cards transit
secrets enable -path={m} transit
secrets enable
secrets enable nosuch
secrets tune -default-lease-ttl=1h -max-lease-ttl=2h {m}
secrets tune nosuch
secrets move nosuch other
secrets move {m}
secrets move {m} sys/x
secrets
secrets nosuch
write -f {m}/keys/k1
write {m}/keys/k1
write
write {m}/keys/k1/config foo
write {m}/keys/k1/config deletion_allowed=true
write {m}/keys/k1/config deletion_allowed=true nosuch=1
write -format=json -f {m}/keys/k2 exportable=true
write -f {m}/keys/k3 type=chacha20-poly1305
write -f {m}/keys/k4 type=nosuch
write -f {m}/keys/k1/rotate
write -f {m}/nosuch/k1
read {m}/keys/k1
read -format=json {m}/keys/k1
read -field=latest_version {m}/keys/k1
read -field=keys {m}/keys/k1
read -format=json -field=type {m}/keys/k1
read -field=nosuch {m}/keys/k1
read --field latest_version /{m}//keys/../keys/k1/
read {m}/keys/nosuch
read
read a -nosuch
read -nosuch=1 a
read -format=nosuch {m}/keys/k1
read {m}/keys/k1 nosuch=1
read nosuch/x
read sys/seal-status
read {m}/export/encryption-key/k2
list {m}/keys
list -format=json {m}/keys
list -limit=1 {m}/keys
list -after=k1 {m}/keys
list {m}/nosuch
list -format=json nosuch/keys
list
list {m}/keys x
write {m}/encrypt/k1 plaintext=PLAIN
write -field=ciphertext {m}/encrypt/k1 plaintext=PLAIN
write -format=json {m}/encrypt/k1 plaintext=PLAIN
write -field=nosuch {m}/encrypt/k1 plaintext=PLAIN
write {m}/encrypt/k1 plaintext=!
write {m}/encrypt/k1 plaintext=@/nosuch/file
write {m}/encrypt/new plaintext=PLAIN
write {m}/decrypt/k1 ciphertext=vault:v9:AAAA
write {m}/decrypt/k1 ciphertext=nosuch
delete {m}/keys/k2
delete {m}/keys/k1
delete {m}/keys/k1
delete
delete {m}/nosuch
token create -policy=default -ttl=1h -display-name=x
token create -policy=default -ttl=1h -metadata=a=b -format=json
token create -field=policies -policy=default
token create -field=nosuch
token create -ttl=nosuch
token create x
token create -period=30m -policy=default -use-limit=3 -orphan -no-default-policy=false
token lookup
token lookup -format=json
token lookup nosuch
token lookup -accessor nosuch
token renew nosuch
token revoke
token revoke nosuch
token revoke -self x
token revoke -accessor nosuch
token revoke -mode=path
token revoke -mode=path -self
token revoke -mode=path -accessor x
token revoke -mode=nosuch x
token create -role=nosuch
token create -type=batch -policy=default -field=policies
token create -type=nosuch
token capabilities
token capabilities a b c
token capabilities sys/mounts
token capabilities -format=json sys/mounts
token capabilities nosuch sys/mounts
token
token nosuch
status -field=sealed
status x
operator
operator init -status
operator init -status -format=json
operator init -key-shares=1 -key-threshold=1
operator init x
operator unseal a b
operator unseal -reset
read {m}/keys/k1 -format=json
read -format=json {m}/keys/k1 -field=type
read -- {m}/keys/k1 -format=json
read {m}/keys/k1 -nosuch
write {m}/encrypt/k1 plaintext=PLAIN -nosuch
read -format=yaml {m}/keys/k1
read -format=yaml {m}/export/encryption-key/k2
list -format=yaml {m}/keys
token lookup -format=yaml
read -wrap-ttl=5m {m}/keys/k1
read -wrap-ttl=5m -format=json {m}/keys/k1
read -wrap-ttl=nosuch {m}/keys/k1
read -wrap-ttl=5m -field=wrapping_token_ttl {m}/keys/k1
write -wrap-ttl=60s {m}/encrypt/k1 plaintext=PLAIN
unwrap nosuch
unwrap a b
unwrap
read -output-curl-string {m}/keys/k1
list -output-curl-string {m}/keys
write -output-curl-string {m}/encrypt/k1 plaintext=a'b x=1
write -output-curl-string -f {m}/keys/k9
delete -output-curl-string {m}/keys/k9
read -output-curl-string -wrap-ttl=1m {m}/keys/k1
read -output-policy {m}/keys/k1
list -output-policy {m}/keys
write -output-policy {m}/encrypt/k1 plaintext=PLAIN
delete -output-policy {m}/keys/k1
read -output-policy sys/audit
write -output-policy sys/mounts/x type=transit
write -output-policy auth/token/create-orphan ttl=1h
read -header=X-A=b -header=X-C=d -field=type {m}/keys/k1
lease lookup
lease lookup a b
lease lookup auth/token/create/nosuch
lease renew
lease renew auth/token/create/nosuch
lease renew -increment=1h auth/token/create/nosuch
lease revoke
lease revoke -force x
lease revoke nosuch
lease revoke -prefix nosuch/
lease revoke -sync -prefix nosuch/
lease
lease nosuch
patch {m}/keys/k1
patch
patch {m}/keys/k1 x=1
operator key-status
operator key-status x
operator rotate
operator rotate x
auth help
auth help a b
auth help nosuch
version-history
version-history x
version-history -format=json
list sys/version-history
read sys/version-history
print token
print token x
print
print nosuch
path-help
path-help a b
path-help nosuch/x
transit
transit nosuch
transit import
transit import a
transit import {m}/keys/t1 @/nosuch
transit import {m}/keys/t1 !!!
transit import {m}/nokeys/t1 AAAA
transit import {m}/keys/t1 AAAA
transit import {m}/keys/t1/ KEY32
transit import {m}/keys/t1 KEY32
transit import {m}/keys/t1 KEY32
transit import {m}/keys/t2 KEY32 exportable=true allow_rotation=true
transit import {m}/keys/t3 KEY32 type=nosuch
transit import {m}/keys/t4 KEY32 type=rsa-2048
transit import nosuch/keys/t4 KEY32
transit import {m}/keys/t5 @key32
transit import-version
transit import-version {m}/keys/t1 KEY32
transit import-version {m}/keys/nosuch KEY32
read -field=latest_version {m}/keys/t1
read -field=imported_key {m}/keys/t5
read -field=data {m}/keys/t5
read -field=data -format=json {m}/keys/t5
read -field=lease_id {m}/keys/t5
read -field=lease_duration {m}/keys/t5
read -field=renewable {m}/keys/t5
read -field=refresh_interval {m}/keys/t5
read -field=request_id {m}/keys/t5
read -field=warnings {m}/keys/t5
read -field= -format=json {m}/keys/t5
token lookup -field=data
token lookup -field=data -format=json
token create -policy=default -field=data
token create -policy=default -field=lease_id
read -wrap-ttl=5m -field=wrapping_token_creation_path {m}/keys/t5
read -wrap-ttl=5m -field=data {m}/keys/t5
read -format=JSON {m}/keys/t5
read -format=raw -field=name {m}/keys/t5
write -format=raw -f {m}/keys/t7
list -format=raw {m}/keys
token lookup -format=raw
status -format=raw
read -mfa=a:b -policy-override -disable-redirects -field=name {m}/keys/t5
read -agent-address=http://127.0.0.1:9 {m}/keys/t5
read -address= -field=name {m}/keys/t5
read -address=x {m}/keys/t5
read -ca-cert=/nosuch {m}/keys/t5
read -ca-path=/nosuch {m}/keys/t5
read -client-cert=/nosuch {m}/keys/t5
read -client-cert=/nosuch -client-key=/nosuch {m}/keys/t5
status -ca-cert=/nosuch
write cubbyhole/{m} =x
read cubbyhole/{m}
list -detailed {m}/keys
list -detailed -format=json {m}/keys
scan
scan {m}
scan a b
scan -format=json nosuch
secrets list -detailed
secrets list -detailed -format=json
secrets list -format=yaml
auth list
auth list -detailed
auth list -detailed -format=json
secrets enable -path={m}x -plugin-version=latest transit
secrets enable -path={m}y -plugin-name=nosuch plugin
secrets enable -path={m}y -plugin-name=transit plugin
auth enable -path={m} userpass
auth enable -path={m} userpass
auth enable -path={m}v -version=1 userpass
auth tune -user-lockout-threshold=x {m}
auth tune -user-lockout-threshold=7 {m}
auth disable {m}
audit enable
audit enable file
audit enable nosuch
audit list
audit list x
audit disable nosuch
operator generate-root -status
operator generate-root -status -format=json
operator generate-root -cancel
operator generate-root -decode=x
policy read nosuch
policy read -format=json default
policy read default
token create -id={m}-token-of-its-own -policy=default
policy delete root
secrets move {m}/ {m}-moved
secrets disable
secrets disable {m}
secrets disable {m}-moved
secrets disable {m}-moved
nosuch
"""


def normal(text, mount):
    """What differs from run to run, taken out."""
    text = text.replace(mount, "MOUNT")
    for pattern, name in (
        (r"vault:v(\d+):[A-Za-z0-9+/=]+", r"vault:v\1:CT"),
        (r"\b[hs]v?s?\.[A-Za-z0-9]{20,}\b", "TOKEN"),
        (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID"),
        (r"\b(transit|cubbyhole|identity|kv|system|token)_[0-9a-f]{8}\b", r"\1_ACCESSOR"),
        (r"\d{4}-\d\d-\d\dT[0-9:.]+Z", "TIME"),
        (r"\b1[78]\d{8}\b", "1700000000"),
        (r"(accessor[\":]*\s+\"?)[A-Za-z0-9]{20,}", r"\1ACCESSOR"),
        (r"map\[1:[A-Za-z0-9+/=]{43,}\]", "map[1:KEY]"),
        (r'"1": "?[A-Za-z0-9+/=]{43,}"?', '"1": KEY'),
        (r"failed to call import: ?", "failed to call import: "),
        (r"\b(5\d)m\d+s", "TTL"),
        (r"\d\d [A-Z][a-z]{2} \d\d \d\d:\d\d UTC", "SHORT-TIME"),
        (r"(Encryption Count\s+)\d+", r"\1N"),
        (r"(Key Term\s+)\d+", r"\1N"),
        (r"\$\((bulla|bao) print token\)", "TOKEN-OF-PRINT"),
        (r'((?:-H "[^"]*" )+)', lambda m: " ".join(sorted(re.findall(r'-H "[^"]*"', m[1]))) + " "),  # bao's are in any order
        (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[0-9.]* \+0000 UTC", "TIME"),
        (r"WARNING! The following warnings were returned from (Bulla|OpenBao)", "WARNING"),
    ):
        text = re.sub(pattern, name, text)
    return text


class Clients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = servers.bulla_dev().start()

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def run_program(self, program, *args, stdin="", env=None, token=None):
        environment = servers.clean_environment()
        environment["HOME"] = self.server.folder
        prefix = "BAO_" if program == BAO else "VAULT_"
        environment[prefix + "ADDR"] = self.server.url
        environment[prefix + "TOKEN"] = self.server.token if token is None else token
        environment.update(env or {})
        environment = {k: v for k, v in environment.items() if v is not None}
        done = subprocess.run([program, *args], input=stdin, capture_output=True, text=True, env=environment, timeout=60,
                              cwd=self.server.folder)
        return done.returncode, done.stdout, done.stderr

    def bulla(self, *args, **kw):
        return self.run_program(servers.bulla_binary(), *args, **kw)


class BesideBao(Clients):
    """Both clients, line by line: the same exit status and the same text on stdout; the same refusals on stderr."""

    def compare(self, line, ours, theirs):
        self.assertEqual(ours[0], theirs[0], f"{line}: exit status\nours: {ours}\ntheirs: {theirs}")
        shows_both = line.startswith(("secrets list", "auth list"))  # and so the same names
        out = [normal(run[1], "\0" if shows_both else mount) for run, mount in ((ours, "ours0"), (theirs, "theirs"))]
        if "-format=json" in line and out[1].lstrip().startswith(("{", "[")):
            out = [json.loads(text) for text in out]
        if "-format=json" in line and isinstance(out[1], dict) and isinstance(out[1].get("auth"), dict):
            for key in set(out[0]["auth"]) ^ set(out[1]["auth"]):
                self.assertIn(out[0]["auth"].pop(key, None) or out[1]["auth"].pop(key, None), (None, 0, "service"), key)
        self.assertEqual(out[0], out[1], line)
        if not theirs[2]:
            self.assertEqual(ours[2], "", line)
        if "The following warnings were returned" in theirs[2]:
            self.assertEqual(normal(ours[2], "ours0"), normal(theirs[2], "theirs"), line)
        if "Error making API request" in theirs[2] or "Not enough" in theirs[2] or "not present" in theirs[2]:
            self.assertEqual(normal(ours[2], "ours0").replace("at least ", ""), normal(theirs[2], "theirs").replace("at least ", ""), line)

    def test_line_by_line(self):
        self.assertTrue(os.path.exists(BAO), f"no bao beside {sys.executable}")
        with open(os.path.join(self.server.folder, "key32"), "w") as f:
            f.write(KEY32 + "\n")
        for line in filter(None, ALIKE.replace("PLAIN", PLAIN).replace("KEY32", KEY32).splitlines()):
            with self.subTest(line), concurrent.futures.ThreadPoolExecutor(2) as pool:
                ours = pool.submit(self.bulla, *line.format(m="ours0").split(" "))
                theirs = pool.submit(self.run_program, BAO, *line.format(m="theirs").split(" "))
                self.compare(line, ours.result(), theirs.result())


class Values(Clients):
    """Where the data of a write comes from."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.post("sys/mounts/transit", {"type": "transit"})
        cls.server.post("transit/keys/k")

    def plain_of(self, run):
        self.assertEqual(run[0], 0, run)
        return self.server.post("transit/decrypt/k", {"ciphertext": run[1]}).data["plaintext"]

    def encrypt(self, *args, **kw):
        return self.bulla("write", "-field=ciphertext", "transit/encrypt/k", *args, **kw)

    def test_argument(self):
        self.assertEqual(self.plain_of(self.encrypt("plaintext=" + PLAIN)), PLAIN)

    def test_file(self):
        path = os.path.join(self.server.folder, "plain")
        with open(path, "w") as f:
            f.write(PLAIN)
        self.assertEqual(self.plain_of(self.encrypt("plaintext=@" + path)), PLAIN)

    def test_standard_input(self):
        self.assertEqual(self.plain_of(self.encrypt("plaintext=-", stdin=PLAIN)), PLAIN)

    def test_document_on_standard_input(self):
        self.assertEqual(self.plain_of(self.encrypt("-", stdin=json.dumps({"plaintext": PLAIN}))), PLAIN)

    def test_document_in_file_and_pair(self):
        path = os.path.join(self.server.folder, "doc")
        with open(path, "w") as f:
            json.dump({"plaintext": PLAIN}, f)
        self.assertEqual(self.plain_of(self.encrypt("@" + path, "key_version=1")), PLAIN)

    def test_batch_document(self):
        batch = {"batch_input": [{"plaintext": servers.b64(str(i))} for i in range(3000)]}
        status, out, err = self.bulla("write", "-format=json", "transit/encrypt/k", "-", stdin=json.dumps(batch))
        self.assertEqual(status, 0, err)
        self.assertEqual(len(json.loads(out)["data"]["batch_results"]), 3000)

    def test_refused(self):
        for args, stdin in ((["-"], ""), (["-"], "[1]"), (["-"], "{"), (["plaintext=@/nosuch/file"], ""), (["x"], "")):
            with self.subTest(args=args, stdin=stdin):
                status, out, err = self.encrypt(*args, stdin=stdin)
                self.assertEqual((status, out), (1, ""))
                self.assertIn("Failed to parse K=V data", err)

    def test_not_utf8(self):
        path = os.path.join(self.server.folder, "bytes")
        with open(path, "wb") as f:
            f.write(b"\xff\xfe")
        status, _, err = self.encrypt("plaintext=@" + path)
        self.assertEqual(status, 1)
        self.assertIn("UTF-8", err)

    def test_table_of_batch(self):
        status, out, err = self.bulla("write", "transit/encrypt/k", "-", stdin=json.dumps({"batch_input": [{"plaintext": PLAIN}]}))
        self.assertEqual(status, 0, err)
        self.assertRegex(out, r"batch_results    \[map\[ciphertext:vault:v1:\S+ key_version:1 reference:\]\]")


class Flags(Clients):
    """Flags stand anywhere, and nothing that was asked for is silently left out."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.post("sys/mounts/transit", {"type": "transit"})
        cls.server.post("transit/keys/k")

    def test_behind_the_arguments(self):
        for args in (["write", "transit/encrypt/k", "plaintext=" + PLAIN, "-field=ciphertext"],
                     ["write", "transit/encrypt/k", "-field", "ciphertext", "plaintext=" + PLAIN],
                     ["write", "transit/encrypt/k", "plaintext=" + PLAIN, "--field=ciphertext", "-format=table"]):
            status, out, err = self.bulla(*args)
            self.assertEqual((status, err), (0, ""), args)
            self.assertTrue(out.startswith("vault:v1:"), out)
        status, out, err = self.bulla("write", "transit/keys/forced", "-f")
        self.assertEqual(status, 0, err)
        status, out, err = self.bulla("read", "transit/keys/k", "-help")
        self.assertEqual((status, err), (0, ""))
        self.assertIn("Usage: bulla read", out)
        self.assertEqual(self.bulla("list", "transit/keys", "-limit=1", "-format=json")[1], '[\n  "forced"\n]\n')

    def test_wrap_ttl_of_the_environment(self):
        for name in ("BULLA_WRAP_TTL", "BAO_WRAP_TTL", "VAULT_WRAP_TTL"):
            status, out, err = self.bulla("read", "-format=json", "transit/keys/k", env={name: "90s"})
            self.assertEqual(status, 0, err)
            answer = json.loads(out)
            self.assertIsNone(answer["data"])
            self.assertEqual((answer["wrap_info"]["ttl"], answer["wrap_info"]["creation_path"]), (90, "transit/keys/k"))
            status, out, err = self.bulla("unwrap", "-field=name", answer["wrap_info"]["token"])
            self.assertEqual((status, out), (0, "k"), err)
            self.assertEqual(self.bulla("unwrap", answer["wrap_info"]["token"])[0], 2)
        status, out, err = self.bulla("read", "transit/keys/k", env={"VAULT_WRAP_TTL": "bad"})
        self.assertEqual((status, out), (2, ""))
        status, out, err = self.bulla("read", "transit/keys/k", "-wrap-ttl=0", "-field=name", env={"VAULT_WRAP_TTL": "90s"})
        self.assertEqual((status, out), (0, "k"), err)

    def test_unwrap_forms(self):
        def wrap(*args):
            status, out, err = self.bulla("read", "-wrap-ttl=1m", "-field=wrapping_token", "transit/keys/k", *args)
            self.assertEqual(status, 0, err)
            return out

        self.assertEqual(self.bulla("unwrap", "-field=name", "-", stdin=wrap() + "\n")[:2], (0, "k"))
        self.assertEqual(self.bulla("unwrap", "-field=name", token=wrap())[:2], (0, "k"))
        self.assertEqual(self.bulla("unwrap", "-field=name", wrap(), env={"VAULT_TOKEN": None})[:2], (0, "k"))
        status, out, err = self.bulla("write", "-wrap-ttl=1m", "-field=wrapping_token", "transit/keys/k/config", "deletion_allowed=false")
        self.assertEqual(status, 0, err)

    def test_no_token_in_what_is_said(self):
        for args in (["login", "secret-token", "-format=json"], ["login", "secret-token", "other"], ["login", "-no-store", "secret-token", "-x"],
                     ["login", "username=a", "secret-token"], ["login", "-method=userpass", "username=a", "secret-token"],
                     ["login", "-nosuch=secret-token"], ["unwrap", "secret-token"], ["unwrap", "secret-token", "x"], ["token", "lookup", "secret-token"],
                     ["token", "lookup", "secret-token", "x"], ["token", "lookup", "-accessor", "secret-token"], ["token", "renew", "secret-token"],
                     ["token", "renew", "secret-token", "x"], ["token", "revoke", "secret-token", "x"], ["token", "revoke", "-self", "secret-token"],
                     ["token", "capabilities", "secret-token", "a", "b"], ["token", "capabilities", "secret-token", "sys/mounts"],
                     ["token", "lookup", "-secret-token-0"], ["token", "lookup", "--", "-secret-token-0"],
                     ["token", "create", "-id=secret-token", "x"], ["operator", "unseal", "secret-token"], ["operator", "unseal", "secret-token", "x"],
                     ["operator", "init", "secret-token"], ["operator", "generate-root", "secret-token", "x"],
                     ["operator", "generate-root", "-nonce=x", "secret-token"], ["operator", "generate-root", "-decode=secret-token"],
                     ["operator", "generate-root", "-decode=secret-token", "-otp=secret-token"],
                     ["operator", "generate-root", "-init", "-otp=secret-token"], ["transit", "import", "transit/keys/s", "secret-token"],
                     ["transit", "import", "transit/keys/s", KEY32, "secret-token"], ["transit", "import", "secret-token"],
                     ["write", "transit/encrypt/k", "secret-token"], ["write", "sys/wrapping/unwrap", "secret-token"],
                     ["write", "-f", "sys/wrapping/unwrap", "token=secret-token"], ["patch", "cubbyhole/a", "secret-token"],
                     ["delete", "cubbyhole/a", "secret-token"], ["read", "cubbyhole/a", "secret-token"], ["list", "cubbyhole", "secret-token"],
                     ["read", "-header=Authorization:secret-token", "cubbyhole/a"], ["token", "create", "-metadata=secret-token"],
                     ["read", "-header=X-A=secret-token\n", "cubbyhole/a"], ["read", "-header=X A=secret-token", "cubbyhole/a"]):
            status, out, err = self.bulla(*args)
            self.assertNotEqual(status, 0)
            self.assertNotIn("secret-token", out + err, args)
        for flag in ("-output-curl-string", "-output-policy"):
            status, out, err = self.bulla("read", flag, "transit/keys/k", token="s.secrettokensecrettoken")
            self.assertEqual((status, err), (0, ""))
            self.assertNotIn("secrettoken", out)

    def test_a_curl_string_does_what_it_says(self):
        status, out, err = self.bulla("write", "-output-curl-string", "transit/encrypt/k", "plaintext=" + PLAIN)
        self.assertEqual(status, 0, err)
        env = servers.clean_environment() | {"VAULT_TOKEN": self.server.token,
                                             "PATH": os.path.dirname(servers.bulla_binary()) + ":" + os.environ["PATH"]}
        said = subprocess.run(["bash", "-c", out.replace("curl ", "curl -s ", 1)], env=env, capture_output=True, text=True)
        self.assertTrue(json.loads(said.stdout)["data"]["ciphertext"].startswith("vault:v1:"), said)

    def test_nothing_of_a_curl_string_is_expanded(self):
        args = ["-output-curl-string", "-header=X-A=$(id)`id`\"\\", "-wrap-ttl=1m", "cubbyhole/a$HOME"]
        status, out, err = self.bulla("read", *args)
        self.assertEqual((status, err), (0, ""))
        said = subprocess.run(["bash", "-c", "curl() { printf '%s\\n' \"$@\"; }; bulla() { :; }; " + out], capture_output=True, text=True)
        self.assertEqual(said.stdout.splitlines()[-1], self.server.url + "/v1/cubbyhole/a$HOME")
        self.assertIn('X-A: $(id)`id`"\\', said.stdout.splitlines())
        status, out, err = self.bulla("patch", "-output-curl-string", "sys/policies/acl/p", "policy=x")
        self.assertIn('-H "Content-Type: application/merge-patch+json"', out)

    def test_wrap_ttls_that_are_none(self):
        for bad in ("-5s", "-1", "x", ""):
            status, out, err = self.bulla("read", "-wrap-ttl=" + bad, "transit/keys/k")
            self.assertEqual((status, out), (1, ""), bad)
        self.assertTrue(self.bulla("read", "-wrap-ttl=500ms", "-field=wrapping_token", "transit/keys/k")[1].startswith("s."))

    def test_no_prefix_is_not_all(self):
        for prefix in ("", "/", ".", "a/.."):
            self.assertEqual(self.bulla("lease", "revoke", "-prefix", prefix)[::2], (1, "Missing prefix!\n"), prefix)
        self.assertEqual(self.bulla("list", "-output-policy", "/")[1], 'path "" {\n  capabilities = ["list"]\n}\n')

    def test_yaml_reads_back(self):
        values = {"a": "[[1,2],[3]]", "b": "<<", "c": "0b101", "d": "0o17", "e": "12:30", "f": "yes", "g": "- x", "h": "a: b", "i": "\u2028x"}
        self.server.post("cubbyhole/yaml", {**values, "list": [[1, 2], [3, ["x"]], {"k": [1]}]})
        status, out, err = self.bulla("read", "-format=yaml", "cubbyhole/yaml")
        self.assertEqual((status, err), (0, ""))
        for line in ('  b: "<<"', '  c: "0b101"', '  d: "0o17"', '  e: "12:30"', '  f: "yes"', '  g: "- x"', '  h: "a: b"'):
            self.assertIn(line + "\n", out)
        self.assertIn("  list:\n  -\n    - 1\n    - 2\n  -\n    - 3\n    -\n      - x\n  - k:\n", out)

    def test_auth_help(self):
        self.server.post("sys/auth/people", {"type": "userpass"})
        for name in ("people", "userpass", "people/"):
            status, out, err = self.bulla("auth", "help", name)
            self.assertEqual((status, err), (0, ""))
            self.assertIn("bulla login -method=userpass", out)
        self.assertIn("secret_id", self.bulla("auth", "help", "approle")[1])

    def test_numbers_that_are_not_held(self):
        self.server.request("POST", "cubbyhole/big", b'{"n":12345678901234567890}')
        for args in (("read", "cubbyhole/big"), ("read", "-format=json", "cubbyhole/big"), ("read", "-field=n", "cubbyhole/big")):
            status, out, err = self.bulla(*args)
            self.assertEqual((status, out), (2, ""))
            self.assertIn("more than 64 bits", err)
        self.assertIn("12345678901234567890", self.bulla("read", "-format=raw", "cubbyhole/big")[1])
        self.assertEqual(self.bulla("write", "cubbyhole/big", "-", stdin='{"n":12345678901234567890}')[0], 1)

    def test_headers(self):
        for bad in ("-header=X-A", "-header==v", "-header=X A=v", "-header=X-A=a\nX-Vault-Token: root", "-header=X:=v",
                    "-header=X-Vault-Token=x"):
            ours, theirs = self.bulla("read", bad, "transit/keys/k"), self.run_program(BAO, "read", bad, "transit/keys/k")
            self.assertEqual(ours[:2], theirs[:2], bad)
        self.assertEqual(self.bulla("read", "-header=x-vault-other=x", "transit/keys/k")[0], 2)
        self.assertEqual(self.bulla("read", "-header=X-Vault-Namespace=nosuch/", "transit/keys/k")[0], 2)

    def test_non_interactive(self):
        status, out, err = self.bulla("login", "-non-interactive")
        self.assertEqual((status, out), (2, ""))
        self.assertIn("nobody is to be asked", err)

    def test_no_such_command(self):
        for args, status in ((["kvv"], 127), (["operator", "nosuch"], 1), (["lease", "x"], 1)):
            run = self.bulla(*args)
            self.assertEqual((run[0], run[1]), (status, ""))
            self.assertIn("no such command: " + args[-1], run[2])
            self.assertLess(len(run[2].splitlines()), 4)

    def test_path_help(self):
        status, out, err = self.bulla("path-help", "transit/encrypt/k")
        self.assertEqual((status, err), (0, ""))
        self.assertIn("Request:        encrypt/k", out)
        status, out, err = self.bulla("path-help", "-format=json", "transit/encrypt/k")
        self.assertIn("paths", json.loads(out))


class CertificatesOfServers(unittest.TestCase):
    """How a client is told whom to trust: a file, a folder of any PEM files, the text itself, and another name."""

    def test_trust(self):
        with servers.temporary_folder() as folder:
            servers.certificates(folder)
            servers.make_certificate(folder, "named", names="DNS:bulla.example")
            port = servers.free_port()
            listener = f'tls_cert_file = "{folder}/named.pem"\n  tls_key_file = "{folder}/named.key"'
            text = servers.config_text(port, os.path.join(folder, "db"), listener=listener)
            context = servers.tls_context(folder)
            context.check_hostname = False
            with servers.bulla_config(folder, text, port, context=context):
                self.check(folder, port)

    def check(self, folder, port):
        with open(os.path.join(folder, "ca.pem")) as f:
            pem = f.read()
        good = {"VAULT_ADDR": f"https://127.0.0.1:{port}", "HOME": folder}
        os.makedirs(folder + "/cas/below")  # any names, not hashes; links, as Kubernetes mounts them; what is no certificate is passed over
        os.makedirs(folder + "/empty")
        shutil.copy(folder + "/ca.pem", folder + "/real.pem")
        os.symlink(folder + "/real.pem", folder + "/cas/below/company ca.txt")
        for name in ("README", "cas/README"):
            with open(os.path.join(folder, name), "w") as f:
                f.write("nothing\n")
        name = {"VAULT_TLS_SERVER_NAME": "bulla.example"}
        for more, status in (({"VAULT_CAPATH": folder + "/cas"} | name, 2), ({"VAULT_CAPATH": folder + "/empty"} | name, 1),
                             ({"VAULT_CAPATH": folder + "/nosuch"} | name, 1), ({"VAULT_CACERT": folder + "/README"} | name, 1),
                             ({"VAULT_CACERT_BYTES": "nothing"} | name, 1),
                             ({"VAULT_CACERT": folder + "/client.pem", "VAULT_CAPATH": folder + "/cas"} | name, 1),
                             ({"VAULT_CACERT": folder + "/ca.pem"}, 1), ({"VAULT_CACERT_BYTES": pem}, 1),
                             ({"VAULT_CACERT": folder + "/ca.pem", "VAULT_TLS_SERVER_NAME": "bulla.example"}, 2),
                             ({"VAULT_CACERT_BYTES": pem, "BAO_TLS_SERVER_NAME": "bulla.example"}, 2),
                             ({"VAULT_CACERT_BYTES": pem, "BULLA_TLS_SERVER_NAME": "other.example"}, 1),
                             ({"VAULT_TLS_SERVER_NAME": "bulla.example"}, 1), ({"VAULT_SKIP_VERIFY": "1"}, 2)):
            done = subprocess.run([servers.bulla_binary(), "status"], env=servers.clean_environment() | good | more, capture_output=True,
                                  text=True)
            self.assertEqual(done.returncode, status, (more, done))
        done = subprocess.run([servers.bulla_binary(), "status", "-tls-server-name=bulla.example", "-ca-cert=" + folder + "/ca.pem"],
                              env=servers.clean_environment() | good, capture_output=True, text=True)
        self.assertEqual(done.returncode, 2, done) # it answers: it is not initialised


class Environment(Clients):
    """Where address and token come from, and in what order."""

    def lookup(self, **env):
        return self.bulla("token", "lookup", "-field=id", env=env)

    def test_bulla_before_vault(self):
        self.assertEqual(self.lookup(BULLA_TOKEN="root", VAULT_TOKEN="nosuch")[:2], (0, "root"))
        self.assertEqual(self.lookup(BULLA_ADDR="http://127.0.0.1:1")[0], 2)
        self.assertEqual(self.lookup(BULLA_ADDR=self.server.url, VAULT_ADDR="http://127.0.0.1:1")[0], 0)

    def test_bao_between_both(self):
        for name, good, bad in (("TOKEN", "root", "nosuch"), ("ADDR", self.server.url, "http://127.0.0.1:9"), ("NAMESPACE", "root", "nosuch"),
                                ("WRAP_TTL", "60", "bad"), ("SKIP_VERIFY", "1", "bad"), ("FORMAT", "table", "nosuch"), ("CACERT", "", "/nosuch"),
                                ("AGENT_ADDR", self.server.url, "http://127.0.0.1:9")):
            for first, second in (("BULLA_", "BAO_"), ("BAO_", "VAULT_"), ("BULLA_", "VAULT_")):
                env = {"VAULT_ADDR": self.server.url, "VAULT_TOKEN": "root", second + name: bad}
                self.assertNotEqual(self.lookup(**env)[0], 0, env)
                if good:
                    self.assertEqual(self.bulla("token", "lookup", env=env | {first + name: good})[::2], (0, ""), (first, second, name))
            empty = {"BULLA_" + name: "", "BAO_" + name: "", "VAULT_ADDR": self.server.url, "VAULT_TOKEN": "root"}
            self.assertEqual(self.lookup(**empty)[0], 0, empty)

    def test_help_names_them(self):
        for args in (("read",), ("token", "create"), ("operator", "seal"), ("transit", "import")):
            out = self.bulla(*args, "-h")[1]
            for flag in ("namespace", "wrap-ttl", "mfa", "agent-address", "tls-server-name", "header", "non-interactive", "output-policy"):
                self.assertIn(f"  -{flag}", out)

    def test_flag_before_environment(self):
        self.assertEqual(self.bulla("read", "-address=" + self.server.url, "sys/health", env={"VAULT_ADDR": "http://127.0.0.1:1"})[0], 0)

    def test_token_files(self):
        home = os.path.join(self.server.folder, "home")
        os.makedirs(home, exist_ok=True)
        with open(os.path.join(home, ".vault-token"), "w") as f:
            f.write("root\n")
        self.assertEqual(self.lookup(HOME=home, VAULT_TOKEN=None)[:2], (0, "root"))
        with open(os.path.join(home, ".bulla-token"), "w") as f:
            f.write("nosuch")
        self.assertEqual(self.lookup(HOME=home, VAULT_TOKEN=None)[0], 2)

    def test_no_token(self):
        status, _, err = self.lookup(VAULT_TOKEN=None)
        self.assertEqual(status, 2)
        self.assertIn("Code: 403", err)

    def test_token_cannot_add_headers(self):
        status, _, err = self.lookup(VAULT_TOKEN="root\r\nX-Other: 1")
        self.assertEqual(status, 2)
        self.assertIn("non-printable", err)

    def test_bad_address(self):
        for address in ("ftp://x", "127.0.0.1:8200", "http://", "://"):
            with self.subTest(address):
                self.assertEqual(self.lookup(VAULT_ADDR=address)[0], 2)
                self.assertEqual(self.bulla("status", env={"VAULT_ADDR": address})[0], 1)  # 2 would say: sealed
                self.assertEqual(self.bulla("operator", "init", "-status", env={"VAULT_ADDR": address})[0], 1)

    def test_unreachable(self):
        self.assertEqual(self.bulla("status", env={"VAULT_ADDR": "http://127.0.0.1:1"})[0], 1)
        self.assertEqual(self.bulla("read", "x", env={"VAULT_ADDR": "http://127.0.0.1:1"})[0], 2)

    def test_proxy_is_not_asked_on_the_same_machine(self):
        self.assertEqual(self.lookup(http_proxy="http://127.0.0.1:1", HTTP_PROXY="http://127.0.0.1:1", NO_PROXY=None)[0], 0)

    def test_format(self):
        self.assertEqual(json.loads(self.bulla("status", env={"VAULT_FORMAT": "json"})[1])["sealed"], False)
        self.assertEqual(self.bulla("status", env={"VAULT_FORMAT": "nosuch"})[0], 1)

    def test_refused_path(self):
        status, _, err = self.bulla("read", "x", env={"VAULT_ADDR": self.server.url + "/nosuch"})
        self.assertEqual(status, 2, err)


class TokenHelpers(Clients):
    """A program that keeps the token, beside bao with the same one."""

    HELPER = """#!/bin/sh
echo "$@" >>"$HOME/asked"
cat >"$HOME/stdin"
case $1 in get) cat "$HOME/kept" 2>/dev/null; exit 0 ;; store) mv "$HOME/stdin" "$HOME/kept" ;; esac
"""

    def setUp(self):
        self.home = servers.tempfile.mkdtemp(prefix="bulla-home-")
        self.addCleanup(shutil.rmtree, self.home)
        self.configure(self.script(self.HELPER))

    def path(self, name):
        return os.path.join(self.home, name)

    def script(self, text, name="helper"):
        with open(self.path(name), "w") as f:
            f.write(text)
        os.chmod(self.path(name), 0o755)
        return self.path(name)

    def configure(self, helper, name=".vault"):
        with open(self.path(name), "w") as f:
            f.write(f'token_helper = "{helper}"\n')

    def asked(self):
        with open(self.path("asked")) as f:
            text = f.read().split()
        os.unlink(self.path("asked"))
        return text

    def ours(self, *args, **kw):
        return self.bulla(*args, env={"HOME": self.home, "VAULT_TOKEN": None, **kw.pop("env", {})}, **kw)

    def theirs(self, *args):
        return self.run_program(BAO, *args, env={"HOME": self.home, "BAO_TOKEN": None, "BAO_CONFIG_PATH": self.path(".vault")})

    def test_life(self):
        for run in (self.theirs, self.ours):
            self.assertEqual(run("login", "-no-print", "root"), (0, "", ""))
            self.assertEqual(run("token", "lookup", "-field=id")[:2], (0, "root"))
            self.assertEqual(run("print", "token"), (0, "root\n", ""))
            self.assertEqual(self.asked(), ["store", "get", "get"])
            self.assertFalse(os.path.exists(self.path(".vault-token")))
            with open(self.path("kept")) as f:
                self.assertEqual(f.read(), "root")
        self.assertEqual(self.ours("token", "lookup", "-field=id", env={"VAULT_TOKEN": "root"})[0], 0)
        self.assertFalse(os.path.exists(self.path("asked")))  # the environment has one

    def test_where_it_is_configured(self):
        os.rename(self.path(".vault"), self.path("other"))
        with open(self.path("kept"), "w") as f:
            f.write("root\n\n")
        for name in ("BULLA_CONFIG_PATH", "BAO_CONFIG_PATH", "VAULT_CONFIG_PATH"):
            self.assertEqual(self.ours("token", "lookup", "-field=id", env={name: self.path("other")})[:2], (0, "root"), name)
        self.assertEqual(self.ours("token", "lookup")[0], 2)
        os.mkdir(self.path(".vault"))  # somebody else's
        self.assertEqual(self.ours("token", "lookup")[0], 2)
        for name in (".bao", ".bulla"):
            self.configure(self.path("helper"), name)
            self.assertEqual(self.ours("token", "lookup", "-field=id")[:2], (0, "root"), name)
            os.unlink(self.path(name))

    def test_it_gets_nothing_of_standard_input(self):
        with open(self.path("kept"), "w") as f:
            f.write("root")
        self.assertEqual(self.ours("write", "cubbyhole/a", "x=-", stdin="secret")[0], 0)
        self.assertEqual(os.path.getsize(self.path("stdin")), 0)

    def test_refused(self):
        for text in ('token_helper = "/nosuch/program"', 'token_helper = "helper"', "token_helper = 5", 'nosuch = "x"', "{ token_helper",
                     f'token_helper = "{self.script("#!/bin/sh" + chr(10) + "exit 3", "bad")}"',
                     f'token_helper = "{self.script("#!/bin/sh" + chr(10) + "kill -9 $$", "killed")}"',
                     f'token_helper = "{self.script("#!/bin/sh" + chr(10) + "[ $1 = get ] && yes", "endless")}"'):
            with open(self.path(".vault"), "w") as f:
                f.write(text + "\n")
            status, out, err = self.ours("token", "lookup")
            self.assertEqual((status, out), (2, ""), text)
            self.assertIn("token helper", err)
            self.assertEqual(self.ours("token", "lookup", env={"VAULT_TOKEN": "root"})[0], 0, text)
            status, out, err = self.ours("login", "-field=token", "root")
            self.assertEqual(status, 2, text)
            self.assertNotIn("root", err)

    def test_a_token_that_is_not_kept_is_printed(self):
        self.configure(self.script("#!/bin/sh\n[ $1 = get ]\n", "bad"))
        for run in (self.ours, self.theirs):
            status, out, err = run("login", "root")
            self.assertEqual(status, 2)
            self.assertRegex(out, r"token +root")
            self.assertIn("Error storing token", err)

    def test_files(self):
        os.unlink(self.path(".vault"))
        self.assertEqual(self.ours("login", "-no-print", "root")[0], 0)
        self.assertEqual(os.stat(self.path(".vault-token")).st_mode & 0o777, 0o600)
        with open(self.path(".bulla-token"), "w") as f:
            f.write("nosuch")
        self.assertEqual(self.ours("token", "lookup")[0], 2)
        self.assertEqual(self.ours("login", "-no-print", "root")[0], 0)  # where commands look first
        self.assertEqual(self.ours("token", "lookup", "-field=id")[:2], (0, "root"))
        os.unlink(self.path(".bulla-token"))
        os.unlink(self.path(".vault-token"))
        os.mkdir(self.path(".vault-token"))
        status, out, err = self.ours("login", "root")
        self.assertEqual(status, 2)
        self.assertEqual([name for name in os.listdir(self.home) if name.startswith(".vault-token.")], [])


class Completion(Clients):
    """What the tab key offers, beside bao, and what the lines in the shells' files do."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.post("sys/mounts/transit", {"type": "transit"})
        for name in ("k1", "k2", "other"):
            cls.server.post("transit/keys/" + name)

    def complete(self, line, point=None, program=None, **env):
        run = self.run_program(program or servers.bulla_binary(), env={"COMP_LINE": line, "COMP_POINT": str(len(line) if point is None else point), **env})
        self.assertEqual(run[::2], (0, ""), line)
        return sorted(set(run[1].split("\n")) - {""})

    def test_beside_bao(self):
        for line in ("x re", "x -", "x token ", "x token l", "x read -fo", "x read -format j", "x read ", "x read tr", "x list ",
                     "x read transit/keys/", "x delete transit/keys/k", "x secrets disable ", "x auth disable ", "x policy read ",
                     "x token create -policy=", "x token create -policy d", "x token create -p", "x audit enable ", "x print ", "x transit i",
                     "x secrets enable tr", "x auth enable userp", "x lease re", "x read foo -fi", "x"):
            self.assertEqual(self.complete(line), self.complete(line, program=BAO), line)
        self.assertEqual(self.complete("x read tr and more", point=9), ["transit/"])
        self.assertEqual(self.complete("x read --form"), ["--format"])

    def test_files(self):
        for line in ("x read -ca-cert ", "x audit verify ", "x server -config=", "x audit tail "):
            self.assertEqual(self.complete(line + "/etc/hostna"), ["/etc/hostname"], line)

    def test_it_does_nothing_else(self):
        for line in ("x operator seal ", "x operator seal x", "x delete transit/keys/k1 ", "x secrets disable transit/ ", "x version ", "x server -dev ",
                     "x write -f transit/keys/new ", "x nosuch ", "x operator validate-config ", "x operator init ", "x token revoke -self ", "", " ",
                     "x login root ", "x print token ", "x operator generate-root -generate-otp ", "x transit import transit/keys/x AAAA ", "x -h",
                     "x token create ", "x " + "a " * 300):
            self.complete(line)
        self.assertEqual(self.server.get("sys/seal-status").json["sealed"], False)
        self.assertEqual(self.server.list("transit/keys").data["keys"], ["k1", "k2", "other"])
        self.assertEqual(self.complete("x operator validate-config "), [])

    def test_no_server(self):
        self.assertEqual(self.complete("x read tr", VAULT_ADDR="http://127.0.0.1:9"), [])
        self.assertEqual(self.complete("x read -address=http://127.0.0.1:9 tr"), [])
        self.assertEqual(self.complete("x read tr", VAULT_TOKEN="nosuch"), [])

    def install(self, verb, **env):
        return self.bulla(f"-autocomplete-{verb}", env={"HOME": self.home, **env})

    def text(self, name):
        with open(os.path.join(self.home, name)) as f:
            return f.read()

    def test_install(self):
        self.home = servers.tempfile.mkdtemp(prefix="bulla-home-")
        self.addCleanup(shutil.rmtree, self.home)
        self.assertEqual(self.install("install")[0], 1)  # no shell
        os.makedirs(os.path.join(self.home, ".config/fish"))
        texts = {".profile": "a", ".bashrc": "b\n", ".zshrc": "c", "dot": "d\n"}
        for name, text in texts.items():
            with open(os.path.join(self.home, name), "w") as f:
                f.write(text)
        os.chmod(os.path.join(self.home, ".zshrc"), 0o600)
        program = servers.bulla_binary()
        self.assertEqual(self.install("install"), (0, "", ""))
        self.assertEqual(self.text(".profile"), "a")
        self.assertEqual(self.text(".bashrc"), f"b\ncomplete -C {program} bulla\n")
        self.assertEqual(self.text(".zshrc"), f"c\nautoload -U +X bashcompinit && bashcompinit\ncomplete -o nospace -C {program} bulla\n")
        self.assertIn(program, self.text(".config/fish/completions/bulla.fish"))
        status, out, err = self.install("install")
        self.assertEqual((status, out, err.count("already installed")), (1, "", 3))
        self.assertEqual(self.install("uninstall"), (0, "", ""))
        self.assertEqual((self.text(".bashrc"), os.listdir(os.path.join(self.home, ".config/fish/completions"))), ("b\n", []))
        self.assertEqual(os.stat(os.path.join(self.home, ".zshrc")).st_mode & 0o777, 0o600)
        status, out, err = self.install("uninstall")
        self.assertEqual((status, err.count("not installed")), (1, 3))
        self.assertEqual(self.install("install")[0], 0)  # and again, in zsh without a second beginning
        self.assertEqual(self.text(".zshrc").count("bashcompinit && bashcompinit"), 1)
        os.unlink(os.path.join(self.home, ".bashrc"))  # a link stays one
        os.symlink("dot", os.path.join(self.home, ".bashrc"))
        self.bulla("--autocomplete-install", env={"HOME": self.home})
        self.assertIn("complete -C", self.text("dot"))
        self.install("uninstall")
        self.assertEqual(self.text("dot"), "d\n")
        self.assertTrue(os.path.islink(os.path.join(self.home, ".bashrc")))

    def test_in_bash(self):
        script = f"""complete -C {servers.bulla_binary()} bulla
complete -p bulla
COMP_LINE='bulla read transit/keys/k' COMP_POINT=25 {servers.bulla_binary()} bulla transit/keys/k read"""
        env = servers.clean_environment() | {"VAULT_ADDR": self.server.url, "VAULT_TOKEN": self.server.token}
        done = subprocess.run(["bash", "-c", script], env=env, capture_output=True, text=True)
        self.assertEqual(sorted(done.stdout.splitlines()[1:]), ["transit/keys/k1", "transit/keys/k2"], done)


class Document(Clients):
    """The command lines of docs/CLIENT.md, as printed."""

    def test_lines(self):
        with open(os.path.join(servers.TOP, "docs", "CLIENT.md")) as f:
            lines = [line[6:] for line in f.read().splitlines() if line.startswith("    $ ")]
        self.assertEqual(len(lines), 2)
        self.server.post("sys/mounts/transit", {"type": "transit"})
        env = servers.clean_environment() | {"HOME": self.server.folder, "VAULT_ADDR": self.server.url, "VAULT_TOKEN": "root",
                                             "PATH": os.path.dirname(servers.bulla_binary()) + ":" + os.environ["PATH"]}
        for line in lines:
            done = subprocess.run(["bash", "-c", line], env=env, cwd=self.server.folder, capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, (line, done))
        key = self.server.get("transit/keys/mine").data
        self.assertEqual((key["type"], key["imported_key"]), ("rsa-2048", True))


class Output(Clients):
    """What cannot be printed is an error: unseal keys and ciphertexts that went nowhere must not pass for printed ones."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.post("sys/mounts/transit", {"type": "transit"})

    def ends(self, line, redirection):
        env = servers.clean_environment() | {"VAULT_ADDR": self.server.url, "VAULT_TOKEN": self.server.token,
                                             "HOME": self.server.folder, "PROGRAM": servers.bulla_binary()}
        done = subprocess.run(["sh", "-c", f'"$PROGRAM" {line} {redirection}'], capture_output=True, text=True, env=env, timeout=60)
        return done.returncode, done.stdout, done.stderr

    def test_lost(self):
        for line in ("status", "status -format=json", "version", "write -f transit/keys/k", "read -format=json transit/keys/k",
                     "write -field=ciphertext transit/encrypt/k plaintext=" + PLAIN, "token create -h", "-h"):
            for redirection in (">/dev/full", ">&-"):
                with self.subTest(line=line, redirection=redirection):
                    status, _, err = self.ends(line, redirection)
                    self.assertEqual(status, 1, err)
                    self.assertIn("standard output", err)

    def test_no_streams(self):
        self.assertEqual(self.ends("status", "<&- 2>&-")[0], 0)
        self.assertEqual(self.ends("status", "<&- >&- 2>&-"), (1, "", ""))
        self.assertEqual(self.ends("write transit/encrypt/k plaintext=-", "<&-")[0], 1)


class Help(Clients):
    def test_every_command(self):
        lines = ["", "operator", "secrets", "token", "read", "write", "list", "delete", "status", "version", "server", "operator init",
                 "operator unseal", "operator seal", "secrets enable", "secrets disable", "secrets list", "secrets move", "secrets tune",
                 "auth enable", "auth disable", "auth list", "auth move", "auth tune",
                 "token capabilities", "token create", "token lookup", "token renew", "token revoke"]
        for line in lines:
            for flag in ("-h", "--help"):
                with self.subTest(line=line, flag=flag):
                    status, out, err = self.bulla(*line.split(), flag)
                    self.assertEqual((status, err), (0, ""))
                    self.assertTrue(out.startswith("Usage: bulla"), out)

    def test_version(self):
        for line in ("version", "-version", "--version"):
            self.assertRegex(self.bulla(line)[1], r"^Bulla v2\.7\.2\+bulla\.\d+\.\d+\.\d+\n$")

    def test_unknown(self):
        self.assertEqual(self.bulla("nosuch")[0], 127)
        self.assertEqual(self.bulla()[0], 127)


class Tokens(Clients):
    def create(self, *args):
        status, out, err = self.bulla("token", "create", "-format=json", *args)
        self.assertEqual(status, 0, err)
        return json.loads(out)["auth"]

    def test_life(self):
        auth = self.create("-policy=default", "-ttl=1h")
        token = auth["client_token"]
        self.assertIn("policies            [default]", self.bulla("token", "lookup", token)[1])
        self.assertEqual(self.bulla("token", "lookup", "-", stdin=token + "\n")[0], 0)
        self.assertIn("n/a", self.bulla("token", "lookup", "-accessor", auth["accessor"])[1])
        self.assertRegex(self.bulla("token", "renew", "-increment=30m", token)[1], r"token_duration\s+30m\n")
        self.assertRegex(self.bulla("token", "renew", token=token)[1], r"token_renewable\s+true\n")
        self.assertEqual(self.bulla("token", "revoke", "-self", token=token)[:2], (0, "Success! Revoked token (if it existed)\n"))
        self.assertEqual(self.bulla("token", "lookup", token=token)[0], 2)

    def test_revoke_by_accessor(self):
        auth = self.create("-policy=default")
        self.assertEqual(self.bulla("token", "revoke", "-accessor", auth["accessor"])[0], 0)
        self.assertEqual(self.bulla("token", "lookup", auth["client_token"])[0], 2)

    def test_batch(self):
        token = self.create("-policy=default", "-type=batch")["client_token"]
        self.assertTrue(token.startswith("b."), token[:2])
        self.assertIn("batch", self.bulla("token", "lookup", token=token)[1])
        self.assertIn("batch tokens cannot be revoked", self.bulla("token", "revoke", "-self", token=token)[2])

    def test_role(self):
        self.assertEqual(self.bulla("write", "auth/token/roles/nightly", "allowed_policies=default", "orphan=true", "path_suffix=rev1")[0], 0)
        auth = self.create("-role=nightly")
        self.assertEqual((auth["orphan"], auth["policies"]), (True, ["default"]))
        out = self.bulla("token", "lookup", auth["client_token"])[1]
        self.assertRegex(out, r"path\s+auth/token/create/nightly/rev1\n")
        self.assertRegex(out, r"role\s+nightly\n")
        self.assertEqual(self.bulla("token", "revoke", "-mode=path", "auth/token/create/nightly")[0], 0)
        self.assertEqual(self.bulla("token", "lookup", auth["client_token"])[0], 2)

    def test_bound_to_addresses(self):
        for block, status in (("127.0.0.0/8", 0), ("10.0.0.0/8", 2)):
            with self.subTest(block=block):
                self.bulla("write", "auth/token/roles/bound", "allowed_policies=default", "token_bound_cidrs=" + block)
                token = self.create("-role=bound")["client_token"]
                self.assertEqual(self.bulla("token", "lookup", token=token)[0], status)
                self.assertRegex(self.bulla("token", "lookup", token)[1], r"bound_cidrs\s+\[" + block)

    def test_capabilities(self):
        auth = self.create("-policy=default")
        path = "auth/token/lookup-self"
        for args in ((path,), (auth["client_token"], path), ("-accessor", auth["accessor"], path)):
            with self.subTest(args=args[:-2]):
                token = auth["client_token"] if len(args) == 1 else None
                self.assertEqual(self.bulla("token", "capabilities", *args, token=token)[:2], (0, "read\n"))
        self.assertEqual(self.bulla("token", "capabilities", "-", path, stdin=auth["client_token"] + "\n")[1], "read\n")
        self.assertEqual(self.bulla("token", "capabilities", "-accessor", auth["accessor"])[0], 1)

    def test_default_policy_may_not_encrypt(self):
        self.server.post("sys/mounts/tk", {"type": "transit"})
        self.server.post("tk/keys/k")
        token = self.create("-policy=default")["client_token"]
        status, _, err = self.bulla("write", "tk/encrypt/k", "plaintext=" + PLAIN, token=token)
        self.assertEqual(status, 2)
        self.assertIn("permission denied", err)


class Seal(Clients):
    """operator init, unseal and seal with shares."""

    @classmethod
    def setUpClass(cls):
        cls.folder = servers.tempfile.mkdtemp(prefix="bulla-test-")
        port = servers.free_port()
        text = servers.config_text(port, os.path.join(cls.folder, "b.db"), seal_key=None)
        cls.server = servers.bulla_config(cls.folder, text, port, token="").start()

    @classmethod
    def tearDownClass(cls):
        cls.server.close()
        servers.shutil.rmtree(cls.folder)

    def test_whole_way(self):
        self.assertEqual(self.bulla("status")[0], 2)
        self.assertEqual(self.bulla("operator", "init", "-status")[0], 2)
        self.assertEqual(self.bulla("operator", "init", "-key-shares=2", "-key-threshold=3")[0], 2)
        status, out, err = self.bulla("operator", "init", "-key-shares=3", "-key-threshold=2")
        self.assertEqual(status, 0, err)
        shares = re.findall(r"^Unseal Key \d: (\S+)$", out, re.M)
        token = re.search(r"^Initial Root Token: (\S+)$", out, re.M)[1]
        self.assertEqual(len(shares), 3)
        self.assertEqual(self.bulla("operator", "init", "-status")[0], 0)
        status, out, _ = self.bulla("operator", "unseal", shares[0])
        self.assertEqual(status, 0)
        self.assertRegex(out, r"Unseal Progress\s+1/2\n")
        self.assertRegex(self.bulla("operator", "unseal", "-reset")[1], r"Unseal Progress\s+0/2\n")
        self.assertEqual(self.bulla("operator", "unseal", "nosuch!")[0], 2)
        self.bulla("operator", "unseal", shares[0])
        status, out, _ = self.bulla("operator", "unseal", "-", stdin=shares[2] + "\n")
        self.assertRegex(out, r"Sealed\s+false\n")
        self.assertEqual(self.bulla("status")[0], 0)
        self.assertEqual(self.bulla("operator", "seal", token="nosuch")[0], 2)
        self.assertEqual(self.bulla("operator", "seal", token=token)[:2], (0, "Success! Vault is sealed.\n"))
        self.assertEqual(self.bulla("status")[0], 2)
        self.assertEqual(self.bulla("read", "sys/mounts", token=token)[0], 2)
        self.unseal_at_terminal(shares[1])
        self.bulla("operator", "unseal", shares[0])
        self.assertEqual(self.bulla("status")[0], 0)

    def unseal_at_terminal(self, share):
        """The key is asked for, and the terminal does not show it."""
        env = servers.clean_environment() | {"VAULT_ADDR": self.server.url}
        pid, fd = pty.fork()
        if pid == 0:
            os.execve(servers.bulla_binary(), ["bulla", "operator", "unseal"], env)
        shown = b""
        while b"hidden): " not in shown:
            shown += os.read(fd, 1000)
        os.write(fd, share.encode() + b"\n")
        try:
            while chunk := os.read(fd, 1000):
                shown += chunk
        except OSError:
            pass
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0, shown)
        self.assertNotIn(share.encode(), shown)
        self.assertIn(b"1/2", shown)

    def test_unseal_without_terminal(self):
        status, _, err = self.bulla("operator", "unseal")
        self.assertEqual(status, 1)
        self.assertIn("no terminal", err)


if __name__ == "__main__":
    unittest.main()
