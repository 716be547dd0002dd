"""Transit over HTTP where Bulla goes beyond its peers: encryption_context, rewrapping of what is bound, large batches. What the
peers have too is in the conformance corpus."""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import servers  # noqa: E402

PAN = servers.b64("4111111111111111")
RAW = servers.b64("raw")
OTHER = servers.b64("other")
RESERVED = servers.b64(b"bulla:context:1\0" + b"\0\0\0\1\0\0\0\1a\0\0\0\0011")
AUTH_FAILED = "cipher: message authentication failed"
NO_PAIRS = "encryption_context must be an object whose values are strings"


class Transit(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = servers.bulla_dev().start()
        cls.addClassCleanup(cls.server.close)
        assert cls.server.post("sys/mounts/transit", {"type": "transit"}).status == 204

    def post(self, path, body, status=200):
        answer = self.server.post("transit/" + path, body)
        self.assertEqual(answer.status, status, answer)
        return answer.json.get("data") if status < 400 or "errors" not in answer.json else answer.errors

    def key(self, **options):
        name = self.id().rsplit(".", 1)[1]
        self.post(f"keys/{name}", options)
        return name

    def encrypt(self, name, **fields):
        return self.post(f"encrypt/{name}", {"plaintext": PAN, **fields})["ciphertext"]

    def opens(self, name, ciphertext, **fields):
        self.assertEqual(self.post(f"decrypt/{name}", {"ciphertext": ciphertext, **fields}), {"plaintext": PAN})

    def refuses(self, name, ciphertext, text=AUTH_FAILED, status=400, **fields):
        self.assertEqual(self.post(f"decrypt/{name}", {"ciphertext": ciphertext, **fields}, status), [text])


class EncryptionContext(Transit):
    def test_wrong_types(self):
        name = self.key()
        for bad in ("x", 5, True, ["a"], {"a": 1}, {"a": None}, {"a": "b", "c": {"d": "e"}}, [{"a": "b"}]):
            body = {"plaintext": PAN, "encryption_context": bad}
            self.assertEqual(self.post(f"encrypt/{name}", body, 400), [NO_PAIRS])
            results = self.post(f"encrypt/{name}", {"batch_input": [body, {"plaintext": PAN}]}, 400)["batch_results"]
            self.assertEqual(results[0], {"error": NO_PAIRS, "reference": ""})
            self.assertIn("ciphertext", results[1])

    def test_refused_pairs(self):
        name = self.key()
        for bad, text in (
                ({"": "x"}, "a key of encryption_context is empty"),
                ({"a": "x" * 65537}, "a key or value of encryption_context is longer than 65536 bytes"),
                ({str(i): "" for i in range(1025)}, "encryption_context has more than 1024 pairs")):
            self.assertEqual(self.post(f"encrypt/{name}", {"plaintext": PAN, "encryption_context": bad}, 400), [text])

    def test_reserved_prefix(self):
        name = self.key()
        text = "associated_data begins with bytes that are reserved for encryption_context"
        ciphertext = self.encrypt(name, encryption_context={"a": "1"})
        self.assertEqual(self.post(f"encrypt/{name}", {"plaintext": PAN, "associated_data": RESERVED}, 400), [text])
        self.refuses(name, ciphertext, text, associated_data=RESERVED)
        self.refuses(name, ciphertext, text, associated_data=RESERVED, encryption_context={"a": "1"})

    def test_binds(self):
        for kind in ("aes128-gcm96", "aes256-gcm96"):
            name = self.key(type=kind)
            ciphertext = self.encrypt(name, encryption_context={"purpose": "pan", "tenant": "7"})
            self.opens(name, ciphertext, encryption_context={"tenant": "7", "purpose": "pan"})
            for wrong in ({}, {"purpose": "pan"}, {"purpose": "pan", "tenant": "8"}, {"purpose": "pan", "Tenant": "7"},
                          {"purpose": "pan", "tenant": "7", "x": ""}, {"purpose": "7", "tenant": "pan"}):
                self.refuses(name, ciphertext, encryption_context=wrong)
            self.refuses(name, ciphertext)
            self.refuses(name, ciphertext, encryption_context=None)
            self.refuses(name, ciphertext, associated_data=RAW, encryption_context={"purpose": "pan", "tenant": "7"})

    def test_with_associated_data(self):
        name = self.key(type="chacha20-poly1305")
        ciphertext = self.encrypt(name, encryption_context={"a": "b"}, associated_data=RAW)
        self.opens(name, ciphertext, encryption_context={"a": "b"}, associated_data=RAW)
        text = "chacha20poly1305: message authentication failed"
        self.refuses(name, ciphertext, text, encryption_context={"a": "b"})
        self.refuses(name, ciphertext, text, associated_data=RAW)
        self.refuses(name, ciphertext, text, encryption_context={"a": "b"}, associated_data=OTHER)

    def test_empty_is_none(self):
        name = self.key()
        for empty in ({}, None):
            self.opens(name, self.encrypt(name, encryption_context=empty))
            self.opens(name, self.encrypt(name), encryption_context=empty)
            self.opens(name, self.encrypt(name, encryption_context=empty, associated_data=RAW), associated_data=RAW)

    def test_batch(self):
        name = self.key()
        contexts = [{"row": str(i)} for i in range(3)] + [None]
        items = [{"plaintext": PAN, "encryption_context": c} for c in contexts]
        sealed = [r["ciphertext"] for r in self.post(f"encrypt/{name}", {"batch_input": items})["batch_results"]]
        items = [{"ciphertext": s, "encryption_context": c} for s, c in zip(sealed, contexts)]
        items[1]["encryption_context"] = {"row": "0"}
        results = self.post(f"decrypt/{name}", {"batch_input": items, "partial_failure_response_code": 202}, 202)["batch_results"]
        good = {"plaintext": PAN, "reference": ""}
        self.assertEqual(results, [good, {"plaintext": "", "error": AUTH_FAILED, "reference": ""}, good, good])

    def test_creates_the_key(self):
        self.opens("made-bound", self.encrypt("made-bound", encryption_context={"a": "b"}), encryption_context={"a": "b"})

    def test_convergent(self):
        name = self.key(derived=True, convergent_encryption=True)
        context = servers.b64("tenant")
        sealed = [self.encrypt(name, context=context, encryption_context={"row": str(i)}) for i in range(50)]
        sealed += [self.encrypt(name, context=context), self.encrypt(name, context=context, encryption_context={"row": "0"}, associated_data=RAW)]
        nonces = {s.split(":")[2][:16] for s in sealed}  # 16 characters of base64 are the 12 bytes of the nonce
        self.assertEqual(len(nonces), len(sealed))
        self.assertEqual(self.encrypt(name, context=context, encryption_context={"row": "0"}), sealed[0])
        self.opens(name, sealed[7], context=context, encryption_context={"row": "7"})
        self.refuses(name, sealed[7], context=context, encryption_context={"row": "8"})


class Rewrap(Transit):
    A, B = {"a": "1"}, {"b": "2"}

    def rewrap(self, name, ciphertext, **fields):
        data = self.post(f"rewrap/{name}", {"ciphertext": ciphertext, **fields})
        self.assertEqual(data["key_version"], 2)
        self.assertTrue(data["ciphertext"].startswith("vault:v2:"))
        return data["ciphertext"]

    def not_rewrapped(self, name, ciphertext, **fields):
        self.assertEqual(self.post(f"rewrap/{name}", {"ciphertext": ciphertext, **fields}, 400), [AUTH_FAILED])

    def rotated(self, **fields):
        name = self.key()
        ciphertext = self.encrypt(name, **fields)
        self.post(f"keys/{name}/rotate", {})
        return name, ciphertext

    def test_context_is_kept(self):
        name, ciphertext = self.rotated(encryption_context=self.A)
        for fields in ({"encryption_context": self.A}, {"decrypt_encryption_context": self.A},
                       {"encryption_context": self.A, "decrypt_encryption_context": self.A}):
            self.opens(name, self.rewrap(name, ciphertext, **fields), encryption_context=self.A)
        self.not_rewrapped(name, ciphertext)
        self.not_rewrapped(name, ciphertext, encryption_context=self.B)
        self.not_rewrapped(name, ciphertext, encryption_context=self.A, decrypt_encryption_context=self.B)
        self.not_rewrapped(name, ciphertext, encryption_context=self.A, associated_data=RAW)

    def test_associated_data_is_kept(self):
        name, ciphertext = self.rotated(associated_data=RAW)
        self.opens(name, self.rewrap(name, ciphertext, decrypt_associated_data=RAW), associated_data=RAW)
        self.opens(name, self.rewrap(name, ciphertext, decrypt_associated_data=RAW, associated_data=RAW), associated_data=RAW)
        self.not_rewrapped(name, ciphertext)
        self.not_rewrapped(name, ciphertext, associated_data=RAW)  # as the peers: it is not the old one's
        self.not_rewrapped(name, ciphertext, decrypt_associated_data=OTHER)

    def test_both_are_kept(self):
        name, ciphertext = self.rotated(encryption_context=self.A, associated_data=RAW)
        fields = {"encryption_context": self.A, "associated_data": RAW}
        self.opens(name, self.rewrap(name, ciphertext, **fields), **fields)
        self.opens(name, self.rewrap(name, ciphertext, decrypt_encryption_context=self.A, decrypt_associated_data=RAW), **fields)

    def test_binding_is_changed(self):
        name, ciphertext = self.rotated(encryption_context=self.A)
        for new in ({"encryption_context": self.B}, {"associated_data": RAW}, {"encryption_context": self.B, "associated_data": RAW}):
            self.opens(name, self.rewrap(name, ciphertext, decrypt_encryption_context=self.A, **new), **new)

    def test_binding_is_added(self):
        name, ciphertext = self.rotated()
        self.opens(name, self.rewrap(name, ciphertext, associated_data=RAW), associated_data=RAW)
        self.not_rewrapped(name, ciphertext, encryption_context=self.A)
        self.opens(name, self.rewrap(name, ciphertext, encryption_context=self.A, decrypt_encryption_context={}), encryption_context=self.A)
        self.opens(name, self.rewrap(name, ciphertext, encryption_context=self.A, decrypt_associated_data=""), encryption_context=self.A)

    def test_binding_is_removed(self):
        name, ciphertext = self.rotated(encryption_context=self.A)
        self.opens(name, self.rewrap(name, ciphertext, decrypt_encryption_context=self.A, encryption_context={}))
        self.opens(name, self.rewrap(name, ciphertext, decrypt_encryption_context=self.A, associated_data=""))

    def test_batch(self):
        name, ciphertext = self.rotated(encryption_context=self.A)
        results = self.post(f"rewrap/{name}", {"batch_input": [
            {"ciphertext": ciphertext, "encryption_context": self.A, "reference": "same"},
            {"ciphertext": ciphertext, "reference": "none"},
            {"ciphertext": ciphertext, "decrypt_encryption_context": self.A, "associated_data": RAW},
            {"ciphertext": ciphertext, "encryption_context": 5},
            {"ciphertext": ciphertext, "associated_data": "!"},
        ]})["batch_results"]
        self.opens(name, results[0]["ciphertext"], encryption_context=self.A)
        self.assertEqual(results[0]["reference"], "same")
        self.assertEqual(results[1], {"error": AUTH_FAILED, "reference": "none"})
        self.opens(name, results[2]["ciphertext"], associated_data=RAW)
        self.assertEqual(results[3], {"error": NO_PAIRS, "reference": ""})
        self.assertEqual(results[4], {"error": AUTH_FAILED, "reference": ""})


class Batches(Transit):
    COUNT = 10000

    def test_ten_thousand_items(self):
        name = self.key()
        plain = [servers.b64(f"row {i}") for i in range(self.COUNT)]
        results = self.post(f"encrypt/{name}", {"batch_input": [{"plaintext": p, "reference": str(i)} for i, p in enumerate(plain)]})
        results = results["batch_results"]
        self.assertEqual([r["reference"] for r in results], [str(i) for i in range(self.COUNT)])
        sealed = [r["ciphertext"] for r in results]
        self.assertEqual(len(set(sealed)), self.COUNT)
        self.post(f"keys/{name}/rotate", {})
        results = self.post(f"rewrap/{name}", {"batch_input": [{"ciphertext": c} for c in sealed]})["batch_results"]
        self.assertEqual({r["key_version"] for r in results}, {2})
        items = [{"ciphertext": r["ciphertext"]} for r in results]
        items[4321]["ciphertext"] = "vault:v2:AAAA"
        results = self.post(f"decrypt/{name}", {"batch_input": items}, 400)["batch_results"]
        self.assertEqual(results[4321], {"plaintext": "", "error": "invalid ciphertext length", "reference": ""})
        del results[4321], plain[4321]
        self.assertEqual([r["plaintext"] for r in results], plain)

    def test_many_mistakes_are_not_all_told(self):
        answer = self.server.post("transit/encrypt/x", {"batch_input": [{}] * self.COUNT})
        self.assertEqual(answer.status, 500)
        self.assertEqual(answer.errors[0].count("missing plaintext to encrypt"), 100)

    def test_status_without_a_body(self):
        name = self.key()
        for code in (204, 304):
            answer = self.server.post(f"transit/encrypt/{name}", {
                "batch_input": [{"plaintext": PAN}, {"plaintext": "!"}], "partial_failure_response_code": code})
            self.assertEqual((answer.status, answer.body), (code, b""))

    def test_status_that_is_none(self):
        name = self.key()
        for code in (-1, 0, 1, 100, 199, 600, 2 ** 40):
            answer = self.server.post(f"transit/encrypt/{name}", {
                "batch_input": [{"plaintext": PAN}, {"plaintext": "!"}], "partial_failure_response_code": code})
            self.assertEqual(answer.status, 400)
            self.assertEqual(answer.json["warnings"],
                             ["invalid HTTP response code override from partial_failure_response_code, reverting to 400"])


del Transit
if __name__ == "__main__":
    unittest.main()
