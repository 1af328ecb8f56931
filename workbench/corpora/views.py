"""Searches with unlabelled answers: two documents describe one function, training knows one of them."""

import dataclasses
import hashlib

import numpy as np

from workbench.corpora.corrupt import fraction
from workbench.corpora.duplicates import distinct_rows
from workbench.corpora.records import Corpus, Retrieval
from workbench.corpora.searches import FEWEST_WORDS, MOST_WORDS, first_sentence

__all__ = ["function_views"]

FEWEST_OF_REST = 8  # words; a shorter rest of a docstring describes nothing
_NEEDED = ("name", "module", "code")


def function_views(docs: Corpus, *, n_functions: int, n_test: int, share: float, seed: int = 0) -> Retrieval:
    """Searches for Python functions of which some have a second answer that no training label names.

    `docs` are rows of `pydocs`. A query is the first sentence of a docstring. Two documents can answer it, each behind
    the last two parts of the function's name: its source without the docstring, and the rest of its docstring. One of
    the two, drawn at random, is the label of the query (column "labelled"); the other is in the corpus too for a share
    `share` in [0, 1] of the functions. `qrels` name all answers that are there, so a search is judged by the truth
    and trained on the label. Column "split" is "test" for the first `n_test` queries, "train" for the others.

    Left out are functions without a rest of 8 words or a first sentence of 4 to 40 words, and those whose first
    sentence, source or rest resembles that of an earlier one by 0.7 or more (`distinct_rows`).

    Raises:
        TypeError: `share` is no number.
        ValueError: `docs` has no column name, module or code; n_test outside 1..n_functions - 1; `share` outside
            [0, 1]; or too few functions.
    """
    if missing := [column for column in _NEEDED if column not in docs.columns]:
        raise ValueError(f"function_views reads pydocs: {docs.source.name} has no column {missing[0]!r}")
    if not 1 <= n_test < n_functions:
        raise ValueError(f"n_test must be in 1..n_functions - 1, got n_test={n_test} and n_functions={n_functions}")
    share = fraction(share, "share")
    drawn, sentences, views = _functions(docs, n_functions, seed)
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 2, n_functions)
    second = rng.permutation(n_functions) < int(share * n_functions + 0.5)
    ids = [(f"{name} (source)", f"{name} (text)") for name in drawn.columns["name"]]
    kept = [(i, form) for i in range(n_functions) for form in (0, 1) if form == label[i] or second[i]]
    documents = {ids[i][form]: views[i][form] for i, form in kept}
    names = drawn.columns["name"]
    queries = {f"query {name}": sentence for name, sentence in zip(names, sentences, strict=True)}
    judged = [{ids[i][form]: 1 for form in (0, 1) if form == label[i] or second[i]} for i in range(n_functions)]
    rows = "\x1f".join([*documents, *documents.values(), *queries.values()]).encode("utf-8", "surrogatepass")
    source = dataclasses.replace(
        docs.source, name=f"{docs.source.name} functions, two views", fingerprint=hashlib.sha256(rows).hexdigest()
    )
    return Retrieval(
        documents,
        queries,
        dict(zip(queries, judged, strict=True)),
        columns={
            "split": ["test"] * n_test + ["train"] * (n_functions - n_test),
            "labelled": [ids[i][form] for i, form in enumerate(label)],
            "module": drawn.columns["module"],
        },
        document_columns={"function": [names[i] for i, _ in kept]},
        source=source,
    )


def _functions(docs: Corpus, n: int, seed: int) -> tuple[Corpus, list[str], list[tuple[str, str]]]:
    """N distinct functions in the order of a seeded hash, their first sentences, and the two views of each."""
    rows = []
    for i, (text, code) in enumerate(zip(docs.texts, docs.columns["code"], strict=True)):
        words = len(first_sentence(text).split())
        if code.strip() and FEWEST_WORDS <= words <= MOST_WORDS and len(text.split()) - words >= FEWEST_OF_REST:
            rows.append(i)
    ordered = docs.take(rows).sample(len(rows), seed)
    looked_at = min(n + n // 2, len(ordered))
    while True:  # whether a row is kept depends on the rows before it alone, so a longer look begins in the same way
        head = ordered.take(range(looked_at))
        sentences = [first_sentence(text) for text in head.texts]
        names = [".".join(name.split(".")[-2:]) for name in head.columns["name"]]
        rests = [" ".join(t.split())[len(s) :].strip() for t, s in zip(head.texts, sentences, strict=True)]
        alone = set.intersection(*(set(distinct_rows(texts)) for texts in (sentences, head.columns["code"], rests)))
        first = {name: i for i, name in reversed(list(enumerate(head.columns["name"])))}
        kept = [i for i in sorted(alone) if first[head.columns["name"][i]] == i][:n]
        if len(kept) == n or looked_at == len(ordered):
            break
        looked_at = min(2 * looked_at, len(ordered))
    if len(kept) < n:
        raise ValueError(f"{docs.source.name}: {len(kept)} distinct functions with two views, n_functions={n} wanted")
    views = [(f"{names[i]} {head.columns['code'][i]}", f"{names[i]} {rests[i]}") for i in kept]
    return head.take(kept), [sentences[i] for i in kept], views
