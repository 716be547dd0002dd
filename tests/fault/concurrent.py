#!/usr/bin/env python3
"""Sixteen connections at once create, rotate, configure, trim, delete, encrypt with and decrypt under one key.

Every answer is one that the caller could get from some order of the operations: no fault of the server, no dropped connection. And
the end is explained by the answers: versions only grow within a life of the key, what was acknowledged is there, and every
ciphertext that was given out decrypts, unless a trim, a minimum or a deletion explains why not.
BULLA_BIN names the program; SEED repeats the choices, OPERATIONS sets their number."""
import http.client
import json
import os
import random
import sys
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import servers  # noqa: E402

CONNECTIONS = 16
OPERATIONS = int(os.environ.get("OPERATIONS", "4000"))
SEED = int(os.environ.get("SEED", random.randrange(1 << 32)))

# What a caller may be told, by operation: status and a part of the text. These are the rows of class CALLER; 500 stands only where
# the peer has it for a caller's mistake.
REFUSALS = {
    "create": [],
    "rotate": [(400, "key not found")],
    "config": [(400, "no existing key named"), (400, "cannot set min"), (400, "should not be less")],
    "trim": [(400, "invalid key name"), (400, "minimum available version")],
    "delete": [(400, "could not delete key; not found"), (400, "deletion is not allowed for this key")],
    "encrypt": [(400, "requested version for encryption"), (400, "no such key version")],
    "decrypt": [(400, "encryption key not found"), (400, "version is too new"), (400, "version is disallowed by policy (too old)"),
                (400, "no such key version"), (400, "message authentication failed")],
    "read": [(404, "")],
}
BUSY = 503  # with Retry-After: the server has too much to do, which is no fault


class Worker(threading.Thread):
    def __init__(self, server, number, given, lock):
        super().__init__()
        self.server, self.chance = server, random.Random(f"{SEED}/{number}")
        self.given, self.lock = given, lock  # ciphertexts of all workers: (text, plaintext)
        self.wrong, self.counts = [], {}

    def run(self):
        connection = self.server.connection()
        try:
            for _ in range(OPERATIONS // CONNECTIONS):
                self.step(connection)
        except (OSError, http.client.HTTPException) as e:
            self.wrong.append(f"the connection was dropped: {e!r}")
        finally:
            connection.close()

    def ask(self, connection, operation, method, path, body=None):
        answer = self.server.request(method, path, body, connection=connection)
        text = "" if answer.status < 400 or not answer.body else " ".join(answer.json.get("errors", []))
        key = (operation, answer.status)
        self.counts[key] = self.counts.get(key, 0) + 1
        fine = answer.status in (200, 204) or (answer.status == BUSY and answer.headers["Retry-After"])
        if not fine and not any(answer.status == status and part in text for status, part in REFUSALS[operation]):
            self.wrong.append(f"{operation} {json.dumps(body)}: {answer!r}")
        return answer if answer.status == 200 and answer.body else None

    def step(self, connection):
        operation = self.chance.choices(
            ["create", "rotate", "config", "trim", "delete", "encrypt", "decrypt", "read"], [6, 12, 12, 6, 2, 26, 26, 10])[0]
        getattr(self, operation)(connection)

    def create(self, connection):
        self.ask(connection, "create", "POST", "transit/keys/k", {})

    def rotate(self, connection):
        self.ask(connection, "rotate", "POST", "transit/keys/k/rotate", {})

    def config(self, connection):
        low = self.chance.randint(1, 30)
        self.ask(connection, "config", "POST", "transit/keys/k/config", self.chance.choice([
            {"min_decryption_version": low}, {"min_encryption_version": low},
            {"min_decryption_version": low, "min_encryption_version": low},
            {"deletion_allowed": self.chance.random() < 0.3}]))

    def trim(self, connection):
        self.ask(connection, "trim", "POST", "transit/keys/k/trim", {"min_available_version": self.chance.randint(1, 30)})

    def delete(self, connection):
        self.ask(connection, "delete", "DELETE", "transit/keys/k")

    def encrypt(self, connection):
        plaintext = servers.b64(f"{self.name} {self.chance.random()}")
        answer = self.ask(connection, "encrypt", "POST", "transit/encrypt/k", {"plaintext": plaintext})
        if answer:
            text = answer.data["ciphertext"]
            if not text.startswith(f"vault:v{answer.data['key_version']}:"):
                self.wrong.append(f"a ciphertext of another version than it says: {answer!r}")
            with self.lock:
                self.given.append((text, plaintext))

    def decrypt(self, connection):
        with self.lock:
            text, plaintext = self.chance.choice(self.given)
        answer = self.ask(connection, "decrypt", "POST", "transit/decrypt/k", {"ciphertext": text})
        if answer and answer.data["plaintext"] != plaintext:
            self.wrong.append(f"{text} decrypts to something else")

    def read(self, connection):
        answer = self.ask(connection, "read", "GET", "transit/keys/k")
        if not answer:
            return
        d = answer.data
        numbers = sorted(map(int, d["keys"]))
        first = max(1, d["min_decryption_version"], d["min_available_version"])
        if numbers != list(range(first, d["latest_version"] + 1)) or d["min_available_version"] > d["min_decryption_version"]:
            self.wrong.append(f"a key that no order explains: {d}")


class Concurrent(unittest.TestCase):
    def setUp(self):
        self.server = self.enterContext(servers.bulla_dev())
        self.assertIn(self.server.post("sys/mounts/transit", {"type": "transit"}).status, (204, 400))

    def run_workers(self, count, weights=None):
        text = self.server.post("transit/encrypt/k", {"plaintext": servers.b64("first")}).data["ciphertext"]
        given, lock = [(text, servers.b64("first"))], threading.Lock()
        workers = [Worker(self.server, i, given, lock) for i in range(count)]
        for worker in workers:
            for name in weights or ():
                setattr(worker, name, lambda connection: None)
            worker.start()
        for worker in workers:
            worker.join()
        counts = {}
        for worker in workers:
            for key, n in worker.counts.items():
                counts[key] = counts.get(key, 0) + n
        self.assertEqual([w for worker in workers for w in worker.wrong][:5], [], f"seed {SEED}")
        return given, counts

    def test_everything(self):
        """Again, should some operation never have come through: a trim is refused more often than not."""
        counts = {}
        for _ in range(5):
            for key, n in self.run_workers(CONNECTIONS)[1].items():
                counts[key] = counts.get(key, 0) + n
            missing = [o for o in REFUSALS if not any(key[0] == o and key[1] < 300 for key in counts)]
            if not missing:
                break
        self.assertEqual(missing, [], f"never came through: {counts}")
        self.assertEqual(self.server.stop(), 0)  # sanitizers and leaks speak here
        print(f"seed {SEED}: " + ", ".join(f"{o} {s}: {n}" for (o, s), n in sorted(counts.items())))

    def test_nothing_is_lost(self):
        """Without deletion the whole story is in the end: all rotations, all ciphertexts."""
        given, counts = self.run_workers(CONNECTIONS, ["delete"])
        key = self.server.get("transit/keys/k").data
        rotations = counts.get(("rotate", 200), 0) + counts.get(("rotate", 204), 0)
        self.assertEqual(key["latest_version"], 1 + rotations, "each acknowledged rotation made one version, and nothing else did")
        first = max(1, key["min_decryption_version"], key["min_available_version"])
        self.assertEqual(sorted(map(int, key["keys"])), list(range(first, key["latest_version"] + 1)))
        for text, plaintext in given:
            answer = self.server.post("transit/decrypt/k", {"ciphertext": text})
            version = int(text.split(":")[1][1:])
            if version >= first:
                self.assertEqual((answer.status, answer.data["plaintext"]), (200, plaintext), text)
            else:
                self.assertEqual(answer.status, 400)
                self.assertRegex(answer.errors[0], "too old|no such key version")


if __name__ == "__main__":
    unittest.main()
