"""What a release hangs on: one version everywhere, a changelog that tells of it, workflows that may do no more than they must.

    python3 -m unittest tests/e2e/test_release.py     (./dev test does it)
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import harness

try:
    import yaml
except ImportError:
    yaml = None

CHECK = harness.REPO / "deploy" / "release_check.py"
TODAY = "2026-12-01"
GIT = {"GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@t.invalid", "GIT_COMMITTER_NAME": "t", "GIT_COMMITTER_EMAIL": "t@t.invalid",
       "GIT_AUTHOR_DATE": "2026-11-30T23:30:00+00:00", "GIT_COMMITTER_DATE": "2026-11-30T23:30:00+00:00",
       "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}


def run(*command, **options):
    return subprocess.run([str(part) for part in command], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=60, check=False, **options)


class Folder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="tocsin-release-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def git(self, *arguments, where="."):
        done = run("git", "-C", self.folder / where, *arguments, env={**os.environ, **GIT})
        self.assertEqual(0, done.returncode, done.stderr)
        return done.stdout.strip()

    def commit(self, where="."):
        self.git("init", "--quiet", where=where)
        self.git("add", "--all", where=where)
        self.git("commit", "--quiet", "--message", "all", where=where)
        return self.git("rev-parse", "HEAD", where=where)


class VersionTest(Folder):
    def version(self, source=None, **more):
        """(commit, date) as the build finds them; a failure is its words."""
        environment = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
        beside = tempfile.TemporaryDirectory(prefix="tocsin-version-")
        self.addCleanup(beside.cleanup)
        out = pathlib.Path(beside.name) / "version.cpp"
        done = run("cmake", "-D", f"SOURCE={source or self.folder}", "-D", "VERSION=1.2.3-dev", "-D", f"OUT={out}",
                   "-D", f"COMMIT={more.pop('commit', '')}", "-P", harness.REPO / "daemon" / "version.cmake",
                   env={**environment, **more})
        if done.returncode:
            return done.stderr
        self.assertEqual("", done.stderr)
        text = out.read_text(encoding="utf-8")
        self.assertIn('version() { return "1.2.3-dev"; }', text)
        return tuple(re.search(rf' {name}\(\) {{ return "(.*)"; }}', text)[1] for name in ("commit", "commit_date"))

    def test_the_program_says_version_commit_and_day(self):
        status, out, said = harness.run_tocsin("--version")
        self.assertEqual((0, ""), (status, said))
        found = re.fullmatch(r"tocsin (\d+\.\d+\.\d+)(-[a-z]+(?:\.\d+)?)? "
                             r"\(commit (?:unknown|[0-9a-f]{12}(?:-modified)?(?:, \d{4}-\d\d-\d\d)?)\)\n", out)
        self.assertTrue(found, out)
        project = re.search(r"project\(tocsin VERSION (\S+)", (harness.REPO / "CMakeLists.txt").read_text(encoding="utf-8"))
        self.assertEqual(project[1], found[1])

    def test_commit_and_day_are_the_repository_s(self):
        self.assertEqual(("unknown", ""), self.version(), "no repository")
        self.write("source.txt", "words")
        commit = self.commit()[:12]
        self.assertEqual((commit, "2026-11-30"), self.version())
        self.write("new.txt", "is not part of it")
        self.assertEqual((commit, "2026-11-30"), self.version())
        self.write("source.txt", "other words")
        self.assertEqual((f"{commit}-modified", "2026-11-30"), self.version())
        (self.folder / "unpacked").mkdir()
        self.assertEqual(("unknown", ""), self.version(self.folder / "unpacked"), "another's repository")

    def test_a_commit_that_is_told(self):
        given = "0123456789abcdef0123456789abcdef01234567"
        self.assertEqual(("0123456789ab", ""), self.version(commit=given))
        self.assertEqual(("0123456789ab-modified", "2026-11-29"),
                         self.version(commit=f"{given}-modified", SOURCE_DATE_EPOCH="1795969630"))
        for bad in ('x"; system("id"); "', "main", "0123-dirty", "ABCDEF"):
            with self.subTest(bad):
                said = self.version(commit=bad)
                self.assertIn("TOCSIN_COMMIT", said)
                self.assertIn("git rev-parse HEAD", said)


class ReleaseCheckTest(Folder):
    FILES = {
        "CMakeLists.txt": 'cmake_minimum_required(VERSION 3.25)\nproject(tocsin VERSION 0.2.0 DESCRIPTION "x")\n',
        "deploy/compose.yaml": "services:\n  tocsin:\n    image: tocsin:0.2.0\n",
        "helm/tocsin/Chart.yaml": 'apiVersion: v2\nname: tocsin\nversion: 0.2.0\nappVersion: "0.2.0"\n',
        "deploy/CHANGELOG.md": "# Changelog\n\n## [Unreleased]\n\n## [0.2.0] - 2026-11-30\n\n### Fixed\n\n- A thing.\n\n"
                               "## [0.1.0] - 2026-11-01\n\n### Added\n\n- All of it.\n",
    }
    OPEN = {"deploy/CHANGELOG.md": "# Changelog\n\n## [Unreleased]\n\n### Fixed\n\n- A thing.\n\n"
                                   "## [0.1.0] - 2026-11-01\n\n### Added\n\n- All of it.\n"}

    def prepare(self, changes):
        for name, text in {**self.FILES, **changes}.items():
            if text is None:
                (self.folder / name).unlink(missing_ok=True)
            else:
                self.write(name, text)
        self.commit()

    def check(self, *arguments):
        done = run(sys.executable, CHECK, "--root", self.folder, "--today", TODAY, *arguments, env={**os.environ, **GIT})
        return done.returncode, done.stdout, done.stderr

    def test_this_repository_says_one_version(self):
        done = run(sys.executable, CHECK)
        self.assertEqual((0, ""), (done.returncode, done.stderr))

    def test_what_can_be_released(self):
        self.prepare({})
        for arguments in ([], ["0.2.0"]):
            self.assertEqual((0, ""), self.check(*arguments)[::2], arguments)
        self.git("tag", "v0.2.0")
        self.git("tag", "v0.1.0")
        self.git("tag", "vanity")
        self.assertEqual((0, ""), self.check("0.2.0")[::2], "tagged, here")
        status, notes, _ = self.check("0.2.0", "--notes")
        self.assertEqual((0, "### Fixed\n\n- A thing.\n"), (status, notes))

    def test_a_candidate_tells_what_is_not_released(self):
        self.prepare(self.OPEN)
        self.git("tag", "v0.2.0-rc.2")
        for candidate in ("0.2.0-rc.2", "0.2.0-rc.10"):  # in the order of numbers
            self.assertEqual((0, ""), self.check(candidate)[::2], candidate)
        self.assertEqual((0, "### Fixed\n\n- A thing.\n"), self.check("0.2.0-rc.3", "--notes")[:2])
        status, _, said = self.check("0.2.0-rc.1")
        self.assertEqual(1, status)
        self.assertIn("tag v0.2.0-rc.2: 0.2.0-rc.1 would come after it", said)

    def test_a_chart_is_not_needed(self):
        self.prepare({"helm/tocsin/Chart.yaml": None})
        self.assertEqual((0, ""), self.check("0.2.0")[::2])

    def test_what_does_not_agree_is_said(self):
        changelog = self.FILES["deploy/CHANGELOG.md"]
        chart = self.FILES["helm/tocsin/Chart.yaml"]
        rows = [
            ("another version in the build", {"CMakeLists.txt": "project(tocsin VERSION 0.3.0)\n"}, "its version is 0.3.0, not 0.2.0"),
            ("none", {"CMakeLists.txt": "project(tocsin)\n"}, "CMakeLists.txt: no project(tocsin VERSION"),
            ("no such file", {"CMakeLists.txt": None}, "CMakeLists.txt: cannot be read"),
            ("the image of compose", {"deploy/compose.yaml": "    image: tocsin:0.1.0\n"}, "make it tocsin:0.2.0"),
            ("the chart", {"helm/tocsin/Chart.yaml": chart.replace("version: 0.2.0", "version: 0.1.9")}, "version is 0.1.9"),
            ("what the chart runs", {"helm/tocsin/Chart.yaml": chart.replace('"0.2.0"', '"latest"')}, "appVersion is latest"),
            ("a chart without", {"helm/tocsin/Chart.yaml": "name: tocsin\nversion: 0.2.0\n"}, "appVersion is missing"),
            ("nothing told", self.OPEN, "nothing is told of 0.2.0"),
            ("an empty section", {"deploy/CHANGELOG.md": changelog.replace("### Fixed\n\n- A thing.\n", "")}, "nothing is told of 0.2.0"),
            ("something kept back", {"deploy/CHANGELOG.md": changelog.replace("[Unreleased]\n", "[Unreleased]\n\n- More.\n")},
             "[Unreleased] is not empty"),
            ("no place for the next", {"deploy/CHANGELOG.md": changelog.replace("## [Unreleased]\n\n", "")}, "the first heading is not"),
            ("a day to come", {"deploy/CHANGELOG.md": changelog.replace("2026-11-30", "2026-12-02")}, "is in the future"),
            ("no day", {"deploy/CHANGELOG.md": changelog.replace("2026-11-30", "2026-11-31")}, "no such day"),
            ("not a day", {"deploy/CHANGELOG.md": changelog.replace(" - 2026-11-30", "")}, "write it `## [X.Y.Z] - YYYY-MM-DD`"),
            ("the order", {"deploy/CHANGELOG.md": changelog.replace("0.1.0", "0.10.0")}, "stands below an earlier version"),
            ("twice", {"deploy/CHANGELOG.md": changelog.replace("[0.1.0] - 2026-11-01", "[0.2.0] - 2026-11-30")}, "two headings are the same"),
            ("a kind of our own", {"deploy/CHANGELOG.md": changelog.replace("### Fixed", "### Improved")}, "one of Added, Changed"),
        ]
        for what, changes, wanted in rows:
            with self.subTest(what):
                self.prepare(changes)
                status, out, said = self.check("0.2.0")
                self.assertEqual((1, ""), (status, out), said)
                self.assertIn(wanted, said)

    def test_between_releases_no_file_falls_back(self):
        self.prepare({"CMakeLists.txt": "project(tocsin VERSION 0.1.0)\n"})
        status, _, said = self.check()
        self.assertEqual(1, status)
        self.assertIn("its version is 0.1.0, and 0.2.0 is released", said)

    def test_a_release_is_a_commit(self):
        status, _, said = self.check("0.2.0")
        self.assertEqual(1, status)
        self.assertIn("no commit", said)
        self.prepare({})
        self.write("CMakeLists.txt", self.FILES["CMakeLists.txt"] + "# more\n")
        self.assertIn("not all is committed (M CMakeLists.txt", self.check("0.2.0")[2])
        self.git("tag", "v0.2.0")
        self.commit()
        self.assertIn("a version is released once", self.check("0.2.0")[2])

    def test_what_is_no_version(self):
        self.prepare({})
        for bad in ("v0.2.0", "0.2", "00.2.0", "0.2.0-", "0.2.0-RC1", "0.2.0-rc.0", "0.2.0 ", "0.2.0\n", "$(id)"):
            with self.subTest(bad):
                status, _, said = self.check(bad)
                self.assertEqual(2, status)
                self.assertIn("write it as 0.2.0 or 0.2.0-rc.1", said)


@unittest.skipIf(yaml is None, "PyYAML is not there")
class WorkflowsTest(unittest.TestCase):
    # The jobs that may write, and what.
    WRITES = {("release.yml", "publish"): {"contents", "packages", "id-token", "attestations"}}

    def setUp(self):
        files = sorted((harness.REPO / ".github" / "workflows").glob("*.y*ml"))
        self.texts = {path.name: path.read_text(encoding="utf-8") for path in files}
        self.assertLessEqual({"ci.yml", "release.yml"}, set(self.texts))
        self.workflows = {name: yaml.safe_load(text) for name, text in self.texts.items()}

    def jobs(self):
        for name, workflow in self.workflows.items():
            for job, content in workflow["jobs"].items():
                yield name, job, content

    def test_they_may_read_and_publish_may_write(self):
        writing = {}
        for name, workflow in self.workflows.items():
            self.assertEqual({"contents": "read"}, workflow["permissions"], name)
            self.assertIn("concurrency", workflow, name)
            self.assertNotIn("pull_request_target", workflow[True], "on: is True to YAML; a stranger's code, our secrets")
        for name, job, content in self.jobs():
            self.assertIn("timeout-minutes", content, f"{name}: {job}")
            writes = {what for what, how in content.get("permissions", {}).items() if how == "write"}
            if writes:
                writing[name, job] = writes
        self.assertEqual(self.WRITES, writing)
        for name, job in writing:
            commands = "\n".join(step.get("run", "") for step in self.workflows[name]["jobs"][job]["steps"])
            self.assertNotRegex(commands, r"\./dev (?!release-check)|docker build|cmake|make\b", "it builds nothing")
            before = set(self.workflows[name]["jobs"][job]["needs"])
            self.assertEqual(set(self.workflows[name]["jobs"]) - {job}, before, "it waits for all that can fail")

    def test_actions_are_commits(self):
        used = [(name, line) for name, text in self.texts.items() for line in text.splitlines() if "uses:" in line]
        self.assertGreater(len(used), 10)
        commits = {}
        for name, line in used:
            with self.subTest(f"{name}: {line.strip()}"):
                found = re.search(r"uses: ([\w.-]+/[\w./-]+)@([0-9a-f]{40}) # (v\d+\.\d+\.\d+)$", line)
                self.assertTrue(found)
                self.assertEqual(commits.setdefault(found[1], found.groups()[1:]), found.groups()[1:], "one of an action")

    def test_commands_exist(self):
        usage = run(harness.REPO / "dev", "help").stdout.partition("\n\n")[2].partition("\n\n")[0]
        known = set(re.findall(r"^  ([a-z][a-z-]*)\b", usage, re.MULTILINE))
        called = set()
        for name, job, content in self.jobs():
            for row in content.get("strategy", {}).get("matrix", {}).get("include", [{}]):
                called |= set(re.findall(r"\./dev ([a-z-]+)", str(row)))
            for step in content["steps"]:
                called |= set(re.findall(r"\./dev ([a-z-]+)", step.get("run", "")))
                # What others choose (a branch's name, a title) is no part of a script.
                for value in re.findall(r"\$\{\{\s*(.*?)\s*\}\}", step.get("run", "")):
                    self.assertRegex(value, r"^matrix\.", f"{name}: {job}: hand it over in env:")
        self.assertLessEqual({"test", "lint", "sanitize", "fuzz", "image", "package", "release-check"}, called)
        self.assertLessEqual(called, known)

    def test_no_secret_but_the_job_s_own_token(self):
        for name, text in self.texts.items():
            self.assertLessEqual(set(re.findall(r"secrets\.(\w+)", text)), {"GITHUB_TOKEN"}, name)
            checkouts = text.count("uses: actions/checkout@")
            self.assertEqual(checkouts, text.count("persist-credentials: false"), f"{name}: the token is left behind")


if __name__ == "__main__":
    unittest.main(verbosity=2)
