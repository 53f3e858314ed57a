"""What ./dev chaos says: where it is, and its figures."""

import os
import sys
import threading
import time

PLAIN_EVERY_S = 15


class Report:
    """Figures, one a line, each with what was wanted of it."""

    def __init__(self):
        self.lines_, self.values, self.misses = [], {}, []

    def figure(self, name, value, wanted=None, at_least=None, at_most=None):
        holds = ((wanted is None or value == wanted) and (at_least is None or value >= at_least) and
                 (at_most is None or value <= at_most))
        asked = [f"{word}{bound:g}" for word, bound in (("", wanted), (">= ", at_least), ("<= ", at_most))
                 if bound is not None]
        shown = f"{value:.4g}" if isinstance(value, float) and value != int(value) else f"{value:.0f}"
        self.values[name] = value
        wanted_text = f"  (wanted {', '.join(asked)}{'' if holds else ': NO'})" if asked else ""
        self.lines_.append(f"{name} {shown}{wanted_text}")
        if not holds:
            self.misses.append(name)

    def note(self, text):
        self.lines_.append(f"  {text}")

    def failed(self, text):
        self.misses.append("it could not be finished")
        self.note(text)

    def holds(self):
        return not self.misses

    def print(self):
        for line in self.lines_:
            print(line)
        print("all holds" if self.holds() else f"does not hold: {', '.join(self.misses)}", flush=True)


class Progress:
    """What happens: a line that is written over on a terminal, lines now and then elsewhere."""

    def __init__(self, out=sys.stdout):
        self.out_ = out
        self.terminal_ = out.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self.began_, self.said_ = time.monotonic(), time.monotonic()
        self.state_ = None
        self.lock_ = threading.Lock()
        self.stop_ = threading.Event()
        self.thread_ = threading.Thread(target=self.repeat_, daemon=True)
        self.thread_.start()

    def say(self, text):
        with self.lock_:
            self.write_(text, "\n")

    def watch(self, state):
        """`state()` is a text to be shown from now on; None: nothing is."""
        with self.lock_:
            self.state_ = state

    def close(self):
        self.stop_.set()
        self.thread_.join()

    def write_(self, text, end):
        erase = "\r\x1b[K" if self.terminal_ else ""
        self.out_.write(f"{erase}[{time.monotonic() - self.began_:6.1f} s] {text}{end}")
        self.out_.flush()
        self.said_ = time.monotonic()

    def repeat_(self):
        while not self.stop_.wait(0.5):
            with self.lock_:
                if self.state_ and (self.terminal_ or time.monotonic() - self.said_ >= PLAIN_EVERY_S):
                    self.write_(self.state_(), "" if self.terminal_ else "\n")


def slope_per_minute(points):
    """Least squares over [(seconds, value)]; 0 when there is no telling."""
    count = len(points)
    if count < 2:
        return 0.0
    mean_x, mean_y = (sum(values) / count for values in zip(*points))
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return 60 * sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0


def quantile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
