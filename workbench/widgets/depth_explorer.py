"""Two corpora on one map, and how deep their texts lie in one another."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from types import MappingProxyType
from typing import get_args

import ipywidgets
import numpy as np
import torch
from torch import Tensor

from workbench.diagnostics import depth_rank_sum
from workbench.diagnostics.depth import Distance
from workbench.diagnostics.depth_tests import DepthComparison
from workbench.projections import pca
from workbench.tensors import as_rows, row_blocks, unit
from workbench.widgets.depth_words import chart, direction, listed, sentences, table
from workbench.widgets.live_words import seconds_in_words
from workbench.widgets.map import Map
from workbench.widgets.map_columns import as_texts
from workbench.widgets.view import Chart, View

__all__ = ["DepthExplorer"]

MOST_PAIRED = 10_000  # texts of both corpora beyond which a distance that compares all pairs is refused
TIMED = 1000  # texts on which its time is measured
ENDS = 8  # texts in a list
LONGEST_NAME = 60
BELOW = {"flex_flow": "column", "align_items": "stretch", "width": "100%", "height": "auto", "margin": "0 0 6px 0"}


class DepthExplorer(View):
    """Depth of the texts of two corpora F and G in one another: map, histograms, test, deepest and shallowest texts.

    The map is the PCA of the unit rows of both, since depth compares directions: F's rows have the ids 0 to n - 1, G's
    n to n + m - 1. The test is the rank-sum test of `depth_rank_sum`, in both directions.
    """

    def __init__(
        self,
        f: np.ndarray | Tensor,
        g: np.ndarray | Tensor,
        texts: Sequence | None = None,
        *,
        names: tuple[str, str] = ("F", "G"),
        distance: str = "cosine",
        seed: int = 0,
        title: str = "",
    ) -> None:
        """Compares `f` (n, d) and `g` (m, d); `texts` is a pair of sequences of n and m.

        The distance "cosine" is linear in the number of texts; "chord" and "angular" compare all pairs and are refused
        above 10,000 texts, with the time that they would take on rows drawn by `seed`.

        Raises:
            TypeError: neither arrays nor tensors, a text that is not str, names that are not str.
            ValueError: rows as refused by `depth_rank_sum`, an unknown distance or too many texts for it, texts of
                another length, or names that are not two different ones.
        """
        self._names = _checked_names(names)
        if distance not in get_args(Distance):
            raise ValueError(f"distance must be one of {get_args(Distance)}, got {distance!r}")
        self._f, self._g = as_rows(f, least=2, name="f").detach(), as_rows(g, least=2, name="g").detach()
        self._n, self._m = len(self._f), len(self._g)
        self._texts = _both(texts, self._n, self._m)
        if distance != "cosine" and self._n + self._m > MOST_PAIRED:
            raise ValueError(self._too_many(distance, seed))
        self._result = depth_rank_sum(self._f, self._g, distance=distance)
        self._map = Map(
            _map_of(self._f, self._g), texts=self._texts, title=title or f"{self._names[0]} and {self._names[1]}"
        )
        self._colour = ipywidgets.Dropdown(
            options=[(self._label(name)[:80], name) for name in self.colours],
            description="Colour",
            style={"description_width": "initial"},
            layout={"width": "320px"},
        )
        self._colour.observe(lambda change: self.colour_by(change["new"]), names="value")
        self._lists = [self._list(name, deep) for name in self._names for deep in (True, False)]
        self._shown = ipywidgets.HTML(table([], 0, self._names))
        self._charts = self._new_charts()
        super().__init__([self._map], self._page(), kind="depth")
        self._map.on_select(lambda _: self._follow_selection())
        self.colour_by("corpus")

    def _page(self) -> list[ipywidgets.Widget]:
        said = "".join(f'<p style="margin: 4px 0; line-height: 1.45">{escape(words)}</p>' for words in self.sentences)
        wrap = {"flex_flow": "row wrap", "grid_gap": "8px 16px"}
        beside = ipywidgets.VBox(self._lists, layout={"flex": "1 1 340px", "min_width": "0"})
        middle = ipywidgets.HBox([self._map, beside], layout=wrap)
        under = ipywidgets.HBox(self._charts, layout=wrap)
        return [ipywidgets.HTML(said), self._colour, middle, self._shown, under]

    @property
    def map(self) -> Map:
        """The map of both corpora."""
        return self._map

    @property
    def result(self) -> DepthComparison:
        """Q, p and depths of both directions."""
        return self._result

    @property
    def depths(self) -> Mapping[str, np.ndarray]:
        """Depth of every text: "f_in_f" (n,), "g_in_f" (m,), "g_in_g" (m,), "f_in_g" (n,); larger is more central."""
        return MappingProxyType(self._result.depths)

    @property
    def sentences(self) -> list[str]:
        """What was tested and found, in words."""
        return sentences(self._result, self._names)

    @property
    def summary(self) -> str:
        """What is seen: the map, and the test in both directions."""
        f, g = self._names
        found = self._result
        both = f"{direction(found.q_fg, found.p_fg, f, g)} {direction(found.q_gf, found.p_gf, g, f)}"
        return f"{self._map.summary} {both}"

    @property
    def colours(self) -> tuple[str, ...]:
        """What the map may be coloured by: the corpus, or the depth in either."""
        return ("corpus", *(f"depth in {name}" for name in self._names))

    def colour_by(self, name: str) -> None:
        """Colours the map by "corpus", or by the depth in one of them.

        Raises:
            ValueError: none of `colours`.
        """
        if name not in self.colours:
            raise ValueError(f"colours are {self.colours}, got {name!r}")
        place = self.colours.index(name)
        corpus = np.repeat(np.array(self._names, dtype=object), [self._n, self._m])
        self._map.colour_by(corpus if place == 0 else self._depth_in(place - 1), name=self._label(name))
        self._colour.value = name

    @property
    def selection(self) -> np.ndarray:
        """Ids of the selected points, int64, rising: rows of F from 0, rows of G from n; may be set."""
        return self._map.selection

    @selection.setter
    def selection(self, ids: np.ndarray | Iterable) -> None:
        self._map.selection = ids
        self._follow_selection()

    def rows(self) -> dict[str, np.ndarray]:
        """The selected rows of each corpus, by its name: numbers into f and g."""
        ids = self.selection
        return {self._names[0]: ids[ids < self._n], self._names[1]: ids[ids >= self._n] - self._n}

    def on_select(self, callback: Callable[[np.ndarray], object], *, remove: bool = False) -> None:
        """Calls back with the ids whenever the reader selects on the map; not for what is set from Python."""
        self._map.on_select(callback, remove=remove)

    def ends(self, name: str, *, deepest: bool = True, count: int = ENDS) -> np.ndarray:
        """Ids of the `count` deepest texts of the corpus `name` in that corpus, deepest first, or of the shallowest.

        Raises:
            ValueError: no such corpus, or `count` below 1.
        """
        if name not in self._names:
            raise ValueError(f"corpora are {self._names}, got {name!r}")
        if count < 1:
            raise ValueError(f"count must be at least 1, got {count}")
        first = name == self._names[0]
        depth = self.depths["f_in_f" if first else "g_in_g"]
        order = np.argsort(-depth if deepest else depth, kind="stable")[:count]
        return order + (0 if first else self._n)

    def _label(self, name: str) -> str:
        return name if name == "corpus" else f"{name} (higher is more central)"

    def _depth_in(self, corpus: int) -> np.ndarray:
        """Depth of every point in one corpus (n + m,)."""
        home = "fg"[corpus]
        return np.concatenate([self.depths[f"f_in_{home}"], self.depths[f"g_in_{home}"]])

    def _list(self, name: str, deep: bool) -> ipywidgets.Select:
        ids, own = self.ends(name, deepest=deep), self._depth_in(self._names.index(name))
        lines = [
            (
                listed(float(own[i]), None if self._texts is None else self._texts[i], i - self._n * (i >= self._n)),
                int(i),
            )
            for i in ids.tolist()
        ]
        heading = f"{'Deepest' if deep else 'Shallowest'} of {name} in {name}"
        one = ipywidgets.Select(
            options=lines, value=None, description=heading, rows=min(ENDS, len(lines)), layout=BELOW
        )
        one.style.description_width = "max-content"
        one.add_class("workbench-ends")
        one.observe(lambda change: change["new"] is not None and self._choose(change["new"]), names="value")
        return one

    def _choose(self, point: int) -> None:
        self.selection = [point]

    def _follow_selection(self) -> None:
        """The lists mark a text that is selected alone; the texts of the selection are shown."""
        ids = self.selection
        alone = int(ids[0]) if len(ids) == 1 else None
        for one in self._lists:
            values = [value for _, value in one.options]
            one.value = alone if alone in values else None
        pair = [self._depth_in(0), self._depth_in(1)]
        rows = []
        for i in ids[:ENDS].tolist():
            second = i >= self._n
            text = None if self._texts is None else self._texts[i]
            rows.append((self._names[second], i - self._n * second, float(pair[0][i]), float(pair[1][i]), text))
        self._shown.value = table(rows, len(ids), self._names)

    def _new_charts(self) -> list[Chart]:
        charts = []
        for home, name in zip("fg", self._names, strict=True):
            # in one order, so that a corpus has its colour on the map in both
            samples = {one: self.depths[f"{'fg'[k]}_in_{home}"] for k, one in enumerate(self._names)}
            charts.append(Chart(self._map))
            charts[-1].show(chart(samples, home=name, short=name))
        return charts

    def _too_many(self, distance: str, seed: int) -> str:
        random, half = np.random.default_rng(seed), TIMED // 2
        some = [
            rows[np.sort(random.choice(len(rows), min(half, len(rows)), replace=False))] for rows in (self._f, self._g)
        ]
        begun = time.monotonic()
        depth_rank_sum(*some, distance=distance)
        seconds = (time.monotonic() - begun) * ((self._n + self._m) / sum(map(len, some))) ** 2
        return (
            f"the distance {distance!r} compares all pairs and is for at most {MOST_PAIRED:,} texts, got "
            f"{self._n + self._m:,}, which would take {seconds_in_words(seconds)}: take 'cosine', which is exact at "
            "any number, or a sample of the texts"
        )


def _checked_names(names: tuple[str, str]) -> tuple[str, str]:
    pair = tuple(names)
    if len(pair) != 2 or pair[0] == pair[1]:
        raise ValueError(f"names must be two different ones, got {pair}")
    for name in pair:
        if not isinstance(name, str):
            raise TypeError(f"names must be str, got {type(name).__name__}")
        if not name.strip() or len(name) > LONGEST_NAME:
            raise ValueError(f"a name must have 1 to {LONGEST_NAME} characters, got {name[:LONGEST_NAME]!r}")
    return pair


def _both(texts: Sequence | None, n: int, m: int) -> list[str] | None:
    if texts is None:
        return None
    if isinstance(texts, str) or len(texts) != 2:
        raise ValueError(f"texts must be a pair of sequences, got {len(texts)} entries")
    first, second = as_texts(texts[0], n), as_texts(texts[1], m)
    return [*(first or []), *(second or [])]


def _map_of(f: Tensor, g: Tensor) -> np.ndarray:
    rows = torch.empty(len(f) + len(g), f.shape[1])
    for start, part in ((0, f), (len(f), g)):
        for block in row_blocks(len(part), 4096):
            rows[start + block.start : start + block.stop] = unit(part[block]).float()
    points = np.zeros((len(rows), 2))
    found = pca(rows, dimensions=min(2, rows.shape[1]))
    points[:, : found.shape[1]] = found
    return points
