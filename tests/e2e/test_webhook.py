"""Webhooks and Alertmanager, on a real Kafka and a real Alertmanager, with receivers that are away and a tocsin that is
killed.

    python3 -m unittest tests/e2e/test_webhook.py     (./dev test does it)
"""

import json
import pathlib
import re
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import harness
from alertmanager_server import AlertmanagerServer
from harness import Pipeline
from kafka_broker import broker_for_module
from processes import wait_until
from test_incidents import containment, shell
from webhook_receiver import WebhookReceiver

DOCUMENT = harness.REPO / "deploy" / "webhooks.md"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
HOSTILE_TOOL = "\u202e<script>alert(1)</script>\r\nX-Evil: 1\u200b"
WAIT_S = 40

broker = None
directory = None


def setUpModule():
    global broker, directory
    broker, directory = broker_for_module("webhook")


def block(language):
    """The one fenced block of a language in the document."""
    text, = re.findall(rf"^```{language}\n(.*?)^```$", DOCUMENT.read_text(encoding="utf-8"), re.M | re.S)
    return text


def verifier():
    """`verify` as the document has it."""
    names = {}
    exec(block("python"), names)  # pylint: disable=exec-used
    return names["verify"]


def hostile(session):
    event = shell(session, 1)
    event["tool"]["name"] = HOSTILE_TOOL
    return event


def lines(sessions):
    return [json.dumps(hostile(each) if each.endswith("0") else shell(each, 1)) for each in sessions]


class WebhookTest(unittest.TestCase):
    def pipeline(self, **options):
        pipeline = Pipeline(broker, directory, self.id().rsplit(".", 1)[-1].removeprefix("test_").replace("_", "-"),
                            **options)
        harness.write_profile(pipeline.directory / "systems",
                              containment=[{"category": "shell_command", "severity": "high", "action": "kill_session"}])
        (pipeline.directory / "secret").write_text(SECRET + "\n", encoding="utf-8")
        return pipeline

    def test_the_document_is_true(self):
        folder = directory / "document"
        folder.mkdir()
        (folder / "soar.secret").write_text(SECRET, encoding="utf-8")
        least = "kafka: {bootstrap.servers: 'b:9092'}\ntopics: {events: [e]}\n"
        (folder / "tocsin.yaml").write_text(least + block("yaml"), encoding="utf-8")
        status, _, said = harness.run_tocsin("check", "--config", folder / "tocsin.yaml")
        self.assertEqual((0, ""), (status, said))
        # The vector that the specification's own libraries are tested with, which is long ago.
        headers = {"webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp": "1614265330",
                   "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="}
        verify, body = verifier(), b'{"test": 2432232314}'
        self.assertTrue(verify(SECRET, headers, body, tolerance_s=10**12))
        self.assertFalse(verify(SECRET, headers, body))
        self.assertFalse(verify(SECRET, headers, body + b" ", tolerance_s=10**12))

    def test_nothing_is_lost_when_the_receiver_is_away_and_tocsin_killed(self):
        pipeline = self.pipeline(findings_partitions=2)
        with WebhookReceiver(directory / "receiver") as receiver:
            common = {"secret_file": str(pipeline.directory / "secret"), "ca_file": str(receiver.ca_file)}
            webhooks = [
                {"name": "soar", "url": receiver.url("soar"), "send": ["findings", "incidents", "requests"], **common},
                {"name": "siem", "url": receiver.url("siem"), "send": ["findings", "incidents"], "format": "ocsf", **common},
                # The certificate is our own: who does not know it sends nothing.
                {"name": "strict", "url": receiver.url("strict"), "send": ["findings"], **common, "ca_file": ""}]
            sections = {"webhooks": webhooks, "incidents": {"requests": "on"}}
            with pipeline.process(**sections) as first, pipeline.process(**sections) as second:
                first.start()
                pipeline.produce(lines(f"before-{i}" for i in range(11)))
                wait_until(lambda: receiver.received("soar") and receiver.received("siem"), WAIT_S, "the first webhooks")
                first.wait_total("tocsin_webhook_deliveries_total", 1, webhook="strict", outcome="retried")
                receiver.go_away()
                pipeline.produce(lines(f"during-{i}" for i in range(11)))
                first.wait_total("tocsin_webhook_deliveries_total", 1, webhook="soar", outcome="retried")
                first.wait_total("tocsin_webhook_oldest_undelivered_timestamp_seconds", 1, webhook="soar")
                pipeline.wait_caught_up()  # a receiver that is away holds nothing up
                first.kill()
                second.start(wait_ready=False)
                receiver.come_back()
                pipeline.wait_caught_up()
                pipeline.produce(lines(f"after-{i}" for i in range(11)))
                pipeline.wait_caught_up()
                pipeline.wait_incidents_caught_up()
                self.wait_complete(pipeline, receiver)
                self.assertEqual(0, second.total("tocsin_webhook_deliveries_total", outcome="expired"))
                self.assertEqual(0, second.total("tocsin_webhook_deliveries_total", outcome="refused"))
                self.assertEqual([], receiver.received("strict"))
                status, seconds = second.stop()
                self.assertEqual(0, status)
                self.assertLess(seconds, 10)
            self.check_requests(receiver)

    def wait_complete(self, pipeline, receiver):
        """Waits until everything that is on the topics has arrived; says what has not."""
        findings = {each["finding_id"] for each in pipeline.read_findings() if each["severity"] in ("high", "critical")}
        requests = {each["request_id"] for each in pipeline.read_requests(33)}
        self.assertGreaterEqual(len(findings), 33)
        missing = None

        def standing(incident):
            return tuple(incident[key] for key in ("state", "severity", "reopened")) + (bool(incident["acknowledged"]),)

        def complete():
            nonlocal missing
            soar, siem = receiver.received("soar"), receiver.received("siem")
            expected = {key: standing(incident) for key, incident in pipeline.read_incidents().items()}
            told = {}  # how each stood in what came last
            for body in (json.loads(request.body) for request in soar):
                if "state" in body:
                    told[body["incident_id"]] = standing(body)
            missing = {"incidents": {key: value for key, value in expected.items() if told.get(key) != value},
                       "of webhook soar": (findings | requests) - {request.id for request in soar},
                       "of webhook siem": findings - {request.id for request in siem}}
            return len(expected) == 33 and not any(missing.values())

        try:
            wait_until(complete, WAIT_S, "all that is on the topics", interval=0.5)
        except TimeoutError as error:
            raise AssertionError(f"{error}; missing: {missing}") from None

    def check_requests(self, receiver):
        verify = verifier()
        for path in ("soar", "siem"):
            bodies = {}
            for request in receiver.received(path):
                self.assertTrue(verify(SECRET, request.headers, request.body), request.headers)
                self.assertFalse(verify(SECRET, request.headers, request.body + b" "))
                self.assertEqual(request.body, bodies.setdefault(request.id, request.body), "one id, one body")
                request.body.decode("ascii")
                self.assertNotIn(b"\n", request.body)
                self.assertNotIn("X-Evil", request.headers)
            self.assertTrue(any(b"<script>" in body and b"\\u202e" in body for body in bodies.values()), "what is hostile")
        for request in receiver.received("siem"):
            event = json.loads(request.body)
            self.assertEqual((2004, 2, "1.4.0"), (event["class_uid"], event["category_uid"], event["metadata"]["version"]))

    def test_an_alert_fires_and_is_resolved(self):
        pipeline = self.pipeline()
        with AlertmanagerServer(directory / "alertmanager") as alertmanager:
            with pipeline.process(alertmanager={"urls": [alertmanager.url], "resend_seconds": 5,
                                                "external_url": "https://tocsin.example"}).start() as tocsin:
                pipeline.produce([json.dumps(shell("s1", 1))])
                alert, = wait_until(lambda: alertmanager.alerts(alertname="TocsinIncident"), WAIT_S, "the alert")
                incident, = pipeline.read_incidents().values()
                self.assertEqual({"alertname": "TocsinIncident", "incident_id": incident["incident_id"],
                                  "system": harness.SYSTEM, "severity": "page", "incident_severity": incident["severity"],
                                  "category": "shell_command", "owner": "system"}, alert["labels"])
                self.assertEqual("e2e-owner", alert["annotations"]["owner"])
                self.assertEqual(incident["chain"][0]["title"], alert["annotations"]["summary"])
                self.assertIn(incident["incident_id"], alert["annotations"]["link"])
                self.assertEqual(incident["first_misuse"], alert["startsAt"])
                tocsin.wait_total("tocsin_alertmanager_posts_total", 2, outcome="taken")
                self.assertTrue(alertmanager.alerts(alertname="TocsinIncident"), "it is told again")
                pipeline.say(containment(incident_id=incident["incident_id"]))
                # Nobody waits for it: what is not told again ends 15 s later at the earliest.
                wait_until(lambda: not alertmanager.alerts(), 10, "the end of the alert")


if __name__ == "__main__":
    unittest.main()
