"""Which labelled examples to show: pools to choose from, and the classifier that goes by the nearest example."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from workbench.tensors import cosines

__all__ = ["Pools", "draw_pools", "nearest_example"]


@dataclass(frozen=True, eq=False)
class Pools:
    """Row numbers of a labelled set: disjoint pools to choose examples from, and texts to test them on.

    Attributes:
        names: the classes, (classes,).
        tests: rows to test, (classes, size).
        pools: rows to choose from, (pools, classes, size); no row lies in two of them, nor in `tests`.
    """

    names: tuple[str, ...]
    tests: np.ndarray
    pools: np.ndarray


def draw_pools(labels: Sequence | np.ndarray, *, size: int, n_pools: int, seed: int, most_classes: int = 6) -> Pools:
    """`n_pools` pools and one test sample of `size` rows a class each, of the largest classes that have enough rows.

    Raises:
        ValueError: `size`, `n_pools` or `most_classes` below 1, or fewer than two classes of (n_pools + 1) * size rows.
    """
    if min(size, n_pools, most_classes) < 1:
        raise ValueError(f"size, n_pools and most_classes must be at least 1, got {size}, {n_pools}, {most_classes}")
    column = np.asarray(labels).astype(str)
    names, counts = np.unique(column, return_counts=True)
    room = size * (n_pools + 1)
    large = [i for i in np.argsort(-counts, kind="stable")[:most_classes] if counts[i] >= room]
    if len(large) < 2:
        raise ValueError(f"two classes or more need {room} rows each, the largest have {sorted(counts)[-2:]}")
    order = np.random.default_rng(seed).permutation(len(column))
    rows = np.array([order[column[order] == names[i]][:room] for i in large]).reshape(len(large), n_pools + 1, size)
    return Pools(tuple(str(names[i]) for i in large), rows[:, 0], np.moveaxis(rows[:, 1:], 1, 0))


def nearest_example(asked: np.ndarray, shown: Sequence[np.ndarray]) -> np.ndarray:
    """Class of the example nearest by cosine to each row of `asked` (n, d), int64 (n,).

    `shown` holds the examples of each class, (k, d) each; of equally near ones the first class wins.

    Raises:
        TypeError, ValueError: as in `cosines`, or fewer than two classes.
    """
    if len(shown) < 2:
        raise ValueError(f"a classifier tells 2 classes or more apart, got {len(shown)}")
    return np.argmax([cosines(asked, examples).max(dim=1).values.numpy() for examples in shown], axis=0)
