"""LayerExplorer without a browser: steps, metrics, rows that moved, playing, what is refused."""

import json
import threading
import time

import numpy as np
import pytest
import torch
from scipy import stats

from workbench.diagnostics import mean_cosine, participation_ratio
from workbench.projections import aligned_maps
from workbench.widgets import layer_steps
from workbench.widgets.layer_explorer import LayerExplorer
from workbench.widgets.map import Map


def cloud(n=60, d=8, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)) * np.linspace(2, 0.5, d)


def steps(n=60, d=8):
    """Four steps: the second as the first, in the third five rows moved, the fourth all new."""
    x = cloud(n, d)
    third = x.copy()
    third[[3, 9, 20, 41, 59]] += np.arange(5, 10)[:, None]
    return np.stack([x, x, third, cloud(n, d, seed=1)])


@pytest.fixture
def sent(monkeypatch):
    """What any Map sends to its page."""
    messages = []
    monkeypatch.setattr(Map, "send", lambda _, content, buffers=None: messages.append((content, buffers or [])))
    return messages


def test_a_step_shows_the_aligned_map(sent):
    spaces = steps()
    view, expected = LayerExplorer(spaces), aligned_maps(spaces)
    assert view.step == 0
    assert view.step_name == "step 0"
    assert view.step_names == ("step 0", "step 1", "step 2", "step 3")
    np.testing.assert_array_equal(view.map.points, expected[0])
    view.map._hear(view.map, {"kind": "ready", "view": "v"}, [])
    sent.clear()
    view.step = np.int64(2)
    np.testing.assert_array_equal(view.map.points, expected[2])
    assert [m["kind"] for m, _ in sent] == ["points"]
    stayed = np.setdiff1d(np.arange(60), [3, 9, 20, 41, 59])
    assert np.abs(expected[2] - expected[1])[stayed].max() / np.ptp(expected[1]) < 0.01
    sent.clear()
    view.step = 2
    assert sent == []


def test_slider_and_colours_do_what_python_does():
    spaces = {"a": cloud(), "b <i>": cloud(seed=1)[:, :3], "c": cloud(seed=2)}
    view = LayerExplorer(spaces, columns={"kind": ["u", "v"] * 30, "row": np.arange(60)}, title="T")
    assert "coloured by kind" in view.map.summary
    view._slider.value = 1
    assert (view.step, view.step_name) == (1, "b <i>")
    assert "b &lt;i&gt;" in view._said.value
    assert "<i>" not in view._said.value
    assert view.summary.startswith("Step 2 of 3: b <i>. T: 60 points")
    view.step = 2
    assert view._slider.value == 2
    view._colour.value = "row"
    assert "coloured by row from 0 to 59" in view.summary
    view.colour_by(None)
    assert view._colour.value == ""
    assert "coloured" not in view.summary
    assert view.colours == ("kind", "row")
    with pytest.raises(ValueError, match=r"one of \('kind', 'row'\), got 'x'"):
        view.colour_by("x")


def test_metrics_are_those_of_the_diagnostics():
    spaces = steps()
    view = LayerExplorer(spaces)
    assert view.metrics["mean cosine"] == tuple(mean_cosine(x) for x in spaces)
    assert view.metrics["participation ratio"] == tuple(participation_ratio(x) for x in spaces)
    lengths = np.linalg.norm(spaces[3], axis=1)
    found = view.metrics["mean length"][3]
    interval = stats.t.interval(0.95, 59, lengths.mean(), stats.sem(lengths))
    assert (found.value, found.low, found.high) == pytest.approx((lengths.mean(), *interval))
    view.step = 3
    assert f"mean length {lengths.mean():.4g}" in view._said.value


def lines(view):
    """Places of the marks in the chart that is shown."""
    [output] = view._chart.outputs
    return [shape["x0"] for shape in output["data"]["application/vnd.plotly.v1+json"]["layout"]["shapes"]]


def test_on_a_page_the_chart_follows_when_the_changes_have_ended():
    view = LayerExplorer(steps())
    view.map.live = True
    for step in (1, 2, 3):
        view.step = step
    assert set(lines(view)) == {0}, "the points go first"
    end = time.monotonic() + 10
    while set(lines(view)) == {0} and time.monotonic() < end:
        time.sleep(0.02)
    assert set(lines(view)) == {3}, "the last change alone is drawn"
    view.map.live = False
    view.step = 1
    assert set(lines(view)) == {1}, "at once where nobody looks"


def test_own_metrics_are_computed_once_and_the_mark_moves():
    calls = []

    def first(x):
        calls.append(len(x))
        return float(x[0, 0])

    spaces = steps()
    view = LayerExplorer(spaces, metrics={"first": first, "cosine": mean_cosine})
    assert calls == [60] * 4
    assert view.metrics["first"] == tuple(spaces[:, 0, 0].tolist())
    assert lines(view) == [0, 0]
    view.step = 3
    assert lines(view) == [3, 3]
    assert len(calls) == 4
    assert LayerExplorer(spaces, metrics={})._chart.outputs == ()
    tensors = LayerExplorer(torch.from_numpy(spaces), metrics={"kind": lambda x: float(isinstance(x, torch.Tensor))})
    assert tensors.metrics == {"kind": (1.0,) * 4}


def test_many_rows_are_measured_on_a_sample(monkeypatch):
    monkeypatch.setattr(layer_steps, "MEASURED_ROWS", 20)
    spaces, seen = steps(), []
    view = LayerExplorer(spaces, metrics={"n": lambda x: float(seen.append(x) or len(x))}, seed=4)
    assert view.metrics["n"] == (20.0,) * 4
    np.testing.assert_array_equal(seen[0], seen[1])  # the same rows at each step
    assert LayerExplorer(spaces, metrics={"n": lambda x: float(x.sum())}, seed=4).metrics["n"][0] == seen[0].sum()


def test_rows_that_moved_are_the_planted_ones():
    view = LayerExplorer(steps(), [f"text {i}" for i in range(60)])
    view.step = 2
    found = view.moved(7)
    assert [row.row for row in found[:5]] == [59, 41, 20, 9, 3]  # by how far they were moved
    spread = np.sqrt(np.square(cloud() - cloud().mean(axis=0)).sum(axis=1).mean())
    assert [row.amount for row in found[:5]] == pytest.approx(np.arange(9, 4, -1) * np.sqrt(8) / spread)
    assert max(row.amount for row in found[5:]) < 1e-9
    assert found[0].text == "text 59"
    assert "spreads" in found[0].measure
    view.step = 1
    assert max(row.amount for row in view.moved()) < 1e-9
    view.step = 0
    with pytest.raises(ValueError, match="'step 0' has no step before it"):
        view.moved()
    with pytest.raises(ValueError, match="k must be at least 1, got 0"):
        view.moved(0)


def test_between_widths_neighbours_are_counted():
    x = cloud(200, 12)
    narrow = x[:, :8].copy()
    narrow[[10, 150]] = narrow[[150, 10]]
    view = LayerExplorer({"12": x, "8": narrow})
    view.step = 1
    found = view.moved(2)
    assert {row.row for row in found} == {10, 150}
    assert all(0.6 < row.amount <= 1 for row in found)
    assert "neighbours" in found[0].measure


def test_the_list_selects_and_is_emptied_by_a_step():
    view = LayerExplorer(steps(), ["<b>x</b> \n" * 500] * 60)
    assert view._asked.disabled
    view.step = 2
    view._asked.click()
    assert [option[1] for option in view._list.options[1:6]] == [59, 41, 20, 9, 3]
    assert max(len(option[0]) for option in view._list.options) < 250
    view._list.value = 41
    assert view.selection.tolist() == [41]
    view.step = 3
    assert view._list.options == ()
    assert view.selection.tolist() == [41]
    view.selection = [1, 2]
    assert view.map.selection.tolist() == [1, 2]


def wait(condition):
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_playing_ends_at_the_last_step():
    view = LayerExplorer(steps(), metrics={})
    shown = []
    view.map.observe(lambda _: None)
    view._slider.observe(lambda change: shown.append(change["new"]), names="value")
    view.play(0.05)
    wait(lambda: not view.playing)
    assert shown == [1, 2, 3]
    assert view._button.description == "Play"
    view._button.click()  # from the first again
    wait(lambda: view.step == 0)
    assert view.playing
    assert view._button.description == "Stop"
    view._button.click()
    assert not view.playing
    at, count = view.step, threading.active_count()
    time.sleep(0.2)
    assert view.step == at
    assert threading.active_count() <= count
    with pytest.raises(ValueError, match=r"at least 0\.05 seconds, got 0"):
        view.play(0)


def test_a_selection_of_the_page_is_told():
    view, got = LayerExplorer(steps(), metrics={}), []
    view.on_select(lambda ids: got.append(ids.tolist()))
    view.map._hear(view.map, {"kind": "select", "form": "ids"}, [memoryview(np.array([5], "<u4").tobytes())])
    assert got == [[5]]
    assert view.selection.tolist() == [5]


def test_the_state_is_little():
    view = LayerExplorer({"n" * 5000: cloud(), "m": cloud()}, ["t" * 100_000] * 60)
    view.step = 1
    view._asked.click()
    parts = [view._list, view._slider, view._said, view._chart]
    assert len(json.dumps([part.get_state() for part in parts], default=str)) < 60_000


@pytest.mark.parametrize(
    ("spaces", "options", "error", "words"),
    [
        (cloud(), {}, ValueError, r"\(steps, n, d\) or a mapping of names to \(n, d\), got \(60, 8\)"),
        (steps()[:1], {}, ValueError, "2 to 200 in number, got 1"),
        ({"a": cloud(9), "b": cloud(8)}, {}, ValueError, "as many rows, got 9 in 'a' and 8 in 'b'"),
        ({"a": cloud(9), "b": np.full((9, 8), np.nan)}, {}, ValueError, "space 'b': row 0 is not finite"),
        ({"a": cloud(2), "b": cloud(2)}, {}, ValueError, "space 'a' needs at least 3 rows, got 2"),
        ({1: cloud(9), "b": cloud(9)}, {}, TypeError, "names of spaces|spaces"),
        (np.ones((2, 9, 3)), {}, ValueError, "participation ratio .* not defined for space 'step 0'"),
        (np.zeros((2, 9, 3)), {}, ValueError, "mean cosine is not defined for space 'step 0': x: row 0 is zero"),
        (
            steps(),
            {"metrics": {"m": lambda _: float("nan")}},
            ValueError,
            "m must be finite, got nan for space 'step 0'",
        ),
        (steps(), {"texts": ["a"]}, ValueError, "texts must have one entry"),
        (steps(), {"columns": {"c": [1]}}, ValueError, "column 'c' must have one entry for each of the 60 rows, got 1"),
        (steps(), {"columns": {"c": np.full(60, 1j)}}, TypeError, "colour"),
    ],
)
def test_what_is_refused(spaces, options, error, words):
    with pytest.raises(error, match=words):
        LayerExplorer(spaces, **options)


@pytest.mark.parametrize(("step", "error"), [(4, ValueError), (-1, ValueError), (True, TypeError), (1.0, TypeError)])
def test_steps_that_are_not_there_are_refused(step, error):
    view = LayerExplorer(steps(), metrics={})
    with pytest.raises(error, match="step"):
        view.step = step
    assert view.step == 0
