"""A table of numbers as colours with the numbers written in: one or several side by side on one scale."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from workbench.plots.style import SCALE, blank_figure, label

__all__ = ["heat_map"]

AROUND_ZERO = [[0.0, "#B35900"], [0.5, "#F7F7F7"], [1.0, "#0067A6"]]  # orange and blue, told apart by all eyes


def heat_map(
    panels: Mapping[str, np.ndarray],
    *,
    rows: Sequence[object],
    columns: Sequence[object],
    x: str,
    y: str,
    alt: str,
    title: str = "",
    signed: bool = False,
    digits: int = 1,
) -> go.Figure:
    """One panel per name, values (rows, columns) as colours and as text, all panels on one scale.

    The first row stands at the bottom. `x` and `y` are the axis titles, with their units; `signed` centres the colours
    on 0, for differences: blue above, orange below; `alt` says what the picture shows to those who cannot see it.

    Raises:
        ValueError: no panels or more than 4, values that are not of that shape or not finite, or an empty title of an
            axis or alternative text.
    """
    if not 1 <= len(panels) <= 4:
        raise ValueError(f"a heat map has 1 to 4 panels, got {len(panels)}")
    shape = (len(rows), len(columns))
    for name, values in panels.items():
        if np.shape(values) != shape or not np.isfinite(values).all():
            raise ValueError(f"{name} must be finite numbers of shape {shape}, got shape {np.shape(values)}")
    blank = blank_figure(x=x, y=y, alt=alt, title=title)
    figure = make_subplots(
        rows=1, cols=len(panels), subplot_titles=[label(n) for n in panels], shared_yaxes=True, horizontal_spacing=0.03
    )
    low, high = _limits(panels, signed)
    for place, values in enumerate(panels.values(), start=1):
        figure.add_heatmap(
            z=np.asarray(values, dtype=np.float64),
            x=[str(c) for c in columns],
            y=[str(r) for r in rows],
            texttemplate=f"%{{z:.{digits}f}}",
            coloraxis="coloraxis",
            row=1,
            col=place,
        )
    scale = {"colorscale": AROUND_ZERO if signed else SCALE, "cmin": low, "cmax": high}
    figure.update_layout(blank.layout).update_layout(coloraxis=scale, width=820 if len(panels) < 3 else 1080)
    figure.update_layout(margin={"t": 70})  # a panel's name may take two lines
    figure.update_xaxes(blank.layout["xaxis"]).update_yaxes(blank.layout["yaxis"])  # the layout has set the first only
    figure.update_xaxes(title={"text": x, "font": {"size": 16}}, type="category")
    figure.update_yaxes(type="category")
    figure.update_yaxes(title={"text": y, "font": {"size": 16}}, col=1)
    return figure


def _limits(panels: Mapping[str, np.ndarray], signed: bool) -> tuple[float, float]:
    values = np.concatenate([np.ravel(v) for v in panels.values()]).astype(np.float64)
    if signed:
        most = float(np.abs(values).max()) or 1.0
        return -most, most
    return float(values.min()), float(values.max())
