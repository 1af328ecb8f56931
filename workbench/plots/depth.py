"""Pictures of depth: how deep texts lie in a corpus, and which lie deepest and shallowest."""

import html
import unicodedata
from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from workbench.plots.style import COLOURS, DASHES, SYMBOLS, as_alpha, blank_figure, hover, label, numbers

__all__ = ["depth_chart", "depth_ranking"]

WIDEST = 60  # columns of a text that is written into a ranking
MOST_ENDS = 20
SVG_LIMIT = 5000  # points that a browser draws quickly without WebGL
PLAIN = "#888888"


def depth_chart(depths: Mapping[str, Sequence | np.ndarray], *, alt: str, title: str = "", note: str = "") -> go.Figure:
    """Distribution of one to seven samples of depth: name -> the depth of each text.

    Histograms of area 1 on common bins (the root of the smallest sample's size, 8 to 40), a stroke for every text
    beneath, the medians as vertical lines and in the legend. `note` is printed above the picture: a test and its
    p-value. `alt` says what the picture shows to those who cannot see it.

    Raises:
        ValueError: no samples or more than 7, a depth that is not finite, or an empty alternative text.
    """
    if not 1 <= len(depths) <= len(COLOURS):
        raise ValueError(f"a chart overlays 1 to {len(COLOURS)} samples, got {len(depths)}")
    samples = {name: numbers(values, name) for name, values in depths.items()}
    figure = blank_figure(
        x="depth (no unit; higher is more central)", y="density (per unit of depth)", alt=alt, title=title
    )
    count = int(np.clip(np.sqrt(min(map(len, samples.values()))), 8, 40))
    edges = np.histogram_bin_edges(np.concatenate(list(samples.values())), bins=count)
    heights = [np.histogram(sample, edges, density=True)[0] for sample in samples.values()]
    for place, (name, sample) in enumerate(samples.items()):
        _add_steps(figure, edges, heights[place], place, name, sample)
        _add_median(figure, float(np.median(sample)), float(np.max(heights)), place, name)
        _add_rug(figure, sample, place, name)
    _split(figure, edges, len(samples))
    if note:
        _print(figure, note, bool(title))
    return figure


def depth_ranking(
    depths: Sequence | np.ndarray, texts: Sequence[str], *, alt: str, title: str = "", ends: int = 8
) -> go.Figure:
    """Depth of each text against its rank, with the `ends` deepest and shallowest texts written out beside the curve.

    The deepest text has rank 1 and is the most central. Texts are cut to 60 columns; hover boxes hold more of them.
    `alt` says what the picture shows to those who cannot see it.

    Raises:
        ValueError: fewer than 2 depths, one that is not finite, not one text for each, `ends` outside 1..20 or above
            half of the texts, or an empty alternative text.
    """
    values = numbers(depths, "depths")
    if len(texts) != len(values):
        raise ValueError(f"texts must have one entry per depth, got {len(texts)} for {len(values)}")
    if len(values) < 2:
        raise ValueError(f"a ranking needs 2 texts or more, got {len(values)}")
    most = min(MOST_ENDS, len(values) // 2)
    if not 1 <= ends <= most:
        raise ValueError(f"ends must be within 1..{most} of {len(values)} texts, got {ends}")
    order = np.argsort(-values, kind="stable")
    ranks, falling, named = np.arange(1, len(values) + 1), values[order], [texts[i] for i in order]
    figure = blank_figure(x="rank (1: deepest)", y="depth (no unit)", alt=alt, title=title)
    figure.update_layout(width=1080, height=max(480, 19 * (2 * ends + 3) + 130), xaxis={"domain": [0, 0.38]})
    spread = falling[0] - falling[-1]
    digits = max(0, 2 - int(np.floor(np.log10(spread)))) if spread > 0 else 3
    trace = go.Scatter if len(values) <= SVG_LIMIT else go.Scattergl
    parts = (
        (slice(ends, -ends), PLAIN, "circle", "between"),
        (slice(None, ends), COLOURS[0], SYMBOLS[0], "deepest"),
        (slice(-ends, None), COLOURS[1], SYMBOLS[1], "shallowest"),
    )
    for part, colour, symbol, name in parts:
        marker = {"color": colour, "symbol": symbol, "size": 4 if name == "between" else 9}
        shown = [hover(text) for text in named[part]]  # pyright: ignore
        template = "%{text}<br>rank %{x}, depth %{y:.4~g}<extra></extra>"
        points = {"x": ranks[part], "y": falling[part], "text": shown, "hovertemplate": template}
        figure.add_trace(trace(**points, name=name, mode="markers", marker=marker))
    for part, top, words in (
        (parts[1], True, "● {} deepest: most central"),
        (parts[2], False, "■ {} shallowest: most outlying"),
    ):
        lines = [f"{falling[i]:.{digits}f}   {_cut(named[i])}" for i in range(len(named))[part[0]]]  # pyright: ignore
        _write_list(figure, words.format(ends), lines, part[1], top=top)
    return figure.update_layout(showlegend=False)


def _add_steps(
    figure: go.Figure, edges: np.ndarray, heights: np.ndarray, place: int, name: str, sample: np.ndarray
) -> None:
    said = f"{label(name)}<br>median {np.median(sample):.4g}, n = {len(sample):,}"
    figure.add_scatter(
        x=[edges[0], *edges, edges[-1]],
        y=[0, *heights, heights[-1], 0],
        name=said,
        legendgroup=name,
        mode="lines",
        line={"shape": "hv", "color": COLOURS[place], "dash": DASHES[place % len(DASHES)], "width": 2.5},
        fill="tozeroy",
        fillcolor=as_alpha(COLOURS[place], 0.14),
    )


def _add_median(figure: go.Figure, median: float, top: float, place: int, name: str) -> None:
    figure.add_scatter(
        x=[median, median],
        y=[0, 1.06 * top],
        legendgroup=name,
        showlegend=False,
        mode="lines+markers",
        line={"color": COLOURS[place], "dash": DASHES[place % len(DASHES)], "width": 2.5},
        marker={"symbol": SYMBOLS[place], "size": [0, 11]},
        hovertemplate=f"median {median:.4g}<extra>{label(name)}</extra>",
    )


def _add_rug(figure: go.Figure, sample: np.ndarray, place: int, name: str) -> None:
    # one broken line: as many markers would be slow to draw
    figure.add_scatter(
        x=np.column_stack([sample, sample, np.full(len(sample), np.nan)]).ravel(),
        y=np.tile([place + 0.1, place + 0.9, np.nan], len(sample)),
        legendgroup=name,
        showlegend=False,
        hoverinfo="skip",
        mode="lines",
        line={"color": as_alpha(COLOURS[place], 0.5), "width": 1 if len(sample) <= 500 else 0.4},
        yaxis="y2",
    )


def _split(figure: go.Figure, edges: np.ndarray, samples: int) -> None:
    """Density above, a row of strokes for each sample beneath."""
    rug, margin = min(0.3, 0.07 * samples), 0.03 * (edges[-1] - edges[0])
    figure.update_layout(
        height=480 + 22 * samples,
        xaxis={"anchor": "y2", "range": [edges[0] - margin, edges[-1] + margin]},
        yaxis={"domain": [rug + 0.03, 1], "rangemode": "tozero"},
        yaxis2={"domain": [0, rug], "visible": False, "range": [samples, 0]},
        showlegend=True,
    )


def _print(figure: go.Figure, note: str, titled: bool) -> None:
    text = hover(note)
    lines = text.count("<br>") + 1
    figure.add_annotation(
        text=text,
        x=0,
        xref="paper",
        xanchor="left",
        y=1.01,
        yref="paper",
        yanchor="bottom",
        showarrow=False,
        align="left",
    )
    top = 20 * lines
    figure.update_layout(margin={"t": (60 if titled else 12) + top}, height=figure.layout["height"] + top)  # pyright: ignore
    figure.update_layout(title={"y": 1 - 18 / figure.layout["height"], "yanchor": "top"})  # pyright: ignore


def _write_list(figure: go.Figure, heading: str, lines: list[str], colour: str, *, top: bool) -> None:
    """Lines at the right of the curve, from the top down or up from the bottom, where their points lie."""
    figure.add_annotation(
        text="<br>".join([f'<b style="color:{colour}">{heading}</b>', *lines]),
        x=0.41,
        y=float(top),
        xref="paper",
        yref="paper",
        xanchor="left",
        yanchor="top" if top else "bottom",
        align="left",
        showarrow=False,
        font={"size": 14},
    )


def _cut(text: str) -> str:
    """The first 60 columns of `text` on one line, escaped; wide characters (Chinese, Japanese) take two."""
    flat = " ".join(text.split())
    columns = np.cumsum([2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in flat])
    short = (
        flat
        if len(flat) == 0 or columns[-1] <= WIDEST
        else flat[: int(np.searchsorted(columns, WIDEST - 1, "right"))] + "…"
    )
    return html.escape(short, quote=False)
