"""What tocsin costs on a real topic: from produce to finding, events a second, processor time with nothing to do."""

import datetime
import json
import os
import re
import resource
import subprocess
import time

import harness
import processes
import traffic
from chaos_report import quantile
from chaos_traffic import Traffic, now
from harness import Pipeline, kafka_tool
from processes import wait_until

BACKLOG = 300_000
WARM_UP_S, MEASURED_S = 10, 30
IDLE_SETTLE_S, IDLE_S = 10, 30
P50_MS, P99_MS = 20, 150
IDLE_SHARE = 0.01
THROUGHPUT_RATIO = 0.7
LIVE_SESSIONS = 2_000
BENCH = harness.REPO / "build" / "bench.json"
BENCH_FIGURE = "pipeline_events_per_second_250"

# The head of a line of `kafka_tool consume --meta`; events' values need not be looked at.
PLACE = re.compile(r'"partition":(\d+),"offset":(\d+),"timestamp_ms":(\d+)')


def violation(session):
    """One event that every rule set must object to, now."""
    event = traffic.one_violation()
    return {**event, "session_id": session, "event_id": f"{session}-1", "time": now()}


def stamp_findings(pipeline, *more):
    """Findings carry the time of their arrival at the broker, the end of what is timed; `more`: settings of the topic."""
    kafka_tool("alter-topic", pipeline.broker.bootstrap, pipeline.findings, "message.timestamp.type=LogAppendTime",
               *more)


def new_pipeline(broker, directory, name):
    pipeline = Pipeline(broker, directory, name, findings_partitions=3)
    stamp_findings(pipeline)
    return pipeline


def latencies(pipeline, wanted=None):
    """[(when an event was given to its producer, seconds until it was detected, until its first finding was at the
    broker)]; of the events of these ids, or of all that have findings."""
    first = {}  # source of the event: (finding's arrival, its detection), in milliseconds
    for line in kafka_tool("consume", pipeline.broker.bootstrap, pipeline.findings, "--meta", timeout=600):
        record = json.loads(line)
        finding = json.loads(record["value"])
        if wanted is None or finding["event_id"] in wanted:
            source = (finding["source"]["partition"], finding["source"]["offset"])
            arrived = (record["timestamp_ms"], milliseconds(finding["detected_at"]))
            first[source] = min(first.get(source, arrived), arrived)
    if not first:
        return []
    produced = {}
    for line in kafka_tool("consume", pipeline.broker.bootstrap, pipeline.events, "--meta", "--timeout", 600,
                           timeout=630):
        partition, offset, moment = map(int, PLACE.search(line.decode()).groups())
        if (partition, offset) in first:
            produced[partition, offset] = moment
    return [(moment / 1000, (first[source][1] - moment) / 1000, (first[source][0] - moment) / 1000)
            for source, moment in produced.items()]


def milliseconds(time_text):
    return datetime.datetime.fromisoformat(time_text.replace("Z", "+00:00")).timestamp() * 1000


def wait_latency(pipeline, event_id, timeout):
    """The latency of one event once it has a finding; infinite when it has none in time."""
    try:
        wait_until(lambda: any(finding["event_id"] == event_id for finding in pipeline.read_findings()), timeout,
                   "a finding")
    except TimeoutError:
        return float("inf")
    return max(seconds for *_, seconds in latencies(pipeline, {event_id}))


def busy_seconds(pid):
    """Processor time of a process so far."""
    with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def machine_load(report):
    report.figure("load_average", os.getloadavg()[0])
    report.figure("cores", os.cpu_count())


def latency(broker, directory, report, progress, rate, seed):
    """One worker under a steady rate."""
    pipeline = new_pipeline(broker, directory, "latency")
    made = Traffic(seed, LIVE_SESSIONS, malformed=0)
    with pipeline.process().start() as tocsin:
        progress.say(f"{rate:,} events/s for {WARM_UP_S + MEASURED_S} s")
        # kafka_tool keeps the rate; its clock starts the time.
        producer = subprocess.Popen(
            processes.leashed([harness.KAFKA_TOOL, "produce", broker.bootstrap, pipeline.events, "--key-field",
                               "session_id"]), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        began, busy = time.monotonic(), busy_seconds(tocsin.pid)
        with producer.stdin as stdin:
            while (elapsed := time.monotonic() - began) < WARM_UP_S + MEASURED_S:
                if count := int(elapsed * rate) - made.good:
                    stdin.write(made.lines(count))
                    stdin.flush()
                time.sleep(0.005)
        achieved = made.good / (time.monotonic() - began)
        if producer.wait(60):
            raise AssertionError("the traffic was not delivered")
        share = (busy_seconds(tocsin.pid) - busy) / (time.monotonic() - began)
        pipeline.wait_caught_up(120)
    progress.say("reading the topics")
    timed = latencies(pipeline)
    warm = min(moment for moment, *_ in timed) + WARM_UP_S
    detected, times = zip(*(both for moment, *both in timed if moment >= warm))
    machine_load(report)
    report.figure("events_a_second", round(achieved), at_least=round(0.95 * rate))
    report.figure("busy_share", share)
    report.figure("findings_timed", len(times), at_least=100)
    report.figure("detected_p50_ms", 1000 * quantile(detected, 0.5))
    report.figure("detected_p99_ms", 1000 * quantile(detected, 0.99))
    report.figure("latency_p50_ms", 1000 * quantile(times, 0.5), at_most=P50_MS)
    report.figure("latency_p90_ms", 1000 * quantile(times, 0.9))
    report.figure("latency_p99_ms", 1000 * quantile(times, 0.99), at_most=P99_MS)
    report.figure("latency_max_ms", 1000 * max(times))


def throughput(broker, directory, report, progress, events, seed):
    """One worker with a backlog, against a consumer that looks at nothing and against the same engine without Kafka."""
    pipeline = new_pipeline(broker, directory, "throughput")
    path = directory / "events.jsonl"
    progress.say(f"{events:,} events onto the topic")
    with open(path, "wb") as good_file:
        made = Traffic(seed, LIVE_SESSIONS, malformed=0, good_file=good_file)
        harness.kafka_tool("produce", broker.bootstrap, pipeline.events, "--key-field", "session_id", "--timeout", 300,
                           lines=(made.lines(1000).rstrip(b"\n") for _ in range(max(1, events // 1000))), timeout=600)
    machine_load(report)
    progress.say("a plain consumer")
    plain, plain_busy = drain(pipeline)
    progress.say("one worker")
    with pipeline.process().start(wait_ready=False) as tocsin:
        topic, topic_busy = rate_of(tocsin, made.good)
    progress.say("replay")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    harness.replay_file(directory / "replay", path, 3600)
    replayed, replay_busy = made.good / (time.monotonic() - began), made.good / children_busy(before)

    report.figure("plain_consumer_events_a_second", round(plain))
    report.figure("plain_consumer_events_a_processor_second", round(plain_busy))
    report.figure("replay_events_a_second", round(replayed))
    report.figure("replay_events_a_processor_second", round(replay_busy))
    report.figure("topic_events_a_second", round(topic))
    report.figure("topic_events_a_processor_second", round(topic_busy))
    if BENCH.exists() and (figure := bench_figure()):
        report.figure(BENCH_FIGURE, round(figure))
    # What others do on the machine is not in processor time; what nobody does, because somebody sleeps, is not either.
    report.figure("topic_ratio_to_the_smaller_by_processor_time", topic_busy / min(replay_busy, plain_busy))
    report.figure("topic_ratio_to_the_smaller", topic / min(replayed, plain), at_least=THROUGHPUT_RATIO)


def children_busy(before):
    """Processor time of the children that ended since."""
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def drain(pipeline):
    """(records a second, records a processor second) of `kafka_tool drain`."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    said = json.loads(kafka_tool("drain", pipeline.broker.bootstrap, pipeline.events, "--timeout", 300, timeout=330)[0])
    return said["records"] / said["seconds"], said["records"] / children_busy(before)


def rate_of(tocsin, events):
    """(events a second, events a processor second) of a process that works off a backlog, begin and end left out."""
    points = []  # (moment, processor time, events)

    def look():
        status, body = tocsin.get("/metrics")
        if status == 200:
            done = harness.Samples.parse(body).total("tocsin_events_total")
            points.append((time.monotonic(), busy_seconds(tocsin.pid), done))
            return done >= events
        return False

    wait_until(look, 600, "the backlog is worked off", interval=0.03)
    inner = [point for point in points if 0.05 * events <= point[2] <= 0.98 * events]
    if len(inner) < 3:
        raise AssertionError(f"{events} events are too few to measure: more --events")
    (began, busy, done), (ended, busy_then, done_then) = inner[0], inner[-1]
    return (done_then - done) / (ended - began), (done_then - done) / (busy_then - busy)


def bench_figure():
    """The pipeline's own figure of ./dev bench, over the events that it invents."""
    return json.loads(BENCH.read_text(encoding="utf-8")).get(BENCH_FIGURE)


def idle(broker, directory, report, progress):
    """A process with its partitions and nothing on them but its own self-tests."""
    pipeline = new_pipeline(broker, directory, "idle")
    with pipeline.process(selftest={"interval_seconds": 30}).start() as tocsin:
        progress.say(f"nothing, for {IDLE_SETTLE_S + IDLE_S} s")
        time.sleep(IDLE_SETTLE_S)
        began, busy = time.monotonic(), busy_seconds(tocsin.pid)
        time.sleep(IDLE_S)
        share = (busy_seconds(tocsin.pid) - busy) / (time.monotonic() - began)
    machine_load(report)
    report.figure("idle_share_of_a_core", share, at_most=IDLE_SHARE)
