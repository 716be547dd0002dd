"""What README and docs/*.md print: commands ("    $ ...", continued by "    > ...") with what they print, and files; run in one shell as a
reader would, who pastes one after the other."""
import os
import re
import subprocess
import unittest

import servers

END = "-- the end of a command --"


def text(name):
    with open(os.path.join(servers.TOP, name)) as f:
        return f.read()


def plain(block):
    return re.sub("^    ", "", block, flags=re.M)


def commands(markdown):
    """[(command, what it prints)]"""
    found = re.findall(r"^    \$ (.*\n(?:    > .*\n)*)((?:    (?![$>] ).*\n)*)", markdown, re.M)
    return [(re.sub(r"\n    > ", "\n", command).strip(), plain(printed)) for command, printed in found]


def files(markdown):
    """{name: text} of blocks behind a line that begins with their name in backquotes and ends with a colon."""
    found = re.findall(r"^`([\w./-]+)`[^\n]*:\n\n((?:(?:    .*)?\n)+)", markdown, re.M)
    return {name: plain(block).strip("\n") + "\n" for name, block in found}


def shape(printed):
    """Without what differs from run to run."""
    printed = printed.strip()
    for pattern, instead in ((r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID"), (r'":1[78]\d{8}', '":TIME'),
                             (r"vault:v(\d+):[A-Za-z0-9+/=]+", r"vault:v\1:CT"), (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\dZ?", "TIME")):
        printed = re.sub(pattern, instead, printed)
    return printed


def play(lines, folder, env):
    """What each command printed, with its exit status; and what all of them said on standard error."""
    script = "".join(f"{line}\nprintf '%s %s\\n' '{END}' $?\n" for line in lines)
    done = subprocess.run(["bash", "-c", script], env=env, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600)
    plainly = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)  # without colours
    parts = re.split(rf"^{END} (\d+)\n", plainly, flags=re.M)
    return list(zip(parts[0::2], map(int, parts[1::2]))), done.stderr


def environment(server, folder):
    """With the program on the path, and a home of its own."""
    return servers.clean_environment() | {"VAULT_ADDR": server.url, "VAULT_TOKEN": server.token, "HOME": folder,
                                          "PATH": os.path.dirname(servers.bulla_binary()) + ":" + os.environ["PATH"]}


class Played(unittest.TestCase):
    def check(self, pairs, server, folder=None, env=None, statuses=None):
        """Each command prints what stands there and ends with 0, or with statuses[command]."""
        if folder is None:
            with servers.temporary_folder() as made:
                self.check(pairs, server, made, env, statuses)
            return
        said, errors = play([command for command, _ in pairs], folder, environment(server, folder) | (env or {}))
        self.assertEqual(len(said), len(pairs), errors)
        for (command, printed), (out, status) in zip(pairs, said):
            with self.subTest(command):
                self.assertEqual((status, shape(out)), ((statuses or {}).get(command, 0), shape(printed)), errors)
