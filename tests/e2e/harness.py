"""What the end-to-end tests share: where things are, tocsin as a process, its metrics, its topics.

Environment, all of it optional: REPO, BUILD_DIR (build/release), E2E_TOCSIN, KAFKA_TOOL (both in BUILD_DIR),
E2E_KEEP=1 to keep the folder with every log.
"""

import collections
import json
import os
import pathlib
import re
import subprocess
import threading
import time
import urllib.error
import urllib.request
import uuid

import processes
from processes import free_port, wait_until

REPO = pathlib.Path(os.environ.get("REPO", pathlib.Path(__file__).resolve().parents[2])).resolve()
BUILD_DIR = pathlib.Path(os.environ.get("BUILD_DIR", REPO / "build" / "release"))
TOCSIN_BINARY = os.environ.get("E2E_TOCSIN", str(BUILD_DIR / "tocsin"))
KAFKA_TOOL = os.environ.get("KAFKA_TOOL", str(BUILD_DIR / "kafka_tool"))

READY_TIMEOUT_S = 30  # rules loaded, group joined, /readyz 200
HTTP_TIMEOUT_S = 5
STOP_TIMEOUT_S = 30

# A member that was killed is noticed after the session timeout: short, since the tests wait for it.
FAST_GROUP = {"session.timeout.ms": 6000, "heartbeat.interval.ms": 1000,
              "reconnect.backoff.ms": 50, "reconnect.backoff.max.ms": 500}

# The system all test traffic belongs to (traffic.py).
SYSTEM = "e2e-bot"
PROFILE = {
    "system": SYSTEM,
    "owner": {"name": "e2e-owner", "contact": "#e2e", "escalation": ["e2e-oncall"]},
    "risk": "high",
    "decision": "consequential",
    "tools": {
        "search_orders": {"effect": "read", "returns": "private", "destination": []},
        "fetch_page": {"effect": "read", "returns": "untrusted", "destination": ["url"]},
        "run_shell": {"effect": "execute", "returns": "untrusted", "destination": []},
        "send_email": {"effect": "egress", "returns": "trusted", "destination": ["to"]},
        "update_ticket": {"effect": "write", "returns": "trusted", "destination": []},
    },
}


# ---------------------------------------------------------------------------------------------------------------------
# Programs

def run_tocsin(*arguments, timeout=120):
    """A tocsin command that comes to an end: (exit status, stdout, stderr)."""
    done = subprocess.run([TOCSIN_BINARY, *map(str, arguments)], cwd=REPO, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=timeout, check=False)
    return done.returncode, done.stdout, done.stderr


def kafka_tool(*arguments, lines=None, timeout=180):
    """Output lines of kafka_tool; AssertionError with what it said when it failed."""
    done = subprocess.run([KAFKA_TOOL, *map(str, arguments)], input=as_bytes(lines) if lines is not None else None,
                          stdin=subprocess.DEVNULL if lines is None else None, capture_output=True, timeout=timeout,
                          check=False)
    if done.returncode:
        raise AssertionError(f"kafka_tool {' '.join(map(str, arguments))}: exit status {done.returncode}: "
                             f"{done.stderr.decode(errors='replace')}")
    return done.stdout.splitlines()


def as_bytes(lines):
    return b"".join((line if isinstance(line, bytes) else line.encode()) + b"\n" for line in lines)


# ---------------------------------------------------------------------------------------------------------------------
# Metrics

SAMPLE = re.compile(r'^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)(?: -?\d+)?$')
LABEL = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"')
ESCAPES = {r"\\": "\\", r"\"": '"', r"\n": "\n"}


class Samples(dict):
    """{(name, frozenset of label pairs): value} of one scrape."""

    @classmethod
    def parse(cls, text):
        samples = cls()
        for line in text.splitlines():
            if not line or line.startswith("#"):
                continue
            found = SAMPLE.match(line)
            if not found:
                raise AssertionError(f"not the text format: {line!r}")
            labels = frozenset((name, re.sub(r"\\.", lambda m: ESCAPES.get(m[0], m[0]), value))
                               for name, value in LABEL.findall(found[2] or ""))
            samples[found[1], labels] = float(found[3])
        return samples

    def select(self, name, **labels):
        """The samples of a metric that carry these labels, as (labels, value)."""
        wanted = set(labels.items())
        return [(dict(has), value) for (sample, has), value in self.items() if sample == name and wanted <= has]

    def total(self, name, **labels):
        """Their sum; 0 when there is none."""
        return sum(value for _, value in self.select(name, **labels))


# ---------------------------------------------------------------------------------------------------------------------
# tocsin

def write_config(path, bootstrap, group, topics, http_port, **sections):
    """A configuration file; `sections` are laid over it, key by key.  (JSON is YAML.)"""
    config = {
        "kafka": {"bootstrap.servers": bootstrap, "group.id": group, **FAST_GROUP},
        "topics": topics,
        "http": {"listen": f"127.0.0.1:{http_port}"},
        "log": {"format": "json", "level": "info"},
        "workers": 1,
        "selftest": {"interval_seconds": 0},  # tests count events
        "rules": {"packs": [str(REPO / "rules" / "packs")], "systems": []},
    }
    for name, section in sections.items():
        if isinstance(section, dict):
            config.setdefault(name, {}).update(section)
        else:
            config[name] = section
    path = pathlib.Path(path)
    path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    return path


class TocsinProcess:
    """`tocsin run` with one configuration file; a context manager that leaves no process behind."""

    def __init__(self, config, http_port, log_file):
        self.config, self.http_port, self.log_file = pathlib.Path(config), http_port, pathlib.Path(log_file)
        self.process_ = None

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self.process_ is not None and self.process_.poll() is None:
            self.process_.kill()
            self.process_.wait()
        if kind is not None:
            print(f"--- the end of {self.log_file}:\n{processes.tail(self.log_file)}---", flush=True)

    def start(self, wait_ready=True, wrap=list):
        """Starts it and, unless told otherwise, waits until /readyz says 200; `wrap` makes its command another that
        ends up as it.  Returns self."""
        with open(self.log_file, "ab") as log:
            self.process_ = subprocess.Popen(wrap(processes.leashed([TOCSIN_BINARY, "run", "--config", str(self.config)])),
                                             cwd=REPO, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        if wait_ready:
            try:
                self.wait_status(200, READY_TIMEOUT_S)
            except AssertionError as error:
                self.__exit__(type(error))  # `with process.start()` has not got hold of it yet
                raise
        return self

    @property
    def pid(self):
        return self.process_.pid

    @property
    def target(self):
        return f"127.0.0.1:{self.http_port}"

    def get(self, path):
        """(status, body) of a GET; (None, reason) when nobody answers."""
        try:
            with urllib.request.urlopen(f"http://{self.target}{path}", timeout=HTTP_TIMEOUT_S) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(errors="replace")
        except OSError as error:
            return None, str(error)

    def wait_status(self, wanted, timeout, path="/readyz"):
        """Waits until a path answers with a status; returns the seconds it took."""
        began, last = time.monotonic(), None

        def answers():
            nonlocal last
            if self.process_.poll() is not None:
                raise AssertionError(f"tocsin exited with {self.process_.returncode}")
            last = self.get(path)
            return last[0] == wanted

        try:
            wait_until(answers, timeout, f"{path} says {wanted}")
        except TimeoutError as error:
            raise AssertionError(f"{error}; it says {last}") from None
        return time.monotonic() - began

    def scrape(self):
        status, body = self.get("/metrics")
        if status != 200:
            raise AssertionError(f"/metrics: {status} {body[:500]}")
        return Samples.parse(body)

    def total(self, name, **labels):
        return self.scrape().total(name, **labels)

    def wait_total(self, name, at_least, timeout=30, **labels):
        """Waits until a sum over series is reached; returns it."""
        try:
            return wait_until(lambda: (value := self.total(name, **labels)) >= at_least and value, timeout,
                              f"{name}{labels or ''} >= {at_least}")
        except TimeoutError as error:
            raise AssertionError(f"{error}; it is {self.total(name, **labels)}") from None

    def stop(self, timeout=STOP_TIMEOUT_S):
        """SIGTERM; returns (exit status, seconds)."""
        return processes.end(self.process_, timeout)

    def kill(self):
        self.process_.kill()
        self.process_.wait()


# ---------------------------------------------------------------------------------------------------------------------
# Topics

class Producer:
    """kafka_tool produce in the background: lines go in at a rate; wait() makes sure that all were delivered."""

    def __init__(self, bootstrap, topic, lines, rate=0, options=()):
        # The lines go through a thread: a pipe is far smaller than they are.
        self.lines_ = list(lines)
        self.process_ = subprocess.Popen(
            processes.leashed([KAFKA_TOOL, "produce", bootstrap, topic, "--key-field", "session_id", "--rate",
                               str(rate), *options]),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.feeder_ = threading.Thread(target=self.feed_, daemon=True)
        self.feeder_.start()

    def feed_(self):
        try:
            with self.process_.stdin as stdin:
                stdin.write(as_bytes(self.lines_))
        except BrokenPipeError:
            pass  # wait() reports why

    def running(self):
        return self.process_.poll() is None

    def wait(self, timeout=120):
        try:
            status = self.process_.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process_.kill()
            raise AssertionError(f"producing {len(self.lines_)} records took more than {timeout} s") from None
        said = self.process_.stdout.read().decode(errors="replace")
        self.process_.stdout.close()
        self.feeder_.join()
        if status:
            raise AssertionError(f"kafka_tool produce: exit status {status}: {said}")


class Pipeline:
    """Fresh topics and a fresh group on a broker, and the tocsin processes that serve them."""

    def __init__(self, broker, directory, name, partitions=3, findings_partitions=1):
        self.broker = broker
        self.directory = pathlib.Path(directory) / name
        self.directory.mkdir(parents=True)
        unique = f"{name}-{uuid.uuid4().hex[:8]}"
        self.group = f"tocsin-{unique}"
        self.events = f"events-{unique}"
        self.findings = f"findings-{unique}"
        self.dead_letter = f"dead-letter-{unique}"
        self.control = f"control-{unique}"
        self.incidents = f"incidents-{unique}"
        self.judgements = f"judgements-{unique}"
        self.requests = f"requests-{unique}"
        self.members_ = 0
        for topic, count, *options in ((self.events, partitions), (self.findings, findings_partitions),
                                       (self.dead_letter, 1), (self.requests, 1), (self.control, findings_partitions),
                                       (self.incidents, findings_partitions, "cleanup.policy=compact"),
                                       (self.judgements, findings_partitions, "cleanup.policy=compact")):
            kafka_tool("create-topic", broker.bootstrap, topic, count, *options)
        write_profile(self.directory / "systems")

    def config(self, http_port, name="tocsin", **sections):
        topics = {"events": [self.events], "findings": self.findings, "dead_letter": self.dead_letter,
                  "control": self.control, "incidents": self.incidents, "judgements": self.judgements,
                  "requests": self.requests}
        sections.setdefault("rules", {})["systems"] = [str(self.directory / "systems")]
        return write_config(self.directory / f"{name}.yaml", self.broker.bootstrap, self.group, topics, http_port,
                            **sections)

    def process(self, **sections):
        """A new member of the group, not started yet."""
        self.members_ += 1
        name, http_port = f"tocsin-{self.members_}", free_port()
        return TocsinProcess(self.config(http_port, name, **sections), http_port, self.directory / f"{name}.log")

    def produce(self, lines, *options):
        """Sends lines keyed by session and waits for their delivery."""
        kafka_tool("produce", self.broker.bootstrap, self.events, "--key-field", "session_id", *options, lines=lines)

    def producing(self, lines, rate):
        return Producer(self.broker.bootstrap, self.events, lines, rate)

    def wait_caught_up(self, timeout=60):
        self.wait_group_(self.group, self.events, timeout)

    def wait_incidents_caught_up(self, timeout=60):
        for topic in (self.findings, self.control):
            self.wait_group_(f"{self.group}-incidents", topic, timeout)

    def wait_group_(self, group, topic, timeout):
        kafka_tool("wait-caught-up", self.broker.bootstrap, group, topic, "--timeout", timeout, timeout=timeout + 30)

    def read_findings(self, count=None, timeout=30):
        """All findings there are now; with `count`, waits for that many."""
        wait = [] if count is None else ["--count", count]
        return [json.loads(line) for line in
                kafka_tool("consume", self.broker.bootstrap, self.findings, "--timeout", timeout, *wait,
                           timeout=timeout + 30)]

    def read_incidents(self):
        """What the compacted topic says now: {id: incident}, those that were deleted or merged left out."""
        latest = {}
        for line in kafka_tool("consume", self.broker.bootstrap, self.incidents, "--meta", "--timeout", 30):
            record = json.loads(line)
            latest.pop(record["key"], None)
            if record["value"]:
                latest[record["key"]] = json.loads(record["value"])
        return {key: incident for key, incident in latest.items() if incident["state"] != "merged"}

    def read_requests(self, count):
        """Requests for containment; waits for that many."""
        return [json.loads(line) for line in kafka_tool("consume", self.broker.bootstrap, self.requests, "--count", count)]

    def say(self, *events):
        """Control events, as an orchestrator or a person would write them."""
        kafka_tool("produce", self.broker.bootstrap, self.control, "--key-field", "system", lines=map(json.dumps, events))

    def read_dead_letters(self, count=None, timeout=30):
        """Dead letters with key, headers and value; `count` as for findings."""
        wait = [] if count is None else ["--count", count]
        return [json.loads(line) for line in
                kafka_tool("consume", self.broker.bootstrap, self.dead_letter, "--meta", "--timeout", timeout, *wait,
                           timeout=timeout + 30)]


def write_profile(folder, **more):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{SYSTEM}.yaml").write_text(json.dumps(PROFILE | more, indent=2) + "\n", encoding="utf-8")
    return folder


def replay(directory, lines):
    """The findings of `tocsin replay` over events: what a stream of them must give, whatever happens to it."""
    return replay_both(directory, lines)[0]


def replay_both(directory, lines):
    """(findings, incidents) of `tocsin replay`."""
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    events = directory / "events.jsonl"
    events.write_bytes(as_bytes(lines))
    return replay_file(directory, events)


def replay_file(directory, events, timeout=120, **sections):
    """(findings, incidents) of `tocsin replay` over a file; `sections` of the configuration as in write_config."""
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    out = directory / "findings.jsonl"
    topics = {"events": ["unused"], "findings": "unused", "dead_letter": "unused"}
    config = write_config(directory / "tocsin.yaml", "127.0.0.1:1", "unused", topics, free_port(),
                          rules={"systems": [str(write_profile(directory / "systems"))]}, **sections)
    incidents = directory / "incidents.jsonl"
    status, _, said = run_tocsin("replay", "--config", config, "--out", out, "--incidents", incidents, events,
                                 timeout=timeout)
    if status:
        raise AssertionError(f"tocsin replay: exit status {status}:\n{said}")
    with open(out, encoding="utf-8") as found, open(incidents, encoding="utf-8") as joined:
        return [json.loads(line) for line in found], [json.loads(line) for line in joined]


def facts_of(incident):
    """What of an incident depends on the events alone, and neither on where they were read from nor on when."""
    return {key: incident[key] for key in ("incident_id", "system", "severity", "categories", "first_misuse",
                                           "last_misuse", "findings", "context", "more_rules", "owner")} | {
        "rules": [[rule["rule"], rule["count"], rule["first_time"], rule["last_time"]] for rule in incident["rules"]],
        "chain": [step["finding_id"] for step in incident["chain"]],
        "sessions": sorted(part["session_id"] for part in incident["sessions"])}


def differences(incidents, expected):
    """The differences between two sets of incidents, a text an incident."""
    have, want = ({incident["incident_id"]: facts_of(incident) for incident in some} for some in (incidents, expected))
    return [f"{key}: {json.dumps(have.get(key))} instead of {json.dumps(want.get(key))}"
            for key in sorted(have.keys() | want.keys()) if have.get(key) != want.get(key)]


def difference(incidents, expected):
    """The first of them; None: there is none."""
    return next(iter(differences(incidents, expected)), None)


def compare(findings, expected):
    """(missing ids, unexpected ids, number of duplicates) of what was delivered against what should have been."""
    times = collections.Counter(finding["finding_id"] for finding in findings)
    wanted = {finding["finding_id"] for finding in expected}
    return wanted - times.keys(), times.keys() - wanted, times.total() - len(times)
