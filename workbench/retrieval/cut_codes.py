"""Short codes cut out of vectors that were made without them."""

from typing import Literal

import numpy as np

__all__ = ["cut_codes"]


def cut_codes(
    vectors: np.ndarray,
    *,
    learned: np.ndarray,
    bits: int,
    how: Literal["planes", "axes", "columns"] | str,
    seed: int = 0,
) -> np.ndarray:
    """Codes of `vectors` (n, d), bool (n, bits), by a rule that `learned` (m, d) sets.

    Args:
        vectors: what is coded.
        learned: vectors that the mean, the axes and the medians are taken of; as a rule those of training texts.
        bits: length of a code.
        how: "planes": the side of each of `bits` random planes through the mean of `learned` (locality-sensitive
            hashing); "axes": whether a coordinate on one of the first principal axes is above its median; "columns":
            the same of the first columns.
        seed: of the planes.

    Raises:
        ValueError: not 2-D finite floats of one width, `bits` below 1, another `how`, more columns than there are, or
            more axes than columns or rows of `learned`.

    Reference: Charikar 2002 (random planes).
    """
    x, base = (np.asarray(rows, dtype=np.float64) for rows in (vectors, learned))
    finite = np.isfinite(x).all() and np.isfinite(base).all()
    if x.ndim != 2 or base.ndim != 2 or x.shape[1] != base.shape[1] or not finite:
        raise ValueError(f"vectors and learned must be finite and of one width, got {x.shape} and {base.shape}")
    most = {"planes": bits, "axes": min(base.shape), "columns": x.shape[1]}
    if how not in most or not 1 <= bits <= most[how]:
        raise ValueError(f"how is one of {', '.join(most)}, bits 1 to {most.get(how, 'any')}, got {how!r} and {bits}")
    mean = base.mean(axis=0)
    if how == "planes":
        return (x - mean) @ np.random.default_rng(seed).normal(size=(x.shape[1], bits)) > 0
    turn = np.eye(x.shape[1]) if how == "columns" else np.linalg.svd(base - mean, full_matrices=False)[2].T
    return x @ turn[:, :bits] > np.median(base @ turn[:, :bits], axis=0)
