"""An index as a folder: a reader finds the old index or the whole new one, and refuses one that is torn."""

import hashlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import numpy as np

from workbench.home import replacing

__all__ = ["load_folder", "save_array", "saving_folder"]

Index = TypeVar("Index")

MANIFEST = "manifest.json"
VERSION = 1
OLD_SECONDS = 24 * 3600  # what a killed save left behind goes at the first save a day later


@contextmanager
def saving_folder(folder: str | Path, kind: str, settings: Mapping[str, object]) -> Iterator[Path]:
    """A new folder to write the files of an index into; they become those of `folder` when the block ends.

    The files lie in a folder of their own inside `folder`. The manifest names it, with the size and the SHA-256 of each
    file, and is replaced by one rename after they have reached the disk: before it readers find the old index, after it
    the new one. An error in the block leaves the old index as it was.

    Raises:
        ValueError: `folder` exists, is not empty and holds no index.
    """
    root = Path(folder)
    if root.exists() and not (root / MANIFEST).exists() and any(not p.name.startswith(".part-") for p in _inside(root)):
        raise ValueError(f"{root} is not empty and holds no index: choose another folder")
    before = _generation(root)
    root.mkdir(parents=True, exist_ok=True)
    name = f"files-{secrets.token_hex(8)}"
    part = root / f".part-{name}"
    part.mkdir()
    try:
        yield part
        files = {p.name: {"bytes": p.stat().st_size, "sha256": _digest(p)} for p in sorted(part.iterdir())}
        for path in part.iterdir():
            _flush(path)
        part.rename(root / name)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    manifest = {"kind": kind, "version": VERSION, "folder": name, "settings": dict(settings), "files": files}
    with replacing(root / MANIFEST) as file:
        file.write(json.dumps(manifest, ensure_ascii=False, indent=1).encode())
    _sweep(root, name, before)


def load_folder(folder: str | Path, kind: str, read: Callable[[Path, dict], Index], *, verify: bool = True) -> Index:
    """What `read` makes of the folder of the files of an index and its settings.

    `verify` reads every file and compares its SHA-256; without it only the sizes are compared. Where another process
    saves meanwhile and takes the files away, the new ones are read.

    Raises:
        FileNotFoundError: no index there.
        ValueError: the manifest is no manifest, or of another kind or version; a file is missing, has another size or
            another SHA-256.
    """
    root = Path(folder)
    while True:
        manifest = _manifest(root, kind)
        try:
            _check(root, manifest, verify)
            return read(root / manifest["folder"], manifest["settings"])
        except (OSError, ValueError, RuntimeError):  # faiss has RuntimeError for a missing file
            if _manifest(root, kind)["folder"] == manifest["folder"]:
                raise


def _check(root: Path, manifest: dict, verify: bool) -> None:
    if not (root / manifest["folder"]).is_dir():
        raise ValueError(f"{root} is torn: {manifest['folder']} is missing; build the index again")
    for name, entry in manifest["files"].items():
        path = root / manifest["folder"] / name
        size = path.stat().st_size if path.is_file() else None
        if size != entry["bytes"]:
            said = "is missing" if size is None else f"has {size} bytes of {entry['bytes']}"
            raise ValueError(f"{root} is torn: {name} {said}; build the index again")
        if verify and _digest(path) != entry["sha256"]:
            raise ValueError(f"{root} is damaged: {name} has another SHA-256 than when it was saved; build it again")


def save_array(path: Path, rows: np.ndarray, *, block: int = 2**16) -> None:
    """`rows` as a .npy file, a block of rows at a time, so that a memory map larger than memory can be copied."""
    with path.open("xb") as file:
        header = {"descr": np.lib.format.dtype_to_descr(rows.dtype), "fortran_order": False, "shape": rows.shape}
        np.lib.format.write_array_header_1_0(file, header)
        for start in range(0, len(rows), block):
            file.write(np.ascontiguousarray(rows[start : start + block]).data)


def _manifest(root: Path, kind: str) -> dict:
    path = root / MANIFEST
    if not path.is_file():
        raise FileNotFoundError(f"{root} holds no index: {MANIFEST} is not there")
    try:
        manifest = json.loads(path.read_bytes())
        found, version = manifest["kind"], manifest["version"]
        manifest["settings"], manifest["files"] = dict(manifest["settings"]), dict(manifest["files"])
        name = str(manifest["folder"])
    except (ValueError, KeyError, TypeError) as wrong:
        raise ValueError(f"{path} is no manifest of an index: {wrong!r}") from wrong
    if (found, version) != (kind, VERSION):
        raise ValueError(f"{root} holds a {found!r} index of version {version!r}, not {kind!r} of version {VERSION}")
    if any(Path(inner).name != inner for inner in (name, *manifest["files"])):
        raise ValueError(f"{path} names a file outside its own folder")
    return manifest


def _generation(root: Path) -> str | None:
    try:
        return Path(json.loads((root / MANIFEST).read_bytes())["folder"]).name
    except (OSError, ValueError, KeyError, TypeError):
        return None  # no index yet, or a torn one, which this save replaces


def _sweep(root: Path, kept: str, before: str | None) -> None:
    for path in _inside(root):
        ours = path.name.startswith((".part-", "files-")) and path.name != kept
        if ours and (path.name == before or path.stat().st_mtime < time.time() - OLD_SECONDS):
            shutil.rmtree(path, ignore_errors=True)


def _inside(root: Path) -> list[Path]:
    return list(root.iterdir())


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
