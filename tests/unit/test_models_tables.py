"""Compressed embedding tables against look-ups by hand."""

from collections import Counter

import pytest
import torch

from workbench.models import CompositionalTable, HashedTable, LowRankTable

N, WIDTH = 60, 4
IDS = torch.arange(N)
MADE = {
    "hash": lambda seed=0: HashedTable(N, WIDTH, rows=12, seed=seed),
    "own": lambda seed=0: HashedTable(N, WIDTH, rows=12, own=5, seed=seed),
    "product": lambda seed=0: CompositionalTable(N, WIDTH, rows=20, seed=seed),
    "sum": lambda seed=0: CompositionalTable(N, WIDTH, rows=20, joined="sum", seed=seed),
    "low rank": lambda seed=0: LowRankTable(N, WIDTH, rank=2, seed=seed),
}


def row_of(vector, rows):
    """The only row that equals the vector."""
    (found,) = [i for i, row in enumerate(rows) if torch.equal(vector, row)]
    return found


def test_hashing_shares_rows_evenly():
    table = MADE["hash"]()
    places = [row_of(vector, table.weight) for vector in table(IDS)]
    assert sorted(Counter(places).values()) == [5] * 12
    assert places != [i % 12 for i in range(N)]  # neighbours in frequency are spread


def test_frequent_types_have_rows_of_their_own():
    table = MADE["own"]()
    places = [row_of(vector, table.weight) for vector in table(IDS)]
    assert places[:5] == [0, 1, 2, 3, 4]
    assert set(places[5:]) == set(range(5, 12))
    counts = Counter(places[5:]).values()
    assert max(counts) - min(counts) <= 1


def test_all_own_is_the_full_table_and_all_but_one_cuts_the_vocabulary():
    full = HashedTable(N, WIDTH, rows=N, own=N, seed=0)
    torch.testing.assert_close(full(IDS), full.weight)
    cut = HashedTable(N, WIDTH, rows=12, own=11, seed=0)
    assert {row_of(vector, cut.weight) for vector in cut(IDS[11:])} == {11}


@pytest.mark.parametrize("joined", ["product", "sum"])
def test_every_type_has_a_pair_of_rows_of_its_own(joined):
    table = MADE[joined]()
    q, r = table.quotient.detach(), table.remainder.detach()
    assert (len(q), len(r)) == (4, 16)  # 15 rows and 4: 19; 16 and 4: 20; 17 and 4 are 21
    every = {}
    for i in range(len(q)):
        for j in range(len(r)):
            every[i, j] = q[i] * r[j] if joined == "product" else q[i] + r[j]
    pairs = []
    for vector in table(IDS).detach():
        (pair,) = [pair for pair, value in every.items() if torch.equal(value, vector)]
        pairs.append(pair)
    assert len(set(pairs)) == N
    assert {j + 16 * i for i, j in pairs} == set(range(N))


def test_low_rank_is_a_product_of_two_matrices():
    table = MADE["low rank"]()
    short, long = table.short.tolist(), table.projection.tolist()
    expected = [[sum(row[k] * long[k][j] for k in range(2)) for j in range(WIDTH)] for row in short]
    torch.testing.assert_close(table(IDS), torch.tensor(expected))


@pytest.mark.parametrize(
    ("name", "numbers"), [("hash", 48), ("own", 48), ("product", 80), ("sum", 80), ("low rank", 128)]
)
def test_bytes_count_every_trained_number(name, numbers):
    table = MADE[name]()
    assert table.bytes == 4 * numbers
    assert f"n={N}, width={WIDTH}" in repr(table)


@pytest.mark.parametrize("name", MADE)
def test_ids_of_any_shape_and_gradients_only_where_looked_up(name):
    table = MADE[name]()
    asked = torch.tensor([[3, 9, 3], [0, 59, 1]], dtype=torch.int32)
    out = table(asked)
    assert out.shape == (2, 3, WIDTH)
    torch.testing.assert_close(out[0, 1], table(IDS)[9])
    table(torch.tensor([7])).sum().backward()
    moved = {k: int((p.grad.abs().sum(dim=1) > 0).sum()) for k, p in table.named_parameters()}
    assert moved == {"short": 1, "projection": 2} if name == "low rank" else set(moved.values()) == {1}


@pytest.mark.parametrize("name", MADE)
def test_before_training_vectors_have_the_same_spread(name):
    made = {
        "hash": HashedTable(4000, 16, rows=1000, seed=0),
        "own": HashedTable(4000, 16, rows=1000, own=100, seed=0),
        "product": CompositionalTable(4000, 16, rows=1000, seed=0),
        "sum": CompositionalTable(4000, 16, rows=1000, joined="sum", seed=0),
        "low rank": LowRankTable(4000, 16, rank=8, seed=0),
    }[name]
    assert 0.06 < float(made(torch.arange(4000)).std()) < 0.15


@pytest.mark.parametrize("name", MADE)
def test_a_seed_draws_the_table_and_moves_no_generator(name):
    before = torch.get_rng_state()
    a, b, c = (MADE[name](seed)(IDS) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(a, b)
    assert not torch.allclose(a, c)


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (lambda: HashedTable(0, 4, rows=1, seed=0), "n must"),
        (lambda: HashedTable(4, 0, rows=1, seed=0), "width"),
        (lambda: HashedTable(4, 4, rows=0, seed=0), "rows"),
        (lambda: HashedTable(4, 4, rows=5, seed=0), "rows"),
        (lambda: HashedTable(4, 4, rows=2, own=3, seed=0), "own"),
        (lambda: HashedTable(4, 4, rows=2, own=-1, seed=0), "own"),
        (lambda: HashedTable(4, 4, rows=2, own=2, seed=0), "2 types have no row"),
        (lambda: CompositionalTable(N, 4, rows=15, seed=0), "need 16 rows"),
        (lambda: CompositionalTable(N, 4, rows=20, joined="max", seed=0), "joined"),
        (lambda: LowRankTable(4, 4, rank=5, seed=0), "rank"),
        (lambda: LowRankTable(4, 4, rank=0, seed=0), "rank"),
    ],
)
def test_tables_that_cannot_be_are_refused(make, rule):
    with pytest.raises(ValueError, match=rule):
        make()


@pytest.mark.parametrize("name", MADE)
def test_wrong_ids_are_refused(name):
    table = MADE[name]()
    for ids in (torch.tensor([N]), torch.tensor([-1])):
        with pytest.raises(ValueError, match=r"0\.\.59"):
            table(ids)
    with pytest.raises(ValueError, match="integers"):
        table(torch.tensor([1.0]))
