"""Many encoders out of one forward pass: each layer, each pooling, fewer dimensions."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from workbench.encoders.encoder import Encoder

__all__ = ["Reading", "Readings"]

POOLED = {
    "mean": lambda states: states.mean(axis=1),
    "cls": lambda states: states[:, 0],
    "max": lambda s: s.max(axis=1),
}
WINDOW = 256  # texts whose token states are held at a time


@dataclass(frozen=True, eq=False)
class Readings:
    """The states of some layers of `encoder`, pooled in several ways, each text run once and then remembered.

    Vectors are those of `encoder.with_settings(layers=, pooling=, dimensions=)`, not normalised, for the price of one
    encoder. Memory: layers * poolings * width * 4 bytes a text.

    Attributes:
        encoder: the text encoder; its own pooling plays no part.
        layers: layers that are read; 0 is the output of the embeddings.
        poolings: "mean", "cls", "max".

    Raises:
        ValueError: no layers, a layer that the model does not have, no poolings, or another pooling.
    """

    encoder: Encoder
    layers: tuple[int, ...]
    poolings: tuple[str, ...] = ("mean",)
    known: dict[str, np.ndarray] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        deepest = self.encoder.n_layers
        if not self.layers or not all(0 <= layer <= deepest for layer in self.layers):
            raise ValueError(f"layers must lie in 0..{deepest}, got {self.layers}")
        if not self.poolings or not set(self.poolings) <= set(POOLED):
            raise ValueError(f"poolings must be some of {tuple(POOLED)}, got {self.poolings}")

    def reading(self, layer: int, pooling: str = "mean", *, dimensions: int | None = None) -> "Reading":
        """The encoder of one layer and pooling; `dimensions` keeps the first columns, None all.

        Raises:
            ValueError: a layer or pooling that is not read, or `dimensions` outside 1..width.
        """
        if layer not in self.layers or pooling not in self.poolings:
            raise ValueError(f"read are layers {self.layers} and poolings {self.poolings}, got {layer} and {pooling!r}")
        width = self.encoder.whole_width
        if dimensions is not None and not 1 <= dimensions <= width:
            raise ValueError(f"dimensions must lie in 1..{width}, got {dimensions}")
        return Reading(self, layer, pooling, dimensions)

    def states(self, texts: Sequence[str]) -> list[np.ndarray]:
        """Pooled states of each text, float32 (layers, poolings, width); texts that are new are run."""
        new = [text for text in dict.fromkeys(texts) if text not in self.known]
        for start in range(0, len(new), WINDOW):
            part = new[start : start + WINDOW]
            values = self.encoder.token_states(part, layers=self.layers).values
            for text, state in zip(part, values, strict=True):
                self.known[text] = np.stack([POOLED[how](state) for how in self.poolings], axis=1)
        return [self.known[text] for text in texts]


@dataclass(frozen=True, eq=False)
class Reading:
    """One layer, one pooling: an encoder. Made by `Readings.reading`."""

    readings: Readings
    layer: int
    pooling: str
    dimensions: int | None

    @property
    def name(self) -> str:
        """Model, layer, pooling and dimensions in words."""
        cut = f", {self.dimensions} dimensions" if self.dimensions else ""
        return f"{self.readings.encoder.name}, layer {self.layer}, {self.pooling}{cut}"

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors of n texts, float32 (n, dimensions), not normalised."""
        at = self.readings.layers.index(self.layer), self.readings.poolings.index(self.pooling)
        rows = np.empty((len(texts), self.dimensions or self.readings.encoder.whole_width), dtype=np.float32)
        for row, state in zip(rows, self.readings.states(texts), strict=True):
            row[:] = state[at][: self.dimensions]
        return rows
