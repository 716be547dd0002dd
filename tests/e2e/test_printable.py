"""What a path may show: the table of printable characters is what its script makes of Unicode's data, and what a real OpenBao takes for
them; and what is quoted in messages is quoted as there."""
import os
import subprocess
import sys
import unittest
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import servers  # noqa: E402

BAO = os.environ.get("BAO_BIN") or os.path.join(servers.TOP, "tests", ".venv", "bin", "bao")
LONG = os.environ.get("BULLA_TEST_LONG") == "1"
BASE = os.path.join(servers.TOP, "lib", "base")
AT_ONCE = 200  # code points in a path
SURROGATES = range(0xD800, 0xE000)  # no UTF-8 says them
ODD = ('a"b', "a\\b", "a'b", "é", "a b", "\U0001f600")
HIDDEN = ("a\u0378b", "a\tb", "a\u200bb", "\U000e0001x", "a\x7fb", "a\u00a0b", "\ue000")


def edges():
    with open(os.path.join(BASE, "printable_table.h")) as f:
        return [int(word, 16) for word in f.read().split("{")[1].split("}")[0].replace(",", " ").split()]


def path_of(codes):
    return "nosuch/" + urllib.parse.quote("".join(map(chr, codes)))


class Table(unittest.TestCase):
    def test_made_by_the_script(self):
        made = subprocess.run([sys.executable, os.path.join(BASE, "printable.py")], check=True, capture_output=True, text=True).stdout
        with open(os.path.join(BASE, "printable_table.h")) as f:
            self.assertEqual(f.read(), made)


class Beside(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.servers = [servers.bulla_dev(), servers.bao_dev(BAO)]
        for server in cls.servers:
            cls.addClassCleanup(server.close)
            server.start(wait=False)
        for server in cls.servers:
            server.wait_until_ready()
            for path, kind in (("mounts/moved", "transit"), ("auth/approle", "approle")):
                assert server.post(f"sys/{path}", {"type": kind}).status == 204

    def statuses(self, codes):
        return [server.get(path_of(codes), connection=connection).status for server, connection in zip(self.servers, self.connections)]

    def test_code_points(self):
        """All that are printable, in bulk; of the others the first and the last of each run, in the long form every one but in the planes
        where there is nothing, and of these some."""
        self.connections = [server.connection() for server in self.servers]
        for connection in self.connections:
            self.addCleanup(connection.close)
        table = edges()
        shown = [c for low, high in zip(table[::2], table[1::2]) for c in range(low, high) if c not in (0x2F,)]
        for at in range(0, len(shown), AT_ONCE):
            codes = [ord("a"), *shown[at:at + AT_ONCE], ord("a")]  # no . or .. alone
            self.assertEqual([404, 404], self.statuses(codes), f"from U+{shown[at]:X}")
        for low, high in zip([0, *table[1::2]], [*table[::2], 0x110000]):
            few = [low, *range(low, high, 257 if high - low > 0x8000 else 1)] if LONG else [low]
            for code in sorted({*few, high - 1}):
                if code not in SURROGATES:
                    self.assertEqual([400, 400], self.statuses([code]), f"U+{code:X}")

    def same(self, method, path, body=None):
        answers = [server.request(method, path, body) for server in self.servers]
        told = [(a.status, a.json.get("errors"), a.json.get("warnings")) if a.body else (a.status,) for a in answers]
        self.assertEqual(told[1], told[0], (method, path, body))
        return told[0]

    def test_quoted_in_messages(self):
        for text in (*ODD, *HIDDEN):
            name = urllib.parse.quote(text)
            for method, path, body in (
                    ("GET", f"nosuch/{name}", None), ("POST", f"sys/mounts/{name}/tune", {}), ("GET", f"sys/mounts/{name}/tune", None),
                    ("POST", f"sys/mounts/sys/{name}", {"type": "transit"}), ("DELETE", f"sys/mounts/sys/{name}", None),
                    ("POST", f"sys/auth/{name}/tune", {}), ("GET", f"sys/internal/ui/mounts/{name}", None),
                    ("POST", "auth/token/create", {"policies": [text]}), ("POST", "auth/token/roles/r", {"token_bound_cidrs": [text]}),
                    ("POST", "auth/approle/role/r", {"token_bound_cidrs": text}), ("POST", "sys/quotas/rate-limit/q", {"path": text, "rate": 1}),
                    ("POST", "sys/leases/renew", {"lease_id": "x", "increment": text})):
                self.same(method, path, body)

    def test_moves(self):
        """A mount goes nowhere where no request could reach it."""
        for text in (*HIDDEN, "a//b", "./a", "a/../b", "a/..", "a/.", "a//", "/", " a", "a ", "a/ ", "sys/a\x01", "sys", "sys/x", "auth/x", "moved/"):
            self.same("POST", "sys/remount", {"from": "moved", "to": text})
            self.same("POST", "sys/remount", {"from": "sys", "to": text})
        for text in (*ODD, *HIDDEN, "sys/x", "identity/x", "auth/token/x", "audit", " moved", "moved ", "moved\n", "nosuch", "a\x00b", "moved\x00"):
            self.same("POST", "sys/remount", {"from": text, "to": "elsewhere"})
        for source in ("auth/token", "auth/approle", "auth", "auth/nosuch", "nosuch"):
            for text in ("sys", "auth/token", "auth/token/x", "moved", "identity/x"):
                self.same("POST", "sys/remount", {"from": source, "to": text})
        for text in ODD:
            self.assertEqual(400, self.same("POST", "sys/remount", {"from": "auth/approle", "to": text})[0])
            self.same("POST", "sys/remount", {"from": "auth/approle", "to": f"auth/token/{text}"})


if __name__ == "__main__":
    unittest.main()
