"""Numbers by which the points of an Explorer can be coloured: one for each row, worked out when first asked for."""

import threading
import time
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from workbench.diagnostics import tte_depth
from workbench.neighbours import KnnGraph, knn_graph
from workbench.tensors import row_blocks, unit

__all__ = ["MEASURES", "Measures"]

MEASURES = ("depth", "hubness", "norm", "length", "local dimension", "map reliability")
PAIRS = ("hubness", "local dimension", "map reliability")  # those that compare every row with every other
HUBS, NEAR, KEPT = 10, 20, 15  # neighbours of the three, as many as `hubness`, `mle_dimension`, `map_reliability` take
ROWS_AT_ONCE = 2048
TRIED = 256  # rows whose neighbours are searched to learn what a search costs


class Measures:
    """Diagnostics of single rows (n, d), each computed once."""

    def __init__(self, rows: Tensor, texts: Sequence[str] | None, *, metric: str) -> None:
        """`texts` are for their lengths; `metric` is that of the neighbours."""
        self._rows, self._texts, self._metric = rows, texts, metric
        self._found: dict[str, np.ndarray] = {}
        self._graph: KnnGraph | None = None
        self._lock = threading.RLock()  # a second asker waits for what the first has begun

    @property
    def names(self) -> tuple[str, ...]:
        """What there is for these rows: a length needs texts."""
        return tuple(name for name in MEASURES if name != "length" or self._texts is not None)

    def legend(self, name: str) -> str:
        """The measure with its unit or its rule."""
        n = len(self._rows)
        said = {
            "depth": "depth (cosine; largest in the middle)",
            "hubness": f"hubness (rows that have it among their {min(HUBS, n - 1)} nearest)",
            "norm": "norm (length of the vector)",
            "length": "length (characters)",
            "local dimension": f"local dimension ({min(NEAR, n - 1)} nearest)",
            "map reliability": f"map reliability (share of {_kept(n)} neighbours that the map keeps)",
        }
        return said[name]

    def quick(self, name: str) -> bool:
        """Whether it is there already, or takes time linear in the number of rows."""
        return name not in PAIRS or name in self._found or (self._graph is not None and name != "map reliability")

    def seconds(self) -> float:
        """Roughly how long the search for all neighbours takes here, in seconds, by that for a few rows."""
        few = min(TRIED, len(self._rows))
        starts = []
        for m in (max(1, few // 8), few):
            began = time.perf_counter()
            knn_graph(self._rows, k=min(NEAR, len(self._rows)), queries=self._rows[:m], metric=self._metric)
            starts.append((time.perf_counter() - began, m))
        (first, small), (second, large) = starts
        each = max(0.0, second - first) / max(1, large - small)
        return second + each * len(self._rows)

    def of(self, name: str, points: np.ndarray) -> np.ndarray:
        """The measure `name` of each row, float64 (n,), NaN where a row has none; `points` (n, 2) are the present map.

        Raises:
            ValueError: too few rows, or a zero row for the depth.
        """
        with self._lock:
            if name == "map reliability":
                return self._reliability(points)
            if name not in self._found:
                self._found[name] = self._measured(name)
            return self._found[name]

    def _measured(self, name: str) -> np.ndarray:
        if name == "depth":
            return tte_depth(self._rows)
        if name == "norm":
            parts = row_blocks(len(self._rows), ROWS_AT_ONCE)
            return np.concatenate([self._rows[p].double().norm(dim=1).cpu().numpy() for p in parts])
        if name == "length":
            return np.array([len(text) for text in self._texts or ()], dtype=np.float64)
        if name == "hubness":
            indices = self._nearest(2).indices[:, :HUBS]
            return np.bincount(indices.ravel(), minlength=len(self._rows)).astype(np.float64)
        return self._dimension()

    def _nearest(self, least: int) -> KnnGraph:
        n = len(self._rows)
        if n < least:
            raise ValueError(f"neighbours need {least} rows or more, got {n}")
        if self._graph is None:
            self._graph = knn_graph(self._rows, k=min(NEAR, n - 1), metric=self._metric)
        return self._graph

    def _dimension(self) -> np.ndarray:
        """(k - 2) over the sum of log(r_k / r_j), j < k: Levina and Bickel 2004, Eq. 8, without its bias.

        Where a neighbour equals the row, or all are as far, there is no number.
        """
        found = self._nearest(4).indices
        out, k = np.full(len(found), np.nan), found.shape[1]
        for part in row_blocks(len(found), ROWS_AT_ONCE):
            near = torch.from_numpy(found[part]).to(self._rows.device)
            mine, theirs = self._rows[part].double(), self._rows[near.flatten()].double()
            if self._metric == "cosine":
                mine, theirs = unit(mine), unit(theirs)
            apart = theirs.view(*near.shape, -1) - mine[:, None]
            far = apart.norm(dim=2).sort(dim=1).values.cpu().numpy()
            with np.errstate(divide="ignore", invalid="ignore"):
                total = np.log(far[:, -1:] / far[:, :-1]).sum(axis=1)
            fine = (far[:, 0] > 0) & (total > 1e-9)
            out[part] = np.where(fine, (k - 2) / np.where(fine, total, 1.0), np.nan)
        return out

    def _reliability(self, points: np.ndarray) -> np.ndarray:
        k = _kept(len(points))
        true = self._nearest(3).indices[:, :k]
        shown = knn_graph(points, k=k, metric="euclidean").indices
        kept = np.empty(len(points))
        for part in row_blocks(len(points), ROWS_AT_ONCE):
            kept[part] = (shown[part][:, :, None] == true[part][:, None, :]).any(axis=2).mean(axis=1)
        return kept


def _kept(n: int) -> int:
    return max(1, min(KEPT, n // 2, n - 1))
