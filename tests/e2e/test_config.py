"""Configurations: files of Vault and OpenBao as people have them, several files, flags and the environment, and what SIGHUP reads again."""
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import servers  # noqa: E402
from test_server import Folder, digest_of, initialise, run_server  # noqa: E402

CONFIGS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "configs")
BAO = os.path.join(servers.TOP, "tests", ".venv", "bin", "bao")
REFUSED = {"awskms.hcl": "unknown seal awskms", "consul.hcl": "unknown storage consul"}


def validate(*args):
    """bulla operator validate-config: exit status, its lines, standard error."""
    done = subprocess.run([servers.bulla_binary(), "operator", "validate-config", *args], capture_output=True, text=True, timeout=60,
                          env=servers.clean_environment(), stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout.splitlines(), done.stderr


class Existing(Folder):
    """Every file in configs/, whose places are filled in."""

    @classmethod
    def setUpClass(cls):
        cls.certificates = servers.tempfile.mkdtemp(prefix="bulla-test-")
        cls.addClassCleanup(shutil.rmtree, cls.certificates)
        servers.certificates(cls.certificates)

    def fill(self, name, folder, port):
        with open(os.path.join(CONFIGS, name)) as f:
            text = f.read()
        for mark, value in (("@DIR@", folder), ("@PORT@", str(port)), ("@CLUSTER@", str(servers.free_port())), ("@KEY@", servers.SEAL_KEY)):
            text = text.replace(mark, value)
        return text

    def start_on(self, path, port, text):
        context = servers.tls_context(self.certificates) if "server.pem" in text else None
        server = servers.Server([servers.bulla_binary(), "server", f"-config={path}"], f"127.0.0.1:{port}", None, context)
        self.addCleanup(server.close)
        return server.start()

    def test_all(self):
        for name in sorted(os.listdir(CONFIGS)):
            with self.subTest(name):
                folder, port = os.path.join(self.folder, name.replace(".", "-")), servers.free_port()
                shutil.copytree(self.certificates, folder)
                text = self.fill(name, folder, port)
                path = self.write(text, name)
                before = digest_of(folder)
                status, lines, errors = validate(path)
                self.assertEqual(errors, "")
                self.assertEqual(digest_of(folder), before, "validate-config made a file")
                if name in REFUSED:
                    self.assertEqual(status, 1, lines)
                    self.assertTrue(any(REFUSED[name] in line and line.startswith(f"error: {path}:") for line in lines), lines)
                    self.assertEqual(run_server(f"-config={path}")[0], 1)
                    continue
                self.assertIn(status, (0, 2), lines)
                self.assertEqual(lines[-1], "Success! The server takes this configuration.")
                server = self.start_on(path, port, text)
                self.assertEqual(server.get("sys/health", token=None).status, 501)
                if "warn" not in text.lower() and 'log_level = "err"' not in text:
                    self.assertEqual([w for w in lines if w.startswith("warning: ") and w[9:] not in server.log_text()], [])
                self.assertEqual(server.stop(), 0, server.log_text())

    def test_bao_takes_them(self):
        if not os.access(BAO, os.X_OK):
            self.skipTest("no bao: bin/test e2e installs it")
        for name in sorted(os.listdir(CONFIGS)):
            with self.subTest(name):
                path = self.write(self.fill(name, self.folder, servers.free_port()), name)
                done = subprocess.run([BAO, "operator", "validate-config", f"-config={path}"], capture_output=True, text=True, timeout=60,
                                      env=servers.clean_environment(), stdin=subprocess.DEVNULL)
                self.assertIn(done.returncode, (0, 2), done.stdout + done.stderr)

    def test_data_survives_under_either_name(self):
        """What "file" is taken for is the database that "sqlite" opens."""
        port, data = servers.free_port(), os.path.join(self.folder, "data")
        body = f'listener "tcp" {{\n  address = "127.0.0.1:{port}"\n  tls_disable = 1\n}}\ndisable_mlock = true\n'
        body += f'seal "static" {{\n  current_key_id = "a"\n  current_key = "{servers.SEAL_KEY}"\n}}\n'
        first = servers.bulla_config(self.folder, f'storage "file" {{\n  path = "{data}"\n}}\n' + body, port)
        self.addCleanup(first.close)
        first.start()
        initialise(first)
        self.assertEqual(first.stop(), 0)
        self.assertEqual(os.stat(data).st_mode & 0o777, 0o700)
        second = servers.bulla_config(self.folder, f'storage "sqlite" {{\n  path = "{data}/bulla.db"\n}}\n' + body, port, first.token)
        self.addCleanup(second.close)
        second.start()
        self.assertEqual(second.get("sys/mounts").status, 200)

    def test_the_peers_data_is_not_taken(self):
        os.makedirs(os.path.join(self.folder, "data", "core"))
        path = self.write(self.fill("package.hcl", self.folder, 1))
        shutil.copytree(self.certificates, self.folder, dirs_exist_ok=True)
        status, said = run_server(f"-config={path}")
        self.assertEqual(status, 1)
        self.assertIn("data/core is data of another server", said)


class Files(Folder):
    def pieces(self, port):
        storage = self.write(f'storage "sqlite" {{\n  path = "{self.database}"\n}}\nlog_level = "err"\n', "10-storage.hcl")
        listener = self.write(json.dumps({"listener": {"tcp": {"address": f"127.0.0.1:{port}", "tls_disable": True}}, "log_level": "debug",
                                          "disable_mlock": True}), "20-listener.json")
        return storage, listener

    def starts(self, port, *configs):
        server = servers.Server([servers.bulla_binary(), "server", *(f"-config={c}" for c in configs)], f"127.0.0.1:{port}")
        self.addCleanup(server.close)
        server.start()
        self.assertIn("[INFO]", server.log_text())  # the later level
        self.assertEqual(server.stop(), 0)
        return server.log_text()

    def test_many_and_folders(self):
        port = servers.free_port()
        pieces = self.pieces(port)
        self.write("broken", "30-old.hcl~")
        self.starts(port, *pieces)
        self.starts(port, self.folder)
        self.assertIn("is read once, with its folder", self.starts(port, pieces[1], self.folder))
        self.assertEqual(validate(*pieces)[0], 0)
        self.assertEqual(validate(self.folder)[0], 0)
        self.assertEqual(validate(f"-config={pieces[0]}", f"-config={pieces[1]}")[0], 0)

    def test_all_findings_of_all_files(self):
        first, second = self.pieces(1)
        with open(first, "a") as f:
            f.write('uii = 1\nui = true\nentropy "seal" {\n}\n')
        with open(second, "w") as f:
            f.write('{"listener": {"tcp": {"adress": "x", "tls_disable": true, "cluster_address": "y"}}, "telemetry": {"x": 1}}')
        status, lines, _ = validate(first, second)
        self.assertEqual(status, 1)
        wanted = [f'error: {first}:5:1: unknown key "uii"', f'warning: {first}:6:1: "ui" does nothing here: ', f'error: {first}:7:1: "entropy" cannot be had: ',
                  f'error: {second}:1:23: unknown key "adress"', f'warning: {second}:1:59: "cluster_address" does nothing here: ',
                  f'warning: {second}:1:85: "telemetry" does nothing here: ', f'error: {second}:1:99: unknown key "x"']
        for text in wanted:
            self.assertTrue(any(line.startswith(text) for line in lines), (text, lines))
        self.assertEqual(len(lines), len(wanted))
        status, said = run_server(f"-config={first}", f"-config={second}")
        self.assertEqual(status, 1)
        for text in wanted:
            if text.startswith("error: "):
                self.assertIn(text[len("error: "):], said)

    def test_validate_usage(self):
        self.assertEqual(validate()[0], 3)
        self.assertEqual(validate("-nosuch")[0], 3)
        self.assertEqual(validate("-h")[0], 0)
        self.assertEqual(validate("/nosuch/file.hcl")[:2], (1, ["error: /nosuch/file.hcl: No such file or directory"]))
        os.mkdir(os.path.join(self.folder, "empty"))
        status, lines, _ = validate(os.path.join(self.folder, "empty"))
        self.assertEqual(status, 1)
        self.assertIn("no file *.hcl or *.json", lines[0])

    def test_validate_keeps_the_key_to_itself(self):
        for key in ("secret-that-is-wrong", servers.SEAL_KEY):
            path = self.write(servers.config_text(1, self.database, seal_key=key, extra="nosuch = 1\n"))
            status, lines, errors = validate(path)
            self.assertEqual(status, 1)
            self.assertNotIn(key, "\n".join(lines) + errors)


class Log(Folder):
    def logs(self, *options, environment=None, extra=""):
        """What a server with those options logs where, and the levels of its lines."""
        port = servers.free_port()
        server = servers.bulla_config(self.folder, servers.config_text(port, self.database, extra=extra), port)
        server.argv += options
        server.environment = environment or {}
        self.addCleanup(server.close)
        server.start()
        return server

    def level_of(self, server):
        """The least level that is logged: a reload tells at info, a certificate that is missing at error."""
        self.assertEqual(server.stop(), 0)
        return "info" if "stopped" in server.log_text() else "more"

    def test_who_wins(self):
        cases = [((), {}, "", "info"), ((), {}, 'log_level = "warn"\n', "more"), ((), {"VAULT_LOG_LEVEL": "warning"}, "", "more"),
                 ((), {"BAO_LOG_LEVEL": "Info", "VAULT_LOG_LEVEL": "err"}, 'log_level = "err"\n', "info"),
                 ((), {"BULLA_LOG_LEVEL": "error", "BAO_LOG_LEVEL": "debug"}, "", "more"),
                 ((), {"BULLA_LOG_LEVEL": "", "BAO_LOG_LEVEL": "notice"}, 'log_level = "err"\n', "info"),
                 (("-log-level=trace",), {"BULLA_LOG_LEVEL": "error"}, 'log_level = "err"\n', "info"),
                 (("-log-level", "error"), {"VAULT_LOG_LEVEL": "trace"}, "", "more")]
        for options, environment, extra, level in cases:
            with self.subTest(options=options, environment=environment, extra=extra):
                server = self.logs(*options, environment=environment, extra=extra)
                self.assertEqual(self.level_of(server), level, server.log_text())

    def test_unknown_words(self):
        path = self.write(servers.config_text(1, self.database))
        for option, word in (("level", "loud"), ("format", "xml")):
            status, said = run_server(f"-config={path}", f"-log-{option}={word}")
            self.assertEqual(status, 1)
            self.assertIn(f"-log-{option}: unknown log {option}: ", said)
            self.assertIn("are known", said)
            for prefix in ("BULLA", "BAO", "VAULT"):
                name = f"{prefix}_LOG_{option.upper()}"
                done = subprocess.run([servers.bulla_binary(), "server", f"-config={path}"], capture_output=True, text=True, timeout=60,
                                      env={**servers.clean_environment(), name: word}, stdin=subprocess.DEVNULL)
                self.assertEqual(done.returncode, 1)
                self.assertIn(f"{name}: unknown log {option}: ", done.stderr)

    def test_format_and_file(self):
        file = os.path.join(self.folder, "server.log")
        server = self.logs(f"-log-file={file}", environment={"VAULT_LOG_FORMAT": "JSON"}, extra='log_file = "/nosuch/log"\nlog_format = "standard"\n')
        os.rename(file, file + ".1")
        server.process.send_signal(signal.SIGHUP)
        servers.wait_for_file(file, server)
        self.assertEqual(server.stop(), 0)
        for name in (file, file + ".1"):
            with open(name) as f:
                self.assertIn("@message", json.loads(f.readline()))
            self.assertEqual(os.stat(name).st_mode & 0o777, 0o600)

    def test_rotation_is_others_affair(self):
        server = self.logs("-log-rotate-bytes=1000", "-log-rotate-duration", "24h", "-log-rotate-max-files=3", extra='log_rotate_bytes = 1000\n')
        self.assertEqual(server.log_text().count("logrotate moves it"), 2, server.log_text())
        self.assertEqual(server.stop(), 0)

    def test_dev_takes_them(self):
        with servers.bulla_dev("-log-level=error", "-log-format=json") as server:
            self.assertNotIn("@message", server.log_text())


class Reload(Folder):
    """SIGHUP: the level and the audit devices."""

    def setUp(self):
        super().setUp()
        self.port = servers.free_port()

    def text(self, *devices, level="info", seal_key=servers.SEAL_KEY, extra=""):
        text = servers.config_text(self.port, self.database, seal_key=seal_key, extra=f'log_level = "{level}"\n{extra}')
        for name, *options in devices:
            text += f'audit "file" "{name}" {{\n  options {{\n    file_path = "{self.folder}/{name}.log"\n' + "".join(f"    {o}\n" for o in options) + "  }\n}\n"
        return text

    def start(self, text):
        server = servers.bulla_config(self.folder, text, self.port)
        self.addCleanup(server.close)
        return server.start()

    def reload(self, server, text, said):
        """Until that is in the log once more."""
        before = server.log_text().count(said)
        self.write(text)
        server.process.send_signal(signal.SIGHUP)
        end = time.monotonic() + servers.START_S
        while server.log_text().count(said) == before:
            self.assertLess(time.monotonic(), end, server.log_text())
            time.sleep(0.02)

    def devices(self, server):
        answer = server.get("sys/audit")
        self.assertEqual(answer.status, 200, answer)
        return sorted(answer.data)

    def records(self, name):
        with open(os.path.join(self.folder, name + ".log")) as f:
            return [json.loads(line) for line in f]

    def test_level(self):
        server = self.start(self.text(level="error"))
        self.assertNotIn("[INFO]", server.log_text())
        self.reload(server, self.text(level="debug"), "the audit devices are as the configuration says")
        self.reload(server, self.text(level="nosuch"), "unknown log_level")  # all stays: what is told next is at info
        self.reload(server, self.text(level="error"), "reloaded the headers of replies")
        self.reload(server, self.text(level="nosuch"), "unknown log_level")
        self.reload(server, self.text(level="nosuch"), "unknown log_level")
        self.assertNotIn("[INFO]", server.log_text().rsplit("[ERROR]", 3)[1])

    def test_a_flag_still_wins(self):
        server = servers.bulla_config(self.folder, self.text(level="info"), self.port)
        server.argv.append("-log-level=error")
        self.addCleanup(server.close)
        server.start()
        self.reload(server, self.text(level="nosuch"), "unknown log_level")
        self.write(self.text(level="trace"))
        server.process.send_signal(signal.SIGHUP)
        self.assertEqual(server.stop(), 0)
        self.assertNotIn("[INFO]", server.log_text())

    def test_devices_come_and_go(self):
        done, failed = "the audit devices are as the configuration says", "audit devices: "
        server = self.start(self.text())
        initialise(server)
        self.assertEqual(server.get("sys/audit").status, 200)
        self.assertEqual(self.devices(server), [])
        self.reload(server, self.text(("one",)), done)
        self.assertEqual(self.devices(server), ["one/"])
        server.get("sys/mounts")
        self.assertTrue(any(r.get("request", {}).get("path") == "sys/mounts" for r in self.records("one")))
        self.reload(server, self.text(("one",), ("two",)), done)
        self.assertEqual(self.devices(server), ["one/", "two/"])
        # one that was changed: nothing is done, not even with the others
        self.reload(server, self.text(("one", "log_raw = true"), ("three",)), failed)
        self.assertIn("audit device one/ of this store was made with another log_raw", server.log_text())
        self.assertEqual(self.devices(server), ["one/", "two/"])
        # a file that is wrong: neither
        self.reload(server, self.text(("three",), extra="nosuch = 1\n"), "the headers of replies stay as they are")
        self.assertEqual(self.devices(server), ["one/", "two/"])
        # one that cannot be made: those that are gone stay on
        self.reload(server, self.text(("one/below",)), failed)
        self.assertEqual(self.devices(server), ["one/", "two/"])
        self.reload(server, self.text(("two",)), done)
        self.assertEqual(self.devices(server), ["two/"])
        self.assertNotIn("sys/mounts", [r.get("request", {}).get("path") for r in self.records("two")])
        self.reload(server, self.text(), done)
        self.assertEqual(self.devices(server), [])
        self.assertEqual(server.stop(), 0)

    def test_through_the_api_they_are_not_the_configurations(self):
        server = self.start(self.text(extra="unsafe_allow_api_audit_creation = true\n"))
        initialise(server)
        self.assertEqual(server.request("PUT", "sys/audit/own", {"type": "file", "options": {"file_path": f"{self.folder}/own.log"}}).status, 204)
        self.reload(server, self.text(("own",)), "audit device own/ of this store was made through the API")
        self.reload(server, self.text(("one",)), "the audit devices are as the configuration says")
        self.reload(server, self.text(), "the audit devices are as the configuration says")
        self.assertEqual(self.devices(server), ["own/"])

    def test_while_sealed_it_waits(self):
        server = self.start(self.text(seal_key=None))
        answer = server.request("PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1}, token=None).json
        server.token = answer["root_token"]
        self.reload(server, self.text(("one",), seal_key=None), "the audit devices are as the configuration says")
        self.assertFalse(os.path.exists(f"{self.folder}/one.log"))
        server.request("PUT", "sys/unseal", {"key": answer["keys"][0]}, token=None)
        self.assertEqual(self.devices(server), ["one/"])
        self.assertEqual(server.request("PUT", "sys/seal").status, 204)
        self.reload(server, self.text(seal_key=None), "the audit devices are as the configuration says")
        server.request("PUT", "sys/unseal", {"key": answer["keys"][0]}, token=None)
        self.assertEqual(self.devices(server), [])


if __name__ == "__main__":
    unittest.main()
