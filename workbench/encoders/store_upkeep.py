"""The vector store kept in order: small files merged, the least recently used ones evicted over the limit."""

import contextlib
import math
import os
import re
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from workbench.encoders.store_files import Spoilt, put_aside, read_rows, write_rows
from workbench.home import data_dir

__all__ = [
    "alone",
    "counts",
    "entries",
    "evict",
    "merge_small",
    "remove",
    "spaces",
    "store_folder",
    "store_limit",
    "sweep",
]

LIMIT_VARIABLE = "WORKBENCH_CACHE_GB"
DEFAULT_GB = 20.0
KEPT_SHARE = 0.8  # of the limit, after an eviction: the next ones then stay away for a while
MERGED_BYTES = 64 * 2**20  # a file is read whole, so that files stay well below memory
SMALL_BYTES = MERGED_BYTES // 2  # two small files always fit into a merged one, and a merged one stays merged
MOST_SMALL = 64
DAY = 86400  # seconds
_Entry = tuple[Path, os.stat_result]
_SPACE = re.compile("[0-9a-f]{32}")


def store_folder(folder: Path | None = None) -> Path:
    """Where the spaces lie: `folder`, or cache/vectors of the project."""
    return folder if folder is not None else data_dir() / "cache" / "vectors"


def store_limit() -> int:
    """Bytes that the store may take in all: the environment variable WORKBENCH_CACHE_GB (10^9 bytes), else 20 GB.

    Raises:
        ValueError: the variable is no finite number above 0.
    """
    text = os.environ.get(LIMIT_VARIABLE)
    try:
        size = DEFAULT_GB if text is None else float(text)
    except ValueError:
        size = math.nan
    if not (size > 0 and math.isfinite(size)):
        raise ValueError(f"{LIMIT_VARIABLE} must be a finite number of gigabytes above 0, got {text!r}")
    return max(1, int(size * 1e9))


def sweep(folder: Path) -> int:
    """Remove what killed writers left: temporary files that nobody has touched for a day; bytes freed."""
    return sum(remove(path) for path, stat in entries(folder) if _abandoned(path, stat))


def evict(root: Path, *, limit: int) -> int:
    """Remove the files not used for longest until the spaces take 80 % of `limit`; bytes freed, 0 below the limit.

    Another process that holds a file open or has read it is not disturbed. One process evicts at a time.

    Raises:
        OSError: the folder cannot be written to.
    """
    if _total(root) <= limit:
        return 0
    with alone(root) as held:
        files = [entry for space in spaces(root) for entry in entries(space) if counts(entry[0])]
        left = sum(stat.st_size for _, stat in files)
        if not held or left <= limit:
            return 0
        freed = 0
        # what is damaged serves nobody: it goes first
        for path, _ in sorted(files, key=lambda e: (e[0].suffix == ".rows", e[1].st_mtime_ns, e[0].name)):
            if left - freed <= KEPT_SHARE * limit:
                break
            freed += remove(path)
    return freed


def merge_small(folder: Path, *, width: int) -> int:
    """Merge a space's small files where there are more than 64, into files of at most 64 MB; number of parts merged.

    The merged file is whole before its parts go: a kill in between leaves rows twice, never loses one.

    Raises:
        OSError: the folder or the disk takes no more.
    """
    if len(_small(folder)) <= MOST_SMALL:
        return 0
    with alone(folder.parent) as held:
        small = _small(folder)
        if not held or len(small) <= MOST_SMALL:
            return 0
        return sum(_merge(batch, width) for batch in _batches(small))


def _merge(parts: list[_Entry], width: int) -> int:
    """Write one file of the parts' rows, each key once, then remove the parts."""
    read = {part: stored for part, _ in parts if (stored := _whole(part, width)) is not None}
    if len(read) < 2:
        return 0
    newest = max(stat.st_mtime_ns for part, stat in parts if part in read)
    keys = np.concatenate([stored[0] for stored in read.values()])
    newest_of_key = np.zeros(len(keys), dtype=bool)
    newest_of_key[len(keys) - 1 - np.unique(keys[::-1], return_index=True)[1]] = True
    kept = np.split(newest_of_key, np.cumsum([len(stored[0]) for stored in read.values()])[:-1])
    rows = [part if mask.all() else part[mask] for (_, part), mask in zip(read.values(), kept, strict=True)]
    merged = write_rows(parts[0][0].parent, [keys[newest_of_key]], rows)
    for part in read.keys() - {merged}:
        remove(part)
    with contextlib.suppress(FileNotFoundError):  # cleared meanwhile
        os.utime(merged, ns=(newest, newest))
    return len(read)


def _whole(path: Path, width: int) -> tuple[np.ndarray, np.ndarray] | None:
    try:
        keys, rows = read_rows(path)
        if rows.shape[1] != width:
            raise Spoilt("not a file of this store")
    except FileNotFoundError:
        return None
    except Spoilt as error:
        if put_aside(path):
            warnings.warn(f"{path} is {error}: put aside as .bad, its rows are encoded again", stacklevel=2)
        return None
    return keys, rows


def _small(folder: Path) -> list[_Entry]:
    return [(p, stat) for p, stat in entries(folder) if p.suffix == ".rows" and stat.st_size <= SMALL_BYTES]


def _batches(small: list[_Entry]) -> Iterator[list[_Entry]]:
    """Files that fit into one, the oldest together: what was encoded together is read together."""
    batch: list[_Entry] = []
    size = 0
    for path, stat in sorted(small, key=lambda entry: (entry[1].st_mtime_ns, entry[0].name)):
        if batch and size + stat.st_size > MERGED_BYTES:
            yield batch
            batch, size = [], 0
        batch.append((path, stat))
        size += stat.st_size
    yield batch


def spaces(root: Path) -> list[Path]:
    """Folders of spaces under `root`, by name; nothing else there is ever touched."""
    try:
        return sorted(path for path in root.iterdir() if _SPACE.fullmatch(path.name) and path.is_dir())
    except OSError:
        return []


def entries(folder: Path) -> list[_Entry]:
    """The files of a space with their sizes and times; none where it is gone or closed to us."""
    found = []
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            with contextlib.suppress(OSError):  # removed meanwhile
                found.append((path, path.stat()))
    return found


def counts(path: Path) -> bool:
    """Whether a file counts against the limit: rows, and what was put aside."""
    return path.suffix in (".rows", ".bad")


def _abandoned(path: Path, stat: os.stat_result) -> bool:
    return path.name.startswith(".part-") and time.time() - stat.st_mtime > DAY


def _total(root: Path) -> int:
    return sum(stat.st_size for space in spaces(root) for path, stat in entries(space) if counts(path))


def remove(path: Path) -> int:
    """Remove a file; bytes freed, 0 where another process was first, or holds the file open on Windows."""
    try:
        size = path.stat().st_size
        path.unlink()
    except OSError:
        return 0
    return size


@contextlib.contextmanager
def alone(root: Path, *, wait: float = 0) -> Iterator[bool]:
    """Whether this process alone tends the store inside the block; the lock goes with the process, however it ends."""
    from filelock import FileLock, Timeout

    if not root.is_dir():
        yield False
        return
    lock = FileLock(root / ".lock")
    try:
        lock.acquire(timeout=wait)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()
