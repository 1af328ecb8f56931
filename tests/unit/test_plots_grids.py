import numpy as np
import pytest

from workbench.plots.grids import heat_map

TITLES = {"x": "dimensions", "y": "layer", "alt": "Two tables."}
A = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])


def drawn(panels, **options):
    return heat_map(panels, rows=[1, 2], columns=[8, 16, 32], **{**TITLES, **options})


def test_a_panel_holds_its_numbers_and_all_share_one_scale():
    figure = drawn({"before": A, "after": A - 2})
    assert [np.array_equal(t.z, z) for t, z in zip(figure.data, (A, A - 2), strict=True)] == [True, True]
    assert [list(figure.data[0].x), list(figure.data[0].y)] == [["8", "16", "32"], ["1", "2"]]
    assert (figure.layout.coloraxis.cmin, figure.layout.coloraxis.cmax) == (-1, 6)
    assert {t.coloraxis for t in figure.data} == {"coloraxis"}
    assert figure.layout.meta == {"alt": "Two tables."}
    assert [a.text for a in figure.layout.annotations] == ["before", "after"]
    assert figure.layout.xaxis.title.text == "dimensions"
    assert figure.layout.yaxis.title.text == "layer"


def test_signed_colours_are_centred_on_zero():
    figure = drawn({"a": A - 4}, signed=True, digits=2)
    assert (figure.layout.coloraxis.cmin, figure.layout.coloraxis.cmax) == (-3, 3)
    assert figure.data[0].texttemplate == "%{z:.2f}"
    assert drawn({"a": A * 0}, signed=True).layout.coloraxis.cmax == 1


@pytest.mark.parametrize(
    ("panels", "options", "words"),
    [
        ({}, {}, "1 to 4"),
        ({str(i): A for i in range(5)}, {}, "1 to 4"),
        ({"a": A.T}, {}, "shape"),
        ({"a": A * np.nan}, {}, "finite"),
        ({"a": A}, {"alt": " "}, "alt"),
        ({"a": A}, {"x": ""}, "x must"),
    ],
)
def test_refused(panels, options, words):
    with pytest.raises(ValueError, match=words):
        drawn(panels, **options)
