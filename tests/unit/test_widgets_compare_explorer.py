"""CompareExplorer without a browser: links between the maps, rows that changed, their intervals, what is refused."""

import json

import numpy as np
import pytest
import torch
from scipy.stats import binomtest

from workbench.diagnostics import linear_cka, mutual_knn
from workbench.widgets.compare_explorer import CompareExplorer
from workbench.widgets.compare_moves import mutual_neighbours, neighbour_change
from workbench.widgets.map import Map


def cloud(n=300, d=12, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)) * np.linspace(2, 0.5, d)


def turned(d, seed=1):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(d, d)))[0]


def nearest(x, row, among, k):
    """Rows by cosine, nearest first, in a plain loop."""
    cosines = [x[row] @ x[j] / np.linalg.norm(x[row]) / np.linalg.norm(x[j]) for j in among]
    order = [among[i] for i in np.argsort(np.negative(cosines), kind="stable")]
    return [int(j) for j in order if j != row][:k]


def pair(n=120, noise=0.3, seed=0):
    x = cloud(n, seed=seed)
    return x, (x + noise * np.random.default_rng(seed + 50).normal(size=x.shape)) @ turned(12)


def test_the_share_is_that_of_a_plain_loop():
    (x, y), k = pair(), 4
    found = neighbour_change(x, y, k=k, seed=7)
    groups = np.array_split(np.random.default_rng(7).permutation(120), 5)
    lost = [
        np.mean([1 - len(set(nearest(x, i, list(g), k)) & set(nearest(y, i, list(g), k))) / k for g in groups])
        for i in range(120)
    ]
    np.testing.assert_allclose(found.value, lost, atol=1e-12)
    assert found.groups == 5
    assert (np.diff(found.value[found.order]) <= 1e-12).all()
    assert sorted(found.order) == list(range(120))
    assert found.rows.tolist() == list(range(120))


def test_one_group_gives_wilsons_interval():
    x, y = pair(9)
    found = neighbour_change(x, y, k=6)
    assert found.groups == 1
    for value, low, high in zip(found.value, found.low, found.high, strict=True):
        expected = binomtest(round(value * 6), 6).proportion_ci(method="wilson")
        assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_the_interval_covers_the_mean_over_collections_of_rows():
    def world(rng, n):
        x = np.random.default_rng(9).normal(size=(4, 8))[rng.integers(0, 4, n)] * 2 + rng.normal(size=(n, 8))
        return x, np.concatenate([np.sin(x), x[:, :3]], axis=1) + 0.7 * rng.normal(size=(n, 11))

    watched = world(np.random.default_rng(1), 25)
    runs = []
    for seed in range(40):
        others = world(np.random.default_rng(100 + seed), 275)
        both = [np.concatenate(z) for z in zip(watched, others, strict=True)]
        found = neighbour_change(*both, k=8, seed=seed)
        runs.append([found.value[:25], found.low[:25], found.high[:25]])
    value, low, high = np.moveaxis(np.array(runs), 1, 0)
    truth = value.mean(axis=0)
    assert 0.2 < truth.mean() < 0.8
    assert 0.94 <= ((low <= truth) & (truth <= high)).mean() <= 0.998


@pytest.mark.parametrize("noise", [0.0, 0.3])
@pytest.mark.parametrize("n", [1000, 3000])
def test_planted_swaps_of_one_percent_are_found(n, noise):
    hits = []
    for seed in range(3):
        x, y = pair(n, noise, seed)
        swapped = np.random.default_rng(seed).permutation(n)[: n // 100]
        y[swapped] = y[np.roll(swapped, 1)]
        found = neighbour_change(x, y, k=10)
        hits += np.isin(found.rows[found.order[: len(swapped)]], swapped).tolist()
    assert np.mean(hits) > 0.95


def test_what_is_only_turned_has_changed_nothing():
    x = cloud()
    found = neighbour_change(x, torch.from_numpy(3 * x @ turned(12)), k=5)
    assert found.value.max() <= 0.04  # a tie in float32 may fall otherwise
    assert found.low.max() == 0
    assert 0 < found.high.min() < 0.2


def test_copies_of_a_row_are_neighbours_and_never_itself():
    x = np.repeat(cloud(30), 4, axis=0)
    found = neighbour_change(x, x @ turned(12), k=10)
    assert found.value.max() <= 0.5
    for row in (0, 1, 117):
        mutual = mutual_neighbours({"a": x, "b": x}, row, k=3)
        assert mutual.everywhere.tolist() == [i for i in range(4 * (row // 4), 4 * (row // 4) + 4) if i != row]


def test_above_the_sample_rows_are_drawn():
    x, y = pair(300)
    found = neighbour_change(x, y, k=5, sample=200, seed=3)
    assert len(found.rows) == 200
    assert (np.diff(found.rows) > 0).all()
    inside = neighbour_change(x[found.rows], y[found.rows], k=5, seed=0)
    assert abs(inside.value.mean() - found.value.mean()) < 0.05


@pytest.mark.parametrize(
    ("x", "y", "k", "words"),
    [
        (cloud(9), cloud(8), 3, "as many rows, got 9 and 8"),
        (cloud(9), cloud(9), 9, "k must be at least 1 and below n=9, got 9"),
        (cloud(9), cloud(9), 0, "got 0"),
        (cloud(9), np.zeros((9, 2)), 3, "row 0 is zero"),
        (np.full((9, 2), np.nan), cloud(9), 3, "row 0 is not finite"),
    ],
)
def test_neighbour_change_refuses(x, y, k, words):
    with pytest.raises(ValueError, match=words):
        neighbour_change(x, y, k=k)


def test_mutual_neighbours_are_those_of_a_plain_loop():
    spaces = {"a": cloud(80), "b": cloud(80) + 0.5 * cloud(80, seed=4), "c": cloud(80)[:, :5]}
    view = CompareExplorer(spaces, k=7)
    for row in (0, 41, 79):
        found, near = view.mutual_neighbours(row), {s: nearest(x, row, range(80), 7) for s, x in spaces.items()}
        assert found.everywhere.tolist() == [i for i in near["a"] if i in near["b"] and i in near["c"]]
        for name, ids in near.items():
            others = {i for other, more in near.items() if other != name for i in more}
            assert found.only[name].tolist() == [i for i in ids if i not in others]
    with pytest.raises(ValueError, match=r"0\.\.79, got 80"):
        view.mutual_neighbours(80)


@pytest.fixture
def sent(monkeypatch):
    """What any Map sends to its page."""
    messages = []
    monkeypatch.setattr(Map, "send", lambda self, content, **_: messages.append((self, content)))
    return messages


def hear(map, ids):
    map._hear(map, {"kind": "select", "form": "ids"}, [memoryview(np.array(ids, "<u4").tobytes())])


def test_selection_and_hover_reach_every_map(sent):
    x = cloud(50)
    view, got = CompareExplorer({"a": x, "b": x[:, :4], "c": x[:, 2:]}, k=3), []
    view.on_select(lambda ids: got.append(ids.tolist()))
    for one in view.maps:
        one._hear(one, {"kind": "ready", "view": "v"}, [])
    sent.clear()
    hear(view.maps[1], [7, 3])
    assert [one.selection.tolist() for one in view.maps] == [[3, 7]] * 3
    assert view.selection.tolist() == [3, 7]
    assert got == [[3, 7]]
    view.maps[2]._hear(view.maps[2], {"kind": "hover", "point": 9}, [])
    assert [one.hovered for one in view.maps] == [9, 9, 9]
    assert {m["point"] for one, m in sent if m["kind"] == "hovered" and one is not view.maps[2]} == {9}
    view.maps[2]._hear(view.maps[2], {"kind": "hover", "point": -1}, [])
    assert [one.hovered for one in view.maps] == [None] * 3
    view.selection = [1]
    assert got == [[3, 7]]
    assert [one.selection.tolist() for one in view.maps] == [[1]] * 3
    with pytest.raises(ValueError, match="got 50"):
        view.selection = [50]
    view.on_select(got.append, remove=True)


def test_the_list_and_the_controls_do_what_python_does():
    x, y = pair(200)
    y[[5, 60]] = y[[60, 5]]
    columns = {"kind": ["u", "v"] * 100, "row": np.arange(200)}
    view = CompareExplorer({"a": x, "b": y, "c": x[:, :3]}, ["<b>t</b>\n"] * 200, columns, k=6, title="<i>T</i>")
    first = view.moved(2)
    assert {row.row for row in first} == {5, 60}
    assert all(row.low <= row.value <= row.high for row in first)
    listed = view._panel._rows
    assert [option[1] for option in listed.options[1:3]] == [row.row for row in first]
    listed.value = first[1].row
    assert view.selection.tolist() == [first[1].row]
    assert f"row {first[1].row}" in view._panel._mutual.value
    assert "<b>t" not in view._panel._mutual.value
    assert "<i>" not in view._panel._title.value
    view._panel._colour.value = "row"
    assert "coloured by row from 0 to 199" in view.maps[2].summary
    view.colour_by(None)
    assert view._panel._colour.value == ""
    assert "coloured" not in view.maps[0].summary
    view._panel._pair.value = ("b", "c")
    assert view.pair == ("b", "c")
    assert listed.options[1][1] == view.moved(1)[0].row
    view.pair = ["c", "a"]
    assert view.pair == view._panel._pair.value == ("a", "c")


def test_likeness_is_that_of_the_diagnostics():
    x, y = pair(200)
    view = CompareExplorer({"a": x, "b": y}, k=6)
    assert view.likeness["linear CKA"] == linear_cka(x, y)
    assert view.likeness["mutual neighbours, k=6"] == mutual_knn(x, y, k=6)
    assert str(linear_cka(x, y)) in view._panel._numbers.value
    assert "all 200 rows" in view._panel._numbers.value
    assert str(linear_cka(x, y)) in view.summary


def test_nothing_quadratic_happens_unasked_on_many_rows():
    x, y = pair(1500)
    view = CompareExplorer({"a": x, "b": y})
    assert view._changes == {}
    assert view._likeness == {}
    assert "not compared yet" in view._panel._numbers.value
    assert len(view.moved(3)) == 3
    assert view._likeness == {}


def test_the_state_is_little():
    x, y = pair(900)
    view = CompareExplorer({"a": x, "b": y, "c": x, "d": y}, ["x" * 100_000] * 900)
    view.selection = [4]
    state = [one.get_state() for one in (view._panel._rows, view._panel._mutual, view._panel._numbers)]
    assert len(json.dumps(state, default=str)) < 20_000


@pytest.mark.parametrize(
    ("spaces", "options", "error", "words"),
    [
        ([cloud(9), cloud(9)], {}, TypeError, "mapping|spaces"),
        ({"a": cloud(9)}, {}, ValueError, "2 to 4 in number, got 1"),
        (dict.fromkeys("abcde", cloud(9)), {}, ValueError, "2 to 4 in number, got 5"),
        ({"a": cloud(9), "b": cloud(8)}, {}, ValueError, "as many rows, got 9 in 'a' and 8 in 'b'"),
        ({"a": cloud(12), "b": cloud(12) * (np.arange(12) != 4)[:, None]}, {}, ValueError, "'b': row 4 is zero"),
        ({"a": torch.ones(12, 2), "b": torch.zeros(12, 2)}, {}, ValueError, "'b': row 0 is zero"),
        ({"a": cloud(9), "b": cloud(9) * np.nan}, {}, ValueError, "space 'b': row 0 is not finite"),
        ({"a": cloud(9), "b": cloud(9)}, {"k": 9}, ValueError, "k must be at least 1 and below n=9, got 9"),
        ({"a": cloud(20), "b": cloud(20)}, {"texts": ["a"]}, ValueError, "texts must have one entry"),
        ({"a": cloud(20), "b": cloud(20)}, {"columns": {"c": [1]}}, ValueError, "column 'c' must have one entry"),
    ],
)
def test_what_is_refused(spaces, options, error, words):
    with pytest.raises(error, match=words):
        CompareExplorer(spaces, **options)


def test_wrong_names_and_counts_are_refused():
    view = CompareExplorer({"a": cloud(20), "b": cloud(20)}, columns={"c": np.arange(20)})
    with pytest.raises(ValueError, match="pair must be two different names"):
        view.pair = ("a", "a")
    with pytest.raises(ValueError, match="pair must be"):
        view.pair = ("a", "b", "a")
    with pytest.raises(ValueError, match=r"one of \('c',\), got 'd'"):
        view.colour_by("d")
    with pytest.raises(ValueError, match="n must be at least 1, got 0"):
        view.moved(0)
    assert view.pair == ("a", "b")
