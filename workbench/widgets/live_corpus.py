"""The texts among which an edited text is placed: their map, and what a new vector is among them."""

import numpy as np
import torch
from torch import Tensor

from workbench.neighbours import knn_graph
from workbench.projections import pca
from workbench.tensors import as_rows, row_blocks, unit

__all__ = ["LiveCorpus"]

ROWS_AT_ONCE = 4096
ASKED_ALL = 5000  # rows up to which every row's neighbours are known
ASKED = 1000  # rows that are asked where there are more
CLOSE = 0.999  # cosine above which a chord is taken from the difference of the rows
EVEN = 1e-6  # cosines nearer than this are equal


class LiveCorpus:
    """Vectors of a corpus (n, d) with their map by PCA, ready to place other vectors among them.

    Attributes:
        points: The map, float64 (n, 2): the two principal axes; 0 along an axis that the rows do not have.
        asked: Rows whose neighbours are known, for `hubness`: all up to 5,000, beyond that 1,000 drawn by the seed.
    """

    def __init__(self, x: np.ndarray | Tensor, *, k: int, seed: int = 0) -> None:
        """`k` is the length of the neighbour lists.

        Raises:
            TypeError, ValueError: rows as refused by `as_rows` and `unit`, fewer than 2, or `k` outside 1..n - 1.
        """
        rows = as_rows(x, least=2).detach()
        self.n, self.width = rows.shape
        if not 1 <= k < self.n:
            raise ValueError(f"k must be at least 1 and below the number of texts, {self.n}, got {k}")
        self._k, self._units = k, unit(rows).float()
        self._mean = self._units.mean(dim=0, dtype=torch.float64)
        self.points = np.zeros((self.n, 2))
        found = pca(rows, dimensions=min(2, self.n - 1, self.width))
        self.points[:, : found.shape[1]] = found
        self._centre, self._axes = _axes(rows, self.points)
        everyone = np.arange(self.n)
        few = np.random.default_rng(seed).choice(self.n, min(ASKED, self.n), replace=False)
        self.asked = everyone if self.n <= ASKED_ALL else np.sort(few)
        self._reach: np.ndarray | None = None

    def place(self, vector: np.ndarray) -> np.ndarray:
        """Where a vector (d,) lies on the map, float64 (2,): for a row of the corpus, its own point."""
        return (vector.astype(np.float64) - self._centre) @ self._axes

    def cosines(self, vector: np.ndarray) -> np.ndarray:
        """Cosine of a vector (d,) with every row, float32 (n,).

        Raises:
            ValueError: the vector is zero.
        """
        return np.clip((self._units @ _unit(vector)).numpy(), -1, 1)

    def nearest(self, cosines: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The k rows of the largest cosines (n,), largest first, of equal ones the first: ids int64, cosines."""
        least = np.partition(cosines, self.n - self._k)[self.n - self._k]
        found = np.flatnonzero(cosines >= least)
        found = found[np.argsort(-cosines[found], kind="stable")][: self._k]
        return found, cosines[found]

    def depth(self, vector: np.ndarray, cosines: np.ndarray) -> float:
        """2 less the mean chord to the rows, in [0, 2], larger in the middle: `tte_depth(distance="chord")`."""
        chords = np.sqrt(2 - 2 * cosines.astype(np.float64))
        near = np.flatnonzero(cosines > CLOSE)
        if len(near):
            chords[near] = (self._units[near] - _unit(vector)).double().norm(dim=1).numpy()
        return float(2 - chords.mean())

    def mean_cosine(self, vector: np.ndarray) -> float:
        """Mean cosine with the rows, in [-1, 1]."""
        return float(_unit(vector).double() @ self._mean)

    def hubness(self, cosines: np.ndarray) -> float:
        """In how many rows' lists of k neighbours the vector would stand, were it one row more; 0 to n.

        A row that is as near goes before it. Beyond 5,000 rows the share among 1,000 of them, times n.
        """
        if self._reach is None:
            self._reach = self._kth()
        inside = cosines[self.asked] > self._reach + EVEN
        return float(inside.sum() * self.n / len(self.asked))

    def _kth(self) -> np.ndarray:
        """Cosine of every asked row with its k-th neighbour."""
        if len(self.asked) == self.n:
            return knn_graph(self._units, k=self._k).similarities[:, -1]
        # the row itself is among the nearest: the place behind is the k-th of the others
        return knn_graph(self._units, k=self._k + 1, queries=self._units[self.asked]).similarities[:, -1]


def _unit(vector: np.ndarray) -> Tensor:
    return unit(torch.from_numpy(np.ascontiguousarray(vector, dtype=np.float32))[None])[0]


def _axes(rows: Tensor, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Middle of the rows (d,), and axes (d, 2) that lead from the centred rows to their points.

    Coordinates along a principal axis a are p = C a, C the centred rows, and C'C a = (p.p) a: so a = C'p / p.p.
    """
    blocks = list(row_blocks(len(rows), ROWS_AT_ONCE))
    centre = sum((rows[block].double().sum(dim=0) for block in blocks), torch.zeros(rows.shape[1]).double()) / len(rows)
    given = torch.from_numpy(points)
    axes = sum(
        ((rows[block].double() - centre).T @ given[block] for block in blocks), torch.zeros(rows.shape[1], 2).double()
    )
    lengths = given.square().sum(dim=0)
    return centre.numpy(), torch.where(lengths > 0, axes / lengths, 0.0).numpy()
