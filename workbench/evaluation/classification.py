"""Classification by plain means: a linear probe, the nearest rows, the nearest mean, the nearest class text."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from workbench.corpora import Labels
from workbench.evaluation.base import Evaluation, Sentences
from workbench.evaluation.labelled import Rounds, accuracy_and_f1, as_codes, labels_of, per_round, rounds_of, vectors_of
from workbench.neighbours import knn_graph
from workbench.tensors import as_rows, cosines, unit

__all__ = ["evaluate_class_texts", "evaluate_knn", "evaluate_nearest_mean", "evaluate_probe", "probe"]

Classifier = Callable[[Tensor, np.ndarray, Tensor], np.ndarray]  # unit rows, label numbers, unit rows -> label numbers


def probe(x: np.ndarray | Tensor, labels: Sequence[str], *, groups: Sequence[str], folds: int = 5) -> np.ndarray:
    """Whether each row's label is predicted right out of fold, (n,) of booleans; their mean is the accuracy.

    Logistic regression (L2, C = 1) on unit rows of `x` (n, d). Rows of one group are never on both sides of a
    split, so that near copies and pieces of one text cannot leak; folds keep the shares of the labels where the
    groups allow it. Nothing is random.

    Raises:
        ValueError: `labels` or `groups` are not one for each row, fewer than 2 labels, or a label that lies in
            fewer groups than there are folds.
    """
    rows = unit(as_rows(x, least=2)).numpy()
    y, group = np.asarray(labels), np.asarray(groups)
    if y.shape != (len(rows),) or group.shape != (len(rows),):
        raise ValueError(
            f"labels and groups must be one for each of the {len(rows)} rows, got {y.shape} and {group.shape}"
        )
    names = np.unique(y)
    if len(names) < 2:
        raise ValueError(f"a probe tells 2 labels or more apart, got {names.tolist()}")
    for name in names:
        if len(set(group[y == name])) < folds:
            raise ValueError(f"label {name!r} lies in {len(set(group[y == name]))} groups, fewer than {folds} folds")
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold

    correct = np.zeros(len(rows), dtype=bool)
    for train, test in StratifiedGroupKFold(folds).split(rows, y, group):
        model = LogisticRegression(C=1.0, max_iter=1000).fit(rows[train], y[train])
        correct[test] = model.predict(rows[test]) == y[test]
    return correct


def evaluate_probe(encoder: Sentences, data: Labels, *, train: Labels | None = None, folds: int = 5) -> Evaluation:
    """Linear probe: "accuracy" and "macro_f1", each in [0, 1], of logistic regression (L2, C = 1) on unit rows.

    Rows of split "train" teach those of split "test", or `train` teaches `data`; data without both splits is
    cross-validated in `folds` folds by a hash of the text, which the recipe says. Intervals are over the tested items
    (macro-F1: 20 blocks of texts), with the classifier held fixed. Nothing is random.

    Raises:
        ValueError: no rows, fewer than 2 labels, a tested label that no row teaches (in folds: a label with one
            row), `folds` outside 2..distinct texts, or vectors that are zero or not finite.
    """
    return _evaluated(encoder, data, train, folds, _logistic, "logistic regression, C = 1, unit rows")


def evaluate_knn(
    encoder: Sentences, data: Labels, *, k: int = 5, train: Labels | None = None, folds: int = 5
) -> Evaluation:
    """Nearest rows: "accuracy" and "macro_f1", in [0, 1], of the label that most of the `k` nearest by cosine have.

    Of labels with as many votes, the one whose row is nearest. Splits, folds and intervals as in `evaluate_probe`.

    Raises:
        ValueError: as in `evaluate_probe`, or `k` outside 1..rows that teach.
    """

    def vote(x: Tensor, y: np.ndarray, tested: Tensor) -> np.ndarray:
        return _majority(y[knn_graph(x, k=k, queries=tested).indices])

    return _evaluated(encoder, data, train, folds, vote, f"{k} nearest rows by cosine")


def evaluate_nearest_mean(
    encoder: Sentences, data: Labels, *, train: Labels | None = None, folds: int = 5
) -> Evaluation:
    """Nearest mean: "accuracy" and "macro_f1", in [0, 1], of the label whose mean of unit rows is nearest by cosine.

    Splits, folds and intervals as in `evaluate_probe`; the lower label of two at the same cosine.

    Raises:
        ValueError: as in `evaluate_probe`, or rows of a label that cancel out to a mean of zero.
    """

    def nearest(x: Tensor, y: np.ndarray, tested: Tensor) -> np.ndarray:
        known = np.unique(y)
        means = torch.stack([x[torch.from_numpy(y == label)].double().mean(dim=0) for label in known])
        return known[cosines(tested, means).argmax(dim=1).numpy()]

    return _evaluated(encoder, data, train, folds, nearest, "nearest mean of unit rows by cosine")


def evaluate_class_texts(
    encoder: Sentences, data: Labels, *, texts: Mapping[str | int, str] | None = None, template: str = "{}"
) -> Evaluation:
    """Zero-shot: "accuracy" and "macro_f1", each in [0, 1], of the label whose own text is nearest by cosine.

    Nothing is trained. `texts` gives a text for each label, None the label itself; `template` holds {} where it goes.
    Labels with a text and no rows are choices all the same. Tested are the rows of split "test", or all where there
    are none. Intervals are over the tested items (macro-F1: 20 blocks of texts).

    Raises:
        ValueError: no rows, fewer than 2 labels, a label without a text, an empty or repeated one, `template` without
            {}, or vectors that are zero or not finite.
    """
    if len(data) == 0:
        raise ValueError(f"{data.source.name}: no rows to test")
    if template.count("{}") != 1:
        raise ValueError(f"template must hold {{}} once, got {template!r}")
    split = data.columns.get("split", [""] * len(data))
    tested = np.array([i for i in range(len(data)) if split[i] == "test"] or range(len(data)), dtype=np.int64)
    rounds = Rounds(data, None, tuple(data.texts), ((tested[:0], tested),), "test" if "test" in split else "all")
    words = {label: str(label) for label in data.labels} if texts is None else dict(texts)
    if missing := [label for label in data.labels if not str(words.get(label, "")).strip()]:
        raise ValueError(f"label {missing[0]!r} has no text to compare with, or an empty one")
    if len(words) < 2 or len(set(words.values())) < len(words):
        raise ValueError(f"class texts must be 2 or more and differ, got {list(words.values())}")
    codes, names = as_codes([*data.labels, *words])
    rows = vectors_of(encoder, [template.replace("{}", words[name]) for name in names])
    near = cosines(vectors_of(encoder, data.take(tested.tolist()).texts), rows).argmax(dim=1).numpy()
    protocol = f"nearest of {len(names)} class texts by cosine, template {template!r}"
    return accuracy_and_f1(rounds, near[None], codes, names, encoder=encoder, protocol=protocol)


def _evaluated(
    encoder: Sentences, data: Labels, train: Labels | None, folds: int, classify: Classifier, protocol: str
) -> Evaluation:
    rounds = rounds_of(data, train, folds=folds)
    codes, names = as_codes(rounds.values(labels_of))
    parts = per_round(rounds, codes, names)
    x = unit(vectors_of(encoder, [rounds.texts[i] for i in rounds.used]))
    predicted = np.full(len(codes), -1)
    for taught, tested in parts:
        predicted[tested] = classify(x[rounds.at(taught)], codes[taught], x[rounds.at(tested)])
    return accuracy_and_f1(rounds, predicted[None, rounds.tested], codes, names, encoder=encoder, protocol=protocol)


def _logistic(x: Tensor, y: np.ndarray, tested: Tensor) -> np.ndarray:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=1.0, max_iter=1000).fit(x.numpy(), y).predict(tested.numpy())


def _majority(near: np.ndarray) -> np.ndarray:
    """Most frequent label of each row of `near` (m, k), nearest first; of equally frequent ones the first."""
    votes = np.stack([(near == near[:, [j]]).sum(axis=1) for j in range(near.shape[1])], axis=1)
    return near[np.arange(len(near)), votes.argmax(axis=1)]
