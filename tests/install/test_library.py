"""What is installed of libbulla, in the folder BULLA_PREFIX: its names, its headers in C and C++ beside others', bulla.pc, and docs/examples/encrypt.c
built as it says."""
import os
import re
import shutil
import subprocess
import tempfile
import unittest

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
PREFIX = os.environ["BULLA_PREFIX"]
INCLUDE = os.path.join(PREFIX, "include")
HEADERS = ["bulla.h", *sorted(f"bulla/{name}" for name in os.listdir(os.path.join(INCLUDE, "bulla")) if name.endswith(".h"))]
STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]
CXX = ("c++", "c++11"), ("c++", "c++20"), ("cc", "c11")
ENVIRONMENT = os.environ | {"PKG_CONFIG_PATH": os.path.join(PREFIX, "lib", "pkgconfig"), "LC_ALL": "C"}


def run(*argv, **kw):
    return subprocess.run(argv, env=ENVIRONMENT, capture_output=True, text=True, **kw)


def preprocessed(text, *options):
    return run("cc", "-E", *options, "-I", INCLUDE, "-", input=text).stdout


class Names(unittest.TestCase):
    def test_symbols(self):
        """Nobody who links with the library meets another name of it."""
        done = run("nm", "-g", "--defined-only", os.path.join(PREFIX, "lib", "libbulla.a"))
        names = re.findall(r"^[0-9a-f]+ [A-Za-z] (\S+)$", done.stdout, re.M)
        self.assertGreater(len(names), 200, done.stderr)
        self.assertEqual([name for name in names if not name.startswith("bulla_")], [])

    def test_every_function_is_there(self):
        """What a header declares can be called."""
        done = run("nm", "-g", "--defined-only", os.path.join(PREFIX, "lib", "libbulla.a"))
        defined = set(re.findall(r" T (\S+)$", done.stdout, re.M))
        text = preprocessed("".join(f"#include <{h}>\n" for h in HEADERS), "-P")
        declared = set(re.findall(r"\b(bulla_\w+)\([^()]*(?:\([^()]*\)[^()]*)*\)[^;{]*;", re.sub(r"\{[^{}]*\}", "{}", text)))
        self.assertGreater(len(declared), 200)
        self.assertEqual(declared - defined - set(re.findall(r"\btypedef\b[^;]*?\b(bulla_\w+)\(", text)), set())

    def test_macros_and_types(self):
        everything = "".join(f"#include <{h}>\n" for h in HEADERS)
        standard = "".join(f"#include <{h}>\n" for h in ("stdarg.h", "stdbool.h", "stddef.h", "stdint.h", "string.h", "time.h"))
        ours, theirs = (set(re.findall(r"^#define (\w+)", preprocessed(t, "-dM"), re.M)) for t in (standard + everything, standard))
        self.assertEqual([name for name in ours - theirs if not name.startswith("BULLA_")], [])
        for header in (*HEADERS, "bulla/errors.def"):
            with open(os.path.join(INCLUDE, header)) as f:
                text = re.sub(r"/\*.*?\*/", "", f.read(), flags=re.S)
            names = re.findall(r"\b(?:struct|enum|union)\s+(\w+)", text) + re.findall(r"\btypedef\b.*?(\w+)\)?(?:\([^)]*\))?;", text)
            for body in re.findall(r"\benum \w+ \{(.*?)\}", text, re.S):
                names += re.findall(r"\b([A-Z]\w+)\b\s*(?:=[^,]*)?(?:,|$)", re.sub(r"#.*", "", body))
            self.assertEqual([name for name in names if not name.lower().startswith("bulla") and name != "timespec"], [], header)


class Headers(unittest.TestCase):
    def compiles(self, compiler, standard, text):
        done = run(compiler, f"-std={standard}", *STRICT, "-fsyntax-only", "-I", INCLUDE, "-x", "c++" if "++" in standard else "c", "-", input=text)
        self.assertEqual((done.returncode, done.stderr), (0, ""), text)

    def test_each_alone(self):
        for header in HEADERS:
            self.compiles("c++", "c++11", f"#include <{header}>\n#include <jansson.h>\n#include <{header}>\n")

    def test_beside_others(self):
        """jansson, and a program that has taken the short names."""
        taken = "#define TRY(x) x\n#define ROW(x) x\n#define json nothing\nstruct out { int x; };\nenum json_type_of { JSON_ANY, HCL_LIST };\n"
        after = "int one = ROW(1);\n"
        for compiler, standard in CXX:
            for before in ("#include <jansson.h>\n", taken):
                self.compiles(compiler, standard, before + "#include <bulla.h>\n" + (after if before == taken else ""))
            self.compiles(compiler, standard, "#include <bulla.h>\n#include <jansson.h>\n")
            self.compiles(compiler, standard, "#include <bulla.h>\n#define TRY(x) x\n#define ROW(x) x\nstruct json { int x; };\nstruct out { int x; };\n")


class Programs(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="bulla-test-")
        self.addCleanup(shutil.rmtree, self.folder)

    def test_pkg_config(self):
        with open(os.path.join(TOP, "configure.ac")) as f:
            version = re.search(r"AC_INIT\(\[bulla\], \[(.*?)\]", f.read())[1]
        self.assertEqual(run("pkg-config", "--modversion", "bulla").stdout.strip(), version)
        for variable, folder in {"prefix": "", "libdir": "/lib", "includedir": "/include"}.items():
            self.assertEqual(run("pkg-config", f"--variable={variable}", "bulla").stdout.strip(), PREFIX + folder)
        done = run("pkg-config", "--validate", "bulla")
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_cxx(self):
        """It links: the functions are C's."""
        program = "#include <bulla.h>\n#include <jansson.h>\nint main() { bulla_arena *arena = bulla_arena_new(64);\n" \
                  "json_t *list = json_array(); json_decref(list); bool made = arena != nullptr; bulla_arena_free(arena);\n" \
                  "return made && bulla_err_row(BULLA_E_SEALED)->status == 503 ? 0 : 1; }\n"
        with open(os.path.join(self.folder, "x.cc"), "w") as f:
            f.write(program)
        done = run("sh", "-c", "c++ -Wall -Wextra -Werror x.cc -o x $(pkg-config --cflags --libs bulla) && ./x", cwd=self.folder)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_example(self):
        """The commands at its head."""
        source = os.path.join(TOP, "docs", "examples", "encrypt.c")
        shutil.copy(source, self.folder)
        with open(source) as f:
            commands = re.findall(r"^ \*   (.*)$", f.read(), re.M)
        self.assertEqual(len(commands), 3)
        made = run("sh", "-ec", "\n".join(commands), cwd=self.folder)
        self.assertRegex(made.stdout, r"^vault:v1:\S+\nrow 7: 4111111111111111\nrow 8: cipher: message authentication failed\n$")
        self.assertEqual((made.returncode, made.stderr), (0, ""))
        self.assertRegex(run("./encrypt", "again", cwd=self.folder).stdout, r"^vault:v2:\S+\nrow 7: again\n")
        with open(os.path.join(self.folder, "cards.db"), "rb") as f:
            self.assertNotIn(b"4111111111111111", f.read())
        self.assertEqual(run("./encrypt", cwd=self.folder).returncode, 2)
        with open(os.path.join(self.folder, "seal.key"), "wb") as f:
            f.write(b"x" * 32)
        other = run("./encrypt", "x", cwd=self.folder)
        self.assertEqual((other.returncode, other.stdout), (1, ""))
        self.assertIn("does not open this database", other.stderr)
        done = run("sh", "-c", "cc -std=c11 -Wall -Wextra -Wpedantic -Werror encrypt.c -o x $(pkg-config --cflags --libs bulla)", cwd=self.folder)
        self.assertEqual((done.returncode, done.stderr), (0, ""))


if __name__ == "__main__":
    unittest.main()
