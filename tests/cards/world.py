"""What the story's tests share: a Bulla and a real OpenBao over HTTPS, and the scripts of bin/ as an operator runs them."""
import os
import subprocess
import sys
import tempfile

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


class World:
    """One server that keeps keys, and an operator's folder: home with the root token, the roles' files, certificates."""

    def __init__(self, kind, audited=False):
        self.kind, self.audited = kind, audited
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

    def close(self):
        self.server.close()
        servers.shutil.rmtree(self.folder, ignore_errors=True)
