"""Does a second corpus lie further out than the texts of the first? A rank-sum test on depths, both ways."""

import math
from dataclasses import dataclass, field
from typing import get_args

import numpy as np
from scipy.stats import mannwhitneyu
from torch import Tensor

from workbench.diagnostics.cosine import BLOCKS, ROWS_AT_ONCE, checked_blocks, index_hash, units_of
from workbench.diagnostics.depth import LARGEST, Distance, distance_sums
from workbench.diagnostics.partition import block_estimate
from workbench.intervals import Estimate
from workbench.tensors import as_rows, row_blocks

__all__ = ["DepthComparison", "depth_rank_sum"]


@dataclass(frozen=True, eq=False)
class DepthComparison:
    """Depths of two corpora in one another, how they rank, and rank-sum tests.

    Attributes:
        q_fg: Q(F, G) = Pr[D(X, F) <= D(Y, F)] for X of F and Y of G, in [0, 1]: 1/2 for equal corpora, below it
            where G lies further out than F's own texts, above it where G lies tighter around F's middle.
        q_gf: the same with the corpora exchanged.
        p_fg: one-sided p-value that depths of F in F are greater than those of G in F.
        p_gf: one-sided p-value that depths of G in G are greater than those of F in G.
        n: texts of F.
        m: texts of G.
        depths: "f_in_f", "g_in_f", "g_in_g", "f_in_g", and with a reference "f_in_reference", "g_in_reference".
        q_control: Pr[D(X, R) <= D(Y, R)], both sides measured in a third sample R; None without a reference.
        p_control: one-sided p-value that depths of F in R are greater than those of G in R; None without.
    """

    q_fg: Estimate
    q_gf: Estimate
    p_fg: float
    p_gf: float
    n: int
    m: int
    depths: dict[str, np.ndarray] = field(repr=False)
    q_control: Estimate | None = None
    p_control: float | None = None


def depth_rank_sum(
    f: np.ndarray | Tensor,
    g: np.ndarray | Tensor,
    *,
    reference: np.ndarray | Tensor | None = None,
    distance: Distance | str = "cosine",
    blocks: np.ndarray | None = None,
) -> DepthComparison:
    """Compare corpora `f` (n, d) and `g` (m, d) by depth: Q and Wilcoxon's rank-sum p-value, both ways.

    Members are left out of their own mean; `tte_depth` has the distances. Q counts ties as <=, as it is defined. With a
    disjoint `reference` sample of F's population both corpora are also measured there: no text then helps to define the
    middle, and the control is free of that dependence.

    p-values: normal approximation with ties and continuity corrected, depths taken as independent. For equal corpora
    with a mean direction 5 % fall below 0.05. Where there is none (isotropic rows) depths are sums over shared pairs,
    the statistic's variance is 3/2 of the nominal one and 9 % fall below; the control keeps 5 %. One-sided: a G
    tighter than F never gives a small p_fg, see p_gf. With 500 texts a shift too small to matter is significant: read
    Q. Length drives depth too, so match lengths first.

    The intervals of Q are a jackknife over blocks of both corpora, depths recomputed without the block, since all
    depths share one mean; the control's reference stays whole. `blocks` (n + m,) numbers the block of each row of F,
    then of G: a text and what was made from it belong in one; by default a hash of the row's index in its corpus,
    modulo 20. In simulations they cover 94-98 %, and more than 98 % where F has no mean direction at all.

    Raises:
        TypeError, ValueError: rows as refused by `as_rows` and `unit`, fewer than 2 in `f` or `g`, unequal widths, an
            unknown distance, or blocks that are not one whole number for each row.

    Reference: Liu and Singh 1993 (Q); Seegmiller and Preum 2023, section 3.2 (their package ranks G in the pooled
    sample instead, which draws Q towards 1/2).
    """
    if distance not in get_args(Distance):
        raise ValueError(f"distance must be one of {get_args(Distance)}, got {distance!r}")
    corpora = {"f": as_rows(f, least=2, name="f").detach(), "g": as_rows(g, least=2, name="g").detach()}
    if reference is not None:
        corpora["reference"] = as_rows(reference, name="reference").detach()
    widths = {name: rows.shape[1] for name, rows in corpora.items()}
    if len(set(widths.values())) > 1:
        raise ValueError(f"f, g and reference must have as many columns, got {widths}")
    for name, rows in corpora.items():
        for part in row_blocks(len(rows), ROWS_AT_ONCE):
            units_of(rows, part, name)  # a zero row is refused under the name of its own corpus
    label = _labels(blocks, len(corpora["f"]), len(corpora["g"]))
    depths, p, q = {}, {}, {}
    for home, away in (("f", "g"), ("g", "f")):
        inside, outside = (_sums(corpora, label, side, home, distance) for side in (home, away))
        q[home] = _q_estimate(inside, outside, f"Q({home}, {away}) = Pr[D(X, {home}) <= D(Y, {home})], X of {home}")
        depths[f"{home}_in_{home}"], depths[f"{away}_in_{home}"] = inside.depths(), outside.depths()
        p[home] = _rank_sum(inside.depths(), outside.depths())
    q_control, p_control = None, None
    if reference is not None:
        fixed = {**label, "reference": np.full(len(corpora["reference"]), -1)}
        sides = [_sums(corpora, fixed, side, "reference", distance) for side in ("f", "g")]
        depths["f_in_reference"], depths["g_in_reference"] = (side.depths() for side in sides)
        definition = "Pr[D(X, reference) <= D(Y, reference)], X of f, Y of g"
        q_control = _q_estimate(sides[0], sides[1], definition)
        p_control = _rank_sum(depths["f_in_reference"], depths["g_in_reference"])
    n, m = len(corpora["f"]), len(corpora["g"])
    return DepthComparison(q["f"], q["g"], p["f"], p["g"], n, m, depths, q_control, p_control)


@dataclass(frozen=True, eq=False)
class _Sums:
    """What depths of one corpus in another are made of: sums of distances to each block (rows, blocks), 0 without."""

    sums: np.ndarray
    counts: np.ndarray
    label: np.ndarray
    own: int
    largest: float

    def depths(self) -> np.ndarray:
        return self.largest - self.sums.sum(axis=1) / (self.counts.sum() - self.own)

    def without_each(self) -> np.ndarray:
        """Depths once a block is gone from the corpus they are measured in (rows, blocks); NaN where that is empty."""
        rest = (self.counts.sum() - self.counts[:-1] - self.own).astype(np.float64)
        sums = self.sums.sum(axis=1, keepdims=True) - self.sums[:, :-1]
        return self.largest - sums / np.where(rest > 0, rest, np.nan)


def _sums(corpora: dict, label: dict, side: str, home: str, distance: str) -> _Sums:
    blocks = int(max(label["f"].max(), label["g"].max())) + 1
    member = np.where(label[home] < 0, blocks, label[home])  # a reference is one more block, never left out
    own = int(side == home)
    sums = distance_sums(corpora[side], corpora[home], member, distance=distance, same=side == home)
    sums = np.pad(sums, ((0, 0), (0, blocks + 1 - sums.shape[1])))
    return _Sums(sums, np.bincount(member, minlength=blocks + 1), label[side], own, LARGEST[distance])


def _labels(blocks: np.ndarray | None, n: int, m: int) -> dict[str, np.ndarray]:
    if blocks is None:
        blocks = np.concatenate([index_hash(np.arange(size, dtype=np.uint64)) % BLOCKS for size in (n, m)])
    block_of = checked_blocks(blocks, n + m)
    return {"f": block_of[:n], "g": block_of[n:]}


def _q_estimate(inside: _Sums, outside: _Sums, definition: str) -> Estimate:
    pairs = zip(inside.without_each().T, outside.without_each().T, strict=True)
    left_out = np.array([_share(a[inside.label != b], c[outside.label != b]) for b, (a, c) in enumerate(pairs)])
    value = _share(inside.depths(), outside.depths())
    return block_estimate(value, left_out, n=len(inside.label) + len(outside.label), definition=definition)


def _share(x: np.ndarray, y: np.ndarray) -> float:
    """Share of the pairs with x <= y; NaN without pairs or with undefined depths."""
    if len(x) == 0 or len(y) == 0 or np.isnan(x).any() or np.isnan(y).any():
        return math.nan
    return float(1 - np.searchsorted(np.sort(y), x, side="left").mean() / len(y))


def _rank_sum(x: np.ndarray, y: np.ndarray) -> float:
    """One-sided p-value that x is greater than y, by the normal approximation; 1 where every depth is the same."""
    if min(x.min(), y.min()) == max(x.max(), y.max()):
        return 1.0
    return float(mannwhitneyu(x, y, alternative="greater", method="asymptotic").pvalue)
