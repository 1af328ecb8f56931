"""Scores at every layer and size: scipy on loops, and what is refused."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from workbench.corpora import Pairs
from workbench.evaluation.exits import exit_scores, parts_interval
from workbench.intervals import jackknife_replicates, seed_block_interval

WIDTH, LAYERS = 6, 3


class Planted:
    """Rows by text, drawn once."""

    def __init__(self, seed=0):
        self.seed, self.asked = seed, []

    def hidden_states(self, texts, *, layers=None):
        self.asked.append(list(texts))
        rng = [np.random.default_rng([self.seed, *t.encode()]) for t in texts]
        states = np.stack([r.normal(size=(LAYERS, WIDTH)) for r in rng], axis=1).astype(np.float32)
        return states if layers is None else states[list(layers)]


def some_pairs(n=40):
    gold = np.random.default_rng(1).integers(0, 4, n).astype(float)
    return Pairs(left=[f"left {i // 2}" for i in range(n)], right=[f"right {i}" for i in range(n)], scores=gold)


def by_hand(encoder, pairs, layer, size, keep):
    rows = encoder.hidden_states([*pairs.left, *pairs.right])[layer, :, :size].astype(float)
    a, b = rows[: len(pairs)], rows[len(pairs) :]
    cosines = [x @ y / np.sqrt(x @ x * (y @ y)) for x, y in zip(a, b, strict=True)]
    return spearmanr(np.array(cosines)[keep], np.asarray(pairs.scores)[keep]).statistic


def test_every_entry_is_scipys_correlation_of_the_pairs_that_are_kept():
    encoder, pairs, blocks = Planted(), some_pairs(), np.arange(40) % 5
    got = exit_scores(encoder, pairs, sizes=[4, 6, 1], blocks=blocks)
    assert got.shape == (LAYERS, 3, 6)
    for layer in range(LAYERS):
        for at, size in enumerate([4, 6]):
            for part in range(6):
                keep = np.flatnonzero(blocks != part - 1)
                assert got[layer, at, part] == pytest.approx(by_hand(encoder, pairs, layer, size, keep), abs=1e-9)


def test_layers_are_picked_and_each_text_is_encoded_once():
    encoder, pairs = Planted(), some_pairs()
    got = exit_scores(encoder, pairs, sizes=[6], layers=[2, 0])
    assert len(encoder.asked) == 1
    assert len(encoder.asked[0]) == len({*pairs.left, *pairs.right})
    whole = exit_scores(encoder, pairs, sizes=[6])
    np.testing.assert_array_equal(got, whole[[2, 0]])
    assert whole.shape[-1] == 21  # pairs with one left text are left out together


def test_a_seed_more_makes_the_interval_of_seeds_and_blocks():
    parts = np.random.default_rng(0).normal(size=(4, 11))
    expected = seed_block_interval(parts[:, 0], parts[:, 1:], definition="d")
    assert parts_interval(parts, definition="d") == expected
    one = parts_interval(parts[0], definition="d")
    by_blocks = jackknife_replicates(float(parts[0, 0]), parts[0, 1:], definition="d; between texts alone")
    assert one == by_blocks
    two = parts_interval(parts[:2], definition="d")
    assert two.value == pytest.approx(parts[:2, 0].mean())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sizes": [7]}, r"1\.\.6"),
        ({"sizes": [0]}, r"1\.\.6"),
        ({"sizes": [2, 2]}, "once"),
        ({"sizes": []}, "once"),
        ({"blocks": np.arange(39)}, "blocks"),
        ({"blocks": np.arange(40) % 4}, "5 of them"),
    ],
)
def test_refused(change, words):
    with pytest.raises(ValueError, match=words):
        exit_scores(Planted(), some_pairs(), **{"sizes": [6], **change})


def test_refused_pairs_and_exits():
    few = some_pairs().take(range(19))
    with pytest.raises(ValueError, match="20 pairs"):
        exit_scores(Planted(), few, sizes=[6])
    same = Pairs(left=["a"] * 20, right=["b"] * 20, scores=np.ones(20))
    with pytest.raises(ValueError, match="scores differ"):
        exit_scores(Planted(), same, sizes=[6])

    class Collapsed(Planted):
        def hidden_states(self, texts, *, layers=None):
            states = super().hidden_states(texts, layers=layers)
            states[1] = 1
            return states

    with pytest.raises(ValueError, match=r"exit \(1, 6\)"):
        exit_scores(Collapsed(), some_pairs(), sizes=[6])


@pytest.mark.parametrize("shape", [(5,), (2, 5), (2, 3, 8)])
def test_refused_parts(shape):
    with pytest.raises(ValueError, match="parts"):
        parts_interval(np.ones(shape), definition="d")
