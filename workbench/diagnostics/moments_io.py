"""Files of pass A: embeddings read a part at a time, and the record of moments written whole or not at all."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from workbench.home import replacing

__all__ = ["load_record", "read_rows", "save_record"]

MARK = "workbench.moments"
VERSION = "1"
COLUMN = "embedding"


def read_rows(path: Path) -> Iterator[np.ndarray]:
    """Rows (n, d) of a file: a .npy as one memory map, a .parquet a row group at a time.

    A .parquet holds a column `embedding` of fixed-size lists of floats. The file is only read.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: another suffix, a torn or empty file, objects in place of numbers, no such column, a null row.
    """
    if path.suffix == ".parquet":
        yield from _parquet_rows(path)
    elif path.suffix == ".npy":
        try:
            yield np.load(path, mmap_mode="r", allow_pickle=False)
        except (ValueError, EOFError) as error:
            raise ValueError(f"{path}: not a whole .npy file of numbers: {error}") from error
    else:
        raise ValueError(f"{path}: a file of embeddings must end in .npy or .parquet")


def _parquet_rows(path: Path) -> Iterator[np.ndarray]:
    import pyarrow as pa
    from pyarrow import parquet

    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    try:
        with parquet.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                columns = [COLUMN] if COLUMN in file.schema_arrow.names else []
                yield _lists(file.read_row_group(group, columns=columns), path, group)
    except (pa.ArrowInvalid, OSError) as error:
        raise ValueError(f"{path}: not a whole .parquet file: {error}") from error


def _lists(table, path: Path, group: int) -> np.ndarray:  # noqa: ANN001 (pyarrow is loaded only where it is used)
    import pyarrow as pa

    kind = table.schema.field(COLUMN).type if COLUMN in table.schema.names else None
    if kind is None or not pa.types.is_fixed_size_list(kind) or not pa.types.is_floating(kind.value_type):
        raise ValueError(f"{path}: needs a column {COLUMN!r} of fixed-size lists of floats, got {kind}")
    column = table.column(COLUMN).combine_chunks()
    values = column.flatten()
    if column.null_count or values.null_count:
        raise ValueError(f"{path}: row group {group} holds a null in {COLUMN!r}")
    return values.to_numpy(zero_copy_only=False).reshape(-1, kind.list_size)


def save_record(arrays: dict[str, np.ndarray | None], path: Path) -> None:
    """Write `arrays` with their SHA-256 as one .safetensors file.

    Raises:
        ValueError: `path` does not end in .safetensors.
    """
    from safetensors.numpy import save

    if path.suffix != ".safetensors":
        raise ValueError(f"a record of moments must end in .safetensors, got {path}")
    kept = {name: np.ascontiguousarray(array) for name, array in arrays.items() if array is not None}
    metadata = {MARK: VERSION, "sha256": _digest(kept)}
    with replacing(path) as file:
        file.write(save(kept, metadata=metadata))


def load_record(path: Path, names: list[str]) -> dict[str, Any]:
    """Arrays `names` of a file written by `save_record`; None for those that were not kept.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is torn, was changed, or is no record of moments.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    except (SafetensorError, json.JSONDecodeError) as error:
        raise ValueError(f"{path}: torn, or no .safetensors file: {error}") from error
    if metadata.get(MARK) != VERSION or not set(arrays) <= set(names) or set(names) - set(arrays) - _OPTIONAL:
        raise ValueError(f"{path}: no record of moments of version {VERSION}, marked {metadata.get(MARK)!r}")
    if metadata.get("sha256") != _digest(arrays):
        raise ValueError(f"{path}: its numbers do not match their SHA-256: torn or changed")
    return {name: arrays.get(name) for name in names}


_OPTIONAL = {"unit_sums", "unit_second"}


def _digest(arrays: dict[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].dtype} {arrays[name].shape};".encode())
        digest.update(np.ascontiguousarray(arrays[name]).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()
