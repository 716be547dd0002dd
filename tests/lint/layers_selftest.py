#!/usr/bin/env python3
"""That layers.py catches what it is for: each offence, planted alone in a clean tree, is the one complaint; and the clean
tree has none."""
import os
import pathlib
import shlex
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.dont_write_bytecode = True
import layers  # noqa: E402

CLEAN = {
    "lib/bulla.h": '#ifndef A_H\n#define A_H\n#include <bulla/bytes.h>\n#include <bulla/seal.h>\n#endif\n',
    "lib/bulla/bytes.h": '#ifndef B_H\n#define B_H\n#include <stddef.h>\nstruct bytes { size_t n; };\n#endif\n',
    "lib/bulla/seal.h": '#ifndef S_H\n#define S_H\n#include "bytes.h"\nint seal(struct bytes);\n#endif\n',
    "lib/base/bytes.c": '#include <sodium.h>\n#include "bulla/bytes.h"\n#include "config.h"\n',
    "lib/base/rcu.h": '#include <urcu/urcu-memb.h>\n',
    "lib/crypto/crypto.h": '#include "bulla/bytes.h"\n',
    "lib/crypto/evp.c": '#include "crypto/crypto.h"\n#include <openssl/evp.h>\n',
    "lib/seal/internal.h": '#include "bulla/seal.h"\n',
    "lib/seal/seal.c": '#include "internal.h"\n#include "crypto/crypto.h"\n/* #include "engine_private.h" */\n',
    "lib/store/store_sqlite.c": '#include <sqlite3.h>\n',
    "lib/engine.c": '#include "seal/internal.h"\n',
    "src/main.c": '#include "commands/cli.h"\n',
    "src/request/json.h": '#include <bulla.h>\n',
    "src/handlers/crypt.c": '#include "http/routes.h"\n#include "request/json.h"\n#include <bulla/seal.h>\n',
    "src/http/routes.h": '#include "request/json.h"\n',
    "src/http/serve.h": '#include <sys/socket.h>\n',
    "src/http/httpd_loop.c": '#include <microhttpd.h>\n',
    "src/http/tls.c": '#include <gnutls/x509.h>\n',
    "src/commands/cli.h": '#include <jansson.h>\n',
    "src/commands/client.c": '#include <curl/curl.h>\n#include "http/serve.h"\n',
}

# file, the line planted at its end, and a word of the complaint
OFFENCES = [
    ("lib/base/bytes.c", '#include "crypto/crypto.h"', "higher"),
    ("lib/base/bytes.c", '#include <crypto/crypto.h>', "higher"),
    ("lib/base/bytes.c", '#include "../crypto/crypto.h"', "higher"),
    ("lib/base/bytes.c", '  #  include   "crypto/crypto.h" /* why not */', "higher"),
    ("lib/base/bytes.c", '#include "bulla/seal.h"', "higher"),
    ("lib/seal/seal.c", '#include <bulla.h>', "higher"),
    ("lib/bulla/bytes.h", '#include "seal.h"', "higher"),
    ("lib/engine.c", '#include "request/json.h"', "includes src/"),
    ("lib/bulla/seal.h", '#include "../crypto/crypto.h"', "internal"),
    ("src/request/json.h", '#include "http/serve.h"', "higher"),
    ("src/handlers/crypt.c", '#include "http/serve.h"', "higher"),
    ("src/http/serve.h", '#include "commands/cli.h"', "higher"),
    ("src/http/serve.h", '#include "crypto/crypto.h"', "only as"),
    ("src/http/serve.h", '#include <seal/internal.h>', "only as"),
    ("src/http/serve.h", '#include "bulla/seal.h"', "only as"),
    ("src/http/serve.h", '#include "bulla.h"', "only as"),
    ("lib/store/store_sqlite.c", '#include <openssl/evp.h>', "home"),
    ("lib/seal/seal.c", '#include <sodium.h>', "home"),
    ("lib/seal/seal.c", '#include <sqlite3.h>', "home"),
    ("lib/base/bytes.c", '#include <urcu/urcu-memb.h>', "home"),
    ("src/http/serve.h", '#include <microhttpd.h>', "home"),
    ("src/http/serve.h", '#include <gnutls/gnutls.h>', "home"),
    ("src/commands/cli.h", '#include <curl/curl.h>', "home"),
    ("src/request/json.h", '#include <jansson.h>', "home"),
    ("src/request/json.h", '#include <zlib.h>', "without a home"),
    ("src/request/json.h", '#include <curious/new.h>', "without a home"),
    ("lib/seal/seal.c", '#include "nowhere.h"', "no such file"),
    ("lib/novel/thing.c", '#include <stdio.h>', "in no layer"),
]


def complaints(extra):
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for path, text in {**CLEAN, **extra}.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
        return layers.check(root, shlex.split(os.environ.get("CC") or "cc"))[0]


def headers_alone():
    """Offences that the compiler finds: (text of a public header, a word of the complaint)."""
    yield "int f(size_t);\n", "size_t"
    yield "struct twice { int x; };\n", "redefinition"
    yield '#ifndef X_H\n#define X_H\n#include "config.h"\n#endif\n', "config.h"


def main():
    failed = [f"clean tree: {c}" for c in complaints({})]
    for path, line, word in OFFENCES:
        found = [c for c in complaints({path: CLEAN.get(path, "") + line + "\n"}) if c.startswith(path)]
        if len(found) != 1 or word not in found[0]:
            failed.append(f"{path}: {line}: {found}")
    for text, word in headers_alone():
        found = complaints({"lib/bulla/bad.h": text})
        if not any("lib/bulla/bad.h" in c and word in c for c in found):
            failed.append(f"{text!r}: {found}")
    print(*failed, sep="\n")
    print(f"layers_selftest: {len(OFFENCES) + 4} cases, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
