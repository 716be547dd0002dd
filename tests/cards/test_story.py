"""The cards' story on Bulla and on a real OpenBao, over HTTPS, with the real programs and scripts: cards come in, the key is rotated, old and new
cards are decrypted, a moved ciphertext and the API's own token are refused, cards are rewrapped and old versions retired; nowhere is a PAN."""
import base64
import os
import re
import sqlite3
import subprocess
import unittest

import world
from world import servers

GARDEL = ("Carlos Gardel", "4539296620131157")
TROILO = ("Aníbal Troilo", "5500005555555559")
PIAZZOLLA = ("Astor Piazzolla", "4111111111111111")


def traces(pan):
    """A PAN as it is, and in base64 at each of the three places where it can begin."""
    yield pan.encode()
    for lead in range(3):
        coded = base64.b64encode(b"x" * lead + pan.encode())
        yield coded[4 if lead else 0:-4]


class Story:
    @classmethod
    def setUpClass(cls):
        cls.world = world.World(cls.kind, audited=True)
        cls.addClassCleanup(cls.world.close)
        cls.world.set_up_cards()

    def setUp(self):
        self.world.start_api()
        self.addCleanup(self.world.stop_api)
        for card in self.world.call_api("GET", "/credit-cards/")[1]["cards"]:
            self.world.call_api("DELETE", "/credit-cards/" + card["id"])

    def add(self, who):
        status, card = self.world.call_api("POST", "/credit-cards/", {"name": who[0], "pan": who[1]})
        self.assertEqual(status, 201, card)
        return card

    def version(self):
        return self.world.server.get("transit/keys/cards").data["latest_version"]

    def versions(self):
        _, page = self.world.call_api("GET", "/credit-cards/")
        return [int(re.match(r"vault:v(\d+):", card["pan"])[1]) for card in page["cards"]]

    def script(self, name, *argv, **env):
        env = {"CARD_API": world.program("card-api"), "CARD_DB": self.world.db} | self.world.role("card-rotator") | env
        return self.world.run(name, *argv, **env)

    def must(self, name, *argv, **env):
        done = self.script(name, *argv, **env)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def assert_processed(self, *people):
        status, said, complaints = self.world.processor()
        self.assertEqual(status, 0, complaints)
        self.assertEqual(said, "".join(f"Processing {name.upper()} card with number {pan}\n" for name, pan in people))

    def database(self, statement, *values):
        with sqlite3.connect(self.world.db, timeout=30) as db:
            rows = db.execute(statement, values).fetchall()
        db.close()
        return rows

    def test_story(self):
        first = self.version()
        one, two = self.add(GARDEL), self.add(TROILO)
        self.assertTrue(one["pan"].startswith(f"vault:v{first}:"))
        self.assertIn("rotated from version", self.must("rotate.sh"))
        three = self.add(PIAZZOLLA)
        self.assertTrue(three["pan"].startswith(f"vault:v{first + 1}:"))
        self.assert_processed(GARDEL, TROILO, PIAZZOLLA)
        status, said, _ = self.world.processor("--mask")
        self.assertEqual((status, said.count("*")), (0, 36))
        self.assertNotIn(GARDEL[1][:12], said)

        # a stolen row
        self.database("UPDATE cards SET ciphertext = ? WHERE id = ?", one["pan"], two["id"])
        status, said, complaints = self.world.processor()
        self.assertEqual(status, 1)
        self.assertNotIn("TROILO", said)
        self.assertEqual(said.count(GARDEL[1]), 1)
        self.assertIn(two["id"], complaints)
        for pan in (GARDEL[1], TROILO[1], PIAZZOLLA[1]):
            self.assertNotIn(pan, complaints)
        self.database("UPDATE cards SET ciphertext = ? WHERE id = ?", two["pan"], two["id"])

        # a stolen identity
        answer = self.world.server.post("transit/decrypt/cards", {"batch_input": [self.item(one)]}, token=self.world.log_in("card-api"))
        self.assertEqual(answer.status, 403)
        answer = self.world.server.post("transit/decrypt/cards", {"batch_input": [self.item(one)]}, token=self.world.log_in("card-processor"))
        self.assertEqual(base64.b64decode(answer.data["batch_results"][0]["plaintext"]).decode(), GARDEL[1])

        # rewrap, and retire
        self.assertIn(f"cards rewrapped to version {first + 1}", self.must("rewrap.sh"))
        self.assertEqual(self.versions(), [first + 1] * 3)
        self.assert_processed(GARDEL, TROILO, PIAZZOLLA)
        self.assertEqual(self.world.server.get("transit/keys/cards").data["min_decryption_version"], first)
        self.assertIn("older versions do not decrypt", self.must("rewrap.sh", "-m"))
        self.assertEqual(self.world.server.get("transit/keys/cards").data["min_decryption_version"], first + 1)
        self.assert_processed(GARDEL, TROILO, PIAZZOLLA)
        answer = self.world.server.post("transit/decrypt/cards", {"batch_input": [self.item(one)]}, token=self.world.log_in("card-processor"))
        self.assertIn("too old", answer.body.decode())
        self.assert_no_trace(GARDEL, TROILO, PIAZZOLLA)

    def item(self, card):
        return {"ciphertext": card["pan"]} | self.binding(card)

    def assert_no_trace(self, *people):
        for path, content in self.world.files():
            for _, pan in people:
                for trace in traces(pan):
                    self.assertFalse(trace in content, f"{trace!r} is in {path}")

    def test_rewrap_before_anything_is_retired(self):
        """While rows are left that could not be rewrapped, the old versions stay good."""
        first = self.version()
        one, two = self.add(GARDEL), self.add(TROILO)
        self.must("rotate.sh")
        self.database("UPDATE cards SET ciphertext = ? WHERE id = ?", one["pan"], two["id"])
        done = self.script("rewrap.sh", "-m")
        self.assertEqual(done.returncode, 1)
        self.assertIn("not all cards were rewrapped", done.stderr)
        self.assertLessEqual(self.world.server.get("transit/keys/cards").data["min_decryption_version"], first)
        self.database("UPDATE cards SET ciphertext = ? WHERE id = ?", two["pan"], two["id"])
        self.must("rewrap.sh", "-m")
        self.assert_processed(GARDEL, TROILO)

    def test_rewrap_failures(self):
        self.assertIn("no program /nosuch", self.script("rewrap.sh", CARD_API="/nosuch").stderr)
        self.assertEqual(self.script("rewrap.sh", **self.world.role("card-processor")).returncode, 1)
        done = self.script("rewrap.sh", CARD_VAULT_ADDR="https://127.0.0.1:1")
        self.assertEqual(done.returncode, 1)
        self.assertIn("the login was refused", done.stderr)

    # ---- what cron and systemd would run ---------------------------------------------

    def etc(self, name):
        return world.read(os.path.join(servers.TOP, "api", "etc", name)).decode()

    def settings_file(self):
        """api/etc/cards.env with this place's paths and addresses in it: the same names, other values."""
        log = os.path.join(self.world.folder, "jobs.log")
        values = {"CARD_VAULT_ADDR": self.world.server.url, "CARD_VAULT_CACERT": self.world.ca, "CARD_DB": self.world.db, "CARDS_LOG": log,
                  "VAULT_CLI": self.world.cli, "CARD_API": world.program("card-api")} | self.world.role("card-rotator")
        shipped = re.findall(r"(?m)^#?([A-Z_]+)=", self.etc("cards.env"))
        self.assertEqual(sorted(shipped), sorted(values))
        return world.write(os.path.join(self.world.folder, "cards.env"), "".join(f"{k}={v}\n" for k, v in values.items())), log

    def run_command(self, command, settings):
        """As cron and systemd do it: a bare environment, and a shell for cron's line."""
        command = command.replace("/opt/bulla", servers.TOP).replace("/etc/bulla/cards.env", settings)
        return subprocess.run(["/bin/sh", "-c", command], env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=300, cwd="/")

    def test_jobs(self):
        lines = [line for line in self.etc("cron.d/bulla-cards").splitlines() if line and line[0] not in "#" and "=" not in line.split()[0]]
        self.assertEqual(len(lines), 1)
        *when, user, command = lines[0].split(None, 6)
        minute, hour, day, month, weekday = when[:5]
        self.assertTrue(minute.isdigit() and hour.isdigit() and day.isdigit() and (month, weekday) == ("*", "*"), when)
        self.assertEqual(user, "bulla-cards")
        self.assertNotIn("%", command)  # cron's line break
        service = re.search(r"(?m)^ExecStart=(.*)$", self.etc("systemd/bulla-cards-rotate.service"))[1]
        self.assertRegex(self.etc("systemd/bulla-cards-rotate.timer"), r"(?m)^OnCalendar=\*-\*-01 ")
        settings, log = self.settings_file()
        self.add(GARDEL)
        for count, job in enumerate((command, service), 1):
            before = self.version()
            done = self.run_command(job, settings)
            self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
            self.assertEqual(self.versions(), [before + 1])
            self.assertEqual(self.world.server.get("transit/keys/cards").data["min_decryption_version"], before + 1)
            said = world.read(log).decode().splitlines()
            self.assertEqual(len(said), 2 * count)
            self.assertIn(f"rotated from version {before} to {before + 1}", said[-2])
            self.assertIn(f"cards rewrapped to version {before + 1}", said[-1])
        self.assert_processed(GARDEL)
        broken = world.write(settings + ".broken", world.read(settings).decode().replace(self.world.server.url, "https://127.0.0.1:1"))
        done = self.run_command(command, broken)
        self.assertEqual(done.returncode, 1)
        self.assertIn("rotate.sh: the login was refused", done.stderr)
        self.assertIn("rotate.sh: FAILED: the login was refused", world.read(log).decode().splitlines()[-1])


class OnBulla(Story, unittest.TestCase):
    kind = "bulla"

    def binding(self, card):
        return {"encryption_context": {"card_id": card["id"], "purpose": "pan"}}


class OnOpenBao(Story, unittest.TestCase):
    kind = "openbao"

    def binding(self, card):
        return {"associated_data": servers.b64(f"card-binding:v1:card_id={card['id']}:purpose=pan")}


if __name__ == "__main__":
    unittest.main()
