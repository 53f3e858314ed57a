"""./dev chaos in short: each disturbance once, then the whole reckoning.

    python3 -m unittest tests/e2e/test_chaos.py     (./dev test does it)
"""

import contextlib
import os
import pathlib
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import chaos
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
    def test_nothing_is_lost_whatever_happens(self):
        directory = pathlib.Path(tempfile.mkdtemp(prefix="tocsin-chaos-"))
        report, progress = Report(), Progress()
        try:
            with broker_of(directory) as broker:
                chaos.run(broker, directory, report, progress, events=20_000, minutes=0.5, seed=1,
                          times=dict.fromkeys(chaos.TIMES, 1), refused_s=4, violating=0.05, kafka=GROUP)
        finally:
            progress.close()
            report.print()
            if not os.environ.get("E2E_KEEP"):
                shutil.rmtree(directory, ignore_errors=True)
        self.assertTrue(report.holds(), report.misses)
        values = report.values
        print(f"figures: chaos: {values['events']} events, {values['findings_expected']} findings, "
              f"{values['findings_duplicate']} duplicates, {values['process_starts']} starts of processes", flush=True)


if __name__ == "__main__":
    unittest.main()
