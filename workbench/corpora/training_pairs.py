"""Pairs of texts that belong together, for contrastive training: from judged pairs, and from a retrieval set."""

import dataclasses
import hashlib
from collections.abc import Sequence

import numpy as np

from workbench.corpora.base import Source
from workbench.corpora.records import Pairs, Retrieval

__all__ = ["answered_pairs", "joined_pairs"]


def joined_pairs(sets: Sequence[Pairs], *, without: Sequence[Pairs] = ()) -> Pairs:
    """The rows of all `sets`, one after another, less those with a text that a set in `without` holds on either side.

    Equality of texts is exact. Scores stay in the scale of each set. Column "set" names the set of a row; further
    columns are dropped.

    Raises:
        ValueError: no sets, or no row is left.
    """
    held = {text for some in without for text in (*some.left, *some.right)}
    rows = [
        (left, right, score, some.source.name)
        for some in sets
        for left, right, score in zip(some.left, some.right, some.scores, strict=True)
        if left not in held and right not in held
    ]
    if not rows:
        raise ValueError(f"no row of {len(sets)} sets is left after {len(held)} texts are left out")
    left, right, scores, names = zip(*rows, strict=True)
    kinds = {some.source.kind for some in sets}
    name = " and ".join(dict.fromkeys(some.source.name for some in sets))
    licence = "; ".join(dict.fromkeys(some.source.licence for some in sets))
    key = hashlib.sha256("\x1f".join(map(str, (*left, *right))).encode("utf-8", "surrogatepass")).hexdigest()
    source = Source(name, kinds.pop() if len(kinds) == 1 else "made", licence, "rows of these sets", key)
    return Pairs(left, right, np.array(scores), {"set": names}, source=source)


def answered_pairs(data: Retrieval) -> Pairs:
    """Each query of `data` (left) with each document that is relevant to it (right); the score is the relevance.

    In the order of the queries, then of their judgements. Columns "query" and "document" hold the ids.

    Raises:
        ValueError: no query has a relevant document.
    """
    ids = [(q, d, grade) for q in data.queries for d, grade in data.qrels.get(q, {}).items() if grade > 0]
    if not ids:
        raise ValueError(f"{data.source.name}: none of {len(data.queries)} queries has a relevant document")
    queries, documents, grades = zip(*ids, strict=True)
    left, right = [data.queries[q] for q in queries], [data.documents[d] for d in documents]
    source = dataclasses.replace(data.source, name=f"{data.source.name} answered")
    return Pairs(left, right, np.array(grades, dtype=float), {"query": queries, "document": documents}, source=source)
