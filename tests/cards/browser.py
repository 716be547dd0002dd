"""A headless Chromium, driven over its DevTools pipe. Standard library only."""
import base64
import hashlib
import json
import os
import shutil
import ssl
import subprocess
import tempfile

import programs


def find():
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def key_hash(pem):
    """What Chromium calls the SPKI of a certificate: base64 of the SHA-256 of its public key."""
    public = subprocess.run(["openssl", "x509", "-in", pem, "-noout", "-pubkey"], check=True, capture_output=True, text=True).stdout
    return base64.b64encode(hashlib.sha256(ssl.PEM_cert_to_DER_cert(public.replace("PUBLIC KEY", "CERTIFICATE"))).digest()).decode()


class Browser:
    """One page. It trusts one certificate besides the system's."""

    def __init__(self, certificate):
        self.folder = tempfile.mkdtemp(prefix="bulla-browser-")
        self.options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions",
                        "--disable-background-networking", "--no-proxy-server", f"--user-data-dir={self.folder}",
                        f"--ignore-certificate-errors-spki-list={key_hash(certificate)}"]
        self.last, self.events, self.session = 0, [], None
        self.process = None

    def dump(self, url):
        """The page's document after it was loaded, as the browser prints it."""
        done = subprocess.run([find(), *self.options, "--dump-dom", url], capture_output=True, timeout=programs.WAIT_S)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    def open(self, url):
        if self.process is None:
            self.start()
        self.ask("Page.navigate", url=url)
        self.loaded()

    def start(self):
        theirs_in, self.out = os.pipe()
        self.into, theirs_out = os.pipe()
        command = 'exec "$@" 3<&%d 4>&%d' % (theirs_in, theirs_out)
        self.process = subprocess.Popen(["bash", "-c", command, "bash", find(), *self.options, "--remote-debugging-pipe", "about:blank"],
                                        pass_fds=(theirs_in, theirs_out), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        os.close(theirs_in)
        os.close(theirs_out)
        self.reader = os.fdopen(self.into, "rb")
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Log", "Runtime"):
            self.ask(f"{domain}.enable")

    def receive(self):
        text = bytearray()
        while (c := self.reader.read(1)) != b"\0":
            assert c, "the browser ended"
            text += c
        return json.loads(text)

    def ask(self, method, **params):
        self.last += 1
        message = {"id": self.last, "method": method, "params": params} | ({"sessionId": self.session} if self.session else {})
        os.write(self.out, json.dumps(message).encode() + b"\0")
        while True:
            got = self.receive()
            if got.get("id") == self.last:
                assert "error" not in got, got
                return got["result"]
            self.events.append(got)

    def loaded(self):
        """Waits for the end of a load that has been asked for; forgets what came before."""
        while not any(e["method"] == "Page.loadEventFired" for e in self.events):
            self.events.append(self.receive())
        self.events = [e for e in self.events if e["method"] != "Page.loadEventFired"]

    def value(self, script):
        got = self.ask("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in got, got
        return got["result"].get("value")

    def complaints(self):
        """What the console would show: violations of the page's policy, and errors."""
        return [e["params"] for e in self.events if e["method"] in ("Log.entryAdded", "Runtime.exceptionThrown")]

    def close(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.reader.close()
            os.close(self.out)
        shutil.rmtree(self.folder, ignore_errors=True)
