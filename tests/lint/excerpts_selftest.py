#!/usr/bin/env python3
"""excerpts.py finds what it is to find, and nothing else."""
import pathlib
import subprocess
import sys
import tempfile
import textwrap

LINT = pathlib.Path(__file__).with_name("excerpts.py")
SOURCE = "int a;\n\nint f(void)\n{\n\treturn a;\n}\n"
GOOD = "<!-- of lib/f.c -->\n```c\nint f(void)\n{\n\treturn a;\n}\n```\n"
BAD = [
    GOOD.replace("return a", "return b"),                    # changed
    GOOD.replace("int f(void)\n{", "int f(void)\n\n{"),      # not one after another
    GOOD.replace("\treturn", "    return"),
    GOOD.replace("int f", "t f"),                            # half a line
    GOOD.replace("lib/f.c", "lib/g.c"),                      # no such file
    GOOD.replace("-->\n```c", "-->\n\n```c"),                # the block does not follow
]


def found(page):
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        (root / "docs").mkdir()
        (root / "lib").mkdir()
        (root / "lib/f.c").write_text(SOURCE)
        (root / "docs/A.md").write_text("# A\n\n" + page)
        return subprocess.run([sys.executable, LINT, root], capture_output=True, text=True)


def main():
    good = found(GOOD + "\n```c\nint anything;\n```\n" + GOOD)
    if good.returncode != 0 or good.stdout:
        print(textwrap.indent(good.stdout + good.stderr, "good: "))
        return 1
    for page in BAD:
        bad = found(page)
        if bad.returncode != 1 or not bad.stdout.startswith("docs/A.md: "):
            print("not found in:\n" + page + bad.stdout + bad.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
