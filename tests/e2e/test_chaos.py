"""./dev chaos in short: each disturbance once, then the whole reckoning.

    python3 -m unittest tests/e2e/test_chaos.py     (./dev test does it)
"""

import collections
import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import chaos
import chaos_measure
import chaos_memory
from chaos_report import Progress, Report
from kafka_broker import KafkaBroker

# Short, since a paused process must be paused for longer.
GROUP = {"session.timeout.ms": 3000, "heartbeat.interval.ms": 500}


@contextlib.contextmanager
def broker_of(directory):
    """The one of all tests, started and stopped by CTest, or one of its own."""
    if not (shared := os.environ.get("E2E_KAFKA_DIR")):
        with KafkaBroker(directory / "kafka") as broker:
            yield broker
        return
    broker = KafkaBroker(shared, die_with_parent=False)
    if not broker.answers():
        broker.restart(kill=True)  # an earlier test left it in pieces
    yield broker
    if not broker.running():
        broker.start()


class ChaosTest(unittest.TestCase):
    def report_of(self, what, **options):
        """The report of a run of `what` on a broker."""
        directory = pathlib.Path(tempfile.mkdtemp(prefix="tocsin-chaos-"))
        report, progress = Report(), Progress()
        try:
            with broker_of(directory) as broker:
                what(broker, directory, report, progress, **options)
        finally:
            progress.close()
            report.print()
            if not os.environ.get("E2E_KEEP"):
                shutil.rmtree(directory, ignore_errors=True)
        return report

    def test_nothing_is_lost_whatever_happens(self):
        report = self.report_of(chaos.run, events=20_000, minutes=0.5, seed=1, times=dict.fromkeys(chaos.TIMES, 1),
                                refused_s=4, violating=0.05, kafka=GROUP)
        self.assertTrue(report.holds(), report.misses)
        values = report.values
        print(f"figures: chaos: {values['events']} events, {values['findings_expected']} findings, "
              f"{values['findings_duplicate']} duplicates, {values['process_starts']} starts of processes", flush=True)

    def test_memory_holds_far_behind(self):
        report = self.report_of(chaos_memory.memory, events=150_000, seed=2, overload=0)
        self.assertTrue(report.holds(), report.misses)
        values = report.values
        print(f"figures: memory: {values['resident_bytes_max'] / 2**20:.0f} MiB at most, "
              f"{values['sessions_live_max']:.0f} sessions, {values['events_a_second']} events/s", flush=True)

    def test_memory_limit_is_noticed(self):
        with chaos_memory.Limit(64 << 20) as limit:
            if limit.folder is None:
                self.skipTest(limit.kind)
            hungry = subprocess.run(limit.wrap([sys.executable, "-c", "b = bytearray(b'x') * (256 << 20)"]), check=False)
            self.assertNotEqual(0, hungry.returncode)
            self.assertGreater(limit.kills(), 0, limit.events())

    def test_throughput_is_measured(self):
        values = self.report_of(chaos_measure.throughput, events=60_000, seed=1).values
        self.assertGreater(values["plain_consumer_events_a_second"], values["topic_events_a_second"])
        # Far from what is wanted of a quiet machine, and far above what comes of fetching that sleeps.
        self.assertGreater(values["topic_ratio_to_the_smaller"], 0.2)
        print(f"figures: throughput: {values['topic_events_a_second']} events/s from the topic, "
              f"{values['plain_consumer_events_a_second']} by a plain consumer", flush=True)

    def test_the_schedule_is_that_of_the_seed(self):
        schedule = chaos.schedule_of(3, chaos.TIMES)
        self.assertEqual(schedule, chaos.schedule_of(3, chaos.TIMES))
        self.assertNotEqual(schedule, chaos.schedule_of(4, chaos.TIMES))
        self.assertEqual(chaos.TIMES, collections.Counter(kind for _, kind in schedule))
        shares = [share for share, _ in schedule]
        self.assertEqual(sorted(shares), shares)
        self.assertTrue(0 < shares[0] and shares[-1] < 1, shares)


if __name__ == "__main__":
    unittest.main()
