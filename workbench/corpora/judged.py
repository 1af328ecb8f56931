"""A local retrieval set: documents, queries, judgements and candidates from its tables."""

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path

from workbench.corpora.base import Source
from workbench.corpora.checked import Table, kept_rows, read_checked, table_columns
from workbench.corpora.records import Retrieval

__all__ = ["load_judged"]


def load_judged(folder: Path, source: Source) -> Retrieval:
    """The set in `folder`; the text of a document is its title, one space, its text (the text alone without one).

    The split of `source` chooses the queries; None takes the test queries where there are any, else all but
    those marked 'none' (without a relevant document). A subset or language chooses queries and documents.

    Raises:
        ValueError: a table is missing, torn or has nulls, an id is there twice, a judgement names an id that
            is not there, or the split or subset is not there.
    """
    queries, source = _asked(read_checked(folder, "queries"), source)
    corpus = read_checked(folder, "corpus", rule="documents")
    if source.scope is not None and {"subset", "lang"}.intersection(corpus.column_names):
        corpus = kept_rows(corpus, dataclasses.replace(source, split=None))
    asked, held = table_columns(queries), table_columns(corpus)
    texts = _unique(f"{source.name}: queries", asked.pop("id"), asked.pop("text"))
    ids, bodies = held.pop("id"), held.pop("text")
    joined = (f"{title} {body}" if title else body for title, body in zip(held["title"], bodies, strict=True))
    others = {path.stem for path in folder.glob("*.parquet")} - {"corpus", "queries", "qrels", "candidates"}
    return Retrieval(
        documents=_unique(f"{source.name}: corpus", ids, joined),
        queries=texts,
        qrels=_judgements(folder, texts),
        candidates=_candidates(folder, texts),
        columns=asked,
        document_columns=held,
        tables={name: table_columns(read_checked(folder, name)) for name in sorted(others)},
        source=source,
    )


def _asked(queries: Table, source: Source) -> tuple[Table, Source]:
    splits = queries["split"].to_pylist()
    if source.split is None and "test" in splits:
        source = dataclasses.replace(source, split="test")
    elif source.split is None:
        queries = queries.filter([split != "none" for split in splits])
    return kept_rows(queries, source), source


def _judgements(folder: Path, queries: Mapping[str, str]) -> dict[str, dict[str, int]]:
    held = table_columns(read_checked(folder, "qrels"))
    found: dict[str, dict[str, int]] = {}
    for query, document, relevance in zip(held["query_id"], held["doc_id"], held["relevance"], strict=True):
        if query in queries:
            found.setdefault(query, {})[document] = relevance
    return found


def _candidates(folder: Path, queries: Mapping[str, str]) -> dict[str, list[str]] | None:
    if not (folder / "candidates.parquet").is_file():
        return None
    held = table_columns(read_checked(folder, "candidates"))
    found: dict[str, list[str]] = {}
    for _, query, document in sorted(zip(held["rank"], held["query_id"], held["doc_id"], strict=True)):
        if query in queries:
            found.setdefault(query, []).append(document)
    return found


def _unique(where: str, ids: Iterable[str], texts: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for row, (key, text) in enumerate(zip(ids, texts, strict=True)):
        if key in found:
            raise ValueError(f"{where}, row {row}: an id must be there once, {key!r} is there twice")
        found[key] = text
    return found
