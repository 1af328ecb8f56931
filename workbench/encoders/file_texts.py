"""The texts of a .txt, .jsonl, .csv, .tsv or .parquet file, a block of rows at a time."""

import contextlib
import csv
import difflib
import itertools
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["SUFFIXES", "FileTexts", "open_texts"]

SUFFIXES = (".txt", ".jsonl", ".csv", ".tsv", ".parquet")
BLOCK = 256  # rows read at a time: a block of whole documents is still small
_LONGEST = 2**31 - 1  # characters of a field; csv's own limit of 131,072 is shorter than a book

Columns = dict[str, list[Any]]


@dataclass(frozen=True)
class FileTexts:
    """A file whose every text was looked at: how many rows, and which column holds the texts."""

    path: Path
    column: str
    n_rows: int
    schema: Any  # the pyarrow.Schema of the columns that were asked for

    def blocks(self, *, start: int = 0) -> Iterator[Any]:
        """The rows from `start` on as pyarrow Tables of at most 256 rows, in the file's order."""
        for block in _blocks(self.path, self.schema.names):
            table = _table(self.path, block, self.schema)
            passed = min(start, len(table))
            start -= passed
            if passed < len(table):
                yield table.slice(passed)

    def texts(self, *, start: int = 0) -> Iterator[list[str]]:
        """The texts from `start` on, at most 256 at a time."""
        for table in self.blocks(start=start):
            yield table[self.column].to_pylist()


def open_texts(path: Path, *, text: str | None, every_column: bool) -> FileTexts:
    """Read a file once, in blocks, to count its rows and look at each text; nothing of it is kept.

    The first line of a .csv or .tsv names its columns, whose values all stay texts; blank lines of these and of
    a .jsonl are no rows. A .txt has one text a line, in a column "text"; an empty line is an empty text.

    Args:
        path: the file.
        text: the column of the texts; None: "text".
        every_column: whether `blocks` gives all columns, rather than the texts alone.

    Raises:
        ValueError: another kind of file, no rows, an unknown column (names those there), a text that is null or
            no text (names its row, counted from 0), a torn line or file, bytes that are not UTF-8, or a column
            of several types.
        OSError: the file cannot be read.
    """
    import pyarrow as pa

    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f"{path.name} must be one of {', '.join(SUFFIXES)}")
    column, names = text or "text", _names(path)
    if column not in names:
        near = difflib.get_close_matches(column, names, n=1)
        hint = f", the nearest is {near[0]!r}" if near else ""
        raise ValueError(f"{path.name} has no column {column!r}{hint}; it has {names}: name the texts' column in text")
    if len(set(names)) < len(names):
        raise ValueError(f"{path.name} must name every column once, got {names}")
    n, schema = 0, None
    for block in _blocks(path, None if every_column else [column]):
        _check(path, block, column, n)
        table = _table(path, block, None)
        n += len(table)
        with _one_type(path):
            known = [table.schema] if schema is None else [schema, table.schema]
            schema = pa.unify_schemas(known, promote_options="permissive")
    if not n:
        raise _no_rows(path)
    return FileTexts(path, column, n, schema)


def _check(path: Path, block: Any, column: str, first: int) -> None:  # noqa: ANN401 - as `_blocks` gives it
    with _utf8(path):
        values = block[column] if column in _names_of(block) else [None]
        texts = values if isinstance(values, list) else values.to_pylist()
    for row, value in enumerate(texts, start=first):
        if not isinstance(value, str):
            raise ValueError(f"{path.name}, row {row}: column {column!r} must hold texts, got {value!r}")
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise ValueError(
                f"{path.name}, row {row}: text must be valid Unicode: lone surrogate at {error.start}"
            ) from None


def _names(path: Path) -> list[str]:
    """Names of the columns; of a .jsonl, those of its first rows."""
    if path.suffix.lower() == ".parquet":
        with _whole(path), _parquet_file(path) as file:
            return list(file.schema_arrow.names)
    first = next(_columns(path), None)
    if first is None:
        raise _no_rows(path)
    return list(first)


def _no_rows(path: Path) -> ValueError:
    return ValueError(f"{path.name} must hold one row or more, it holds none")


def _blocks(path: Path, columns: list[str] | None) -> Iterator[Any]:
    """Blocks of rows, of `columns` or all: pyarrow Tables of a .parquet, lists by column of a file of lines."""
    import pyarrow as pa

    if path.suffix.lower() == ".parquet":
        with _whole(path), _parquet_file(path) as file:
            for batch in file.iter_batches(batch_size=BLOCK, columns=columns):
                yield pa.Table.from_batches([batch])
        return
    for block in _columns(path):
        n = len(next(iter(block.values())))
        yield block if columns is None else {name: block.get(name, [None] * n) for name in columns}


def _names_of(block: Any) -> list[str]:  # noqa: ANN401 - as `_blocks` gives it
    return list(block) if isinstance(block, dict) else block.column_names


def _table(path: Path, block: Any, schema: Any) -> Any:  # noqa: ANN401
    """A block as a pyarrow Table; the types are those of `schema`, else what the values say."""
    import pyarrow as pa

    if not isinstance(block, dict):
        return block
    with _one_type(path):
        return pa.table(
            {
                name: pa.array(values, type=None if schema is None else schema.field(name).type)
                for name, values in block.items()
            }
        )


def _columns(path: Path) -> Iterator[Columns]:
    """Blocks of rows of a file of lines, by column."""
    suffix = path.suffix.lower()
    # a csv reader wants line ends as they are; a line of JSON ends with a line feed
    newline = {".txt": None, ".jsonl": "\n"}.get(suffix, "")
    with _utf8(path), path.open(encoding="utf-8-sig", newline=newline) as file:
        if suffix == ".txt":
            while lines := list(itertools.islice(file, BLOCK)):
                yield {"text": [line.removesuffix("\n") for line in lines]}
        elif suffix == ".jsonl":
            yield from _json_lines(path.name, file)
        else:
            yield from _separated(path.name, file, "\t" if suffix == ".tsv" else ",")


def _json_lines(name: str, file: Iterable[str]) -> Iterator[Columns]:
    lines = ((at, line) for at, line in enumerate(file, start=1) if line.strip())
    while block := [_json_row(name, *line) for line in itertools.islice(lines, BLOCK)]:
        named = dict.fromkeys(column for row in block for column in row)
        yield {column: [row.get(column) for row in block] for column in named} or {"": [None] * len(block)}


def _json_row(name: str, at: int, line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as torn:
        raise ValueError(f"{name}, line {at}: every line must be one JSON object: {torn}") from torn
    if not isinstance(row, dict):
        raise ValueError(f"{name}, line {at}: every line must be one JSON object, got {type(row).__name__}")
    return row


def _separated(name: str, file: Iterable[str], delimiter: str) -> Iterator[Columns]:
    reader = csv.reader(file, delimiter=delimiter, strict=True)
    _, header = next(iter(_csv_rows(name, reader, 1)), (1, []))
    if not header or len(set(header)) < len(header):
        raise ValueError(f"{name}: the first line must name every column once, got {header}")
    while rows := _csv_rows(name, reader, BLOCK):
        for line, row in rows:
            if len(row) != len(header):
                raise ValueError(f"{name}, line {line}: {len(row)} fields, but the first line names {len(header)}")
        yield {column: [row[i] for _, row in rows] for i, column in enumerate(header)}


def _csv_rows(name: str, reader: Any, count: int) -> list[tuple[int, list[str]]]:  # noqa: ANN401 - csv hides its type
    """The next rows that are not blank, with the line each ends on."""
    before = csv.field_size_limit(_LONGEST)
    try:
        return list(itertools.islice(((reader.line_num, row) for row in reader if row), count))
    except csv.Error as torn:
        raise ValueError(f"{name}, line {reader.line_num}: quotes must open and close a field: {torn}") from torn
    finally:
        csv.field_size_limit(before)


def _parquet_file(path: Path) -> Any:  # noqa: ANN401 - a pyarrow ParquetFile
    import pyarrow.parquet as pq

    return pq.ParquetFile(path, buffer_size=2**20)  # else a whole column of a row group is read at once


@contextlib.contextmanager
def _whole(path: Path) -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except (OSError, pa.ArrowException) as torn:
        if isinstance(torn, OSError) and torn.errno is not None:
            raise  # it cannot be read at all
        raise ValueError(f"{path.name} must be a whole Parquet file: {torn}") from torn


@contextlib.contextmanager
def _utf8(path: Path) -> Iterator[None]:
    try:
        yield
    except UnicodeDecodeError as wrong:
        raise ValueError(
            f"{path.name} must be UTF-8, but holds {wrong.object[wrong.start]:#04x}: save it so"
        ) from wrong


@contextlib.contextmanager
def _one_type(path: Path) -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError) as mixed:
        raise ValueError(f"{path.name}: every column must hold values of one type: {mixed}") from mixed
