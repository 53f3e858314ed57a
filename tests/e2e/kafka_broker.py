#!/usr/bin/env python3
"""One real Kafka broker (KRaft, a single process) on free loopback ports, for tests.

    kafka_broker.py start   --dir DIR [--name NAME]   format, start, wait until it answers; writes DIR/kafka.json
    kafka_broker.py restart --dir DIR [--kill]        same data, same ports; --kill: SIGKILL instead of SIGTERM
    kafka_broker.py pause   --dir DIR                 SIGSTOP: connections stay open and nobody answers
    kafka_broker.py resume  --dir DIR
    kafka_broker.py status  --dir DIR                 exit 0 when it answers
    kafka_broker.py stop    --dir DIR [--remove]

In a test: `with KafkaBroker(directory) as broker: ... broker.bootstrap ...`

The jars come from tests/e2e/kafka/fetch.sh (build/kafka/lib, or $KAFKA_LIB); Java 17 or newer from $JAVA_HOME or PATH.
"""

import argparse
import base64
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import uuid

import processes

REPO = pathlib.Path(__file__).resolve().parents[2]
START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 20
JAVA_MIN = 17

# Short-lived JVMs gain nothing from the optimising compiler, and one collector thread is enough for two cores.
JVM_OPTIONS = ["-XX:TieredStopAtLevel=1", "-Xshare:auto", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-Xmx512m",
               "-Djava.awt.headless=true", "-Dlog4j2.disable.jmx=true"]

SERVER_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs={data}

auto.create.topics.enable=false
num.partitions=1
default.replication.factor=1
log.retention.ms=-1
log.retention.bytes=-1
log.cleaner.dedupe.buffer.size=4194304

# One copy and few partitions of Kafka's own topics: each costs start-up time and files.
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1

# Groups settle at once, and a test may kill a member without waiting six seconds for the broker to notice.
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=500

# A broker that was killed may come back only when its old session has run out.
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=400

num.network.threads=2
num.io.threads=4
background.threads=2
num.recovery.threads.per.data.dir=1
"""

LOG4J_PROPERTIES = """\
status=error
appender.stdout.type=Console
appender.stdout.name=stdout
appender.stdout.layout.type=PatternLayout
appender.stdout.layout.pattern=%d{HH:mm:ss.SSS} %p %c{1} %m%n
rootLogger.level=warn
rootLogger.appenderRef.stdout.ref=stdout
logger.server.name=kafka.server
logger.server.level=info
logger.groups.name=org.apache.kafka.coordinator.group
logger.groups.level=info
"""


class BrokerError(RuntimeError):
    """The broker cannot be had; the message says what to do."""


def find_java():
    """Path of a java that is new enough."""
    home = os.environ.get("JAVA_HOME")
    java = processes.find_program("java", os.path.join(home, "bin", "java") if home else None)
    if not java:
        raise BrokerError(f"Kafka needs Java {JAVA_MIN} or newer, and there is no java: run ./dev deps test, "
                          "or set JAVA_HOME")
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(?:1\.)?(\d+)', said)
    if not version or int(version[1]) < JAVA_MIN:
        raise BrokerError(f"Kafka needs Java {JAVA_MIN} or newer; {java} is {said.splitlines()[0] if said else '?'}: "
                          "run ./dev deps test, or set JAVA_HOME")
    return java


def find_jars():
    """The class path of the broker."""
    library = pathlib.Path(os.environ.get("KAFKA_LIB", REPO / "build" / "kafka" / "lib"))
    if not any(library.glob("kafka_*.jar")):
        raise BrokerError(f"no Kafka in {library}: run tests/e2e/kafka/fetch.sh")
    return f"{library}/*"


def brokers_known(port, timeout=1.0):
    """How many brokers a metadata request to this port names; 0 when nobody answers."""
    client = b"kafka_broker.py"
    request = struct.pack(">hhih", 3, 1, 7, len(client)) + client + struct.pack(">i", 0)  # Metadata v1, no topics
    try:
        with socket.create_connection(("127.0.0.1", port), timeout) as connection:
            connection.settimeout(timeout)
            connection.sendall(struct.pack(">i", len(request)) + request)
            answer = b""
            while len(answer) < 12:  # size, correlation id, number of brokers
                piece = connection.recv(4096)
                if not piece:
                    return 0
                answer += piece
            return struct.unpack(">i", answer[8:12])[0]
    except OSError:
        return 0


class KafkaBroker:
    """A broker that lives in `directory`: configuration, data, log and kafka.json."""

    def __init__(self, directory, name="kafka", die_with_parent=True, more_properties="", scram=()):
        """`more_properties` override those above, `{port}` and `{controller_port}` filled in; `scram`: users that are
        there from the start, as `kafka-storage format --add-scram` wants them."""
        self.directory = pathlib.Path(directory).resolve()
        self.name = name
        self.state_file = self.directory / "kafka.json"
        self.log_file = self.directory / "broker.log"
        self.port = None
        self.pid = None
        self.start_seconds = None
        self.die_with_parent_ = die_with_parent
        self.ticks_ = None
        self.process_ = None
        self.more_properties_, self.scram_ = more_properties, scram
        if self.state_file.exists():
            state = json.loads(self.state_file.read_text(encoding="utf-8"))
            self.name, self.port, self.pid, self.ticks_ = state["name"], state["port"], state["pid"], state["ticks"]

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    @property
    def bootstrap(self):
        return f"127.0.0.1:{self.port}"

    def running(self):
        return self.pid is not None and self.ticks_ is not None and processes.start_ticks(self.pid) == self.ticks_

    def answers(self, timeout=1.0):
        return self.running() and brokers_known(self.port, timeout) > 0

    def start(self):
        """Formats the storage when there is none, starts the broker and waits until it answers."""
        if self.running():
            raise BrokerError(f"a broker is already running in {self.directory} (pid {self.pid})")
        java, jars = find_java(), find_jars()
        began = time.monotonic()
        self.directory.mkdir(parents=True, exist_ok=True)
        fresh = not (self.directory / "data").exists()
        for attempt in (1, 2):
            if fresh:
                self.format_(java, jars)
            self.launch_(java, jars)
            try:
                self.wait_ready_()
                break
            except BrokerError:
                # A port that was free when it was chosen can be taken by the time Kafka binds it.
                taken = "already in use" in processes.tail(self.log_file, 200)
                if not (fresh and taken and attempt == 1):
                    raise
                shutil.rmtree(self.directory / "data", ignore_errors=True)
        self.start_seconds = time.monotonic() - began
        return self

    def stop(self):
        """SIGTERM, then SIGKILL when it does not go."""
        self.end_(signal.SIGTERM)
        self.state_file.unlink(missing_ok=True)

    def halt(self, kill=False):
        """Takes the broker away and keeps its data and ports; start() brings it back."""
        self.end_(signal.SIGKILL if kill else signal.SIGTERM)

    def restart(self, kill=False):
        self.halt(kill)
        return self.start()

    def pause(self):
        self.signal_(signal.SIGSTOP)

    def resume(self):
        self.signal_(signal.SIGCONT)

    def signal_(self, number):
        if not self.running():
            raise BrokerError(f"no broker is running in {self.directory}")
        os.kill(self.pid, number)

    def end_(self, number):
        if not self.running():
            return
        os.kill(self.pid, number)
        os.kill(self.pid, signal.SIGCONT)
        try:
            processes.wait_until(lambda: not self.alive_(), STOP_TIMEOUT_S, "kafka stops")
        except TimeoutError:
            os.kill(self.pid, signal.SIGKILL)
            processes.wait_until(lambda: not self.alive_(), STOP_TIMEOUT_S, "kafka is killed")

    def alive_(self):
        if self.process_ is not None:
            return self.process_.poll() is None  # which reaps it
        return self.running()

    def format_(self, java, jars):
        if self.port is None or not self.state_file.exists():
            self.port = processes.free_port()
        controller_port = processes.free_port()
        text = (SERVER_PROPERTIES + self.more_properties_).format(
            port=self.port, controller_port=controller_port, data=self.directory / "data")
        (self.directory / "server.properties").write_text(text, encoding="utf-8")
        (self.directory / "log4j2.properties").write_text(LOG4J_PROPERTIES, encoding="utf-8")
        # Kafka's cluster ids are 16 bytes of base64 without padding, and StorageTool refuses one that begins with '-'.
        cluster = base64.urlsafe_b64encode(b"\x00" + uuid.uuid4().bytes[1:]).decode().rstrip("=")
        done = subprocess.run(
            [java, *JVM_OPTIONS, "-cp", jars, "kafka.tools.StorageTool", "format", "--cluster-id", cluster,
             "--config", str(self.directory / "server.properties"),
             *(word for user in self.scram_ for word in ("--add-scram", user))],
            capture_output=True, text=True, check=False)
        if done.returncode:
            raise BrokerError(f"Kafka could not format {self.directory / 'data'}:\n{done.stdout}{done.stderr}")

    def launch_(self, java, jars):
        with open(self.log_file, "ab") as log:
            command = [java, *JVM_OPTIONS, f"-Dlog4j2.configurationFile={self.directory / 'log4j2.properties'}",
                       f"-Dtocsin.test.broker={self.name}", "-cp", jars, "kafka.Kafka",
                       str(self.directory / "server.properties")]
            self.process_ = subprocess.Popen(processes.leashed(command) if self.die_with_parent_ else command,
                                             stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                                             start_new_session=True)
        self.pid = self.process_.pid
        self.ticks_ = processes.start_ticks(self.pid)
        self.state_file.write_text(json.dumps(
            {"name": self.name, "bootstrap": self.bootstrap, "port": self.port, "pid": self.pid, "ticks": self.ticks_,
             "log": str(self.log_file)}) + "\n", encoding="utf-8")

    def wait_ready_(self):
        def ready_or_gone():
            return self.process_.poll() is not None or brokers_known(self.port) > 0

        try:
            processes.wait_until(ready_or_gone, START_TIMEOUT_S, "kafka answers")
        except TimeoutError as error:
            self.end_(signal.SIGKILL)
            raise BrokerError(f"{error}; the end of {self.log_file}:\n{processes.tail(self.log_file)}") from None
        if self.process_.poll() is not None:
            raise BrokerError(f"Kafka exited with {self.process_.returncode}; the end of {self.log_file}:\n"
                              f"{processes.tail(self.log_file)}")


def broker_for_module(name):
    """(broker, a folder for the module's files): the one of all tests, which CTest starts and stops, or its own."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix=f"tocsin-{name}-"))
    if not os.environ.get("E2E_KEEP"):
        unittest.addModuleCleanup(shutil.rmtree, directory, ignore_errors=True)
    if shared := os.environ.get("E2E_KAFKA_DIR"):
        broker = KafkaBroker(shared, die_with_parent=False)
        if not broker.answers():
            broker.restart(kill=True)  # an earlier test left it in pieces
        return broker, directory
    broker = KafkaBroker(directory / "kafka").start()
    unittest.addModuleCleanup(broker.stop)
    return broker, directory


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["start", "stop", "restart", "pause", "resume", "status"])
    parser.add_argument("--dir", required=True, help="configuration, data, log and kafka.json")
    parser.add_argument("--name", default="kafka", help="shows in the process list")
    parser.add_argument("--kill", action="store_true", help="restart: SIGKILL instead of SIGTERM")
    parser.add_argument("--remove", action="store_true", help="stop: delete DIR as well")
    args = parser.parse_args()

    broker = KafkaBroker(args.dir, name=args.name, die_with_parent=False)
    try:
        if args.command == "start":
            broker.start()
        elif args.command == "restart":
            broker.restart(kill=args.kill)
        elif args.command == "pause":
            broker.pause()
        elif args.command == "resume":
            broker.resume()
        elif args.command == "status":
            if not broker.answers():
                raise BrokerError(f"no broker answers in {broker.directory}")
        else:
            broker.stop()
            if args.remove:
                shutil.rmtree(broker.directory, ignore_errors=True)
    except BrokerError as error:
        print(f"kafka_broker.py: {error}", file=sys.stderr)
        return 1
    if args.command in ("start", "restart"):
        print(f"kafka: {broker.bootstrap} (pid {broker.pid}, {broker.start_seconds:.1f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
