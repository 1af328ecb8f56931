import numpy as np
import pytest

from workbench.retrieval.sweeps import sweep_codes, sweep_lists

RNG = np.random.default_rng(2)
ROWS = RNG.normal(size=(300, 16)).astype(np.float32)
ASKED = RNG.normal(size=(7, 16)).astype(np.float32)


def nearest(rows, asked, k):
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (asked, rows)]
    return np.argsort(-(unit[0] @ unit[1].T), axis=1)[:, :k]


def test_all_lists_lose_nothing_and_cost_more_than_the_exact_search():
    cost, recall = sweep_lists(ROWS, ASKED, lists=8, probes=(1, 4, 8))
    assert recall.shape == (3, 7)
    assert (np.diff(recall.mean(1)) >= 0).all()
    assert (recall[-1] == 1).all()
    assert cost[-1] == pytest.approx(308 / 300)
    assert (np.diff(cost) > 0).all()


def test_recall_of_codes_is_that_of_the_decoded_rows():
    import faiss

    cost, recall = sweep_codes(ROWS, ASKED, shares=(1 / 16, 1 / 8), k=5)
    assert cost.tolist() == [1 / 16, 1 / 8]
    wanted = nearest(ROWS, ASKED, 5)
    unit = ROWS / np.linalg.norm(ROWS, axis=1, keepdims=True)
    for m, row in zip((4, 8), recall, strict=True):
        codes = faiss.IndexPQ(16, m, 8, faiss.METRIC_INNER_PRODUCT)
        codes.pq.cp.seed, codes.pq.cp.min_points_per_centroid = 0, 1
        codes.train(unit)
        decoded = codes.pq.decode(codes.pq.compute_codes(unit))
        found = np.argsort(-(ASKED @ decoded.T), axis=1)[:, :5]
        shares = [np.isin(w, f).mean() for w, f in zip(wanted, found, strict=True)]
        np.testing.assert_allclose(row, shares)


def test_a_share_that_is_no_whole_number_of_codes_is_refused():
    with pytest.raises(ValueError, match=r"whole number of codes, got 0\.001"):
        sweep_codes(ROWS, ASKED, shares=(1 / 8, 0.001))
