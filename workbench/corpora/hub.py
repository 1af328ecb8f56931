"""Sets from the hub: pinned to one revision, fetched once, then read from the hub cache without a request."""

import dataclasses
import difflib
import hashlib
import json
from pathlib import Path
from typing import Any

from workbench.corpora.base import Record, Source
from workbench.corpora.hub_judged import load_judged_set
from workbench.corpora.hub_rows import DATA_FILES, read_split, stated_rows, texts
from workbench.corpora.pinned import PINNED, Pinned
from workbench.corpora.records import Labels, Pairs
from workbench.hubs import HubRefused, HubUnreachable, cached_snapshot, fetch_snapshot

__all__ = ["hub_fingerprint", "is_cached", "load_hub"]

READER = 1  # raised when the same files would become other rows

_PATTERNS = ("README.md", *DATA_FILES)  # the README says which files are which split; no script is ever fetched


def load_hub(name: str, *, split: str | None = None, subset: str | None = None) -> Record:
    """The pinned set `name` as `Pairs`, `Labels` or `Retrieval`, from the hub cache, else from the hub.

    A split that `PINNED` does not state is taken as the repository has it, its rows uncounted.

    Args:
        name: a key of `PINNED`.
        split: train, dev or test. None takes every pinned split, with its name in the column `split`; a
            `Retrieval` splits its queries, and None takes the first pinned split.
        subset: rows of one value of the column `subset`, or of `lang` where a set has no such column.

    Raises:
        LookupError: no pinned set has this name; `HubUnreachable`, the set is not in the cache and the hub does not
            answer or stops; `HubRefused`, it is gated, or the hub has no such revision. The message states what is
            missing and how to get it.
        ValueError: no such split or subset, a missing column, a null text, a score that is no number, a torn file
            (the message names it), or another number of rows than the pinned one.
    """
    pinned = _pinned(name)
    source = Source(
        name, "hub", pinned.licence, f"{pinned.repo} at {pinned.revision}", hub_fingerprint(name), split, subset
    )
    if pinned.record == "Retrieval" and subset is not None:
        raise ValueError(f"{name} has no subsets, got {subset!r}")
    folder = _folder(name, pinned)
    if pinned.record == "Retrieval":
        return load_judged_set(folder, pinned, source)
    splits = (split,) if split is not None else tuple(pinned.rows)
    if len(splits) == 1:
        source = dataclasses.replace(source, split=splits[0])
    rows = _of_subset(name, _joined([_split(name, pinned, folder, each) for each in splits]), subset)
    held: dict[str, Any] = {field: rows.pop(column) for field, column in pinned.columns.items()}
    if pinned.record == "Labels":
        return Labels(**held, columns=rows, source=source)
    scores = held.pop("scores", [1.0] * len(held["left"]))
    return Pairs(**held, scores=scores, columns=rows, source=source)


def hub_fingerprint(name: str) -> str:
    """Hexadecimal SHA-256 over what decides the rows of the pinned set `name`: no file and no hub is asked.

    Raises:
        LookupError: no pinned set has this name.
    """
    decides = {**dataclasses.asdict(_pinned(name)), "reader": READER}
    for said in ("licence", "task", "languages"):
        del decides[said]
    return hashlib.sha256(json.dumps(decides, sort_keys=True, default=dict).encode()).hexdigest()


def is_cached(name: str) -> bool:
    """Whether the pinned set `name` lies whole in the hub cache; no request is made.

    Raises:
        LookupError: no pinned set has this name.
    """
    return _cached(_pinned(name)) is not None


def _pinned(name: str) -> Pinned:
    if name not in PINNED:
        near = difflib.get_close_matches(name, PINNED, n=1)
        raise LookupError(f"no pinned set is named {name!r}" + (f"; the nearest is {near[0]!r}" if near else ""))
    return PINNED[name]


def _cached(pinned: Pinned) -> Path | None:
    folder = cached_snapshot(pinned.repo, kind="dataset", revision=pinned.revision, patterns=_PATTERNS)
    return folder if folder and any(next(folder.rglob(pattern), None) for pattern in DATA_FILES) else None


def _folder(name: str, pinned: Pinned) -> Path:
    folder = _cached(pinned)
    if folder is not None:
        return folder
    try:
        return fetch_snapshot(pinned.repo, kind="dataset", revision=pinned.revision, patterns=_PATTERNS)
    except (HubRefused, HubUnreachable) as error:
        raise type(error)(_missing(name, pinned, str(error))) from error


def _missing(name: str, pinned: Pinned, why: str) -> str:
    from huggingface_hub import constants

    rows = ", ".join(f"{split} {n:,} rows" if n else split for split, n in pinned.rows.items())
    owner, _, repo = pinned.repo.partition("/")
    return (
        f"{name!r} is not whole in the hub cache {constants.HF_HUB_CACHE}, and {why}. Missing are the Parquet or JSON "
        f"files of the data set {pinned.repo} at revision {pinned.revision} (licence: {pinned.licence}; {rows}). "
        f"Load it once while the hub can be reached, or copy datasets--{owner}--{repo} from another machine's hub "
        f"cache into this one, or put a local set {name}/ under WORKBENCH_DATA"
    )


def _split(name: str, pinned: Pinned, folder: Path, split: str) -> dict[str, list[Any]]:
    where = f"{name}: {split}"
    rows = read_split(name, folder, pinned.config, split)
    stated_rows(where, rows, pinned.columns.values())
    if pinned.nested:
        rows = _unnested(where, rows, tuple(pinned.columns.values()))
    stated_rows(where, rows, pinned.columns.values(), count=pinned.rows.get(split))
    for field, column in pinned.columns.items():
        if field == "scores":
            _numbers(where, rows, column)
        elif field == "labels":
            _classes(where, rows, column)
        else:
            texts(where, rows, column)
    return {**rows, "split": [split] * len(next(iter(rows.values())))}


def _unnested(where: str, rows: dict[str, list[Any]], columns: tuple[str, ...]) -> dict[str, list[Any]]:
    """One row per entry of the lists; of several lists the place is kept in the column `part`."""
    if not all(isinstance(value, list) for column in columns for value in rows[column]):
        return rows
    for part, values in enumerate(zip(*(rows[column] for column in columns), strict=True)):
        if len({len(value) for value in values}) > 1:
            lengths = dict(zip(columns, map(len, values), strict=True))
            raise ValueError(f"{where}, row {part}: its lists must be equally long, got {lengths}")
    flat = {column: [entry for value in rows[column] for entry in value] for column in columns}
    parts = [part for part, value in enumerate(rows[columns[0]]) for _ in value]
    return flat if len(rows[columns[0]]) == 1 else {**flat, "part": parts}


def _numbers(where: str, rows: dict[str, list[Any]], column: str) -> None:
    for row, value in enumerate(rows[column]):
        if not isinstance(value, int | float) or value != value:  # NaN is not equal to itself
            raise ValueError(f"{where}, row {row}: {column} must be a number, never null or NaN, got {value!r}")


def _classes(where: str, rows: dict[str, list[Any]], column: str) -> None:
    for row, value in enumerate(rows[column]):
        if not isinstance(value, int | str):
            raise ValueError(f"{where}, row {row}: {column} must be a whole number or a text, got {value!r}")


def _joined(parts: list[dict[str, list[Any]]]) -> dict[str, list[Any]]:
    columns = dict.fromkeys(column for part in parts for column in part)
    blank = [[None] * len(part["split"]) for part in parts]  # where a split lacks a column that another has
    return {c: [value for part, none in zip(parts, blank, strict=True) for value in part.get(c, none)] for c in columns}


def _of_subset(name: str, rows: dict[str, list[Any]], subset: str | None) -> dict[str, list[Any]]:
    if subset is None:
        return rows
    values = rows.get("subset" if "subset" in rows else "lang", [])
    if subset not in values:
        raise ValueError(f"{name} has no subset {subset!r}; it has {sorted(set(values)) or 'none'}")
    return {c: [value for value, of in zip(held, values, strict=True) if of == subset] for c, held in rows.items()}
