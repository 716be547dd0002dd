#!/usr/bin/env python3
"""That clocks.py catches what it is for: each offence, planted alone, is the one complaint; what is allowed is none."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.dont_write_bytecode = True
import clocks  # noqa: E402

OFFENCES = [
    ("lib/audit/audit.c", "pthread_cond_timedwait(&w, &l, &until);", "pthread_cond_clockwait"),
    ("api/intake.c", "while (pthread_cond_timedwait (&w, &l, &until) == 0)", "pthread_cond_clockwait"),
    ("src/http/workers.c", "sem_timedwait(&s, &until);", "sem_clockwait"),
    ("lib/base/rcu.c", "mtx_timedlock(&m, &until);", "clocklock"),
    ("lib/base/rcu.c", "pthread_mutex_timedlock(&m, &until);", "clocklock"),
    ("lib/base/rcu.c", "pthread_rwlock_timedwrlock(&m, &until);", "clockwrlock"),
    ("lib/base/rcu.c", "cnd_timedwait(&c, &m, &until);", "clockwait"),
    ("src/commands/ticker.c", "pthread_timedjoin_np(t, NULL, &until);", "pthread_join"),
    ("src/commands/ticker.c", "mq_timedreceive(q, p, n, NULL, &until);", "poll"),
    ("src/http/httpd_loop.c", "int fd = timerfd_create(\n\tCLOCK_REALTIME, 0);", "timerfd_create"),
    ("lib/audit/audit.c", "pthread_cond_clockwait(&w, &l, which(0), &until);", "pthread_cond_clockwait without"),
    ("lib/audit/audit.c", "pthread_condattr_setclock(&a, clock);", "setclock without"),
    ("src/http/tls.c", "int64_t now = time(NULL);", "reads the system's clock (time)"),
    ("src/http/tls.c", "int64_t now = time( 0 );", "reads the system's clock (time)"),
    ("src/http/tls.c", "gettimeofday(&tv, NULL);", "reads the system's clock (gettimeofday)"),
    ("api/vault.c", "clock_gettime(CLOCK_REALTIME_COARSE, &t);", "reads the system's clock"),
    ("lib/auth/lockout.c", "int64_t now = bulla_wall_ns();", "DATES"),
    ("src/http/gates.c", "int64_t now = bulla_wall_s();", "DATES"),
]
ALLOWED = [
    ("lib/base/clock.c", "clock_gettime(CLOCK_REALTIME, &t);"),
    ("api/store.c", "card->created_s = time(NULL);"),
    ("lib/audit/chain.c", "bulla_time_print(bulla_wall_ns(), text);"),
    ("lib/audit/audit.c", "pthread_cond_clockwait(&w, &l, CLOCK_MONOTONIC, &until);"),
    ("src/http/tls.c", "/* not pthread_cond_timedwait(&c, &l, &t), nor time(NULL) */ // gettimeofday()"),
    ("src/http/tls.c", 'out_text(out, "time(NULL)");'),
    ("src/http/tls.c", "int64_t now = bulla_elapsed_ns(); put_time(0);"),
    ("src/http/tls.c", "clock_gettime(CLOCK_MONOTONIC_COARSE, &t);"),
]


def main():
    bad = 0
    for path, line, word in OFFENCES:
        found = list(clocks.complaints_of(path, f"int x;\n{line}\nint y;\n"))
        wanted = 2 if "CLOCK_REALTIME" in line and "timerfd" in line else 1
        if len(found) != wanted or not any(word in c and f"{path}:2" in c for c in found):
            print(f"not caught, or not as it should be: {path}: {line}: {found}")
            bad += 1
    for path, line in ALLOWED:
        found = list(clocks.complaints_of(path, line + "\n"))
        if found:
            print(f"caught, and allowed: {found}")
            bad += 1
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
