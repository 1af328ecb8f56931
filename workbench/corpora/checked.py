"""Parquet tables of a local set, read with their columns, texts and numbers checked."""

from pathlib import Path
from typing import Any

from workbench.corpora.base import Source

__all__ = ["Table", "kept_rows", "read_checked", "table_columns"]

Table = Any  # a pyarrow.Table: pyarrow is imported where a table is read, and brings no types

# table -> columns that must be there: texts (never null), numbers (never null or NaN)
_NEEDED: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "pairs": (("text1", "text2", "split"), ("score",)),
    "labels": (("text", "label", "split"), ()),
    "triplets": (("anchor", "positive", "negative", "split"), ()),
    "corpus": (("text",), ()),
    "words": (("word1", "word2"), ("score",)),
    "dictionary": (("word", "definition"), ()),
    "scores": (("set", "mteb_task", "model", "split", "subset", "metric", "source"), ("main_score_x100",)),
    "documents": (("id", "title", "text"), ()),
    "queries": (("id", "text", "split"), ()),
    "qrels": (("query_id", "doc_id", "split"), ("relevance",)),
    "candidates": (("query_id", "doc_id", "split"), ("rank", "bm25")),
    "analogies": (("a", "b", "c", "d", "category"), ()),
}


def read_checked(folder: Path, table: str, *, rule: str | None = None) -> Table:
    """`table`.parquet of a set, checked by the rule of its name (of `rule` where the name is shared).

    Raises:
        ValueError: a missing or torn file, a missing column, a null text, a null or NaN number; the message
            names set, table, column and row.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows = pq.read_table(pa.BufferReader((folder / f"{table}.parquet").read_bytes()))
    except (OSError, pa.ArrowException) as broken:
        raise ValueError(f"{folder.name}: {table}.parquet must be a whole Parquet file: {broken}") from broken
    texts, numbers = _NEEDED.get(rule or table, ((), ()))
    for column in (*texts, *numbers):
        if column not in rows.column_names:
            raise ValueError(f"{folder.name}: {table} must have column {column!r}, it has {rows.column_names}")
        _check_column(f"{folder.name}: {table}", rows, column, text=column in texts)
    return rows


def kept_rows(rows: Table, source: Source) -> Table:
    """The rows of the split and subset of `source`; None keeps all.

    Raises:
        ValueError: no row has this split or subset; the message names those there are.
    """
    part = "subset" if "subset" in rows.column_names else "lang"
    for option, column, wanted in (("split", "split", source.split), ("subset", part, source.scope)):
        if wanted is None:
            continue
        values = rows[column].to_pylist() if column in rows.column_names else []
        if wanted not in values:
            raise ValueError(f"{source.name} has no {option} {wanted!r}; it has {sorted(set(values)) or 'none'}")
        rows = rows.filter([value == wanted for value in values])
    return rows


def table_columns(rows: Table) -> dict[str, tuple[Any, ...]]:
    """The columns of a table as tuples of Python values."""
    return {column: tuple(rows[column].to_pylist()) for column in rows.column_names}


def _check_column(where: str, rows: Table, column: str, *, text: bool) -> None:
    import pyarrow as pa

    kind = rows.schema.field(column).type
    right = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    if not text:
        right = pa.types.is_floating(kind) or pa.types.is_integer(kind)
    if not right:
        raise ValueError(f"{where}: {column} must hold {'texts' if text else 'numbers'}, it holds {kind}")
    # NaN is the number that is not equal to itself
    row = next((i for i, value in enumerate(rows[column].to_pylist()) if value is None or value != value), None)
    if row is not None:
        rule = "must not be null" if text else "must be a number, never null or NaN"
        raise ValueError(f"{where}, row {row}: {column} {rule}")
