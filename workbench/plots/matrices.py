"""A matrix of numbers as a heat map, with marks on some of its cells."""

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go

from workbench.plots.style import SCALE, blank_figure, label

__all__ = ["matrix_chart"]

MARKS = (  # on a dark and on a light cell alike: a dark line within a white one, and the other way round
    {"symbol": "square-open", "size": 11, "color": "#D55E00", "line": {"width": 2.5}},
    {"symbol": "circle", "size": 5, "color": "#FFFFFF", "line": {"width": 1.5, "color": "#000000"}},
)


def matrix_chart(
    values: np.ndarray,
    *,
    x: str,
    y: str,
    value: str,
    alt: str,
    marks: Mapping[str, np.ndarray] | None = None,
    title: str = "",
) -> go.Figure:
    """Heat map of `values` (n, m), row 0 at the top; `marks` names up to two bool (n, m), cells to outline and to dot.

    `x`, `y` and `value` are the titles of the columns, of the rows and of the colour bar, with its unit; `alt` says
    what the picture shows to those who cannot see it.

    Raises:
        ValueError: values that are not (n, m) finite numbers, more than two marks, a mark that is not bool (n, m), or
            an empty title of an axis or alternative text.
    """
    cells = np.asarray(values)
    if cells.ndim != 2 or cells.size == 0 or cells.dtype.kind not in "biuf" or not np.isfinite(cells).all():
        raise ValueError(f"values must be (n, m) finite numbers, got {cells.dtype} of shape {cells.shape}")
    if len(marks or {}) > len(MARKS):
        raise ValueError(f"a matrix takes {len(MARKS)} marks at most, got {len(marks or {})}")
    figure = blank_figure(x=x, y=y, alt=alt, title=title)
    bar = {"title": {"text": label(value), "font": {"size": 15}}, "tickfont": {"size": 14}}
    figure.add_heatmap(z=cells.astype(np.float32).tolist(), colorscale=SCALE, colorbar=bar, zauto=True)
    for style, (name, mark) in zip(MARKS, (marks or {}).items(), strict=False):
        marked = np.asarray(mark)
        if marked.dtype != np.bool_ or marked.shape != cells.shape:
            raise ValueError(f"{name} must be bool of shape {cells.shape}, got {marked.dtype} of {marked.shape}")
        rows, columns = np.nonzero(marked)
        figure.add_scatter(
            x=columns, y=rows, mode="markers", marker=style, name=label(name), hoverinfo="skip", showlegend=True
        )
    figure.update_yaxes(autorange="reversed")
    above = {"orientation": "h", "y": 1.02, "yanchor": "bottom"}  # the legend; the title stands above it
    return figure.update_layout(height=620, legend=above, margin={"t": 90}, title={"y": 0.97, "yanchor": "top"})
