"""Semantic textual similarity: do cosines rank pairs as people do?"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from scipy.stats import rankdata

from workbench.corpora import Pairs
from workbench.intervals import Estimate, blocks_of, jackknife
from workbench.tensors import as_rows, unit

__all__ = ["Evaluation", "Sentences", "evaluate_sts"]


@runtime_checkable
class Sentences(Protocol):
    """An encoder: whatever turns texts into rows."""

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors (n, d) of n texts."""
        ...


@dataclass(frozen=True)
class Evaluation(Mapping[str, Estimate]):
    """Scores by metric name, as in `result["spearman"]`, with what each item contributed.

    Attributes:
        scores: an estimate for each metric.
        per_item: one number for each item, in the order of the data.
        source: fingerprint of the data.
    """

    scores: dict[str, Estimate]
    per_item: np.ndarray
    source: str

    def __getitem__(self, metric: str) -> Estimate:
        return self.scores[metric]

    def __iter__(self) -> Iterator[str]:
        return iter(self.scores)

    def __len__(self) -> int:
        return len(self.scores)


def evaluate_sts(encoder: Sentences, pairs: Pairs) -> Evaluation:
    """Correlation of cosine with human scores: "spearman" (the usual one) and "pearson", each in [-1, 1].

    `per_item` holds the cosine of each pair. Intervals by jackknife over 20 blocks of pairs; pairs that share
    their left text stay in one block. Multiply by 100 to stand beside a leaderboard's number.

    Raises:
        ValueError: fewer than 20 pairs, or scores that are all equal.
    """
    scores = np.asarray(pairs.scores, dtype=np.float64)
    if len(scores) < 20:
        raise ValueError(f"a correlation with an interval needs 20 pairs or more, got {len(scores)}")
    if np.ptp(scores) == 0:
        raise ValueError(f"all {len(scores)} scores are {scores[0]:g}: nothing to correlate with")
    left, right = (unit(as_rows(encoder.encode(texts))) for texts in (pairs.left, pairs.right))
    cosines = torch.einsum("nd,nd->n", left.double(), right.double()).numpy()
    blocks = blocks_of(pairs.left)
    definition = "correlation of cosine with human scores"
    found = {
        "spearman": jackknife(
            lambda rows: _pearson(rankdata(cosines[rows]), rankdata(scores[rows])),
            blocks,
            definition=f"Spearman {definition}",
        ),
        "pearson": jackknife(
            lambda rows: _pearson(cosines[rows], scores[rows]), blocks, definition=f"Pearson {definition}"
        ),
    }
    return Evaluation(found, cosines, pairs.source.fingerprint)


def _pearson(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a, b)[0, 1])
