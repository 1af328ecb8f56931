"""Pools of demonstrations, and the nearest example against scikit-learn's 1-nearest-neighbour."""

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from workbench.evaluation import draw_pools, nearest_example


def test_pools_are_disjoint_and_hold_their_own_class():
    labels = np.array(["a"] * 50 + ["b"] * 40 + ["c"] * 12 + ["d"] * 39)
    drawn = draw_pools(labels, size=10, n_pools=2, seed=0)
    assert drawn.names == ("a", "b", "d")  # c has fewer than 30 rows
    assert drawn.tests.shape == (3, 10)
    assert drawn.pools.shape == (2, 3, 10)
    rows = np.concatenate([drawn.tests.ravel(), drawn.pools.ravel()])
    assert len(set(rows)) == 90
    for place, name in enumerate(drawn.names):
        assert set(labels[drawn.tests[place]]) == set(labels[drawn.pools[:, place].ravel()]) == {name}
    again, other = (draw_pools(labels, size=10, n_pools=2, seed=s) for s in (0, 1))
    assert np.array_equal(again.pools, drawn.pools)
    assert not np.array_equal(other.pools, drawn.pools)
    assert draw_pools(labels, size=10, n_pools=2, seed=0, most_classes=2).names == ("a", "b")


def test_nearest_example_is_scikit_learns_nearest_neighbour():
    rng = np.random.default_rng(0)
    asked, shown = rng.normal(size=(60, 8)), [rng.normal(size=(k, 8)) for k in (3, 3, 5)]
    peer = KNeighborsClassifier(1, metric="cosine").fit(np.concatenate(shown), np.repeat([0, 1, 2], [3, 3, 5]))
    assert nearest_example(asked, shown).tolist() == peer.predict(asked).tolist()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: draw_pools(["a", "b"] * 9, size=5, n_pools=1, seed=0), "need 10 rows"),
        (lambda: draw_pools(["a", "b"] * 9, size=0, n_pools=1, seed=0), "at least 1"),
        (lambda: nearest_example(np.ones((2, 3)), [np.ones((1, 3))]), "2 classes"),
        (lambda: nearest_example(np.ones((2, 3)), [np.ones((1, 3)), np.ones((1, 4))]), "columns"),
    ],
)
def test_demonstrations_refuse(call, words):
    with pytest.raises(ValueError, match=words):
        call()
