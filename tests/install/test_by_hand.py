"""README's "By hand" and the commands of docs/DEVELOPING.md, in fresh clones (with BULLA_TEST_LONG, for each builds everything)."""
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import docs  # noqa: E402
import servers  # noqa: E402

LONG = unittest.skipUnless(os.environ.get("BULLA_TEST_LONG"), "a long one: bin/test --long")
PACKAGES, BUILD = docs.commands(docs.text("README.md").split("## By hand")[1].split("To play,")[0])
DEVELOPING = docs.commands(docs.text("docs/DEVELOPING.md"))


@contextlib.contextmanager
def fresh_clone():
    with servers.temporary_folder() as folder:
        subprocess.run(["git", "-c", "advice.detachedHead=false", "clone", "-q", "--no-hardlinks", servers.TOP, f"{folder}/bulla"], check=True)
        yield folder, f"{folder}/bulla"


class ByHand(unittest.TestCase):
    def succeed(self, command, folder, **env):
        done = subprocess.run(["bash", "-c", command], cwd=folder, env=os.environ | env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        self.assertEqual(done.returncode, 0, done.stdout[-4000:])
        return done.stdout

    @unittest.skipUnless(shutil.which("apt-get"), "no Debian")
    def test_packages(self):
        """They exist, and go together: the command as it stands, on trial."""
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as f:
            f.write('APT::Get::Simulate "true";\nAPT::Get::Assume-Yes "true";\nDebug::NoLocking "true";\n')
            f.flush()
            self.succeed(PACKAGES[0], "/", APT_CONFIG=f.name)

    @LONG
    def test_readme(self):
        """Without Check: no program that needs it is built."""
        with fresh_clone() as (folder, clone):
            found = subprocess.run(["pkg-config", "--variable", "pc_path", "pkg-config"], capture_output=True, text=True).stdout.strip()
            os.mkdir(f"{folder}/pc")
            for path in reversed(found.split(":")):
                for name in os.listdir(path) if os.path.isdir(path) else ():
                    if name != "check.pc":
                        with contextlib.suppress(FileExistsError):
                            os.symlink(os.path.join(path, name), f"{folder}/pc/{name}")
            said = self.succeed(BUILD[0], clone, PKG_CONFIG_LIBDIR=f"{folder}/pc", DESTDIR=f"{folder}/root")
            self.assertIn("unit tests no", said)
            self.assertIn("Bulla v", self.succeed("usr/local/bin/bulla version", f"{folder}/root"))

    @LONG
    def test_developing(self):
        with fresh_clone() as (_, clone):
            self.succeed(DEVELOPING[0][0], clone)
            self.succeed("mkdir b && cd b && ../configure && make", clone)
            shutil.rmtree(f"{clone}/b")
            self.succeed(DEVELOPING[1][0], clone)

    @unittest.skipUnless(os.path.isdir(os.path.join(servers.TOP, "..", "shared", "conformance")), "../shared/conformance is not there")
    def test_one_case(self):
        address = f"127.0.0.1:{servers.free_port()}"
        start, check = (command.replace("127.0.0.1:8200", address) for command, _ in DEVELOPING[2:])
        with servers.temporary_folder() as home:
            env = {"BULLA_ADDR": f"http://{address}", "HOME": home}
            script = f"{start.removesuffix(' &')} -dev-listen-address={address} >/dev/null 2>&1 & trap \"kill $!\" EXIT\n" \
                     f"until build/plain/src/bulla status >/dev/null 2>&1; do sleep 0.05; done\n{check}"
            self.assertIn("passed, 0 failed", self.succeed(script, servers.TOP, **env))

    @LONG
    @unittest.skipUnless(shutil.which("clang"), "no clang")
    def test_fuzz(self):
        with servers.temporary_folder() as folder:
            self.succeed(f"{servers.TOP}/tests/fuzz/run.sh json -max_total_time=60".replace("=60", "=1"), folder)


if __name__ == "__main__":
    unittest.main()
