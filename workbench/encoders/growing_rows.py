"""Rows that are written a window at a time: what is on the disk stays, and the next run goes on behind it."""

import contextlib
import errno
import io
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from workbench.home import replacing

__all__ = ["KEY_FIELD", "GrowingRows"]

KEY_FIELD = b"workbench.key"  # of a .parquet target's metadata
_MADE_BY = "workbench encode_file"


class GrowingRows:
    """The float32 rows of a `target`, kept in .TARGET.part (an .npy) until they are all there.

    TARGET.json says in words what the rows are, how many there will be and how many are done; it is replaced
    whole, after the rows it counts are on the disk. It stays beside the finished target, and makes it known again.

    Args:
        target: the file to be, .npy or .parquet.
        key: says what the rows are made of; rows under another key are begun anew.
        width: columns of every row.
        about: what people read in TARGET.json; `source` is the name of the file that the texts come from.
    """

    def __init__(self, target: Path, *, key: str, width: int, about: Mapping[str, object]) -> None:
        self.target, self.key, self.width, self.about = target, key, width, about
        self.n_rows = self.done = self._head = 0
        self._file: BinaryIO = io.BytesIO()

    @property
    def note(self) -> Path:
        """TARGET.json, beside the target."""
        return self.target.with_name(f"{self.target.name}.json")

    @property
    def part(self) -> Path:
        """The rows so far, beside the target."""
        return self.target.with_name(f".{self.target.name}.part")

    def is_finished(self) -> bool:
        """Whether the target was made whole under this key.

        Raises:
            FileExistsError: the target or TARGET.json is there and is something else.
        """
        note = self._read_note()
        if not self.target.exists():
            return False
        done = note.get("rows", 0) if note.get("key") == self.key and note.get("rows") == note.get("done") else 0
        if not (done and _holds(self.target, done, self.width, self.key)):
            raise FileExistsError(self.refusal(self.target))
        return True

    def refusal(self, path: Path) -> str:
        """The sentence for a file that is in the way."""
        return (
            f"{path} was not made from {self.about['source']} with this encoder and these settings, and is not "
            "overwritten: move it away, or name another target"
        )

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """One process at a time writes a target.

        Raises:
            OSError: another one does.
        """
        from filelock import FileLock, Timeout

        lock = FileLock(self.target.with_name(f".{self.target.name}.lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise OSError(errno.EBUSY, f"another process writes {self.target}: wait for it") from None
        try:
            yield
        finally:
            with contextlib.suppress(OSError):  # Windows does not remove what is open
                Path(lock.lock_file).unlink()
            lock.release()

    @contextlib.contextmanager
    def opened(self, n: int) -> Iterator[None]:
        """The part of `n` rows is open inside the block, cut behind the rows that are done.

        Raises:
            OSError: the disk has no room for the rest.
        """
        head = _npy_head(n, self.width)
        self.n_rows, self._head, self.done = n, len(head), self._usable(n, head)
        self._check_room()
        with self.part.open("r+b" if self.done else "w+b") as file:
            if not self.done:
                file.write(head)
            file.truncate(self._head + self.done * 4 * self.width)
            self._file = file
            yield

    def append(self, rows: np.ndarray) -> None:
        """Rows (m, width) behind those that are done, and then a note that counts them."""
        self._file.seek(self._head + self.done * 4 * self.width)
        self._file.write(np.ascontiguousarray(rows, dtype="<f4").data)
        self._file.flush()
        os.fsync(self._file.fileno())
        self.done += len(rows)
        note = {"made by": _MADE_BY, **self.about, "rows": self.n_rows, "done": self.done, "key": self.key}
        with replacing(self.note) as file:
            file.write(json.dumps(note, indent=1).encode())

    def read(self, start: int, stop: int) -> np.ndarray:
        """Rows `start` to `stop`, float32 (stop - start, width)."""
        size = 4 * self.width
        self._file.seek(self._head + start * size)
        return np.frombuffer(self._file.read((stop - start) * size), dtype="<f4").reshape(stop - start, self.width)

    def _read_note(self) -> dict[str, Any]:
        try:
            note = json.loads(self.note.read_bytes())
        except FileNotFoundError:
            return {}
        except ValueError:
            note = None
        if not isinstance(note, dict) or note.get("made by") != _MADE_BY:
            raise FileExistsError(self.refusal(self.note))
        return note

    def _usable(self, n: int, head: bytes) -> int:
        """How many rows of the part are done, under this very key."""
        note = self._read_note()
        done = note.get("done", 0) if (note.get("key"), note.get("rows")) == (self.key, n) else 0
        try:
            with self.part.open("rb") as file:
                whole = file.read(len(head)) == head and self.part.stat().st_size >= len(head) + done * 4 * self.width
        except FileNotFoundError:
            whole = False
        return done if whole else 0

    def _check_room(self) -> None:
        copies = 2 if self.target.suffix.lower() == ".parquet" else 1
        needed = (copies * self.n_rows - self.done) * 4 * self.width
        free = shutil.disk_usage(self.target.parent).free
        if needed > free:
            raise OSError(
                errno.ENOSPC,
                f"{self.n_rows} rows of {self.width} need {needed} bytes more, {free} are free",
                str(self.target),
            )


def _npy_head(n: int, width: int) -> bytes:
    """What an .npy of float32 (n, width) begins with."""
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "<f4", "fortran_order": False, "shape": (n, width)})
    return head.getvalue()


def _holds(path: Path, n: int, width: int, key: str) -> bool:
    """Whether a finished target still is what was written, as far as its head and size tell."""
    if path.suffix.lower() == ".npy":
        head = _npy_head(n, width)
        with path.open("rb") as file:
            return file.read(len(head)) == head and path.stat().st_size == len(head) + n * 4 * width
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            return file.metadata.num_rows == n and (file.schema_arrow.metadata or {}).get(KEY_FIELD) == key.encode()
    except pa.ArrowException:
        return False
