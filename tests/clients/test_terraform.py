"""terraform-provider-vault: what works with OpenBao works with Bulla.

Two proofs: the acceptance tests of the provider itself, in the newest version that Go's module proxy has (with --long); and the requests that
the acceptance tests of version 5.11 sent to OpenBao, recorded in terraform/requests.jsonl, sent to both servers in their order. Left out are
tests of what is not here: kv, pki, identity, OCSP of certificates, and a rate limit's role."""
import json
import os
import re
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import golang  # noqa: E402
import same  # noqa: E402
import servers  # noqa: E402

BAO = os.path.join(os.path.dirname(sys.executable), "bao")
PROVIDER = "github.com/terraform-providers/terraform-provider-vault"
PROGRAM = os.path.join(golang.MADE, "terraform-acceptance")
NOT_HERE = ("plugin not found in the catalog: kv", "plugin not found in the catalog: pki", "/v1/identity/")
AREAS = ("AppRole|Auth|Policy|Transit|Mount|Provider|Token|Audit|JWT|ZeroTTL|Endpoint", "AWS|Aws|Azure|GCP|LDAP|Kubernetes|Okta|Github|Database|Identity|Namespace")
OWN = {"version", "cluster_name", "cluster_id", "commit_date", "storage_type", "server_time_utc", "modified", "ttl", "public_key", "signature",
       "hmac", "entity_id", "creation_time", "certificate_chain"}


def beside_bao(cls):
    servers.serve_beside_bao(cls, BAO)
    for server in cls.both:
        servers.bao_unseal(server)


class Acceptance(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not os.environ.get("BULLA_TEST_LONG"):
            raise unittest.SkipTest("long: with bin/test --long")
        golang.run("terraform", "test", "-c", "-o", PROGRAM, PROVIDER + "/vault")
        cls.folder_of_tests = os.path.join(golang.run("terraform", "list", "-m", "-f", "{{.Dir}}", PROVIDER).strip(), "vault")
        beside_bao(cls)

    def named(self):
        known = subprocess.run([PROGRAM, "-test.list", "."], capture_output=True, text=True, check=True, cwd=self.folder_of_tests).stdout.split()
        return [name for name in known if re.search(AREAS[0], name) and not re.search(AREAS[1], name)]

    def passes(self, server, name):
        env = servers.clean_environment() | {"TF_ACC": "1", "VAULT_ADDR": server.url, "VAULT_TOKEN": server.token, "HOME": self.folder}
        done = subprocess.run([PROGRAM, "-test.v", "-test.run", f"^{name}$"], env=env, cwd=self.folder_of_tests, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300)
        return f"--- PASS: {name} " in done.stdout, done.stdout

    def test_what_passes_there_passes_here(self):
        passed, elsewhere = 0, []
        for name in self.named():
            there, _ = self.passes(self.bao, name)
            here, why = self.passes(self.bulla, name) if there else (False, "")
            passed += here
            if there and not here and any(text in why for text in NOT_HERE):
                elsewhere.append(name)
                continue
            with self.subTest(name=name):
                self.assertEqual(there, here, why)
        self.assertGreaterEqual(passed, 12)
        self.assertLessEqual(len(elsewhere), 5, elsewhere)


def fill(text, values):
    for name, value in values.items():
        text = text.replace("{" + name + "}", value)
    return text


def hide(text, values):
    for name, value in values.items():
        text = text.replace(value, "{" + name + "}")
    return text


def at(document, path):
    for step in path:
        document = document[step]
    return document


def shape(value):
    if isinstance(value, dict):
        return {name: None if name in OWN else shape(v) for name, v in value.items()}
    return [shape(v) for v in value] if isinstance(value, list) else value


class Requests(unittest.TestCase):
    maxDiff = None

    """A request's body is text in which {v1} stands for what an earlier answer brought; "take" says where that stood in it."""

    @classmethod
    def setUpClass(cls):
        beside_bao(cls)
        cls.values = {server: {} for server in cls.both}

    def send(self, server, request):
        values = self.values[server]
        token = request.get("token", "")
        body = fill(request["body"], values).encode() if "body" in request else None
        answer = server.request(request["method"], fill(request["path"], values), body, token=fill(token, values) if token else token,
                                headers={"X-Vault-Wrap-TTL": request["wrap"]} if "wrap" in request else None)
        told = answer.json if answer.body else None
        shown = shape(same.plain(json.loads(hide(answer.body.decode(), values)) if answer.body else None))
        for name, path in request.get("take", {}).items():
            values[name] = at(told, path)
        return answer.status, shown

    def test_as_the_peer_answers(self):
        count = 0
        with open(os.path.join(HERE, "terraform", "requests.jsonl")) as lines:
            for line in lines:
                test = json.loads(line)
                for server in self.both:
                    self.values[server].clear()
                for request in test["requests"]:
                    with self.subTest(test=test["test"], request=request):
                        self.assertEqual(*(self.send(server, request) for server in self.both))
                    count += 1
        self.assertGreater(count, 500)


if __name__ == "__main__":
    unittest.main()
