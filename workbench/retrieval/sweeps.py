"""What smaller and faster indexes lose: recall of the exact answer at rising cost."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from workbench.retrieval.dense import DenseIndex
from workbench.retrieval.inverted import IVFIndex
from workbench.retrieval.quantised import PQIndex, recall_against

__all__ = ["Sweep", "sweep_codes", "sweep_lists"]


class Sweep(NamedTuple):
    """Recall at each setting: `cost` (settings,), `recall` (settings, queries) in [0, 1]."""

    cost: np.ndarray
    recall: np.ndarray


def sweep_lists(
    vectors: np.ndarray,
    queries: np.ndarray,
    *,
    lists: int = 64,
    probes: Sequence[int] = (1, 2, 4, 8, 16, 32),
    k: int = 10,
    seed: int = 0,
) -> Sweep:
    """Share of the exact `k` nearest of `vectors` (n, d) that `IVFIndex` finds for each of `queries` (m, d).

    One setting for each number of `probes`; its cost is the share of the n comparisons of an exact search, centres
    included. By the cosine.

    Raises:
        TypeError, ValueError: as `IVFIndex`.
    """
    names = [str(i) for i in range(len(vectors))]
    exact = DenseIndex(tuple(names), vectors).search(queries, k)
    index = IVFIndex.build(names, vectors, lists=lists, seed=seed)
    recall = [recall_against(exact, index.search(queries, k, probes=p)) for p in probes]
    return Sweep(np.array([index.compared(queries, probes=p).mean() for p in probes]), np.array(recall))


def sweep_codes(
    vectors: np.ndarray,
    queries: np.ndarray,
    *,
    shares: Sequence[float] = (1 / 64, 1 / 32, 1 / 16, 1 / 8),
    k: int = 10,
    seed: int = 0,
) -> Sweep:
    """Share of the exact `k` nearest of `vectors` (n, d) that the codes of `PQIndex` find for each of `queries` (m, d).

    One setting for each of `shares`, the memory of the codes (8 bits each, unrotated) over that of float32 vectors; the
    cost is that share. Candidates are not scored anew by the vectors themselves, which would have to be kept. By the
    cosine.

    Raises:
        TypeError, ValueError: as `PQIndex.build`, or a share of the 4 d bytes that is no whole number of codes.
    """
    names, width = [str(i) for i in range(len(vectors))], vectors.shape[1]
    codes = [4 * width * share for share in shares]
    if wrong := [share for share, m in zip(shares, codes, strict=True) if m != int(m) or m < 1]:
        raise ValueError(f"a share of {4 * width} bytes must be a whole number of codes, got {wrong[0]}")
    exact = DenseIndex(tuple(names), vectors).search(queries, k)
    built = [PQIndex.build(names, vectors, m=int(m), rotate=False, seed=seed) for m in codes]
    recall = [recall_against(exact, index.search(queries, k, rescore=0)) for index in built]
    return Sweep(np.array(shares, dtype=np.float64), np.array(recall))
