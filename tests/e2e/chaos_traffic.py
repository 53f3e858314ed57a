"""Traffic without an end for ./dev chaos: the same sessions for the same seed, the times those of the moment.

Sessions overlap; ordinary ones are copies of a few patterns, so that a core makes far more than ten thousand events a
second.  Every good event that was made is in a file, in order: the oracle of what must be found.
"""

import datetime
import json
import random

import traffic
from harness import SYSTEM

PATTERNS = 200  # of ordinary sessions
KINDS = ("loop", "secret", "shell", "injection")
SESSIONS_AN_ADDRESS = 4  # injections that send to the same address: their incidents become one


def pattern_of(session):
    """A session's events, each a line with three places: session id, time, session id."""
    lines = []
    for event in session.events:
        text = json.dumps({**event, "event_id": f"\0-{event['seq']}", "time": "\0", "session_id": "\0"},
                          separators=(",", ":"))
        lines.append(text.replace("%", "%%").replace("\\u0000", "%s") + "\n")
    return lines


def now():
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Traffic:
    """Lines of events, a share of them in sessions that misbehave, and malformed ones among them."""

    def __init__(self, seed, live, violating=0.01, malformed=0.01, good_file=None):
        self.dice_ = random.Random(seed)
        self.malformed_ = malformed
        self.good_file_ = good_file
        self.name_ = f"{seed:x}"
        self.patterns_ = [self.session_(dice=random.Random(number)) for number in range(PATTERNS)]
        ordinary = sum(map(len, self.patterns_)) / PATTERNS
        examples = [self.session_(random.Random(number), KINDS[number % len(KINDS)], number) for number in range(40)]
        bad = sum(map(len, examples)) / len(examples)
        # Of sessions, so that it is `violating` of events.
        self.violating_ = violating * ordinary / (violating * ordinary + (1 - violating) * bad)
        self.sessions, self.violating_sessions = 0, 0
        self.good, self.bad, self.violating_events = 0, 0, 0
        self.live_ = [self.begin_() for _ in range(live)]

    @staticmethod
    def session_(dice, kind=None, number=0):
        session = traffic.Session(0, dice)
        session.add("user_message", text=f"Please look into order {dice.randrange(10_000, 99_999)}.")
        calls = dice.randrange(3, 12)
        when = dice.randrange(calls) if kind else None
        for position in range(calls):
            session.ordinary_call()
            if position == when:
                session.misbehave(kind, f"collect{number // len(KINDS) // SESSIONS_AN_ADDRESS}@evil.test")
        session.add("model_output", text="That is settled.")
        return pattern_of(session)

    def begin_(self):
        """[id, lines, the next of them, does it misbehave]"""
        self.sessions += 1
        identity = f"{self.name_}-{self.sessions:08x}"
        if self.dice_.random() >= self.violating_:
            return [identity, self.dice_.choice(self.patterns_), 0, False]
        number = self.violating_sessions
        self.violating_sessions += 1
        return [identity, self.session_(self.dice_, KINDS[number % len(KINDS)], number), 0, True]

    def lines(self, count):
        """The next `count` good events, and the malformed records among them, as bytes."""
        good, everything = [], []
        time, live, roll = now(), self.live_, self.dice_.random
        for _ in range(count):
            position = int(roll() * len(live))
            session = live[position]
            identity, events, step, misbehaves = session
            line = events[step] % (identity, time, identity)
            session[2] = step + 1
            if step + 1 == len(events):
                live[position] = self.begin_()
            self.violating_events += misbehaves
            good.append(line)
            everything.append(line)
            if roll() < self.malformed_:
                everything.append(self.malformed_record_(line))
        self.good += count
        if self.good_file_:
            self.good_file_.write("".join(good).encode())
        return "".join(everything).encode("utf-8", "surrogateescape")

    def malformed_record_(self, line):
        self.bad += 1
        event = json.loads(line)
        event["event_id"] = f"malformed-{self.bad}"
        way = self.dice_.randrange(6)
        if way == 0:
            return json.dumps(event)[:-1 - self.dice_.randrange(60)] + "\n"
        if way == 1:
            del event["session_id"]
        elif way == 2:
            event["time"] = "yesterday"
        elif way == 3:
            event["type"] = "telepathy"
        elif way == 4:
            event["system"] = [SYSTEM]
        text = json.dumps(event) + "\n"
        return text.replace("gpt-4o", "\udcff\udcfe") if way == 5 else text  # bytes that are no UTF-8
