"""Keys as other programs write them, imported into Bulla and into a real OpenBao side by side: what is accepted, what it then exports,
that both sides' signatures and ciphertexts belong together, and what is said of what is refused."""
import base64
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import servers  # noqa: E402

BAO = os.path.join(servers.TOP, "tests", ".venv", "bin", "bao")
# RFC 8410, section 10.3: an Ed25519 key in PKCS#8 version 2, with an attribute and the public key
RFC8410 = base64.b64decode("MHICAQEwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC"
                           "oB8wHQYKKoZIhvcNAQkJFDEPDA1DdXJkbGUgQ2hhaXJzgSEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=")
ED25519_OID = bytes.fromhex("06032b6570")
EC_OID, P256_OID = bytes.fromhex("06072a8648ce3d0201"), bytes.fromhex("06082a8648ce3d030107")
NSS_OIDS = (bytes.fromhex("06092b06010401da470f01"), bytes.fromhex("06032b656e"))
SEED = bytes(range(32))


def openssl(*argv, data=b""):
    return subprocess.run(["openssl", *argv], input=data, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout


def tlv(tag, *parts):
    content = b"".join(parts)
    size = len(content)
    if size < 128:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def sequence(*parts):
    return tlv(0x30, *parts)


def integer(value):
    return tlv(2, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def octets(content):
    return tlv(4, content)


def pkcs8(algorithm, inner, version=0, *rest):
    return sequence(integer(version), algorithm, octets(inner), *rest)


def public_beside(bits):
    return tlv(0x81, b"\0", bits)


def sec1(d, curve=b"", point=b""):
    return sequence(integer(1), octets(d), tlv(0xA0, curve) if curve else b"", tlv(0xA1, tlv(3, b"\0", point)) if point else b"")


def genpkey(*options):
    return openssl("genpkey", *[word for o in options for word in (("-algorithm", o) if o.isupper() or "-" in o and ":" not in o
                                                                     else ("-pkeyopt", o))])


def der(pem, *options):
    return openssl("pkcs8", "-topk8", "-nocrypt", "-outform", "DER", *options, data=pem)


def traditional(pem):
    """PKCS#1 or SEC1."""
    return openssl("pkey", "-traditional", "-outform", "DER", data=pem)


def public_pem(pem, *options):
    return openssl("pkey", "-pubout", *options, data=pem).decode()


def said(answer):
    """The one error of an answer, without the frame that OpenBao puts around it."""
    frame, text = "1 error occurred:\n\t* ", answer.errors[0]
    assert len(answer.errors) == 1 and text.startswith(frame), answer
    return text[len(frame):].rstrip("\n")


class Forms(unittest.TestCase):
    seen = []  # the names of keys that were given out

    @classmethod
    def setUpClass(cls):
        cls.servers = {"bulla": servers.bulla_dev().start(), "bao": servers.bao_dev(BAO).start()}
        cls.wrapping = {}
        for name, server in cls.servers.items():
            cls.addClassCleanup(server.close)
            assert server.post("sys/mounts/transit", {"type": "transit"}).status in (200, 204)
            path = os.path.join(server.folder, "wrapping.pem")
            with open(path, "w") as f:
                f.write(server.get("transit/wrapping_key").data["public_key"])
            cls.wrapping[name] = path
        cls.rsa, cls.pss = genpkey("RSA", "rsa_keygen_bits:2048"), genpkey("RSA-PSS", "rsa_keygen_bits:2048")
        cls.pss_bound = genpkey("RSA-PSS", "rsa_keygen_bits:2048", "rsa_pss_keygen_md:sha256", "rsa_pss_keygen_mgf1_md:sha256",
                                "rsa_pss_keygen_saltlen:32")
        cls.p256, cls.p384 = genpkey("EC", "ec_paramgen_curve:P-256"), genpkey("EC", "ec_paramgen_curve:P-384")
        cls.p521, cls.k1 = genpkey("EC", "ec_paramgen_curve:P-521"), genpkey("EC", "ec_paramgen_curve:secp256k1")
        cls.ed = genpkey("ED25519")

    def blob(self, server, material):
        kek = os.urandom(32)
        head = openssl("pkeyutl", "-encrypt", "-pubin", "-inkey", self.wrapping[server], "-pkeyopt", "rsa_padding_mode:oaep",
                       "-pkeyopt", "rsa_oaep_md:sha256", "-pkeyopt", "rsa_mgf1_md:sha256", data=kek)
        return servers.b64(head + openssl("enc", "-id-aes256-wrap-pad", "-K", kek.hex(), "-iv", "A65959A6", data=material))

    def give(self, server, name, kind, material, path="import", **more):
        """A private key as bytes, a public one as text."""
        body = {"type": kind, "exportable": True, **more}
        body.update({"public_key": material} if isinstance(material, str) else {"ciphertext": self.blob(server, material)})
        return self.servers[server].post(f"transit/keys/{name}/{path}", body)

    def accepted(self, kind, material, bao=True):
        """By both (bao False: OpenBao refuses it, with no reason that would serve a user); the same key comes out."""
        name = f"k{len(self.seen)}"
        self.seen.append(name)
        answer = self.give("bulla", name, kind, material)
        self.assertEqual(answer.status, 204, (self.id(), kind, answer))
        answer = self.give("bao", name, kind, material)
        self.assertEqual(answer.status == 204, bao, (self.id(), kind, answer))
        self.assertNotIn("-----BEGIN", str(answer.body) if not bao else "")
        mine = self.servers["bulla"].get(f"transit/keys/{name}").data["keys"]["1"]["public_key"]
        if bao:
            self.assertEqual(mine, self.servers["bao"].get(f"transit/keys/{name}").data["keys"]["1"]["public_key"])
        if isinstance(material, bytes):
            self.same_private(name, kind, bao)
        return name, mine

    def same_private(self, name, kind, bao):
        for what in ("signing-key", "hmac-key", "public-key"):
            mine = self.servers["bulla"].get(f"transit/export/{what}/{name}")
            self.assertEqual(mine.status, 200, mine)
            if bao and what != "hmac-key":
                self.assertEqual(mine.data["keys"], self.servers["bao"].get(f"transit/export/{what}/{name}").data["keys"])
        text = servers.b64("to be signed")
        signature = self.servers["bulla"].post(f"transit/sign/{name}", {"input": text}).data["signature"]
        for server in ("bulla", "bao") if bao else ("bulla",):
            answer = self.servers[server].post(f"transit/verify/{name}", {"input": text, "signature": signature})
            self.assertEqual(answer.data, {"valid": True}, (server, kind))

    def refused(self, kind, material, text, bao=None):
        """With that text; OpenBao refuses it, too (bao: with that text, None: with the same, "": with any)."""
        mine = self.give("bulla", "refused", kind, material)
        self.assertEqual((mine.status, said(mine)), (500, f"error importing key: {text}"))
        other = self.give("bao", "refused", kind, material)
        self.assertEqual(other.status, 500, other)
        wanted = text if bao is None else bao
        if wanted:
            self.assertEqual(said(other), f"error importing key: {wanted}")
        self.assertEqual(self.servers["bulla"].get("transit/keys/refused").status, 404)

    # ---- what is accepted

    def test_pkcs8_version_1(self):
        for kind, pem in (("rsa-2048", self.rsa), ("ecdsa-p256", self.p256), ("ecdsa-p384", self.p384), ("ecdsa-p521", self.p521),
                          ("ed25519", self.ed)):
            with self.subTest(kind=kind):
                self.accepted(kind, der(pem))

    def test_the_sample_of_rfc_8410(self):
        _, public = self.accepted("ed25519", RFC8410)
        self.assertEqual(public, "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=")

    def test_pkcs8_version_2_of_every_type(self):
        def spki_bits(pem):
            spki = openssl("pkey", "-pubout", "-outform", "DER", data=pem)
            at = spki.rindex(b"\0", 0, 40) + 1 if pem is not self.rsa else spki.index(b"\0\x30\x82") + 1
            return spki[at:]

        ed = der(self.ed)
        self.accepted("ed25519", pkcs8(sequence(ED25519_OID), ed[-34:], 1, public_beside(spki_bits(self.ed))))
        inner = traditional(self.rsa)
        self.accepted("rsa-2048", pkcs8(sequence(bytes.fromhex("06092a864886f70d0101010500")), inner, 1,
                                        public_beside(spki_bits(self.rsa))))
        point = openssl("pkey", "-pubout", "-outform", "DER", data=self.p256)[-65:]
        d = traditional(self.p256)[7:39]
        algorithm = sequence(EC_OID, P256_OID)
        self.accepted("ecdsa-p256", pkcs8(algorithm, sec1(d), 1, public_beside(point)))
        self.accepted("ecdsa-p256", pkcs8(algorithm, sec1(d, P256_OID), 1, public_beside(bytes([2 + point[64] % 2]) + point[1:33])))

    def test_rsa_pss(self):
        for pem in (self.pss, self.pss_bound):
            self.accepted("rsa-2048", der(pem))
            self.accepted("rsa-2048", public_pem(pem), bao=False)

    def test_ed25519_as_nss_writes_it(self):
        for oid in NSS_OIDS:
            for material in (pkcs8(sequence(EC_OID, oid), sec1(SEED)), pkcs8(sequence(EC_OID, oid), sec1(SEED, oid, bytes(33)))):
                _, public = self.accepted("ed25519", material)
                self.assertEqual(public, "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=")
            # a bare ECPrivateKey, which OpenBao's own function reads and its caller never asks
            self.accepted("ed25519", sec1(SEED, oid), bao=False)

    def test_points_compressed_or_missing(self):
        for kind, pem in (("ecdsa-p256", self.p256), ("ecdsa-p384", self.p384), ("ecdsa-p521", self.p521)):
            compressed = openssl("ec", "-conv_form", "compressed", data=pem)
            name, public = self.accepted(kind, der(compressed))
            self.assertEqual(public, public_pem(pem))
            self.accepted(kind, der(openssl("ec", "-no_public", data=pem)))
            self.accepted(kind, public_pem(compressed, "-ec_conv_form", "compressed"), bao=False)
            key = self.servers["bulla"].get(f"transit/export/signing-key/{name}").data["keys"]["1"].encode()
            self.assertEqual(traditional(key), traditional(pem)) # SEC1 with the public key, uncompressed
            csr = self.servers["bulla"].post(f"transit/keys/{name}/csr").data["csr"].encode()
            self.assertEqual(openssl("req", "-noout", "-pubkey", data=csr).decode(), public)

    def test_a_compressed_public_key_is_completed(self):
        compressed = public_pem(self.p256, "-ec_conv_form", "compressed")
        for material in (der(self.p256), der(openssl("ec", "-no_public", data=self.p256))):
            name, _ = self.accepted("ecdsa-p256", compressed, bao=False)
            answer = self.give("bulla", name, "ecdsa-p256", der(self.p384), path="import_version", version=1)
            self.assertEqual(answer.status, 500)
            answer = self.give("bulla", name, "ecdsa-p256", material, path="import_version", version=1)
            self.assertEqual(answer.status, 204, answer)
            self.same_private(name, "ecdsa-p256", bao=False)

    # ---- what is refused, and that each is told apart

    def test_other_forms(self):
        use = "error parsing asymmetric key: x509: failed to parse private key (use %s instead for this key format)"
        self.refused("rsa-2048", traditional(self.rsa), use % "ParsePKCS1PrivateKey")
        for kind, pem in (("ecdsa-p256", self.p256), ("ecdsa-p521", self.p521)):
            self.refused(kind, traditional(pem), use % "ParseECPrivateKey")
        for pem in (self.rsa, self.p256, self.ed):
            self.refused("rsa-2048", pem, "error parsing asymmetric key: this is PEM text; a private key is wrapped as PKCS#8 in DER", "")
        self.refused("ed25519", openssl("pkey", "-pubout", "-outform", "DER", data=self.ed),
                     "error parsing asymmetric key: this is a public key or an encrypted private one; PKCS#8 in clear is expected", "")
        encrypted = openssl("pkcs8", "-topk8", "-outform", "DER", "-passout", "pass:x", data=self.p256)
        self.refused("ecdsa-p256", encrypted,
                     "error parsing asymmetric key: this is a public key or an encrypted private one; PKCS#8 in clear is expected", "")
        self.refused("ecdsa-p256", b"junk" * 8, "error parsing asymmetric key: this is no PKCS#8 in DER", "")

    def test_another_type_curve_or_size(self):
        self.refused("ecdsa-p256", der(self.p384), "invalid curve: expected P-256, got P-384")
        self.refused("ecdsa-p521", der(self.p256), "invalid curve: expected P-521, got P-256")
        self.refused("ecdsa-p256", public_pem(self.p384), "invalid curve: expected P-256, got P-384")
        self.refused("ecdsa-p256", der(self.k1), "invalid curve: expected P-256, got secp256k1", "")
        self.refused("rsa-3072", der(self.rsa), "invalid key size: expected 384 bytes, got 256 bytes")
        self.refused("rsa-4096", public_pem(self.rsa), "invalid key size: expected 512 bytes, got 256 bytes")
        self.refused("ecdsa-p256", der(self.rsa), "invalid key type: expected ecdsa-p256, got *rsa.PrivateKey")
        self.refused("rsa-2048", der(self.p256), "invalid key type: expected rsa-2048, got *ecdsa.PrivateKey")
        self.refused("rsa-2048", der(self.ed), "invalid key type: expected rsa-2048, got ed25519.PrivateKey")
        self.refused("ed25519", public_pem(self.p256), "invalid key type: expected ed25519, got *ecdsa.PublicKey")
        self.refused("ed25519", public_pem(self.rsa), "invalid key type: expected ed25519, got *rsa.PublicKey")
        self.refused("aes256-gcm96", b"x" * 31, "invalid key size 31 bytes for key type aes256-gcm96")

    def test_more_than_two_primes(self):
        three = genpkey("RSA", "rsa_keygen_bits:2048", "rsa_keygen_primes:3")
        mine = self.give("bulla", "refused", "rsa-2048", der(three))
        self.assertEqual((mine.status, said(mine)), (500, "error importing key: error parsing asymmetric key: RSA keys of more than two "
                                                          "primes are not supported"))
        self.assertEqual(self.servers["bulla"].get("transit/keys/refused").status, 404)
        self.assertEqual(self.give("bao", "of3", "rsa-2048", der(three)).status, 204)

    def test_damage(self):
        whole = der(self.p256)
        answer = self.give("bulla", "refused", "ecdsa-p256", whole + b"\0")
        self.assertEqual(said(answer), "error importing key: error parsing asymmetric key: trailing bytes after the key")
        other = openssl("pkey", "-pubout", "-outform", "DER", data=genpkey("EC", "ec_paramgen_curve:P-256"))[-65:]
        d = traditional(self.p256)[7:39]
        algorithm = sequence(EC_OID, P256_OID)
        for bad, text in ((pkcs8(algorithm, sec1(d, P256_OID, other)), "the numbers of the private key do not belong together"),
                          (pkcs8(algorithm, sec1(bytes(32))), "the numbers of the private key do not belong together"),
                          (pkcs8(algorithm, sec1(b"\xff" * 32)), "the numbers of the private key do not belong together"),
                          (pkcs8(algorithm, sec1(d), 1, public_beside(other)),
                           "the public key that comes with the private key does not belong to it")):
            answer = self.give("bulla", "refused", "ecdsa-p256", bad)
            self.assertEqual((answer.status, said(answer)), (500, f"error importing key: {text}"))
        bad = bytearray(RFC8410)
        bad[-1] ^= 1
        answer = self.give("bulla", "refused", "ed25519", bytes(bad))
        self.assertEqual(said(answer), "error importing key: the public key that comes with the private key does not belong to it")
        for cut in range(1, len(whole), 7):
            self.assertEqual(self.give("bulla", "refused", "ecdsa-p256", whole[:cut]).status, 500)

    # ---- the wrapping

    def test_damaged_wrappings(self):
        whole = der(self.p256)
        damaged = {
            "first": lambda b: b[:520] + bytes([b[520] ^ 1]) + b[521:], "last": lambda b: b[:-1] + bytes([b[-1] ^ 1]),
            "cut by 1": lambda b: b[:-1], "cut by 8": lambda b: b[:-8], "8 bytes": lambda b: b[:520], "16 bytes": lambda b: b[:528],
            "none": lambda b: b[:512], "half": lambda b: b[:100], "key": lambda b: bytes([b[0] ^ 1]) + b[1:],
        }
        for name, damage in damaged.items():
            said_by = {}
            for server in self.servers:
                blob = servers.b64(damage(base64.b64decode(self.blob(server, whole))))
                answer = self.servers[server].post("transit/keys/refused/import", {"type": "ecdsa-p256", "ciphertext": blob})
                said_by[server] = answer.status, answer.body
            self.assertEqual(said_by["bulla"], said_by["bao"], name)
        for kind, size in (("hmac", 5), ("hmac", 8), ("hmac", 31), ("hmac", 513), ("aes128-gcm96", 15), ("aes256-gcm96", 33)):
            said_by = {server: said(self.give(server, "refused", kind, b"x" * size)) for server in self.servers}
            self.assertEqual(said_by["bulla"], said_by["bao"], (kind, size))

    # ---- agreement and types, side by side

    def test_derive_key(self):
        public, other = public_pem(self.p256), public_pem(self.p384)
        for server in self.servers.values():
            for name, kind in (("agree-ec", "ecdsa-p256"), ("agree-aes", "aes256-gcm96"), ("agree-ed", "ed25519")):
                self.assertEqual(server.post(f"transit/keys/{name}", {"type": kind}).status, 200)
        good = {"base_key_name": "agree-ec", "peer_public_key": public}
        block = "-----BEGIN PUBLIC KEY-----\n%s\n-----END PUBLIC KEY-----\n"
        certificate = openssl("req", "-x509", "-new", "-key", "/dev/stdin", "-subj", "/CN=x", "-days", "2", data=self.p256).decode()
        for change in ({}, {"base_key_name": None}, {"base_key_name": ""}, {"base_key_name": "none"}, {"base_key_name": "agree-aes"},
                       {"base_key_name": "agree-ed"}, {"peer_public_key": None}, {"peer_public_key": ""}, {"peer_public_key": "junk"},
                       {"peer_public_key": block % "junk"}, {"peer_public_key": block % "AAAA"},
                       {"peer_public_key": other}, {"peer_public_key": public_pem(self.ed)}, {"peer_public_key": public_pem(self.rsa)},
                       {"peer_public_key": public + "x"}, {"peer_public_key": public + public}, {"peer_public_key": public + " \n\n"},
                       {"peer_public_key": "x\n" + public}, {"peer_public_key": certificate}, {"base_key_version": 2},
                       {"base_key_version": -1}, {"base_key_version": 1}, {"derived_key_type": "nope"}, {"derived_key_type": ""},
                       {"derived_key_type": "AES128-gcm96"}, {"key_derivation_algorithm": "x"}):
            body = {k: v for k, v in {**good, **change}.items() if v is not None}
            answers = {n: s.post("transit/derive-key/made", body) for n, s in self.servers.items()}
            self.assertEqual(*[(a.status, a.body) for a in answers.values()], change)
        # a compressed point is taken here
        compressed = public_pem(self.p256, "-ec_conv_form", "compressed")
        answer = self.servers["bulla"].post("transit/derive-key/made2", {**good, "peer_public_key": compressed})
        self.assertEqual(answer.status, 204, answer)

    def test_external_keys_are_not_here_yet(self):
        for more in ({}, {"external_key_ref": "a"}, {"external_key_ref": "a/b"}, {"external_key_ref": "x:y"}, {"key_size": 4},
                     {"key_size": 64}, {"auto_rotate_period": "2h"}, {"auto_rotate_period": "2h", "external_key_ref": "x:y"},
                     {"auto_rotate_period": "1m"}, {"convergent_encryption": True}):
            answers = {n: s.post("transit/keys/external", {"type": "external-key", **more}) for n, s in self.servers.items()}
            self.assertEqual(*[(a.status, a.body) for a in answers.values()], more)


if __name__ == "__main__":
    unittest.main()
