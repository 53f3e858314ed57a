"""The report of eval.py, from a scorer's figures, and once from end to end with a replay and a scorer of our own."""

import contextlib
import gzip
import io
import json
import os
import pathlib
import stat
import subprocess
import sys
import tempfile
import textwrap
import unittest
from unittest import mock

import eval as evaluation

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]


def scored(noisy=(), **groups):
    empty = {"malicious": 0, "detection": None, "timely": None, "benign": 0, "fpr": None, "attempts": 0,
             "attempts_flagged": None}
    return {"groups": {name.replace("__", "="): {**empty, **count} for name, count in groups.items()},
            "noisy_rules": [list(rule) for rule in noisy]}


class Report(unittest.TestCase):
    def test_wilson(self):
        for share, total, low, high in [(0, 100, 0, 0.037), (1, 100, 0.963, 1), (0.5, 100, 0.404, 0.596),
                                        (0.9, 10, 0.596, 0.982)]:
            with self.subTest(share=share, total=total):
                found = evaluation.wilson(share, total)
                self.assertAlmostEqual(low, found[0], 3)
                self.assertAlmostEqual(high, found[1], 3)

    def test_figures(self):
        results = {"a high": scored(all={"malicious": 50, "timely": 0.98, "benign": 1000, "fpr": 0.004},
                                    kind__hard={"benign": 10, "fpr": 0.2})}
        for figure, row in [
                (("a", "high", "all", "timely", 0.97), ["a", "malicious, found in time", "high", 50, "98.0%",
                                                        "89.5% - 99.6%", ">= 97.0%", "met"]),
                (("a", "high", "all", "timely", 0.99), [..., ">= 99.0%", "MISSED"]),
                (("a", "high", "all", "fpr", 0.004), ["a", "benign, flagged", "high", 1000, "0.40%", ...,
                                                      "<= 0.40%", "met"]),
                (("a", "high", "kind=hard", "fpr", 0.1), ["a hard", ..., 10, "20.0%", ..., "<= 10.0%", "MISSED"]),
                (("a", "high", "all", "attempts_flagged", 0.1), [..., "-", "-", "-", "<= 10.0%", "no corpus"]),
                (("b", "high", "all", "fpr", 0.1), ["b", ..., "-", "-", "-", "<= 10.0%", "no corpus"]),
        ]:
            with self.subTest(figure=figure):
                came = evaluation.figure_row(results, figure)
                if row[0] is ...:
                    self.assertEqual(row[1:], came[len(came) - len(row) + 1:])
                    continue
                self.assertEqual(8, len(came))
                self.assertEqual(row[0], came[0])
                self.assertEqual(row[-2:], came[-2:])
                for cell in row:
                    if cell is not ...:
                        self.assertIn(cell, came)

    def test_all_benign_together(self):
        results = {"a high": scored(all={"benign": 1000, "fpr": 0.002}), "a medium": scored(),
                   "a+profiles high": scored(all={"benign": 1000, "fpr": 1.0}),
                   "b high": scored(all={"benign": 3000, "fpr": 0.0}), "c high": scored(all={"malicious": 9})}
        evaluation.add_all_benign(results)
        together = results[f"{evaluation.ALL_BENIGN} high"]["groups"]["all"]
        self.assertEqual((4000, 2 / 4000), (together["benign"], together["fpr"]))
        self.assertIsNone(results[f"{evaluation.ALL_BENIGN} medium"]["groups"]["all"]["fpr"])

    def test_rules_on_benign(self):
        results = {"a medium": scored([("r.loud", 5), ("r.page", 2)]), "a high": scored([("r.page", 2)]),
                   "b medium": scored([("r.loud", 1)]), "b+profiles medium": scored([("r.loud", 7)])}
        self.assertEqual([["r.loud", "medium", 6, "a 5, b 1"], ["r.page", "high", 2, "a 2"]],
                         evaluation.rules_on_benign(results))

    def test_splits(self):
        results = {"a high": scored(all={}, suite__x={"malicious": 4, "timely": 0.5, "attempts": 2,
                                                      "attempts_flagged": 0.0}, model__m={}),
                   "a medium": scored(all={}, suite__x={"attempts": 2, "attempts_flagged": 1.0}, model__m={})}
        self.assertEqual([["a", "suite=x", 4, "50.0%", 0, "-", 2, "0.0%", "100.0%"]],
                         list(evaluation.split_rows(results, ["a"], ["suite"])))

    def test_every_figure_has_a_name(self):
        for _, severity, _, what, _ in evaluation.FIGURES:
            self.assertIn(what, evaluation.NAMES)
            self.assertIn(severity, evaluation.SEVERITIES)


class EndToEnd(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        # Says of every event what the event asks for, and takes note of how it was called.
        self.tocsin = self.program("tocsin", """
            import gzip, json, sys
            if sys.argv[1:] == ["rules", "list", "--json"]:
                print(json.dumps([{"id": "d.never", "from": "detector d"}]))
                sys.exit()
            arguments = dict(zip(sys.argv[2:-1:2], sys.argv[3:-1:2]))
            with gzip.open(sys.argv[-1], "rt") as events, open(arguments["--out"], "w") as out:
                for line in events:
                    event = json.loads(line)
                    finding = {"session_id": event["session_id"], "severity": event["say"], "rule": "r.all",
                               "detector": "rules"}
                    out.write(json.dumps(finding) + "\\n")
            open(arguments["--metrics"], "w").write("tocsin_events_total 2\\n")
            open(arguments["--out"] + ".systems", "w").write(arguments.get("--systems", ""))
            """)
        # Counts the benign sessions that these findings flag at this severity, by these fields.
        self.score = self.program("score.py", """
            import argparse, collections, gzip, json
            parser = argparse.ArgumentParser()
            for name in ("--labels", "--findings", "--min-severity", "--by"):
                parser.add_argument(name, required=True)
            parser.add_argument("--json", action="store_true", required=True)
            args = parser.parse_args()
            levels = ["info", "low", "medium", "high", "critical"]
            with open(args.findings) as stream:
                flagged = {finding["session_id"] for finding in map(json.loads, stream)
                           if levels.index(finding["severity"]) >= levels.index(args.min_severity)}
            groups = collections.defaultdict(list)
            with gzip.open(args.labels, "rt") as stream:
                for label in map(json.loads, stream):
                    for key in ["all", *(f"{field}={label[field]}" for field in args.by.split(",") if field)]:
                        groups[key].append(label["session_id"] in flagged)
            print(json.dumps({"groups": {key: {
                "malicious": 0, "detection": None, "timely": None, "benign": len(hits), "fpr": sum(hits) / len(hits),
                "attempts": 0, "attempts_flagged": None} for key, hits in groups.items()},
                "noisy_rules": [["r.all", sum(groups["all"])]]}))
            """)

    def program(self, name, text):
        path = self.folder / name
        path.write_text(f"#!{sys.executable}\n{textwrap.dedent(text)}", encoding="utf-8")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return path

    def corpus(self, name, says=("high", "medium", "low", "high"), **more):
        made = self.folder / "corpora" / name
        made.mkdir(parents=True)
        for file, fields in [("events", lambda say: {"say": say}), ("labels", lambda _: {"malicious": False, **more})]:
            with gzip.open(made / f"{file}.jsonl.gz", "wt", encoding="utf-8") as stream:
                stream.writelines(json.dumps({"session_id": f"s{i}", **fields(say)}) + "\n" for i, say in enumerate(says))
        return made

    def run_it(self, *arguments):
        said = io.StringIO()
        with mock.patch.object(sys, "argv", ["eval.py", "--tocsin", str(self.tocsin), "--score", str(self.score),
                                             "--out", str(self.folder / "out"), *arguments,
                                             str(self.folder / "corpora")]):
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(io.StringIO()):
                evaluation.main()
        return said.getvalue()

    def test_report(self):
        (self.corpus("tools") / "profiles").mkdir()
        self.corpus("talk", ["low", "high"])
        self.corpus("notinject", ["medium"], category="benign")
        said = self.run_it("--all")
        self.assertRegex(said, r"all corpora +benign, flagged +high +7 +42\.9%")  # 2 + 1 + 0; once without profiles
        self.assertRegex(said, r"all corpora +benign, flagged +medium +7 +71\.4%")  # 3 + 1 + 1
        self.assertRegex(said, r"notinject benign +benign, flagged +medium +1 +100\.0%")
        self.assertRegex(said, r"r\.all +high +3 +tools 2, talk 1")
        self.assertRegex(said, r"r\.all +medium +5 +tools 3, ")
        self.assertRegex(said, r"tools\+profiles +medium +0 +- +- +4 +75\.0%")
        self.assertEqual(str(self.folder / "corpora" / "tools" / "profiles"),
                         (self.folder / "out" / "tools+profiles.findings.jsonl.systems").read_text(encoding="utf-8"))
        self.assertIn("tools high", json.loads((self.folder / "out" / "summary.json").read_text(encoding="utf-8")))
        self.assertNotIn("events/s", self.run_it("--only", "talk"))

    def test_detectors(self):
        (self.corpus("tools") / "profiles").mkdir()
        self.corpus("talk", ["low"])
        said = self.run_it("--detectors", "--score", "none")
        without, _, declared = said.partition("with profiles")
        self.assertRegex(without, r"\n +sessions( +0){6}( +5){3}\n")
        self.assertRegex(without, r"\nd +all( +0){9}\nd +d\.never( +0){9}\n")
        self.assertRegex(without, r"\nrules +r\.all( +0){6} +5 +3 +2\n")
        self.assertRegex(declared, r"\nrules +r\.all( +0){6} +4 +3 +2\n")

    def test_no_scorer(self):
        self.corpus("talk")
        with self.assertRaisesRegex(SystemExit, "no scorer at none"):
            self.run_it("--score", "none")

    def test_nothing_there(self):
        self.corpus("talk")
        with self.assertRaisesRegex(SystemExit, "no corpus in .* is one of other"):
            self.run_it("--only", "other")


class Dev(unittest.TestCase):
    """./dev finds the corpora, and says what is missing before it builds anything."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        (self.folder / "corpora" / "talk").mkdir(parents=True)
        (self.folder / "corpora" / "talk" / "events.jsonl.gz").touch()
        (self.folder / "empty").mkdir()

    def test_what_is_missing_is_said_first(self):
        corpora, empty = self.folder / "corpora", self.folder / "empty"
        for command, status, said in [
                (["eval", corpora], 1, f"no scorer at {corpora}/../tools/score.py"),
                (["eval", empty], 0, f"no corpora ({empty})"),
                (["train", empty], 1, f"no corpora ({empty})"),
        ]:
            for by_name in (True, False):
                with self.subTest(command=command[0], folder=command[1].name, by_name=by_name):
                    done = subprocess.run([REPOSITORY / "dev", *command[:1 + by_name]], capture_output=True, text=True,
                                          env={**os.environ, "EVAL_CORPORA": "" if by_name else str(command[1]),
                                               "EVAL_SCORE": ""}, check=False)
                    self.assertEqual((status, True), (done.returncode, said in done.stdout + done.stderr), done)
                    self.assertNotIn("building", done.stdout)


if __name__ == "__main__":
    unittest.main()
