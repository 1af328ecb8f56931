"""What is said of the points of a map, checked and brought into the form in which it travels to the page."""

import math
from base64 import b16decode
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from numbers import Real

import numpy as np

from workbench.plots.style import COLOURS

__all__ = ["Colouring", "Frame", "as_colouring", "as_ids", "as_points", "as_sizes", "as_texts"]

MOST = 4_000_000  # points
MISSING = 255  # code of a point without a value
LISTED = 30  # labels in the legend; the rarer ones share an entry
NESTED = (list, tuple, dict, set, np.ndarray)
GONE = {type(None)}
LONGEST = 60  # characters of a label that are shown

DARK_COLOURS = tuple({"#000000": "#F2F2F2", "#0072B2": "#3D9BE0"}.get(tint, tint) for tint in COLOURS)
# Cividis (Nunez et al. 2018), without the end that is lost on the ground: on white the palest, on black the darkest
LIGHT_SCALE = ("#00224E", "#123570", "#3B496C", "#575D6D", "#707173", "#8A8678", "#A59C74", "#C3B369", "#DFCA55")
DARK_SCALE = ("#4B5F95", "#66708A", "#7F807F", "#999378", "#B3A772", "#CDBB65", "#E6CF52", "#FEE838")


@dataclass(frozen=True)
class Frame:
    """Where the points lie: the page knows them as (p - centre) / half, within [-1, 1] when the frame was made."""

    x: float
    y: float
    half: float

    @classmethod
    def around(cls, points: np.ndarray) -> "Frame":
        """The frame of these points; around no point, or around several in one place, it has the half-width 1."""
        if len(points) == 0:
            return cls(0.0, 0.0, 1.0)
        low, high = (np.array([end(points[:, k]) for k in (0, 1)]) for end in (np.min, np.max))
        half = float((high / 2 - low / 2).max())  # halves first: the range of two huge numbers may overflow
        centre = low / 2 + high / 2
        return cls(float(centre[0]), float(centre[1]), half or max(1.0, float(np.abs(centre).max()) * 1e-9))

    def holds(self, points: np.ndarray) -> bool:
        """Whether these points, too, can be told apart in this frame, so that it may stay as it is."""
        other = Frame.around(points)
        far = max(abs(other.x - self.x), abs(other.y - self.y)) / self.half
        return len(points) > 0 and far <= 8 and 1 / 8 <= other.half / self.half <= 8

    def placed(self, points: np.ndarray) -> np.ndarray:
        """The points in this frame, float32 (n, 2)."""
        return ((points - np.array([self.x, self.y])) / self.half).astype("<f4")


@dataclass(frozen=True)
class Colouring:
    """A column as colours: a code for every point, uint8 (n,), 255 where there is no value, and what the codes mean."""

    codes: np.ndarray
    form: str  # "none" | "labels" | "numbers"
    name: str
    kinds: tuple[tuple[str, int], ...] = ()  # labels by code, with their counts
    low: str = ""
    high: str = ""

    @property
    def missing(self) -> int:
        """How many points have no value."""
        return int((self.codes == MISSING).sum())

    @property
    def tints(self) -> dict[str, tuple[str, ...]]:
        """Colours on a light and on a dark ground: one for each code, or the stops of the scale."""
        if self.form == "numbers":
            return {"light": LIGHT_SCALE, "dark": DARK_SCALE}
        return {"light": COLOURS, "dark": DARK_COLOURS}

    def legend(self) -> dict[str, object]:
        """What the page needs beside the codes."""
        kinds = [{"code": code, "label": label, "count": n} for code, (label, n) in enumerate(self.kinds)]
        ends = {"low": self.low, "high": self.high, "missing": self.missing}
        return {"form": self.form, "name": self.name, "kinds": kinds, "tints": self.tints} | ends

    def table(self) -> np.ndarray:
        """Colour of every code on white, uint8 (256, 3)."""
        stops = np.array([list(b16decode(tint[1:])) for tint in self.tints["light"]], dtype=float)
        table = np.full((256, 3), 130.0)
        if self.form == "numbers":
            at = np.linspace(0, len(stops) - 1, 255)
            table[:255] = np.stack([np.interp(at, np.arange(len(stops)), stops[:, k]) for k in range(3)], axis=1)
        else:
            table[: len(stops)] = stops
        table[MISSING] = 115.0
        return table.astype(np.uint8)


def as_points(points: np.ndarray | Sequence) -> np.ndarray:
    """The points as float64 (n, 2).

    Raises:
        TypeError: not real numbers.
        ValueError: not of shape (n, 2), more than 4,000,000, or a coordinate that is not finite.
    """
    array = np.asarray(points)
    if array.size == 0 and array.ndim < 2:
        array = array.reshape(0, 2)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"points must be real numbers, got {array.dtype}")
    if array.ndim != 2 or array.shape[1] != 2:
        raise ValueError(f"points must have shape (n, 2), got {array.shape}")
    if len(array) > MOST:
        raise ValueError(f"a map draws at most {MOST:,} points, got {len(array):,}")
    finite = np.isfinite(array)
    if not finite.all():
        row = int(finite.all(axis=1).argmin())
        raise ValueError(f"points must be finite, got {array[row].tolist()} in row {row}")
    return array.astype(np.float64)


def as_sizes(sizes: np.ndarray | Sequence, n: int) -> np.ndarray:
    """Sizes as uint8 (n,): 0 the smallest number, 255 the largest; diameters are drawn from 0.5 to 2.5 times the usual.

    Raises:
        TypeError: not real numbers.
        ValueError: not one per point, or one that is not finite.
    """
    array = np.asarray(sizes)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"sizes must be real numbers, got {array.dtype}")
    _same_length("sizes", array, n)
    if not np.isfinite(array).all():
        row = int(np.isfinite(array).argmin())
        raise ValueError(f"sizes must be finite, got {array[row]} in row {row}")
    return _levels(array.astype(np.float64), 255)[0]


def as_colouring(values: np.ndarray | Sequence | None, n: int, *, name: str = "") -> Colouring:
    """Codes and legend of a column: numbers by a scale from the lowest to the highest, anything else as labels.

    True and False are labels. None and NaN are missing. Seven labels, the most frequent, have colours of their own, 30
    a line in the legend.

    Raises:
        TypeError: dates, complex numbers or arrays in a column.
        ValueError: not one value per point, or an infinite number.
    """
    if values is None:
        return Colouring(np.zeros(n, np.uint8), "none", name)
    array = values if isinstance(values, np.ndarray) else _column(list(values))
    _same_length("colour", array, n)
    if array.dtype.kind in "iuf":
        return _numbers(array.astype(np.float64), name)
    if array.dtype.kind not in "bOUS":
        raise TypeError(f"colour must be numbers or labels, got {array.dtype}")
    listed = array.tolist()
    kinds = set(map(type, listed))
    _refuse_nested(listed, kinds)
    gone = [_is_gone(v) for v in listed] if any(not issubclass(k, str | bytes | bool | int) for k in kinds) else None
    known = {k for k in kinds if k not in GONE}
    if known and all(issubclass(k, Real) and not issubclass(k, bool) for k in known):
        return _numbers(np.array([math.nan if _is_gone(v) else float(v) for v in listed]), name)
    return _labels(listed, gone, name)


def as_texts(texts: Sequence | None, n: int) -> list[str] | None:
    """The texts as a list; None stays None.

    Raises:
        TypeError: a text that is not str.
        ValueError: not one per point.
    """
    if texts is None:
        return None
    if isinstance(texts, str) or len(texts) != n:
        raise ValueError(f"texts must have one entry for each of the {n} points, got {len(texts)}")
    kept = list(texts)
    for row, text in enumerate(kept):
        if not isinstance(text, str):
            raise TypeError(f"texts must be str, got {type(text).__name__} in row {row}")
    return kept


def as_ids(ids: np.ndarray | Iterable, n: int) -> np.ndarray:
    """Ids in rising order, each once, int64.

    Raises:
        TypeError: not whole numbers in one row.
        ValueError: an id below 0, or n and more.
    """
    array = np.asarray(ids if isinstance(ids, np.ndarray) else list(ids))
    if array.size == 0:
        return np.zeros(0, np.int64)
    if array.dtype.kind not in "iu" or array.ndim != 1:
        raise TypeError(f"ids must be whole numbers in one row, got {array.dtype} of shape {array.shape}")
    wrong = array[(array < 0) | (array >= n)]
    if len(wrong):
        raise ValueError(f"ids must lie in 0..{n - 1}, got {int(wrong[0])}")
    return np.unique(array).astype(np.int64)


def _column(listed: list) -> np.ndarray:
    """The entries one by one: no array is made of what they contain."""
    array = np.empty(len(listed), dtype=object)
    for row, value in enumerate(listed):
        array[row] = value
    return array


def _refuse_nested(listed: list, kinds: set[type]) -> None:
    if any(issubclass(k, NESTED) for k in kinds):
        row = next(row for row, value in enumerate(listed) if isinstance(value, NESTED))
        raise TypeError(f"colour must hold one number or label a row, got {type(listed[row]).__name__} in row {row}")


def _is_gone(value: object) -> bool:
    return type(value) in GONE or (isinstance(value, Real) and value != value)


def _same_length(name: str, array: np.ndarray, n: int) -> None:
    if array.ndim != 1 or len(array) != n:
        raise ValueError(f"{name} must have one entry for each of the {n} points, got shape {array.shape}")


def _levels(values: np.ndarray, most: int) -> tuple[np.ndarray, float, float]:
    """Values between the lowest and the highest as 0 to `most`, NaN as 255; and the two ends, NaN without a value."""
    known = ~np.isnan(values)
    codes = np.full(len(values), MISSING, np.uint8)
    if not known.any():
        return codes, math.nan, math.nan
    low, high = float(values[known].min()), float(values[known].max())
    half = high / 2 - low / 2
    shares = (values[known] / 2 - low / 2) / half if half > 0 else np.full(int(known.sum()), 0.5)
    codes[known] = np.round(shares * most).astype(np.uint8)
    return codes, low, high


def _numbers(values: np.ndarray, name: str) -> Colouring:
    if np.isinf(values).any():
        row = int(np.isinf(values).argmax())
        raise ValueError(f"colour must be finite or NaN, got {values[row]} in row {row}")
    codes, low, high = _levels(values, 254)
    ends = ("", "") if math.isnan(low) else (f"{low:.4g}", f"{high:.4g}")
    return Colouring(codes, "numbers", name, (), *ends)


def _word(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _labels(listed: list, gone: list[bool] | None, name: str) -> Colouring:
    words = listed if set(map(type, listed)) == {str} else list(map(_word, listed))
    counts = Counter(words if gone is None else (w for w, g in zip(words, gone, strict=True) if not g))
    ranked = sorted(counts, key=lambda word: (-counts[word], word))
    own = ranked if len(ranked) <= LISTED else ranked[: LISTED - 1]
    places = dict.fromkeys(words, 0) | {word: min(place, LISTED - 1) for place, word in enumerate(ranked)}
    codes = np.fromiter(map(places.__getitem__, words), dtype=np.uint8, count=len(words))
    if gone is not None:
        codes[np.array(gone, dtype=bool)] = MISSING
    kinds = [(word[:LONGEST], counts[word]) for word in own]
    if len(ranked) > LISTED:
        kinds.append((f"{len(ranked) - len(own):,} more labels", sum(counts[w] for w in ranked[len(own) :])))
    return Colouring(codes, "labels", name, tuple(kinds))
