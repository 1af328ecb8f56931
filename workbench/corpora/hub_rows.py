"""Rows of a set from the hub: its Parquet and JSON files, read with `datasets` from the folder in the hub cache."""

import gzip
import json
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

__all__ = ["DATA_FILES", "configurations", "read_split", "stated_rows", "texts"]

DATA_FILES = ("*.parquet", "*.jsonl", "*.json", "*.jsonl.gz", "*.json.gz")

Rows = dict[str, list[Any]]

_NAMES = {"dev": ("dev", "validation")}  # how the hub may call our split


def configurations(where: str, folder: Path) -> list[str]:
    """Names of the configurations in `folder`.

    Raises:
        ValueError: no Parquet or JSON file is there, or its README does not describe the set.
    """
    import datasets

    _need_data(where, folder)
    try:
        return datasets.get_dataset_config_names(str(folder))
    except (OSError, ValueError) as broken:
        raise ValueError(f"{where}: its README must say which file is which split: {broken}") from broken


def read_split(where: str, folder: Path, config: str | None, split: str, *, alone: bool = False) -> Rows:
    """Column -> values of one split of one configuration (None: the default) of the files in `folder`.

    `split` is ours: 'dev' may be 'validation' there. With `alone`, the only split there is stands for any.

    Raises:
        ValueError: no Parquet or JSON file is there, no such configuration or split, no rows, or a torn or foreign
            file; the message names the file.
    """
    import datasets
    import pyarrow as pa
    from datasets.exceptions import DatasetsError

    _need_data(where, folder)
    table = f"{where}: {config or 'its table'}, split {split!r}"
    try:
        # a stream reads the files themselves: no second copy on the disk that could be torn or stale
        held: Any = datasets.load_dataset(str(folder), name=config, streaming=True)
        there = list(held)
        named = next((name for name in _NAMES.get(split, (split,)) if name in there), None)
        if named is None and alone and len(there) == 1:
            named = there[0]
        rows = _gathered(held[named].iter(batch_size=10_000)) if named else {}
    except (OSError, EOFError, ValueError, TypeError, zlib.error, pa.ArrowException, DatasetsError) as broken:
        raise ValueError(f"{table}: {_torn(folder) or broken}") from broken
    if named is None:
        raise ValueError(f"{where} has no split {split!r}; it has {there}")
    if not rows:
        raise ValueError(f"{table} must have rows")
    return rows


def texts(where: str, rows: Rows, column: str, *, ids: bool = False) -> list[str]:
    """The texts of a column; with `ids`, whole numbers become texts.

    Raises:
        ValueError: no such column, or a row that is null or no text; the message names column and row.
    """
    stated_rows(where, rows, (column,))
    found = [str(value) if ids and type(value) is int else value for value in rows[column]]
    for row, value in enumerate(found):
        if not isinstance(value, str):
            rule = "must not be null" if value is None else f"must be a text, got {type(value).__name__}"
            raise ValueError(f"{where}, row {row}: {column} {rule}")
    return found


def stated_rows(where: str, rows: Rows, columns: Iterable[str], *, count: int | None = None) -> None:
    """Checks that `columns` are there and hold `count` rows (None: any number).

    Raises:
        ValueError: a column is missing, the columns are not equally long, or the number of rows is another.
    """
    for column in columns:
        if column not in rows:
            raise ValueError(f"{where} must have column {column!r}, it has {sorted(rows)}")
    lengths = {column: len(values) for column, values in rows.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"{where}: every column holds one value per row, got lengths {lengths}")
    found = next(iter(lengths.values()), 0)
    if count is not None and found != count:
        raise ValueError(f"{where} must have the pinned {count:,} rows, it has {found:,}")


def _need_data(where: str, folder: Path) -> None:
    if not any(next(folder.rglob(pattern), None) for pattern in DATA_FILES):
        raise ValueError(f"{where} must hold Parquet or JSON files (no script of its own is run), {folder} has none")


def _gathered(batches: Iterable[dict[str, Any]]) -> Rows:
    rows: Rows = {}
    for batch in batches:
        for column, values in batch.items():
            rows.setdefault(column, []).extend(values)
    return rows


def _torn(folder: Path) -> str | None:
    """The first file of `folder` that cannot be read to its end, and why; asked only after an error."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    for path in sorted(folder.rglob("*")):
        kind = path.name.removesuffix(".gz").rpartition(".")[2]
        try:
            if kind == "parquet":
                if not sum(len(batch) for batch in pq.ParquetFile(path).iter_batches()):
                    return f"{path.relative_to(folder).as_posix()} must have rows"
            elif kind in ("jsonl", "json"):
                _read_json(path, lines=kind == "jsonl")
        except (OSError, EOFError, ValueError, zlib.error, pa.ArrowException) as broken:
            return f"{path.relative_to(folder).as_posix()} must be a whole {kind} file: {broken}"
    return None


def _read_json(path: Path, *, lines: bool) -> None:
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
        if lines:
            for line in file:
                json.loads(line)
        else:
            json.load(file)
