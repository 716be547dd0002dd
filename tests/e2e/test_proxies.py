"""The configurations of docs/PROXIES.md, as they stand there but for ports and folders, before two real servers: client addresses, methods, bodies,
and a restart of one after the other under load, in which no request fails. nginx and haproxy always; the others with BULLA_TEST_LONG=1."""
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import servers  # noqa: E402
import tcp  # noqa: E402
from test_server import PLAIN, Folder, initialise, make_key  # noqa: E402

LONG = os.environ.get("BULLA_TEST_LONG") == "1"
DOCS = os.path.join(servers.TOP, "docs", "PROXIES.md")
KEPT, FRESH = 6, 2   # clients that keep their connection, and that open one for each request
REQUESTS = 150       # before each restart, so that it happens under load
CLIENT = "127.0.0.5"


def example(name):
    """The block that follows the name in the document."""
    with open(DOCS) as f:
        text = f.read().split(f"<!-- example: {name} -->\n\n", 1)[1]
    block = re.match(r"(?:    .*\n|\n)+", text)[0]
    return re.sub(r"(?m)^    ", "", block).rstrip() + "\n"


FORWARDED = 'x_forwarded_for_authorized_addrs = "127.0.0.1"\n  x_forwarded_for_reject_not_present = false\n'


class Proxied(Folder):
    """Two servers from one copy of a storage, each with a plain and a TLS port, and what a proxy's example needs."""

    def setUp(self):
        super().setUp()
        os.chmod(self.folder, 0o755)  # some proxies run as another user
        servers.certificates(self.folder)
        servers.make_certificate(self.folder, "server", names="DNS:bulla.example.com,IP:127.0.0.1")
        servers.make_certificate(self.folder, "proxy", names="DNS:localhost")
        with open(self.path("proxy-both.pem"), "w") as both:
            for name in ("proxy.pem", "proxy.key"):
                with open(self.path(name)) as f:
                    both.write(f.read())
        first = self.serve()
        initialise(first)
        self.token, self.ciphertext = first.token, make_key(first)
        self.assertEqual(first.stop(), 0)
        self.nodes = [self.node(name) for name in "ab"]
        self.port = servers.free_port()

    def path(self, name):
        return os.path.join(self.folder, name)

    def node(self, name):
        folder = self.path(name)
        os.mkdir(folder)
        shutil.copy(self.database, folder)
        port, tls = servers.free_port(), servers.free_port()
        forwarded = self.trusts
        extra = (f'listener "tcp" {{\n  address = "127.0.0.1:{tls}"\n  tls_cert_file = "{self.path("server.pem")}"\n'
                 f'  tls_key_file = "{self.path("server.key")}"\n  {forwarded}}}\n'
                 f'audit "file" "main" {{\n  options {{\n    file_path = "{folder}/audit"\n  }}\n}}\n')
        text = servers.config_text(port, os.path.join(folder, "b.db"), listener="tls_disable = true\n  " + forwarded, extra=extra)
        server = servers.bulla_config(folder, text, port, self.token)
        server.audit, server.tls_port = os.path.join(folder, "audit"), tls
        self.addCleanup(server.close)
        return server.start()

    def write_example(self, name, plain=False):
        """With this machine's ports and folders."""
        text = example(name)
        for i, node in enumerate(self.nodes):
            port = node.address.rsplit(":", 1)[1] if plain else node.tls_port
            text = text.replace(f"10.0.0.1{i + 1}:8200", f"127.0.0.1:{port}")
            text = re.sub(rf'\.host = "10\.0\.0\.1{i + 1}";(\s+)\.port = "8200"', rf'.host = "127.0.0.1";\1.port = "{port}"', text)
        text = re.sub(r"\*:443|0\.0\.0\.0:443|(?<=listen )443|(?<=Listen )443|127\.0\.0\.1:8200", f"127.0.0.1:{self.port}", text)
        text = re.sub(r"/etc/proxy|/run/apache2|/run(?=/)|/var/log/\w+", self.folder, text)
        self.assertNotIn("10.0.0.1", text)
        return self.write(text, name)

    def run_proxy(self, *argv):
        program = shutil.which(argv[0], path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
        if program is None:
            self.skipTest(f"{argv[0]} is not installed")
        log = open(self.path("proxy.log"), "ab")
        self.addCleanup(log.close)
        process = subprocess.Popen([program, *argv[1:]], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
                                   start_new_session=True)
        self.addCleanup(self.end, process)
        self.proxy = process
        tcp.wait_until(self.answers, "the proxy")

    def end(self, process):
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def said(self):
        said = ""
        for name in ("proxy.log", "error.log"):
            if os.path.exists(self.path(name)):
                with open(self.path(name), errors="replace") as f:
                    said += f.read()[-4000:]
        return said

    def answers(self):
        self.assertIsNone(self.proxy.poll(), self.said())
        try:
            return self.connection_status() == 200
        except (OSError, http.client.HTTPException):
            return False

    def connection_status(self):
        connection = self.connection()
        try:
            connection.request("GET", "/v1/sys/health")
            return connection.getresponse().status
        finally:
            connection.close()

    def connection(self, source=None):
        source = source and (source, 0)
        if self.is_tls:
            return http.client.HTTPSConnection(self.name, self.port, context=servers.tls_context(self.folder), timeout=servers.START_S,
                                               source_address=source)
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=servers.START_S, source_address=source)

    def request(self, connection, method, path, body=None):
        connection.request(method, "/v1/" + path, body=body and json.dumps(body), headers={"X-Vault-Token": self.token})
        reply = connection.getresponse()
        return reply.status, reply.read()

    # ---- what each proxy must do ------------------------------------------------------

    is_tls = True
    sends_addresses = True
    name, trusts = "localhost", FORWARDED  # of the proxy's certificate; how the nodes know their clients

    def audited(self):
        lines = ""
        for node in self.nodes:
            with open(node.audit) as f:
                lines += f.read()
        return lines

    def check_requests(self):
        connection = self.connection(CLIENT)
        self.addCleanup(connection.close)
        self.assertEqual(self.request(connection, "LIST", "transit/keys")[0], 200)
        status, body = self.request(connection, "POST", "transit/decrypt/k", {"ciphertext": self.ciphertext})
        self.assertEqual((status, json.loads(body)["data"]["plaintext"]), (200, PLAIN))
        large = servers.b64(b"x" * 2000000)
        self.assertEqual(self.request(connection, "POST", "transit/encrypt/k", {"plaintext": large})[0], 200)
        self.assertEqual(self.request(connection, "GET", "transit/keys/a%2Fb")[0] // 100, 4)
        self.assertIn('"remote_address":"%s"' % (CLIENT if self.sends_addresses else "127.0.0.1"), self.audited())

    def load(self, keep):
        connection = self.connection()
        while not self.over:
            try:
                status, body = self.request(connection, "POST", "transit/encrypt/k", {"plaintext": PLAIN})
                problem = None if status == 200 else (status, body[:200])
            except (OSError, http.client.HTTPException) as e:
                problem = repr(e)
            if problem:
                self.problems.append((time.monotonic(), problem))
            else:
                self.served += 1  # a few may be lost between threads: it is a measure of progress
            if problem or not keep:
                connection.close()
                connection = self.connection()
        connection.close()

    def wait_for_load(self, *nodes):
        """Until so many requests more are served; and some by each of these nodes."""
        start, sizes = self.served, [os.path.getsize(node.audit) for node in nodes]
        tcp.wait_until(lambda: self.served > start + REQUESTS or self.problems, "requests")
        for node, size in zip(nodes, sizes):
            tcp.wait_until(lambda: os.path.getsize(node.audit) > size or self.problems, "requests to each node")

    def check_restarts(self, both=True):
        self.over, self.problems, self.served = False, [], 0
        threads = [threading.Thread(target=self.load, args=[i < KEPT]) for i in range(KEPT + FRESH)]
        [t.start() for t in threads]
        try:
            self.wait_for_load(*self.nodes[:2 if both else 1])
            for node in self.nodes:
                self.assertEqual(node.stop(), 0)
                self.wait_for_load()
                node.start()
                self.wait_for_load(*([node] if both else []))
                if not both:
                    time.sleep(3)  # no request tells that it is known to be back
        finally:
            self.over = True
            [t.join() for t in threads]
        self.assertEqual(self.problems, [], self.said())


class Nginx(Proxied):
    def test_example(self):
        conf = self.write_example("nginx.conf")
        with open(conf) as f:
            text = f.read()
        temporary = "".join(f"{name}_temp_path {self.path(name)};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        self.write(text.replace("http {\n", "http {\n" + temporary), "nginx.conf")
        self.run_proxy("nginx", "-e", "stderr", "-p", self.folder, "-c", conf, "-g", "daemon off;")
        self.check_requests()
        self.check_restarts()


class Haproxy(Proxied):
    def test_example(self):
        self.run_proxy("haproxy", "-db", "-f", self.write_example("haproxy.cfg"))
        self.check_requests()
        self.check_restarts()


class PassedThrough(Proxied):
    """TLS ends at the nodes, which know their clients by the PROXY protocol: the listener is the one in the document."""

    name = "127.0.0.1"

    def setUp(self):
        self.trusts = "".join(line + "\n" for line in example("listener.hcl").splitlines() if "proxy_protocol" in line).replace("10.0.0.5", "127.0.0.1")
        self.assertIn("deny_unauthorized", self.trusts)
        super().setUp()

    def check_addresses(self):
        """Of each client its own address and port; of the checks, which no client makes, the proxy's."""
        for source in (CLIENT, "127.0.0.6"):
            connection = self.connection(source)
            self.addCleanup(connection.close)
            self.assertEqual(self.request(connection, "LIST", "transit/keys")[0], 200)
            port = connection.sock.getsockname()[1]
            self.assertIn(f'"remote_address":"{source}","remote_port":{port}', self.audited())

    def check(self):
        self.check_requests()
        self.check_addresses()
        self.check_restarts()


class HaproxyTcp(PassedThrough):
    def test_example(self):
        self.run_proxy("haproxy", "-db", "-f", self.write_example("haproxy-tcp.cfg"))
        self.check()

    def test_version_1(self):
        """The readable form: the same, with less of it tried."""
        with open(self.write_example("haproxy-tcp.cfg")) as f:
            text = f.read().replace("send-proxy-v2", "send-proxy")
        self.run_proxy("haproxy", "-db", "-f", self.write(text, "haproxy-tcp.cfg"))
        self.check_requests()
        self.check_addresses()


class NginxStream(PassedThrough):
    def test_example(self):
        self.run_proxy("nginx", "-e", "stderr", "-p", self.folder, "-c", self.write_example("nginx-stream.conf"), "-g", "daemon off;")
        self.check()


@unittest.skipUnless(LONG, "only with BULLA_TEST_LONG=1")
class Apache(Proxied):
    def test_example(self):
        self.run_proxy("apache2", "-f", self.write_example("httpd.conf"), "-DFOREGROUND")
        self.check_requests()
        self.check_restarts()


@unittest.skipUnless(LONG, "only with BULLA_TEST_LONG=1")
class Varnish(Proxied):
    is_tls = False

    def test_example(self):
        self.run_proxy("varnishd", "-F", "-f", self.write_example("bulla.vcl", plain=True), "-a", f"127.0.0.1:{self.port}",
                       "-n", self.path("varnish"), "-s", "malloc,32m")
        self.check_requests()
        self.check_restarts(both=False)


@unittest.skipUnless(LONG, "only with BULLA_TEST_LONG=1")
class Stunnel(Proxied):
    is_tls, sends_addresses = False, False

    def test_example(self):
        self.run_proxy("stunnel4", self.write_example("stunnel.conf"))
        self.check_requests()


if __name__ == "__main__":
    unittest.main()
