"""How many dimensions the rows fill: intrinsic dimension from the distances to the nearest rows."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from workbench.diagnostics.cosine import checked_blocks
from workbench.diagnostics.neighbour_lists import (
    NeighbourLists,
    estimated,
    lists_around,
    lists_of,
    prepared,
    sampled,
)
from workbench.intervals import Estimate
from workbench.neighbours import KnnGraph
from workbench.tensors import as_rows

__all__ = ["Dimension", "mle_dimension", "two_nn"]

HALVINGS = 4  # the decimation curve ends at n / 16
LEAST_PART = 20  # rows in the smallest part of a decimation


@dataclass(frozen=True)
class Dimension:
    """Intrinsic dimension, in dimensions, above 0; d for data that fill all of R^d.

    Attributes:
        value: the number with its interval.
        published: the form first published: the straight-line fit of `two_nn`, the mean over rows of
            `mle_dimension`, infinite where a row has k equal distances.
        sizes: rows at each step of the decimation curve (steps,): n, n / 2, n / 4, ...; only n for a graph.
        values: dimension at each step (steps,), the mean over disjoint parts: level where the number can be trusted;
            it rises with n where noise is what is measured.
        n: rows compared, after merging.
        n_duplicates: rows left out because they equal an earlier row exactly.
    """

    value: Estimate
    published: float
    sizes: np.ndarray
    values: np.ndarray
    n: int
    n_duplicates: int


def two_nn(
    x: np.ndarray | Tensor | KnnGraph,
    *,
    discard: float = 0.1,
    sample: int | None = 20_000,
    seed: int = 0,
    blocks: np.ndarray | None = None,
) -> Dimension:
    """Dimension from the ratios of the distances to the second and the first nearest row of `x` (n, d), Euclidean.

    The logarithms of the ratios are exponential with the dimension as their rate. Maximum likelihood from all but the
    largest `discard` of them, those counted as censored, and without its bias: (m - 1) / sum for m ratios. Equal rows
    are merged first. For angles give unit rows. Isotropic Gaussian of d dimensions: d where n is large; less where d
    is, for then every row lies at the edge (about 33 for d = 50 and 2,000 rows). Unmoved by rotation, shift and scale.

    Intervals: halves of the `blocks` (n,) against one another, each half with a graph of its own; open below 5 blocks.
    About the mean at this n: they hold it in 92-94 % of simulations.

    Raises:
        TypeError: neither an array, a tensor nor a graph.
        ValueError: rows refused by `as_rows`, fewer than 3 different rows, `discard` outside [0, 1), all ratios 1,
            `sample` below 2, blocks of another length, or a graph that is not Euclidean, not of rows about one
            another, or with too few neighbours to spare.

    Reference: Facco, d'Errico, Rodriguez and Laio 2017, Scientific Reports 7; Epstein and Sobel 1953 (censoring).
    """
    if not 0 <= discard < 1:
        raise ValueError(f"discard must lie in [0, 1), got {discard}")

    def censored(distances: np.ndarray) -> float:
        logs = _logs(distances)
        m = max(2, math.ceil((1 - discard) * len(logs)))
        return (m - 1) / _spread(float(logs[:m].sum() + (len(logs) - m) * logs[m - 1]))

    def fitted(distances: np.ndarray) -> float:
        logs = _logs(distances)
        m = min(max(2, int((1 - discard) * len(logs))), len(logs) - 1)  # the last has no logarithm
        rising = -np.log1p(-np.arange(1, m + 1) / len(logs))
        return float(rising @ logs[:m]) / _spread(float(logs[:m] @ logs[:m]))

    number = f"TwoNN dimension, {discard:g} of the ratios censored"
    return _dimension(x, censored, fitted, k=2, number=number, sample=sample, seed=seed, blocks=blocks)


def mle_dimension(
    x: np.ndarray | Tensor | KnnGraph,
    *,
    k: int = 20,
    sample: int | None = 20_000,
    seed: int = 0,
    blocks: np.ndarray | None = None,
) -> Dimension:
    """Dimension from the distances to the k nearest rows of `x` (n, d), Euclidean, by maximum likelihood.

    1 over the mean of log(r_k / r_j), j < k, over all rows: inverses are averaged, not dimensions, whose mean is
    (k - 1) / (k - 2) times too large. Equal rows are merged first. A large k lowers the noise and reaches over edges
    and curvature, which lowers the number. Isotropic Gaussian: d where n is large, less where d is
    (28 for d = 50 and 2,000 rows).
    Unmoved by rotation, shift and scale.

    Intervals: halves of the `blocks` (n,) against one another, each half with a graph of its own; open below 5 blocks.
    About the mean at this n: they hold it in 93-96 % of simulations, and are twice too wide where clusters have no more
    than some 3 k rows.

    Raises:
        TypeError: neither an array, a tensor nor a graph.
        ValueError: as in `two_nn`, or `k` outside 2..n - 1.

    Reference: Levina and Bickel 2004, NeurIPS 17; MacKay and Ghahramani 2005 (the mean of inverses).
    """
    if k < 2:
        raise ValueError(f"k must be at least 2, got {k}")

    def averaged(distances: np.ndarray) -> float:
        return 1 / _spread(float(_inverses(distances).mean()))

    def mean(distances: np.ndarray) -> float:
        inverses = _inverses(distances)
        return float(np.mean(1 / inverses)) if inverses.min() > 0 else math.inf

    return _dimension(x, averaged, mean, k=k, number="MLE dimension", sample=sample, seed=seed, blocks=blocks)


def _dimension(
    x: np.ndarray | Tensor | KnnGraph,
    statistic: Callable[[np.ndarray], float],
    published: Callable[[np.ndarray], float],
    *,
    k: int,
    number: str,
    sample: int | None,
    seed: int,
    blocks: np.ndarray | None,
) -> Dimension:
    if isinstance(x, KnnGraph):
        lists, n_duplicates, curve = *_of_graph(x, k, blocks), []
    else:
        rows = as_rows(x, least=2).detach()
        index, block_of = sampled(len(rows), sample, seed), checked_blocks(blocks, len(rows))
        different = index[_first_of_equals(rows[index])]
        n_duplicates = len(index) - len(different)
        if len(different) <= k:
            raise ValueError(f"a dimension needs more different rows than k={k}, got {len(different)}")
        spread = prepared(rows[different], "euclidean")
        lists = lists_around(spread, k=k, metric="euclidean", block_of=block_of[different], index=different)
        curve = _decimated(spread, statistic, k=k, seed=seed)
    distances = lists.nearest()[2]
    if distances[:, 0].min() == 0:
        raise ValueError(f"row {lists.index[int(distances[:, 0].argmin())]} is too near another for float64: scale up")
    (found,) = estimated(lists, lambda half: [statistic(lists.nearest(within=half)[2])], [lists.says(number)])
    sizes, values = zip((lists.n, found.value), *curve, strict=True)
    return Dimension(found, published(distances), np.array(sizes), np.array(values), lists.n, n_duplicates)


def _of_graph(graph: KnnGraph, k: int, blocks: np.ndarray | None) -> tuple[NeighbourLists, int]:
    """Lists of a graph without the rows that equal an earlier one, and how many those are."""
    if graph.metric != "euclidean":
        raise ValueError(f"a dimension needs distances: the graph's metric must be euclidean, got {graph.metric}")
    # the lowest of equal rows comes first among neighbours
    later = graph.indices[:, 0] < np.arange(len(graph.indices))
    dead = (graph.similarities[:, 0] == 0) & later
    return lists_of(graph, k=k, blocks=blocks, dead=dead), int(dead.sum())


def _first_of_equals(rows: Tensor) -> np.ndarray:
    """Rising numbers of the rows that equal no earlier row."""
    numbers = np.ascontiguousarray(rows.double().cpu().numpy() + 0.0)  # -0.0 becomes 0.0: bytes are compared
    seen = np.unique(numbers.view(f"V{numbers.itemsize * numbers.shape[1]}")[:, 0], return_index=True)[1]
    return np.sort(seen)


def _decimated(rows: Tensor, statistic: Callable[[np.ndarray], float], *, k: int, seed: int) -> list[tuple[int, float]]:
    """Sizes n / 2, n / 4, ... and the mean of the statistic over disjoint random parts of that size."""
    n, curve = len(rows), []
    order = np.random.default_rng(seed).permutation(n)
    for parts in 2 ** np.arange(1, HALVINGS + 1):
        size = n // int(parts)
        if size < max(LEAST_PART, k + 2):
            break
        values = []
        for part in order[: size * parts].reshape(parts, size):
            alone = lists_around(rows[part], k=k, metric="euclidean", block_of=np.zeros(size, np.int64), index=part)
            values.append(statistic(alone.nearest()[2]))
        curve.append((size, float(np.mean(values))))
    return curve


def _logs(distances: np.ndarray) -> np.ndarray:
    """Rising logarithms of the ratios of the second to the first distance."""
    return np.sort(np.log(distances[:, 1] / distances[:, 0]))


def _inverses(distances: np.ndarray) -> np.ndarray:
    """Mean of log(r_k / r_j) over j < k, for each row: the inverse of its own dimension."""
    return np.log(distances[:, -1:] / distances[:, :-1]).mean(axis=1)


def _spread(total: float) -> float:
    """`total`, above 0.

    Raises:
        ValueError: it is 0, for every row has equal distances.
    """
    if total <= 0:
        raise ValueError("every row is as far from all its nearest rows: the dimension is not defined")
    return total
