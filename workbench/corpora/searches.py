"""Searches made from other sets: the function that a sentence describes; a document's title and body."""

import dataclasses
import hashlib
import re
from collections.abc import Sequence

from workbench.corpora.duplicates import distinct_rows
from workbench.corpora.records import Corpus, Retrieval

__all__ = ["first_sentence", "function_search", "title_and_body"]

FEWEST_WORDS, MOST_WORDS = (
    4,
    40,
)  # of a query; "Return self." could mean any function, a list of parameters is no sentence
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")
_NEEDED = ("name", "module", "package", "code")


def function_search(docs: Corpus, *, n_documents: int, n_queries: int, seed: int = 0) -> Retrieval:
    """Searches for Python functions: a query is the first sentence of a docstring, its one answer that function.

    `docs` are rows of `pydocs`. A document is the function's dotted name (column "title"), a space and its source
    without the docstring. Left out, as document and as query: a row without code, a second function of the same name,
    and a function whose first sentence or source resembles that of an earlier one by 0.7 or more (`distinct_rows`),
    since it would answer the earlier one's query as well. The rest comes in the order of a seeded hash of the
    docstring: the first `n_documents` are searched, the first `n_queries` of them with 4 to 40 words
    are asked for.

    Raises:
        ValueError: `docs` has no column name, module, package or code; n below 1; or too few functions.
    """
    if missing := [column for column in _NEEDED if column not in docs.columns]:
        raise ValueError(f"function_search reads pydocs: {docs.source.name} has no column {missing[0]!r}")
    if n_documents < 1 or n_queries < 1:
        raise ValueError(f"n_documents and n_queries must be at least 1, got {n_documents} and {n_queries}")
    drawn = _functions(docs, n_documents, seed)
    names, sentences = drawn.columns["name"], [first_sentence(text) for text in drawn.texts]
    asked = [i for i, sentence in enumerate(sentences) if FEWEST_WORDS <= len(sentence.split()) <= MOST_WORDS]
    if len(asked) < n_queries:
        raise ValueError(
            f"{docs.source.name}: {len(asked)} of {n_documents} functions make a query, n_queries={n_queries} wanted"
        )
    asked = asked[:n_queries]
    documents = {name: f"{name} {code}" for name, code in zip(names, drawn.columns["code"], strict=True)}
    queries = {f"query {names[i]}": sentences[i] for i in asked}
    kept = "\x1f".join([*documents.values(), *queries.values()]).encode("utf-8", "surrogatepass")
    return Retrieval(
        documents,
        queries,
        {query: {names[i]: 1} for query, i in zip(queries, asked, strict=True)},
        columns={column: [drawn.columns[column][i] for i in asked] for column in ("module", "package")},
        document_columns={"title": names, "module": drawn.columns["module"], "package": drawn.columns["package"]},
        source=dataclasses.replace(
            docs.source, name=f"{docs.source.name} functions", fingerprint=hashlib.sha256(kept).hexdigest()
        ),
    )


def title_and_body(data: Retrieval) -> tuple[dict[str, str], dict[str, str]]:
    """Title and body of each document: two dicts, document id -> text; the title is '' where there is none.

    Raises:
        ValueError: no column "title", no document with one, or a text that does not begin with its title.
    """
    titles = dict(zip(data.documents, data.document_columns.get("title", ()), strict=False))
    if not any(titles.values()):
        raise ValueError(f"{data.source.name}: no document has a title")
    bodies = {}
    for key, text in data.documents.items():
        start = f"{titles[key]} " if titles[key] else ""
        if not text.startswith(start):
            raise ValueError(f"{data.source.name}: document {key!r} does not begin with its title {titles[key]!r}")
        bodies[key] = text[len(start) :]
    return titles, bodies


def first_sentence(text: str) -> str:
    """The first sentence of the first paragraph, on one line; a sentence ends before a space and a capital."""
    paragraph = " ".join(text.strip().split("\n\n")[0].split())
    return _SENTENCE_END.split(paragraph, maxsplit=1)[0]


def _functions(docs: Corpus, n: int, seed: int) -> Corpus:
    """The first n distinct functions in the order of the hash."""
    coded = docs.take([i for i, code in enumerate(docs.columns["code"]) if code.strip()])
    if len(coded) < n:
        raise ValueError(f"{docs.source.name}: {len(coded)} rows have code, n_documents={n} wanted")
    ordered = coded.sample(len(coded), seed)
    looked_at = n
    while True:  # whether a row is kept depends on the rows before it alone, so a longer look begins in the same way
        looked_at = min(2 * looked_at, len(ordered))
        head = ordered.take(range(looked_at))
        kept = _distinct(head.columns["name"], [first_sentence(t) for t in head.texts], head.columns["code"])
        if len(kept) >= n or looked_at == len(ordered):
            break
    if len(kept) < n:
        raise ValueError(f"{docs.source.name}: {len(kept)} distinct functions, n_documents={n} wanted")
    return ordered.take(kept[:n])


def _distinct(names: Sequence[str], sentences: Sequence[str], codes: Sequence[str]) -> list[int]:
    first = {name: i for i, name in reversed(list(enumerate(names)))}
    alone = set(distinct_rows(sentences)) & set(distinct_rows(codes))
    return [i for i in sorted(alone) if first[names[i]] == i]
