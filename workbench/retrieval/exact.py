"""The nearest documents of every query, exactly: blocks of the corpus pass by, from memory, a disk or a GPU."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from workbench.retrieval.scoring import (
    Metric,
    Rows,
    best_of,
    check_metric,
    checked_shape,
    pair_scores,
    prepared,
    prepared_blocks,
)
from workbench.tensors import row_blocks

__all__ = ["search"]

BLOCK_NUMBERS = 2**24  # numbers of the corpus held at a time: 64 MiB in float32
LIST_NUMBERS = 2**21  # candidates of all queries held at a time
MARGIN = 16  # candidates of a block beyond k: room for what rounding puts in the wrong order


def search(
    queries: np.ndarray | Tensor,
    documents: np.ndarray | Tensor,
    k: int,
    *,
    metric: Metric | str = "cosine",
    block: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """The `k` nearest of `documents` (n, d) for each of `queries` (m, d): indices (m, k) and similarities (m, k).

    Indices are int64, similarities float32, nearest first: the cosine, the inner product, or minus the Euclidean
    distance. Equal similarities go to the lower index. Rows count as float32. Candidates are found by products in
    float32 (distances: float64) and scored anew by sums in float64 that are rounded to float32; where rounding could
    have hidden a document, more candidates are taken, so the answer depends neither on `block` nor on the device.

    `documents` may be a memory map larger than memory: it is read from front to back, `block` rows at a time (None: 64
    MiB). Tensors on a GPU are searched there.

    Raises:
        TypeError: neither an array nor a tensor.
        ValueError: not 2-D floats, no rows, unequal widths, an unknown metric, `k` outside 1..n, `block` below 1, a row
            that is not finite in float32, is zero (cosine), or is longer than 1e18 (inner product); named by its
            number.
    """
    check_metric(metric)
    n, width = checked_shape(documents, "documents")
    if checked_shape(queries, "queries")[1] != width:
        raise ValueError(f"queries must have {width} columns as the documents have, got {queries.shape[1]}")
    if not 1 <= k <= n:
        raise ValueError(f"k must be at least 1 and at most n={n}, got {k}")
    if block is not None and block < 1:
        raise ValueError(f"block must be at least 1, got {block}")
    size = min(n, block or max(1, BLOCK_NUMBERS // width))
    device = documents.device if isinstance(documents, Tensor) else torch.device("cpu")
    asked = prepared(queries, 0, metric, "queries", device)
    scores = torch.empty(len(queries), k, device=device)
    indices = torch.empty(len(queries), k, dtype=torch.int64, device=device)
    left, most = torch.arange(len(queries), device=device), min(n, k + MARGIN)
    while len(left) > 0:
        unsure = []
        for few in left.split(max(1, LIST_NUMBERS // most)):
            part = _taken(asked, few)
            rough, found, longest = _candidates(part, prepared_blocks(documents, size, metric, device), most, metric)
            values = pair_scores(part, documents, found, metric)
            scores[few], indices[few] = best_of(values, found, k)
            least, slack = _least(scores[few], part, longest, metric)
            unsure.append(few[least <= rough + slack])
        # with every document a candidate there is nothing left to be unsure of
        left, most = torch.cat(unsure) if most < n else left[:0], min(n, 16 * most)
    return indices.cpu().numpy(), scores.cpu().numpy()


def _taken(x: Rows, few: Tensor) -> Rows:
    return x if len(few) == len(x.rows) else Rows(x.start, x.rows[few], x.ready[few], x.lengths[few])


def _candidates(asked: Rows, blocks: Iterator[Rows], most: int, metric: str) -> tuple[Tensor, Tensor, float]:
    """Documents (m, most) of the largest products; the last product; the longest document."""
    rough = asked.ready.new_full((len(asked.rows), most), -torch.inf)
    found = rough.new_zeros(rough.shape, dtype=torch.int64)
    longest = 0.0
    for block in blocks:
        longest = max(longest, float(block.lengths.max()))
        values, places = _near(asked, block, min(most, len(block.rows)), metric)
        rough, order = torch.cat([rough, values], 1).topk(most, dim=1)
        found = torch.cat([found, places + block.start], 1).gather(1, order)
    return rough[:, -1].double(), found, longest


def _near(asked: Rows, block: Rows, most: int, metric: str) -> tuple[Tensor, Tensor]:
    """The `most` largest products of each row with the block, largest first, and their places."""
    if asked.ready.dtype == torch.float32 and asked.ready.device.type == "cpu":
        import faiss

        # a product with rows of both in the cache and a running selection: faster than product, then selection
        rough, found = faiss.knn(asked.ready.numpy(), block.ready.numpy(), most, metric=faiss.METRIC_INNER_PRODUCT)
        return torch.from_numpy(rough), torch.from_numpy(found)
    parts = []
    for part in row_blocks(len(asked.rows), max(1, 2 * BLOCK_NUMBERS // len(block.rows))):
        product = asked.ready[part] @ block.ready.T
        if metric == "euclidean":
            product = product.mul_(2).sub_(block.lengths.square()).sub_(asked.lengths[part].square()[:, None])
        parts.append(product.topk(most, dim=1))
    return torch.cat([p.values for p in parts]), torch.cat([p.indices for p in parts])


def _least(scores: Tensor, asked: Rows, longest: float, metric: str) -> tuple[Tensor, Tensor]:
    """The last score of each list on the scale of the products, and how far rounding can move a product there.

    A sum of d products errs by at most d unit roundoffs times both lengths (Higham 2002, section 3.5); as many again
    are for lengths in float32, 8 for what the factors and the scores were rounded by.
    """
    least = scores[:, -1].double()
    if metric == "cosine":
        scale = torch.ones_like(asked.lengths)
    elif metric == "dot":
        scale = asked.lengths * longest
    else:
        least, scale = -least.square(), (asked.lengths + longest).square()
    roundoff = 2.0**-53 if asked.ready.dtype == torch.float64 else 2.0**-24
    return least, (2 * asked.rows.shape[1] + 8) * roundoff * scale + 2.0**-22 * least.abs() + 1e-37
