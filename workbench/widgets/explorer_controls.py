"""The row of controls above an Explorer's map. Each calls what Python calls by name."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import anywidget
import ipywidgets
import traitlets

__all__ = ["Controls", "StatusLine"]

OFTEN = 0.2  # seconds between two movements of the bar
PROJECTIONS = [("PCA", "pca"), ("UMAP", "umap"), ("t-SNE", "tsne")]


class StatusLine(anywidget.AnyWidget):
    """A line that a screen reader reads out when it changes; its words are text and never HTML."""

    _esm = """
    export default { render({ model, el }) {
      const line = document.createElement("div");
      line.setAttribute("role", "status");
      line.setAttribute("aria-live", "polite");
      line.style.cssText = "min-height:1.5em;color:var(--jp-ui-font-color1,CanvasText);overflow-wrap:anywhere";
      const say = () => { line.textContent = model.get("words"); };
      model.on("change:words", say);
      el.append(line);
      say();
      return () => model.off("change:words", say);
    } };
    """

    words = traitlets.Unicode("").tag(sync=True)


def _layout(width: str, **more: str) -> ipywidgets.Layout:
    return ipywidgets.Layout(width=width, margin="2px 0", **more)


class Controls(ipywidgets.VBox):
    """Projection, colour, search, undo; under them how far a projection is, and a line that says what has happened."""

    def __init__(self, colours: Sequence[str], *, searchable: bool) -> None:
        """`colours` are the names offered; without texts there is nothing to search."""
        self.how = ipywidgets.Dropdown(options=PROJECTIONS, value="pca", description="Map", layout=_layout("140px"))
        self.how.style.description_width = "initial"  # pyright: ignore[reportAttributeAccessIssue]
        self.compute = ipywidgets.Button(description="Compute", layout=_layout("auto"))
        self.cancel = ipywidgets.Button(
            description="Cancel", tooltip="Ends the projection that is being computed", disabled=True
        )
        self.colour = ipywidgets.Dropdown(
            options=[("one colour", ""), *((name, name) for name in colours)],
            value="",
            description="Colour",
            layout=_layout("190px"),
        )
        self.colour.style.description_width = "initial"  # pyright: ignore[reportAttributeAccessIssue]
        self.words = ipywidgets.Text(
            placeholder="Words in the texts" if searchable else "No texts were given",
            description="Find",
            tooltip="Selects the texts that contain these words, upper or lower case; press Enter",
            continuous_update=False,
            disabled=not searchable,
            layout=_layout("200px"),
        )
        self.words.style.description_width = "initial"  # pyright: ignore[reportAttributeAccessIssue]
        self.undo = ipywidgets.Button(
            description="Undo", tooltip="Takes back the last selection, colour or map", disabled=True
        )
        for button in (self.compute, self.cancel, self.undo):
            button.layout = _layout("auto", flex="0 0 auto")
        self.bar = ipywidgets.FloatProgress(min=0.0, max=1.0, layout=_layout("100%", height="8px", visibility="hidden"))
        self.status = StatusLine()
        row = ipywidgets.Layout(flex_flow="row wrap", align_items="center", grid_gap="2px 10px")
        line = [self.how, self.compute, self.cancel, self.colour, self.words, self.undo]
        super().__init__([ipywidgets.HBox(line, layout=row), self.bar, self.status])
        self._moved = 0.0

    def say(self, words: str) -> None:
        """The line under the controls."""
        self.status.words = words

    def told(self, share: float, words: str) -> None:
        """How far the projection is, in [0, 1]."""
        now = time.monotonic()
        if now - self._moved > OFTEN:
            self._moved, self.bar.value = now, share
            self.say(words)

    def running(self, on: bool) -> None:
        """What can be pressed while a projection is computed."""
        self.compute.disabled, self.cancel.disabled = on, not on
        self.bar.value = 0.0
        self.bar.layout.visibility = "visible" if on else "hidden"

    def expect(self, words: str) -> None:
        """What the chosen projection takes, on its button."""
        possible = words.startswith(("about", "at once", "time"))
        self.compute.description = f"Compute ({words})" if possible else "Compute"
        self.compute.tooltip = "Draws the map anew by the chosen projection" if possible else words

    def show(self, *, how: str, colour: str | None, undo: bool) -> None:
        """The controls follow what is shown."""
        self.colour.value, self.undo.disabled = colour or "", not undo
        if how in dict(self.how.options).values():
            self.how.value = how

    def offer(self, name: str) -> None:
        """Adds a function's name to the projections."""
        known = list(self.how.options)
        if name not in dict(known).values():
            self.how.options = [*known, (name, name)]

    def connect(self, handlers: dict[str, Callable[..., Any]]) -> None:
        """What the reader does goes to the handlers "how", "compute", "cancel", "colour", "words", "undo"."""
        for name in ("compute", "cancel", "undo"):
            getattr(self, name).on_click(lambda _, name=name: handlers[name]())
        for name in ("how", "colour", "words"):
            getattr(self, name).observe(lambda change, name=name: handlers[name](change["new"]), names="value")
