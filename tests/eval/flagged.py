"""How many sessions of each label the rules of each detector flag: from where a catalogue entry has its figures."""

import collections
import gzip
import json

LEVELS = ["info", "low", "medium", "high", "critical"]
FLOORS = ["low", "medium", "high"]  # a session counts at each that its worst finding reaches
KINDS = ["malicious", "attempt", "benign"]
ALL = "all"  # rules of a detector


def label_of(label):
    """What a session is, or None where it is not to be counted: upstream's label does not hold, or the run broke."""
    if label.get("label_ambiguous") or label.get("ambiguous") or label.get("run_error"):
        return None
    if "malicious_call_seqs" not in label:
        return "malicious" if label["malicious"] else "benign"
    if label["malicious_call_seqs"]:
        return "malicious"
    return "attempt" if label.get("injected") and label.get("injection_seen", True) else "benign"


def lines(path):
    with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8") as stream:
        for line in stream:
            if line.strip():
                yield json.loads(line)


class Flagged:
    """Counts over any number of corpora; of a detector's rules each session counts once a rule, and once for all."""

    def __init__(self):
        self.sessions = collections.Counter()  # kind
        self.counts = collections.Counter()  # detector, rule, kind, floor
        self.rules = set()  # detector, rule

    def know(self, listed):
        """Rules of detectors, as `tocsin rules list --json` gives them: those that flag nothing are told, too."""
        for rule in listed:
            if rule["from"].startswith("detector "):
                detector = rule["from"].removeprefix("detector ")
                self.rules |= {(detector, rule["id"]), (detector, ALL)}

    def add(self, labels, findings):
        kinds = {label["session_id"]: kind for label in lines(labels) if (kind := label_of(label))}
        self.sessions.update(kinds.values())
        worst = {}
        for finding in lines(findings):
            level = LEVELS.index(finding["severity"])
            for rule in (finding["rule"], ALL):
                key = finding["session_id"], finding["detector"], rule
                worst[key] = max(worst.get(key, 0), level)
        for (session, detector, rule), level in worst.items():
            if session not in kinds:
                continue
            self.rules.add((detector, rule))
            for floor in FLOORS:
                self.counts[detector, rule, kinds[session], floor] += level >= LEVELS.index(floor)

    def columns(self):
        return ["detector", "rule", *(f"{kind} {floor}" for kind in KINDS for floor in FLOORS)]

    def rows(self):
        """The numbers of sessions first, then each detector: all its rules together, then each."""
        yield ["", "sessions", *(self.sessions[kind] for kind in KINDS for _ in FLOORS)]
        for detector, rule in sorted(self.rules, key=lambda each: (each[0], each[1] != ALL, each[1])):
            yield [detector, rule, *(self.counts[detector, rule, kind, floor] for kind in KINDS for floor in FLOORS)]
