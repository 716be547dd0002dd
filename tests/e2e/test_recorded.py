"""Every request that recorded clients sent gets an answer of the status they got from the peer: recorded_requests.txt says which
there are, REQUESTS below provokes each of them."""
import os
import re
import secrets
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import servers  # noqa: E402

P = servers.b64("4111111111111111")
MERGE = {"Content-Type": "application/merge-patch+json"}
WRAP = {"X-Vault-Wrap-TTL": "60"}
HEALTH = "sys/health?drsecondarycode=299&{}=299&performancestandbycode=299&removedcode=299&sealedcode=299&standbycode=299&uninitcode=299"

# (path as recorded, method, status): how to provoke it: path below /v1/, and if there is more: body, and what request() takes. $name
# is one of the values that setUpClass made. In this order, each on the same server.
REQUESTS = {
    ("auth/token/accessors", "LIST", 200): ("auth/token/accessors",),
    ("auth/token/create", "POST", 200): ("auth/token/create", {"policies": ["default"], "ttl": "24h0m0s"}),
    ("auth/token/create-orphan", "POST", 200): ("auth/token/create-orphan", {"policies": "default"}),
    ("auth/token/lookup", "POST", 200): ("auth/token/lookup", {"token": "$default"}),
    ("auth/token/lookup", "POST", 403): ("auth/token/lookup", {"token": "bad"}),
    ("auth/token/lookup-accessor", "POST", 200): ("auth/token/lookup-accessor", {"accessor": "$accessor"}),
    ("auth/token/lookup-accessor", "POST", 400): ("auth/token/lookup-accessor", {"accessor": "bad"}),
    ("auth/token/lookup-self", "GET", 200): ("auth/token/lookup-self",),
    ("auth/token/lookup-self", "GET", 400): ("auth/token/lookup-self", None, {"token": "a\x1bb"}),
    ("auth/token/lookup-self", "GET", 403): ("auth/token/lookup-self", None, {"token": "bad"}),
    ("auth/token/renew", "POST", 200): ("auth/token/renew", {"token": "$default", "increment": "1800s"}),
    ("auth/token/renew", "PUT", 200): ("auth/token/renew", {"token": "$default", "increment": 0}),
    ("auth/token/renew-accessor", "POST", 200): ("auth/token/renew-accessor", {"accessor": "$accessor"}),
    ("auth/token/renew-self", "POST", 200): ("auth/token/renew-self", {"increment": 0}, {"token": "$default"}),
    ("auth/token/renew-self", "PUT", 200): ("auth/token/renew-self", {}, {"token": "$default"}),
    ("auth/token/revoke", "POST", 204): ("auth/token/revoke", {"token": "$spare1"}),
    ("auth/token/revoke", "PUT", 204): ("auth/token/revoke", {"token": "$spare2"}),
    ("auth/token/revoke-accessor", "POST", 204): ("auth/token/revoke-accessor", {"accessor": "$spareaccessor"}),
    ("auth/token/revoke-self", "POST", 204): ("auth/token/revoke-self", b"", {"token": "$spare4"}),
    ("auth/token/revoke-self", "PUT", 204): ("auth/token/revoke-self", b"null", {"token": "$spare5"}),
    ("sys/auth", "GET", 200): ("sys/auth",),
    ("sys/capabilities", "POST", 200): ("sys/capabilities", {"token": "$default", "paths": ["m/keys/k"]}),
    ("sys/capabilities-self", "POST", 200): ("sys/capabilities-self", {"path": "m/keys/k"}),
    ("sys/health", "GET", 200): ("sys/health", None, {"token": None}),
    ("sys/health", "HEAD", 200): ("sys/health", None, {"token": None}),
    ("sys/health?activecode=..&standbyok=..", "GET", 222): ("sys/health?activecode=222&standbyok=true",),
    (HEALTH.replace("299", "..").format("haunhealhty"), "GET", 200): (HEALTH.format("haunhealhty"),),
    (HEALTH.replace("299", "..").format("haunhealthycode"), "GET", 200): (HEALTH.format("haunhealthycode"),),
    ("sys/init", "GET", 200): ("sys/init", None, {"headers": {"X-Vault-Namespace": ""}}),
    ("sys/internal/ui/mounts/{path}", "GET", 200): ("sys/internal/ui/mounts/m/keys/k",),
    ("sys/key-status", "GET", 200): ("sys/key-status",),
    ("sys/leader", "GET", 200): ("sys/leader",),
    ("sys/mounts", "GET", 200): ("sys/mounts",),
    ("sys/mounts", "GET", 403): ("sys/mounts", None, {"token": "$default"}),
    ("sys/mounts/{path}", "POST", 204): ("sys/mounts/one", {"type": "transit", "description": "", "config": {}}),
    ("sys/mounts/{path}", "POST", 400): ("sys/mounts/one", {"type": "transit"}),
    ("sys/mounts/{path}", "PUT", 204): ("sys/mounts/two", {"type": "transit"}),
    ("sys/mounts/{path}", "GET", 200): ("sys/mounts/two",),
    ("sys/mounts/{path}", "DELETE", 204): ("sys/mounts/two",),
    ("sys/mounts/{path}/tune", "GET", 200): ("sys/mounts/one/tune",),
    ("sys/mounts/{path}/tune", "POST", 204): ("sys/mounts/one/tune", {"default_lease_ttl": "1h", "max_lease_ttl": "24h0m0s"}),
    ("sys/rekey/backup", "GET", 400): ("sys/rekey/backup",),
    ("sys/remount", "POST", 200): ("sys/remount", {"from": "one", "to": "three"}),
    ("sys/remount/status/{id}", "GET", 200): ("sys/remount/status/$migration",),
    ("sys/rotate", "PUT", 204): ("sys/rotate",),
    ("sys/seal-status", "GET", 200): ("sys/seal-status",),
    ("sys/wrapping/wrap", "POST", 200): ("sys/wrapping/wrap", {"a": "b"}, {"headers": WRAP}),
    ("sys/wrapping/lookup", "POST", 200): ("sys/wrapping/lookup", {"token": "$wrapped1"}),
    ("sys/wrapping/unwrap", "POST", 200): ("sys/wrapping/unwrap", {"token": "$wrapped1"}),
    ("sys/wrapping/unwrap", "POST", 400): ("sys/wrapping/unwrap", {"token": "$wrapped1"}),
    ("sys/wrapping/unwrap", "PUT", 200): ("sys/wrapping/unwrap", b"", {"token": "$wrapped2"}),
    ("sys/wrapping/unwrap", "PUT", 400): ("sys/wrapping/unwrap", b"", {"token": "$wrapped2"}),
    ("sys/wrapping/rewrap", "POST", 200): ("sys/wrapping/rewrap", {"token": "$wrapped3"}),
    ("transit?help=1", "GET", 200): ("m?help=1",),
    ("{mount}/backup/{name}", "GET", 200): ("m/backup/k",),
    ("{mount}/backup/{name}", "GET", 500): ("m/backup/plain",),
    ("{mount}/cache-config", "GET", 200): ("m/cache-config",),
    ("{mount}/cache-config", "POST", 200): ("m/cache-config", {"size": 500}),
    ("{mount}/datakey/plaintext/{name}", "POST", 200): ("m/datakey/plaintext/k",),
    ("{mount}/datakey/plaintext/{name}", "PUT", 200): ("m/datakey/plaintext/k", {"bits": "512"}),
    ("{mount}/datakey/wrapped/{name}", "POST", 200): ("m/datakey/wrapped/k", {"bits": 128}),
    ("{mount}/datakey/wrapped/{name}", "PUT", 200): ("m/datakey/wrapped/k", b"null"),
    ("{mount}/encrypt/{name}", "POST", 200): ("m/encrypt/k", {"plaintext": P}),
    ("{mount}/encrypt/{name}", "POST", 400): ("m/encrypt/k", {"plaintext": P, "key_version": 9}),
    ("{mount}/encrypt/{name}", "POST", 403): ("m/encrypt/k", {"plaintext": P}, {"token": "$default"}),
    ("{mount}/encrypt/{name}", "POST", 404): ("nosuch/encrypt/k", {"plaintext": P}),
    ("{mount}/encrypt/{name}", "PUT", 200): ("m/encrypt/k", {"batch_input": [{"plaintext": P}]}),
    ("{mount}/encrypt/{name}", "PUT", 400): ("m/encrypt/k", {"plaintext": "!"}),
    ("{mount}/encrypt/{name}", "PUT", 403): ("m/encrypt/k", {"plaintext": P}, {"token": "bad"}),
    ("{mount}/encrypt/{name}", "PUT", 404): ("nosuch/encrypt/k", {"plaintext": P}),
    ("{mount}/decrypt/{name}", "POST", 200): ("m/decrypt/k", {"ciphertext": "$ciphertext"}),
    ("{mount}/decrypt/{name}", "POST", 400): ("m/decrypt/k", {"ciphertext": "4111"}),
    ("{mount}/decrypt/{name}", "POST", 403): ("m/decrypt/k", {"ciphertext": "$ciphertext"}, {"token": "$default"}),
    ("{mount}/decrypt/{name}", "PUT", 200): ("m/decrypt/k", {"ciphertext": "$ciphertext", "context": None}),
    ("{mount}/decrypt/{name}", "PUT", 207): ("m/decrypt/k", {"batch_input": [{"ciphertext": "$ciphertext"}, {"ciphertext": "x"}], "partial_failure_response_code": 207}),
    ("{mount}/decrypt/{name}", "PUT", 400): ("m/decrypt/missing", {"ciphertext": "$ciphertext"}),
    ("{mount}/decrypt/{name}", "PUT", 403): ("m/decrypt/k", {"ciphertext": "$ciphertext"}, {"token": "bad"}),
    ("{mount}/export/encryption-key/{name}", "GET", 200): ("m/export/encryption-key/k",),
    ("{mount}/export/encryption-key/{name}", "GET", 400): ("m/export/encryption-key/plain",),
    ("{mount}/export/encryption-key/{name}/{version}", "GET", 200): ("m/export/encryption-key/k/latest",),
    ("{mount}/export/hmac-key/{name}", "GET", 200): ("m/export/hmac-key/k",),
    ("{mount}/export/hmac-key/{name}/{version}", "GET", 200): ("m/export/hmac-key/k/1",),
    ("{mount}/hash", "POST", 200): ("m/hash", {"input": P, "format": "base64"}),
    ("{mount}/hash/{algo}", "POST", 200): ("m/hash/sha2-512", {"input": P}),
    ("{mount}/hash/{algo}", "PUT", 200): ("m/hash/sha3-256", {"input": P}),
    ("{mount}/hmac/{name}", "POST", 200): ("m/hmac/k", {"input": P, "algorithm": "sha2-384"}),
    ("{mount}/hmac/{name}", "PUT", 200): ("m/hmac/k", {"input": P, "key_version": "0"}),
    ("{mount}/hmac/{name}/{algo}", "PUT", 200): ("m/hmac/k/sha2-512", {"input": P}),
    ("{mount}/keys", "LIST", 200): ("m/keys",),
    ("{mount}/keys", "LIST", 404): ("empty/keys",),
    ("{mount}/keys/?list=true", "GET", 200): ("m/keys/?list=true",),
    ("{mount}/keys/?list=true", "GET", 404): ("nosuch/keys/?list=true",),
    ("{mount}/keys?list=1", "GET", 200): ("m/keys?list=1",),
    ("{mount}/keys?list=True", "GET", 200): ("m/keys?list=True",),
    ("{mount}/keys?list=true", "GET", 200): ("m/keys?list=true",),
    ("{mount}/keys?list=true", "GET", 403): ("m/keys?list=true", None, {"token": "$default"}),
    ("{mount}/keys/{name}?list=true", "GET", 404): ("m/keys/k?list=true",),
    ("{mount}/keys/{name}", "POST", 200): ("m/keys/posted", {"type": "aes256-gcm96", "exportable": "true"}),
    ("{mount}/keys/{name}", "POST", 400): ("m/keys/bad", {"type": "nope"}),
    ("{mount}/keys/{name}", "PUT", 200): ("m/keys/put", {"type": "ecdsa-p256"}),
    ("{mount}/keys/{name}", "PUT", 400): ("m/keys/bad", {"type": "rot13"}),
    ("{mount}/keys/{name}", "GET", 200): ("m/keys/k",),
    ("{mount}/keys/{name}", "GET", 403): ("m/keys/k", None, {"token": "$default"}),
    ("{mount}/keys/{name}", "GET", 404): ("m/keys/none",),
    ("{mount}/keys/{name}", "PATCH", 405): ("m/keys/k", {"exportable": True}, {"headers": MERGE}),
    ("{mount}/keys/{name}", "DELETE", 400): ("m/keys/k",),
    ("{mount}/keys/{name}/config", "POST", 200): ("m/keys/posted/config", {"deletion_allowed": True}),
    ("{mount}/keys/{name}/config", "PUT", 200): ("m/keys/posted/config", {"min_decryption_version": "1"}),
    ("{mount}/keys/{name}/config", "PUT", 400): ("m/keys/posted/config", {"min_decryption_version": 9}),
    ("{mount}/keys/{name}", "DELETE", 204): ("m/keys/posted", {}),
    ("{mount}/keys/{name}/rotate", "POST", 200): ("m/keys/k/rotate",),
    ("{mount}/keys/{name}/rotate", "POST", 403): ("m/keys/k/rotate", {}, {"token": "$default"}),
    ("{mount}/keys/{name}/rotate", "PUT", 200): ("m/keys/k/rotate", b"null"),
    ("{mount}/keys/{name}/rotate", "PUT", 403): ("m/keys/k/rotate", b"", {"token": "bad"}),
    ("{mount}/keys/{name}/trim", "POST", 200): ("m/keys/old/trim", {"min_available_version": 2}),
    ("{mount}/keys/{name}/trim", "PUT", 200): ("m/keys/old/trim", {"min_available_version": "3"}),
    ("{mount}/random", "POST", 200): ("m/random", {"bytes": 16}),
    ("{mount}/random/{n}", "POST", 200): ("m/random/16",),
    ("{mount}/random/{n}", "PUT", 200): ("m/random/16", {"format": "hex"}),
    ("{mount}/rewrap/{name}", "POST", 200): ("m/rewrap/k", {"ciphertext": "$ciphertext"}),
    ("{mount}/rewrap/{name}", "PUT", 200): ("m/rewrap/k", {"batch_input": [{"ciphertext": "$ciphertext"}]}),
    ("{mount}/sign/{name}", "POST", 200): ("m/sign/ed", {"input": P}),
    ("{mount}/sign/{name}", "POST", 400): ("m/sign/k", {"input": P}),
    ("{mount}/sign/{name}", "PUT", 200): ("m/sign/ec", {"input": P, "marshaling_algorithm": "jws"}),
    ("{mount}/sign/{name}", "PUT", 400): ("m/sign/k", {"input": P}),
    ("{mount}/sign/{name}", "PUT", 500): ("m/sign/ed", {"input": P, "key_version": 9}),
    ("{mount}/sign/{name}/{algo}", "PUT", 200): ("m/sign/ec/sha2-256", {"input": P}),
    ("{mount}/sign/{name}/{algo}", "PUT", 500): ("m/sign/ec/sha2-256", {"input": P, "key_version": 9}),
    ("{mount}/verify/{name}", "POST", 200): ("m/verify/ed", {"input": P, "signature": "$signature"}),
    ("{mount}/verify/{name}", "PUT", 200): ("m/verify/ed", {"input": P, "signature": "$signature"}),
    ("{mount}/verify/{name}/{algo}", "PUT", 200): ("m/verify/ec/sha2-256", {"input": P, "signature": "$ecsignature"}),
    ("{mount}/verify/{name}/{algo}", "PUT", 400): ("m/verify/ec/sha2-256", {"input": P, "signature": "vault:v9:MEUCIQ=="}),
    ("{mount}/wrapping_key", "GET", 200): ("m/wrapping_key",),
    ("{mount}/keys/{name}/import", "POST", 204): ("m/keys/imported/import", {"ciphertext": "$import", "type": "aes256-gcm96", "allow_rotation": False}),
    ("{mount}/keys/{name}/import", "POST", 500): ("m/keys/imported/import", {"ciphertext": "$import", "type": "aes256-gcm96"}),
    ("{mount}/keys/{name}/import", "PUT", 204): ("m/keys/imported2/import", {"ciphertext": "$import", "hash_function": "SHA256", "allow_rotation": True}),
    ("{mount}/keys/{name}/import_version", "PUT", 204): ("m/keys/imported/import_version", {"ciphertext": "$import"}),
    ("{mount}/keys/{name}/rotate", "PUT", 500): ("m/keys/imported/rotate",),
    ("{mount}/restore", "POST", 204): ("empty/restore", {"backup": "$backup"}),
    ("{mount}/restore", "POST", 500): ("empty/restore", {"backup": "$backup"}),
    ("{mount}/restore/{name}", "POST", 204): ("m/restore/r1", {"backup": "$backup"}),
    ("{mount}/restore/{name}", "PUT", 204): ("m/restore/r2", {"backup": "$backup"}),
    ("{mount}/restore/{name}", "PUT", 500): ("m/restore/r2", {"backup": "$backup"}),
    ("{mount}/x", "GET", 404): ("m/x",),
}


def recorded():
    with open(os.path.join(HERE, "recorded_requests.txt")) as f:
        for line in f:
            if line.startswith("#"):
                continue
            path, *answers = line.split()
            for answer in answers:
                method, statuses = answer.split(":")
                for status in statuses.split(","):
                    yield path, method, int(status)


def substitute(value, values):
    if isinstance(value, str):
        return re.sub(r"\$(\w+)", lambda m: values.get(m[1], m[0]), value)
    if isinstance(value, dict):
        return {k: substitute(v, values) for k, v in value.items()}
    if isinstance(value, list):
        return [substitute(v, values) for v in value]
    return value


def wrap_for_import(folder, pem, material):
    """RSA-OAEP of an AES key, then AES-KWP of the material under that."""
    kek = secrets.token_bytes(32)
    with open(os.path.join(folder, "wrapping.pem"), "w") as f:
        f.write(pem)

    def openssl(*argv, data):
        return subprocess.run(["openssl", *argv], input=data, check=True, capture_output=True, cwd=folder).stdout

    head = openssl("pkeyutl", "-encrypt", "-pubin", "-inkey", "wrapping.pem", "-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt",
                   "rsa_oaep_md:sha256", "-pkeyopt", "rsa_mgf1_md:sha256", data=kek)
    return servers.b64(head + openssl("enc", "-id-aes256-wrap-pad", "-K", kek.hex(), "-iv", "A65959A6", data=material))


class Recorded(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = servers.bulla_dev().start()
        cls.addClassCleanup(cls.server.close)
        s = cls.server
        for mount in ("m", "empty"):
            s.post(f"sys/mounts/{mount}", {"type": "transit"})
        for name, args in (("k", {"exportable": True, "allow_plaintext_backup": True}), ("plain", {}), ("old", {}),
                           ("ed", {"type": "ed25519"}), ("ec", {"type": "ecdsa-p256"})):
            assert s.post(f"m/keys/{name}", args).status == 200, name
        for _ in range(3):
            s.post("m/keys/old/rotate")
        s.post("m/keys/old/config", {"min_decryption_version": 4, "min_encryption_version": 4})
        cls.values = v = {}
        v["ciphertext"] = s.post("m/encrypt/k", {"plaintext": P}).data["ciphertext"]
        v["signature"] = s.post("m/sign/ed", {"input": P}).data["signature"]
        v["ecsignature"] = s.post("m/sign/ec", {"input": P}).data["signature"]
        auth = s.post("auth/token/create", {"policies": ["default"], "ttl": "1h"}).json["auth"]
        v["default"], v["accessor"] = auth["client_token"], auth["accessor"]
        for i in range(1, 6):
            auth = s.post("auth/token/create", {"policies": ["default"], "ttl": "1h"}).json["auth"]
            v[f"spare{i}"], v["spareaccessor"] = auth["client_token"], v.get("spareaccessor") or auth["accessor"]
            if i == 3:
                v["spareaccessor"] = auth["accessor"]
        for i in (1, 2, 3):
            wrapped = s.post("sys/wrapping/wrap", {"a": "b"}, headers=WRAP)
            v[f"wrapped{i}"] = wrapped.json["wrap_info"]["token"]
        backup, key = s.get("m/backup/k"), s.get("m/wrapping_key")
        v["backup"] = backup.data["backup"]
        v["import"] = wrap_for_import(s.folder, key.data["public_key"], bytes(32))

    def ask(self, method, path, body=None, options=None):
        options = substitute(dict(options or {}), self.values)
        if isinstance(body, (dict, list)):
            body = substitute(body, self.values)
        if method in ("POST", "PUT") and body is None:
            body = b""
        answer = self.server.request(method, substitute(path, self.values), body, **options)
        if path == "sys/remount":
            self.values["migration"] = answer.data["migration_id"]
        return answer

    def test_table_is_complete(self):
        wanted = set(recorded())
        self.assertGreater(len(wanted), 140)
        self.assertEqual(wanted - set(REQUESTS), set())
        self.assertEqual(set(REQUESTS) - wanted, set())

    def test_statuses(self):
        for key, request in REQUESTS.items():
            with self.subTest(request=" ".join(map(str, key))):
                answer = self.ask(key[1], *request)
                self.assertEqual(answer.status, key[2], answer)
                if key[2] >= 400 and key != ("auth/token/lookup-self", "GET", 400):  # which has no body
                    self.assertIn("errors", answer.json)
                if 200 <= key[2] < 204 and key[1] != "HEAD":
                    self.assertNotIn("errors", answer.json)

    def test_methods_and_lists_beside_the_record(self):
        """Whatever takes POST takes PUT, and whatever is listed with LIST is listed with ?list=true."""
        for path, body in (("m/encrypt/k", {"plaintext": P}), ("m/keys/again", {}), ("m/config/keys", {}), ("m/random", {})):
            for method in ("POST", "PUT"):
                self.assertEqual(self.server.request(method, path, body).status, 200, (method, path))
        for method, path in (("LIST", "m/keys"), ("GET", "m/keys?list=true"), ("GET", "m/keys/?list=1")):
            self.assertIn("k", self.server.request(method, path).data["keys"])

    def test_names_of_values(self):
        """The table above has no value that nobody made."""
        used = set(re.findall(r"\$(\w+)", repr(list(REQUESTS.values()))))
        self.assertEqual(used - set(self.values) - {"migration"}, set())


if __name__ == "__main__":
    unittest.main()
