"""What the story's tests share: a Bulla and a real OpenBao over HTTPS, and the scripts of bin/ as an operator runs them."""
import json
import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import servers  # noqa: E402

BAO = os.path.join(os.path.dirname(sys.executable), "bao")
ROOT = "operator-0b5f2c"
ROLES = ("card-api", "card-processor", "card-rotator")

# Stands for the client, and writes down what everybody on the machine could see of it: arguments and environment.
SPY = """#!/bin/bash
{{ printf '%s\\0' "$@"; env; }} >>'{seen}'
exec '{cli}' "$@"
"""


def read(path):
    with open(path, "rb") as f:
        return f.read()


def write(path, data, mode=0o600):
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as f:
        f.write(data if isinstance(data, bytes) else data.encode())
    os.chmod(path, mode)
    return path


def program(name):
    folder = os.environ.get("CARD_BIN") or os.path.join(servers.TOP, "api")
    path = os.path.join(folder, name)
    if not os.access(path, os.X_OK):
        raise SystemExit(f"no program at {path}: build it, or say where it is with CARD_BIN")
    return os.path.abspath(path)


class World:
    """One server that keeps keys, and an operator's folder: home with the root token, the roles' files, certificates."""

    def __init__(self, kind, audited=False):
        self.kind, self.audited, self.api = kind, audited, None
        self.folder = tempfile.mkdtemp(prefix="bulla-cards-")
        self.certificates = os.path.join(self.folder, "tls")
        self.home = os.path.join(self.folder, "home")
        self.roles = os.path.join(self.folder, "roles")
        self.seen = os.path.join(self.folder, "seen")
        os.mkdir(self.certificates)
        os.mkdir(self.home)
        self.server = self.bulla() if kind == "bulla" else self.openbao()
        write(os.path.join(self.home, ".vault-token"), self.server.token)
        self.cli = os.path.join(self.folder, "cli")
        self.spy_on(servers.bulla_binary() if kind == "bulla" else BAO)

    def bulla(self):
        servers.certificates(self.certificates)
        self.ca = os.path.join(self.certificates, "ca.pem")
        port = servers.free_port()
        tls = "\n".join(f'tls_{n}_file = "{self.certificates}/server.{e}"' for n, e in (("cert", "pem"), ("key", "key")))
        self.audit = os.path.join(self.folder, "audit.log")
        text = servers.config_text(port, os.path.join(self.folder, "bulla.db"), listener=tls, extra=self.audit_block())
        server = servers.bulla_config(self.folder, text, port, context=servers.tls_context(self.certificates)).start()
        answer = server.request("PUT", "sys/init", {"recovery_shares": 1, "recovery_threshold": 1}, token=None)
        server.token = answer.json["root_token"]
        return server

    def audit_block(self):
        if not self.audited:
            return ""
        return f'audit "file" "main" {{\n  options {{\n    file_path = "{self.audit}"\n  }}\n}}\n'

    def openbao(self):
        port = servers.free_port()
        argv = [BAO, "server", "-dev-tls", f"-dev-tls-cert-dir={self.certificates}", f"-dev-root-token-id={ROOT}", "-dev-no-store-token",
                f"-dev-listen-address=127.0.0.1:{port}"]
        server = servers.Server(argv, f"127.0.0.1:{port}", ROOT, context=True)
        server.start(wait=False)
        self.ca = os.path.join(self.certificates, "vault-ca.pem")
        servers.wait_for_file(self.ca, server)
        server.context = servers.ssl.create_default_context(cafile=self.ca)
        server.wait_until_ready()
        return server

    def spy_on(self, cli):
        write(self.cli, SPY.format(seen=self.seen, cli=cli), 0o700)

    def environment(self, **more):
        env = servers.clean_environment() | {"HOME": self.home, "VAULT_ADDR": self.server.url, "VAULT_CACERT": self.ca, "VAULT_CLI": self.cli}
        return env | {k: str(v) for k, v in more.items()}

    def role(self, name):
        folder = os.path.join(self.roles, name)
        return {"CARD_ROLE_ID_FILE": os.path.join(folder, "role-id"), "CARD_SECRET_ID_FILE": os.path.join(folder, "secret-id")}

    def run(self, *argv, **env):
        """A script of bin/, run to its end."""
        argv = [os.path.join(servers.TOP, "bin", argv[0]), *argv[1:]]
        return subprocess.run(argv, env=self.environment(**env), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)

    def log_in(self, name):
        """A token of the role."""
        files = self.role(name)
        answer = self.server.post("auth/approle/login", {"role_id": read(files["CARD_ROLE_ID_FILE"]).decode(),
                                                         "secret_id": read(files["CARD_SECRET_ID_FILE"]).decode()}, token=None)
        assert answer.status == 200, answer
        return answer.json["auth"]["client_token"]

    def secrets(self):
        """What must be seen nowhere: the root token and the secret IDs."""
        return [self.server.token.encode(), *(read(self.role(name)["CARD_SECRET_ID_FILE"]) for name in ROLES)]

    # ---- the programs ----------------------------------------------------------------

    def set_up_cards(self):
        """bin/vault.sh, a certificate for card-api, and the token of its callers."""
        done = self.run("vault.sh", self.roles)
        assert done.returncode == 0, done.stdout + done.stderr
        tls = os.path.join(self.folder, "api-tls")
        os.mkdir(tls)
        servers.certificates(tls)
        self.api_ca = os.path.join(tls, "ca.pem")
        self.api_port = servers.free_port()
        self.api_url = f"https://127.0.0.1:{self.api_port}"
        self.caller = os.urandom(16).hex()
        self.db = os.path.join(self.folder, "cards.db")
        self.api_settings = {
            "CARD_LISTEN": f"127.0.0.1:{self.api_port}", "CARD_TLS_CERT": os.path.join(tls, "server.pem"),
            "CARD_TLS_KEY": os.path.join(tls, "server.key"), "CARD_DB": self.db,
        }
        self.caller_settings = {
            "CARD_API_URL": self.api_url, "CARD_API_CACERT": self.api_ca,
            "CARD_API_TOKEN_FILE": write(os.path.join(self.folder, "caller"), self.caller),
        }

    def card_environment(self, role, **more):
        env = {"PATH": os.environ["PATH"], "CARD_VAULT_ADDR": self.server.url, "CARD_VAULT_CACERT": self.ca}
        return env | self.role(role) | more

    def start_api(self):
        env = self.card_environment("card-api", **self.api_settings, CARD_API_TOKEN_FILE=self.caller_settings["CARD_API_TOKEN_FILE"])
        with open(os.path.join(self.folder, "card-api.log"), "ab") as log:
            self.api = subprocess.Popen([program("card-api")], env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        end = time.monotonic() + servers.START_S
        while subprocess.run([program("card-api"), "health"], env=self.card_environment("card-api", **self.caller_settings),
                             capture_output=True).returncode != 0:
            if self.api.poll() is not None or time.monotonic() > end:
                raise RuntimeError("card-api did not start:\n" + read(os.path.join(self.folder, "card-api.log")).decode())
            time.sleep(0.05)

    def stop_api(self):
        self.api.terminate()
        return self.api.wait(30)

    def call_api(self, method, path, body=None):
        """Gives status and document."""
        context = servers.ssl.create_default_context(cafile=self.api_ca)
        connection = servers.http.client.HTTPSConnection("127.0.0.1", self.api_port, context=context, timeout=60)
        headers = {"Authorization": f"Bearer {self.caller}", "Content-Type": "application/json"}
        try:
            connection.request(method, path, body=None if body is None else json.dumps(body).encode(), headers=headers)
            answer = connection.getresponse()
            text = answer.read()
            return answer.status, json.loads(text) if text else None
        finally:
            connection.close()

    def processor(self, *argv):
        """Exit status, and what it printed and complained of."""
        done = subprocess.run([program("card-processor"), *argv], env=self.card_environment("card-processor", **self.caller_settings),
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
        return done.returncode, done.stdout, done.stderr

    def files(self):
        """Everything that was written here, by name."""
        for folder, _, names in os.walk(self.folder):
            for name in names:
                path = os.path.join(folder, name)
                if os.path.isfile(path):
                    yield path, read(path)
        yield "the server's log", self.server.log_text().encode()

    def close(self):
        if self.api is not None and self.api.poll() is None:
            self.api.kill()
            self.api.wait()
        self.server.close()
        servers.shutil.rmtree(self.folder, ignore_errors=True)
