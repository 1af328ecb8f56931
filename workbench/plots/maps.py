"""A map of texts: points in two dimensions, coloured by what is known about them."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from workbench.plots.style import COLOURS, SCALE, SYMBOLS, blank_figure, hover, label, numbers

__all__ = ["map_figure"]


def map_figure(
    points: np.ndarray,
    *,
    alt: str,
    colour: Sequence | np.ndarray | None = None,
    colour_title: str = "",
    texts: Sequence[str] | None = None,
    title: str = "",
) -> go.Figure:
    """Map of `points` (n, 2), coloured by a category (strings) or a number each; both axes to one scale, in no unit.

    Categories differ in symbol as well as colour; `texts` appear in the hover boxes, escaped. `colour_title` heads the
    legend or the colour bar, with its unit.

    Raises:
        ValueError: `points` is not (n, 2) of finite numbers, `colour` or `texts` is not n long, more than 56
            categories, a number that is not finite, or an empty alternative text.
    """
    xy = np.asarray(points)
    if xy.ndim != 2 or xy.shape[1:] != (2,) or len(xy) == 0:
        raise ValueError(f"points must have shape (n, 2), got {xy.shape}")
    for name, given in (("colour", colour), ("texts", texts)):
        if given is not None and len(given) != len(xy):
            raise ValueError(f"{name} must have one entry per point, got {len(given)} for {len(xy)}")
    figure = blank_figure(x="map axis 1 (no unit)", y="map axis 2 (no unit)", alt=alt, title=title)
    axes = numbers(xy[:, 0], "points[:, 0]"), numbers(xy[:, 1], "points[:, 1]")
    notes = np.array([hover(text) for text in texts] if texts is not None else [""] * len(xy), dtype=object)
    kinds = None if colour is None else np.asarray(colour)
    if kinds is not None and kinds.dtype.kind in "OUSb":
        _add_categories(figure, axes, notes, kinds.astype(str))
        figure.update_layout(legend={"title": {"text": label(colour_title)}})
    else:
        shade = COLOURS[0] if kinds is None else numbers(kinds, "colour")
        _add_points(figure, axes, notes, {"color": shade, "size": _size(len(xy))})
        bar = {"title": {"text": label(colour_title), "font": {"size": 15}}, "tickfont": {"size": 14}}
        figure.update_layout(coloraxis={"colorscale": SCALE, "colorbar": bar})
        figure.update_traces(marker={} if kinds is None else {"coloraxis": "coloraxis"})
    figure.update_layout(height=620)
    figure.update_xaxes(showticklabels=False, ticks="")
    figure.update_yaxes(showticklabels=False, ticks="", scaleanchor="x")
    return figure


def _add_categories(
    figure: go.Figure, axes: tuple[np.ndarray, np.ndarray], notes: np.ndarray, kinds: np.ndarray
) -> None:
    names = sorted(set(kinds.tolist()))
    if len(names) > len(COLOURS) * len(SYMBOLS):
        raise ValueError(f"a map tells {len(COLOURS) * len(SYMBOLS)} categories apart, got {len(names)}")
    for place, name in enumerate(names):
        here = kinds == name
        symbol, shade = SYMBOLS[place % len(SYMBOLS)], COLOURS[place % len(COLOURS)]
        marker = {"symbol": symbol, "color": shade, "size": _size(len(kinds))}
        _add_points(figure, (axes[0][here], axes[1][here]), notes[here], marker, name=label(name))
    figure.update_layout(showlegend=True)


def _add_points(
    figure: go.Figure, axes: tuple[np.ndarray, np.ndarray], notes: np.ndarray, marker: dict, name: str = ""
) -> None:
    # WebGL only where SVG would be slow: pictures without a graphics card come out the same way
    trace = go.Scatter if len(axes[0]) <= 5000 else go.Scattergl
    template = "%{text}<extra>" + name + "</extra>" if any(notes) else None
    figure.add_trace(
        trace(
            x=axes[0],
            y=axes[1],
            text=notes,
            name=name,
            mode="markers",
            marker=marker,
            opacity=0.75,
            hovertemplate=template,
        )
    )


def _size(n: int) -> int:
    return 8 if n <= 500 else 6 if n <= 3000 else 4
