#!/usr/bin/env python3
"""Writes printable_table.h, the code points that Go's unicode.IsPrint takes: letters, marks, numbers, punctuation, symbols and the space.
OpenBao 2.7.2 is built with a Go whose tables are Unicode 17's. Run with unicodedata2 of that version: printable.py >printable_table.h"""
import sys

import unicodedata2 as unicode

VERSION = "17.0.0"
PER_LINE = 16


def is_printable(code):
    return code == 0x20 or unicode.category(chr(code))[0] in "LMNPS"


def edges():
    """Where printable ones begin and where they end, in turn."""
    before, found = False, []
    for code in range(0x110000):
        if is_printable(code) != before:
            before = not before
            found.append(code)
    return found


def text():
    codes = edges()
    lines = [", ".join(f"0x{c:X}" for c in codes[i:i + PER_LINE]) for i in range(0, len(codes), PER_LINE)]
    return (f"/* printable_table.h: by printable.py from Unicode {VERSION}. Where printable code points begin and end, in turn. */\n"
            "static const uint32_t edges[] = {\n" + "".join(f"\t{line},\n" for line in lines) + "};\n")


if __name__ == "__main__":
    if unicode.unidata_version != VERSION:
        sys.exit(f"printable.py: this is Unicode {unicode.unidata_version}, {VERSION} is wanted")
    sys.stdout.write(text())
