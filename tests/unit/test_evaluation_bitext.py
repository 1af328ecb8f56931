"""Bitext mining against mteb, loops and published numbers."""

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score

from workbench.corpora import Pairs, load
from workbench.evaluation.bitext import evaluate_bitext


class Table:
    """An encoder that looks its vectors up."""

    def __init__(self, vectors):
        self.vectors = vectors

    def encode(self, texts):
        return np.stack([self.vectors[text] for text in texts])


def translations(x, y):
    left, right = [f"left {i}" for i in range(len(x))], [f"right {i}" for i in range(len(y))]
    return Table(dict(zip([*left, *right], [*x, *y], strict=True))), Pairs(left, right, np.ones(len(x)))


def random_translations(seed, n=150, d=8, noise=1.5, shift=1.0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d)) + shift
    return translations(x, x + noise * rng.normal(size=(n, d)))


def cosines(encoder, data):
    x, y = encoder.encode(data.left), encoder.encode(data.right)
    return (x / np.linalg.norm(x, axis=1)[:, None]) @ (y / np.linalg.norm(y, axis=1)[:, None]).T


@pytest.mark.filterwarnings("ignore:To copy construct from a tensor")
@pytest.mark.parametrize("seed", range(2))
def test_bitext_is_scored_as_in_mteb(seed):
    evaluators = pytest.importorskip("mteb._evaluators", reason="needs the extra mteb")
    from mteb.abstasks.text.bitext_mining import AbsTaskBitextMining

    class Cosines:
        def similarity(self, a, b):
            return torch.nn.functional.normalize(a, dim=1) @ torch.nn.functional.normalize(b, dim=1).T

    encoder, data = random_translations(seed)
    x, y = (torch.from_numpy(encoder.encode(texts)) for texts in (data.left, data.right))
    found = evaluate_bitext(encoder, data)
    for a, b, suffix in ((x, y, ""), (y, x, "_backward")):
        near = evaluators.BitextMiningEvaluator._similarity_search(None, a, b, Cosines())
        theirs = AbsTaskBitextMining._compute_metrics(None, near, [(i, i) for i in range(len(data))])
        assert found[f"f1{suffix}"].value == pytest.approx(theirs["f1"], abs=1e-9)
        assert found[f"accuracy{suffix}"].value == pytest.approx(theirs["accuracy"], abs=1e-9)
    assert found.main == "f1"
    assert 0 < found["f1"].value < found["accuracy"].value < 1


def test_f1_is_scikit_learns_over_the_right_texts_as_classes():
    encoder, data = random_translations(7, noise=2.5)
    chosen, n = cosines(encoder, data).argmax(axis=1), len(data)
    found = evaluate_bitext(encoder, data)
    assert found["f1"].value == pytest.approx(f1_score(range(n), chosen, average="macro", zero_division=0), abs=1e-9)
    assert found.per_item.mean() == pytest.approx(found["f1"].value)
    assert found["f1"].low < found["f1"].value < found["f1"].high


@pytest.mark.parametrize("k", [1, 4, 9])
def test_the_margin_is_that_of_the_paper_by_loops(k):
    encoder, data = random_translations(3, n=60)
    cosine, right = cosines(encoder, data), {"": [], "_backward": []}
    for suffix, table in (("", cosine), ("_backward", cosine.T)):
        for i in range(60):
            scores = []
            for j in range(60):
                of_x = sum(sorted(table[i], reverse=True)[:k]) / (2 * k)
                of_y = sum(sorted(table[:, j], reverse=True)[:k]) / (2 * k)
                scores.append(table[i, j] / (of_x + of_y))
            right[suffix].append(int(np.argmax(scores)) == i)
    found = evaluate_bitext(encoder, data, neighbours=k)
    for suffix, hits in right.items():
        assert found.arrays[f"margin_accuracy{suffix}"].tolist() == hits
    assert f"over {k} neighbours" in found["margin_accuracy"].definition


def test_the_margin_takes_a_hub_down():
    """Right texts 0 to 8 lie a little off their left ones; right text 9 lies amid all and is nearest to each."""
    rng = np.random.default_rng(0)
    centre = np.r_[3.0, np.zeros(9)]
    x = centre + np.eye(10)[rng.permutation(10)] * 0.5
    x[:, 1:] += 0.9 * np.eye(10)[:, 1:]
    y = centre + 1.6 * (x - centre)
    y[9] = x.mean(axis=0)
    found = evaluate_bitext(*translations(x, y))
    assert found["margin_accuracy"].value > found["accuracy"].value


def test_the_blocks_of_the_margin_change_nothing(monkeypatch):
    encoder, data = random_translations(5)
    whole = evaluate_bitext(encoder, data).arrays["margin_accuracy"]
    monkeypatch.setattr("workbench.evaluation.bitext.BLOCK_NUMBERS", 7 * 150)
    assert evaluate_bitext(encoder, data).arrays["margin_accuracy"].tolist() == whole.tolist()


def test_exact_translations_are_all_found_and_equal_right_texts_only_once():
    x = np.random.default_rng(1).normal(size=(12, 5)) + 2
    assert {e.value for e in evaluate_bitext(*translations(x, x)).values()} == {1.0}
    encoder, data = translations(x, x)
    twice = Pairs(data.left, [data.right[0], data.right[0], *data.right[2:]], np.ones(12))
    found = evaluate_bitext(encoder, twice)
    assert found.arrays["accuracy"].tolist() == [1, 0] + [1] * 10


def test_no_margin_where_neighbours_are_at_right_angles():
    found = evaluate_bitext(*translations(np.eye(4)[:2], np.eye(4)[2:]), neighbours=2)
    assert set(found) == {"f1", "accuracy", "f1_backward", "accuracy_backward"}


@pytest.mark.parametrize(
    ("n", "score", "k", "words"),
    [(1, 1, 1, "2 pairs or more"), (5, 0, 1, "row 3 has score 0"), (5, 1, 6, "n=5, got 6"), (5, 1, 0, "n=5, got 0")],
)
def test_bitext_refuses(n, score, k, words):
    encoder, data = random_translations(0, n=n)
    scores = np.ones(n)
    scores[min(3, n - 1)] = score
    with pytest.raises(ValueError, match=words):
        evaluate_bitext(encoder, Pairs(data.left, data.right, scores), neighbours=k)


def test_vectors_that_are_not_finite_are_refused():
    x = np.ones((5, 3))
    x[2, 1] = np.inf
    with pytest.raises(ValueError, match="row 2 is not finite"):
        evaluate_bitext(*translations(np.ones((5, 3)), x))


def published(lang):
    table = load("reference_scores").columns
    names = zip(table["set"], table["model"], table["subset"], table["main_score_x100"], strict=True)
    return next(s for set_, model, part, s in names if (set_, part) == ("tatoeba", f"{lang}-eng") and "L6-v2" in model)


@pytest.mark.local
@pytest.mark.parametrize("lang", ["tzl", *(pytest.param(lang, marks=pytest.mark.slow) for lang in ("swg", "fry"))])
def test_minilm_reaches_its_published_f1_on_tatoeba(enc, lang):
    found = evaluate_bitext(enc, load("tatoeba").where(lang=lang))
    assert 100 * found["f1"].value == pytest.approx(published(lang), abs=0.05)  # public MTEB results of the model
