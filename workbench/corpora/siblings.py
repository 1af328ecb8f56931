"""Pairs of docstrings that stand side by side in one class or module, and as many that do not."""

import dataclasses
import hashlib
from collections import Counter
from collections.abc import Iterable

import numpy as np

from workbench.corpora.records import Corpus, Pairs

__all__ = ["sibling_pairs"]

Row = tuple[str, str, str]  # two texts, and the parent of both


def sibling_pairs(docs: Corpus, *, n: int, most: int = 6, seed: int = 0) -> Pairs:
    """`n` pairs of docstrings with one parent (score 1), each followed by a pair without (score 0): 2 n rows.

    The parent is the dotted name less its last part: the class of a method, the module of a function or class. Rows of
    `docs` come in the order of a seeded hash of their text; each text is in one true pair at most, and a parent gives
    at most `most`. The wrong partner of a left text is the right text of the next pair of another parent, the first
    following the last. Column "parent" is that of the left text. Nobody judged them: a stand-in for documents that are
    cited together, which share a topic and say different things.

    Args:
        docs: rows of `pydocs`, or a part of them.
        n: true pairs.
        most: true pairs of one parent.
        seed: of the order.

    Raises:
        ValueError: `docs` has no column name, `n` or `most` below 1, too few pairs, or pairs of one parent alone.
    """
    if "name" not in docs.columns:
        raise ValueError(f"sibling_pairs reads pydocs: {docs.source.name} has no column 'name'")
    if n < 1 or most < 1:
        raise ValueError(f"n and most must be at least 1, got {n} and {most}")
    ordered = docs.sample(len(docs), seed) if len(docs) else docs
    found = _siblings(zip(ordered.texts, ordered.columns["name"], strict=True), most)
    if len(found) < n:
        raise ValueError(f"{docs.source.name}: {len(docs)} docstrings make {len(found)} pairs, n={n} wanted")
    found = found[:n]
    if len({parent for *_, parent in found}) == 1:
        raise ValueError(f"{docs.source.name}: all {n} pairs are of {found[0][2]}, there is none of another parent")
    rows = [row for i, (left, right, _) in enumerate(found) for row in ((left, right), (left, _stranger(found, i)))]
    left, right = zip(*rows, strict=True)
    made = hashlib.sha256("\x1f".join(left + right).encode("utf-8", "surrogatepass")).hexdigest()
    source = dataclasses.replace(docs.source, name=f"{docs.source.name} siblings", fingerprint=made)
    parents = [parent for *_, parent in found for _ in range(2)]
    return Pairs(left, right, np.array([1.0, 0.0] * n), {"parent": parents}, source=source)


def _siblings(named: Iterable[tuple[str, str]], most: int) -> list[Row]:
    """Two texts of a parent as soon as the second comes by."""
    waiting: dict[str, str] = {}
    given: Counter[str] = Counter()
    found = []
    for text, name in named:
        parent = name.rpartition(".")[0]
        if not parent or given[parent] == most:
            continue
        if parent in waiting:
            found.append((waiting.pop(parent), text, parent))
            given[parent] += 1
        else:
            waiting[parent] = text
    return found


def _stranger(found: list[Row], i: int) -> str:
    others = (found[(i + step) % len(found)] for step in range(1, len(found)))
    return next(right for _, right, parent in others if parent != found[i][2])
