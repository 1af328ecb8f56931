"""The vector store: rows found again by what they are made of, shared between processes, within a limit of size.

A folder per space (a model under one set of settings) holds files of rows and a space.json that says in words
what the space is. Nothing is ever changed in place: files are written whole, merged and removed, and whoever
meets a file that is gone or spoilt encodes its rows again.
"""

import contextlib
import hashlib
import json
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from workbench.encoders.store_files import KEY_BYTES, Spoilt, put_aside, read_keys, read_rows, write_rows
from workbench.encoders.store_upkeep import evict, merge_small, store_folder, store_limit, sweep
from workbench.home import replacing

__all__ = ["VectorStore", "space_key"]

_RECIPE = 1  # counts up when the way from text to vector changes


def space_key(what: Mapping[str, object]) -> str:
    """SHA-256, in hex, of everything but the text that decides a vector: model, settings, temperature."""
    return hashlib.sha256(json.dumps({"recipe": _RECIPE, **what}, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class _Index:
    """Where the keys of one file lie: 12 bytes a row, so that the keys of millions of rows stay small."""

    prefixes: np.ndarray  # uint64 (n,), the first 8 bytes of each key, sorted
    order: np.ndarray  # uint32 (n,), their rows in the file

    def find(self, prefixes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Which of `prefixes` stand in the file, and in which rows."""
        at = np.minimum(np.searchsorted(self.prefixes, prefixes), len(self.prefixes) - 1)
        asked = np.flatnonzero(self.prefixes[at] == prefixes)
        return asked, self.order[at[asked]]


class VectorStore:
    """Vectors of one model under one set of settings, by text; safe to share between processes.

    Args:
        space: `space_key` of the model and the settings.
        width: columns of every row.
        folder: where the spaces lie; None: cache/vectors of the project.
        note: what the space is, in words, for space.json; never needed for reading.
    """

    def __init__(
        self, space: str, *, width: int, folder: Path | None = None, note: Mapping[str, object] | None = None
    ) -> None:
        self.space, self.width, self.note = space, width, note
        self.folder = store_folder(folder) / space[:32]
        self._files: dict[str, _Index] = {}
        self._left_out: set[str] = set()  # files that are no use and that could not be put aside
        self._touched: set[str] = set()
        self._swept = self._warned = False

    def get(self, texts: Sequence[str]) -> dict[str, np.ndarray]:
        """The rows, float32 (width,), of those `texts` that are stored whole."""
        texts = list(dict.fromkeys(texts))
        keys = self._keys(texts)
        missing = np.arange(len(texts))
        found: dict[str, np.ndarray] = {}
        lost = True
        while lost and len(missing):
            self._scan()
            lost = False  # a file that another process merged meanwhile is looked for again, under its new name
            for name in reversed(list(self._files)):
                asked, places = self._files[name].find(_prefixes(keys[missing]))
                if not len(asked):
                    continue
                stored = self._read(name)
                if stored is None:
                    lost = True
                    continue
                same = stored[0][places] == keys[missing[asked]]
                asked, places = asked[same], places[same]
                found.update(zip([texts[i] for i in missing[asked]], stored[1][places], strict=True))
                missing = np.delete(missing, asked)
        return found

    def put(self, texts: Sequence[str], rows: np.ndarray) -> None:
        """Store one row per text in one file; a disk that takes no more is warned of once, not an error.

        Files that have become many are merged, and those not used for longest go when the store is over its limit.

        Raises:
            ValueError: not one row of `width` per text, a row that is not finite, or WORKBENCH_CACHE_GB is no size.
        """
        if rows.shape != (len(texts), self.width):
            raise ValueError(f"rows must have shape {(len(texts), self.width)}, got {rows.shape}")
        if not np.isfinite(rows).all():
            raise ValueError(f"row {int(np.flatnonzero(~np.isfinite(rows).all(axis=1))[0])} is not finite")
        if not texts:
            return
        limit, keys = store_limit(), self._keys(texts)
        try:
            path = self._write(keys, rows)
        except OSError as error:
            self._warn_once(f"vectors are not kept: {error}")
            return
        self._left_out.discard(path.name)
        self._touched.add(path.name)
        self._files[path.name] = _index(keys)
        with contextlib.suppress(OSError):  # what cannot be done now is done after a later put
            merge_small(self.folder, width=self.width)
            evict(self.folder.parent, limit=limit)

    def _write(self, keys: np.ndarray, rows: np.ndarray) -> Path:
        try:
            self._write_note()
            return write_rows(self.folder, [keys], [rows])
        except FileNotFoundError:  # the store was cleared at this very moment
            self._write_note()
            return write_rows(self.folder, [keys], [rows])

    def _write_note(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / "space.json"
        if self.note is not None and not path.exists():
            with replacing(path) as file:
                file.write(json.dumps({"space": self.space, "width": self.width, **self.note}, indent=1).encode())

    def _keys(self, texts: Sequence[str]) -> np.ndarray:
        whole = b"".join(hashlib.sha256(f"{self.space}\0{text}".encode()).digest() for text in texts)
        return np.frombuffer(whole, dtype=f"V{KEY_BYTES}")

    def _scan(self) -> None:
        """Learn the keys of files that came since the last look, and forget files that went."""
        if not self._swept:
            self._swept = True
            sweep(self.folder)
        try:
            there = {path.name for path in self.folder.iterdir() if path.suffix == ".rows"} - self._left_out
        except OSError:  # no such folder yet, or one that is closed to us
            there = set()
        for name in self._files.keys() - there:
            del self._files[name]
        for name in sorted(there - self._files.keys()):
            try:
                keys, width = read_keys(self.folder / name)
                if width != self.width:
                    raise Spoilt("not a file of this store")
            except (Spoilt, OSError) as error:
                self._leave_out(name, error)
            else:
                if len(keys):
                    self._files[name] = _index(keys)

    def _read(self, name: str) -> tuple[np.ndarray, np.ndarray] | None:
        path = self.folder / name
        try:
            stored = read_rows(path)
        except (Spoilt, OSError) as error:
            self._leave_out(name, error)
            return None
        if name not in self._touched:
            self._touched.add(name)
            with contextlib.suppress(OSError):  # a folder that we only read
                os.utime(path)
        return stored

    def _leave_out(self, name: str, error: Spoilt | OSError) -> None:
        """Go on without a file: it was removed by another process, or it is no use to anybody."""
        self._files.pop(name, None)
        if isinstance(error, FileNotFoundError):
            return
        path = self.folder / name
        if isinstance(error, OSError):
            self._left_out.add(name)
            warnings.warn(f"{path} cannot be read, its rows are encoded again: {error}", stacklevel=2)
            return
        try:
            first, done = put_aside(path), "put aside as .bad, "
        except OSError:
            self._left_out.add(name)
            first, done = True, ""
        if first:
            warnings.warn(f"{path} is {error}: {done}its rows are encoded again", stacklevel=2)

    def _warn_once(self, words: str) -> None:
        if not self._warned:
            self._warned = True
            warnings.warn(words, stacklevel=3)


def _prefixes(keys: np.ndarray) -> np.ndarray:
    return keys.view(np.uint64)[:: KEY_BYTES // 8]


def _index(keys: np.ndarray) -> _Index:
    prefixes = _prefixes(keys)
    order = np.argsort(prefixes, kind="stable")
    return _Index(prefixes[order], order.astype(np.uint32))
