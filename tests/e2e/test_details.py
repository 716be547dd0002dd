"""What clients look at beside the answer they asked for: each request goes to Bulla and to a real OpenBao, and the statuses and documents have
to be the same, but for what is made anew each time and for plugins that are not here."""
import os
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import same  # noqa: E402
import servers  # noqa: E402

BAO = os.environ.get("BAO_BIN") or os.path.join(servers.TOP, "tests", ".venv", "bin", "bao")
SUM = "d17f1ea0" * 8
EVERYTHING = 'path "*" { capabilities = ["create", "read", "update", "delete", "list"] }'
WRAP = {"X-Vault-Wrap-TTL": "60"}
JWT = {"role_type": "jwt", "user_claim": "sub", "bound_subject": "x"}


class Same(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        servers.serve_beside_bao(cls, BAO)
        for server in cls.both:
            servers.bao_unseal(server)
            server.post("sys/mounts/transit", {"type": "transit"})
            server.post("sys/mounts/a/b/transit", {"type": "transit"})
            for method in ("jwt", "approle", "userpass"):
                server.post(f"sys/auth/{method}", {"type": method})
            server.post("sys/policies/acl/everything", {"policy": EVERYTHING})
            server.plain_token = server.post("auth/token/create", {"policies": ["everything"]}).json["auth"]["client_token"]

    def same(self, method, path, body=None, plain_token=False, **kw):
        """The peer's answer, which is Bulla's too."""
        told = []
        for server in self.both:
            answer = server.request(method, path, body, token=server.plain_token if plain_token else server.token, **kw)
            told.append((answer.status, same.plain(answer.json) if answer.body else None))
            last = answer
        with self.subTest(method=method, path=path, body=body, plain_token=plain_token):
            self.assertEqual(*told)
        return last


class Plugins(Same):
    def test_rights(self):
        """Which of them want sudo."""
        for method, path, body in (("GET", "sys/plugins/catalog", None), ("LIST", "sys/plugins/catalog/auth", None),
                                   ("LIST", "sys/plugins/catalog/secret", None), ("GET", "sys/plugins/catalog/auth/jwt", None),
                                   ("GET", "sys/plugins/catalog/jwt", None), ("POST", "sys/plugins/catalog/auth/jwt", {}),
                                   ("DELETE", "sys/plugins/catalog/auth/jwt", None), ("DELETE", "sys/plugins/catalog/x", None),
                                   ("PUT", "sys/plugins/reload/backend", {"mounts": ["transit"]}), ("GET", "sys/leases?type=irrevocable", None),
                                   ("GET", "sys/leases/count?type=irrevocable", None), ("GET", "sys/internal/counters/entities", None),
                                   ("GET", "sys/internal/counters/requests", None)):
            self.same(method, path, body, plain_token=True)
            for server in self.both:
                self.assertEqual(server.request(method, path, body, token=None).status, 403, path)

    def test_catalogue(self):
        self.assertEqual(self.same("GET", "sys/plugins/catalog").status, 200)
        for kind in ("auth", "secret", "nosuch"):
            self.same("LIST", f"sys/plugins/catalog/{kind}")
            self.same("LIST", f"sys/plugins/catalog/{kind}/")
        for path in ("", "?list=true", "?a=b", "/auth", "/secret", "/auth/jwt", "/secret/transit", "/auth/transit", "/secret/jwt", "/auth/nosuch",
                     "/auth/a/b", "/database/nosuch", "/nosuch", "/nosuch/transit", "/SECRET/transit", "/x%20y", "/transit",
                     "/secret/transit?version=", "/secret/transit?version=v1.0.0", "/secret/transit?version=abc", "/secret/transit?version=1",
                     "/secret/transit?version=1.2-beta", "/secret/transit?version=v", "/secret/transit?version=1.x", "/secret/transit?version=-1"):
            self.same("GET", "sys/plugins/catalog" + path)
        for server in self.both:
            version = server.get("sys/plugins/catalog/secret/transit").data["version"]
            for known in (version, version[1:]):
                self.assertEqual(server.get("sys/plugins/catalog/secret/transit?version=" + known.replace("+", "%2B")).status, 200)
            self.assertEqual(server.get("sys/mounts/transit").data["running_plugin_version"], version)

    def test_nothing_is_registered(self):
        for body in ({}, {"sha256": "x"}, {"sha256": "x", "command": ""}, {"sha_256": "x", "command": "y"}, {"sha256": "d17f1ea0", "command": "a"},
                     {"sha256": "abc", "command": "a"}, {"version": "abc"}, {"sha256": "zz", "command": "a", "version": "abc"},
                     {"sha256": SUM, "command": "a"}, {"sha_256": SUM, "command": "a", "args": ["b"], "env": "c", "version": "v1.0.0"},
                     {"sha256": [], "command": "a"}):
            for path in ("secret/x", "auth/x", "database/x", "x", "x/y"):
                self.same("PUT", "sys/plugins/catalog/" + path, body)
        for path in ("secret/transit", "auth/nosuch", "jwt", "nosuch/x", "secret/transit?version=abc", "secret/transit?version=v1.0.0"):
            self.same("DELETE", "sys/plugins/catalog/" + path)
        self.assertEqual(self.same("GET", "sys/plugins/catalog/secret/transit").status, 200)
        for method, path in (("POST", ""), ("DELETE", ""), ("LIST", ""), ("POST", "/auth"), ("DELETE", "/auth"), ("LIST", "/auth/jwt"), ("LIST", "/jwt")):
            self.same(method, "sys/plugins/catalog" + path, {} if method == "POST" else None)

    def test_reload(self):
        for body in ({}, None, {"mounts": []}, {"mounts": ["transit"]}, {"mounts": ["transit/"]}, {"mounts": "transit,a/b/transit"},
                     {"mounts": ["nosuch"]}, {"mounts": ["nosuch", "transit"]}, {"mounts": ["nosuch", "nosuch2/"]}, {"mounts": ["auth/jwt"]},
                     {"mounts": ["auth/jwt/"]}, {"mounts": ["jwt"]}, {"mounts": ["sys"]}, {"mounts": ["cubbyhole/"]}, {"mounts": ["auth/token"]},
                     {"mounts": ["identity"]}, {"mounts": ["/transit"]}, {"mounts": ["transit//"]}, {"mounts": ["transit/keys"]}, {"mounts": [""]},
                     {"mounts": ["a/b/"]}, {"mounts": ["auth"]}, {"mounts": 5}, {"mounts": None}, {"mounts": [1, 2]}, {"mounts": ["transit", "transit"]},
                     {"mounts": "transit,,x"}, {"mounts": " transit , "}, {"mounts": ['a"b', "\u00e4", "\x01"]}, {"mounts": ["sys", "nosuch", "transit"]},
                     {"plugin": "transit"}, {"plugin": "jwt"}, {"plugin": "approle"}, {"plugin": "nosuch"}, {"plugin": "TRANSIT"},
                     {"plugin": " transit "}, {"plugin": ""}, {"plugin": 5}, {"plugin": ["transit"]}, {"plugin": {}}, {"plugin": "system"},
                     {"plugin": "token"}, {"plugin": "cubbyhole"}, {"plugin": "identity"}, {"plugin": "ns_token"}, {"plugin": "transit", "mounts": ["transit"]},
                     {"plugin": "transit", "mounts": []}, {"plugin": None, "mounts": ["transit"]}, {"plugin": "transit", "scope": "global"},
                     {"plugin": "transit", "scope": "cluster"}, {"plugin": "transit", "scope": ""}, {"scope": "cluster"}, {"mounts": ["transit"], "scope": "x"},
                     {"mounts": ["nosuch"], "scope": "global"}, {"plugin": "nosuch", "scope": "x"}, {"mounts": ["transit"], "foo": 1},
                     {"plugin": "transit", "mounts": ["transit"], "scope": "x"}):
            self.same("PUT", "sys/plugins/reload/backend", body)
        for method in ("GET", "DELETE", "LIST"):
            self.same(method, "sys/plugins/reload/backend")
        self.same("GET", "sys/plugins/reload")

    def test_a_key_survives_it(self):
        for server in self.both:
            server.post("transit/keys/kept")
            sealed = server.post("transit/encrypt/kept", {"plaintext": "QQ=="}).data["ciphertext"]
            self.assertEqual(server.request("PUT", "sys/plugins/reload/backend", {"mounts": ["transit"]}).status, 200)
            self.assertEqual(server.post("transit/decrypt/kept", {"ciphertext": sealed}).data["plaintext"], "QQ==")


class Counters(Same):
    def test_leases(self):
        for path in ("sys/leases", "sys/leases/count"):
            for query in ("", "?type=irrevocable", "?type=other", "?type=", "?include_child_namespaces=true", "?type=irrevocable&include_child_namespaces=1",
                          "?type=irrevocable&include_child_namespaces=maybe", "?type=irrevocable&limit=none", "?type=irrevocable&limit=None",
                          "?type=irrevocable&limit=5", "?type=irrevocable&limit=x", "?type=irrevocable&limit=-1", "?type=irrevocable&limit=0",
                          "?type=irrevocable&limit=", "?type=irrevocable&limit=1e3", "?type=irrevocable&limit=99999999999999999999",
                          "?type=irrevocable&limit=%205", "?type=irrevocable&force=true", "?type=other&limit=x",
                          "?type=irrevocable&list=true"):
                self.same("GET", path + query)
            for method in ("POST", "DELETE", "LIST"):
                self.same(method, path, {} if method == "POST" else None)

    def test_others(self):
        self.same("GET", "sys/internal/counters/entities")
        self.same("GET", "sys/internal/counters/requests")
        for path in ("tokens", "requests", "entities"):
            self.same("POST", f"sys/internal/counters/{path}", {})
            self.same("LIST", f"sys/internal/counters/{path}")
        for path in ("activity", "activity/monthly", "config", ""):
            self.same("GET", f"sys/internal/counters/{path}")

    def counts(self):
        return [server.get("sys/internal/counters/tokens").data["counters"]["service_tokens"]["total"] for server in self.both]

    def grew(self, by, act):
        before = self.counts()
        for server in self.both:
            act(server)
        deadline = time.monotonic() + 20
        while self.counts() != [n + by for n in before] and time.monotonic() < deadline:
            time.sleep(0.1)  # the peer revokes behind the answer
        self.assertEqual(self.counts(), [n + by for n in before])

    def test_tokens(self):
        self.same("GET", "sys/internal/counters/tokens?a=b")
        tokens = {}

        def revoke(server):
            server.post("auth/token/revoke", {"token": tokens[server]})

        self.grew(1, lambda server: tokens.update({server: server.post("auth/token/create", {"policies": ["default"]}).json["auth"]["client_token"]}))
        self.grew(1, lambda server: server.get("sys/mounts", headers=WRAP))
        self.grew(0, lambda server: server.post("auth/token/create", {"type": "batch", "policies": ["default"]}))
        self.grew(2, lambda server: [server.post("auth/token/create", {"policies": ["default"]}) for _ in range(2)])
        self.grew(-1, revoke)


class Wrapped(Same):
    def test_names(self):
        """A wrapping's token is named after who wraps, or has logged in."""
        for server in self.both:
            server.post("auth/userpass/users/n", {"password": "pw", "policies": "default"})
            token = server.post("auth/token/create", {"policies": ["root"], "display_name": "abc"}).json["auth"]["client_token"]
            for name, wrapped in (("root", server.get("sys/mounts", headers=WRAP)), ("token-abc", server.get("sys/mounts", headers=WRAP, token=token)),
                                  ("token-abc", server.post("auth/token/create", {"display_name": "x"}, headers=WRAP, token=token)),
                                  ("userpass-n", server.post("auth/userpass/login/n", {"password": "pw"}, headers=WRAP, token=None))):
                made = wrapped.json["wrap_info"]
                self.assertEqual(server.post("auth/token/lookup-accessor", {"accessor": made["accessor"]}).data["display_name"], name)
            again = server.post("sys/wrapping/rewrap", {"token": made["token"]}, token=token).json["wrap_info"]
            self.assertEqual(server.post("auth/token/lookup-accessor", {"accessor": again["accessor"]}).data["display_name"], "token-abc")

    def test_accessors(self):
        """wrap_info.wrapped_accessor, by the peer's rule: of a token, or of a secret id in an answer of approle."""
        for server in self.both:
            server.post("auth/approle/role/web", {"policies": "default"})
            server.post("auth/userpass/users/u", {"password": "pw", "policies": "default"})
            server.post("auth/approle/role/web/custom-secret-id", {"secret_id": "known"})
        accessors = {}
        for server in self.both:
            made = server.post("auth/approle/role/web/secret-id", headers=WRAP).json["wrap_info"]
            inside = server.post("sys/wrapping/unwrap", {"token": made["token"]}).data
            self.assertEqual(made["wrapped_accessor"], inside["secret_id_accessor"])
            accessors[server] = inside["secret_id_accessor"]
            found = server.post("auth/approle/role/web/secret-id-accessor/lookup", {"secret_id_accessor": made["wrapped_accessor"]})
            self.assertEqual(found.data["secret_id_accessor"], inside["secret_id_accessor"])
        for method, path, body in (("POST", "auth/approle/role/web/secret-id", {}), ("POST", "auth/approle/role/web/custom-secret-id", {"secret_id": "mine"}),
                                   ("POST", "auth/approle/role/web/secret-id/lookup", {"secret_id": "known"}), ("LIST", "auth/approle/role/web/secret-id", None),
                                   ("GET", "auth/approle/role/web/role-id", None), ("GET", "auth/approle/role/web", None),
                                   ("POST", "auth/token/create", {}), ("POST", "auth/token/create", {"type": "batch", "policies": ["default"]}),
                                   ("GET", "auth/token/lookup-self", None), ("LIST", "auth/token/accessors", None), ("GET", "sys/mounts/transit", None),
                                   ("POST", "auth/userpass/login/u", {"password": "pw"}),
                                   ("POST", "sys/wrapping/wrap", {"secret_id_accessor": "q", "accessor": "z"}), ("POST", "auth/token/renew-self", {})):
            answer = self.same(method, path, body, headers=WRAP, plain_token=path.endswith("renew-self"))
            self.assertIsNotNone(answer.json["wrap_info"])
        for server in self.both:
            found = server.post("auth/approle/role/web/secret-id-accessor/lookup", {"secret_id_accessor": accessors[server]}, headers=WRAP)
            self.assertEqual(found.json["wrap_info"]["wrapped_accessor"], accessors[server])
            token = server.post("auth/approle/role/web/secret-id", headers=WRAP).json["wrap_info"]["token"]
            self.assertNotIn("wrapped_accessor", server.post("sys/wrapping/rewrap", {"token": token}).json["wrap_info"])


class Mounts(Same):
    def test_options(self):
        for path, kind in (("sys/mounts", "transit"), ("sys/auth", "userpass")):
            for i, more in enumerate(({}, {"options": None}, {"options": {}}, {"options": {"a": "b"}}, {"config": {"options": None}})):
                self.same("POST", f"{path}/o{i}", {"type": kind} | more)
                self.same("GET", f"{path}/o{i}")
                self.same("GET", f"{path}/o{i}/tune")

    def test_moves(self):
        for place, kind in (("sys/mounts", "transit"), ("sys/auth", "userpass")):
            prefix = "auth/" if place == "sys/auth" else ""
            self.same("POST", f"{place}/goes", {"type": kind})
            self.same("POST", "sys/remount", {"from": f"{prefix}goes", "to": f"{prefix}went"})


class Roles(Same):
    def test_cert_entries(self):
        """A list that was given empty is one."""
        with servers.temporary_folder() as folder:
            servers.certificates(folder)
            with open(f"{folder}/ca.pem") as f:
                entry = {"certificate": f.read()}
        for server in self.both:
            server.post("sys/auth/cert", {"type": "cert"})
        for more in ({}, {"allowed_organizational_units": []}, {"allowed_names": ["a"], "allowed_dns_sans": ""}, {"allowed_names": []}, {"required_extensions": None}):
            self.same("POST", "auth/cert/certs/c", entry | more)
            self.same("GET", "auth/cert/certs/c")

    def test_jwt_roles(self):
        """What a role of auth/jwt keeps although only logins by browser use it."""
        everything = {"verbose_oidc_logging": True, "max_age": 60, "allowed_redirect_uris": ["http://x"], "oidc_scopes": "a,b",
                      "oauth2_metadata": ["access_token"], "callback_mode": "direct", "poll_interval": 9, "oidc_disable_confirmation": True}
        for more in ({}, everything, {}, {"verbose_oidc_logging": False}, {"max_age": "1h"}, {"max_age": -1}, {"max_age": "x"}, {"max_age": 0},
                     {"callback_mode": "bogus"}, {"callback_mode": ""}, {"callback_mode": "device"}, {"poll_interval": 0}, {"poll_interval": -4},
                     {"poll_interval": 3}, {"oauth2_metadata": ["nosuch"]}, {"oauth2_metadata": []}, {"oauth2_metadata": ["id_token", "refresh_token"]},
                     {"allowed_redirect_uris": []}, {"allowed_redirect_uris": ["::", "a"]}, {"oidc_scopes": []}, {"oidc_disable_confirmation": False},
                     {"verbose_oidc_logging": "yes"}, {"verbose_oidc_logging": None, "max_age": None}, {"bound_claims_type": "glob"}):
            self.same("POST", "auth/jwt/role/r", JWT | more)
            self.same("GET", "auth/jwt/role/r")
        for role, body in (("a", JWT | {"oidc_scopes": ["a", "a"]}), ("b", JWT | {"callback_mode": "device"}), ("c", {"role_type": "jwt", "callback_mode": "x"}),
                           ("c", {"role_type": "jwt", "user_claim": "s", "callback_mode": "x"}), ("c", {"role_type": "jwt", "oauth2_metadata": ["x"]}),
                           ("c", JWT | {"callback_mode": "x", "oauth2_metadata": ["y"]}), ("c", JWT | {"claim_mappings": {"a": "role"}, "callback_mode": "x"}),
                           ("c", JWT | {"claim_mappings": {"a": "role"}, "oauth2_metadata": ["x"]}),
                           ("c", JWT | {"token_max_ttl": "90000h", "verbose_oidc_logging": True})):
            self.same("POST", f"auth/jwt/role/{role}", body)
            self.same("GET", f"auth/jwt/role/{role}")


if __name__ == "__main__":
    unittest.main()
