"""A training as it runs: curves, what is left, and a button that ends it early."""

import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import anywidget
import traitlets
from tqdm import tqdm

from workbench.widgets.busy_kernel import in_kernel, keep_address, waiting
from workbench.widgets.curve import Curve
from workbench.widgets.saved_training import number, page
from workbench.widgets.stand_in import StandIn

__all__ = ["TrainingMonitor"]

STATIC = Path(__file__).with_name("static")
APART = 0.2  # seconds between two messages of new rows to the page
LOOK = 0.1  # seconds between two looks for a click that waits behind the running cell
SHOWN = ("loss", "lr", "grad_norm", "alignment", "uniformity")  # panels that are always there
MOST = 9  # panels
ENDS = {
    "finished": "Finished",
    "early": "Ended early: no more improvement",
    "stopped": "Stopped by hand",
    "failed": "Failed",
}


class TrainingMonitor(anywidget.AnyWidget):
    """Live curves of a training, with a button that ends it after the step in hand.

    Show it (`display(monitor)`, or as the last line of a cell) and pass it on: `fit(..., monitor=monitor)`; one cell
    may do both. Outside Jupyter it is a progress bar on the terminal. It may be used again for another training.

    The page hears of new rows five times a second at most, and never misses the last; a curve keeps about 240 points,
    the first and the last among them. Beside the widget stands a picture with a table, filled in at the end, which a
    saved notebook shows where no kernel runs.

    Attributes:
        steps: How many steps the training has; 0 before it begins.
        step: The last step that was reported.
        stopping: True when the training is to end after the step in hand; the button and `stop` set it.
        reason: Why it ended: "finished", "early", "stopped" or "failed"; "" while it runs.
        summary: One sentence about where it stands; with the code, all that is saved of the widget's state.
    """

    _esm = (STATIC / "training_monitor.js").read_text(encoding="utf-8")
    _css = (STATIC / "training_monitor.css").read_text(encoding="utf-8")

    steps = traitlets.Int(0)
    step = traitlets.Int(0)
    stopping = traitlets.Bool(False)
    reason = traitlets.Unicode("")
    summary = traitlets.Unicode("No training has begun.").tag(sync=True)

    def __init__(self) -> None:
        super().__init__()
        keep_address(self.comm)
        self._lock = threading.RLock()
        self._curves: dict[str, Curve] = {}
        self._over = threading.Event()
        self._bar: tqdm | None = None
        self._run, self._done, self._begun, self._ended = 0, 0, 0.0, 0.0
        self._live, self._news, self._looked = False, False, 0.0
        self._stand_in = StandIn("training", self._picture)
        self.on_msg(self._hear)
        self.observe(self._tell_stopping, names="stopping")

    @property
    def curves(self) -> Mapping[str, Curve]:
        """The curves by the names of the rows' numbers: those that always have a panel, then others as they came."""
        names = [*(n for n in SHOWN if n in self._curves), *(n for n in self._curves if n not in SHOWN)]
        return MappingProxyType({name: self._curves[name] for name in names})

    def begin(self, steps: int, done: int) -> None:
        """Starts over for a training of `steps` steps, of which `done` were made before (a resumed one).

        Raises:
            ValueError: fewer than 1 step, or `done` is not between 0 and `steps`.
        """
        if steps < 1:
            raise ValueError(f"steps must be 1 or more, got {steps}")
        if not 0 <= done <= steps:
            raise ValueError(f"done must be between 0 and steps={steps}, got {done}")
        with self._lock:
            self._over.set()
            self._run += 1
            self._curves, self._done, self._begun = {}, done, time.monotonic()
            self.steps, self.step, self.stopping, self.reason = steps, done, False, ""
            self.summary = f"Training begun: {steps} steps, {done} of them made before."
        self._live, self._over = in_kernel(), threading.Event()
        if self._live:
            self._send_all()
            threading.Thread(target=self._tell, args=[self._over], daemon=True).start()
        else:
            self._bar = tqdm(total=steps, initial=done, unit="step", desc="train", disable=None)

    def update(self, row: Mapping[str, float]) -> None:
        """Takes in the numbers of a step: "step", and any of "loss", "lr", "grad_norm", "alignment", "uniformity".

        Other numbers get a panel of their own; "seconds" is left out.

        Raises:
            RuntimeError: no training has begun, or it has ended.
            ValueError: the row has no "step".
        """
        if not self.steps or self.reason:
            raise RuntimeError(f"update belongs between begin and end; {self.summary}")
        if "step" not in row:
            raise ValueError(f'a row needs a "step", got {sorted(row)}')
        with self._lock:
            self.step = int(row["step"])
            for name, value in row.items():
                if name not in ("step", "seconds"):
                    if name not in self._curves:
                        self._curves[name] = Curve()
                    self._curves[name].add(self.step, float(value))
        if self._bar is not None:
            self._bar.set_postfix({k: number(c.last) for k, c in self._curves.items() if k == "loss"}, refresh=False)
            self._bar.update(self.step - self._bar.n)
        elif self._live:
            self._news = True
            self._look()

    def stop(self) -> None:
        """Asks the training to end after the step in hand, as the button does."""
        self.stopping = True

    def end(self, reason: str) -> None:
        """Shows the last numbers and why the training ended.

        Raises:
            RuntimeError: no training has begun.
            ValueError: `reason` is not "finished", "early", "stopped" or "failed".
        """
        if not self.steps:
            raise RuntimeError(f"end belongs after begin; {self.summary}")
        if reason not in ENDS:
            raise ValueError(f"reason must be one of {sorted(ENDS)}, got {reason!r}")
        with self._lock:
            self._over.set()
            self._ended, self.reason = time.monotonic(), reason
            numbers = ", ".join(f"{name} {number(curve.last)}" for name, curve in self.curves.items())
            self.summary = f"{ENDS[reason]} at step {self.step} of {self.steps}. {numbers or 'No numbers'}."
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        elif self._live:
            self._send_all()
            self._stand_in.update()

    def _picture(self, mark: str) -> dict[str, str]:
        return {"text/plain": self.summary, "text/html": page(mark, self.summary, self.curves)}

    def _ipython_display_(self) -> None:
        self._stand_in.show(self, "Training monitor" if in_kernel() else self.summary)
        if self._stand_in.marks:
            self._send_all()

    def _hear(self, _widget: object, content: dict[str, Any], _buffers: object) -> None:
        """A message of the page: it is drawn and wants the numbers, or the button of this very training was pressed."""
        if content.get("kind") == "ready":
            self._send_all()
        elif content.get("kind") == "stop" and content.get("run") == self._run and not self.reason:
            self.stop()

    def _look(self) -> None:
        now = time.monotonic()
        if now - self._looked >= LOOK and self.comm is not None:
            self._looked = now
            for content in waiting(self.comm.comm_id):
                self._hear(self, content, ())

    def _tell_stopping(self, _change: object) -> None:
        if self.stopping and in_kernel():
            self._send_all()

    def _tell(self, over: threading.Event) -> None:
        """Sends what is new, five times a second, until the training is over; a thread of its own."""
        while not over.wait(APART):
            with self._lock:
                if self._news and not over.is_set():
                    self._send_all()

    def _send_all(self) -> None:
        """Everything that the page draws, in one message, so that a page that comes late misses nothing."""
        with self._lock:
            self._news = False
            names = [*SHOWN, *(name for name in self._curves if name not in SHOWN)][:MOST]
            curves = [(name, self._curves.get(name) or Curve()) for name in names]
            parts = [curve.bytes() for _, curve in curves]
            head = self._head() | {"curves": [self._words(*pair) for pair in curves]}
            self.send(head | {"lengths": [len(part) // 16 for part in parts]}, buffers=[b"".join(parts)])

    def _words(self, name: str, curve: Curve) -> dict[str, Any]:
        ends = {"lowest": curve.lowest, "highest": curve.highest}
        words = {key: [number(end[0]), end[1]] for key, end in ends.items() if end is not None}
        return {"name": name, "last": number(curve.last), "odd": curve.odd, "oddAt": curve.odd_at} | words

    def _head(self) -> dict[str, Any]:
        passed = (self._ended if self.reason else time.monotonic()) - self._begun
        made = self.step - self._done
        left = passed / made * (self.steps - self.step) if made > 0 and not self.reason else None
        return {
            "kind": "all",
            "run": self._run,
            "steps": self.steps,
            "step": self.step,
            "seconds": passed if self._run else 0.0,
            "left": left,
            "stopping": self.stopping,
            "reason": self.reason,
            "ended": ENDS.get(self.reason, ""),
            "summary": self.summary,
            "marks": self._stand_in.marks,
        }
