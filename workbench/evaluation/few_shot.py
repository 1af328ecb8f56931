"""Classification from a few examples of each label, by the protocol of mteb."""

import warnings
from collections import Counter
from collections.abc import Sequence

import numpy as np

from workbench.corpora import Labels
from workbench.evaluation.base import Evaluation, Sentences
from workbench.evaluation.labelled import accuracy_and_f1, as_codes, labels_of, per_round, rounds_of, vectors_of

__all__ = ["evaluate_classification"]


def evaluate_classification(
    encoder: Sentences,
    data: Labels,
    *,
    train: Labels | None = None,
    samples: int = 8,
    experiments: int = 10,
    seed: int = 42,
) -> Evaluation:
    """Mean over experiments of "accuracy" and "macro_f1", each in [0, 1], of a classifier taught by a few rows.

    mteb's protocol, the leaderboards' number: in each experiment logistic regression (max_iter=100, vectors as they
    are) learns from `samples` rows of each label, or all where there are fewer. Rows of split "train" teach those of
    split "test", or `train` teaches `data`. The `accuracy` of an item is its share of experiments; intervals are over
    the tested items (macro-F1: 20 blocks of texts) with the drawn training rows held fixed.

    Raises:
        ValueError: no rows to teach, fewer than 2 labels, a tested label that no row teaches, `samples` or
            `experiments` below 1, or vectors that are not finite.

    Reference: Muennighoff et al. 2023, MTEB, section 3.2; mteb 2, AbsTaskClassification.
    """
    if samples < 1 or experiments < 1:
        raise ValueError(f"samples and experiments must be at least 1, got {samples} and {experiments}")
    rounds = rounds_of(data, train, folds=None)
    codes, names = as_codes(rounds.values(labels_of))
    ((taught, tested),) = per_round(rounds, codes, names)
    drawn = [taught[few] for few in draws(codes[taught], samples=samples, experiments=experiments, seed=seed)]
    needed = np.unique(np.concatenate([*drawn, tested]))  # rows never drawn are not encoded
    vectors = vectors_of(encoder, [rounds.texts[i] for i in needed])
    x = (vectors.float() if vectors.element_size() < 4 else vectors).numpy()
    shown = x[np.searchsorted(needed, tested)]
    predicted = np.stack([_predicted(x[np.searchsorted(needed, few)], codes[few], shown) for few in drawn])
    protocol = f"mteb: {experiments} experiments of {samples} rows a label, logistic regression, seed {seed}"
    return accuracy_and_f1(rounds, predicted, codes, names, encoder=encoder, protocol=protocol)


def draws(labels: Sequence | np.ndarray, *, samples: int, experiments: int, seed: int) -> list[list[int]]:
    """Rows of each experiment: the first `samples` of each label in an order that is shuffled once more each time.

    Every shuffle starts from the same seed, as in mteb: the order of one experiment is the next one's input.
    """
    order, drawn = list(range(len(labels))), []
    for _ in range(experiments):
        np.random.RandomState(seed).shuffle(order)
        taken, few = Counter(), []
        for i in order:
            if taken[labels[i]] < samples:
                few.append(i)
                taken[labels[i]] += 1
        drawn.append(few)
    return drawn


def _predicted(x: np.ndarray, y: np.ndarray, tested: np.ndarray) -> np.ndarray:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the protocol stops at 100 steps
        return LogisticRegression(max_iter=100).fit(x, y).predict(tested)
