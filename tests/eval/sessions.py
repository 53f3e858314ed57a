#!/usr/bin/env python3
"""Plays tests/sessions and prints, folder by folder, which attacks were found in time and what else was flagged.

    tests/eval/sessions.py [--tocsin build/release/tocsin] [--sessions tests/sessions] [--list]

--list: every session that did not go as far as it should, or further.
"""

import argparse
import json
import pathlib
import subprocess
import sys

BELOW = ": below "
REPOSITORY = pathlib.Path(__file__).resolve().parents[2]


def play(tocsin, sessions):
    """{folder: lines "session: what came" of those that went otherwise}; stops when a case could not be played."""
    folders = sorted(path.parent for path in sessions.glob("*/expect.txt"))
    done = subprocess.run([tocsin, "test", "--json", str(sessions), *map(str, folders)], capture_output=True, text=True,
                          check=False)
    if not done.stdout:
        sys.exit(f"sessions: {tocsin} test ended with {done.returncode}:\n{done.stderr}")
    came = {folder.name: [] for folder in folders}
    for failure in json.loads(done.stdout)["failures"]:
        if failure["kind"] != "case":
            continue
        if failure["error"]:
            sys.exit(f"sessions: {failure['folder']}: {failure['error']}")
        came[pathlib.Path(failure["folder"]).name] = [line[2:] for line in failure["differences"]
                                                      if line.startswith("+ ")]
    return came


def expectations(folder):
    """{session: whether it is an attack}."""
    lines = (folder / "expect.txt").read_text(encoding="utf-8").splitlines()
    return {line.rsplit(": ", 1)[0]: BELOW not in line for line in lines if line and not line.startswith("#")}


def counts(expected, came):
    """(attacks, found in time, honest sessions, flagged)."""
    otherwise = {line.split(": ", 1)[0] for line in came}
    attacks = {session for session, attack in expected.items() if attack}
    honest = expected.keys() - attacks
    return len(attacks), len(attacks - otherwise), len(honest), len(honest & otherwise)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tocsin", default=str(REPOSITORY / "build" / "release" / "tocsin"))
    parser.add_argument("--sessions", default=REPOSITORY / "tests" / "sessions", type=pathlib.Path)
    parser.add_argument("--list", action="store_true")
    args = parser.parse_args()
    came = play(args.tocsin, args.sessions)
    rows = [(name, *counts(expectations(args.sessions / name), lines)) for name, lines in came.items()]
    rows.append(("all", *(sum(column) for column in list(zip(*rows))[1:])))
    print(f"{'':22} {'attacks':>8} {'found':>8} {'honest':>8} {'flagged':>8}")
    for row in rows:
        print(f"{row[0]:22} {row[1]:8} {row[2]:8} {row[3]:8} {row[4]:8}")
    if args.list:
        for name, lines in came.items():
            for line in lines:
                print(f"{name}/{line}")


if __name__ == "__main__":
    main()
