"""A metric without each block: against plain loops over the items."""

import dataclasses

import numpy as np
import pytest
from scipy.stats import spearmanr

from workbench.corpora import Pairs, Retrieval
from workbench.evaluation import evaluate_retrieval, evaluate_sts
from workbench.evaluation.left_out import without_blocks


class Letters:
    """Texts as counts of letters: enough to rank by."""

    def encode(self, texts):
        return np.array([[1 + text.count(letter) for letter in "abcde"] for text in texts], dtype=np.float32)


def words(seed, n):
    rng = np.random.default_rng(seed)
    return ["".join(rng.choice(list("abcde"), size=6)) + f" {i}" for i in range(n)]


def test_a_statistic_is_computed_again_without_each_block():
    pairs = Pairs(words(0, 60), words(1, 60), np.random.default_rng(2).normal(size=60))
    found = evaluate_sts(Letters(), pairs)
    cosine, gold = found.arrays["cosine"], found.arrays["score"]
    rows = without_blocks(found)
    expected = [spearmanr(cosine, gold).statistic]
    for block in range(20):
        kept = [i for i in range(60) if found.blocks[i] != block]
        expected.append(spearmanr(cosine[kept], gold[kept]).statistic)
    np.testing.assert_allclose(rows, expected, atol=1e-12)


def test_a_mean_is_taken_of_the_other_items():
    names, asked = words(3, 40), words(4, 40)
    data = Retrieval(
        {f"d{i}": text for i, text in enumerate(names)},
        {f"q{i}": text for i, text in enumerate(asked)},
        {f"q{i}": {f"d{i}": 1} for i in range(40)},
    )
    found = evaluate_retrieval(Letters(), data)
    ranks = found.arrays["mrr@10"]
    rows = without_blocks(found, "mrr@10")
    expected = [ranks.mean()]
    expected += [np.mean([r for r, b in zip(ranks, found.blocks, strict=True) if b != block]) for block in range(20)]
    np.testing.assert_allclose(rows, expected, atol=1e-12)
    assert rows[0] == pytest.approx(found["mrr@10"].value)


def test_refusals():
    pairs = Pairs(words(0, 20), words(1, 20), np.arange(20.0))
    found = evaluate_sts(Letters(), pairs)
    with pytest.raises(KeyError, match="recall"):
        without_blocks(found, "recall")
    with pytest.raises(ValueError, match="needs 2 or more, got 1"):
        without_blocks(dataclasses.replace(found, blocks=np.zeros(20, dtype=int)))
    with pytest.raises(ValueError, match="spearman has no value for each of 20 blocks"):
        without_blocks(dataclasses.replace(found, replicates={}))
