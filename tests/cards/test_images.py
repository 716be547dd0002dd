"""docker-compose.yml and the images: compose's own reading of the file; and where buildah is, every image is built on a base that debootstrap
made, and the topology of the compose file is played with them: certificates, Bulla, setup, card API, processor, rotation."""
import base64
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import time
import unittest

import world
from world import servers

# where the images are kept from run to run, so that the base need not be made again; without it they go when the tests end
CACHE = os.environ.get("BULLA_IMAGES")
TARGETS = ("bulla", "card-api", "card-processor", "setup")
USER = 10001
GARDEL = {"name": "Carlos Gardel", "pan": "4539296620131157"}
TROILO = {"name": "Aníbal Troilo", "pan": "5500005555555559"}


def compose_command():
    """docker-compose, or docker with its plugin; None: neither."""
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    if shutil.which("docker") and subprocess.run(["docker", "compose", "version"], capture_output=True).returncode == 0:
        return ["docker", "compose"]
    return None


class Compose(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        command = compose_command()
        if command is None:
            raise unittest.SkipTest("neither docker-compose nor docker compose is installed")
        base = [*command, "-f", "docker-compose.yml", "--profile", "processor", "--profile", "rotate", "config"]
        done = subprocess.run([*base, "--format", "json"], cwd=servers.TOP, capture_output=True, text=True)
        if not done.stdout.startswith("{"):  # the older program prints YAML only
            done = subprocess.run(base, cwd=servers.TOP, capture_output=True, text=True)
        if done.returncode != 0:
            raise AssertionError(done.stderr)
        cls.text = done.stdout

    def services(self):
        """YAML is read with the reader that the older program itself brings along."""
        if self.text.startswith("{"):
            return json.loads(self.text)["services"]
        done = subprocess.run(["/usr/bin/python3", "-c", "import json, sys, yaml; json.dump(yaml.safe_load(sys.stdin), sys.stdout)"],
                              input=self.text, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)["services"]

    def test_hardened(self):
        services = self.services()
        self.assertEqual(set(services), {"certificates", "bulla", "setup", "card-api", "card-processor", "rotate"})
        for name, service in services.items():
            with self.subTest(name):
                self.assertIs(service["read_only"], True)
                self.assertEqual(service["user"], f"{USER}:{USER}")
                self.assertEqual(service["cap_drop"], ["ALL"])
                self.assertEqual(service["ulimits"]["core"], 0)
                self.assertEqual(service["security_opt"], ["no-new-privileges:true"])
                self.assertEqual(service.get("cap_add"), ["IPC_LOCK"] if name == "bulla" else None)
                self.assertNotIn("privileged", service)
                for key, value in (service.get("environment") or {}).items():  # secrets are in files
                    self.assertTrue(key.endswith(("_FILE", "_ADDR", "_URL", "_CACERT", "_LISTEN", "_TLS_CERT", "_TLS_KEY", "_DB")), key)
                    self.assertNotIn("http://", str(value))
        self.assertEqual([n for n, s in services.items() if s.get("ports")], ["card-api"])
        self.assertEqual({n for n, s in services.items() if s.get("healthcheck")}, {"bulla", "card-api"})
        self.assertEqual({n for n, s in services.items() if s.get("profiles")}, {"card-processor", "rotate"})
        self.assertEqual([n for n, s in services.items() if s.get("secrets")], ["bulla"])
        self.assertEqual([n for n, s in services.items() if s.get("logging", {}).get("driver") == "none"], ["card-processor"])  # prints PANs

    def test_who_sees_what(self):
        """The CA's key and the root token are setup's; each program's role is its own."""
        seen = {}
        for name, service in self.services().items():
            for volume in service["volumes"]:
                text = volume if isinstance(volume, str) else volume["source"] + ":"
                seen.setdefault(text.split(":")[0], set()).add(name)
        self.assertEqual(seen["ca"], {"certificates"})
        self.assertEqual(seen["operator"], {"setup"})
        self.assertEqual(seen["bulla-data"], {"bulla"})
        self.assertEqual(seen["bulla-tls"], {"certificates", "bulla"})
        self.assertEqual(seen["role-card-api"], {"setup", "card-api"})
        self.assertEqual(seen["role-card-processor"], {"setup", "card-processor"})
        self.assertEqual(seen["role-card-rotator"], {"setup", "rotate"})
        self.assertEqual(seen["cards"], {"card-api", "rotate"})


class Buildah:
    """buildah with a storage of its own, without a daemon and without namespaces that this machine may not have."""

    def __init__(self, folder):
        self.command = ["buildah", "--storage-driver", "vfs", "--root", os.path.join(folder, "storage"), "--runroot", os.path.join(folder, "run")]

    def __call__(self, *args, timeout=1500, **kw):
        done = subprocess.run([*self.command, *args], capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL, cwd=servers.TOP, **kw)
        if done.returncode != 0:
            raise AssertionError(f"buildah {' '.join(args)}: {done.stdout[-3000:]}{done.stderr[-6000:]}")
        return done.stdout.strip()

    def has(self, image):
        return subprocess.run([*self.command, "inspect", "--type", "image", image], capture_output=True).returncode == 0

    def make_base(self):
        """What debian:bookworm-slim is elsewhere."""
        container = self("from", "scratch")
        try:
            root = self("mount", container)
            done = subprocess.run(["debootstrap", "--variant=minbase", "bookworm", root], capture_output=True, text=True, timeout=900)
            if done.returncode != 0:
                raise unittest.SkipTest("debootstrap makes no base here: " + done.stdout[-300:] + done.stderr[-300:])
            for folder, name in (("var/cache/apt", "archives"), ("var/lib/apt", "lists")):
                shutil.rmtree(os.path.join(root, folder, name), ignore_errors=True)
            self("umount", container)
            self("commit", "-q", container, "localhost/base")
        finally:
            self("rm", container)


def stages(text):
    """The stages of a Dockerfile, each as one of its own on the images of those before: so each is built once, and not for every target."""
    known = []
    for part in re.split(r"(?m)^(?=FROM )", text)[1:]:
        source, name = re.match(r"FROM (\S+) AS (\S+)\n", part).groups()
        if source not in known and source != "${BASE}":
            raise AssertionError(f"stage {name} is based on {source}")
        others = sorted(set(re.findall(r"--from=(\S+)", part)))
        head = "".join(f"FROM localhost/{other} AS {other}\n" for other in others)
        base = "localhost/" + (source if source in known else "base")
        yield name, head + f"FROM {base} AS {name}\n" + part.split("\n", 1)[1]
        known.append(name)


class Images(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        for program in ("buildah", "debootstrap", "openssl"):
            if shutil.which(program) is None:
                raise unittest.SkipTest(f"{program} is not installed")
        if os.getuid() != 0:
            raise unittest.SkipTest("chroot isolation and debootstrap need root")
        folder = CACHE or servers.tempfile.mkdtemp(prefix="bulla-images-")
        os.makedirs(folder, exist_ok=True)
        if CACHE is None:
            cls.addClassCleanup(shutil.rmtree, folder, ignore_errors=True)
        cls.buildah = Buildah(folder)
        if not cls.buildah.has("localhost/base"):
            cls.buildah.make_base()
        for name, text in stages(world.read(os.path.join(servers.TOP, "api", "docker", "Dockerfile")).decode()):
            path = world.write(os.path.join(folder, f"Dockerfile.{name}"), text, 0o644)
            cls.buildah("bud", "--isolation", "chroot", "--format", "docker", "--layers=false", "-q", "-f", path, "-t", f"localhost/{name}", ".")

    def setUp(self):
        self.folder = servers.tempfile.mkdtemp(prefix="bulla-images-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        os.chmod(self.folder, 0o755)
        self.running, self.containers = [], []
        self.begin = time.time()
        self.addCleanup(self.stop_all)

    def volume(self, name):
        """An empty volume gets its owner from the image's folder, as with a container engine."""
        path = os.path.join(self.folder, name)
        if not os.path.exists(path):
            os.mkdir(path, 0o700)
            os.chown(path, USER, USER)
        return path

    def container(self, image, volumes, env):
        name = self.buildah("from", "--cap-drop", "ALL", "--cap-add", "CAP_IPC_LOCK", image)
        self.containers.append(name)
        options = []
        for volume, where in volumes.items():
            path = volume if volume.startswith("/") else self.volume(volume)
            options += ["-v", f"{path}:{where}"]
        for key, value in env.items():
            options += ["--env", f"{key}={value}"]
        return name, ["run", "--isolation", "chroot", *options, name, "--"]

    def once(self, image, volumes, env, *command):
        """Runs to the end; gives what it printed."""
        return self.buildah(*self.container(image, volumes, env)[1], *command)

    def start(self, image, volumes, env, *command):
        name, argv = self.container(image, volumes, env)
        log = open(os.path.join(self.folder, image + ".log"), "ab")
        self.addCleanup(log.close)
        process = subprocess.Popen([*self.buildah.command, *argv, *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=servers.TOP,
                                   start_new_session=True)
        self.running.append(process)
        return name, process

    def stop_running(self):
        for process in reversed(self.running):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self.running = []

    def stop_all(self):
        self.stop_running()
        for name in self.containers:
            subprocess.run([*self.buildah.command, "rm", name], capture_output=True)

    def until(self, what, process, image):
        end = time.monotonic() + 120
        while not what():
            if process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"{image} did not start:\n" + world.read(os.path.join(self.folder, image + ".log")).decode())
            time.sleep(0.2)

    def written(self):
        """Files that the programs wrote outside of their volumes and /tmp: with a read-only root file system they could not."""
        found = []
        for name in self.containers:
            root = self.buildah("mount", name)
            for folder, folders, names in os.walk(root):
                if folder == root:
                    folders[:] = [f for f in folders if f not in ("dev", "proc", "run", "sys", "tmp")]
                paths = [os.path.join(folder, n) for n in names if n not in ("hosts", "resolv.conf", "hostname")]
                found += [p[len(root):] for p in paths if os.path.isfile(p) and not os.path.islink(p) and os.lstat(p).st_mtime > self.begin]
            self.buildah("umount", name)
        return found

    def config(self, image):
        return json.loads(self.buildah("inspect", "--type", "image", image))["Docker"]["config"]

    def test_configuration(self):
        for target in TARGETS:
            with self.subTest(target):
                config = self.config(target)
                self.assertEqual(config["User"], f"{USER}:{USER}")
                self.assertFalse(config.get("Volumes"))
                for line in config["Env"]:
                    self.assertRegex(line, r"^(PATH|BULLA_ADDR|BULLA_CACERT|CARD_API_URL|CARD_API_CACERT)=")
        self.assertEqual(self.config("bulla")["Healthcheck"]["Test"], ["CMD", "bulla", "status"])
        self.assertEqual(self.config("card-api")["Healthcheck"]["Test"], ["CMD", "card-api", "health"])

    def test_no_tools_are_left(self):
        """The compiler and the sources stay in the builder; a program has no more than it needs."""
        for target, programs in {"bulla": {"bulla"}, "card-api": {"card-api"}, "card-processor": {"card-processor"},
                                 "setup": {"bulla", "card-api"}}.items():
            said = self.once(target, {}, {}, "sh", "-c", "ls /usr/bin; ls -d /source 2>/dev/null; id -u")
            names = set(said.split())
            with self.subTest(target):
                self.assertEqual(names & {"bulla", "card-api", "card-processor"}, programs, said)
                self.assertFalse(names & {"gcc", "make", "autoconf", "/source"})
                self.assertIn(str(USER), names)

    def test_topology(self):
        bulla_port, api_port = servers.free_port(), servers.free_port()
        bulla_url, api_url = f"https://127.0.0.1:{bulla_port}", f"https://127.0.0.1:{api_port}"
        text = world.read(os.path.join(servers.TOP, "api", "docker", "bulla.hcl")).decode()
        for old, new in (("0.0.0.0:8200", f"127.0.0.1:{bulla_port}"), ("https://bulla:8200", bulla_url)):
            self.assertIn(old, text)
            text = text.replace(old, new)
        config = world.write(os.path.join(self.folder, "bulla.hcl"), text, 0o644)
        seal = world.write(os.path.join(self.folder, "seal.key"), base64.b64encode(os.urandom(32)), 0o400)
        os.chown(seal, USER, USER)

        said = self.once("setup", {"ca": "/ca", "trust": "/trust", "bulla-tls": "/tls/bulla", "card-api-tls": "/tls/card-api"}, {},
                         "/opt/bulla/api/docker/setup.sh", "certificates")
        self.assertIn("made a certificate for card-api", said)

        bulla_volumes = {"bulla-data": "/var/lib/bulla", "bulla-audit": "/var/log/bulla", "bulla-tls": "/tls", "trust": "/trust",
                         seal: "/run/secrets/seal_key", config: "/etc/bulla/bulla.hcl"}
        client = {"BULLA_ADDR": bulla_url, "BULLA_CACERT": "/trust/ca.pem"}
        name, bulla = self.start("bulla", bulla_volumes, {}, "bulla", "server", "-config=/etc/bulla/bulla.hcl")
        ca = os.path.join(self.folder, "trust", "ca.pem")
        context = servers.ssl.create_default_context(cafile=ca)
        server = servers.Server([], f"127.0.0.1:{bulla_port}", None, context)
        self.addCleanup(server.close)

        def answers():
            try:
                return server.get("sys/health").status == 501
            except OSError:
                return False

        self.until(answers, bulla, "bulla")
        roles = {f"role-{role}": f"/roles/{role}" for role in world.ROLES}
        setup_volumes = {"trust": "/trust", "operator": "/operator", "callers": "/callers"} | roles
        for _ in range(2):
            said = self.once("setup", setup_volumes, client, "/opt/bulla/api/docker/setup.sh", "prepare")
            self.assertIn("setup: done", said)
            self.assertIn("the server is Bulla", said)
        self.assertEqual(subprocess.run([*self.buildah.command, "run", "--isolation", "chroot", "-v", f"{self.folder}/trust:/trust", "--env",
                                         f"BULLA_ADDR={bulla_url}", name, "--", "bulla", "status"], capture_output=True).returncode, 0)

        vault = {"CARD_VAULT_ADDR": bulla_url, "CARD_VAULT_CACERT": "/trust/ca.pem", "CARD_ROLE_ID_FILE": "/role/role-id",
                 "CARD_SECRET_ID_FILE": "/role/secret-id"}
        api_env = vault | {"CARD_LISTEN": f"127.0.0.1:{api_port}", "CARD_TLS_CERT": "/tls/server.pem", "CARD_TLS_KEY": "/tls/server.key",
                           "CARD_DB": "/var/lib/cards/cards.db", "CARD_API_TOKEN_FILE": "/callers/token"}
        caller = {"CARD_API_URL": api_url, "CARD_API_CACERT": "/trust/ca.pem", "CARD_API_TOKEN_FILE": "/callers/token"}
        api_volumes = {"cards": "/var/lib/cards", "card-api-tls": "/tls", "trust": "/trust", "callers": "/callers", "role-card-api": "/role"}
        name, api = self.start("card-api", api_volumes, api_env, "card-api")
        token = world.read(os.path.join(self.folder, "callers", "token")).decode().strip()

        def call(method, path, body=None):
            connection = servers.http.client.HTTPSConnection("127.0.0.1", api_port, context=context, timeout=60)
            connection.request(method, path, body=None if body is None else json.dumps(body).encode(),
                               headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"})
            answer = connection.getresponse()
            try:
                return answer.status, json.loads(answer.read())
            finally:
                connection.close()

        def healthy():
            try:
                return call("GET", "/health")[0] == 200
            except OSError:
                return False

        self.until(healthy, api, "card-api")
        self.assertEqual(call("POST", "/credit-cards/", GARDEL)[0], 201)
        rotator = vault | {"CARD_DB": "/var/lib/cards/cards.db", "CARD_ROLE_ID_FILE": "/roles/card-rotator/role-id",
                           "CARD_SECRET_ID_FILE": "/roles/card-rotator/secret-id"}
        said = self.once("setup", {"cards": "/var/lib/cards", "trust": "/trust", "role-card-rotator": "/roles/card-rotator"}, rotator,
                         "/opt/bulla/api/docker/setup.sh", "rotate", "-w", "-m")
        self.assertIn("rotated from version 1 to 2", said)
        self.assertIn("rewrapped 1 of 1 cards to version 2", said)
        status, card = call("POST", "/credit-cards/", TROILO)
        self.assertEqual(status, 201)
        self.assertTrue(card["pan"].startswith("vault:v2:"))
        said = self.once("card-processor", {"trust": "/trust", "callers": "/callers", "role-card-processor": "/role"}, vault | caller, "card-processor")
        self.assertEqual(said.splitlines(), ["Processing CARLOS GARDEL card with number 4539296620131157",
                                             "Processing ANÍBAL TROILO card with number 5500005555555559"])
        with sqlite3.connect(os.path.join(self.folder, "cards", "cards.db")) as db:
            self.assertEqual({row[0][:9] for row in db.execute("SELECT ciphertext FROM cards")}, {"vault:v2:"})
        db.close()
        self.stop_running()
        self.assertEqual(self.written(), [])
        self.once("setup", {}, {}, "sh", "-c", "echo this would be seen >/var/tmp/seen")
        self.assertEqual(self.written(), ["/var/tmp/seen"])


if __name__ == "__main__":
    unittest.main()
