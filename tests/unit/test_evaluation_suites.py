"""Tables of scores against the evaluations one by one, and against scores of the items that are left."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from workbench.corpora import Labels, Pairs, Retrieval, Scores
from workbench.encoders.counted import hashed_encoder
from workbench.evaluation import evaluate_bitext, evaluate_pairs, evaluate_retrieval, evaluate_sts
from workbench.evaluation.classification import evaluate_knn
from workbench.evaluation.clustering import evaluate_clustering
from workbench.evaluation.suites import common_scores, left_out_scores, score_table, texts_of
from workbench.intervals import jackknife_replicates

RNG = np.random.default_rng(0)
WORDS = np.array([f"w{i}" for i in range(30)])
TEXTS = [" ".join(RNG.choice(WORDS, 6)) for _ in range(80)]
LABELS = Labels(TEXTS, [i % 3 for i in range(80)])
STS = Pairs(TEXTS[:40], TEXTS[40:], RNG.random(40))
YES = Pairs(TEXTS[:40], TEXTS[40:], RNG.integers(0, 2, 40))
SAME = Pairs(TEXTS[:40], TEXTS[40:], np.ones(40))
SEARCH = Retrieval(
    {f"d{i}": text for i, text in enumerate(TEXTS[:40])},
    {f"q{i}": text for i, text in enumerate(TEXTS[40:])},
    {f"q{i}": {f"d{i}": 1} for i in range(40)},
)
TASKS = {
    "a": ("sts", STS), "b": ("pairs", YES), "c": ("bitext", SAME), "d": ("retrieval", SEARCH),
    "e": ("classification", LABELS), "f": ("clustering", LABELS),
}  # fmt: skip
MODELS = {f"words {d}": hashed_encoder("words", dimensions=d) for d in (4, 16, 64)}


@pytest.fixture(scope="module")
def table():
    return score_table(MODELS, TASKS)


def test_every_cell_is_the_main_score_of_its_evaluation(table):
    for i, model in enumerate(MODELS.values()):
        expected = [
            evaluate_sts(model, STS)["spearman"],
            evaluate_pairs(model, YES)["average_precision"],
            evaluate_bitext(model, SAME)["f1"],
            evaluate_retrieval(model, SEARCH)["ndcg@10"],
            evaluate_knn(model, LABELS)["accuracy"],
            evaluate_clustering(model, LABELS, draw=80)["v_measure"],
        ]
        np.testing.assert_allclose(table.scores[i], [float(e) for e in expected])
    assert table.kinds == ("sts", "pairs", "bitext", "retrieval", "classification", "clustering")


def test_left_out_scores_are_those_of_the_items_that_stay(table):
    sts = evaluate_sts(MODELS["words 16"], STS)
    kept = [sts.blocks != block for block in range(20)]
    cosine, gold = sts.arrays["cosine"], sts.arrays["score"]
    np.testing.assert_allclose(left_out_scores(sts), [spearmanr(cosine[k], gold[k]).statistic for k in kept])
    search = evaluate_retrieval(MODELS["words 16"], SEARCH)
    parts = [search.per_item[search.blocks != block].mean() for block in range(20)]
    np.testing.assert_allclose(left_out_scores(search), parts)
    np.testing.assert_allclose(table.left_out[:, 1, 0], left_out_scores(sts))
    np.testing.assert_allclose(table.left_out[:, 1, 3], parts)


def test_an_estimate_of_a_cell_has_the_jackknifes_interval(table):
    one, two = table.estimates(lambda scores: (scores[0, 3], scores[2].mean()), "first", "second")
    expected = jackknife_replicates(table.scores[0, 3], table.left_out[:, 0, 3], definition="first")
    assert (one.value, one.low, one.high, one.definition) == (expected.value, expected.low, expected.high, "first")
    assert two.value == pytest.approx(table.scores[2].mean())


def test_a_part_of_the_table_goes_by_names(table):
    part = table.take(models=["words 64", "words 4"], tasks=["d", "a"])
    assert (part.models, part.tasks, part.kinds) == (("words 64", "words 4"), ("d", "a"), ("retrieval", "sts"))
    np.testing.assert_array_equal(part.scores, table.scores[[2, 0]][:, [3, 0]])
    np.testing.assert_array_equal(part.left_out, table.left_out[:, [2, 0]][:, :, [3, 0]])


def test_texts_come_once_and_in_order():
    assert texts_of({"a": ("sts", STS), "b": ("retrieval", SEARCH), "c": ("clustering", LABELS)}) == list(
        dict.fromkeys(TEXTS)
    )


@pytest.mark.parametrize(
    ("models", "tasks", "words"),
    [
        ({}, TASKS, "got 0 and 6"),
        (MODELS, {}, "got 3 and 0"),
        (MODELS, {"x": ("reading", LABELS)}, "'x' is of kind 'reading'"),
        (MODELS, {"x": ("bitext", SAME.take(range(9)))}, "'x' has 9 blocks"),
    ],
)
def test_what_makes_no_table_is_refused(models, tasks, words):
    with pytest.raises(ValueError, match=words):
        score_table(models, tasks)


def test_names_and_definitions_must_fit(table):
    with pytest.raises(ValueError, match="no model 'x'"):
        table.take(models=["x"])
    with pytest.raises(ValueError, match="no task 'x'"):
        table.take(tasks=["x"])
    with pytest.raises(ValueError, match="1 definitions"):
        table.estimates(lambda scores: scores[0, :2], "one")


def published(*rows):
    names = ("set", "subset", "metric", "model", "main_score_x100")
    return Scores(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))


ROWS = [
    ("s", "en", "nDCG@10", "m", 50.0), ("s", "en", "nDCG@10", "n", 25.0), ("t", "de", "F1", "n", 10.0),
    ("t", "de", "F1", "m", 20.0), ("t", "fr", "F1", "m", 90.0), ("a", "x", "Spearman of cosine", "m", 1.0),
    ("a", "x", "Spearman of cosine", "n", 2.0),
]  # fmt: skip


def test_common_scores_are_those_that_all_models_have():
    scores, tasks = common_scores(published(*ROWS), models=["n", "m"])
    assert tasks == [("a", "x", "Spearman"), ("s", "en", "nDCG@10"), ("t", "de", "F1")]
    np.testing.assert_allclose(scores, [[0.02, 0.25, 0.1], [0.01, 0.5, 0.2]])


def test_published_scores_that_make_no_matrix_are_refused():
    with pytest.raises(ValueError, match="all 2 models"):
        common_scores(published(*ROWS), models=["m", "unknown"])
    with pytest.raises(ValueError, match="two scores of m on s en"):
        common_scores(published(*ROWS, ROWS[0]), models=["m"])
    with pytest.raises(ValueError, match="no column 'subset'"):
        common_scores(Scores({"set": ["s"]}), models=["m"])
