"""Draws of words against the counts they come from, and training on texts of planted topics."""

import numpy as np
import pytest
import torch
from scipy import sparse

from workbench.models.paragraph_vectors import ParagraphVectors
from workbench.training import FitConfig
from workbench.training.paragraphs import fit_paragraphs, held_out_paragraphs, word_draws

COUNTS = sparse.csr_matrix(np.array([[3, 0, 1, 0], [0, 2, 0, 0], [1, 1, 1, 1]]))


def topics(rng, n, *, topics=4, words=40, length=60):
    """Texts of one topic each, its words ten times as likely as others; and the topics."""
    own = rng.integers(topics, size=n)
    share = np.ones((topics, words))
    for topic in range(topics):
        share[topic, topic * words // topics : (topic + 1) * words // topics] = 10
    share /= share.sum(axis=1, keepdims=True)
    return sparse.csr_matrix(np.stack([rng.multinomial(length, share[topic]) for topic in own])), own


def nearest_is_right(scores, own):
    scores = scores.astype(float)
    np.fill_diagonal(scores, -np.inf)
    return (own[scores.argmax(axis=1)] == own).mean()


def test_words_are_drawn_as_often_as_a_text_has_them():
    batches = word_draws(COUNTS, steps=300, size=3, draws=10, seed=0)
    seen = np.zeros((3, 4))
    for batch in batches:
        assert sorted(batch["rows"].tolist()) == [0, 1, 2]
        for row, words in zip(batch["rows"].tolist(), batch["words"].numpy(), strict=True):
            seen[row] += np.bincount(words, minlength=4)
    share = COUNTS.toarray() / COUNTS.toarray().sum(axis=1, keepdims=True)
    assert (seen[share == 0] == 0).all()
    assert seen / seen.sum(axis=1, keepdims=True) == pytest.approx(share, abs=4 * np.sqrt(0.25 / 3000))


def test_passes_take_every_text_once_and_no_batch_has_one_twice():
    counts = sparse.csr_matrix(np.ones((7, 2), dtype=int))
    rows = [batch["rows"].tolist() for batch in word_draws(counts, steps=14, size=3, draws=1, seed=1)]
    assert all(len(set(batch)) == 3 for batch in rows)
    flat = [row for batch in rows for row in batch]
    assert all(sorted(flat[i : i + 7]) == list(range(7)) for i in range(0, 42, 7))
    assert flat[:7] != flat[7:14]


def test_the_draw_follows_its_seed():
    one, same, other = (word_draws(COUNTS, steps=5, size=2, draws=4, seed=s) for s in (0, 0, 1))
    assert all((a["words"] == b["words"]).all() for a, b in zip(one, same, strict=True))
    assert any((a["words"] != b["words"]).any() for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("bits", [None, 16, 8])
def test_texts_of_a_topic_come_near_each_other_held_out_ones_too(bits):
    rng = np.random.default_rng(0)
    counts, own = topics(rng, 160)
    new, new_own = topics(rng, 80)
    model, config = ParagraphVectors(160, 40, width=16, bits=bits, seed=0), FitConfig(200, 0.05)
    result = fit_paragraphs(model, counts, config=config, size=64, draws=16, noise=20)
    assert np.mean(result.column("loss")[-20:]) < np.mean(result.column("loss")[:20])
    held = model.for_texts(80, seed=1)
    before = held.outputs.clone()
    fit_paragraphs(held, new, config=config, size=64, draws=16, noise=20, frequencies=np.asarray(counts.sum(axis=0))[0])
    assert (held.outputs == before).all()
    for which, topic in ((model, own), (held, new_own)):
        rows = which.numbers() if bits is None else 2.0 * which.codes() - 1
        rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        assert nearest_is_right(rows @ rows.T, topic) > 0.6  # chance is a quarter


def test_the_same_call_gives_the_same_model():
    made = []
    for _ in range(2):
        model = ParagraphVectors(3, 4, width=2, bits=2, seed=0)
        fit_paragraphs(model, COUNTS, config=FitConfig(5, 0.1, seed=3), size=2, draws=3, noise=2)
        made.append(model)
    assert all((a == b).all() for a, b in zip(made[0].parameters(), made[1].parameters(), strict=True))


def test_held_out_texts_are_fitted_to_the_words_that_training_left():
    rng = np.random.default_rng(1)
    counts, (new, own) = topics(rng, 120)[0], topics(rng, 60)
    config, infer = FitConfig(150, 0.05, seed=2), FitConfig(100, 0.05, seed=3)
    model, held, losses = held_out_paragraphs(counts, new, width=16, bits=16, config=config, infer=infer, noise=20)
    alone = ParagraphVectors(120, 40, width=16, bits=16, seed=2)
    expected = fit_paragraphs(alone, counts, config=config, noise=20).column("loss")
    assert losses == expected
    assert all((a == b).all() for a, b in zip(model.parameters(), alone.parameters(), strict=True))
    assert (held.outputs == model.outputs).all()
    signs = 2.0 * held.codes() - 1
    assert nearest_is_right(signs @ signs.T, own) > 0.6
    drawn, held, losses = held_out_paragraphs(counts, new, width=16, bits=16, config=None, infer=infer, noise=20)
    start = ParagraphVectors(120, 40, width=16, bits=16, seed=3)
    assert losses == []
    assert all((a == b).all() for a, b in zip(drawn.parameters(), start.parameters(), strict=True))
    assert (held.outputs == start.outputs).all()
    with pytest.raises(ValueError, match="the same words, got 40 and 39"):
        held_out_paragraphs(counts, new[:, :39], width=2, config=None, infer=infer)


def with_model(counts, texts=3, **options):
    fit_paragraphs(ParagraphVectors(texts, 4, width=2, seed=0), counts, config=FitConfig(1), **{"noise": 2} | options)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: with_model(COUNTS.toarray()), TypeError, "sparse matrix, got ndarray"),
        (lambda: with_model(COUNTS, texts=2), ValueError, r"counts must be \(2, 4\).*got \(3, 4\)"),
        (lambda: with_model(COUNTS, frequencies=np.ones(3)), ValueError, "each of 4 words"),
        (lambda: with_model(COUNTS, noise=0), ValueError, "noise must be 1 to the 4 words that occur, got 0"),
        (lambda: with_model(COUNTS, noise=5), ValueError, "got 5"),
        (lambda: with_model(COUNTS, size=0), ValueError, "got 1, 0 and 32"),
        (lambda: with_model(COUNTS, draws=0), ValueError, "got 1, 128 and 0"),
        (lambda: word_draws(COUNTS, steps=0, size=1, draws=1, seed=0), ValueError, "got 0, 1 and 1"),
        (lambda: word_draws(-COUNTS, steps=1, size=1, draws=1, seed=0), ValueError, "whole numbers of 0 or more"),
        (lambda: word_draws(COUNTS * 0.5, steps=1, size=1, draws=1, seed=0), ValueError, "whole numbers"),
        (lambda: word_draws(COUNTS[[0, 1]] * 0, steps=1, size=1, draws=1, seed=0), ValueError, "text 0 has no words"),
    ],
)
def test_what_is_refused(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_words_that_never_occur_are_no_noise():
    counts = sparse.csr_matrix(np.array([[1, 1, 0], [2, 1, 0]]))
    model = ParagraphVectors(2, 3, width=2, seed=0)
    start = model.outputs.detach().clone()
    fit_paragraphs(model, counts, config=FitConfig(3, 0.1), noise=2)
    assert (model.outputs[2] == start[2]).all()
    assert torch.isfinite(model.outputs).all()
