"""BM25 over several fields, each with statistics of its own."""

from collections.abc import Mapping, Sequence

from workbench.retrieval.bm25 import BM25
from workbench.retrieval.fusion import fuse
from workbench.retrieval.hits import Hits

__all__ = ["search_fields"]


def search_fields(
    fields: Sequence[BM25], queries: Mapping[str, str], k: int, *, weights: Sequence[float] | None = None
) -> Hits:
    """The `k` best documents of each query (id -> text) by the weighted sum of their BM25 scores in several fields.

    Each field is an index of the same documents with its own mean length and document frequencies, as in Anserini's
    multifield runs; summing the fields of one shared index is another model. `weights` are one number per field, None
    for 1 each. A document without a word of the query in any field is no hit.

    Raises:
        ValueError: no fields, fields of other documents, `k` outside 1..n documents, or weights that are not one
            finite number per field and not negative.
    """
    if not fields:
        raise ValueError("search_fields needs at least 1 field, got none")
    # every document with a score: a list cut at k could miss one that is middling in both fields
    runs = [field.search(queries, len(field.documents)) for field in fields]
    return fuse(runs, how="raw", weights=weights, k=k)
