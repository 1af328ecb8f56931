"""Rows parsed once: a Parquet file written by atomic rename, and never returned torn."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from workbench.home import replacing

__all__ = ["read_rows", "write_rows"]

Columns = dict[str, tuple[str, ...]]
_COUNT, _DIGEST = b"workbench.rows", b"workbench.sha256"


def write_rows(path: Path, columns: Columns) -> None:
    """Writes text columns to `path` with their row count and SHA-256, all or nothing.

    Two processes that write at once leave one whole file.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    count = len(next(iter(columns.values())))
    table = pa.table({name: pa.array(values, pa.large_string()) for name, values in columns.items()})
    table = table.replace_schema_metadata({_COUNT: str(count).encode(), _DIGEST: _digest(columns).encode()})
    with replacing(path) as file:
        pq.write_table(table, file, compression="zstd")


def read_rows(path: Path, names: Sequence[str]) -> Columns | None:
    """The columns `names` that `write_rows` wrote; None when the file is missing, torn or altered."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(pa.BufferReader(path.read_bytes()))
        columns = {name: tuple(table[name].to_pylist()) for name in table.column_names}
        stated = table.schema.metadata or {}
        whole = stated.get(_COUNT) == str(len(table)).encode() and stated.get(_DIGEST) == _digest(columns).encode()
    except (OSError, ValueError, TypeError, pa.ArrowException):
        return None
    return columns if whole and list(columns) == list(names) else None


def _digest(columns: Columns) -> str:
    total = hashlib.sha256()
    for name, values in columns.items():
        total.update(f"{name}\0{len(values)}\0".encode())
        total.update(hashlib.sha256("\0".join(map(repr, map(len, values))).encode()).digest())
        total.update("".join(values).encode())
    return total.hexdigest()
