"""What the views of several spaces share: the spaces with their names, metrics of each, and short words for a row."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import plotly.graph_objects as go
from torch import Tensor

from workbench.diagnostics import Estimate, mean_cosine, mean_interval, participation_ratio
from workbench.plots import layer_chart
from workbench.projections import movement
from workbench.tensors import as_rows
from workbench.widgets.compare_moves import neighbour_change
from workbench.widgets.map_columns import as_colouring

__all__ = [
    "METRICS",
    "Metrics",
    "MovedRow",
    "as_columns",
    "as_spaces",
    "marked",
    "metric_chart",
    "metric_table",
    "moved",
    "short",
]

Space = np.ndarray | Tensor
Metrics = Mapping[str, Callable[[Space], Estimate | float]]

MEASURED_ROWS = 20_000  # rows that metrics are computed on
LONGEST = 200  # characters of a text in a list


@dataclass(frozen=True)
class MovedRow:
    """A row that moved between two steps.

    Attributes:
        row: its id.
        amount: how far it moved, in the unit that `measure` states.
        measure: what the amount is.
        text: its text; "" where there are none.
    """

    row: int
    amount: float
    measure: str
    text: str


def mean_length(x: Space) -> Estimate:
    """Mean Euclidean length of the rows of `x` (n, d), in the unit of x, with Student's interval."""
    rows = as_rows(x, least=2)
    lengths = rows.double().norm(dim=1).cpu().numpy()
    return mean_interval(lengths, definition="mean Euclidean length of a row")


METRICS: Metrics = {
    "mean cosine": mean_cosine,
    "participation ratio": participation_ratio,
    "mean length": mean_length,
}


def as_spaces(spaces: Space | Mapping[str, Space], *, least: int, most: int) -> dict[str, Space]:
    """Spaces by name, checked: as many rows in each, all finite.

    Raises:
        TypeError: a name that is not str, or a space that is neither an array nor a tensor.
        ValueError: fewer than `least` spaces or more than `most`, an array that is not (steps, n, d), numbers of rows
            that differ, or rows as refused by `as_rows`, with the space's name.
    """
    if isinstance(spaces, np.ndarray | Tensor) and spaces.ndim != 3:
        raise ValueError(f"spaces must be (steps, n, d) or a mapping of names to (n, d), got {tuple(spaces.shape)}")
    named = spaces if isinstance(spaces, Mapping) else {f"step {k}": space for k, space in enumerate(spaces)}
    if not least <= len(named) <= most:
        raise ValueError(f"spaces must be {least} to {most} in number, got {len(named)}")
    checked: dict[str, Space] = {}
    for name, space in named.items():
        if not isinstance(name, str):
            raise TypeError(f"names of spaces must be str, got {type(name).__name__} {name!r}")
        as_rows(space, least=3, name=f"space {name!r}")
        checked[name] = space
    first, n = next((name, len(space)) for name, space in checked.items())
    for name, space in checked.items():
        if len(space) != n:
            raise ValueError(f"spaces must have as many rows, got {n} in {first!r} and {len(space)} in {name!r}")
    return checked


def as_columns(columns: Mapping[str, Sequence | np.ndarray] | None, n: int) -> dict[str, Sequence | np.ndarray]:
    """Columns to colour by, checked, by name.

    Raises:
        TypeError, ValueError: a column that `Map.colour_by` would refuse.
    """
    kept = dict(columns or {})
    for name, values in kept.items():
        if len(values) != n:
            raise ValueError(f"column {name!r} must have one entry for each of the {n} rows, got {len(values)}")
        as_colouring(values, n, name=name)
    return kept


def metric_table(
    spaces: Mapping[str, Space], metrics: Metrics, *, seed: int
) -> dict[str, tuple[Estimate | float, ...]]:
    """Every metric at every step, on the same 20,000 rows at most, drawn by `seed`.

    Raises:
        ValueError: a metric that refuses a space, or a number that is not finite, with the names of both.
    """
    n = len(next(iter(spaces.values())))
    seen = dict(spaces)
    if n > MEASURED_ROWS:
        drawn = np.sort(np.random.default_rng(seed).permutation(n)[:MEASURED_ROWS])
        seen = {step: space[drawn] for step, space in spaces.items()}
    return {
        name: tuple(_measured(x, measure, name, step) for step, x in seen.items()) for name, measure in metrics.items()
    }


def _measured(x: Space, measure: Callable[[Space], Estimate | float], name: str, step: str) -> Estimate | float:
    try:
        found = measure(x)
    except ValueError as error:
        raise ValueError(f"{name} is not defined for space {step!r}: {error}") from error
    if not isinstance(found, Estimate) and not np.isfinite(found):
        raise ValueError(f"{name} must be finite, got {found} for space {step!r}")
    return found if isinstance(found, Estimate) else float(found)


def metric_chart(table: Mapping[str, Sequence[Estimate | float]], steps: Sequence[str]) -> go.Figure:
    """A panel for each metric, side by side: the steps from left to right, with a band where all have an interval."""
    panels = {}
    for name, values in table.items():
        rows = [[float(value) for value in values]]
        ends = np.array([[value.low, value.high] for value in values if isinstance(value, Estimate)])
        if len(ends) == len(values) and np.isfinite(ends).all():
            rows += ends.T.tolist()
        panels[name] = {"spaces": rows}
    places = list(range(len(steps)))
    figure = layer_chart(panels, layers=places, alt=f"{', '.join(table)} at each of {len(steps)} steps")
    layout: Any = figure.layout
    for k, note in enumerate(layout["annotations"]):
        left, right = (k + 0.13) / len(panels), (k + 1) / len(panels)
        axis = f"axis{k + 1 if k else ''}"
        layout["x" + axis].update(domain=[left, right], title={"text": "", "font": {"size": 13}})
        layout["y" + axis].update(domain=[0, 1], nticks=5)
        note.update(x=(left + right) / 2, y=1, font={"size": 14})
    listed = places if len(places) <= 8 else places[:: -(-len(places) // 8)]
    words = [steps[k].removeprefix("step ").removeprefix("layer ")[:12] for k in listed]
    figure.update_xaxes(tickmode="array", tickvals=listed, ticktext=[escape(word) for word in words])
    figure.update_xaxes(tickfont={"size": 12})
    figure.update_yaxes(tickfont={"size": 12})
    return figure.update_layout(
        height=230, width=max(400, 270 * len(panels)), margin={"l": 10, "r": 10, "t": 36, "b": 30}
    )


def marked(figure: go.Figure, step: int) -> go.Figure:
    """The chart with a line at this step in every panel, the line before it taken away."""
    layout: Any = figure.layout
    axes = ["" if k == 0 else str(k + 1) for k in range(len(layout["annotations"]))]
    place = {"type": "line", "x0": step, "x1": step, "y0": 0, "y1": 1, "line": {"color": "#555555", "dash": "dot"}}
    return figure.update_layout(shapes=[place | {"xref": f"x{k}", "yref": f"y{k} domain"} for k in axes])


def moved(before: Space, after: Space, k: int, texts: list[str] | None, seed: int) -> list[MovedRow]:
    """The `k` rows that moved most between two spaces, most moved first.

    By `movement` where the spaces are as wide, by `neighbour_change` otherwise, on 20,000 rows at most.
    """
    if before.shape[1] == after.shape[1]:
        rows, amounts = np.arange(len(before)), movement(before, after)
        measure = "distance, in spreads of the step before"
    else:
        change = neighbour_change(before, after, k=min(10, len(before) - 1), seed=seed)
        rows, amounts, measure = change.rows, change.value, "share of neighbours that changed"
    first = np.argsort(-amounts, kind="stable")[:k]
    return [MovedRow(int(rows[i]), float(amounts[i]), measure, texts[rows[i]] if texts else "") for i in first]


def short(text: str) -> str:
    """The text in one line of 200 characters at most."""
    line = " ".join(text[: 4 * LONGEST].split())
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"
