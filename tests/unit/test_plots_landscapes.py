"""A landscape holds the numbers it was given, each on its crossing, and refuses what it cannot draw."""

import numpy as np
import pytest

from workbench.plots.landscapes import landscape_chart

TEXTS = {"x": "share of B", "y": "length", "value": "score (points)", "alt": "A hill."}
HILL = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])


def drawn(values=HILL, *, xs=(0, 0.5, 1), ys=(1, 2), **more):
    return landscape_chart(values, xs=xs, ys=ys, **TEXTS | more)


def test_each_value_stands_on_its_crossing():
    contour, crosses = drawn().data
    assert np.array_equal(contour.z, HILL)
    assert [*contour.x] == [0, 0.5, 1]
    assert [*contour.y] == [1, 2]
    assert list(zip(crosses.x, crosses.y, strict=True)) == [(x, y) for y in (1, 2) for x in (0, 0.5, 1)]
    assert contour.colorbar.title.text == "score (points)"


def test_points_and_paths_are_named_and_a_path_is_marked_at_its_end():
    figure = drawn(points={"A": (0, 1), "B & C": (1, 1)}, paths={"search": ([0.5, 0.6, 0.7], [1, 1.2, 1.4])})
    path, first, second = figure.data[2:]
    assert [*path.x] == [0.5, 0.6, 0.7]
    assert [*path.marker.size] == [0, 0, 12]
    assert (first.x[0], first.y[0], first.name) == (0, 1, "A")
    assert second.name == "B &amp; C"
    assert first.marker.symbol != second.marker.symbol
    assert figure.layout.meta["alt"] == "A hill."


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"values": HILL.T}, r"\(2, 3\) finite numbers"),
        ({"values": HILL * np.nan}, "finite numbers"),
        ({"values": HILL.astype(str)}, "finite numbers"),
        ({"xs": (0, 1, 1)}, "xs must be two or more numbers that rise"),
        ({"ys": (1,)}, "ys must be two or more"),
        ({"points": {str(i): (0, 1) for i in range(9)}}, "at most 8 points and 6 paths, got 9 and 0"),
        ({"paths": {str(i): ((0,), (1,)) for i in range(7)}}, "got 0 and 7"),
        ({"points": {"A": (0, 1, 2)}}, "A must be .x, y., got 3"),
        ({"points": {"A": (0, np.inf)}}, "A must be finite"),
        ({"paths": {"way": ([0, 1], [1])}}, "way must be two rows of one length"),
        ({"value": " "}, "value must not be empty"),
        ({"alt": ""}, "alt must not be empty"),
    ],
)
def test_refusals(wrong, words):
    with pytest.raises(ValueError, match=words):
        drawn(**wrong)
