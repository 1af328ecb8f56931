import numpy as np
import pytest
from sklearn.datasets import make_blobs
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness

from workbench.projections import pca, umap_map


@pytest.mark.parametrize("shape", [(200, 6), (9000, 4), (12, 50), (7, 7)], ids=str)
def test_pca_is_that_of_scikit_learn_up_to_sign(shape):
    rng = np.random.default_rng(2)
    x = rng.normal(size=shape) * np.linspace(1, 3, shape[1]) + 100
    peer = PCA(3, svd_solver="full").fit(x)
    got, expected = pca(x, dimensions=3), peer.transform(x)
    signs = np.sign((got * expected).sum(axis=0))
    np.testing.assert_allclose(got * signs, expected, atol=1e-8)


def test_the_largest_loading_is_positive():
    line = np.linspace(-1, 1, 11)[:, None] * np.array([[1.0, -3.0]])
    assert (np.diff(pca(line, dimensions=1)[:, 0]) < 0).all()  # along -x2, whose loading is the largest
    np.testing.assert_allclose(pca(line, dimensions=1), pca(line[:, ::-1], dimensions=1), atol=1e-12)


@pytest.mark.parametrize("dimensions", [0, 4, 5])
def test_pca_refuses_dimensions_that_are_not_there(dimensions):
    with pytest.raises(ValueError, match=f"dimensions must lie in .* got {dimensions}"):
        pca(np.random.default_rng(0).normal(size=(4, 9)), dimensions=dimensions)


def test_pca_refuses_rows():
    with pytest.raises(ValueError, match="row 1 is not finite"):
        pca(np.array([[1.0, 2], [np.nan, 3], [1, 1]]))
    with pytest.raises(ValueError, match="at least 2 rows, got 1"):
        pca(np.ones((1, 3)))


@pytest.mark.filterwarnings("ignore:Graph is not fully connected")
def test_umap_keeps_near_rows_near():
    x, _ = make_blobs(300, n_features=20, centers=6, cluster_std=1.0, random_state=4)
    placed = umap_map(x, seed=0, metric="euclidean")
    assert placed.shape == (300, 2)
    assert trustworthiness(x, placed, n_neighbors=10) > 0.9
    assert (placed == umap_map(x, seed=0, metric="euclidean")).all()


@pytest.mark.parametrize("n_neighbors", [1, 10])
def test_umap_refuses_neighbours_that_are_not_there(n_neighbors):
    with pytest.raises(ValueError, match=f"below n=10, got {n_neighbors}"):
        umap_map(np.random.default_rng(0).normal(size=(10, 3)), seed=0, n_neighbors=n_neighbors)


def test_umap_refuses_rows():
    with pytest.raises(ValueError, match="row 2 is not finite"):
        umap_map(np.array([[1.0], [2], [np.inf], [3]]), seed=0, n_neighbors=2)
