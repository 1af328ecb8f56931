"""Synthetic texts made from real ones: a trigram model's samples, and words replaced by frequent words."""

from collections import defaultdict
from collections.abc import Sequence
from typing import no_type_check

import numpy as np

from workbench.corpora.base import check_texts
from workbench.corpora.corrupt import each_text, fraction, joined, words_of

__all__ = ["infill_words", "trigram_texts"]


@no_type_check  # here and below: checked by hand, so that the message says what is wrong
def trigram_texts(texts: Sequence[str], *, n: int, seed: int, longest: int = 60) -> list[str]:
    """`n` texts drawn word by word from a trigram model of `texts`: each word given the two before it.

    Maximum likelihood without smoothing: every run of three words occurs in `texts`, ends and beginnings too, so a
    short or varied source is often quoted whole. Words stand between white space; cut after `longest` words.

    Raises:
        TypeError: `texts` is no sequence of str, or `n` or `seed` no int.
        ValueError: no text holds a word, or `n` or `longest` is below 1.
    """
    for name, value in (("n", n), ("seed", seed), ("longest", longest)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer):
            raise TypeError(f"{name} must be an int, got {value!r}")
    if n < 1 or longest < 1:
        raise ValueError(f"n and longest must be at least 1, got {n} and {longest}")
    follow: dict[tuple[str, str], list[str]] = defaultdict(list)
    for words in (text.split() for text in check_texts(texts, "texts", "trigram_texts")):
        padded = ["", "", *words, ""]
        for a, b, c in zip(padded, padded[1:], padded[2:], strict=False):
            follow[a, b] += [c] if words else []
    if not follow["", ""]:
        raise ValueError(f"trigram_texts: none of the {len(texts)} texts holds a word")
    rng = np.random.default_rng(seed)
    return [_drawn(follow, rng, longest) for _ in range(n)]


@no_type_check
def infill_words(texts: Sequence[str], *, rate: float, seed: int, source: Sequence[str] | None = None) -> list[str]:
    """The texts with a share `rate` in [0, 1] of their words replaced by words drawn as often as `source` holds them.

    Each word is replaced with probability `rate`, independently, whatever its neighbours; the drawn word may be the
    old one. `source` is `texts` itself where None. White space stays.

    Raises:
        TypeError: `texts` or `source` is no sequence of str, `rate` no number, or `seed` no int.
        ValueError: `rate` is not in [0, 1], or no word in `source`.
    """
    rate = fraction(rate, "rate")
    pool = " ".join(check_texts(texts if source is None else source, "source", "infill_words")).split()
    if not pool:
        raise ValueError("infill_words: source holds no word to draw")
    filled = []
    for text, rng in each_text(texts, seed, "infill_words"):
        before, words, gaps, after = words_of(text)
        touched, drawn = rng.random(len(words)) < rate, rng.integers(0, len(pool), len(words))
        words = [pool[new] if hit else word for word, hit, new in zip(words, touched, drawn, strict=True)]
        filled.append(joined(before, words, gaps, after))
    return filled


def _drawn(follow: dict[tuple[str, str], list[str]], rng: np.random.Generator, longest: int) -> str:
    words = ["", ""]
    while len(words) < longest + 2:
        choices = follow[words[-2], words[-1]]
        word = choices[rng.integers(0, len(choices))]
        if not word:
            break
        words.append(word)
    return " ".join(words[2:])
