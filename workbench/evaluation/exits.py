"""One encoder, many models: how well cosines rank pairs after every layer, at every leading size."""

from collections.abc import Sequence
from typing import Protocol, no_type_check, runtime_checkable

import numpy as np
from scipy.stats import rankdata

from workbench.corpora import Pairs
from workbench.intervals import Estimate, blocks_of, jackknife_replicates, seed_block_interval

__all__ = ["Layered", "exit_scores", "parts_interval"]


@runtime_checkable
class Layered(Protocol):
    """Whatever gives the pooled rows of texts after each of its layers."""

    def hidden_states(self, texts: Sequence[str], *, layers: Sequence[int] | None = None) -> np.ndarray:
        """Rows (layers, n, d), layer 0 the output of the embeddings; None takes all layers."""
        ...


@no_type_check  # checked by hand, so that the message says what is wrong
def exit_scores(
    encoder: Layered,
    pairs: Pairs,
    *,
    sizes: Sequence[int],
    layers: Sequence[int] | None = None,
    blocks: np.ndarray | None = None,
) -> np.ndarray:
    """Spearman correlation of cosine with human scores at each exit, float64 (layers, sizes, 1 + B), in [-1, 1].

    An exit is a layer and a number of leading dimensions: rows are pooled after the layer, cut, and then compared by
    cosine. Every distinct text is encoded once for all exits. On the last axis, entry 0 is of all pairs and entry 1 + j
    of all but those of block j, so that whatever is computed from these arrays along that axis (a difference of two
    models, a mean over exits, a share kept) is at once computed for the jackknife of `parts_interval`.

    Args:
        encoder: encoded afresh, without a store: it may have been trained since.
        pairs: 20 pairs or more.
        sizes: leading dimensions, each from 1 to the width of the rows.
        layers: 0 is the output of the embeddings; None takes all.
        blocks: block number of each pair; None: 20 blocks, pairs that share their left text in one.

    Raises:
        ValueError: fewer than 20 pairs, scores that are all equal, a size out of range or listed twice, blocks of
            another number or fewer than 5 of them, or an exit that gives all pairs one cosine.
    """
    gold = np.asarray(pairs.scores, dtype=np.float64)
    if len(gold) < 20 or np.ptp(gold) == 0:
        raise ValueError(f"a correlation needs 20 pairs or more whose scores differ, got {len(gold)}")
    labels = blocks_of(pairs.left) if blocks is None else np.asarray(blocks)
    names = np.unique(labels)
    if labels.shape != gold.shape or len(names) < 5:
        raise ValueError(f"blocks must be {len(gold)} numbers, 5 of them or more, got {labels.shape}, {len(names)}")
    cosines = _cosines(encoder, pairs, list(sizes), layers)
    kept = [np.arange(len(gold)), *(np.flatnonzero(labels != name) for name in names)]
    return np.stack([_spearman(cosines[..., rows], gold[rows]) for rows in kept], axis=-1)


def parts_interval(parts: np.ndarray, *, definition: str) -> Estimate:
    """The Estimate of a statistic that is known whole and without each block: `parts` (1 + B,) or (seeds, 1 + B).

    In the unit of the statistic. With 3 seeds or more the interval covers other seeds and other texts; of one or two
    seeds it holds the blocks' part alone, and the definition says so.

    Raises:
        ValueError: another shape, fewer than 5 blocks, or a number that is not finite.
    """
    rows = np.atleast_2d(np.asarray(parts, dtype=np.float64))
    if rows.ndim != 2 or rows.shape[1] < 6:
        raise ValueError(f"parts must be (1 + B,) or (seeds, 1 + B) with 5 blocks or more, got {np.shape(parts)}")
    if len(rows) >= 3:
        return seed_block_interval(rows[:, 0], rows[:, 1:], definition=definition)
    mean = rows.mean(axis=0)
    return jackknife_replicates(float(mean[0]), mean[1:], definition=f"{definition}; between texts alone")


def _cosines(encoder: Layered, pairs: Pairs, sizes: list[int], layers: Sequence[int] | None) -> np.ndarray:
    """Cosine of each pair at each exit, (layers, sizes, n)."""
    place = {text: i for i, text in enumerate(dict.fromkeys([*pairs.left, *pairs.right]))}
    states = encoder.hidden_states(list(place), layers=layers)
    width = states.shape[-1]
    if not sizes or len(set(sizes)) < len(sizes) or not all(1 <= size <= width for size in sizes):
        raise ValueError(f"sizes must lie in 1..{width}, each listed once, got {sizes}")
    left, right = ([place[text] for text in side] for side in (pairs.left, pairs.right))
    last = [size - 1 for size in sizes]
    found = []
    for rows in states.astype(np.float64):
        a, b = rows[left], rows[right]
        dots, squares = np.cumsum(a * b, axis=1)[:, last], np.cumsum(rows**2, axis=1)[:, last]
        found.append((dots / np.sqrt(squares[left] * squares[right])).T)
    cosines = np.stack(found)
    # rounding alone may tell apart what is one cosine
    flat = np.argwhere(~(np.ptp(cosines, axis=-1) > 1e-12))
    if len(flat):
        at = (range(len(states)) if layers is None else list(layers))[flat[0, 0]], sizes[flat[0, 1]]
        raise ValueError(f"exit {at}: all pairs have one cosine, or a cut row is zero: nothing to rank")
    return cosines


def _spearman(cosines: np.ndarray, gold: np.ndarray) -> np.ndarray:
    ranks, wanted = rankdata(cosines, axis=-1), rankdata(gold)
    ranks, wanted = ranks - ranks.mean(axis=-1, keepdims=True), wanted - wanted.mean()
    return ranks @ wanted / np.sqrt((ranks**2).sum(axis=-1) * (wanted**2).sum())
