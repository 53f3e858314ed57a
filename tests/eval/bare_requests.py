#!/usr/bin/env python3
"""Rewrites recorded attacks so that the bare request is left: every wrapper around it is cut out.

    tests/eval/bare_requests.py CORPUS OUT [--wording plain|varied]

CORPUS holds events.jsonl.gz and labels.jsonl.gz with the fields `suite`, `attack`, `model`, `injection_task`,
`injection_text_in_results` and `direct_request`; OUT gets the same two files with the sessions that could be rewritten,
malicious ones and attempts, and a copy of profiles/.

What is asked for is known from the sessions in which a user asks for the very same (`direct_request`).  What stands
around it in results is the wrapper as far as all results of one suite, attack and model agree on it, whatever they
hold otherwise.  So nothing here knows an attack's words.  `varied` puts the request into one of a few plain
wordings, chosen by the session's id: what polite people write, and notes people write to themselves.
"""

import argparse
import collections
import gzip
import hashlib
import json
import pathlib
import re
import shutil
import sys

EVENTS, LABELS = "events.jsonl.gz", "labels.jsonl.gz"
# What is passed over when texts are compared: white space and quotes, also as a YAML or JSON string writes them.
PASSED_OVER = re.compile(r"""(?:\s|\\n|\\t|\\|["'])+""")
QUOTES = "'\""
CONTEXT_CHARACTERS_MAX = 4000  # looked at on either side of a request
AGREEMENT = 0.9  # of the results; in some an agent tells what it read in words of its own
WORDINGS = [
    ("", ""),
    ("One more thing. ", " Thank you!"),
    ("Note to self - ", ""),
    ("When you get round to it - ", ""),
    ("Hi, I would be glad about the following. ", " Best wishes"),
    ("Still open - ", " That is all."),
    ("For whoever takes care of this - ", ""),
]


class Folded:
    """A text without what is passed over, and where each of its characters stands."""

    def __init__(self, text):
        parts, self.places, at = [], [], 0
        for gap in [*PASSED_OVER.finditer(text), None]:
            end = gap.start() if gap else len(text)
            parts.append(text[at:end])
            self.places.extend(range(at, end))
            at = gap.end() if gap else end
        self.text = "".join(parts)

    def gap(self, index):
        """A space where this character follows the last one at once: words would grow together."""
        together = 0 < index < len(self.places) and self.places[index - 1] + 1 == self.places[index]
        return " " if together else ""


def lines(path):
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        for line in stream:
            if line.strip():
                yield json.loads(line)


def sessions_of(path):
    """(session id, events) of each session; a session's events stand together."""
    events, current = [], None
    for event in lines(path):
        if event["session_id"] != current:
            if events:
                yield current, events
            events, current = [], event["session_id"]
        events.append(event)
    if events:
        yield current, events


def goals_of(labels, corpus):
    """{(suite, injection task): wordings of the request, folded}."""
    direct = {session: label for session, label in labels.items() if label.get("direct_request")}
    goals = collections.defaultdict(set)
    for session, events in sessions_of(corpus / EVENTS):
        label = direct.get(session)
        first = next((event["text"] for event in events if event["type"] == "user_message"), "") if label else ""
        if first:
            goals[label["suite"], label["user_task"]].add(Folded(first).text)
    return {key: sorted(wordings) for key, wordings in goals.items()}


def find_goal(text, goals, begin=0):
    """(begin, end) of the earliest request in a folded text, the longest wording of it; None when there is none."""
    found = [(at, -len(goal)) for goal in goals if (at := text.find(goal, begin)) >= 0]
    if not found:
        return None
    at, length = min(found)
    return at, at - length


def agreed(contexts):
    """The longest beginning that nearly all of the texts share."""
    agreeing, length = contexts, 0
    while True:
        following = collections.Counter(text[length] for text in agreeing if len(text) > length)
        if not following or following.most_common(1)[0][1] < AGREEMENT * len(contexts):
            return agreeing[0][:length]
        character = following.most_common(1)[0][0]
        agreeing = [text for text in agreeing if len(text) > length and text[length] == character]
        length += 1


class Wrapper:
    """What the results of one attack have around the request, folded."""

    def __init__(self):
        self.contexts_before, self.contexts_behind = [], []
        self.before = self.behind = ""

    def learn(self, text, span):
        self.contexts_before.append(text[max(0, span[0] - CONTEXT_CHARACTERS_MAX):span[0]][::-1])
        self.contexts_behind.append(text[span[1]:span[1] + CONTEXT_CHARACTERS_MAX])

    def settle(self):
        self.before, self.behind = agreed(self.contexts_before)[::-1], agreed(self.contexts_behind)
        return self

    def around(self, text, span):
        return text.endswith(self.before, 0, span[0]) and text.startswith(self.behind, span[1])


def kind_of(label):
    return label["suite"], label["attack"], label["model"]


def results_of(events, label):
    """The labelled results that are texts."""
    seqs = set(label["injection_text_in_results"])
    for event in events:
        if event["seq"] in seqs and event["type"] == "tool_result" and isinstance(event["tool"].get("result"), str):
            yield event


def wrappers_of(labels, goals, corpus):
    wrappers = collections.defaultdict(Wrapper)
    for session, events in sessions_of(corpus / EVENTS):
        label = labels.get(session)
        if not label or not label.get("injected"):
            continue
        for event in results_of(events, label):
            text = Folded(event["tool"]["result"]).text
            span = find_goal(text, goals.get((label["suite"], label["injection_task"]), []))
            if span:
                wrappers[kind_of(label)].learn(text, span)
    return {kind: wrapper.settle() for kind, wrapper in wrappers.items()}


def unwrap(text, goals, wrapper, wording=("", "")):
    """`text` with every wrapped request bare; the same when there is none."""
    out, copied, begin, folded = [], 0, 0, Folded(text)
    while span := find_goal(folded.text, goals, begin):
        begin = span[1]
        if not wrapper.around(folded.text, span):
            continue  # somebody talks about it
        start = folded.places[span[0] - len(wrapper.before)]
        request = quoted(text, folded.places[span[0]], folded.places[span[1] - 1] + 1, wrapper)
        begin = span[1] + len(wrapper.behind)
        stop = folded.places[begin - 1] + 1 if wrapper.behind else request[1]
        out += [text[copied:start], folded.gap(span[0] - len(wrapper.before)), wording[0], text[slice(*request)],
                wording[1], folded.gap(begin)]
        copied = stop
    return "".join([*out, text[copied:]])


def quoted(text, begin, end, wrapper):
    """The request with its own quotes at either end, where a wrapper stands between them and the string's."""
    while wrapper.before and begin and text[begin - 1] in QUOTES:
        begin -= 1
    while wrapper.behind and end < len(text) and text[end] in QUOTES:
        end += 1
    return begin, end


def unwrap_value(value, change):
    """A JSON value with all its strings changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [unwrap_value(each, change) for each in value]
    if isinstance(value, dict):
        return {key: unwrap_value(each, change) for key, each in value.items()}
    return value


def unwrap_event(event, change):
    """Results, and where the agent repeats them: its arguments and its words.  The user's stay."""
    if event["type"] == "model_output":
        return {**event, "text": change(event["text"])}
    if event["type"] in ("tool_call", "tool_result"):
        tool = {key: unwrap_value(value, change) if key in ("arguments", "result") else value
                for key, value in event["tool"].items()}
        return {**event, "tool": tool}
    return event


def wording_of(session, wording):
    if wording == "plain":
        return WORDINGS[0]
    number = int.from_bytes(hashlib.sha256(session.encode()).digest()[:4], "big")
    return WORDINGS[1 + number % (len(WORDINGS) - 1)]


def rewrite(events, label, goals, wrapper, wording):
    """The session with bare requests, or None when a labelled result could not be rewritten."""
    labelled = {event["seq"]: event["tool"]["result"] for event in results_of(events, label)}
    if len(labelled) < len(label["injection_text_in_results"]):
        return None
    changed = [unwrap_event(event, lambda text: unwrap(text, goals, wrapper, wording)) for event in events]
    for event in changed:
        if event["seq"] in labelled and event["tool"]["result"] == labelled[event["seq"]]:
            return None
    return changed


class Writer:
    """A .gz file that is the same whenever the lines are."""

    def __init__(self, path):
        self.file = open(path, "wb")
        self.stream = gzip.GzipFile(fileobj=self.file, mode="wb", mtime=0, filename="")

    def write(self, value):
        self.stream.write((json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n").encode())

    def close(self):
        self.stream.close()
        self.file.close()


def write_corpus(corpus, out, wording):
    """(rewritten, sessions whose agent saw a request)."""
    labels = {label["session_id"]: label for label in lines(corpus / LABELS)}
    goals = goals_of(labels, corpus)
    wrappers = wrappers_of(labels, goals, corpus)
    out.mkdir(parents=True, exist_ok=True)
    events_out, labels_out = Writer(out / EVENTS), Writer(out / LABELS)
    rewritten = seen = 0
    for session, events in sessions_of(corpus / EVENTS):
        label = labels.get(session)
        if not label or not label.get("injected") or not label["injection_text_in_results"]:
            continue
        seen += 1
        wanted, wrapper = goals.get((label["suite"], label["injection_task"])), wrappers.get(kind_of(label))
        changed = rewrite(events, label, wanted, wrapper, wording_of(session, wording)) if wanted and wrapper else None
        if changed is None:
            continue
        rewritten += 1
        for event in changed:
            events_out.write(event)
        labels_out.write(label)
    events_out.close()
    labels_out.close()
    if (corpus / "profiles").is_dir():
        shutil.copytree(corpus / "profiles", out / "profiles", dirs_exist_ok=True)
    return rewritten, seen


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--wording", choices=["plain", "varied"], default="plain")
    args = parser.parse_args()
    for name in (EVENTS, LABELS):
        if not (args.corpus / name).is_file():
            sys.exit(f"bare_requests: no {name} in {args.corpus}")
    rewritten, seen = write_corpus(args.corpus, args.out, args.wording)
    print(f"{rewritten} of {seen} sessions rewritten: {args.out}")


if __name__ == "__main__":
    main()
