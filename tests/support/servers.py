"""Servers for tests: starts the real `bulla` (and `bao`) on free ports, talks HTTP to them, and stops them. Standard library only."""
import base64
import contextlib
import http.client
import json
import os
import random
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
START_S = 60


def bulla_binary():
    path = os.environ.get("BULLA_BIN") or os.path.join(TOP, "src", "bulla")
    if not os.access(path, os.X_OK):
        raise SystemExit(f"no program at {path}: build it, or say where it is with BULLA_BIN")
    return os.path.abspath(path)


def ports():
    """Ports that the system does not give out of its own accord: one of those could be a client's before the server binds it."""
    with open("/proc/sys/net/ipv4/ip_local_port_range") as f:
        low, high = map(int, f.read().split())
    return [*range(10000, low), *range(high + 1, 60000)]


given = set()


def free_port():
    """A port that nobody listens on, and a different one each time."""
    chance, choice = random.SystemRandom(), ports()
    for _ in range(1000 if choice else 0):
        port = chance.choice(choice)
        with socket.socket() as s, contextlib.suppress(OSError):
            s.bind(("127.0.0.1", port))
            if port not in given:
                given.add(port)
                return port
    with socket.socket() as s:  # none is left over: one that is free now
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def b64(data):
    if isinstance(data, str):
        data = data.encode()
    return base64.b64encode(data).decode()


def clean_environment():
    """The environment without anything that would steer a client."""
    keep = {k: v for k, v in os.environ.items() if not k.startswith(("BULLA_", "VAULT_", "BAO_"))}
    keep["NO_PROXY"] = "127.0.0.1,localhost"
    return keep


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def data(self):
        return self.json["data"]

    @property
    def errors(self):
        return self.json["errors"]

    def __repr__(self):
        return f"<{self.status} {self.body[:300]!r}>"


class Server:
    """A process that serves Vault's API."""

    def __init__(self, argv, address, token=None, context=None, cwd=None, log=None):
        self.argv, self.address, self.token, self.context, self.cwd = argv, address, token, context, cwd
        self.folder = tempfile.mkdtemp(prefix="bulla-server-")
        self.log = log or os.path.join(self.folder, "log")
        self.environment = {}  # beside the clean one
        self.process = None

    @property
    def url(self):
        return f"{'https' if self.context else 'http'}://{self.address}"

    def connection(self, timeout=180):
        host, port = self.address.rsplit(":", 1)
        if self.context:
            return http.client.HTTPSConnection(host, int(port), context=self.context, timeout=timeout)
        return http.client.HTTPConnection(host, int(port), timeout=timeout)

    def request(self, method, path, body=None, token="", headers=None, connection=None):
        """path is below /v1/. token "": the server's own; None: none. A dict is sent as JSON, bytes as they are."""
        own = connection is None
        connection = connection or self.connection()
        send = dict(headers or {})
        token = self.token if token == "" else token
        if token is not None:
            send["X-Vault-Token"] = token
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        try:
            connection.request(method, "/v1/" + path, body=body, headers=send)
            reply = connection.getresponse()
            return Answer(reply.status, reply.headers, reply.read())
        finally:
            if own:
                connection.close()

    def get(self, path, **kw):
        return self.request("GET", path, **kw)

    def post(self, path, body=None, **kw):
        return self.request("POST", path, {} if body is None else body, **kw)

    def list(self, path, **kw):
        return self.request("LIST", path, **kw)

    def delete(self, path, **kw):
        return self.request("DELETE", path, **kw)

    def start(self, wait=True):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.cwd,
                                            env={**clean_environment(), **self.environment})
        if wait:
            self.wait_until_ready()
        return self

    def wait_until_ready(self):
        end = time.monotonic() + START_S
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.argv[0]} ended with {self.process.returncode}:\n{self.log_text()}")
            try:
                self.get("sys/health", token=None)
                return
            except (OSError, http.client.HTTPException):
                time.sleep(0.02)
        self.kill()
        raise RuntimeError(f"{self.argv[0]} did not answer in {START_S} s:\n{self.log_text()}")

    def log_text(self):
        with open(self.log, errors="replace") as log:
            return log.read()

    def stop(self, sig=signal.SIGTERM, timeout=30):
        """Ends the process and gives its exit status."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(sig)
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def kill(self):
        self.process.kill()
        self.process.wait()

    def close(self):
        if self.process is not None and self.process.poll() is None:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()


def bulla_dev(*options, token="root", port=None):
    port = port or free_port()
    argv = [bulla_binary(), "server", "-dev", "-dev-no-store-token", f"-dev-root-token-id={token}",
            f"-dev-listen-address=127.0.0.1:{port}", *options]
    return Server(argv, f"127.0.0.1:{port}", token)


def bao_dev(bao, token="root"):
    port = free_port()
    argv = [bao, "server", "-dev", f"-dev-root-token-id={token}", f"-dev-listen-address=127.0.0.1:{port}", "-dev-no-store-token"]
    return Server(argv, f"127.0.0.1:{port}", token)


def bao_config(bao, folder, listener="tls_disable = true", context=None, storage='storage "inmem" {}'):
    """A real OpenBao with a listener of those settings, in memory by default: started, initialised and unsealed with bao_unseal."""
    port, cluster = free_port(), free_port()
    path = os.path.join(folder, "bao.hcl")
    with open(path, "w") as f:
        f.write(f'{storage}\nlistener "tcp" {{\n  address = "127.0.0.1:{port}"\n  cluster_address = "127.0.0.1:{cluster}"\n'
                f'  {listener}\n}}\napi_addr = "http://127.0.0.1:{port}"\n'
                f'cluster_addr = "http://127.0.0.1:{cluster}"\n')
    return Server([bao, "server", f"-config={path}"], f"127.0.0.1:{port}", None, context)


def bao_unseal(server):
    """Initialises it if need be, unseals it, and makes its root token the server's own."""
    if server.token is None:
        answer = server.request("PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1}, token=None).json
        server.token, server.unseal_key = answer["root_token"], answer["keys"][0]
    if server.request("PUT", "sys/unseal", {"key": server.unseal_key}, token=None).json["sealed"]:
        raise RuntimeError(f"it does not unseal:\n{server.log_text()}")
    end = time.monotonic() + START_S
    while server.get("sys/health").status != 200 or server.get("sys/mounts").status != 200:  # it is not active at once
        if time.monotonic() > end:
            raise RuntimeError(f"it does not become active:\n{server.log_text()}")
        time.sleep(0.05)


def raft_storage(folder):
    """What bao_config takes for a store that has raft's paths too; a node alone is its leader after some seconds."""
    os.mkdir(os.path.join(folder, "raft"))
    return f'storage "raft" {{\n  path = "{folder}/raft"\n  node_id = "one"\n  performance_multiplier = 1\n}}'


def serve_beside_bao(cls, bao, listener="tls_disable = true", bao_extra="", bulla_extra="", raft=False):
    """For the tests of a class, in setUpClass: cls.bulla and a real cls.bao, started, neither initialised; cls.both, cls.folder."""
    cls.folder = tempfile.mkdtemp(prefix="bulla-test-")
    cls.addClassCleanup(shutil.rmtree, cls.folder)
    port = free_port()
    cls.bulla = bulla_config(cls.folder, config_text(port, os.path.join(cls.folder, "b.db"), seal_key=None, listener=listener, extra=bulla_extra), port)
    cls.bao = bao_config(bao, cls.folder, listener, **({"storage": raft_storage(cls.folder)} if raft else {}))
    with open(os.path.join(cls.folder, "bao.hcl"), "a") as f:
        f.write(bao_extra)
    cls.both = (cls.bulla, cls.bao)
    for server in cls.both:
        cls.addClassCleanup(server.close)
        server.start(wait=False)
    for server in cls.both:
        server.wait_until_ready()


def wait_for_file(path, server):
    """Until a server that is starting has written it."""
    end = time.monotonic() + START_S
    while not os.path.exists(path) or os.path.getsize(path) == 0:
        if server.process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"no {path}:\n{server.log_text()}")
        time.sleep(0.02)


SEAL_KEY = "0123456789abcdef" * 4


def config_text(port, path, *, seal_key=SEAL_KEY, key_id="test-1", listener="tls_disable = true", extra=""):
    """A configuration with SQLite in path, one listener and a static seal (seal_key None: Shamir)."""
    text = f'storage "sqlite" {{\n  path = "{path}"\n}}\n'
    text += f'listener "tcp" {{\n  address = "127.0.0.1:{port}"\n  {listener}\n}}\n'
    if seal_key is not None:
        text += f'seal "static" {{\n  current_key_id = "{key_id}"\n  current_key = "{seal_key}"\n}}\n'
    return text + "disable_mlock = true\n" + extra


def bulla_config(folder, text, port, token=None, context=None):
    """A server with a configuration file of that text in folder."""
    path = os.path.join(folder, "bulla.hcl")
    with open(path, "w") as f:
        f.write(text)
    return Server([bulla_binary(), "server", f"-config={path}"], f"127.0.0.1:{port}", token, context)


def certificates(folder):
    """A CA, a server certificate for 127.0.0.1 and localhost, and a client certificate: PEM files in folder."""
    def run(*argv):
        subprocess.run(["openssl", *argv], check=True, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "ca.key", "-out", "ca.pem",
        "-days", "2", "-subj", "/CN=test ca")
    make_certificate(folder, "server")
    make_certificate(folder, "client", names=None)


def make_certificate(folder, name, names="DNS:localhost,IP:127.0.0.1", common_name=None, expired=False):
    def run(*argv):
        subprocess.run(["openssl", *argv], check=True, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr",
        "-subj", f"/CN={common_name or name}")
    with open(os.path.join(folder, f"{name}.ext"), "w") as f:
        f.write(f"subjectAltName={names}\n" if names else "extendedKeyUsage=clientAuth\n")
    if expired:  # which only "openssl ca" makes
        with open(os.path.join(folder, "ca.cnf"), "w") as f:
            f.write("[ca]\ndefault_ca=one\n[one]\ndatabase=ca.txt\nnew_certs_dir=.\nrand_serial=yes\npolicy=any\n[any]\ncommonName=supplied\n")
        open(os.path.join(folder, "ca.txt"), "w").close()
        run("ca", "-batch", "-config", "ca.cnf", "-cert", "ca.pem", "-keyfile", "ca.key", "-md", "sha256", "-in", f"{name}.csr", "-notext",
            "-startdate", "20200101000000Z", "-enddate", "20200201000000Z", "-extfile", f"{name}.ext", "-out", f"{name}.pem")
        return
    run("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out", f"{name}.pem",
        "-days", "2", "-extfile", f"{name}.ext")


def tls_context(folder, client=False):
    context = ssl.create_default_context(cafile=os.path.join(folder, "ca.pem"))
    if client:
        context.load_cert_chain(os.path.join(folder, "client.pem"), os.path.join(folder, "client.key"))
    return context


@contextlib.contextmanager
def temporary_folder():
    folder = tempfile.mkdtemp(prefix="bulla-test-")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
