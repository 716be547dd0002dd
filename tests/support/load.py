"""Loads that heavy or hostile clients make, from 127.0.0.1, and an honest client at 127.0.0.2 that measures how long it waits beside them.
For tests/e2e/test_fairness.py and bin/bench. Standard library only."""
import contextlib
import http.client
import json
import multiprocessing
import os
import socket
import struct
import threading
import time

import servers

PATIENCE_S = 120
HONEST = ("127.0.0.2", 0)
ENGINE = "transit"


def encode(body):
    return body if isinstance(body, bytes) else json.dumps(body).encode()


def batch(count, **item):
    return {"batch_input": [{"reference": str(i), **item} for i in range(count)]}


def jwt(kid, padding=0):
    """One that no key has signed."""
    header, claims = {"alg": "RS256", "kid": kid}, {"sub": "x", "pad": "x" * padding}
    return ".".join(servers.b64(json.dumps(part)).rstrip("=").replace("+", "-").replace("/", "_") for part in (header, claims)) + "." + "A" * 342


class SilentHost:
    """Takes connections, and says nothing."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"

    def close(self):
        self.socket.close()


class World:
    """A server with all that the loads need."""

    def __init__(self, server):
        self.server, self.silent = server, SilentHost()
        self.must("POST", "sys/mounts/transit", {"type": "transit"})
        for name, kind in (("a", "aes256-gcm96"), ("r2", "rsa-2048"), ("r4", "rsa-4096"), ("p384", "ecdsa-p384"), ("p521", "ecdsa-p521"),
                           ("ed", "ed25519")):
            self.must("POST", f"transit/keys/{name}", {"type": kind, "exportable": True})
        for name in ("userpass", "jwt", "approle"):
            self.must("POST", f"sys/auth/{name}", {"type": name})
        self.must("POST", "auth/userpass/users/alice", {"password": "right", "token_ttl": "5m"})
        self.must("POST", "auth/userpass/users/bob", {"password": "other"})
        self.must("POST", "auth/jwt/config", {"jwks_url": self.silent.url, "skip_jwks_validation": True})
        self.must("POST", "auth/jwt/role/r", {"role_type": "jwt", "user_claim": "sub", "bound_audiences": ["x"]})
        self.must("POST", "auth/approle/role/r", {"bind_secret_id": True, "token_ttl": "5m"})
        self.must("POST", "auth/approle/role/b", {"bind_secret_id": True, "token_ttl": "5m", "token_type": "batch"})
        self.must("POST", "sys/policies/acl/all", {"policy": 'path "*" {\n capabilities = ["create", "read", "update", "delete", "list"]\n}'})
        self.rival = self.must("POST", "auth/token/create", {"policies": ["all"]}).json["auth"]["client_token"]
        self.honest = self.must("POST", "auth/token/create", {"policies": ["all"]}).json["auth"]["client_token"]

    def must(self, method, path, body=None):
        reply = self.server.request(method, path, body)
        if reply.status >= 400:
            raise RuntimeError(f"{method} {path}: {reply}")
        return reply

    def close(self):
        self.silent.close()


def secret(world, role):
    role_id = world.must("GET", f"auth/approle/role/{role}/role-id").data["role_id"]
    secret_id = world.must("POST", f"auth/approle/role/{role}/secret-id", {}).data["secret_id"]
    return {"role_id": role_id, "secret_id": secret_id}


def ciphertext(world, key):
    return world.must("POST", f"transit/encrypt/{key}", {"plaintext": servers.b64("x" * 16)}).data["ciphertext"]


def numbered(path):
    """A path for each request, by its number and its thread's."""
    return lambda thread, i: path.format(f"{os.getpid()}-{thread}-{i}")


# ---- what rivals send: (threads, method, path or function of (thread, number), body, token) ---------------------------------------------

LOADS = {
    "6 batches of 420 rsa-4096 signatures, 15 KB": lambda w: (6, "POST", "transit/sign/r4", batch(420, input="AAAA"), w.rival),
    "4 batches of 200 rsa-4096 signatures": lambda w: (4, "POST", "transit/sign/r4", {"batch_input": [{"input": "AAAA"}] * 200}, w.rival),
    "creations of rsa-4096": lambda w: (3, "POST", numbered("transit/keys/new-{}"), {"type": "rsa-4096"}, w.rival),
    "rotations of rsa-4096": lambda w: (3, "POST", "transit/keys/r4/rotate", {}, w.rival),
    "64 wrong passwords": lambda w: (64, "POST", "auth/userpass/login/nobody", {"password": "wrong"}, None),
    "unknown kids, silent JWKS host": lambda w: (16, "POST", "auth/jwt/login", lambda t, i: {"role": "r", "jwt": jwt(f"{t}-{i}")}, None),
    "unknown kids, silent JWKS host, 9 KB": lambda w: (16, "POST", "auth/jwt/login",
                                                       lambda t, i: {"role": "r", "jwt": jwt(f"{t}-{i}", 7000)}, None),
    "batches of 128 encrypted under rsa-4096": lambda w: (8, "POST", "transit/encrypt/r4", batch(128, plaintext="AAAA"), w.rival),
    "batches of 200 decrypted under rsa-4096": lambda w: (4, "POST", "transit/decrypt/r4", batch(200, ciphertext=ciphertext(w, "r4")), w.rival),
    "batches of 300 p384 signatures": lambda w: (4, "POST", "transit/sign/p384", batch(300, input="AAAA"), w.rival),
    "batches of 300 p521 signatures": lambda w: (4, "POST", "transit/sign/p521", batch(300, input="AAAA"), w.rival),
    "prehashed rsa-2048 signatures": lambda w: (8, "POST", "transit/sign/r2", {"prehashed": True, **batch(200, input=servers.b64("x" * 32))}, w.rival),
    "batches of 10,000 under AES": lambda w: (4, "POST", "transit/encrypt/a", batch(10000, plaintext="QUFBQUFBQUFBQUFBQUFBQQ=="), w.rival),
    "bodies of 30 MB": lambda w: (3, "POST", "transit/encrypt/a", {"plaintext": "A" * 30000000}, w.rival),
    "hmac of 8 MB": lambda w: (4, "POST", "transit/hmac/a", {"input": "A" * 8000000}, w.rival),
    "hash of 8 MB": lambda w: (4, "POST", "transit/hash/sha2-512", {"input": "A" * 8000000}, w.rival),
    "AppRole logins": lambda w: (32, "POST", "auth/approle/login", secret(w, "r"), None),
    "AppRole logins, batch tokens": lambda w: (32, "POST", "auth/approle/login", secret(w, "b"), None),
    "wrapping keys of new mounts": lambda w: (2, "POST", numbered("sys/mounts/new-{}"), {"type": "transit"}, w.rival),
    "exports of rsa-4096": lambda w: (8, "GET", "transit/export/signing-key/r4", None, w.rival),
    "data keys": lambda w: (16, "POST", "transit/datakey/plaintext/r4", {}, w.rival),
    "400 signatures at a time": lambda w: (400, "POST", "transit/sign/r4", {"input": "AAAA"}, w.rival),
}


class Bare:
    """For resetting: a server without a world."""

    def __init__(self, server):
        self.server = server


@contextlib.contextmanager
def resetting(world, method, path, body, token, reset=True):
    """A request whose client has gone, with a reset, when the block has ended."""
    host, port = world.server.address.rsplit(":", 1)
    connection = http.client.HTTPConnection(host, int(port), timeout=PATIENCE_S)
    connection.request(method, "/v1/" + path, body=body, headers={"X-Vault-Token": token})
    try:
        yield
    finally:
        if reset:
            connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()


def cpu_s(pid):
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rival_thread(address, load, stop, counts, told, number):
    _, method, path, body, token = load
    fixed = None if callable(body) or body is None else encode(body)
    headers = {"X-Vault-Token": token} if token else {}
    connection, i = None, 0
    while not stop.is_set():
        try:
            if connection is None:
                connection = http.client.HTTPConnection(*address, timeout=PATIENCE_S)
                connection.connect()
                connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # it ends with a reset
            target = path(number, i) if callable(path) else path
            connection.request(method, "/v1/" + target, body=fixed if not callable(body) else encode(body(number, i)), headers=headers)
            reply = connection.getresponse()
            reply.read()
            counts[reply.status] = counts.get(reply.status, 0) + 1
            if reply.status == 503:
                told.add(reply.headers.get("Retry-After"))
            if method == "POST" and "sys/mounts/" in target and reply.status < 300:
                connection.request("GET", "/v1/" + target.removeprefix("sys/mounts/") + "/wrapping_key", headers=headers)
                connection.getresponse().read()
            if reply.status == 503:
                time.sleep(0.05)
            i += 1
        except (OSError, http.client.HTTPException) as e:
            counts[type(e).__name__] = counts.get(type(e).__name__, 0) + 1
            connection = None
            time.sleep(0.01)


def rival_process(address, load, stop, results):
    counts, told = {}, set()
    threads = [threading.Thread(target=rival_thread, args=(address, load, stop, counts, told, i), daemon=True) for i in range(load[0])]
    for t in threads:
        t.start()
    stop.wait()
    results.put((dict(counts), set(told)))


class Rivals:
    """They run while the block does; after it, counts: their answers by status, and told: when 503 said to come again."""

    def __init__(self, world, name):
        host, port = world.server.address.rsplit(":", 1)
        context = multiprocessing.get_context("fork")
        self.stop, self.results = context.Event(), context.Queue()
        self.process = context.Process(target=rival_process, args=((host, int(port)), LOADS[name](world), self.stop, self.results), daemon=True)

    def __enter__(self):
        self.process.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.counts, self.told = self.results.get(timeout=PATIENCE_S)
        self.process.kill()
        self.process.join()


class Honest:
    """One client that does one thing after the other."""

    STEPS = {"encrypt": ("transit/encrypt/a", {"plaintext": servers.b64("x" * 16)}), "rotate": ("transit/keys/a/rotate", {}),
             "login": ("auth/userpass/login/alice", {"password": "right"})}

    def __init__(self, world):
        host, port = world.server.address.rsplit(":", 1)
        self.token = world.honest
        self.connection = http.client.HTTPConnection(host, int(port), timeout=PATIENCE_S, source_address=HONEST)

    def step(self, what):
        """Seconds that it took. Anything but 200 is an error."""
        path, body = self.STEPS[what]
        headers = {} if what == "login" else {"X-Vault-Token": self.token}
        began = time.monotonic()
        self.connection.request("POST", "/v1/" + path, body=json.dumps(body), headers=headers)
        reply = self.connection.getresponse()
        text = reply.read()
        if reply.status not in (200, 204):
            raise RuntimeError(f"{what}: {reply.status} {text[:200]}")
        return time.monotonic() - began

    def measure(self, seconds, plan=("encrypt", "rotate", "encrypt", "encrypt", "login")):
        """Sorted times of each step, in seconds."""
        times, end = {what: [] for what in plan}, time.monotonic() + seconds
        while time.monotonic() < end:
            for what in plan:
                times[what].append(self.step(what))
        return {what: sorted(t) for what, t in times.items()}


def quantile(times, part):
    return times[min(len(times) - 1, int(len(times) * part))]
