"""The alerts, their runbooks and whom they reach: deploy/{prometheus,runbooks,alertmanager}.  Needs no Kafka.

    python3 -m unittest tests/e2e/test_alerts.py     (./dev test does it)

Nothing here may name a metric, a label or a value of one that tocsin does not export, or a command that does not work.
"""

import functools
import http.server
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest
import urllib.parse

import yaml

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import harness
from alertmanager_server import AlertmanagerServer
from processes import end, free_port, leashed, wait_until
from prometheus_server import PrometheusServer
from test_documents import FENCE, Block

DEPLOY = harness.REPO / "deploy"
RULES_FILE = DEPLOY / "prometheus" / "tocsin.rules.yaml"
CASES = DEPLOY / "prometheus" / "tests"
RUNBOOKS = DEPLOY / "runbooks"
ALERTMANAGER = DEPLOY / "alertmanager"
SECTIONS = ["What it means", "First five minutes", "Contain", "A false alarm?", "Silence"]

# Of targets, not of tocsin: Prometheus and its operator put them there.
TARGET_LABELS = {"cluster", "namespace", "job", "instance", "pod", "container", "endpoint", "node"}
# There only while something is open; which values its labels can have, the other one shows at all times.
ALSO_SEEN_IN = {"tocsin_incident_oldest_open_timestamp_seconds": "tocsin_incidents_open"}
STARTS_S = 30
SCRAPED_S = 90  # rules of a group wait for up to its interval, a minute, before they are first evaluated


def run(*command, timeout=280):
    return subprocess.run([*map(str, command)], cwd=harness.REPO, stdin=subprocess.DEVNULL, text=True, timeout=timeout,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)


@functools.cache
def rules():
    return [rule for group in yaml.safe_load(RULES_FILE.read_text())["groups"] for rule in group["rules"]]


def alerts():
    return [rule for rule in rules() if "alert" in rule]


def runbooks():
    return sorted(path for path in RUNBOOKS.glob("*.md") if path.name != "README.md")


def blocks(language):
    """Blocks of all documents in deploy/runbooks."""
    for path in sorted(RUNBOOKS.glob("*.md")):
        text = path.read_text(encoding="utf-8")
        for found in FENCE.finditer(text):
            block = Block(path, found, text)
            if block.language == language:
                yield block


def case_checks():
    """(alert, expected labels of one firing, or None) of every check of every case."""
    for path in sorted(CASES.glob("*.yaml")):
        for case in yaml.safe_load(path.read_text())["tests"]:
            for check in case.get("alert_rule_test", []):
                for firing in check["exp_alerts"] or [None]:
                    yield check["alertname"], firing and firing["exp_labels"]


class Demo:
    """`tocsin demo`, on a free port."""

    def __enter__(self):
        self.port = free_port()
        self.process = subprocess.Popen(
            leashed([harness.TOCSIN_BINARY, "demo", "--listen", f"127.0.0.1:{self.port}", "--seed", "1"]),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return self

    def __exit__(self, *_):
        end(self.process, STARTS_S)

    def scrape(self):
        done = run("curl", "-sf", f"http://127.0.0.1:{self.port}/metrics")
        return harness.Samples.parse(done.stdout.replace("} Nan", "} NaN")) if done.returncode == 0 else {}


def exported():
    """{metric: [labels of a series, ...]} of a daemon at work, and of a replay where guardrails have spoken."""
    series = {}

    def take(samples):
        for name, labels in samples:
            series.setdefault(name, []).append(dict(labels))

    with Demo() as demo, tempfile.TemporaryDirectory(prefix="tocsin-alerts-") as folder:
        metrics = pathlib.Path(folder) / "metrics.prom"
        done = run(harness.TOCSIN_BINARY, "replay", "tests/cases/guardrail-allowed-unsafe/events.jsonl", "--out",
                   pathlib.Path(folder) / "findings.jsonl", "--metrics", metrics)
        assert done.returncode == 0, done.stdout
        take(harness.Samples.parse(metrics.read_text().replace("} Nan", "} NaN")))

        # What comes with partitions, self-tests and releases is there a few seconds later.
        last = {"tocsin_kafka_lag", "tocsin_selftest_last_success_timestamp_seconds", "tocsin_regression_suspected",
                "tocsin_incident_oldest_open_timestamp_seconds", "tocsin_content_coverage_ratio"}

        def complete():
            samples = demo.scrape()
            return samples if last <= {name for name, _ in samples} else None

        take(wait_until(complete, SCRAPED_S, f"the demo exports {sorted(last)}", interval=0.5))
    return series


class Hooks:
    """Where a test's Alertmanager sends what it would send to people: .received is [(receiver, message), ...]."""

    def __init__(self):
        self.received = received = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                received.append((urllib.parse.unquote(self.path[1:]), json.loads(body)))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self, receiver):
        return f"http://127.0.0.1:{self.server.server_port}/{urllib.parse.quote(receiver)}"

    def alerts(self, receiver):
        return [alert for to, message in list(self.received) if to == receiver for alert in message["alerts"]]


SELECTOR = re.compile(r"\b([a-zA-Z_][\w:]*)\s*(\{[^{}]*\})?")
MATCHER = re.compile(r'([a-zA-Z_]\w*)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"')
GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left)\s*\(([^()]*)\)")


def selectors(expression):
    """(metric, matchers) of what an expression selects: names of ours, of process_* and `up`."""
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', lambda found: re.sub(r"[\w{}]", "_", found[0]), expression)
    for found in SELECTOR.finditer(bare):
        if re.match(r"(tocsin_|process_|up$|\w+:tocsin_)", found[1]):
            braces = expression[found.start(2):found.end(2)] if found[2] else ""
            yield found[1], MATCHER.findall(braces)


class AlertsTest(unittest.TestCase):
    maxDiff = None

    # ---------------------------------------------------------------- rules and cases

    def test_rules_are_accepted(self):
        done = run("promtool", "check", "rules", "--lint-fatal", RULES_FILE)
        self.assertEqual(0, done.returncode, done.stdout)

    def check_cases(self, name):
        done = run("promtool", "test", "rules", CASES / f"{name}.yaml")
        self.assertEqual(0, done.returncode, done.stdout)

    # One test a file: they take turns on a machine with few cores.
    def test_cases_of_misuse(self):
        self.check_cases("misuse")

    def test_cases_of_objectives(self):
        self.check_cases("objectives")

    def test_cases_of_rates(self):
        self.check_cases("rates")

    def test_cases_of_blind(self):
        self.check_cases("blind")

    def test_cases_of_silent(self):
        self.check_cases("silent")

    def test_cases_of_itself(self):
        self.check_cases("itself")

    def test_every_file_of_cases_is_run(self):
        run_here = {name.removeprefix("test_cases_of_") for name in dir(self) if name.startswith("test_cases_of_")}
        self.assertEqual(run_here, {path.stem for path in CASES.glob("*.yaml")})

    def test_every_alert_fires_and_is_quiet_in_some_case(self):
        fires, quiet = set(), set()
        for name, labels in case_checks():
            if labels is None:
                quiet.add(name)
            else:
                fires.add((name, labels["severity"]))
        self.assertEqual({(rule["alert"], rule["labels"]["severity"]) for rule in alerts()}, fires)
        self.assertEqual({rule["alert"] for rule in alerts()}, quiet)

    def test_alerts_say_whom_they_wake_and_what_to_do(self):
        base = re.search(r"^# runbook-base: (https://\S+)$", RULES_FILE.read_text(), re.M)[1]
        for rule in alerts():
            with self.subTest(rule["alert"]):
                self.assertIn(rule["labels"]["severity"], {"page", "ticket"})
                self.assertIn(rule["labels"]["owner"], {"system", "platform"})
                self.assertEqual({"summary", "description", "runbook_url"}, set(rule["annotations"]))
                self.assertEqual(f"{base}/{rule['alert']}.md", rule["annotations"]["runbook_url"])
                self.assertTrue((RUNBOOKS / f"{rule['alert']}.md").is_file())
                self.assertRegex(rule["annotations"]["summary"], r"^[A-Z][a-z]+,? ", "begins with what to do")
                self.assertNotRegex(rule["annotations"]["description"], r"TODO|\bTBD\b")

    def test_what_belongs_to_a_system_names_it(self):
        for name, labels in case_checks():
            if labels and labels["owner"] == "system":
                with self.subTest(name):
                    self.assertIn("system", labels)

    # ---------------------------------------------------------------- what tocsin exports

    def test_metrics_labels_and_values_are_exported(self):
        series = exported()
        recorded = {rule["record"] for rule in rules() if "record" in rule}
        recorded_labels = {label for rule in rules() for label in rule.get("labels", {})}
        expressions = [(rule.get("alert", rule.get("record")), rule["expr"]) for rule in rules()]
        expressions += [(block.where, line) for block in blocks("promql") for line in block.text.splitlines()]
        seen = set()
        for where, expression in expressions:
            with self.subTest(where, expression=expression):
                labels = set(TARGET_LABELS) | recorded_labels
                for name, matchers in selectors(expression):
                    seen.add(name)
                    if name == "up" or name in recorded:
                        labels |= {label for each in series.values() for one in each for label in one}
                        self.assertLessEqual({label for label, _, _ in matchers}, labels)
                        continue
                    self.assertIn(name, series, "not exported, not recorded")
                    known = {label for one in series[name] for label in one}
                    labels |= known
                    for label, operator, value in matchers:
                        if label in TARGET_LABELS:
                            continue
                        self.assertIn(label, known, f"{name} has no such label")
                        values = {one[label] for one in series[ALSO_SEEN_IN.get(name, name)] if label in one}
                        wanted = value.replace("\\\\", "\\")
                        # Of alternatives each must exist; le is written in two ways.
                        parts = wanted.split("|") if operator in ("=~", "!~") and "(" not in wanted else [wanted]
                        for part in parts:
                            self.assertTrue(any(re.fullmatch(part if "~" in operator else re.escape(part), each)
                                                for each in values), f"{name}: no {label} is {part}: {sorted(values)}")
                for group in GROUPING.findall(expression):
                    named = {label.strip() for label in group.split(",") if label.strip()}
                    self.assertLessEqual(named, labels)
        self.assertGreater(len(seen), 40)  # were there fewer, the search would be at fault

    def start_alertmanager(self, folder, hooks, **waits):
        """One with the routes that generate.py makes; everybody it names is reached through the hooks.  Its address.

        `waits`: group_wait and the like, instead of what the routes of pages have.
        """
        names = yaml.safe_load((ALERTMANAGER / "receivers.yaml").read_text())
        names["receivers"] = {name: {"webhook_configs": [{"url": hooks.url(name)}]} for name in names["receivers"]}
        (folder / "receivers.yaml").write_text(json.dumps(names))
        done = run(sys.executable, ALERTMANAGER / "generate.py", "--receivers", folder / "receivers.yaml", "--out",
                   folder / "alertmanager.yaml")
        self.assertEqual(0, done.returncode, done.stdout)
        text = (folder / "alertmanager.yaml").read_text()
        for key, wait in waits.items():
            text = re.sub(rf"\b{key}: \S+", f"{key}: {wait}", text)
        return self.enterContext(AlertmanagerServer(folder, text)).address

    def test_a_real_prometheus_and_alertmanager_page_the_owner(self):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="tocsin-alerts-"))
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        hooks = Hooks()
        self.addCleanup(hooks.server.server_close)
        self.addCleanup(hooks.server.shutdown)
        alertmanager = self.start_alertmanager(folder, hooks)
        with Demo() as demo, PrometheusServer(folder, [f"127.0.0.1:{demo.port}"], rule_files=[RULES_FILE],
                                              alertmanagers=[alertmanager]) as prometheus:
            def evaluated():
                told = [rule for group in prometheus.get("rules")["groups"] for rule in group["rules"]]
                return told if told and all(rule["health"] != "unknown" for rule in told) else None

            told = wait_until(evaluated, SCRAPED_S, "all rules are evaluated", interval=1)
            self.assertEqual(len(rules()), len(told))
            self.assertEqual([], [(rule["name"], rule.get("lastError")) for rule in told if rule["health"] != "ok"])

            def paged():
                return [alert for alert in hooks.alerts("devex-oncall")
                        if alert["labels"]["alertname"] == "TocsinCriticalFinding"]

            page = wait_until(paged, SCRAPED_S, "the page", interval=1)[0]
            self.assertEqual("coding-agent", page["labels"]["system"])
            self.assertIn("Stop coding-agent's session first", page["annotations"]["summary"])
            self.assertTrue(hooks.alerts("#developer-experience"), "its channel knows, too")
            for receiver in ("support-oncall", "tocsin-oncall", "security-oncall", "ciso"):
                for alert in hooks.alerts(receiver):
                    self.assertEqual(("support-oncall", "support-bot"), (receiver, alert["labels"].get("system")), alert)
            firing = 'ALERTS{alertstate="firing",alertname="%s"}'
            for healthy in ("TocsinDown", "TocsinSelfTestMissing", "TocsinEventsDropped", "TocsinRulesSkew"):
                self.assertEqual([], prometheus.query(firing % healthy), healthy)

    # ---------------------------------------------------------------- runbooks

    def test_every_alert_has_its_runbook_and_every_runbook_its_alert(self):
        self.assertEqual(sorted({rule["alert"] for rule in alerts()}), [path.stem for path in runbooks()])
        for path in runbooks():
            with self.subTest(path.name):
                text = path.read_text(encoding="utf-8")
                self.assertTrue(text.startswith(f"# {path.stem}\n"))
                parts = re.split(r"^## (.+)$", text, flags=re.M)
                self.assertEqual(SECTIONS, parts[1::2])
                for section, content in zip(parts[1::2], parts[2::2]):
                    self.assertGreater(len(content.split()), 4, section)
                silence = " ".join(parts[-1].replace("\\\n", " ").split())
                self.assertRegex(silence, rf"silence add alertname={path.stem}( \w+=\"\$\w+\")* "
                                          r"--duration=\d+h --author=\S+ --comment=")

    def test_silences_are_by_labels_that_the_alert_has(self):
        has = {}
        for name, labels in case_checks():
            has.setdefault(name, set()).update(labels or ())
        for path in runbooks():
            with self.subTest(path.name):
                line = re.search(r"silence add alertname=\S+(.*?)\\\n", path.read_text())[1]
                self.assertLessEqual(set(re.findall(r"(\w+)=", line)), has[path.stem])

    def test_links_lead_somewhere(self):
        for path in RUNBOOKS.glob("*.md"):
            for link in re.findall(r"\]\(([^)#]+)\)", path.read_text()):
                self.assertTrue((path.parent / link).exists(), f"{path.name}: {link}")

    def test_queries_parse(self):
        queries = [line for block in blocks("promql") for line in block.text.splitlines()]
        self.assertGreater(len(queries), 40)
        with tempfile.TemporaryDirectory(prefix="tocsin-alerts-") as folder:
            path = pathlib.Path(folder) / "queries.yaml"
            path.write_text(json.dumps({"groups": [{"name": "runbooks", "rules": [
                {"record": f"query:{number}", "expr": query} for number, query in enumerate(queries)]}]}))
            done = run("promtool", "check", "rules", path)
            self.assertEqual(0, done.returncode, done.stdout)

    def test_amtool_and_promtool_have_what_is_asked_of_them(self):
        asked = 0
        for block in blocks("sh"):
            for line in block.commands():
                words = line.split()
                if words[0] not in ("amtool", "promtool"):
                    continue
                asked += 1
                said = run(*[word for word in words[:4] if re.fullmatch(r"[a-z-]+", word)], "--help").stdout
                for option in re.findall(r" --([a-z.]+)[= ]", line):
                    with self.subTest(block.where, line=line):
                        self.assertIn(f"--{option}", said)
        self.assertGreater(asked, 30)

    def test_what_is_looked_for_in_the_log_is_written_there(self):
        written = set()
        for path in (harness.REPO / "daemon").rglob("*.cpp"):
            written |= set(re.findall(r'log::\w+\(\s*"([a-z_]+\.[a-z_]+)"', path.read_text()))
        looked_for = set()
        for block in blocks("sh"):
            for line in block.commands():
                if found := re.search(r"kubectl .* logs .*grep -E '([^']+)'", line):
                    looked_for |= set(found[1].split("|"))
        looked_for -= {"error", "warn"}
        self.assertGreater(len(looked_for), 4)
        for event in looked_for:
            self.assertTrue(any(each.startswith(event) for each in written), f"{event}: none of {sorted(written)}")

    def test_control_events_are_events(self):
        said = []
        for block in blocks("sh"):
            for line in block.commands():
                if line.startswith("printf"):
                    command, _, sent = line.rpartition("|")
                    self.assertIn("--topic tocsin.control", sent)
                    done = subprocess.run(["bash", "-euc", command], text=True, capture_output=True, check=True, env={
                        "PATH": "/usr/bin:/bin", "SYSTEM": "support-bot", "INCIDENT": "0123", "USER": "ann",
                        "ACTION": "roll_back"})
                    said.append(done.stdout)
        self.assertLessEqual({"acknowledge", "containment", "verdict"}, {json.loads(line)["type"] for line in said})
        with tempfile.TemporaryDirectory(prefix="tocsin-alerts-") as folder:
            events, metrics = (pathlib.Path(folder) / name for name in ("events.jsonl", "metrics.prom"))
            events.write_text("".join(said))
            done = run(harness.TOCSIN_BINARY, "replay", events, "--out", "/dev/null", "--metrics", metrics)
            self.assertIn(f"{len(said)} events, 0 rejected", done.stdout)

    # ---------------------------------------------------------------- whom they reach

    def generate(self, *options):
        return run(sys.executable, ALERTMANAGER / "generate.py", *options)

    def test_routes_are_what_the_profiles_say(self):
        path = ALERTMANAGER / "alertmanager.yaml"
        done = self.generate()
        self.assertEqual(0, done.returncode, done.stdout)
        self.assertEqual(path.read_text(), done.stdout, "generate.py --out deploy/alertmanager/alertmanager.yaml")
        done = run("amtool", "check-config", path)
        self.assertEqual(0, done.returncode, done.stdout)

    def test_every_alert_reaches_its_owner(self):
        profiles = (harness.REPO / "rules" / "systems").glob("*.yaml")
        systems = [yaml.safe_load(path.read_text())["system"] for path in profiles]
        expected = {}
        for _, labels in case_checks():
            labels = {key: value for key, value in (labels or {}).items() if key in ("severity", "owner", "escalation")}
            if not labels:
                continue
            for system in [*systems, "unknown"]:
                to = "platform" if labels["owner"] == "platform" or system == "unknown" else system
                kind = labels["severity"] if to == "platform" or "escalation" not in labels else "escalation"
                expected[tuple(sorted((labels | {"system": system}).items()))] = f"{to}/{kind}"
        self.assertGreater(len(expected), 15)
        for labels, receiver in expected.items():
            with self.subTest(labels):
                done = run("amtool", "config", "routes", "test", f"--config.file={ALERTMANAGER / 'alertmanager.yaml'}",
                           f"--verify.receivers={receiver}", *[f"{key}={value}" for key, value in labels])
                self.assertEqual(0, done.returncode, done.stdout)

    def test_an_escalation_reaches_everybody_on_the_path(self):
        config = yaml.safe_load((ALERTMANAGER / "alertmanager.yaml").read_text())
        keys = {receiver["name"]: {pathlib.PurePath(one["routing_key_file"]).name
                                   for one in receiver.get("pagerduty_configs", [])}
                for receiver in config["receivers"]}
        self.assertEqual(set(), keys["support-bot/ticket"])
        self.assertEqual({"support-oncall"}, keys["support-bot/page"])
        self.assertEqual({"support-oncall", "security-oncall", "ciso"}, keys["support-bot/escalation"])

    def test_what_is_missing_or_secret_is_refused(self):
        receivers = yaml.safe_load((ALERTMANAGER / "receivers.yaml").read_text())
        with tempfile.TemporaryDirectory(prefix="tocsin-alerts-") as folder:
            path = pathlib.Path(folder) / "receivers.yaml"

            def refused(why, change):
                told = json.loads(json.dumps(receivers))
                change(told["receivers"])
                path.write_text(json.dumps(told))
                done = self.generate("--receivers", path)
                self.assertEqual(2, done.returncode, done.stdout)
                self.assertRegex(done.stdout, why)

            refused('no receiver "ciso", which the profile of support-bot names', lambda them: them.pop("ciso"))
            refused(r"receivers\.ciso\.pagerduty_configs\[0\]\.routing_key is a secret", lambda them: them.update(
                ciso={"pagerduty_configs": [{"routing_key": "0123456789"}]}))
            refused(r"receivers\.ciso\.webhook_configs\[0\]\.url is a secret", lambda them: them.update(
                ciso={"webhook_configs": [{"url": "https://me:word@hook.example/"}]}))
            path.write_text("receivers: {}\n")
            self.assertEqual(2, self.generate("--receivers", path).returncode)
            profile = pathlib.Path(folder) / "orphan.yaml"
            profile.write_text("system: orphan\ntools: {}\n")
            self.assertEqual(2, self.generate("--systems", profile).returncode)

    def test_alerts_that_are_told_apart_by_others_exist(self):
        names = {rule["alert"] for rule in alerts()} | {"TocsinIncident"}  # tocsin's own (deploy/webhooks.md)
        config = (ALERTMANAGER / "alertmanager.yaml").read_text()
        used = set(re.findall(r"\bTocsin\w+", config))
        self.assertLessEqual(used, names)
        self.assertGreater(len(used), 5)


if __name__ == "__main__":
    unittest.main(verbosity=2)
