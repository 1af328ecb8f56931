"""Vectors from a file: .npy as a memory map, .parquet and .safetensors read whole."""

from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["read_vectors"]


def read_vectors(path: str | Path, *, name: str | None = None) -> np.ndarray:
    """The rows of vectors in a file, (n, d), in the float type of the file.

    Args:
        path: .npy with one array, .parquet with a column of lists of one length, .safetensors with a tensor.
        name: the column ("embedding" when None) or the tensor (the only one when None).

    Raises:
        FileNotFoundError: no such file.
        ValueError: another kind of file, a torn or empty one, no such column or tensor, or rows that are no vectors of
            one length; names the file and the rule.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    readers = {".npy": _npy, ".parquet": _parquet, ".safetensors": _safetensors}
    if path.suffix not in readers:
        raise ValueError(f"{path} must end in one of {', '.join(readers)}")
    x = readers[path.suffix](path, name)
    if x.ndim != 2 or x.dtype.kind != "f" or 0 in x.shape:
        raise ValueError(f"{path} must hold rows of floats (n, d), got {x.dtype} {x.shape}")
    return x


def _npy(path: Path, name: str | None) -> np.ndarray:
    if name is not None:
        raise ValueError(f"{path} holds one array and takes no name, got {name!r}")
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise ValueError(f"{path} is no whole .npy file: {error}") from error


def _parquet(path: Path, name: str | None) -> np.ndarray:
    import pyarrow as pa
    import pyarrow.parquet as pq

    name = name or "embedding"
    try:
        file = pq.ParquetFile(path)
        if name not in file.schema_arrow.names:
            raise ValueError(f"{path} has no column {name!r}; it has {file.schema_arrow.names}")
        column = file.read([name])[name].combine_chunks()
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{path} is no whole .parquet file: {error}") from error
    kind = column.type
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)):
        raise ValueError(f"{path}: column {name!r} must hold lists of floats, got {kind}")
    if column.null_count:
        raise ValueError(f"{path}: row {column.is_null().to_pylist().index(True)} of {name!r} is null")
    values = column.flatten()
    if len(column) == 0 or len(values) % len(column) or len(set(_lengths(column))) != 1:
        raise ValueError(f"{path}: every row of {name!r} must hold equally many floats")
    if values.null_count:  # numpy would make it NaN
        row = values.is_null().to_numpy(zero_copy_only=False).argmax() // (len(values) // len(column))
        raise ValueError(f"{path}: row {row} of {name!r} holds a null")
    return values.to_numpy(zero_copy_only=False).reshape(len(column), -1)


def _lengths(column: Any) -> list[int]:  # noqa: ANN401 - pyarrow is loaded only where it is used
    import pyarrow.compute as pc

    return pc.call_function("list_value_length", [column]).unique().to_pylist()


def _safetensors(path: Path, name: str | None) -> np.ndarray:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            names = list(file.keys())
            if name is None and len(names) == 1:
                name = names[0]
            if name not in names:
                raise ValueError(f"{path} has no tensor {name!r}; it has {names}: choose one")
            return file.get_tensor(name).float().numpy()
    except SafetensorError as error:
        raise ValueError(f"{path} is no whole .safetensors file: {error}") from error
