#!/usr/bin/env python3
"""Plays the recorded conformance corpus against Bulla, and against a real `bao` so that the corpus itself stays honest.

Every case passes, or stands in pending.txt ("feature/name", one a line, # for comments). A pending case that passes is an
error too: the list can only shrink. The real server must pass every case. Then keys and what was made with them go both ways."""
import argparse
import contextlib
import glob
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.abspath(os.path.join(HERE, "..", ".."))
sys.path.insert(0, os.path.join(TOP, "tests", "support"))
import servers  # noqa: E402


ENVIRONMENT = os.environ | {"CONFORM_TIMEOUT": "300"}  # a key of RSA may take long on a busy machine


def play_once(shared, server, *options):
    folder = os.path.join(shared, "conformance", "cases", "public")
    with tempfile.NamedTemporaryFile(suffix=".json") as out:
        run = subprocess.run([sys.executable, os.path.join(shared, "conformance", "conform.py"), "check", "--addr", server.url,
                              "--token", server.token, "--cases", folder, "--blocks", "1000", "--json", out.name, *options],
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=1800, env=ENVIRONMENT)
        with open(out.name) as f:
            text = f.read()
    if not text:
        raise SystemExit(f"the corpus could not be played:\n{run.stdout}")
    return {name: case["ok"] for name, case in json.loads(text)["cases"].items()}, run.stdout


def timed_cases(shared):
    """Those that let time pass: a token of one second is used before it ends."""
    for path in glob.glob(os.path.join(shared, "conformance", "cases", "public", "*.json")):
        with open(path) as f:
            document = json.load(f)
        for case in document.get("cases", []):
            if any("sleep" in step for step in case["steps"]):
                yield f"{document['feature']}/{case['name']}"


def play(shared, server, pending=()):
    """Runs the corpus; gives {case: passed} and the text that conform.py printed.
    Four cases run at once. One that lets time pass may have had to wait for the others: if it fails, it is played again, alone."""
    cases, text = play_once(shared, server, "--jobs", "4")
    for name in timed_cases(shared):
        for _ in range(3):
            if cases.get(name, True) or name in pending:
                break
            again, _ = play_once(shared, server, "--jobs", "1", "--only", name)
            cases[name] = again[name]
    return cases, text


def read_pending():
    with open(os.path.join(HERE, "pending.txt")) as f:
        lines = [line.split("#")[0].strip() for line in f]
    return [line for line in lines if line]


def blocks_of(text, names):
    """The printed differences of the named cases."""
    blocks = text.split("\nMISMATCH ")
    return "\n".join("MISMATCH " + b for b in blocks[1:] if b.split()[0] in names)


def check_bulla(shared, pending):
    with servers.bulla_dev() as server:
        cases, text = play(shared, server, pending)
    failed = {name for name, ok in cases.items() if not ok}
    unexpected = sorted(failed - set(pending))
    passing = sorted(name for name in pending if cases.get(name))
    unknown = sorted(name for name in pending if name not in cases)
    print(f"bulla: {len(cases) - len(failed)} of {len(cases)} cases pass, {len(pending)} are pending")
    if unexpected:
        print(blocks_of(text, unexpected))
        print("these cases fail and are not pending:\n  " + "\n  ".join(unexpected))
    if passing:
        print("these cases pass: take them out of pending.txt:\n  " + "\n  ".join(passing))
    if unknown:
        print("these pending cases do not exist:\n  " + "\n  ".join(unknown))
    if len(pending) != len(set(pending)):
        print("pending.txt names a case twice")
        return False
    return not unexpected and not passing and not unknown


def check_bao(shared, bao):
    with servers.bao_dev(bao) as server:
        cases, text = play(shared, server)
    failed = sorted(name for name, ok in cases.items() if not ok)
    print(f"bao: {len(cases) - len(failed)} of {len(cases)} cases pass")
    if failed:
        print(blocks_of(text, failed))
        print("the real server fails:\n  " + "\n  ".join(failed))
    return not failed


def check_interop(shared, bao):
    """Keys, ciphertexts, signatures and HMACs of the real server work here; with its program, ours there, too."""
    command = [sys.executable, os.path.join(shared, "conformance", "conform.py"), "interop"]
    with contextlib.ExitStack() as running:
        server = running.enter_context(servers.bulla_dev())
        command += ["--addr", server.url, "--token", server.token]
        if bao:
            reference = running.enter_context(servers.bao_dev(bao))
            command += ["--reference", reference.url, "--ref-token", reference.token]
        run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=1800, env=ENVIRONMENT)
    print(run.stdout if run.returncode else run.stdout.splitlines()[-1])
    return run.returncode == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bulla", help="the program; default: $BULLA_BIN, src/bulla")
    parser.add_argument("--bao", help="the real server's program; without it only Bulla is checked")
    parser.add_argument("--shared", default=os.path.join(TOP, "..", "shared"))
    args = parser.parse_args()
    if args.bulla:
        os.environ["BULLA_BIN"] = args.bulla
    good = check_bulla(args.shared, read_pending())
    if args.bao:
        good = check_bao(args.shared, args.bao) and good
    good = check_interop(args.shared, args.bao) and good
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
