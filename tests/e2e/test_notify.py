"""The service manager's side of sd_notify(3), played by this test: when it is told that the server is ready, reloads and stops, that its watchdog is fed
by live loops only, and the unit of docs/OPERATING.md."""
import contextlib
import os
import re
import select
import shlex
import signal
import socket
import struct
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import servers  # noqa: E402
import tcp  # noqa: E402
from test_server import Folder  # noqa: E402

WATCHDOG_S = 0.8
UNIT = os.path.join(servers.TOP, "docs", "OPERATING.md")


class Manager:
    """The socket that NOTIFY_SOCKET names, and what was heard on it."""

    def __init__(self, address):
        self.address = address
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.sock.bind("\0" + address[1:] if address[0] == "@" else address)

    def hear(self, patience=servers.START_S):
        """The next message and who sent it; None: there was none."""
        if not select.select([self.sock], [], [], patience)[0]:
            return None
        data, ancillary, _, _ = self.sock.recvmsg(4096, socket.CMSG_SPACE(12))
        credentials = next(value for level, kind, value in ancillary if kind == socket.SCM_CREDENTIALS)
        lines = data.decode().splitlines()
        assert all("=" in line for line in lines), data
        return dict(line.split("=", 1) for line in lines) | {"sender": struct.unpack("iII", credentials)[0]}

    def wait_for(self, name):
        """The next message that says it; the watchdog's are passed over."""
        while (message := self.hear()) is not None:
            if name in message:
                return message
            assert "WATCHDOG" in message, message
        raise AssertionError(f"no {name}")


class Notify(Folder):
    def manager(self, address=None):
        manager = Manager(address or os.path.join(self.folder, "notify"))
        self.addCleanup(manager.sock.close)
        return manager

    def server(self, manager, port=None, extra="", argv=None, **environment):
        port = port or servers.free_port()
        server = servers.bulla_config(self.folder, servers.config_text(port, self.database, extra=extra), port)
        server.argv = argv(server.argv) if argv else server.argv
        server.environment = {"NOTIFY_SOCKET": manager.address if isinstance(manager, Manager) else manager, **environment}
        self.addCleanup(server.close)
        return server

    def status(self, server):
        connection = server.connection(5)
        with contextlib.closing(connection):
            connection.request("GET", "/v1/sys/health")
            return connection.getresponse().status

    def check_life(self, manager):
        server = self.server(manager).start(wait=False)
        ready = manager.hear()
        self.assertEqual(self.status(server), 501, "it was said to be ready")
        pid = str(server.process.pid)
        self.assertEqual(ready, {"READY": "1", "MAINPID": pid, "sender": server.process.pid})
        for text in ("tls_disable = true", "no sense ="):
            config = server.argv[-1].split("=", 1)[1]
            with open(config) as f:
                before = f.read()
            self.write(before.replace("tls_disable = true", text))
            began = time.clock_gettime(time.CLOCK_MONOTONIC)
            server.process.send_signal(signal.SIGHUP)
            reloading = manager.hear()
            self.assertEqual(reloading["RELOADING"], "1")
            self.assertTrue(began <= int(reloading["MONOTONIC_USEC"]) / 1e6 + 1e-6 <= time.clock_gettime(time.CLOCK_MONOTONIC) + 1e-6)
            self.assertEqual(manager.hear()["READY"], "1", "a reload that failed is over, too")
            self.write(before)
        self.assertRegex(server.log_text(), r"\[ERROR\].*sense|sense.*ERROR")
        server.process.send_signal(signal.SIGTERM)
        self.assertEqual(manager.hear(), {"STOPPING": "1", "sender": server.process.pid})
        self.assertEqual(server.process.wait(servers.START_S), 0)
        self.assertIsNone(manager.hear(0))

    def test_a_path(self):
        self.check_life(self.manager())

    def test_an_abstract_name(self):
        self.check_life(self.manager(f"@bulla-test-{os.getpid()}"))

    def test_stopping_is_told_before_it_is_done(self):
        manager = self.manager()
        server = self.server(manager).start(wait=False)
        manager.wait_for("READY")
        with socket.create_connection(("127.0.0.1", int(server.address.split(":")[1])), servers.START_S) as sock:
            sock.sendall(b"POST /v1/sys/tools/hash HTTP/1.1\r\nHost: h\r\nContent-Length: 99\r\n\r\n{")  # keeps it for two seconds
            tcp.wait_until_read(sock)
            server.process.send_signal(signal.SIGTERM)
            manager.wait_for("STOPPING")
            self.assertIsNone(server.process.poll())
        self.assertEqual(server.process.wait(servers.START_S), 0)

    def test_a_server_that_waits_is_not_ready(self):
        first, second = self.manager(), self.manager(os.path.join(self.folder, "second"))
        old = self.server(first).start(wait=False)
        first.wait_for("READY")
        port = int(old.address.split(":")[1])
        new = self.server(second, port).start(wait=False)
        tcp.wait_until(lambda: "waiting up to" in new.log_text(), "the second server")
        self.assertIsNone(second.hear(0.3))
        self.assertEqual(old.stop(), 0)
        self.assertEqual(second.hear()["MAINPID"], str(new.process.pid))
        self.assertEqual(self.status(new), 501)
        late = self.server(first, port).start(wait=False)
        tcp.wait_until(lambda: late.log_text().count("waiting up to") == 1, "the third server")
        first.wait_for("STOPPING")  # the old one's
        late.process.send_signal(signal.SIGTERM)
        self.assertEqual(first.hear(), {"STOPPING": "1", "sender": late.process.pid})
        self.assertEqual(late.process.wait(servers.START_S), 0)

    def test_a_start_that_fails_is_never_ready(self):
        manager = self.manager()
        server = self.server(manager, extra='seal "nosuch" {}\n').start(wait=False)
        self.assertEqual(server.process.wait(servers.START_S), 1)
        self.assertIsNone(manager.hear(0))

    def test_behind_a_script(self):
        """The manager's main process is another one: it is told which one serves."""
        manager = self.manager()
        server = self.server(manager, argv=lambda argv: ["sh", "-c", shlex.join(argv) + " & wait; wait"]).start(wait=False)
        ready = manager.hear()
        self.assertEqual(ready["MAINPID"], str(ready["sender"]))
        self.assertNotEqual(ready["sender"], server.process.pid)
        os.kill(ready["sender"], signal.SIGTERM)
        manager.wait_for("STOPPING")
        server.process.wait(servers.START_S)

    def test_nobody_to_tell(self):
        for address in ("relative", "vsock:2:99", "/" + "x" * 200, os.path.join(self.folder, "nobody"), ""):
            with self.subTest(address):
                server = self.server(address, WATCHDOG_USEC="x").start()
                self.assertEqual(self.status(server), 501)
                self.assertEqual(server.stop(), 0)
                self.assertEqual("service manager" in server.log_text(), address != "")

    # ---- the watchdog -----------------------------------------------------------------

    def preload(self):
        source, library = os.path.join(os.path.dirname(os.path.abspath(__file__)), "loop_hang.c"), os.path.join(self.folder, "loop_hang.so")
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
        return library

    def test_watchdog(self):
        manager, hang = self.manager(), os.path.join(self.folder, "hang")
        server = self.server(manager, LD_PRELOAD=self.preload(), LOOP_HANG=hang, WATCHDOG_USEC=str(int(WATCHDOG_S * 1e6))).start(wait=False)
        manager.wait_for("READY")
        beats, began = [], time.monotonic()
        while len(beats) < 6:
            self.assertIn("WATCHDOG", manager.hear())
            beats.append(time.monotonic())
        self.assertLess(beats[-1] - began, 6 * WATCHDOG_S, "idle loops live, too")
        with open(hang, "w"):
            pass
        while manager.hear(3 * WATCHDOG_S):  # those from before; then no more, although the main thread goes on
            self.assertLess(time.monotonic() - beats[-1], servers.START_S, "a loop hangs, and the watchdog is fed")
        os.unlink(hang)
        self.assertIn("WATCHDOG", manager.hear())
        self.assertEqual(server.stop(), 0)

    def test_watchdog_of_another(self):
        manager = self.manager()
        self.server(manager, WATCHDOG_USEC="200000", WATCHDOG_PID="1").start(wait=False)
        manager.wait_for("READY")
        self.assertIsNone(manager.hear(0.5))

    # ---- the unit that the document shows -----------------------------------------------

    def unit(self):
        with open(UNIT) as f:
            block = re.search(r"    \[Service\]\n((?:    .*\n)+)", f.read())[1]
        return dict(line.strip().split("=", 1) for line in block.splitlines())

    def test_the_documented_unit(self):
        unit, manager = self.unit(), self.manager()
        self.assertEqual((unit["Type"], unit["NotifyAccess"]), ("notify", "main"))
        watchdog_s = int(unit["WatchdogSec"])
        server = self.server(manager, WATCHDOG_USEC=str(watchdog_s * 1000000))
        start = unit["ExecStart"].replace("/usr/bin/bulla", servers.bulla_binary()).replace("/etc/bulla/bulla.hcl", server.argv[-1].split("=", 1)[1])
        server.argv = shlex.split(start)
        server.start(wait=False)
        self.assertEqual(manager.wait_for("READY")["sender"], server.process.pid, "the main process itself: NotifyAccess=main hears it")
        began = time.monotonic()
        self.assertIsNotNone(manager.wait_for("WATCHDOG"))
        self.assertLess(time.monotonic() - began, watchdog_s / 2)
        subprocess.run(shlex.split(unit["ExecReload"].replace("$MAINPID", str(server.process.pid))), check=True)
        manager.wait_for("RELOADING")
        manager.wait_for("READY")
        server.process.send_signal(signal.SIGTERM)
        manager.wait_for("STOPPING")
        self.assertEqual(server.process.wait(int(unit["TimeoutStopSec"])), 0)


if __name__ == "__main__":
    unittest.main()
