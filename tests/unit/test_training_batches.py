from collections import Counter
from itertools import islice

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.mutants import killed
from workbench.training import batches as module
from workbench.training.batches import Batches, first_fit
from workbench.training.mixtures import Curriculum, Mixture

N = 23
TEXTS = [f"text {i}" for i in range(N)]
COLUMNS = {"text": TEXTS, "number": np.arange(N), "vector": torch.arange(2.0 * N).view(N, 2)}


def numbers(batches):
    return [batch["number"].tolist() for batch in batches]


def test_a_pass_holds_every_row_once_and_each_column_the_same_rows():
    made = list(Batches(COLUMNS, size=5))
    rows = [i for batch in numbers(made) for i in batch]
    assert len(made) == len(Batches(COLUMNS, size=5)) == 4
    assert len(set(rows)) == 20
    for batch in made:
        assert list(batch) == ["text", "number", "vector"]
        assert batch["text"] == [f"text {i}" for i in batch["number"]]
        assert isinstance(batch["number"], np.ndarray)
        assert isinstance(batch["vector"], torch.Tensor)
        assert batch["vector"].tolist() == [[2.0 * i, 2.0 * i + 1] for i in batch["number"]]


def test_passes_follow_from_seed_and_epoch_alone():
    one, other = Batches(COLUMNS, size=5, seed=3), Batches(COLUMNS, size=5, seed=3)
    first = numbers(one)
    assert numbers(one) == first == numbers(other)
    one.set_epoch(1)
    second = numbers(one)
    assert second != first
    other.set_epoch(7)
    other.set_epoch(1)
    assert numbers(other) == second
    assert numbers(Batches(COLUMNS, size=5, seed=4)) != first
    left_out = set()
    for epoch in range(40):
        one.set_epoch(epoch)
        left_out |= set(range(N)) - {i for batch in numbers(one) for i in batch}
    assert left_out == set(range(N))


def test_two_iterations_at_once_do_not_disturb_each_other_and_generators_stay():
    batches = Batches(COLUMNS, size=5)
    whole = numbers(batches)
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    flow = iter(batches)
    seen = numbers(islice(flow, 2))
    batches.set_epoch(5)
    list(batches)
    assert seen + numbers(flow) == whole
    assert torch.equal(torch_state, torch.get_rng_state())
    assert np.array_equal(numpy_state, np.random.get_state()[1])  # noqa: NPY002


def test_a_column_changed_by_the_caller_later_does_not_unsettle_the_lengths():
    texts = list(TEXTS)
    batches = Batches({"text": texts}, size=N)
    texts.clear()
    assert sorted(next(iter(batches))["text"]) == sorted(TEXTS)


def test_an_array_of_texts_becomes_a_list():
    assert sorted(next(iter(Batches({"text": np.array(["a", "b"])}, size=2)))["text"]) == ["a", "b"]


def scan(order, texts, size):
    """Batches by going through the rows left, again and again, until a batch stays incomplete and all are dealt."""
    left, made = list(order), []
    while left:
        batch, held, later = [], set(), []
        for row in left:
            if len(batch) < size and not held & set(texts[row]):
                batch.append(row)
                held |= set(texts[row])
            else:
                later.append(row)
        made.append(batch)
        left = later
    return [batch for batch in made if len(batch) == size]


def codes_of(texts):
    often = Counter(text for row in texts for text in set(row))
    known = {text: i for i, text in enumerate(sorted(often))}
    return {row: [known[t] for t in set(own) if often[t] > 1] for row, own in enumerate(texts)}


@settings(max_examples=200, deadline=None)
@given(
    rows=st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("efghij")), min_size=1, max_size=40),
    size=st.integers(1, 5),
)
def test_first_fit_deals_as_going_through_the_rows_again_and_again(rows, size):
    assert first_fit(range(len(rows)), codes_of(rows), size) == scan(range(len(rows)), rows, size)


def check_first_fit(function):
    rng = np.random.default_rng(1)
    texts = [(f"{a}", f"{b}") for a, b in np.minimum(rng.zipf(1.5, size=(300, 2)), 40)]
    assert function(range(300), codes_of(texts), 4) == scan(range(300), texts, 4)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("for link in links:", "for link in links[:2]:"),
        ("link[batch] = batch + 1", "link[0] = batch + 1"),
        ("            full[batch] = batch + 1", "            full[batch] = batch + 2"),
        ("links[start], start = end, links[start]", "links[start], start = end + 1, links[start]"),
        ("    return [rows for rows in batches if len(rows) == size]", "    return batches"),
    ],
)
def test_every_mutant_of_first_fit_is_killed(old, new):
    assert killed(module, "first_fit", old, new, check_first_fit)


def test_batches_are_those_of_sentence_transformers_for_the_same_order():
    from datasets import Dataset
    from sentence_transformers.base.sampler import NoDuplicatesBatchSampler

    rng = np.random.default_rng(0)
    a, p = [f"a{i}" for i in rng.integers(0, 40, 120)], [f"{'ap'[i % 2]}{i}" for i in rng.integers(0, 60, 120)]
    data = Dataset.from_dict({"anchor": a, "positive": p})
    sampler = NoDuplicatesBatchSampler(data, 8, True, generator=torch.Generator(), seed=5)
    order = torch.randperm(120, generator=torch.Generator().manual_seed(5)).tolist()
    ours = first_fit(order, codes_of(list(zip(a, p, strict=True))), 8)
    assert len(ours) > 8
    assert list(islice(sampler, len(ours))) == ours


def pairs(seed=0, n=400, values=150):
    rng = np.random.default_rng(seed)
    a, p = rng.integers(0, values, n), rng.integers(values // 2, 2 * values, n)
    return {"anchor": [f"t{i}" for i in a], "positive": [f"t{i}" for i in p], "row": np.arange(n)}


def test_unique_lets_no_text_stand_in_two_rows_of_a_batch_and_loses_none():
    columns, seen = pairs(), Counter()
    batches = Batches(columns, size=16, unique=("anchor", "positive"))
    for epoch in range(30):
        batches.set_epoch(epoch)
        made = list(batches)
        assert len(made) == len(batches) >= 22
        rows = np.concatenate([batch["row"] for batch in made])
        assert len(set(rows)) == len(rows)
        seen.update(rows.tolist())
        for batch in made:
            texts = [{a, p} for a, p in zip(batch["anchor"], batch["positive"], strict=True)]
            assert sum(map(len, texts)) == len(set.union(*texts))
    assert set(seen) == set(range(400))


def test_a_row_may_hold_a_text_twice_and_integers_are_told_apart_too():
    same = Batches({"a": ["x", "y", "z"], "b": ["x", "y", "z"]}, size=3, unique=("a", "b"))
    assert len(same) == 1
    for ids in (np.array([1, 1, 2, 3]), torch.tensor([1, 1, 2, 3])):
        for batch in Batches({"id": ids}, size=2, unique=("id",)):
            assert len(set(batch["id"].tolist())) == 2


def test_a_frequent_text_costs_its_surplus_and_no_other_row():
    n, often = 640, 100
    columns = {"a": [f"a{i}" for i in range(n)], "p": ["x" if i < often else f"p{i}" for i in range(n)]}
    made = list(Batches(columns, size=16, unique=("a", "p")))
    assert len(made) == (n - often) // 15  # one of the frequent text in each
    assert all(batch["p"].count("x") == 1 for batch in made)


def test_where_no_batch_can_be_filled_that_is_said_at_once():
    labels = ["yes", "no"] * 10
    with pytest.raises(ValueError, match=r"no batch can be filled: unique leaves fewer than size=3 of 20 rows"):
        Batches({"text": TEXTS[:20], "label": labels}, size=3, unique=("text", "label"))
    by = np.array([0] * 10 + [1] * 10)
    labels = ["yes", "no"] * 5 + TEXTS[:10]
    with pytest.raises(ValueError, match="no batch of source 0 can be filled"):
        Batches({"label": labels, "by": by}, size=3, unique=("label",), by="by")


@pytest.mark.parametrize("unique", [(), ("anchor", "positive")])
def test_every_batch_is_of_one_source_and_sources_are_mixed(unique):
    columns = pairs(n=600) | {"source": ["big"] * 400 + ["small"] * 200}
    batches = Batches(columns, size=16, by="source", unique=unique)
    made = [batch["source"] for batch in batches]
    assert all(len(set(sources)) == 1 for sources in made)
    counts = Counter(sources[0] for sources in made)
    assert len(made) == len(batches)
    if not unique:
        assert counts == {"big": 400 // 16, "small": 200 // 16}
    # in runs of their own there would be one change
    assert sum(a != b for a, b in zip(made[1:], made[:-1], strict=True)) > 5
    labels = np.array([0] * 400 + [1] * 200)
    apart = Batches(pairs(n=600), size=16, by=labels)
    assert all(len(set(labels[batch["row"]])) == 1 for batch in apart)
    assert "source" not in apart.names


@pytest.mark.parametrize(
    ("columns", "options", "error", "message"),
    [
        ({}, {}, ValueError, "at least 1 column"),
        ({"a": []}, {}, ValueError, "at least 1 row, got none in 'a'"),
        ({"a": ["x"], "b": ["x", "y"]}, {}, ValueError, r"equal length, got {'a': 1, 'b': 2}"),
        ({"a": ["x", "y"]}, {"size": 3}, ValueError, "at most the n=2 rows, got 3"),
        ({"a": ["x", "y"]}, {"size": 0}, ValueError, "size must be at least 1"),
        ({"a": ["x", "y"]}, {"size": True}, TypeError, "size must be an integer, got True"),
        ({"a": ["x", "y"]}, {"seed": -1}, ValueError, "seed must not be negative, got -1"),
        ({"a": ["x", "y"]}, {"seed": True}, TypeError, "seed must be an integer, got True"),
        ({"a": ["x", 3]}, {}, TypeError, "column 'a': row 1 must be a str .* got int"),
        ({"a": [1.0, 3.0]}, {}, TypeError, "give numbers as an array"),
        ({"a": "xy"}, {}, TypeError, "column 'a' must be a sequence of str, an array or a tensor, got str"),
        ({"a": np.array(["x", 3], dtype=object)}, {}, ValueError, "got an array of object"),
        ({"a": np.array(3.0)}, {}, ValueError, "got a single number"),
        ({"a": np.array([[0, 1], [2, np.nan]])}, {}, ValueError, "column 'a': row 1 is not finite"),
        ({"a": torch.tensor([1.0, torch.inf])}, {}, ValueError, "column 'a': row 1 is not finite"),
        ({"a": ["x", "y"]}, {"unique": ("b",)}, ValueError, "there is no column 'b'; the columns are 'a'"),
        ({"a": ["x", "y"]}, {"unique": "a"}, TypeError, r"such as \('a',\), got one str"),
        ({"a": np.ones((2, 2))}, {"unique": ("a",)}, ValueError, "must hold texts or integers in one axis"),
        ({"a": np.ones((2, 2), dtype=int)}, {"unique": ("a",)}, ValueError, "must hold texts or integers in one axis"),
        ({"a": torch.tensor([True, False])}, {"unique": ("a",)}, ValueError, "must hold texts or integers"),
        ({"a": ["x", "y"]}, {"by": "b"}, ValueError, "there is no column 'b'"),
        ({"a": np.ones(2)}, {"by": "a"}, ValueError, "must hold texts or integers"),
        ({"a": ["x", "y"]}, {"by": ["s"]}, ValueError, "a label for each of 2 rows, got 1"),
        ({"a": ["x", "y"]}, {"size": 2, "by": ["s", "t"]}, ValueError, "source 's' has 1 rows and fills no batch"),
    ],
)
def test_what_gives_no_batches_is_refused(columns, options, error, message):
    with pytest.raises(error, match=message):
        Batches(columns, **{"size": 1, **options})


def test_columns_that_are_no_mapping_or_named_by_numbers_are_refused():
    with pytest.raises(TypeError):
        Batches(TEXTS, size=2)
    with pytest.raises(TypeError):
        Batches({3: TEXTS}, size=2)
    with pytest.raises(ValueError, match="epoch must not be negative, got -1"):
        Batches(COLUMNS, size=2).set_epoch(-1)
    with pytest.raises(ValueError, match="at most the 4 batches of a pass, got 5"):
        Batches(COLUMNS, size=5).rest(5)


def source(name, n, size=2, **options):
    return Batches({"text": [f"{name}{i}" for i in range(n)]}, size=size, **options)


def mixed(**options):
    return Mixture({"a": source("a", 40), "b": source("b", 13, seed=1), "c": source("c", 7)}, seed=2, **options)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [20 / 29, 6 / 29, 3 / 29]),
        ({"temperature": 2.0}, np.sqrt([20, 6, 3]) / np.sqrt([20, 6, 3]).sum()),
        ({"temperature": 1e6}, [1 / 3, 1 / 3, 1 / 3]),
        ({"weights": {"c": 3, "a": 1, "b": 0}}, [0.25, 0, 0.75]),
    ],
)
def test_sources_come_in_the_proportions_asked_for(options, expected):
    mixture, drawn = mixed(**options), Counter()
    assert list(mixture.probabilities.values()) == pytest.approx(list(expected), abs=1e-4)
    for epoch in range(100):
        mixture.set_epoch(epoch)
        draws = mixture.draws()
        made = [batch["text"][0][0] for batch in mixture] if epoch % 25 == 0 else draws
        assert made == draws
        assert len(draws) == len(mixture) == 29
        drawn.update(draws)
    for name, share in zip("abc", expected, strict=True):
        assert abs(drawn[name] / 2900 - share) <= 5 * np.sqrt(share * (1 - share) / 2900) + 1e-9


def test_each_source_goes_on_through_its_own_epochs():
    mixture, given_out = mixed(temperature=3.0), {"a": [], "b": [], "c": []}
    for epoch in range(6):
        mixture.set_epoch(epoch)
        for name, batch in zip(mixture.draws(), mixture, strict=True):
            given_out[name].append(batch["text"])
    for name, fresh in (("a", source("a", 40)), ("b", source("b", 13, seed=1)), ("c", source("c", 7))):
        expected = []
        for epoch in range(60):
            fresh.set_epoch(epoch)
            expected += [batch["text"] for batch in fresh]
        assert given_out[name] == expected[: len(given_out[name])]
        assert len(given_out[name]) > 2 * len(fresh)


def test_the_name_of_the_source_is_a_column_only_where_asked_for():
    assert mixed().names == ("text",)
    assert list(next(iter(mixed()))) == ["text"]
    named = mixed(name="source")
    assert named.names == ("text", "source")
    for batch in named:
        assert batch["source"] == [text[0] for text in batch["text"]]
    nested = Mixture({"all": mixed(), "d": source("d", 30)}, name="part")
    assert len(nested) == 29 + 15
    assert {batch["part"][0] for batch in nested} == {"all", "d"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weights": {"a": 1}}, r"weights must be given for \['a', 'b', 'c'\], got them for \['a'\]"),
        ({"weights": {"a": 0, "b": 0, "c": 0}}, "not all 0"),
        ({"weights": {"a": 1, "b": -1, "c": 0}}, "not negative"),
        ({"weights": {"a": np.inf, "b": 1, "c": 0}}, "finite"),
        ({"weights": {"a": 1, "b": 1, "c": 1}, "temperature": 1.0}, "got both"),
        ({"temperature": 0.0}, "temperature must be above 0 and finite, got 0.0"),
        ({"temperature": np.nan}, "got nan"),
        ({"name": "text"}, "name='text' is a column of source 'a' already"),
    ],
)
def test_proportions_that_are_none_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        mixed(**options)


def test_sources_that_are_none_are_refused():
    with pytest.raises(ValueError, match="at least 1 source"):
        Mixture({})
    with pytest.raises(TypeError):
        Mixture({"a": [{"text": ["x"]}]})
    one = source("a", 4)
    with pytest.raises(ValueError, match="sources 'a' and 'b' are the same batches"):
        Mixture({"a": one, "b": one})
    with pytest.raises(ValueError, match="seed must not be negative"):
        Mixture({"a": one}, seed=-1)
    with pytest.raises(ValueError, match="epoch must not be negative"):
        mixed().set_epoch(-1)
    with pytest.raises(ValueError, match="at most the 29 batches"):
        mixed().rest(30)


def curriculum(**options):
    difficulty = np.random.default_rng(0).normal(size=100)
    rank = np.argsort(np.argsort(difficulty))
    made = Curriculum({"rank": rank}, difficulty, **{"size": 5, "passes": 4, "start": 0.2, **options})
    return made


def test_the_share_grows_linearly_and_then_every_row_comes_once_in_a_pass():
    batches, highest = curriculum(), {}
    assert len(batches) == 20
    for seed in range(60):
        batches = curriculum(seed=seed)
        for epoch in range(4):
            batches.set_epoch(epoch)
            for i, batch in enumerate(batches):
                assert len(set(batch["rank"])) == 5
                t = 20 * epoch + i
                highest[t] = max(highest.get(t, 0), int(batch["rank"].max()))
    for t, rank in highest.items():
        share = 0.2 + 0.8 * t / 80
        assert rank < np.ceil(100 * share)
        assert rank >= 100 * share - 8  # 300 draws reach the end of what there is
        assert batches.available(t) == int(np.ceil(round(100 * share, 6)))
    for epoch in (4, 9):
        batches.set_epoch(epoch)
        assert sorted(np.concatenate([batch["rank"] for batch in batches])) == list(range(100))


def test_draws_of_a_batch_are_even_and_ties_are_in_random_order():
    counts = np.zeros(20)
    for seed in range(400):
        counts[next(iter(curriculum(seed=seed)))["rank"]] += 1
    assert abs(counts - 100).max() < 5 * np.sqrt(400 * 0.25 * 0.75)
    drawn = [Curriculum({"i": np.arange(50)}, np.zeros(50), size=5, passes=1, seed=s) for s in range(30)]
    assert set(np.concatenate([next(iter(d))["i"] for d in drawn])) > set(range(0, 50, 10))
    assert curriculum(start=0.01).available(0) == 5
    tensor = Curriculum({"i": np.arange(9)}, torch.arange(9, 0, -1), size=2, passes=1, start=0.2)
    assert set(next(iter(tensor))["i"]) == {7, 8}


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"passes": 0}, ValueError, "passes must be at least 1, got 0"),
        ({"start": 0.0}, ValueError, "start must be above 0 and at most 1, got 0.0"),
        ({"start": 1.1}, ValueError, "got 1.1"),
        ({"size": 101}, ValueError, "at most the n=100 rows"),
        ({"seed": -3}, ValueError, "seed must not be negative"),
    ],
)
def test_what_is_no_curriculum_is_refused(options, error, message):
    with pytest.raises(error, match=message):
        curriculum(**options)


def test_difficulties_that_are_none_are_refused():
    for wrong, message in (
        (np.zeros(4), r"each of 3 rows, got shape \(4,\)"),
        (np.zeros((3, 1)), r"got shape \(3, 1\)"),
        (np.array([0, np.nan, 1]), "difficulty: row 1 is not finite"),
    ):
        with pytest.raises(ValueError, match=message):
            Curriculum({"a": ["x", "y", "z"]}, wrong, size=1, passes=1)
    with pytest.raises(TypeError):
        Curriculum({"a": ["x", "y", "z"]}, [0, 1, 2], size=1, passes=1)


MADE = {
    "batches": lambda: Batches(pairs(), size=16, seed=1),
    "unique": lambda: Batches(pairs(), size=16, unique=("anchor", "positive")),
    "by": lambda: Batches(pairs(), size=16, by=np.arange(400) % 3, unique=("anchor",)),
    "mixture": lambda: mixed(temperature=2.0, name="source"),
    "mixture of unique": lambda: Mixture(
        {"x": Batches(pairs(), size=16, unique=("anchor", "positive")), "y": Batches(pairs(3, 50), size=4)},
        weights={"x": 1, "y": 1},
    ),
    "nested": lambda: Mixture({"m": mixed(), "c": curriculum()}, temperature=5.0),
    "curriculum": curriculum,
}


def plain(batch):
    return {name: column if isinstance(column, list) else column.tolist() for name, column in batch.items()}


@pytest.mark.parametrize("kind", MADE)
def test_batches_resume_at_any_place_as_if_gone_through(kind):
    through, expected = MADE[kind](), []
    for epoch in range(6):
        through.set_epoch(epoch)
        expected.append([plain(batch) for batch in through])
        assert len(expected[-1]) == len(through)
    assert expected[0] != expected[5]
    for epoch, skipped in ((0, 3), (2, 0), (5, 1), (5, len(expected[5]))):
        fresh = MADE[kind]()
        fresh.set_epoch(epoch)
        assert [plain(batch) for batch in islice(fresh, skipped, None)] == expected[epoch][skipped:]
        assert [plain(batch) for batch in fresh.rest(skipped)] == expected[epoch][skipped:]


@pytest.mark.parametrize("kind", MADE)
def test_a_training_run_takes_them(kind):
    from workbench.training.stream import Stream

    stream, made = Stream(MADE[kind]()), MADE[kind]()
    given_out = [plain(stream.next()) for _ in range(2 * len(made) + 3)]
    assert given_out[: len(made)] == [plain(batch) for batch in made]
