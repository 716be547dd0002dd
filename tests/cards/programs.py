"""card-api and card-processor as processes, and what tests put between them and the server."""
import contextlib
import http.client
import http.server
import json
import os
import signal
import sqlite3
import ssl
import subprocess
import threading
import time
import urllib.parse

import world
from world import servers

CARD_BIN = os.environ.get("CARD_BIN") or os.path.join(servers.TOP, "api")
WAIT_S = 60
PAGE = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "text/html,application/xhtml+xml"}


def program(name):
    path = os.path.abspath(os.path.join(CARD_BIN, name))
    if not os.access(path, os.X_OK):
        raise SystemExit(f"no program at {path}: build it, or say where it is with CARD_BIN")
    return path


def luhn(digits):
    """The digits with their check digit behind."""
    total = 0
    for i, c in enumerate(reversed(digits)):
        n = int(c) * (2 if i % 2 == 0 else 1)
        total += n - 9 if n > 9 else n
    return digits + str(-total % 10)


def pan(number):
    """The number-th card of a bank that does not exist."""
    return luhn(f"45392966{number:07d}")


def wait_until(holds, what):
    end = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < end, f"waited in vain until {what}"
        time.sleep(0.02)


class Programs:
    """The two programs, set up for a world; each instance has a database of its own."""

    def __init__(self, around, name="cards"):
        self.world = around
        self.folder = os.path.join(around.folder, name)
        os.mkdir(self.folder)
        self.db = os.path.join(self.folder, "cards.db")
        self.log = os.path.join(self.folder, "api.log")
        self.tls = os.path.join(self.folder, "tls")
        os.mkdir(self.tls)
        servers.certificates(self.tls)
        self.ca = os.path.join(self.tls, "ca.pem")
        self.context = ssl.create_default_context(cafile=self.ca)
        self.port = servers.free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        self.token = None
        self.process = None

    def environment(self, role, **more):
        env = {k: v for k, v in servers.clean_environment().items() if not k.startswith("CARD_")}
        env |= self.world.role(role) | {
            "CARD_VAULT_ADDR": self.world.server.url, "CARD_VAULT_CACERT": self.world.ca, "CARD_DB": self.db,
            "CARD_LISTEN": f"127.0.0.1:{self.port}", "CARD_TLS_CERT": os.path.join(self.tls, "server.pem"),
            "CARD_TLS_KEY": os.path.join(self.tls, "server.key"), "CARD_API_URL": self.url, "CARD_API_CACERT": self.ca}
        env |= {k: str(v) for k, v in more.items()}
        return {k: v for k, v in env.items() if v != ""}

    # ---- card-api

    def spawn(self, **env):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([program("card-api")], env=self.environment("card-api", **env), cwd=self.folder,
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return self

    def start(self, **env):
        """Started and ready to take cards."""
        self.spawn(**env)
        wait_until(self.is_ready, f"card-api was ready:\n{self.log_text()}")
        return self

    def answers(self):
        assert self.process.poll() is None, self.log_text()
        try:
            return self.ask("GET", "/health").status
        except (OSError, http.client.HTTPException):
            return 0

    def is_ready(self):
        return self.answers() == 200

    def stop(self, sig=signal.SIGTERM):
        self.process.send_signal(sig)
        return self.process.wait(WAIT_S)

    def close(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def log_text(self):
        return world.read(self.log).decode()

    # ---- requests

    def connection(self):
        return http.client.HTTPSConnection("127.0.0.1", self.port, context=self.context, timeout=WAIT_S)

    def ask(self, method, path, body=None, headers=None, connection=None):
        own = connection is None
        connection = connection or self.connection()
        try:
            connection.request(method, path, body=body, headers=headers or {})
            reply = connection.getresponse()
            return servers.Answer(reply.status, reply.headers, reply.read())
        finally:
            if own:
                connection.close()

    def add(self, name, number, key=None, **kw):
        headers = {"Content-Type": "application/json"} | ({"Idempotency-Key": key} if key else {})
        return self.ask("POST", "/credit-cards/", json.dumps({"name": name, "pan": number}), headers | kw.pop("headers", {}), **kw)

    def add_form(self, **fields):
        return self.ask("POST", "/credit-cards/", urllib.parse.urlencode(fields), {"Content-Type": "application/x-www-form-urlencoded"})

    def list(self):
        return self.ask("GET", "/credit-cards/?limit=250").json["cards"]

    # ---- the others

    def run(self, name, *argv, role="card-processor", **env):
        return subprocess.run([program(name), *argv], env=self.environment(role, **env), cwd=self.folder, stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=300)

    def process_cards(self, *argv, **env):
        return self.run("card-processor", *argv, **env)

    def rewrap(self, **env):
        return self.run("card-api", "rewrap", role="card-rotator", **env)

    def sql(self, text, *values):
        connection = sqlite3.connect(self.db, timeout=30)
        try:
            with connection:
                return connection.execute(text, values).fetchall()
        finally:
            connection.close()

    def files(self):
        """All that the programs wrote, in one."""
        return b"".join(world.read(os.path.join(self.folder, name)) for name in sorted(os.listdir(self.folder))
                        if os.path.isfile(os.path.join(self.folder, name)))


class Between:
    """A plain HTTP server between a program and the real one: passes requests on, counts connections, and may change requests.

    change(path, document) gives the document to pass on; it may wait, too. So may after(path), before the answer goes back.
    answer(path, document) gives the document that goes back. limit: of open connections; others wait."""

    def __init__(self, around, change=None, after=None, answer=None, limit=None):
        self.world, self.change, self.after, self.answer = around, change, after, answer
        self.slots = threading.Semaphore(limit) if limit else contextlib.nullcontext()
        self.connections, self.paths = 0, []
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # a program that was killed waits for no answer
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def handler(between):  # noqa: N805
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                between.connections += 1
                super().setup()

            def handle(self):
                with between.slots:
                    super().handle()

            def pass_on(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                between.paths.append(self.path)
                if body and between.change:
                    body = json.dumps(between.change(self.path, json.loads(body))).encode()
                answer = between.world.server.request(self.command, self.path.removeprefix("/v1/"), body or None,
                                                      token=self.headers.get("X-Vault-Token"))
                if between.after:
                    between.after(self.path)
                back = answer.body
                if between.answer and back:
                    back = json.dumps(between.answer(self.path, json.loads(back))).encode()
                self.send_response(answer.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(back)))
                self.end_headers()
                self.wfile.write(back)

            do_GET = do_POST = pass_on

            def log_message(self, *_):
                pass

        return Handler

    def settings(self):
        return {"CARD_VAULT_ADDR": self.url, "CARD_PLAIN_HTTP": "yes", "CARD_VAULT_CACERT": ""}

    def close(self):
        self.server.shutdown()
        self.server.server_close()
