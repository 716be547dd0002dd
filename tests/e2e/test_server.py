"""The server as a process: its configuration, its files, its restarts and its signals."""
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import ssl
import stat
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import servers  # noqa: E402
import tcp  # noqa: E402

PLAIN = servers.b64("4111111111111111")


def initialise(server):
    """sys/init under a static seal; the server gets the root token."""
    answer = server.request("PUT", "sys/init", {"recovery_shares": 1, "recovery_threshold": 1}, token=None)
    assert answer.status == 200, answer
    server.token = answer.json["root_token"]
    return answer.json


def make_key(server, name="k"):
    """A ciphertext of PLAIN under a new key."""
    server.post("sys/mounts/transit", {"type": "transit"})
    answer = server.post(f"transit/keys/{name}")
    assert answer.status == 200, answer
    return server.post(f"transit/encrypt/{name}", {"plaintext": PLAIN}).data["ciphertext"]


def digest_of(folder):
    """Of the contents of every file there."""
    digests = {}
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), "rb") as f:
            digests[name] = hashlib.sha256(f.read()).hexdigest()
    return digests


def run_server(*args, timeout=60):
    """A server that is expected to end by itself: exit status and what it said."""
    done = subprocess.run([servers.bulla_binary(), "server", *args], capture_output=True, text=True, timeout=timeout,
                          env=servers.clean_environment(), stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout + done.stderr


class Folder(unittest.TestCase):
    def setUp(self):
        self.folder = servers.tempfile.mkdtemp(prefix="bulla-test-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.database = os.path.join(self.folder, "b.db")

    def serve(self, **options):
        """A started server on this folder's database."""
        port = servers.free_port()
        path = options.pop("path", self.database)
        server = servers.bulla_config(self.folder, servers.config_text(port, path, **options), port)
        self.addCleanup(server.close)
        return server.start()

    def write(self, text, name="bulla.hcl"):
        path = os.path.join(self.folder, name)
        with open(path, "w") as f:
            f.write(text)
        return path


GOOD = ['storage "sqlite" {', '  path = "PATH"', "}", 'listener "tcp" {', '  address = "127.0.0.1:0"', "  tls_disable = true", "}"]

# (line to replace, its new text, the line that the error must name)
BAD_LINES = [
    (2, '  pth = "x"', 2), (2, "  path = 5", 2), (2, '  path = "x', 2), (1, 'storage "postgresqlite" {', 1), (1, "storage {", 1),
    (4, 'listener "udp" {', 4), (5, '  address = "nosuch"', 5), (5, '  address = "127.0.0.1:99999"', 5), (6, '  tls_disable = "maybe"', 6),
    (6, '  tls_min_version = "tls9"', 6), (6, '  tls_cert_file = "/nosuch"', 6), (7, '}\nnosuch_key = "x"', 8), (7, '}\nlog_level = "loud"', 8),
    (7, '}\nlog_format = "xml"', 8), (7, '}\nmax_request_size = -1', 8), (7, '}\nmax_request_duration = "long"', 8),
    (7, '}\ndisable_mlock = "x"', 8), (7, '}\nseal "static" {\n  current_key_id = "a"\n  current_key = "short"\n}', 10),
    (7, '}\nseal "static" {\n  current_key_id = "a"\n  current_key = "file:///nosuch/key"\n}', 10),
    (7, '}\nseal "magic" {\n}', 8), (7, "", None), (7, "}}", 7),
    (6, '  tls_disable = true\n  x_forwarded_for_authorized_addrs = "bogus"', 7),
    (6, '  tls_disable = true\n  x_forwarded_for_authorized_addrs = ["10.0.0.1", 5]', 7),
    (6, '  tls_disable = true\n  x_forwarded_for_hop_skips = -1', 7), (6, '  tls_disable = true\n  x_forwarded_for_reject_not_present = "x"', 7),
    (6, '  tls_disable = true\n  disable_unauthed_generate_root_endpoints = 5', 7), (7, '}\n"x', 8),
]


class Configuration(Folder):
    def test_errors_name_file_and_line(self):
        for number, text, named in BAD_LINES:
            with self.subTest(text):
                lines = list(GOOD)
                lines[number - 1] = text
                path = self.write("\n".join(lines).replace("PATH", self.database) + "\n")
                status, said = run_server(f"-config={path}")
                self.assertEqual(status, 1, said)
                self.assertIn(f"{path}:{named}" if named else path, said)
                made = [name for name in os.listdir(self.folder) if name.startswith("b.db")]
                self.assertEqual(made, [], "a file was made all the same")

    def test_unreadable(self):
        for path in ("/nosuch/file.hcl", self.folder):
            status, said = run_server(f"-config={path}")
            self.assertEqual(status, 1)
            self.assertIn(path, said)

    def test_command_line(self):
        for args in ((), ("-nosuch",), ("-config",), ("-dev", "-dev-listen-address=nosuch"), ("extra",)):
            with self.subTest(args):
                self.assertEqual(run_server(*args)[0], 1)

    def test_comments_and_spellings(self):
        port = servers.free_port()
        text = (f'# a comment\nstorage "sqlite" {{ path = "{self.database}" }}\n// another\n/* and\none more */\n'
                f'listener "tcp" {{\n  address = "127.0.0.1:{port}", tls_disable = 1\n}}\n'
                f'disable_mlock = true\npid_file = "{self.folder}/pid"\ncluster_name = "here"\nlog_level = "debug"\n')
        server = servers.bulla_config(self.folder, text, port)
        self.addCleanup(server.close)
        try:
            server.start()
        except RuntimeError:  # HCL wants one attribute a line
            server = servers.bulla_config(self.folder, text.replace(", tls", "\n  tls").replace("{ path", "{\n path").replace('" }', '"\n}'), port)
            self.addCleanup(server.close)
            server.start()
        with open(f"{self.folder}/pid") as f:
            self.assertEqual(int(f.read()), server.process.pid)
        self.assertEqual(server.stop(), 0)
        self.assertFalse(os.path.exists(f"{self.folder}/pid"))

    def test_json_log_and_no_secrets(self):
        server = self.serve(extra='log_format = "json"\nlog_level = "trace"\n')
        initialise(server)
        ciphertext = make_key(server)
        server.post("transit/decrypt/k", {"ciphertext": ciphertext})
        server.post("transit/decrypt/k", {"ciphertext": "vault:v1:AAAA"})
        server.get("transit/keys/k", token="nosuch-token-value")
        self.assertEqual(server.stop(), 0)
        log = server.log_text()
        self.assertGreater(len(log.splitlines()), 1)
        for line in log.splitlines():
            json.loads(line)
        for secret in (server.token, PLAIN, "4111111111111111", "nosuch-token-value", servers.SEAL_KEY):
            self.assertNotIn(secret, log)

    def test_small_request_limit(self):
        server = self.serve(extra="max_request_size = 1000\n")
        initialise(server)
        make_key(server)
        self.assertEqual(server.post("transit/encrypt/k", {"plaintext": "A" * 900}).status, 200)
        self.assertEqual(server.post("transit/encrypt/k", {"plaintext": "A" * 1000}).status, 413)


class Dev(Folder):
    def test_in_memory_and_known_token(self):
        with servers.bulla_dev(token="mine") as server:
            status = server.get("sys/seal-status").json
            self.assertEqual((status["initialized"], status["sealed"], status["t"], status["n"], status["storage_type"]), (True, False, 1, 1, "inmem"))
            mounts = server.get("sys/mounts").data
            self.assertNotIn("transit", [m["type"] for m in mounts.values()])
            self.assertEqual(server.get("sys/mounts", token="root").status, 403)
            make_key(server)
            server.stop()
            server.start()
            self.assertEqual(server.get("transit/keys/k").status, 404)

    def test_storage_survives(self):
        for random_token in (False, True):
            with self.subTest(random_token=random_token):
                path = os.path.join(self.folder, f"dev{random_token}.db")
                port = servers.free_port()
                argv = [servers.bulla_binary(), "server", "-dev", "-dev-no-store-token", f"-dev-listen-address=127.0.0.1:{port}", f"-dev-storage={path}"]
                if not random_token:
                    argv.append("-dev-root-token-id=mine")
                server = servers.Server(argv, f"127.0.0.1:{port}", "mine")
                self.addCleanup(server.close)
                server.start()
                if random_token:
                    server.token = re.search(r"Root Token: (\S+)", server.log_text())[1]
                ciphertext = make_key(server)
                self.assertEqual(server.stop(), 0)
                self.assertEqual(stat.S_IMODE(os.stat(path + ".dev").st_mode), 0o600)
                server.start()
                self.assertEqual(server.post("transit/decrypt/k", {"ciphertext": ciphertext}).data["plaintext"], PLAIN)
                self.assertIn("WARN", server.log_text().upper())
                server.process.kill()
                server.process.wait()
                server.start()
                self.assertEqual(server.post("transit/decrypt/k", {"ciphertext": ciphertext}).data["plaintext"], PLAIN)
                server.stop()

    def serve_dev(self, *options, **environment):
        """A server whose user has an own home."""
        home = os.path.join(self.folder, f"home{len(os.listdir(self.folder))}")
        os.mkdir(home)
        port = servers.free_port()
        server = servers.Server([servers.bulla_binary(), "server", "-dev", *options], f"127.0.0.1:{port}", "root")
        server.environment = {"HOME": home, "BULLA_DEV_LISTEN_ADDRESS": server.address, "VAULT_DEV_ROOT_TOKEN_ID": "root", **environment}
        self.addCleanup(server.close)
        return server.start(), os.path.join(home, ".vault-token")

    def test_root_token_is_kept(self):
        server, kept = self.serve_dev()
        with open(kept) as f:
            self.assertEqual(f.read(), "root")
        self.assertEqual(stat.S_IMODE(os.stat(kept).st_mode), 0o600)
        exports = re.findall(r"(?m)^ +\$ (export .*)$", server.log_text())
        self.assertEqual(exports, [f"export VAULT_ADDR='http://{server.address}'", "export VAULT_TOKEN='root'"])
        for script in (exports[0], "\n".join(exports) + "\nHOME=/nosuch"):
            env = servers.clean_environment() | {"HOME": os.path.dirname(kept)}
            done = subprocess.run(["sh", "-c", script + '\nexec "$0" token lookup -field=id', servers.bulla_binary()], env=env,
                                  capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stdout), (0, "root"), done)

    def test_root_token_is_not_kept(self):
        server, kept = self.serve_dev("-dev-no-store-token")
        self.assertFalse(os.path.exists(kept))
        server, kept = self.serve_dev(HOME="/nosuch")  # nor does it stop the server
        self.assertIn("could not be kept", server.log_text())
        done = subprocess.run([servers.bulla_binary(), "server", "-dev-no-store-token", "-config=/nosuch"], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (1, "the -dev-... options need -dev\n"))

    def test_root_token_is_kept_by_the_helper(self):
        helper, config = os.path.join(self.folder, "helper"), os.path.join(self.folder, "client.hcl")
        with open(helper, "w") as f:
            f.write(f'#!/bin/sh\n[ $1 = store ] && cat >{helper}.kept\n')
        os.chmod(helper, 0o755)
        with open(config, "w") as f:
            f.write(f'token_helper = "{helper}"\n')
        server, kept = self.serve_dev(BAO_CONFIG_PATH=config)
        self.assertFalse(os.path.exists(kept))
        with open(helper + ".kept") as f:
            self.assertEqual(f.read(), "root")

    def test_tls(self):
        port = servers.free_port()
        argv = [servers.bulla_binary(), "server", "-dev", "-dev-no-store-token", "-dev-tls", "-dev-root-token-id=root", f"-dev-listen-address=127.0.0.1:{port}"]
        server = servers.Server(argv, f"127.0.0.1:{port}", "root", ssl._create_unverified_context())
        self.addCleanup(server.close)
        server.start()
        make_key(server)
        authority = re.search(r"(/\S+\.(?:pem|crt))", server.log_text())
        self.assertIsNotNone(authority, server.log_text())
        env = servers.clean_environment() | {"VAULT_ADDR": server.url, "VAULT_CACERT": authority[1], "VAULT_TOKEN": "root"}
        done = subprocess.run([servers.bulla_binary(), "read", "transit/keys/k"], env=env, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)


class Storage(Folder):
    def test_static_seal_restart(self):
        server = self.serve()
        self.assertEqual(server.get("sys/health", token=None).status, 501)
        keys = initialise(server)
        self.assertEqual((len(keys["recovery_keys"]), keys["keys"]), (1, []))
        ciphertext = make_key(server)
        self.assertEqual(server.request("PUT", "sys/init", {"recovery_shares": 1, "recovery_threshold": 1}, token=None).status, 400)
        self.assertEqual(server.stop(), 0)
        server.start()
        self.assertEqual(server.post("transit/decrypt/k", {"ciphertext": ciphertext}).data["plaintext"], PLAIN)
        server.kill()
        server.start()
        self.assertEqual(server.post("transit/decrypt/k", {"ciphertext": ciphertext}).data["plaintext"], PLAIN)

    def test_shamir_restart_is_sealed(self):
        server = self.serve(seal_key=None)
        answer = server.request("PUT", "sys/init", {"secret_shares": 3, "secret_threshold": 2}, token=None).json
        for share in answer["keys"][:2]:
            server.request("PUT", "sys/unseal", {"key": share}, token=None)
        server.token = answer["root_token"]
        ciphertext = make_key(server)
        server.stop()
        server.start()
        self.assertEqual(server.post("transit/decrypt/k", {"ciphertext": ciphertext}).status, 503)
        self.assertEqual(server.get("sys/health", token=None).status, 503)
        for share in answer["keys_base64"][1:]:
            last = server.request("PUT", "sys/unseal", {"key": share}, token=None)
        self.assertFalse(last.json["sealed"])
        self.assertEqual(server.post("transit/decrypt/k", {"ciphertext": ciphertext}).data["plaintext"], PLAIN)

    def test_moved_file_opens(self):
        server = self.serve()
        initialise(server)
        ciphertext = make_key(server)
        server.stop()
        there = os.path.join(self.folder, "elsewhere")
        os.mkdir(there)
        shutil.move(self.database, os.path.join(there, "other-name.db"))
        moved = self.serve(path=os.path.join(there, "other-name.db"))
        moved.token = server.token
        self.assertEqual(moved.post("transit/decrypt/k", {"ciphertext": ciphertext}).data["plaintext"], PLAIN)

    def test_wrong_seal_key_names_both(self):
        server = self.serve()
        initialise(server)
        server.stop()
        before = digest_of(self.folder)["b.db"]
        for key_id, key in (("other-id", "f" * 64), ("test-1", "f" * 64)):
            path = self.write(servers.config_text(servers.free_port(), self.database, seal_key=key, key_id=key_id))
            status, said = run_server(f"-config={path}")
            self.assertEqual(status, 1, said)
            self.assertIn("test-1", said)
            self.assertIn(key_id, said)
            self.assertNotIn(key, said)
        self.assertEqual(digest_of(self.folder)["b.db"], before)
        self.serve()

    def test_foreign_files_are_refused_unchanged(self):
        sqlite = os.path.join(self.folder, "sqlite.db")
        subprocess.run([sys.executable, "-c", "import sqlite3,sys; c=sqlite3.connect(sys.argv[1]); c.execute('create table t(a)'); c.commit()",
                        sqlite], check=True)
        with open(sqlite, "rb") as f:
            another = f.read()
        server = self.serve()
        initialise(server)
        server.stop()
        with open(self.database, "rb") as f:
            ours = f.read()
        damaged = bytearray(ours)
        damaged[20:60] = b"\xff" * 40
        for name, content in (("text", b"no database at all\n" * 100), ("short", b"x"), ("other", another), ("damaged", bytes(damaged)),
                              ("cut", ours[:50])):
            with self.subTest(name):
                folder = os.path.join(self.folder, name)
                os.mkdir(folder)
                path = os.path.join(folder, "b.db")
                with open(path, "wb") as f:
                    f.write(content)
                config = self.write(servers.config_text(servers.free_port(), path))
                status, said = run_server(f"-config={config}")
                self.assertEqual(status, 1, said)
                self.assertIn(path, said)
                self.assertEqual(os.listdir(folder), ["b.db"])
                with open(path, "rb") as f:
                    self.assertEqual(f.read(), content)

    def test_second_server_is_refused(self):
        server = self.serve()
        initialise(server)
        ciphertext = make_key(server)
        path = self.write(servers.config_text(servers.free_port(), self.database), "second.hcl")
        status, said = run_server(f"-config={path}", "-startup-wait=0")
        self.assertEqual(status, 1, said)
        self.assertIn(self.database, said)
        self.assertEqual(server.post("transit/decrypt/k", {"ciphertext": ciphertext}).data["plaintext"], PLAIN)

    def test_taken_port_is_said(self):
        server = self.serve()
        port = server.address.split(":")[1]
        path = self.write(servers.config_text(port, os.path.join(self.folder, "two.db")), "second.hcl")
        status, said = run_server(f"-config={path}", "-startup-wait=0")
        self.assertEqual(status, 1)
        self.assertIn(port, said)

    def test_nothing_readable_in_the_file(self):
        server = self.serve()
        initialise(server)
        make_key(server, "very-secret-key-name")
        token = server.post("auth/token/create", {"policies": ["default"], "display_name": "display-of-token"}).json["auth"]["client_token"]
        server.post("sys/mounts/hidden-mount-name", {"type": "transit", "description": "hidden-description"})
        content = b""
        for name in os.listdir(self.folder):
            if name.startswith("b.db"):
                with open(os.path.join(self.folder, name), "rb") as f:
                    content += f.read()
        for text in ("very-secret-key-name", token, server.token, "display-of-token", "hidden-mount-name", "hidden-description",
                     "aes256-gcm96", "default", "transit"):
            self.assertNotIn(text.encode(), content, text)


class Elsewhere(Folder):
    """What the configuration only names: the seal key in the environment, the owner of a socket."""

    def serve_with(self, extra, **environment):
        port = servers.free_port()
        server = servers.bulla_config(self.folder, servers.config_text(port, self.database, seal_key=None, extra=extra), port)
        server.environment = environment
        self.addCleanup(server.close)
        return server

    def environment(self, server):
        with open(f"/proc/{server.process.pid}/environ", "rb") as f:
            return f.read()

    def test_seal_key_in_the_environment(self):
        seal = 'seal "static" {\n  current_key_id = "e"\n  current_key = "env://BULLA_TEST_SEAL"\n}\n'
        key = servers.SEAL_KEY
        missing = self.serve_with(seal).start(wait=False)
        self.assertEqual(missing.process.wait(servers.START_S), 1)
        self.assertIn("the environment variable BULLA_TEST_SEAL is not set", missing.log_text())
        server = self.serve_with(seal, BULLA_TEST_SEAL=key + "\n", BULLA_TEST_OTHER="kept").start()
        initialise(server)
        make_key(server)
        self.assertIn(b"BULLA_TEST_OTHER=kept", self.environment(server))
        self.assertNotIn(key.encode(), self.environment(server), "it is for nobody else who may read the environment")
        server.process.send_signal(signal.SIGHUP)
        tcp.wait_until(lambda: "reloaded the headers of replies" in server.log_text(), "reading the configuration again")
        self.assertEqual(server.stop(), 0)
        self.assertEqual(server.start().list("transit/keys").status, 200, "it unseals by itself")
        self.assertEqual(server.stop(), 0)
        server.environment = {"BULLA_TEST_SEAL": key[::-1]}
        self.assertEqual(server.start(wait=False).process.wait(servers.START_S), 1)
        self.assertNotIn(key, server.log_text())
        self.assertNotIn(key[::-1], server.log_text())

    def test_owner_of_a_socket(self):
        path = os.path.join(self.folder, "s")
        user, group = ("nobody", 65533) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
        text = f'listener "unix" {{\n  address = "{path}"\n  socket_mode = "0660"\n  socket_user = "{user}"\n  socket_group = {group}\n}}\n'
        server = self.serve_with(text).start()
        status = os.stat(path)
        self.assertEqual((status.st_uid, status.st_gid, status.st_mode & 0o7777), (65534 if user == "nobody" else user, group, 0o660))
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(path)
            sock.sendall(b"GET /v1/sys/health HTTP/1.1\r\nHost: h\r\n\r\n")
            self.assertIn(b" 501 ", sock.recv(4096))
        self.assertEqual(server.stop(), 0)
        self.assertFalse(os.path.exists(path))


class Signals(Folder):
    def test_term_and_int_end_with_0(self):
        for sig in (signal.SIGTERM, signal.SIGINT):
            server = self.serve()
            self.assertEqual(server.stop(sig), 0)

    def test_term_finishes_what_is_in_flight(self):
        """A request of which half has arrived when the signal comes is answered."""
        server = self.serve()
        initialise(server)
        make_key(server)
        items = json.dumps({"batch_input": [{"plaintext": PLAIN}] * 10000}).encode()
        connection = server.connection()
        connection.putrequest("POST", "/v1/transit/encrypt/k")
        connection.putheader("X-Vault-Token", server.token)
        connection.putheader("Content-Length", str(len(items)))
        connection.endheaders()
        connection.send(items[:1000])
        tcp.wait_until_read(connection.sock)
        idle = server.connection()
        self.addCleanup(idle.close)
        idle.request("GET", "/v1/sys/health")
        idle.getresponse().read()
        server.process.send_signal(signal.SIGTERM)
        self.assertEqual(idle.sock.recv(1), b"")  # it stops: what is idle is closed
        connection.send(items[1000:])
        reply = connection.getresponse()
        body = json.loads(reply.read())
        self.assertEqual((reply.status, len(body["data"]["batch_results"])), (200, 10000))
        self.assertEqual(server.process.wait(30), 0)

    def test_term_under_load_loses_no_answer(self):
        """What was acknowledged is there after the next start."""
        server = self.serve()
        initialise(server)
        make_key(server)
        created, stop = [], threading.Event()

        def create(worker):
            i = 0
            while not stop.is_set():
                name = f"w{worker}-{i}"
                try:
                    if server.post(f"transit/keys/{name}").status != 200:
                        return
                except (OSError, servers.http.client.HTTPException):
                    return
                created.append(name)
                i += 1

        threads = [threading.Thread(target=create, args=(n,)) for n in range(4)]
        [t.start() for t in threads]
        tcp.wait_until(lambda: len(created) > 20, "creating keys")
        self.assertEqual(server.stop(), 0)
        stop.set()
        [t.join() for t in threads]
        server.start()
        there = set(server.list("transit/keys").data["keys"])
        self.assertEqual(set(created) - there, set())

    def test_hangup_reloads_the_certificate(self):
        servers.certificates(self.folder)
        f = self.folder
        port = servers.free_port()
        text = servers.config_text(port, self.database, listener=f'tls_cert_file = "{f}/server.pem"\n  tls_key_file = "{f}/server.key"')
        server = servers.bulla_config(f, text, port, context=servers.tls_context(f))
        self.addCleanup(server.close)
        server.start()
        old = server.connection()
        self.addCleanup(old.close)
        old.request("GET", "/v1/sys/health")
        old.getresponse().read()
        before = ssl.get_server_certificate(("127.0.0.1", port))
        servers.make_certificate(f, "server", common_name="second")
        server.process.send_signal(signal.SIGHUP)
        tcp.wait_until(lambda: ssl.get_server_certificate(("127.0.0.1", port)) != before, "taking the new certificate")
        old.request("GET", "/v1/sys/health")
        self.assertEqual(old.getresponse().status, 501)
        now = ssl.get_server_certificate(("127.0.0.1", port))
        with open(f"{f}/server.pem", "w") as out:
            out.write("no certificate\n")
        server.process.send_signal(signal.SIGHUP)
        tcp.wait_until(lambda: "the certificates stay as they are" in server.log_text(), "saying that it cannot be read")
        self.assertEqual(ssl.get_server_certificate(("127.0.0.1", port)), now)
        self.assertEqual(server.get("sys/health", token=None).status, 501)


if __name__ == "__main__":
    unittest.main()
