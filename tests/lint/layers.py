#!/usr/bin/env python3
"""The layer rule, by #include: layers.py [ROOT]

A lower layer never includes a higher one; src/ sees lib/ only as <bulla.h> and <bulla/...>; each foreign header has one
home; each public header compiles alone. The tests themselves are exempt. layers_selftest.py shows that each is caught.
"""
import fnmatch
import os
import pathlib
import re
import shlex
import subprocess
import sys

LIB = ["base", "crypto", "store", "seal", "state", "mount", "keyring", "policy", "access", "auth", "transit", "audit", "engine"]
SRC = ["sched", "request", "handlers", "http", "commands"]

# the layer that a public header speaks for; the umbrella and what is not named here: the highest
PUBLIC_OF = {
    "base": "bytes.h call.h clock.h decls.h duration.h encode.h error.h errors.def fetch.h hcl.h json.h memory.h utf8.h version.h",
    "seal": "seal.h",
    "mount": "mounts.h",
    "keyring": "keys.h",
    "policy": "policies.h",
    "access": "access.h cors.h cubbyhole.h leases.h quotas.h token_params.h token_roles.h ui_headers.h wrapping.h",
    "auth": "approle.h cert.h jwt.h lockout.h userpass.h",
    "transit": "import.h sign.h tools.h transit.h",
    "audit": "audit.h",
    "engine": "root_token.h",
}
PUBLIC = {header: layer for layer, headers in PUBLIC_OF.items() for header in headers.split()}

# what a file may include against the order: {file pattern: headers}
EXCEPTIONS = {"src/handlers/*": ["src/http/routes.h"]}

# where a foreign header may be included; the first pattern that fits the header counts
HOMES = [
    ("microhttpd.h", ["src/http/httpd*"]),
    ("gnutls/*", ["src/http/tls*.c", "src/http/tls_internal.h"]),
    ("gmp.h", ["src/http/tls_memory.c"]),
    ("openssl/ssl.h", ["src/http/fetch_trust.c"]),
    ("openssl/*", ["lib/crypto/*", "src/http/fetch_trust.c"]),
    ("crypt.h", ["lib/crypto/password.c"]),
    ("sodium.h", ["lib/base/*", "lib/crypto/*"]),
    ("urcu*", ["lib/base/rcu.*"]),
    ("sqlite3.h", ["lib/store/store_sqlite*"]),
    ("libpq-fe.h", ["lib/store/store_postgres*"]),
    ("curl/*", ["src/commands/client*", "src/http/fetch.c", "src/http/fetch_trust.*"]),
    ("jansson.h", ["src/commands/*", "lib/access/*", "lib/mount/*", "lib/seal/*"]),
]

SYSTEM = set("""alloca assert byteswap complex ctype dirent dlfcn endian err errno fcntl fenv float fnmatch getopt glob grp
 ftw ifaddrs inttypes iso646 libgen limits locale malloc math netdb paths poll pthread pwd regex sched semaphore setjmp signal
 spawn stdalign stdarg stdatomic stdbool stddef stdint stdio stdlib stdnoreturn string strings syslog termios threads time
 uchar unistd wchar wctype""".split())
SYSTEM_DIRS = {"arpa", "linux", "net", "netinet", "sys"}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)


def layer_of(path):
    """("lib", rank) or ("src", rank) of a file named from the root; None: in neither."""
    parts = path.split("/")
    if parts[0] == "lib":
        if parts[1] == "bulla":
            return "lib", LIB.index(PUBLIC.get(parts[2], LIB[-1]))
        name = parts[1] if len(parts) > 2 else LIB[-1]
        return "lib", LIB.index(name) if name in LIB else None
    if parts[0] == "src":
        name = parts[1] if len(parts) > 2 else SRC[-1]
        return "src", SRC.index(name) if name in SRC else None
    return None


def resolve(root, path, kind, name):
    """The file of the tree that an include means, as the compiler would find it; None: it is not in the tree."""
    folders = [pathlib.PurePosixPath(path).parent] if kind == '"' else []
    for folder in [*folders, pathlib.PurePosixPath("lib"), pathlib.PurePosixPath("src")]:
        found = os.path.normpath(folder / name)
        if (root / found).is_file():
            return found
    return None


def fits(name, patterns):
    return any(fnmatch.fnmatchcase(name, p) for p in patterns)


def check_own(path, kind, name, target):
    """What is wrong with path including target, a file of the tree."""
    side, rank = layer_of(path)
    target_side, target_rank = layer_of(target) or (None, None)
    if target_rank is None:
        return f"{target} is in no layer"
    if any(fits(path, [p]) and target in headers for p, headers in EXCEPTIONS.items()):
        return None
    if side == "lib" and target_side == "src":
        return "lib/ includes src/"
    if side == "src" and target_side == "lib":
        public = target == "lib/bulla.h" or target.startswith("lib/bulla/")
        return None if public and kind == "<" else "src/ sees lib/ only as <bulla.h> and <bulla/...>"
    if path.startswith("lib/bulla/") and not target.startswith("lib/bulla/"):
        return "a public header includes an internal one"
    if target_rank > rank:
        return f"a lower layer includes a higher one ({target})"
    return None


def check_foreign(path, kind, name):
    for pattern, homes in HOMES:
        if fnmatch.fnmatchcase(name, pattern):
            return None if fits(path, homes) else f"its home is {', '.join(homes)}"
    if kind == '"':
        if name == "config.h" and not path.startswith("lib/bulla"):
            return None
        return "no such file, or not for this place"
    folder, _, rest = name.rpartition("/")
    if folder.split("/")[0] in SYSTEM_DIRS or (not folder and name.removesuffix(".h") in SYSTEM):
        return None
    return "a foreign header without a home: give it one in tests/lint/layers.py"


def check_file(root, path):
    if (layer_of(path) or (None, None))[1] is None:
        yield f"{path}: is in no layer"
        return
    text = COMMENT.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), (root / path).read_text())
    for match in INCLUDE.finditer(text):
        kind, name = match.groups()
        target = resolve(root, path, kind, name)
        wrong = check_own(path, kind, name, target) if target else check_foreign(path, kind, name)
        if wrong:
            line = text.count("\n", 0, match.start()) + 1
            yield f"{path}:{line}: includes {name}: {wrong}"


def check_public(root, compiler):
    """Each public header is a program by itself, twice in a row, with nothing but lib/ to be found."""
    headers = ["bulla.h", *(f"bulla/{h.name}" for h in sorted((root / "lib/bulla").glob("*.h")))]
    for header in headers:
        source = f"#include <{header}>\n#include <{header}>\ntypedef int not_empty;\n"
        command = [*compiler, "-std=gnu11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only", "-I",
                   str(root / "lib"), "-x", "c", "-"]
        run = subprocess.run(command, input=source, text=True, capture_output=True)
        if run.returncode != 0:
            yield f"lib/{header}: does not compile alone:\n{run.stderr}"


def check(root, compiler):
    files = sorted(f.relative_to(root).as_posix() for d in ("lib", "src") for f in (root / d).rglob("*")
                   if f.suffix in (".c", ".h", ".def"))
    complaints = [c for f in files for c in check_file(root, f)]
    if not files:
        complaints.append(f"{root}: no sources")
    return complaints + list(check_public(root, compiler)), len(files)


def main(root):
    complaints, count = check(pathlib.Path(root).resolve(), shlex.split(os.environ.get("CC") or "cc"))
    print(*complaints, sep="\n")
    print(f"layers: {count} files, {len(complaints)} complaints")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:] or [pathlib.Path(__file__).resolve().parents[2]]))
