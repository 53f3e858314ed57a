"""What every helper that runs a server for a test needs: free ports, waiting, ending a process for sure."""

import os
import signal
import socket
import subprocess
import time


def free_port():
    """A loopback TCP port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition, timeout, what, interval=0.05):
    """Calls `condition` until it is truthy and returns that; TimeoutError naming `what` otherwise."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise TimeoutError(f"{what}: not within {timeout:g} s")
        time.sleep(interval)


def leashed(command):
    """The command, to be killed by the kernel when the test that started it is gone, however it went."""
    setpriv = find_program("setpriv")  # of util-linux; a preexec_fn would not do in a process with threads
    return [setpriv, "--pdeathsig", "KILL", "--", *command] if setpriv else list(command)


def start_ticks(pid):
    """The kernel's start time of a process; with the pid, it names one process for good.  None when there is none."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as stream:
            fields = stream.read().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else int(fields[19])


def end(process, timeout):
    """SIGTERM, a while to obey, SIGKILL.  Returns (exit status, seconds); a paused process is woken first."""
    began = time.monotonic()
    if process.poll() is None:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return process.returncode, time.monotonic() - began


def tail(path, lines=20):
    """The last lines of a log, for the message of a failed start."""
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return "".join(stream.readlines()[-lines:])
    except OSError as error:
        return f"({error})\n"


def find_program(name, *places):
    """The first of `places` that can be run, else `name` from PATH, else None."""
    for place in places:
        if place and os.access(place, os.X_OK):
            return place
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        place = os.path.join(folder, name)
        if os.access(place, os.X_OK):
            return place
    return None
