"""An encoder of one's own, whose temperature and pooling may be changed while others use the same weights."""

import copy
import math
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from itertools import chain
from typing import NamedTuple

import numpy as np
from torch import Tensor

from workbench.encoders import Encoder, attention_temperature
from workbench.encoders.tokens import tokenize
from workbench.tensors import as_rows, unit

__all__ = ["LeftOut", "LiveReader"]

AT_ONCE = 4  # texts without a token that are encoded before a look whether they are still wanted


class LeftOut(NamedTuple):
    """What a text loses with one of its tokens.

    Attributes:
        token: The characters that are left out.
        start: The first of them in the text.
        end: Behind the last of them.
        effect: 1 less the cosine of the text without them to the text, in [0, 2]: 0 where nothing is lost.
    """

    token: str
    start: int
    end: int
    effect: float


class LiveReader:
    """An encoder's modules copied around the same weights: its attention temperature and pooling are its own.

    Weights that are trained on are followed; a model that is moved to another device is not.
    """

    def __init__(self, encoder: Encoder) -> None:
        """A copy of `encoder` as it stands, its attention temperature included.

        Raises:
            TypeError: not an Encoder.
        """
        if not isinstance(encoder, Encoder):
            raise TypeError(f"encoder must be an Encoder, got {type(encoder).__name__}")
        shared = {id(t): t for t in chain(encoder.parts.parameters(), encoder.parts.buffers())}
        self._base: Encoder = copy.deepcopy(encoder, {**shared, id(encoder.stores): {}})
        self._held, self._temperature = ExitStack(), 1.0
        self._lock = threading.RLock()  # a tokenizer is of one thread at a time
        self.encoder, self.normalize = self._base, self._base.settings.normalize
        self.temperature = encoder.attention_temperature

    @property
    def temperature(self) -> float:
        """The temperature that divides attention scores; above 0, may be set."""
        return self._temperature

    @temperature.setter
    def temperature(self, tau: float) -> None:
        with self._lock:
            self._held.close()
            try:
                self._hold(tau)
            except (TypeError, ValueError):
                self._hold(self._temperature)
                raise
            self._temperature = float(tau)

    def _hold(self, tau: float) -> None:
        if isinstance(tau, bool) or tau != 1:
            self._held.enter_context(attention_temperature(self._base, tau))

    @property
    def pooling(self) -> str:
        """How states become one vector: "mean", "cls", "last", "max" or "own"; may be set."""
        return self.encoder.settings.pooling

    @pooling.setter
    def pooling(self, pooling: str) -> None:
        with self._lock:
            self.encoder = self._base.with_settings(pooling=pooling)

    def vectors(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors (n, d) as the model gives them, before any scaling to length 1; never from the store."""
        with self._lock:
            return self.encoder.encode(texts, store=False, progress=False, normalize=False)

    def count(self, text: str) -> int:
        """Tokens of a text, special ones and those that are cut included."""
        with self._lock:
            return int(self.encoder.count_tokens([text])[0])

    def spans(self, text: str) -> list[tuple[int, int]]:
        """First and behind the last character of every token of `text` that is read; special ones have none.

        Tokens of the same characters, as of an emoji, are one.

        Raises:
            ValueError: a tokenizer that does not tell where its tokens lie in the text.
        """
        with self._lock:
            return _spans(self.encoder, text)

    def scaled(self, vectors: np.ndarray) -> np.ndarray:
        """The same as `encode` returns them: scaled to length 1 where `normalize`."""
        return unit(vectors).float().numpy() if self.normalize else vectors

    def like(self, texts: Sequence[str], x: np.ndarray | Tensor) -> None:
        """Takes over whether `x` (n, d), vectors of the texts, are scaled to length 1; three of them are encoded.

        Raises:
            ValueError: a row that is not the encoder's vector of its text, scaled or not.
        """
        rows = sorted({0, len(texts) // 2, len(texts) - 1})
        fresh = self.vectors([texts[row] for row in rows])
        given = as_rows(x, name="x")[rows].detach().double().cpu().numpy()
        if given.shape != fresh.shape:
            raise ValueError(f"x must have {fresh.shape[1]} columns as the encoder's vectors, got {given.shape[1]}")
        for row, own, other in zip(rows, fresh.astype(np.float64), given, strict=True):
            lengths = np.linalg.norm(own), np.linalg.norm(other)
            if not own @ other > 0.99 * math.prod(lengths):
                raise ValueError(f"x: row {row} is not the vector that {self.encoder.name} has for text {row}")
        lengths = np.linalg.norm(given, axis=1)
        if np.allclose(lengths, np.linalg.norm(fresh, axis=1), rtol=0.01):
            self.normalize = self.normalize and np.allclose(lengths, 1, rtol=0.01)
        elif np.allclose(lengths, 1, rtol=0.01):
            self.normalize = True
        else:
            raise ValueError(f"x: rows must have the encoder's lengths or 1, row 0 has {lengths[0]:.4g}")

    def left_out(self, text: str, *, wanted: Callable[[], bool] = lambda: True) -> list[LeftOut] | None:
        """Every token with 1 less the cosine of the text without its characters to the text.

        Of a text that is cut at the model's length only the part that is read counts. None as soon as it is not
        `wanted` any more.
        """
        found = self.spans(text)
        read = text if self.count(text) <= self.encoder.settings.max_length else text[: _end(found)]
        whole = unit(self.vectors([read]))[0]
        effects: list[float] = []
        for some in _batches(found):
            if not wanted():
                return None
            rests = [read[:start] + read[end:] for start, end in some]
            effects += (1 - unit(self.vectors(rests)) @ whole).clamp(0, 2).tolist()
        return [LeftOut(read[a:b], a, b, effect) for (a, b), effect in zip(found, effects, strict=True)]


def _spans(encoder: Encoder, text: str) -> list[tuple[int, int]]:
    if not encoder.tokenizer.is_fast:
        raise ValueError(f"{type(encoder.tokenizer).__name__} gives no offsets: tokens need a fast tokenizer")
    before = len(encoder.settings.prompt)
    pairs = tokenize(encoder.tokenizer, [text], encoder.settings)["offset_mapping"][0]
    moved = [(max(0, start - before), end - before) for start, end in pairs]
    return list(dict.fromkeys((a, min(b, len(text))) for a, b in moved if a < min(b, len(text))))


def _end(found: list[tuple[int, int]]) -> int:
    return max((end for _, end in found), default=0)


def _batches(found: list[tuple[int, int]]) -> Iterator[list[tuple[int, int]]]:
    return (found[k : k + AT_ONCE] for k in range(0, len(found), AT_ONCE))
