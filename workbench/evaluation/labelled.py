"""Labelled texts: which rows teach and which are tested, and what predicted labels score."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from workbench.corpora import Corpus, Labels
from workbench.evaluation.base import Evaluation, Sentences, evaluation_of, ids_of, lengths_of, recipe_of
from workbench.intervals import blocks_of
from workbench.tensors import as_rows

__all__ = ["Rounds", "accuracy_and_f1", "as_codes", "labels_of", "per_round", "rounds_of", "vectors_of"]

Round = tuple[np.ndarray, np.ndarray]  # rows that teach, rows that are tested


@dataclass(frozen=True)
class Rounds:
    """Texts, and rounds of (rows that teach, rows that are tested); the rows of the data come first.

    Attributes:
        data: the record whose rows are tested.
        train: the record that teaches, where it is another one.
        texts: texts of both, those of `data` first.
        rounds: row numbers in `texts`; no row is tested twice.
        split: the rule, in words, for the recipe.
    """

    data: Labels | Corpus
    train: Labels | Corpus | None
    texts: tuple[str, ...]
    rounds: tuple[Round, ...]
    split: str

    @property
    def tested(self) -> np.ndarray:
        """Rows that are tested, in the order of the data."""
        return np.sort(np.concatenate([tested for _, tested in self.rounds]))

    @property
    def used(self) -> np.ndarray:
        """Rows that teach or are tested, ascending: those that need vectors."""
        return np.unique(np.concatenate([rows for part in self.rounds for rows in part]))

    def at(self, rows: np.ndarray) -> np.ndarray:
        """Places of `rows` in `used`."""
        return np.searchsorted(self.used, rows)

    def values(self, of: Callable[[Labels | Corpus], Sequence]) -> list:
        """What `of` gives for each row of both records, in the order of `texts`."""
        return [*of(self.data), *(() if self.train is None else of(self.train))]


def rounds_of(data: Labels | Corpus, train: Labels | Corpus | None, *, folds: int | None) -> Rounds:
    """Who teaches whom: `train` teaches `data`; else split "train" teaches split "test"; else folds by a hash of texts.

    With `train`, rows of split "test" alone are tested where the data has such. Equal texts share a fold.

    Raises:
        ValueError: no rows; or neither `train` nor both splits, where `folds` is None or not in 2..distinct texts.
    """
    if len(data) == 0 or (train is not None and len(train) == 0):
        raise ValueError(f"{data.source.name}: no rows to teach or to test")
    split = np.asarray(data.columns.get("split", [""] * len(data)), dtype=str)
    texts, test = tuple(data.texts), np.flatnonzero(split == "test")
    if train is not None:
        rows = test if len(test) else np.arange(len(data))
        taught = np.arange(len(train)) + len(data)
        words = f"{train.source.name} {train.source.split or 'all'} -> {'test' if len(test) else 'all'}"
        return Rounds(data, train, (*texts, *train.texts), ((taught, rows),), words)
    if len(test) and (split == "train").any():
        return Rounds(data, None, texts, ((np.flatnonzero(split == "train"), test),), "train -> test")
    if folds is None:
        raise ValueError(
            f"{data.source.name} has no rows of split 'train' and 'test': pass train= with the rows to teach"
        )
    if not 2 <= folds <= len(set(texts)):
        raise ValueError(f"folds must lie in 2..{len(set(texts))}, the number of distinct texts, got {folds}")
    fold = blocks_of(texts, n_blocks=folds)
    rounds = tuple((np.flatnonzero(fold != i), np.flatnonzero(fold == i)) for i in range(folds))
    return Rounds(data, None, texts, rounds, f"{folds} folds by a hash of the text")


def as_codes(labels: Sequence[Hashable]) -> tuple[np.ndarray, list]:
    """Number of each label in 0..classes - 1, int64 (n,), and the labels in that order: integers, then strings."""
    names = sorted(set(labels), key=lambda name: (isinstance(name, str), name))
    number = {name: i for i, name in enumerate(names)}
    return np.array([number[label] for label in labels], dtype=np.int64), names


def labels_of(record: Labels | Corpus) -> Sequence[str | int]:
    """The labels of a record, one a row.

    Raises:
        ValueError: it has none.
    """
    if not isinstance(record, Labels):
        raise ValueError(f"{record.source.name} has no labels, only texts")
    return record.labels


def vectors_of(encoder: Sentences, texts: Sequence[str]) -> Tensor:
    """Vectors (n, d) of n texts, checked.

    Raises:
        ValueError: rows as refused by `as_rows`, or not one for each text.
    """
    rows = as_rows(encoder.encode(texts), name="vectors")
    if len(rows) != len(texts):
        raise ValueError(f"the encoder gave {len(rows)} vectors for {len(texts)} texts")
    return rows


def per_round(rounds: Rounds, codes: np.ndarray, names: list) -> tuple[Round, ...]:
    """The rounds, once every tested label is known to be taught.

    Raises:
        ValueError: fewer than 2 labels teach, or a label is tested that no row teaches.
    """
    for taught, tested in rounds.rounds:
        known = np.unique(codes[taught])
        if len(known) < 2:
            raise ValueError(
                f"a classifier tells 2 labels or more apart, got {[names[i] for i in known]} ({rounds.split})"
            )
        if len(unknown := np.setdiff1d(codes[tested], known)):
            raise ValueError(f"label {names[unknown[0]]!r} is tested but no row teaches it ({rounds.split})")
    return rounds.rounds


def accuracy_and_f1(
    rounds: Rounds, predicted: np.ndarray, codes: np.ndarray, names: list, *, encoder: Sentences, **recipe: object
) -> Evaluation:
    """What `predicted` (runs, tested rows) label numbers score: "accuracy", a mean of items, and "macro_f1".

    Both are means over the runs. Macro-F1 is over the labels that are in the gold or among the predictions.
    """
    rows = rounds.tested
    gold, data = codes[rows], rounds.data
    texts = [rounds.texts[i] for i in rows]
    runs = [f"predicted {i + 1}" for i in range(len(predicted))] if len(predicted) > 1 else ["predicted"]
    return evaluation_of(
        "classification",
        main="accuracy",
        arrays={"accuracy": (predicted == gold).mean(axis=0), "gold": gold, **dict(zip(runs, predicted, strict=True))},
        ids=ids_of(texts),
        means={"accuracy": "share of rows whose label is predicted right"},
        statistics={
            "macro_f1": (
                lambda kept: macro_f1(gold[kept], predicted[:, kept], len(names)),
                "mean over the labels of F1",
            )
        },
        blocks=blocks_of(texts),
        columns={
            **{name: [values[i] for i in rows] for name, values in data.columns.items()},
            "label": [str(names[i]) for i in gold],
            "length": lengths_of(encoder, texts).tolist(),
        },
        source=data.source.fingerprint,
        recipe=recipe_of(encoder, data=data.source.name, split=rounds.split, **recipe),
    )


def macro_f1(gold: np.ndarray, predicted: np.ndarray, classes: int) -> float:
    """Mean over runs of macro-F1 of `predicted` (runs, n) against `gold` (n,), label numbers below `classes`."""
    scores = []
    for run in predicted:
        right = np.bincount(gold[gold == run], minlength=classes)
        named = np.bincount(gold, minlength=classes) + np.bincount(run, minlength=classes)
        scores.append(np.mean(2 * right[named > 0] / named[named > 0]))
    return float(np.mean(scores))
