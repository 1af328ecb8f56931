"""Hard negatives: windows of the nearest documents, or of those that share words, less the likely false ones."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from workbench.retrieval.bm25 import BM25
from workbench.retrieval.exact import search
from workbench.retrieval.scoring import Metric, pair_scores, prepared
from workbench.training.batches import checked_seed
from workbench.training.negatives import (
    Fill,
    Filler,
    Negatives,
    bounds,
    check_bounds,
    checked_places,
    chosen,
    listed_places,
)

__all__ = ["mine_lexical", "mine_negatives"]


def mine_negatives(
    queries: np.ndarray | Tensor,
    corpus: np.ndarray | Tensor,
    positives: Sequence | np.ndarray,
    *,
    count: int,
    first: int = 0,
    last: int = 100,
    margin: float | None = None,
    relative: float | None = None,
    sample: bool = False,
    fill: Fill | str | None = None,
    metric: Metric | str = "cosine",
    seed: int = 0,
) -> Negatives:
    """`count` near documents of each query that are not its positives, from a window of its exact list of neighbours.

    The window is ranks `first` to `last` - 1 (from 0) of the list of (m, d) `corpus` without the positives. With a
    margin, candidates are left out that score above (lowest positive) - `margin`, or above (lowest positive) - |lowest
    positive| (1 - `relative`), which for a positive score is `relative` times it: they are likely false negatives. A
    text that stands in the corpus twice ties with its copy: a small margin leaves it out, none does not.

    Args:
        queries: (n, d).
        corpus: (m, d); may be a memory map.
        positives: for each query the places of its positives in the corpus; an array (n,) is one each.
        count: negatives of a query, at least 1.
        first: ranks that are passed over.
        last: end of the window; of a smaller corpus the window is all there is.
        margin: absolute margin, in units of the score; None: no such bound.
        relative: share of the positive's score, in (0, 1]; None: no such bound.
        sample: draws from the window, each candidate with the same chance, instead of taking the nearest.
        fill: for a query with too few candidates: None refuses, "random" takes others of the corpus (outside the first
            `last` ranks; they are not compared with the bound), "leave" leaves -1.
        metric: as `retrieval.search`; the cosine, the inner product, or minus the Euclidean distance.
        seed: of what is drawn; the draws of a query do not depend on the other queries.

    Raises:
        TypeError, ValueError: vectors as refused by `retrieval.search`; places that are no integers in 0..m - 1, not
            one list per query, or empty where a bound needs a score; `count`, `first`, `last`, `relative` or `fill` out
            of range, a margin that is not finite, a negative seed; a query with too few candidates, named.

    Reference: windows: Xiong et al. 2021, Qu et al. 2021; positive-aware bounds: Moreira et al. 2024 (NV-Retriever,
    "TopK-MarginPos" and "TopK-PercPos"). The lowest positive bounds as in sentence-transformers.
    """
    _check_window(count, first, last, fill)
    checked_seed(seed)
    check_bounds(margin, relative)
    known = checked_places(positives, len(queries), len(corpus), "positives")
    most = max(map(len, known), default=0)
    found, scores = search(queries, corpus, min(len(corpus), last + most), metric=metric)
    bound = np.full(len(found), np.inf)
    if margin is not None or relative is not None:
        bound = bounds(_lowest(queries, corpus, known, metric), margin, relative)
    window, near = _window(found, scores, known, first, last)
    avoid = found if fill == "random" else None
    return chosen(window, near, bound, count, sample, seed, Filler(fill, len(corpus), known, avoid))


def mine_lexical(
    queries: Sequence[str],
    corpus: Sequence[str],
    positives: Sequence | np.ndarray,
    *,
    count: int,
    first: int = 0,
    last: int = 100,
    sample: bool = False,
    fill: Fill | str | None = None,
    seed: int = 0,
) -> Negatives:
    """`count` documents that share words with each query and are not its positives: a window of its list by BM25.

    Window, `positives`, `sample`, `fill` and `seed` as in `mine_negatives`; documents without a word of the query are
    no candidates. Scores are BM25's (`retrieval.BM25` with its defaults) and know nothing of meaning: to leave out
    likely false negatives give the places found to `denoise` with the scores of a guide.

    Raises:
        TypeError, ValueError: as `mine_negatives` and `retrieval.BM25.build`.

    Reference: Karpukhin et al. 2020 (DPR).
    """
    _check_window(count, first, last, fill)
    checked_seed(seed)
    known = checked_places(positives, len(queries), len(corpus), "positives")
    most = max(map(len, known), default=0)
    index = BM25.build({str(i): text for i, text in enumerate(corpus)})
    hits = index.search({str(i): text for i, text in enumerate(queries)}, min(len(corpus), last + most))
    window, near = _window(hits.indices, hits.scores, known, first, last)
    bound = np.full(len(known), np.inf)
    return chosen(window, near, bound, count, sample, seed, Filler(fill, len(corpus), known, hits.indices))


def _window(
    found: np.ndarray, scores: np.ndarray, known: list[np.ndarray], first: int, last: int
) -> tuple[np.ndarray, np.ndarray]:
    """Places and scores at ranks first..last - 1 of each list without its positives; -1 where it ends sooner."""
    gone = listed_places(found, known) | (found < 0)
    order = np.argsort(gone, axis=1, kind="stable")[:, first:last]
    kept = ~np.take_along_axis(gone, order, 1)
    return np.where(kept, np.take_along_axis(found, order, 1), -1), np.take_along_axis(scores, order, 1)


def _lowest(
    queries: np.ndarray | Tensor, corpus: np.ndarray | Tensor, known: list[np.ndarray], metric: str
) -> np.ndarray:
    """The lowest score of each query's positives, summed as `search` sums."""
    device = corpus.device if isinstance(corpus, Tensor) else torch.device("cpu")
    lowest = np.full(len(known), np.inf, dtype=np.float32)
    asked = prepared(queries, 0, metric, "queries", device)
    for many in {len(places) for places in known}:
        rows = [row for row, places in enumerate(known) if len(places) == many]
        if many == 0:
            raise ValueError(f"query {rows[0]} has no positive, whose score a margin needs")
        part = type(asked)(0, asked.rows[rows], asked.ready[rows], asked.lengths[rows])
        places = torch.from_numpy(np.stack([known[row] for row in rows])).to(device)
        lowest[rows] = pair_scores(part, corpus, places, metric).amin(dim=1).cpu().numpy()
    return lowest


def _check_window(count: int, first: int, last: int, fill: str | None) -> None:
    if not 0 <= first < last:
        raise ValueError(f"first must be at least 0 and below last, got first={first}, last={last}")
    if not 1 <= count <= last - first:
        raise ValueError(f"count must be at least 1 and at most last - first = {last - first}, got {count}")
    if fill not in (None, "random", "leave"):
        raise ValueError(f"fill must be None, 'random' or 'leave', got {fill!r}")
