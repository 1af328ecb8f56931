"""Codes cut out of vectors against scikit-learn's axes, medians by hand, and the angle that planes measure."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from workbench.retrieval.cut_codes import cut_codes


@pytest.fixture
def rows():
    return np.random.default_rng(0).normal(size=(2, 50, 6)) @ np.diag([5, 4, 3, 2, 1, 0.5]) + 3


def test_columns_are_cut_at_the_medians_of_what_was_learned(rows):
    vectors, learned = rows
    medians = [sorted(column)[24:26] for column in learned.T]
    expected = np.array([[v > sum(m) / 2 for v, m in zip(row, medians, strict=True)] for row in vectors])
    assert (cut_codes(vectors, learned=learned, bits=6, how="columns") == expected).all()
    assert (cut_codes(vectors, learned=learned, bits=2, how="columns") == expected[:, :2]).all()


def test_axes_are_scikit_learns_up_to_a_turn_of_the_sign(rows):
    vectors, learned = rows
    pca = PCA(4).fit(learned)
    expected = pca.transform(vectors) > np.median(pca.transform(learned), axis=0)
    got = cut_codes(vectors, learned=learned, bits=4, how="axes")
    same = (got == expected).mean(axis=0)
    assert np.minimum(same, 1 - same).max() == 0
    assert cut_codes(learned, learned=learned, bits=4, how="axes").mean(axis=0) == pytest.approx(0.5)


def test_planes_disagree_as_often_as_the_angle_says(rows):
    _, learned = rows
    pair = learned.mean(axis=0) + np.array([[1.0, 0, 0, 0, 0, 0], [0.5, np.sqrt(0.75), 0, 0, 0, 0]])
    code = cut_codes(pair, learned=learned, bits=6000, how="planes", seed=1)
    assert (code[0] != code[1]).mean() == pytest.approx(60 / 180, abs=4 * np.sqrt(0.25 / 6000))
    assert (code == cut_codes(pair, learned=learned, bits=6000, how="planes", seed=1)).all()
    assert (code != cut_codes(pair, learned=learned, bits=6000, how="planes", seed=2)).any()


X = np.ones((3, 4))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: cut_codes(X[0], learned=X, bits=1, how="planes"), r"got \(4,\) and \(3, 4\)"),
        (lambda: cut_codes(X, learned=X[:, :3], bits=1, how="planes"), "of one width"),
        (lambda: cut_codes(X * np.nan, learned=X, bits=1, how="planes"), "finite"),
        (lambda: cut_codes(X, learned=X * np.inf, bits=1, how="planes"), "finite"),
        (lambda: cut_codes(X, learned=X, bits=0, how="planes"), "got 'planes' and 0"),
        (lambda: cut_codes(X, learned=X, bits=1, how="signs"), "one of planes, axes, columns.*'signs'"),
        (lambda: cut_codes(X, learned=X, bits=5, how="columns"), "bits 1 to 4, got 'columns' and 5"),
        (lambda: cut_codes(X, learned=X, bits=4, how="axes"), "bits 1 to 3, got 'axes' and 4"),
    ],
)
def test_what_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
