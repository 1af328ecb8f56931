"""A retrieval set with fewer documents: chosen ones, or the relevant ones and others at random."""

import dataclasses
import hashlib
from collections.abc import Collection

from workbench.corpora.records import Retrieval

__all__ = ["relevant_documents", "sampled_corpus", "with_documents"]


def relevant_documents(data: Retrieval) -> set[str]:
    """Ids of the documents that some query judges relevant (above 0)."""
    return {document for judged in data.qrels.values() for document, grade in judged.items() if grade > 0}


def with_documents(data: Retrieval, chosen: Collection[str]) -> Retrieval:
    """`data` with the chosen documents alone, in their order; queries stay, judgements of other documents go.

    Raises:
        ValueError: an id that is no document, or no ids.
    """
    kept = set(chosen)
    if unknown := kept - data.documents.keys():
        raise ValueError(f"{data.source.name} has no document {min(unknown)!r}")
    if not kept:
        raise ValueError(f"{data.source.name}: a corpus needs at least 1 document, none is chosen")
    rows = [row for row, document in enumerate(data.documents) if document in kept]
    judged = {query: {d: grade for d, grade in grades.items() if d in kept} for query, grades in data.qrels.items()}
    return dataclasses.replace(
        data,
        documents={document: text for document, text in data.documents.items() if document in kept},
        qrels=judged,
        candidates=data.candidates and {q: [d for d in ids if d in kept] for q, ids in data.candidates.items()},
        document_columns={name: tuple(values[row] for row in rows) for name, values in data.document_columns.items()},
    )


def sampled_corpus(data: Retrieval, *, n: int, seed: int) -> Retrieval:
    """`data` with all its relevant documents and others at random, `n` in all.

    The others are drawn without replacement by a seeded hash of their id: of one seed the smaller corpus lies in the
    larger one. Queries stay, judgements of documents that are gone go.

    Raises:
        ValueError: `n` below the number of relevant documents, or above that of all.
    """
    relevant = relevant_documents(data)
    if not max(1, len(relevant)) <= n <= len(data.documents):
        raise ValueError(f"n must lie between {len(relevant)} relevant and {len(data.documents)} documents, got {n}")

    def place(document: str) -> bytes:
        return hashlib.blake2b(document.encode("utf-8", "surrogatepass"), key=str(seed).encode()).digest()

    others = sorted((document for document in data.documents if document not in relevant), key=place)
    return with_documents(data, relevant | set(others[: n - len(relevant)]))
