"""Pair classification and AUC against mteb, scikit-learn and counted pairs."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, average_precision_score, f1_score, roc_auc_score

from workbench.corpora import Pairs
from workbench.evaluation.pairs import auc, evaluate_pairs


class Table:
    """An encoder that looks its vectors up."""

    def __init__(self, vectors):
        self.vectors = vectors

    def encode(self, texts):
        return np.stack([self.vectors[text] for text in texts])


class Angles:
    """A text is a cosine: on the right side the vector that has this cosine with the left one."""

    def encode(self, texts):
        return np.array([[1.0, 0.0] if t == "left" else [float(t), math.sqrt(1 - float(t) ** 2)] for t in texts])


def of_cosines(values, labels):
    return Pairs(["left"] * len(values), [repr(float(v)) for v in values], labels)


def random_pairs(seed, n=200, d=6, signal=0.5):
    rng = np.random.default_rng(seed)
    left, right = [f"left {i}" for i in range(n)], [f"right {i}" for i in range(n)]
    labels = (rng.random(n) < 0.4).astype(float)
    x = rng.normal(size=(n, d))
    y = rng.normal(size=(n, d)) + signal * labels[:, None] * x
    return Table({**dict(zip(left, x, strict=True)), **dict(zip(right, y, strict=True))}), Pairs(left, right, labels)


def cosines(encoder, data):
    x, y = encoder.encode(data.left), encoder.encode(data.right)
    return (x * y).sum(axis=1) / np.linalg.norm(x, axis=1) / np.linalg.norm(y, axis=1)


@pytest.fixture(scope="module")
def mteb_task():
    task = pytest.importorskip("mteb.abstasks.pair_classification", reason="needs the extra mteb")

    class Task(task.AbsTaskPairClassification):
        def dataset_transform(self):
            pass

    return Task.__new__(Task)


@pytest.mark.parametrize("seed", range(3))
def test_pairs_are_scored_as_in_mteb(mteb_task, seed):
    from sklearn.metrics.pairwise import paired_cosine_distances

    encoder, data = random_pairs(seed, n=50 + 70 * seed)
    peer = 1 - paired_cosine_distances(encoder.encode(data.left), encoder.encode(data.right))
    theirs = mteb_task._compute_metrics_values(peer.tolist(), data.scores.astype(int), True)
    ours = evaluate_pairs(encoder, data)
    assert ours["average_precision"].value == pytest.approx(theirs["ap"], abs=1e-9)
    assert ours["accuracy"].value == pytest.approx(theirs["accuracy"], abs=1e-9)
    assert ours["f1"].value == pytest.approx(theirs["f1"], abs=1e-9)
    assert ours.main == "average_precision"


@pytest.mark.parametrize("seed", range(2))
def test_tied_cosines_are_never_parted_as_in_mteb(mteb_task, seed):
    rng = np.random.default_rng(seed)
    values, labels = rng.integers(-3, 4, size=60) / 4, rng.integers(0, 2, size=60)
    ours = evaluate_pairs(Angles(), of_cosines(values, labels))
    theirs = mteb_task._compute_metrics_values(ours.arrays["cosine"].tolist(), labels, True)
    for here, there in (("average_precision", "ap"), ("accuracy", "accuracy"), ("f1", "f1")):
        assert ours[here].value == pytest.approx(theirs[there], abs=1e-9)


def test_numbers_without_a_threshold_are_scikit_learns():
    encoder, data = random_pairs(11)
    found, cosine = evaluate_pairs(encoder, data), cosines(encoder, data)
    assert found["roc_auc"].value == pytest.approx(roc_auc_score(data.scores, cosine), abs=1e-12)
    assert found["average_precision"].value == pytest.approx(average_precision_score(data.scores, cosine), abs=1e-12)
    assert found.arrays["cosine"] == pytest.approx(cosine, abs=1e-12)
    for metric in found:
        assert found[metric].low < found[metric].value < found[metric].high


def test_a_threshold_from_training_pairs_is_the_best_there_and_is_used_here():
    encoder, train = random_pairs(1)
    other, test = random_pairs(2)
    texts = {text: np.r_[v] for text, v in other.vectors.items()}
    renamed = Pairs([f"t {t}" for t in train.left], [f"t {t}" for t in train.right], train.scores)
    table = Table({**texts, **{f"t {t}": v for t, v in encoder.vectors.items()}})
    found = evaluate_pairs(table, test, train=renamed)
    known, here = cosines(encoder, train), cosines(other, test)
    cuts = np.sort(known)
    between = (cuts[1:] + cuts[:-1]) / 2
    best = max(between, key=lambda at: (accuracy_score(train.scores, known > at), at))
    best_f1 = max(between, key=lambda at: (f1_score(train.scores, known > at), at))
    assert found["accuracy"].value == pytest.approx(accuracy_score(test.scores, here > best))
    assert found["f1"].value == pytest.approx(f1_score(test.scores, here > best_f1))
    assert found.arrays["accuracy"] == pytest.approx(((here > best) == test.scores).astype(float))
    assert found["accuracy"].unit == "item"
    assert f"{best:.6g}" in found["accuracy"].definition
    assert found.recipe["threshold_from"] == "made here"


def test_thresholds_by_hand():
    """Accuracy is best at 0.8 (the first of two equally good places), F1 at 0.4."""
    train = of_cosines([0.9, 0.7, 0.5, 0.3, 0.1], [1, 0, 1, 0, 0])
    found = evaluate_pairs(Angles(), of_cosines([0.6, 0.2, 0.85, 0.45], [1, 0, 1, 0]), train=train)
    assert "cosine 0.8," in found["accuracy"].definition
    assert "cosine 0.4," in found["f1"].definition
    assert found.arrays["accuracy"].tolist() == [0, 1, 1, 1]
    assert found["f1"].value == pytest.approx(2 * 2 / (3 + 2))


def test_a_pair_on_the_threshold_lies_above_it():
    vectors = {
        "a": np.array([1.0, 0]),
        "same": np.array([2.0, 0]),
        "away": np.array([-1.0, 0]),
        "up": np.array([0, 1.0]),
    }
    train, test = (Pairs(["a", "a"], [right, "away"], [1, 0]) for right in ("same", "up"))
    assert evaluate_pairs(Table(vectors), test, train=train).arrays["accuracy"].tolist() == [1, 1]  # 0 is the threshold


def test_equal_cosines_by_hand():
    found = evaluate_pairs(Angles(), of_cosines([0.5, 0.5, 0.1], [1, 0, 0]))
    assert found["accuracy"].value == found["f1"].value == pytest.approx(2 / 3)


def test_an_honest_threshold_is_never_better_than_one_chosen_on_the_test():
    for seed in range(2):
        encoder, data = random_pairs(seed, n=120, signal=0.2)
        half = evaluate_pairs(encoder, data.take(range(60)), train=data.take(range(60, 120)))
        best = evaluate_pairs(encoder, data.take(range(60)))
        assert half["accuracy"].value <= best["accuracy"].value
        assert half["f1"].value <= best["f1"].value


def test_neighbouring_floats_are_kept_apart():
    """Halfway between two neighbouring floats is one of the two."""
    low, high = 0.5, math.nextafter(0.5, 1)
    encoder = Table({"a": np.array([1.0, 0.0]), "b": np.array([1.0, 0.0])})
    from workbench.evaluation.pairs import _best_accuracy

    value, at = _best_accuracy(np.array([low, high]), np.array([False, True]))
    assert value == 1
    assert low < at <= high
    with pytest.raises(ValueError, match="all 2 cosines"):
        evaluate_pairs(encoder, Pairs(["a", "b"], ["b", "a"], [0, 1]))


def test_a_part_is_the_evaluation_of_those_pairs():
    encoder, data = random_pairs(5)
    rows = list(range(0, 200, 3))
    part, alone = evaluate_pairs(encoder, data).take(rows), evaluate_pairs(encoder, data.take(rows))
    for metric in alone:
        assert part[metric].value == pytest.approx(alone[metric].value, abs=1e-12)
    assert evaluate_pairs(encoder, data).by("length", bins=2)


@pytest.mark.parametrize(
    ("labels", "words"),
    [([1, 1, 1], "both kinds"), ([0, 0, 0], "both kinds"), ([0, 0.5, 1], "row 1 is 0.5"), ([], "both kinds")],
)
def test_pairs_that_are_no_yes_or_no_are_refused(labels, words):
    good = of_cosines([0.1, 0.2, 0.3], [0, 1, 1])
    bad = of_cosines([0.1, 0.2, 0.3][: len(labels)], labels)
    with pytest.raises(ValueError, match=words):
        evaluate_pairs(Angles(), bad)
    with pytest.raises(ValueError, match=words):
        evaluate_pairs(Angles(), good, train=bad)


def test_vectors_that_are_not_finite_are_refused():
    encoder = Table({"a": np.array([1.0, np.nan]), "b": np.array([1.0, 1.0])})
    with pytest.raises(ValueError, match="row 0 is not finite"):
        evaluate_pairs(encoder, Pairs(["a", "b"], ["b", "b"], [0, 1]))


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=4, max_size=40))
def test_auc_is_the_share_of_ordered_pairs(rows):
    labels = [label for _, label in rows]
    if not 2 <= sum(labels) <= len(labels) - 2:
        labels[:4] = [True, True, False, False]
        labels = labels[:4] + [False] * (len(labels) - 4)
    scores = [float(score) for score, _ in rows]
    won = [
        1.0 if a > b else 0.5 if a == b else 0.0
        for a, one in zip(scores, labels, strict=True)
        if one
        for b, other in zip(scores, labels, strict=True)
        if not other
    ]
    assert auc(scores, labels).value == pytest.approx(np.mean(won), abs=1e-12)


def test_delongs_variance_is_that_of_his_double_loop():
    rng = np.random.default_rng(3)
    scores, labels = np.round(rng.normal(size=60) + 0.5 * np.r_[np.ones(25), np.zeros(35)], 1), [1] * 25 + [0] * 35
    psi = np.array([[(a > b) + (a == b) / 2 for b in scores[25:]] for a in scores[:25]])
    by_one, by_other = psi.mean(axis=1), psi.mean(axis=0)
    variance = by_one.var(ddof=1) / 25 + by_other.var(ddof=1) / 35
    found = auc(scores, labels)
    assert found.standard_error == pytest.approx(math.sqrt(variance), rel=1e-12)
    assert found.n == 60
    assert 24 <= found.degrees_of_freedom <= 58


def test_aucs_interval_covers_the_truth():
    """Normal scores 1 apart: the area is Phi(1 / sqrt 2) = 0.7602."""
    rng, covered = np.random.default_rng(0), 0
    for _ in range(400):
        found = auc(np.r_[rng.normal(1, 1, 40), rng.normal(0, 1, 40)], [1] * 40 + [0] * 40)
        covered += found.low <= 0.760250 <= found.high
    assert 0.92 < covered / 400 < 0.98


def test_auc_of_parted_and_of_equal_scores():
    parted, equal = auc([3.0, 4, 1, 2], [1, 1, 0, 0]), auc([1.0] * 6, [1, 0] * 3)
    assert (parted.value, parted.low, parted.high) == (1, 1, 1)
    assert equal.value == 0.5


@pytest.mark.parametrize(
    ("scores", "labels", "words"),
    [
        ([1.0, 2.0], [1], "one of each"),
        (np.ones((1, 2)), np.ones((1, 2)), "one of each"),
        ([1.0, math.nan, 2, 3], [1, 0, 1, 0], "row 1 is nan"),
        ([1.0, 2, 3, 4], [0, 1, 2, 1], "row 2 is 2"),
        ([1.0, 2, 3, 4], [0, 1, 1, 1], "2 items or more of each"),
    ],
)
def test_auc_refuses(scores, labels, words):
    with pytest.raises(ValueError, match=words):
        auc(scores, labels)
