"""What OpenBao's own API document (sys/internal/specs/openapi) says that it serves, and what the tables of docs/COMPATIBILITY.md say that
is not here. Standard library only."""
import os
import re

METHODS = ("GET", "LIST", "SCAN", "POST", "PATCH", "DELETE")


def operations(document):
    """Pairs of method and path, without the slash in front. Lists and scans stand in it as a GET with a parameter that asks for one;
    where the parameter need not be there, a GET is served as well."""
    found = set()
    for path, item in document["paths"].items():
        path = path.lstrip("/")
        for method in ("get", "post", "put", "patch", "delete"):
            if method not in item:
                continue
            folded = [p for p in item[method].get("parameters", []) if p["name"] in ("list", "scan") and p["in"] == "query"]
            if not any(p.get("required") for p in folded):
                found.add(("POST" if method == "put" else method.upper(), path))
            found.update((p["name"].upper(), path) for p in folded)
    return found


def at(path, mounts):
    """The path with the mounts of a document that leaves them open: {transit_mount_path} becomes mounts["transit"]. None: not a mount
    of ours."""
    name = re.search(r"\{(\w+)_mount_path\}", path)
    if name is None:
        return path
    return path.replace(name.group(0), mounts[name.group(1)]) if name.group(1) in mounts else None


def filled(path, names=None):
    """The path with a name for each of its parameters: as names has it, or one that nothing has."""
    return re.sub(r"\{([^}]*)\}", lambda m: (names or {}).get(m.group(1), "nosuch"), path)


class Row:
    """A row of a table of the page: its cells, and the line that it stands on."""

    def __init__(self, line, cells):
        self.line, self.cells = line, cells

    @property
    def names(self):
        """What stands between backticks in the first cell."""
        return re.findall(r"`([^`]+)`", self.cells[0])


def table(page, heading):
    """The rows of the table below that heading, without its head. ValueError: the page has no such table."""
    with open(page, encoding="utf-8") as f:
        lines = f.read().split("\n")
    rows, at_heading = [], False
    for number, line in enumerate(lines, 1):
        if line.startswith("#"):
            at_heading = line.lstrip("#").strip() == heading
        elif at_heading and line.startswith("|"):
            rows.append(Row(number, [cell.strip() for cell in line.strip().strip("|").split(" | ")]))
    if len(rows) < 3:
        raise ValueError(f"{os.path.basename(page)} has no table below \"{heading}\"")
    return rows[2:]


def alternatives(name):
    """sys/{a,b}/* as sys/a/* and sys/b/*."""
    braces = re.search(r"\{([^{}]*)\}", name)
    if braces is None:
        return [name]
    return [full for word in braces.group(1).split(",") for full in alternatives(name[:braces.start()] + word + name[braces.end():])]


def expression(name):
    """Of a path of the page: a * at its end stands for all that is below, elsewhere for one segment."""
    words = {"*": "[^/]+", "/*": "/.+"}
    return re.compile("".join(words.get(w) or re.escape(w) for w in re.split(r"(/\*$|\*)", name)))


class Absence:
    """A row that says that paths are not here: `sys/rekey/*`; methods "all" or `GET`, `LIST`; what becomes of them."""

    def __init__(self, row):
        self.row = row
        self.methods = METHODS if row.cells[1] == "all" else tuple(re.findall(r"`(\w+)`", row.cells[1]))
        self.patterns = {full: expression(full) for name in row.names for full in alternatives(name)}

    def covers(self, method, path):
        return method in self.methods and any(p.fullmatch(path) for p in self.patterns.values())
