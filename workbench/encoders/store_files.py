"""The files of the vector store: rows under the keys they are found by, whole or refused.

A file holds magic, number of rows and columns, SHA-256 of the rest, the keys (32 bytes each), the float32
rows. Its name is that SHA-256, and it is written under a temporary name and renamed. It is checked whole
before any row of it is used: a torn, shortened, foreign or flipped file is refused.
"""

import hashlib
import os
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from workbench.home import replacing

__all__ = ["KEY_BYTES", "Spoilt", "file_size", "put_aside", "read_keys", "read_rows", "read_shape", "write_rows"]

KEY_BYTES = 32  # of a SHA-256
_MAGIC = b"WBROWS01"
_HEAD = struct.Struct("<8sQQ32s")
_KEY = np.dtype(f"V{KEY_BYTES}")


class Spoilt(ValueError):
    """A file that is not what was written; its text says how."""


def file_size(n: int, width: int) -> int:
    """Bytes of a file of `n` rows of `width` columns."""
    return _HEAD.size + n * (KEY_BYTES + 4 * width)


def read_shape(path: Path) -> tuple[int, int]:
    """Number and width of the rows, from the head and the size alone.

    Raises:
        Spoilt: no such file of whole length.
        OSError: the file is gone or cannot be read.
    """
    with path.open("rb") as file:
        return _head(file.read(_HEAD.size), os.fstat(file.fileno()).st_size)[:2]


def read_keys(path: Path) -> tuple[np.ndarray, int]:
    """Keys (n,) of 32 bytes each, and the width of the rows; from the head and the size alone, nothing is hashed.

    Raises:
        Spoilt: no such file of whole length.
        OSError: the file is gone or cannot be read.
    """
    with path.open("rb") as file:
        n, width, _ = _head(file.read(_HEAD.size), os.fstat(file.fileno()).st_size)
        keys = np.frombuffer(file.read(n * KEY_BYTES), dtype=_KEY)
    if len(keys) != n:
        raise Spoilt("cut short or grown")
    return keys, width


def read_rows(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Keys (n,) and float32 rows (n, width), read-only, of a file whose bytes are those that were written.

    Raises:
        Spoilt: anything else.
        OSError: the file is gone or cannot be read.
    """
    content = path.read_bytes()
    n, width, digest = _head(content[: _HEAD.size], len(content))
    if hashlib.sha256(memoryview(content)[_HEAD.size :]).digest() != digest:
        raise Spoilt("not what was written")
    keys = np.frombuffer(content, dtype=_KEY, count=n, offset=_HEAD.size)
    return keys, np.frombuffer(content, dtype="<f4", offset=_HEAD.size + n * KEY_BYTES).reshape(n, width)


def write_rows(folder: Path, keys: Sequence[np.ndarray], rows: Sequence[np.ndarray]) -> Path:
    """One file of the blocks of keys (n_i,) and their rows (n_i, width), one behind the other.

    Raises:
        OSError: the disk or the folder takes no more; nothing is left behind.
    """
    blocks = [np.ascontiguousarray(block).view(np.uint8).data for block in keys]
    blocks += [np.ascontiguousarray(block, dtype="<f4").view(np.uint8).data for block in rows]
    digest = hashlib.sha256()
    for block in blocks:
        digest.update(block)
    path = folder / f"{digest.hexdigest()}.rows"
    with replacing(path) as file:
        file.write(_HEAD.pack(_MAGIC, sum(map(len, keys)), rows[0].shape[1], digest.digest()))
        for block in blocks:
            file.write(block)
    return path


def put_aside(path: Path) -> bool:
    """Whether this process took the file out of the store, as .bad, rather than another one before it.

    Raises:
        OSError: the folder cannot be written to.
    """
    try:
        path.replace(path.with_suffix(".bad"))
    except FileNotFoundError:
        return False
    return True


def _head(head: bytes, size: int) -> tuple[int, int, bytes]:
    if len(head) < _HEAD.size:
        raise Spoilt("shorter than its header")
    magic, n, width, digest = _HEAD.unpack(head)
    if magic != _MAGIC or not width:
        raise Spoilt("not a file of this store")
    if size != file_size(n, width):
        raise Spoilt("cut short or grown")
    return n, width, digest
