"""Which rows have other neighbours in one space than in another, with an interval for each row."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from scipy.stats import norm
from torch import Tensor

from workbench.diagnostics.spaces import common
from workbench.neighbours import knn_graph
from workbench.tensors import as_rows, row_blocks, unit

__all__ = [
    "ChangedRow",
    "MutualNeighbours",
    "NeighbourChange",
    "changed_rows",
    "mutual_neighbours",
    "neighbour_change",
]

GROUPS = 5
SAMPLE = 20_000
BLOCK_ROWS = 1024


@dataclass(frozen=True)
class NeighbourChange:
    """How many of its neighbours each row has lost from one space to the other.

    Attributes:
        rows: ids of the rows that were compared (m,), rising; all of them up to 20,000.
        value: share of the nearest rows in the first space that are not among the nearest in the second (m,), [0, 1].
        low: lower end of its 95 % interval (m,).
        high: upper end (m,).
        order: places in `rows`, the most changed first (m,).
        groups: number of groups of rows in which neighbours were looked for.
    """

    rows: np.ndarray
    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    order: np.ndarray
    groups: int


@dataclass(frozen=True)
class MutualNeighbours:
    """Neighbours of one row in several spaces.

    Attributes:
        everywhere: ids among the k nearest in every space (int64), nearest in the first space first.
        only: name of a space -> ids among the k nearest there and in no other space, nearest first.
    """

    everywhere: np.ndarray
    only: dict[str, np.ndarray]


@dataclass(frozen=True)
class ChangedRow:
    """A row with the share of its neighbours that it lost from the first space of a pair to the second.

    Attributes:
        row: its id.
        value: the share, in [0, 1].
        low: lower end of its 95 % interval.
        high: upper end.
        text: its text; "" where there are none.
    """

    row: int
    value: float
    low: float
    high: float
    text: str


def neighbour_change(
    x: np.ndarray | Tensor, y: np.ndarray | Tensor, *, k: int = 10, sample: int = SAMPLE, seed: int = 0
) -> NeighbourChange:
    """Share of neighbours by cosine that each row of `x` (n, d) has lost in `y` (n, e), with intervals.

    The rows are dealt into five random groups, and the k nearest of a row are looked for in each group by itself: five
    samples of neighbours that share no row, so their spread says how far the share depends on which rows happened to
    be collected. (Halves of the dimensions or a range of k would not: dimensions are no sample, a rotation of the
    space deals them anew, and the neighbours for one k contain those for the smaller ones.) It describes the
    neighbourhood of about 5 k rows; wide neighbourhoods rank changed rows more stably than narrow ones.

    Interval: Wilson's for a share of 5 k neighbours, whose number is divided by the design effect, the variance between
    groups over that of independent neighbours, a mean over all rows and at least 1. In simulations of 500 rows it holds
    the mean over collections of rows in 98-99 %. With fewer than 2 (k + 1) rows
    there is one group, and the design effect is taken as 1. Rows equally changed are in the order in which their
    neighbours in y lie far from them in x. Time quadratic in the rows, of which `sample` at most are drawn by `seed`.

    Raises:
        TypeError: neither an array nor a tensor.
        ValueError: rows as refused by `as_rows`, a zero row, numbers of rows that differ, `k` outside 1..n - 1.

    Reference: Gonen, Jawahar, Seddah and Goldberg 2020, ACL (rows ranked by lost neighbours); Korn and Graubard 1998,
        Survey Methodology 24(2) (effective size for the interval of a share).
    """
    spaces = [as_rows(z, least=2, name=name).detach() for z, name in ((x, "x"), (y, "y"))]
    n = len(spaces[0])
    if len(spaces[1]) != n:
        raise ValueError(f"x and y must have as many rows, got {n} and {len(spaces[1])}")
    if not 1 <= k < n:
        raise ValueError(f"k must be at least 1 and below n={n}, got {k}")
    rng = np.random.default_rng(seed)
    rows = np.arange(n) if n <= sample else np.sort(rng.permutation(n)[:sample])
    groups = max(1, min(GROUPS, len(rows) // (k + 1)))
    a, b = (unit(z[torch.from_numpy(rows).to(z.device)].cpu()).float() for z in spaces)
    lost, far = np.empty((groups, len(rows))), np.zeros(len(rows))
    for place, group in enumerate(np.array_split(rng.permutation(len(rows)), groups)):
        near_a, near_b = (_nearest(z, np.sort(group), k) for z in (a, b))
        lost[place] = 1 - common(near_a, near_b) / k
        far -= _mean_cosine(a, near_b) / groups
    low, high = _intervals(lost, k)
    value = lost.mean(axis=0)
    return NeighbourChange(rows, value, low, high, np.lexsort((rows, -far, -value.round(9))), groups)


def changed_rows(change: NeighbourChange, texts: list[str] | None) -> list[ChangedRow]:
    """The rows that were compared, the most changed first."""
    return [
        ChangedRow(
            row, float(change.value[i]), float(change.low[i]), float(change.high[i]), texts[row] if texts else ""
        )
        for i, row in zip(change.order.tolist(), change.rows[change.order].tolist(), strict=True)
    ]


def mutual_neighbours(spaces: Mapping[str, np.ndarray | Tensor], row: int, *, k: int) -> MutualNeighbours:
    """The k nearest of a row by cosine in each space, among all rows: those common to all spaces, and those of one."""
    near = {}
    for name, space in spaces.items():
        found = knn_graph(space, k=min(k + 1, len(space)), queries=space[row : row + 1]).indices[0]
        near[name] = found[found != row][:k]
    first, *others = near.values()
    everywhere = first[np.all([np.isin(first, other) for other in others], axis=0)]
    only = {
        name: ids[~np.isin(ids, np.concatenate([near[other] for other in near if other != name]))]
        for name, ids in near.items()
    }
    return MutualNeighbours(everywhere, only)


def _nearest(z: Tensor, group: np.ndarray, k: int) -> np.ndarray:
    """Numbers of the k rows of the group nearest to each row of `z` (m, d), itself left out (m, k)."""
    found = group[knn_graph(z[torch.from_numpy(group)], k=min(k + 1, len(group)), queries=z).indices]
    others = found != np.arange(len(z))[:, None]
    others[others.all(axis=1), k:] = False  # it is of another group, or copies of it come first
    return found[others].reshape(-1, k)


def _mean_cosine(z: Tensor, near: np.ndarray) -> np.ndarray:
    parts = [
        torch.einsum("md,mkd->m", z[part], z[torch.from_numpy(near[part])]) / near.shape[1]
        for part in row_blocks(len(z), BLOCK_ROWS)
    ]
    return torch.cat(parts).double().numpy()


def _intervals(lost: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Ends of Wilson's interval for the mean share of the groups (groups, m)."""
    groups, share = len(lost), lost.mean(axis=0)
    effect = 1.0
    if groups > 1:
        independent = (share * (1 - share) / (groups * k)).mean()
        effect = max(1.0, float(lost.var(axis=0, ddof=1).mean() / groups / independent)) if independent > 0 else 1.0
    size, z = groups * k / effect, float(norm.ppf(0.975))
    middle = (share + z**2 / (2 * size)) / (1 + z**2 / size)
    half = z / (1 + z**2 / size) * np.sqrt(share * (1 - share) / size + z**2 / (4 * size**2))
    return np.clip(middle - half, 0, share), np.clip(middle + half, share, 1)
