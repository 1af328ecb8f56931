"""What stands around the maps of spaces that are compared: choices, numbers, and two short lists."""

from collections.abc import Callable, Mapping, Sequence
from html import escape

import ipywidgets
import numpy as np

from workbench.diagnostics import Estimate
from workbench.widgets.compare_moves import ChangedRow, MutualNeighbours
from workbench.widgets.layer_steps import short
from workbench.widgets.map import Map

__all__ = ["Panel"]

LISTED = 10
WIDE = {"width": "100%"}


class Panel:
    """The controls and lists of a `CompareExplorer`; they tell what the reader does and hold no state of their own.

    Attributes:
        listed: How many rows the list of changed rows holds.
    """

    listed = LISTED

    def __init__(self, pairs: Sequence[tuple[str, str]], colours: Sequence[str], *, title: str) -> None:
        self._title = ipywidgets.HTML(f"<b><bdi>{escape(short(title))}</bdi></b>")
        self._pair = ipywidgets.Dropdown(options=[(f"{a[:30]} and {b[:30]}", (a, b)) for a, b in pairs])
        self._pair.description, self._pair.layout.flex = "Compare", "0 1 420px"
        self._colour = ipywidgets.Dropdown(options=[("none", ""), *((name, name) for name in colours)])
        self._colour.description = "Colour"
        self._compare = ipywidgets.Button(description="Compare neighbours", layout={"width": "auto"})
        self._compare.tooltip = "Likeness of the two spaces, and the rows whose neighbours changed most"
        self._numbers, self._mutual = ipywidgets.HTML(), ipywidgets.HTML()
        self._rows = ipywidgets.Select(options=[], rows=LISTED, layout=WIDE, description="Rows")
        self._rows.style.description_width = "initial"
        self._heading = ipywidgets.HTML()

    def around(self, maps: Sequence[Map]) -> list[ipywidgets.Widget]:
        """Everything from top to bottom, the maps among it."""
        controls = [self._pair, *([self._colour] if len(self._colour.options) > 1 else []), self._compare]
        row = ipywidgets.HBox(controls, layout={"flex_flow": "row wrap", "align_items": "center"})
        columns = "repeat(auto-fit, minmax(min(100%, 360px), 1fr))"
        grid = ipywidgets.GridBox(list(maps), layout={"grid_template_columns": columns, "grid_gap": "8px", **WIDE})
        lists = [ipywidgets.VBox([self._heading, self._rows]), ipywidgets.VBox([self._mutual])]
        beneath = ipywidgets.GridBox(lists, layout={"grid_template_columns": columns, "grid_gap": "8px", **WIDE})
        head = [self._title] if self._title.value != "<b><bdi></bdi></b>" else []
        self.show_mutual(None, None, None)
        return [*head, row, grid, self._numbers, beneath]

    def on_pair(self, told: Callable[[tuple[str, str]], object]) -> None:
        """Calls with the pair that the reader chose."""
        self._pair.observe(lambda change: told(change["new"]), names="value")

    def on_colour(self, told: Callable[[str | None], object]) -> None:
        """Calls with the name of a column that the reader chose; None for no colour."""
        self._colour.observe(lambda change: told(change["new"] or None), names="value")

    def on_compare(self, told: Callable[[], object]) -> None:
        """Calls when the reader asks for the comparison."""
        self._compare.on_click(lambda _: told())

    def on_row(self, told: Callable[[int], object]) -> None:
        """Calls with the row that the reader chose from the list."""
        self._rows.observe(lambda change: None if change["new"] is None else told(change["new"]), names="value")

    def show_colour(self, name: str | None) -> None:
        """Sets the dropdown."""
        self._colour.value = name or ""  # None would show an empty field

    def show_pair(self, pair: tuple[str, str]) -> None:
        """Sets the dropdown, and empties what was about another pair."""
        self._pair.value = pair
        self._rows.options, self._rows.layout.display, self._heading.value = [], "none", ""
        self._compare.layout.display = ""
        self.say("Neighbours of these two spaces were not compared yet.")

    def say(self, words: str) -> None:
        """A sentence in place of the numbers."""
        self._numbers.value = f"<span>{escape(words)}</span>"

    def show_result(
        self, rows: Sequence[ChangedRow], likeness: Mapping[str, Estimate], *, compared: int, n: int
    ) -> None:
        """The numbers of the pair and the rows that changed most."""
        of = f"all {n:,} rows" if compared == n else f"a sample of {compared:,} of {n:,} rows"
        numbers = "; ".join(f"{escape(name)} {value}" for name, value in likeness.items())
        self._numbers.value = f"<span>{numbers} (95 % intervals, {of}).</span>"
        self._compare.layout.display = "none"
        self._heading.value = "<b>Most changed</b>: share of neighbours lost, 95 % interval, row. Choose one to see it."
        options = [(f"{r.value:.2f} [{r.low:.2f}, {r.high:.2f}]  {r.row}  {short(r.text)}", r.row) for r in rows]
        self._rows.options = [("(none)", None), *options]
        self._rows.layout.display = ""

    def show_mutual(self, row: int | None, found: MutualNeighbours | None, texts: Sequence[str] | None) -> None:
        """The neighbours of one row, by where they are neighbours; a hint without a row."""
        if row is None or found is None:
            self._mutual.value = "Select one row to see its neighbours in each space."
            return
        parts = [f"<b>Neighbours of row {row}</b> {_text(row, texts)}"]
        parts.append(_listed("in every space", found.everywhere, texts, 6))
        room = max(1, 6 // len(found.only))
        parts += [
            _listed(f"only in <bdi>{escape(name[:60])}</bdi>", ids, texts, room) for name, ids in found.only.items()
        ]
        self._mutual.value = "".join(parts)


def _listed(words: str, ids: np.ndarray, texts: Sequence[str] | None, most: int) -> str:
    rest = f"<li>and {len(ids) - most} more</li>" if len(ids) > most else ""
    items = "".join(f"<li>{row} {_text(row, texts)}</li>" for row in ids[:most].tolist())
    return f"<div>{len(ids)} {words}</div>" + (f"<ul style='margin:0'>{items}{rest}</ul>" if len(ids) else "")


def _text(row: int, texts: Sequence[str] | None) -> str:
    return f"<bdi>{escape(short(texts[row]))}</bdi>" if texts else ""
