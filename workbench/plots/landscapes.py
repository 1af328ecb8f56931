"""A score over a plane, with the places and the ways in it."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from workbench.plots.style import COLOURS, DASHES, SCALE, SYMBOLS, blank_figure, label, numbers

__all__ = ["landscape_chart"]


def landscape_chart(
    values: np.ndarray,
    *,
    xs: Sequence[float] | np.ndarray,
    ys: Sequence[float] | np.ndarray,
    x: str,
    y: str,
    value: str,
    alt: str,
    points: Mapping[str, Sequence] | None = None,
    paths: Mapping[str, Sequence] | None = None,
    title: str = "",
) -> go.Figure:
    """Contours of `values` (len(ys), len(xs)), measured at the crossings of `xs` and `ys`, drawn as small crosses.

    `points` names a place each, (x, y); `paths` a way each, (xs, ys), whose end is marked. `x`, `y` and `value` are
    the titles of the axes and of the colour bar, with their units; `alt` says what the picture shows to those who
    cannot see it.

    Raises:
        ValueError: values that are not (len(ys), len(xs)) finite numbers, coordinates that do not rise, fewer than two
            of them, more than 8 points or 6 paths, a number that is not finite, or an empty title or alternative text.
    """
    figure = blank_figure(x=x, y=y, alt=alt, title=title)
    if not value.strip():
        raise ValueError("value must not be empty: readers need it")
    across, up = _rising(xs, "xs"), _rising(ys, "ys")
    cells = np.asarray(values)
    if cells.shape != (len(up), len(across)) or cells.dtype.kind not in "biuf" or not np.isfinite(cells).all():
        raise ValueError(f"values must be ({len(up)}, {len(across)}) finite numbers, got {cells.dtype} {cells.shape}")
    if len(points or {}) > len(SYMBOLS) or len(paths or {}) > len(DASHES):
        raise ValueError(f"at most 8 points and 6 paths, got {len(points or {})} and {len(paths or {})}")
    bar = {"title": {"text": label(value), "font": {"size": 15}}, "tickfont": {"size": 14}}
    lines = {"showlabels": True, "labelfont": {"size": 13, "color": "#ffffff"}}
    figure.add_contour(x=across, y=up, z=cells.astype(np.float64), colorscale=SCALE, colorbar=bar, contours=lines)
    at = np.meshgrid(across, up)
    cross = {"symbol": "cross-thin", "size": 7, "line": {"color": "#ffffff", "width": 1.5}}
    figure.add_scatter(
        x=at[0].ravel(), y=at[1].ravel(), mode="markers", marker=cross, name="measured", showlegend=False
    )
    for place, (name, way) in enumerate((paths or {}).items()):
        _add_path(figure, name, way, DASHES[place])
    for place, (name, spot) in enumerate((points or {}).items()):
        where = numbers(spot, name)
        if len(where) != 2:
            raise ValueError(f"{name} must be (x, y), got {len(where)} numbers")
        marker = {"symbol": SYMBOLS[place], "size": 13, "color": COLOURS[place % len(COLOURS)]}
        marker["line"] = {"color": "#ffffff", "width": 1.5}
        figure.add_scatter(x=where[:1], y=where[1:], mode="markers", name=label(name), marker=marker)
    # beneath, because the colour bar stands at the right
    return figure.update_layout(height=560, legend={"orientation": "h", "y": -0.2}, showlegend=bool(points or paths))


def _rising(values: Sequence[float] | np.ndarray, name: str) -> np.ndarray:
    row = numbers(values, name)
    if len(row) < 2 or (np.diff(row) <= 0).any():
        raise ValueError(f"{name} must be two or more numbers that rise, got {row.tolist()}")
    return row


def _add_path(figure: go.Figure, name: str, way: Sequence, dash: str) -> None:
    if len(way) != 2 or len(way[0]) != len(way[1]):
        raise ValueError(f"{name} must be two rows of one length, xs and ys")
    xs, ys = (numbers(row, name) for row in way)
    sizes = [0] * (len(xs) - 1) + [12]
    figure.add_scatter(
        x=xs,
        y=ys,
        mode="lines+markers",
        name=label(name),
        line={"color": "#ffffff", "dash": dash, "width": 2},
        marker={"size": sizes, "symbol": "star", "color": COLOURS[1]},
    )
