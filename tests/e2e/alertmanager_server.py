"""A real Alertmanager on a free loopback port.

    with AlertmanagerServer(directory) as alertmanager:
        alertmanager.url, alertmanager.alerts(alertname="TocsinIncident")
"""

import json
import pathlib
import subprocess
import urllib.request

import processes

START_TIMEOUT_S = 30
STOP_TIMEOUT_S = 10

CONFIG = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"


class AlertmanagerServer:
    def __init__(self, directory, config=CONFIG):
        self.directory = pathlib.Path(directory)
        self.config = config  # its text
        self.port = processes.free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.address}"
        self.log_file = self.directory / "alertmanager.log"
        self.process_ = None

    def __enter__(self):
        program = processes.find_program("prometheus-alertmanager") or processes.find_program("alertmanager")
        if not program:
            raise RuntimeError("there is no alertmanager: run ./dev deps test")
        self.directory.mkdir(parents=True, exist_ok=True)
        config = self.directory / "alertmanager.yml"
        config.write_text(self.config, encoding="utf-8")
        with open(self.log_file, "ab") as log:
            self.process_ = subprocess.Popen(
                processes.leashed([program, f"--config.file={config}", f"--storage.path={self.directory / 'data'}",
                                   f"--web.listen-address=127.0.0.1:{self.port}", "--cluster.listen-address=",
                                   "--log.level=warn"]),
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        try:
            processes.wait_until(lambda: self.process_.poll() is not None or self.ready_(), START_TIMEOUT_S,
                                 "alertmanager is ready")
        except TimeoutError as error:
            self.__exit__()
            raise RuntimeError(f"{error}:\n{processes.tail(self.log_file)}") from None
        if self.process_.poll() is not None:
            raise RuntimeError(f"alertmanager exited with {self.process_.returncode}:\n{processes.tail(self.log_file)}")
        return self

    def __exit__(self, *_):
        processes.end(self.process_, STOP_TIMEOUT_S)

    def ready_(self):
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=2) as answer:
                return answer.status == 200
        except OSError:
            return False

    def alerts(self, **labels):
        """Those that are not over and carry these labels."""
        with urllib.request.urlopen(f"{self.url}/api/v2/alerts", timeout=5) as answer:
            alerts = json.load(answer)
        return [alert for alert in alerts if labels.items() <= alert["labels"].items()]
