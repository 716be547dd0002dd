#!/usr/bin/env python3
"""Who may look at the system's clock, and that nobody waits by it: clocks.py [ROOT]

A step of the system's clock must move dates and nothing else. So in lib/, src/ and api/: waits name CLOCK_MONOTONIC (or CLOCK_BOOTTIME)
in the call; the clock itself is read in one place; and who asks that place for a date is listed here with the reason, for whatever is
counted from a date is wrong after a step. The tests themselves are exempt. clocks_selftest.py shows that each offence is caught.
"""
import pathlib
import re
import sys

# waits that go by CLOCK_REALTIME, or by an attribute that is set elsewhere: what to write instead
BY_WALL = {
    "pthread_cond_timedwait": "pthread_cond_clockwait", "cnd_timedwait": "pthread_cond_clockwait",
    "sem_timedwait": "sem_clockwait", "mtx_timedlock": "pthread_mutex_clocklock",
    "pthread_mutex_timedlock": "pthread_mutex_clocklock", "pthread_rwlock_timedrdlock": "pthread_rwlock_clockrdlock",
    "pthread_rwlock_timedwrlock": "pthread_rwlock_clockwrlock", "pthread_timedjoin_np": "pthread_cond_clockwait, then pthread_join",
    "mq_timedsend": "a descriptor and poll", "mq_timedreceive": "a descriptor and poll",
    "thrd_sleep": "nanosleep",
}
# waits that are told their clock
BY_NAME = ["pthread_cond_clockwait", "sem_clockwait", "pthread_mutex_clocklock", "pthread_rwlock_clockrdlock",
           "pthread_rwlock_clockwrlock", "pthread_clockjoin_np", "clock_nanosleep", "timerfd_create", "timer_create",
           "pthread_condattr_setclock"]
# the system's clock itself
WALL = re.compile(r"\b(CLOCK_REALTIME(?:_COARSE|_ALARM)?|CLOCK_TAI|gettimeofday\s*\(|timespec_get\s*\(|ftime\s*\(|"
                  r"time\s*\(\s*(?:NULL|0|&\w+)\s*\))")
WALL_HOMES = ["lib/base/clock.c", "api/binding.c", "api/log.c", "api/store.c"]
# dates: who asks for them, and what for
DATES = {
    "lib/base/clock.c": "makes them",
    "lib/bulla/clock.h": "declares them",
    "lib/engine_clock.c": "where the clock goes on at start",
    "lib/keyring/change.c": "creation of versions, shown",
    "lib/keyring/edit.c": "date of a backup, shown",
    "lib/transit/import.c": "creation of a version, shown",
    "lib/transit/restore.c": "date of a restore, shown",
    "lib/seal/barrier_keys.c": "install_time of a term, shown",
    "lib/store/store.c": "when the store was made",
    "lib/access/policy_store.c": "modified, shown",
    "lib/access/policy_table.c": "ends that policies give as dates",
    "lib/auth/approle_login.c": "last_updated_time, shown",
    "lib/auth/cert_login.c": "validity of certificates",
    "lib/auth/jwt_login.c": "exp, nbf and iat of JWTs",
    "lib/audit/chain.c": "time of checkpoints",
    "lib/audit/format.c": "time of records",
    "lib/audit/sink_syslog.c": "time of messages",
    "lib/engine_versions.c": "timestamp_installed, shown",
    "src/commands/log.c": "time of lines",
    "src/handlers/sys_seal.c": "server_time_utc",
    "src/http/httpd.c": "how long certificates are valid",
    "src/http/serve.c": "time of a request's record",
    "src/http/tls_dev.c": "validity of the throw-away certificate",
}
ASKS = re.compile(r"\bbulla_wall_n?s\s*\(")
COMMENT = re.compile(r'"(?:\\.|[^"\\\n])*"|/\*.*?\*/|//[^\n]*', re.S)


def blank(match):
    """Comments and texts, as blanks: lines keep their numbers."""
    return re.sub(r"[^\n]", " ", match.group())


def arguments(text, at):
    """What stands between the parentheses that open at or behind at."""
    start = text.find("(", at)
    depth = 0
    for i in range(start, len(text)):
        depth += (text[i] == "(") - (text[i] == ")")
        if depth == 0:
            return text[start + 1:i]
    return text[start + 1:]


def complaints_of(path, text):
    text = COMMENT.sub(blank, text)

    def at(position, what):
        return f"{path}:{text.count(chr(10), 0, position) + 1}: {what}"

    for name, instead in BY_WALL.items():
        for m in re.finditer(rf"\b{name}\s*\(", text):
            yield at(m.start(), f"{name} may wait by the system's clock: {instead}")
    for name in BY_NAME:
        for m in re.finditer(rf"\b{name}\s*\(", text):
            if not re.search(r"\bCLOCK_(MONOTONIC|BOOTTIME)\b", arguments(text, m.end() - 1)):
                yield at(m.start(), f"{name} without CLOCK_MONOTONIC or CLOCK_BOOTTIME")
    for m in WALL.finditer(text):
        if path not in WALL_HOMES:
            yield at(m.start(), f"reads the system's clock ({m.group().split('(')[0].strip()}): bulla_wall_ns for a date, "
                                "bulla_clock_ns or bulla_elapsed_ns for anything else")
    for m in ASKS.finditer(text):
        if path not in DATES and not path.startswith("api/"):
            yield at(m.start(), "asks for a date: if it is one, add the file to DATES of tests/lint/clocks.py with the reason")


def check(root):
    root = pathlib.Path(root)
    found = []
    for folder in ("lib", "src", "api"):
        for path in sorted((root / folder).rglob("*.[ch]")):
            found += complaints_of(path.relative_to(root).as_posix(), path.read_text())
    return found


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[2]
    found = check(root)
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
