"""All-but-the-top and whitening against numpy, fitted on one half and applied to the other."""

import numpy as np
import pytest
import torch
from scipy.linalg import inv, sqrtm
from sklearn.decomposition import PCA

from workbench.diagnostics.moments import moments
from workbench.diagnostics.transforms import all_but_the_top, whitening


@pytest.fixture
def halves():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 5)) @ rng.normal(size=(5, 5)) + np.arange(5)
    return x[:80], x[80:]


@pytest.mark.parametrize("remove", [0, 1, 3])
def test_the_top_is_the_mean_and_sklearns_first_components(halves, remove):
    train, test = halves
    pca = PCA(remove or None).fit(train)
    directions = pca.components_[:remove]
    expected = (test - train.mean(axis=0)) @ (np.eye(5) - directions.T @ directions)
    assert all_but_the_top(moments(train), remove=remove).apply(test) == pytest.approx(expected, abs=1e-9)


def test_whitening_without_shrinkage_gives_unit_covariance_on_train_only(halves):
    train, test = halves
    for kind in ("pca", "zca"):
        fitted = whitening(moments(train), kind=kind, shrinkage=0)
        assert np.cov(fitted.apply(train).T) == pytest.approx(np.eye(5), abs=1e-9)
        assert np.abs(np.cov(fitted.apply(test).T) - np.eye(5)).max() > 0.01
    pca = PCA(whiten=True).fit(train)
    found = whitening(moments(train), kind="pca", shrinkage=0.0).apply(test)
    assert np.abs(found) == pytest.approx(np.abs(pca.transform(test)), abs=1e-9)  # signs of directions are free


def test_zca_is_the_inverse_root_of_the_shrunk_covariance(halves):
    train, test = halves
    cov = np.cov(train.T)
    shrunk = 0.7 * cov + 0.3 * np.trace(cov) / 5 * np.eye(5)
    fitted = whitening(moments(train), shrinkage=0.3)
    assert fitted.matrix == pytest.approx(inv(sqrtm(shrunk).real), abs=1e-9)
    assert fitted.shrinkage == 0.3
    assert fitted.apply(test) == pytest.approx((test - train.mean(axis=0)) @ inv(sqrtm(shrunk).real), abs=1e-9)
    fewer = whitening(moments(train[:3]), shrinkage=0.3)  # fewer rows than columns pass with shrinkage
    few = np.cov(train[:3].T)
    assert fewer.matrix @ fewer.matrix.T == pytest.approx(inv(0.7 * few + 0.3 * np.trace(few) / 5 * np.eye(5)))


def test_arrays_come_back_as_arrays_and_tensors_as_tensors(halves):
    train, test = halves
    fitted = all_but_the_top(moments(train), remove=1)
    expected = fitted.apply(test)
    for dtype, out in ((torch.float16, torch.float32), (torch.bfloat16, torch.float32), (torch.float64, torch.float64)):
        found = fitted.apply(torch.tensor(test).to(dtype))
        assert found.dtype == out
        assert found.numpy() == pytest.approx(fitted.apply(torch.tensor(test).to(dtype).double().numpy()), abs=1e-5)
    single = fitted.apply(test.astype(np.float32))
    assert single.dtype == np.float32
    assert single == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda m: all_but_the_top(m, remove=5), "remove must lie"),
        (lambda m: all_but_the_top(m, remove=-1), "remove must lie"),
        (lambda _m: all_but_the_top(moments(np.ones((1, 5))), remove=1), "at least 2 rows"),
        (lambda _m: whitening(moments(np.ones((1, 5))), shrinkage=1), "at least 2 rows"),
        (lambda m: whitening(m, shrinkage=1.1), "shrinkage must lie"),
        (lambda m: whitening(m, kind="soft", shrinkage=0), "kind must be|Type-check"),
        (lambda _m: whitening(moments(np.eye(5)), shrinkage=0), "no full rank 5"),
        (lambda _m: whitening(moments(np.ones((3, 5))), shrinkage=1), "no full rank 5"),
        (lambda m: all_but_the_top(m, remove=1).apply(np.ones((2, 4))), "5 columns"),
        (lambda m: whitening(m, shrinkage=0).apply(np.full((1, 5), np.nan)), "row 0 is not finite"),
    ],
)
def test_maps_refuse(halves, call, words):
    with pytest.raises(ValueError, match=words):
        call(moments(halves[0]))
