#!/usr/bin/env python3
"""What the docs quote of the source stands there: excerpts.py [ROOT]

A block of C in docs/*.md that follows a line <!-- of FILE --> is lines of that file, as they are, one after another. excerpts_selftest.py shows
that others are caught.
"""
import pathlib
import re
import sys

EXCERPT = re.compile(r"^<!-- of (\S+) -->\n```c\n(.*?)^```$", re.S | re.M)


def findings(root):
    for page in sorted((root / "docs").glob("*.md")):
        text = page.read_text()
        excerpts = EXCERPT.findall(text)
        if "<!-- of " in text and len(excerpts) != text.count("<!-- of "):
            yield f"docs/{page.name}: an excerpt whose block does not follow its line"
        for name, lines in excerpts:
            source = root / name
            if not source.is_file():
                yield f"docs/{page.name}: quotes {name}, which is not there"
            elif "\n" + lines not in "\n" + source.read_text():
                yield f"docs/{page.name}: {name} has changed since it was quoted: {lines.splitlines()[0]}"


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[2])
    found = list(findings(root))
    for finding in found:
        print(finding)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
