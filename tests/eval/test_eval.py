"""The report of eval.py, from a scorer's figures, and once from end to end with a replay and a scorer of our own."""

import contextlib
import gzip
import io
import json
import pathlib
import stat
import sys
import tempfile
import textwrap
import unittest
from unittest import mock

import eval as evaluation


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
                (("a", "high", "all", "fpr", None), [..., "", ""]),
                (("a", "high", "all", "attempts_flagged", None), [..., "-", "-", "-", "", "no corpus"]),
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
        # Says one thing about every event, and takes note of how it was called.
        self.tocsin = self.program("tocsin", """
            import gzip, json, sys
            arguments = dict(zip(sys.argv[2:-1:2], sys.argv[3:-1:2]))
            with gzip.open(sys.argv[-1], "rt") as events, open(arguments["--out"], "w") as out:
                for line in events:
                    event = json.loads(line)
                    out.write(json.dumps({"session_id": event["session_id"], "seq": 0, "rule": "r.all"}) + "\\n")
            open(arguments["--metrics"], "w").write("tocsin_events_total 2\\n")
            open(arguments["--out"] + ".systems", "w").write(arguments.get("--systems", ""))
            """)
        self.score = self.program("score.py", """
            import json
            count = {"malicious": 0, "detection": None, "timely": None, "benign": 8, "fpr": 0.5, "attempts": 0,
                     "attempts_flagged": None}
            print(json.dumps({"groups": {"all": count}, "noisy_rules": [["r.all", 4]]}))
            """)

    def program(self, name, text):
        path = self.folder / name
        path.write_text(f"#!{sys.executable}\n{textwrap.dedent(text)}", encoding="utf-8")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return path

    def corpus(self, name):
        made = self.folder / "corpora" / name
        made.mkdir(parents=True)
        for file, value in [("events", {"session_id": "s"}), ("labels", {"session_id": "s", "malicious": False})]:
            with gzip.open(made / f"{file}.jsonl.gz", "wt", encoding="utf-8") as stream:
                stream.write(json.dumps(value) + "\n")
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
        self.corpus("talk")
        said = self.run_it("--all")
        self.assertRegex(said, r"all corpora +benign, flagged +high +16 +50\.0%")
        self.assertRegex(said, r"r\.all +high +8 +talk 4, tools 4")
        self.assertRegex(said, r"tools\+profiles +medium")
        self.assertEqual(str(self.folder / "corpora" / "tools" / "profiles"),
                         (self.folder / "out" / "tools+profiles.findings.jsonl.systems").read_text(encoding="utf-8"))
        self.assertIn("tools high", json.loads((self.folder / "out" / "summary.json").read_text(encoding="utf-8")))
        self.assertNotIn("events/s", self.run_it("--only", "talk"))

    def test_nothing_there(self):
        self.corpus("talk")
        with self.assertRaisesRegex(SystemExit, "no corpus in .* is one of other"):
            self.run_it("--only", "other")


if __name__ == "__main__":
    unittest.main()
