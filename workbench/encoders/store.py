"""The vector store: rows found again by what they are made of, in files that are whole or not there.

A file holds the rows of one group: magic, number of rows and columns, SHA-256 of the rest, the keys
(32 bytes each), the float32 rows. It is written under a temporary name and renamed, and it is checked
whole before any row of it is used: a torn, shortened, foreign or flipped file is put aside and its
rows are encoded again.
"""

import contextlib
import hashlib
import json
import struct
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from workbench.home import cache_dir, replacing

__all__ = ["VectorStore", "space_key"]

_MAGIC = b"WBROWS01"
_HEAD = struct.Struct("<8sQQ32s")
_KEY = 32  # bytes of a SHA-256
_DAY = 86400  # seconds
_RECIPE = 1  # counts up when the way from text to vector changes


def space_key(what: Mapping[str, object]) -> str:
    """SHA-256, in hex, of everything but the text that decides a vector: model, settings, temperature."""
    return hashlib.sha256(json.dumps({"recipe": _RECIPE, **what}, sort_keys=True).encode()).hexdigest()


class VectorStore:
    """Vectors of one model under one set of settings, by text; safe to share between processes.

    Args:
        space: `space_key` of the model and the settings.
        width: columns of every row.
        folder: where the files lie; None: data/cache/vectors of the project.
    """

    def __init__(self, space: str, *, width: int, folder: Path | None = None) -> None:
        self.space, self.width = space, width
        self.folder = (folder or cache_dir("vectors")) / space[:32]
        self._scanned: set[str] = set()
        self._places: dict[bytes, tuple[str, int]] = {}

    def get(self, texts: Sequence[str]) -> dict[str, np.ndarray]:
        """The rows, float32 (width,), of those `texts` that are stored whole."""
        self._scan()
        wanted: dict[str, list[tuple[str, int]]] = {}
        for text in texts:
            place = self._places.get(self._key(text))
            if place is not None:
                wanted.setdefault(place[0], []).append((text, place[1]))
        found: dict[str, np.ndarray] = {}
        for name, rows in wanted.items():
            stored = self._read(name)
            if stored is not None:
                found.update((text, stored[row]) for text, row in rows)
        return found

    def put(self, texts: Sequence[str], rows: np.ndarray) -> None:
        """Store one row per text in one file; a disk that takes no more is warned of, not an error.

        Raises:
            ValueError: not one row of `width` per text, or a row that is not finite.
        """
        if rows.shape != (len(texts), self.width):
            raise ValueError(f"rows must have shape {(len(texts), self.width)}, got {rows.shape}")
        if not np.isfinite(rows).all():
            raise ValueError(f"row {int(np.flatnonzero(~np.isfinite(rows).all(axis=1))[0])} is not finite")
        keys = [self._key(text) for text in texts]
        body = b"".join(keys) + np.ascontiguousarray(rows, dtype="<f4").tobytes()
        digest = hashlib.sha256(body).digest()
        name = f"{digest.hex()}.rows"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with replacing(self.folder / name) as file:
                file.write(_HEAD.pack(_MAGIC, len(texts), self.width, digest) + body)
        except OSError as error:
            warnings.warn(f"vectors are not kept: {error}", stacklevel=2)
            return
        self._scanned.add(name)
        self._places.update((key, (name, i)) for i, key in enumerate(keys))

    def _key(self, text: str) -> bytes:
        return hashlib.sha256(f"{self.space}\0{text}".encode()).digest()

    def _scan(self) -> None:
        """Learn the keys of files that came since the last look; rows are read when they are wanted."""
        if not self.folder.is_dir():
            return
        if not self._scanned:
            self._sweep()
        for path in self.folder.glob("*.rows"):
            if path.name in self._scanned:
                continue
            self._scanned.add(path.name)
            self._places.update((key, (path.name, i)) for i, key in enumerate(self._keys(path)))

    def _sweep(self) -> None:
        """Remove what killed writers left: temporary files that nobody has touched for a day."""
        for path in self.folder.glob(".part-*"):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > _DAY:
                    path.unlink()

    def _keys(self, path: Path) -> list[bytes]:
        try:
            with path.open("rb") as file:
                head = file.read(_HEAD.size)
                wrong = self._wrong_head(head, path.stat().st_size)
                keys = file.read(_HEAD.unpack(head)[1] * _KEY) if wrong is None else b""
        except FileNotFoundError:
            return []  # cleared meanwhile
        if wrong is not None:
            self._put_aside(path, wrong)
        return [keys[i : i + _KEY] for i in range(0, len(keys), _KEY)]

    def _read(self, name: str) -> np.ndarray | None:
        try:
            content = (self.folder / name).read_bytes()
        except FileNotFoundError:
            return None  # cleared meanwhile
        wrong = self._wrong_head(content[: _HEAD.size], len(content))
        if wrong is None:
            _, n, _, digest = _HEAD.unpack_from(content)
            if hashlib.sha256(memoryview(content)[_HEAD.size :]).digest() == digest:
                return np.frombuffer(content, dtype="<f4", offset=_HEAD.size + n * _KEY).reshape(n, self.width)
            wrong = "not what was written"
        self._put_aside(self.folder / name, wrong)
        return None

    def _wrong_head(self, head: bytes, size: int) -> str | None:
        if len(head) < _HEAD.size:
            return "shorter than its header"
        magic, n, width, _ = _HEAD.unpack(head)
        if magic != _MAGIC or width != self.width:
            return "not a file of this store"
        return None if size == _HEAD.size + n * (_KEY + 4 * width) else "cut short or grown"

    def _put_aside(self, path: Path, wrong: str) -> None:
        try:
            path.replace(path.with_suffix(".bad"))
        except FileNotFoundError:
            return  # another process was first
        warnings.warn(f"{path} is {wrong}: put aside as .bad, its rows are encoded again", stacklevel=2)
