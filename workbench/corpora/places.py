"""Where rectangles stand on a square: free of each other or in the cells of a grid, and the words for it."""

import numpy as np

__all__ = ["free_corners", "grid_corners", "place_name"]

_TRIES = 100  # draws of a place for one rectangle
_ROWS = {1: ("",), 2: ("top", "bottom"), 3: ("top", "", "bottom")}
_COLUMNS = {1: ("",), 2: ("left", "right"), 3: ("left", "", "right")}

Shapes = list[tuple[int, int]]
Corners = list[tuple[int, int]]


def free_corners(shapes: Shapes, size: int, rng: np.random.Generator) -> Corners | None:
    """Top and left of rectangles (height, width), at random, a pixel or more apart and from the edge.

    None when one of them found no free place in 100 draws.
    """
    taken = np.zeros((size, size), dtype=bool)
    corners: dict[int, tuple[int, int]] = {}
    for i in sorted(range(len(shapes)), key=lambda i: -shapes[i][0] * shapes[i][1]):  # the largest first
        high, wide = shapes[i]
        for _ in range(_TRIES):
            top, left = int(rng.integers(1, size - high)), int(rng.integers(1, size - wide))
            if not taken[top - 1 : top + high + 1, left - 1 : left + wide + 1].any():
                break
        else:
            return None
        taken[top : top + high, left : left + wide] = True
        corners[i] = (top, left)
    return [corners[i] for i in range(len(shapes))]


def grid_corners(shapes: Shapes, size: int, grid: tuple[int, int], rng: np.random.Generator) -> Corners:
    """Top and left of rectangles (height, width), each at random inside a cell of its own, a pixel from its edge."""
    rows, columns = grid
    corners = []
    for (high, wide), cell in zip(shapes, rng.permutation(rows * columns), strict=False):
        row, column = divmod(int(cell), columns)
        top = rng.integers(row * size // rows + 1, (row + 1) * size // rows - high)
        left = rng.integers(column * size // columns + 1, (column + 1) * size // columns - wide)
        corners.append((int(top), int(left)))
    return corners


def place_name(row: int, column: int, grid: tuple[int, int]) -> str:
    """The words for a cell: "at the top left", "at the right", "in the centre", or "in row 2, column 5"."""
    rows, columns = grid
    if rows > 3 or columns > 3:
        return f"in row {row + 1}, column {column + 1}"
    words = " ".join(word for word in (_ROWS[rows][row], _COLUMNS[columns][column]) if word)
    return f"at the {words}" if words else "in the centre"
