"""Explorer without a browser: what it shows, finds, measures, refuses, takes back and saves."""

import contextlib
import json
import math
import threading

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

from workbench.diagnostics import hubness, isoscore, map_reliability, mean_cosine, tte_depth
from workbench.diagnostics import participation_ratio as participation
from workbench.intervals import mean_interval
from workbench.widgets import explorer_state
from workbench.widgets.explorer import Explorer
from workbench.widgets.explorer_measures import Measures
from workbench.widgets.explorer_neighbours import nearest_rows
from workbench.widgets.explorer_panel import LISTED, LONGEST

WORDS = ["red fox", "grey Wolf", "brown bear", "snowy owl"]


def vectors(n=120, d=8, seed=3):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(4, d)) * 2)[np.arange(n) % 4].astype(np.float32) + rng.normal(size=(n, d)).astype("f4")


def texts(n=120):
    return [f"{WORDS[i % 4]} number {i}" for i in range(n)]


def made(n=120, **more):
    return Explorer(vectors(n), texts(n), **more)


def panel(explorer):
    """HTML of the panel when it is up to date: numbers, neighbours, texts."""
    assert explorer._page.wait(60)
    beside = explorer.children[1].children[1]
    return [part.value for part in beside.children]


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"x": [[1.0, 2.0]]}, TypeError, "numpy"),
        ({"x": np.zeros((0, 3), "f4")}, ValueError, "at least 1 rows, got 0"),
        ({"x": np.array([[1.0, 2], [math.nan, 1]])}, ValueError, "row 1 is not finite"),
        ({"x": np.array([[1.0, 2], [1, 1], [0, 0]])}, ValueError, "row 2 is zero and has no direction"),
        ({"metric": "cosinus"}, ValueError, "metric must be one of .* got 'cosinus'"),
        ({"texts": ["a"]}, ValueError, "one entry for each of the 3 points, got 1"),
        ({"texts": ["a", "b", 3]}, TypeError, "texts must be str, got int in row 2"),
        ({"columns": {"kind": [1, 2]}}, ValueError, r"column 'kind': .* 3 points, got shape \(2,\)"),
        ({"columns": {"kind": [1.0, math.inf, 2]}}, ValueError, "column 'kind': .* got inf in row 1"),
        ({"columns": {"kind": [[1], [2], [3]]}}, TypeError, "column 'kind': .* got list in row 0"),
        ({"columns": {3: [1, 2, 3]}}, TypeError, "columns must have names, got 3"),
        ({"height": 50}, ValueError, "height must be 120 pixels or more, got 50"),
    ],
)
def test_wrong_input_is_refused(arguments, error, words):
    with pytest.raises(error, match=words):
        Explorer(**({"x": vectors(3)} | arguments))


def test_the_first_map_is_the_pca_and_a_tensor_is_taken():
    x = vectors()
    expected = PCA(2).fit_transform(x.astype(np.float64))
    for given in (x, torch.from_numpy(x), torch.from_numpy(x).double()):
        points = Explorer(given).map.points
        signs = np.sign((points * expected).sum(axis=0))
        assert points == pytest.approx(expected * signs, abs=1e-5)


@pytest.mark.parametrize("x", [np.ones((1, 5)), np.ones((7, 5)), np.ones((2, 1)), np.arange(1, 9.0)[:, None]])
def test_one_point_equal_points_and_one_column(x):
    explorer = Explorer(x, ["a"] * len(x))
    assert explorer.map.points.shape == (len(x), 2)
    explorer.selection = [0]
    assert ("Neighbours of row 0" in panel(explorer)[1]) == (len(x) > 1)
    for name in explorer.colours:
        if len(x) < 4 and name not in ("norm", "length"):
            with contextlib.suppress(ValueError):  # of so few rows some have no number
                explorer.colour_by(name)
        else:
            explorer.colour_by(name)
            assert explorer.colour == name


def test_a_selection_from_python_draws_and_does_not_call_back():
    explorer, called = made(), []
    explorer.on_select(lambda ids: called.append(ids.tolist()))
    explorer.selection = [7, 3, 3]
    assert explorer.selection.tolist() == explorer.map.selection.tolist() == [3, 7]
    assert called == []
    page(explorer, [5, 6])
    assert called == [[5, 6]]
    assert explorer.selection.tolist() == [5, 6]
    with pytest.raises(ValueError, match=r"ids must lie in 0..119, got 120"):
        explorer.selection = [120]
    assert explorer.selection.tolist() == [5, 6]


def page(explorer, ids):
    """The reader selects these points on the page."""
    explorer.map._hear(explorer.map, {"kind": "select", "form": "ids"}, [np.array(ids, "<u4").tobytes()])


def test_a_callback_can_be_taken_back():
    explorer, called = made(), []
    explorer.on_select(called.append)
    explorer.on_select(called.append, remove=True)
    page(explorer, [1])
    assert called == []


def test_words_are_found_whatever_their_case_and_are_no_pattern():
    explorer = Explorer(vectors(5), ["A wolf.", "WOLF!", "straße", "wol", "w.lf"])
    assert explorer.select_text("Wolf").tolist() == [0, 1]
    assert explorer.select_text("w.lf").tolist() == [4]
    assert explorer.select_text("STRASSE").tolist() == [2]
    assert explorer.select_text("nothing").tolist() == explorer.selection.tolist() == []
    with pytest.raises(ValueError, match="words must not be empty"):
        explorer.select_text("  ")
    with pytest.raises(ValueError, match="no texts to search"):
        Explorer(vectors(5)).select_text("a")


def test_colours_are_what_the_diagnostics_say():
    x, explorer = vectors(), made()
    assert explorer.colours == ("depth", "hubness", "norm", "length", "local dimension", "map reliability")
    shown = {}
    for name in explorer.colours:
        explorer.colour_by(name)
        shown[name] = np.asarray(explorer._shown.values)
        assert explorer.colour == name
        assert f"coloured by {name} (" in explorer.map.summary
    unit = x.astype(np.float64) / np.linalg.norm(x.astype(np.float64), axis=1, keepdims=True)
    far = 1 - unit @ unit.T
    assert shown["depth"] == pytest.approx(2 - far.sum(axis=1) / 119, abs=1e-6)
    nearest = NearestNeighbors(n_neighbors=21).fit(unit).kneighbors(unit)
    assert shown["hubness"].tolist() == np.bincount(nearest[1][:, 1:11].ravel(), minlength=120).tolist()
    assert shown["norm"] == pytest.approx(np.linalg.norm(x, axis=1), rel=1e-6)
    assert shown["length"].tolist() == [len(text) for text in texts()]
    r = nearest[0][:, 1:]
    assert shown["local dimension"] == pytest.approx(18 / np.log(r[:, -1:] / r[:, :-1]).sum(axis=1), rel=1e-4)
    assert shown["map reliability"] == pytest.approx(map_reliability(x, explorer.map.points).shared)
    assert hubness(x).counts.tolist() == shown["hubness"].tolist()
    explorer.colour_by(None)
    assert explorer.colour is None
    assert "coloured" not in explorer.map.summary


def test_the_local_dimension_is_that_of_the_space():
    flat = np.random.default_rng(0).random((3000, 3)) @ np.random.default_rng(1).normal(size=(3, 20))
    found = Measures(torch.from_numpy(flat), None, metric="euclidean").of("local dimension", flat[:, :2])
    assert np.median(found) == pytest.approx(3, abs=0.3)
    double = np.concatenate([flat[:50], flat[:50]])
    assert np.isnan(Measures(torch.from_numpy(double), None, metric="euclidean").of("local dimension", double)).all()


def test_a_column_hides_the_diagnostic_of_its_name_and_nan_is_missing():
    ages = np.where(np.arange(120) < 5, np.nan, 1.0 * np.arange(120))
    explorer = made(columns={"length": np.arange(120) * 10, "age": ages, "kind": ["a", None, "b"] * 40})
    assert explorer.colours[:3] == ("length", "age", "kind")
    assert explorer.colours.count("length") == 1
    explorer.colour_by("length")
    assert "coloured by length from 0 to 1190" in explorer.map.summary
    explorer.colour_by("age")
    assert "5 without a value" in explorer.map.summary
    explorer.colour_by("kind")
    assert "40 without a value" in explorer.map.summary
    with pytest.raises(ValueError, match="no colour 'hubnes', did you mean 'hubness'"):
        explorer.colour_by("hubnes")
    assert explorer.colour == "kind"
    assert "length" not in Explorer(vectors()).colours


@pytest.mark.parametrize("metric", ["cosine", "euclidean", "dot"])
@pytest.mark.parametrize("n", [60, 6000])
def test_neighbours_are_those_of_the_vectors(metric, n):
    x = vectors(n)
    x[11] = x[10]
    ids, values = Explorer(x, metric=metric).neighbours(10, 6)
    wide = x.astype(np.float64)
    if metric == "euclidean":
        truth = np.linalg.norm(wide - wide[10], axis=1)
        order = np.argsort(truth, kind="stable")
    else:
        lengths = np.linalg.norm(wide, axis=1) * np.linalg.norm(wide[10]) if metric == "cosine" else 1
        truth = wide @ wide[10] / lengths
        order = np.argsort(-truth, kind="stable")
    order = order[order != 10][:6]
    assert ids.tolist() == order.tolist()
    assert values == pytest.approx(truth[order], abs=1e-4)


def test_neighbours_of_huge_vectors_are_searched_in_full():
    x = np.random.default_rng(0).normal(size=(5000, 4)) * 1e200
    found = nearest_rows(torch.from_numpy(x), 3, 5, metric="cosine")[0]
    unit = x / 1e200
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    order = np.argsort(-(unit @ unit[3]))
    assert found.tolist() == order[order != 3][:5].tolist()


@pytest.mark.parametrize(
    ("row", "k", "words"), [(120, 3, "ids must lie in"), (0, 120, "below n=120, got 120"), (0, 0, "at least 1")]
)
def test_neighbours_that_are_not_there_are_refused(row, k, words):
    with pytest.raises(ValueError, match=words):
        made().neighbours(row, k)


def test_the_diagnostics_of_the_selection_stand_beside_those_of_all():
    x, explorer = vectors(400), made(400)
    ids = np.arange(0, 400, 4)
    explorer.selection = ids
    told = explorer.diagnostics().reports
    assert list(told) == ["selected", "all"]
    for name, rows in (("selected", x[ids]), ("all", x)):
        for number, expected in (
            ("mean_cosine", mean_cosine(rows)),
            ("isoscore", isoscore(rows)),
            ("participation_ratio", participation(rows)),
        ):
            found = told[name][number]
            ends = [expected.value, expected.low, expected.high]
            assert [found.value, found.low, found.high] == pytest.approx(ends, rel=1e-6)
    depth = tte_depth(x)
    assert told["selected"]["mean_depth"].value == pytest.approx(depth[ids].mean())
    assert told["all"]["mean_depth"] == mean_interval(depth, definition=told["all"]["mean_depth"].definition)
    assert told["selected"]["hubness_skewness"].value == pytest.approx(hubness(x[ids]).skewness.value)
    assert told["all"].rows[-1].note == told["selected"].rows[-1].note == "among 100 rows"
    numbers = panel(explorer)[0]
    assert "100 of 400 selected" in numbers
    assert told["selected"].rows[0].number.split()[0] in numbers


def test_few_rows_have_no_numbers():
    explorer = made()
    explorer.selection = range(29)
    told = explorer.diagnostics().reports
    assert all(row.estimate is None and "29, 30 are needed" in row.note for row in told["selected"].rows)
    assert told["all"]["mean_cosine"].n == mean_cosine(vectors()).n
    assert panel(explorer)[0].count("too few rows</td>") == 5
    explorer.selection = []
    assert list(explorer.diagnostics().reports) == ["all"]


def test_a_zero_row_has_no_depth_but_a_place():
    x = vectors(60)
    x[7] = 0
    explorer = Explorer(x, metric="euclidean")
    with pytest.raises(ValueError, match="row 7 is zero"):
        explorer.colour_by("depth")
    report = explorer.diagnostics().reports["all"]
    scatter = np.linalg.eigvalsh(np.cov(x.T.astype(np.float64)))
    assert report["participation_ratio"].value == pytest.approx(scatter.sum() ** 2 / (scatter**2).sum(), rel=0.15)
    assert "row 7 is zero" in next(row.note for row in report.rows if row.name == "mean_depth")
    assert "not measured" in next(row.note for row in report.rows if row.name == "mean_cosine")


def test_the_panel_shows_neighbours_of_a_single_point_and_texts_of_several():
    hostile = ["<script>alert(1)</script>", "\u202eabc", "x" * 100_000, "\U0001f98a <img src=x onerror=alert(1)>"]
    explorer = Explorer(vectors(), [hostile[i % 4] for i in range(120)])
    explorer.selection = [4]
    numbers, near, shown = panel(explorer)
    ids, values = explorer.neighbours(4, LISTED)
    assert (numbers, shown) == ("", "")
    assert [near.index(f">{value:.3f}<") for value in values] == sorted(near.index(f">{v:.3f}<") for v in values)
    assert all(f">{i}</td>" in near for i in ids)
    marked = explorer.map._sizes
    assert np.flatnonzero(marked == 255).tolist() == [4]
    assert sorted(np.flatnonzero(marked == 170)) == sorted(ids.tolist())
    explorer.selection = range(50)
    numbers, near, shown = panel(explorer)
    assert near == ""
    assert explorer.map._sizes is None
    assert "<script" not in shown
    assert "<img" not in shown
    assert shown.count("<bdi>") == LISTED
    assert "and 40 more" in shown
    assert "x" * LONGEST in shown
    assert "x" * (LONGEST + 1) not in shown


def test_undo_takes_back_selection_colour_and_map():
    explorer = made()
    first = explorer.map.points
    assert not explorer.undo()
    explorer.selection = [1, 2]
    explorer.colour_by("norm")
    explorer.project(lambda x: x[:, 3:5])
    assert explorer.map.points == pytest.approx(vectors()[:, 3:5])
    assert explorer.undo()
    assert explorer.map.points == pytest.approx(first)
    assert (explorer.colour, explorer.selection.tolist()) == ("norm", [1, 2])
    assert explorer.undo()
    assert (explorer.colour, explorer.selection.tolist()) == (None, [1, 2])
    assert "coloured" not in explorer.map.summary
    assert explorer.undo()
    assert explorer.map.selection.tolist() == []
    assert not explorer.undo()


def test_a_view_is_saved_and_restored(tmp_path):
    explorer = made(columns={"kind": WORDS * 30})
    explorer.project(lambda x: x[:, 2:4] ** 3)
    explorer.selection = [5, 9]
    explorer.colour_by("kind")
    explorer.map.camera = (0.5, -1.0, 20.0)
    assert explorer.save(tmp_path / "view.json") == tmp_path / "view.json"
    assert [path.name for path in tmp_path.iterdir()] == ["view.json"]
    kept = (tmp_path / "view.json").read_text()
    assert "fox" not in kept
    other = made(columns={"kind": WORDS * 30})
    other.load(tmp_path / "view.json")
    wide = np.ptp(explorer.map.points, axis=0)
    assert np.abs(other.map.points - explorer.map.points).max() <= (wide / 65_535).max()
    assert (other.colour, other.selection.tolist(), other.map.camera) == ("kind", [5, 9], (0.5, -1.0, 20.0))
    assert other.state() | {"projection": 0} == explorer.state() | {"projection": 0}
    assert other.undo()
    assert (other.colour, other.selection.tolist()) == (None, [])


def test_a_pca_needs_no_points_in_its_state_and_reliability_is_of_the_restored_map():
    explorer = made()
    explorer.colour_by("map reliability")
    state = explorer.state()
    assert "points" not in state["projection"]
    explorer.project(lambda x: x[:, :2])
    explorer.restore(json.loads(json.dumps(state)))
    assert explorer._shown.values == pytest.approx(map_reliability(vectors(), explorer.map.points).shared)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"version": 2}, "version 1 is needed"),
        ({"fingerprint": "0"}, "other vectors"),
        ({"projection": "pca"}, "a projection has a name"),
        ({"projection": {"how": "umap"}}, "not 120 rows of two numbers"),
        ({"projection": {"how": "umap", "points": {"low": [0, 0], "high": [1, 1], "steps": "AAAA"}}}, "not 120 rows"),
        ({"projection": {"how": "u", "points": {"low": [0], "high": [1], "steps": "A" * 640}}}, "two finite numbers"),
        ({"colour": "kind"}, "no colour 'kind' here"),
        ({"selection": [120]}, "ids must lie in"),
        ({"selection": ["1"]}, "a list of ids"),
        ({"selection": 3}, "a list of ids"),
        ({"camera": [1, 2]}, "a camera is"),
        ({"camera": [1, 2, -1]}, "pixels per unit above 0, got -1.0"),
        ({"camera": ["1", 2, 3]}, "a camera is"),
    ],
)
def test_a_state_that_does_not_fit_changes_nothing(change, words):
    explorer = made()
    explorer.selection = [3]
    with pytest.raises(ValueError, match=words):
        explorer.restore(explorer.state() | change)
    assert (explorer.selection.tolist(), explorer.colour) == ([3], None)


def test_a_state_of_other_vectors_or_no_json_is_refused(tmp_path):
    explorer, moved = made(), vectors()
    moved[119, 7] += 1e-3
    with pytest.raises(ValueError, match="other vectors"):
        Explorer(moved).restore(explorer.state())
    (tmp_path / "torn.json").write_text('{"version": 1, ')
    with pytest.raises(ValueError, match="holds no saved view"):
        explorer.load(tmp_path / "torn.json")
    (tmp_path / "list.json").write_text("[]")
    with pytest.raises(ValueError, match="a JSON object is needed, got list"):
        explorer.load(tmp_path / "list.json")
    with pytest.raises(OSError, match="missing"):
        explorer.save(tmp_path / "missing" / "view.json")


def test_a_save_that_fails_keeps_the_file_that_was_there(tmp_path, monkeypatch):
    explorer = made()
    explorer.save(tmp_path / "view.json")
    before = (tmp_path / "view.json").read_text()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(explorer_state.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        explorer.save(tmp_path / "view.json")
    assert (tmp_path / "view.json").read_text() == before
    assert [path.name for path in tmp_path.iterdir()] == ["view.json"]


def test_the_controls_call_what_python_calls():
    explorer, called = made(), []
    explorer.on_select(lambda ids: called.append(ids.tolist()))
    controls = explorer.children[0]
    controls.words.value = "WOLF"
    assert called == [list(range(1, 120, 4))]
    assert controls.status.words == "30 texts contain “WOLF”"
    controls.colour.value = "hubness"
    assert explorer._page.wait()
    assert explorer.colour == "hubness"
    assert controls.status.words == "Coloured by hubness"
    controls.undo.click()
    assert (explorer.colour, controls.colour.value) == (None, "")
    assert len(called) == 1
    controls.undo.click()
    assert called[1:] == [[]]
    assert controls.undo.disabled
    explorer.colour_by("norm")
    assert controls.colour.value == "norm"


def test_a_colour_that_cannot_be_is_said_on_the_page():
    x = vectors(60)
    x[7] = 0
    explorer = Explorer(x, metric="euclidean")
    controls = explorer.children[0]
    controls.colour.value = "depth"
    assert explorer._page.wait()
    assert "row 7 is zero" in controls.status.words
    assert controls.colour.value == ""
    assert controls.words.disabled


def test_many_rows_are_told_what_a_colour_costs(monkeypatch):
    monkeypatch.setattr("workbench.widgets.explorer.MANY", 100)
    explorer, said = made(), []
    explorer.children[0].status.observe(lambda change: said.append(change["new"]), names="words")
    explorer.colour_by("hubness")
    assert len(said) == 1
    assert said[0].startswith("hubness: every one of 120 rows is compared with every other, at once")
    explorer.colour_by("local dimension")  # from the same search
    explorer.colour_by("norm")
    assert len(said) == 1


def test_a_caller_in_another_thread_may_select_while_a_colour_is_computed():
    explorer = made(600)
    threads = [threading.Thread(target=lambda i=i: setattr(explorer, "selection", [i])) for i in range(8)]
    for thread in threads:
        thread.start()
    explorer.colour_by("map reliability")
    for thread in threads:
        thread.join()
    assert explorer.colour == "map reliability"
    assert explorer.map.selection.tolist() == explorer.selection.tolist()
    assert len(explorer.selection) == 1
    while explorer.undo():
        pass
    assert (explorer.colour, explorer.selection.tolist()) == (None, [])
