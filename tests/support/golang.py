"""Go programs that tests build: what they are made from lies in a folder of tests/clients, pinned by its go.sum, and is kept in build/clients."""
import os
import shutil
import subprocess

import servers

HERE = os.path.join(servers.TOP, "tests", "clients")
MADE = os.path.join(servers.TOP, "build", "clients")


def environment():
    return servers.clean_environment() | {
        "GOFLAGS": "-mod=mod -buildvcs=false -modcacherw", "GOCACHE": os.path.join(MADE, "go-cache"),
        "GOMODCACHE": os.path.join(MADE, "go-modules"), "CGO_ENABLED": "0"}


def run(name, *argv):
    """What `go ARGV` says in a copy of the folder: nothing is written into the source, and the sums must be those that are pinned."""
    go = shutil.which("go") or "/usr/local/go/bin/go"
    source, copy = os.path.join(HERE, name), os.path.join(MADE, name)
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(source, copy)
    done = subprocess.run([go, *argv], env=environment(), cwd=copy, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=1800)
    if done.returncode:
        raise AssertionError(f"go {argv[0]} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    for file in ("go.mod", "go.sum"):
        with open(os.path.join(source, file)) as ours, open(os.path.join(copy, file)) as now:
            if ours.read() != now.read():
                raise AssertionError(f"{name}/{file} does not pin everything")
    return done.stdout
