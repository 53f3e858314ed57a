"""The dashboards: each file is what the script beside it writes and hangs together, and each query returns data from a
real Prometheus that scrapes a real tocsin under the demo's traffic.

    python3 -m unittest tests/e2e/test_dashboards.py     (./dev test does it)
"""

import json
import math
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import harness
import processes
from prometheus_server import PrometheusServer

FOLDER = harness.REPO / "deploy" / "grafana"
RUNBOOKS = harness.REPO / "deploy" / "runbooks"
NAMES = ("oncall", "system", "incident", "detection", "health")

# The demo has no alert rules, verdicts, containment requests, guardrails, bad records, and no release that got worse:
# there, nothing is an answer.  The query must be valid all the same.
EMPTY_IS_GOOD = {
    ("tocsin-oncall", "Alerts that fire"),
    ("tocsin-system", "Guardrails that let through what tocsin found"),
    ("tocsin-incident", "Requests for containment"),
    ("tocsin-detection", "Precision"),
    ("tocsin-detection", "Demoted rules"),
    ("tocsin-detection", "Releases that got worse"),
    ("tocsin-detection", "Guardrails that let through what tocsin found"),
    ("tocsin-health", "Records that are no events"),
    ("tocsin-health", "Bounds, 24 h"),
}
# Series that begin with their first value, and are none of the demo's.
LATER_SERIES = {"tocsin_guardrail_disagreements_total"}

# What Grafana puts in of its own.
BUILT_IN = re.compile(r"__rate_interval|__url_time_range|__value\.(raw|text)|__all")
VARIABLE = re.compile(r"\$(?:\{([\w.]+)(?::\w+)?\}|([A-Za-z_]\w*))")
VALUES = {"job": "tocsin", "system": ".*", "datasource": "unused", "__rate_interval": "10s"}

# The poisoned page was obeyed, answered and contained (36 s); the call outside the profile (34 s) stays open.
PLAYED = ('sum(tocsin_incidents_total{system="support-bot",outcome="contained"})'
          ' * sum(tocsin_incidents_open{system="support-bot"})')
PLAY_TIMEOUT_S = 180  # 45 where nothing else runs


def dashboards():
    return [json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8")) for name in NAMES]


def panels(dashboard):
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def queries(dashboard):
    for panel in panels(dashboard):
        for target in panel.get("targets", ()):
            yield panel, target


def texts(value):
    """Every string in it."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, dict)):
        for one in value.values() if isinstance(value, dict) else value:
            yield from texts(one)


def links(value):
    """Every link in it, of panels, fields and Markdown."""
    if isinstance(value, str):
        yield from re.findall(r"(?<=\]\()[^)\s]+", value)
    elif isinstance(value, list):
        for one in value:
            yield from links(one)
    elif isinstance(value, dict):
        if value.get("url"):
            yield value["url"]
        for one in value.values():
            yield from links(one)


def filled(expression, system):
    return VARIABLE.sub(lambda found: (VALUES | {"system": system})[found[1] or found[2]], expression)


class DashboardFilesTest(unittest.TestCase):
    def test_dashboards_are_what_the_script_writes(self):
        done = subprocess.run([sys.executable, FOLDER / "dashboards.py", "--check"], capture_output=True, text=True,
                              check=False)
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertEqual({f"{name}.json" for name in NAMES}, {file.name for file in FOLDER.glob("*.json")})

    def test_dashboards_hang_together(self):
        uids = [dashboard["uid"] for dashboard in dashboards()]
        self.assertEqual(len(set(uids)), len(uids))
        runbooks = set()
        for dashboard in dashboards():
            uid, known = dashboard["uid"], {variable["name"] for variable in dashboard["templating"]["list"]}
            self.assertEqual(39, dashboard["schemaVersion"], uid)
            ids = [panel["id"] for panel in dashboard["panels"]]
            self.assertEqual(len(set(ids)), len(ids), uid)
            used = {found[1] or found[2] for text in texts(dashboard) for found in VARIABLE.finditer(text)}
            self.assertEqual(set(), {name for name in used if not BUILT_IN.fullmatch(name)} - known, uid)
            self.assertEqual(set(), known - used - {"tocsin"}, f"{uid}: variables that change nothing")
            self.assert_no_overlap(dashboard)
            for panel in panels(dashboard):
                self.check_panel(uid, panel)
            for link in links(dashboard):
                if found := re.match(r"/d/([\w-]+)", link):
                    self.assertIn(found[1], uids, f"{uid}: {link}")
                elif found := re.match(r"\$\{runbooks\}/(\w+)\.md$", link):
                    runbooks.add(found[1])
                elif link != "${runbooks}/${__value.text}.md":
                    self.assertRegex(link, r"^\$\{tocsin\}/incidents(/\$\{incident\})?$", uid)
        self.assertGreater(len(runbooks), 10)
        if RUNBOOKS.exists():
            self.assertEqual(set(), {name for name in runbooks if not (RUNBOOKS / f"{name}.md").exists()},
                             "links to runbooks that are not there")
        print(f"figures: dashboards: {len(uids)}, {sum(len(panels(one)) for one in dashboards())} panels, "
              f"{sum(len(list(queries(one))) for one in dashboards())} queries, {len(runbooks)} runbooks linked")

    def check_panel(self, uid, panel):
        what = f"{uid}: {panel['title']}"
        self.assertTrue(panel["title"], what)
        self.assertTrue(panel["description"], what)
        if panel["type"] == "text":
            return
        self.assertTrue(panel["fieldConfig"]["defaults"]["unit"], what)
        self.assertEqual("${datasource}", panel["datasource"]["uid"], what)
        self.assertTrue(panel["targets"], what)
        self.assertEqual(len(panel["targets"]), len({target["refId"] for target in panel["targets"]}), what)
        for target in panel["targets"]:
            self.assertEqual("${datasource}", target["datasource"]["uid"], what)
            self.assertTrue(target["expr"], what)
            for selector in re.findall(r"\b(?:tocsin_\w+|process_\w+|up)\b(?!\()(\{[^}]*\})?", target["expr"]):
                self.assertIn('job=~"$job"', selector, f"{what}: {target['expr']}")
            self.assertNotIn("or vector(", target["expr"], f"{what}: no data would be zero")
            for span in re.findall(r"\[([^\]]+)\]", target["expr"]):
                self.assertRegex(span, r"^(\$__rate_interval|\d+m|[1-6]h|24h)$", f"{what}: a range without bound")
        if (uid, panel["title"]) in EMPTY_IS_GOOD:
            self.assertIn("noValue", panel["fieldConfig"]["defaults"], f"{what}: says nothing where nothing is an answer")

    def assert_no_overlap(self, dashboard):
        taken = {}
        for panel in dashboard["panels"]:
            at = panel["gridPos"]
            self.assertLessEqual(at["x"] + at["w"], 24, panel["title"])
            for x in range(at["x"], at["x"] + at["w"]):
                for y in range(at["y"], at["y"] + at["h"]):
                    self.assertNotIn((x, y), taken, f"{panel['title']} lies on {taken.get((x, y))}")
                    taken[x, y] = panel["title"]


class OwnersTest(unittest.TestCase):
    def test_owners_follow_the_profiles(self):
        """tocsin_system_info: the owner in force is there, alone, and a system nobody profiled is nobody's."""
        with tempfile.TemporaryDirectory(prefix="tocsin-owners-") as folder:
            systems = harness.write_profile(pathlib.Path(folder) / "systems")
            port = processes.free_port()
            topics = {"events": ["e"], "findings": "f"}
            config = harness.write_config(pathlib.Path(folder) / "tocsin.yaml", "127.0.0.1:1", "g", topics, port,
                                          rules={"systems": [str(systems)]})
            with harness.TocsinProcess(config, port, pathlib.Path(folder) / "log").start(wait_ready=False) as tocsin:
                tocsin.wait_status(200, harness.READY_TIMEOUT_S, "/metrics")  # no broker is needed to say whose it is
                self.assertEqual({harness.SYSTEM: "e2e-owner", "unknown": "nobody"}, self.owners(tocsin))
                labels = tocsin.scrape().select("tocsin_system_info", system=harness.SYSTEM)[0][0]
                self.assertEqual(("#e2e", "e2e-oncall", "high", "consequential"),
                                 tuple(labels[name] for name in ("contact", "escalation", "risk", "decision")))
                harness.write_profile(systems, owner={**harness.PROFILE["owner"], "name": "another"})
                os.kill(tocsin.pid, signal.SIGHUP)
                processes.wait_until(lambda: self.owners(tocsin).get(harness.SYSTEM) == "another",
                                     harness.READY_TIMEOUT_S, "the other owner is told")

    def owners(self, tocsin):
        found = [labels for labels, value in tocsin.scrape().select("tocsin_system_info") if value == 1]
        self.assertEqual(len({labels["system"] for labels in found}), len(found), found)
        return {labels["system"]: labels["owner"] for labels in found}


class DashboardQueriesTest(unittest.TestCase):
    def test_every_panel_returns_data(self):
        began = time.monotonic()
        port = processes.free_port()
        with tempfile.TemporaryDirectory(prefix="tocsin-dashboards-") as folder:
            log = pathlib.Path(folder) / "demo.log"
            with open(log, "wb") as out:
                demo = subprocess.Popen(
                    processes.leashed([harness.TOCSIN_BINARY, "demo", "--listen", f"127.0.0.1:{port}", "--seed", "7"]),
                    stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
            try:
                with PrometheusServer(pathlib.Path(folder) / "prometheus", [f"127.0.0.1:{port}"]) as prometheus:
                    try:
                        processes.wait_until(lambda: demo.poll() is not None or (prometheus.value(PLAYED) or 0) > 0,
                                             PLAY_TIMEOUT_S, "the demo's script", interval=0.5)
                    except TimeoutError as error:
                        self.fail(f"{error}\n{processes.tail(log)}")
                    self.assertIsNone(demo.poll(), processes.tail(log))
                    time.sleep(1.5)  # one more scrape
                    asked = self.ask_everything(prometheus, began)
            finally:
                status, _ = processes.end(demo, harness.STOP_TIMEOUT_S)
        self.assertEqual(0, status)
        print(f"figures: dashboards: {asked} queries, {time.monotonic() - began:.1f} s")

    def ask_everything(self, prometheus, began):
        asked, span = 0, time.monotonic() - began
        exported = set(prometheus.get("label/__name__/values"))
        for dashboard in dashboards():
            uid = dashboard["uid"]
            system = "support-bot" if uid == "tocsin-system" else ".*"
            for variable in dashboard["templating"]["list"]:
                if variable["type"] == "query":
                    metric, label = re.fullmatch(r"label_values\((.+), (\w+)\)", filled(variable["definition"],
                                                                                         system)).groups()
                    self.assertTrue(prometheus.get(f"label/{label}/values", **{"match[]": metric}), variable["name"])
            for panel, target in queries(dashboard):
                asked += 1
                expression = filled(target["expr"], system)
                with self.subTest(uid, panel=panel["title"], query=target["expr"]):
                    named = set(re.findall(r"\btocsin_\w+", expression)) - LATER_SERIES
                    self.assertEqual(set(), named - exported, "no such series")
                    values = self.values(prometheus, expression, target, span)
                    if (uid, panel["title"]) not in EMPTY_IS_GOOD:
                        self.assertTrue(values, "returns no data")
                        self.assertFalse(all(map(math.isnan, values)), "returns nothing but NaN")
        return asked

    @staticmethod
    def values(prometheus, expression, target, span):
        if target["instant"]:
            return [value for _, value in prometheus.query(expression)]
        now = time.time()
        found = prometheus.get("query_range", query=expression, start=now - span, end=now, step=2)["result"]
        return [float(value) for series in found for _, value in series["values"]]


if __name__ == "__main__":
    unittest.main(verbosity=2)
