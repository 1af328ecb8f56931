"""What a comparison of two corpora by depth says, in sentences and in charts."""

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
import plotly.graph_objects as go

from workbench.diagnostics import Estimate
from workbench.diagnostics.depth_tests import DepthComparison
from workbench.plots import depth_chart

__all__ = ["chart", "direction", "listed", "sentences", "table"]

STROKES = 100  # texts of each corpus that have a stroke beneath the histogram
LONGEST = 200  # characters of a text
ROWS = 8  # selected texts that are shown
ABOUT = (
    "This is about depth, how central a text lies among the texts of a corpus, not about the means of the corpora: "
    "two corpora with one mean can differ in depth. Long texts lie deeper than short ones, so match lengths first; "
    "with many texts a difference too small to matter has a small p, so read the share of pairs."
)


def sentences(found: DepthComparison, names: tuple[str, str]) -> list[str]:
    """What was tested and found in each direction, and what it is about."""
    f, g = names
    return [direction(found.q_fg, found.p_fg, f, g), direction(found.q_gf, found.p_gf, g, f), ABOUT]


def direction(q: Estimate, p: float, home: str, other: str) -> str:
    """One direction: depths in the corpus `home`, of its own texts against those of `other`."""
    share = f"{q.value:.1%} of pairs (Q = {q.value:.3f}, 95 % interval {q.low:.3f} to {q.high:.3f}; 0.5 if alike)"
    verdict = f"texts of {other} lie further out in {home} than its own texts"
    if p >= 0.05:
        verdict = f"there is no sign that {verdict}"
    if q.low > 0.5:
        verdict += f"; they rather lie closer to the middle of {home}"
    return (
        f"Depth in {home}. Null hypothesis: depths in {home} of texts of {home} and of {other} are alike. Alternative, "
        f"one-sided: texts of {home} lie deeper. A text of {home} lies no deeper than one of {other} in {share}; "
        f"rank-sum p {_p(p)}: {verdict}."
    )


def chart(depths: dict[str, np.ndarray], *, home: str, short: str) -> go.Figure:
    """Histograms of depth in one corpus; strokes for at most 100 texts of each, so that the page stays light."""
    alt = f"Histograms of the depth in {home}: " + ", ".join(
        f"{name} with median {np.median(values):.4g}" for name, values in depths.items()
    )
    figure = depth_chart(depths, alt=alt, title=f"Depth in {short}")
    traces: Any = figure.select_traces(selector={"yaxis": "y2"})
    for trace in traces:
        across, down = (np.asarray(trace[axis], dtype=np.float32) for axis in "xy")
        kept = np.unique(np.linspace(0, len(across) // 3 - 1, STROKES).astype(int))
        rows = (3 * kept[:, None] + np.arange(3)).ravel()
        trace.update(x=across[rows], y=down[rows])
    axis = {"title": {"font": {"size": 12}}, "tickfont": {"size": 11}}
    return figure.update_layout(
        width=460,
        height=330,
        margin={"l": 56, "r": 10, "t": 76, "b": 46},
        title={"font": {"size": 14}, "y": 0.98, "yanchor": "top"},
        legend={"font": {"size": 11}, "orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "itemwidth": 30},
        xaxis=axis,
        yaxis=axis,
    )


def listed(depth: float, text: str | None, row: int, *, longest: int = 70) -> str:
    """One line of a list: the depth, and the beginning of the text, or its row where there are no texts."""
    words = f"row {row}" if text is None else " ".join(text.split())
    return f"{depth:.4f}  {words if len(words) <= longest else words[: longest - 1] + '…'}"


def table(rows: Sequence[tuple[str, int, float, float, str | None]], count: int, names: tuple[str, str]) -> str:
    """HTML of the selected texts: corpus, row, depth in either corpus, and the beginning of the text, escaped."""
    if not rows:
        return "<p>Select points on the map, or a line of a list, to read the texts.</p>"
    cell = '<td style="text-align: start; vertical-align: top; padding: 2px 8px">'
    head = "".join(
        f'<th scope="col" style="text-align: start; padding: 2px 8px">{escape(word)}</th>'
        for word in ("corpus", "row", f"depth in {names[0]}", f"depth in {names[1]}", "text")
    )
    body = "".join(
        "<tr>" + "".join(f"{cell}<bdi>{escape(word)}</bdi></td>" for word in _words(row)) + "</tr>"
        for row in rows[:ROWS]
    )
    caption = f"{count:,} selected" + (f", the first {ROWS} of them" if count > ROWS else "")
    return f'<table style="width: 100%"><caption>{caption}</caption><thead><tr>{head}</tr></thead>{body}</table>'


def _words(row: tuple[str, int, float, float, str | None]) -> list[str]:
    corpus, number, first, second, text = row
    cut = text or ""
    return [corpus, str(number), f"{first:.4f}", f"{second:.4f}", cut if len(cut) <= LONGEST else cut[:199] + "…"]


def _p(p: float) -> str:
    return "< 0.0001" if p < 1e-4 else f"= {p:.2g}"
