"""One map that runs through layers, checkpoints, widths or temperatures."""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape

import ipywidgets
import numpy as np
from torch import Tensor

from workbench.diagnostics import Estimate
from workbench.projections import aligned_maps
from workbench.widgets.layer_steps import (
    METRICS,
    Metrics,
    MovedRow,
    as_columns,
    as_spaces,
    marked,
    metric_chart,
    metric_table,
    moved,
    short,
)
from workbench.widgets.map import Map
from workbench.widgets.map_columns import as_texts
from workbench.widgets.view import Chart, View

__all__ = ["LayerExplorer"]

MOST_STEPS = 200
LISTED = 10  # rows in the list of those that moved


class LayerExplorer(View):
    """A map of one step with a slider over all steps, on which rows that did not change stay where they are.

    The maps of all steps are made once (`aligned_maps`); metrics of each step stand beneath, the present one marked.
    """

    def __init__(
        self,
        spaces: np.ndarray | Tensor | Mapping[str, np.ndarray | Tensor],
        texts: Sequence[str] | None = None,
        columns: Mapping[str, Sequence | np.ndarray] | None = None,
        *,
        metrics: Metrics | None = None,
        seed: int = 0,
        title: str = "",
    ) -> None:
        """`spaces` are (steps, n, d), or names with (n, d_i) each; `columns` are names with n values each.

        `metrics` are names with functions of the vectors of a step, in place of mean cosine, participation ratio and
        mean length; above 20,000 rows they see the same 20,000 at each step, drawn by `seed`.

        Raises:
            TypeError: spaces, texts or columns of a kind that cannot be used.
            ValueError: fewer than 2 steps or more than 200, spaces of unequal numbers of rows, fewer than 3 rows, rows
                that are not finite, texts or columns of another length.
        """
        self._spaces = as_spaces(spaces, least=2, most=MOST_STEPS)
        n = len(next(iter(self._spaces.values())))
        self._texts, self._columns = as_texts(texts, n), as_columns(columns, n)
        self._names, self._seed, self._title = tuple(self._spaces), seed, title
        self._step, self._lock = 0, threading.RLock()
        self._playing: threading.Event | None = None
        self._metrics = metric_table(self._spaces, METRICS if metrics is None else metrics, seed=seed)
        self._moves: dict[int, list[MovedRow]] = {}
        self._points = aligned_maps(list(self._spaces.values()))
        self._map = Map(self._points[0], texts=texts, title=title, height=460)
        self._chart, self._figure = (
            Chart(self._map),
            metric_chart(self._metrics, self._names) if self._metrics else None,
        )
        super().__init__([self._map], self._built(), kind="layers")
        if self._columns:
            self.colour_by(next(iter(self._columns)))
        self._refresh()

    @property
    def map(self) -> Map:
        """The map; its points are those of the present step."""
        return self._map

    @property
    def step(self) -> int:
        """Number of the step that is shown, from 0; may be set."""
        return self._step

    @step.setter
    def step(self, step: int | np.integer) -> None:
        if isinstance(step, bool) or not isinstance(step, int | np.integer):
            raise TypeError(f"step must be a whole number, got {type(step).__name__}")
        if not 0 <= step < len(self._names):
            raise ValueError(f"step must lie in 0..{len(self._names) - 1}, got {step}")
        with self._lock:
            if step != self._step:
                self._step = int(step)
                self._map.points = self._points[step]
                self._refresh()

    @property
    def step_name(self) -> str:
        """Name of the step that is shown."""
        return self._names[self._step]

    @property
    def step_names(self) -> tuple[str, ...]:
        """Names of all steps."""
        return self._names

    @property
    def metrics(self) -> dict[str, tuple[Estimate | float, ...]]:
        """Name of a metric -> its value at each step."""
        return dict(self._metrics)

    @property
    def selection(self) -> np.ndarray:
        """Ids of the selected rows; the same at every step. May be set."""
        return self._map.selection

    @selection.setter
    def selection(self, ids: np.ndarray | Iterable) -> None:
        self._map.selection = ids

    @property
    def colours(self) -> tuple[str, ...]:
        """Names of the columns to colour by."""
        return tuple(self._columns)

    @property
    def summary(self) -> str:
        """What is shown: the step, and the map."""
        return f"Step {self._step + 1} of {len(self._names)}: {self.step_name}. {self._map.summary}"

    def colour_by(self, name: str | None) -> None:
        """Colours the map by a column; None takes the colours away.

        Raises:
            ValueError: no column of this name.
        """
        if name is not None and name not in self._columns:
            raise ValueError(f"name must be one of {self.colours}, got {name!r}")
        self._map.colour_by(None if name is None else self._columns[name], name=name or "")
        self._colour.value = name or ""  # None would show an empty field

    def on_select(self, callback: Callable[[np.ndarray], object], *, remove: bool = False) -> None:
        """Calls back with the ids whenever the reader selects on the page."""
        self._map.on_select(callback, remove=remove)

    def moved(self, k: int = 10) -> list[MovedRow]:
        """The `k` rows that moved most between the step before and this one, most moved first.

        By distance once the two spaces are aligned (`movement`: shift, rotation and scale of the whole are not counted)
        where they have as many dimensions; else by the share of neighbours that changed (`neighbour_change`).

        Raises:
            ValueError: the first step is shown, which has none before it, or `k` is below 1.
        """
        if k < 1:
            raise ValueError(f"k must be at least 1, got {k}")
        with self._lock:
            step = self._step
            if step == 0:
                raise ValueError(f"step must be above 0: {self.step_name!r} has no step before it")
            if len(self._moves.get(step, [])) < k:
                pair = (self._spaces[self._names[step - 1]], self._spaces[self._names[step]])
                self._moves[step] = moved(*pair, max(k, LISTED), self._texts, self._seed)
            return self._moves[step][:k]

    def play(self, interval: float = 0.6) -> None:
        """Shows the next step every `interval` seconds, up to the last one; from the first where the last is shown.

        Raises:
            ValueError: an interval below 0.05 seconds.
        """
        if not interval >= 0.05:
            raise ValueError(f"interval must be at least 0.05 seconds, got {interval}")
        self.stop()
        with self._lock:
            over = self._playing = threading.Event()
            self._button.description, self._button.icon = "Stop", "stop"
        threading.Thread(target=self._run, args=[over, interval], daemon=True).start()

    def stop(self) -> None:
        """Ends the playing, if any."""
        with self._lock:
            if self._playing is not None:
                self._playing.set()
            self._playing = None
            self._button.description, self._button.icon = "Play", "play"

    @property
    def playing(self) -> bool:
        """Whether the steps run by themselves."""
        return self._playing is not None

    def _run(self, over: threading.Event, interval: float) -> None:
        last = len(self._names) - 1
        following = 0 if self._step == last else self._step + 1
        while True:
            with self._lock:
                if over.is_set():
                    return
                self.step = following
                if following == last:
                    return self.stop()
            following += 1
            over.wait(interval)

    def _built(self) -> list[ipywidgets.Widget]:
        self._button = ipywidgets.Button(description="Play", icon="play", tooltip="Run through the steps")
        self._slider = ipywidgets.SelectionSlider(
            options=[(name[:40], k) for k, name in enumerate(self._names)],
            description="Step",
            layout={"flex": "1 1 320px"},
        )
        self._colour = ipywidgets.Dropdown(options=[("none", ""), *((c, c) for c in self._columns)])
        self._colour.description = "Colour"
        self._asked = ipywidgets.Button(description="Rows that moved", tooltip="Find the rows that moved most")
        self._list = ipywidgets.Select(options=[], rows=LISTED, layout={"width": "100%"})
        self._said = ipywidgets.HTML()
        self._button.on_click(lambda _: self.stop() if self.playing else self.play())
        self._slider.observe(lambda change: setattr(self, "step", change["new"]), names="value")
        self._colour.observe(lambda change: self.colour_by(change["new"] or None), names="value")
        self._asked.on_click(lambda _: self._list_moved())
        self._list.observe(self._choose, names="value")
        controls = [self._button, self._slider, *([self._colour] if self._columns else [])]
        row = ipywidgets.HBox(controls, layout={"flex_flow": "row wrap", "align_items": "center"})
        beneath = [self._said, self._chart, self._asked, self._list]
        return [row, self._map, *beneath]

    def _refresh(self) -> None:
        self._slider.value = self._step
        self._list.options, self._list.layout.display = [], "none"
        self._asked.disabled = self._step == 0
        said = [f"{escape(name)} {_number(values[self._step])}" for name, values in self._metrics.items()]
        name = f"<bdi>{escape(short(self.step_name))}</bdi>"
        self._said.value = f"Step {self._step + 1} of {len(self._names)}, {name}: {'; '.join(said) or 'no metrics'}."
        if self._figure is not None:
            self._chart.show(marked(self._figure, self._step))
        self._follow()

    def _list_moved(self) -> None:
        rows = self.moved(LISTED)
        options = [
            (f"{place}. {row.row}: {row.amount:.2f}  {short(row.text)}", row.row) for place, row in enumerate(rows, 1)
        ]
        self._list.options = [("", None), *options]
        self._list.layout.display = ""

    def _choose(self, change: dict) -> None:
        if change["new"] is not None:
            self.selection = [change["new"]]


def _number(value: Estimate | float) -> str:
    if not isinstance(value, Estimate):
        return f"{value:.4g}"
    return f"{value.value:.4g} [{value.low:.4g}, {value.high:.4g}]"
