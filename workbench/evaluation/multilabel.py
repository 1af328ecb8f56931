"""Classification where a text has any number of labels."""

import numpy as np

from workbench.corpora import Corpus, Labels
from workbench.evaluation.base import Evaluation, Sentences, evaluation_of, ids_of, lengths_of, recipe_of
from workbench.evaluation.labelled import Rounds, as_codes, labels_of, rounds_of, vectors_of
from workbench.intervals import blocks_of
from workbench.tensors import unit

__all__ = ["evaluate_multilabel"]


def evaluate_multilabel(
    encoder: Sentences,
    data: Labels | Corpus,
    *,
    column: str | None = None,
    separator: str = "|",
    train: Labels | Corpus | None = None,
    folds: int = 5,
) -> Evaluation:
    """One classifier a label: "macro_f1" (main), "micro_f1" and "accuracy" (the whole set of labels is right).

    Each in [0, 1]. Logistic regression (L2, C = 1) on unit rows; a label is given where its probability is above
    one half. The labels of a row are the list in `column`, or its label cut at `separator`; none is allowed. Labels
    that no tested row has play no part. Splits and folds as in `evaluate_probe`. F1 by jackknife over 20 blocks of
    texts (a part without a label leaves it out of the mean), accuracy by items, the classifiers held fixed.

    Raises:
        ValueError: no rows, no such column, fewer than 2 labels, a label that none or all of the teaching rows have,
            `folds` outside 2..distinct texts, or vectors that are zero or not finite.
    """
    rounds = rounds_of(data, train, folds=folds)
    gold, names = _table(rounds.values(lambda record: _sets(record, column, separator)), rounds.tested)
    for taught, _ in rounds.rounds:
        _check(gold[taught].sum(axis=0), len(taught), names, rounds.split)
    x = unit(vectors_of(encoder, [rounds.texts[i] for i in rounds.used])).numpy()
    given = np.zeros_like(gold)
    for taught, tested in rounds.rounds:
        given[tested] = _one_against_rest(x[rounds.at(taught)], gold[taught], x[rounds.at(tested)])
    return _scored(rounds, gold[rounds.tested], given[rounds.tested], encoder, column)


def f1(gold: np.ndarray, given: np.ndarray) -> float:
    """Mean of F1 over the columns of two boolean tables (n, labels) that are not empty in both."""
    right, both = (gold & given).sum(axis=0), gold.sum(axis=0) + given.sum(axis=0)
    return float(np.mean(2 * right[both > 0] / both[both > 0])) if both.any() else float("nan")


def _sets(record: Labels | Corpus, column: str | None, separator: str) -> list[list]:
    if column is not None:
        if column not in record.columns:
            raise ValueError(f"{record.source.name} has no column {column!r}; it has {sorted(record.columns)}")
        return [list(labels) for labels in record.columns[column]]
    return [[part for part in str(label).split(separator) if part] for label in labels_of(record)]


def _table(sets: list[list], tested: np.ndarray) -> tuple[np.ndarray, list]:
    names = as_codes([label for i in tested for label in sets[i]])[1]
    if len(names) < 2:
        raise ValueError(f"the tested rows must have 2 labels or more, got {names}")
    held = [set(labels) for labels in sets]
    return np.array([[name in labels for name in names] for labels in held]), names


def _check(counts: np.ndarray, rows: int, names: list, split: str) -> None:
    for wrong, number in (("none", 0), ("all", rows)):
        if len(bad := np.flatnonzero(counts == number)):
            raise ValueError(f"label {names[bad[0]]!r}: {wrong} of the {rows} rows that teach have it ({split})")


def _one_against_rest(x: np.ndarray, y: np.ndarray, tested: np.ndarray) -> np.ndarray:
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier

    return OneVsRestClassifier(LogisticRegression(C=1.0, max_iter=1000)).fit(x, y.astype(int)).predict(tested) > 0


def _scored(rounds: Rounds, gold: np.ndarray, given: np.ndarray, encoder: Sentences, column: str | None) -> Evaluation:
    rows, data = rounds.tested, rounds.data
    texts = [rounds.texts[i] for i in rows]
    columns = {name: [values[i] for i in rows] for name, values in data.columns.items() if name != column}
    protocol = "logistic regression for each label, C = 1, unit rows"
    return evaluation_of(
        "multilabel classification",
        main="macro_f1",
        arrays={
            "accuracy": (gold == given).all(axis=1).astype(float),
            "right": (gold & given).sum(axis=1),
            "gold": gold.sum(axis=1),
            "given": given.sum(axis=1),
        },
        ids=ids_of(texts),
        means={"accuracy": "share of rows whose set of labels is predicted right"},
        statistics={
            "macro_f1": (lambda kept: f1(gold[kept], given[kept]), "mean over the labels of F1"),
            "micro_f1": (
                lambda kept: f1(gold[kept].reshape(-1, 1), given[kept].reshape(-1, 1)),
                "F1 of all labels of all rows together",
            ),
        },
        blocks=blocks_of(texts),
        columns={**columns, "labels": gold.sum(axis=1).tolist(), "length": lengths_of(encoder, texts).tolist()},
        source=data.source.fingerprint,
        recipe=recipe_of(encoder, data=data.source.name, split=rounds.split, protocol=protocol),
    )
