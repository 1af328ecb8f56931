"""What an Explorer says of the selected rows beside all rows."""

import threading
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from workbench.diagnostics import (
    Estimate,
    Report,
    Reports,
    Row,
    hubness,
    isoscore,
    mean_cosine,
    mean_interval,
    moments,
    participation_ratio,
)

__all__ = ["FEWEST", "Described"]

FEWEST = 30  # rows: below, no interval of these numbers holds what it promises
HUB_ROWS = 2_000  # rows whose neighbours are searched among one another
NAMES = ("mean_cosine", "isoscore", "participation_ratio", "mean_depth", "hubness_skewness")


class Described:
    """Diagnostics of some of the rows (n, d) and, at the same number of rows where that matters, of all."""

    def __init__(self, rows: Tensor, *, metric: str, seed: int) -> None:
        """`metric` is that of the neighbours, `seed` draws the rows whose hubness is measured."""
        self._rows, self._metric, self._seed = rows, metric, seed
        self._whole: dict[str, Row] | None = None
        self._hubs: dict[int, Row] = {}
        self._last: tuple[np.ndarray, Reports] | None = None
        self._lock = threading.Lock()  # who asks for the same rows a second time waits for the first answer

    def reports(self, ids: np.ndarray, depth: Callable[[], np.ndarray]) -> Reports:
        """A report "selected" of the rows `ids`, where there are any, and one "all"; `depth` gives that of every row.

        Hubness grows with the number of rows, so that of all rows is measured on as many as are selected.
        """
        with self._lock:
            if self._last is None or not np.array_equal(self._last[0], ids):
                self._last = ids.copy(), self._reports(ids, depth)
            return self._last[1]

    def _reports(self, ids: np.ndarray, depth: Callable[[], np.ndarray]) -> Reports:
        whole = len(self._rows)
        if len(ids) == 0 or len(ids) == whole:
            return Reports({"all": self._report(np.arange(whole), depth, all_rows=True)})
        selected = self._report(ids, depth)
        return Reports({"selected": selected, "all": self._report(np.arange(whole), depth, all_rows=True, like=ids)})

    def _report(
        self,
        ids: np.ndarray,
        depth: Callable[[], np.ndarray],
        *,
        all_rows: bool = False,
        like: np.ndarray | None = None,
    ) -> Report:
        if len(ids) < FEWEST:
            note = f"too few rows: {len(ids)}, {FEWEST} are needed"
            return Report([Row(name, None, note=note) for name in NAMES], len(ids), self._rows.shape[1], [note])
        if all_rows:
            if self._whole is None:
                self._whole = self._measured(self._rows, ids, depth)
            found = self._whole
        else:
            found = self._measured(self._rows[torch.from_numpy(ids).to(self._rows.device)], ids, depth)
        hubs = min(HUB_ROWS, len(ids) if like is None else max(FEWEST, len(like)))
        return Report([*found.values(), self._hubness(ids, hubs, all_rows=all_rows)], len(ids), self._rows.shape[1])

    def _measured(self, rows: Tensor, ids: np.ndarray, depth: Callable[[], np.ndarray]) -> dict[str, Row]:
        flat = any(bool((block == 0).all(dim=1).any()) for block in rows.split(8192))
        record = moments(rows, unit_rows=not flat)
        measures: dict[str, Callable[[], Estimate]] = {
            "mean_cosine": lambda: mean_cosine(record),
            "isoscore": lambda: isoscore(record),
            "participation_ratio": lambda: participation_ratio(record),
            "mean_depth": lambda: mean_interval(depth()[ids], definition="mean depth of the rows among all rows"),
        }
        return {name: _row(name, measure) for name, measure in measures.items()}

    def _hubness(self, ids: np.ndarray, m: int, *, all_rows: bool) -> Row:
        if all_rows and m in self._hubs:
            return self._hubs[m]
        drawn = np.sort(np.random.default_rng(self._seed).permutation(len(ids))[:m])
        rows = self._rows[torch.from_numpy(ids[drawn]).to(self._rows.device)]
        row = _row("hubness_skewness", lambda: hubness(rows, k=min(10, m // 4), metric=self._metric).skewness)
        row = Row(row.name, row.estimate, note=row.note or f"among {m:,} rows")
        if all_rows:
            self._hubs[m] = row
        return row


def _row(name: str, measure: Callable[[], Estimate]) -> Row:
    try:
        return Row(name, measure())
    except ValueError as error:
        return Row(name, None, note=f"not measured: {error}")
