"""Pairs that belong together or not: does the cosine tell them apart?"""

from collections.abc import Callable, Sequence

import numpy as np
import torch

from workbench.corpora import Pairs
from workbench.evaluation.base import Evaluation, Sentences, Statistic, evaluation_of, ids_of, lengths_of, recipe_of
from workbench.intervals import Estimate, blocks_of
from workbench.intervals.estimate import t_estimate
from workbench.tensors import as_rows, unit

__all__ = ["auc", "evaluate_pairs"]


def evaluate_pairs(encoder: Sentences, data: Pairs, *, train: Pairs | None = None) -> Evaluation:
    """How well cosines tell pairs of score 1 from pairs of score 0: "average_precision", the leaderboards' number.

    All in [0, 1]: average precision and "roc_auc" need no threshold; "accuracy" and "f1" (of score 1) do. With `train`
    it is the best one of those pairs, so that the test is honest, and "accuracy" is a mean over the pairs. Without it
    it is the best one of these very pairs, as mteb has it: an upper bound, and chosen anew when a part is taken. A
    threshold lies halfway between two unequal cosines, so one pair at least is on either side. Intervals by jackknife
    over 20 blocks of pairs; pairs that share their left text stay in one block.

    Raises:
        ValueError: a score that is neither 0 nor 1, pairs of one kind only, or cosines that are all equal.

    Reference: Muennighoff et al. 2023, MTEB, section 3.2 (pair classification).
    """
    label, cosine = _labels(data), _cosines(encoder, data)
    arrays, means, statistics = {"cosine": cosine, "label": label}, {}, _without_threshold(cosine, label)
    if train is None:
        where = "at the best threshold for these very pairs"
        statistics["accuracy"] = (_of_rows(_best_accuracy, cosine, label), f"accuracy {where}")
        statistics["f1"] = (_of_rows(_best_f1, cosine, label), f"F1 {where}")
    else:
        known, known_cosine = _labels(train), _cosines(encoder, train)
        at = _best_accuracy(known_cosine, known)[1]
        arrays["accuracy"] = ((cosine >= at) == label).astype(np.float64)
        means["accuracy"] = f"accuracy at cosine {at:.6g}, the best threshold for {len(train)} training pairs"
        f1_at = _best_f1(known_cosine, known)[1]
        definition = f"F1 at cosine {f1_at:.6g}, the best threshold for {len(train)} training pairs"
        statistics["f1"] = (lambda rows: _f1(cosine[rows] >= f1_at, label[rows]), definition)
    lengths = lengths_of(encoder, data.left) + lengths_of(encoder, data.right)
    learned = "these pairs" if train is None else f"{train.source.name} {train.source.split or ''}".strip()
    return evaluation_of(
        "pairs",
        main="average_precision",
        arrays=arrays,
        ids=ids_of(data.left, data.right),
        means=means,
        statistics=statistics,
        blocks=blocks_of(data.left),
        columns={**data.columns, "length": lengths.tolist()},
        source=data.source.fingerprint,
        recipe=recipe_of(encoder, data=data.source.name, split=data.source.split, threshold_from=learned),
    )


def auc(scores: Sequence[float] | np.ndarray, labels: Sequence[int] | np.ndarray) -> Estimate:
    """Area under the ROC curve: how often a score of label 1 exceeds one of label 0; ties count half.

    In [0, 1], chance 0.5. Interval by DeLong's variance, one part for each label, with t and Satterthwaite's degrees
    of freedom; it has no width at 0 and 1, where nothing varies.

    Raises:
        ValueError: not one label a score, a score that is not finite, a label that is neither 0 nor 1, or fewer than
            2 of either.

    Reference: DeLong, DeLong and Clarke-Pearson 1988, Biometrics 44(3); Sun and Xu 2014, IEEE SPL 21(11).
    """
    values, label = np.asarray(scores, dtype=np.float64), np.asarray(labels)
    if values.ndim != 1 or values.shape != label.shape:
        raise ValueError(f"scores and labels must be one of each per item, got {values.shape} and {label.shape}")
    if not np.isfinite(values).all():
        row = int(np.flatnonzero(~np.isfinite(values))[0])
        raise ValueError(f"a score must be finite, row {row} is {values[row]}")
    positive = _zero_one(label, "labels")
    groups = [values[positive], values[~positive]]
    if min(map(len, groups)) < 2:
        raise ValueError(f"auc needs 2 items or more of each label, got {len(groups[0])} of 1, {len(groups[1])} of 0")
    from scipy.stats import rankdata

    ranks = rankdata(values)
    above = (ranks[positive] - rankdata(groups[0])) / len(groups[1])  # share of the other label that each one exceeds
    below = 1 - (ranks[~positive] - rankdata(groups[1])) / len(groups[0])
    return t_estimate(
        float(above.mean()),
        [(float(part.var(ddof=1)) / len(part), len(part) - 1) for part in (above, below)],
        n=len(values),
        unit="item",
        method="DeLong variance, t",
        definition="area under the ROC curve",
    )


def _labels(data: Pairs) -> np.ndarray:
    label = _zero_one(np.asarray(data.scores), f"{data.source.name}: scores")
    if len(label) == 0 or label.all() or not label.any():
        raise ValueError(f"{data.source.name}: pairs must be of both kinds, got {int(label.sum())} of {len(label)} 1")
    return label


def _zero_one(values: np.ndarray, name: str) -> np.ndarray:
    wrong = np.flatnonzero((values != 0) & (values != 1))
    if len(wrong):
        raise ValueError(f"{name} must be 0 or 1, row {wrong[0]} is {values[wrong[0]]}")
    return values == 1


def _cosines(encoder: Sentences, data: Pairs) -> np.ndarray:
    left, right = (unit(as_rows(encoder.encode(texts))) for texts in (data.left, data.right))
    cosine = torch.einsum("nd,nd->n", left.double(), right.double()).cpu().numpy()
    if np.ptp(cosine) == 0:
        raise ValueError(f"{data.source.name}: all {len(cosine)} cosines are {cosine[0]:g}: no threshold tells apart")
    return cosine


def _without_threshold(cosine: np.ndarray, label: np.ndarray) -> dict[str, tuple[Statistic, str]]:
    from sklearn.metrics import average_precision_score, roc_auc_score

    def both(rows: np.ndarray) -> bool:  # a part of one kind has neither number
        return bool(label[rows].any() and not label[rows].all())

    def precision(rows: np.ndarray) -> float:
        return float(average_precision_score(label[rows], cosine[rows])) if both(rows) else float("nan")

    def area(rows: np.ndarray) -> float:
        return float(roc_auc_score(label[rows], cosine[rows])) if both(rows) else float("nan")

    return {
        "average_precision": (precision, "average precision of pairs ranked by cosine"),
        "roc_auc": (area, "area under the ROC curve of cosine"),
    }


def _of_rows(
    best: Callable[[np.ndarray, np.ndarray], tuple[float, float]], cosine: np.ndarray, label: np.ndarray
) -> Statistic:
    return lambda rows: best(cosine[rows], label[rows])[0]


def _best_accuracy(cosine: np.ndarray, label: np.ndarray) -> tuple[float, float]:
    above, hits, at = _cuts(cosine, label)
    right = hits + np.sum(~label) - (above - hits)
    return _best(right / len(label), at)


def _best_f1(cosine: np.ndarray, label: np.ndarray) -> tuple[float, float]:
    above, hits, at = _cuts(cosine, label)
    return _best(2 * hits / np.maximum(above + label.sum(), 1), at)


def _cuts(cosine: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every threshold: how many pairs lie above, how many of those have label 1, and where it is."""
    order = np.argsort(-cosine, kind="stable")
    value, hits = cosine[order], np.cumsum(label[order])
    cut = np.flatnonzero(value[:-1] > value[1:])  # never between equal cosines
    middle = (value[cut] + value[cut + 1]) / 2
    # halfway between two neighbouring floats is one of them: the upper one keeps them apart
    return cut + 1, hits[cut], np.where(middle > value[cut + 1], middle, value[cut])


def _best(values: np.ndarray, at: np.ndarray) -> tuple[float, float]:
    if len(values) == 0:
        return float("nan"), float("nan")
    best = int(np.argmax(values))
    return float(values[best]), float(at[best])


def _f1(predicted: np.ndarray, label: np.ndarray) -> float:
    both = int(predicted.sum() + label.sum())
    return 2 * int((predicted & label).sum()) / both if both else float("nan")
