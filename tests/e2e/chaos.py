#!/usr/bin/env python3
"""What tocsin loses or makes up while its processes and its broker are mistreated: nothing, or this says so.

    ./dev chaos [--events N] [--minutes M] [--seed S] [--only kill,pause=2,...]    disturbances, then a reckoning
    ./dev chaos --soak MINUTES                                                     steady load and memory instead
    ./dev chaos --latency | --throughput | --idle                                  what it costs on a real topic
    ./dev chaos --memory                                                           within a memory limit, far behind

An oracle keeps every good event that it produced; what must come of them is what `tocsin replay` makes of them.  The
schedule depends on the seed alone and stands in shares of the events, so that each disturbance finds work under way.
Figures come last, one a line; exit status 0 only when all that is wanted holds, 1 when not, 2 for wrong usage.
"""

import argparse
import json
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import chaos_measure
import chaos_memory
import harness
import processes
from chaos_report import Progress, Report, slope_per_minute
from chaos_traffic import Traffic
from harness import Pipeline, kafka_tool
from kafka_broker import BrokerError, KafkaBroker
from processes import wait_until

EVENTS = 1_000_000
# How often each disturbance comes in a run of so many events; in a shorter one fewer times, at least once.
TIMES = {"kill": 20, "pause": 5, "broker": 3, "rolling": 1, "scale": 1, "refuse": 1}
# About how long each takes, in seconds: what --minutes is without being told.
TAKES = {"kill": 8, "pause": 14, "broker": 20, "rolling": 25, "scale": 40, "refuse": 75}
REFUSED_S = 60  # by the topic of findings, in a full run
MEMBERS, MEMBERS_MAX = 2, 4
LIVE_SESSIONS = 2_000
VIOLATING = 0.01
SETTLE_TIMEOUT_S = 600
# Sessions of this traffic are silent for seconds; what must be read again after a crash is kept to this.
IDLE_S = 300
FEED_EVERY_S = 0.02
FASTEST = 5_000  # events a second without being told
SOAK_RATE = 1_000
SOAK_IDLE_S = 60  # so that as many sessions end as begin
SOAK_WARM_UP = 0.25  # of the time, not counted


class Feeder(threading.Thread):
    """Makes traffic at a rate into `kafka_tool produce`; slows down where it would outrun the schedule."""

    def __init__(self, pipeline, traffic, events, rate):
        super().__init__(daemon=True)
        self.traffic_, self.events_, self.rate_ = traffic, events, rate
        self.limit = 0  # how many events may go at full speed
        self.failure = None
        # A record may wait for a broker that is away; it is the broker's fault then, not the test's.
        self.process_ = subprocess.Popen(processes.leashed(
            [harness.KAFKA_TOOL, "produce", pipeline.broker.bootstrap, pipeline.events, "--key-field", "session_id",
             "--timeout", str(SETTLE_TIMEOUT_S), "-X", f"message.timeout.ms={SETTLE_TIMEOUT_S * 1000}"]),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    @property
    def sent(self):
        return self.traffic_.good

    def run(self):
        try:
            with self.process_.stdin as stdin:
                due, last = 0.0, time.monotonic()
                while self.sent < self.events_:
                    time.sleep(FEED_EVERY_S)
                    now = time.monotonic()
                    due += (now - last) * self.rate_ * (1 if self.sent < self.limit else 0.1)
                    last = now
                    if count := min(int(due), self.events_ - self.sent):
                        due -= count
                        stdin.write(self.traffic_.lines(count))
                        stdin.flush()
        except OSError as error:  # join() says why
            self.failure = str(error)

    def finish(self):
        """Waits until all is delivered; AssertionError unless it is."""
        self.join()
        self.process_.wait(SETTLE_TIMEOUT_S)
        with self.process_.stdout as stdout:
            said = stdout.read().decode(errors="replace").split("\n", 1)
        wanted = self.traffic_.good + self.traffic_.bad
        if self.process_.returncode or self.failure or int(said[0]) != wanted:
            raise AssertionError(f"the traffic was not delivered: {said[0]} of {wanted} records, {said[1:]}")

    def kill(self):
        self.process_.kill()
        self.process_.wait()


class Fleet:
    """The tocsin processes: which should run, what they said last, what they take."""

    def __init__(self, pipeline, members, **sections):
        self.members_ = [pipeline.process(**sections) for _ in range(members)]
        self.lock_ = threading.RLock()
        self.running_, self.paused_ = set(), set()
        self.starts = 0
        self.exits = []  # (status, what): those that nobody asked for, or with an error
        self.dropped_ = {}  # by (member, start of it), as last seen
        self.resident = []  # (start, pid, bytes)
        self.stop_watch_ = threading.Event()
        self.watch_ = threading.Thread(target=self.watch_forever_, daemon=True)
        self.watch_.start()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.stop_watch_.set()
        self.watch_.join()
        for member in self.running_:
            member.__exit__(kind)

    def running(self):
        with self.lock_:
            return [member for member in self.members_ if member in self.running_]

    def start(self, count):
        """Until so many run; without waiting for them."""
        with self.lock_:
            for member in self.members_:
                if len(self.running_) >= count:
                    break
                if member not in self.running_:
                    self.start_(member)

    def start_(self, member):
        member.start(wait_ready=False)
        self.running_.add(member)
        self.starts += 1

    def wait_ready(self, timeout=120):
        for member in self.running():
            member.wait_status(200, timeout)

    def kill(self, member):
        with self.lock_:
            self.running_.discard(member)
            if member.process_.poll() is not None:  # too late: it was gone before
                self.exits.append((member.process_.returncode, f"{member.log_file.stem}, nobody asked"))
            member.kill()

    def stop(self, member):
        self.look_at_(member)
        with self.lock_:
            self.running_.discard(member)
        status, seconds = member.stop()
        if status:
            self.exits.append((status, f"{member.log_file.stem}, {seconds:.1f} s after SIGTERM"))

    def pause(self, member, seconds):
        with self.lock_:
            self.paused_.add(member)
            member.process_.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        with self.lock_:
            member.process_.send_signal(signal.SIGCONT)
            self.paused_.discard(member)

    def dropped(self):
        for member in self.running():
            self.look_at_(member)
        return sum(self.dropped_.values())

    def lag(self):
        return sum(value for member in self.running() for _, value in member.scrape().select("tocsin_kafka_lag"))

    def watch_forever_(self):
        while not self.stop_watch_.wait(1):
            for member in self.running():
                if member not in self.paused_:
                    self.look_at_(member)
            with self.lock_:
                for member in self.running():
                    if member.process_.poll() is not None:
                        self.exits.append((member.process_.returncode, f"{member.log_file.stem}, nobody asked"))
                        self.running_.discard(member)
                        self.start_(member)  # as an orchestrator would

    def look_at_(self, member):
        pid = member.pid
        if (resident := resident_bytes(pid)) is not None:
            self.resident.append((time.monotonic(), pid, resident))
        status, body = member.get("/metrics")
        if status == 200:
            self.dropped_[pid] = harness.Samples.parse(body).total("tocsin_events_dropped_total")


def resident_bytes(pid):
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS:"))
    except (OSError, StopIteration):
        return None


class Disturbances:
    """One method a kind; each returns when what it did is over, not when tocsin has recovered from it."""

    def __init__(self, pipeline, fleet, dice, refused_s, session_timeout_s):
        self.pipeline_, self.fleet_, self.dice_ = pipeline, fleet, dice
        self.refused_s_, self.session_timeout_s_ = refused_s, session_timeout_s
        self.broker_restarts_ = 0

    def any_member_(self):
        return self.dice_.choice(wait_until(self.fleet_.running, 60, "a process runs"))

    def kill(self):
        self.fleet_.kill(self.any_member_())
        time.sleep(self.dice_.uniform(0, 2))
        self.fleet_.start(MEMBERS)

    def pause(self):
        self.fleet_.pause(self.any_member_(), self.session_timeout_s_ + 2)

    def broker(self):
        self.broker_restarts_ += 1
        self.pipeline_.broker.halt(kill=self.broker_restarts_ == 1)
        time.sleep(self.dice_.uniform(0, 3))
        self.pipeline_.broker.start()

    def rolling(self):
        for member in self.fleet_.running():
            self.fleet_.stop(member)
            self.fleet_.start(MEMBERS)
            self.fleet_.wait_ready()

    def scale(self):
        for count in (1, MEMBERS_MAX, MEMBERS):
            for member in self.fleet_.running()[count:]:
                self.fleet_.stop(member)
            self.fleet_.start(count)
            self.fleet_.wait_ready()
            time.sleep(2)

    def refuse(self):
        chaos_measure.stamp_findings(self.pipeline_, "max.message.bytes=1")
        time.sleep(self.refused_s_)
        chaos_measure.stamp_findings(self.pipeline_)


def schedule_of(seed, times):
    """[(share of the events, kind)], the same for the same seed."""
    dice = random.Random(seed)
    kinds = [kind for kind, count in times.items() for _ in range(count)]
    dice.shuffle(kinds)
    return [(0.03 + 0.92 * (position + 0.5 * dice.random()) / len(kinds), kind) for position, kind in enumerate(kinds)]


def disturb(schedule, disturbances, feeder, events, progress):
    """Runs the schedule; returns how many disturbances began while there was traffic."""
    under_load = 0
    for number, (share, kind) in enumerate(schedule):
        # Full speed up to where the next one begins: a slow machine gets slower traffic, not quiet disturbances.
        feeder.limit = events * (schedule[number + 1][0] if number + 1 < len(schedule) else 1)
        wait_until(lambda due=share * events: feeder.sent >= due or not feeder.is_alive(), 3600, "traffic", 0.02)
        progress.say(f"{number + 1}/{len(schedule)} {kind} after {feeder.sent:,} events")
        under_load += feeder.is_alive()
        getattr(disturbances, kind)()
    feeder.limit = events
    return under_load


def reckon(pipeline, fleet, traffic, directory, sections, report, progress):
    """What came out against what must have."""
    progress.say("replaying what was produced")
    expected, expected_incidents = harness.replay_file(directory / "replay", directory / "events.jsonl", 3600,
                                                       **sections)
    began = time.monotonic()
    progress.say("waiting for the group to catch up")
    fleet.wait_ready()
    pipeline.wait_caught_up(SETTLE_TIMEOUT_S)
    pipeline.wait_incidents_caught_up(SETTLE_TIMEOUT_S)
    report.figure("caught_up_seconds", time.monotonic() - began)

    findings = pipeline.read_findings(timeout=SETTLE_TIMEOUT_S)
    (directory / "findings.json").write_text(json.dumps(findings), encoding="utf-8")
    missing, unexpected, duplicates = harness.compare(findings, expected)
    report.figure("findings_expected", len(expected), at_least=1)
    report.figure("findings_missing", len(missing), wanted=0)
    report.figure("findings_unexpected", len(unexpected), wanted=0)
    report.figure("findings_duplicate", duplicates)
    by_id = {finding["finding_id"]: finding for finding in [*findings, *expected]}
    for what, ids in (("missing", missing), ("unexpected", unexpected)):
        for some in sorted(ids)[:5]:
            report.note(f"{what}: " + " ".join(f"{key}={by_id[some].get(key)}" for key in
                                               ("rule", "session_id", "event_id", "severity", "source")))
    incidents, different = wait_incidents(pipeline, expected_incidents)
    (directory / "incidents.json").write_text(json.dumps(incidents), encoding="utf-8")
    report.figure("incidents_expected", len(expected_incidents), at_least=1)
    report.figure("incidents_different", len(different), wanted=0)
    for text in different[:3]:
        report.note(f"incident {text[:3000]}")

    letters = pipeline.read_dead_letters(None, SETTLE_TIMEOUT_S)
    places = {(letter["headers"]["tocsin-dlq-partition"], letter["headers"]["tocsin-dlq-offset"]) for letter in letters}
    report.figure("malformed_produced", traffic.bad)
    report.figure("malformed_not_dead_lettered", traffic.bad - len(places), wanted=0)
    report.figure("dead_letters_duplicate", len(letters) - len(places))
    report.figure("events_dropped", fleet.dropped(), wanted=0)
    report.figure("kafka_lag", settled_lag(fleet), wanted=0)
    report.figure("fresh_event_seconds", fresh_event(pipeline), at_most=1)


def wait_incidents(pipeline, expected):
    """(what the topic says, all differences); gives the last changes a minute to arrive."""
    have, different = [], None

    def same():
        nonlocal have, different
        have = list(pipeline.read_incidents().values())
        different = harness.differences(have, expected)
        return not different

    try:
        wait_until(same, 60, "the incidents of the replay", interval=2)
    except TimeoutError:
        pass  # the report says what is different
    return have, different


def settled_lag(fleet):
    """The sum of all partitions' lag, which is published once a second: 0 as soon as it is, else what it stays at."""
    try:
        wait_until(lambda: fleet.lag() == 0, 30, "no lag", interval=0.5)
    except TimeoutError:
        return fleet.lag()
    return 0


def fresh_event(pipeline):
    """Seconds from producing a violation to its finding on the topic."""
    event = chaos_measure.violation("fresh")
    pipeline.produce([json.dumps(event)])
    return chaos_measure.wait_latency(pipeline, event["event_id"], 30)


def memory(fleet, report, since):
    """Resident memory of all processes, and its slope from `since` on: of a soak it says whether something grows."""
    points = [(moment, resident) for moment, _, resident in fleet.resident]
    report.figure("resident_bytes_max", max(resident for _, resident in points))
    report.figure("resident_bytes_a_minute", round(slope_per_minute([point for point in points if point[0] >= since])))


def run(broker, directory, report, progress, *, events, minutes, seed, times, partitions=3, refused_s=REFUSED_S,
        idle_s=IDLE_S, live=LIVE_SESSIONS, violating=VIOLATING, kafka=None):
    """One run with its reckoning; `violating`: share of the events that are in sessions which misbehave."""
    schedule = schedule_of(seed, times)
    rate = events / (minutes * 60)
    progress.say(f"seed {seed}: {events:,} events at {rate:,.0f}/s, " +
                 (" ".join(f"{share:.0%} {kind}" for share, kind in schedule) or "undisturbed"))
    pipeline = Pipeline(broker, directory, "chaos", partitions=partitions, findings_partitions=partitions)
    chaos_measure.stamp_findings(pipeline)
    kafka = kafka or {}
    timeout_s = {**harness.FAST_GROUP, **kafka}["session.timeout.ms"] / 1000
    (directory / "redaction.key").write_bytes(random.Random(seed).randbytes(32))  # processes must hash alike
    sections = {"session": {"idle_seconds": idle_s}, "redaction": {"hmac_key_file": str(directory / "redaction.key")}}
    with open(directory / "events.jsonl", "wb") as good_file, \
            Fleet(pipeline, MEMBERS_MAX, kafka=kafka, **sections) as fleet:
        traffic = Traffic(seed, min(live, max(50, events // 100)), violating, good_file=good_file)
        fleet.start(MEMBERS)
        fleet.wait_ready()
        feeder = Feeder(pipeline, traffic, events, rate)
        began = time.monotonic()
        progress.watch(lambda: f"{feeder.sent:,} events, {len(fleet.running())} processes")
        try:
            feeder.start()
            under_load = disturb(schedule, Disturbances(pipeline, fleet, random.Random(seed + 1), refused_s, timeout_s),
                                 feeder, events, progress)
            feeder.finish()
        finally:
            feeder.kill()
            progress.watch(None)
        took = time.monotonic() - began
        good_file.flush()
        report.figure("seed", seed)
        report.figure("events", traffic.good)
        report.figure("events_in_violating_sessions", traffic.violating_events)
        report.figure("events_a_second", round(traffic.good / took))
        report.figure("disturbances_under_load", under_load, wanted=len(schedule))
        reckon(pipeline, fleet, traffic, directory, sections, report, progress)
        report.figure("process_starts", fleet.starts)
        # A process may leave to be started anew, as after a broker that forgot its producer; it may not crash.
        report.figure("exits_by_signal", sum(status < 0 for status, _ in fleet.exits), wanted=0)
        report.figure("exits_with_an_error", sum(status >= 0 for status, _ in fleet.exits))
        for status, what in fleet.exits:
            report.note(f"status {status}: {what}")
        memory(fleet, report, began + took * SOAK_WARM_UP)


def times_of(events, only):
    """How often each disturbance comes; `only`: "kill,pause=2"."""
    times = {kind: max(1, round(count * events / EVENTS)) for kind, count in TIMES.items()}
    if only is None:
        return times
    chosen = {}
    for word in filter(None, only.split(",")):
        kind, _, count = word.partition("=")
        if kind not in TIMES or (count and not count.isdigit()):
            raise argparse.ArgumentTypeError(f"--only: {word!r}: one of {', '.join(TIMES)}, or one of them =NUMBER")
        chosen[kind] = int(count) if count else times[kind]
    return chosen


def arguments():
    parser = argparse.ArgumentParser(prog="./dev chaos", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--events", type=int, help=f"good events ({EVENTS:,}); a shorter run has fewer disturbances")
    parser.add_argument("--minutes", type=float, help="over which they are spread (as the disturbances need)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", help=f"disturbances: some of {','.join(TIMES)}, each perhaps =NUMBER; '': none")
    parser.add_argument("--violating", type=float, default=VIOLATING, metavar="SHARE",
                        help="of the events: in sessions that misbehave")
    parser.add_argument("--keep", action="store_true", help="keep the folder with events, findings and every log")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--soak", type=float, metavar="MINUTES", help=f"{SOAK_RATE:,} events a second, undisturbed")
    mode.add_argument("--latency", action="store_true", help="from produce to finding, at --rate")
    mode.add_argument("--throughput", action="store_true", help="one worker with a backlog of --events")
    mode.add_argument("--memory", action="store_true", help="a backlog of --events within a limit of 192 MiB")
    mode.add_argument("--idle", action="store_true", help="processor time with nothing to do")
    parser.add_argument("--rate", type=int, default=10_000, help="events a second, of --latency")
    given = parser.parse_args()
    numbers = [given.events, given.minutes, given.soak, given.rate, given.violating]
    if any(number is not None and number <= 0 for number in numbers) or given.violating >= 1:
        parser.error("numbers must be positive, shares below 1")
    if given.soak:
        given.minutes, given.only = given.soak, given.only or ""
        given.events = given.events or round(given.soak * 60 * SOAK_RATE)
    given.events = given.events or (chaos_measure.BACKLOG if given.throughput else
                                    chaos_memory.BACKLOG if given.memory else EVENTS)
    try:
        given.times = times_of(given.events, given.only)
    except argparse.ArgumentTypeError as error:
        parser.error(str(error))
    disturbed_s = sum(TAKES[kind] * count for kind, count in given.times.items())
    given.minutes = given.minutes or max(30, disturbed_s, given.events / FASTEST) / 60
    return given


def main():
    given = arguments()
    directory = pathlib.Path(tempfile.mkdtemp(prefix="tocsin-chaos-"))
    report, progress = Report(), Progress()
    try:
        with KafkaBroker(directory / "kafka") as broker:
            if given.latency:
                chaos_measure.latency(broker, directory, report, progress, given.rate, given.seed)
            elif given.throughput:
                chaos_measure.throughput(broker, directory, report, progress, given.events, given.seed)
            elif given.memory:
                chaos_memory.memory(broker, directory, report, progress, given.events, given.seed)
            elif given.idle:
                chaos_measure.idle(broker, directory, report, progress)
            else:
                run(broker, directory, report, progress, events=given.events, minutes=given.minutes, seed=given.seed,
                    times=given.times, refused_s=max(5, min(REFUSED_S, REFUSED_S * given.events / EVENTS)),
                    idle_s=SOAK_IDLE_S if given.soak else IDLE_S, violating=given.violating)
    except (AssertionError, BrokerError, TimeoutError, subprocess.TimeoutExpired) as error:
        report.failed(str(error))
    finally:
        progress.close()
        if given.keep or not report.holds():
            print(f"logs, events and findings: {directory}")
        else:
            shutil.rmtree(directory, ignore_errors=True)
    report.print()
    return 0 if report.holds() else 1


if __name__ == "__main__":
    sys.exit(main())
