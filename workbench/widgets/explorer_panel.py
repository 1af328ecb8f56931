"""The panel beside an Explorer's map: HTML from numbers and users' texts, and the thread that keeps it up to date."""

import threading
from collections.abc import Callable, Sequence
from html import escape

import ipywidgets
import numpy as np

from workbench.diagnostics import Reports

__all__ = ["Latest", "Panel", "neighbour_page", "report_page", "text_page"]

LISTED = 10  # rows of a list
LONGEST = 200  # characters of a text in a list
SOFT = "color:var(--jp-ui-font-color2,GrayText)"
EDGE = "border-bottom:1px solid var(--jp-border-color2,#8886)"
TABLE = "border-collapse:collapse;width:100%;line-height:1.4"
CLAMP = "display:-webkit-box;-webkit-box-orient:vertical;-webkit-line-clamp:3;overflow:hidden"
WORDS = {
    "mean_cosine": ("mean cosine", "over all pairs: 0 for directions at random, 1 where all rows point one way"),
    "isoscore": ("IsoScore", "share of dimensions filled evenly: 0 for a line, 1 for all alike"),
    "participation_ratio": ("participation ratio", "how many dimensions the rows fill evenly"),
    "mean_depth": ("mean depth", "2 minus the mean cosine distance to all rows: the larger, the more central"),
    "hubness_skewness": ("hubness", "skewness of how often a row is a neighbour: 0 where all serve alike"),
}


class Latest:
    """Runs what was asked for last, in a thread of its own; what is overtaken before it began is dropped."""

    def __init__(self) -> None:
        self._lock, self._idle = threading.Lock(), threading.Event()
        self._next: Callable[[], object] | None = None
        self._idle.set()

    def ask(self, work: Callable[[], object]) -> None:
        """Runs `work` soon; returns at once."""
        with self._lock:
            self._next = work
            if not self._idle.is_set():
                return
            self._idle.clear()
        threading.Thread(target=self._run, name="explorer", daemon=True).start()

    def wait(self, seconds: float | None = None) -> bool:
        """Whether nothing is left to do, after `seconds` at most."""
        return self._idle.wait(seconds)

    def _run(self) -> None:
        while True:
            with self._lock:
                work, self._next = self._next, None
                if work is None:
                    self._idle.set()
                    return
            try:
                work()
            except BaseException:
                with self._lock:
                    self._next = None
                    self._idle.set()
                raise


class Panel(ipywidgets.VBox):
    """Selection, neighbours and texts, one under the other."""

    def __init__(self) -> None:
        self.numbers, self.near, self.texts = (ipywidgets.HTML() for _ in range(3))
        super().__init__([self.numbers, self.near, self.texts])
        self.layout = ipywidgets.Layout(flex="1 1 320px", min_width="260px", padding="0 0 0 10px")


def heading(words: str) -> str:
    """A heading of a part of the panel."""
    return f'<div style="font-weight:600;padding:6px 0 2px">{escape(words)}</div>'


def report_page(reports: Reports, n: int, selected: int) -> str:
    """The table of `Explorer.diagnostics`, selected rows beside all."""
    names = list(reports.reports)
    words = f"{selected:,} of {n:,} selected" if "selected" in names else f"All {n:,} rows"
    first = "".join(
        f'<th scope="col" style="text-align:right;font-weight:600;padding:2px 0 2px 10px;{EDGE}">{escape(name)}</th>'
        for name in names
    )
    body = ""
    for k, row in enumerate(reports.reports["all"].rows):
        cells = "".join(_cell(reports.reports[name].rows[k]) for name in names)
        name, meaning = WORDS[row.name]
        name += f", {row.note}" if row.note.startswith("among") else ""
        body += (
            f'<tr><th scope="row" title="{escape(meaning)}" style="text-align:left;font-weight:normal;{EDGE}">'
            f"{escape(name)}</th>{cells}</tr>"
        )
    head = f'<thead><tr><td style="{EDGE}"></td>{first}</tr></thead>'
    return heading(words) + f'<table style="{TABLE}">{head}<tbody>{body}</tbody></table>'


def _cell(row: object) -> str:
    number, note = getattr(row, "number"), getattr(row, "note")  # noqa: B009
    value, _, ends = number.partition(" ")
    few = note.startswith("too few rows")
    shown = "too few rows" if few else escape(value)
    below = "" if few or not ends else f'<br><span style="{SOFT};font-size:11px">{escape(ends)}</span>'
    place = f"text-align:right;padding:2px 0 2px 10px;font-variant-numeric:tabular-nums;white-space:nowrap;{EDGE}"
    return f'<td title="{escape(note)}" style="{place}">{shown}{below}</td>'


def neighbour_page(row: int, ids: np.ndarray, values: np.ndarray, texts: Sequence[str] | None, *, measure: str) -> str:
    """The nearest rows of `row` in the original space, with the number that `measure` names."""
    style = f"vertical-align:top;padding:2px 0 2px 8px;{EDGE}"
    head = "".join(
        f'<th scope="col" style="text-align:{side};font-weight:normal;{SOFT};{style}">{escape(word)}</th>'
        for word, side in (("row", "right"), (measure, "right"), ("text", "left"))
    )
    body = "".join(
        f'<tr><td style="text-align:right;{SOFT};{style}">{i}</td>'
        f'<td style="text-align:right;font-variant-numeric:tabular-nums;{style}">{value:.3f}</td>'
        f'<td style="overflow-wrap:anywhere;{style}">{_text(texts, int(i))}</td></tr>'
        for i, value in zip(ids[:LISTED].tolist(), values[:LISTED].tolist(), strict=True)
    )
    own = "" if texts is None else f'<div style="overflow-wrap:anywhere;padding:2px 0 4px">{_text(texts, row)}</div>'
    table = f'<table style="{TABLE}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    note = f'<div style="{SOFT};font-size:11px">Neighbours in the vectors themselves, drawn large on the map.</div>'
    return heading(f"Neighbours of row {row}") + own + table + note


def text_page(ids: np.ndarray, texts: Sequence[str]) -> str:
    """The first of the selected texts."""
    shown = "".join(
        f'<tr><td style="text-align:right;vertical-align:top;{SOFT};padding:2px 0;{EDGE}">{i}</td>'
        f'<td style="overflow-wrap:anywhere;padding:2px 0 2px 8px;{EDGE}">{_text(texts, i)}</td></tr>'
        for i in ids[:LISTED].tolist()
    )
    more = f'<div style="{SOFT}">and {len(ids) - LISTED:,} more</div>' if len(ids) > LISTED else ""
    return heading("Selected texts") + f'<table style="{TABLE}"><tbody>{shown}</tbody></table>{more}'


def _text(texts: Sequence[str] | None, row: int) -> str:
    if texts is None:
        return ""
    text = texts[row]
    words = f"<bdi>{escape(text[:LONGEST])}</bdi>{'…' if len(text) > LONGEST else ''}"
    return f'<div style="{CLAMP}">{words}</div>'
