"""The page's half of LiveText: where the text is written, and what is said of it. All of it travels by message."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget

from workbench.widgets.busy_kernel import keep_address

__all__ = ["Panel"]

STATIC = Path(__file__).with_name("static")


class Panel(anywidget.AnyWidget):
    """A text area with the lists around it; nothing of the texts is kept in a saved notebook.

    The page sends a text at most every 60 ms, and one at a time: the next goes when the answer to the last has come.
    """

    _esm = (STATIC / "live_text.js").read_text(encoding="utf-8")
    _css = (STATIC / "live_text.css").read_text(encoding="utf-8")

    def __init__(self, hear: Callable[[str, int], object], opened: Callable[[], object]) -> None:
        """`hear` is called with every text that is written on the page and its number; `opened` when one is shown."""
        self._views: set[str] = set()
        self._shown: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()
        super().__init__()
        keep_address(self.comm)
        self._written, self._opened = hear, opened
        self.on_msg(self._hear)

    @property
    def live(self) -> bool:
        """Whether a page shows it."""
        return bool(self._views)

    def show(self, kind: str, content: dict[str, Any]) -> None:
        """Shows one part: the last of every kind is kept for a page that is opened later."""
        message = {"kind": kind} | content
        with self._lock:
            self._shown[kind] = message
        if self._views:
            self.send(message)

    def keep(self, kind: str, content: dict[str, Any]) -> None:
        """As `show`, for pages that are opened later only: the open one has it."""
        with self._lock:
            self._shown[kind] = {"kind": kind} | content

    def _hear(self, _widget: object, content: dict[str, Any], _buffers: object) -> None:
        kind, view = content.get("kind"), str(content.get("view"))
        if kind == "ready":
            self._views.add(view)
            with self._lock:
                shown = list(self._shown.values())
            for message in shown:
                self.send(message)
            self._opened()
        elif kind == "gone":
            self._views.discard(view)
        elif kind == "edit" and isinstance(content.get("text"), str) and isinstance(content.get("seq"), int):
            self._written(content["text"], content["seq"])
