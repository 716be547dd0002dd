#!/usr/bin/env python3
"""Looks through the server's whole memory for secrets that it was given.

Over HTTPS and HTTP, in all the ways a request can come and go, the server gets tokens, plaintexts and keys that occur nowhere else.
When the answers have been given, no token and no plaintext may be left in its memory, and after sys/seal no key bytes either.
Reading another process's memory takes root: without, this says so and ends. BULLA_BIN names the program."""
import base64
import json
import os
import secrets
import shutil
import socket
import sqlite3
import ssl
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import servers  # noqa: E402
import tcp  # noqa: E402

b64 = servers.b64


class Needles:
    """Secrets by name, in each form in which they may lie about."""

    def __init__(self):
        self.forms = {}

    def text(self, name, value):
        self.forms[name] = value.encode() if isinstance(value, str) else value
        return value

    def plaintext(self, name, size=40):
        raw = secrets.token_bytes(size)
        self.forms[name] = raw[:32]
        self.forms[name + " (base64)"] = b64(raw)[:40].encode()
        return b64(raw)

    def key(self, name, raw):
        self.forms[name] = raw
        self.forms[name + " (base64)"] = base64.b64encode(raw)[:40]
        self.forms[name + " (hex)"] = raw.hex().encode()

    def without(self, prefix):
        return {k: v for k, v in self.forms.items() if not k.startswith(prefix)}


def regions(pid):
    with open(f"/proc/{pid}/maps") as maps:
        for line in maps:
            span, access, *rest = line.split(None, 5)
            if access[0] != "r" or line.rstrip().endswith(("[vvar]", "[vsyscall]")):
                continue
            low, high = (int(x, 16) for x in span.split("-"))
            yield low, high, rest[3].strip() if len(rest) > 3 else ""


def scan(pid, needles):
    """[(name, address, region, what stands around it)] of what was found."""
    found, total = [], 0
    with open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for low, high, name in regions(pid):
            try:
                mem.seek(low)
                data = mem.read(high - low)
            except (OSError, OverflowError, ValueError):
                continue  # guard pages
            total += len(data)
            for needle, value in needles.items():
                at = data.find(value)
                while at >= 0:
                    found.append((needle, low + at, name or "anonymous", data[max(0, at - 48):at + len(value) + 16]))
                    at = data.find(value, at + 1)
    assert total > 1 << 20, f"only {total} bytes could be read"
    return found


def check(pid, needles, when, patience_s=0):
    """patience_s: for connections of peers that are gone, which are swept once a second, later on a busy machine."""
    end = time.monotonic() + patience_s
    while (found := scan(pid, needles)) and time.monotonic() < end:
        time.sleep(0.5)
    print(f"{'FAIL' if found else 'ok  '} {when}: {len(needles)} forms of secrets, {len(found)} found", flush=True)
    for name, address, region, around in found[:20]:
        print(f"     {name} at {address:#x} in {region}: {around!r}")
    return not found


class Client:
    def __init__(self, server, port, context):
        self.server, self.port, self.context = server, port, context
        self.open = []

    def connect(self):
        sock = socket.create_connection(("127.0.0.1", self.port), 20)
        return self.context.wrap_socket(sock, server_hostname="localhost") if self.context else sock

    def send(self, sock, method, path, body=b"", headers=(), close=False, chunked=0):
        if isinstance(body, dict):
            body = json.dumps(body).encode()
        head = f"{method} /v1/{path} HTTP/1.1\r\nHost: localhost\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers)
        head += "Connection: close\r\n" if close else ""
        if chunked:
            parts = [body[i:i + chunked] for i in range(0, len(body), chunked)]
            body = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in parts) + b"0\r\n\r\n"
            head += "Transfer-Encoding: chunked\r\n"
        else:
            head += f"Content-Length: {len(body)}\r\n"
        sock.sendall(head.encode() + b"\r\n" + body)

    def answer(self, sock):
        data = b""
        while b"\r\n\r\n" not in data:
            more = sock.recv(65536)
            if not more:
                return data
            data += more
        head, body = data.split(b"\r\n\r\n", 1)
        length = [int(x.split(b":")[1]) for x in head.split(b"\r\n") if x.lower().startswith(b"content-length:")]
        while length and len(body) < length[0]:
            body += sock.recv(65536)
        return int(head.split()[1]), body

    def ask(self, *args, keep=None, **kw):
        sock = keep or self.connect()
        self.send(sock, *args, **kw)
        answer = self.answer(sock)
        if not keep:
            sock.close()
        return answer


def traffic(client, needles, token, tag):
    """Every way of a request to come and go."""
    auth = [("X-Vault-Token", token)]

    def data(answer):
        assert answer[0] == 200, answer
        return json.loads(answer[1])["data"]

    kept = client.connect()
    client.open.append(kept)
    for close in (False, True):
        how = f"{tag}, {'closed' if close else 'kept alive'}"
        plain = needles.plaintext(f"plaintext ({how})")
        keep = None if close else kept
        ct = data(client.ask("POST", "transit/encrypt/k", {"plaintext": plain}, auth, close=close, keep=keep))["ciphertext"]
        assert data(client.ask("POST", "transit/decrypt/k", {"ciphertext": ct}, auth, close=close, keep=keep))["plaintext"] == plain
        # on a worker, since the key is created by it
        plain = needles.plaintext(f"plaintext of a new key ({how})")
        client.ask("POST", f"transit/encrypt/{secrets.token_hex(4)}", {"plaintext": plain}, auth, close=close, keep=keep)
        # escapes in the JSON text
        plain = needles.plaintext(f"plaintext, escaped ({how})")
        body = b'{"plaintext":"' + b"".join(b"\\u%04x" % c for c in plain.encode()) + b'"}'
        data(client.ask("POST", "transit/encrypt/k", body, auth, close=close, keep=keep))
        # chunks, small and large, and a large body
        plain = needles.plaintext(f"plaintext in chunks ({how})")
        data(client.ask("POST", "transit/encrypt/k", {"plaintext": plain}, auth, close=close, keep=keep, chunked=7))
        plain = needles.plaintext(f"plaintext in a chunk ({how})")
        data(client.ask("POST", "transit/encrypt/k", {"plaintext": plain}, auth, close=close, keep=keep, chunked=4096))
        items = [{"plaintext": needles.plaintext(f"batch item {i} ({how})")} for i in range(3)]
        big = [{"plaintext": b64(bytes(600))} for _ in range(300)]
        batch = data(client.ask("POST", "transit/encrypt/k", {"batch_input": items + big + items}, auth, close=close, keep=keep))
        back = [{"ciphertext": r["ciphertext"]} for r in batch["batch_results"]]
        data(client.ask("POST", "transit/decrypt/k", {"batch_input": back}, auth, close=close, keep=keep))
        # refused: bad JSON, bad base64, unknown token, oversize
        plain = needles.plaintext(f"plaintext in bad JSON ({how})")
        assert client.ask("POST", "transit/encrypt/k", b'{"plaintext":"%s"' % plain.encode(), auth, close=close, keep=keep)[0] == 400
        stranger = needles.text(f"unknown token ({how})", "s." + secrets.token_hex(20))
        assert client.ask("GET", "transit/keys/k", headers=[("X-Vault-Token", stranger)], close=close, keep=keep)[0] == 403
        stranger = needles.text(f"unknown bearer ({how})", "s." + secrets.token_hex(20))
        assert client.ask("GET", "sys/mounts", headers=[("Authorization", "Bearer " + stranger)], close=close, keep=keep)[0] == 403
        data(client.ask("GET", "transit/keys/k", headers=[("Authorization", "Bearer " + token)], close=close, keep=keep))
        status, body = client.ask("POST", "auth/token/create", {"ttl": "1h"}, auth, close=close, keep=keep)
        assert status == 200, body
        child = needles.text(f"created token ({how})", json.loads(body)["auth"]["client_token"])
        data(client.ask("POST", "auth/token/lookup", {"token": child}, auth, close=close, keep=keep))
        data(client.ask("GET", "auth/token/lookup-self", headers=[("X-Vault-Token", child)], close=close, keep=keep))
    # two requests in one piece
    first, second = needles.plaintext(f"pipelined first ({tag})"), needles.plaintext(f"pipelined second ({tag})")
    sock = client.connect()
    text = b""
    for plain in (first, second):
        body = json.dumps({"plaintext": plain}).encode()
        text += b"POST /v1/transit/encrypt/k HTTP/1.1\r\nHost: h\r\nX-Vault-Token: %s\r\nContent-Length: %d\r\n\r\n%s" % (
            token.encode(), len(body), body)
    sock.sendall(text)
    got = b""
    while got.count(b"vault:v") < 2:
        more = sock.recv(65536)
        assert more, got
        got += more
    sock.close()
    # gone in the middle of a body, of a header, and before the answer
    for cut in (3, 60, 0):
        sock = client.connect()
        plain = needles.plaintext(f"plaintext, peer gone ({tag}, {cut})", 200)
        stranger = needles.text(f"token, peer gone ({tag}, {cut})", "s." + secrets.token_hex(20))
        body = json.dumps({"plaintext": plain}).encode()
        request = b"POST /v1/transit/encrypt/%s HTTP/1.1\r\nHost: h\r\nX-Vault-Token: %s\r\nContent-Length: %d\r\n\r\n%s" % (
            secrets.token_hex(4).encode(), stranger.encode(), len(body), body)
        sock.sendall(request[:len(request) - cut])
        sock.close()
    sock = client.connect()
    stranger = needles.text(f"token, peer gone in the headers ({tag})", "s." + secrets.token_hex(20))
    sock.sendall(b"POST /v1/transit/encrypt/k HTTP/1.1\r\nHost: h\r\nX-Vault-Token: %s\r\nX-Mo" % stranger.encode())
    tcp.wait_until_read(sock)
    sock.close()


def stored(path):
    """The record bytes of the database, as a thief of the file would have them."""
    with sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True) as db:
        return {bytes(r[0]) for r in db.execute("SELECT bytes FROM record")}


def destroy(server, pid, path):
    """A trimmed version, a deleted key and those of a disabled mount are gone when that is answered, from memory and from the files:
    not even their sealed records are left, beside keys that stay in use."""
    gone = Needles()
    assert server.post("sys/mounts/other", {"type": "transit"}).status == 204
    for place, name in (("transit", "trimmed"), ("transit", "deleted"), ("other", "k")):
        assert server.post(f"{place}/keys/{name}", {"exportable": True, "auto_rotate_period": "24h"}).status == 200
        for version, key in server.get(f"{place}/export/encryption-key/{name}").data["keys"].items():
            gone.key(f"{place}/{name} v{version}", base64.b64decode(key))
        for version, key in server.get(f"{place}/export/hmac-key/{name}").data["keys"].items():
            gone.key(f"HMAC key of {place}/{name} v{version}", base64.b64decode(key))
        server.post(f"{place}/encrypt/{name}", {"batch_input": [{"plaintext": b64("x")}] * 5000})  # its count is stored
        server.post(f"{place}/keys/{name}/rotate")
        server.post(f"{place}/keys/{name}/config", {"deletion_allowed": True, "min_decryption_version": 2, "min_encryption_version": 2})
    assert {k for k, *_ in scan(pid, gone.forms)}, "the keys were not in memory before: this test sees nothing"
    shutil.copy(path, path + ".before")
    shutil.copy(path + "-wal", path + ".before-wal")
    with sqlite3.connect(path + ".before") as db:
        before = {bytes(r[0]) for r in db.execute("SELECT bytes FROM record")}
    assert server.post("transit/keys/trimmed/trim", {"min_available_version": 2}).status == 200
    assert server.delete("transit/keys/deleted").status == 204
    assert server.delete("sys/mounts/other").status == 204
    good = check(pid, gone.forms, "keys destroyed, unsealed")
    left = stored(path)
    lost = [r for r in before if r not in left]
    data = b"".join(open(f, "rb").read() for f in (path, path + "-wal"))
    found = [r for r in lost if r in data]
    print(f"{'FAIL' if found else 'ok  '} the files: {len(lost)} sealed records destroyed, {len(found)} found", flush=True)
    return good and not found and len(lost) >= 9


def run(folder):
    servers.certificates(folder)
    tls_port, port = servers.free_port(), servers.free_port()
    seal_key = secrets.token_hex(32)
    text = servers.config_text(port, os.path.join(folder, "db"), seal_key=seal_key, extra=f"""
listener "tcp" {{
  address = "127.0.0.1:{tls_port}"
  tls_cert_file = "{folder}/server.pem"
  tls_key_file = "{folder}/server.key"
}}
""")
    needles = Needles()
    needles.text("text of the seal key", seal_key)
    with open(f"{folder}/server.key") as f:
        needles.text("text of the TLS key", f.read().splitlines()[1])
    good = True
    with servers.bulla_config(folder, text, port) as server:
        pid = server.process.pid
        answer = server.request("POST", "sys/init", {"recovery_shares": 2, "recovery_threshold": 2}, token=None)
        assert answer.status == 200, answer
        init = answer.json
        server.token = root = needles.text("root token", init["root_token"])
        for i, share in enumerate(init["recovery_keys"]):
            needles.key(f"recovery key {i}", bytes.fromhex(share))
        assert server.post("sys/mounts/transit", {"type": "transit"}).status == 204
        for name, kind in (("k", "aes256-gcm96"), ("c", "chacha20-poly1305"), ("x", "xchacha20-poly1305")):
            assert server.post(f"transit/keys/{name}", {"type": kind, "exportable": True}).status == 200
            server.post(f"transit/keys/{name}/rotate")
            for version, key in server.get(f"transit/export/encryption-key/{name}").data["keys"].items():
                needles.key(f"key {name} v{version}", base64.b64decode(key))
            plain = needles.plaintext(f"plaintext for {name}")
            ct = server.post(f"transit/encrypt/{name}", {"plaintext": plain}).data["ciphertext"]
            assert server.post(f"transit/decrypt/{name}", {"ciphertext": ct}).data["plaintext"] == plain
            server.post(f"transit/rewrap/{name}", {"ciphertext": ct})
        clients = [Client(server, port, None), Client(server, tls_port, servers.tls_context(folder))]
        tls12 = servers.tls_context(folder)
        tls12.maximum_version = ssl.TLSVersion.TLSv1_2
        clients.append(Client(server, tls_port, tls12))
        for client, tag in zip(clients, ("HTTP", "TLS 1.3", "TLS 1.2")):
            traffic(client, needles, root, tag)
        # while unsealed the keys are in use, and the exported and the sealed forms are not
        in_use = {k for k in needles.forms if k.startswith("key ") and not k.endswith(")")}
        others = {k: v for k, v in needles.forms.items() if k not in in_use}
        good &= check(pid, others, "connections open, unsealed", tcp.PATIENCE_S)
        present = {k for k, *_ in scan(pid, {k: needles.forms[k] for k in in_use})}
        assert present, "not one key in use was found: this test does not see the server's memory"
        for client in clients:
            for sock in client.open:
                sock.close()
        good &= check(pid, others, "connections closed, unsealed", tcp.PATIENCE_S)
        good &= destroy(server, pid, os.path.join(folder, "db"))
        assert server.post("sys/seal").status == 204
        good &= check(pid, needles.forms, "sealed")
        assert server.stop() == 0, server.log_text()
    return good


def main():
    if os.geteuid() != 0:
        print("SKIP: reading another process's memory takes root")
        return 0
    with servers.temporary_folder() as folder:
        return 0 if run(folder) else 1


sys.exit(main())
