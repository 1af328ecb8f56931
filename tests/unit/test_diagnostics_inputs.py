"""What every diagnostic does with half precision, odd shapes and bad rows, and what moves it: one table each."""

import math

import numpy as np
import pytest
import torch

from workbench.diagnostics import (
    alignment,
    continuity,
    depth_rank_sum,
    drift,
    effective_rank,
    hubness,
    isoscore,
    isoscore_star,
    length_profile,
    linear_cka,
    mahalanobis_depth,
    mean_cosine,
    mle_dimension,
    mutual_knn,
    outlier_dimensions,
    participation_ratio,
    partition_isotropy,
    procrustes,
    spectrum,
    trustworthiness,
    tte_depth,
    two_nn,
    uniformity,
)

N = 90
LENGTHS = np.arange(N) % 3 + 1
LINE = np.column_stack([np.sin(np.arange(N)), np.cos(np.arange(N) ** 2)])  # a fixed second space of two columns


def numbers(found):
    """One number, or numbers one for each row in sorted order: a permutation is then no change."""
    return np.sort(np.atleast_1d(np.asarray(getattr(found, "value", found), dtype=np.float64)))


# the diagnostic, and the moves that leave it as it is; all others move it
ROTATE, SCALE, SHIFT, PERMUTE, COPY = "rotate", "scale", "shift", "permute", "copy"
TABLE = {
    "mean_cosine": (mean_cosine, {ROTATE, SCALE, PERMUTE}),
    "isoscore": (isoscore, {ROTATE, SCALE, SHIFT, PERMUTE}),
    "isoscore, raw": (lambda x: isoscore(x, debias=False), {ROTATE, SCALE, SHIFT, PERMUTE, COPY}),
    "isoscore_star": (lambda x: isoscore_star(x, zeta=0.3, shrink_to=np.eye(x.shape[1])), {ROTATE, SHIFT, PERMUTE}),
    "participation_ratio": (participation_ratio, {ROTATE, SCALE, SHIFT, PERMUTE}),
    "effective_rank": (effective_rank, {ROTATE, SCALE, PERMUTE, COPY}),
    "decay": (lambda x: spectrum(x).decay, {ROTATE, SCALE, SHIFT, PERMUTE, COPY}),
    "outlier_dimensions": (lambda x: outlier_dimensions(x).largest, {SCALE, PERMUTE, COPY}),
    "partition_isotropy": (partition_isotropy, {ROTATE, PERMUTE, COPY}),
    "uniformity": (uniformity, {ROTATE, SCALE, PERMUTE}),
    "hubness": (lambda x: hubness(x, k=4).skewness, {ROTATE, SCALE, PERMUTE}),
    "two_nn": (lambda x: two_nn(x).value, {ROTATE, SCALE, SHIFT, PERMUTE, COPY}),
    "mle_dimension": (lambda x: mle_dimension(x, k=5).value, {ROTATE, SCALE, SHIFT, PERMUTE, COPY}),
    "tte_depth": (tte_depth, {ROTATE, SCALE, PERMUTE}),
    "mahalanobis_depth": (lambda x: mahalanobis_depth(x, shrinkage=0.1), {ROTATE, SCALE, SHIFT, PERMUTE, COPY}),
}
PAIRED = {
    "alignment": lambda x: alignment(x, torch.tensor(np.tile(LINE[: len(x), :1], (1, x.shape[1])) + 2)),
    "linear_cka": lambda x: linear_cka(x, LINE[: len(x)]),
    "procrustes": lambda x: procrustes(x, LINE[: len(x)]),
    "mutual_knn": lambda x: mutual_knn(x, LINE[: len(x)], k=4),
    "drift": lambda x: drift(x, LINE[: len(x)], k=4).mean_movement,
    "trustworthiness": lambda x: trustworthiness(x, LINE[: len(x)], k=4),
    "continuity": lambda x: continuity(x, LINE[: len(x)], k=4),
    "length_profile": lambda x: length_profile(x, LENGTHS[: len(x)]).slope,
    "depth_rank_sum": lambda x: depth_rank_sum(x[:40], x[40:]).q_fg,
}
ALL = {name: measure for name, (measure, _) in TABLE.items()} | PAIRED


@pytest.fixture
def x():
    return np.random.default_rng(5).normal(size=(N, 6)) * np.linspace(1.5, 0.5, 6) + 0.4


def moved(x, move):
    rng = np.random.default_rng(1)
    return {
        ROTATE: lambda: x @ np.linalg.qr(rng.normal(size=(x.shape[1],) * 2))[0],
        SCALE: lambda: 1.7 * x,
        SHIFT: lambda: x + 1.3,
        PERMUTE: lambda: rng.permutation(x),
        COPY: lambda: np.concatenate([x, x]),
    }[move]()


@pytest.mark.parametrize("move", [ROTATE, SCALE, SHIFT, PERMUTE, COPY])
@pytest.mark.parametrize("name", TABLE)
def test_what_moves_a_diagnostic_and_what_does_not(x, name, move):
    measure, still = TABLE[name]
    before, after = numbers(measure(x)), numbers(measure(moved(x, move)))
    if len(after) > len(before) > 1:  # one number for each row: the copies have theirs
        after = after[::2]
    assert (after == pytest.approx(before, rel=1e-7, abs=1e-9)) is (move in still)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize("name", ALL)
def test_every_precision_is_read_as_it_stands(x, name, dtype):
    short = torch.tensor(x).to(dtype)
    assert numbers(ALL[name](short)) == pytest.approx(numbers(ALL[name](short.double())), rel=1e-6, abs=1e-9)


SHAPES = {
    "fewer rows than columns": lambda rng: rng.normal(size=(60, 130)) + 0.3,
    "one column": lambda rng: rng.normal(size=(60, 1)) + 2,
    "copies": lambda rng: np.repeat(rng.normal(size=(30, 5)) + 0.3, 2, axis=0),
    "one row many times": lambda _rng: np.ones((60, 4)),
    "a common mean of a million": lambda rng: rng.normal(size=(60, 5)) + 1e6,
}


def measured(measure, rows):
    try:
        return measure(rows), ""
    except ValueError as error:
        return None, str(error)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", ALL)
def test_odd_shapes_give_a_finite_number_or_a_reason(name, shape):
    rows = SHAPES[shape](np.random.default_rng(2))
    found, reason = measured(ALL[name], rows)
    if found is None:
        assert len(reason.split()) >= 4  # a sentence
        assert shape != "fewer rows than columns"
        return
    assert np.isfinite(numbers(found)).all()
    low, high = getattr(found, "low", -math.inf), getattr(found, "high", math.inf)
    assert not math.isnan(low)
    assert not math.isnan(high)


ABOUT_THE_MEAN = ["isoscore", "participation_ratio", "decay", "two_nn", "mle_dimension", "mahalanobis_depth"]
ABOUT_THE_MEAN += ["linear_cka", "procrustes"]


@pytest.mark.parametrize("name", ABOUT_THE_MEAN)
def test_a_common_mean_of_a_million_costs_few_digits(x, name):
    far = x + 1e6
    assert numbers(ALL[name](far)) == pytest.approx(numbers(ALL[name](far - 1e6)), rel=1e-7)  # far - 1e6 is exact


NEED_DIRECTIONS = ["mean_cosine", "outlier_dimensions", "uniformity", "hubness", "tte_depth", "alignment"]
NEED_DIRECTIONS += ["mutual_knn", "trustworthiness", "continuity", "length_profile"]


@pytest.mark.parametrize("name", NEED_DIRECTIONS)
def test_a_zero_row_is_named_by_its_number(x, name):
    x[[37, 61, 88]] = 0
    with pytest.raises(ValueError, match=r"row 37 "):
        ALL[name](x)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_the_first_row_that_is_not_finite_is_named(x, name, bad):
    x[[21, 30, 88], 2] = bad
    with pytest.raises(ValueError, match=r"row 21 is not finite"):
        ALL[name](x)


def test_a_zero_row_that_is_not_drawn_is_named_too(x):
    x[[37, 61]] = 0
    for measure in (lambda: hubness(x, k=3, sample=10), lambda: mutual_knn(x, x, k=3, sample=10)):
        with pytest.raises(ValueError, match="x: row 37 is zero"):
            measure()
    with pytest.raises(ValueError, match="y: row 37 is zero"):
        mutual_knn(np.where(x == 0, 1, x), x, k=3, sample=10)
