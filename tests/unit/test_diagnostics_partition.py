"""Partition isotropy against the definition in plain numpy, closed forms and invariances."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t

from workbench.diagnostics.partition import partition_isotropy


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def by_definition(x, directions=None):
    """Z of both signs of every eigenvector, one at a time; extended precision against overflow."""
    vectors = np.linalg.eigh(x.T @ x)[1] if directions is None else directions
    z = [np.exp(sign * np.asarray(x @ c, dtype=np.longdouble)).sum() for c in vectors.T for sign in (1, -1)]
    return float(min(z) / max(z))


@settings(max_examples=30, deadline=None)
@given(n=st.integers(2, 60), d=st.integers(1, 12), seed=st.integers(0, 10**6))
def test_it_is_the_definition_for_any_shape(n, d, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d)) * rng.uniform(0.5, 3, d) + rng.normal(size=d)
    assert partition_isotropy(x).value == pytest.approx(by_definition(x), abs=1e-9)


def test_a_gaussian_cloud_gives_the_closed_form(rng):
    # E exp(c.x) = exp(c.mu + c'Cc / 2): largest along the mean, least against it
    spread = np.array([0.5, 0.4, 0.3])
    x = rng.normal(size=(200_000, 3)) * spread + np.array([1.0, 0, 0])
    assert partition_isotropy(x).value == pytest.approx(math.exp(-2.0), rel=0.02)


def test_one_sign_of_each_direction_would_give_another_number(rng):
    x = rng.normal(size=(80, 4)) + np.array([1.5, 0, 0, 0])
    vectors = np.linalg.eigh(x.T @ x)[1]
    one_sign = [np.exp(x @ c).sum() for c in vectors.T]
    other = [np.exp(-(x @ c)).sum() for c in vectors.T]
    halves = [min(z) / max(z) for z in (one_sign, other)]  # two solvers, two answers, both above the truth
    assert partition_isotropy(x).value < min(halves) - 0.01
    assert partition_isotropy(x).value == pytest.approx(partition_isotropy(-x).value, abs=1e-12)


def test_a_cloud_that_is_even_in_every_direction_gives_one():
    cross = np.concatenate([np.eye(5), -np.eye(5)])
    assert partition_isotropy(cross).value == pytest.approx(1, abs=1e-12)
    assert partition_isotropy(np.zeros((4, 3))).value == 1


def test_long_rows_do_not_overflow(rng):
    x = rng.normal(size=(50, 3)) + np.array([1.0, 0, 0])
    assert 0 <= partition_isotropy(1e4 * x).value < 1e-300
    assert partition_isotropy(1e-160 * x).value == pytest.approx(1, abs=1e-12)
    even = 2000.0 * np.concatenate([np.eye(2), -np.eye(2)])  # exp(2000) is no float64
    assert partition_isotropy(even).value == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize(
    ("move", "moved"), [("rotate", False), ("duplicate", False), ("permute", False), ("scale", True), ("shift", True)]
)
def test_what_leaves_it_unmoved(rng, move, moved):
    x = rng.normal(size=(60, 5)) * np.array([2, 1.5, 1, 0.7, 0.4])
    q = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    moves = {"rotate": x @ q, "duplicate": np.repeat(x, 3, axis=0), "permute": x[::-1], "scale": 2 * x, "shift": x + 1}
    same = partition_isotropy(moves[move]).value == pytest.approx(partition_isotropy(x).value, abs=1e-9)
    assert same is not moved


def test_the_jackknife_finds_the_directions_anew_in_logarithms(rng):
    x, blocks = rng.normal(size=(48, 4)) + 0.4, np.repeat(np.arange(6), 8)
    left_out = np.log([by_definition(x[blocks != b]) for b in range(6)])
    value = by_definition(x)
    error = math.sqrt(5 / 6 * ((left_out - math.log(value)) ** 2).sum())
    found = partition_isotropy(x, blocks=blocks)
    assert found.standard_error == pytest.approx(value * error, rel=1e-9)
    assert found.low == pytest.approx(value * math.exp(-t.ppf(0.975, 5) * error), rel=1e-9)
    assert found.high == pytest.approx(min(1.0, value * math.exp(t.ppf(0.975, 5) * error)), rel=1e-9)
    order = rng.permutation(48)
    assert partition_isotropy(x[order], blocks=blocks[order]).high == pytest.approx(found.high, abs=1e-9)


def test_many_blocks_are_dealt_out_to_twenty_groups(rng):
    x, blocks = rng.normal(size=(120, 3)) + 0.4, rng.permutation(np.repeat(np.arange(40), 3))
    many, twenty = partition_isotropy(x, blocks=blocks), partition_isotropy(x, blocks=blocks % 20)
    assert (many.low, many.degrees_of_freedom) == (pytest.approx(twenty.low, rel=1e-9), 19)


def test_too_few_blocks_leave_the_interval_open(rng):
    for found in (partition_isotropy(rng.normal(size=(9, 2)), blocks=np.arange(9) % 3), partition_isotropy(np.eye(2))):
        assert (found.low, found.high) == (-math.inf, math.inf)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_every_precision_and_memory_maps(rng, dtype, tmp_path):
    x = torch.tensor(rng.normal(size=(40, 6)) + 0.5).to(dtype)
    assert partition_isotropy(x).value == pytest.approx(by_definition(x.double().numpy()), abs=1e-9)
    np.save(tmp_path / "x.npy", x.double().numpy())
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert partition_isotropy(mapped).value == pytest.approx(partition_isotropy(x).value, abs=1e-12)


def test_a_sample_is_drawn_by_its_seed_and_counted(rng):
    x = rng.normal(size=(300, 4)) * np.array([2, 1, 1, 0.5])
    found = partition_isotropy(x, sample=100, seed=3)
    chosen = np.sort(np.random.default_rng(3).choice(300, 100, replace=False))
    assert found.value == pytest.approx(by_definition(x[chosen]), abs=1e-9)
    assert "n=100" in found.definition
    assert partition_isotropy(x, sample=300).value == partition_isotropy(x).value


def test_more_rows_than_one_block_of_reading(rng):
    x = rng.normal(size=(20_000, 3)) * 0.5
    assert partition_isotropy(x).value == pytest.approx(by_definition(x), abs=1e-9)
    odd = partition_isotropy(x, sample=17_000, seed=1).value
    chosen = np.sort(np.random.default_rng(1).choice(20_000, 17_000, replace=False))
    assert odd == pytest.approx(by_definition(x[chosen]), abs=1e-9)


def test_the_interval_covers_the_closed_form(rng):
    spread, shift = np.sqrt([0.27, 0.135, 0.09, 0.054, 0.027]), np.array([1.5, 0, 0, 0, 0])
    truth = math.exp(-3.0)  # Z is exp(+-1.5 + .135) along the mean, nearer 1 across it
    found = [partition_isotropy(rng.normal(size=(500, 5)) * spread + shift) for _ in range(100)]
    covered = np.mean([e.low <= truth <= e.high for e in found])
    assert covered >= 0.88  # 95 %, less and more three binomial errors


@pytest.mark.parametrize(
    ("x", "options", "words"),
    [
        (np.ones((1, 3)), {}, "2 rows"),
        (np.array([[1.0, 1], [np.inf, 0]]), {}, "row 1"),
        (np.array([[1.0, 1], [1e200, 0]]), {}, "row 1 is longer than 1e150"),
        (np.ones((4, 2)), {"blocks": np.zeros(3, dtype=int)}, "4 rows"),
        (np.ones((4, 2)), {"sample": 1}, "at least 2"),
    ],
)
def test_it_refuses(x, options, words):
    with pytest.raises(ValueError, match=words):
        partition_isotropy(x, **options)


def test_it_refuses_what_is_no_array():
    with pytest.raises(TypeError, match="masked"):
        partition_isotropy(np.ma.masked_array(np.ones((3, 2))))
