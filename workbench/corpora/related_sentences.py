"""Pairs of sentences with graded relatedness, made from docstrings: no person judged them, where they stand does."""

import dataclasses
import hashlib
from collections import defaultdict

import numpy as np

from workbench.corpora.records import Corpus, Pairs
from workbench.corpora.searches import FEWEST_WORDS, MOST_WORDS, first_sentence

__all__ = ["related_sentences"]


def related_sentences(docs: Corpus, *, n: int, seed: int = 0) -> Pairs:
    """Pairs of two sentences of `pydocs`, scored by how near they stand: 2, 1 and 0 in turn.

    The left text is the first sentence of a docstring. The right one is the first sentence of a later paragraph: of
    the same docstring (2), of another one of the same module (1), of another module (0). Sentences have 4 to 40 words;
    a docstring gives each at most once. Docstrings come in the order of a seeded hash of their text, the partners of 1
    and 0 from those after them, so a smaller draw is the head of a larger one of the same seed. Column "module" is
    that of the left text. A made-up scale: a stand-in for judged pairs where none are at hand.

    Raises:
        ValueError: `docs` has no column module, `n` below 1, or too few docstrings with two such sentences.
    """
    if "module" not in docs.columns:
        raise ValueError(f"related_sentences reads pydocs: {docs.source.name} has no column 'module'")
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    ordered = docs.sample(len(docs), seed)
    found = [(*two, module) for text, module in _rows(ordered) if (two := _two(text)) is not None]
    rows = _paired(found, n)
    if len(rows) < n:
        raise ValueError(f"{docs.source.name}: {len(found)} docstrings make {len(rows)} pairs, n={n} wanted")
    left, right, scores, modules = zip(*rows, strict=True)
    kept = "\x1f".join(map(str, (*left, *right))).encode("utf-8", "surrogatepass")
    source = dataclasses.replace(
        docs.source, name=f"{docs.source.name} sentences", fingerprint=hashlib.sha256(kept).hexdigest()
    )
    return Pairs(left, right, np.array(scores, dtype=float), {"module": modules}, source=source)


def _rows(docs: Corpus) -> list[tuple[str, str]]:
    return list(zip(docs.texts, docs.columns["module"], strict=True))


def _two(text: str) -> tuple[str, str] | None:
    """The first sentence, and the first of the next paragraph that is one; None where a docstring has no two."""
    paragraphs = [first_sentence(part) for part in text.split("\n\n") if part.strip()]
    if not paragraphs or not _is_sentence(paragraphs[0]):
        return None
    later = next((part for part in paragraphs[1:] if _is_sentence(part) and part != paragraphs[0]), None)
    return None if later is None else (paragraphs[0], later)


def _is_sentence(text: str) -> bool:
    """Whether it reads as one: lists of parameters, tables and examples do not."""
    return FEWEST_WORDS <= len(text.split()) <= MOST_WORDS and text[0].isupper() and text.endswith((".", ":"))


def _paired(found: list[tuple[str, str, str]], n: int) -> list[tuple[str, str, int, str]]:
    """At most n rows (left, right, score, module) of (first, later, module); each sentence used at most once."""
    places: dict[str, list[int]] = defaultdict(list)
    for i, (_, _, module) in enumerate(found):
        places[module].append(i)
    right_used: set[int] = set()
    rows: list[tuple[str, str, int, str]] = []
    for i, (left, _, module) in enumerate(found):
        if len(rows) == n:
            break
        score = 2 - len(rows) % 3
        partner = _partner(i, score, found, places, right_used)
        if partner is not None:
            right_used.add(partner)
            rows.append((left, found[partner][1], score, module))
    return rows


def _partner(
    i: int, score: int, found: list[tuple[str, str, str]], places: dict[str, list[int]], used: set[int]
) -> int | None:
    module = found[i][2]
    if score == 2:
        return None if i in used else i
    if score == 1:
        return next((j for j in places[module] if j > i and j not in used), None)
    return next((j for j in range(i + 1, len(found)) if found[j][2] != module and j not in used), None)
