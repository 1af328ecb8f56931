"""What a heat map holds: the cells as given, marks on the right ones, and bad input refused."""

import numpy as np
import pytest

from workbench.plots.matrices import matrix_chart

VALUES = np.array([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]])
MASK = np.array([[False, True, False], [False, False, True]])
WORDS = {"x": "candidate", "y": "row", "value": "cosine", "alt": "Two rows of three cells."}


def test_cells_and_marks_are_where_they_belong():
    figure = matrix_chart(VALUES, marks={"masked": MASK, "duplicate": ~MASK}, **WORDS)
    heat, masked, duplicate = figure.data
    assert np.allclose(heat.z, VALUES)
    assert list(zip(masked.y, masked.x, strict=True)) == [(0, 1), (1, 2)]
    assert list(zip(duplicate.y, duplicate.x, strict=True)) == [(0, 0), (0, 2), (1, 0), (1, 1)]
    assert (masked.name, duplicate.name) == ("masked", "duplicate")
    assert masked.marker.symbol != duplicate.marker.symbol  # told apart without colour
    assert figure.layout.yaxis.autorange == "reversed"
    assert figure.layout.meta["alt"] == WORDS["alt"]
    assert heat.colorbar.title.text == "cosine"


def test_a_matrix_without_marks_is_a_heat_map_alone():
    assert len(matrix_chart(VALUES, **WORDS).data) == 1


@pytest.mark.parametrize(
    ("message", "values", "changes"),
    [
        ("finite numbers, got float64 of shape", np.array([[np.nan]]), {}),
        ("finite numbers, got float64 of shape", VALUES[0], {}),
        ("finite numbers", np.array([["a"]]), {}),
        ("finite numbers", np.zeros((0, 3)), {}),
        ("2 marks at most, got 3", VALUES, {"marks": dict.fromkeys("abc", MASK)}),
        ("masked must be bool of shape", VALUES, {"marks": {"masked": MASK.T}}),
        ("masked must be bool of shape", VALUES, {"marks": {"masked": VALUES}}),
        ("alt must not be empty", VALUES, {"alt": " "}),
        ("x must not be empty", VALUES, {"x": ""}),
    ],
)
def test_bad_input_is_refused(message, values, changes):
    with pytest.raises(ValueError, match=message):
        matrix_chart(values, **WORDS | changes)
