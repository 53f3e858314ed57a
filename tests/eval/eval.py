#!/usr/bin/env python3
"""Replays labelled corpora through tocsin and prints what was caught and what was flagged for nothing.

    tests/eval/eval.py --tocsin build/release/tocsin --score score.py --out build/eval CORPORA

CORPORA/<name>/ holds events.jsonl.gz and labels.jsonl.gz, and perhaps profiles/: then the corpus is replayed a second
time with these system profiles.  The scorer is a program: --labels F --findings F --min-severity S --json.  Findings
and metrics stay in --out.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import time

SEVERITIES = ["high", "medium"]
COLUMNS = ["corpus", "at", "malicious", "detection", "timely", "benign", "fpr", "pages/10k", "attempts", "flagged",
           "events/s"]


def replay(tocsin, folder, out, name, systems):
    """(path of the findings, events a second); stops everything when the replay fails."""
    findings, metrics = out / f"{name}.findings.jsonl", out / f"{name}.prom"
    events = folder / "events.jsonl.gz"
    command = [tocsin, "replay", "--out", str(findings), "--metrics", str(metrics)]
    if systems:
        command += ["--systems", str(systems)]
    began = time.monotonic()
    done = subprocess.run([*command, str(events)], stderr=subprocess.PIPE, text=True, check=False)
    seconds = time.monotonic() - began
    (out / f"{name}.log").write_text(done.stderr, encoding="utf-8")
    if done.returncode:
        sys.exit(f"eval: {name}: replay ended with {done.returncode}:\n{done.stderr[-2000:]}\n"
                 f"again: {' '.join(command)} {events}")
    return findings, count_events(metrics) / seconds if seconds else 0


def count_events(metrics):
    """Sum of tocsin_events_total in a metrics file; 0 when it was not written."""
    if not metrics.exists():
        return 0
    with open(metrics, encoding="utf-8") as stream:
        return sum(float(line.rsplit(" ", 1)[1]) for line in stream if line.startswith("tocsin_events_total"))


def score(scorer, labels, findings, severity):
    done = subprocess.run([sys.executable, str(scorer), "--labels", str(labels), "--findings", str(findings),
                           "--min-severity", severity, "--json"], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"eval: {scorer} ended with {done.returncode}:\n{done.stderr}")
    return json.loads(done.stdout)


def percent(value):
    if value is None:
        return "-"
    return f"{value:.1%}" if value >= 0.01 or value == 0 else f"{value:.2%}"


def row_of(name, severity, scored, rate):
    count = scored["groups"].get("all")
    if count is None:  # no label was counted
        return [name, severity] + ["-"] * (len(COLUMNS) - 2)
    fpr = count["fpr"]
    return [name, severity, count["malicious"], percent(count["detection"]), percent(count["timely"]), count["benign"],
            percent(fpr), "-" if fpr is None else f"{fpr * 10_000:.0f}", count["attempts"],
            percent(count["attempts_flagged"]), f"{rate:,.0f}" if rate else "-"]


def print_table(rows):
    table = [COLUMNS, *[[str(cell) for cell in row] for row in rows]]
    widths = [max(len(row[column]) for row in table) for column in range(len(COLUMNS))]
    for row in table:
        cells = [cell.ljust(width) if column < 2 else cell.rjust(width)
                 for column, (cell, width) in enumerate(zip(row, widths))]
        print("  ".join(cells).rstrip())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tocsin", default="build/release/tocsin")
    parser.add_argument("--score", required=True, type=pathlib.Path)
    parser.add_argument("--out", default="build/eval", type=pathlib.Path)
    parser.add_argument("corpora", type=pathlib.Path)
    args = parser.parse_args()

    if not args.score.is_file():
        sys.exit(f"eval: no scorer at {args.score}: set EVAL_SCORE")
    args.out.mkdir(parents=True, exist_ok=True)
    corpora = sorted(folder for folder in args.corpora.iterdir()
                     if (folder / "events.jsonl.gz").exists() and (folder / "labels.jsonl.gz").exists())
    rows, results = [], {}
    for folder in corpora:
        runs = [(folder.name, None)]
        if (folder / "profiles").is_dir():
            runs.append((f"{folder.name}+profiles", folder / "profiles"))
        for name, systems in runs:
            print(f"  {name}", file=sys.stderr, flush=True)
            findings, rate = replay(args.tocsin, folder, args.out, name, systems)
            for severity in SEVERITIES:
                scored = score(args.score, folder / "labels.jsonl.gz", findings, severity)
                results[f"{name} {severity}"] = scored
                rows.append(row_of(name, severity, scored, rate))
    print_table(rows)
    summary = args.out / "summary.json"
    summary.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(f"rules that fired, intervals: {summary}; findings: {args.out}/*.findings.jsonl")


if __name__ == "__main__":
    main()
