"""Classification against mteb, scikit-learn, loops and a published number."""

import hashlib
import warnings

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, recall_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neighbors import KNeighborsClassifier

from workbench.corpora import Corpus, Labels, load
from workbench.evaluation.classification import (
    evaluate_class_texts,
    evaluate_knn,
    evaluate_nearest_mean,
    evaluate_probe,
)
from workbench.evaluation.few_shot import evaluate_classification
from workbench.evaluation.labelled import macro_f1
from workbench.evaluation.multilabel import evaluate_multilabel

BY_LABELS = [evaluate_classification, evaluate_probe, evaluate_knn, evaluate_nearest_mean]
ALL = [*BY_LABELS, evaluate_class_texts]


class Table:
    """An encoder that looks its vectors up and remembers what it was asked."""

    def __init__(self, vectors):
        self.vectors, self.asked = vectors, []

    def encode(self, texts):
        self.asked += texts
        return np.stack([self.vectors[text] for text in texts])


class Rows:
    """Labelled rows with a signal of size `shift`, the first `train` of them to teach."""

    def __init__(self, *, n=300, train=150, labels=3, shift=1.0, dtype=np.float32, seed=0):
        rng = np.random.default_rng(seed)
        self.y = rng.integers(0, labels, n)
        self.x = rng.normal(size=(n, 12)).astype(dtype)
        self.x[np.arange(n), self.y] += shift
        self.names = [f"text {i}" for i in range(n)]
        self.train, self.test = slice(0, train), slice(train, n)
        self.encoder = Table(dict(zip(self.names, self.x, strict=True)))
        self.data = Labels(self.names, self.y.tolist(), {"split": ["train"] * train + ["test"] * (n - train)})
        self.unit = self.x / np.linalg.norm(self.x, axis=1, keepdims=True)


@pytest.mark.parametrize(("labels", "samples", "seed"), [(2, 8, 0), (5, 40, 1)])
def test_few_shot_is_mtebs_classification(labels, samples, seed):
    from tests.unit import local_mteb

    rows = Rows(n=250, labels=labels, seed=seed)
    texts, y = np.array(rows.names), rows.y
    task = local_mteb.Classification()
    task.samples_per_label = samples  # at 40, more than the labels have: all rows of each
    splits = {
        name: {"text": texts[part].tolist(), "label": y[part].tolist()}
        for name, part in (("train", rows.train), ("test", rows.test))
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = local_mteb.scores(task, splits, rows.encoder.vectors)
    ours = evaluate_classification(rows.encoder, rows.data, samples=samples)
    assert ours["accuracy"].value == pytest.approx(theirs["accuracy"], abs=1e-9)
    assert ours["macro_f1"].value == pytest.approx(theirs["f1"], abs=1e-9)
    assert ours["accuracy"].low < ours["accuracy"].value < ours["accuracy"].high
    assert ours.main == "accuracy"


def test_few_shot_encodes_only_what_it_draws_or_tests():
    rows = Rows(n=400, train=350, labels=2)
    evaluate_classification(rows.encoder, rows.data, samples=3, experiments=2)
    assert set(rows.names[350:]) < set(rows.encoder.asked)
    assert len(rows.encoder.asked) <= 50 + 2 * 2 * 3
    assert len(set(rows.encoder.asked)) == len(rows.encoder.asked)


def test_few_shot_is_set_by_its_seed():
    rows = Rows()
    one, again, other = (evaluate_classification(rows.encoder, rows.data, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(one.per_item, again.per_item)
    assert not np.array_equal(one.per_item, other.per_item)
    assert one.recipe != other.recipe


def test_a_probe_of_a_split_is_scikit_learns_logistic_regression():
    rows = Rows()
    model = LogisticRegression(max_iter=1000).fit(rows.unit[rows.train], rows.y[rows.train])
    theirs, gold = model.predict(rows.unit[rows.test]), rows.y[rows.test]
    ours = evaluate_probe(rows.encoder, rows.data)
    assert np.array_equal(ours.per_item, theirs == gold)
    assert ours["macro_f1"].value == pytest.approx(f1_score(gold, theirs, average="macro"))
    assert ours.ids[0] == hashlib.sha256(rows.data.texts[150].encode()).hexdigest()[:16]
    for label, part in ours.by("label").items():
        recall = recall_score(gold, theirs, labels=[int(label)], average="macro")
        assert part["accuracy"].value == pytest.approx(recall)


def test_a_train_record_teaches_as_its_split_does():
    rows = Rows()
    train, test = rows.data.where(split="train"), rows.data.where(split="test")
    for evaluate in BY_LABELS:
        whole, apart = evaluate(rows.encoder, rows.data), evaluate(rows.encoder, test, train=train)
        assert np.array_equal(whole.per_item, apart.per_item), evaluate
        assert np.array_equal(evaluate(rows.encoder, rows.data, train=train).per_item, whole.per_item), evaluate


def test_without_a_split_equal_texts_share_a_fold_and_the_order_plays_no_part():
    """Every text has its own direction and a label at random: readable only from a copy of itself."""
    rng = np.random.default_rng(0)
    names = [f"text {i % 60}" for i in range(300)]
    encoder = Table({f"text {i}": row for i, row in enumerate(rng.normal(size=(60, 80)))})
    label = dict(zip(names[:60], rng.permutation(["a", "b"] * 30).tolist(), strict=True))
    found = evaluate_knn(encoder, Labels(names, [label[name] for name in names]), k=1)
    assert found["accuracy"].value < 0.75
    assert found.recipe["split"] == "5 folds by a hash of the text"
    order = rng.permutation(300)
    mixed = [names[i] for i in order]
    again = evaluate_knn(encoder, Labels(mixed, [label[name] for name in mixed]), k=1)
    assert np.array_equal(again.per_item, found.per_item[order])


@pytest.mark.parametrize("k", [1, 4, 7, 150])
def test_nearest_rows_vote_and_the_nearest_breaks_ties(k):
    rows = Rows(labels=4)
    x, y, gold = rows.unit[rows.train], rows.y[rows.train], rows.y[rows.test]
    right = []
    for row, label in zip(rows.unit[rows.test], gold, strict=True):
        near = y[np.argsort(-(x @ row), kind="stable")[:k]].tolist()
        votes = [near.count(one) for one in near]
        right.append(near[votes.index(max(votes))] == label)
    assert np.array_equal(evaluate_knn(rows.encoder, rows.data, k=k).per_item, right)


def test_nearest_rows_of_two_labels_are_scikit_learns():
    rows = Rows(labels=2)
    model = KNeighborsClassifier(5, metric="cosine").fit(rows.x[rows.train], rows.y[rows.train])
    theirs = model.predict(rows.x[rows.test]) == rows.y[rows.test]
    assert np.array_equal(evaluate_knn(rows.encoder, rows.data).per_item, theirs)


def test_the_nearest_mean_is_that_of_unit_rows():
    rows = Rows(labels=4)
    means = np.stack([rows.unit[rows.train][rows.y[rows.train] == label].mean(axis=0) for label in range(4)])
    near = (rows.unit[rows.test] @ (means / np.linalg.norm(means, axis=1, keepdims=True)).T).argmax(axis=1)
    assert np.array_equal(evaluate_nearest_mean(rows.encoder, rows.data).per_item, near == rows.y[rows.test])


def test_the_nearest_class_text_may_be_one_without_rows():
    encoder = Table(
        {"a": [1.0, 0], "b": [0, 1.0], "c": [-1.0, 0], "it is x": [2.0, 1], "it is y": [0, 1.0], "it is z": [-1.0, 1]}
    )
    found = evaluate_class_texts(
        encoder,
        Labels(["a", "b", "c"], ["X", "Y", "Y"]),
        texts={"X": "x", "Y": "y", "Z": "z"},
        template="it is {}",
    )
    assert found.per_item.tolist() == [1, 1, 0]
    # F1 of X is 1, of Y 2/3, of Z 0: Z was predicted once
    assert found["macro_f1"].value == pytest.approx((1 + 2 / 3 + 0) / 3)
    assert found.columns["label"] == ("X", "Y", "Y")


def test_class_texts_are_the_labels_themselves_and_the_test_split_is_tested():
    encoder = Table({"a": [1.0, 0], "b": [0, 1.0], "X": [1.0, 0.1], "7": [0.1, 1.0]})
    data = Labels(["a", "b", "b"], ["X", 7, "X"], {"split": ["test", "test", "train"]})
    found = evaluate_class_texts(encoder, data)
    assert found.per_item.tolist() == [1, 1]
    assert found.recipe["split"] == "test"


@pytest.mark.parametrize("seed", range(5))
def test_macro_f1_is_scikit_learns_with_labels_missing_on_either_side(seed):
    rng = np.random.default_rng(seed)
    gold, predicted = rng.integers(0, 4, 20), rng.integers(2, 7, (3, 20))
    theirs = [f1_score(gold, run, average="macro") for run in predicted]
    assert macro_f1(gold, predicted, 9) == pytest.approx(np.mean(theirs))


def multilabelled(rows):
    y = np.stack([rows.y == 0, rows.y < 2, rows.x[:, 5] > 1], axis=1)
    return y, [[name for name, held in zip("abc", row, strict=True) if held] for row in y]


def test_multilabel_is_one_vs_rest_of_scikit_learn():
    rows = Rows(shift=2)
    y, sets = multilabelled(rows)
    model = OneVsRestClassifier(LogisticRegression(max_iter=1000)).fit(rows.unit[rows.train], y[rows.train].astype(int))
    theirs, gold = model.predict(rows.unit[rows.test]), y[rows.test]
    split = rows.data.columns["split"]
    ours = evaluate_multilabel(rows.encoder, Corpus(rows.names, {"topics": sets, "split": split}), column="topics")
    joined = evaluate_multilabel(rows.encoder, Labels(rows.names, ["|".join(s) for s in sets], {"split": split}))
    for found in (ours, joined):
        assert found["macro_f1"].value == pytest.approx(f1_score(gold, theirs, average="macro"))
        assert found["micro_f1"].value == pytest.approx(f1_score(gold, theirs, average="micro"))
        assert found["accuracy"].value == pytest.approx(np.mean((gold == theirs).all(axis=1)))
        assert found["macro_f1"].low < found["macro_f1"].value < found["macro_f1"].high
    assert ours.recipe["split"] == "train -> test"


def test_random_labels_score_chance_within_the_interval():
    inside = 0
    for seed in range(60):
        rows = Rows(n=240, train=40, labels=4, shift=0, seed=seed)
        found = evaluate_nearest_mean(rows.encoder, rows.data)["accuracy"]
        inside += found.low <= 0.25 <= found.high
    assert inside >= 51  # 95 % of 60 is 57; a third of the runs would be outside at half the width
    rows = Rows(n=500, train=300, labels=4, shift=0)
    for evaluate in ALL[:3]:
        found = evaluate(rows.encoder, rows.data)["accuracy"]
        assert found.low <= 0.25 <= found.high, evaluate


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_other_precisions_give_the_same_labels(dtype):
    rows, single = Rows(dtype=dtype, shift=3), Rows(shift=3)
    for evaluate in BY_LABELS:
        close = evaluate(rows.encoder, rows.data).per_item - evaluate(single.encoder, single.data).per_item
        assert np.abs(close).mean() < 0.01, evaluate


def refused(evaluate, words, y, *, split=None, encoder=None, **more):
    names = [f"text {i}" for i in range(len(y))]
    rng = np.random.default_rng(0)
    table = encoder or Table({name: rng.normal(size=4) for name in [*names, *map(str, y), "x", "y"]})
    with pytest.raises(ValueError, match=words):
        evaluate(table, Labels(names, y, {"split": split} if split else {}), **more)


@pytest.mark.parametrize("evaluate", BY_LABELS)
def test_labels_that_cannot_be_told_apart_are_refused(evaluate):
    split = ["train"] * 10 + ["test"] * 10
    refused(evaluate, r"2 labels or more apart, got \['a'\]", ["a"] * 20, split=split)
    refused(evaluate, "label 'c' is tested but no row teaches it", ["a", "b"] * 9 + ["c"] * 2, split=split)
    refused(evaluate, "no rows to teach or to test", [])
    empty = Labels([], [])
    refused(evaluate, "no rows to teach or to test", ["a", "b"], train=empty)


@pytest.mark.parametrize("evaluate", BY_LABELS[1:])
def test_folds_refuse_a_label_with_one_row_and_too_many_folds(evaluate):
    refused(evaluate, r"label 'c' is tested but no row teaches it \(5 folds", ["a", "b"] * 9 + ["c"])
    for folds in (1, 21):
        refused(
            evaluate,
            f"folds must lie in 2..20, the number of distinct texts, got {folds}",
            ["a", "b"] * 10,
            folds=folds,
        )


@pytest.mark.parametrize("evaluate", ALL)
def test_vectors_that_are_not_numbers_or_not_one_a_text_are_refused(evaluate):
    class Broken:
        def encode(self, texts):
            return np.full((len(texts), 3), np.nan)

    class Short:
        def encode(self, texts):
            return np.ones_like(texts[:1], dtype=float)[:, None]

    y, split = ["a", "b"] * 10, ["train"] * 10 + ["test"] * 10
    refused(evaluate, "vectors: row 0 is not finite", y, split=split, encoder=Broken())
    refused(evaluate, "the encoder gave 1 vectors for", y, split=split, encoder=Short())


@pytest.mark.parametrize(
    ("evaluate", "words", "more"),
    [
        (evaluate_classification, "rows of split 'train' and 'test': pass train=", {}),
        (evaluate_classification, "samples and experiments must be at least 1, got 0 and 10", {"samples": 0}),
        (evaluate_classification, "samples and experiments must be at least 1, got 8 and 0", {"experiments": 0}),
        (evaluate_knn, "k must be at least 1 and at most n=16, got 17", {"k": 17}),
        (evaluate_knn, "k must be at least 1 and at most n=16, got 0", {"k": 0}),
        (evaluate_class_texts, "template must hold {} once, got 'about'", {"template": "about"}),
        (evaluate_class_texts, "label 'b' has no text", {"texts": {"a": "x"}}),
        (evaluate_class_texts, "label 'b' has no text", {"texts": {"a": "x", "b": " "}}),
        (evaluate_class_texts, "class texts must be 2 or more and differ", {"texts": {"a": "x", "b": "x"}}),
    ],
)
def test_options_out_of_range_are_refused(evaluate, words, more):
    refused(evaluate, words, ["a", "b"] * 10, **more)


def test_class_texts_of_no_rows_or_one_class_and_a_mean_of_zero_are_refused():
    refused(evaluate_class_texts, "no rows to test", [])
    refused(evaluate_class_texts, "class texts must be 2 or more", ["a"] * 4)
    signs = Table({f"text {i}": np.array([(-1.0) ** (i // 2), 0.0]) for i in range(12)})
    split = ["train"] * 8 + ["test"] * 4
    refused(evaluate_nearest_mean, "row 0 is zero", ["a", "b"] * 6, split=split, encoder=signs)


@pytest.mark.parametrize(
    ("sets", "words"),
    [
        ([["a"], ["b"]] * 7 + [["c"], ["a"]], "label 'c': none of the"),
        ([["a", "b"], ["a"]] * 8, "label 'a': all of the"),
        ([["a"], []] * 8, r"2 labels or more, got \['a'\]"),
    ],
)
def test_multilabel_refuses_what_cannot_be_taught(sets, words):
    rows = Rows(n=16, train=8)
    with pytest.raises(ValueError, match=words):
        evaluate_multilabel(rows.encoder, Corpus(rows.names, {"labels": sets}), column="labels")
    with pytest.raises(ValueError, match="has no column 'topics'"):
        evaluate_multilabel(rows.encoder, Corpus(rows.names), column="topics")
    with pytest.raises(ValueError, match="has no labels, only texts"):
        evaluate_multilabel(rows.encoder, Corpus(rows.names))


@pytest.mark.local
def test_minilm_reaches_its_published_accuracy_on_sib200_in_english():
    from workbench.encoders import load_encoder

    data = load("sib200").where(lang="eng_Latn")
    found = evaluate_classification(load_encoder("all-MiniLM-L6-v2"), data)
    assert len(found.ids) == 204
    assert 100 * found["accuracy"].value == pytest.approx(72.16, abs=0.05)  # public MTEB results of the model
