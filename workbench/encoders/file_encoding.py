"""A file of texts in, a file of vectors out: a window at a time, taken up again where a killed run stopped."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from workbench.encoders.encoder import Encoder
from workbench.encoders.encoding import WINDOW, fill_rows, open_store, space_of, token_budget
from workbench.encoders.file_texts import FileTexts, open_texts
from workbench.encoders.filehash import file_sha256
from workbench.encoders.growing_rows import KEY_FIELD, GrowingRows
from workbench.encoders.store import space_key
from workbench.home import replacing

__all__ = ["EMBEDDING", "encode_file"]

EMBEDDING = "embedding"  # the column that a .parquet target has more than its source
_WINDOW_CHARACTERS = 2**22  # a window of long texts holds fewer of them
_WINDOW_BYTES = 2**24  # of vectors: a window of wide ones holds fewer of them
_BAR_FROM = 1000  # rows; fewer are over before a bar is read


def encode_file(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    encoder: Encoder,
    text: str | None = None,
    batch_tokens: int | None = None,
    progress: bool = True,
    normalize: bool | None = None,
) -> Path:
    """Write one vector per row of `source` to `target`, in the source's order; the path of `target`.

    The rows are those of `Encoder.encode`, but neither all texts nor all rows are in memory at any time. A killed
    run goes on, when it is called again, behind the last window of at most about 8192 texts that it finished; a
    finished one is not done again. TARGET.json beside the target says what made it and how far it is.

    Args:
        source: .txt (one text a line), .jsonl, .csv, .tsv or .parquet.
        target: .npy for float32 (n, width), or .parquet for the source's columns and `embedding`, a list of
            float32 of fixed size; the values of a .csv or .tsv stay texts.
        encoder: what turns texts into vectors.
        text: the column of the texts; None: "text".
        batch_tokens: as in `Encoder.encode`.
        progress: show a bar over the rows.
        normalize: scale rows to length 1; None: as the model's folder says.

    Raises:
        TypeError: `encoder` is no Encoder.
        ValueError: another kind of file, an unknown column, a text that is null (names its row), hooks on the
            model, or what `Encoder.encode` refuses.
        FileExistsError: `target` or its TARGET.json was not made by this call; nothing is overwritten.
        FileNotFoundError: no `source`, or no folder for `target`.
        OSError: the disk has no room, or another process writes this target.
    """
    if not isinstance(encoder, Encoder):
        raise TypeError(f"encoder must be an Encoder, as load_encoder gives it, got {type(encoder).__name__}")
    if normalize is None:
        normalize = encoder.settings.normalize
    budget = token_budget(encoder, batch_tokens)
    source, target = Path(source), Path(target)
    rows = _planned(source, target, encoder, text or "text", normalize)
    with rows.alone():
        if rows.is_finished():
            rows.part.unlink(missing_ok=True)  # of a run that was killed after its last step but one
            return target
        texts = open_texts(source, text=text, every_column=_is_table(target))
        if _is_table(target) and EMBEDDING in texts.schema.names:
            raise ValueError(f"{source.name} has a column {EMBEDDING!r} already: rename it, or write to an .npy")
        with rows.opened(texts.n_rows):
            _encode_rest(rows, texts, encoder, budget=budget, normalize=normalize, shown=progress)
            if file_sha256(source) != rows.about["source sha256"]:
                raise ValueError(f"{source} was changed while it was encoded: call again")
            if target.exists():  # it came meanwhile
                raise FileExistsError(rows.refusal(target))
            if _is_table(target):
                _write_table(rows, texts)
        if _is_table(target):
            rows.part.unlink()
        else:
            rows.part.replace(target)
    return target


def _is_table(target: Path) -> bool:
    return target.suffix.lower() == ".parquet"


def _planned(source: Path, target: Path, encoder: Encoder, column: str, normalize: bool) -> GrowingRows:
    """What is to be written, and under which key; everything that can be refused without reading a text is."""
    if target.suffix.lower() not in (".npy", ".parquet"):
        raise ValueError(f"target must end in .npy or .parquet, got {target}")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"target must lie in a folder that is there, {target.parent} is none")
    what = space_of(encoder, normalize=normalize)
    if what is None:
        raise ValueError("the model must have no hooks, its vectors could not be told from those without: remove them")
    open_store(encoder, normalize=normalize)
    made_of = {"source sha256": file_sha256(source), "kind": source.suffix.lower(), "column": column, **what}
    about = {"source": source.name, "encoder": encoder.name, **made_of}
    return GrowingRows(target, key=space_key(made_of), width=encoder.width, about=about)


def _encode_rest(
    rows: GrowingRows, texts: FileTexts, encoder: Encoder, *, budget: int, normalize: bool, shown: bool
) -> None:
    from tqdm.auto import tqdm

    n = texts.n_rows
    with tqdm(
        total=n, initial=rows.done, unit="text", desc=rows.target.name, disable=not shown or n - rows.done < _BAR_FROM
    ) as bar:
        for window in _windows(texts, start=rows.done, most=_most_rows(rows.width)):
            fresh = np.empty((len(window), encoder.width), dtype=np.float32)
            fill_rows(
                encoder,
                window,
                fresh,
                budget=budget,
                normalize=normalize,
                store=True,
                advance=bar.update,
                first=rows.done,
            )
            rows.append(fresh)
            bar.update(rows.done - bar.n)  # texts that stand in the window twice
            del window, fresh  # before the next ones are made, so that one window is in memory at a time


def _most_rows(width: int) -> int:
    return min(WINDOW, max(1, _WINDOW_BYTES // (4 * width)))


def _windows(texts: FileTexts, *, start: int, most: int) -> Iterator[list[str]]:
    window: list[str] = []
    size = 0
    for block in texts.texts(start=start):
        window += block
        size += sum(map(len, block))
        if len(window) >= most or size >= _WINDOW_CHARACTERS:
            yield window
            window, size = [], 0
    if window:
        yield window


def _write_table(rows: GrowingRows, texts: FileTexts) -> None:
    """The source's columns and the rows, a group of rows at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    kind = pa.list_(pa.float32(), rows.width)
    metadata = {**(texts.schema.metadata or {}), KEY_FIELD: rows.key}
    schema = texts.schema.append(pa.field(EMBEDDING, kind)).with_metadata(metadata)
    at = 0
    # a dictionary of vectors that are all different would only take memory
    with replacing(rows.target) as file, pq.ParquetWriter(file, schema, use_dictionary=texts.schema.names) as writer:
        for group in _groups(texts, most=_most_rows(rows.width)):
            values = pa.array(rows.read(at, at + len(group)).ravel())
            vectors = pa.FixedSizeListArray.from_arrays(values, type=kind)
            writer.write_table(pa.table([*group.columns, vectors], schema=schema), row_group_size=len(group))
            at += len(group)
            del group, values, vectors  # as in `_encode_rest`
            pa.default_memory_pool().release_unused()


def _groups(texts: FileTexts, *, most: int) -> Iterator[Any]:
    """Tables of `most` rows, or of fewer where these are large."""
    import pyarrow as pa

    tables: list[Any] = []
    for table in texts.blocks():
        tables.append(table)
        if sum(map(len, tables)) >= most or sum(t.nbytes for t in tables) >= _WINDOW_BYTES:
            yield pa.concat_tables(tables)
            tables = []
    if tables:
        yield pa.concat_tables(tables)
