"""What every view built around maps shares: one saved picture for all of them, and charts that are no widgets."""

import json
import threading
from collections.abc import Sequence
from html import escape
from pathlib import Path

import ipywidgets
import plotly.graph_objects as go

from workbench.widgets.busy_kernel import in_kernel
from workbench.widgets.map import Map
from workbench.widgets.stand_in import StandIn

__all__ = ["Chart", "View"]

PLOTLY = "application/vnd.plotly.v1+json"
REDRAW = 0.4  # seconds after the last change until a chart on the page is drawn anew
PICTURES = 80_000  # bytes of all saved pictures of a view; its charts and lists stand beside them


class Chart(ipywidgets.Output):
    """A plotly Figure in a view. It is an output as a cell has one: its page can be kept and read without a kernel.

    In a kernel it waits until the page shows the map: reading plotly's code, on the first chart of a page, blocks it
    for a second or two, and anywidget gives up a widget that does not come to life in two. A chart in place of another
    comes when the changes have ended, for drawing it holds up the map that moves with it.
    """

    def __init__(self, after: Map) -> None:
        """A chart that is shown once the map `after` is."""
        super().__init__()
        self._after = after
        self._data: list[dict] = []
        self._timer: threading.Timer | None = None

    def show(self, figure: go.Figure | None) -> None:
        """Shows `figure` in place of the one before; None shows nothing."""
        self._data = [] if figure is None else [{PLOTLY: json.loads(str(figure.to_json()))}]
        if self._timer is not None:
            self._timer.cancel()
        if self._after.live and self.outputs:
            self._timer = threading.Timer(REDRAW, self._fill)
            self._timer.daemon = True
            self._timer.start()
        elif self._after.live or not in_kernel():
            self._fill()
        else:
            self._after.observe(self._fill, names="live")

    def _fill(self, _change: object = None) -> None:
        self.outputs = tuple({"output_type": "display_data", "data": one, "metadata": {}} for one in self._data)


class View(ipywidgets.VBox):
    """One map or several with what stands around them.

    A subclass builds its maps and its other parts, hands them over, and says in `summary` what is seen. A saved
    notebook shows the pictures of the maps, and that sentence, where no kernel runs.
    """

    def __init__(self, maps: Sequence[Map], children: Sequence[ipywidgets.Widget], *, kind: str) -> None:
        """`children` are shown from top to bottom, the `maps` among them; `kind` is a word for the view."""
        super().__init__(children=list(children))
        self.add_class("workbench-view")
        self._maps, self._kind = tuple(maps), kind
        self._stand_in = StandIn(kind, self._saved)
        for one in self._maps:
            one.observe(self._follow, names="summary")

    @property
    def maps(self) -> tuple[Map, ...]:
        """The maps of the view."""
        return self._maps

    @property
    def summary(self) -> str:
        """One or more sentences about what is shown: the caption of the saved picture."""
        return " ".join(one.summary for one in self._maps)

    def saved_page(self, mark: str) -> str:
        """HTML of the pictures that stand for the view in a saved notebook; the live maps hide it by its `mark`."""
        largest = PICTURES // max(2, len(self._maps))
        pictures = "".join(one.saved_page(f"{mark}-{k}", largest=largest) for k, one in enumerate(self._maps))
        return f'<div data-workbench-saved="{escape(mark)}">{pictures}<p>{escape(self.summary)}</p></div>'

    def export(self, path: str | Path, *, title: str = "") -> Path:
        """Writes the maps with their texts into one HTML file that works without a kernel: see `export_html`."""
        from workbench.widgets.export import export_html

        return export_html(self, path, title=title)

    def _saved(self, mark: str) -> dict[str, str]:
        return {"text/plain": self.summary, "text/html": self.saved_page(mark)}

    def _ipython_display_(self) -> None:
        self._stand_in.show(self, type(self).__name__ if in_kernel() else self.summary)
        for one in self._maps:
            one.hide_when_live(self._stand_in.marks)

    def _follow(self, _change: object = None) -> None:
        """The saved pictures follow what has changed: at once where nobody looks, else when the changes have ended."""
        self._stand_in.update(soon=any(one.live for one in self._maps))
