"""Programs on github.com/hashicorp/vault/api (go/) and node-vault (node/), over HTTP and HTTPS. What they are built from is in build/clients."""
import os
import re
import shutil
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import golang  # noqa: E402
import servers  # noqa: E402

MADE = golang.MADE


def run(argv, env=None, **kw):
    done = subprocess.run(argv, env=servers.clean_environment() | (env or {}), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=600, **kw)
    if done.returncode:
        raise AssertionError(f"{argv[0]} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


def install_node(folder):
    """A program of this folder and what it is pinned to, in build/clients; gives the folder there."""
    source = os.path.join(MADE, folder)
    os.makedirs(source, exist_ok=True)
    for name in ("main.js", "package.json", "package-lock.json"):
        shutil.copy(os.path.join(HERE, folder, name), source)
    if not os.path.isdir(os.path.join(source, "node_modules")):
        run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], {"npm_config_cache": os.path.join(MADE, "npm-cache")}, cwd=source)
    return source


class Program:
    """Mixed into a test case: argv, and the environment it needs beside the address."""

    env = {}

    def check(self, server, **env):
        out = run(self.argv, self.env | {"VAULT_ADDR": server.url, "VAULT_TOKEN": server.token} | env)
        lines = out.splitlines()
        self.assertEqual([line for line in lines if not line.startswith("ok ")], [])
        self.assertEqual([line.split()[1] for line in lines], self.names)

    def test_http(self):
        with servers.bulla_dev() as server:
            self.check(server)

    def test_https(self):
        with servers.temporary_folder() as f:
            servers.certificates(f)
            port = servers.free_port()
            text = servers.config_text(port, f"{f}/b.db", listener=f'tls_cert_file = "{f}/server.pem"\n  tls_key_file = "{f}/server.key"')
            with servers.bulla_config(f, text, port, context=servers.tls_context(f)) as server:
                server.token = server.request("PUT", "sys/init", {"recovery_shares": 1, "recovery_threshold": 1}, token=None).json["root_token"]
                self.check(server, VAULT_CACERT=f"{f}/ca.pem", NODE_EXTRA_CA_CERTS=f"{f}/ca.pem")

    def test_a_refusal_is_told(self):
        """A program that cannot fail would prove nothing."""
        with servers.bulla_dev() as server:
            server.token = "nosuch"
            with self.assertRaises(AssertionError):
                self.check(server)


class Go(Program, unittest.TestCase):
    argv = [os.path.join(MADE, "go-client")]
    names = ["system", "mounts", "keys", "encryption", "signatures", "tools", "backup", "imports", "tokens", "wrapping", "capabilities",
             "versions"]

    @classmethod
    def setUpClass(cls):
        golang.run("go", "build", "-o", cls.argv[0], ".")

    def test_printable_characters(self):
        """lib/base/printable_table.h against Go's own, over all code points."""
        golang.run("go", "build", "-o", os.path.join(MADE, "go-printable"), "./printable")
        with open(os.path.join(servers.TOP, "lib", "base", "printable_table.h")) as f:
            edges = [int(word, 16) for word in re.findall(r"0x[0-9A-F]+", f.read())]
        for given, status in ((edges, 0), (edges[1:], 1), (edges[:2] + edges[4:], 1)):
            done = subprocess.run([os.path.join(MADE, "go-printable"), "17.0.0"], input=" ".join(map(str, given)), text=True, capture_output=True)
            self.assertEqual(status, done.returncode, done.stdout[:1000])


class Node(Program, unittest.TestCase):
    argv = ["node", os.path.join(MADE, "node", "main.js")]
    names = ["system", "mounts", "keys", "encryption", "signatures", "tools", "backup", "wrapping", "tokens"]

    @classmethod
    def setUpClass(cls):
        install_node("node")


class CheckingNode(unittest.TestCase):
    """A client that checks each reply against a schema of Vault's. With vault_reply_fields it takes all but what no server could give it:
    its schemas have numbers where the keys of an asymmetric key are objects, and true where a trim or capabilities have data."""

    OWN_FAULTS = {"createSigner", "trimKey", "queryCapabilities"}

    @classmethod
    def setUpClass(cls):
        cls.source = install_node("litehex")

    def calls(self, extra):
        with servers.temporary_folder() as f:
            port = servers.free_port()
            listener = "tls_disable = true\n  disable_unauthed_generate_root_endpoints = false"
            text = servers.config_text(port, f"{f}/b.db", seal_key=None, listener=listener, extra=extra)
            with servers.bulla_config(f, text, port) as server:
                lines = run(["node", os.path.join(self.source, "main.js")], {"VAULT_ADDR": server.url}).splitlines()
        told = [re.fullmatch(r"(ok|refused) (\w+)(: .*)?", line).groups() for line in lines]
        return {name for word, name, _ in told if word == "ok"}, {name for word, name, _ in told if word == "refused"}

    def test_with_vaults_fields(self):
        taken, refused = self.calls("vault_reply_fields = true\n")
        self.assertEqual(self.OWN_FAULTS, refused)
        self.assertEqual(40, len(taken))

    def test_without(self):
        _, refused = self.calls("")
        self.assertLess(self.OWN_FAULTS | {"sealStatus", "health", "createKey", "encrypt"}, refused)


if __name__ == "__main__":
    unittest.main()
