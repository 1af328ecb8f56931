import math
from itertools import pairwise

import numpy as np
import pytest

from workbench.plots import interval_chart, line_chart, map_figure, scatter_chart

XS, YS = [1.0, 2.0, 4.0], [0.1, 0.2, 0.3]
TITLES = {"x": "length (tokens)", "y": "cosine", "alt": "Three rising points."}


def test_a_curve_draws_what_it_is_given():
    figure = line_chart({"a": (XS, YS)}, **TITLES, title="T")
    (trace,) = figure.data
    assert (list(trace.x), list(trace.y)) == (XS, YS)
    assert figure.layout.meta == {"alt": "Three rising points."}
    assert (figure.layout.xaxis.title.text, figure.layout.yaxis.title.text) == ("length (tokens)", "cosine")
    assert not figure.layout.showlegend


def test_a_band_runs_up_the_high_side_and_down_the_low():
    figure = line_chart({"a": (XS, YS, [0.0, 0.1, 0.2], [0.2, 0.3, 0.4])}, **TITLES)
    band = figure.data[0]
    assert list(band.x) == [1, 2, 4, 4, 2, 1]
    assert list(band.y) == [0.2, 0.3, 0.4, 0.2, 0.1, 0.0]
    assert band.legendgroup == figure.data[1].legendgroup  # a click hides both


def test_42_curves_differ_in_more_than_colour():
    figure = line_chart({str(i): (XS, YS) for i in range(42)}, **TITLES)
    assert len({(t.line.color, t.line.dash) for t in figure.data}) == 42
    pairs = list(pairwise(figure.data))
    assert all(t.line.color != u.line.color and t.line.dash != u.line.dash for t, u in pairs)
    assert figure.layout.showlegend


def test_56_clouds_and_categories_differ_in_symbol_and_colour():
    cloud = scatter_chart({str(i): (XS, YS) for i in range(56)}, **TITLES)
    chart = map_figure(np.zeros((56, 2)), colour=[f"{i}" for i in range(56)], alt="a")
    for figure in (cloud, chart):
        assert len({(t.marker.color, t.marker.symbol) for t in figure.data}) == 56


def contrast_on_white(colour):
    """Contrast ratio of WCAG 2.2."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 1.05 / (0.05 + np.dot(linear, [0.2126, 0.7152, 0.0722]))


def test_colours_are_seen_on_white():
    figure = line_chart({str(i): (XS, YS) for i in range(7)}, **TITLES)
    ratios = [contrast_on_white(t.line.color) for t in figure.data]
    assert min(ratios) > 2  # yellow of the same palette: 1.3
    assert min(ratios[:3]) > 3  # what WCAG asks of lines, for the first that are used


def test_type_is_legible():
    layout = line_chart({"a": (XS, YS), "b": (XS, YS)}, **TITLES, title="T").layout
    fonts = (layout.font, layout.title.font, layout.legend.font, layout.xaxis.tickfont, layout.yaxis.title.font)
    assert min(font.size for font in fonts) >= 14


def test_a_log_axis_is_numbered_at_1_2_5():
    axis = line_chart({"a": ([10.0, 400.0], [1.0, 2.0])}, **TITLES, log_x=True).layout.xaxis
    assert axis.type == "log"
    assert {10, 20, 50, 100, 200, 500} <= {round(t) for t in axis.tickvals}
    wide = scatter_chart({"a": ([1.0, 1e9], [1.0, 2.0])}, **TITLES, log_x=True).layout.xaxis
    assert [math.log10(t) for t in wide.tickvals] == pytest.approx(range(10))


def test_hover_texts_and_names_are_escaped():
    figure = scatter_chart({"<b>x</b>": (XS, YS, ["<script>", "a & b", "c" * 20])}, **TITLES)
    assert list(figure.data[0].text) == ["&lt;script&gt;", "a &amp; b", "c" * 20]
    assert figure.data[0].name == "&lt;b&gt;x&lt;/b&gt;"
    chart = map_figure(np.zeros((1, 2)), texts=["<img src=x>"], colour=["<i>"], alt="a")
    assert (chart.data[0].text[0], chart.data[0].name) == ("&lt;img src=x&gt;", "&lt;i&gt;")


def test_long_hover_texts_are_broken_and_ended():
    (shown,) = map_figure(np.zeros((1, 2)), texts=["word " * 200], alt="a").data[0].text
    lines = shown.split("<br>")
    assert max(map(len, lines)) <= 60
    assert len(lines) <= 6
    assert shown.endswith("…")


def test_an_interval_is_drawn_by_its_arms_and_marks_are_named():
    figure = interval_chart({"a": (0.3, 0.2, 0.5), "b": (0.1, 0.0, 0.2)}, x="cosine", alt="a", marks={"paper": 0.25})
    (dots,) = figure.data
    assert list(dots.x) == [0.3, 0.1]
    np.testing.assert_allclose(dots.error_x.array, [0.2, 0.1])
    np.testing.assert_allclose(dots.error_x.arrayminus, [0.1, 0.1])
    assert (figure.layout.shapes[0].x0, figure.layout.shapes[0].name) == (0.25, "paper")


def test_a_map_keeps_both_axes_to_one_scale_and_groups_its_points():
    points = np.arange(8.0).reshape(4, 2)
    figure = map_figure(points, colour=["b", "a", "b", "a"], alt="a", colour_title="topic")
    assert figure.layout.yaxis.scaleanchor == "x"
    assert [(t.name, list(t.x)) for t in figure.data] == [("a", [2, 6]), ("b", [0, 4])]
    assert figure.layout.legend.title.text == "topic"


def test_numbers_become_a_colour_bar():
    figure = map_figure(np.zeros((3, 2)), colour=[1, 5, 9], alt="a", colour_title="length (tokens)")
    assert list(figure.data[0].marker.color) == [1, 5, 9]
    assert figure.layout.coloraxis.colorbar.title.text == "length (tokens)"


@pytest.mark.parametrize("missing", ["x", "y", "alt"])
@pytest.mark.parametrize("chart", [line_chart, scatter_chart])
def test_titles_and_alternative_text_are_required(chart, missing):
    with pytest.raises(ValueError, match=f"{missing} must not be empty"):
        chart({"a": (XS, YS)}, **{**TITLES, missing: " "})


def test_other_figures_require_alternative_text_too():
    with pytest.raises(ValueError, match="alt must not be empty"):
        map_figure(np.zeros((1, 2)), alt="")
    with pytest.raises(ValueError, match="alt must not be empty"):
        interval_chart({"a": (0, 0, 0)}, x="x", alt="")
    with pytest.raises(ValueError, match="x must not be empty"):
        interval_chart({"a": (0, 0, 0)}, x="", alt="a")


BAD_SERIES = [
    ({}, "1 to [0-9]+ series apart, got 0"),
    ({str(i): (XS, YS) for i in range(57)}, "series apart, got 57"),
    ({"a": (XS, [0.1])}, r"rows of a must be equally long, got \[3, 1\]"),
    ({"a": (XS,)}, "rows, got 1"),
    ({"a": ([], [])}, "1-D row of numbers"),
    ({"a": (XS, [0.1, math.nan, 0.2])}, "a must be finite, got nan at 1"),
    ({"a": (XS, ["p", "q", "r"])}, "a must be a 1-D row of numbers"),
]


@pytest.mark.parametrize("chart", [line_chart, scatter_chart])
@pytest.mark.parametrize(("series", "rule"), BAD_SERIES)
def test_charts_refuse(chart, series, rule):
    with pytest.raises(ValueError, match=rule):
        chart(series, **TITLES)


@pytest.mark.parametrize("chart", [line_chart, scatter_chart])
def test_a_log_axis_refuses_zero(chart):
    with pytest.raises(ValueError, match="a log axis needs x above 0, got 0"):
        chart({"a": ([0.0, 1.0], [1.0, 1.0])}, **TITLES, log_x=True)


def test_a_band_upside_down_is_refused():
    with pytest.raises(ValueError, match="a: low is above high at 2"):
        line_chart({"a": (XS, YS, [0, 0, 1], [1, 1, 0])}, **TITLES)


@pytest.mark.parametrize("rows", [{}, {"a": (1, 2)}, {"a": (1, 2, 0)}, {"a": (1, math.nan, 2)}])
def test_interval_chart_refuses(rows):
    with pytest.raises(ValueError, match=r"at least one row|\(value, low, high\)|finite"):
        interval_chart(rows, x="x", alt="a")


@pytest.mark.parametrize(
    ("points", "given", "rule"),
    [
        (np.zeros((3, 3)), {}, r"shape \(n, 2\), got \(3, 3\)"),
        (np.zeros((0, 2)), {}, r"shape \(n, 2\)"),
        (np.array([[0, math.inf]]), {}, "must be finite, got inf at 0"),
        (np.zeros((2, 2)), {"colour": ["a"]}, "colour must have one entry per point, got 1 for 2"),
        (np.zeros((2, 2)), {"texts": ["a"]}, "texts must have one entry per point"),
        (np.zeros((2, 2)), {"colour": [1.0, math.nan]}, "colour must be finite"),
        (np.zeros((57, 2)), {"colour": [str(i) for i in range(57)]}, "56 categories apart, got 57"),
    ],
)
def test_map_figure_refuses(points, given, rule):
    with pytest.raises(ValueError, match=rule):
        map_figure(points, alt="a", **given)
