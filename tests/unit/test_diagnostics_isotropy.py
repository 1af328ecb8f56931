"""Participation ratio, IsoScore and IsoScore* against their definitions, closed forms and simulations."""

import numpy as np
import pytest
import torch

from workbench.diagnostics.isotropy import isoscore, isoscore_star, participation_ratio, trace_squares
from workbench.diagnostics.moments import moments


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def published(cov):
    """Algorithm 1 of the IsoScore paper, step by step, from a covariance."""
    n = len(cov)
    pcs = np.linalg.svd(cov, compute_uv=False)
    normed = pcs * np.sqrt(n) / np.linalg.norm(pcs)
    defect = np.linalg.norm(normed - 1) / np.sqrt(2 * (n - np.sqrt(n)))
    return ((n - defect**2 * (n - np.sqrt(n))) ** 2 - n) / (n * (n - 1))


@pytest.mark.parametrize(("n", "d"), [(50, 2), (200, 12), (20, 40)])
def test_raw_isoscore_is_the_published_algorithm(rng, n, d):
    x = rng.normal(size=(n, d)) * np.linspace(1, 3, d) + 5
    assert isoscore(x, debias=False).value == pytest.approx(published(np.cov(x.T)), abs=1e-9)


def test_raw_scores_are_the_packages(rng):
    package = pytest.importorskip("IsoScore.IsoScore", reason="the published package is not installed")
    x = rng.normal(size=(80, 10)) * np.linspace(1, 3, 10)
    goal = np.diag(np.linspace(2, 1, 10))
    assert isoscore(x, debias=False).value == pytest.approx(float(package.IsoScore(x)), abs=1e-6)
    star = isoscore_star(x, zeta=0.3, shrink_to=goal, debias=False).value
    assert star == pytest.approx(float(package.IsoScore_star(x, torch.tensor(goal), 0.3)), abs=1e-6)


def test_participation_ratio_is_that_of_numpys_eigenvalues(rng):
    x = rng.normal(size=(60, 7)) @ rng.normal(size=(7, 7)) + 1e6
    values = np.linalg.eigvalsh(np.cov(x.T))
    assert participation_ratio(x, debias=False).value == pytest.approx(values.sum() ** 2 / (values**2).sum(), rel=1e-9)


def test_the_unbiased_traces_are_the_u_statistics(rng):
    """By definition: averages over tuples of distinct rows, of (xi - xj)'(xk - xl) products."""
    x = rng.exponential(size=(6, 3))
    gram = x @ x.T
    squares, crosses = [], []
    for i in range(6):
        for j in range(6):
            for k in range(6):
                for m in range(6):
                    if len({i, j, k, m}) == 4:
                        a, b = gram[i, i] - 2 * gram[i, j] + gram[j, j], gram[k, k] - 2 * gram[k, m] + gram[m, m]
                        squares.append(a * b / 4)  # |xi - xj|^2 / 2 has mean tr(C), and the two pairs are independent
                        crosses.append((gram[i, k] - gram[i, m] - gram[j, k] + gram[j, m]) ** 2 / 4)
    found = trace_squares(moments(x).pool(), debias=True)
    assert found == pytest.approx((np.mean(squares), np.mean(crosses)), rel=1e-9)


@pytest.mark.parametrize(("n", "d", "draws"), [(100, 64, 40), (1000, 64, 10), (100, 384, 12), (300, 384, 8)])
def test_an_isotropic_gaussian_scores_one_without_bias_and_far_less_raw(n, d, draws):
    rng = np.random.default_rng(n + d)
    records = [moments(rng.normal(size=(n, d)), unit_rows=False, blocks=np.zeros(n, int)) for _ in range(draws)]
    assert np.mean([isoscore(m).value for m in records]) == pytest.approx(1, abs=0.01)
    expected = (1 / (1 / d + 1 / n) - 1) / (d - 1)  # 1/PR of the sample is near 1/PR + 1/n
    assert np.mean([isoscore(m, debias=False).value for m in records]) == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize("of", [participation_ratio, isoscore])
@pytest.mark.parametrize("debias", [True, False])
def test_what_moves_isotropy_and_what_does_not(rng, of, debias):
    x = rng.normal(size=(80, 6)) * np.arange(1, 7)
    value = of(x, debias=debias).value
    q = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    for same in (x @ q, 7 * x, x + 100, x[rng.permutation(80)]):
        assert of(same, debias=debias).value == pytest.approx(value, rel=1e-9)
    assert of(x * np.arange(1, 7), debias=debias).value != pytest.approx(value, rel=1e-2)
    twice = of(np.concatenate([x, x]), debias=debias).value
    assert (
        twice == pytest.approx(value, rel=1e-9)
    ) is not debias  # copies are no new rows, and an estimate cannot know


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_read_as_it_stands(rng, dtype):
    x = torch.tensor(rng.normal(size=(50, 5))).to(dtype)
    assert isoscore(x).value == pytest.approx(isoscore(x.double().numpy()).value, rel=1e-12)
    assert isoscore(x, debias=False).value == pytest.approx(published(np.cov(x.double().numpy().T)), abs=1e-9)


def test_isoscore_star_runs_from_isoscore_to_that_of_the_target(rng):
    x, y = rng.normal(size=(40, 5)) * np.arange(1, 6), rng.normal(size=(400, 5))
    goal = np.cov(y.T)
    for debias in (True, False):
        ends = [isoscore_star(x, zeta=z, shrink_to=moments(y), debias=debias).value for z in (0, 1)]
        assert ends == pytest.approx([isoscore(x, debias=debias).value, published(goal)], rel=1e-9)
    mixed = isoscore_star(x, zeta=0.4, shrink_to=goal, debias=False).value
    assert mixed == pytest.approx(published(0.6 * np.cov(x.T) + 0.4 * goal), abs=1e-9)


def coverage(draw, truth, times=300):
    rng = np.random.default_rng(7)
    found = [participation_ratio(draw(rng)) for _ in range(times)]
    return np.mean([e.low <= truth <= e.high for e in found])


def test_intervals_of_a_decaying_spectrum_about_a_common_mean_cover():
    scale = np.arange(1, 9) ** -0.7
    truth = (scale**2).sum() ** 2 / (scale**4).sum()
    assert 0.92 <= coverage(lambda rng: rng.normal(size=(300, 8)) * scale + 3, truth) <= 0.99


def test_intervals_of_clusters_cover():
    centres = np.random.default_rng(1).normal(size=(4, 6)) * 2
    cov = np.cov(centres.T, bias=True) + np.eye(6)
    truth = np.trace(cov) ** 2 / (cov**2).sum()
    found = coverage(lambda rng: centres[rng.integers(0, 4, 300)] + rng.normal(size=(300, 6)), truth)
    assert 0.92 <= found <= 0.99


def test_intervals_of_an_isotropic_cloud_are_not_too_narrow():
    assert coverage(lambda rng: rng.normal(size=(200, 16)), 16) >= 0.92


def test_the_jackknife_is_that_of_the_definition(rng):
    x = rng.normal(size=(60, 4)) * np.arange(1, 5)
    blocks = np.arange(60) % 6
    left_out = np.array([published(np.cov(x[blocks != b].T)) for b in range(6)])
    error = np.sqrt(5 / 6 * ((left_out - published(np.cov(x.T))) ** 2).sum())
    assert isoscore(x, debias=False, blocks=blocks).standard_error == pytest.approx(error, rel=1e-9)
    few = isoscore(x, blocks=blocks % 4)
    assert (few.low, few.high) == (-np.inf, np.inf)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: isoscore(np.ones((9, 1))), "2 columns"),
        (lambda: isoscore_star(np.ones((9, 1)), zeta=0.1, shrink_to=np.eye(1)), "2 columns"),
        (lambda: isoscore(np.ones((9, 2))), "all 9 rows are equal"),
        (lambda: participation_ratio(np.eye(3)), "at least 4 rows, got 3"),
        (lambda: participation_ratio(np.eye(3)[:1], debias=False), "at least 2 rows"),
        (lambda: participation_ratio(moments(np.eye(3)), debias=True), "at least 4 rows"),
        (lambda: participation_ratio(moments(np.eye(5)), blocks=np.arange(5)), "blocks already"),
        (lambda: participation_ratio(np.eye(4)), "too few to tell"),
        (lambda: isoscore_star(np.eye(5), zeta=1.5, shrink_to=np.eye(5)), "zeta"),
        (lambda: isoscore_star(np.eye(5), zeta=0.5, shrink_to=np.eye(4)), "shrink_to"),
        (lambda: isoscore_star(np.eye(5), zeta=0.5, shrink_to=np.full((5, 5), np.nan)), "shrink_to"),
        (lambda: isoscore_star(np.eye(5), zeta=0.5, shrink_to=np.triu(np.ones((5, 5)))), "shrink_to"),
    ],
)
def test_isotropy_refuses(call, words):
    with pytest.raises(ValueError, match=words):
        call()
