"""Checkpoints: a folder for each, written whole under another name and renamed, its files known by their SHA-256."""

import hashlib
import json
import os
import re
import shutil
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from workbench.training.config import CheckpointError
from workbench.training.processes import barrier

__all__ = ["Checkpoint", "latest", "write"]

KEPT = 2  # the newest, and the one before it in case the newest is torn
_NAME = re.compile(r"step-(\d{9})")


@dataclass(frozen=True)
class Checkpoint:
    """What was read back: the tensors of each file by its name, and the plain part."""

    tensors: Mapping[str, dict[str, Tensor]]
    plain: Mapping[str, Any]
    folder: Path


def write(
    folder: Path,
    step: int,
    tensors: Mapping[str, Mapping[str, Tensor]],
    plain: Mapping[str, Any],
    own: Mapping[str, Any],
    *,
    rank: int = 0,
) -> None:
    """Write FOLDER/step-NNNNNNNNN: a safetensors file for each of `tensors`, `plain` and each process's `own` as JSON.

    Readers see the whole checkpoint or none, whenever a process is killed. All but the newest two are removed. Where
    there are several processes all call this: the first writes everything, the others add their own.

    Raises:
        CheckpointError: it cannot be written (no space is left, say); those before it are intact.
    """
    part = folder / f".part-{step:09d}"
    mine = {name: ts for name, ts in tensors.items() if rank == 0 or name == f"own{rank}"}
    try:
        if rank == 0:
            shutil.rmtree(part, ignore_errors=True)  # what a killed process had begun
            part.mkdir(parents=True)
        barrier()
        digests = {name: _put_tensors(part / f"{name}.safetensors", ts) for name, ts in mine.items()}
        meta = {**plain, "step": step} if rank == 0 else {}
        content = json.dumps({**meta, f"own{rank}": own, "files": digests}).encode()
        with (part / f"{rank}.json").open("xb") as file:
            file.write(content + hashlib.sha256(content).hexdigest().encode())
            file.flush()
            os.fsync(file.fileno())
        barrier()
        if rank == 0:
            _publish(part, folder / f"step-{step:09d}")
    except (OSError, SafetensorError) as error:  # safetensors has its own name for a full disk
        shutil.rmtree(part, ignore_errors=True)
        kept = [path.name for path in _known(folder)]
        raise CheckpointError(
            f"checkpoint of step {step} cannot be written to {folder}: {error}; "
            + (f"{kept[0]} is intact" if kept else "there is none before it")
        ) from error
    barrier()


def _publish(part: Path, final: Path) -> None:
    _sync(part)
    if final.exists():  # torn, or the run would have gone on from it
        shutil.rmtree(final)
    part.rename(final)
    _sync(final.parent)
    for old in _known(final.parent)[KEPT:]:
        shutil.rmtree(old)


def latest(folder: Path) -> Checkpoint | None:
    """The newest whole checkpoint in `folder`; None where there is none. A torn one is passed over with a warning."""
    for path in _known(folder):
        try:
            return _read(path)
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            warnings.warn(f"checkpoint {path} is torn ({error}): the one before it is used", stacklevel=2)
    return None


def _read(path: Path) -> Checkpoint:
    plain: dict[str, Any] = {}
    tensors = {}
    for meta in sorted(path.glob("*.json")):
        whole = meta.read_bytes()
        content, digest = whole[:-64], whole[-64:].decode()
        _refuse_torn(meta.name, content, digest)
        found = json.loads(content)
        for name, digest in found.pop("files").items():
            file = path / f"{name}.safetensors"
            _refuse_torn(file.name, file.read_bytes(), digest)
            tensors[name] = load_file(file)
        plain |= found
    if "step" not in plain:
        raise ValueError("0.json is missing")
    return Checkpoint(tensors, plain, path)


def _refuse_torn(name: str, content: bytes, digest: str) -> None:
    found = hashlib.sha256(content).hexdigest()
    if found != digest:
        raise ValueError(f"{name} has SHA-256 {found[:12]}, {digest[:12]} was written")


def _put_tensors(path: Path, tensors: Mapping[str, Tensor]) -> str:
    save_file(dict(tensors), path)
    with path.open("rb") as file:
        os.fsync(file.fileno())
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(folder: Path) -> None:
    if os.name != "posix":  # a folder cannot be opened elsewhere
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _known(folder: Path) -> list[Path]:
    found = [path for path in folder.glob("step-*") if _NAME.fullmatch(path.name)] if folder.is_dir() else []
    return sorted(found, key=lambda path: path.name, reverse=True)
