"""Depth: how central a row lies in a corpus, one number per row, largest in the middle."""

import math
from collections.abc import Callable
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from workbench.diagnostics.cosine import ROWS_AT_ONCE, units_of
from workbench.diagnostics.partition import drawn
from workbench.tensors import as_rows, row_blocks, unit

__all__ = ["Distance", "chord_error", "mahalanobis_depth", "tte_depth"]

Distance = Literal["cosine", "chord", "angular"]

TILE = 2048  # rows and columns compared at a time: 32 MiB of float64
LARGEST = {"cosine": 2.0, "chord": 2.0, "angular": math.pi}
NEAR = 1e-10  # squared chord under which 2 - 2 cos has lost its digits: the difference of the rows is taken instead
PAIR_NUMBERS = 2**22
FIT_ROWS = 512


def tte_depth(
    x: np.ndarray | Tensor,
    reference: np.ndarray | Tensor | None = None,
    *,
    distance: Distance | str = "cosine",
    approximate: bool = False,
) -> np.ndarray:
    """Depth of each row of `x` (n, d) in the corpus `reference` (m, d): largest distance minus the mean distance to it.

    Float64 (n,); deeper is more central. In [0, 2] for "cosine" (1 - u.y) and "chord" (|u - y|), in [0, pi] for
    "angular" (arccos u.y), on unit rows. Around 1, 0.59 (2 - sqrt 2) and pi / 2 for an isotropic Gaussian. Without a
    reference, depth inside `x` itself, each row left out of its own mean. Rotating, scaling rows and duplicating the
    reference leave it; shifting moves it.

    Cosine is linear in n and exact: 1 + u.m, or 1 + (n u.m - 1) / (n - 1) inside, m the mean unit row. The others
    compare all pairs in float64 blocks, exact to 1e-9 for duplicates too. `approximate` replaces the chord by the
    quadratic in the cosine that fits 512 x 512 pairs best, which is linear in n: `chord_error` says how far off it is.
    One mean for all: of a corpus in clusters the deepest row can be typical of none. Long texts lie deeper than short.

    Raises:
        TypeError, ValueError: rows as refused by `as_rows` and `unit`, fewer than 2 without a reference, unequal
            widths, an unknown distance, or `approximate` for another distance than the chord.

    Reference: Seegmiller and Preum 2023, section 3 (their package swaps rows for columns where n = m).
    """
    if distance not in get_args(Distance):
        raise ValueError(f"distance must be one of {get_args(Distance)}, got {distance!r}")
    if approximate and distance != "chord":
        raise ValueError(f"approximate is for the chord distance, got {distance!r}")
    rows, base = _corpora(x, reference)
    if approximate:
        return _quadratic_depth(rows, base, same=reference is None)
    whole = np.zeros(len(base), dtype=np.int64)
    sums = distance_sums(rows, base, whole, distance=distance, same=reference is None)[:, 0]
    return LARGEST[distance] - sums / (len(base) - (reference is None))


def chord_error(
    x: np.ndarray | Tensor,
    reference: np.ndarray | Tensor | None = None,
    *,
    sample: int | None = 512,
    seed: int = 0,
) -> float:
    """Largest error of `tte_depth(distance="chord", approximate=True)` over `sample` rows of `x` drawn by `seed`.

    Not below 0, in units of depth: about 0.002 for sentence embeddings. The exact depth of the drawn rows in all of
    `reference` is compared, or of `x`; rows that were not drawn can be further off.

    Raises:
        TypeError, ValueError: as in `tte_depth`, or `sample` below 2.
    """
    rows, base = _corpora(x, reference)
    kept = drawn(len(rows), sample, seed)
    inside = reference is None
    chosen = rows[torch.from_numpy(kept).to(rows.device)]
    sums = distance_sums(chosen, base, np.zeros(len(base), dtype=np.int64), distance="chord")[:, 0]
    exact = LARGEST["chord"] - sums / (len(base) - inside)  # a row is at distance 0 from itself
    return float(np.abs(_quadratic_depth(rows, base, same=inside)[kept] - exact).max())


def mahalanobis_depth(
    x: np.ndarray | Tensor,
    reference: np.ndarray | Tensor | None = None,
    *,
    shrinkage: float | None = None,
) -> np.ndarray:
    """Depth 1 / (1 + (x - mu)' C^-1 (x - mu)) of each row of `x` (n, d), mu and C from `reference` (m, d), else `x`.

    Float64 (n,) in (0, 1], 1 at the mean; about 1 / (1 + d) for a Gaussian with m far above d. Not leave-one-out:
    inside `x` a row takes part in its own mu and C, which raises its depth where n is near d. C is the covariance
    (divisor m) shrunk to (1 - s) C + s tr(C) / d I, with s by Ledoit and Wolf, the number of scikit-learn's
    `ledoit_wolf_shrinkage`, unless `shrinkage` gives it. Raw rows: rotation, shift, one scale for all, and duplication
    under a given s leave it; scaling single rows moves it. Two passes in blocks, so a mean of 1e6 costs no digits.

    Raises:
        TypeError, ValueError: rows as refused by `as_rows`, fewer than 2 rows in the corpus, unequal widths,
            `shrinkage` outside [0, 1], or a covariance that is zero or singular.

    Reference: Liu 1992; Ledoit and Wolf 2004, A well-conditioned estimator, theorem 3.2.
    """
    if shrinkage is not None and not 0 <= shrinkage <= 1:
        raise ValueError(f"shrinkage must lie in [0, 1] or be None, got {shrinkage}")
    rows, base = _corpora(x, reference, least=2)
    scale = _power_of_two(base)
    shift, mean, covariance, fourth = _covariance(base, scale)
    s = _ledoit_wolf(covariance, fourth, len(base)) if shrinkage is None else shrinkage
    target = covariance.trace() / len(covariance) * torch.eye(len(covariance)).to(covariance)
    shrunk = (1 - s) * covariance + s * target
    values = torch.linalg.eigvalsh(shrunk)
    if values[0] <= len(shrunk) * torch.finfo(shrunk.dtype).eps * values[-1]:
        raise ValueError(f"the covariance of {len(base)} rows in {len(shrunk)} columns is singular at shrinkage {s:g}")
    factor = torch.linalg.cholesky(shrunk)
    depth = np.empty(len(rows))
    for part in row_blocks(len(rows), ROWS_AT_ONCE):
        apart = rows[part].double().to(base.device) / scale - shift - mean
        squares = torch.linalg.solve_triangular(factor, apart.T, upper=False).square().sum(dim=0)
        depth[part] = (1 / (1 + squares)).cpu().numpy()
    return depth


def distance_sums(rows: Tensor, base: Tensor, block_of: np.ndarray, *, distance: str, same: bool = False) -> np.ndarray:
    """Sum of the distances of each row to the rows of each block of `base`, float64 (n, blocks); to itself 0."""
    label, blocks = torch.from_numpy(block_of).to(rows.device), int(block_of.max()) + 1
    member = {part.start: _one_hot(label[part], blocks) for part in row_blocks(len(base), TILE)}
    out = torch.zeros(len(rows), blocks, dtype=torch.float64, device=rows.device)
    name = "x" if same else "reference"
    if distance == "cosine":
        totals = torch.zeros(blocks, rows.shape[1], dtype=torch.float64, device=rows.device)
        for other in row_blocks(len(base), TILE):
            totals += member[other.start].T @ units_of(base, other, name).to(rows.device)
        for part in row_blocks(len(rows), TILE):
            out[part] = torch.bincount(label, minlength=blocks) - units_of(rows, part, "x") @ totals.T
        return out.cpu().numpy()
    for part in row_blocks(len(rows), TILE):
        left = units_of(rows, part, "x")
        for other in row_blocks(len(base), TILE):
            if same and other.start < part.start:
                continue  # counted as the transpose of an earlier tile
            apart = _distances(left, units_of(base, other, name).to(rows.device), distance)
            if same and other == part:
                apart.fill_diagonal_(0)
            out[part] += apart @ member[other.start]
            if same and other != part:
                out[other] += apart.T @ member[part.start]
    return out.cpu().numpy()


def _distances(left: Tensor, right: Tensor, distance: str) -> Tensor:
    cosine = (left @ right.T).clamp_(-1, 1)
    apart = (2 - 2 * cosine).sqrt_() if distance == "chord" else cosine.arccos()
    _repair(apart, left, right, 2 - 2 * cosine < NEAR, lambda u, y: _arc(u - y, distance))
    if distance == "angular":
        _repair(apart, left, right, 2 + 2 * cosine < NEAR, lambda u, y: math.pi - _arc(u + y, distance))
    return apart


def _arc(difference: Tensor, distance: str) -> Tensor:
    chord = torch.linalg.vector_norm(difference, dim=1)
    return chord if distance == "chord" else 2 * (chord / 2).arcsin()


def _repair(apart: Tensor, left: Tensor, right: Tensor, where: Tensor, exact: Callable) -> None:
    """Recompute the entries of `apart` at `where` from the rows themselves, in place."""
    first, second = torch.nonzero(where, as_tuple=True)
    for part in row_blocks(len(first), max(1, PAIR_NUMBERS // left.shape[1])):
        i, j = first[part], second[part]
        apart[i, j] = exact(left[i], right[j])


def _one_hot(label: Tensor, blocks: int) -> Tensor:
    return torch.nn.functional.one_hot(label, blocks).double()


def _quadratic_depth(rows: Tensor, base: Tensor, *, same: bool) -> np.ndarray:
    """Chord depth through c0 + c1 u.m + c2 u'Mu, m and M the first two moments of the unit rows of `base`."""
    constant, slope, curve = _chord_fit(rows, base, same=same)
    first = torch.zeros(rows.shape[1], dtype=torch.float64, device=rows.device)
    second = torch.zeros(rows.shape[1], rows.shape[1], dtype=torch.float64, device=rows.device)
    for part in row_blocks(len(base), ROWS_AT_ONCE):
        units = units_of(base, part, "x" if same else "reference").to(rows.device)
        first, second = first + units.sum(dim=0), second + units.T @ units
    itself = constant + slope + curve if same else 0.0
    depth = np.empty(len(rows))
    for part in row_blocks(len(rows), ROWS_AT_ONCE):
        units = units_of(rows, part, "x")
        sums = len(base) * constant + slope * (units @ first) + curve * ((units @ second) * units).sum(dim=1)
        depth[part] = LARGEST["chord"] - ((sums - itself) / (len(base) - same)).cpu().numpy()
    return depth


def _chord_fit(rows: Tensor, base: Tensor, *, same: bool) -> list[float]:
    """Least-squares coefficients of the chord on 1, c, c^2 over the pairs of up to 512 rows of each side."""
    left, right = (
        unit(part[torch.from_numpy(drawn(len(part), FIT_ROWS, 0)).to(part.device)].double()).to(rows.device)
        for part in (rows, base)
    )
    cosine = left @ right.T
    distinct = ~torch.eye(len(left), dtype=torch.bool, device=rows.device) if same else torch.ones_like(cosine).bool()
    powers = torch.stack([cosine[distinct] ** power for power in range(3)], dim=1).cpu().numpy()
    return np.linalg.lstsq(powers, _distances(left, right, "chord")[distinct].cpu().numpy())[0].tolist()


def _corpora(x: np.ndarray | Tensor, reference: np.ndarray | Tensor | None, *, least: int = 1) -> tuple[Tensor, Tensor]:
    rows = as_rows(x, least=1 if reference is not None else 2).detach()
    base = rows if reference is None else as_rows(reference, least=least, name="reference").detach()
    if base.shape[1] != rows.shape[1]:
        raise ValueError(f"x and reference must have as many columns, got {rows.shape[1]} and {base.shape[1]}")
    return rows, base


def _power_of_two(base: Tensor) -> float:
    """A power of two near the largest entry: dividing by it is exact and keeps fourth powers in range."""
    largest = max(float(base[part].abs().amax()) for part in row_blocks(len(base), ROWS_AT_ONCE))
    return math.ldexp(1.0, math.frexp(largest)[1] - 1)


def _covariance(base: Tensor, scale: float) -> tuple[Tensor, Tensor, Tensor, float]:
    """First row, mean less first row, covariance (divisor m), sum of the fourth powers of centred lengths."""
    shift, width = base[0].double() / scale, base.shape[1]
    mean = torch.zeros(width, dtype=torch.float64, device=base.device)
    for part in row_blocks(len(base), ROWS_AT_ONCE):
        mean += (base[part].double() / scale - shift).sum(dim=0)
    mean /= len(base)
    product, fourth = torch.zeros(width, width, dtype=torch.float64, device=base.device), 0.0
    for part in row_blocks(len(base), ROWS_AT_ONCE):
        apart = base[part].double() / scale - shift - mean
        product += apart.T @ apart
        fourth += float(apart.square().sum(dim=1).square().sum())
    return shift, mean, product / len(base), fourth


def _ledoit_wolf(covariance: Tensor, fourth: float, n: int) -> float:
    """Shrinkage in [0, 1] from sums, so that rows need not fit in memory: equal to scikit-learn's."""
    width = len(covariance)
    if width == 1:
        return 0.0  # one column is its own target
    square = float(covariance.square().sum())
    spread = square - float(covariance.trace()) ** 2 / width
    noise = min((fourth / n - square) / n, spread)
    return noise / spread if noise > 0 else 0.0
