"""Batches of queries with a negative each, drawn or by locality: neighbours in one batch are hard for each other."""

from collections import deque

import numpy as np

from workbench.training.batches import checked_seed

__all__ = ["local_order", "negative_batches"]


def negative_batches(
    near: np.ndarray, *, size: int, count: int, seed: int, far: np.ndarray | None = None, walk: bool = True
) -> list[tuple[np.ndarray, np.ndarray]]:
    """`count` batches of `size` queries, int64 (size,), and a negative of each, int64 (size,).

    Passes over all queries: each draws a new order and, for every query, one of its `near` documents. With `far` the
    order of a pass is that of `local_order`. Queries that fill no batch are left out of that pass. Equal seeds draw the
    same orders, whatever stands in `near`.

    Args:
        near: integers (q, a), candidates of each query, its positives left out.
        size: queries of a batch, 1 to q.
        count: batches in all.
        seed: of all that is drawn.
        far: integers (q, b), candidates at the ranks behind; None: orders are drawn.
        walk: as in `local_order`.

    Raises:
        TypeError, ValueError: as in `local_order`, `size` outside 1..q, or `count` below 1.
    """
    n, made = _checked(near, near if far is None else far), []
    if not 1 <= size <= n or count < 1:
        raise ValueError(f"size must lie in 1..{n} and count be at least 1, got size={size}, count={count}")
    for turn in range(-(-count // (n // size))):
        rng = np.random.default_rng((checked_seed(seed), turn))
        if far is None:
            order, columns = rng.permutation(n), rng.integers(near.shape[1], size=n)
            negatives = near[order, columns].astype(np.int64)
        else:
            order, negatives = local_order(near, far, seed=int(rng.integers(2**31)), walk=walk)
        starts = range(0, n - size + 1, size)
        made += [(order[start : start + size], negatives[start : start + size]) for start in starts]
    return made[:count]


def local_order(near: np.ndarray, far: np.ndarray, *, seed: int, walk: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """All queries in an order of neighbours, int64 (q,), and the negative that each met, int64 (q,).

    From a query, one of its `near` candidates is drawn, its negative; the unseen queries that have this document among
    their `far` candidates are linked to it and wait, in a drawn order. The next query is the one that waits last (a
    walk) or first (a snowball); where none waits, an unseen one is drawn. Batches are runs of this order.

    Args:
        near: integers (q, a), documents at the first ranks of each query's list, its positives left out.
        far: integers (q, b), documents at the ranks behind.
        seed: of all that is drawn.
        walk: last in, first out; otherwise first in, first out.

    Raises:
        TypeError: candidates that are no integers.
        ValueError: not 2-D, no candidates, unequal numbers of queries, a negative document or seed.

    Reference: Xiao et al. 2022 (BiDR), locality-centric sampling, as in their repository.
    """
    rng, n = np.random.default_rng(checked_seed(seed)), _checked(near, far)
    links: dict[int, list[int]] = {}
    for query, documents in enumerate(far.tolist()):
        for document in dict.fromkeys(documents):
            links.setdefault(document, []).append(query)
    fresh, waiting, seen = rng.permutation(n).tolist(), deque[int](), np.zeros(n, dtype=bool)
    order, negatives = [], []
    while len(order) < n:
        query = (waiting.pop if walk else waiting.popleft)() if waiting else fresh.pop()
        if seen[query]:
            continue
        seen[query] = True
        negative = int(near[query, rng.integers(near.shape[1])])
        order.append(query)
        negatives.append(negative)
        linked = rng.permutation(np.array(links.get(negative, []), dtype=np.int64))
        waiting.extend(other for other in linked.tolist() if not seen[other])
    return np.array(order, dtype=np.int64), np.array(negatives, dtype=np.int64)


def _checked(near: np.ndarray, far: np.ndarray) -> int:
    for name, candidates in (("near", near), ("far", far)):
        if not isinstance(candidates, np.ndarray) or candidates.dtype.kind not in "iu":
            raise TypeError(
                f"{name} must be an array of integers, got {getattr(candidates, 'dtype', type(candidates))}"
            )
        if candidates.ndim != 2 or candidates.size == 0:
            raise ValueError(f"{name} must be (queries, candidates), one or more each, got shape {candidates.shape}")
        if candidates.min() < 0:
            row = int((candidates < 0).any(axis=1).argmax())
            raise ValueError(f"{name}: query {row} has a negative document number")
    if len(near) != len(far):
        raise ValueError(f"near and far must have as many queries, got {len(near)} and {len(far)}")
    return len(near)
