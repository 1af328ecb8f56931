"""What a saved notebook shows in a widget's place: a second output, a figure with words, that the live widget hides."""

import threading
import uuid
from collections.abc import Callable
from html import escape

import ipywidgets
from IPython.display import display, update_display

from workbench.widgets.busy_kernel import in_kernel

__all__ = ["StandIn", "figure"]

REDRAW = 1.0  # seconds after the last change until a picture is made anew


def figure(mark: str, *, source: str, alt: str, caption: str, below: str = "") -> str:
    """HTML of a picture (`source`: a data address) with alternative text and a caption sentence, both escaped.

    `below` is HTML that follows the caption. The live widget hides what bears its `mark`.
    """
    return (
        f'<figure data-workbench-saved="{escape(mark)}" style="margin:0">'
        f'<img alt="{escape(alt)}" src="{source}" style="max-width:100%" />'
        f"<figcaption>{escape(caption)}</figcaption>{below}</figure>"
    )


class StandIn:
    """The pictures beside the views of one widget.

    Attributes:
        marks: One for each time the widget was shown; the page hides the outputs that bear them.
    """

    def __init__(self, kind: str, data: Callable[[str], dict[str, str]]) -> None:
        """`data` makes the MIME bundle of the second output, whose HTML bears the mark it is given."""
        self._kind, self._data = kind, data
        self.marks: list[str] = []
        self._timer: threading.Timer | None = None

    def show(self, widget: ipywidgets.Widget, plain: str) -> None:
        """Displays the widget and, behind it, what a saved notebook keeps; outside a kernel the words `plain`."""
        if not in_kernel():
            display({"text/plain": plain}, raw=True)
            return
        data, metadata = _bundle(widget)
        display(data | {"text/plain": plain}, metadata=metadata, raw=True)
        mark = f"{self._kind}-{uuid.uuid4().hex[:12]}"
        self.marks.append(mark)
        display(self._data(mark), raw=True, display_id=mark)

    def update(self, *, soon: bool = False) -> None:
        """Makes the pictures anew, wherever they stand: now, or `soon`, when no change has come for a second."""
        if self._timer is not None:
            self._timer.cancel()
        if soon:
            self._timer = threading.Timer(REDRAW, self.update)
            self._timer.daemon = True
            self._timer.start()
            return
        for mark in self.marks:
            update_display(self._data(mark), raw=True, display_id=mark)


def _bundle(widget: ipywidgets.Widget) -> tuple[dict, dict]:
    """The bundle that shows the widget: anywidget gives a pair, ipywidgets data only."""
    made = widget._repr_mimebundle_()  # pyright: ignore[reportAttributeAccessIssue]
    return (made if isinstance(made, tuple) else (made, {})) if made else ({}, {})
