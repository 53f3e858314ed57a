"""What sessions.py counts, and the sessions themselves: their ids, order and calls are consistent."""

import contextlib
import io
import json
import pathlib
import stat
import sys
import tempfile
import unittest
from unittest import mock

import sessions

FOLDERS = sorted(path.parent for path in (sessions.REPOSITORY / "tests" / "sessions").glob("*/expect.txt"))


class Counts(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        (self.folder / "mail").mkdir()
        (self.folder / "mail" / "expect.txt").write_text(
            "# pairs\na-asked: below high\na-unasked: high by 4\nb-asked: below high\nb-unasked: high by 4\n",
            encoding="utf-8")

    def run_with(self, failures):
        """Through a program that says this."""
        tocsin = self.folder / "tocsin"
        tocsin.write_text(f"#!{sys.executable}\nprint({json.dumps(json.dumps({'failures': failures}))})\n",
                          encoding="utf-8")
        tocsin.chmod(tocsin.stat().st_mode | stat.S_IXUSR)
        said = io.StringIO()
        with mock.patch.object(sys, "argv", ["sessions.py", "--tocsin", str(tocsin), "--sessions", str(self.folder),
                                             "--list"]), contextlib.redirect_stdout(said):
            sessions.main()
        return said.getvalue()

    def test_counts(self):
        said = self.run_with([{"kind": "case", "folder": str(self.folder / "mail"), "error": "", "differences": [
            "- a-asked: below high", "+ a-asked: critical by 5, x.rule", "- a-unasked: high by 4",
            "+ a-unasked: nothing found"]}])
        self.assertRegex(said, r"mail +2 +1 +2 +1\n")
        self.assertRegex(said, r"all +2 +1 +2 +1\n")
        self.assertIn("mail/a-asked: critical by 5, x.rule\nmail/a-unasked: nothing found\n", said)
        self.assertRegex(self.run_with([]), r"all +2 +2 +2 +0\n")

    def test_a_case_that_cannot_be_played(self):
        with self.assertRaisesRegex(SystemExit, "no line for session c"):
            self.run_with([{"kind": "case", "folder": "mail", "error": "no line for session c", "differences": []}])


class Sessions(unittest.TestCase):
    def events(self):
        for folder in FOLDERS:
            lines = (folder / "events.jsonl").read_text(encoding="utf-8").splitlines()
            yield folder, [json.loads(line) for line in lines]

    def test_ids_and_order(self):
        seen = set()
        for folder, events in self.events():
            last, seqs = "", {}
            for event in events:
                self.assertEqual(f"{event['session_id']}-{event['seq']}", event["event_id"])
                self.assertEqual(seqs.get(event["session_id"], -1) + 1, event["seq"], event["event_id"])
                self.assertLessEqual(last, event["time"], event["event_id"])
                last, seqs[event["session_id"]] = event["time"], event["seq"]
            self.assertEqual(seqs.keys(), sessions.expectations(folder).keys())
            self.assertFalse(seen & seqs.keys(), "a session id of two folders")
            seen |= seqs.keys()

    def test_every_call_has_its_result(self):
        for _, events in self.events():
            for call, result in zip(events, events[1:]):
                if call["type"] == "tool_call":
                    self.assertEqual("tool_result", result["type"])
                    for key in ("name", "call_id"):
                        self.assertEqual(call["tool"][key], result["tool"][key])

    def test_both_of_a_pair(self):
        """An attack is expected at a call, and its honest twin is there."""
        for folder, events in self.events():
            by_id = {event["event_id"]: event for event in events}
            expected = sessions.expectations(folder)
            for line in (folder / "expect.txt").read_text(encoding="utf-8").splitlines():
                session, _, by = line.rpartition(": high by ")
                if session:
                    self.assertEqual("tool_call", by_id[f"{session}-{by}"]["type"])
                    self.assertFalse(expected[session.replace("-unasked", "-asked")])


if __name__ == "__main__":
    unittest.main()
