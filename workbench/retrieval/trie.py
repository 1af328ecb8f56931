"""A prefix tree of token sequences: which token may follow, so that only given sequences are written."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

__all__ = ["Trie"]


class Trie:
    """Sequences of tokens as a prefix tree in flat arrays: 13 bytes a node, tens of microseconds a question.

    `trie.allowed` is what `models.generate` takes as `allowed`. Without `end`, a sequence that begins another one (a
    title and a longer title) is only a way to it; with it both can be written to their end.

    Args:
        sequences: the sequences, as tokens; equal ones count once.
        end: the token that closes every sequence, usually the model's end of text.

    Raises:
        ValueError: no sequences, one that is empty, has a negative or fractional token, or holds `end`; by its index.

    Reference: De Cao et al. 2021 (GENRE), section 3.2, for the use.
    """

    def __init__(self, sequences: Iterable[Iterable[Any]], *, end: int | None = None) -> None:
        rows = sorted(set(_checked(sequences, end)))
        if not rows:
            raise ValueError("a trie holds one sequence or more, got none")
        self.end = end
        self._size = len(rows)
        lengths = np.array([len(row) for row in rows], dtype=np.int64)
        flat = np.fromiter((token for row in rows for token in row), dtype=np.int64, count=int(lengths.sum()))
        self._tokens, self._first, self._closed = _tree(flat, lengths)

    def __len__(self) -> int:
        """Number of different sequences."""
        return self._size

    def __contains__(self, sequence: Sequence[int]) -> bool:
        """Whether `sequence`, with its `end` where the trie has one, is one of the sequences."""
        node = self._node(sequence)
        return node is not None and bool(self._closed[node])

    def allowed(self, prefix: Sequence[int]) -> list[int]:
        """Tokens that may follow `prefix`, ascending: none at the end of a sequence, or where no sequence begins so."""
        node = self._node(prefix)
        return [] if node is None else self._tokens[self._first[node] : self._first[node + 1]].tolist()

    def _node(self, prefix: Sequence[int]) -> int | None:
        node = 0
        for token in prefix:
            low, high = int(self._first[node]), int(self._first[node + 1])
            node = low + int(np.searchsorted(self._tokens[low:high], token))
            if node == high or self._tokens[node] != token:
                return None
        return node


def _tree(flat: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Token of each node, where its children begin (they lie together), and whether a sequence ends there.

    Nodes stand by depth, and within it in the order of the sorted sequences; node 0 is the root.
    """
    offsets = np.cumsum(lengths) - lengths
    own = np.zeros(len(lengths), dtype=np.int64)  # the node that each sequence has come to
    tokens, parents, closing = [np.array([-1])], [np.array([-1])], []
    nodes, depth, open_ = 1, 0, np.arange(len(lengths))
    while len(open_):
        here = flat[offsets[open_] + depth]
        new = np.ones(len(open_), dtype=bool)
        new[1:] = (here[1:] != here[:-1]) | (own[open_][1:] != own[open_][:-1])
        tokens.append(here[new])
        parents.append(own[open_][new])
        own[open_] = nodes - 1 + np.cumsum(new)
        nodes, depth = nodes + int(new.sum()), depth + 1
        closing.append(own[open_[lengths[open_] == depth]])
        open_ = open_[lengths[open_] > depth]
    closed = np.zeros(nodes, dtype=bool)
    closed[np.concatenate(closing)] = True
    first = np.searchsorted(np.concatenate(parents), np.arange(nodes + 1), side="left")
    return np.concatenate(tokens).astype(np.int32), first, closed


def _checked(sequences: Iterable[Iterable[Any]], end: int | None) -> Iterable[tuple[int, ...]]:
    for i, sequence in enumerate(sequences):
        row = tuple(sequence)
        if not row or any(not hasattr(token, "__index__") or not 0 <= token < 2**31 for token in row):
            raise ValueError(f"sequence {i} must hold one token or more, whole numbers in 0..2**31 - 1, got {row!r}")
        if end is not None and end in row:
            raise ValueError(f"sequence {i} must not hold the end token {end}, got {row!r}")
        yield tuple(int(token) for token in row) + (() if end is None else (end,))
