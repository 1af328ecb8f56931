"""Local sets: one folder a set, Parquet tables and a card.json, found through WORKBENCH_DATA."""

import hashlib
import json
import os
import zipfile
from pathlib import Path
from typing import Any

from workbench.corpora.base import Record, Source
from workbench.corpora.checked import kept_rows, read_checked, table_columns
from workbench.corpora.judged import load_judged
from workbench.corpora.records import Corpus, Dictionary, Images, Labels, Pairs, Retrieval, Scores, Triplets, Words

__all__ = ["RECORDS", "data_root", "load_local", "local_fingerprint", "local_names", "read_card"]

# schema -> record type; the main table has the schema's name, a retrieval set has three
RECORDS: dict[str, type[Any]] = {
    "pairs": Pairs,
    "labels": Labels,
    "retrieval": Retrieval,
    "triplets": Triplets,
    "corpus": Corpus,
    "words": Words,
    "dictionary": Dictionary,
    "images": Images,
    "scores": Scores,
}

# schema -> the fields of its record that run row by row, and the columns of the main table they come from
_FIELDS: dict[str, dict[str, str]] = {
    "pairs": {"left": "text1", "right": "text2", "scores": "score"},
    "labels": {"texts": "text", "labels": "label"},
    "triplets": {"anchors": "anchor", "positives": "positive", "negatives": "negative"},
    "corpus": {"texts": "text"},
    "words": {"word1": "word1", "word2": "word2", "scores": "score"},
    "dictionary": {"words": "word", "definitions": "definition"},
    "scores": {},
}


def data_root() -> Path | None:
    """Absolute path of the folder of local sets that WORKBENCH_DATA names now; None when it is not set.

    Raises:
        ValueError: WORKBENCH_DATA names no folder.
    """
    named = os.environ.get("WORKBENCH_DATA")
    if not named:
        return None
    root = Path(named).resolve()
    if not root.is_dir():
        raise ValueError(f"WORKBENCH_DATA must name a folder of sets, {named!r} is none")
    return root


def local_names() -> list[str]:
    """Names of the local sets under WORKBENCH_DATA, sorted: the folders that hold a card.json.

    Raises:
        ValueError: WORKBENCH_DATA names no folder.
    """
    root = data_root()
    return sorted(card.parent.name for card in root.glob("*/card.json")) if root else []


def read_card(folder: Path) -> dict[str, Any]:
    """The card of a set: name, schema, task, rows, origin, licence, languages.

    Raises:
        ValueError: no JSON object, a key is missing, or the schema is not known.
    """
    try:
        card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
        missing = {"name", "schema", "task", "rows", "origin", "licence", "languages"} - set(card)
    except (OSError, ValueError, TypeError) as broken:
        raise ValueError(f"{folder.name}/card.json must be a JSON object in UTF-8: {broken}") from broken
    if missing:
        raise ValueError(f"{folder.name}/card.json must state {sorted(missing)}")
    if card["schema"] not in RECORDS:
        raise ValueError(f"{folder.name}/card.json: schema must be one of {sorted(RECORDS)}, got {card['schema']!r}")
    return card


def local_fingerprint(folder: Path) -> str:
    """Hexadecimal SHA-256 over the names and bytes of a set's card, Parquet tables and images."""
    total = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.suffix in (".parquet", ".npz") or path.name == "card.json":
            total.update(f"{path.name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return total.hexdigest()


def load_local(folder: Path, *, split: str | None = None, subset: str | None = None) -> Record:
    """The set in `folder` as the record type of its schema.

    Raises:
        ValueError: a file is missing or torn, a column is missing, a text is null, a number is null or NaN
            (the message names set, table and row), or the split or subset is not there.
    """
    card = read_card(folder)
    schema, origin = card["schema"], "; ".join(card["origin"])
    source = Source(folder.name, "local", card["licence"], origin, local_fingerprint(folder), split, subset)
    if schema == "images":
        return _images(folder, source)
    if schema == "retrieval":
        return load_judged(folder, source)
    held = table_columns(kept_rows(read_checked(folder, schema), source))
    fields: dict[str, Any] = {field: held.pop(column) for field, column in _FIELDS[schema].items()}
    others = [path.stem for path in sorted(folder.glob("*.parquet")) if path.stem != schema]
    tables = {name: table_columns(read_checked(folder, name)) for name in others}
    if schema == "words":
        fields["analogies"] = tables.pop("analogies", {})
    return RECORDS[schema](**fields, columns=held, tables=tables, source=source)


def _images(folder: Path, source: Source) -> Images:
    import numpy as np

    if source.split is not None or source.scope is not None:
        raise ValueError(f"{source.name} has no splits and no subsets, got {source.split or source.scope!r}")
    try:
        with np.load(folder / "images.npz", allow_pickle=False) as held:
            images, labels, names = held["images"], held["labels"], held["label_names"]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as broken:
        rule = "images.npz must hold images, labels and label_names, whole and without pickle"
        raise ValueError(f"{source.name}: {rule}: {broken}") from broken
    return Images(images, labels, [str(name) for name in names], source=source)
