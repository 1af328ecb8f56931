import math
from itertools import pairwise

import numpy as np
import pytest

from workbench.plots import (
    depth_chart,
    depth_ranking,
    hubness_chart,
    layer_chart,
    length_chart,
    spectrum_chart,
)

EIGENVALUES = np.array([4.0, 2.0, 1.0, 1.0])
PROFILE = ([10.0, 20.0, 80.0], [0.1, 0.2, 0.3], [0.0, 0.1, 0.2], [0.2, 0.3, 0.4])
COUNTS = [5, 50, 2]
OCCURRENCES = [0, 0, 1, 1, 2, 8]  # mean 2
DEPTHS = [0.5, 0.9, 0.1, 0.7]
TEXTS = ["half", "<b>in</b>", "out & away", "near"]
LAYERS = [0, 1, 2]
METRICS = {
    "cosine (no unit)": {"A": ([0.1, 0.2, 0.3],), "B": ([0.4, 0.3, 0.2], [0.3, 0.2, 0.1], [0.5, 0.4, 0.3])},
    "rank (directions) <i>": {"B": ([4, 5, 6],), "A": ([7, 8, 9],)},
}


def named(figure):
    return {trace.name: trace for trace in figure.data if trace.name and trace.showlegend is not False}


def test_a_scree_draws_shares_and_their_sums():
    figure = spectrum_chart({"a": EIGENVALUES}, alt="A falling curve.")
    curve = figure.data[0]
    assert list(curve.x) == [1, 2, 3, 4]
    assert list(curve.y) == [0.5, 0.25, 0.125, 0.125]
    assert list(curve.customdata) == [0.5, 0.75, 0.875, 1.0]
    assert (figure.layout.xaxis.type, figure.layout.yaxis.type) == ("log", "log")
    assert curve.hovertemplate.startswith("eigenvalue %{x} of 4")


def test_the_isotropic_reference_is_flat_grey_and_dashed_and_there_is_one_for_each_d():
    figure = spectrum_chart({"a": EIGENVALUES, "b": [1.0, 1.0, 1.0, 1.0], "c": [3.0, 1.0]}, alt="a")
    four, two = named(figure)["isotropic: 1/4 each"], named(figure)["isotropic: 1/2 each"]
    assert (list(four.x), list(four.y)) == ([1, 4], [0.25, 0.25])
    assert (list(two.x), list(two.y)) == ([1, 2], [0.5, 0.5])
    assert "solid" not in {four.line.dash, two.line.dash}
    assert four.line.dash != two.line.dash
    assert len(figure.data) == 5


def test_zero_eigenvalues_are_left_out_and_counted():
    figure = spectrum_chart({"a": [3.0, 1.0, 0.0, 0.0]}, alt="a")
    assert list(figure.data[0].y) == [0.75, 0.25]
    assert figure.data[0].name == "a<br>2 of 4 are 0"
    assert figure.data[1].name == "isotropic: 1/4 each"  # of all dimensions, not of those that are left
    assert figure.layout.showlegend


def test_log_scales_of_shares_are_numbered_within_what_is_drawn():
    narrow = spectrum_chart({"a": np.linspace(3, 2, 20)}, alt="a").layout.yaxis.tickvals
    assert len([t for t in narrow if 0.02 <= t <= 0.1]) >= 2
    wide = spectrum_chart({"a": 10.0 ** -np.arange(9)}, alt="a").layout.yaxis.tickvals
    np.testing.assert_allclose(np.diff(np.log10(wide)), 1, atol=1e-12)


def test_bins_stand_beneath_their_curve_on_the_same_axis():
    figure = length_chart({"a": PROFILE}, counts={"a": COUNTS}, alt="a")
    band, curve, bars = figure.data
    assert (list(curve.x), list(curve.y)) == (PROFILE[0], PROFILE[1])
    assert list(band.y) == [0.2, 0.3, 0.4, 0.2, 0.1, 0.0]
    assert list(bars.y) == list(bars.text) == COUNTS
    assert list(bars.customdata) == PROFILE[0]
    assert (bars.yaxis, figure.layout.xaxis.anchor, figure.layout.xaxis.type) == ("y2", "y2", "log")
    assert figure.layout.yaxis2.domain[1] < figure.layout.yaxis.domain[0]
    assert figure.layout.yaxis2.title.text == "texts (number)"
    assert figure.layout.xaxis.title.text == "length (tokens)"


def test_bars_hold_their_length_and_none_covers_another():
    names = ["a", "b", "c"]
    figure = length_chart(dict.fromkeys(names, PROFILE), counts=dict.fromkeys(names, COUNTS), alt="a")
    bars = [trace for trace in figure.data if trace.type == "bar"]
    ends = sorted((x - w / 2, x + w / 2) for trace in bars for x, w in zip(trace.x, trace.width, strict=True))
    assert all(right <= left * (1 + 1e-12) for (_, right), (left, _) in pairwise(ends))
    assert all(low < length < high for length, (low, high) in zip(PROFILE[0], ends[1::3], strict=True))
    assert len({trace.marker.pattern.shape for trace in bars}) == 3
    curves = {t.legendgroup: t.line.color for t in figure.data if t.type == "scatter" and t.name}
    assert {t.legendgroup: t.marker.color for t in bars} == curves


def test_many_bars_carry_no_numbers():
    rows = (np.arange(1.0, 21.0), np.zeros(20))
    figure = length_chart({"a": rows}, counts={"a": np.ones(20)}, alt="a")
    assert figure.data[-1].text is None


def test_one_bin_has_a_bar():
    bar = length_chart({"a": ([10.0], [0.5])}, counts={"a": [3]}, alt="a").data[-1]
    assert bar.x[0] - bar.width[0] / 2 < 10 < bar.x[0] + bar.width[0] / 2


def test_occurrences_are_counted_from_above():
    figure = hubness_chart({"a": OCCURRENCES}, k=2, alt="a")
    curve = figure.data[0]
    by_hand = {n: sum(count >= n for count in OCCURRENCES) / 6 for n in (1, 2, 8)}
    assert dict(zip(curve.x, curve.y, strict=True)) == pytest.approx(by_hand, rel=1e-12)
    assert curve.line.shape == "vh"  # between two counts that occur the share is that of the higher one
    assert curve.name == "a<br>anti-hubs: 33.3%"
    assert (figure.layout.shapes[0].x0, figure.layout.shapes[0].name) == (2, "k = 2, the mean")
    assert (figure.layout.xaxis.type, figure.layout.yaxis.type) == ("log", "log")


def test_a_row_of_equal_counts_starts_at_one():
    curve = hubness_chart({"a": [3, 3, 3, 3]}, k=3, alt="a").data[0]
    assert (list(curve.x), list(curve.y)) == ([1, 3], [1, 1])


def test_independent_choice_is_binomial():
    reference = hubness_chart({"a": OCCURRENCES}, k=2, alt="a").data[1]
    p = 2 / 5
    chances = [math.comb(5, i) * p**i * (1 - p) ** (5 - i) for i in range(6)]
    tails = {n: sum(chances[n:]) for n in range(1, 6)}
    shown = {n: tail for n, tail in tails.items() if tail >= 1 / 6}
    assert dict(zip(reference.x, reference.y, strict=True)) == pytest.approx(shown, rel=1e-9)
    assert reference.name == "independent, n = 6"
    assert reference.line.dash != "solid"


def histogram_by_hand(sample, edges):
    counts = [0] * (len(edges) - 1)
    for value in sample:
        place = max(i for i in range(len(counts)) if edges[i] <= value or i == 0)
        counts[place] += 1
    return [count / (len(sample) * (edges[i + 1] - edges[i])) for i, count in enumerate(counts)]


def test_depths_are_drawn_as_histograms_of_area_one_on_common_bins():
    r = np.random.default_rng(0)
    samples = {"f": r.normal(size=100), "g": r.normal(1, 1, size=400)}
    figure = depth_chart(samples, alt="a")
    pooled = np.concatenate(list(samples.values()))
    edges = np.linspace(pooled.min(), pooled.max(), 11)  # 10: the root of 100
    steps = figure.data[::3]
    for trace, sample in zip(steps, samples.values(), strict=True):
        np.testing.assert_allclose(trace.x[1:-1], edges)
        np.testing.assert_allclose(trace.y[1:-2], histogram_by_hand(sample, edges), rtol=1e-9)
        assert (trace.y[0], trace.y[-1], trace.line.shape) == (0, 0, "hv")
        assert trace.y[-2] == trace.y[-3]  # the last bin keeps its height to its end
    assert len({trace.line.dash for trace in steps}) == len({trace.line.color for trace in steps}) == 2


def test_every_depth_has_a_stroke_and_every_sample_its_median():
    figure = depth_chart({"<b>": DEPTHS, "g": [0.3]}, alt="a")
    _, median, rug = figure.data[:3]
    assert list(rug.x[::3]) == list(rug.x[1::3]) == DEPTHS
    assert np.isnan(rug.x[2::3]).all()
    assert rug.yaxis == "y2"
    assert list(median.x) == pytest.approx([0.6, 0.6])
    assert figure.data[0].name == "&lt;b&gt;<br>median 0.6, n = 4"
    assert figure.data[3].name == "g<br>median 0.3, n = 1"
    assert len({trace.legendgroup for trace in figure.data[:3]}) == 1  # a click hides all three


def test_seven_samples_differ_in_more_than_colour():
    figure = depth_chart({str(i): DEPTHS for i in range(7)}, alt="a")
    steps, medians = figure.data[::3], figure.data[1::3]
    assert len({trace.line.color for trace in steps}) == 7
    assert all(a.line.dash != b.line.dash for a, b in pairwise(steps))
    assert len({trace.marker.symbol for trace in medians}) == 7


def test_a_note_is_printed_and_escaped():
    (note,) = depth_chart({"f": DEPTHS}, alt="a", note="Q = 0.31, p < 1e-12").layout.annotations
    assert note.text == "Q = 0.31, p &lt; 1e-12"
    assert not depth_chart({"f": DEPTHS}, alt="a").layout.annotations


def test_equal_depths_are_drawn_too():
    assert np.isfinite(depth_chart({"f": [0.5, 0.5]}, alt="a").data[0].y).all()
    assert len(depth_ranking([0.5, 0.5], ["a", "b"], alt="a", ends=1).data) == 3


def test_a_ranking_falls_and_writes_out_its_ends():
    figure = depth_ranking(DEPTHS, TEXTS, alt="a", ends=1)
    between, deepest, shallowest = figure.data
    assert (list(deepest.x), list(deepest.y), list(deepest.text)) == ([1], [0.9], ["&lt;b&gt;in&lt;/b&gt;"])
    assert (list(between.x), list(between.y), list(between.text)) == ([2, 3], [0.7, 0.5], ["near", "half"])
    assert (list(shallowest.x), list(shallowest.y)) == ([4], [0.1])
    top, bottom = (note.text.split("<br>") for note in figure.layout.annotations)
    assert top[1:] == ["0.900   &lt;b&gt;in&lt;/b&gt;"]
    assert bottom[1:] == ["0.100   out &amp; away"]
    assert ("1 deepest" in top[0], "1 shallowest" in bottom[0]) == (True, True)
    assert deepest.marker.color != shallowest.marker.color
    assert deepest.marker.symbol != shallowest.marker.symbol


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a\n  b", "a b"),
        ("x" * 60, "x" * 60),
        ("x" * 61, "x" * 59 + "…"),
        ("漢" * 30, "漢" * 30),
        ("漢" * 31, "漢" * 29 + "…"),
        ("", ""),
    ],
)
def test_texts_beside_the_ranking_are_cut_to_60_columns(text, written):
    figure = depth_ranking([1.0, 0.0], [text, "b"], alt="a", ends=1)
    assert figure.layout.annotations[0].text.split("<br>")[1] == f"1.00   {written}"


def test_depths_close_together_are_told_apart():
    figure = depth_ranking([0.00262, 0.00261, 0.00260], ["a", "b", "c"], alt="a", ends=1)
    assert [note.text.split("<br>")[1].split()[0] for note in figure.layout.annotations] == ["0.0026200", "0.0026000"]


def test_a_large_ranking_is_drawn_with_webgl_and_has_every_text():
    n = 5001
    figure = depth_ranking(np.arange(n), [str(i) for i in range(n)], alt="a")
    assert {trace.type for trace in figure.data} == {"scattergl"}
    assert sum(len(trace.x) for trace in figure.data) == n


def test_the_two_lists_of_20_do_not_meet():
    layout = depth_ranking(np.arange(40.0), ["a"] * 40, alt="a", ends=20).layout
    inner = layout.height - layout.margin.t - layout.margin.b
    lines = sum(len(note.text.split("<br>")) for note in layout.annotations)
    assert lines * 1.3 * layout.annotations[0].font.size < inner  # plotly sets lines 1.3 em apart


def test_panels_draw_their_metric_and_a_model_looks_the_same_in_all():
    figure = layer_chart(METRICS, layers=LAYERS, alt="a")
    curves = {(trace.yaxis, trace.name): trace for trace in figure.data if trace.name}
    assert list(curves["y", "A"].y) == [0.1, 0.2, 0.3]
    assert list(curves["y2", "A"].y) == [7, 8, 9]
    assert list(curves["y2", "B"].y) == [4, 5, 6]
    assert all(list(trace.x) == LAYERS for trace in curves.values())
    for model in "AB":
        assert curves["y", model].line == curves["y2", model].line
        assert curves["y", model].marker == curves["y2", model].marker
    assert curves["y", "A"].line.color != curves["y", "B"].line.color
    assert curves["y", "A"].line.dash != curves["y", "B"].line.dash
    (band,) = (trace for trace in figure.data if not trace.name)
    assert list(band.y) == [0.5, 0.4, 0.3, 0.1, 0.2, 0.3]
    assert [note.text for note in figure.layout.annotations] == ["cosine (no unit)", "rank (directions) &lt;i&gt;"]
    assert sorted(named(figure)) == ["A", "B"]
    assert len([t for t in figure.data if t.showlegend]) == 2  # each model once, not once in each panel


def test_every_column_of_panels_has_its_axis_title_at_the_bottom():
    one = {"A": ([1, 2, 3],)}
    layout = layer_chart({str(i): one for i in range(3)}, layers=LAYERS, alt="a").layout
    axes = [layout.xaxis, layout.xaxis2, layout.xaxis3]
    assert [axis.title.text for axis in axes] == ["", "layer (number)", "layer (number)"]
    assert not layout.showlegend
    assert layer_chart({"m": one}, layers=LAYERS, alt="a").layout.xaxis.title.text == "layer (number)"


CHARTS = [
    lambda alt: spectrum_chart({"<b>": EIGENVALUES}, alt=alt, title="T"),
    lambda alt: length_chart({"<b>": PROFILE}, counts={"<b>": COUNTS}, alt=alt, title="T"),
    lambda alt: hubness_chart({"<b>": OCCURRENCES}, k=2, alt=alt, title="T"),
    lambda alt: depth_chart({"<b>": DEPTHS}, alt=alt, title="T"),
    lambda alt: depth_ranking(DEPTHS, ["<b>"] * 4, alt=alt, title="T", ends=2),
    lambda alt: layer_chart({"<b>": {"<b>": ([1, 2, 3],)}}, layers=LAYERS, alt=alt, title="T"),
]


@pytest.mark.parametrize("chart", CHARTS)
def test_every_figure_has_alternative_text_titles_and_no_markup_of_its_data(chart):
    figure = chart("A picture.")
    layout = figure.layout
    assert (layout.meta, layout.title.text) == ({"alt": "A picture."}, "T")
    assert layout.xaxis.title.text
    said = [trace.name or "" for trace in figure.data]
    said += [str(t) for trace in figure.data if trace.text is not None for t in trace.text]
    said += [trace.hovertemplate or "" for trace in figure.data]
    said += [note.text.replace('<b style="', "").split("</b>")[-1] for note in layout.annotations]
    assert not any("<b>" in text for text in said)
    assert any("&lt;b&gt;" in text for text in said)
    assert layout.font.size >= 14
    with pytest.raises(ValueError, match="alt must not be empty"):
        chart(" ")


REFUSED = [
    (lambda: spectrum_chart({}, alt="a"), "1 to 42 series apart, got 0"),
    (lambda: spectrum_chart({str(i): [1.0] for i in range(43)}, alt="a"), "apart, got 43"),
    (lambda: spectrum_chart({"a": [1.0, -0.5]}, alt="a"), "a: eigenvalues must not be negative, got -0.5 at 1"),
    (lambda: spectrum_chart({"a": [2.0, 1.0, 3.0]}, alt="a"), "a: eigenvalues must fall, got 3 after 1 at 2"),
    (lambda: spectrum_chart({"a": [0.0, 0.0]}, alt="a"), "a: at least one eigenvalue must be above 0, got 2 zeros"),
    (lambda: spectrum_chart({"a": [1.0, math.nan]}, alt="a"), "a must be finite, got nan at 1"),
    (lambda: length_chart({"a": PROFILE}, counts={"b": COUNTS}, alt="a"), r"names of profiles \['a'\], got \['b'\]"),
    (
        lambda: length_chart({"a": PROFILE}, counts={"a": [5, 0, 2]}, alt="a"),
        "of a must be whole .* 1 or more, got 0 at 1",
    ),
    (lambda: length_chart({"a": PROFILE}, counts={"a": [5, 2.5, 2]}, alt="a"), "1 or more, got 2.5 at 1"),
    (lambda: length_chart({"a": PROFILE}, counts={"a": [5, 2]}, alt="a"), "one number per bin, got 2 for 3"),
    (lambda: length_chart({"a": ([0, 1], [0, 1])}, counts={"a": [1, 1]}, alt="a"), "needs x above 0, got 0"),
    (lambda: length_chart({"a": ([1, 2],)}, counts={"a": [1, 1]}, alt="a"), "a must be 2 or 4 rows, got 1"),
    (lambda: length_chart({"a": PROFILE}, counts={"a": COUNTS}, alt="a", y=""), "y must not be empty"),
    (lambda: hubness_chart({}, k=2, alt="a"), "1 to 42 series apart, got 0"),
    (lambda: hubness_chart({"a": [-1, 3]}, k=1, alt="a"), "a must be whole numbers of 0 or more, got -1 at 0"),
    (lambda: hubness_chart({"a": [0.5, 1.5]}, k=1, alt="a"), "0 or more, got 0.5 at 0"),
    (lambda: hubness_chart({"a": [1, 1]}, k=2, alt="a"), r"k must be within 1..1 for the 2 rows of a, got 2"),
    (lambda: hubness_chart({"a": [0, 0]}, k=0, alt="a"), r"k must be within 1..1 for the 2 rows of a, got 0"),
    (
        lambda: hubness_chart({"a": [1, 1, 2]}, k=1, alt="a"),
        "a: occurrences among the 1 nearest have mean 1, got 1.33333",
    ),
    (lambda: depth_chart({}, alt="a"), "overlays 1 to 7 samples, got 0"),
    (lambda: depth_chart({str(i): [1.0] for i in range(8)}, alt="a"), "overlays 1 to 7 samples, got 8"),
    (lambda: depth_chart({"a": [1.0, math.inf]}, alt="a"), "a must be finite, got inf at 1"),
    (lambda: depth_ranking([1.0, math.nan], ["a", "b"], alt="a", ends=1), "depths must be finite, got nan at 1"),
    (lambda: depth_ranking([1.0, 2.0], ["a"], alt="a", ends=1), "texts must have one entry per depth, got 1 for 2"),
    (lambda: depth_ranking([1.0, 2.0, 3.0], ["a"] * 3, alt="a", ends=2), r"ends must be within 1..1 of 3 texts, got 2"),
    (lambda: depth_ranking([1.0, 2.0], ["a"] * 2, alt="a", ends=0), r"ends must be within 1..1 of 2 texts, got 0"),
    (lambda: depth_ranking([1.0] * 99, ["a"] * 99, alt="a", ends=21), r"ends must be within 1..20 of 99 texts, got 21"),
    (lambda: depth_ranking([1.0], ["a"], alt="a", ends=1), "a ranking needs 2 texts or more, got 1"),
    (lambda: layer_chart({}, layers=LAYERS, alt="a"), "1 to 12 panels, got 0"),
    (lambda: layer_chart({str(i): {} for i in range(13)}, layers=LAYERS, alt="a"), "1 to 12 panels, got 13"),
    (lambda: layer_chart({"m": {}}, layers=LAYERS, alt="a"), "1 to 42 series apart, got 0"),
    (lambda: layer_chart(METRICS, layers=[0, 1, 1], alt="a"), r"layers must rise, got \[0.0, 1.0, 1.0\]"),
    (
        lambda: layer_chart({"m": {"A": ([1],)}, "n": {"B": ([1],)}}, layers=[0], alt="a"),
        r"n must have the models \['A'\]",
    ),
    (lambda: layer_chart({"m": {"A": ([1], [2])}}, layers=[0], alt="a"), "m of A must be 1 or 3 rows of 1 layers"),
    (lambda: layer_chart({"m": {"A": ([1, 2],)}}, layers=[0], alt="a"), r"1 or 3 rows of 1 layers, got lengths \[2\]"),
    (lambda: layer_chart({"m": {"A": ([1, math.nan],)}}, layers=[0, 1], alt="a"), "A must be finite, got nan at 1"),
    (lambda: layer_chart({"m": {"A": ([1], [2], [1])}}, layers=[0], alt="a"), "A: low is above high at 0"),
]


@pytest.mark.parametrize(("draw", "rule"), REFUSED)
def test_diagnostic_charts_refuse(draw, rule):
    with pytest.raises(ValueError, match=rule):
        draw()
