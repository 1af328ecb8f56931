"""How the average cosine between texts changes with their length."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.stats import rankdata
from torch import Tensor

from workbench.diagnostics.cosine import ROWS_AT_ONCE, block_sums, checked_blocks, pair_mean, units_of
from workbench.intervals import Estimate, jackknife_replicates
from workbench.tensors import as_rows, row_blocks

__all__ = ["LengthProfile", "length_profile"]

MOST_DISTINCT = 12


@dataclass(frozen=True)
class LengthProfile:
    """Mean cosine by length, with what its intervals are made of.

    Attributes:
        lengths: length of each bin, in tokens (bins,): geometric mean of its rows.
        counts: rows in each bin (bins,).
        values: mean cosine between different rows of the bin (bins,), in [-1, 1].
        replicates: the same with one block of sources left out (blocks, bins).
    """

    lengths: np.ndarray
    counts: np.ndarray
    values: np.ndarray
    replicates: np.ndarray

    @property
    def cosines(self) -> list[Estimate]:
        """Mean cosine of each bin with its interval."""
        return [self._estimate(lambda v, i=i: v[i], "mean cosine in a bin of length") for i in range(len(self.values))]

    @property
    def curve(self) -> list[np.ndarray]:
        """Lengths, mean cosines and the two ends of their intervals, each (bins,), as a line chart takes them."""
        ends = [[getattr(e, part) for e in self.cosines] for part in ("value", "low", "high")]
        return [self.lengths, *np.array(ends)]

    @property
    def slope(self) -> Estimate:
        """Least-squares slope of mean cosine on the natural logarithm of length, per log token."""
        return self._estimate(self._slope, "slope of mean cosine on ln(tokens)")

    @property
    def rank_correlation(self) -> Estimate:
        """Spearman correlation of mean cosine with length over the bins, in [-1, 1]."""
        ranks = rankdata(self.lengths)
        return self._estimate(
            lambda v: float(np.corrcoef(ranks, rankdata(v))[0, 1]), "Spearman correlation of mean cosine with length"
        )

    def rise(self, short: float, long: float) -> Estimate:
        """Mean cosine at length `long` minus that at length `short`, positive when long texts are closer.

        Raises:
            ValueError: there is no bin of such a length.
        """
        i, j = (self._bin(length) for length in (short, long))
        return self._estimate(lambda v: v[j] - v[i], f"mean cosine at {long:g} tokens minus that at {short:g}")

    def slope_fall(self, other: "LengthProfile") -> Estimate:
        """1 - slope of `other` / slope of this profile: the share of the slope that `other` takes away.

        Raises:
            ValueError: the profiles do not share lengths and blocks.
        """
        self._comparable(other)
        return jackknife_replicates(
            1 - other._slope(other.values) / self._slope(self.values),
            np.array(
                [1 - other._slope(b) / self._slope(a) for a, b in zip(self.replicates, other.replicates, strict=True)]
            ),
            definition="1 - ratio of the slopes of mean cosine on ln(tokens)",
        )

    def __sub__(self, other: "LengthProfile") -> "LengthProfile":
        self._comparable(other)
        values, replicates = self.values - other.values, self.replicates - other.replicates
        return LengthProfile(self.lengths, self.counts, values, replicates)

    def _slope(self, values: np.ndarray) -> float:
        x = np.log(self.lengths)
        x = x - x.mean()
        return float(x @ values / (x @ x))

    def _estimate(self, statistic: Callable[[np.ndarray], float], definition: str) -> Estimate:
        replicates = np.array([statistic(row) for row in self.replicates])
        return jackknife_replicates(float(statistic(self.values)), replicates, definition=definition)

    def _bin(self, length: float) -> int:
        found = np.flatnonzero(np.isclose(self.lengths, length))
        if len(found) != 1:
            raise ValueError(f"no bin of length {length:g}; there are {np.round(self.lengths, 1).tolist()}")
        return int(found[0])

    def _comparable(self, other: "LengthProfile") -> None:
        if not (np.array_equal(self.lengths, other.lengths) and self.replicates.shape == other.replicates.shape):
            raise ValueError("profiles must share their lengths and blocks to be compared")


def length_profile(
    x: np.ndarray | Tensor,
    lengths: Sequence | np.ndarray,
    *,
    blocks: np.ndarray | None = None,
    edges: np.ndarray | None = None,
) -> LengthProfile:
    """Mean cosine between different rows of equal length, for each length: exact sums, linear in n.

    `x` (n, d) with `lengths` (n,) in tokens; or n texts cut to several lengths, `x` (cuts, n, d) with `lengths`
    (cuts,) and one block for each text. `edges` cuts lengths into bins [e0, e1), ...; without it every
    distinct length is a bin, or each eighth of the rows when there are more than 12. `blocks` (n,) as in
    `mean_cosine`: rows made from one text, or one source, belong in one block.

    Raises:
        ValueError: lengths that are not above 0 for every row, fewer than two bins, a bin with fewer than
            2 rows once any one block is left out, or rows that `mean_cosine` refuses.

    Reference: Zhou et al. 2025 (length-induced embedding collapse).
    """
    tokens = np.asarray(lengths, dtype=np.float64)
    if x.ndim == 3 and tokens.shape == x.shape[:1]:
        per_text = checked_blocks(blocks, x.shape[1])
        x, blocks, tokens = x.reshape(-1, x.shape[-1]), np.tile(per_text, len(x)), np.repeat(tokens, x.shape[1])
    rows = as_rows(x, least=2)
    if tokens.shape != (len(rows),) or not (tokens > 0).all():
        raise ValueError(
            f"lengths must hold a number above 0 for each of the {len(rows)} rows, got shape {tokens.shape}"
        )
    block_of = checked_blocks(blocks, len(rows))
    for part in row_blocks(len(rows), ROWS_AT_ONCE):
        units_of(rows, part, "x")  # a zero row is refused by its number among all rows, not in its bin
    members = [np.flatnonzero(mask) for mask in _bins(tokens, edges)]
    members = [rows_of for rows_of in members if len(rows_of)]
    if len(members) < 2:
        raise ValueError(f"a length profile needs 2 lengths or more, got {len(members)}")
    centres = np.array([np.exp(np.log(tokens[rows_of]).mean()) for rows_of in members])
    curves = [
        _leave_out(rows[rows_of], block_of[rows_of], centre, int(block_of.max()) + 1)
        for rows_of, centre in zip(members, centres, strict=True)
    ]
    return LengthProfile(
        lengths=centres,
        counts=np.array([len(rows_of) for rows_of in members]),
        values=np.array([value for value, _ in curves]),
        replicates=np.stack([replicates for _, replicates in curves], axis=1),
    )


def _bins(tokens: np.ndarray, edges: np.ndarray | None) -> list[np.ndarray]:
    distinct = np.unique(tokens)
    if edges is None and len(distinct) <= MOST_DISTINCT:
        return [tokens == length for length in distinct]
    if edges is None:
        edges = np.unique(np.quantile(tokens, np.linspace(0, 1, 9)))
        edges[-1] = np.nextafter(edges[-1], np.inf)  # the longest row belongs to the last eighth
    edges = np.asarray(edges, dtype=np.float64)
    if edges.ndim != 1 or len(edges) < 3 or not (np.diff(edges) > 0).all():
        raise ValueError(f"edges must be 3 or more rising numbers, got {edges.tolist()}")
    return [(tokens >= low) & (tokens < high) for low, high in pairwise(edges)]


def _leave_out(rows: Tensor, block_of: np.ndarray, centre: float, n_blocks: int) -> tuple[float, np.ndarray]:
    """Mean cosine of these rows, and the same without each block in turn."""
    counts = np.bincount(block_of, minlength=n_blocks)
    if len(rows) - counts.max() < 2:
        raise ValueError(f"the bin around {centre:.0f} tokens has fewer than 2 rows once one block is left out")
    present, inner = np.unique(block_of, return_inverse=True)
    sums = np.zeros((n_blocks, rows.shape[1]))
    sums[present] = block_sums(rows, inner)[0]
    total = sums.sum(axis=0)
    replicates = [pair_mean(total - part, int(len(rows) - count)) for part, count in zip(sums, counts, strict=True)]
    return pair_mean(total, len(rows)), np.array(replicates)
