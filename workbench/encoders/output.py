"""Where rows are written: an array in memory, the caller's array, or an .npy file."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

__all__ = ["Out", "open_rows", "written_rows"]

Out = str | os.PathLike | np.ndarray | None


@contextmanager
def open_rows(out: Out, shape: tuple[int, ...]) -> Iterator[np.ndarray]:
    """A float32 array of `shape` to write rows into; an .npy file takes its name only once it is whole.

    Raises:
        ValueError: `out` is an array of another shape, or a path that does not end in .npy.
        TypeError: `out` is an array of another type than float32.
        OSError: the disk has no room for the file.
    """
    if out is None:
        yield np.empty(shape, dtype=np.float32)
    elif isinstance(out, np.ndarray):
        _check_array(out, shape)
        yield out
        if isinstance(out, np.memmap):
            out.flush()
    else:
        path = Path(out)
        if path.suffix != ".npy":
            raise ValueError(f"out must be an array or a path that ends in .npy, got {path}")
        if 0 in shape:  # an empty file cannot be mapped
            np.save(path, np.empty(shape, dtype=np.float32))
            yield np.empty(shape, dtype=np.float32)
            return
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            rows = np.lib.format.open_memmap(part, mode="w+", dtype=np.float32, shape=shape)
            _reserve(part)
            yield rows
            rows.flush()
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


def _reserve(path: Path) -> None:
    """Take the file's blocks now: on a full disk, writing to a map of a file with holes would end the process."""
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)


def written_rows(out: Out, rows: np.ndarray) -> np.ndarray:
    """What the caller gets back: a read-only map of the file, where `out` is a path, else the rows."""
    if out is None or isinstance(out, np.ndarray) or rows.size == 0:
        return rows
    return np.load(Path(out), mmap_mode="r")


def _check_array(out: np.ndarray, shape: tuple[int, ...]) -> None:
    if out.dtype != np.float32:
        raise TypeError(f"out must be float32, got {out.dtype}")
    if out.shape != shape:
        raise ValueError(f"out must have shape {shape}, got {out.shape}")
