"""Semantic textual similarity: do cosines rank pairs as people do?"""

import numpy as np
import torch
from scipy.stats import rankdata

from workbench.corpora import Pairs
from workbench.evaluation.base import Evaluation, Sentences, evaluation_of, ids_of, lengths_of, recipe_of
from workbench.intervals import blocks_of
from workbench.tensors import as_rows, unit

__all__ = ["evaluate_sts"]


def evaluate_sts(encoder: Sentences, pairs: Pairs) -> Evaluation:
    """Correlation of cosine with human scores: "spearman" (the usual one) and "pearson", each in [-1, 1].

    `per_item` holds the cosine of each pair, column "length" the tokens of both its texts. Intervals by jackknife over
    20 blocks of pairs; pairs that share their left text stay in one block. Multiply by 100 to stand beside a
    leaderboard's number.

    Raises:
        ValueError: fewer than 20 pairs, or scores that are all equal.
    """
    gold = np.asarray(pairs.scores, dtype=np.float64)
    if len(gold) < 20:
        raise ValueError(f"a correlation with an interval needs 20 pairs or more, got {len(gold)}")
    if np.ptp(gold) == 0:
        raise ValueError(f"all {len(gold)} scores are {gold[0]:g}: nothing to correlate with")
    left, right = (unit(as_rows(encoder.encode(texts))) for texts in (pairs.left, pairs.right))
    cosines = torch.einsum("nd,nd->n", left.double(), right.double()).numpy()
    lengths = lengths_of(encoder, pairs.left) + lengths_of(encoder, pairs.right)
    definition = "correlation of cosine with human scores"
    return evaluation_of(
        "sts",
        main="spearman",
        arrays={"cosine": cosines, "score": gold},
        ids=ids_of(pairs.left, pairs.right),
        statistics={
            "spearman": (
                lambda rows: _pearson(rankdata(cosines[rows]), rankdata(gold[rows])),
                f"Spearman {definition}",
            ),
            "pearson": (lambda rows: _pearson(cosines[rows], gold[rows]), f"Pearson {definition}"),
        },
        blocks=blocks_of(pairs.left),
        columns={**pairs.columns, "length": lengths.tolist()},
        source=pairs.source.fingerprint,
        recipe=recipe_of(encoder, data=pairs.source.name, split=pairs.source.split),
    )


def _pearson(a: np.ndarray, b: np.ndarray) -> float:
    if len(a) < 3 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])
