import itertools

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from workbench.retrieval import Hits, recall_against
from workbench.retrieval.inverted import IVFIndex

RNG = np.random.default_rng(7)
ROWS = RNG.normal(size=(400, 12)).astype(np.float32)
ASKED = RNG.normal(size=(9, 12)).astype(np.float32)
NAMES = tuple(f"d{i}" for i in range(400))


def ivf(**how):
    return IVFIndex.build(NAMES, ROWS, **({"lists": 16} | how))


@pytest.mark.parametrize(("metric", "theirs"), [("cosine", "cosine"), ("euclidean", "euclidean")])
def test_all_lists_read_is_the_exact_search_of_scikit_learn(metric, theirs):
    far, near = NearestNeighbors(n_neighbors=5, metric=theirs).fit(ROWS).kneighbors(ASKED)
    hits = ivf(metric=metric).search(ASKED, 5, probes=16)
    assert (hits.indices == near).all()
    np.testing.assert_allclose(hits.scores, 1 - far if metric == "cosine" else -far, atol=1e-5)


def test_the_dot_product_is_searched_as_numpy_sorts_it():
    hits = ivf(metric="dot").search(ASKED, 5, probes=16)
    assert (hits.indices == np.argsort(-(ASKED @ ROWS.T), axis=1)[:, :5]).all()


def test_more_lists_never_lose_a_document():
    index, exact = ivf(), ivf().search(ASKED, 10, probes=16)
    recall = [recall_against(exact, index.search(ASKED, 10, probes=p)) for p in (1, 2, 4, 8, 16)]
    assert all((more >= less).all() for less, more in itertools.pairwise(recall))
    assert recall[0].mean() < 0.9 < recall[-1].mean() == 1


def test_only_the_lists_nearest_to_the_query_are_read():
    centres = np.eye(4, dtype=np.float32)
    rows = np.repeat(centres, [2, 3, 4, 5], axis=0) + 0.01 * RNG.normal(size=(14, 4)).astype(np.float32)
    index = IVFIndex.build([str(i) for i in range(14)], rows, lists=4)
    hits = index.search(centres[:1], 4, probes=1)  # a list of 2
    assert set(hits.indices[0, :2]) == {0, 1}
    assert (hits.indices[0, 2:] == -1).all()
    assert (hits.scores[0, 2:] == -np.inf).all()
    np.testing.assert_allclose(index.compared(centres, probes=1), (np.array([2, 3, 4, 5]) + 4) / 14)
    np.testing.assert_allclose(index.compared(centres, probes=4), 18 / 14)


def test_equal_documents_stand_in_the_order_of_the_corpus():
    rows = np.tile(ROWS[:1], (20, 1))
    hits = IVFIndex.build([str(i) for i in range(20)], rows, lists=1).search(ROWS[:1], 20)
    assert hits.indices[0].tolist() == list(range(20))


def test_training_is_its_seed():
    one, same, other = (ivf(seed=s).search(ASKED, 10, probes=2) for s in (0, 0, 1))
    assert (one.indices == same.indices).all()
    assert (one.indices != other.indices).any()


def test_ids_are_those_given():
    hits = ivf().search(ASKED[:2], 1, ids=["a", "b"])
    assert isinstance(hits, Hits)
    assert hits.queries == ("a", "b")
    assert hits.documents == NAMES


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda: ivf(lists=0), ValueError, "lists must be in 1..400"),
        (lambda: ivf(lists=401), ValueError, "lists must be in 1..400"),
        (lambda: ivf(lists=51, sample=50), ValueError, "lists must be in 1..50"),
        (lambda: ivf(metric="l1"), ValueError, "metric"),
        (lambda: IVFIndex.build(NAMES[:3], ROWS, lists=2), ValueError, "one row per document"),
        (lambda: IVFIndex.build(NAMES, np.zeros_like(ROWS), lists=2), ValueError, "zero"),
        (lambda: ivf().search(ASKED[:, :3], 1), ValueError, "must have 12 columns"),
        (lambda: ivf().search(ASKED, 401), ValueError, "k must be at least 1 and at most n=400"),
        (lambda: ivf().search(ASKED, 1, probes=0), ValueError, "probes must be in 1..16"),
        (lambda: ivf().compared(ASKED, probes=17), ValueError, "probes must be in 1..16"),
        (lambda: ivf().search(ASKED, 1, ids=["a"]), ValueError, "ids must name every row"),
    ],
)
def test_wrong_use_is_refused(make, kind, message):
    with pytest.raises(kind, match=message):
        make()


def test_vectors_are_an_array():
    with pytest.raises(TypeError):
        IVFIndex.build(NAMES, ROWS.tolist(), lists=2)  # pyright: ignore
