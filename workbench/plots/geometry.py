"""Pictures of what the diagnostics count: eigenvalues, cosine by length, hubs, layers."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from workbench.plots.charts import line_chart
from workbench.plots.style import COLOURS, DASHES, blank_figure, label, numbers

__all__ = ["hubness_chart", "layer_chart", "length_chart", "spectrum_chart"]

GREY = "#666666"  # 5.7 : 1 on white; for what was not measured
PATTERNS = ("", "/", "x", ".", "\\", "+", "-", "|")
MOST_BARS = 16  # beyond this many bars their numbers no longer fit above them
MOST_PANELS = 12


def spectrum_chart(spectra: Mapping[str, Sequence | np.ndarray], *, alt: str, title: str = "") -> go.Figure:
    """Scree on two log scales: name -> all d eigenvalues, falling; each drawn as a share of their sum.

    The flat grey line is the isotropic case of as many dimensions, 1/d each. Eigenvalues of exactly 0 have no place on
    a log scale: they are left out and counted in the legend. Hover boxes add up the shares so far. `alt` says what the
    picture shows to those who cannot see it.

    Raises:
        ValueError: no spectra or more than 42, eigenvalues that are negative, rising, not finite or all 0, or an empty
            alternative text.
    """
    shares = {name: _shares(values, name) for name, values in spectra.items()}
    positive = {name: row[row > 0] for name, row in shares.items()}
    figure = line_chart(
        {name: (np.arange(1, len(row) + 1), row) for name, row in positive.items()},
        x="number of the eigenvalue, largest first",
        y="share of the sum of eigenvalues (%)",
        alt=alt,
        title=title,
        log_x=True,
    )
    for trace, (name, row) in zip(figure.data, shares.items(), strict=True):
        missing = len(row) - len(positive[name])
        note = f"<br>{missing} of {len(row)} are 0" if missing else ""
        hover = f"eigenvalue %{{x}} of {len(row)}<br>share %{{y:.3~p}}<br>first %{{x}} together %{{customdata:.3~p}}"
        trace.update(name=label(name) + note, customdata=np.cumsum(positive[name]), hovertemplate=hover)
    for place, d in enumerate(sorted({len(row) for row in shares.values()})):
        _add_reference(figure, [1, d], [1 / d, 1 / d], f"isotropic: 1/{d} each", place)
    _percent_axis(figure, np.concatenate([*positive.values(), [1 / len(row) for row in shares.values()]]))
    return figure.update_layout(showlegend=True)


def length_chart(
    profiles: Mapping[str, Sequence],
    *,
    counts: Mapping[str, Sequence | np.ndarray],
    alt: str,
    title: str = "",
    y: str = "mean cosine between texts (no unit)",
) -> go.Figure:
    """Cosine by length above, texts in each bin beneath: name -> (lengths, values, lows, highs) and name -> counts.

    The bars share the axis of lengths with the curves, so that a bend made by a thin bin is seen as such. `y` is the
    title of the upper axis, `alt` says what the picture shows to those who cannot see it.

    Raises:
        ValueError: names that differ between `profiles` and `counts`, counts that are not one number of texts above 0
            for each bin, lengths not above 0, or curves that `line_chart` refuses.
    """
    if set(profiles) != set(counts):
        raise ValueError(f"counts must have the names of profiles {sorted(profiles)}, got {sorted(counts)}")
    figure = line_chart(profiles, x="length (tokens)", y=y, alt=alt, title=title, log_x=True)
    figure.update_layout(height=580, yaxis={"domain": [0.36, 1]}, xaxis={"anchor": "y2"}, barmode="overlay")
    figure.layout.yaxis2 = figure.layout["yaxis"]
    figure.update_layout(yaxis2={"domain": [0, 0.24], "title": {"text": "texts (number)"}, "nticks": 4})
    few = sum(len(row[0]) for row in profiles.values()) <= MOST_BARS
    for place, (name, rows) in enumerate(profiles.items()):
        texts = _whole(counts[name], f"counts of {name}", least=1)
        if len(texts) != len(rows[0]):
            raise ValueError(f"counts of {name} must hold one number per bin, got {len(texts)} for {len(rows[0])}")
        left, right = _bar_edges(np.asarray(rows[0], dtype=np.float64), place, len(profiles))
        colour = COLOURS[place % len(COLOURS)]
        figure.add_bar(
            x=(left + right) / 2,
            width=right - left,
            y=texts,
            name=label(name),
            legendgroup=name,
            showlegend=False,
            marker={"color": colour, "pattern": {"shape": PATTERNS[place % len(PATTERNS)], "fgcolor": "white"}},
            text=texts if few else None,
            textposition="outside",
            textfont={"size": 14},
            cliponaxis=False,
            customdata=rows[0],
            hovertemplate="around %{customdata:.4~r} tokens: %{y} texts",
            yaxis="y2",
        )
    return figure


def hubness_chart(occurrences: Mapping[str, Sequence | np.ndarray], *, k: int, alt: str, title: str = "") -> go.Figure:
    """Share of rows with at least N occurrences, on two log scales: name -> how often each row is a neighbour.

    A long tail to the right of the line at k is hubs; rows that are nobody's neighbour are counted in the legend. The
    grey curve is independent choice, binomial(n - 1, k / (n - 1)). `alt` says what the picture shows to those who
    cannot see it.

    Raises:
        ValueError: no rows of counts or more than 42, counts that are not whole numbers of 0 or more with mean `k`,
            `k` outside 1..n - 1, or an empty alternative text.
    """
    counts = {name: _occurrences(values, name, k) for name, values in occurrences.items()}
    figure = line_chart(
        {name: _at_least(row) for name, row in counts.items()},
        x=f"N: occurrences among the {k} nearest (number)",
        y="rows with at least N occurrences (%)",
        alt=alt,
        title=title,
        log_x=True,
    )
    for trace, (name, row) in zip(figure.data, counts.items(), strict=True):
        trace.update(
            name=f"{label(name)}<br>anti-hubs: {np.mean(row == 0):.1%}",
            mode="lines",
            line={"shape": "vh"},
            hovertemplate="%{y:.3~p} of rows have<br>%{x} occurrences or more",
        )
    for place, n in enumerate(sorted({len(row) for row in counts.values()})):
        _add_reference(figure, *_independent(n, k), f"independent, n = {n:,}", place)
        figure.data[-1].line.shape = "vh"
    figure.add_vline(x=k, line={"color": GREY, "width": 1.5}, name=f"k = {k}, the mean", showlegend=True)
    _percent_axis(figure, np.array([1.0, *(1 / len(row) for row in counts.values())]))
    return figure.update_layout(showlegend=True)


def layer_chart(
    metrics: Mapping[str, Mapping[str, Sequence]], *, layers: Sequence | np.ndarray, alt: str, title: str = ""
) -> go.Figure:
    """One panel per metric, each with its own scale: metric, with its unit -> model -> (values,) at each of `layers`.

    (values, lows, highs) draws an interval band. A model has one colour, dash and symbol in all panels. `alt` says what
    the picture shows to those who cannot see it.

    Raises:
        ValueError: no metrics or more than 12, no models or more than 42, metrics with different models, layers that
            do not rise, not 1 or 3 rows as long as `layers`, a number that is not finite, a low above its high, or an
            empty alternative text.
    """
    numbered = numbers(layers, "layers")
    if (np.diff(numbered) <= 0).any():
        raise ValueError(f"layers must rise, got {numbered.tolist()}")
    if not 1 <= len(metrics) <= MOST_PANELS:
        raise ValueError(f"a chart holds 1 to {MOST_PANELS} panels, got {len(metrics)}")
    models = list(next(iter(metrics.values())))
    panels = {name: _panel(name, rows, models, numbered, alt) for name, rows in metrics.items()}
    figure = _panels(list(panels), alt=alt, title=title)
    for place, panel in enumerate(panels.values()):
        for trace in panel.data:
            trace.showlegend = place == 0 and trace.showlegend is not False
            figure.add_trace(trace, row=place // 2 + 1, col=place % 2 + 1)
    step = {"dtick": 1} if len(numbered) <= 8 else {"nticks": 7}
    figure.update_xaxes(tickformat="d", **step)  # pyright: ignore
    if len(models) > 1:
        _legend_beneath(figure, -(-len(models) // 2))
    return figure.update_layout(showlegend=len(models) > 1)


def _shares(values: Sequence | np.ndarray, name: str) -> np.ndarray:
    row = numbers(values, name)
    if row.min() < 0:
        raise ValueError(f"{name}: eigenvalues must not be negative, got {row.min():g} at {row.argmin()}")
    if (np.diff(row) > 0).any():
        at = int(np.argmax(np.diff(row) > 0))
        raise ValueError(f"{name}: eigenvalues must fall, got {row[at + 1]:g} after {row[at]:g} at {at + 1}")
    if row[0] == 0:
        raise ValueError(f"{name}: at least one eigenvalue must be above 0, got {len(row)} zeros")
    return row / row.sum()


def _whole(values: Sequence | np.ndarray, name: str, *, least: int) -> np.ndarray:
    row = numbers(values, name)
    wrong = (row < least) | (row != np.floor(row))
    if wrong.any():
        raise ValueError(f"{name} must be whole numbers of {least} or more, got {row[wrong][0]:g} at {wrong.argmax()}")
    return row.astype(np.int64)


def _occurrences(values: Sequence | np.ndarray, name: str, k: int) -> np.ndarray:
    row = _whole(values, name, least=0)
    if not 1 <= k < len(row):
        raise ValueError(f"k must be within 1..{len(row) - 1} for the {len(row)} rows of {name}, got {k}")
    if row.sum() != k * len(row):
        raise ValueError(f"{name}: occurrences among the {k} nearest have mean {k}, got {row.mean():g}")
    return row


def _at_least(row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every count that occurs, from 1 on, and the share of rows that have as many or more."""
    xs = np.union1d([1], row[row > 0])
    return xs, 1 - np.searchsorted(np.sort(row), xs, side="left") / len(row)


def _independent(n: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The same for neighbours drawn at random, down to the share that is one row."""
    from scipy.stats import binom

    xs = np.arange(1, n)
    shares = binom.sf(xs - 1, n - 1, k / (n - 1))
    return xs[shares >= 1 / n], shares[shares >= 1 / n]


def _bar_edges(lengths: np.ndarray, place: int, of: int) -> tuple[np.ndarray, np.ndarray]:
    """Ends of the bars of one name: neighbours in the slot of a bin, all equally wide on the log scale."""
    gaps = np.diff(np.sort(np.log(lengths)))
    half = 0.4 * min(gaps[gaps > 0], default=np.log(2))
    return tuple(lengths * np.exp(half * (2 * end / of - 1)) for end in (place, place + 1))


def _panel(metric: str, rows: Mapping[str, Sequence], models: list[str], layers: np.ndarray, alt: str) -> go.Figure:
    if set(rows) != set(models):
        raise ValueError(f"{metric} must have the models {models}, got {list(rows)}")
    for model, given in rows.items():
        if len(given) not in (1, 3) or {len(row) for row in given} != {len(layers)}:
            found = [np.size(row) for row in given]
            raise ValueError(f"{metric} of {model} must be 1 or 3 rows of {len(layers)} layers, got lengths {found}")
    series = {model: (layers, *rows[model]) for model in models}
    return line_chart(series, x="layer (number)", y=metric, alt=alt)


def _panels(names: list[str], *, alt: str, title: str) -> go.Figure:
    """Empty figure with a panel for each name, two in a row, all in the look of `blank_figure`."""
    figure = blank_figure(x="layer (number)", y=None, alt=alt, title=title)
    look = {key: value for key, value in figure.layout["xaxis"].to_plotly_json().items() if key != "title"}
    titles = [label(name) for name in names]
    heading = 22 * max(text.count("<br>") + 1 for text in titles)
    rows, columns = -(-len(names) // 2), min(len(names), 2)
    gap = heading + 45
    inner = rows * (200 if len(names) > 1 else 340) + (rows - 1) * gap
    spacing = {"vertical_spacing": gap / inner, "horizontal_spacing": 0.14}
    figure.set_subplots(rows, columns, subplot_titles=titles, **spacing)
    top = (50 if title else 10) + heading
    figure.update_layout(height=inner + top + 70, margin={"t": top})
    figure.update_layout(title={"y": 1 - 18 / figure.layout["height"], "yanchor": "top"})  # pyright: ignore
    figure.update_xaxes(**look, title={"text": ""})
    for place in range(max(0, len(names) - columns), len(names)):  # the lowest panel of each column
        words = {"text": "layer (number)", "font": {"size": 16}}
        figure.update_xaxes(title=words, row=place // 2 + 1, col=place % 2 + 1)
    return figure.update_yaxes(**look)


def _legend_beneath(figure: go.Figure, lines: int) -> None:
    height, margin = figure.layout["height"], figure.layout["margin"]
    inner = height - margin.t - margin.b  # pyright: ignore
    figure.update_layout(height=height + 40 * lines, margin={"b": margin.b + 40 * lines})  # pyright: ignore
    figure.update_layout(legend={"orientation": "h", "x": 0, "y": -62 / inner, "yanchor": "top"})
    if figure.layout["title"]["text"]:
        figure.update_layout(title={"y": 1 - 18 / figure.layout["height"]})  # pyright: ignore


def _add_reference(
    figure: go.Figure, xs: Sequence | np.ndarray, ys: Sequence | np.ndarray, name: str, place: int
) -> None:
    dash = DASHES[1 + place % (len(DASHES) - 1)]
    line = {"color": GREY, "width": 1.5, "dash": dash}
    figure.add_scatter(x=xs, y=ys, name=label(name), mode="lines", line=line, hoverinfo="skip")


def _percent_axis(figure: go.Figure, shown: np.ndarray) -> None:
    low, high = np.floor(np.log10(shown.min())), np.ceil(np.log10(shown.max()))
    steps = (1,) if high - low > 3 else (1, 2, 5)
    ticks = [step * 10.0**power for power in np.arange(low, high + 1) for step in steps]
    figure.update_yaxes(type="log", tickvals=ticks, tickformat="~%")
