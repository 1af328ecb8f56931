"""Codebooks on planted rows, against faiss's own coder and scikit-learn's k-means; bytes counted by hand."""

import faiss
import numpy as np
import pytest
from sklearn.cluster import KMeans

from workbench.retrieval import coded_within, product_bytes, product_codebook

M, BITS, S = 4, 2, 3


def planted(n=400, seed=0, rotation=None):
    """Rows whose every part is one of four values, and these values (m, 4, s)."""
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((M, 2**BITS, S)).astype("f4")
    rows = values[np.arange(M), rng.integers(0, 2**BITS, (n, M))].reshape(n, M * S)
    return (rows if rotation is None else rows @ rotation).astype("f4"), values


def error(rows, book):
    """Mean squared distance of rows and their codes, part by part."""
    turned, total = rows @ book.rotation.T, 0.0
    size = book.centres.shape[2]
    for j, centres in enumerate(book.centres):
        part = turned[:, j * size : (j + 1) * size]
        total += ((part[:, None] - centres[None]) ** 2).sum(axis=2).min(axis=1)
    return float(np.mean(total))


def test_planted_values_are_found():
    rows, values = planted()
    # k-means may put two centres into one value: the best of some seeds
    best = min(
        (product_codebook(rows, m=M, bits=BITS, rotate=False, seed=s) for s in range(8)), key=lambda b: error(rows, b)
    )
    np.testing.assert_array_equal(best.rotation, np.eye(M * S))
    assert best.centres.shape == (M, 2**BITS, S)
    found = [j for j in range(M) if np.allclose(np.sort(best.centres[j], 0), np.sort(values[j], 0), atol=1e-5)]
    assert len(found) >= 2


def test_centres_are_as_good_as_those_of_scikit_learn():
    rows = np.random.default_rng(1).standard_normal((600, 8)).astype("f4")
    book = product_codebook(rows, m=2, bits=4, rotate=False)
    parts = (
        KMeans(16, n_init=1, random_state=0).fit(rows[:, :4]),
        KMeans(16, n_init=1, random_state=0).fit(rows[:, 4:]),
    )
    theirs = sum(part.inertia_ for part in parts) / len(rows)
    assert 0.93 * theirs < error(rows, book) < 1.07 * theirs


def test_a_rotation_is_orthogonal_and_lowers_the_error_of_turned_rows():
    rng = np.random.default_rng(2)
    rows = (rng.standard_normal((800, 12)) * np.geomspace(3, 0.1, 12)).astype("f4")  # one part holds nearly all
    plain, turned = (product_codebook(rows, m=4, bits=4, rotate=rotate) for rotate in (False, True))
    np.testing.assert_allclose(turned.rotation @ turned.rotation.T, np.eye(12), atol=1e-4)
    assert error(rows, turned) < 0.9 * error(rows, plain)


def test_codes_are_those_that_faiss_gives():
    rows, _ = planted(seed=3)
    rows = rows + 0.3 * np.random.default_rng(4).standard_normal(rows.shape).astype("f4")
    book = product_codebook(rows, m=M, bits=8, rotate=True, rounds=3)
    quantiser = faiss.ProductQuantizer(M * S, M, 8)
    faiss.copy_array_to_vector(book.centres.ravel(), quantiser.centroids)
    turned = np.ascontiguousarray(rows @ book.rotation.T)
    decoded = quantiser.decode(quantiser.compute_codes(turned))
    assert np.mean(((turned - decoded) ** 2).sum(axis=1)) == pytest.approx(error(rows, book), rel=1e-4)


def test_a_seed_draws_the_centres():
    rows = np.random.default_rng(5).standard_normal((200, 8)).astype("f4")
    a, b, c = (product_codebook(rows, m=2, bits=3, rotate=False, seed=s).centres for s in (1, 1, 2))
    np.testing.assert_array_equal(a, b)
    assert not np.allclose(a, c)


def test_bytes_by_hand():
    assert product_bytes(1000, 384, m=8) == 1000 * 8 + 256 * 384 * 4
    assert product_bytes(1000, 384, m=8, rotate=True) == 1000 * 8 + 256 * 384 * 4 + 384 * 384 * 4
    assert product_bytes(10, 12, m=3, bits=6) == 10 * 3 + 64 * 12 * 4  # 18 bits in 3 bytes
    assert product_bytes(10, 12, m=3, bits=4) == 10 * 2 + 16 * 12 * 4


@pytest.mark.parametrize(
    ("how", "rule"),
    [
        ({"m": 5}, "m must divide"),
        ({"m": 0}, "m must divide"),
        ({"bits": 0}, "1..12"),
        ({"bits": 13}, "1..12"),
        ({"bits": 9}, "400 rows"),
        ({"rounds": 0}, "rounds"),
        ({"seed": -1}, "seed"),
    ],
)
def test_settings_out_of_range_are_refused(how, rule):
    with pytest.raises(ValueError, match=rule):
        product_codebook(planted()[0], **({"m": M, "bits": BITS} | how))


def test_wrong_vectors_and_counts_are_refused():
    with pytest.raises(TypeError, match="array"):
        product_codebook([[1.0]], m=1)
    for rows in (np.ones(4), np.ones((4, 4), dtype=int)):
        with pytest.raises(ValueError, match="2-D floats"):
            product_codebook(rows, m=1, bits=1)
    rows = np.ones((4, 4))
    rows[2, 1] = np.inf
    with pytest.raises(ValueError, match="row 2"):
        product_codebook(rows, m=1, bits=1)
    for name in ("n", "width", "m", "bits"):
        given = {"n": 5, "width": 4, "m": 2, "bits": 8} | {name: 0}
        with pytest.raises(ValueError, match=name):
            product_bytes(given.pop("n"), given.pop("width"), **given)


def test_the_best_codes_within_a_budget():
    rows = np.random.default_rng(6).standard_normal((300, 12)).astype("f4")
    # centres take 768 bytes with 4 bits, 3072 with 6; 300 rows of 12, 6, 4, 3, 2, 1 codes of 4 bits: 6, 3, 2, 2, 1, 1
    decoded, size = coded_within(rows, budget=768 + 300 * 5)
    assert size == 768 + 300 * 3
    book = product_codebook(rows, m=6, bits=4, rotate=False)
    nearest = [
        centres[((rows[:, 2 * j : 2 * j + 2][:, None] - centres[None]) ** 2).sum(axis=2).argmin(axis=1)]
        for j, centres in enumerate(book.centres)
    ]
    np.testing.assert_allclose(decoded, np.concatenate(nearest, axis=1), atol=1e-6)
    errors = {b: np.square(rows - coded_within(rows, budget=7000, bits=(b,))[0]).sum() for b in (4, 6)}
    best, _ = coded_within(rows, budget=7000)
    assert np.square(rows - best).sum() == pytest.approx(min(errors.values()))
    assert len({round(float(error), 3) for error in errors.values()}) > 1


def test_what_fits_no_budget_is_refused():
    rows = np.ones((20, 4), dtype="f4")
    with pytest.raises(ValueError, match="budget=100"):
        coded_within(rows, budget=100)
    with pytest.raises(ValueError, match="fit"):
        coded_within(rows, budget=10**6, bits=(5, 8))  # 32 centres and 20 rows
    with pytest.raises(ValueError, match="fit"):
        coded_within(rows, budget=10**6, bits=())
