"""An encoder, the texts of a corpus among its vectors, and the text that is read among them."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from torch import Tensor

from workbench.encoders import Encoder
from workbench.widgets.live_corpus import LiveCorpus
from workbench.widgets.live_reader import LiveReader
from workbench.widgets.map_columns import as_texts

__all__ = ["LiveResult", "LiveState", "Settings"]

AT_ONCE = 16  # texts of the corpus that are embedded before edits get their turn
TIMED = 32  # texts whose embedding is timed for an estimate

Settings = tuple[float, str]  # attention temperature and pooling


@dataclass(frozen=True, eq=False)
class LiveResult:
    """An edited text among the texts of the corpus.

    Attributes:
        text: The text, whole; the model reads its first `max_length` tokens.
        vector: As `encode` gives it, float32 (d,).
        point: On the map, float64 (2,).
        neighbours: Ids of the nearest texts (k,), int64, nearest first, and their cosines (k,) in the space itself.
        diagnostics: Name to the number before and after: "norm" (before any scaling to length 1), "depth" (in the
            corpus, 2 less the mean chord), "mean cosine" (to the corpus), "hubness" (how many lists of k neighbours it
            would enter), "tokens" (of the whole text, special ones included).
    """

    text: str
    vector: np.ndarray = field(repr=False)
    point: np.ndarray
    neighbours: tuple[np.ndarray, np.ndarray]
    diagnostics: Mapping[str, tuple[float, float]]


class LiveState:
    """What LiveText knows, without its page.

    Attributes:
        texts: The corpus.
        k: Length of the lists of neighbours.
        reader: Reads texts, under the settings of the edited text.
        corpus: The vectors of the corpus, under `corpus_settings`.
        result: What was read last; None before the first text.
        seconds: What an embedding of the corpus takes, once it was estimated.
        embedding: Whether one is under way; set False, it ends.
    """

    def __init__(self, encoder: Encoder, texts: Sequence, x: np.ndarray | Tensor | None, *, k: int) -> None:
        """Checks before work; see `LiveText`."""
        self.texts = as_texts(texts, len(texts)) or []
        n = len(self.texts)
        if not 1 <= k < n:
            raise ValueError(f"k must be at least 1 and below the number of texts, {n}, got {k}")
        self.reader, self.k = LiveReader(encoder), k
        if x is not None:
            if len(x) != n:
                raise ValueError(f"x must have one row for each of the {n} texts, got {len(x)}")
            self.reader.like(self.texts, x)
        self.corpus = LiveCorpus(encoder.encode(self.texts) if x is None else x, k=k)
        self.corpus_settings = self.settings
        self._corpora = {self.settings: self.corpus}
        self.result: LiveResult | None = None
        self.seconds: float | None = None
        self.embedding = False
        self._lock = threading.RLock()

    @property
    def n(self) -> int:
        """Number of texts of the corpus."""
        return len(self.texts)

    @property
    def last(self) -> LiveResult:
        """What was read last.

        Raises:
            RuntimeError: nothing was.
        """
        if self.result is None:
            raise RuntimeError("no text was read")
        return self.result

    @property
    def settings(self) -> Settings:
        """Under what the edited text is read."""
        return self.reader.temperature, self.reader.pooling

    def read(self, text: str) -> LiveResult:
        """The text among the corpus; see `LiveText.edit`."""
        if not isinstance(text, str):
            raise TypeError(f"text must be a str, got {type(text).__name__}")
        with self._lock:
            raw, corpus = self.reader.vectors([text]), self.corpus
            vector = self.reader.scaled(raw)[0]
            cosines = corpus.cosines(vector)
            numbers = {
                "norm": float(np.linalg.norm(raw[0].astype(np.float64))),
                "depth": corpus.depth(vector, cosines),
                "mean cosine": corpus.mean_cosine(vector),
                "hubness": corpus.hubness(cosines),
                "tokens": float(self.reader.count(text)),
            }
            old = (
                self.result.diagnostics
                if self.result is not None
                else {name: (now, now) for name, now in numbers.items()}
            )
            pairs = MappingProxyType({name: (old[name][1], now) for name, now in numbers.items()})
            self.result = LiveResult(text, vector, corpus.place(vector), corpus.nearest(cosines), pairs)
            return self.result

    def follow(self) -> bool:
        """Takes the corpus that was embedded under the present settings, where there is one; whether it is another."""
        with self._lock:
            known = self._corpora.get(self.settings)
            if known is None or known is self.corpus:
                return False
            self.corpus, self.corpus_settings = known, self.settings
            return True

    def estimate(self) -> float:
        """Seconds that `embed` will take, from the time for up to 32 texts; measured once."""
        if self.seconds is None:
            some = np.unique(np.linspace(0, self.n - 1, min(TIMED, self.n)).astype(int))
            begun = time.monotonic()
            self.reader.vectors([self.texts[row] for row in some])
            self.seconds = (time.monotonic() - begun) * self.n / len(some)
        return self.seconds

    def embed(self, progress: Callable[[int], object]) -> bool:
        """Embeds the corpus under the present settings; False where they changed or `embedding` was set False."""
        settings, self.embedding = self.settings, True
        try:
            order = np.argsort([len(text) for text in self.texts], kind="stable")
            rows = np.empty((self.n, self.corpus.width), np.float32)
            for start in range(0, self.n, AT_ONCE):
                some = order[start : start + AT_ONCE]
                rows[some] = self.reader.vectors([self.texts[row] for row in some])
                progress(min(start + AT_ONCE, self.n))
                if not self.embedding or self.settings != settings:
                    return False
        finally:
            self.embedding = False
        corpus, first = LiveCorpus(self.reader.scaled(rows), k=self.k), next(iter(self._corpora))
        with self._lock:
            self._corpora = {first: self._corpora[first], settings: corpus}
        return True
