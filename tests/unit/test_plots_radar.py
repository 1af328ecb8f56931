import numpy as np
import pytest

from workbench.plots.radar import radar_chart

WORDS = {"unit": "nDCG@10", "alt": "Two runs on three corpora."}


def test_every_polygon_is_closed_and_in_the_order_of_the_axes():
    figure = radar_chart({"words": [0.1, 0.2, 0.3], "vectors": np.array([0.3, 0.2, 0.0])}, ["x", "y", "z"], **WORDS)
    assert [list(t.r) for t in figure.data] == [[0.1, 0.2, 0.3, 0.1], [0.3, 0.2, 0.0, 0.3]]
    assert all(list(t.theta) == ["x", "y", "z", "x"] for t in figure.data)
    assert list(figure.layout.polar.angularaxis.categoryarray) == ["x", "y", "z"]
    assert figure.layout.meta == {"alt": WORDS["alt"]}
    assert "nDCG@10" in figure.layout.annotations[0].text


def test_spokes_begin_at_0():
    figure = radar_chart({"words": [0.6, 0.7, 0.8]}, ["x", "y", "z"], **WORDS)
    assert figure.layout.polar.radialaxis.rangemode == "tozero"


def test_runs_differ_in_more_than_colour():
    figure = radar_chart({str(i): [1, 2, 3] for i in range(42)}, ["x", "y", "z"], **WORDS)
    assert len({(t.line.color, t.line.dash) for t in figure.data}) == 42
    assert figure.layout.showlegend


def test_names_are_escaped():
    figure = radar_chart({"a<b>": [1.0]}, ["<i>x"], **WORDS)
    assert figure.data[0].name == "a&lt;b&gt;"
    assert list(figure.data[0].theta) == ["&lt;i&gt;x"] * 2


@pytest.mark.parametrize(
    ("series", "axes", "words"),
    [
        ({}, ["x"], "1 to 42 series"),
        ({str(i): [1.0] for i in range(43)}, ["x"], "1 to 42 series"),
        ({"a": [1.0]}, [], "axes must be"),
        ({"a": [1.0, 2.0]}, ["x", "x"], "axes must be"),
        ({"a": [1.0]}, ["x", "y"], "a must be 2 numbers"),
        ({"a": [1.0, -0.1]}, ["x", "y"], "0 or above"),
        ({"a": [1.0, np.nan]}, ["x", "y"], "finite"),
    ],
)
def test_what_a_radar_refuses(series, axes, words):
    with pytest.raises(ValueError, match=words):
        radar_chart(series, axes, **WORDS)
    with pytest.raises(ValueError, match="must not be empty"):
        radar_chart({"a": [1.0]}, ["x"], unit=" ", alt="a")
