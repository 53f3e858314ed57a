#!/usr/bin/env python3
"""Whether a release says one version everywhere.

    deploy/release_check.py             what holds between releases: every file says CMakeLists.txt's version
    deploy/release_check.py 0.2.0       0.2.0 can be released from this commit; 0.2.0-rc.1 likewise, on the way there
    deploy/release_check.py 0.2.0 --notes   prints what the changelog says of it

`./dev release-check` runs it; the release workflow does so before it builds anything.  Prints each thing that is wrong,
with its file and what to do; exit status 1 then, 2 when it could not be asked.
"""

import argparse
import datetime
import pathlib
import re
import subprocess
import sys

NUMBER = r"(?:0|[1-9]\d*)"
CORE = rf"{NUMBER}\.{NUMBER}\.{NUMBER}"
VERSION = re.compile(rf"({CORE})(?:-([a-z]+\.[1-9]\d*))?")  # what CMakeLists.txt takes for TOCSIN_PRERELEASE
HEADING = re.compile(r"^## (.*)$", re.MULTILINE)
RELEASED = re.compile(rf"\[({CORE})\] - (\d{{4}}-\d\d-\d\d)")
UNRELEASED = "[Unreleased]"
KINDS = ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")

CHANGELOG = "deploy/CHANGELOG.md"
CHART = "helm/tocsin/Chart.yaml"
COMPOSE = "deploy/compose.yaml"


def order(version):
    """Sorts as Semantic Versioning does, of what VERSION takes."""
    core, before = VERSION.fullmatch(version).groups()
    kind, _, number = (before or "").partition(".")
    return tuple(map(int, core.split("."))), before is None, kind, int(number or 0)


class Check:
    def __init__(self, root, today):
        self.root, self.today = pathlib.Path(root), today
        self.wrong = []

    def say(self, where, what, remedy):
        self.wrong.append(f"{where}: {what}; {remedy}")

    def read(self, name):
        try:
            return (self.root / name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            self.say(name, f"cannot be read: {error}", "it is part of a release")
            return ""

    def git(self, *arguments):
        done = subprocess.run(["git", "-C", str(self.root), *arguments], capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else None

    def project_version(self):
        found = re.search(rf"^project\(tocsin VERSION ({CORE})\b", self.read("CMakeLists.txt"), re.MULTILINE)
        if found:
            return found[1]
        self.say("CMakeLists.txt", "no project(tocsin VERSION X.Y.Z ...)", "that line is where the version stands")
        return None

    def same_everywhere(self, core):
        image = re.search(r"^ +image: tocsin:(\S+)$", self.read(COMPOSE), re.MULTILINE)
        if not image or image[1] != core:
            self.say(COMPOSE, f"its image is tocsin:{image[1] if image else '?'}", f"make it tocsin:{core}")
        if not (self.root / CHART).exists():
            return
        chart = self.read(CHART)
        for key in ("version", "appVersion"):
            found = re.search(rf"^{key}: *[\"']?([^\"'\s#]*)", chart, re.MULTILINE)
            if not found or found[1] != core:
                self.say(CHART, f"{key} is {found[1] if found else 'missing'}", f"make it {core} (helm/sync.py does): both are released together")

    def changelog(self):
        """{heading: text} in order, what is wrong with its form said."""
        text = self.read(CHANGELOG)
        parts = HEADING.split(text)
        sections = dict(zip(parts[1::2], (part.strip() for part in parts[2::2])))
        if len(sections) != len(parts) // 2:
            self.say(CHANGELOG, "two headings are the same", "each version once")
        if next(iter(sections), None) != UNRELEASED:
            self.say(CHANGELOG, f"the first heading is not {UNRELEASED}", "put it back, for what comes next")
        before = None
        for heading, body in sections.items():
            for kind in re.findall(r"^### (.*)$", body, re.MULTILINE):
                if kind not in KINDS:
                    self.say(CHANGELOG, f"{heading} has `### {kind}`", f"one of {', '.join(KINDS)}")
            if heading == UNRELEASED:
                continue
            found = RELEASED.fullmatch(heading)
            if not found:
                self.say(CHANGELOG, f"the heading `## {heading}`", "write it `## [X.Y.Z] - YYYY-MM-DD`")
                continue
            try:
                day = datetime.date.fromisoformat(found[2])
            except ValueError:
                self.say(CHANGELOG, f"{heading}: no such day", "YYYY-MM-DD")
                continue
            if day > self.today:
                self.say(CHANGELOG, f"{heading} is in the future", f"today is {self.today}")
            if before and (order(found[1]), day) > before:
                self.say(CHANGELOG, f"{heading} stands below an earlier version", "the latest comes first")
            before = (order(found[1]), day)
        return sections

    def between_releases(self):
        core = self.project_version()
        sections = self.changelog()
        if core is None:
            return
        self.same_everywhere(core)
        latest = next((found[1] for heading in sections if (found := RELEASED.fullmatch(heading))), None)
        if latest and order(latest) > order(core):
            self.say("CMakeLists.txt", f"its version is {core}, and {latest} is released", "it names the release to come")

    def release(self, version):
        core, before = VERSION.fullmatch(version).groups()
        project = self.project_version()
        if project not in (None, core):
            self.say("CMakeLists.txt", f"its version is {project}, not {core}", f"project(tocsin VERSION {core} ...)")
        self.same_everywhere(core)
        sections = self.changelog()
        if before is None:
            if not any(heading.startswith(f"[{core}] ") and body for heading, body in sections.items()):
                self.say(CHANGELOG, f"nothing is told of {core}", f"rename {UNRELEASED} to `[{core}] - {self.today}`")
            if sections.get(UNRELEASED):
                self.say(CHANGELOG, f"{UNRELEASED} is not empty", f"all that is there goes out with {core}: move it")
        elif not sections.get(UNRELEASED):
            self.say(CHANGELOG, f"{UNRELEASED} is empty", f"a candidate tries what {core} will bring: tell it")
        self.repository(version)

    def notes(self, version):
        """What the changelog says of a version; of a candidate, what has not been released."""
        core, before = VERSION.fullmatch(version).groups()
        sections = self.changelog()
        wanted = UNRELEASED if before else next((one for one in sections if one.startswith(f"[{core}] ")), None)
        if not sections.get(wanted):
            self.say(CHANGELOG, f"nothing is told of {version}", "release-check says what is wrong")
        return sections.get(wanted, "")

    def repository(self, version):
        head = self.git("rev-parse", "HEAD")
        if head is None:
            self.say(".", "no commit", "a release is made from one")
            return
        changes = self.git("status", "--porcelain", "--untracked-files=no")
        if changes:
            self.say(".", f"not all is committed ({changes.splitlines()[0].strip()} ...)", "a release is a commit")
        tagged = self.git("rev-parse", "--verify", "--quiet", f"refs/tags/v{version}^{{commit}}")
        if tagged not in (None, head):
            self.say(f"tag v{version}", f"is commit {tagged[:12]}, this is {head[:12]}", "a version is released once")
        for tag in (self.git("tag", "--list", "v*") or "").split():
            if VERSION.fullmatch(tag[1:]) and order(tag[1:]) > order(version):
                self.say(f"tag {tag}", f"{version} would come after it", "give it a later version")


def main():
    parser = argparse.ArgumentParser(prog="release_check.py", description=__doc__.splitlines()[0])
    parser.add_argument("version", nargs="?", help="the version to be released, without a v")
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parents[1],
                        help="the repository (default: this one)")
    parser.add_argument("--today", type=datetime.date.fromisoformat, help="YYYY-MM-DD",
                        default=datetime.datetime.now(datetime.timezone.utc).date())
    parser.add_argument("--notes", action="store_true", help="print what the changelog says of the version")
    options = parser.parse_args()
    if options.version is not None and not VERSION.fullmatch(options.version):
        parser.error(f"`{options.version}` is no version; write it as 0.2.0 or 0.2.0-rc.1")
    if options.notes and options.version is None:
        parser.error("--notes: of which version?")
    check = Check(options.root, options.today)
    said = f"release-check: {options.version or 'every file'} {'can be released' if options.version else 'says the same'}"
    if options.notes:
        said = check.notes(options.version)
    elif options.version is None:
        check.between_releases()
    else:
        check.release(options.version)
    for line in check.wrong:
        print(f"release-check: {line}", file=sys.stderr)
    if check.wrong:
        return 1
    print(said)
    return 0


if __name__ == "__main__":
    sys.exit(main())
