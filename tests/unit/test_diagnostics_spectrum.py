"""Spectrum, effective rank and outlier dimensions against numpy's singular values and closed forms."""

import numpy as np
import pytest
import torch
from scipy.stats import entropy

from workbench.diagnostics.moments import moments
from workbench.diagnostics.outliers import outlier_dimensions
from workbench.diagnostics.spectrum import effective_rank, spectrum


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize(("n", "d"), [(60, 5), (2, 3), (10, 30), (40, 1)])
def test_eigenvalues_are_the_squared_singular_values_of_centred_rows(rng, n, d):
    x = rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + 10
    if min(n - 1, d) < 2:
        with pytest.raises(ValueError, match="window"):
            spectrum(x)
        return
    expected = np.zeros(d)
    singular = np.linalg.svd(x - x.mean(axis=0), compute_uv=False)[: min(n - 1, d)]
    expected[: len(singular)] = singular**2 / (n - 1)
    found = spectrum(x, window=(1, 2))
    assert found.eigenvalues == pytest.approx(expected, rel=1e-9, abs=1e-9 * expected[0])
    assert found.rank == len(singular)
    assert found.explained[-1] == pytest.approx(1)
    assert found.shares == pytest.approx(expected / expected.sum(), abs=1e-9)
    condition = expected[0] / expected[-1] if len(singular) == d else np.inf
    assert found.condition == pytest.approx(condition, rel=1e-6)


def test_duplicates_and_a_repeated_column_leave_exact_zeros(rng):
    x = rng.normal(size=(30, 3))
    x = np.concatenate([x, x[:, :1]], axis=1)
    found = spectrum(np.concatenate([x, x]), window=(1, 3))
    assert (found.rank, found.condition, found.eigenvalues[-1]) == (3, np.inf, 0)


def test_decay_is_numpys_slope_over_the_window(rng):
    x = rng.normal(size=(200, 40)) * np.arange(1, 41) ** -0.6
    values = np.linalg.eigvalsh(np.cov(x.T))[::-1]
    for window, (low, high) in ((None, (2, 20)), ((5, 30), (5, 30))):
        found = spectrum(x, window=window)
        slope = np.polyfit(np.log(np.arange(low, high + 1)), np.log(values[low - 1 : high]), 1)[0]
        assert found.window == (low, high)
        assert found.decay.value == pytest.approx(-slope, rel=1e-9)
        assert f"ranks {low} to {high}" in found.decay.definition


def test_decay_of_an_exact_power_law_is_its_exponent():
    """Rows +-sqrt(lambda_j) e_j have the eigenvalues 2 lambda_j / (n - 1) exactly."""
    scale = np.diag(np.arange(1, 13) ** -0.75)
    found = spectrum(np.concatenate([scale, -scale]), window=(1, 12))
    assert found.decay.value == pytest.approx(1.5, rel=1e-9)
    assert (found.decay.low, found.decay.high) == (-np.inf, np.inf)
    assert "rows leave fewer than 12 eigenvalues" in found.decay.method  # once one block is left out


@pytest.mark.parametrize("of", ["singular values", "eigenvalues"])
@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize(("n", "d"), [(80, 6), (12, 30), (5, 1)])
def test_effective_rank_is_the_entropy_of_numpys_singular_values(rng, of, centred, n, d):
    x = rng.normal(size=(n, d)) * np.linspace(1, 3, d) + 0.5
    s = np.linalg.svd(x - x.mean(axis=0) if centred else x, compute_uv=False)
    s = s[s > 1e-10 * s[0]]
    found = effective_rank(x, of=of, centred=centred)
    assert found.value == pytest.approx(np.exp(entropy(s if of == "singular values" else s**2)), rel=1e-9)
    assert ("RankMe" in found.definition) is (of == "singular values" and not centred)
    assert of in found.definition


def test_what_moves_the_spectrum_and_the_rank(rng):
    x = rng.normal(size=(50, 5)) * np.arange(1, 6)
    q = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    values, rank = spectrum(x).eigenvalues, effective_rank(x).value
    for y, factor in ((x @ q, 1), (x + 100, 1), (x[::-1], 1), (2 * x, 4)):
        assert spectrum(y).eigenvalues == pytest.approx(factor * values, rel=1e-9)
    for y, kept in ((x @ q, True), (2 * x, True), (np.concatenate([x, x]), True), (x + 100, False)):
        assert (effective_rank(y).value == pytest.approx(rank, rel=1e-9)) is kept
    assert effective_rank(x + 100, centred=True).value == pytest.approx(effective_rank(x, centred=True).value)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_read_as_it_stands(rng, dtype):
    x = torch.tensor(rng.normal(size=(50, 5))).to(dtype)
    values = np.linalg.eigvalsh(np.cov(x.double().numpy().T))[::-1]
    assert spectrum(x).eigenvalues == pytest.approx(values, rel=1e-9)


def test_intervals_cover_the_mean_at_this_n():
    rng = np.random.default_rng(3)
    scale = np.arange(1, 7) ** -0.8

    def draw():
        m = moments(rng.normal(size=(160, 6)) * scale + 0.2, unit_rows=False)
        return spectrum(m, window=(1, 6)).decay, effective_rank(m, centred=True)

    for found in zip(*(draw() for _ in range(300)), strict=True):
        truth = np.mean([e.value for e in found])
        assert 0.92 <= np.mean([e.low <= truth <= e.high for e in found]) <= 0.99


def shares_by_pairs(x):
    """By the definition: each dimension's part of the cosine, averaged over all pairs, of its sum over dimensions."""
    u = x / np.linalg.norm(x, axis=1, keepdims=True)
    parts = np.einsum("ij,kj->j", u, u) / len(u) ** 2
    return parts / parts.sum()


def test_shares_are_the_parts_of_the_expected_cosine(rng):
    x = rng.normal(size=(90, 40))
    x[:, 7] += 4
    x[:, 3] *= 9
    found = outlier_dimensions(x)
    assert found.shares == pytest.approx(shares_by_pairs(x), abs=1e-12)
    assert (np.argmax(found.shares), set(found.outliers.tolist())) == (7, {7, 3})
    assert found.outliers[0] == 7
    for numbers, z in ((x.mean(axis=0), found.mean_z), (x.var(axis=0, ddof=1), found.variance_z)):
        assert z == pytest.approx((numbers - numbers.mean()) / numbers.std())
    assert found.largest.value == found.shares[7]
    assert found.largest.low < found.shares[7] < found.largest.high
    again = outlier_dimensions(moments(3 * x))
    assert again.shares == pytest.approx(found.shares)
    q = np.linalg.qr(rng.normal(size=(40, 40)))[0]
    assert outlier_dimensions(x @ q).shares.max() < 0.9 * found.shares.max()


def test_the_jackknife_of_the_largest_share_is_that_of_the_definition(rng):
    x = rng.normal(size=(60, 4)) + np.array([3, 0, 0, 0])
    blocks = np.arange(60) % 6
    left_out = np.array([shares_by_pairs(x[blocks != b])[0] for b in range(6)])
    error = np.sqrt(5 / 6 * ((left_out - shares_by_pairs(x)[0]) ** 2).sum())
    assert outlier_dimensions(x, blocks=blocks).largest.standard_error == pytest.approx(error, rel=1e-9)
    assert outlier_dimensions(x, blocks=blocks % 3).largest.high == np.inf


def test_equal_columns_have_no_z_score():
    x = np.outer(np.arange(1.0, 9), np.ones(3))
    assert outlier_dimensions(x).mean_z.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: spectrum(np.ones((9, 2))), "all 9 rows are equal"),
        (lambda: spectrum(np.eye(4)[:, :3], window=(2, 2)), "2 ranks or more"),
        (lambda: spectrum(np.eye(4)[:, :3], window=(0, 2)), r"1\.\.3"),
        (lambda: spectrum(np.eye(4)[:, :3], window=(1, 4)), r"1\.\.3"),
        (lambda: spectrum(moments(np.eye(4)), blocks=np.arange(4)), "blocks already"),
        (lambda: effective_rank(np.zeros((4, 2))), "no singular value above 0"),
        (lambda: effective_rank(np.eye(4), of="variances"), "of must be|Type-check"),
        (lambda: effective_rank(np.array([[1.0, np.nan], [1, 1]])), "row 0 is not finite"),
        (lambda: outlier_dimensions(np.array([[1.0, 0], [-1, 0]])), "sum to zero"),
        (lambda: outlier_dimensions(np.array([[1.0, 0], [0, 0]])), "row 1 is zero"),
        (lambda: outlier_dimensions(moments(np.eye(3), unit_rows=False)), "unit_rows=True"),
    ],
)
def test_spectra_refuse(call, words):
    with pytest.raises(ValueError, match=words):
        call()
