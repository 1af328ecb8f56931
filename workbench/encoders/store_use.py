"""What the vector store holds, and clearing it."""

import contextlib
import json
import math
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from workbench.encoders.store_files import Spoilt, read_shape
from workbench.encoders.store_upkeep import DAY, alone, counts, entries, remove, spaces, store_folder, sweep

__all__ = ["SpaceUse", "clear_store", "store_report"]


@dataclass(frozen=True)
class SpaceUse:
    """What one space of the store holds: a model under one set of settings."""

    space: str  # name of the folder: first 32 hex digits of the key
    note: dict[str, object]  # what space.json says of model and settings; empty without it
    n_files: int
    n_rows: int
    n_bytes: int  # of everything in the folder
    last_used: datetime  # UTC; when a file was last written, or read for the first time in a process
    damaged: tuple[str, ...]  # names of files put aside, or that their size shows to be torn


def store_report(folder: Path | None = None) -> list[SpaceUse]:
    """What the vector store holds, a `SpaceUse` per space, the one used last first.

    Files are judged by their heads and sizes; a flipped bit shows only when the file is read.
    """
    used = [_use(space) for space in spaces(store_folder(folder))]
    return sorted((use for use in used if use is not None), key=lambda use: use.last_used, reverse=True)


def clear_store(*, space: str | None = None, older_than_days: float | None = None, folder: Path | None = None) -> int:
    """Remove stored vectors, all of them unless told; number of bytes freed.

    What a running encoder holds or is writing stays valid: it encodes again what it does not find.

    Args:
        space: only the space whose name begins so.
        older_than_days: only files not used for that many days.
        folder: where the spaces lie; None: cache/vectors of the project.

    Raises:
        ValueError: no space or several begin so, or `older_than_days` is below 0.
        OSError: the folder cannot be written to.
    """
    if older_than_days is not None and not older_than_days >= 0:
        raise ValueError(f"older_than_days must be 0 or more, got {older_than_days}")
    found = spaces(store_folder(folder))
    if space is not None:
        names = [path.name for path in found]
        found = [path for path in found if path.name.startswith(space)]
        if len(found) != 1:
            raise ValueError(f"space must begin the name of exactly one of {names}, got {space!r}")
    before = math.inf if older_than_days is None else time.time() - older_than_days * DAY
    return sum(_clear(path, before) for path in found)


def _clear(folder: Path, before: float) -> int:
    with alone(folder.parent, wait=60):  # a merge that goes on would bring back what is removed
        freed = sum(remove(p) for p, stat in entries(folder) if counts(p) and stat.st_mtime < before)
    freed += sweep(folder)
    if all(path.name == "space.json" for path, _ in entries(folder)):
        freed += remove(folder / "space.json")
        with contextlib.suppress(OSError):  # somebody put a file there just now
            folder.rmdir()
    return freed


def _use(space: Path) -> SpaceUse | None:
    held = entries(space)
    rows, damaged = [], [path.name for path, _ in held if path.suffix == ".bad"]
    for path, _ in held:
        try:
            if path.suffix == ".rows":
                rows.append(read_shape(path)[0])
        except Spoilt:
            damaged.append(path.name)
        except OSError:  # evicted meanwhile
            continue
    times = [stat.st_mtime for path, stat in held if counts(path)]
    if not times:
        return None
    size = sum(stat.st_size for _, stat in held)
    used = datetime.fromtimestamp(max(times), UTC)
    return SpaceUse(space.name, _note(space), len(rows), sum(rows), size, used, tuple(sorted(damaged)))


def _note(space: Path) -> dict[str, object]:
    try:
        note = json.loads((space / "space.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}
