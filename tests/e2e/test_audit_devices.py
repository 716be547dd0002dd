"""Audit devices on bad days: files that are deleted, moved and full, collectors that are dead, deaf, or break off."""
import contextlib
import json
import os
import shutil
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
from test_audit import Audited, command, device_text, records  # noqa: E402

LONG = os.environ.get("BULLA_TEST_LONG") == "1"
takes_long = unittest.skipUnless(LONG, "takes seconds: BULLA_TEST_LONG=1")
COLLECTOR = 'audit "socket" "far" {{\n  options {{\n    address = "{address}"\n    socket_type = "{type}"\n    skip_test = "true"\n    write_timeout = "500ms"\n  }}\n}}\n'
WAIT_S = 60  # for what takes a second or two


class Devices(Audited):
    def health(self, server):
        answer = server.get("sys/health?verbose=true", token=None)
        self.assertEqual(answer.status, 200)
        return {d["path"]: d for d in answer.json["audit"]}

    def eventually(self, true, what):
        end = time.monotonic() + WAIT_S
        while not true():
            self.assertLess(time.monotonic(), end, what)
            time.sleep(0.02)

    def make_key(self, server):
        server.post("sys/mounts/transit", {"type": "transit"})
        self.assertEqual(server.post("transit/keys/k").status, 200)

    def encrypts(self, server, count, status=200):
        """Requests one after another, by a loop and by a worker; all in much less than two seconds each."""
        since = time.monotonic()
        for i in range(count):
            self.assertEqual(server.post("transit/encrypt/k", {"plaintext": "eA=="}).status, status)
            if i % 4 == 0:
                self.assertEqual(server.post("transit/keys/k/rotate").status, status)
        self.assertLess(time.monotonic() - since, 1.0 * count)

    def verified(self, *files, status=0):
        got, said = command("verify", *files)
        self.assertEqual(got, status, said)
        return said


class Files(Devices):
    def test_deleted(self):
        """What is acknowledged after the file was deleted stands in the new one, which begins with a line that says what happened."""
        server = self.audited("logs/log")
        self.make_key(server)
        shutil.copy(server.audit, server.audit + ".copy")
        for remove in (os.unlink, lambda path: shutil.rmtree(os.path.dirname(path))):
            remove(server.audit)
            answer = server.post("transit/encrypt/k", {"plaintext": "eA=="})
            self.assertEqual(answer.status, 200)
            self.assertEqual([r["request"]["id"] for r in records(server.audit)], 2 * [answer.json["request_id"]])
            with open(server.audit) as f:
                self.assertEqual([json.loads(line).get("bulla_checkpoint", {}).get("event") for line in f], [None, None, "deleted"])
            self.assertIn(f"audit device main/ (file) was deleted while it was written to; opened anew: {server.audit}", server.log_text())
        said = command("verify", server.audit)[1]
        self.assertIn("note: the file that the server wrote before this one was deleted", said)
        self.assertTrue(self.health(server)["main/"]["healthy"])

    def test_the_chain_goes_on_over_a_deleted_file(self):
        server = self.audited()
        self.make_key(server)
        kept = shutil.copy(server.audit, os.path.join(self.folder, "kept"))
        os.unlink(server.audit)
        self.encrypts(server, 3)
        self.assertEqual(server.stop(), 0)
        self.verified(kept, server.audit)

    def test_deleted_and_not_to_be_had_again(self):
        server = self.audited("logs/log")
        self.make_key(server)
        shutil.rmtree(os.path.dirname(server.audit))
        with open(os.path.dirname(server.audit), "w"):
            pass  # a file where the folder was
        answer = server.post("transit/encrypt/k", {"plaintext": "eA=="})
        self.assertEqual((answer.status, answer.errors), (500, ["1 error occurred:\n\t* internal error\n\n"]))
        self.assertEqual(server.post("transit/keys/k/rotate").status, 500)
        self.assertFalse(self.health(server)["main/"]["healthy"])
        self.assertIn("audit device main/ (file) does not record", server.log_text())
        os.unlink(os.path.dirname(server.audit))
        self.assertEqual(server.post("transit/encrypt/k", {"plaintext": "eA=="}).status, 200)
        self.assertTrue(self.health(server)["main/"]["healthy"])

    @takes_long
    def test_moved_and_nobody_said_so(self):
        """logrotate without its signal: after some seconds the new file is used, and the old one has ended with a checkpoint."""
        server = self.audited()
        self.make_key(server)
        os.rename(server.audit, server.audit + ".1")
        self.eventually(lambda: server.get("transit/keys/k").status == 200 and os.path.exists(server.audit), "a new file")
        self.assertIn("is no longer the file at its path", server.log_text())
        self.assertEqual(server.stop(), 0)
        self.verified(server.audit + ".1", server.audit)


class Collector:
    """Reads lines from whoever connects, until it is closed."""

    def __init__(self, address, family=socket.AF_INET):
        self.listener = socket.socket(family)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(address)
        self.listener.listen(16)
        self.text, self.connections = [], []  # of each connection what came
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection = self.listener.accept()[0]
                self.connections.append(connection)
                self.text.append(b"")
                threading.Thread(target=self.read, args=(connection, len(self.text) - 1), daemon=True).start()

    def read(self, connection, at):
        with contextlib.suppress(OSError):
            while chunk := connection.recv(65536):
                self.text[at] += chunk

    def break_off(self):
        """Resets what is connected, and listens no more."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.shutdown(socket.SHUT_RD)
                connection.close()

    def save(self, path):
        """As a collector's file: a line that was cut off is ended."""
        with open(path, "wb") as f:
            for text in self.text:
                f.write(text if not text or text.endswith(b"\n") else text + b"\n")
        return path

    def has(self, text):
        return any(text.encode() in t for t in self.text)


class Collectors(Devices):
    def with_collector(self, address, kind="tcp", beside_file=True):
        extra = COLLECTOR.format(address=address, type=kind)
        if beside_file:
            return self.audited(extra=extra)
        server = self.serve(extra=extra)
        if server.token is None:
            answer = server.request("PUT", "sys/init", {}, token=None)
            self.assertEqual(answer.status, 200, answer)
            server.token = answer.json["root_token"]
        return server

    def deaf(self, family=socket.AF_INET, address=("127.0.0.1", 0), backlog=0):
        """A listener that accepts nothing."""
        listener = socket.socket(family)
        self.addCleanup(listener.close)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listener.bind(address)
        listener.listen(backlog)
        return listener

    def full(self):
        """An address at which connections are neither accepted nor refused."""
        listener = self.deaf()
        for _ in range(4):
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex(listener.getsockname())
            self.addCleanup(s.close)
        return "127.0.0.1:%d" % listener.getsockname()[1]

    def test_dead_beside_a_file(self):
        server = self.with_collector(self.full())
        self.make_key(server)
        self.encrypts(server, 40)
        self.eventually(lambda: not self.health(server)["far/"]["healthy"], "its failure")
        health = self.health(server)
        self.assertTrue(health["main/"]["healthy"])
        self.assertGreater(health["far/"]["queued_bytes"], 0)
        self.assertIn("audit device far/ (socket) does not record", server.log_text())
        since = time.monotonic()
        self.assertEqual(server.stop(), 0)
        self.assertLess(time.monotonic() - since, WAIT_S)
        self.verified(server.audit)

    def restarted(self, kind):
        path, port = os.path.join(self.folder, "collector"), servers.free_port()
        address, family = (("127.0.0.1", port), socket.AF_INET) if kind == "tcp" else (path, socket.AF_UNIX)
        first = Collector(address, family)
        server = self.with_collector(f"127.0.0.1:{port}" if kind == "tcp" else path, kind)
        self.make_key(server)
        self.encrypts(server, 8)
        self.eventually(lambda: first.has('"path":"transit/keys/k/rotate"'), "records")
        first.break_off()
        self.encrypts(server, 16)
        self.eventually(lambda: not self.health(server)["far/"]["healthy"], "its failure")
        if kind == "unix":
            os.unlink(path)
        second = Collector(address, family)
        self.addCleanup(second.break_off)
        self.eventually(lambda: self.health(server)["far/"]["healthy"], "its return")
        self.encrypts(server, 8)
        self.assertIn("audit device far/ (socket) records again", server.log_text())
        self.assertEqual(server.stop(), 0)
        self.eventually(lambda: second.has('"event":"close"'), "the end")
        self.verified(server.audit)
        lines = []
        for name in (first.save(path + ".1"), second.save(path + ".2")):
            with open(name) as f:
                lines += [json.loads(line) for line in f if line.startswith("{") and line.endswith("}\n")]
        numbers = [line["bulla_chain"]["seq"] for line in lines]
        self.assertEqual(numbers, sorted(set(numbers)))
        got = {(line["request"]["id"], line["type"]) for line in lines if "request" in line}
        wanted = {(r["request"]["id"], r["type"]) for r in records(server.audit)}
        self.assertLessEqual(len(wanted - got), 8)  # what was on its way when the connection was reset

    def test_restarted(self):
        """Next to nothing is lost, and nothing out of order, while a collector restarts: the file keeps the server going."""
        self.restarted("tcp")

    @takes_long
    def test_restarted_unix(self):
        self.restarted("unix")

    def test_accepts_and_never_reads(self):
        """It can be connected to, and takes what its buffers hold; requests wait for none of that."""
        listener = self.deaf(backlog=64)
        server = self.with_collector("127.0.0.1:%d" % listener.getsockname()[1])
        self.make_key(server)
        body = {"batch_input": 400 * [{"plaintext": "eA=="}]}

        def one_more():
            self.assertEqual(server.post("transit/encrypt/k", body).status, 200)
            return not self.health(server)["far/"]["healthy"]

        self.eventually(one_more, "its failure")
        self.encrypts(server, 40)
        self.assertEqual(server.stop(), 0)
        self.verified(server.audit)

    def test_dead_alone(self):
        """Every request is refused, at once, whoever serves it; and served again when the collector is there."""
        port = servers.free_port()
        collector = Collector(("127.0.0.1", port))
        server = self.with_collector(f"127.0.0.1:{port}", beside_file=False)
        self.make_key(server)
        collector.break_off()
        deaf = socket.socket()
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        deaf.bind(("127.0.0.1", port))
        deaf.listen(0)
        filling = [socket.socket() for _ in range(4)]
        for s in filling:
            s.setblocking(False)
            s.connect_ex(("127.0.0.1", port))
        server.get("transit/keys/k")  # finds out
        server.get("transit/keys/k")
        self.encrypts(server, 20, status=500)
        self.assertEqual(self.health(server)["far/"]["healthy"], False)
        for s in [*filling, deaf]:
            s.close()
        collector = Collector(("127.0.0.1", port))
        self.eventually(lambda: server.get("transit/keys/k").status == 200, "an answer")
        self.assertEqual(server.stop(), 0)
        self.eventually(lambda: collector.has('"event":"close"'), "the end")
        self.assertTrue(collector.has('"event":"gap"'))
        said = command("verify", collector.save(os.path.join(self.folder, "got")))[1]
        self.assertIn("note: the device had failed", said)


class FullDisk(Devices):
    def setUp(self):
        super().setUp()
        self.disk = os.path.join(self.folder, "disk")
        os.mkdir(self.disk)
        if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "bulla-test", self.disk],
                                               stderr=subprocess.DEVNULL).returncode != 0:
            self.skipTest("no file system of its own: needs root and mount")
        self.addCleanup(subprocess.run, ["umount", "-l", self.disk])

    def fill(self):
        with open(os.path.join(self.disk, "fill"), "ab", buffering=0) as f, contextlib.suppress(OSError):
            while True:
                f.write(b"x" * 512)

    def room(self):
        os.unlink(os.path.join(self.disk, "fill"))

    def refused(self, server, path="transit/keys/k"):
        """Until the page that the log has already is full."""
        self.eventually(lambda: server.get(path).status == 500, "a refusal")

    def test_one_device(self):
        server = self.audited("disk/log")
        self.make_key(server)
        version = server.get("transit/keys/k").data["latest_version"]
        self.fill()
        while True:  # the page that the log has already takes a record or two
            size = os.path.getsize(server.audit)
            self.assertEqual(server.post("transit/keys/k/rotate").status, 500)
            if os.path.getsize(server.audit) == size:
                break
            version += 1
        for answer in (server.get("transit/keys/k"), server.post("transit/encrypt/k", {"plaintext": "eA=="}), server.post("transit/keys/k/rotate"),
                       server.list("transit/keys"), server.get("auth/token/lookup-self")):
            self.assertEqual((answer.status, answer.errors), (500, ["1 error occurred:\n\t* internal error\n\n"]))
        for path in ("sys/health", "sys/seal-status", "sys/leader", "sys/init"):
            self.assertEqual(server.get(path, token=None).status, 200, path)
        health = self.health(server)["main/"]
        self.assertFalse(health["healthy"])
        self.assertIn("No space left on device", health["trouble"])
        self.assertIn("No space left on device", server.log_text())
        self.room()
        self.assertEqual(server.get("transit/keys/k").data["latest_version"], version)  # what was refused was not done
        self.assertTrue(self.health(server)["main/"]["healthy"])
        self.assertIn("records again", server.log_text())
        self.fill()
        self.refused(server)
        self.assertEqual(server.stop(), 0)
        self.room()
        said = self.verified(server.audit)
        self.assertIn("the device had failed", said)
        server.start()
        self.assertEqual(server.get("transit/keys/k").status, 200)
        server.stop()
        self.verified(server.audit)

    @takes_long
    def test_it_is_tried_without_requests(self):
        """Whoever asks for its health, and sends no requests to a server that is not well, sees it well again."""
        server = self.audited("disk/log")
        self.make_key(server)
        self.fill()
        self.refused(server)
        self.room()
        self.eventually(lambda: self.health(server)["main/"]["healthy"], "its health")

    def test_two_devices(self):
        second = os.path.join(self.folder, "second")
        server = self.audited("disk/log", extra=device_text(second).replace('"main"', '"second"'))
        self.make_key(server)
        self.fill()
        self.eventually(lambda: server.get("transit/keys/k").status == 200 and not self.health(server)["main/"]["healthy"], "its failure")
        self.encrypts(server, 20)
        self.assertTrue(self.health(server)["second/"]["healthy"])
        self.room()
        self.eventually(lambda: self.health(server)["main/"]["healthy"], "its health")
        self.encrypts(server, 2)
        self.assertEqual(server.stop(), 0)
        self.verified(second)
        self.verified(server.audit)
        ids = [{(r["request"]["id"], r["type"]) for r in records(path)} for path in (server.audit, second)]
        self.assertEqual(ids[0], ids[1])  # what was held was written


if __name__ == "__main__":
    unittest.main()
