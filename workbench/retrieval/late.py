"""Late interaction: a document's score is a sum over the query's tokens, each with its nearest token there."""

from collections.abc import Sequence

import torch
from torch import Tensor

from workbench.retrieval.hits import Hits, unique_ids
from workbench.retrieval.scoring import best_of
from workbench.tensors import row_blocks

__all__ = ["late_search", "max_sim"]


def max_sim(
    queries: Tensor, query_mask: Tensor, documents: Tensor, document_mask: Tensor, *, block: int | None = None
) -> Tensor:
    """Scores (n, m) of m documents for n queries: the mean over the query's tokens of the largest dot product.

    A mean where ColBERT has a sum, so that a query's length does not set the scale: with tokens of length 1 the scores
    are in [-1, 1], and the order of the documents is the same. Larger is nearer. Gradients reach both sides. The
    products of `block` documents are held at a time (None: of all), n x block x tokens x tokens numbers.

    Args:
        queries: token states (n, s, d).
        query_mask: (n, s), not 0 for a token.
        documents: token states (m, t, d).
        document_mask: (m, t).
        block: documents at a time.

    Raises:
        ValueError: states that are not 3-D of one width, a mask of another shape, a text without a token, or `block`
            below 1.

    Reference: Khattab and Zaharia 2020 (ColBERT), Eq. 3.
    """
    if queries.ndim != 3 or documents.ndim != 3 or queries.shape[2] != documents.shape[2]:
        raise ValueError(
            f"token states must be (n, s, d) and (m, t, d), got {tuple(queries.shape)} and {tuple(documents.shape)}"
        )
    asked, held = _checked(query_mask, queries, "query"), _checked(document_mask, documents, "document")
    if block is not None and block < 1:
        raise ValueError(f"block must be at least 1, got {block}")
    scores = []
    for part in row_blocks(len(documents), block or max(1, len(documents))):
        products = torch.einsum("nsd,mtd->nmst", queries, documents[part])
        best = products.masked_fill(~held[part][None, :, None, :], -torch.inf).amax(dim=3)
        scores.append((best * asked[:, None, :]).sum(dim=2) / asked.sum(dim=1)[:, None])
    return torch.cat(scores, dim=1) if scores else queries.new_zeros(len(queries), 0)


def late_search(
    queries: tuple[Tensor, Tensor],
    documents: tuple[Tensor, Tensor],
    k: int,
    *,
    ids: Sequence[str],
    names: Sequence[str],
    block: int = 128,
) -> Hits:
    """The `k` documents of the largest `max_sim` for each query, all compared; equal scores in the order of the corpus.

    Args:
        queries: states (n, s, d) and mask (n, s).
        documents: states (m, t, d) and mask (m, t).
        k: documents of a query.
        ids: ids of the queries.
        names: ids of the documents.
        block: documents at a time.

    Raises:
        ValueError: as `max_sim`, `k` outside 1..m, or another number of ids than texts, or one given twice.
    """
    asked, held = unique_ids(ids, "ids"), unique_ids(names, "names")
    if (len(asked), len(held)) != (len(queries[0]), len(documents[0])):
        raise ValueError(
            f"ids and names must name every text, got {len(asked)} and {len(held)} "
            f"for {len(queries[0])} and {len(documents[0])}"
        )
    if not 1 <= k <= len(held):
        raise ValueError(f"k must be at least 1 and at most m={len(held)}, got {k}")
    with torch.inference_mode():
        scores = max_sim(*queries, *documents, block=block).float().cpu()
        scores, found = best_of(scores, torch.arange(len(held)).expand(len(asked), -1), k)
    return Hits(asked, held, found.numpy(), scores.numpy())


def _checked(mask: Tensor, states: Tensor, name: str) -> Tensor:
    if mask.shape != states.shape[:2]:
        raise ValueError(f"the {name} mask must be of shape {tuple(states.shape[:2])}, got {tuple(mask.shape)}")
    kept = mask != 0
    if len(empty := torch.nonzero(~kept.any(dim=1))):
        raise ValueError(f"{name} {int(empty[0])} has no token")
    return kept
