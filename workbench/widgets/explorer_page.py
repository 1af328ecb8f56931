"""The reader's half of an Explorer: what is done on the page calls what Python calls, and the panel follows."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import ipywidgets
import numpy as np

from workbench.widgets.explorer_controls import Controls
from workbench.widgets.explorer_panel import LISTED, Latest, Panel, heading, neighbour_page, report_page, text_page

if TYPE_CHECKING:
    from workbench.widgets.explorer import Explorer

__all__ = ["Page"]

NUMBERS = {"cosine": "cosine", "euclidean": "distance", "dot": "product"}
HINT = (
    '<div style="padding:6px 0;line-height:1.5">Select points on the map by lasso, box or click, or find words: '
    "what the numbers say of them stands here, beside all rows. A single point shows its neighbours.</div>"
)


class Page:
    """Handlers of the controls and of the map, and the panel."""

    def __init__(self, explorer: "Explorer", controls: Controls, panel: Panel, *, begin: Callable[[str], Any]) -> None:
        """`begin` starts a projection and does not wait for it."""
        self._explorer, self._controls, self._panel, self._begin = explorer, controls, panel, begin
        self.selecting = ipywidgets.CallbackDispatcher()
        self.colouring, self.refreshing = Latest(), Latest()
        self._marked = False
        panel.numbers.value = HINT
        explorer.map.on_select(self._selected)
        handlers = {"compute": self._compute, "cancel": explorer.cancel, "undo": self._undo, "how": self._said}
        controls.connect(handlers | {"colour": self._coloured, "words": self._sought})
        self._said("pca")

    def refresh(self) -> None:
        """The panel follows the selection, soon."""
        self.refreshing.ask(self._refresh)

    def wait(self, seconds: float = 60.0) -> bool:
        """Whether panel and colours are up to date, after `seconds` at most for each."""
        return self.refreshing.wait(seconds) and self.colouring.wait(seconds)

    def _selected(self, ids: np.ndarray) -> None:
        self._explorer.selection = ids
        self.selecting(ids.copy())

    def _sought(self, words: str) -> None:
        if not words.strip():
            return
        try:
            ids = self._explorer.select_text(words)
        except ValueError as error:
            self._controls.say(str(error))
            return
        texts = "1 text contains" if len(ids) == 1 else f"{len(ids):,} texts contain"
        self._controls.say(f"{texts} “{words.strip()[:80]}”")
        self.selecting(ids)

    def _undo(self) -> None:
        before = self._explorer.selection
        self._explorer.undo()
        if not np.array_equal(before, self._explorer.selection):
            self.selecting(self._explorer.selection)

    def _said(self, how: str) -> None:
        self._controls.expect(self._explorer.expectation(how))

    def _compute(self) -> None:
        try:
            self._begin(str(self._controls.how.value))
        except (ValueError, RuntimeError) as error:
            self._controls.say(str(error))

    def _coloured(self, name: str) -> None:
        if (name or None) != self._explorer.colour:
            self.colouring.ask(lambda: self._colour(name or None))

    def _colour(self, name: str | None) -> None:
        try:
            self._explorer.colour_by(name)
            self._controls.say("One colour for all points" if name is None else f"Coloured by {name}")
        except ValueError as error:
            self._controls.say(f"{name}: {error}")
            self._controls.colour.value = self._explorer.colour or ""

    def _refresh(self) -> None:
        explorer, ids, panel = self._explorer, self._explorer.selection, self._panel
        n = len(explorer.map.points)
        near = np.zeros(0, np.int64)
        if len(ids) == 1 and n > 1:
            row = int(ids[0])
            near, values = explorer.neighbours(row, min(LISTED, n - 1))
            measure = NUMBERS[explorer.metric]
            panel.near.value = neighbour_page(row, near, values, explorer.texts, measure=measure)
        else:
            panel.near.value = ""
        self._mark(ids, near, n)
        panel.texts.value = "" if len(ids) < 2 or explorer.texts is None else text_page(ids, explorer.texts)
        if len(ids) == 0:
            panel.numbers.value = HINT
        elif len(ids) == 1:
            panel.numbers.value = ""
        else:
            if n > LISTED:
                panel.numbers.value = heading(f"{len(ids):,} of {n:,} selected: measuring …")
            panel.numbers.value = report_page(explorer.diagnostics(), n, len(ids))

    def _mark(self, ids: np.ndarray, near: np.ndarray, n: int) -> None:
        """Neighbours are drawn large, the row itself larger still."""
        if len(near) == 0 and not self._marked:
            return
        self._marked = len(near) > 0
        sizes = np.zeros(n)
        sizes[near], sizes[ids] = 2, 3
        self._explorer.map.size_by(sizes if self._marked else None)
