"""A retrieval or reranking set from the hub, in the form of mteb: documents, queries, judgements, candidates."""

import dataclasses
from pathlib import Path
from typing import Any

from workbench.corpora.base import Source
from workbench.corpora.hub_rows import configurations, read_split, stated_rows, texts
from workbench.corpora.pin import Pinned
from workbench.corpora.records import Retrieval

__all__ = ["load_judged_set"]

Qrels = dict[str, dict[str, int]]


def load_judged_set(folder: Path, pinned: Pinned, source: Source) -> Retrieval:
    """The queries of one split that have a judgement, with every document; None takes the first pinned split.

    The text of a document is its title, one space, its text (the text alone without one).

    Raises:
        ValueError: a configuration, split or column is missing, a file is torn, a text is null, an id is there
            twice, a relevance is no whole number, a judgement names what is not there, or a number of rows is
            not the pinned one.
    """
    split = source.split or next(iter(pinned.rows))
    source = dataclasses.replace(source, split=split)
    where, there = source.name, configurations(source.name, folder)
    judgements = "default" if "default" in there else "qrels"  # in mteb's order
    qrels = _judgements(f"{where}: {judgements}", read_split(where, folder, judgements, split))
    documents, document_columns = _documents(where, folder, split)
    queries, columns = _queries(where, folder, split, "query" if "query" in there else "queries", qrels)
    first = split == next(iter(pinned.rows))
    qrels, absent = _present(qrels, documents) if first and pinned.absent else (qrels, {})
    if first:
        _check_counts(where, pinned, split, documents, queries, qrels, absent)
    return Retrieval(
        documents=documents,
        queries=queries,
        qrels=qrels,
        candidates=_candidates(where, folder, split, queries) if "top_ranked" in there else None,
        columns=columns,
        document_columns=document_columns,
        tables={"absent": absent} if absent else {},
        source=source,
    )


def _judgements(where: str, rows: dict[str, list[Any]]) -> Qrels:
    queries, documents = (texts(where, rows, column, ids=True) for column in ("query-id", "corpus-id"))
    stated_rows(where, rows, ("score",))
    found: Qrels = {}
    for row, (query, document, score) in enumerate(zip(queries, documents, rows["score"], strict=True)):
        if not isinstance(score, int | float) or score % 1 != 0:  # NaN too
            raise ValueError(f"{where}, row {row}: score must be a whole number, got {score!r}")
        if found.setdefault(query, {}).setdefault(document, int(score)) != score:
            raise ValueError(f"{where}, row {row}: {document!r} is judged twice for query {query!r}, and differently")
    return found


def _documents(where: str, folder: Path, split: str) -> tuple[dict[str, str], dict[str, list[Any]]]:
    rows = read_split(where, folder, "corpus", split, alone=True)
    ids, bodies = _ids(f"{where}: corpus", rows), texts(f"{where}: corpus", rows, "text")
    titles = [title or "" for title in rows.get("title", [""] * len(ids))]
    joined = [f"{title} {body}" if title else body for title, body in zip(titles, bodies, strict=True)]
    return dict(zip(ids, joined, strict=True)), {k: v for k, v in rows.items() if k not in ("_id", "id", "text")}


def _queries(
    where: str, folder: Path, split: str, config: str, qrels: Qrels
) -> tuple[dict[str, str], dict[str, list[Any]]]:
    rows = read_split(where, folder, config, split, alone=True)
    ids, asked = _ids(f"{where}: {config}", rows), texts(f"{where}: {config}", rows, "text")
    keep = [i for i, key in enumerate(ids) if key in qrels]
    columns = {k: [v[i] for i in keep] for k, v in rows.items() if k not in ("_id", "id", "text")}
    return {ids[i]: asked[i] for i in keep}, columns


def _ids(where: str, rows: dict[str, list[Any]]) -> list[str]:
    ids = texts(where, rows, "_id" if "_id" in rows else "id", ids=True)
    if len(set(ids)) < len(ids):
        seen: set[str] = set()
        twice = next(key for key in ids if key in seen or seen.add(key))
        raise ValueError(f"{where}: an id must be there once, {twice!r} is there twice")
    return ids


def _candidates(where: str, folder: Path, split: str, queries: dict[str, str]) -> dict[str, list[str]]:
    rows = read_split(where, folder, "top_ranked", split, alone=True)
    asked = texts(f"{where}: top_ranked", rows, "query-id", ids=True)
    stated_rows(f"{where}: top_ranked", rows, ("corpus-ids",))
    ranked = zip(asked, rows["corpus-ids"], strict=True)
    return {query: [str(document) for document in documents] for query, documents in ranked if query in queries}


def _present(qrels: Qrels, documents: dict[str, str]) -> tuple[Qrels, dict[str, list[Any]]]:
    gone = [(q, d, r) for q, judged in qrels.items() for d, r in judged.items() if d not in documents]
    kept = {q: {d: r for d, r in judged.items() if d in documents} for q, judged in qrels.items()}
    names = ("query_id", "doc_id", "relevance")
    return kept, {name: [row[i] for row in gone] for i, name in enumerate(names)} if gone else {}


def _check_counts(
    where: str,
    pinned: Pinned,
    split: str,
    documents: dict[str, str],
    queries: dict[str, str],
    qrels: Qrels,
    absent: dict[str, list[Any]],
) -> None:
    gone = absent.get("relevance", [])
    relevant = sum(r != 0 for judged in qrels.values() for r in judged.values()) + sum(r != 0 for r in gone)
    for what, found, stated in (
        ("documents", len(documents), pinned.documents),
        (f"{split} queries with a judgement", len(queries), pinned.rows[split]),
        ("judgements other than 0", relevant, pinned.relevant),
        ("judgements that name no document", len(gone), pinned.absent),
    ):
        if stated is not None and found != stated:
            raise ValueError(f"{where} must have the pinned {stated:,} {what}, it has {found:,}")
