"""tocsin against a real Kafka and a real Prometheus: nothing lost, nothing made up, whatever happens on the way.

    python3 -m unittest tests/e2e/test_pipeline.py     (./dev test does it)

Findings are at least once with stable ids, so what must hold is: the *set* of ids equals that of `tocsin replay` over
the same events.  Every test prints one line of figures.
"""

import functools
import json
import os
import pathlib
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import harness
import traffic
from harness import Pipeline
from kafka_broker import broker_for_module
from processes import wait_until
from prometheus_server import PrometheusServer

RATE = 2_500  # events a second, so that a disturbance finds work under way
STREAM_EVENTS = 10_000  # of the tests that disturb something

broker = None
directory = None


def setUpModule():
    global broker, directory
    for name, program in (("E2E_TOCSIN", harness.TOCSIN_BINARY), ("KAFKA_TOOL", harness.KAFKA_TOOL)):
        if not os.access(program, os.X_OK):
            raise FileNotFoundError(f"{program} is not there: ./dev build, or set {name}")
    broker, directory = broker_for_module("e2e")
    if "E2E_KAFKA_DIR" not in os.environ:
        figures("broker", f"started in {broker.start_seconds:.1f} s", f"logs in {directory}" if keep() else "")


def keep():
    return bool(os.environ.get("E2E_KEEP"))


def figures(what, *numbers):
    print(f"figures: {what}: {', '.join(filter(None, numbers))}", flush=True)  # ./dev test shows these


@functools.cache
def stream(events):
    """Events of deterministic traffic (as JSON lines) and the findings they must give."""
    lines = traffic.generate(events, events * 3 // 40)
    return lines, harness.replay(directory / f"replay-{events}", lines)


class PipelineTest(unittest.TestCase):
    def setUp(self):
        self.name = self.id().rsplit(".", 1)[-1].removeprefix("test_").replace("_", "-")
        self.began = time.monotonic()

    def figures(self, *numbers):
        figures(self.name, *numbers, f"{time.monotonic() - self.began:.1f} s")

    def pipeline(self):
        return Pipeline(broker, directory, self.name)

    def assert_conserved(self, pipeline, expected):
        """Exactly the expected findings were delivered, duplicates aside; returns the number of duplicates."""
        findings = pipeline.read_findings()
        missing, unexpected, duplicates = harness.compare(findings, expected)
        by_id = {finding["finding_id"]: finding for finding in [*findings, *expected]}
        self.assertTrue(expected, "the replay found nothing: this would prove nothing")
        self.assertFalse(missing, f"{len(missing)} findings lost, such as {[by_id[i] for i in sorted(missing)[:3]]}")
        self.assertFalse(unexpected,
                         f"{len(unexpected)} findings too many, such as {[by_id[i] for i in sorted(unexpected)[:3]]}")
        return duplicates

    def test_one_violation(self):
        pipeline = self.pipeline()
        event = traffic.one_violation()
        with pipeline.process().start() as tocsin, \
                PrometheusServer(directory / "prometheus", [tocsin.target]) as prometheus:
            prometheus.wait_for("up", 1)
            before = tocsin.total("tocsin_events_total")
            self.assertTrue(tocsin.scrape().select("tocsin_findings_total"), "rules export their series from the start")

            pipeline.produce([json.dumps(event), *(json.dumps(traffic.harmless(i)) for i in range(9))])
            pipeline.wait_caught_up()
            findings = pipeline.read_findings()
            self.assertEqual({event["event_id"]}, {finding["event_id"] for finding in findings})
            shell = [finding for finding in findings if finding["category"] == "shell_command"]
            self.assertTrue(shell, findings)
            for field in ("session_id", "system", "seq", "type", "time"):
                self.assertEqual(event[field], shell[0][field], field)
            self.assertEqual("run_shell", shell[0]["tool"])
            self.assertIn(shell[0]["severity"], ("high", "critical"))

            tocsin.wait_total("tocsin_events_total", before + 10)
            samples = tocsin.scrape()
            self.assertEqual(before + 10, samples.total("tocsin_events_total"))
            self.assertEqual(1, samples.total("tocsin_events_total", system=harness.SYSTEM, type="tool_call"))
            self.assertEqual(len(findings), samples.total("tocsin_findings_total"))
            self.assertEqual(0, samples.total("tocsin_events_dropped_total"))
            seconds = prometheus.wait_for("sum(tocsin_events_total)", before + 10)
            prometheus.wait_for(f'sum(tocsin_events_total{{system="{harness.SYSTEM}",type="user_message"}})', 9)
            self.figures(f"{len(findings)} findings", f"{len(samples)} series", f"in Prometheus after {seconds:.1f} s")

    def test_conservation_when_one_of_two_is_killed(self):
        lines, expected = stream(20_000)
        pipeline = self.pipeline()
        with pipeline.process() as first, pipeline.process() as second:
            first.start(wait_ready=False)
            second.start()
            first.wait_status(200, harness.READY_TIMEOUT_S)
            wait_until(lambda: first.total("tocsin_kafka_assigned_partitions", stage="events") > 0 and
                       second.total("tocsin_kafka_assigned_partitions", stage="events") > 0, harness.READY_TIMEOUT_S,
                       "both members have partitions")
            producer = pipeline.producing(lines, RATE)
            processed = first.wait_total("tocsin_events_total", len(lines) // 8)
            self.assertTrue(producer.running(), "killed too late to prove anything")
            first.kill()
            killed = time.monotonic()
            producer.wait()
            pipeline.wait_caught_up(120)
            recovered = time.monotonic() - killed
            duplicates = self.assert_conserved(pipeline, expected)
            self.assertEqual(0, second.total("tocsin_events_dropped_total"))
        self.figures(f"{len(lines)} events", f"{len(expected)} findings", f"{duplicates} duplicates",
                     f"killed after {processed:.0f} events", f"caught up {recovered:.1f} s later")

    def test_a_named_member_comes_back_to_its_partitions(self):
        """Static membership, as the chart gives it to the pods of a stateful set: in the environment, one worker each."""
        lines, expected = stream(4_000)
        pipeline = self.pipeline()
        members = [pipeline.process(), pipeline.process()]

        def named(index):
            return lambda command: ["env", f"TOCSIN_KAFKA_GROUP_INSTANCE_ID=tocsin-{index}", *command]

        def partitions(member):
            return {(labels["topic"], labels["partition"]) for labels, _ in member.scrape().select("tocsin_kafka_lag")}

        def has_its_share():
            return all(member.total("tocsin_kafka_assigned_partitions", stage="events") > 0 for member in members)

        with members[0] as first, members[1] as second:
            for index, member in enumerate(members):
                member.start(wait_ready=False, wrap=named(index))
            for member in members:
                member.wait_status(200, harness.READY_TIMEOUT_S)
            wait_until(has_its_share, harness.READY_TIMEOUT_S, "both members have partitions")
            pipeline.produce(lines[:2_000])
            pipeline.wait_caught_up()
            had, moved = partitions(first), second.total("tocsin_kafka_rebalances_total")
            status, seconds = first.stop()
            self.assertEqual(0, status)
            pipeline.produce(lines[2_000:])
            first.start(wrap=named(0))
            pipeline.wait_caught_up()
            pipeline.wait_incidents_caught_up()
            self.assertEqual(moved, second.total("tocsin_kafka_rebalances_total"), "the other member was disturbed")
            self.assertEqual(had, partitions(first))
            duplicates = self.assert_conserved(pipeline, expected)
        self.figures(f"{len(expected)} findings", f"{duplicates} duplicates", f"left in {seconds:.1f} s", "no rebalance")

    def test_malformed_records_among_good_ones(self):
        whole = json.dumps(traffic.harmless(1000))
        without = functools.partial(self.changed, traffic.harmless(1001))
        bad = [
            ("malformed_json", whole[:60].encode()),
            ("missing_session_id", without(session_id=None)),
            ("missing_time", without(time=None)),
            ("bad_time", without(time="yesterday")),
            ("unknown_type", without(type="telepathy")),
            ("wrong_type", without(system=["a", "list"])),
            ("invalid_utf8", without(text="MARK").replace(b"MARK", b"\xff\xfe")),
        ]
        good = [json.dumps(traffic.harmless(number)) for number in range(40)]
        good.append(json.dumps(traffic.one_violation()))
        records = list(good)
        for position, (_, record) in enumerate(bad):
            records.insert(position * 5, record)

        pipeline = self.pipeline()
        with pipeline.process().start() as tocsin:
            pipeline.produce(records)
            pipeline.wait_caught_up()
            dead = pipeline.read_dead_letters(len(bad))
            tocsin.wait_total("tocsin_events_total", len(good))
            samples = tocsin.scrape()
            self.assertEqual(len(good), samples.total("tocsin_events_total"))
            self.assertEqual(len(bad), samples.total("tocsin_events_rejected_total", topic=pipeline.events))
            for reason in {reason for reason, _ in bad}:
                self.assertEqual(sum(one == reason for one, _ in bad),
                                 samples.total("tocsin_events_rejected_total", topic=pipeline.events, reason=reason),
                                 f"{reason}: {samples.select('tocsin_events_rejected_total')}")
            self.assertTrue(pipeline.read_findings(1), "the violation among them was found")
            self.assertEqual(200, tocsin.get("/readyz")[0])

        # kafka_tool shows bytes that are not UTF-8 one by one, as Latin-1.
        shown = [record.decode("utf-8" if reason != "invalid_utf8" else "latin-1") for reason, record in bad]
        self.assertEqual(sorted(shown), sorted(letter["value"] for letter in dead))
        for letter in dead:
            said = list(letter["headers"].values())
            reasons = {reason for (reason, _), text in zip(bad, shown) if text == letter["value"]}
            self.assertTrue(reasons & set(said), f"the reason is in the headers: {letter}")
            self.assertIn(pipeline.events, said, "the topic it came from is in the headers")
        self.figures(f"{len(good)} good", f"{len(bad)} bad", f"headers {sorted(dead[0]['headers'])}")

    @staticmethod
    def changed(event, **fields):
        """The event's JSON with fields replaced; None removes one."""
        return json.dumps({name: value for name, value in {**event, **fields}.items() if value is not None}).encode()

    def test_sigterm_under_load(self):
        lines, expected = stream(STREAM_EVENTS)
        pipeline = self.pipeline()
        with pipeline.process() as tocsin:
            tocsin.start()
            producer = pipeline.producing(lines, RATE)
            processed = tocsin.wait_total("tocsin_events_total", len(lines) // 8)
            self.assertTrue(producer.running(), "stopped too late to prove anything")
            status, seconds = tocsin.stop()
            self.assertEqual(0, status)
            self.assertLess(seconds, 10)

            tocsin.start()
            producer.wait()
            pipeline.wait_caught_up()
            duplicates = self.assert_conserved(pipeline, expected)
            status, idle_seconds = tocsin.stop()
            self.assertEqual(0, status)
        self.figures(f"{len(lines)} events", f"{len(expected)} findings", f"{duplicates} duplicates",
                     f"stopped after {processed:.0f} events in {seconds:.2f} s, idle in {idle_seconds:.2f} s")

    def test_broker_away(self):
        lines, expected = stream(STREAM_EVENTS)
        pipeline = self.pipeline()
        half = len(lines) // 2
        with pipeline.process().start() as tocsin:
            pipeline.produce(lines[:half])
            tocsin.wait_total("tocsin_events_total", half // 8)
            broker.halt(kill=True)
            try:
                noticed = tocsin.wait_status(503, 40)
                self.assertEqual(200, tocsin.get("/healthz")[0], "waiting is no reason to be restarted")
                self.assertEqual(200, tocsin.get("/metrics")[0])
            finally:
                broker.start()
            back = tocsin.wait_status(200, 60)
            pipeline.produce(lines[half:])
            pipeline.wait_caught_up()
            duplicates = self.assert_conserved(pipeline, expected)
            self.assertEqual(0, tocsin.total("tocsin_events_dropped_total"))
        self.figures(f"{len(lines)} events", f"{len(expected)} findings", f"{duplicates} duplicates",
                     f"503 after {noticed:.1f} s, 200 again {back:.1f} s after the broker")

    def test_broker_pauses(self):
        lines, expected = stream(STREAM_EVENTS)
        pipeline = self.pipeline()
        with pipeline.process().start() as tocsin:
            producer = pipeline.producing(lines, RATE)
            tocsin.wait_total("tocsin_events_total", len(lines) // 8)
            broker.pause()  # longer than the session timeout
            try:
                time.sleep(8)
                self.assertEqual(200, tocsin.get("/healthz")[0])
            finally:
                broker.resume()
            producer.wait()
            pipeline.wait_caught_up(90)
            tocsin.wait_status(200, 30)
            duplicates = self.assert_conserved(pipeline, expected)
        self.figures(f"{len(lines)} events", f"{len(expected)} findings", f"{duplicates} duplicates")

    def test_wrong_config(self):
        folder = directory / self.name
        folder.mkdir()
        good = json.loads(harness.write_config(folder / "good.yaml", "127.0.0.1:1", "g", {"events": ["e"]},
                                               harness.free_port()).read_text(encoding="utf-8"))
        cases = {
            "not yaml": "kafka: {bootstrap.servers: [",
            "unknown key": json.dumps({**good, "kafak": {}}),
            "wrong kind": json.dumps({**good, "workers": "many"}),
            "unknown kafka property": json.dumps({**good, "kafka": {**good["kafka"], "no.such.property": 1}}),
            "no such rules": json.dumps({**good, "rules": {"packs": [str(folder / "nowhere")]}}),
        }
        for name, text in cases.items():
            with self.subTest(name):
                file = folder / f"{name.replace(' ', '-')}.yaml"
                file.write_text(text, encoding="utf-8")
                status, _, said = harness.run_tocsin("run", "--config", file, timeout=20)
                self.assertEqual(2, status, said)
                wrong = "nowhere" if name == "no such rules" else file.name
                self.assertIn(wrong, said, "the message names the file at fault")
        status, _, said = harness.run_tocsin("run", "--config", folder / "absent.yaml", timeout=20)
        self.assertEqual(2, status, said)
        self.figures(f"{len(cases) + 1} refused")


if __name__ == "__main__":
    unittest.main(verbosity=2)
