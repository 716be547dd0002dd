#!/usr/bin/env python3
"""Kills the server with SIGKILL at random moments, while several connections write, and checks after each restart that whatever
was acknowledged is there, and that what was not is either wholly there or not at all. The moment is chosen by the number of answers
that have come, so that a slow machine writes as much. BULLA_BIN names the program; KILLS how often (20), SEED repeats a run."""
import http.client
import os
import random
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import servers  # noqa: E402

KILLS = int(os.environ.get("KILLS", "20"))
SEED = int(os.environ.get("SEED", random.randrange(1 << 32)))
WRITERS = 6
MOST_ANSWERS = 200  # before a kill
ROUND_S = 120
USES = 30  # of a token with limited uses


class Key:
    """What is known of one key: acknowledged, and sent without an answer yet."""

    def __init__(self, name, plaintext):
        self.name, self.plaintext = name, plaintext
        self.versions = 0          # acknowledged
        self.sent = 0              # asked for
        self.ciphertexts = {}
        self.delete = None         # None, "sent", "done"


class Writer(threading.Thread):
    """One connection that writes until the server is gone. Nobody else touches its keys and tokens."""

    def __init__(self, number, server, state, seed):
        super().__init__()
        self.number, self.server, self.state, self.random = number, server, state, random.Random(seed)
        self.connection = server.connection(timeout=30)
        self.wrong = None
        self.acknowledged = 0

    def ask(self, method, path, body=None, **how):
        answer = self.server.request(method, path, body, connection=self.connection, **how)
        if answer.status >= 300:
            raise AssertionError(f"{method} {path}: {answer}")
        self.acknowledged += 1
        return answer

    def create(self):
        key = Key(f"w{self.number}-{len(self.state.keys)}", servers.b64(os.urandom(20)))
        self.state.keys.append(key)
        key.sent = 1
        if self.random.random() < 0.5:
            self.ask("POST", f"transit/keys/{key.name}", {})
        else:
            key.ciphertexts[1] = self.ask("POST", f"transit/encrypt/{key.name}", {"plaintext": key.plaintext}).data["ciphertext"]
        key.versions = 1

    def rotate(self):
        key = self.some_key()
        key.sent = key.versions + 1
        self.ask("POST", f"transit/keys/{key.name}/rotate", {})
        key.versions = key.sent

    def encrypt(self):
        key = self.some_key()
        key.ciphertexts[key.versions] = self.ask("POST", f"transit/encrypt/{key.name}", {"plaintext": key.plaintext}).data["ciphertext"]

    def delete(self):
        key = self.some_key()
        self.ask("POST", f"transit/keys/{key.name}/config", {"deletion_allowed": True})
        key.delete = "sent"
        self.ask("DELETE", f"transit/keys/{key.name}")
        key.delete = "done"

    def token(self):
        token = self.ask("POST", "auth/token/create", {"policies": ["default"], "ttl": "1h"}).json["auth"]["client_token"]
        self.state.tokens[token] = "live"

    def revoke(self):
        live = [t for t, s in self.state.tokens.items() if s == "live"]
        if not live:
            return self.token()
        token = self.random.choice(live)
        self.state.tokens[token] = "sent"
        self.ask("POST", "auth/token/revoke", {"token": token})
        self.state.tokens[token] = "revoked"

    def limited(self):
        """A token of some uses: none that was taken, acknowledged or not, is ever given back."""
        token = self.ask("POST", "auth/token/create", {"policies": ["default"], "num_uses": USES}).json["auth"]["client_token"]
        self.state.uses[token] = [0, 0]

    def use(self):
        fresh = [t for t, (sent, _) in self.state.uses.items() if sent < USES]
        if not fresh:
            return self.limited()
        token = self.random.choice(fresh)
        uses = self.state.uses[token]
        uses[0] += 1
        self.ask("GET", "auth/token/lookup-self", token=token)
        uses[1] += 1

    def batch(self):
        made = self.ask("POST", "auth/token/create", {"policies": ["default"], "type": "batch", "ttl": "1h"})
        self.state.tokens[made.json["auth"]["client_token"]] = "batch"

    def mount(self):
        name = f"m{self.number}-{len(self.state.mounts)}"
        self.state.mounts[name] = "sent"
        self.ask("POST", f"sys/mounts/{name}", {"type": "transit"})
        self.state.mounts[name] = "done"

    def some_key(self):
        keys = [k for k in self.state.keys[-8:] if k.delete is None and k.versions == k.sent]
        if not keys:
            self.create()
            return self.state.keys[-1]
        return self.random.choice(keys)

    def run(self):
        work = [self.create] * 6 + [self.rotate] * 5 + [self.encrypt] * 4 + [self.delete, self.token, self.token, self.revoke, self.batch] + [self.use] * 4
        try:
            while True:
                (self.mount if self.random.random() < 0.01 else self.random.choice(work))()
        except (OSError, http.client.HTTPException):
            pass  # killed
        except AssertionError as wrong:
            self.wrong = wrong
        finally:
            self.connection.close()


class State:
    def __init__(self):
        self.keys, self.tokens, self.mounts, self.uses = [], {}, {}, {}


def check_key(server, connection, key):
    answer = server.request("GET", f"transit/keys/{key.name}", connection=connection)
    if answer.status == 404:
        assert key.delete is not None or key.versions == 0, f"{key.name} is gone: {key.versions} versions were acknowledged"
        key.delete = "done"
        return
    assert answer.status == 200, f"{key.name}: {answer}"
    assert key.delete != "done", f"{key.name} is back after its deletion was acknowledged"
    key.delete = None
    latest = answer.data["latest_version"]
    assert key.versions <= latest <= key.sent, f"{key.name}: version {latest}, acknowledged {key.versions}, asked for {key.sent}"
    assert sorted(map(int, answer.data["keys"])) == list(range(1, latest + 1)), f"{key.name}: {answer}"
    key.versions = key.sent = latest
    for version, ciphertext in key.ciphertexts.items():
        answer = server.request("POST", f"transit/decrypt/{key.name}", {"ciphertext": ciphertext}, connection=connection)
        assert answer.status == 200 and answer.data["plaintext"] == key.plaintext, f"{key.name} v{version}: {answer}"


def check(server, states):
    connection = server.connection()
    mounts = server.request("GET", "sys/mounts", connection=connection).data
    for state in states:
        for name, known in state.mounts.items():
            assert known == "sent" or f"{name}/" in mounts, f"mount {name} is gone"
        for key in state.keys:
            check_key(server, connection, key)
        for token, known in state.tokens.items():
            status = server.request("GET", "auth/token/lookup-self", connection=connection, token=token).status
            assert known == "sent" or status == (403 if known == "revoked" else 200), f"a token that is {known}: {status}"
            if known != "batch":
                state.tokens[token] = "live" if status == 200 else "revoked"
        for token, uses in state.uses.items():
            answer = server.request("POST", "auth/token/lookup", {"token": token}, connection=connection)
            left = answer.data["num_uses"] if answer.status == 200 else 0
            assert USES - uses[0] <= left <= USES - uses[1], f"{left} uses left of {USES}: {uses} were asked for and acknowledged"
            uses[0] = uses[1] = USES - left
    connection.close()


def one_round(server, states, number, chance):
    writers = [Writer(i, server, states[i], chance.random()) for i in range(WRITERS)]
    for writer in writers:
        writer.start()
    answers, end = chance.randrange(MOST_ANSWERS), time.monotonic() + ROUND_S
    while sum(w.acknowledged for w in writers) < answers and all(w.is_alive() for w in writers):
        assert time.monotonic() < end, f"not {answers} answers in {ROUND_S} s"
        time.sleep(0.001)
    time.sleep(chance.uniform(0, 0.02))
    server.kill()
    for writer in writers:
        writer.join()
        if writer.wrong is not None:
            raise writer.wrong
    if number % 3 == 0:  # and again within a start
        server.start(wait=False)
        time.sleep(chance.uniform(0, 0.05))
        server.kill()
    started = time.monotonic()
    server.start()
    ready = time.monotonic() - started
    check(server, states)
    return sum(w.acknowledged for w in writers), ready


def main():
    chance = random.Random(SEED)
    print(f"{KILLS} kills, SEED={SEED}", flush=True)
    with servers.temporary_folder() as folder:
        port = servers.free_port()
        server = servers.bulla_config(folder, servers.config_text(port, os.path.join(folder, "b.db")), port)
        try:
            server.start()
            server.token = server.request("PUT", "sys/init", {}, token=None).json["root_token"]
            assert server.post("sys/mounts/transit", {"type": "transit"}).status == 204
            states = [State() for _ in range(WRITERS)]
            total = rounds_with_writes = 0
            for number in range(KILLS):
                acknowledged, ready = one_round(server, states, number, chance)
                total += acknowledged
                rounds_with_writes += acknowledged > 0
                print(f"kill {number + 1}: {acknowledged} answers before it, ready again in {ready * 1000:.0f} ms", flush=True)
            assert rounds_with_writes > KILLS // 2 and total > 10 * KILLS, f"too little was written: {total}"
            assert server.stop() == 0
        except BaseException:
            print(server.log_text()[-2000:])
            raise
        finally:
            server.close()
    print(f"ok: {KILLS} kills, {total} acknowledged answers, none lost")


if __name__ == "__main__":
    main()
