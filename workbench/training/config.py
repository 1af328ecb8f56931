"""What one training run is told, what it gives back, and how it fails."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

__all__ = ["CheckpointError", "Diverged", "FitConfig", "FitResult", "Monitor"]


@dataclass(frozen=True)
class FitConfig:
    """Settings of `fit`.

    Attributes:
        steps: updates of the weights to make in all.
        lr: highest learning rate of AdamW, above 0. A mapping gives rates to parameters by the beginning of their
            names, "" to the rest; the longest beginning decides, and rate 0 freezes.
        weight_decay: decoupled decay, 0 or more; biases and the weights of norms are spared.
        warmup: updates over which the rate rises from 0; below 1, their share of `steps`.
        schedule: the rate after the warm-up: "linear" or "cosine" down to 0, or "constant".
        clip: longest gradient, as the 2-norm over all parameters; a longer one is scaled down. None: never.
        accumulate: batches whose mean gradient makes one update.
        precision: in what models compute: "bf16" and "fp16" are automatic mixed precision, weights stay as they are.
        seed: of what is drawn while training, such as dropout.
        folder: where checkpoints and metrics.jsonl go; None keeps nothing.
        save_every: updates between checkpoints; None: as often as costs at most 2 % of the time.
        evaluate_every: updates between evaluations; None: only at the end.
        patience: evaluations without a new best after which training stops and goes back to the best; None: never.

    Raises:
        TypeError: a value of another type.
        ValueError: a value outside its range; names it and the rule.
    """

    steps: int
    lr: float | Mapping[str, float] = 5e-5
    weight_decay: float = 0.0
    warmup: float = 0.1
    schedule: str = "linear"
    clip: float | None = 1.0
    accumulate: int = 1
    precision: str = "float32"
    seed: int = 0
    folder: Path | str | None = None
    save_every: int | None = None
    evaluate_every: int | None = None
    patience: int | None = None

    def __post_init__(self) -> None:
        for name in ("steps", "accumulate", "save_every", "evaluate_every", "patience"):
            self._whole(name)
        for name, rate in self.lr.items() if isinstance(self.lr, Mapping) else [("lr", self.lr)]:
            if not (math.isfinite(rate) and (rate > 0 or (rate == 0 and isinstance(self.lr, Mapping)))):
                raise ValueError(f"lr must be above 0 and finite (0 freezes a part), got {rate} for {name!r}")
        if not (math.isfinite(self.weight_decay) and self.weight_decay >= 0):
            raise ValueError(f"weight_decay must be 0 or more, got {self.weight_decay}")
        if not 0 <= self.warmup < self.steps:
            raise ValueError(f"warmup must lie in [0, steps={self.steps}), got {self.warmup}")
        if self.clip is not None and not self.clip > 0:
            raise ValueError(f"clip must be above 0, or None, got {self.clip}")
        for name, allowed in (
            ("schedule", ("linear", "cosine", "constant")),
            ("precision", ("float32", "bf16", "fp16")),
        ):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {getattr(self, name)!r}")
        if self.patience is not None and self.evaluate_every is None:
            raise ValueError(f"patience={self.patience} counts evaluations: give evaluate_every too")

    def _whole(self, name: str) -> None:
        value = getattr(self, name)
        if value is None and name not in ("steps", "accumulate"):
            return
        if not isinstance(value, int) or isinstance(value, bool):
            raise TypeError(f"{name} must be an int, got {value!r}")
        if value < 1:
            raise ValueError(f"{name} must be 1 or more, got {value}")

    def rate(self, update: int) -> float:
        """Share of the highest learning rate at update `update` (0, 1, ...), in (0, 1]."""
        rise = round(self.warmup * self.steps) if self.warmup < 1 else round(self.warmup)
        if update < rise:
            return (update + 1) / (rise + 1)
        left = (self.steps - update) / (self.steps - rise)
        return {"linear": left, "cosine": (1 - math.cos(math.pi * left)) / 2, "constant": 1.0}[self.schedule]


@dataclass(frozen=True)
class FitResult:
    """What `fit` did; the weights are in the modules it was given.

    Attributes:
        steps: updates made, those of earlier calls that were resumed included.
        reason: "finished", "early" (patience ran out, the weights are the best) or "stopped" (by the monitor).
        seconds: wall time of this call.
        metrics: a row per update: step (from 1), loss, lr, grad_norm, seconds, what the step put into
            state["metrics"], and evaluation where there was one.
    """

    steps: int
    reason: str
    seconds: float
    metrics: list[dict[str, float]] = field(repr=False)

    def column(self, name: str) -> list[float]:
        """The values of one metric, of the rows that have it."""
        return [row[name] for row in self.metrics if name in row]


@runtime_checkable
class Monitor(Protocol):
    """Who watches a training run; `stopping` is read after every update and ends the run cleanly."""

    stopping: bool

    def begin(self, steps: int, done: int) -> None:
        """Training starts at update `done` of `steps`."""

    def update(self, row: Mapping[str, float]) -> None:
        """One update was made."""

    def end(self, reason: str) -> None:
        """Training is over: "finished", "early", "stopped" or "failed"."""


class Diverged(RuntimeError):
    """The loss or its gradient is not finite, or the loss has run away; the weights are those before that update.

    Attributes:
        step: the update that was not made, from 1.
        batch: the batch that it was made of.
    """

    def __init__(self, message: str, *, step: int, batch: Any) -> None:  # noqa: ANN401 - whatever a step takes
        super().__init__(message)
        self.step, self.batch = step, batch


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be written, or is of another run."""
