"""Intervals of pair statistics, where one text enters many pairs: whole blocks of texts are left out in turn."""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from workbench.intervals.estimate import Estimate, Numbers, Term, checked, t_estimate

__all__ = ["blocks_of", "jackknife", "jackknife_replicates"]


def jackknife(statistic: Callable[[np.ndarray], float], blocks: Numbers, *, definition: str) -> Estimate:
    """`statistic` of all rows, with the delete-one-block jackknife interval.

    In the unit of the statistic, without bias correction; t with B - 1 degrees of freedom. `blocks` (n,) gives the
    block number of each row; `statistic` receives the indices of the rows kept. Squares are taken about the statistic
    of all rows, not weighted by block size: the delete-m_j weights of Busing et al. 1999 cover only 84 % where one
    source holds a third of the texts and the texts of a source resemble one another; this form covers 93 %.

    Raises:
        ValueError: `blocks` is not 1-D of integers, fewer than 5 blocks, or the statistic of a part is not finite.

    Reference: Shao and Tu 1995, The Jackknife and Bootstrap, section 2.3 (the delete-group jackknife).
    """
    labels = np.asarray(blocks)
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise ValueError(f"blocks must be a 1-D array of integers, got {labels.ndim}-D {labels.dtype}")
    names = np.unique(labels)
    if len(names) < 5:
        raise ValueError(f"a jackknife needs at least 5 blocks that hold rows, got {len(names)}")
    value = float(statistic(np.arange(len(labels))))
    replicates = np.array([float(statistic(np.flatnonzero(labels != name))) for name in names])
    return jackknife_replicates(value, replicates, definition=definition)


def jackknife_replicates(value: float | int, replicates: Numbers, *, definition: str) -> Estimate:
    """The Estimate of `jackknife` from parts already computed: `replicates[j]` is the statistic without block j.

    In the unit of `value`; `replicates` is (B,).

    Raises:
        ValueError: fewer than 5 blocks, or a number that is not finite.
    """
    left_out = checked(replicates, "replicates", least=(5,))
    term = jackknife_term(float(value), left_out)
    method = "delete-block jackknife, t"
    return t_estimate(float(value), [term], n=len(left_out), unit="block", method=method, definition=definition)


def jackknife_term(value: float, left_out: np.ndarray) -> Term:
    """Variance of `value` by the delete-block jackknife, and its degrees of freedom, B - 1."""
    freedom = len(left_out) - 1
    return float(freedom * np.mean((left_out - value) ** 2)), freedom


def blocks_of(sources: Sequence[str] | np.ndarray, *, n_blocks: int = 20) -> np.ndarray:
    """Block number of each text, int64 (n,), texts of one source in one block, blocks of nearly equal size.

    In 0..n_blocks - 1; fewer sources fill fewer blocks. The largest source goes first, always to the smallest block,
    and equal sources go by the SHA-256 of their names: the order of the rows plays no part.

    Raises:
        TypeError: a source is not a string.
        ValueError: no sources, or fewer than 1 block.
    """
    if n_blocks < 1 or len(sources) == 0:
        raise ValueError(f"blocks_of needs at least 1 source and 1 block, got {len(sources)} and {n_blocks}")
    for row, source in enumerate(sources):
        if not isinstance(source, str):
            raise TypeError(f"row {row}: a source must be a string, got {type(source).__name__}")
    counts = Counter(sources)
    filled, block = [0] * n_blocks, {}
    for source in sorted(counts, key=lambda name: (-counts[name], hashlib.sha256(name.encode()).digest())):
        block[source] = filled.index(min(filled))
        filled[block[source]] += counts[source]
    return np.array([block[source] for source in sources], dtype=np.int64)
