"""Splits by a hash: what shares a key is in one split, whatever else is in the set."""

import hashlib
from collections.abc import Sequence
from typing import TypeVar

from workbench.corpora.base import Record

__all__ = ["SPLITS", "check_split", "hash_split", "part"]

SPLITS = ("train", "dev", "test")
_Kind = TypeVar("_Kind", bound=Record)


def hash_split(key: str) -> str:
    """The split of all rows with this key, by its SHA-256: 'train' (8 of 10 keys), 'dev' or 'test' (1 of 10 each)."""
    place = int.from_bytes(hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()[:8], "big") / 2**64
    return "train" if place < 0.8 else "dev" if place < 0.9 else "test"


def check_split(name: str, split: str | None) -> None:
    """Refuses a split that is none.

    Raises:
        ValueError: `split` is not 'train', 'dev', 'test' or None.
    """
    if split is not None and split not in SPLITS:
        raise ValueError(f"{name} has no split {split!r}; it has {sorted(SPLITS)}")


def part(whole: _Kind, split: str | None) -> _Kind:
    """The rows whose column `split` is this one; all of them for None.

    Raises:
        ValueError: no row is in the split.
    """
    held: Sequence[str] = whole.columns["split"]
    rows = [row for row, value in enumerate(held) if split in (None, value)]
    if not rows:
        raise ValueError(f"{whole.source.name}: none of the {len(held)} rows is in split {split!r}")
    return whole if split is None else whole.take(rows)
