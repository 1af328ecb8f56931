"""Exact and near duplicates among many texts, found with min-hash sketches."""

import re
import zlib
from collections.abc import Sequence

import numpy as np

__all__ = ["distinct_rows"]

_SHINGLE = 4  # words
_BANDS, _ROWS = 10, 4  # finds a pair of resemblance 0.7 with probability 0.94, of 0.8 with 0.995, of 0.5 with 0.48
_WORD = re.compile(r"\w+")


def distinct_rows(texts: Sequence[str], *, threshold: float = 0.7) -> list[int]:
    """Indices of the texts that resemble no earlier kept text, in ascending order.

    The resemblance of two texts, in [0, 1], is the Jaccard index of their sets of 4-word shingles, words in
    lower case without punctuation; a text of fewer than 4 words is one shingle. A text whose resemblance
    with a text already kept is `threshold` or more is dropped. Pairs to compare are found by 10 bands
    of 4 min-hashes each with fixed seeds, then the index is worked out exactly; a near duplicate at the
    threshold itself is overlooked with probability 0.06, an exact one never.

    Raises:
        ValueError: `threshold` is not in (0, 1].

    Reference: Broder 1997, On the resemblance and containment of documents.
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold must be in (0, 1], got {threshold}")
    shingles, starts = _shingles(texts)
    if not len(starts):
        return []
    bands = _bands(shingles, starts)
    ends = np.append(starts[1:], len(shingles))
    kept: list[int] = []
    sets: dict[int, set[int]] = {}
    buckets: dict[tuple[int, int], list[int]] = {}
    for row in range(len(texts)):
        keys = list(enumerate(bands[row].tolist()))
        near = dict.fromkeys(other for key in keys for other in buckets.get(key, ()))
        own = set(shingles[starts[row] : ends[row]].tolist())
        if any(_resemblance(own, sets[other]) >= threshold for other in near):
            continue
        kept.append(row)
        sets[row] = own
        for key in keys:
            buckets.setdefault(key, []).append(row)
    return kept


def _resemblance(one: set[int], other: set[int]) -> float:
    shared = len(one & other)
    return shared / (len(one) + len(other) - shared)


def _shingles(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    known: dict[str, int] = {}
    hashed: list[np.ndarray] = []
    for text in texts:
        words = _WORD.findall(text.lower()) or [text]
        ids = np.array([known.setdefault(w, zlib.crc32(w.encode("utf-8", "replace"))) for w in words], dtype=np.uint64)
        width = min(_SHINGLE, len(ids))
        total = np.zeros(len(ids) - width + 1, dtype=np.uint64)
        for place in range(width):
            total = _mixed(total + ids[place : len(ids) - width + 1 + place])
        hashed.append(total)
    lengths = np.array([len(h) for h in hashed], dtype=np.int64)
    return (np.concatenate(hashed), np.cumsum(lengths) - lengths) if hashed else (np.zeros(0), np.zeros(0))


def _mixed(x: np.ndarray) -> np.ndarray:
    # the finaliser of splitmix64 (Steele, Lea and Flood 2014): every bit of x moves every bit of the result
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _bands(shingles: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """One uint64 key per text and band, shape (n, _BANDS)."""
    generator = np.random.default_rng(1997)
    salts = generator.integers(0, 2**63, size=_BANDS * _ROWS, dtype=np.uint64)
    keys = np.zeros((len(starts), _BANDS), dtype=np.uint64)
    for i, salt in enumerate(salts):
        least = np.minimum.reduceat(_mixed(shingles ^ salt), starts)
        band = i // _ROWS
        keys[:, band] = _mixed(keys[:, band] + least)
    return keys
