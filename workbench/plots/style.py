"""The look that every figure shares: colours for all eyes, a second mark beside each colour, legible type."""

import html
import textwrap
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

__all__ = ["COLOURS", "DASHES", "SYMBOLS"]

# Okabe and Ito 2008, "Color Universal Design", without the yellow, which is lost on white
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00", "#56B4E9")
# 6 dashes and 8 symbols share no factor with 7 colours: every pair in the run of 42 (56) is another one
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "x", "cross", "triangle-down", "star")

SCALE = "Cividis"  # even in lightness, and the same to colour-blind readers


def blank_figure(*, x: str, y: str | None, alt: str, title: str) -> go.Figure:
    """Empty figure with titled axes (None: an axis of names), its alternative text in `layout.meta["alt"]`.

    Raises:
        ValueError: an axis title or the alternative text is empty.
    """
    for name, text in (("x", x), ("y", y), ("alt", alt)):
        if text is not None and not text.strip():
            raise ValueError(f"{name} must not be empty: readers need it")
    figure = go.Figure()
    figure.update_layout(
        template="plotly_white",
        width=820,
        height=480,
        font={"size": 15, "family": "DejaVu Sans, Verdana, sans-serif", "color": "#222222"},
        title={"text": title, "x": 0.01, "xanchor": "left", "font": {"size": 18}},
        margin={"l": 80, "r": 30, "t": 60 if title else 25, "b": 70},
        legend={"font": {"size": 14}, "tracegroupgap": 4, "itemsizing": "constant", "itemwidth": 44},
        hoverlabel={"font": {"size": 14}, "align": "left"},
        meta={"alt": alt},
    )
    axis = {"showline": True, "linecolor": "#666666", "ticks": "outside", "zeroline": False, "automargin": True}
    figure.update_xaxes(title={"text": x, "font": {"size": 16}}, tickfont={"size": 14}, **axis)
    figure.update_yaxes(title={"text": y, "font": {"size": 16}}, tickfont={"size": 14}, **axis)
    return figure


def numbers(values: Sequence | np.ndarray, name: str) -> np.ndarray:
    """`values` as 1-D float64.

    Raises:
        ValueError: empty, not 1-D, not numbers, or one that is not finite.
    """
    array = np.asarray(values)
    if array.dtype.kind not in "biuf" or array.ndim != 1 or len(array) == 0:
        raise ValueError(f"{name} must be a 1-D row of numbers, got {array.dtype} of shape {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite, got {array[~np.isfinite(array)][0]} at {np.isfinite(array).argmin()}")
    return array.astype(np.float64)


def label(text: str) -> str:
    """`text` for a legend: escaped, because figures read a little HTML (but no &quot;), and broken into short lines."""
    return "<br>".join(html.escape(line, quote=False) for line in textwrap.wrap(text, width=26)) or " "


def hover(text: str) -> str:
    """`text` for a hover box: escaped, in lines of 60 characters, ended after 300."""
    shown = textwrap.shorten(text, width=300, placeholder=" …")
    return "<br>".join(html.escape(line, quote=False) for line in textwrap.wrap(shown, width=60)) or " "


def as_alpha(colour: str, opacity: float) -> str:
    """Hexadecimal `colour` as rgba with `opacity`."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, {opacity})"
