"""A table of the user as a record: .csv, .tsv, .jsonl or .parquet, every column kept."""

import csv
import difflib
import hashlib
import io
import json
from pathlib import Path
from typing import Any

from workbench.corpora.base import Record, Source
from workbench.corpora.records import Corpus, Labels

__all__ = ["SUFFIXES", "load_table", "table_fingerprint"]

SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")
Columns = dict[str, list[Any]]


def load_table(path: Path, *, text: str | None, label: str | None, split: str | None, subset: str | None) -> Record:
    """The file's rows as `Corpus`, or as `Labels` when `label` names a column; other columns are kept.

    Values of .csv and .tsv stay texts. The first line of these names the columns.

    Raises:
        ValueError: a missing, unreadable, torn or empty file, bytes that are not UTF-8 (with their position),
            another kind of file, an unknown column (with the nearest name), a null text (with its row), an
            unknown split or subset.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f"{path.name} must be one of {', '.join(SUFFIXES)}")
    raw = _bytes(path)
    columns = _READERS[path.suffix.lower()](path.name, raw)
    if text is None:
        raise ValueError(f"{path.name}: text must name the column of the texts, one of {list(columns)}")
    for option in (text, label):
        if option is not None and option not in columns:
            near = difflib.get_close_matches(option, columns, n=1)
            raise ValueError(
                f"{path.name} has no column {option!r}{f', the nearest is {near[0]!r}' if near else ''}; "
                f"it has {list(columns)}"
            )
    if not columns[text]:
        raise ValueError(f"{path.name} must hold one row or more, it holds none")
    _check(path.name, columns, text, label)
    source = Source(
        path.name, "table", "not stated", path.name, hashlib.sha256(raw).hexdigest(), split=split, scope=subset
    )
    rest = {column: values for column, values in columns.items() if column not in (text, label)}
    record: Record = Corpus(columns[text], rest, source=source)
    if label is not None:
        record = Labels(columns[text], columns[label], rest, source=source)
    for column, wanted in (("split", split), ("subset", subset)):
        record = record if wanted is None else record.where(**{column: wanted})
    return record


def table_fingerprint(path: Path) -> str:
    """Hexadecimal SHA-256 of the file's bytes.

    Raises:
        ValueError: the file is missing or unreadable.
    """
    return hashlib.sha256(_bytes(path)).hexdigest()


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as missing:
        raise ValueError(f"{path} must be a readable file: {missing.strerror}") from missing


def _check(name: str, columns: Columns, text: str, label: str | None) -> None:
    for row, value in enumerate(columns[text]):
        if not isinstance(value, str):
            raise ValueError(f"{name}, row {row}: column {text!r} must hold texts, got {value!r}")
    for row, value in enumerate(columns[label] if label is not None else ()):
        if not isinstance(value, str | int):
            raise ValueError(f"{name}, row {row}: column {label!r} must hold str or int labels, got {value!r}")


def _decoded(name: str, raw: bytes) -> str:
    try:
        return raw.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as wrong:
        raise ValueError(
            f"{name} must be UTF-8, byte {wrong.start} (0x{raw[wrong.start]:02x}) is not: save it as UTF-8"
        ) from wrong


def _separated(name: str, raw: bytes) -> Columns:
    delimiter = "\t" if name.lower().endswith(".tsv") else ","
    content = _decoded(name, raw)
    before = csv.field_size_limit(max(len(content), 1))  # the limit of 131,072 characters is shorter than a book
    try:
        reader = csv.reader(io.StringIO(content, newline=""), delimiter=delimiter, strict=True)
        header = next(reader, [])
        columns: Columns = {column: [] for column in header}
        if not header or len(columns) < len(header):
            raise ValueError(f"{name}: the first line must name every column once, got {header}")
        for row in filter(None, reader):
            if len(row) != len(header):
                raise ValueError(
                    f"{name}, line {reader.line_num}: {len(row)} fields, but the first line names {len(header)}"
                )
            for column, value in zip(header, row, strict=True):
                columns[column].append(value)
    except csv.Error as torn:
        raise ValueError(f"{name}, line {reader.line_num}: quotes must open and close a field: {torn}") from torn
    finally:
        csv.field_size_limit(before)
    return columns


def _json_lines(name: str, raw: bytes) -> Columns:
    rows: list[dict[str, Any]] = []
    for line, content in enumerate(_decoded(name, raw).split("\n"), start=1):
        if not content.strip():
            continue
        try:
            row = json.loads(content)
        except ValueError as torn:
            raise ValueError(f"{name}, line {line}: every line must be one JSON object: {torn}") from torn
        if not isinstance(row, dict):
            raise ValueError(f"{name}, line {line}: every line must be one JSON object, got {type(row).__name__}")
        rows.append(row)
    named = dict.fromkeys(column for row in rows for column in row)
    return {column: [row.get(column) for row in rows] for column in named}


def _parquet(name: str, raw: bytes) -> Columns:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(pa.BufferReader(raw))
    except (OSError, pa.ArrowException) as torn:
        raise ValueError(f"{name} must be a whole Parquet file: {torn}") from torn
    return {column: table[column].to_pylist() for column in table.column_names}


_READERS = {".csv": _separated, ".tsv": _separated, ".jsonl": _json_lines, ".parquet": _parquet}
