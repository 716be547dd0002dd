#!/usr/bin/env python3
"""Writes the vector files of this folder from their sources: import.py WYCHEPROOF CRYPTOGRAPHY_VECTORS

WYCHEPROOF is a checkout of C2SP/wycheproof, CRYPTOGRAPHY_VECTORS the unpacked PyPI package cryptography_vectors (which
ships NIST's and the RFCs' files). Needed only to add sets; the tests read the JSON. See README.md.
"""
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).parent
LADIES = ("4c616469657320616e642047656e746c656d656e206f662074686520636c617373206f66202739393a204966204920636f756c64206f666665"
          "7220796f75206f6e6c79206f6e652074697020666f7220746865206675747572652c2073756e73637265656e20776f756c642062652069742e")
KEY_80 = "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f"
AAD_50 = "50515253c0c1c2c3c4c5c6c7"


def write(name, source, tests):
    lines = ",\n".join(json.dumps(t) for t in tests)
    (HERE / name).write_text('{"source": %s,\n"tests": [\n%s\n]}\n' % (json.dumps(source), lines))
    print(name, len(tests))


def blocks(path):
    """The records of a .rsp-like file: dicts of lower-case names, with the [sections] that hold for them. A record ends
    where a name comes again or a section begins."""
    section, record = {}, {}
    for line in map(str.strip, path.read_text().splitlines()):
        name, equals, value = (part.strip() for part in line.strip("[]").partition("="))
        name = name.lower()
        if line.startswith("#") or not line:
            continue
        if record and (line.startswith("[") or name in record):
            yield {**section, **record}
            record = {}
        if line.startswith("["):
            section[name] = value
        elif equals or line == "FAIL":
            record[name] = value
    if record:
        yield {**section, **record}


def wycheproof(root, name):
    data = json.loads((root / "testvectors_v1" / f"{name}_test.json").read_text())
    for group in data["testGroups"]:
        for test in group["tests"]:
            yield group, test


def aead_wycheproof(root):
    algs = {("aes_gcm", 128, 96): "aes128-gcm96", ("aes_gcm", 256, 96): "aes256-gcm96",
            ("chacha20_poly1305", 256, 96): "chacha20-poly1305", ("xchacha20_poly1305", 256, 192): "xchacha20-poly1305"}
    for name in ("aes_gcm", "chacha20_poly1305", "xchacha20_poly1305"):
        for group, t in wycheproof(root, name):
            alg = algs.get((name, group["keySize"], group["ivSize"]))
            if alg and group["tagSize"] == 128:
                yield {"id": f"{name}/{t['tcId']}", "alg": alg, "valid": t["result"] == "valid",
                       **{k: t[k] for k in ("key", "iv", "aad", "msg", "ct", "tag")}}


def aead_nist(root):
    for file in ("gcmEncryptExtIV128", "gcmEncryptExtIV256", "gcmDecrypt128", "gcmDecrypt256"):
        for t in blocks(root / "ciphers/AES/GCM" / f"{file}.rsp"):
            if t["ivlen"] == "96" and t["taglen"] == "128" and int(t["count"]) < 5:
                yield {"id": f"{file}/{t['ptlen']}/{t['aadlen']}/{t['count']}", "alg": f"aes{t['keylen']}-gcm96",
                       "valid": "fail" not in t, "key": t["key"], "iv": t["iv"], "aad": t["aad"], "msg": t.get("pt", ""),
                       "ct": t["ct"], "tag": t["tag"]}


def aead_rfc(root):
    a5 = next(blocks(root / "ciphers/ChaCha20Poly1305/openssl.txt"))
    yield {"id": "RFC 8439 A.5", "alg": "chacha20-poly1305", "valid": True, "key": a5["key"], "iv": a5["iv"],
           "aad": a5["aad"], "msg": a5["plaintext"], "ct": a5["ciphertext"], "tag": a5["tag"]}
    yield {"id": "RFC 8439 2.8.2", "alg": "chacha20-poly1305", "valid": True, "key": KEY_80, "iv": "070000004041424344454647",
           "aad": AAD_50, "msg": LADIES, "ct":
           "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6"
           "a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc3ff4def08e4b7a9de576d26586cec64b6116",
           "tag": "1ae10b594f09e26a7e902ecbd0600691"}
    yield {"id": "draft-irtf-cfrg-xchacha-03 A.3.1", "alg": "xchacha20-poly1305", "valid": True, "key": KEY_80,
           "iv": "404142434445464748494a4b4c4d4e4f5051525354555657", "aad": AAD_50, "msg": LADIES, "ct":
           "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96"
           "b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff921f9664c97637da9768812f615c68b13b52e",
           "tag": "c0875924c1c7987947deafd8780acf49"}


def hkdf(wycheproof_root, vectors_root):
    for t in blocks(vectors_root / "KDF/rfc-5869-HKDF-SHA256.txt"):
        yield {"id": f"RFC 5869 A.{t['count']}", "valid": True, "ikm": t["ikm"], "salt": t["salt"], "info": t["info"],
               "size": int(t["l"]), "okm": t["okm"]}
    for _, t in wycheproof(wycheproof_root, "hkdf_sha256"):
        yield {"id": f"hkdf_sha256/{t['tcId']}", "valid": t["result"] == "valid",
               **{k: t[k] for k in ("ikm", "salt", "info", "size", "okm")}}


def hmac(wycheproof_root, vectors_root):
    for i, t in enumerate(blocks(vectors_root / "HMAC/rfc-4231-sha256.txt")):
        yield {"id": f"RFC 4231 {i}", "valid": True, "key": t["key"], "msg": t["msg"], "tag": t["md"]}
    for _, t in wycheproof(wycheproof_root, "hmac_sha256"):
        yield {"id": f"hmac_sha256/{t['tcId']}", "valid": t["result"] == "valid", **{k: t[k] for k in ("key", "msg", "tag")}}


HASHES = {"SHA-1": "sha1", "SHA-224": "sha2-224", "SHA-256": "sha2-256", "SHA-384": "sha2-384", "SHA-512": "sha2-512",
          "SHA3-224": "sha3-224", "SHA3-256": "sha3-256", "SHA3-384": "sha3-384", "SHA3-512": "sha3-512"}
CURVES = {"secp256r1": ("ecdsa-p256", 32, "06082a8648ce3d030107"), "secp384r1": ("ecdsa-p384", 48, "06052b81040022"),
          "secp521r1": ("ecdsa-p521", 66, "06052b81040023")}


def settled(root, name, every=1):
    """The tests whose result is not a matter of taste, or one in so many of them."""
    for group, t in wycheproof(root, name):
        if t["result"] != "acceptable" and t["tcId"] % every == 0:
            yield group, t


def with_keys(tests):
    """Takes each key, which is long, out of its tests: a list of keys, and tests with numbers."""
    keys, out = [], []
    for key, test in tests:
        if key not in keys:
            keys.append(key)
        out.append({**test, "key": keys.index(key)})
    return keys, out


def write_keyed(name, source, tests):
    keys, tests = with_keys(tests)
    lines, listed = ",\n".join(json.dumps(t) for t in tests), ",\n".join(json.dumps(k) for k in keys)
    (HERE / name).write_text('{"source": %s,\n"keys": [\n%s\n],\n"tests": [\n%s\n]}\n' % (json.dumps(source), listed, lines))
    print(name, len(keys), len(tests))


def signatures(root):
    for curve, sha, every in (("secp256r1", "sha256", 2), ("secp384r1", "sha384", 8), ("secp521r1", "sha512", 8),
                              ("secp256r1", "sha3_512", 24), ("secp384r1", "sha256", 24), ("secp521r1", "sha3_512", 24)):
        for suffix, marshal in (("", "asn1"), ("_p1363", "jws")):
            name = f"ecdsa_{curve}_{sha}{suffix}"
            if not (root / "testvectors_v1" / f"{name}_test.json").exists():
                continue
            for group, t in settled(root, name, every if marshal == "asn1" else every * 2):
                yield group["publicKeyDer"], {"id": f"{name}/{t['tcId']}", "alg": CURVES[curve][0], "hash": HASHES[group["sha"]],
                                              "marshal": marshal, "valid": t["result"] == "valid", "msg": t["msg"], "sig": t["sig"]}
    for group, t in settled(root, "ed25519"):
        yield group["publicKeyDer"], {"id": f"ed25519/{t['tcId']}", "alg": "ed25519", "valid": t["result"] == "valid",
                                      "msg": t["msg"], "sig": t["sig"]}


def rsa_signatures(root):
    for bits, sha, every in ((2048, "sha256", 4), (3072, "sha384", 12), (4096, "sha512", 12), (2048, "sha3_512", 24)):
        name = f"rsa_signature_{bits}_{sha}"
        for group, t in settled(root, name, every):
            yield group["publicKeyDer"], {"id": f"{name}/{t['tcId']}", "alg": f"rsa-{bits}", "padding": "pkcs1v15",
                                          "hash": HASHES[group["sha"]], "valid": t["result"] == "valid", "msg": t["msg"],
                                          "sig": t["sig"]}
    for bits, sha, salt, every in ((2048, "sha256", 32, 3), (2048, "sha256", 0, 6), (3072, "sha256", 32, 4), (4096, "sha512", 64, 8),
                                   (2048, "sha1", 20, 4)):
        name = f"rsa_pss_{bits}_{sha}_mgf1_{salt}"
        for group, t in settled(root, name, every):
            yield group["publicKeyDer"], {"id": f"{name}/{t['tcId']}", "alg": f"rsa-{bits}", "padding": "pss", "salt": group["sLen"],
                                          "hash": HASHES[group["sha"]], "valid": t["result"] == "valid", "msg": t["msg"],
                                          "sig": t["sig"]}


def rsa_decryptions(root):
    for bits, sha, every in ((2048, "sha1", 1), (2048, "sha256", 1), (3072, "sha512", 2), (4096, "sha256", 2)):
        name = f"rsa_oaep_{bits}_{sha}_mgf1{sha}"
        for group, t in settled(root, name, every):
            if t["label"] == "":
                yield group["privateKeyPkcs8"], {"id": f"{name}/{t['tcId']}", "alg": f"rsa-{bits}", "padding": "oaep",
                                                 "hash": HASHES[group["sha"]], "valid": t["result"] == "valid", "msg": t["msg"],
                                                 "ct": t["ct"]}
    for group, t in settled(root, "rsa_pkcs1_2048"):
        if len(group["privateKeyPkcs8"]) < 2600:
            yield group["privateKeyPkcs8"], {"id": f"rsa_pkcs1_2048/{t['tcId']}", "alg": "rsa-2048", "padding": "pkcs1v15",
                                             "valid": t["result"] == "valid", "msg": t["msg"], "ct": t["ct"]}


def der(tag, *parts):
    body = "".join(parts)
    n = len(body) // 2
    return tag + (f"{n:02x}" if n < 128 else f"81{n:02x}") + body


def ecdh(root):
    for curve, every in (("secp256r1", 4), ("secp384r1", 12), ("secp521r1", 12)):
        alg, size, oid = CURVES[curve]
        for _, t in settled(root, f"ecdh_{curve}", every):
            number = f"{int(t['private'], 16):0{2 * size}x}"
            ec = der("30", "020101", der("04", number))
            private = der("30", "020100", der("30", "06072a8648ce3d0201", oid), der("04", ec))
            yield {"id": f"ecdh_{curve}/{t['tcId']}", "alg": alg, "valid": t["result"] == "valid", "public": t["public"],
                   "private": private, "shared": t["shared"]}


def kwp(root):
    for group, t in settled(root, "aes_kwp"):
        if group["keySize"] != 192:
            yield {"id": f"aes_kwp/{t['tcId']}", "valid": t["result"] == "valid", **{k: t[k] for k in ("key", "msg", "ct")}}


def main(wycheproof_dir, vectors_dir):
    w, v = pathlib.Path(wycheproof_dir), pathlib.Path(vectors_dir)
    write("aead-wycheproof.json", "C2SP/wycheproof testvectors_v1", list(aead_wycheproof(w)))
    write("aead-nist.json", "NIST CAVS 14.0 gcmtestvectors", list(aead_nist(v)))
    write("aead-rfc.json", "RFC 8439, draft-irtf-cfrg-xchacha-03", list(aead_rfc(v)))
    write("hkdf-sha256.json", "RFC 5869, C2SP/wycheproof testvectors_v1", list(hkdf(w, v)))
    write("hmac-sha256.json", "RFC 4231, C2SP/wycheproof testvectors_v1", list(hmac(w, v)))
    write_keyed("signatures.json", "C2SP/wycheproof testvectors_v1", signatures(w))
    write_keyed("rsa-signatures.json", "C2SP/wycheproof testvectors_v1", rsa_signatures(w))
    write_keyed("rsa-decryptions.json", "C2SP/wycheproof testvectors_v1", rsa_decryptions(w))
    write("ecdh.json", "C2SP/wycheproof testvectors_v1", list(ecdh(w)))
    write("kwp.json", "C2SP/wycheproof testvectors_v1", list(kwp(w)))


if __name__ == "__main__":
    main(*sys.argv[1:])
