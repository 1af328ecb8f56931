"""Seeded corruptions for controls and robustness studies: typos, lost and shuffled words, duplicates, wrong pairs.

What `typos`, `drop_words` and `shuffle_words` do to a text depends on the seed, on the text and, where a text
comes more than once, on how often it came before: a part of a set is corrupted as it is within the whole. With
one seed, what a low rate or share touches is touched at every higher one too.
"""

import dataclasses
import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import no_type_check

import numpy as np

from workbench.corpora.base import Record, check_texts
from workbench.corpora.records import Pairs, Retrieval

__all__ = ["drop_words", "planted_duplicates", "shuffle_words", "typos", "wrong_pairs"]

# the rows of a US QWERTY keyboard, and how far each is set in, in key widths
_ROWS = (("1234567890", 0.0), ("qwertyuiop", 0.5), ("asdfghjkl", 0.75), ("zxcvbnm", 1.25))
_KEYS = {key: (row, inset + i) for row, (keys, inset) in enumerate(_ROWS) for i, key in enumerate(keys)}
_NEAR = {
    key: "".join(k for k, (r, p) in _KEYS.items() if (r == row and abs(p - x) == 1) or (abs(r - row) == 1 > abs(p - x)))
    for key, (row, x) in _KEYS.items()
}


@no_type_check  # here and below: checked by hand, so that the message says what is wrong
def typos(texts: Sequence[str], *, rate: float, seed: int) -> list[str]:
    """The texts with a share `rate` in [0, 1] of their characters mistyped: 0 is identity, 1 touches all.

    Each character (code point) is touched with probability `rate`, independently. Of these, one that is possible
    is drawn: a key beside its own on a US QWERTY keyboard is hit instead (in the same case), it is lost, such a
    key is hit before it too (where it has no key, it is doubled), it changes places with the one after it.
    Characters without a key (spaces, punctuation, other scripts) cannot be hit beside, equal ones not change
    places: each touch is one edit (insertion, deletion, substitution or transposition), although one beside
    another may undo it. The last character, and the last that is no space, is never lost: no text is emptied.

    Raises:
        TypeError: `texts` is no sequence of str, `rate` no number, or `seed` no int.
        ValueError: `rate` is not in [0, 1].
    """
    rate = fraction(rate, "rate")
    return [_mistyped(text, rate, rng) for text, rng in each_text(texts, seed, "typos")]


@no_type_check
def drop_words(texts: Sequence[str], *, rate: float, seed: int) -> list[str]:
    """The texts with a share `rate` in [0, 1] of their words left out: 0 is identity, 1 leaves one word.

    Words stand between white space; each is left out with probability `rate`, independently, with the space
    before it. Where all would go, the one drawn to go last stays: a text that is not blank stays so.

    Raises:
        TypeError: `texts` is no sequence of str, `rate` no number, or `seed` no int.
        ValueError: `rate` is not in [0, 1].
    """
    rate = fraction(rate, "rate")
    thinned = []
    for text, rng in each_text(texts, seed, "drop_words"):
        before, words, gaps, after = words_of(text)
        drawn = rng.random(len(words))
        kept = np.flatnonzero(drawn >= min(rate, drawn.max(initial=0))).tolist()
        thinned.append(joined(before, [words[i] for i in kept], [gaps[i - 1] for i in kept[1:]], after))
    return thinned


@no_type_check
def shuffle_words(texts: Sequence[str], *, seed: int) -> list[str]:
    """The texts with their words in random order, the white space between them in its place.

    Every order is equally likely, the old one too: a text of one word stays, one of two in half of all cases.

    Raises:
        TypeError: `texts` is no sequence of str, or `seed` no int.
    """
    shuffled = []
    for text, rng in each_text(texts, seed, "shuffle_words"):
        before, words, gaps, after = words_of(text)
        shuffled.append(joined(before, [words[i] for i in rng.permutation(len(words))], gaps, after))
    return shuffled


@no_type_check
def planted_duplicates(
    rows: Record | Sequence[str], *, share: float, seed: int
) -> tuple[Record | list[str], np.ndarray]:
    """The n rows with copies of a share of them behind, and where each comes from: false negatives for a batch.

    round(share * n) rows, none of them twice, are copied with all their columns; share is in [0, 1], 0 is
    identity, 1 doubles the set. The second result is int64 of shape (n + copies,): the row's own index for the n
    originals, the index of its original for a copy, so that rows of one origin are the duplicates of each other.
    A record gives a record of its type, texts give a list.

    Raises:
        TypeError: `rows` is neither a record nor a sequence of str, or a `Retrieval`, whose rows have ids of their
            own; `share` is no number, or `seed` no int.
        ValueError: `share` is not in [0, 1].
    """
    share = fraction(share, "share")
    if isinstance(rows, Retrieval):
        raise TypeError("planted_duplicates takes rows without ids, got a Retrieval: give its texts")
    if not isinstance(rows, Record):
        rows = list(check_texts(rows, "texts", "planted_duplicates"))
    texts = rows._row_keys() if isinstance(rows, Record) else map(_bytes, rows)
    chosen = _chosen(texts, share, seed, "planted_duplicates")
    origins = np.array([*range(len(rows)), *chosen], dtype=np.int64)
    return rows.take(origins) if isinstance(rows, Record) else [rows[i] for i in origins], origins


@no_type_check
def wrong_pairs(
    pairs: Pairs | tuple[Sequence[str], Sequence[str]], *, share: float, seed: int
) -> tuple[Pairs | tuple[list[str], list[str]], np.ndarray]:
    """The pairs with the right sides of a share of them changed round, and which: mislabelled training pairs.

    round(share * n) of the n pairs are chosen (share in [0, 1], 0 is identity), and their right sides permuted
    at random so that none of them stands beside a left text with which it is paired anywhere in the set.
    Scores and columns stay with the left side. The second result is bool of shape (n,), True where the right side
    is wrong. `Pairs` give `Pairs`, two sequences of texts two lists.

    Raises:
        TypeError: `pairs` are neither `Pairs` nor two sequences of str, `share` is no number, or `seed` no int.
        ValueError: `share` is not in [0, 1], the sides differ in length, one pair alone is chosen, or too many of
            those chosen share a side, so that a row has no wrong partner left.
    """
    share = fraction(share, "share")
    left, right = _sides(pairs)
    texts = (_bytes(f"{one}\x1f{other}") for one, other in zip(left, right, strict=True))
    chosen = _chosen(texts, share, seed, "wrong_pairs")
    if len(chosen) == 1:
        raise ValueError(f"wrong_pairs changes 2 pairs or more, share={share} of n={len(left)} pairs is 1")
    moved = list(right)
    for row, giver in zip(chosen, _deranged(chosen, left, right, seed), strict=True):
        moved[row] = right[giver]
    wrong = np.zeros(len(left), dtype=bool)
    wrong[chosen] = True
    return dataclasses.replace(pairs, right=moved) if isinstance(pairs, Pairs) else (list(left), moved), wrong


def _mistyped(text: str, rate: float, rng: np.random.Generator) -> str:
    drawn, which, where = rng.random((3, len(text)))  # as many at every rate: the draws of a character stay its own
    todo, typed, start = list(text), [], 0
    size, content = len(text), sum(not c.isspace() for c in text)
    for i in np.flatnonzero(drawn < rate).tolist():
        typed += todo[start:i]
        start, c = i + 1, todo[i]
        near = _NEAR.get(c.lower(), "")
        hit = near[int(where[i] * len(near))] if near else c
        hit = hit.upper() if c.isupper() else hit
        possible: list[str | None] = [hit + c]
        if near:
            possible.append(hit)
        if (size if c.isspace() else content) > 1:
            possible.append("")
        if start < len(todo) and todo[start] != c:
            possible.append(None)  # to change places
        done = possible[int(which[i] * len(possible))]
        if done is None:
            done, todo[start] = todo[start], c
        else:
            size += len(done) - 1
            content += sum(not d.isspace() for d in done) - (not c.isspace())
        typed.append(done)
    return "".join(typed + todo[start:])


def words_of(text: str) -> tuple[str, list[str], list[str], str]:
    """What stands before the first word, the words, the spaces between them, what stands after the last."""
    inner = text.strip()
    start = text.find(inner) if inner else len(text)
    parts = re.split(r"(\s+)", inner) if inner else []
    return text[:start], parts[0::2], parts[1::2], text[start + len(inner) :]


def joined(before: str, words: list[str], gaps: list[str], after: str) -> str:
    """The text that `words_of` took apart."""
    return "".join([before, *(part for pair in zip(words, [*gaps, after], strict=False) for part in pair)])


def each_text(texts: object, seed: object, what: str) -> Iterator[tuple[str, np.random.Generator]]:
    """Each text with a generator of its own: of the seed, `what`, the text, and how often it came before."""
    checked = check_texts(texts, "texts", what)
    for text, digest in zip(checked, _digests(map(_bytes, checked), seed, what), strict=True):
        yield text, np.random.default_rng(int.from_bytes(digest, "big"))


def _digests(rows: Iterable[bytes], seed: object, what: str) -> Iterator[bytes]:
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
        raise TypeError(f"seed must be an int, got {seed!r}")
    seen: dict[bytes, int] = {}
    for row in rows:
        again = seen[row] = seen.get(row, -1) + 1
        yield hashlib.blake2b(b"%s %d %d " % (what.encode(), seed, again) + row, digest_size=16).digest()


def _chosen(rows: Iterable[bytes], share: float, seed: object, what: str) -> list[int]:
    digests = list(_digests(rows, seed, what))
    count = int(share * len(digests) + 0.5)
    return sorted(sorted(range(len(digests)), key=digests.__getitem__)[:count])


def _deranged(chosen: list[int], left: Sequence[str], right: Sequence[str], seed: object) -> list[int]:
    """For each chosen row the chosen row whose right side it takes, never a partner of its own left text."""
    partners: dict[str, set[str]] = defaultdict(set)
    for one, other in zip(left, right, strict=True):
        partners[one].add(other)

    def fits(row: int, giver: int) -> bool:
        return right[giver] not in partners[left[row]]

    rng = np.random.default_rng(int.from_bytes(next(_digests([b""], seed, "wrong_pairs")), "big"))
    givers = rng.permutation(chosen).tolist()
    for i, row in enumerate(chosen):
        if fits(row, givers[i]):
            continue
        for j in rng.permutation(len(chosen)).tolist():
            if fits(row, givers[j]) and fits(chosen[j], givers[i]):
                givers[i], givers[j] = givers[j], givers[i]
                break
        else:
            raise ValueError(f"row {row} has no wrong partner left: too many of {len(chosen)} chosen rows share a side")
    return givers


def _sides(pairs: object) -> tuple[Sequence[str], Sequence[str]]:
    if isinstance(pairs, Pairs):
        return pairs.left, pairs.right
    if not isinstance(pairs, tuple | list) or len(pairs) != 2:
        raise TypeError(f"wrong_pairs takes Pairs or two sequences of texts, got {type(pairs).__name__}")
    left, right = (check_texts(side, name, "wrong_pairs") for side, name in zip(pairs, ("left", "right"), strict=True))
    if len(left) != len(right):
        raise ValueError(f"wrong_pairs takes a right text per left one, got {len(left)} and {len(right)}")
    return left, right


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def fraction(value: object, name: str) -> float:
    """`value` as a float in [0, 1]; a TypeError or ValueError names it otherwise."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise TypeError(f"{name} must be a number, got {value!r}")
    if not 0 <= value <= 1:
        raise ValueError(f"{name} must be in [0, 1], got {value}")
    return float(value)
