"""Every command line of README and docs/*.md is run as it stands there: here, or by the test that ELSEWHERE names. Other are only folders, ports
and users, which a test has not."""
import json
import os
import re
import subprocess
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import docs  # noqa: E402
import servers  # noqa: E402

PAGES = ["README.md", *sorted(f"docs/{name}" for name in os.listdir(os.path.join(servers.TOP, "docs")) if name.endswith(".md"))]
PROGRAM = r"(?:\./)?(?:bulla|vault|bao|make|curl|kill|logrotate|systemctl|autoreconf|configure|docker|install|openssl|mkdir|apt-get|card-api|" \
          r"card-processor|adduser|vault\.sh|rotate\.sh|rewrap\.sh|python3|bin/\S+|build/\S+|tests/\S+|BULLA_BIN=\S+)"

# blocks of which all commands ("$ ...") are run, and where; other pages have none
PLAYED = {"README.md": "tests/e2e/test_readme.py", "docs/EXAMPLES.md": "tests/clients/test_examples.py", "docs/OPERATING.md": "tests/e2e/test_docs.py",
          "docs/AUDIT.md": "tests/e2e/test_docs.py", "docs/ALICE-BOB.md": "tests/e2e/test_docs.py", "docs/BYOK.md": "tests/e2e/test_docs.py",
          "docs/CLIENT.md": "tests/e2e/test_docs.py",
          "docs/DEVELOPING.md": "tests/install/test_by_hand.py"}

# commands within a sentence that a test of this file runs as they stand: on a server with the story of the audit log
HERE_RUN = ["bulla audit list", "bulla audit tail", "bulla audit verify", "bulla secrets tune", "bulla token revoke -self",
            "bulla audit filter -path=transit/decrypt/letters -context=user=bob audit.log",
            "bulla write transit/keys/cards/trim min_available_version=8", "bulla policy write NAME FILE",
            "bulla audit enable file file_path=...", "bulla operator generate-root -generate-otp", "bulla operator init",
            "bulla operator generate-root -init", "bulla operator generate-root", "bulla server -config=FILE",
            "bulla server -config=FILE -clock-from-wall", "bulla operator validate-config FILE...",
            "bulla -h", "bulla COMMAND -h", "bulla version",
            "install -o bulla-cards -m 600 /dev/null /var/log/bulla-cards.log"]

# {command: (file, what of it runs the command)}
ELSEWHERE = {
    "bulla server -dev -dev-root-token-id=root": ("tests/support/servers.py", "-dev-root-token-id="),
    "bulla server -config=FILE & kill OLD": ("tests/e2e/test_stop.py", "startup"),
    "bulla server -dev": ("tests/support/servers.py", '"server", "-dev"'),
    "bulla operator unseal": ("tests/e2e/test_cli.py", '"operator", "unseal"'),
    "bulla -autocomplete-install": ("tests/e2e/test_cli.py", "-autocomplete-"),
    "bulla version": ("tests/e2e/test_cli.py", '"version", "-version"'),
    "bulla login": ("tests/e2e/test_login.py", '"login"'),
    "./bin/run": ("tests/e2e/test_run.py", "bin/run"),
    "./bin/test": (".ci/run", "exec ./bin/test"),
    "bin/test build check": (".ci/run", "exec ./bin/test"),
    "bin/test --long": ("bin/test", "--long)"),
    "bin/test STAGE...": ("bin/test", "STAGES="),
    "bin/test e2e": ("bin/test", "stage_e2e"),
    "bin/vault.sh [-n] [DIR]": ("tests/cards/test_story_setup.py", "vault.sh"),
    "vault.sh -n": ("tests/cards/test_story_setup.py", '"-n"'),
    "bin/rotate.sh [-e FILE] [-w [-m]]": ("tests/cards/test_story.py", "rotate.sh"),
    "bin/rewrap.sh [-e FILE] [-m]": ("tests/cards/test_story.py", "rewrap.sh"),
    "bin/rewrap.sh -m": ("tests/cards/test_story.py", '"-m"'),
    "card-processor --mask": ("tests/cards/test_story.py", "--mask"),
    "make check": ("tests/install/test_by_hand.py", "README.md"),
    "make install": ("bin/test", "stage_install"),
    "make distcheck": ("bin/test", "stage_distcheck"),
    "mkdir b && cd b && ../configure && make": ("tests/install/test_by_hand.py", "mkdir b"),
    "BULLA_BIN=build/plain/src/bulla tests/.venv/bin/python tests/e2e/test_cli.py Values.test_file": ("bin/test", "-s tests/e2e"),
    "tests/.venv/bin/bao server -dev": ("tests/support/servers.py", '"server", "-dev"'),
    "tests/fuzz/run.sh json -max_total_time=60": ("tests/install/test_by_hand.py", "run.sh json"),
}

# what needs another machine than this one
NOT_HERE = {
    "docker compose up -d": "no Docker engine; tests/cards/test_images.py builds and runs the images with buildah",
    "docker compose restart bulla card-api": "the same",
    "systemctl --failed": "no systemd", "systemctl reload": "the same",
    "bulla audit checkpoint 1": "no command: how a signed text begins",
    "bin/bench -a -d 1": "minutes, with nothing else on the machine", "bin/bench -c": "the same", "bin/bench -f": "the same",
    "bin/bench -t": "the same",
}


def sentences(page):
    """The commands within the text of a page."""
    prose = "".join("\n" if line.startswith("    ") else line for line in docs.text(page).splitlines(True))
    spans = (re.sub(r"\s+", " ", span) for span in re.findall(r"`([^`]+)`", prose))
    return [span for span in spans if re.match(PROGRAM + " ", span) and not re.match(r"(?:bin|tests|build)/\S+ [`|]", span)]


class Covered(unittest.TestCase):
    def test_blocks(self):
        """No command stands in a block but behind a prompt, and all of those are run."""
        for page in PAGES:
            text = docs.text(page)
            self.assertTrue(not docs.commands(text) or page in PLAYED, page)
            bare = [line for line in text.splitlines() if re.match(rf"    {PROGRAM}\s", line) and " ──" not in line]
            if page == "README.md":
                self.assertEqual([line.split("#")[0].strip() for line in bare], ["./bin/run", "./bin/test"])
            else:
                self.assertEqual(bare, [], page)

    def test_sentences(self):
        found = {command for page in PAGES for command in sentences(page)}
        self.assertGreater(len(found), 30)
        self.assertEqual(found - set(HERE_RUN) - set(ELSEWHERE) - set(NOT_HERE), set())

    def test_elsewhere(self):
        for command, (name, what) in ELSEWHERE.items():
            self.assertIn(what, docs.text(name), command)
        for page, name in PLAYED.items():
            self.assertIn(page.split("/")[-1].removesuffix(".md"), docs.text(name), page)


class Installed(docs.Played):
    """A server with the configuration of OPERATING.md, in a folder that stands for the root of the file system."""

    def setUp(self):
        made = servers.temporary_folder()
        self.root = made.__enter__()
        self.addCleanup(made.__exit__, None, None, None)
        for folder in ("etc", "run", "var/lib", "var/log"):
            os.makedirs(os.path.join(self.root, folder))
        self.port = servers.free_port()

    def here(self, text):
        text = re.sub(r"(?<![\w.~])/(etc|run|var)/", rf"{self.root}/\1/", text).replace("10.0.0.5:8200", f"127.0.0.1:{self.port}")
        text = text.replace("-o bulla -g bulla", f"-o {os.getuid()} -g {os.getgid()}").replace("chown bulla ", f"chown {os.getuid()} ")
        return text.replace("-o bulla-cards", f"-o {os.getuid()}")

    def installed(self, audit=None):
        """Made as OPERATING.md says, and initialised; audit: this block in the place of its own."""
        page = docs.text("docs/OPERATING.md")
        config = re.search(r'((?:    .*\n)+)', page)[1]
        text = docs.plain(config)
        if audit is not None:
            text = re.sub(r'(?ms)^audit .*?^\}\n', lambda _: audit, text)
        pairs = [(self.here(command), self.here(printed)) for command, printed in docs.commands(page)]
        self.assertEqual(len(pairs), 2)
        server = servers.bulla_config(self.root, self.here(text) + "disable_mlock = true\n", self.port)
        self.addCleanup(server.close)
        server.token = ""
        self.check(pairs, server, self.root)
        servers.certificates(self.root)
        for name in ("server.pem", "server.key"):
            os.rename(os.path.join(self.root, name), os.path.join(self.root, "etc/bulla", name))
        server.context = servers.tls_context(self.root)
        server.start()
        return server

    def said(self, server, command, status=0, **env):
        """What a command of the docs says, on both channels."""
        done = subprocess.run(["bash", "-c", self.here(command)], cwd=self.root, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
                              env=docs.environment(server, self.root) | {"VAULT_CACERT": f"{self.root}/ca.pem", "VAULT_TOKEN": server.token or ""} | env)
        self.assertEqual(done.returncode, status, (command, done.stdout, done.stderr))
        return done.stdout + done.stderr


class Operating(Installed):
    def test_first_time(self):
        server = self.installed()
        self.assertEqual(sorted(os.listdir(os.path.join(self.root, "var/lib/bulla"))), ["bulla.db", "bulla.db-wal"])
        self.assertEqual(os.stat(os.path.join(self.root, "etc/bulla/seal.key")).st_mode & 0o777, 0o600)
        shown = self.said(server, "bulla operator init")
        server.token = re.search(r"Initial Root Token: (\S+)", shown)[1]
        shares = re.findall(r"Recovery Key \d: (\S+)", shown)
        self.assertGreater(len(shares), 2)
        self.assertGreater(os.path.getsize(os.path.join(self.root, "var/log/bulla/audit.log")), 0)
        with open(os.path.join(self.root, "run/bulla.pid")) as f:
            self.assertEqual(int(f.read()), server.process.pid)
        self.said(server, "bulla token revoke -self")
        self.assertEqual(server.get("auth/token/lookup-self").status, 403)
        server.token = None  # all are lost
        self.assertEqual(server.stop(), 0)
        config = os.path.join(self.root, "bulla.hcl")
        with open(config) as f:
            text = f.read()
        with open(config, "w") as f:
            f.write(text.replace("tls_key_file ", "disable_unauthed_generate_root_endpoints = false\n  tls_key_file "))
        self.said(server, f"bulla operator validate-config {config}")
        server.argv.append("-clock-from-wall")
        with server:
            otp = self.said(server, "bulla operator generate-root -generate-otp").strip()
            shown = self.said(server, "bulla operator generate-root -init -otp=" + otp)
            self.assertIn("Nonce", shown)
            nonce = re.search(r"Nonce\s+(\S+)", shown)[1]
            for share in shares[:3]:
                shown = self.said(server, f"printf %s '{share}' | bulla operator generate-root -nonce={nonce} -")
            encoded = re.search(r"Encoded Token\s+(\S+)", shown)[1]
            server.token = self.said(server, f"bulla operator generate-root -decode={encoded} -otp={otp}").strip()
            self.assertEqual(server.get("auth/token/lookup-self").data["policies"], ["root"])


def policy_of(title):
    """Of docs/POLICIES.md, "Three users"."""
    return docs.plain(re.search(rf"\*\*{title}.*?\n\n((?:    [^\n]*\n)+)", docs.text("docs/POLICIES.md"), re.S)[1])


class Audit(Installed):
    def caller(self, server, name, policy):
        path = os.path.join(self.root, name)
        with open(path, "w") as f:
            f.write(policy)
        self.said(server, "bulla policy write NAME FILE".replace("NAME", name).replace("FILE", path))
        return server.post("auth/token/create", {"policies": [name], "display_name": name, "meta": {"tenant": "acme"}}).json["auth"]["client_token"]

    def story(self, server):
        """What the log of "The three users" is of."""
        server.token = server.request("PUT", "sys/init", {"recovery_shares": 1, "recovery_threshold": 1}, token=None).json["root_token"]
        server.post("sys/mounts/transit", {"type": "transit"})
        server.post("transit/keys/cards")
        api, processor, rotator = (self.caller(server, name, policy_of(title)) for name, title in (
            ("card-api", "The card API encrypts"), ("card-processor", "The processor decrypts"), ("rotator", "The cron job rotates")))
        context = {"encryption_context": {"tenant": "acme", "purpose": "pan"}}
        made = server.post("transit/encrypt/cards", {"plaintext": servers.b64("4111111111111111")} | context, token=api)
        asked = {"ciphertext": made.data["ciphertext"]} | context
        self.assertEqual(server.post("transit/decrypt/cards", asked, token=api).status, 403)
        self.assertEqual(server.post("transit/decrypt/cards", asked, token=processor).status, 200)
        self.assertEqual(server.post("transit/keys/cards/rotate", token=rotator).status, 200)
        self.assertEqual(server.delete("transit/keys/cards", token=rotator).status, 403)

    def rotate(self):
        """Real logrotate, with the example; then the server has the path open again."""
        config = os.path.join(self.root, "logrotate.conf")
        with open(config, "w") as f:
            f.write(self.here(docs.plain(re.search(r"((?:    .*\n)*    .*logrotate|    /var/log/bulla/audit.log \{\n(?:    .*\n)+)",
                                                   docs.text("docs/AUDIT.md"))[1])))
        done = subprocess.run(["logrotate", "-f", "-s", os.path.join(self.root, "state"), config], capture_output=True, text=True,
                              env=os.environ | {"PATH": os.environ["PATH"] + ":/usr/sbin"})
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        end = time.monotonic() + 30
        while not os.path.exists(os.path.join(self.root, "var/log/bulla/audit.log")):
            self.assertLess(time.monotonic(), end)
            time.sleep(0.02)

    def test_page(self):
        page = docs.text("docs/AUDIT.md")
        server = self.installed(docs.plain(re.search(r'((?:    .*\n)+)', page)[1]))
        self.story(server)
        log = os.path.join(self.root, "var/log/bulla")
        pairs = [(self.here(command), printed) for command, printed in docs.commands(page)]
        env = {"VAULT_CACERT": f"{self.root}/ca.pem", "PATH": os.path.dirname(servers.bulla_binary()) + ":" + os.environ["PATH"]}
        questions, checks = pairs[:3], pairs[3:]
        self.check(questions, server, log, env)
        self.sentences(server)
        self.rotate()
        server.post("transit/random/8")
        self.rotate()
        server.post("transit/random/8")
        self.check(checks[:1], server, log, env)
        self.assertEqual(server.stop(), 0)  # with a last checkpoint
        self.assertEqual(len(checks), 2)
        ((said, status),), errors = docs.play([checks[1][0]], log, docs.environment(server, self.root) | env)
        self.assertEqual((status, re.sub(r"\d+", "N", said.strip())), (0, re.sub(r"\d+", "N", checks[1][1].strip())), errors)

    def sentences(self, server):
        """The commands within sentences."""
        log = os.path.join(self.root, "var/log/bulla/audit.log")
        self.assertRegex(self.said(server, "bulla audit list"), "main/ +file +who did what")
        self.assertIn("transit/keys/cards", self.said(server, f"bulla audit tail {log}"))
        self.assertIn("no line was changed", self.said(server, f"bulla audit verify {log}"))
        self.said(server, "bulla secrets tune -audit-non-hmac-request-keys=input transit")
        self.assertIn("declarative", self.said(server, "bulla audit enable file file_path=/tmp/x", 2))
        for _ in range(6):
            server.post("transit/keys/cards/rotate")
        server.post("transit/keys/cards/config", {"min_decryption_version": 8, "min_encryption_version": 8})
        self.said(server, "bulla write transit/keys/cards/trim min_available_version=8")
        self.assertEqual(server.get("transit/keys/cards").data["min_available_version"], 8)
        self.said(server, "install -o bulla-cards -m 600 /dev/null /var/log/bulla-cards.log")

    def test_alice_and_bob(self):
        server = self.installed()
        server.token = server.request("PUT", "sys/init", {"recovery_shares": 1, "recovery_threshold": 1}, token=None).json["root_token"]
        server.post("sys/mounts/transit", {"type": "transit"})
        page = docs.text("docs/ALICE-BOB.md")
        os.symlink(os.path.join(servers.TOP, "bin"), os.path.join(self.root, "bin"))
        ((command, printed),) = docs.commands(page)
        said = self.said(server, command)
        self.assertEqual(docs.shape(said.split("\n\n")[0]), docs.shape(printed))
        for line in re.findall(r"^    (token-\w+ \{.*)", page, re.M):
            self.assertIn(line, said)
        filtered = self.said(server, "cd /var/log/bulla/; " + HERE_RUN[5])
        self.assertIn("user=bob", filtered)


class Client(docs.Played):
    def test_page(self):
        pairs = docs.commands(docs.text("docs/CLIENT.md"))
        self.assertEqual(len(pairs), 2)
        with servers.bulla_dev() as server, servers.temporary_folder() as folder:
            server.post("sys/mounts/transit", {"type": "transit"})
            said, errors = docs.play([command for command, _ in pairs], folder, docs.environment(server, folder))
            self.assertEqual([status for _, status in said], [0, 0], errors)
            self.assertTrue(server.get("transit/keys/mine").data["imported_key"])
            (listed, _), (flags, _), (version, _) = docs.play(
                ["bulla -h 2>&1", "bulla COMMAND -h 2>&1".replace("COMMAND", "write"), "bulla version"], folder, docs.environment(server, folder))[0]
            self.assertIn(server.get("sys/seal-status").json["version"], version)  # as docs/API.md says
            self.assertIn("\n    operator ", listed)
            self.assertIn("-format", flags)


# What the KMS of a cloud does with the four calls of docs/BYOK.md: a key pair for each key, and the file unwrapped with it.
KMS = """#!/bin/bash
set -euo pipefail
case "$1 $2" in
"kms create-key") openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -out "$KMS_HOME/key-1"; echo key-1 ;;
"kms get-parameters-for-import")
	public=$(openssl pkey -in "$KMS_HOME/$4" -pubout -outform DER | base64 -w0)
	jq -n --arg key "$public" --arg token "$(echo "token of $4" | base64)" '{PublicKey: $key, ImportToken: $token}' ;;
"kms import-key-material")
	[ "$7 $(cat "${8#fileb://}")" = "--import-token token of $4" ]
	openssl pkeyutl -decrypt -inkey "$KMS_HOME/$4" -in "${6#fileb://}" -pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256 \\
		-pkeyopt rsa_mgf1_md:sha256 | base64 -w0 >"$KMS_HOME/material" ;;
"kms update-alias") echo "$4 is $6" >"$KMS_HOME/alias" ;;
*) exit 3 ;;
esac
"""


class Byok(Installed):
    def test_page(self):
        server = self.installed()
        server.token = server.request("PUT", "sys/init", {"recovery_shares": 1, "recovery_threshold": 1}, token=None).json["root_token"]
        server.post("sys/mounts/transit", {"type": "transit"})
        os.symlink(os.path.join(servers.TOP, "bin"), os.path.join(self.root, "bin"))
        run = lambda line: subprocess.run(["sh", "-ec", line], cwd=self.root, check=True, capture_output=True)  # noqa: E731
        run("openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -out p.pem; openssl pkey -in p.pem -pubout -outform DER -out import-public.der")
        page = docs.text("docs/BYOK.md")
        pairs = [(command.replace("https://127.0.0.1:8200", server.url), printed) for command, printed in docs.commands(page)]
        self.assertEqual(len(pairs), 6)
        self.check(pairs[:4], server, self.root)
        wrapped = run("openssl pkeyutl -decrypt -inkey p.pem -in byok-demo-key.v1.wrapped -pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256")
        exported = server.get("transit/export/encryption-key/byok-demo-key/1").data["keys"]["1"]
        self.assertEqual(servers.b64(wrapped.stdout), exported)
        self.check([pairs[0], *pairs[4:]], server, self.root)
        self.schedule(server, page)

    def schedule(self, server, page):
        """The job and the import program, with a KMS that has no cloud around it."""
        for path, text in re.findall(r"    (?=#!/bin/bash\n    # (\S+))((?:.*\n)(?:    .*\n|\n(?=    [^#]))+)", page):
            file = os.path.join(self.root, os.path.basename(path))
            with open(file, "w") as f:
                f.write(docs.plain(text).replace("/opt/byok", self.root).replace("/opt/bulla", servers.TOP))
            os.chmod(file, 0o700)
        os.mkdir(os.path.join(self.root, "kms"))
        with open(os.path.join(self.root, "kms", "aws"), "w") as f:
            f.write(KMS)
        os.chmod(os.path.join(self.root, "kms", "aws"), 0o700)
        path = f"{self.root}/kms:" + docs.environment(server, self.root)["PATH"]
        self.said(server, f"{self.root}/quarterly", KMS_HOME=f"{self.root}/kms", PATH=path)
        exported = server.get("transit/export/encryption-key/byok-demo-key/2").data["keys"]["2"]
        with open(os.path.join(self.root, "kms", "material")) as f:
            self.assertEqual(f.read(), exported)
        with open(os.path.join(self.root, "kms", "alias")) as f:
            self.assertEqual(f.read(), "alias/byok-demo-key is key-1\n")


if __name__ == "__main__":
    unittest.main()
