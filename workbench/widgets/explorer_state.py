"""An Explorer's view as JSON: what is shown, of which vectors, without the vectors or their texts."""

import json
import os
import tempfile
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from workbench.tensors import row_blocks
from workbench.widgets.map_columns import as_ids

__all__ = ["Shown", "fingerprint", "packed", "read", "told", "understood", "unpacked", "write"]

VERSION = 1
LEVELS = 65_535  # steps of a coordinate between the lowest and the highest


@dataclass(frozen=True)
class Shown:
    """What an Explorer shows, but for the place that is looked at.

    Attributes:
        how: name of the projection.
        options: that it was made with.
        points: float64 (n, 2).
        colour: name of the column or measure; None where all points are alike.
        values: its entries; None likewise.
        chosen: the selected ids, rising.
    """

    how: str
    points: np.ndarray
    options: Mapping[str, Any] = field(default_factory=dict)
    colour: str | None = None
    values: Any = None
    chosen: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))


def fingerprint(rows: Tensor) -> str:
    """What tells these vectors (n, d) from others: a digest of dtype, shape and every number."""
    digest = sha256(f"{rows.dtype} {tuple(rows.shape)}".encode())
    for part in row_blocks(len(rows), 4096):
        digest.update(rows[part].detach().contiguous().cpu().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:32]


def packed(points: np.ndarray) -> dict[str, Any]:
    """Coordinates in 65,536 steps between the lowest and the highest, in base64."""
    low, high = points.min(axis=0), points.max(axis=0)
    width = np.where(high > low, high - low, 1.0)
    steps = np.rint((points - low) / width * LEVELS).astype("<u2")
    return {"low": low.tolist(), "high": high.tolist(), "steps": b64encode(steps.tobytes()).decode()}


def unpacked(told: object, n: int) -> np.ndarray:
    """The coordinates (n, 2) of `packed`, to half a step.

    Raises:
        ValueError: of another form or length.
    """
    try:
        form: Any = told
        low, high = (np.array([float(v) for v in form[end]]) for end in ("low", "high"))
        steps = np.frombuffer(b64decode(form["steps"], validate=True), "<u2").reshape(n, 2)
    except (TypeError, KeyError, ValueError) as error:
        raise ValueError(f"state: the points of the map are not {n} rows of two numbers ({error})") from None
    if low.shape != (2,) or high.shape != (2,) or not np.isfinite([low, high]).all():
        raise ValueError("state: the ends of the map must be two finite numbers each")
    return low + steps / LEVELS * np.where(high > low, high - low, 0.0)


def told(shown: Shown, rows: Tensor, *, camera: tuple[float, float, float] | None) -> dict[str, Any]:
    """The state as JSON takes it; the points of a PCA are left out, for it is soon made again."""
    projection: dict[str, Any] = {"how": shown.how, "options": json.loads(json.dumps(dict(shown.options), default=str))}
    return {
        "version": VERSION,
        "fingerprint": fingerprint(rows),
        "projection": projection if shown.how == "pca" else projection | {"points": packed(shown.points)},
        "colour": shown.colour,
        "selection": shown.chosen.tolist(),
        "camera": None if camera is None else list(camera),
    }


def understood(
    state: object, rows: Tensor, *, plane: np.ndarray, colours: Sequence[str]
) -> tuple[Shown, tuple[float, float, float] | None]:
    """What `told` has told, without the values of the colour, and the camera.

    Raises:
        ValueError: of other rows, of another form, or with a colour that is not among `colours`.
    """
    if not isinstance(state, Mapping) or state.get("version") != VERSION:
        raise ValueError(f"state: a saved view of version {VERSION} is needed, got {str(state)[:60]!r}")
    if state.get("fingerprint") != fingerprint(rows):
        raise ValueError("state: it was saved of other vectors, their fingerprint differs")
    projection, colour, ids = state.get("projection"), state.get("colour"), state.get("selection")
    if not isinstance(projection, Mapping) or not isinstance(projection.get("how"), str):
        raise ValueError(f"state: a projection has a name, got {str(projection)[:60]!r}")
    if colour is not None and colour not in colours:
        raise ValueError(f"state: no colour {colour!r} here; there are {', '.join(colours)}")
    if not isinstance(ids, list) or not all(type(i) is int for i in ids):
        raise ValueError("state: the selection must be a list of ids")
    how, options = projection["how"], projection.get("options")
    points = plane if how == "pca" else unpacked(projection.get("points"), len(rows))
    chosen = as_ids(np.array(ids, dtype=np.int64), len(rows))
    options = options if isinstance(options, Mapping) else {}
    return Shown(how, points, options, colour, None, chosen), _camera(state.get("camera"))


def _camera(place: object) -> tuple[float, float, float] | None:
    if place is None:
        return None
    numbers = [float(v) if type(v) in (int, float) else np.nan for v in place] if isinstance(place, list) else []
    if len(numbers) != 3 or not np.isfinite(numbers).all():
        raise ValueError(f"state: a camera is three finite numbers, got {str(place)[:60]}")
    x, y, scale = numbers
    if scale <= 0:
        raise ValueError(f"state: a camera has pixels per unit above 0, got {scale}")
    return x, y, scale


def write(state: Mapping[str, Any], path: str | os.PathLike) -> Path:
    """Writes the state as JSON; the file is there as a whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    target = Path(path)
    number, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(number, "w", encoding="utf-8") as file:
            json.dump(state, file)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(target)
    finally:
        Path(name).unlink(missing_ok=True)
    return target


def read(path: str | os.PathLike) -> dict[str, Any]:
    """The state in the file.

    Raises:
        ValueError: no JSON object.
        OSError: it cannot be read.
    """
    try:
        state = json.loads(Path(path).read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} holds no saved view: {error}") from None
    if not isinstance(state, dict):
        raise ValueError(f"{path} holds no saved view: a JSON object is needed, got {type(state).__name__}")
    return state
