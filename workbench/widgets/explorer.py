"""An embedding space to walk through: a map, its colours, searches and selections, and what the numbers say of them."""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any, get_args

import ipywidgets
import numpy as np
from torch import Tensor

from workbench.diagnostics import Reports
from workbench.neighbours import Metric
from workbench.tensors import as_rows
from workbench.widgets.explorer_checks import check_directions, checked_columns
from workbench.widgets.explorer_controls import Controls
from workbench.widgets.explorer_measures import Measures
from workbench.widgets.explorer_neighbours import nearest_rows
from workbench.widgets.explorer_page import Page
from workbench.widgets.explorer_panel import Panel
from workbench.widgets.explorer_projections import TITLES, Projector
from workbench.widgets.explorer_selection import Described
from workbench.widgets.explorer_state import Shown, read, told, understood, write
from workbench.widgets.map import Map
from workbench.widgets.map_columns import as_ids, as_texts
from workbench.widgets.projecting import nearest, plane, spoken
from workbench.widgets.view import View

__all__ = ["Explorer"]

MANY = 20_000  # rows: above, what compares all pairs is preceded by what it will cost
STEPS = 50  # changes that can be taken back


class Explorer(View):
    """Vectors on a map, PCA first, to colour, search, select and project anew, by hand or from Python.

    What is selected arrives here as ids, `selection`, and stands beside the map: its diagnostics next to those of all
    rows, its texts, and for a single point its neighbours in the vectors themselves, which a map may show elsewhere.
    Nothing that compares all pairs of rows starts unasked.
    """

    def __init__(
        self,
        x: np.ndarray | Tensor,
        texts: Sequence | None = None,
        columns: Mapping | None = None,
        *,
        metric: str = "cosine",
        seed: int = 0,
        title: str = "",
        height: int = 520,
    ) -> None:
        """Explorer of the rows of `x` (n, d); `columns` maps names to n numbers or labels each, NaN and None missing.

        `metric` ("cosine", "euclidean" or "dot") is that of the neighbours, `seed` that of UMAP, t-SNE and samples;
        `height` is that of the map in pixels.

        Raises:
            TypeError: `x` is no array or tensor, texts are not str, a column holds neither numbers nor labels.
            ValueError: no rows, rows as refused by `as_rows` or, for the cosine, zero, an unknown metric, texts or a
                column of another length, a column with an infinite number.
        """
        if metric not in get_args(Metric):
            raise ValueError(f"metric must be one of {get_args(Metric)}, got {metric!r}")
        rows = as_rows(x).detach()
        if metric == "cosine":
            check_directions(rows)
        n = len(rows)
        self._rows, self._metric, self._texts = rows, metric, as_texts(texts, n)
        self._columns = checked_columns({} if columns is None else dict(columns), n)
        self._measures = Measures(rows, self._texts, metric=metric)
        self._described = Described(rows, metric=metric, seed=seed)
        self._lock = threading.RLock()
        self._past: list[Shown] = []
        self._plane = plane(rows)
        self._shown = Shown("pca", self._plane)
        self._map = Map(self._plane, texts=self._texts, title=title, height=height)
        self._controls, panel = Controls(self.colours, searchable=self._texts is not None), Panel()
        self._projector = Projector(rows, metric=metric, seed=seed, controls=self._controls, show=self._projected)
        self._projector.keep("pca", self._plane)
        self._page = Page(self, self._controls, panel, begin=lambda how: self._projector.begin(how, {}))
        self._map.layout.flex = "3 1 520px"
        beside = ipywidgets.HBox([self._map, panel], layout=ipywidgets.Layout(flex_flow="row wrap"))
        super().__init__([self._map], [self._controls, beside], kind="explorer")

    @property
    def map(self) -> Map:
        """The map, for its camera, its title, its points."""
        return self._map

    @property
    def texts(self) -> list[str] | None:
        """The texts of the rows, where they were given."""
        return self._texts

    @property
    def metric(self) -> str:
        """The metric of the neighbours."""
        return self._metric

    @property
    def colour(self) -> str | None:
        """The name of what the points are coloured by; `colour_by` sets it."""
        return self._shown.colour

    @property
    def summary(self) -> str:
        """What is seen, in sentences."""
        how = TITLES.get(self._shown.how, self._shown.how)
        return f"{how} of {self._rows.shape[1]:,} dimensions. {self._map.summary}"

    @property
    def selection(self) -> np.ndarray:
        """Ids of the selected rows, int64, rising; may be set to any ids from 0 to n - 1."""
        return self._shown.chosen.copy()

    @selection.setter
    def selection(self, ids: np.ndarray | Iterable) -> None:
        self._change(chosen=as_ids(ids, len(self._rows)))

    def on_select(self, callback: Callable[[np.ndarray], object], *, remove: bool = False) -> None:
        """Calls back with the ids whenever the reader selects on the page; not for what is set from Python."""
        self._page.selecting.register_callback(callback, remove=remove)

    def select_text(self, words: str) -> np.ndarray:
        """Selects the rows whose text contains `words`, upper or lower case, and gives their ids.

        Raises:
            ValueError: no texts were given, or no words are.
        """
        if self._texts is None:
            raise ValueError("there are no texts to search: give them as Explorer(x, texts)")
        sought = words.strip().casefold()
        if not sought:
            raise ValueError("words must not be empty")
        self.selection = np.array([i for i, text in enumerate(self._texts) if sought in text.casefold()], np.int64)
        return self.selection

    @property
    def colours(self) -> tuple[str, ...]:
        """Names that `colour_by` takes: the columns, then the diagnostics that no column has the name of."""
        return (*self._columns, *(name for name in self._measures.names if name not in self._columns))

    def colour_by(self, name: str | None) -> None:
        """Colours the points by a column or by a diagnostic of the rows; None takes the colours away.

        Diagnostics: "depth" in the corpus, "hubness", "norm", "length" of the text, "local dimension", and "map
        reliability", the share of a row's neighbours that the present map keeps, worked out anew for every map. Hubness
        and those after length compare all pairs of rows, once; above 20,000 rows the line under the controls says how
        long that takes.

        Raises:
            ValueError: an unknown name, with the nearest one, or a diagnostic that these rows do not have.
        """
        if name is not None and name not in self.colours:
            raise ValueError(f"no colour {name!r}{nearest(name, self.colours)}; there are {', '.join(self.colours)}")
        self._warn(name)
        while True:
            points = self._shown.points
            values = self._values(name, points)
            with self._lock:
                if name != "map reliability" or points is self._shown.points:
                    self._change(colour=name, values=values)
                    return

    def neighbours(self, row: int, k: int = 10) -> tuple[np.ndarray, np.ndarray]:
        """The `k` rows nearest to `row` in the vectors themselves, and their cosines, distances or products (k,).

        Nearest first, by the Explorer's metric; the row itself is left out, rows equal to it are not.

        Raises:
            ValueError: `row` outside 0..n - 1, or `k` outside 1..n - 1.
        """
        n, row = len(self._rows), int(as_ids([row], len(self._rows))[0])
        if not 1 <= k < n:
            raise ValueError(f"k must be at least 1 and below n={n}, got {k}")
        ids, values = nearest_rows(self._rows, row, k, metric=self._metric)
        return ids, -values if self._metric == "euclidean" else values

    def diagnostics(self) -> Reports:
        """Mean cosine, IsoScore, participation ratio, mean depth and hubness, with intervals.

        A report "selected" of the selected rows beside one "all"; only that where none are selected. The depth is that
        in all rows. Hubness is measured among as many rows of both, 2,000 at most. Below 30 rows there are no numbers.
        """
        return self._described.reports(self._shown.chosen, lambda: self._measures.of("depth", self._shown.points))

    def project(self, how: object, **options: Any) -> np.ndarray:  # noqa: ANN401
        """Draws another map, and gives its points, float64 (n, 2), when it is ready.

        `how` is "pca"; "umap" (options n_neighbors, min_dist, seed) or "tsne" (perplexity, seed; up to 20,000 rows),
        each in a process of its own; or a function of an array (n, d) and the options, in a thread. Cancel on the page
        or an interrupt ends it; a function then goes on unseen.

        Raises:
            TypeError: neither a name nor a function.
            ValueError: an unknown name or option, a value out of range, or a result that is not finite (n, 2).
            RuntimeError: another is being computed, it failed, or it was cancelled.
        """
        return self._projector.begin(how, options).wait()

    def estimate(self, how: object) -> float:
        """Roughly how many seconds `project` takes, right to a factor of 3; NaN for a function that has not run yet."""
        return self._projector.estimate(how)

    def expectation(self, how: str) -> str:
        """How long `project(how)` takes, in words, or why it cannot be had."""
        return self._projector.said(how)

    def cancel(self) -> None:
        """Ends the projection that is being computed, if one is."""
        self._projector.cancel()

    def undo(self) -> bool:
        """Takes back the last change of selection, colour or map; whether there was one, of the last 50."""
        with self._lock:
            if not self._past:
                return False
            self._draw(self._past.pop())
        return True

    def state(self) -> dict[str, Any]:
        """What is shown, for `restore`: JSON without the vectors, their texts or columns, 5 bytes a row and id."""
        return told(self._shown, self._rows, camera=self._map.camera)

    def restore(self, state: Mapping[str, Any]) -> None:
        """Shows what `state` has told: map, colour, selection and the place that is looked at.

        Raises:
            ValueError: a state of other vectors, of another form, or with a colour that is not there.
        """
        new, camera = understood(state, self._rows, plane=self._plane, colours=self.colours)
        new = replace(new, values=self._values(new.colour, new.points))
        with self._lock:
            self._keep()
            self._draw(new)
        self._map.camera = camera

    def save(self, path: str | PathLike) -> Path:
        """Writes `state` to a JSON file, as a whole or not at all.

        Raises:
            OSError: it cannot be written.
        """
        return write(self.state(), path)

    def load(self, path: str | PathLike) -> None:
        """Restores what `save` has written.

        Raises:
            ValueError: no JSON object, or as in `restore`.
            OSError: the file cannot be read.
        """
        self.restore(read(path))

    def _values(self, name: str | None, points: np.ndarray) -> Any:  # noqa: ANN401 - a column of any kind
        if name is None or name in self._columns:
            return None if name is None else self._columns[name]
        return self._measures.of(name, points)

    def _warn(self, name: str | None) -> None:
        """Says what a colour will cost that compares all pairs of rows."""
        if name is None or name in self._columns or self._measures.quick(name):
            return
        n = len(self._rows)
        cost = f", {spoken(self._measures.seconds())}" if n > MANY else ""
        self._controls.say(f"{name}: every one of {n:,} rows is compared with every other{cost}")

    def _change(self, **what: Any) -> None:  # noqa: ANN401 - fields of Shown
        with self._lock:
            self._keep()
            self._draw(replace(self._shown, **what))

    def _keep(self) -> None:
        self._past.append(self._shown)
        del self._past[:-STEPS]

    def _draw(self, new: Shown) -> None:
        old, self._shown = self._shown, new
        if new.points is not old.points:
            self._map.points = new.points
            self._follow()  # the map's own sentence stays
        if new.colour != old.colour or new.values is not old.values:
            name = new.colour
            legend = "" if name is None else name if name in self._columns else self._measures.legend(name)
            self._map.colour_by(new.values, name=legend)
        if not np.array_equal(self._map.selection, new.chosen):
            self._map.selection = new.chosen
        self._controls.show(how=new.how, colour=new.colour, undo=bool(self._past))
        if new.chosen is not old.chosen:
            self._page.refresh()

    def _projected(self, how: str, options: Mapping[str, Any], points: np.ndarray) -> None:
        shown = self._shown
        fixed = shown.colour != "map reliability" or shown.colour in self._columns
        values = shown.values if fixed else self._measures.of("map reliability", points)
        self._change(how=how, options=options, points=points, values=values)
