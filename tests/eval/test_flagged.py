"""What eval.py --detectors counts."""

import gzip
import json
import pathlib
import tempfile
import unittest

import flagged


class Labels(unittest.TestCase):
    def test_label(self):
        for label, kind in [
                ({"malicious": True}, "malicious"),
                ({"malicious": False}, "benign"),
                ({"malicious": True, "ambiguous": True}, None),
                ({"malicious_call_seqs": [4], "injected": True}, "malicious"),
                ({"malicious_call_seqs": [], "injected": True}, "attempt"),
                ({"malicious_call_seqs": [], "injected": True, "injection_seen": False}, "benign"),
                ({"malicious_call_seqs": [], "injected": False}, "benign"),
                ({"malicious_call_seqs": [4], "label_ambiguous": True}, None),
                ({"malicious_call_seqs": [], "run_error": "broke"}, None),
        ]:
            with self.subTest(label=label):
                self.assertEqual(kind, flagged.label_of(label))


class Counts(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def write(self, name, rows):
        path = self.folder / name
        with (gzip.open if path.suffix == ".gz" else open)(path, "wt", encoding="utf-8") as stream:
            stream.writelines(json.dumps(row) + "\n" for row in rows)
        return path

    def add(self, counts, labels, findings):
        counts.add(self.write("labels.jsonl.gz", [{"session_id": session, **label} for session, label in labels.items()]),
                   self.write("findings.jsonl", [dict(zip(("session_id", "detector", "rule", "severity"), each))
                                                 for each in findings]))

    def test_a_session_counts_once_by_its_worst_finding(self):
        counts = flagged.Flagged()
        attack, attempt = {"malicious_call_seqs": [4]}, {"malicious_call_seqs": [], "injected": True}
        self.add(counts, {"a": attack, "b": attempt, "c": {"malicious_call_seqs": []}, "d": {**attack, "run_error": "x"}}, [
            ("a", "flow", "flow.one", "low"), ("a", "flow", "flow.one", "critical"), ("a", "flow", "flow.one", "info"),
            ("a", "flow", "flow.two", "medium"), ("b", "flow", "flow.two", "medium"), ("c", "flow", "flow.one", "info"),
            ("d", "flow", "flow.one", "high"), ("nobody", "flow", "flow.one", "high"), ("c", "words", "words.w", "low")])
        self.add(counts, {"e": {"malicious": False}}, [("e", "flow", "flow.one", "high")])
        self.assertEqual(["detector", "rule", "malicious low", "malicious medium", "malicious high", "attempt low",
                          "attempt medium", "attempt high", "benign low", "benign medium", "benign high"], counts.columns())
        self.assertEqual([["", "sessions", 1, 1, 1, 1, 1, 1, 2, 2, 2],
                          ["flow", "all", 1, 1, 1, 1, 1, 0, 1, 1, 1],
                          ["flow", "flow.one", 1, 1, 1, 0, 0, 0, 1, 1, 1],
                          ["flow", "flow.two", 1, 1, 0, 1, 1, 0, 0, 0, 0],
                          ["words", "all", 0, 0, 0, 0, 0, 0, 1, 0, 0],
                          ["words", "words.w", 0, 0, 0, 0, 0, 0, 1, 0, 0]], list(counts.rows()))

    def test_rules_that_flag_nothing(self):
        counts = flagged.Flagged()
        counts.know([{"id": "flow.one", "from": "detector flow"}, {"id": "shell.a", "from": "/rules/shell.yaml"}])
        self.assertEqual([["", "sessions", *[0] * 9], ["flow", "all", *[0] * 9], ["flow", "flow.one", *[0] * 9]],
                         list(counts.rows()))


if __name__ == "__main__":
    unittest.main()
