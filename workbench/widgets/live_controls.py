"""The controls of LiveText: they say what the reader wants, and show what is."""

from collections.abc import Callable, Sequence
from html import escape

import ipywidgets

__all__ = ["Controls"]

POOLINGS = ("mean", "cls", "last", "max")
LOWEST, HIGHEST = 0.1, 3.0  # of the slider; from Python any temperature may be set
PLAIN = "text or corpus"


class Controls:
    """Temperature, pooling, colour, the button that embeds the corpus anew, and what is said of the settings.

    Attributes:
        row: Stands above map and text.
        under: Stands under the map.
    """

    def __init__(self, columns: Sequence[str], *, temperature: float, pooling: str) -> None:
        wide = {"description_width": "initial"}
        self.temperature = ipywidgets.FloatSlider(
            temperature,
            min=min(LOWEST, temperature),
            max=max(HIGHEST, temperature),
            step=0.05,
            description="Attention temperature",
            continuous_update=False,
            style=wide,
            layout={"width": "330px"},
        )
        poolings = [*POOLINGS, *([] if pooling in POOLINGS else [pooling])]
        self.pooling = ipywidgets.Dropdown(
            options=poolings, value=pooling, description="Pooling", style=wide, layout={"width": "150px"}
        )
        self.colour = ipywidgets.Dropdown(
            options=[(PLAIN, ""), *((name[:60], name) for name in columns)],
            description="Colour",
            style=wide,
            layout={"width": "230px", "display": "" if columns else "none"},
        )
        self.embed = ipywidgets.Button(description="Embed the corpus anew", layout={"width": "auto", "display": "none"})
        self.start = ipywidgets.Button(
            description="Start from the selected text", disabled=True, layout={"width": "auto"}
        )
        self.near = ipywidgets.Button(description="Select the nearest texts", layout={"width": "auto"})
        self._said = ipywidgets.HTML()
        line = {"flex_flow": "row wrap", "align_items": "center", "grid_gap": "4px 12px"}
        top = ipywidgets.HBox([self.temperature, self.pooling, self.colour, self.embed], layout=line)
        self.row = ipywidgets.VBox([top, self._said])
        self.under = ipywidgets.HBox([self.start, self.near], layout=line)
        self._showing = False

    def on_change(
        self,
        *,
        temperature: Callable[[float], object],
        pooling: Callable[[str], object],
        colour: Callable[[str | None], object],
    ) -> None:
        """Calls back with what the reader has set on the page; a value that is refused is said, and goes back."""
        pairs = (
            (self.temperature, temperature),
            (self.pooling, pooling),
            (self.colour, lambda name: colour(name or None)),
        )
        for control, callback in pairs:
            control.observe(lambda change, callback=callback: self._hear(change, callback), names="value")

    def show(self, temperature: float, pooling: str) -> None:
        """Shows these settings."""
        self._showing = True
        try:
            low, high = min(self.temperature.min, temperature), max(self.temperature.max, temperature)
            self.temperature.min, self.temperature.max = low, high
            self.temperature.value = temperature
            if pooling not in self.pooling.options:
                self.pooling.options = [*self.pooling.options, pooling]
            self.pooling.value = pooling
        finally:
            self._showing = False

    def show_colour(self, name: str | None) -> None:
        """Shows the column that colours the map."""
        self._showing = True
        try:
            self.colour.value = name or ""  # None would show an empty field
        finally:
            self._showing = False

    def say(self, words: str, *, matched: bool, embedding: bool = False) -> None:
        """Says how the settings of text and corpus stand; the button is there while they differ."""
        look = "color: var(--jp-ui-font-color2, inherit)" if matched else "font-weight: 600"
        self._said.value = f'<div role="status" style="{look}; line-height: 1.4">{escape(words)}</div>'
        self.embed.description = "Stop embedding" if embedding else "Embed the corpus anew"
        self.embed.layout.display = "none" if matched and not embedding else ""

    @property
    def said(self) -> str:
        """HTML of what was said last."""
        return self._said.value

    def _hear(self, change: dict, callback: Callable) -> None:
        if self._showing:
            return
        try:
            callback(change["new"])
        except (TypeError, ValueError) as error:
            self.say(str(error), matched=False)
            self._showing = True
            try:
                change["owner"].value = change["old"]
            finally:
                self._showing = False
