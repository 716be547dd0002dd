#!/usr/bin/env python3
"""Random operations on Bulla and on a real `bao`: the answers must agree (../shared/conformance/fuzz.py says how).

What docs/COMPATIBILITY.md lists is left out; steps and seed can be chosen."""
import argparse
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.abspath(os.path.join(HERE, "..", ".."))
sys.path.insert(0, os.path.join(TOP, "tests", "support"))
import servers  # noqa: E402


# What docs/COMPATIBILITY.md lists: answers of the reference whose text is Go's own.
LISTED = [r"invalid character .* looking for", r"unexpected end of JSON input", r"json: cannot unmarshal"]


def but_listed(differ):
    """differ, where an answer with a listed text needs only the same status."""
    def compare(step, a, b, va, vb, lenient):
        if a.get("status") == b.get("status") and a.get("status", 0) >= 400 and any(re.search(x, str(a.get("body"))) for x in LISTED):
            return []
        return differ(step, a, b, va, vb, lenient)
    return compare


def without_listed(gen):
    """Takes out of the steps what answers differently on purpose: a rewrap with associated data. And what is a matter of chance: "v1" means
    the version, but is also found in one of six random texts of 512 bytes."""
    step = gen.step

    def plain(self):
        s = step(self)
        body = s.get("body")
        if "/rewrap/" in s["req"] and isinstance(body, dict):
            batch = body.get("batch_input")
            for part in [body] + (batch if isinstance(batch, list) else []):
                if isinstance(part, dict):
                    part.pop("associated_data", None)
        for name, value in (s.get("set") or {}).items():
            if isinstance(value, list) and value[0] == "replace" and value[2] == "v1":
                s["set"][name] = ["replace", value[1], ":v1:", f":{value[3]}:"]
        return s
    gen.step = plain


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--shared", default=os.path.join(TOP, "..", "shared"), help="the folder that holds conformance/")
    parser.add_argument("--bao", required=True, help="the real server's program")
    parser.add_argument("--bulla", help="the program; default: $BULLA_BIN, src/bulla")
    parser.add_argument("--steps", default="600")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--differences", default="5", help="stop after so many")
    args = parser.parse_args()
    if args.bulla:
        os.environ["BULLA_BIN"] = args.bulla
    sys.dont_write_bytecode = True
    sys.path.insert(0, os.path.join(args.shared, "conformance"))
    import fuzz
    without_listed(fuzz.Gen)
    fuzz.differ = but_listed(fuzz.differ)
    with servers.bulla_dev() as bulla, servers.bao_dev(args.bao) as bao:
        sys.argv = ["fuzz.py", "--addr", bulla.url, "--token", bulla.token, "--ref-addr", bao.url, "--ref-token", bao.token,
                    "--steps", args.steps, "--seed", args.seed, "--differences", args.differences]
        return fuzz.main()


if __name__ == "__main__":
    sys.exit(main())
