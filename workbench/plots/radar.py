"""Several runs over several corpora, one spoke each."""

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from workbench.plots.style import COLOURS, DASHES, SYMBOLS, blank_figure, label, numbers

__all__ = ["radar_chart"]


def radar_chart(
    series: Mapping[str, Sequence], axes: Sequence[str], *, unit: str, alt: str, title: str = ""
) -> go.Figure:
    """One closed polygon per name, its values in the order of `axes`; every spoke begins at 0.

    Read it along the spokes: the area depends on the order of the axes and means nothing. With two axes it is a line,
    with one a point. `unit` names what the spokes measure.

    Raises:
        ValueError: no series or more than 42, an axis twice, a row that is not one finite number, 0 or above, for each
            axis, or an empty unit or alternative text.
    """
    figure = blank_figure(x=unit, y=None, alt=alt, title=title)
    if not 1 <= len(series) <= len(COLOURS) * len(DASHES):
        raise ValueError(f"a chart tells 1 to {len(COLOURS) * len(DASHES)} series apart, got {len(series)}")
    if len(axes) == 0 or len(set(axes)) < len(axes):
        raise ValueError(f"axes must be one name or more, each once, got {list(axes)}")
    names = [label(name) for name in axes]
    for place, (name, row) in enumerate(series.items()):
        values = numbers(row, name)
        if len(values) != len(axes) or values.min() < 0:
            raise ValueError(f"{name} must be {len(axes)} numbers of 0 or above, got {list(row)}")
        figure.add_scatterpolar(
            r=[*values, values[0]],
            theta=[*names, names[0]],
            name=label(name),
            mode="lines+markers",
            line={"color": COLOURS[place % len(COLOURS)], "width": 2.5, "dash": DASHES[place % len(DASHES)]},
            marker={"symbol": SYMBOLS[place % len(SYMBOLS)], "size": 8},
        )
    figure.update_layout(xaxis={"visible": False}, yaxis={"visible": False}, height=560, showlegend=len(series) > 1)
    figure.update_layout(polar=_spokes(names), margin={"t": 90 if title else 60})
    # as a title of the radial axis it would lie over that axis's own numbers
    note = {"text": f"along the spokes: {label(unit)}, 0 in the middle", "font": {"size": 14}, "showarrow": False}
    return figure.add_annotation(note, xref="paper", yref="paper", x=0, y=1.1, xanchor="left")


def _spokes(names: list[str]) -> dict[str, dict]:
    angular = {
        "direction": "clockwise",
        "rotation": 90 - 180 / len(names),  # no spoke upwards, where the numbers stand
        "tickfont": {"size": 14},
        "categoryorder": "array",
        "categoryarray": names,
        "gridcolor": "#dddddd",
    }
    radial = {"rangemode": "tozero", "angle": 90, "tickangle": 90, "tickfont": {"size": 13}, "gridcolor": "#dddddd"}
    return {"angularaxis": angular, "radialaxis": radial}
