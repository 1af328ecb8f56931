"""Curves, point clouds and rows of intervals."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from workbench.plots.style import COLOURS, DASHES, SYMBOLS, as_alpha, blank_figure, hover, label, numbers

__all__ = ["interval_chart", "line_chart", "scatter_chart"]

MARKED_POINTS = 40  # beyond this many points on a curve, symbols hide it


def line_chart(
    series: Mapping[str, Sequence], *, x: str, y: str, alt: str, title: str = "", log_x: bool = False
) -> go.Figure:
    """One curve per name: (xs, ys), or (xs, ys, lows, highs) with an interval band.

    `x` and `y` are the axis titles, with their units; `alt` says what the picture shows to those who cannot see it.

    Raises:
        ValueError: no series or more than 42, rows of unequal length, a number that is not finite, a low above its
            high, an x not above 0 on a log axis, or an empty title of an axis or alternative text.
    """
    figure = blank_figure(x=x, y=y, alt=alt, title=title)
    for place, (name, rows) in enumerate(_checked(series, (2, 4), log_x, most=len(COLOURS) * len(DASHES)).items()):
        colour = COLOURS[place % len(COLOURS)]
        if len(rows) == 4:
            _add_band(figure, rows, name, colour)
        marked = len(rows[0]) <= MARKED_POINTS
        figure.add_scatter(
            x=rows[0],
            y=rows[1],
            name=label(name),
            legendgroup=name,
            mode="lines+markers" if marked else "lines",
            line={"color": colour, "width": 2.5, "dash": DASHES[place % len(DASHES)]},
            marker={"symbol": SYMBOLS[place % len(SYMBOLS)], "size": 8},
        )
    return _finish(figure, series, log_x)


def scatter_chart(
    series: Mapping[str, Sequence], *, x: str, y: str, alt: str, title: str = "", log_x: bool = False
) -> go.Figure:
    """One cloud of points per name: (xs, ys), or (xs, ys, texts) with a text for each point's hover box.

    `x` and `y` are the axis titles, with their units; `alt` says what the picture shows to those who cannot see it.

    Raises:
        ValueError: no series or more than 56, rows of unequal length, a number that is not finite, an x not above 0
            on a log axis, or an empty title of an axis or alternative text.
    """
    figure = blank_figure(x=x, y=y, alt=alt, title=title)
    for place, (name, rows) in enumerate(_checked(series, (2, 3), log_x, most=len(COLOURS) * len(SYMBOLS)).items()):
        marker = {"color": COLOURS[place % len(COLOURS)], "symbol": SYMBOLS[place % len(SYMBOLS)], "size": 9}
        texts = {"text": [hover(str(t)) for t in rows[2]], "hovertemplate": "%{text}<br>%{x}, %{y}"} if rows[2:] else {}
        figure.add_scatter(x=rows[0], y=rows[1], name=label(name), mode="markers", marker=marker, opacity=0.8, **texts)
    return _finish(figure, series, log_x)


def interval_chart(
    rows: Mapping[str, Sequence], *, x: str, alt: str, title: str = "", marks: Mapping[str, float | int] | None = None
) -> go.Figure:
    """One dot with its interval per name, (value, low, high), from the top down; `x` is the title of the scale.

    `marks` draws a named vertical line each: 0, the published number, the limit of a claim.

    Raises:
        ValueError: no rows, not three finite numbers with low at most high, or an empty axis title or alternative text.
    """
    figure = blank_figure(x=x, y=None, alt=alt, title=title)
    if not rows:
        raise ValueError("a chart needs at least one row, got none")
    for name, row in rows.items():
        if len(row) != 3 or not numbers(row, name)[1] <= row[2]:
            raise ValueError(f"{name} must be (value, low, high) with low at most high, got {tuple(row)}")
    values, lows, highs = np.array([numbers(row, name) for name, row in rows.items()]).T
    error = {"array": highs - values, "arrayminus": values - lows, "thickness": 2.5, "width": 7}
    marker = {"size": 11, "color": COLOURS[0]}
    names = [label(name) for name in rows]
    figure.add_scatter(x=values, y=names, error_x=error, mode="markers", marker=marker, showlegend=False)
    for place, (name, value) in enumerate((marks or {}).items()):
        line = {"color": COLOURS[1 + place % 6], "dash": DASHES[1 + place % 5], "width": 2}
        figure.add_vline(x=value, line=line, name=label(name), showlegend=True)
    figure.update_yaxes(autorange="reversed", type="category")
    return figure.update_layout(height=170 + 45 * len(names))


def _add_band(figure: go.Figure, rows: list[np.ndarray], name: str, colour: str) -> None:
    xs, _, low, high = rows
    figure.add_scatter(
        x=np.concatenate([xs, xs[::-1]]),
        y=np.concatenate([high, low[::-1]]),
        legendgroup=name,
        showlegend=False,
        hoverinfo="skip",
        fill="toself",
        fillcolor=as_alpha(colour, 0.16),
        line={"width": 0},
        mode="lines",
    )


def _checked(series: Mapping[str, Sequence], lengths: tuple[int, int], log_x: bool, *, most: int) -> dict[str, list]:
    if not 1 <= len(series) <= most:
        raise ValueError(f"a chart tells 1 to {most} series apart, got {len(series)}")
    checked = {}
    for name, rows in series.items():
        if len(rows) not in lengths:
            raise ValueError(f"{name} must be {lengths[0]} or {lengths[1]} rows, got {len(rows)}")
        if len({len(row) for row in rows}) != 1:
            raise ValueError(f"the rows of {name} must be equally long, got {[len(row) for row in rows]}")
        # the third of three rows holds texts
        arrays = [row if len(rows) == 3 and i == 2 else numbers(row, name) for i, row in enumerate(rows)]
        if len(rows) == 4 and (arrays[2] > arrays[3]).any():
            raise ValueError(f"{name}: low is above high at {int((arrays[2] > arrays[3]).argmax())}")
        if log_x and arrays[0].min() <= 0:
            raise ValueError(f"{name}: a log axis needs x above 0, got {arrays[0].min():g}")
        checked[name] = arrays
    return checked


def _finish(figure: go.Figure, series: Mapping[str, Sequence], log_x: bool) -> go.Figure:
    if log_x:
        xs = np.concatenate([np.asarray(rows[0], dtype=np.float64) for rows in series.values()])
        figure.update_xaxes(type="log", tickvals=_log_ticks(xs.min(), xs.max()), tickformat="~r")
    return figure.update_layout(showlegend=len(series) > 1)


def _log_ticks(low: float, high: float) -> list[float]:
    """1, 2, 5 of each decade: powers of ten alone may leave a short axis without a number."""
    decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    steps = (1, 2, 5) if len(decades) <= 5 else (1,)
    return [step * 10.0**decade for decade in decades for step in steps]
