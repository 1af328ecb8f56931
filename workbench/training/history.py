"""The metrics of a training run: rows in memory and, as they happen, as JSON lines; when they say it diverged."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from workbench.training.config import Diverged

__all__ = ["History", "refuse_divergence"]

WINDOW = 20  # updates whose mean loss is compared with that of the first as many
RUN_AWAY = 10.0


class History:
    """Rows of metrics, each written to `path` (JSON lines) at once; None keeps them in memory only."""

    def __init__(self, path: Path | None) -> None:
        self.rows: list[dict[str, float]] = []
        self._path = path

    def resume(self, step: int) -> None:
        """Go back to the rows up to `step`: later ones are of updates that will be made again."""
        if self._path is None:
            return
        if step and self._path.is_file():
            lines = self._path.read_text(encoding="utf-8").splitlines()
            self.rows = [row for row in map(_row, lines) if row is not None and row["step"] <= step]
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text("".join(_line(row) for row in self.rows), encoding="utf-8")

    def add(self, row: dict[str, float]) -> None:
        """Keep one row."""
        self.rows.append(row)
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(_line(row))


def refuse_divergence(rows: list[dict[str, float]], row: Mapping[str, float], batch: Any, folder: Path | None) -> None:  # noqa: ANN401
    """Stop where the loss or the gradient of `row` is not finite, or the loss has run away.

    Run away: the mean of the last 20 losses is above 10 times the larger of 1 and the mean of the first 20 (ours).

    Raises:
        Diverged: it has; names the step, and the file where the batch was put if there is a folder.
    """
    why = next((f"{name} is {row[name]}" for name in ("loss", "grad_norm") if not math.isfinite(row[name])), None)
    if why is None and len(rows) >= 2 * WINDOW:
        first, last = (float(np.mean([r["loss"] for r in part])) for part in (rows[:WINDOW], rows[-WINDOW:]))
        if last > RUN_AWAY * max(first, 1.0):
            why = f"the mean of the last {WINDOW} losses is {last:.4g}, that of the first was {first:.4g}"
    if why is None:
        return
    step = int(row["step"])
    kept = "" if folder is None else f"; the batch is in {_keep_batch(folder, step, why, batch)}"
    raise Diverged(f"training diverged at step {step}: {why}{kept}", step=step, batch=batch)


def _keep_batch(folder: Path, step: int, why: str, batch: Any) -> Path:  # noqa: ANN401
    path = folder / f"diverged-{step}.json"
    path.write_text(json.dumps({"step": step, "why": why, "batch": batch}, default=_plain, indent=1), encoding="utf-8")
    return path


def _plain(value: object) -> object:
    if isinstance(value, torch.Tensor | np.ndarray):
        return value.tolist()
    return value.item() if isinstance(value, np.generic) else repr(value)


def _line(row: Mapping[str, float]) -> str:
    # JSON has no infinity: a gradient that fp16 skips is null
    return json.dumps({name: v if math.isfinite(v) else None for name, v in row.items()}, allow_nan=False) + "\n"


def _row(line: str) -> dict[str, float] | None:
    try:
        return {name: math.nan if v is None else v for name, v in json.loads(line).items()}
    except ValueError:  # the line a kill cut in two
        return None
