"""How much memory tocsin takes when it is far behind: within a limit that the kernel keeps, and nothing lost.

A cgroup of this process's own, of either version, where the machine lets us make one; else an address-space limit and
the resident memory that /proc tells.
"""

import contextlib
import json
import os
import pathlib
import threading
import time

import harness
from chaos_traffic import Traffic
from harness import Pipeline
from processes import wait_until

LIMIT_BYTES = 192 << 20
RULES = 250
LIVE_SESSIONS = 10_000
WORKERS = 1
OVERLOAD = 10  # what is there at once is this many times what is taken in a second
BACKLOG = 1_000_000
CGROUPS = pathlib.Path("/sys/fs/cgroup")


class Limit:
    """A cgroup with a memory limit; `kind` says which, `wrap` puts a command into it."""

    def __init__(self, bytes_max):
        self.bytes_max, self.folder, self.kind = bytes_max, None, "none"

    def __enter__(self):
        name = f"tocsin-chaos-{os.getpid()}"
        for kind, parent in (("cgroup v2", CGROUPS), ("cgroup v1", CGROUPS / "memory")):
            probe = "cgroup.controllers" if kind == "cgroup v2" else "memory.limit_in_bytes"
            if not (parent / probe).exists():
                continue
            try:
                (parent / name).mkdir()
            except OSError:
                continue
            self.folder, self.kind = parent / name, kind
            try:
                self.set_()
                return self
            except OSError:
                self.remove_()
        self.kind = "no cgroup can be made: RLIMIT_DATA and /proc alone"
        return self

    def set_(self):
        if self.kind == "cgroup v2":
            (self.folder / "memory.max").write_text(str(self.bytes_max), encoding="ascii")
            (self.folder / "memory.swap.max").write_text("0", encoding="ascii")
        else:
            (self.folder / "memory.limit_in_bytes").write_text(str(self.bytes_max), encoding="ascii")
            (self.folder / "memory.swappiness").write_text("0", encoding="ascii")

    def remove_(self):
        with contextlib.suppress(OSError):
            self.folder.rmdir()
        self.folder, self.kind = None, "none"

    def __exit__(self, *_):
        if self.folder is not None:
            wait_until(lambda: not (self.folder / "cgroup.procs").read_text(encoding="ascii").strip(), 10, "it is empty")
            self.remove_()

    def wrap(self, command):
        if self.folder is None:
            return ["prlimit", f"--data={4 * self.bytes_max}", "--", *command]  # reserved is not resident
        return ["sh", "-c", f'echo $$ > {self.folder}/cgroup.procs && exec "$@"', "sh", *command]

    def read_(self, name):
        return (self.folder / name).read_text(encoding="ascii") if (self.folder / name).exists() else ""

    def events(self):
        """What the kernel counted, as text."""
        if self.folder is None:
            return "none"
        if self.kind == "cgroup v2":
            return " ".join(self.read_("memory.events").split())
        return f"failcnt {self.read_('memory.failcnt').strip()} " + " ".join(self.read_("memory.oom_control").split())

    def kills(self):
        """How many processes the kernel has ended for it."""
        words = self.events().split()
        return int(words[words.index("oom_kill") + 1]) if "oom_kill" in words else 0

    def peak(self):
        """The most that was charged, page cache included; None where that is not told."""
        text = self.folder and (self.read_("memory.peak") or self.read_("memory.max_usage_in_bytes"))
        return int(text) if text else None


class Watch(threading.Thread):
    """The resident memory of a process and the number of its sessions, until told to stop."""

    def __init__(self, tocsin):
        super().__init__(daemon=True)
        self.tocsin_, self.stop_ = tocsin, threading.Event()
        self.sessions, self.state_bytes = 0, 0
        self.start()

    def run(self):
        while not self.stop_.wait(0.3):
            status, body = self.tocsin_.get("/metrics")
            if status == 200:
                samples = harness.Samples.parse(body)
                self.sessions = max(self.sessions, samples.total("tocsin_sessions_live"))
                self.state_bytes = max(self.state_bytes, samples.total("tocsin_state_bytes"))

    def finish(self):
        self.stop_.set()
        self.join()


def peak_resident(pid):
    """The kernel's own high-water mark."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) << 10 for line in status if line.startswith("VmHWM:"))


def invented_pack(path, count):
    """`count` rules that nobody ships and no event matches; the shipped ones and these are as many as wanted."""
    rules = [{"id": f"invented.rule-{number}", "title": "invented", "severity": "low", "category": "output_policy",
              "on": ["tool_call", "model_output"],
              "where": {"field": "content", "regex": rf"\bzorquib{number:03d}_[A-Za-z0-9]{{16}}\b"},
              "match": [f"zorquib{number:03d}_0123456789abcdef"]} for number in range(count)]
    path.write_text(json.dumps({"rules": rules}), encoding="utf-8")
    return path


def rules_of(directory):
    """`rules:` of a configuration with RULES rules."""
    packs = str(harness.REPO / "rules" / "packs")
    said = harness.run_tocsin("check", packs)[1]
    shipped = int(said.split()[1])  # "ok: 235 rules ..."
    return {"packs": [packs, str(invented_pack(directory / "invented.yaml", max(0, RULES - shipped)))]}


def memory(broker, directory, report, progress, events, seed, limit_bytes=LIMIT_BYTES, partitions=6,
           overload=OVERLOAD):
    """One process with everything there is to do on the topic before it starts."""
    pipeline = Pipeline(broker, directory, "memory", partitions=partitions, findings_partitions=3)
    path = directory / "events.jsonl"
    progress.say(f"{events:,} events of {LIVE_SESSIONS:,} live sessions onto the topic")
    with open(path, "wb") as good_file:
        made = Traffic(seed, LIVE_SESSIONS, good_file=good_file)
        harness.kafka_tool("produce", broker.bootstrap, pipeline.events, "--key-field", "session_id", "--timeout", 300,
                           lines=(made.lines(1000).rstrip(b"\n") for _ in range(max(1, events // 1000))), timeout=900)
    sections = {"rules": rules_of(directory), "workers": WORKERS}
    tocsin = pipeline.process(**sections)
    with Limit(limit_bytes) as limit, tocsin:
        progress.say(f"one process, {WORKERS} worker, {limit_bytes >> 20} MiB ({limit.kind})")
        began = time.monotonic()
        tocsin.start(wait_ready=False, wrap=limit.wrap)
        watch = Watch(tocsin)
        try:
            wait_until(lambda: tocsin.get("/metrics")[0] == 200, 60, "it answers")
            done = threading.Thread(target=lambda: (pipeline.wait_caught_up(900),
                                                    pipeline.wait_incidents_caught_up(300)), daemon=True)
            done.start()
            while done.is_alive():
                done.join(0.5)
                if tocsin.process_.poll() is not None:
                    raise AssertionError(f"tocsin has left with status {tocsin.process_.returncode}, {limit.events()}, "
                                         f"after {watch.sessions:.0f} sessions of {watch.state_bytes:.0f} bytes")
        finally:
            watch.finish()
            took = time.monotonic() - began
            report.note(f"limit: {limit.kind}; events: {limit.events()}")
        samples = tocsin.scrape()
        alive = tocsin.process_.poll() is None
        peak, charged = peak_resident(tocsin.pid), limit.peak()
        kills = limit.kills()
        status, _ = tocsin.stop()
    report.figure("rules", len({labels["rule"] for labels, _ in samples.select("tocsin_rule_seconds_total")}),
                  at_least=RULES)
    report.figure("events", made.good)
    report.figure("events_a_second", round(made.good / took))
    # All of it was there when the first second began.
    report.figure("overload", took, at_least=overload)
    report.figure("sessions_live_max", watch.sessions, at_least=LIVE_SESSIONS)
    report.figure("state_bytes_max", watch.state_bytes)
    if charged is None:
        report.figure("resident_bytes_max", peak, at_most=limit_bytes)
    else:  # resident are also pages of the program's files that others have paid for
        report.figure("resident_bytes_max", peak)
        report.figure("charged_bytes_max", charged, at_most=limit_bytes)
    report.figure("killed_for_memory", kills, wanted=0)
    report.figure("alive_to_the_end", int(alive), wanted=1)
    report.figure("exit_status", status, wanted=0)
    report.figure("sessions_evicted", samples.total("tocsin_sessions_evicted_total", reason="memory"))

    progress.say("replaying what was produced")
    expected, _ = harness.replay_file(directory / "replay", path, 3600)
    missing, unexpected, duplicates = harness.compare(pipeline.read_findings(timeout=300), expected)
    report.figure("findings_expected", len(expected), at_least=1)
    report.figure("findings_missing", len(missing), wanted=0)
    report.figure("findings_unexpected", len(unexpected), wanted=0)
    report.figure("findings_duplicate", duplicates)
    letters = pipeline.read_dead_letters(None, 300)
    places = {(letter["headers"]["tocsin-dlq-partition"], letter["headers"]["tocsin-dlq-offset"]) for letter in letters}
    report.figure("malformed_not_dead_lettered", made.bad - len(places), wanted=0)
    report.figure("dead_letters_duplicate", len(letters) - len(places))
    report.figure("events_dropped", samples.total("tocsin_events_dropped_total"), wanted=0)
