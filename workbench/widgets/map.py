"""A map of points to look at and to select from, drawn in the page."""

import threading
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets
import numpy as np
import traitlets

from workbench.widgets.busy_kernel import in_kernel, keep_address
from workbench.widgets.map_columns import Frame, as_colouring, as_ids, as_points, as_sizes, as_texts
from workbench.widgets.map_notes import as_bytes, as_moves, kept, note
from workbench.widgets.map_picture import LARGEST, caption, page
from workbench.widgets.modules import joined
from workbench.widgets.stand_in import StandIn

__all__ = ["Map"]

STATIC = Path(__file__).with_name("static")
RINGED = 50  # moved points that are ringed: the last ones


@cache
def _script() -> tuple[str, bytes]:
    """The page's half in one script, and its name."""
    script = joined(STATIC / "map" / "view.js").encode()
    return sha256(script).hexdigest()[:16], script


class Map(anywidget.AnyWidget):
    """Points in two dimensions: move, zoom, point, select by lasso or box, by keyboard as well.

    Points, colours and ids travel by message and never stand in the notebook; beside the widget stands a picture that
    a saved notebook shows where no kernel runs. A message may be handled while a cell runs, in a thread of its own.

    Attributes:
        live: Whether a page shows the map.
        summary: One sentence about what is shown; with two names of code, all that is saved of the widget's state.
    """

    _esm = (STATIC / "map_loader.js").read_text(encoding="utf-8")
    _css = (STATIC / "map.css").read_text(encoding="utf-8")

    summary = traitlets.Unicode("").tag(sync=True)
    live = traitlets.Bool(False)
    _code = traitlets.Unicode("").tag(sync=True)

    def __init__(
        self,
        points: np.ndarray | Sequence,
        *,
        texts: Sequence | None = None,
        colour: np.ndarray | Sequence | None = None,
        sizes: np.ndarray | Sequence | None = None,
        title: str = "",
        height: int = 520,
    ) -> None:
        """Map of `points` (n, 2), n up to 4,000,000; `texts` are shown for the point that is pointed at.

        `colour` holds a number or a label for each point (`colour_by`), `sizes` a number; `height` is in pixels.

        Raises:
            TypeError: points or sizes that are not numbers, texts that are not str, colours that are neither.
            ValueError: points not (n, 2), not finite or too many, columns of another length, a height below 120.
        """
        if height < 120:
            raise ValueError(f"height must be 120 pixels or more, got {height}")
        self._lock = threading.RLock()
        self._points = as_points(points)
        n = len(self._points)
        self._texts = as_texts(texts, n)
        self._colouring = as_colouring(colour, n)
        self._values = kept(colour)
        self._sizes = None if sizes is None else as_sizes(sizes, n)
        self._frame, self._height, self._title = Frame.around(self._points), height, title
        self._chosen, self._hovered = np.zeros(0, np.int64), None
        self._camera: tuple[float, float, float] | None = None
        self._views: set[str] = set()
        self._moved: list[int] = []
        self._hidden: list[str] = []  # outputs of a view around the map, which the view itself keeps up to date
        self._selecting, self._hovering = ipywidgets.CallbackDispatcher(), ipywidgets.CallbackDispatcher()
        self._stand_in = StandIn("map", self._saved)
        super().__init__(summary=caption(title, n, self._colouring, 0), _code=_script()[0])
        keep_address(self.comm)
        self.on_msg(self._hear)

    @property
    def points(self) -> np.ndarray:
        """The points, float64 (n, 2). As many others may be set: on the page they move there."""
        return self._points.copy()

    @points.setter
    def points(self, points: np.ndarray | Sequence) -> None:
        array = as_points(points)
        if len(array) != len(self._points):
            raise ValueError(f"a map keeps its {len(self._points)} points, got {len(array)}; make another Map")
        with self._lock:
            self._points = array
            if not self._frame.holds(array):
                self._frame, self._camera = Frame.around(array), None
            self._tell({"kind": "points", "frame": self._place()}, [self._frame.placed(array)])
        self._changed()

    def move(self, ids: np.ndarray | Sequence, points: np.ndarray | Sequence) -> None:
        """Moves the points `ids` (k,) to `points` (k, 2): on the page each is ringed from then on, with a trail.

        Raises:
            TypeError, ValueError: ids or points as refused elsewhere, an id twice, or not one point for each id.
        """
        which, array = as_moves(ids, points, len(self._points))
        with self._lock:
            self._points[which] = array
            self._moved = [*dict.fromkeys([*self._moved, *which.tolist()])][-RINGED:]
            self._tell({"kind": "move"}, [which.astype("<u4"), self._frame.placed(array)])
        self._changed()

    def colour_by(self, values: np.ndarray | Sequence | None, *, name: str = "") -> None:
        """Colours the points by a column: numbers by a scale, anything else as labels; None takes the colours away.

        None and NaN in a column are drawn hollow and named in the legend. Numbers that are names (of clusters) are
        told as such by giving them as str. Seven labels have a colour of their own, the rarer ones are grey.

        Raises:
            TypeError: dates, complex numbers or arrays in the column.
            ValueError: not one value for each point, or an infinite number.
        """
        colouring = as_colouring(values, len(self._points), name=name)
        with self._lock:
            self._colouring, self._values = colouring, kept(values)
            self._tell({"kind": "colour", "legend": colouring.legend()}, [colouring.codes])
        self._changed()

    def size_by(self, sizes: np.ndarray | Sequence | None) -> None:
        """Draws the points by size, the highest number five times as wide as the lowest; None makes them equal.

        Raises:
            TypeError: not numbers.
            ValueError: not one for each point, or one that is not finite.
        """
        coded = None if sizes is None else as_sizes(sizes, len(self._points))
        with self._lock:
            self._sizes = coded
            self._tell({"kind": "sizes", "sized": coded is not None}, [coded])

    @property
    def selection(self) -> np.ndarray:
        """Ids of the selected points, int64, rising; may be set to any ids from 0 to n - 1."""
        return self._chosen.copy()

    @selection.setter
    def selection(self, ids: np.ndarray | Iterable) -> None:
        with self._lock:
            self._chosen = as_ids(ids, len(self._points))
            self._tell_selection()
        self._changed()

    @property
    def hovered(self) -> int | None:
        """The point that is pointed at; None where there is none. Set, it is ringed on the page."""
        return self._hovered

    @hovered.setter
    def hovered(self, point: int | None) -> None:
        checked = None if point is None else int(as_ids([point], len(self._points))[0])
        with self._lock:
            self._hovered = checked
            self._tell({"kind": "hovered", "point": -1 if checked is None else checked})

    @property
    def camera(self) -> tuple[float, float, float] | None:
        """What is seen: the centre (x, y) and pixels per unit; None while all points are shown. May be set."""
        return self._camera

    @camera.setter
    def camera(self, place: tuple[float, float, float] | None) -> None:
        if place is not None and (len(place) != 3 or not np.isfinite(place).all() or place[2] <= 0):
            raise ValueError(f"camera must be (x, y, pixels per unit > 0), all finite, or None, got {place}")
        with self._lock:
            self._camera = None if place is None else (float(place[0]), float(place[1]), float(place[2]))
            self._tell({"kind": "camera", "camera": self._camera})

    @property
    def title(self) -> str:
        """The words above the map; may be set."""
        return self._title

    @title.setter
    def title(self, title: str) -> None:
        self._title = title
        self._tell({"kind": "title", "title": title})
        self._changed()

    def on_select(self, callback: Callable[[np.ndarray], object], *, remove: bool = False) -> None:
        """Calls back with the ids whenever the reader selects on the page; not for what is set from Python."""
        self._selecting.register_callback(callback, remove=remove)

    def on_hover(self, callback: Callable[[int | None], object], *, remove: bool = False) -> None:
        """Calls back with the point (None: none) whenever the reader points at another one."""
        self._hovering.register_callback(callback, remove=remove)

    def hide_when_live(self, marks: Sequence[str]) -> None:
        """Hides outputs with these marks while the map is alive: the pictures of a view that is built around it."""
        self._hidden.extend(mark for mark in marks if mark not in self._hidden)
        self._tell_marks()

    def saved_page(self, mark: str, *, largest: int = LARGEST) -> str:
        """HTML of the picture that stands for the map in a saved notebook; a live map that knows the mark hides it.

        The picture has `largest` bytes at most, a third more in the notebook.
        """
        return page(mark, self._points, self._colouring, self._chosen, self._title, largest=largest)

    def _saved(self, mark: str) -> dict[str, str]:
        return {"text/plain": self.summary, "text/html": self.saved_page(mark)}

    def _ipython_display_(self) -> None:
        self._stand_in.show(self, "Map" if in_kernel() else self.summary)
        self._tell_marks()

    def _changed(self) -> None:
        """The sentence and the saved picture follow: at once where nobody looks, else when the changes have ended."""
        self.summary = caption(self._title, len(self._points), self._colouring, len(self._chosen))
        self._stand_in.update(soon=self.live)

    def _tell(self, content: dict[str, Any], buffers: Sequence[np.ndarray | None] = ()) -> None:
        """Sends to the page, where there is one."""
        if self._views:
            self.send(content, buffers=[as_bytes(buffer) for buffer in buffers])

    def _tell_all(self) -> None:
        head = {"kind": "all", "n": len(self._points), "frame": self._place(), "sized": self._sizes is not None}
        head |= {"title": self._title, "height": self._height, "legend": self._colouring.legend()}
        head |= {"camera": self._camera, "marks": [*self._stand_in.marks, *self._hidden], "moved": self._moved}
        points, chosen = self._frame.placed(self._points), self._chosen.astype("<u4")
        self._tell(head, [points, self._colouring.codes, self._sizes, chosen])

    def _tell_marks(self) -> None:
        self._tell({"kind": "marks", "marks": [*self._stand_in.marks, *self._hidden]})

    def _tell_selection(self) -> None:
        self._tell({"kind": "selection"}, [self._chosen.astype("<u4")])

    def _place(self) -> list[float]:
        return [self._frame.x, self._frame.y, self._frame.half]

    def _hear(self, _widget: object, content: dict[str, Any], buffers: Sequence[Any]) -> None:
        """A message of the page; what is of another form, or from before a change of the points, has no effect."""
        kind = content.get("kind")
        if kind == "code":
            self.send({"kind": "code", "key": _script()[0]}, buffers=[_script()[1]])
        elif kind == "ready":
            with self._lock:
                self._views.add(str(content.get("view")))
                self._tell_all()
            self.live = True
        elif kind == "gone":
            self._views.discard(str(content.get("view")))
            self.live = bool(self._views)
        elif kind == "ping":
            self._tell({"kind": "pong"})
        elif kind == "hover":
            self._hear_hover(content.get("point"))
        elif kind == "camera" and isinstance(content.get("camera"), list):
            self._camera = None if content.get("fitted") else tuple(content["camera"])
        elif kind == "select" and buffers:
            self._hear_selection(content, buffers[0])

    def _hear_hover(self, point: object) -> None:
        if not isinstance(point, int) or not -1 <= point < len(self._points):
            return
        self._hovered = None if point < 0 else point
        words = {} if point < 0 else note(point, self._texts, self._values, self._colouring)
        self._tell({"kind": "text", "point": point} | words)
        self._hovering(self._hovered)

    def _hear_selection(self, content: dict[str, Any], buffer: Any) -> None:  # noqa: ANN401 - a buffer of any kind
        n = len(self._points)
        if content.get("form") == "bits":
            ids = np.flatnonzero(np.unpackbits(np.frombuffer(buffer, np.uint8), count=n, bitorder="little"))
        else:
            ids = as_ids(np.frombuffer(buffer, "<u4"), n)
        with self._lock:
            self._chosen = ids
            if len(self._views) > 1:
                self._tell_selection()
            self._tell({"kind": "heard"})
        self._changed()
        self._selecting(ids.copy())
