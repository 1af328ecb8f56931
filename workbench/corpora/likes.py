"""Who likes what: trivial texts, and queries whose pairs of answers follow a pattern."""

import hashlib
import re
from functools import cache
from itertools import product
from typing import Literal, get_args

import numpy as np

from workbench.corpora.base import Source
from workbench.corpora.cldr_names import own_names
from workbench.corpora.records import Retrieval

__all__ = ["Pattern", "relevance_pairs", "who_likes"]

Pattern = Literal["dense", "random", "cycle", "disjoint"]
# whose months and days are written in Latin letters, most of them unlike English ones
NAMERS = ["br", "cy", "et", "eu", "fi", "ga", "hr", "hu", "lt", "lv", "mt", "pl", "sq", "sw", "tr", "vi"]
LEFT_OUT = {"world", "symbols", "emoji", "mathematical", "notation", "common", "inherited", "unwritten", "unknown"}


def relevance_pairs(pattern: Pattern | str, *, n_queries: int, n_documents: int, seed: int) -> np.ndarray:
    """Two different documents for each query, int64 (n_queries, 2), no pair twice.

    - "dense": all pairs of as few documents as have that many, the last ones left out at random.
    - "random": any pairs.
    - "cycle": each of `n_queries` documents with its neighbour on a ring.
    - "disjoint": no document for two queries.

    Which documents they are, and the order, is drawn by `seed`.

    Raises:
        ValueError: another pattern, fewer than 1 query (3 for "cycle"), or too few documents.

    Reference: Weller et al. 2025, section 5 (qrel patterns).
    """
    if pattern not in get_args(Pattern):
        raise ValueError(f"pattern must be one of {', '.join(get_args(Pattern))}, got {pattern!r}")
    block = int(np.ceil((1 + np.sqrt(1 + 8 * max(0, n_queries))) / 2))
    needed = {"dense": block, "random": block, "cycle": n_queries, "disjoint": 2 * n_queries}[pattern]
    if n_queries < (3 if pattern == "cycle" else 1) or n_documents < needed:
        raise ValueError(
            f"{n_queries} {pattern} queries need {needed} documents, and 1 query (a cycle 3), got {n_documents}"
        )
    rng = np.random.default_rng(seed)
    names = rng.permutation(n_documents)
    if pattern == "cycle":
        pairs = np.stack([names[:n_queries], np.roll(names[:n_queries], 1)], axis=1)
    elif pattern == "disjoint":
        pairs = names[: 2 * n_queries].reshape(-1, 2)
    else:
        held = names[:block] if pattern == "dense" else names
        every = np.stack(np.triu_indices(len(held), 1), axis=1)
        pairs = held[every[rng.permutation(len(every))[:n_queries]]]
    return pairs[rng.permutation(n_queries)].astype(np.int64)


def who_likes(pairs: np.ndarray, *, n_people: int, n_likes: int, seed: int, first: int = 0) -> Retrieval:
    """Texts "NAME likes A, B, ... and Z." and for each row of `pairs` (q, 2) a query "Who likes X?" with two answers.

    X is held by those two documents alone. The rest of a document's `n_likes` attributes nobody asks for; they are
    drawn at random, none twice in one text. Attributes are English names of languages, territories, scripts and
    currencies of CLDR, no two with a word in common; people are named by months and days in other languages. `seed`
    draws names, attributes and their order. Of one seed, sets with `first` at least q apart ask for different ones.

    Raises:
        ValueError: `pairs` is not (q, 2) of integers in 0..n_people - 1, two in a row that are equal, a document with
            more queries than `n_likes`, or too few attributes or names.

    Reference: Weller et al. 2025, section 5 (the LIMIT data set), whose people like other things.
    """
    pairs, held = np.asarray(pairs), _attributes()
    _check_pairs(pairs, n_people, n_likes)
    if not 0 <= first <= len(held) - len(pairs):
        raise ValueError(f"{len(pairs)} queries from attribute {first} on need that many, there are {len(held)}")
    named = _full_names()
    if n_people > len(named):
        raise ValueError(f"there are names for {len(named)} people, got n_people={n_people}")
    rng = np.random.default_rng(seed)
    mixed = [held[i] for i in rng.permutation(len(held))]
    asked, others = mixed[first : first + len(pairs)], mixed[:first] + mixed[first + len(pairs) :]
    likes: list[list[str]] = [[] for _ in range(n_people)]
    for attribute, pair in zip(asked, pairs.tolist(), strict=True):
        for person in pair:
            likes[person].append(attribute)
    for own in likes:
        if n_likes - len(own) > len(others):
            raise ValueError(
                f"a text needs {n_likes - len(own)} attributes that nobody asks for, there are {len(others)}"
            )
        own += [others[i] for i in rng.choice(len(others), n_likes - len(own), replace=False)]
    names = [named[i] for i in rng.choice(len(named), n_people, replace=False)]
    texts = [[own[i] for i in rng.permutation(n_likes)] for own in likes]
    documents = {
        name: f"{name} likes {', '.join(own[:-1])} and {own[-1]}." for name, own in zip(names, texts, strict=True)
    }
    queries = {f"query_{i}": f"Who likes {attribute}?" for i, attribute in enumerate(asked)}
    qrels = {query: {names[p]: 1 for p in pair} for query, pair in zip(queries, pairs.tolist(), strict=True)}
    return Retrieval(documents, queries, qrels, source=_source(documents, queries))


def _check_pairs(pairs: np.ndarray, n_people: int, n_likes: int) -> None:
    if pairs.ndim != 2 or pairs.shape[1] != 2 or pairs.dtype.kind not in "iu" or not len(pairs):
        raise ValueError(f"pairs must be integers of shape (q, 2), got {pairs.dtype} of {pairs.shape}")
    if pairs.min() < 0 or pairs.max() >= n_people:
        raise ValueError(f"pairs must name people 0..{n_people - 1}, got {pairs.min()}..{pairs.max()}")
    if (same := pairs[:, 0] == pairs[:, 1]).any():
        raise ValueError(f"query {int(same.argmax())} must have two different answers")
    most = int(np.bincount(pairs.ravel()).max())
    if n_likes < max(2, most):
        raise ValueError(f"n_likes must be at least 2 and the {most} queries of a document, got {n_likes}")


@cache
def _attributes() -> tuple[str, ...]:
    """English names in letters alone, no two of which share a word, in CLDR's order."""
    found: list[str] = []
    seen = set(LEFT_OUT)
    kinds = ("language", "territory", "script", "currency")
    for name, _, kind, _ in own_names(["en"]):
        words = name.lower().split()
        if kind in kinds and re.fullmatch("[A-Za-z]{3,}( [A-Za-z]+)*", name) and seen.isdisjoint(words):
            found.append(name)
            seen.update(words)
    return tuple(found)


def _full_names() -> list[str]:
    parts: dict[str, dict[str, None]] = {"month": {}, "day": {}}
    taken = {word for attribute in _attributes() for word in attribute.lower().split()}
    for name, _, kind, _ in own_names(NAMERS):
        if kind in parts and re.fullmatch("[A-Za-z]{3,}", name) and name.lower() not in taken:
            parts[kind][name.capitalize()] = None
    return [f"{given} {family}" for given, family in product(parts["month"], parts["day"]) if given != family]


def _source(documents: dict[str, str], queries: dict[str, str]) -> Source:
    from workbench.corpora.cldr import LICENCE, ORIGIN

    rows = "\x1f".join((*documents.values(), *queries.values()))
    return Source("who likes", "made", LICENCE, ORIGIN, hashlib.sha256(rows.encode()).hexdigest())
