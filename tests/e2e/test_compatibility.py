"""docs/COMPATIBILITY.md, "What is not here", against a real OpenBao: paths by its own API document, and engines, methods and types. What
OpenBao has is here or listed, and what is listed is known to OpenBao and not here: the page can neither lack a row nor keep one too long."""
import os
import re
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import api_document  # noqa: E402
import servers  # noqa: E402

BAO = os.environ.get("BAO_BIN") or os.path.join(servers.TOP, "tests", ".venv", "bin", "bao")
PAGE = os.path.join(servers.TOP, "docs", "COMPATIBILITY.md")
MOUNTS = {"transit": "sys/mounts", "approle": "sys/auth", "cert": "sys/auth", "jwt": "sys/auth", "userpass": "sys/auth"}
AT_DEFAULTS = {name: name for name in MOUNTS}
ELSEWHERE = {name: f"{name}-of-b" for name in MOUNTS}
NAMES = {"type": "secret"}  # of parameters that take some only
STATES = ("planned", "never, because ", "instead: ")
LISTENER = "tls_disable = true\n  disable_unauthed_generate_root_endpoints = false"
OPTIONAL = "raw_storage_endpoint = true\nintrospection_endpoint = true\n"  # paths that OpenBao has only where it is told so


def is_served(server, method, path):
    """Whether the server knows the path with that method: what it does not know it refuses in words that nothing else has."""
    headers = {"Content-Type": "application/merge-patch+json"} if method == "PATCH" else {}
    answer = server.request(method, path, {} if method in ("POST", "PATCH") else None, headers=headers)
    if answer.status == 503 or b"permission denied" in answer.body:
        raise RuntimeError(f"{method} {path} was not looked at: {answer}")
    if answer.status == 404:
        return b"unsupported path" not in answer.body and b"no handler for route" not in answer.body
    return answer.status != 405


def ask(server, operations, mounts):
    """Those of the operations that the server serves, with the mounts of ours at those names. What seals the server comes last."""
    served, root = set(), server.token
    for method, path in sorted(operations, key=lambda o: (o[1] == "sys/seal", o)):
        server.token = server.post("auth/token/create").json["auth"]["client_token"] if path == "auth/token/revoke-self" else root
        here = api_document.at(path, mounts)
        if here is not None and is_served(server, method, api_document.filled(here, NAMES)):
            served.add((method, path))
    return served


def by_default(operations):
    """Operations of the document that leaves the mounts' names open, as the other one has them."""
    return {(method, api_document.at(path, AT_DEFAULTS)) for method, path in operations}


def findings(known, served, absences):
    """What is wrong with rows of the page, by what the peer knows and what is served here: nothing is an empty list."""
    wrong = [f"{method} {path} is neither served nor listed" for method, path in sorted(known - served)
             if not any(a.covers(method, path) for a in absences)]
    for a in absences:
        where = f"line {a.row.line}"
        wrong += [f"{where}: {method} {path} is served" for method, path in sorted(served) if a.covers(method, path)]
        wrong += [f"{where}: {name} is no path of the peer" for name, pattern in a.patterns.items()
                  if not any(method in a.methods and pattern.fullmatch(path) for method, path in known)]
        if a.methods != api_document.METHODS:
            wrong += [f"{where}: the peer has no {method} there" for method in a.methods
                      if not any(m == method and a.covers(m, path) for m, path in known)]
        if not a.row.cells[2].startswith(STATES):
            wrong.append(f"{where}: does not say what becomes of it")
    return wrong


class Paths(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        servers.serve_beside_bao(cls, BAO, LISTENER, OPTIONAL, raft=True)
        for server in cls.both:
            servers.bao_unseal(server)
        for name, kind in MOUNTS.items():
            for server, path in ((cls.bulla, name), (cls.bulla, ELSEWHERE[name]), (cls.bao, name)):
                answer = server.post(f"{kind}/{path}", {"type": name})
                assert answer.status == 204, (server.argv, path, answer)
        cls.named = api_document.operations(cls.bao.get("sys/internal/specs/openapi").json)
        cls.generic = api_document.operations(cls.bao.get("sys/internal/specs/openapi?generic_mount_paths=true").json)
        cls.of_mounts = {o for o in cls.generic if "_mount_path}" in o[1]}
        cls.served_elsewhere = by_default(ask(cls.bulla, cls.of_mounts, ELSEWHERE))
        cls.served = ask(cls.bulla, cls.named, AT_DEFAULTS)
        cls.absences = [api_document.Absence(row) for row in api_document.table(PAGE, "Paths")]

    def test_the_page(self):
        self.assertGreater(len(self.named), 400)
        self.assertGreater(len(self.served), 200)
        self.assertEqual([], findings(self.named, self.served, self.absences))

    def test_other_mounts(self):
        """The document that leaves the mounts' names open says the same, and what is served does not go by the defaults' names."""
        self.assertEqual(self.named, by_default(self.generic))
        self.assertEqual(self.served & by_default(self.of_mounts), self.served_elsewhere)

    def test_that_it_finds(self):
        """A row too few, one of what is served, one of nothing, one with a method too many, one that says nothing."""
        for n, a in enumerate(self.absences):
            self.assertTrue(findings(self.named, self.served, self.absences[:n] + self.absences[n + 1:]), f"line {a.row.line} can go")
        for cells, text in ((["`transit/keys/*`", "`GET`", "planned"], "GET transit/keys/{name} is served"),
                            (["`sys/no-such`", "all", "planned"], "sys/no-such is no path of the peer"),
                            (["`identity/*`", "`GET`, `SCAN`", "planned"], "the peer has no SCAN there"),
                            (["`identity/*`", "all", "soon"], "does not say what becomes of it")):
            wrong = findings(self.named, self.served, [*self.absences, api_document.Absence(api_document.Row(0, cells))])
            self.assertIn(f"line 0: {text}", wrong)


# how one finds out whether a server has a thing of that name
ASK = {
    "secrets engine": lambda s, name: s.post(f"sys/mounts/is-{name}", {"type": name}),
    "auth method": lambda s, name: s.post(f"sys/auth/is-{name}", {"type": name}),
    "key type": lambda s, name: s.post(f"transit/keys/is-{name}", {"type": name}),
    "audit device": lambda s, name: s.post(f"sys/audit/is-{name}", {"type": name}),
}
UNKNOWN = r"plugin not found in the catalog|unknown key type|must provide external_key_ref|unknown backend type"
CONFIGURED = {"storage": 'storage "{}" {{}}', "seal": 'seal "{}" {{}}'}


class Kinds(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.rows = api_document.table(PAGE, "Engines, methods and types")
        audit = "unsafe_allow_api_audit_creation = true\n"
        servers.serve_beside_bao(cls, BAO, bao_extra=audit, bulla_extra=audit)
        for server in cls.both:
            servers.bao_unseal(server)
            server.post("sys/mounts/transit", {"type": "transit"})

    def named(self, what):
        return [(name, row) for row in self.rows if row.cells[1] == what for name in row.names]

    def test_rows_say_what_becomes_of_them(self):
        for row in self.rows:
            self.assertIn(row.cells[1], [*ASK, *CONFIGURED], row.line)
            self.assertIn(row.cells[2], ("OpenBao", "Vault"), row.line)
            self.assertTrue(row.cells[3].startswith(STATES), row.line)

    def test_listed_ones_are_not_here(self):
        for what, ask_for in ASK.items():
            for name, row in self.named(what):
                answer = ask_for(self.bulla, name)
                self.assertEqual(400, answer.status, (row.line, name, answer))
                self.assertRegex(answer.errors[0], UNKNOWN, (row.line, name))

    def test_openbao_has_what_it_is_said_to_have(self):
        for what, ask_for in ASK.items():
            for name, row in self.named(what):
                answer = ask_for(self.bao, name)
                known = answer.status in (200, 204) or not re.search(r"not found in the catalog|unknown", answer.errors[0])
                self.assertEqual(row.cells[2] == "OpenBao", bool(known), (row.line, name, answer))

    def test_all_of_its_catalog(self):
        catalog = self.bao.get("sys/plugins/catalog").data
        for kind, what in (("secret", "secrets engine"), ("auth", "auth method")):
            listed = [name for name, _ in self.named(what)]
            for name in catalog[kind]:
                here = ASK[what](self.bulla, f"{name}").status == 204
                self.assertNotEqual(here, name in listed, (what, name))

    def test_configured_ones_are_refused(self):
        """The start says that there is no such thing."""
        with servers.temporary_folder() as folder:
            for what, block in CONFIGURED.items():
                for name, row in self.named(what):
                    text = servers.config_text(1, os.path.join(folder, "b.db"), seal_key=None, extra=block.format(name) + "\n")
                    if what == "storage":
                        text = text[text.index("listener"):]
                    path = os.path.join(folder, "bulla.hcl")
                    with open(path, "w") as f:
                        f.write(text)
                    done = subprocess.run([servers.bulla_binary(), "server", f"-config={path}"], env=servers.clean_environment(),
                                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
                    self.assertNotEqual(0, done.returncode, (row.line, name))
                    self.assertRegex(done.stderr, "bulla.hcl:[0-9:]+ unknown " + what, (row.line, name))


if __name__ == "__main__":
    unittest.main()
