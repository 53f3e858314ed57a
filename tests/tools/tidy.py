#!/usr/bin/env python3
"""clang-tidy over the sources of a build folder, skipping those that were clean and have not changed since.

    tests/tools/tidy.py --build build/lint [--jobs N] FOLDER...

A source has changed when its text, that of a header of ours it includes (however deep), its compile command,
.clang-tidy or clang-tidy itself has.  Warnings are errors.  The memory is <build>/tidy, one small file a source.
"""

import argparse
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import time

REPO = pathlib.Path(__file__).resolve().parents[2]
TIDY = os.environ.get("CLANG_TIDY", "clang-tidy-19")
INCLUDE = re.compile(rb'^[ \t]*#[ \t]*include[ \t]*[<"]([^>"]+)[>"]', re.MULTILINE)


class Includes:
    """Which of our own files a source is made of."""

    def __init__(self):
        self.texts_ = {}

    def text(self, path):
        if path not in self.texts_:
            self.texts_[path] = path.read_bytes()
        return self.texts_[path]

    def closure(self, source, folders):
        found, todo = set(), [source]
        while todo:
            path = todo.pop()
            if path in found:
                continue
            found.add(path)
            for name in INCLUDE.findall(self.text(path)):
                for folder in [path.parent, *folders]:
                    candidate = pathlib.Path(os.path.normpath(folder / os.fsdecode(name)))
                    if candidate.is_file():
                        todo.append(candidate)
                        break
        return sorted(found)


def include_folders(words, directory):
    """The -I folders that are ours: below the repository, generated ones included."""
    folders = [REPO]
    for i, word in enumerate(words):
        for flag in ("-I", "-isystem", "-iquote"):
            if word == flag:
                folders.append(pathlib.Path(directory, words[i + 1]))
            elif word.startswith(flag) and len(word) > len(flag):
                folders.append(pathlib.Path(directory, word[len(flag):]))
    return [folder for folder in folders if folder.resolve().is_relative_to(REPO)]


def key_of(entry, includes, common):
    words = shlex.split(entry["command"]) if "command" in entry else entry["arguments"]
    source = pathlib.Path(entry["directory"], entry["file"])
    digest = hashlib.sha256(common)
    digest.update("\0".join(words).encode())
    for path in includes.closure(source, include_folders(words, entry["directory"])):
        digest.update(str(path).encode() + b"\0" + includes.text(path))
    return digest.hexdigest()


def run_tidy(source, build, header_filter):
    done = subprocess.run(
        [TIDY, "-p", str(build), "--quiet", "--warnings-as-errors=*", *header_filter, str(source)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    return done.returncode == 0, done.stdout + ("" if done.stdout.strip() or done.returncode == 0 else done.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True, type=pathlib.Path, help="holds compile_commands.json")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("folders", nargs="+")
    args = parser.parse_args()

    try:
        entries = json.loads((args.build / "compile_commands.json").read_text(encoding="utf-8"))
    except OSError as error:
        sys.exit(f"tidy.py: {error}; configure that build folder first")
    folders = [REPO / folder for folder in args.folders]
    config = REPO / ".clang-tidy"
    # Without a header filter of its own the configuration would leave every header out.
    filtered = config.exists() and b"HeaderFilterRegex" in config.read_bytes()
    header_filter = [] if filtered else [f"--header-filter={re.escape(str(REPO))}/({'|'.join(args.folders)})/"]
    version = subprocess.run([TIDY, "--version"], capture_output=True, check=True).stdout
    configs = [config, *sorted((REPO / "tests").rglob(".clang-tidy"))]
    common = version + b"".join(each.read_bytes() for each in configs if each.exists()) + repr(header_filter).encode()

    includes = Includes()
    memory = args.build / "tidy"
    memory.mkdir(exist_ok=True)
    todo, clean = [], 0
    for entry in entries:
        source = pathlib.Path(entry["directory"], entry["file"]).resolve()
        if not any(source.is_relative_to(folder) for folder in folders):
            continue
        stamp = memory / (str(source.relative_to(REPO)).replace("/", "%") + ".key")
        key = key_of(entry, includes, common)
        if stamp.exists() and stamp.read_text(encoding="utf-8") == key:
            clean += 1
        else:
            todo.append((source, stamp, key))

    began, failed = time.monotonic(), []
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        runs = {pool.submit(run_tidy, source, args.build, header_filter): (source, stamp, key)
                for source, stamp, key in todo}
        for number, run in enumerate(concurrent.futures.as_completed(runs), 1):
            source, stamp, key = runs[run]
            passed, said = run.result()
            name = source.relative_to(REPO)
            print(f"[{number}/{len(todo)}] {name}{'' if passed else ': FAILED'}", flush=True)
            if passed:
                stamp.write_text(key, encoding="utf-8")
            else:
                stamp.unlink(missing_ok=True)
                failed.append(name)
                print(said.strip(), flush=True)
    print(f"clang-tidy: {len(todo)} looked at in {time.monotonic() - began:.0f} s, {clean} unchanged since they were "
          f"clean, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
