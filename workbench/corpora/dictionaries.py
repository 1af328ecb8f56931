"""Dictionaries to learn from: names of functions with what they do, and entries told apart by their definitions."""

import dataclasses
import hashlib
import re
from collections.abc import Container
from typing import no_type_check

from workbench.corpora.records import Corpus, Dictionary
from workbench.corpora.searches import FEWEST_WORDS, MOST_WORDS, first_sentence

__all__ = ["distinct_entries", "name_dictionary"]

# "argSort", "arg_sort", "HTTPServer", "sha256": where one word of a name ends and the next begins
_NAME_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_WORD = re.compile(r"\w+")


@no_type_check  # checked by hand, so that the message says what is wrong
def name_dictionary(docs: Corpus) -> Dictionary:
    """The name of each function, method and class, in words, with the first sentence of its docstring.

    `docs` are rows of `pydocs`, whose order is kept. "linalg.ArgSort" and "arg_sort" both read "arg sort"; a name that
    several packages use has several rows. Modules, names of one letter and sentences of fewer than 4 or more than 40
    words are left out. Columns are those of `docs`.

    Raises:
        ValueError: `docs` has no column name or kind, or no row makes an entry.
    """
    if missing := [column for column in ("name", "kind") if column not in docs.columns]:
        raise ValueError(f"name_dictionary reads pydocs: {docs.source.name} has no column {missing[0]!r}")
    words = [_in_words(name) for name in docs.columns["name"]]
    sentences = [first_sentence(text) for text in docs.texts]
    kept = [
        i
        for i, (word, sentence, kind) in enumerate(zip(words, sentences, docs.columns["kind"], strict=True))
        if kind != "module" and len(word) > 1 and FEWEST_WORDS <= len(sentence.split()) <= MOST_WORDS
    ]
    if not kept:
        raise ValueError(f"{docs.source.name}: none of {len(docs)} rows has a name and a sentence of 4 to 40 words")
    rows = [words[i] for i in kept], [sentences[i] for i in kept]
    made = hashlib.sha256("\x1f".join([*rows[0], *rows[1]]).encode("utf-8", "surrogatepass")).hexdigest()
    source = dataclasses.replace(docs.source, name=f"{docs.source.name} names", fingerprint=made)
    columns = {name: [values[i] for i in kept] for name, values in docs.columns.items()}
    return Dictionary(*rows, columns, source=source)


def distinct_entries(data: Dictionary, *, prefer: Container[str] = ()) -> dict[str, list[str]]:
    """Definitions of each entry, entries in lower case and in the order of their first row; none gives itself away.

    Left out is a definition in which its entry stands, whole words and case apart, since it would be read there; and
    one that an entry before it has, white space and case apart: two right answers to one question would each count
    as wrong. Entries in `prefer` come before all others in this. An entry without a definition left is left out.

    Raises:
        ValueError: no definition is left.
    """
    rows = [(word.lower(), definition) for word, definition in zip(data.words, data.definitions, strict=True)]
    found: dict[str, list[str]] = {word: [] for word, _ in rows}
    seen: set[str] = set()
    for word, definition in sorted(rows, key=lambda row: row[0] not in prefer):  # stable: the order is kept within
        same = " ".join(definition.lower().split())
        if same in seen or _stands_in(word, same):
            continue
        seen.add(same)
        found[word].append(definition)
    found = {word: definitions for word, definitions in found.items() if definitions}
    if not found:
        raise ValueError(f"{data.source.name}: none of {len(data)} definitions is left")
    return found


def _in_words(name: str) -> str:
    """The last part of a dotted name as words in lower case."""
    return " ".join(_NAME_WORD.findall(name.rpartition(".")[2])).lower()


def _stands_in(entry: str, definition: str) -> bool:
    wanted, words = _WORD.findall(entry), _WORD.findall(definition)
    width = len(wanted)
    return bool(width) and any(words[i : i + width] == wanted for i in range(len(words) - width + 1))
