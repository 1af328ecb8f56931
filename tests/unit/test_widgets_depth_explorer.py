"""DepthExplorer without a browser: against the diagnostics, scikit-learn and plain loops."""

import json

import numpy as np
import pytest
from scipy.stats import mannwhitneyu
from sklearn.decomposition import PCA

from workbench.diagnostics import depth_rank_sum, tte_depth
from workbench.widgets.depth_explorer import DepthExplorer
from workbench.widgets.depth_words import chart, listed, table


@pytest.fixture
def corpora():
    rng = np.random.default_rng(4)
    return rng.normal(size=(60, 8)) + 1, 1.5 * rng.normal(size=(45, 8)) + 0.4


@pytest.fixture
def texts():
    return [f"f{i} <script>alert(1)</script>" for i in range(60)], [f"g{i} שלום " + "x" * 100_000 for i in range(45)]


@pytest.fixture
def view(corpora, texts):
    return DepthExplorer(*corpora, texts, names=("Notes", "Pages"))


def test_depths_and_tests_are_those_of_the_diagnostics(corpora, view):
    f, g = corpora
    assert view.depths["f_in_f"] == pytest.approx(tte_depth(f))
    assert view.depths["g_in_f"] == pytest.approx(tte_depth(g, f))
    assert view.depths["g_in_g"] == pytest.approx(tte_depth(g))
    assert view.depths["f_in_g"] == pytest.approx(tte_depth(f, g))
    p = mannwhitneyu(tte_depth(f), tte_depth(g, f), alternative="greater", method="asymptotic").pvalue
    assert view.result.p_fg == pytest.approx(p)
    share = np.mean(tte_depth(f)[:, None] <= tte_depth(g, f)[None])
    assert view.result.q_fg.value == pytest.approx(share)
    chords = DepthExplorer(f, g, distance="chord")
    assert chords.depths["g_in_f"] == pytest.approx(tte_depth(g, f, distance="chord"))


def test_the_sentences_say_hypotheses_direction_p_and_what_it_is_about(corpora, view):
    first, second, about = view.sentences
    q = view.result.q_fg
    assert first.startswith(
        "Depth in Notes. Null hypothesis: depths in Notes of texts of Notes and of Pages are alike."
    )
    assert "Alternative, one-sided: texts of Notes lie deeper." in first
    assert f"{q.value:.1%} of pairs (Q = {q.value:.3f}, 95 % interval {q.low:.3f} to {q.high:.3f}" in first
    assert view.result.p_fg < 1e-4
    assert "p < 0.0001: texts of Pages lie further out in Notes than its own texts." in first
    assert second.startswith("Depth in Pages.")
    assert view.result.p_gf > 0.05
    assert f"p = {view.result.p_gf:.2g}: there is no sign that texts of Notes lie further out in Pages" in second
    assert view.result.q_gf.low > 0.5
    assert second.endswith("they rather lie closer to the middle of Pages.")
    assert "not about the means" in about
    assert first in view.summary


def test_the_map_is_the_pca_of_unit_rows(corpora, view):
    rows = np.concatenate(corpora)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    assert np.abs(view.map.points) == pytest.approx(np.abs(PCA(2).fit_transform(rows)), abs=1e-5)
    legend = view.map._colouring.legend()
    assert [(kind["label"], kind["count"]) for kind in legend["kinds"]] == [("Notes", 60), ("Pages", 45)]


def test_deepest_and_shallowest_are_listed_and_selected(corpora, view):
    depth = tte_depth(corpora[1])
    assert view.ends("Pages", count=3).tolist() == [60 + i for i in sorted(range(45), key=lambda i: -depth[i])[:3]]
    assert view.ends("Pages", deepest=False, count=45).tolist() == [
        60 + i for i in sorted(range(45), key=lambda i: depth[i])
    ]
    shallowest = view._lists[3]
    assert shallowest.description == "Shallowest of Pages in Pages"
    calls = []
    view.on_select(calls.append)
    shallowest.value = shallowest.options[1][1]
    point = int(view.ends("Pages", deepest=False)[1])
    assert view.selection.tolist() == [point]
    assert {name: rows.tolist() for name, rows in view.rows().items()} == {"Notes": [], "Pages": [point - 60]}
    assert calls == []
    # from Python, and by the reader
    view.selection = [3, 61]
    assert shallowest.value is None
    assert {name: rows.tolist() for name, rows in view.rows().items()} == {"Notes": [3], "Pages": [1]}
    view.map._hear(view.map, {"kind": "select", "form": "ids"}, [np.array([2], "<u4").tobytes()])
    assert [call.tolist() for call in calls] == [[2]]
    assert "f2 &lt;script&gt;" in view._shown.value
    for wrong, words in ((("F",), "corpora are"), (("Notes", 0), "count must be at least 1, got 0")):
        with pytest.raises(ValueError, match=words):
            view.ends(wrong[0], count=wrong[1] if len(wrong) > 1 else 1)


def test_colours(view):
    view.colour_by("depth in Pages")
    assert view._colour.value == "depth in Pages"
    codes = view.map._colouring.codes.astype(int)
    depth = np.concatenate([view.depths["f_in_g"], view.depths["g_in_g"]])
    assert codes == pytest.approx(254 * (depth - depth.min()) / np.ptp(depth), abs=0.51)
    view._colour.value = "depth in Notes"
    assert view.map._colouring.name == "depth in Notes (higher is more central)"
    with pytest.raises(ValueError, match="colours are"):
        view.colour_by("length")


def test_what_is_saved_stays_small_and_inert(view):
    view.selection = range(105)
    state = json.dumps([widget.get_state() for widget in (view, view._shown, *view._lists, *view._charts)], default=str)
    assert len(state) < 60_000
    assert "<script>" not in view._shown.value
    assert view._shown.value.count("<bdi>") == 8 * 5
    assert "the first 8 of them" in view._shown.value
    assert "<script>" not in view.saved_page("m")


def test_charts_thin_the_strokes_and_nothing_else():
    depth = np.random.default_rng(0).normal(size=5000)
    small, large = (chart({"A": part, "B": part + 1}, home="A", short="A") for part in (depth[:80], depth))
    for figure, n in ((small, 80), (large, 100)):
        strokes = list(figure.select_traces(selector={"yaxis": "y2"}))
        assert [len(trace["x"]) for trace in strokes] == [3 * n, 3 * n]
    heights = np.histogram(depth, 40, density=True)
    assert "n = 5,000" in next(iter(large.select_traces())).name
    assert heights[0].max() > 0


def test_lines():
    assert listed(0.5, " a\n b ", 3) == "0.5000  a b"
    assert listed(0.5, None, 3) == "0.5000  row 3"
    assert len(listed(0.5, "y" * 100, 3)) == 78
    assert "Select points" in table([], 0, ("A", "B"))


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"names": ("A", "A")}, ValueError, "two different ones"),
        ({"names": ("A", " ")}, ValueError, "1 to 60 characters"),
        ({"names": ("A", "x" * 61)}, ValueError, "1 to 60 characters"),
        ({"distance": "manhattan"}, ValueError, "distance must be one of"),
        ({"f": np.ones((1, 8))}, ValueError, "f needs at least 2 rows, got 1"),
        ({"g": np.ones((5, 7))}, ValueError, "as many columns"),
        ({"f": np.full((5, 8), np.nan)}, ValueError, "f: row 0 is not finite"),
        ({"g": np.vstack([np.ones(8), np.zeros(8)])}, ValueError, "g: row 1 is zero"),
        ({"texts": "abc"}, ValueError, "pair"),
        ({"texts": (["a"], ["b"])}, ValueError, "one entry for each of the 60 points, got 1"),
        ({"texts": (["a"] * 60, [3] * 45)}, TypeError, "texts must be str, got int in row 0"),
    ],
)
def test_wrong_arguments_are_refused(corpora, changes, error, words):
    given = {"f": corpora[0], "g": corpora[1]} | changes
    with pytest.raises(error, match=words):
        DepthExplorer(given.pop("f"), given.pop("g"), given.pop("texts", None), **given)


def test_many_pairs_are_refused_with_their_time(corpora, monkeypatch):
    monkeypatch.setattr("workbench.widgets.depth_explorer.MOST_PAIRED", 104)
    with pytest.raises(ValueError, match=r"at most 104 texts, got 105, which would take .* 'cosine'"):
        DepthExplorer(*corpora, distance="angular")
    assert len(DepthExplorer(*corpora).depths["f_in_f"]) == 60
    assert depth_rank_sum(*corpora).n == 60


def test_equal_points_and_one_column():
    same = DepthExplorer(np.ones((3, 1)), np.ones((2, 1)))
    assert same.result.p_fg == 1
    assert same.map.points.tolist() == [[0, 0]] * 5
