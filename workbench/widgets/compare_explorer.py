"""Two to four spaces over the same rows, side by side: what is near in one and far in another."""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations

import ipywidgets
import numpy as np
from torch import Tensor

from workbench.diagnostics import Estimate, linear_cka, mutual_knn
from workbench.projections import aligned_maps, pca
from workbench.widgets.compare_moves import (
    SAMPLE,
    ChangedRow,
    MutualNeighbours,
    changed_rows,
    mutual_neighbours,
    neighbour_change,
)
from workbench.widgets.compare_panel import Panel
from workbench.widgets.layer_steps import as_columns, as_spaces
from workbench.widgets.map import Map
from workbench.widgets.map_columns import as_ids, as_texts
from workbench.widgets.view import View

__all__ = ["CompareExplorer"]

AT_ONCE = 1000  # rows up to which the neighbours are compared without being asked


class CompareExplorer(View):
    """Maps of two to four spaces over the same rows; what is pointed at or selected in one is so in all.

    Each map is the PCA of its own space, turned onto the one before it. For a pair of spaces: linear CKA and the share
    of mutual neighbours, and the rows whose neighbours changed most, each with its interval. Neighbours are by cosine.
    """

    def __init__(
        self,
        spaces: Mapping[str, np.ndarray | Tensor],
        texts: Sequence[str] | None = None,
        columns: Mapping[str, Sequence | np.ndarray] | None = None,
        *,
        k: int = 10,
        seed: int = 0,
        title: str = "",
    ) -> None:
        """`spaces` are names with (n, d_i) each; `columns` are names with n values each.

        Above 1,000 rows a pair is compared when asked for; above 20,000 on that many rows, drawn by `seed`.

        Raises:
            TypeError: spaces that are no mapping, or spaces, texts or columns of a kind that cannot be used.
            ValueError: fewer than 2 spaces or more than 4, spaces of unequal numbers of rows, rows that are not finite
                or zero (they have no cosine), `k` outside 1..n - 1, texts or columns of another length.
        """
        if not isinstance(spaces, Mapping):
            raise TypeError(f"spaces must be a mapping of names to (n, d), got {type(spaces).__name__}")
        self._spaces = as_spaces(spaces, least=2, most=4)
        n = len(next(iter(self._spaces.values())))
        if not 1 <= k < n:
            raise ValueError(f"k must be at least 1 and below n={n}, got {k}")
        for name, space in self._spaces.items():
            _refuse_zero(space, name)
        self._texts, self._columns = as_texts(texts, n), as_columns(columns, n)
        self._n, self._k, self._seed, self._title = n, k, seed, title
        self._names, self._lock = tuple(self._spaces), threading.RLock()
        self._pairs = tuple(combinations(self._names, 2))
        self._pair = self._pairs[0]
        self._changes: dict[tuple[str, str], list[ChangedRow]] = {}
        self._likeness: dict[tuple[str, str], dict[str, Estimate]] = {}
        self._selecting = ipywidgets.CallbackDispatcher()
        placed = aligned_maps([_two(space) for space in self._spaces.values()])
        height = 420 if len(self._names) == 2 else 340
        maps = [
            Map(points, texts=texts, title=name, height=height)
            for name, points in zip(self._names, placed, strict=True)
        ]
        for one in maps:
            one.on_select(lambda ids, one=one: self._follow_selection(one, ids))
            one.on_hover(lambda point, one=one: self._follow_hover(one, point))
        self._panel = Panel(self._pairs, self.colours, title=title)
        self._panel.on_pair(lambda pair: setattr(self, "pair", pair))
        self._panel.on_colour(self.colour_by)
        self._panel.on_compare(lambda: threading.Thread(target=self._work_out, daemon=True).start())
        self._panel.on_row(self._choose)
        super().__init__(maps, self._panel.around(maps), kind="compare")
        if self._columns:
            self.colour_by(next(iter(self._columns)))
        self._show_pair()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the spaces, in the order of the maps."""
        return self._names

    @property
    def pair(self) -> tuple[str, str]:
        """The two spaces that are compared; may be set to the names of any two."""
        return self._pair

    @pair.setter
    def pair(self, pair: Sequence[str]) -> None:
        found = [own for own in self._pairs if set(own) == set(pair) and len(pair) == 2]
        if not found:
            raise ValueError(f"pair must be two different names of {self._names}, got {tuple(pair)}")
        with self._lock:
            if found[0] != self._pair:
                self._pair = found[0]
                self._show_pair()

    @property
    def selection(self) -> np.ndarray:
        """Ids of the selected rows, the same in every map; may be set."""
        return self.maps[0].selection

    @selection.setter
    def selection(self, ids: np.ndarray | Iterable) -> None:
        chosen = as_ids(ids, self._n)
        with self._lock:
            for one in self.maps:
                one.selection = chosen
            self._show_mutual(chosen)

    @property
    def colours(self) -> tuple[str, ...]:
        """Names of the columns to colour by."""
        return tuple(self._columns)

    @property
    def summary(self) -> str:
        """What is shown, with the numbers of the pair where they were computed."""
        name = self._title or "Spaces side by side"
        first = f"{name}: {', '.join(self._names)}; {self._n:,} rows, {len(self.selection):,} selected."
        return " ".join([first, *(f"{key} {value}." for key, value in self._likeness.get(self._pair, {}).items())])

    @property
    def likeness(self) -> dict[str, Estimate]:
        """Linear CKA and the mean share of mutual neighbours of the pair; computed when first asked for.

        CKA is unbiased: 1 for spaces that differ by rotation, shift and scale, 0 for unrelated ones; the share is
        k / (n - 1) for unrelated ones.
        """
        pair = self._pair
        if pair not in self._likeness:
            x, y = self._sampled(pair)
            self._likeness[pair] = {
                "linear CKA": linear_cka(x, y),
                f"mutual neighbours, k={self._k}": mutual_knn(x, y, k=self._k),
            }
        return dict(self._likeness[pair])

    def colour_by(self, name: str | None) -> None:
        """Colours every map by a column; None takes the colours away.

        Raises:
            ValueError: no column of this name.
        """
        if name is not None and name not in self._columns:
            raise ValueError(f"name must be one of {self.colours}, got {name!r}")
        for one in self.maps:
            one.colour_by(None if name is None else self._columns[name], name=name or "")
        self._panel.show_colour(name)

    def on_select(self, callback: Callable[[np.ndarray], object], *, remove: bool = False) -> None:
        """Calls back with the ids whenever the reader selects on the page; not for what is set from Python."""
        self._selecting.register_callback(callback, remove=remove)

    def moved(self, n: int = 10) -> list[ChangedRow]:
        """The `n` rows of which the largest share of neighbours changed between the pair, each with its interval.

        How they are ranked, and what the interval is about: `neighbour_change`.

        Raises:
            ValueError: `n` is below 1.
        """
        if n < 1:
            raise ValueError(f"n must be at least 1, got {n}")
        pair = self._pair
        if pair not in self._changes:
            found = neighbour_change(*(self._spaces[name] for name in pair), k=self._k, seed=self._seed)
            self._changes[pair] = changed_rows(found, self._texts)
        return self._changes[pair][:n]

    def mutual_neighbours(self, row: int | np.integer) -> MutualNeighbours:
        """Ids that are among the k nearest of a row in every space, and those that are so in one only.

        Raises:
            ValueError: an id below 0, or n and more.
        """
        return mutual_neighbours(self._spaces, int(as_ids([row], self._n)[0]), k=self._k)

    def _sampled(self, pair: tuple[str, str]) -> list[np.ndarray | Tensor]:
        spaces = [self._spaces[name] for name in pair]
        if self._n <= SAMPLE:
            return spaces
        drawn = np.sort(np.random.default_rng(self._seed).permutation(self._n)[:SAMPLE])
        return [space[drawn] for space in spaces]

    def _work_out(self) -> None:
        """Computes what is shown of the pair, and shows it where the pair is still the same."""
        pair = self._pair
        self._panel.say(f"Comparing the neighbours of {min(self._n, SAMPLE):,} rows …")
        rows, likeness = self.moved(self._panel.listed), self.likeness
        with self._lock:
            if pair == self._pair:
                self._panel.show_result(rows, likeness, compared=min(self._n, SAMPLE), n=self._n)
                self._follow()

    def _show_pair(self) -> None:
        self._panel.show_pair(self._pair)
        if self._n <= AT_ONCE or (self._pair in self._changes and self._pair in self._likeness):
            self._work_out()

    def _choose(self, row: int) -> None:
        self.selection = [row]

    def _show_mutual(self, chosen: np.ndarray) -> None:
        found = self.mutual_neighbours(chosen[0]) if len(chosen) == 1 else None
        self._panel.show_mutual(int(chosen[0]) if found else None, found, self._texts)

    def _follow_selection(self, source: Map, ids: np.ndarray) -> None:
        with self._lock:
            for one in self.maps:
                if one is not source:
                    one.selection = ids
        self._selecting(ids)
        self._show_mutual(ids)

    def _follow_hover(self, source: Map, point: int | None) -> None:
        for one in self.maps:
            if one is not source:
                one.hovered = point


def _two(space: np.ndarray | Tensor) -> np.ndarray:
    """The space on its first two principal axes; the second is 0 where it has one column."""
    placed = pca(space, dimensions=min(2, space.shape[1]))
    return np.pad(placed, ((0, 0), (0, 2 - placed.shape[1])))


def _refuse_zero(space: np.ndarray | Tensor, name: str) -> None:
    lengths = np.abs(space).max(axis=1) if isinstance(space, np.ndarray) else space.abs().amax(dim=1)
    if not bool((lengths > 0).all()):
        row = int((lengths > 0).argmin() if isinstance(lengths, np.ndarray) else (lengths > 0).int().argmin())
        raise ValueError(f"space {name!r}: row {row} is zero and has no cosine")
