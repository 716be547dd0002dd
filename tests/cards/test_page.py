"""The page of card-api in a real, headless Chromium."""
import os
import unittest

import browser
from test_programs import GARDEL, TROILO, Case

NASTY = "<script>document.title='owned'</script>\"'&amp;"


@unittest.skipUnless(browser.find(), "there is no Chromium: apt-get install chromium")
class Page(Case):
    kind = "openbao"

    def setUp(self):
        super().setUp()
        self.cards.start()
        self.browser = browser.Browser(os.path.join(self.cards.tls, "server.pem"))
        self.addCleanup(self.browser.close)
        self.url = f"https://127.0.0.1:{self.cards.port}/"

    def rows(self):
        return self.browser.value("[...document.querySelectorAll('#cards td')].map(c => c.textContent)")

    def fill_in(self, name, pan):
        """Types into the form and presses its button, past the browser's own checks, so that the server's are seen."""
        self.browser.value("document.forms[0].noValidate = true")
        for field, text in (("name", name), ("pan", pan)):
            self.browser.value(f"document.forms[0].elements['{field}'].focus()")
            self.browser.ask("Input.insertText", text=text)
        self.browser.value("document.querySelector('button').click()")
        self.browser.loaded()

    def test_lists(self):
        self.add("Carlos Gardel", GARDEL)
        self.add(NASTY, TROILO)
        text = self.browser.dump(self.url)
        self.assertIn("<td>Carlos Gardel</td><td>Visa</td><td>1157</td><td>1</td>", text)
        self.assertNotIn("<script", text)
        self.browser.open(self.url)
        self.assertEqual(self.rows(), ["Carlos Gardel", "Visa", "1157", "1", NASTY, "Visa", "1111", "1"])
        self.assertEqual(self.browser.value("document.title"), "Cards")
        self.assertEqual(self.browser.value("getComputedStyle(document.querySelector('table')).borderCollapse"), "collapse")
        self.assertEqual([c for c in self.browser.complaints() if "favicon" not in str(c)], [])

    def test_adds(self):
        self.browser.open(self.url)
        self.fill_in("Aníbal Troilo", TROILO)
        self.assertEqual(self.browser.value("location.pathname + location.search"), "/")
        self.assertEqual(self.rows(), ["Aníbal Troilo", "Visa", "1111", "1"])
        self.fill_in("Carlos Gardel", GARDEL[:-1] + "8")
        self.assertEqual(self.browser.value("document.querySelector('#pan-error').textContent"),
                         "pan is not a card number: the check digit is wrong")
        self.assertNotIn(GARDEL[:-1], self.browser.value("document.documentElement.outerHTML"))
        self.fill_in("Aníbal Troilo", TROILO)
        self.assertEqual(self.browser.value("document.querySelector('#error').textContent"), "the card is stored already")
        self.fill_in("Carlos Gardel", GARDEL)
        self.assertEqual(self.rows()[4:], ["Carlos Gardel", "Visa", "1157", "1"])
        self.assertEqual(self.count(), 2)

    def test_form_sent_twice(self):
        self.browser.open(self.url)
        key = self.browser.value("document.forms[0].elements.idempotency_key.value")
        for _ in range(2):
            self.assertEqual(self.cards.add_form(name="Carlos Gardel", pan=GARDEL, idempotency_key=key).status, 201)
        self.assertEqual(self.count(), 1)

    def test_policy_forbids_scripts(self):
        """Were a script in the page, it would not run."""
        self.browser.open(self.url)
        self.browser.value("{const s = document.createElement('script'); s.textContent = 'document.title = \"owned\"'; document.body.append(s)}")
        self.assertEqual(self.browser.value("document.title"), "Cards")
        self.assertIn("Content Security Policy", str(self.browser.complaints()))

    def test_pages(self):
        for i in range(51):
            self.add(f"Card {i}", browser.programs.pan(i))
        self.browser.open(self.url)
        self.assertEqual(len(self.rows()), 200)
        self.browser.value("document.querySelector('a[rel=next]').click()")
        self.browser.loaded()
        self.assertEqual(self.rows(), ["Card 50", "Visa", browser.programs.pan(50)[-4:], "1"])


del Case

if __name__ == "__main__":
    unittest.main()
