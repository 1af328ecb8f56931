"""Entries of a dictionary: a short name, a paragraph, two levels of classes, and the class whose type an entry is."""

import dataclasses
import hashlib
import re
from collections import Counter
from typing import Literal

import numpy as np

from workbench.corpora.records import Corpus, Labels, Retrieval

__all__ = ["code_entries", "entry_schemes", "product_entries", "type_search"]

_TYPE = re.compile(r"(.+) \((.+) type\)", re.IGNORECASE)  # "NAME (CLASS type)"
_NEEDED = ("short", "paragraph", "key", "parent")


def product_entries(data: Labels) -> Labels:
    """Rows of a product dictionary as entries: texts are the paragraphs as they stand, labels the first level.

    `data` has columns name, label2 and subset, as `builtbench` has. Columns of the result: name, short (without
    "(... type)"), paragraph (the text with `short` for the name it begins with), level2, subset, key (what the entry
    is called as a class: its name in lower case) and parent (the key of the class whose type it is, '' where it is
    none). A parenthesis counts where the set holds a class of that name.

    Raises:
        ValueError: one of the columns is missing.
    """
    if missing := [name for name in ("name", "label2", "subset") if name not in data.columns]:
        raise ValueError(f"product_entries: {data.source.name} has no column {missing[0]!r}")
    names = list(data.columns["name"])
    keys = [name.lower() for name in names]
    known = set(keys)
    types = [m if (m := _TYPE.fullmatch(name)) and m[2].lower() in known else None for name in names]
    short = [m[1] if m else name for m, name in zip(types, names, strict=True)]
    columns = {
        "name": names,
        "short": short,
        "paragraph": [_begun(text, n, s) for text, n, s in zip(data.texts, names, short, strict=True)],
        "key": keys,
        "parent": [m[2].lower() if m else "" for m in types],
        "level2": list(data.columns["label2"]),
        "subset": list(data.columns["subset"]),
    }
    return Labels(data.texts, data.labels, columns, source=data.source)


def code_entries(docs: Corpus) -> Labels:
    """Rows of `pydocs` as entries: a class is a class, its methods are its types; levels are package and module.

    `short` and `name` are the last part of the dotted name with spaces for underscores, texts and paragraphs the name,
    a full stop and the docstring's first paragraph on one line.

    Raises:
        ValueError: `docs` has no column name, module or package.
    """
    if missing := [name for name in ("name", "module", "package") if name not in docs.columns]:
        raise ValueError(f"code_entries reads pydocs: {docs.source.name} has no column {missing[0]!r}")
    keys = list(docs.columns["name"])
    short = [key.rpartition(".")[2].replace("_", " ").strip() or key for key in keys]
    first = [" ".join(text.strip().split("\n\n")[0].split()) for text in docs.texts]
    texts = [f"{name}. {paragraph}" for name, paragraph in zip(short, first, strict=True)]
    columns = {
        "name": short,
        "short": short,
        "paragraph": texts,
        "key": keys,
        "parent": [key.rpartition(".")[0] for key in keys],
        "level2": list(docs.columns["module"]),
        "subset": [docs.source.name] * len(docs),
    }
    return Labels(texts, docs.columns["package"], columns, source=docs.source)


def entry_schemes(entries: Labels, *, largest: int = 3) -> dict[str, Labels]:
    """Ways to label entries: each subset's first level, and the second level inside its `largest` first-level classes.

    The names are "SUBSET, level 1" and "SUBSET, within class K", the largest class first. Equally large classes go by
    name.

    Raises:
        ValueError: no column subset or level2, or a negative `largest`.
    """
    if not {"subset", "level2"} <= set(entries.columns) or largest < 0:
        raise ValueError(f"entry_schemes needs subset and level2, and largest of 0 or more, got {largest}")
    schemes = {}
    for subset in sorted(set(entries.columns["subset"])):
        part = entries.where(subset=subset)
        schemes[f"{subset}, level 1"] = part
        counts = Counter(part.labels)
        ordered = sorted(counts, key=lambda name: (-counts[name], str(name)))
        for k, label in enumerate(ordered[:largest], 1):
            inside = part.where(labels=label)
            schemes[f"{subset}, within class {k}"] = dataclasses.replace(inside, labels=inside.columns["level2"])
    return schemes


def type_search(
    entries: Labels, *, by: Literal["short", "paragraph"] | str, n: int, least: int = 1, seed: int = 0
) -> Retrieval:
    """A class asks for its own types: queries are `by` of classes, documents the paragraphs of all their types.

    At most `n` classes with `least` types or more, drawn by a seeded hash of their keys, which are the queries' ids; a
    document's is its key. The types of classes that are not drawn are no documents. Where several entries have one key
    the first counts.

    Raises:
        ValueError: a column is missing, `by` is another one, `n` or `least` below 1, or no class has as many types.
    """
    if missing := [name for name in _NEEDED if name not in entries.columns]:
        raise ValueError(f"type_search reads entries: {entries.source.name} has no column {missing[0]!r}")
    if by not in ("short", "paragraph") or min(n, least) < 1:
        raise ValueError(f"by is 'short' or 'paragraph', n and least 1 or more, got {by!r}, {n} and {least}")
    place: dict[str, int] = {}
    for i, key in enumerate(entries.columns["key"]):
        place.setdefault(key, i)
    types: dict[str, list[str]] = {}
    for key, i in place.items():
        parent = entries.columns["parent"][i]
        if parent in place and parent != key:
            types.setdefault(parent, []).append(key)
    asked = sorted((key for key in types if len(types[key]) >= least), key=lambda key: _drawn(key, seed))[:n]
    if not asked:
        raise ValueError(f"{entries.source.name}: no class has {least} types")
    paragraph, query = entries.columns["paragraph"], entries.columns[by]
    return Retrieval(
        {key: paragraph[place[key]] for parent in asked for key in types[parent]},
        {key: query[place[key]] for key in asked},
        {parent: dict.fromkeys(types[parent], 1) for parent in asked},
        source=entries.source,
    )


def _begun(text: str, name: str, short: str) -> str:
    return short + text[len(name) :] if text.startswith(name) else text


def _drawn(key: str, seed: int) -> bytes:
    return hashlib.blake2b(key.encode("utf-8", "surrogatepass"), key=str(np.int64(seed)).encode()).digest()
