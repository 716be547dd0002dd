"""What the kernel knows of a TCP connection to a server on this machine (proc(5), /proc/net/tcp): so that a test can wait until
something has happened at the server's end, where otherwise it would have to sleep and hope. Standard library only."""
import time

ESTABLISHED = 1
PATIENCE_S = 60


def wait_until(true, what):
    end = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end, f"{what}: not within {PATIENCE_S} s"
        time.sleep(0.01)


def ends(sock):
    """Of the server's end and of ours, None where it is gone: (state, bytes sent and not acknowledged, bytes not read)."""
    ours, theirs = sock.getsockname()[1], sock.getpeername()[1]
    found = {}
    with open("/proc/net/tcp") as f:
        for fields in map(str.split, list(f)[1:]):
            pair = tuple(int(x.split(":")[1], 16) for x in fields[1:3])
            if pair in ((ours, theirs), (theirs, ours)):
                found[pair] = (int(fields[3], 16), *(int(x, 16) for x in fields[4].split(":")))
    return found.get((theirs, ours)), found.get((ours, theirs))


def wait_until_read(sock):
    """Until the server has taken in all that was sent, or is gone."""
    def is_read():
        server, client = ends(sock)
        return server is None or client is None or (client[1] == 0 and server[2] == 0)
    wait_until(is_read, "reading what was sent")


def wait_until_cut(sock):
    """Until the server has closed its end, also when not all that it sent was fetched."""
    def is_cut():
        server, _ = ends(sock)
        return server is None or server[0] != ESTABLISHED
    wait_until(is_cut, "closing the connection")
