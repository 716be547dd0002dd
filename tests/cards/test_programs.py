"""card-api, card-processor and rewrap through the real binaries over HTTPS, on Bulla and on a real OpenBao."""
import concurrent.futures
import contextlib
import http.client
import http.server
import json
import os
import pty
import re
import resource
import secrets
import signal
import socket
import subprocess
import threading
import unittest

import programs
import world
from programs import pan
from world import servers

GARDEL, TROILO = "4539296620131157", "4111111111111111"


class Case(unittest.TestCase):
    """One server for a class; each test has a database of its own."""
    kind = "bulla"

    @classmethod
    def setUpClass(cls):
        cls.world = world.World(cls.kind, audited=cls.kind == "bulla")
        cls.addClassCleanup(cls.world.close)
        cls.server = cls.world.server
        done = cls.world.run("vault.sh", cls.world.roles)
        assert done.returncode == 0, done.stdout + done.stderr

    def setUp(self):
        self.cards = programs.Programs(self.world, secrets.token_hex(4))
        self.addCleanup(self.cards.close)

    def add(self, name, number, **kw):
        """A card that must be stored."""
        answer = self.cards.add(name, number, **kw)
        self.assertEqual(answer.status, 201, answer)
        return answer.json

    def count(self):
        return self.cards.sql("SELECT count(*) FROM cards")[0][0]

    def processed(self, *argv, status=0, **env):
        done = self.cards.process_cards(*argv, **env)
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stdout.decode().splitlines()

    def rotate(self):
        self.assertIn(self.server.post("transit/keys/cards/rotate").status, (200, 204))
        return self.server.get("transit/keys/cards").data["latest_version"]


class Story:
    """What the programs promise, for either server."""

    def test_cards(self):
        self.cards.start()
        answer = self.cards.add("Carlos Gardel", GARDEL)
        self.assertEqual(answer.status, 201)
        card = answer.json
        self.assertEqual(card["name"], "Carlos Gardel")
        self.assertRegex(card["pan"], r"^vault:v\d+:[A-Za-z0-9+/]+=*$")
        self.assertEqual((card["brand"], card["last_four"]), ("Visa", "1157"))
        self.assertEqual(answer.headers["Location"], f"/credit-cards/{card['id']}")
        self.assertEqual(self.cards.ask("GET", answer.headers["Location"]).json, card)
        form = self.cards.add_form(name="Aníbal Troilo", pan=TROILO)
        self.assertEqual(form.status, 201)
        self.assertEqual(form.json["name"], "Aníbal Troilo")
        self.assertEqual(self.cards.list(), [card, form.json])
        self.assertEqual(self.cards.ask("DELETE", f"/credit-cards/{card['id']}").status, 204)
        self.assertEqual(self.cards.ask("DELETE", f"/credit-cards/{card['id']}").status, 404)
        self.assertEqual(self.cards.ask("GET", f"/credit-cards/{card['id']}").status, 404)
        self.assertEqual(self.cards.list(), [form.json])
        self.assertEqual(self.add("Carlos Gardel", GARDEL)["last_four"], "1157")

    def test_processor(self):
        self.cards.start()
        self.assertEqual(self.processed(), [])
        names = {"Carlos Gardel": "CARLOS GARDEL", "Aníbal Troilo": "ANÍBAL TROILO", "Ástor ñandú œuvre": "ÁSTOR ÑANDÚ ŒUVRE",
                 "Jürgen Groß": "JÜRGEN GROSS", "Ειρήνη Ωώ": "ΕΙΡΉΝΗ ΩΏ", "Łukasz Żądło": "ŁUKASZ ŻĄDŁO", "Иван": "ИВАН",
                 "李小龍 😀": "李小龍 😀"}
        for i, name in enumerate(names):
            self.add(name, pan(i))
        for locale in ("C", "C.UTF-8", "tr_TR.UTF-8", "nowhere"):
            lines = self.processed(LC_ALL=locale)
            self.assertEqual(lines, [f"Processing {upper} card with number {pan(i)}" for i, upper in enumerate(names.values())])
        lines = self.processed("--mask")
        self.assertEqual(lines, [f"Processing {upper} card with number {'*' * 12}{pan(i)[-4:]}" for i, upper in enumerate(names.values())])
        self.assertEqual(self.cards.process_cards("--all").returncode, 2)

    def test_many_cards_in_pages(self):
        self.cards.start()
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            ids = {card["id"] for card in pool.map(lambda i: self.add(f"Card {i}", pan(i)), range(230))}
        self.assertEqual(len(ids), 230)
        self.assertEqual(sorted(line[-16:] for line in self.processed()), sorted(pan(i) for i in range(230)))
        seen, after = [], 0
        while after is not None:
            page = self.cards.ask("GET", f"/credit-cards/?limit=50&after={after}").json
            self.assertLessEqual(len(page["cards"]), 50)
            seen += [card["id"] for card in page["cards"]]
            after = page["next"]
        self.assertEqual((len(seen), set(seen)), (230, ids))
        for query in ("limit=0", "limit=251", "limit=x", "after=-1", "after=99999999999999999999"):
            self.assertEqual(self.cards.ask("GET", f"/credit-cards/?{query}").status, 400, query)

    def test_stolen_row(self):
        """A ciphertext that is copied to another row does not decrypt there; the other cards are processed."""
        self.cards.start()
        first, second = self.add("Carlos Gardel", GARDEL), self.add("Aníbal Troilo", TROILO)
        self.cards.sql("UPDATE cards SET ciphertext = ? WHERE id = ?", first["pan"], second["id"])
        done = self.cards.process_cards()
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stdout.decode().splitlines(), [f"Processing CARLOS GARDEL card with number {GARDEL}"])
        self.assertIn(f"card {second['id']} does not decrypt".encode(), done.stderr)

    def test_rows_that_do_not_decrypt(self):
        """Were they a whole page, or malformed: the cards behind them are processed."""
        self.cards.start()
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda i: self.add(f"Card {i}", pan(i)), range(101)))
        *bad, good = self.cards.list()
        for card, other in zip(bad, [*bad[1:], bad[0]]):
            self.cards.sql("UPDATE cards SET ciphertext = ? WHERE id = ?", other["pan"], card["id"])
        for at, name in enumerate(("x\nforged line", '","a":"', bad[3]["id"] + "0")):
            self.cards.sql("UPDATE cards SET id = ? WHERE id = ?", name, bad[at]["id"])
        self.cards.sql("UPDATE cards SET ciphertext = ? WHERE id = ?", "vault:v1:" + "A" * 600, bad[4]["id"])
        done = self.cards.process_cards()
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stdout.decode().splitlines(), [f"Processing {good['name'].upper()} card with number {pan(int(good['name'][5:]))}"])
        self.assertEqual(done.stderr.count(b" does not decrypt: its ciphertext"), 100)
        self.assertEqual(done.stderr.count(b"card malformed does not decrypt"), 3)
        version = self.rotate()
        wrapped = self.cards.rewrap()
        self.assertEqual((wrapped.returncode, wrapped.stderr.count(b" was not rewrapped")), (1, 100))
        self.assertIn(f"rewrapped 1 of 101 cards to version {version}", wrapped.stdout.decode())
        for said in (done.stderr, wrapped.stderr):
            self.assertNotIn(b"\nforged", said)

    def test_rewrap(self):
        self.cards.start()
        before = [self.add(f"Card {i}", pan(i)) for i in range(3)]
        version = self.rotate()
        newer = self.add("Newer", pan(3))
        self.assertEqual((before[0]["key_version"], newer["key_version"]), (version - 1, version))
        done = self.cards.rewrap()
        self.assertEqual((done.returncode, done.stdout.decode()), (0, f"3 of 3 cards\nrewrapped 3 of 3 cards to version {version}\n"))
        after = self.cards.list()
        self.assertEqual([card["id"] for card in after], [card["id"] for card in [*before, newer]])
        self.assertEqual(after[3], newer)
        for card in after:
            self.assertEqual((card["key_version"], card["pan"].startswith(f"vault:v{version}:")), (version, True))
        self.assertIn(self.server.post("transit/keys/cards/config", {"min_decryption_version": version}).status, (200, 204))
        self.assertEqual([line[-16:] for line in self.processed()], [pan(i) for i in range(4)])
        done = self.cards.rewrap()
        self.assertEqual((done.returncode, done.stdout.decode()), (0, f"rewrapped 0 of 0 cards to version {version}\n"))

    def test_rewrap_leaves_what_it_cannot_open(self):
        self.cards.start()
        first, second = self.add("Carlos Gardel", GARDEL), self.add("Aníbal Troilo", TROILO)
        self.cards.sql("UPDATE cards SET ciphertext = ? WHERE id = ?", first["pan"], second["id"])
        version = self.rotate()
        done = self.cards.rewrap()
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"rewrapped 1 of 2 cards to version {version}", done.stdout.decode())
        self.assertIn(f"card {second['id']} was not rewrapped", done.stderr.decode())
        self.assertEqual([card["key_version"] for card in self.cards.list()], [version, version - 1])

    def test_rewrap_goes_on_after_a_kill(self):
        self.cards.start()
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda i: self.add(f"Card {i}", pan(i)), range(250)))
        version, reached, go_on = self.rotate(), threading.Event(), threading.Event()
        last = "rewrap" if self.kind == "bulla" else "encrypt"
        seen = []

        def hold(path, document):
            if path.endswith(f"/{last}/cards"):
                seen.append(path)
                if len(seen) == 2:
                    reached.set()
                    go_on.wait(programs.WAIT_S)
            return document

        between = programs.Between(self.world, hold)
        self.addCleanup(between.close)
        self.addCleanup(go_on.set)
        environment = self.cards.environment("card-rotator", **between.settings())
        process = subprocess.Popen([programs.program("card-api"), "rewrap"], env=environment, stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL)
        self.assertEqual(process.stdout.readline(), b"100 of 250 cards\n")
        self.assertTrue(reached.wait(programs.WAIT_S))
        process.kill()
        process.communicate()
        go_on.set()
        self.assertEqual(self.cards.sql("SELECT count(*) FROM cards WHERE key_version = ?", version), [(100,)])
        done = self.cards.rewrap()
        self.assertEqual((done.returncode, done.stdout.decode()),
                         (0, f"100 of 150 cards\n150 of 150 cards\nrewrapped 150 of 150 cards to version {version}\n"))
        self.assertEqual(sorted(line[-16:] for line in self.processed()), sorted(pan(i) for i in range(250)))

    def test_rewrap_while_a_card_is_on_its_way(self):
        """Encrypted before the rotation, stored after the others were rewrapped and the old versions retired: it must not get lost."""
        encrypted, go_on = threading.Event(), threading.Event()

        def hold(path):
            if path.endswith("/encrypt/cards"):
                encrypted.set()
                go_on.wait(programs.WAIT_S)

        between = programs.Between(self.world, after=hold)
        self.addCleanup(between.close)
        self.addCleanup(go_on.set)
        self.cards.start(**between.settings())
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            first = pool.submit(self.cards.add, "Carlos Gardel", GARDEL, key="k")
            self.assertTrue(encrypted.wait(programs.WAIT_S))
            version = self.rotate()
            done = self.cards.rewrap()
            self.assertEqual((done.returncode, done.stdout.decode()), (0, f"rewrapped 0 of 0 cards to version {version}\n"))
            self.assertIn(self.server.post("transit/keys/cards/config", {"min_decryption_version": version}).status, (200, 204))
            go_on.set()
            self.assertIn(first.result().status, (201, 503))
        self.assertEqual(self.add("Carlos Gardel", GARDEL, key="k")["key_version"], version)
        self.assertEqual(self.processed(), [f"Processing CARLOS GARDEL card with number {GARDEL}"])

    def test_rewrap_on_a_terminal(self):
        self.cards.start()
        self.add("Carlos Gardel", GARDEL)
        self.rotate()
        ours, theirs = pty.openpty()
        done = subprocess.run([programs.program("card-api"), "rewrap"], env=self.cards.environment("card-rotator"), stdout=theirs,
                              stderr=subprocess.DEVNULL, timeout=programs.WAIT_S)
        os.close(theirs)
        text = ""
        with contextlib.suppress(OSError):  # EIO: all was read
            while part := os.read(ours, 65536):
                text += part.decode()
        os.close(ours)
        self.assertEqual(done.returncode, 0)
        self.assertIn(f"\r[{'#' * 40}] 1 of 1\r\n", text)

    def test_each_identity_can_do_its_own_thing_only(self):
        self.cards.start()
        self.add("Carlos Gardel", GARDEL)
        done = self.cards.run("card-processor", role="card-api")
        self.assertEqual((done.returncode, done.stdout), (1, b""))
        self.assertIn(b"status 403", done.stderr)
        done = self.cards.run("card-api", "rewrap", role="card-processor")
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"status 403", done.stderr)
        self.assertEqual(self.processed(), [f"Processing CARLOS GARDEL card with number {GARDEL}"])

    def test_a_server_that_does_not_bind(self):
        """Whatever drops the binding on the way is found out at the start, before a card is taken."""
        def unbind(_, document):
            for item in document.get("batch_input", []):
                item.pop("encryption_context", None)
                item.pop("associated_data", None)
            return document

        between = programs.Between(self.world, unbind)
        self.addCleanup(between.close)
        self.cards.spawn(**between.settings())
        self.assertEqual(self.cards.process.wait(programs.WAIT_S), 1)
        self.assertIn("binds no ciphertext to its card", self.cards.log_text())
        self.cards.start()
        self.add("Carlos Gardel", GARDEL)
        for name, argv, role in (("card-processor", [], "card-processor"), ("card-api", ["rewrap"], "card-rotator")):
            done = self.cards.run(name, *argv, role=role, **between.settings())
            self.assertEqual((done.returncode, done.stdout), (1, b""), name)
            self.assertIn(b"binds no ciphertext to its card", done.stderr)

    def test_connections_stay_open(self):
        between = programs.Between(self.world)
        self.addCleanup(between.close)
        self.cards.start(**between.settings())
        connection = self.cards.connection()
        self.addCleanup(connection.close)
        for i in range(20):
            self.add("Card", pan(i), connection=connection)
        self.assertGreaterEqual(sum("/encrypt/cards" in path for path in between.paths), 20)
        self.assertEqual(between.connections, 2)

    def test_both_requests_of_a_batch_at_once(self):
        """Each is held back until the other is there. Refused together, they are made one after another."""
        both, refused = threading.Barrier(2), []

        def change(path, document):
            if path.endswith(("/hmac/card-index", "/encrypt/cards")) and not refused:
                both.wait(10)
            if refused and path.endswith("/encrypt/cards"):
                refused.append(path)
                if len(refused) == 2:
                    document["batch_input"][0]["key_version"] = 99
            return document

        between = programs.Between(self.world, change=change)
        self.addCleanup(between.close)
        self.cards.start(**between.settings())
        self.add("Together", pan(1))
        refused.append(None)
        self.add("One after another", pan(2))
        self.assertEqual(len(refused), 3)
        self.assertEqual(between.paths[-1], refused[-1])

    def test_results_of_other_cards(self):
        """What comes back for another card is not stored for this one. A server that knows of no reference will do."""
        references = ["0" * 32]

        def answer(path, document):
            if path.endswith(("/hmac/card-index", "/encrypt/cards")) and references:
                document["data"]["batch_results"][0]["reference"] = references[0]
            return document

        between = programs.Between(self.world, answer=answer)
        self.addCleanup(between.close)
        self.cards.start(**between.settings())
        self.assertEqual(self.cards.add("Mixed Up", pan(1)).status, 502)
        references[0] = ""
        self.add("As It Is", pan(2))
        self.assertEqual(self.count(), 1)

    def test_a_server_of_one_connection(self):
        """A second connection that gets no answer is not asked for again and again."""
        between = programs.Between(self.world, limit=1)
        self.addCleanup(between.close)
        self.cards.start(**between.settings())
        statuses = [self.cards.add("One By One", pan(i)).status for i in range(4)]
        self.assertEqual(statuses[1:], [201, 201, 201])
        self.assertIn(statuses[0], (201, 503))

    # ---- tokens

    def role(self, **settings):
        """A role of its own with the rights of card-api, and the environment that names it."""
        name = "card-api-" + secrets.token_hex(4)
        path = f"auth/approle/role/{name}"
        body = {"token_policies": "card-api,card-index", "token_no_default_policy": True} | settings
        self.assertEqual(self.server.post(path, body).status, 204)
        files = {"CARD_ROLE_ID_FILE": self.server.get(f"{path}/role-id").data["role_id"],
                 "CARD_SECRET_ID_FILE": self.server.post(f"{path}/secret-id").data["secret_id"]}
        return name, {k: world.write(os.path.join(self.cards.folder, k), v) for k, v in files.items()}

    def tokens(self, role):
        """What the server knows of the role's tokens, by accessor."""
        found = {}
        for accessor in self.server.list("auth/token/accessors").data["keys"]:
            answer = self.server.post("auth/token/lookup-accessor", {"accessor": accessor})
            if answer.status == 200 and (answer.data.get("meta") or {}).get("role_name") == role:
                found[accessor] = answer.data
        return found

    def test_token_is_renewed(self):
        name, files = self.role(token_period="6s")
        self.cards.start(**files)
        programs.wait_until(lambda: any(t.get("last_renewal_time") for t in self.tokens(name).values()), "the token was renewed")
        self.add("Carlos Gardel", GARDEL)

    def test_token_that_ends_is_replaced(self):
        name, files = self.role(token_ttl="2s", token_max_ttl="3s")
        self.cards.start(**files)
        first = set(self.tokens(name))
        programs.wait_until(lambda: not first & set(self.tokens(name)), "the first token had ended")
        programs.wait_until(self.cards.is_ready, "card-api had a new one")
        self.add("Carlos Gardel", GARDEL)

    def test_token_that_is_revoked_is_replaced(self):
        name, files = self.role()
        self.cards.start(**files)
        for accessor in self.tokens(name):
            self.assertEqual(self.server.post("auth/token/revoke-accessor", {"accessor": accessor}).status, 204)
        self.add("Carlos Gardel", GARDEL)

    def test_secret_id_that_ends_and_is_replaced(self):
        """Its file is read at each login: with a new one in it the program goes on."""
        name, files = self.role(token_ttl="2s", token_max_ttl="3s")
        path = f"auth/approle/role/{name}/secret-id"
        secret = world.read(files["CARD_SECRET_ID_FILE"]).decode()
        self.cards.start(**files)
        self.assertEqual(self.server.post(f"{path}/destroy", {"secret_id": secret}).status, 204)
        number = iter(range(10 ** 6))
        programs.wait_until(lambda: self.cards.add("Card", pan(next(number))).status == 502, "the last token had ended")
        self.assertEqual(self.cards.add("Carlos Gardel", GARDEL).status, 502)
        world.write(files["CARD_SECRET_ID_FILE"], self.server.post(path).data["secret_id"])
        self.add("Carlos Gardel", GARDEL)

    def test_a_policy_that_refuses_costs_no_tokens(self):
        between = programs.Between(self.world)
        self.addCleanup(between.close)
        self.cards.start(**between.settings(), **self.role(token_policies="card-api")[1])  # without card-index
        for _ in range(3):
            answer = self.cards.add("Carlos Gardel", GARDEL)
            self.assertEqual((answer.status, answer.json), (502, {"error": "the encryption service refused"}))
        self.assertEqual([path for path in between.paths if path.endswith("/login")], ["/v1/auth/approle/login"])
        self.assertEqual(self.count(), 0)

    # ---- outages

    def test_outage(self):
        """Sealed: 503 and Retry-After, nothing stored; afterwards the same request stores one card."""
        self.cards.start()
        self.add("Aníbal Troilo", TROILO)
        self.go_away()
        answer = self.cards.add("Carlos Gardel", GARDEL, key="order-1")
        self.assertEqual((answer.status, answer.headers["Retry-After"]), (503, "5"), answer)
        programs.wait_until(lambda: self.cards.answers() == 503, "card-api said so to whoever asks for its health")
        card = self.cards.list()[0]  # what needs nobody's help goes on
        self.assertEqual(self.cards.ask("DELETE", f"/credit-cards/{card['id']}").status, 204)
        self.assertEqual(self.cards.answers(), 503)
        self.come_back()
        programs.wait_until(self.cards.is_ready, "card-api was ready again")
        cards = {self.add("Carlos Gardel", GARDEL, key="order-1")["id"] for _ in range(3)}
        self.assertEqual((len(cards), self.count()), (1, 1))
        self.assertEqual(len(self.processed()), 1)

    def test_through_an_outage(self):
        """Callers that go on trying, as they are told to, lose no card and store none twice."""
        self.cards.start()
        gone, back = threading.Event(), threading.Event()

        def insist(i):
            if i == 40:
                gone.wait(programs.WAIT_S)
            last = []
            programs.wait_until(lambda: last.append(self.cards.add("Card", pan(i), key=f"k{i}")) or last[-1].status == 201, f"card {i}")
            self.assertTrue(all(answer.status in (201, 503) for answer in last))
            return any(answer.status == 503 for answer in last)

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            waits = [pool.submit(insist, i) for i in range(40)]
            self.go_away()
            gone.set()
            waits += [pool.submit(insist, i) for i in range(40, 60)]
            programs.wait_until(lambda: self.cards.answers() == 503, "card-api noticed")
            self.come_back()
            back.set()
            for wait in waits:
                wait.result()
        self.assertEqual(self.count(), 60)
        self.assertEqual(sorted(line[-16:] for line in self.processed()), sorted(pan(i) for i in range(60)))

    def test_starts_before_the_server(self):
        self.go_away()
        self.cards.spawn()
        programs.wait_until(lambda: self.cards.answers() == 503, "card-api listened")
        self.assertEqual(self.cards.add("Carlos Gardel", GARDEL).status, 503)
        self.come_back()
        programs.wait_until(self.cards.is_ready, "card-api was ready")
        self.add("Carlos Gardel", GARDEL)

    def test_starts_before_the_server_with_callers_that_insist(self):
        """There is never a moment without a card, and still the binding is proven as soon as it can be."""
        self.go_away()
        self.cards.spawn()
        programs.wait_until(lambda: self.cards.answers() == 503, "card-api listened")
        self.come_back()
        programs.wait_until(lambda: self.cards.add("Carlos Gardel", GARDEL).status == 201, "the card was stored")

    # ---- what must not be seen

    def test_no_pan_anywhere(self):
        number = pan(int.from_bytes(secrets.token_bytes(3), "big") % 10**7)
        bad = number[:-1] + str((int(number[-1]) + 1) % 10)
        self.cards.start()
        kept = self.cards.connection()  # a connection that stays open holds no card either
        self.addCleanup(kept.close)
        self.add("Carlos Gardel", number, connection=kept)
        answers = [self.cards.add("Carlos Gardel", number), self.cards.add("Carlos Gardel", bad), self.cards.add(number, number),
                   self.cards.add("x" * 200, number), self.cards.add("Carlos", number, key=f"a{number}"), self.cards.add_form(pan=number),
                   self.cards.ask("GET", f"/credit-cards/{number}"), self.cards.ask("GET", f"/{number}?pan={number}"),
                   self.cards.ask("DELETE", f"/credit-cards/{number}"), self.cards.ask("POST", f"/credit-cards/?pan={number}")]
        self.assertTrue(all(a.status in (400, 404, 409, 415) for a in answers), answers)
        done = self.cards.process_cards("--mask")
        self.assertEqual(done.returncode, 0)
        rewrapped = self.rotate() and self.cards.rewrap()
        self.assertEqual(rewrapped.returncode, 0)
        self.go_away()
        answers.append(self.cards.add("Carlos Gardel", pan(7)))
        self.assertEqual(answers[-1].status, 503)
        pid = self.cards.process.pid
        seen = {
            "answers": b"".join(a.body + str(a.headers).encode() for a in answers), "page": self.cards.ask("GET", "/").body,
            "list": self.cards.ask("GET", "/credit-cards/").body, "files": self.cards.files(), "server": world.read(self.server.log),
            "processor": done.stdout + done.stderr, "rewrap": rewrapped.stdout + rewrapped.stderr,
            "arguments": world.read(f"/proc/{pid}/cmdline") + world.read(f"/proc/{pid}/environ"), "memory": memory(pid)}
        self.come_back()
        if self.world.audited:
            seen["audit"] = world.read(self.world.audit)
            self.assertIn(b"transit/encrypt/cards", seen["audit"])
        for held in ("list", "files"):
            self.assertIn(number[-4:].encode(), seen[held])
        self.assertTrue(seen["memory"] == b"" or b"Carlos Gardel" in seen["memory"])
        for secret in (number, bad, pan(7)):
            for form in {secret.encode(), servers.b64(secret).rstrip("=").encode(), secret.encode().hex().encode()}:
                for where, text in seen.items():
                    self.assertFalse(form in text, f"a card number ({form[:3]}...) is in: {where}")


def memory(pid):
    """All that the process holds, where this process may see it; its owner must be root for that."""
    found = []
    try:
        with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as mem:
            for line in maps:
                span, access, *rest = line.split(None, 5)
                low, high = (int(x, 16) for x in span.split("-"))
                if access.startswith("rw") and not line.rstrip().endswith(("[vvar]", "[vsyscall]")):
                    mem.seek(low)
                    found.append(mem.read(high - low))
    except PermissionError:
        return b""  # which is what wipe_init is for
    assert found
    return b"".join(found)


class OnOpenBao(Story, Case):
    kind = "openbao"

    def go_away(self):
        self.addCleanup(self.come_back)
        self.assertEqual(self.server.post("sys/seal").status, 204)

    def come_back(self):
        key = re.search(r"Unseal Key: (\S+)", self.server.log_text()).group(1)
        self.assertEqual(self.server.post("sys/unseal", {"key": key}, token=None).status, 200)


class OnBulla(Story, Case):
    kind = "bulla"

    def go_away(self):
        self.addCleanup(self.come_back)
        self.assertEqual(self.server.stop(), 0)

    def come_back(self):
        if self.server.process.poll() is not None:
            self.server.start()

    def test_cards_that_came_from_another_server(self):
        """Rows bound by associated data (a key that was moved here from OpenBao) are bound by context when they are rewrapped."""
        self.cards.start()
        card = self.add("Carlos Gardel", GARDEL)
        form = servers.b64(f"card-binding:v1:card_id={card['id']}:purpose=pan")
        old = self.server.post("transit/encrypt/cards", {"plaintext": servers.b64(GARDEL), "associated_data": form}).data["ciphertext"]
        self.cards.sql("UPDATE cards SET ciphertext = ?, binding = 2", old)
        self.assertEqual(self.cards.list()[0]["binding"], "associated_data")
        self.rotate()
        done = self.cards.rewrap()  # the job may change no card's binding
        self.assertEqual((done.returncode, b"was not rewrapped" in done.stderr), (1, True))
        mover = "".join(f'path "transit/{path}" {{ capabilities = ["read", "update"] }}\n' for path in ("rewrap/cards", "keys/cards", "+/card-canary"))
        self.assertEqual(self.server.post("sys/policies/acl/mover", {"policy": mover}).status, 204)
        done = self.cards.rewrap(**self.role(token_policies="mover")[1])
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.cards.list()[0]["binding"], "encryption_context")
        self.assertEqual(self.processed(), [f"Processing CARLOS GARDEL card with number {GARDEL}"])


class Alone(Case):
    """What does not depend on the server behind."""
    kind = "openbao"

    def test_refusals_name_the_field(self):
        self.cards.start()
        missing = {"name": "is missing", "pan": "is missing"}
        for body, fields in {
            "{}": missing, '{"name":"","pan":""}': missing, '{"name":"  ","pan":"1"}': {"name": "is missing", "pan": "is not 12 to 19 digits"},
            '{"name":"A","pan":"4539296620131158"}': {"pan": "is not a card number: the check digit is wrong"},
            '{"name":"A","pan":"4539 2966 2013 1157"}': {"pan": "is not 12 to 19 digits"},
            '{"name":"A","pan":"00000000000"}': {"pan": "is not 12 to 19 digits"},
            '{"name":"A","pan":"00000000000000000000"}': {"pan": "is not 12 to 19 digits"},
            '{"name":"A","pan":"' + "0" * 4000 + '"}': {"pan": "is not 12 to 19 digits"},
            '{"name":"A","pan":"٤٥٣٩٢٩٦٦٢٠١٣١١٥٧"}': {"pan": "is not 12 to 19 digits"},
            '{"name":"' + "é" * 101 + f'","pan":"{GARDEL}"}}': {"name": "has more than 100 characters"},
            f'{{"name":"A\\nB","pan":"{GARDEL}"}}': {"name": "is not UTF-8 without control characters"},
            f'{{"name":"4539-2966-2013-1157","pan":"{GARDEL}"}}': {"name": "holds a card number"},
            f'{{"name":"4539_2966/2013#1157","pan":"{GARDEL}"}}': {"name": "holds a card number"},
            f'{{"name":"４５３９２９６６２０１３１１５７","pan":"{GARDEL}"}}': {"name": "holds a card number"},
            f'{{"name":1,"pan":{GARDEL}}}': {"name": "is not a text", "pan": "is not a text"},
        }.items():
            answer = self.cards.ask("POST", "/credit-cards/", body.encode(), {"Content-Type": "application/json"})
            self.assertEqual((answer.status, answer.json), (400, {"error": "the card was not stored", "fields": fields}), body[:60])
        for body in ("", "[]", "null", "{", '{"name":"a","name":"b","pan":"1"}', '{"name":"a","pan":"1","cvv":"123"}',
                     '{"name":"a\\u0000b","pan":"1"}', b'{"name":"\xff","pan":"1"}', '{"name":"a"} x'):
            answer = self.cards.ask("POST", "/credit-cards/", body, {"Content-Type": "application/json"})
            self.assertEqual((answer.status, list(answer.json["fields"])), (400, ["body"]), body)
        for body in ("name", "name=%4&pan=1", "name=a&name=b", "name=a&pan=1&cvv=123", "name=%00", "%ff=1", "name=" + "a" * 3000):
            answer = self.cards.ask("POST", "/credit-cards/", body, {"Content-Type": "application/x-www-form-urlencoded"})
            self.assertEqual((answer.status, list(answer.json["fields"])), (400, ["body"]), body[:60])
        self.assertEqual(self.count(), 0)

    def test_longest_and_shortest(self):
        self.cards.start()
        for name, number in (("é" * 100, programs.luhn("1" * 18)), ("😀" * 100, programs.luhn("2" * 11)), ("a", programs.luhn("9" * 17))):
            card = self.add(name, number)
            self.assertEqual((card["name"], card["last_four"]), (name, number[-4:]))
        form = self.cards.add_form(name="😀" * 99 + "+", pan=pan(1))
        self.assertEqual((form.status, form.json["name"]), (201, "😀" * 99 + "+"))
        self.assertEqual([line.rsplit(" ", 1)[1] for line in self.processed()],
                         [programs.luhn("1" * 18), programs.luhn("2" * 11), programs.luhn("9" * 17), pan(1)])

    def test_other_refusals(self):
        self.cards.start()
        for method, path, headers, body, status in (
            ("GET", "/nothing", {}, None, 404), ("GET", "/credit-cards/x", {}, None, 404), ("GET", "/credit-cards/" + "0" * 32, {}, None, 404),
            ("GET", "/credit-cards/%2e%2e/health", {}, None, 404), ("GET", "/" + "x" * 300, {}, None, 413),
            ("PUT", "/credit-cards/", {}, None, 405), ("POST", "/credit-cards/" + "0" * 32, {}, None, 405), ("DELETE", "/", {}, None, 405),
            ("POST", "/credit-cards/", {}, "x", 415), ("POST", "/credit-cards/", {"Content-Type": "application/jsonx"}, "{}", 415),
            ("POST", "/credit-cards/", {"Content-Type": "application/json"}, " " * 10000, 413),
        ):
            answer = self.cards.ask(method, path, body, headers)
            self.assertEqual((answer.status, list(answer.json)), (status, ["error"]), path[:40])
            self.assertEqual("Allow" in answer.headers, status == 405)
        self.assertEqual(self.cards.ask("GET", "/credit-cards").json, {"cards": [], "next": None})

    def raw(self, head, body=b""):
        """What comes back on a connection of its own, until the server closes it: status line and body."""
        with socket.create_connection(("127.0.0.1", self.cards.port), timeout=programs.WAIT_S) as plain:
            with self.cards.context.wrap_socket(plain, server_hostname="127.0.0.1") as connection:
                connection.sendall(head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body)
                said = b""
                while part := connection.recv(65536):
                    said += part
        return said

    def test_where_a_body_ends(self):
        """What two readers could read differently is refused, and what is too long is answered before it comes."""
        self.cards.start()
        body = json.dumps({"name": "Carlos Gardel", "pan": GARDEL}).encode()
        chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        post = "POST /credit-cards/ HTTP/1.1\nHost: x\nContent-Type: application/json\n"
        for more, status in (
            ("Content-Length: 4\nTransfer-Encoding: chunked", b"400"), ("Transfer-Encoding: chunked\nContent-Length: 4", b"400"),
            ("Transfer-Encoding: gzip", b"400"), ("Transfer-Encoding: chunked\nTransfer-Encoding: chunked", b"400"),
            ("Transfer-Encoding: chunked, chunked", b"400"), ("Content-Length: 4\nContent-Length: 4", b"400"),
            ("Content-Length: 65537", b"413"), ("Content-Length: 99999999999\nExpect: 100-continue", b"413"),
        ):
            said = self.raw(post + more, chunked)
            self.assertEqual((said.split()[1], said.count(b"HTTP/1.1 ")), (status, 1), said)
            self.assertNotIn(GARDEL.encode(), said)
        self.assertEqual(self.count(), 0)
        self.assertEqual(self.raw("GET /health HTTP/1.1\nConnection: close").split()[1], b"400")  # no Host
        self.assertEqual(self.raw(post + "Transfer-Encoding: chunked\nConnection: close", chunked).split()[1], b"201")

    def test_head(self):
        self.cards.start()
        for path in ("/health", "/", "/credit-cards/"):
            head, get = self.cards.ask("HEAD", path), self.cards.ask("GET", path)
            self.assertEqual((head.status, head.body, head.headers["Content-Length"]), (200, b"", str(len(get.body))))
        self.assertEqual(self.cards.ask("PUT", "/health").headers["Allow"], "GET, HEAD")

    def test_duplicates_and_keys(self):
        self.cards.start()
        first = self.add("Carlos Gardel", GARDEL, key="order-1")
        self.assertEqual(self.add("Carlos Gardel", GARDEL, key="order-1"), first)
        again = self.cards.add("Charles Gardes", GARDEL)
        self.assertEqual((again.status, again.json["id"]), (409, first["id"]))
        for name, number in (("Charles Gardes", GARDEL), ("Carlos Gardel", TROILO)):
            self.assertEqual(self.cards.add(name, number, key="order-1").status, 422)
        for key in ("x" * 256, "two words", "é", "", "4111-1111-1111-1111"):
            self.assertEqual(list(self.cards.add("A", TROILO, headers={"Idempotency-Key": key}).json["fields"]), ["idempotency_key"])
        self.assertEqual(self.count(), 1)
        self.assertEqual(self.cards.ask("DELETE", f"/credit-cards/{first['id']}").status, 204)
        self.assertEqual(self.cards.add("Carlos Gardel", GARDEL, key="order-1").status, 422)
        self.assertEqual(self.count(), 0)

    def test_the_same_at_once(self):
        """Many connections send one request: one card."""
        self.cards.start()
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            with_key = list(pool.map(lambda _: self.cards.add("Carlos Gardel", GARDEL, key="k"), range(32)))
            without = list(pool.map(lambda _: self.cards.add("Aníbal Troilo", TROILO), range(32)))
        self.assertEqual([a.status for a in with_key], [201] * 32)
        self.assertEqual(len({a.json["id"] for a in with_key}), 1)
        self.assertEqual(sorted(a.status for a in without), [201] + [409] * 31)
        self.assertEqual(self.count(), 2)

    def test_stored_means_on_disk(self):
        """A 201 has been synced: where the sync fails there is none, and no card."""
        source = os.path.join(self.cards.folder, "sync.c")
        library, broken = os.path.join(self.cards.folder, "sync.so"), os.path.join(self.cards.folder, "broken")
        world.write(source, '#define _GNU_SOURCE\n#include <errno.h>\n#include <stdlib.h>\n#include <sys/syscall.h>\n#include <unistd.h>\n'
                            'static int sync_it(long call, int fd)\n{\n\tif (access(getenv("SYNC_BROKEN"), F_OK) != 0)\n'
                            '\t\treturn (int)syscall(call, fd);\n\terrno = EIO;\n\treturn -1;\n}\n'
                            'int fsync(int fd) { return sync_it(SYS_fsync, fd); }\nint fdatasync(int fd) { return sync_it(SYS_fdatasync, fd); }\n')
        subprocess.run([os.environ.get("CC") or "cc", "-shared", "-fPIC", "-o", library, source], check=True)
        self.cards.start(LD_PRELOAD=library, SYNC_BROKEN=broken)
        self.add("Carlos Gardel", GARDEL)
        world.write(broken, "")
        answer = self.cards.add("Aníbal Troilo", TROILO, key="k")
        self.assertEqual((answer.status, answer.json), (500, {"error": "the database failed"}))
        os.unlink(broken)
        self.add("Aníbal Troilo", TROILO, key="k")
        self.assertEqual(self.count(), 2)
        self.cards.stop(signal.SIGKILL)
        self.cards.start()
        self.assertEqual([card["last_four"] for card in self.cards.list()], ["1157", "1111"])

    def test_killed_in_the_middle(self):
        """Whatever was answered 201 is there afterwards."""
        self.cards.start()
        stored, enough = [], threading.Event()

        def insist(part):
            for i in range(part * 1000, part * 1000 + 1000):
                try:
                    stored.append(self.add("Card", pan(i))["id"])
                except (OSError, http.client.HTTPException):
                    return
                if len(stored) >= 40:
                    enough.set()

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            waits = [pool.submit(insist, part) for part in range(8)]
            self.assertTrue(enough.wait(programs.WAIT_S))
            self.cards.stop(signal.SIGKILL)
            for wait in waits:
                wait.result()
        self.cards.start()
        there = {row[0] for row in self.cards.sql("SELECT id FROM cards")}
        self.assertLessEqual(set(stored), there)
        self.assertEqual(len(self.processed()), len(there))

    def test_stops_when_told(self):
        self.cards.start()
        self.add("Carlos Gardel", GARDEL)
        self.assertEqual(self.cards.stop(), 0)

    # ---- who may call

    def test_token(self):
        path = world.write(os.path.join(self.cards.folder, "token"), "s3cret-of-the-shop\n")
        self.cards.start(CARD_API_TOKEN_FILE=path)
        basic = servers.b64("anybody:s3cret-of-the-shop")
        for shown, status in ((None, 401), ("Bearer x", 401), ("Bearer s3cret-of-the-sho", 401), ("Basic !", 401), ("Basic " + servers.b64("x"), 401),
                              ("Bearer s3cret-of-the-shop", 200), (f"Basic {basic}", 200)):
            headers = {} if shown is None else {"Authorization": shown}
            for place in ("/", "/credit-cards/"):
                answer = self.cards.ask("GET", place, headers=headers)
                self.assertEqual(answer.status, status, shown)
                self.assertEqual("WWW-Authenticate" in answer.headers, status == 401)
        self.assertEqual(self.cards.add("Carlos Gardel", GARDEL).status, 401)
        self.assertEqual(self.count(), 0)
        self.add("Carlos Gardel", GARDEL, headers={"Authorization": "Bearer s3cret-of-the-shop"})
        self.assertEqual(len(self.processed(CARD_API_TOKEN_FILE=path)), 1)
        done = self.cards.process_cards()
        self.assertEqual((done.returncode, done.stdout), (1, b""))
        self.assertIn(b"status 401", done.stderr)
        self.assertNotIn(b"s3cret", world.read(self.cards.log))

    def test_pages_of_other_sites(self):
        self.cards.start()
        form = f"name=A&pan={GARDEL}"
        for more, status in (({"Origin": "https://evil.example"}, 403), ({"Origin": "null"}, 403), ({"Sec-Fetch-Site": "cross-site"}, 403),
                             ({"Sec-Fetch-Site": "same-site"}, 403), ({"Origin": self.cards.url}, 303), ({"Sec-Fetch-Site": "same-origin"}, 409)):
            answer = self.cards.ask("POST", "/credit-cards/", form, programs.PAGE | more)
            self.assertEqual(answer.status, status, more)
        self.assertEqual(self.count(), 1)

    # ---- transport and process

    def test_no_plain_http(self):
        for env, said in (({"CARD_TLS_CERT": "", "CARD_TLS_KEY": ""}, "plain HTTP is not served unless CARD_PLAIN_HTTP=yes"),
                          ({"CARD_TLS_KEY": ""}, "plain HTTP is not served"),
                          ({"CARD_VAULT_ADDR": "http://127.0.0.1:1"}, "CARD_VAULT_ADDR is plain HTTP"),
                          ({"CARD_VAULT_ADDR": "127.0.0.1:1"}, "does not begin with https://"),
                          ({"CARD_PLAIN_HTTP": "perhaps"}, "neither yes nor no")):
            done = self.cards.run("card-api", role="card-api", **env)
            self.assertEqual(done.returncode, 1)
            self.assertIn(said.encode(), done.stderr)
        for env in ({"CARD_API_URL": "http://127.0.0.1:1"}, {"CARD_VAULT_ADDR": "http://127.0.0.1:1"}):
            done = self.cards.process_cards(**env)
            self.assertEqual((done.returncode, b"is plain HTTP" in done.stderr), (1, True))
        self.cards.start()
        with socket.create_connection(("127.0.0.1", self.cards.port), timeout=programs.WAIT_S) as plain:
            plain.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
            with contextlib.suppress(ConnectionResetError):  # a refusal, too
                self.assertNotIn(b"HTTP/1.1", plain.recv(4096))

    def test_plain_http_when_asked(self):
        self.cards.spawn(CARD_TLS_CERT="", CARD_TLS_KEY="", CARD_PLAIN_HTTP="yes")

        def ready():
            try:
                with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.cards.port, timeout=programs.WAIT_S)) as connection:
                    return self.cards.ask("GET", "/health", connection=connection).status == 200
            except OSError:
                return False

        programs.wait_until(ready, "card-api was ready")

    def test_certificates_are_checked(self):
        other = os.path.join(self.cards.folder, "other")
        os.mkdir(other)
        servers.certificates(other)
        wrong = os.path.join(other, "ca.pem")
        self.cards.spawn(CARD_VAULT_CACERT=wrong)
        programs.wait_until(lambda: "certificate" in self.cards.log_text(), "the certificate was refused")
        self.assertEqual(self.cards.add("Carlos Gardel", GARDEL).status, 503)
        self.cards.stop()
        self.cards.start()
        for env in ({"CARD_API_CACERT": wrong}, {"CARD_API_URL": f"https://localhost.localdomain:{self.cards.port}"}):
            done = self.cards.run("card-api", "health", **env)
            self.assertEqual(done.returncode, 1, env)
        self.assertEqual(self.cards.run("card-api", "health").returncode, 0)
        self.cards.stop()
        servers.make_certificate(self.cards.tls, "expired", expired=True)
        self.cards.spawn(**{name: os.path.join(self.cards.tls, f"expired.{end}") for name, end in (("CARD_TLS_CERT", "pem"), ("CARD_TLS_KEY", "key"))})
        programs.wait_until(lambda: self.cards.log_text().count("listening on") == 3, "card-api listened")
        done = self.cards.run("card-api", "health")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, b"health: .*certificate.*expired|health: .*expired.*certificate")
        self.cards.stop()
        self.cards.start()
        for version, status in (("1.1", 35), ("1.2", 0)):
            argv = ["curl", "-s", "--cacert", self.cards.ca, "--ciphers", "DEFAULT@SECLEVEL=0", "--tlsv1.0", "--tls-max", version]
            self.assertEqual(subprocess.run([*argv, "-o", "/dev/null", f"{self.cards.url}/health"]).returncode, status, version)

    def test_output_that_goes_nowhere(self):
        """A card that nobody was shown is not taken for processed."""
        self.cards.start()
        self.add("Carlos Gardel", GARDEL)
        ours, theirs = os.pipe()
        os.close(ours)
        with open("/dev/full", "wb") as full, os.fdopen(theirs, "wb") as broken:
            for out in (full, broken):
                done = subprocess.run([programs.program("card-processor")], env=self.cards.environment("card-processor"), stdout=out,
                                      stderr=subprocess.PIPE, timeout=programs.WAIT_S)
                self.assertEqual((done.returncode, b"standard output cannot be written" in done.stderr), (1, True), out)
        # closed: the next socket would have its number
        command = ["sh", "-c", 'exec "$0" >&-', programs.program("card-processor")]
        done = subprocess.run(command, env=self.cards.environment("card-processor"), stderr=subprocess.PIPE, timeout=programs.WAIT_S)
        self.assertEqual((done.returncode, b"standard output cannot be written" in done.stderr), (1, True))

    def test_an_answer_that_is_no_page(self):
        self.cards.start()
        for document in ({}, {"cards": None, "next": None}, {"cards": {}}, []):
            class Other(http.server.BaseHTTPRequestHandler):
                def do_GET(self, text=json.dumps(document).encode()):
                    self.send_response(200)
                    self.end_headers()
                    self.wfile.write(text)

                def log_message(self, *_):
                    pass

            with http.server.HTTPServer(("127.0.0.1", 0), Other) as server:
                threading.Thread(target=server.handle_request, daemon=True).start()
                done = self.cards.process_cards(CARD_API_URL=f"http://127.0.0.1:{server.server_port}", CARD_PLAIN_HTTP="yes")
            self.assertEqual((done.returncode, done.stdout), (1, b""), document)

    def test_wrong_settings_end_it(self):
        wrong = world.write(os.path.join(self.cards.folder, "wrong"), "not-a-secret-id\n")
        empty = world.write(os.path.join(self.cards.folder, "empty"), "")
        for env in ({"CARD_SECRET_ID_FILE": wrong}, {"CARD_SECRET_ID_FILE": empty}, {"CARD_SECRET_ID_FILE": "/nowhere"}, {"CARD_ROLE_ID_FILE": ""},
                    {"CARD_DB": "/nowhere/cards.db"}, {"CARD_TLS_CERT": wrong}, {"CARD_LISTEN": "nowhere"}, {"CARD_KEY": "../x?"},
                    {"CARD_CANARY_KEY": "cards"}, {"CARD_API_TOKEN_FILE": "/nowhere"}):
            done = self.cards.run("card-api", role="card-api", **env)
            self.assertEqual(done.returncode, 1, env)
            self.assertNotIn(b"not-a-secret-id", done.stderr)
        self.assertEqual(self.cards.run("card-api", "nonsense").returncode, 2)
        for name in ("card-api", "card-processor"):
            done = self.cards.run(name, "-h")
            self.assertEqual((done.returncode, b"CARD_SECRET_ID_FILE" in done.stdout), (0, True))

    def test_a_newer_database_is_left_alone(self):
        self.cards.sql("PRAGMA user_version = 99")
        before = world.read(self.cards.db)
        done = self.cards.run("card-api", role="card-api")
        self.assertEqual((done.returncode, b"newer program" in done.stderr), (1, True))
        self.assertEqual(world.read(self.cards.db), before)

    def test_rewrap_makes_no_database(self):
        """With a wrong path nothing would be rewrapped, and the old versions retired: all cards would be lost."""
        empty = world.write(os.path.join(self.cards.folder, "empty.db"), "")
        for path in (os.path.join(self.cards.folder, "cards.bd"), empty):
            done = self.cards.rewrap(CARD_DB=path)
            self.assertEqual((done.returncode, done.stdout), (1, b""), path)
        self.assertEqual((os.path.exists(os.path.join(self.cards.folder, "cards.bd")), world.read(empty)), (False, b""))

    def test_an_older_database_is_brought_along(self):
        self.cards.start()
        card = self.add("Carlos Gardel", GARDEL)
        self.cards.stop()
        self.cards.sql("DROP TABLE floor")
        self.cards.sql("PRAGMA user_version = 1")
        self.cards.start()
        self.assertEqual(self.cards.list(), [card])
        self.add("Aníbal Troilo", TROILO)

    def test_no_core_files(self):
        limits = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (limits[1], limits[1]))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_CORE, limits)
        self.cards.start()
        self.add("Carlos Gardel", GARDEL)
        limits = world.read(f"/proc/{self.cards.process.pid}/limits").decode()
        self.assertRegex(limits, r"Max core file size +0 +0 ")
        mode = os.stat(f"/proc/{self.cards.process.pid}/mem")
        self.assertEqual((mode.st_uid, mode.st_gid), (0, 0))  # root's, whoever runs it: not dumpable
        os.kill(self.cards.process.pid, signal.SIGABRT)
        _, status = os.waitpid(self.cards.process.pid, 0)
        self.cards.process.returncode = os.waitstatus_to_exitcode(status)
        self.assertEqual(self.cards.process.returncode, -signal.SIGABRT)
        self.assertFalse(os.WCOREDUMP(status))


if __name__ == "__main__":
    unittest.main()
