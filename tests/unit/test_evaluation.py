"""Evaluation against scipy, scikit-learn and published numbers."""

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr

from workbench.corpora import Pairs, load
from workbench.evaluation import evaluate_sts, probe


class Table:
    """An encoder that looks its vectors up."""

    def __init__(self, vectors):
        self.vectors = vectors

    def encode(self, texts):
        return np.stack([self.vectors[text] for text in texts])


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_sts_is_scipys_correlation_of_cosines_with_scores(rng):
    names = [f"text {i}" for i in range(120)]
    vectors = {name: rng.normal(size=8) for name in names}
    left, right = names[:60], names[60:]
    cosines = [
        vectors[a] @ vectors[b] / np.linalg.norm(vectors[a]) / np.linalg.norm(vectors[b])
        for a, b in zip(left, right, strict=True)
    ]
    scores = np.round(2.5 + 2 * np.array(cosines) + rng.normal(size=60), 1)  # with ties
    found = evaluate_sts(Table(vectors), Pairs(left, right, scores))
    assert found["spearman"].value == pytest.approx(spearmanr(cosines, scores).statistic)
    assert found["pearson"].value == pytest.approx(pearsonr(cosines, scores).statistic)
    assert found.per_item == pytest.approx(np.array(cosines))
    assert found["spearman"].low < found["spearman"].value < found["spearman"].high
    assert set(found) == {"spearman", "pearson"}
    assert len(found) == 2


@pytest.mark.parametrize(("n", "score", "words"), [(5, None, "20 pairs"), (30, 2.0, "nothing to correlate")])
def test_sts_refuses_too_few_pairs_and_equal_scores(rng, n, score, words):
    names = [str(i) for i in range(n)]
    vectors = {name: rng.normal(size=4) for name in names}
    scores = np.arange(n, dtype=float) if score is None else np.full(n, score)
    with pytest.raises(ValueError, match=words):
        evaluate_sts(Table(vectors), Pairs(names, names, scores))


@pytest.mark.local
def test_minilm_reaches_its_published_spearman_on_the_sts_benchmark():
    from workbench.encoders import load_encoder

    pairs = load("stsb", split="test")
    assert len(pairs) == 1379
    found = evaluate_sts(load_encoder("all-MiniLM-L6-v2"), pairs)
    assert 100 * found["spearman"].value == pytest.approx(82.03, abs=0.05)  # public MTEB results of the model


def test_a_probe_reads_a_linear_label_and_not_noise(rng):
    labels = np.array(["a", "b"] * 100)
    groups = [f"g{i // 4}" for i in range(200)]
    x = rng.normal(size=(200, 6))
    assert 0.35 < probe(x, labels.tolist(), groups=groups).mean() < 0.65
    x[:, 0] += np.where(labels == "a", 4, -4)
    assert probe(x, labels.tolist(), groups=groups).mean() > 0.97


def test_a_probe_never_tests_on_a_group_it_was_trained_on(rng):
    """Every group has its own direction and a random label: readable only with the group in training."""
    directions = rng.normal(size=(40, 64)) * 5
    labels = np.repeat(rng.permutation(["a", "b"] * 20), 10)
    x = np.repeat(directions, 10, axis=0) + rng.normal(size=(400, 64)) * 0.01
    leaking = probe(x, labels.tolist(), groups=[str(i) for i in range(400)])
    apart = probe(x, labels.tolist(), groups=[f"g{i // 10}" for i in range(400)])
    assert leaking.mean() > 0.95
    assert apart.mean() < 0.75


@pytest.mark.parametrize(
    ("labels", "groups", "words"),
    [
        (["a"] * 20, None, "2 labels"),
        (["a", "b"] * 9, None, "20 rows"),
        (["a"] * 17 + ["b"] * 3, None, "fewer than 5 folds"),
        (["a", "b"] * 10, ["x"] * 20, "fewer than 5 folds"),
    ],
)
def test_a_probe_refuses(rng, labels, groups, words):
    with pytest.raises(ValueError, match=words):
        probe(rng.normal(size=(20, 3)), labels, groups=groups or [str(i) for i in range(len(labels))])


def test_items_are_known_again_in_other_subsets_by_their_texts(rng):
    names = [f"text {i}" for i in range(90)]
    table = Table({name: rng.normal(size=4) for name in names})
    data = Pairs([*names[:44], names[0]], [*names[44:88], names[44]], rng.normal(size=45))
    whole, part = evaluate_sts(table, data), evaluate_sts(table, data.take(range(10, 40)))
    assert len(set(whole.ids)) == 45  # the last pair is the first again
    assert whole.ids[10:40] == part.ids
    assert whole.ids[44] == f"{whole.ids[0]}-1"


def test_an_evaluation_shows_its_scores_in_a_line_a_table_and_a_frame(rng):
    names = [f"text {i}" for i in range(60)]
    table = Table({name: rng.normal(size=4) for name in names})
    found = evaluate_sts(table, Pairs(names[:30], names[30:], rng.normal(size=30)))
    assert repr(found) == f"Evaluation(sts: spearman {found['spearman']}, 2 metrics of 30 items)"
    assert str(found).splitlines()[1].split()[:2] == ["spearman", f"{found['spearman'].value:.3f}"]
    assert "<td>pearson</td>" in found._repr_html_()
    frame = found.to_frame().set_index("metric")
    assert frame.loc["pearson", "value"] == found["pearson"].value
    assert set(frame.index) == set(found)
