"""The order of neighbours on graphs small enough to walk by hand."""

import numpy as np
import pytest

from workbench.training import local_order, negative_batches

# one candidate each, so nothing but the first query and the order of equals is drawn
CHAIN_NEAR = np.array([[10], [11], [12], [13], [14]])
CHAIN_FAR = np.array([[99], [10], [11], [12], [13]])  # query i + 1 is linked to the negative of query i


def test_a_chain_is_walked_to_its_end_from_wherever_it_starts():
    for seed in range(8):
        order, negatives = local_order(CHAIN_NEAR, CHAIN_FAR, seed=seed)
        first = order[0]
        np.testing.assert_array_equal(order[: 5 - first], np.arange(first, 5))
        np.testing.assert_array_equal(np.sort(order), np.arange(5))
        np.testing.assert_array_equal(negatives, order + 10)


# query 0 leads to 1 and 2; 1 leads to 3, 2 leads to 4; nothing leads to 0
TREE_NEAR = np.array([[10], [11], [12], [13], [14]])
TREE_FAR = np.array([[99], [10], [10], [11], [12]])


def orders(walk):
    found = (tuple(local_order(TREE_NEAR, TREE_FAR, seed=seed, walk=walk)[0].tolist()) for seed in range(60))
    return {order for order in found if order[0] == 0}


def test_a_walk_goes_deep_and_a_snowball_goes_wide():
    assert orders(True) == {(0, 1, 3, 2, 4), (0, 2, 4, 1, 3)}
    assert orders(False) == {(0, 1, 2, 3, 4), (0, 2, 1, 4, 3)}


def test_without_links_the_order_is_drawn_and_negatives_are_the_queries_own():
    near, far = np.arange(40).reshape(10, 4), np.full((10, 1), 77)
    order, negatives = local_order(near, far, seed=0)
    assert sorted(order.tolist()) == list(range(10)) != order.tolist()
    assert all(negative in near[query] for query, negative in zip(order, negatives, strict=True))
    many = [local_order(near, far, seed=seed) for seed in range(400)]
    drawn = [n for order, negatives in many for q, n in zip(order, negatives, strict=True) if q == 3]
    counts = np.bincount(np.array(drawn) - 12, minlength=4)
    assert counts.min() > 65  # 100 each expected, standard deviation 8.7


def test_neighbours_stand_together():
    """Two groups of queries that share candidates: an order of neighbours changes group once, a drawn one often."""
    rng, group = np.random.default_rng(0), np.arange(100) % 2
    near = group[:, None] * 50 + rng.integers(0, 50, (100, 5))
    far = group[:, None] * 50 + np.stack([rng.permutation(50)[:40] for _ in range(100)])
    order, _ = local_order(near, far, seed=1)
    assert (np.diff(group[order]) != 0).sum() <= 3


def test_a_seed_draws_all():
    near, far = np.arange(40).reshape(10, 4), np.full((10, 1), 77)
    for a, b in zip(local_order(near, far, seed=5), local_order(near, far, seed=5), strict=True):
        np.testing.assert_array_equal(a, b)
    assert local_order(near, far, seed=6)[0].tolist() != local_order(near, far, seed=5)[0].tolist()


def test_what_is_no_graph_is_refused():
    good = np.ones((3, 2), dtype=int)
    for bad, kind, rule in (
        (good.astype(float), TypeError, "integers"),
        (good[0], ValueError, "candidates"),
        (good[:, :0], ValueError, "candidates"),
        (np.array([[1, 2], [0, -1], [1, 1]]), ValueError, "query 1"),
        (good[:2], ValueError, "as many"),
    ):
        with pytest.raises(kind, match=rule):
            local_order(good, bad, seed=0)
        with pytest.raises(kind, match=rule):
            local_order(bad, good, seed=0)
    with pytest.raises(ValueError, match="seed"):
        local_order(good, good, seed=-1)


def test_batches_are_passes_over_all_queries_with_a_candidate_each():
    near = np.arange(44).reshape(11, 4)
    made = negative_batches(near, size=3, count=7, seed=0)
    assert [len(queries) for queries, _ in made] == [3] * 7
    for start in (0, 3):  # three batches a pass, two queries left out of each
        one = np.concatenate([queries for queries, _ in made[start : start + 3]])
        assert len(set(one.tolist())) == 9
    for queries, negatives in made:
        np.testing.assert_array_equal(negatives // 4, queries)
    assert [q.tolist() for q, _ in made[:3]] != [q.tolist() for q, _ in made[3:6]]
    other = negative_batches(near + 100, size=3, count=7, seed=0)
    for (a, m), (b, n) in zip(made, other, strict=True):
        np.testing.assert_array_equal(a, b)  # equal orders, and the same places in other lists
        np.testing.assert_array_equal(m + 100, n)
    assert negative_batches(near, size=3, count=7, seed=1)[0][0].tolist() != made[0][0].tolist()


def test_batches_of_neighbours_are_runs_of_a_local_order():
    made = negative_batches(TREE_NEAR, size=5, count=40, seed=0, far=TREE_FAR)
    assert {tuple(q.tolist()) for q, _ in made if q[0] == 0} == {(0, 1, 3, 2, 4), (0, 2, 4, 1, 3)}
    for queries, negatives in made:
        np.testing.assert_array_equal(negatives, queries + 10)
    wide = negative_batches(TREE_NEAR, size=5, count=40, seed=0, far=TREE_FAR, walk=False)
    assert {tuple(q.tolist()) for q, _ in wide if q[0] == 0} == {(0, 1, 2, 3, 4), (0, 2, 1, 4, 3)}


@pytest.mark.parametrize("how", [{"size": 0}, {"size": 6}, {"count": 0}, {"seed": -1}])
def test_batches_that_cannot_be_are_refused(how):
    with pytest.raises(ValueError, match=next(iter(how))):
        negative_batches(TREE_NEAR, **({"size": 2, "count": 2, "seed": 0} | how))
