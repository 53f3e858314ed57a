"""What tocsin brings for those who install it: manual page, completions, what is installed where, the Debian package.

    python3 -m unittest tests/e2e/test_package.py     (./dev test does it; the package put into a system: test_install.py)
"""

import functools
import hashlib
import os
import pathlib
import pty
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import harness
import processes

EXTRAS = harness.BUILD_DIR / "extras"
EPOCH = "1795969630"
SHELL_TIMEOUT_S = 30


def run(*command, timeout=120, **options):
    return subprocess.run([str(part) for part in command], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=timeout, check=False, **options)


def tocsin(*arguments):
    status, out, said = harness.run_tocsin(*arguments)
    if status or said:
        raise AssertionError(f"tocsin {' '.join(arguments)}: exit status {status}: {said}")
    return out


@functools.lru_cache(maxsize=None)
def commands():
    """{words of a subcommand: its --help}, the program itself as ()."""
    found, open_ = {}, [()]
    while open_:
        words = open_.pop()
        found[words] = tocsin(*words, "--help")
        listed = found[words].partition("Subcommands:\n")[2].partition("\n\n")[0]
        open_ += [(*words, name) for name in re.findall(r"^  ([a-z]+) {2,}\S", listed, re.M)]
    return found


def flags(text):
    """The options that a --help lists."""
    options = text.partition("\nOptions:\n")[2].partition("\n\n")[0]
    return {flag for line in re.findall(r"^  (-\S+)", options, re.M) for flag in line.split(",")}


class Needs(unittest.TestCase):
    def need(self, *programs):
        for program in programs:
            if not processes.find_program(program):
                self.skipTest(f"there is no {program} here; ./dev deps test")

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="tocsin-package-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)


class ManualTest(Needs):
    def test_the_manual_has_every_subcommand_and_option(self):
        page = tocsin("man").replace("\\-", "-")
        sections = dict(re.findall(r'^\.SS (.*)\n((?:(?!\.S[SH] ).*\n)*)', page, re.M))
        self.assertEqual({" ".join(words) for words in commands() if words}, set(sections))
        for words, text in commands().items():
            part = sections[" ".join(words)] if words else page.partition(".SH OPTIONS\n")[2].partition(".SH ")[0]
            with self.subTest(words):
                told = set(re.findall(r"\\fB(-[\w-]+)\\fR", part))
                self.assertEqual(flags(text) - (set() if not words else {"-h", "--help"}), told)
                for example in re.findall(r"^  (.*tocsin .*)$", text.rpartition("Example")[2], re.M):
                    self.assertIn(example.replace("'", "\\(aq").replace("~", "\\(ti"), page.replace("\\e", "\\"))
        for section in ("NAME", "SYNOPSIS", "DESCRIPTION", '"EXIT STATUS"', "ENVIRONMENT", "FILES", "SIGNALS", "EXAMPLES"):
            self.assertIn(f"\n.SH {section}\n", page)
        for status in re.findall(r"(\d) ", commands()[()].partition("Exit status: ")[2].partition("\n")[0]):
            self.assertIn(f"\n.TP\n.B {status}\n", page)
        self.assertTrue(page.isascii())

    def test_mandoc_and_man_have_nothing_to_say(self):
        self.need("mandoc", "man")
        page = self.folder / "tocsin.1"
        page.write_text(tocsin("man"), encoding="utf-8")
        done = run("mandoc", "-Tlint", page)
        self.assertEqual((0, ""), (done.returncode, done.stdout + done.stderr))
        done = run("man", "--warnings", "--local-file", page, env={**os.environ, "LC_ALL": "C.UTF-8", "MANWIDTH": "80"})
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        self.assertRegex(done.stdout, r"(?m)^ +tocsin rules lint \[OPTIONS\] \[PATH\.\.\.\]$")


class Shell:
    """An interactive shell on a terminal of its own: `typed` says what a line has become after a tab."""

    def __init__(self, command, prepare, folder, environment):
        child, self.terminal = pty.fork()
        if child == 0:
            try:
                os.chdir(folder)
                os.execvpe(command[0], command, environment)
            finally:
                os._exit(127)
        self.child, self.seen = child, b""
        for line in prepare:
            self.send(line + "\n")
        self.typed("true", key="")  # it is ready when it answers; what is echoed of these lines has no answer's form

    def send(self, text):
        os.write(self.terminal, text.encode())

    def typed(self, line, key="\t"):
        self.seen = b""
        self.send(f"{line}{key}\x07")  # Ctrl-G is bound to say the line
        deadline = time.monotonic() + SHELL_TIMEOUT_S
        while not (found := re.search(rb"<<(.*)>>", self.seen)):
            ready, _, _ = select.select([self.terminal], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                raise AssertionError(f"no answer within {SHELL_TIMEOUT_S} s: {self.seen!r}")
            self.seen += os.read(self.terminal, 65536)
        self.send("\x15")
        return found[1].decode()

    def close(self):
        os.close(self.terminal)
        os.waitpid(self.child, 0)


class CompletionTest(Needs):
    # What is typed before a tab, and what has become of it.
    ROWS = [
        ("tocsin rep", "tocsin replay "),
        ("tocsin rules li", "tocsin rules li"),  # list, lint
        ("tocsin rules lis", "tocsin rules list "),
        ("tocsin completion zs", "tocsin completion zsh "),
        ("tocsin rules list --sev", "tocsin rules list --severity "),
        ("tocsin rules list --severity cri", "tocsin rules list --severity critical "),
        ("tocsin rules list --category ja", "tocsin rules list --category jailbreak "),
        ("tocsin replay --output-format oc", "tocsin replay --output-format ocsf "),
        ("tocsin replay --explain ev", "tocsin replay --explain ev"),  # a session: not to be guessed
        ("tocsin replay ev", r"tocsin replay events\ of\ today.jsonl "),
        ("tocsin replay --out fi", "tocsin replay --out findings.jsonl "),
        ("tocsin replay --out findings.jsonl --met", "tocsin replay --out findings.jsonl --metrics "),
        ("tocsin check ru", "tocsin check rules/"),  # the folder, not the subcommand
        ("tocsin check rules --js", "tocsin check rules --json "),
        ("tocsin run ev", "tocsin run ev"),
    ]

    def setUp(self):
        super().setUp()
        for name in ("events of today.jsonl", "findings.jsonl", "rules/x.yaml"):
            (self.folder / name).parent.mkdir(exist_ok=True)
            (self.folder / name).touch()
        scripts = self.folder / ".scripts"
        scripts.mkdir()
        self.scripts = {}
        for shell in ("bash", "zsh", "fish"):
            self.scripts[shell] = scripts / shell
            self.scripts[shell].write_text(tocsin("completion", shell), encoding="utf-8")

    def environment(self):
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder), "TERM": "dumb", "LC_ALL": "C.UTF-8", "PS1": ""}

    def converse(self, command, *prepare):
        shell = Shell(command, prepare, self.folder, self.environment())
        self.addCleanup(shell.close)
        for line, wanted in self.ROWS:
            with self.subTest(line):
                self.assertEqual(wanted.rstrip(), shell.typed(line).rstrip())

    def test_bash_completes_what_is_typed(self):
        self.need("bash")
        self.converse(["bash", "--norc", "--noprofile", "-i"], "bind 'set bell-style none'; bind 'set completion-ignore-case off'",
                      r"""bind -x '"\C-g": printf "\n<\074%s>>\n" "$READLINE_LINE"'""", f"source {self.scripts['bash']}")

    def test_zsh_completes_what_is_typed(self):
        self.need("zsh")
        self.converse(["zsh", "-f", "-i"], "unsetopt beep list_beep prompt_sp; bindkey -e; autoload -Uz compinit; compinit -u -D",
                      r"""said() { print -r -- $'\n<\x3c'"$BUFFER>>" }; zle -N said; bindkey '^G' said""",
                      f"source {self.scripts['zsh']}")

    def test_fish_completes_what_is_typed(self):
        self.need("fish")
        for line, wanted in self.ROWS:
            with self.subTest(line):
                offered = self.fish(line)
                before, _, word = line.rpartition(" ")
                done = wanted.rstrip()[len(before) + 1:].replace("\\", "")
                if done == word:  # nothing, or several
                    self.assertNotEqual(1, len(offered), offered)
                else:
                    self.assertEqual([done], offered)

    def fish(self, line):
        done = run("fish", "--no-config", "-c", "source $argv[1]; complete --do-complete $argv[2]", self.scripts["fish"], line,
                   cwd=self.folder, env=self.environment())
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        return [one.partition("\t")[0] for one in done.stdout.splitlines()]

    def test_every_option_is_offered(self):
        self.need("bash", "fish")
        for words, text in commands().items():
            with self.subTest(words):
                line = " ".join(["tocsin", *words, "-"])
                offered = run("bash", "--norc", "-c", 'source "$1"; COMP_WORDS=($2); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _tocsin; '
                              'printf "%s\\n" "${COMPREPLY[@]}"', "bash", self.scripts["bash"], line)
                self.assertEqual("", offered.stderr)
                self.assertEqual(flags(text), set(offered.stdout.split()))
                self.assertEqual(flags(text), set(self.fish(line)) | set(self.fish(line + "-")))
                zsh = self.scripts["zsh"].read_text(encoding="utf-8")
                function = zsh.partition("\n" + "_".join(["_tocsin", *words]) + "() {\n")[2].partition("\n}\n")[0]
                self.assertEqual(flags(text), set(re.findall(r"^    '(?:\*|\(.*?\))(-[\w-]+)\[", function, re.M)))

    def test_the_scripts_are_sound(self):
        for shell, check in (("bash", ["bash", "-n"]), ("zsh", ["zsh", "-n"]), ("fish", ["fish", "-n"]),
                             ("bash", ["shellcheck", "--shell=bash"])):
            if processes.find_program(check[0]):
                done = run(*check, self.scripts[shell])
                self.assertEqual((0, ""), (done.returncode, done.stdout + done.stderr), check)
        self.assertNotEqual(0, harness.run_tocsin("completion", "tcsh")[0])

    def test_what_was_written_by_the_build_is_the_same(self):
        for shell, name in (("bash", "tocsin"), ("zsh", "_tocsin"), ("fish", "tocsin.fish")):
            self.assertEqual((EXTRAS / name).read_text(encoding="utf-8"), self.scripts[shell].read_text(encoding="utf-8"))
        self.assertEqual((EXTRAS / "tocsin.1").read_text(encoding="utf-8"), tocsin("man"))


class InstallTest(Needs):
    PROGRAM = {"bin/tocsin", "share/tocsin/rules/packs/shell.yaml", "share/tocsin/rules/systems/support-bot.yaml"}
    EXTRAS = {"share/man/man1/tocsin.1", "share/bash-completion/completions/tocsin", "share/zsh/vendor-completions/_tocsin",
              "share/fish/vendor_completions.d/tocsin.fish", "share/doc/tocsin/CHANGELOG.md", "share/doc/tocsin/rules.md",
              "share/doc/tocsin/examples/tocsin.yaml", "share/doc/tocsin/examples/tocsin.service"}

    def install(self, *options):
        done = run("cmake", "--install", harness.BUILD_DIR, "--prefix", self.folder, "--strip", *options)
        self.assertEqual(0, done.returncode, done.stderr)
        return {str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file()}

    def test_what_is_installed_runs(self):
        files = self.install()
        self.assertLessEqual(self.PROGRAM | self.EXTRAS, files)
        self.assertEqual(self.EXTRAS, {name for name in files if name != "bin/tocsin" and "share/tocsin/" not in name})
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")}
        done = run(self.folder / "bin" / "tocsin", "check", env=environment, cwd="/")
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        self.assertRegex(done.stdout, r"^ok: \d{3} rules \(\d+ examples passed\), \d+ detectors, [1-9]")

    def test_the_image_gets_the_program_alone(self):
        files = self.install("--component", "program")
        self.assertLessEqual(self.PROGRAM, files)
        self.assertEqual([], [name for name in files if name != "bin/tocsin" and not name.startswith("share/tocsin/rules/")])


class PackageTest(Needs):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.programs = [program for program in ("cpack", "dpkg-deb", "dpkg-shlibdeps") if not processes.find_program(program)]
        if cls.programs:
            raise unittest.SkipTest(f"there is no {cls.programs[0]} here")
        cls.root = pathlib.Path(tempfile.mkdtemp(prefix="tocsin-deb-"))
        cls.addClassCleanup(shutil.rmtree, cls.root, ignore_errors=True)
        cls.package = cls.pack("first")

    @classmethod
    def pack(cls, name):
        done = run("cpack", "--config", harness.BUILD_DIR / "CPackConfig.cmake", "-B", cls.root / name, timeout=240,
                   env={**os.environ, "SOURCE_DATE_EPOCH": EPOCH})
        if done.returncode:
            raise AssertionError(done.stdout + done.stderr)
        [package] = (cls.root / name).glob("*.deb")
        return package

    def fields(self):
        text = run("dpkg-deb", "--field", self.package).stdout
        return dict(re.findall(r"^(\S+): (.*(?:\n .*)*)", text, re.M))

    def test_what_the_package_says_of_itself(self):
        fields = self.fields()
        version = re.match(r"tocsin (\S+)", tocsin("--version"))[1]
        self.assertTrue(fields["Version"].startswith(version.replace("-", "~") + "-1+"), fields["Version"])
        self.assertRegex(self.package.name, r"^tocsin_[\w.~+-]+_[a-z0-9]+\.deb$")
        needed = {one.split()[0] for one in fields["Depends"].split(", ")}
        self.assertLessEqual({"librdkafka1", "libc6"}, needed)
        self.assertIn("libhyperscan5" if "libhyperscan5" in needed else "libvectorscan5", needed)
        self.assertFalse({name for name in needed if name.endswith("-dev")})
        self.assertEqual("admin", fields["Section"])

    def test_what_is_in_it(self):
        listed = {}
        for line in run("dpkg-deb", "--contents", self.package).stdout.splitlines():
            mode, owner, _, _, _, name, *_ = line.split()
            listed[name.removeprefix("./").rstrip("/")] = mode
            self.assertEqual("root/root", owner)
        for name, mode in (("usr/bin/tocsin", "-rwxr-xr-x"), ("etc/tocsin/tocsin.yaml", "-rw-r--r--"),
                           ("etc/tocsin/credentials", "drwx------"), ("etc/tocsin/systems", "drwxr-xr-x"),
                           ("usr/lib/systemd/system/tocsin.service", "-rw-r--r--"),
                           ("usr/share/man/man1/tocsin.1.gz", "-rw-r--r--"),
                           ("usr/share/bash-completion/completions/tocsin", "-rw-r--r--"),
                           ("usr/share/tocsin/rules/packs/shell.yaml", "-rw-r--r--"),
                           ("usr/share/doc/tocsin/copyright", "-rw-r--r--")):
            self.assertEqual(mode, listed.get(name), name)
        self.assertEqual([], [name for name in listed if not re.match(r"(usr|etc)(/|$)|$", name)])
        control = self.root / "control"
        run("dpkg-deb", "--control", self.package, control)
        self.assertEqual("/etc/tocsin/tocsin.yaml\n", (control / "conffiles").read_text(encoding="utf-8"))
        for script in ("postinst", "prerm", "postrm"):
            self.assertEqual(0o755, (control / script).stat().st_mode & 0o777)

    def test_the_configuration_in_it_loads(self):
        run("dpkg-deb", "--extract", self.package, self.folder)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")}
        done = run(self.folder / "usr/bin/tocsin", "check", "--config", self.folder / "etc/tocsin/tocsin.yaml", env=environment)
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        self.assertIn(" 0 systems", done.stdout)
        unit = (self.folder / "usr/lib/systemd/system/tocsin.service").read_text(encoding="utf-8")
        program, config = re.search(r"^ExecStart=(\S+) run --config (\S+)$", unit, re.M).groups()
        for path in (program, config):
            self.assertTrue((self.folder / path.lstrip("/")).is_file(), path)
        copyrights = (self.folder / "usr/share/doc/tocsin/copyright").read_text(encoding="utf-8")
        for compiled_in in ("CLI11", "nlohmann", "toml"):
            self.assertIn(compiled_in, copyrights)

    def test_the_program_is_hardened(self):
        """As Debian builds what reads from the network: position-independent, nothing writable is executable or linked late."""
        self.need("readelf")
        run("dpkg-deb", "--extract", self.package, self.folder)
        read = run("readelf", "--wide", "--file-header", "--program-headers", "--dynamic", "--dyn-syms", self.folder / "usr/bin/tocsin")
        self.assertEqual(0, read.returncode, read.stderr)
        for what, sign in (("a position-independent executable", r"Type: +DYN \(Position-Independent"), ("read-only relocations", r"GNU_RELRO"),
                           ("a stack that is not executed", r"GNU_STACK .* RW  *0x"), ("everything linked at the start", r"\bFLAGS(_1)?\b.*\bNOW\b"),
                           ("stack protection", r"\b__stack_chk_fail\b"), ("checked copies", r"\b__\w+_chk\b")):
            self.assertRegex(read.stdout, sign, what)
        self.assertNotRegex(read.stdout, r"LOAD .*\bRWE\b")

    def test_two_packages_of_a_tree_are_the_same(self):
        second = self.pack("second")
        self.assertEqual(self.package.name, second.name)
        digests = {hashlib.sha256(path.read_bytes()).hexdigest() for path in (self.package, second)}
        self.assertEqual(1, len(digests), "not the same bytes")
        print(f"figures: package: {self.package.stat().st_size / 1e6:.1f} MB", flush=True)

    def test_lintian_finds_no_fault(self):
        self.need("lintian")
        done = run("lintian", "--allow-root", "--fail-on", "error,warning", "--display-level", ">=warning", "--tag-display-limit", "0",
                   self.package, timeout=240)
        self.assertEqual((0, ""), (done.returncode, done.stdout + done.stderr))


if __name__ == "__main__":
    unittest.main(verbosity=2)
