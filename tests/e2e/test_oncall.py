"""From the attack to the person and back: Kafka, tocsin, Prometheus and Alertmanager for real.

The demo's hijack is played; the page arrives where the owner of the system is reached, with the owner, the runbook and
the incident's page; it is taken back when the incident is contained.  Prints the seconds of each leg.
"""

import json
import pathlib
import shutil
import sys
import time
import unittest
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import harness
import test_alerts
from harness import Pipeline
from kafka_broker import broker_for_module
from processes import wait_until
from prometheus_server import PrometheusServer
from test_incidents import containment, recent

SYSTEM = "support-bot"
RUNBOOK = "https://runbooks.example/TocsinIncidentOpen.md"
WAIT_S = 60
broker = None
directory = None


def setUpModule():
    global broker, directory
    broker, directory = broker_for_module("oncall")


def hijack():
    """The demo's poisoned page, as if its last event were of this moment."""
    return recent((harness.REPO / "tests" / "cases" / "poisoned-page" / "events.jsonl").read_text().splitlines())


class Clock:
    """How long each leg took."""

    def __init__(self):
        self.legs, self.last = [], time.monotonic()

    def leg(self, name):
        now = time.monotonic()
        self.legs.append(f"{name} {now - self.last:.1f} s")
        self.last = now


class OnCallTest(unittest.TestCase):
    start_alertmanager = test_alerts.AlertsTest.start_alertmanager

    def test_from_the_attack_to_the_page_and_back(self):
        pipeline = Pipeline(broker, directory, "oncall")
        shutil.copy(harness.REPO / "rules" / "systems" / f"{SYSTEM}.yaml", pipeline.directory / "systems")
        hooks = test_alerts.Hooks()
        self.addCleanup(hooks.server.server_close)
        self.addCleanup(hooks.server.shutdown)
        # The routes as they ship; only what Alertmanager waits for company is cut short.
        address = self.start_alertmanager(directory, hooks, group_wait="1s", group_interval="2s")
        options = {"alertmanager": {"urls": [f"http://{address}"], "resend_seconds": 5, "runbook_url": RUNBOOK,
                                    "external_url": "https://tocsin.example"}}

        def told(name, status):
            return [alert for alert in hooks.alerts("support-oncall")
                    if alert["labels"]["alertname"] == name and alert["status"] == status]

        with pipeline.process(**options).start() as tocsin, \
                PrometheusServer(directory / "prometheus", [f"127.0.0.1:{tocsin.http_port}"],
                                 rule_files=[test_alerts.RULES_FILE], alertmanagers=[address]) as prometheus:
            prometheus.wait_for('up{job="tocsin"}', 1)
            clock = Clock()
            pipeline.produce(hijack())
            wait_until(lambda: any(finding["rule"] == "hijack.carried-out" for finding in pipeline.read_findings()), WAIT_S,
                       "the finding", interval=0.2)
            clock.leg("event to finding")
            found = {}

            def critical():
                found.update(pipeline.read_incidents())
                return [each for each in found.values() if each["severity"] == "critical"]

            incident, = wait_until(critical, WAIT_S, "the incident", interval=0.2)
            clock.leg("finding to incident")
            page = wait_until(lambda: [alert for alert in told("TocsinIncident", "firing")
                                       if alert["labels"]["incident_severity"] == "critical"], WAIT_S, "the page",
                              interval=0.2)[0]
            clock.leg("incident to page")
            self.assertEqual((SYSTEM, incident["incident_id"], "page"),
                             tuple(page["labels"][key] for key in ("system", "incident_id", "severity")))
            self.assertEqual(incident["owner"], page["annotations"]["owner"])
            self.assertEqual(RUNBOOK, page["annotations"]["runbook_url"])
            link = f"/incidents/{incident['incident_id']}"
            self.assertEqual(f"https://tocsin.example{link}", page["annotations"]["link"])
            with urllib.request.urlopen(f"http://127.0.0.1:{tocsin.http_port}{link}", timeout=5) as answer:
                self.assertIn("<title>tocsin</title>", answer.read().decode())
            with urllib.request.urlopen(f"http://127.0.0.1:{tocsin.http_port}/api/v1{link}", timeout=5) as answer:
                self.assertEqual(incident["incident_id"], json.load(answer)["incident_id"])

            # By way of the metrics as well, for whoever has Prometheus alone.
            counted = wait_until(lambda: told("TocsinCriticalFinding", "firing"), WAIT_S, "Prometheus' page", interval=0.5)[0]
            clock.leg("and by the metrics")
            self.assertEqual(SYSTEM, counted["labels"]["system"])
            self.assertTrue(counted["annotations"]["runbook_url"].endswith("/TocsinCriticalFinding.md"))
            for receiver in ("devex-oncall", "tocsin-oncall", "ciso"):
                self.assertEqual([], hooks.alerts(receiver), "nobody else is woken")

            pipeline.say(containment(incident_id=incident["incident_id"]) | {"system": SYSTEM})
            wait_until(lambda: pipeline.read_incidents()[incident["incident_id"]]["state"] == "contained", WAIT_S,
                       "containment", interval=0.2)
            clock.leg("containment")
            wait_until(lambda: [alert for alert in told("TocsinIncident", "resolved")
                                if alert["labels"]["incident_id"] == incident["incident_id"]], WAIT_S, "the all-clear",
                       interval=0.2)
            clock.leg("containment to all-clear")
        print("figures: on call:", ", ".join(clock.legs), flush=True)


if __name__ == "__main__":
    unittest.main()
