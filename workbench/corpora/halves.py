"""True pairs out of any documents: the first paragraph of a text and what comes after it."""

import dataclasses
import hashlib
from typing import no_type_check

from workbench.corpora.records import Corpus, Pairs

__all__ = ["first_and_rest"]


@no_type_check  # checked by hand, so that the message says what is wrong
def first_and_rest(docs: Corpus, *, words: tuple[int, int] = (4, 8)) -> Pairs:
    """Each text's first paragraph (`left`) and all after it (`right`), with score 1 and the columns of `docs`.

    In the order of `docs`, white space made single. Left out is a text with fewer than `words` in its two parts, or
    one of whose parts stands in an earlier pair: no two pairs answer each other word for word.

    Raises:
        TypeError: `docs` is no Corpus.
        ValueError: a number of words below 1, or no text with both parts.
    """
    if not isinstance(docs, Corpus):
        raise TypeError(f"first_and_rest takes a Corpus, got {type(docs).__name__}")
    if len(words) != 2 or min(words) < 1:
        raise ValueError(f"words must be two numbers of 1 or more, got {words}")
    halves, seen, kept = [], set(), []
    for i, text in enumerate(docs.texts):
        first, _, rest = text.strip().partition("\n\n")
        halves.append((" ".join(first.split()), " ".join(rest.split())))
        long = all(len(half.split()) >= least for half, least in zip(halves[i], words, strict=True))
        if long and seen.isdisjoint(halves[i]):
            kept.append(i)
            seen.update(halves[i])
    if not kept:
        raise ValueError(f"{docs.source.name}: no text has a first paragraph and a rest of {words} words")
    left, right = zip(*(halves[i] for i in kept), strict=True)
    made = hashlib.sha256("\x1f".join(left + right).encode("utf-8", "surrogatepass")).hexdigest()
    source = dataclasses.replace(docs.source, name=f"{docs.source.name} halves", fingerprint=made)
    columns = {name: [values[i] for i in kept] for name, values in docs.columns.items()}
    return Pairs(left, right, [1.0] * len(kept), columns, source=source)
