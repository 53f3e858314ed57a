"""A real Prometheus that scrapes what a test tells it to, on a free loopback port.

    with PrometheusServer(directory, ["127.0.0.1:9464"]) as prometheus:
        prometheus.wait_for("sum(tocsin_events_total)", 3)
"""

import json
import pathlib
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

import processes

START_TIMEOUT_S = 30
STOP_TIMEOUT_S = 10

CONFIG = """\
global:
  scrape_interval: {interval}
  scrape_timeout: {interval}
  evaluation_interval: {interval}
rule_files: {rule_files}
alerting:
  alertmanagers:
    - static_configs:
        - targets: {alertmanagers}
scrape_configs:
  - job_name: tocsin
    static_configs:
      - targets: {targets}
"""


class PrometheusError(RuntimeError):
    """Prometheus cannot be had, or refused a query."""


class PrometheusServer:
    def __init__(self, directory, targets, interval="1s", rule_files=(), alertmanagers=()):
        self.directory = pathlib.Path(directory)
        self.targets = list(targets)
        self.interval = interval
        self.rule_files = [str(file) for file in rule_files]
        self.alertmanagers = list(alertmanagers)
        self.port = None
        self.url = None
        self.log_file = self.directory / "prometheus.log"
        self.process_ = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def start(self):
        program = processes.find_program("prometheus", "/usr/bin/prometheus")
        if not program:
            raise PrometheusError("there is no prometheus: run ./dev deps test")
        self.directory.mkdir(parents=True, exist_ok=True)
        config = self.directory / "prometheus.yml"
        # JSON lists are YAML lists.
        config.write_text(CONFIG.format(interval=self.interval, rule_files=json.dumps(self.rule_files),
                                        alertmanagers=json.dumps(self.alertmanagers),
                                        targets=json.dumps(self.targets)), encoding="utf-8")
        self.port = processes.free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        with open(self.log_file, "ab") as log:
            self.process_ = subprocess.Popen(
                processes.leashed([program, f"--config.file={config}",
                                   f"--storage.tsdb.path={self.directory / 'data'}",
                                   f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=warn"]),
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        try:
            processes.wait_until(lambda: self.process_.poll() is not None or self.ready(), START_TIMEOUT_S,
                                 "prometheus is ready")
        except TimeoutError as error:
            self.stop()
            raise PrometheusError(f"{error}:\n{processes.tail(self.log_file)}") from None
        if self.process_.poll() is not None:
            raise PrometheusError(f"prometheus exited with {self.process_.returncode}:\n"
                                  f"{processes.tail(self.log_file)}")
        return self

    def stop(self):
        if self.process_ is not None:
            processes.end(self.process_, STOP_TIMEOUT_S)

    def ready(self):
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=2) as answer:
                return answer.status == 200
        except OSError:
            return False

    def get(self, path, **parameters):
        """`data` of an answer of the HTTP API."""
        url = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise PrometheusError(f"{path} {parameters}: {error.read().decode(errors='replace')}") from None

    def query(self, expression):
        """The instant vector as a list of (labels, value); a scalar has no labels."""
        data = self.get("query", query=expression)
        if data["resultType"] == "scalar":
            return [({}, float(data["result"][1]))]
        return [(sample["metric"], float(sample["value"][1])) for sample in data["result"]]

    def value(self, expression):
        """The only value of an expression; None when there is none."""
        samples = self.query(expression)
        if len(samples) > 1:
            raise PrometheusError(f"{expression}: {len(samples)} samples instead of one")
        return samples[0][1] if samples else None

    def wait_for(self, expression, wanted, timeout=20):
        """Waits until an expression has a value and returns the seconds it took."""
        began, value = time.monotonic(), None
        while time.monotonic() - began < timeout:
            value = self.value(expression)
            if value == wanted:
                return time.monotonic() - began
            time.sleep(0.2)
        raise PrometheusError(f"{expression} is {value}, not {wanted}, after {timeout} s; "
                              f"targets: {self.get('targets')['activeTargets']}")
