"""What the documents show is true: their commands run, their YAML loads.  Needs no Kafka.

    python3 -m unittest tests/e2e/test_documents.py     (./dev test does it)

Fenced blocks, by their info string:
    sh, console              each line is run in the repository's root, with `tocsin` on PATH; exit status 0 within 60 s.
                             Of console, only the lines that begin with `$ `.
    sh norun, console norun  not run; `./dev X` and `tocsin X --option` must exist
    sh helm                  run by test_helm.py, which has Helm and kustomize
    yaml rules               a rule pack, loaded by `tocsin check`
    yaml system              a system profile, likewise
    yaml values              values of the chart, rendered by test_helm.py
    yaml config              configuration, likewise; where the brokers and topics are need not be said
"""

import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import harness

FENCE = re.compile(r"^(?P<indent> *)```(?P<info>[^\n`]*)\n(?P<text>.*?)^(?P=indent)```$", re.M | re.S)
MARKS = {"sh": {"", "norun", "helm"}, "console": {"", "norun"}, "yaml": {"", "rules", "system", "config", "values"}}
UNCHECKED = {"bash", "shell", "zsh", "shell-session", "yml"}  # would look the same and escape this
COMMAND_LIMIT_S = 60


class Block:
    def __init__(self, path, found, text):
        info = found["info"].split()
        self.language, self.marks = (info[0] if info else ""), " ".join(info[1:])
        self.text = "".join(line.removeprefix(found["indent"]) for line in found["text"].splitlines(keepends=True))
        self.where = f"{path.relative_to(harness.REPO)}:{text.count(chr(10), 0, found.start()) + 1}"

    def commands(self):
        """Its command lines: continued lines joined, comments and prompts gone."""
        lines = self.text.replace("\\\n", " ").splitlines()
        if self.language == "console":
            lines = [line for line in lines if line.startswith("$ ")]
        lines = [line.removeprefix("$ ").strip() for line in lines]
        return [line for line in lines if line and not line.startswith("#")]


def documents():
    """All there are, but what was built or fetched."""
    root = harness.REPO
    paths = sorted(root.glob("*.md"))
    for folder in sorted(path for path in root.iterdir() if path.is_dir()):
        if folder.name != "build" and not folder.name.startswith("."):
            paths += sorted(path for path in folder.rglob("*.md") if "node_modules" not in path.parts)
    return paths


def blocks(language=None):
    for path in documents():
        text = path.read_text(encoding="utf-8")
        for found in FENCE.finditer(text):
            block = Block(path, found, text)
            if language is None or block.language == language:
                yield block


def environment(**more):
    path = f"{pathlib.Path(harness.TOCSIN_BINARY).resolve().parent}:{os.environ.get('PATH', '')}"
    return {**{name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")}, "PATH": path, **more}


def run(*command, **more):
    return subprocess.run(command, cwd=harness.REPO, env=environment(**more), stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=COMMAND_LIMIT_S, check=False)


def simple_commands(line):
    """The words of each command of a line of shell, without variable settings and redirections."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;()<>")
    lexer.whitespace_split = True
    words, skip = [], False
    for word in lexer:
        if set(word) <= set("|&;()"):
            yield words
            words = []
        elif set(word) <= set("<>"):
            skip = True
        elif skip:
            skip = False
        elif words or not re.match(r"[A-Za-z_]\w*=", word):
            words.append(word)
    yield words


class DocumentsTest(unittest.TestCase):
    def test_every_folder_is_looked_through(self):
        found = {str(path.relative_to(harness.REPO)) for path in documents()}
        self.assertLessEqual({"README.md", "detectors/hijack.md", "bench/peers/README.md", "tests/sessions/README.md"}, found)

    def test_blocks_are_marked_as_agreed(self):
        kinds = set()
        for block in blocks():
            with self.subTest(block.where):
                self.assertNotIn(block.language, UNCHECKED, "call it sh, console or yaml")
                self.assertIn(block.marks, MARKS.get(block.language, {""}))
            kinds.add((block.language, block.marks))
        for path in documents():
            text = path.read_text(encoding="utf-8")
            with self.subTest(path.name):
                fences = len(re.findall(r"^ *(?:```|~~~)", text, re.M))
                self.assertEqual(2 * len(FENCE.findall(text)), fences, "a fence that is not closed, or not of backticks")
        # Were there none of these, the tests below would prove nothing.
        self.assertLessEqual({("sh", ""), ("sh", "norun"), ("yaml", "rules"), ("yaml", "system")}, kinds)

    def test_commands_succeed(self):
        for block in [*blocks("sh"), *blocks("console")]:
            if block.marks:
                continue
            for command in block.commands():
                with self.subTest(f"{block.where}: {command}"):
                    done = run("bash", "-euo", "pipefail", "-c", command)
                    self.assertEqual(0, done.returncode, done.stdout)

    def test_commands_that_are_not_run_exist(self):
        helps = {}

        def help_of(*command):
            if command not in helps:
                done = run(*command)
                self.assertEqual(0, done.returncode, f"{command}: {done.stdout}")
                helps[command] = done.stdout
            return helps[command]

        dev = set(re.findall(r"^  ([a-z][a-z-]*)\b", help_of("./dev", "help").partition("\n\n")[2].partition("\n\n")[0], re.M))
        self.assertLessEqual({"build", "test"}, dev)
        for block in [*blocks("sh"), *blocks("console")]:
            for line in block.commands():
                with self.subTest(f"{block.where}: {line}"):
                    for words in simple_commands(line.partition(" #")[0]):
                        if not words:
                            continue
                        if words[0] == "./dev":
                            self.assertIn((words + ["help"])[1], dev | {"help"})
                            for option in options(words[2:]):
                                self.assert_option(option, help_of("./dev", "help"))
                        elif pathlib.PurePath(words[0]).name == "tocsin":
                            command = ("tocsin", words[1], "--help") if len(words) > 1 and words[1][0] != "-" \
                                else ("tocsin", "--help")
                            for option in [*options(words[1:]), *command[1:-1]]:
                                self.assert_option(option, help_of(*command))
                        elif "/" in words[0] and not words[0].startswith("/"):
                            self.assertTrue((harness.REPO / words[0]).exists(), f"there is no {words[0]}")

    def test_the_threat_model_names_its_tests(self):
        text = (harness.REPO / "deploy" / "SECURITY.md").read_text(encoding="utf-8")
        named = re.findall(r"`(unit|integration|e2e): ([^`]+)`", text)
        self.assertGreater(len(named), 30)
        known = {kind: tests_of(kind) for kind in ("unit", "integration", "e2e")}
        for kind, name in named:
            with self.subTest(f"{kind}: {name}"):
                self.assertIn(name, known[kind])
        for table in re.findall(r"^\| tries \|.*\n\|[-|]+\n((?:\|.*\n)+)", text, re.M):
            for line in table.splitlines():
                with self.subTest(line):
                    self.assertRegex(line, "`(unit|integration|e2e): ", "a line without its test")

    def assert_option(self, option, text):
        self.assertRegex(text, rf"(?<![\w-]){re.escape(option)}(?![\w-])")

    def test_yaml_is_accepted(self):
        packs = str(harness.REPO / "rules" / "packs")
        for block in blocks("yaml"):
            with self.subTest(block.where), tempfile.TemporaryDirectory(prefix="tocsin-documents-") as folder:
                path = pathlib.Path(folder) / "block.yaml"
                path.write_text(block.text, encoding="utf-8")
                if block.marks == "rules":
                    done = run("tocsin", "check", str(path))
                elif block.marks == "system":
                    done = run("tocsin", "check", packs, str(path))  # its misuse cases may name the rules we ship
                elif block.marks == "config":
                    lent = {"TOCSIN_KAFKA_BOOTSTRAP_SERVERS": "b:9092", "TOCSIN_TOPICS_EVENTS": "e"}
                    has = {key for key in ("kafka", "topics") if re.search(rf"^{key}:", block.text, re.M)}
                    done = run("tocsin", "check", "--config", str(path),
                               **{name: value for name, value in lent.items() if name.split("_")[1].lower() not in has})
                else:
                    continue
                self.assertEqual(0, done.returncode, done.stdout)
                self.assertNotIn("warning", done.stdout)


def tests_of(kind):
    """The names of all tests of a kind: unit, integration or e2e."""
    folder = harness.REPO / "tests" / kind
    pattern = r"^    def (test_\w+)" if kind == "e2e" else r'^TEST_CASE\(\s*"((?:[^"\\]|\\.)*)"'
    files = folder.glob("test_*.py") if kind == "e2e" else folder.rglob("*.cpp")
    return {name.replace('\\"', '"') for path in files
            for name in re.findall(pattern, path.read_text(encoding="utf-8"), re.M)}


def options(words):
    return [word.partition("=")[0] for word in words if re.fullmatch(r"--?[A-Za-z][\w-]*(=.*)?", word)]


if __name__ == "__main__":
    unittest.main(verbosity=2)
