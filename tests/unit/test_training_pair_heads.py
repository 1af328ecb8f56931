"""A head on frozen vectors against a gradient by finite differences, and a planted map."""

import numpy as np
import pytest
import torch

from workbench.training import FitConfig
from workbench.training.pair_heads import pair_head


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def info_nce_by_hand(weights, left, right, temperature):
    a, b = ([weights @ row / np.linalg.norm(weights @ row) for row in side] for side in (left, right))
    logits = np.array([[x @ y / temperature for y in b] for x in a])
    return float(np.mean([np.log(np.exp(row).sum()) - row[i] for i, row in enumerate(logits)]))


def test_the_first_loss_and_the_first_update_are_those_of_the_formula(rng):
    left, right = rng.normal(size=(2, 6, 3))
    config = FitConfig(1, 0.01, warmup=0, clip=None)
    weights, result = pair_head(left, right, config=config, size=9, temperature=0.3)
    assert result.metrics[0]["loss"] == pytest.approx(info_nce_by_hand(np.eye(3), left, right, 0.3), rel=1e-5)
    slope = np.zeros((3, 3))
    for i, j in np.ndindex(3, 3):
        move = np.zeros((3, 3))
        move[i, j] = 1e-6
        ends = [info_nce_by_hand(np.eye(3) + sign * move, left, right, 0.3) for sign in (1, -1)]
        slope[i, j] = (ends[0] - ends[1]) / 2e-6
    assert np.abs(slope).min() > 1e-3
    # the first update of Adam goes the whole rate against the sign of every slope
    assert weights == pytest.approx(np.eye(3) - 0.01 * np.sign(slope), abs=1e-5)


def test_a_planted_axis_of_noise_is_turned_down(rng):
    shared = rng.normal(size=(400, 4))
    left, right = (np.hstack([shared, 6 * rng.normal(size=(400, 1))]) for _ in (0, 1))

    def right_first(weights):
        a, b = (x[300:] @ weights.T for x in (left, right))
        a, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (a, b))
        return ((a @ b.T).argmax(axis=1) == np.arange(100)).mean()

    weights, result = pair_head(left[:300], right[:300], config=FitConfig(150, 0.02), size=64)
    assert right_first(np.eye(5)) < 0.3
    assert right_first(weights) > 0.8
    assert result.metrics[-1]["loss"] < result.metrics[0]["loss"]
    assert weights.dtype == np.float32


def test_seeds_draw_other_batches_and_no_generator_moves(rng):
    left, right = rng.normal(size=(2, 40, 3))
    before = torch.get_rng_state()
    drawn = [pair_head(left, right, config=FitConfig(3, 0.01, seed=s), size=8)[0] for s in (0, 0, 1)]
    assert (drawn[0] == drawn[1]).all()
    assert (drawn[0] != drawn[2]).any()
    assert (torch.get_rng_state() == before).all()


X = np.eye(4)


@pytest.mark.parametrize(
    ("left", "right", "options", "error", "words"),
    [
        (X, X[:3], {}, ValueError, r"one shape, got \(4, 4\) and \(3, 4\)"),
        (X[:1], X[:1], {}, ValueError, "left"),
        (X, X * np.nan, {}, ValueError, "right"),
        (X.tolist(), X, {}, TypeError, "left"),
        (X, X, {"size": 1}, ValueError, "got 1 and 0.05"),
        (X, X, {"temperature": 0.0}, ValueError, "got 128 and 0.0"),
    ],
)
def test_what_is_refused(left, right, options, error, words):
    with pytest.raises(error, match=words):
        pair_head(left, right, config=FitConfig(1), **options)
