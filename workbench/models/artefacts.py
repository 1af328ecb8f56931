"""Base models that are made once for each recipe and seed, and kept in a folder: whole, or not at all."""

import hashlib
import inspect
import json
import os
import secrets
import shutil
import warnings
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from workbench.home import cache_dir
from workbench.models.recipes import build_sources, package_digest
from workbench.models.seeding import checked_seed, seeded
from workbench.models.texts import no_bar

__all__ = ["base_model"]

MANIFEST = "artefact.json"
LIBRARIES = ("torch", "transformers", "tokenizers", "safetensors", "accelerate", "numpy")


def base_model(build: Callable[..., tuple[Any, Any]], *, recipe: Mapping[str, Any], seed: int) -> tuple[Any, Any]:
    """What `build(**recipe, seed=seed)` returns, a model and its tokenizer, built once and then read from the cache.

    Kept under data/cache/models, in a folder whose name is a digest of the recipe, the seed, the source of `build`
    and of the functions and constants beside it that it uses, the sources of this package that build models, and the
    versions of the libraries; a change of any of them builds anew. The first call too returns the model as read back
    from the folder: float weights bit for bit, in eval mode, on the CPU. Texts are no part of a recipe, their names
    are: load them inside `build`.

    `build` runs with torch, numpy and random seeded by `seed`, which are put back. Another process that asks for the
    same waits until it is built: of the processes of one distributed run let one call first.

    Args:
        build: a function with a readable source that closes over nothing, such as one of a notebook's cell or a
            module; it returns a model of transformers, and its tokenizer or None.
        recipe: the keyword arguments of `build` other than the seed, as JSON knows them.
        seed: of everything drawn.

    Raises:
        TypeError: a recipe that JSON does not give back equal, or a `build` that returns something else.
        ValueError: a `build` whose source cannot be read or that uses values outside it other than constants; a seed
            that is none; a model that transformers does not read back as it was.

    Warns:
        UserWarning: a folder in the cache is torn or foreign, and is made anew.
    """
    from filelock import FileLock

    parts = _parts(build, recipe, checked_seed(seed))
    key = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
    root = cache_dir("models")
    folder = root / key
    if _fault(folder, parts) is None:
        return _read(folder)
    with FileLock(root / f"{key}.lock"):
        fault = _fault(folder, parts)
        if fault is None:
            return _read(folder)
        if folder.exists():
            warnings.warn(f"{folder} {fault}: it is made anew", stacklevel=2)
        return _made(build, dict(recipe), seed, folder=folder, parts=parts)


def _parts(build: Callable[..., Any], recipe: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """All that decides the artefact."""
    try:
        same = json.loads(json.dumps(dict(recipe), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise TypeError(f"recipe must hold what JSON knows: {error}") from None
    if same != dict(recipe) or "seed" in same:
        raise TypeError(f"recipe must come back from JSON as it was and have no 'seed', got {dict(recipe)!r}")
    versions = {name: metadata.version(name) for name in LIBRARIES}
    sources = build_sources(build)
    return {"recipe": same, "seed": seed, "build": sources, "package": package_digest(), "versions": versions}


def _made(
    build: Callable[..., Any], recipe: dict[str, Any], seed: int, *, folder: Path, parts: dict[str, Any]
) -> tuple[Any, Any]:
    """Builds, writes beside `folder`, reads back, compares, and renames; the caller holds the lock of the key."""
    from transformers import PreTrainedModel

    for left in folder.parent.glob(f".*-{folder.name}-*"):  # of a process that was killed: the lock is ours
        shutil.rmtree(left)
    if torch.cuda.is_available():
        torch.cuda.init()  # so that its generators are seeded and put back as well
    with seeded(seed):
        built = build(**recipe, seed=seed)
    if not isinstance(built, tuple) or len(built) != 2 or not isinstance(built[0], PreTrainedModel):
        raise TypeError(f"build must return a model of transformers and its tokenizer or None, got {type(built)}")
    model, tokenizer = built
    part = folder.with_name(f".part-{folder.name}-{secrets.token_hex(6)}")
    try:
        _write(part, model, tokenizer, parts)
        read = _read(part)
        _refuse_changed(model, read[0])
        if folder.exists():
            folder.rename(folder.with_name(f".torn-{folder.name}-{secrets.token_hex(6)}"))
        part.rename(folder)
    finally:
        for left in folder.parent.glob(f".*-{folder.name}-*"):
            shutil.rmtree(left)
    return read


def _write(part: Path, model: Any, tokenizer: Any, about: dict[str, Any]) -> None:  # noqa: ANN401 - of transformers
    """The folder's files on the disk, the manifest with their digests last."""
    part.mkdir()
    with no_bar():
        model.save_pretrained(part)
    if tokenizer is not None:
        tokenizer.save_pretrained(part)
    names = sorted(path.relative_to(part).as_posix() for path in part.rglob("*") if path.is_file())
    # without the option, transformers would put a random pooler where there was none
    bare = getattr(model, "pooler", 0) is None and "add_pooling_layer" in inspect.signature(type(model)).parameters
    kinds = {"model": type(model).__name__, "tokenizer": tokenizer is not None, "options": {}}
    if bare:
        kinds["options"] = {"add_pooling_layer": False}
    manifest = {**about, **kinds, "files": {name: _digest(part / name) for name in names}}
    (part / MANIFEST).write_text(json.dumps(manifest, indent=1, sort_keys=True), encoding="utf-8")
    for name in (*names, MANIFEST):
        with (part / name).open("rb+") as file:
            os.fsync(file.fileno())


def _fault(folder: Path, parts: dict[str, Any]) -> str | None:
    """What is wrong with the artefact in `folder`, None where it is whole."""
    if not folder.exists():
        return "is not there"
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if any(manifest[name] != value for name, value in parts.items()):
            return "holds another artefact"
        there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
        if odd := there ^ {*manifest["files"], MANIFEST}:
            return f"is torn or foreign, {sorted(odd)[0]} is missing or too much"
        for name, digest in manifest["files"].items():
            if _digest(folder / name) != digest:
                return f"is torn, {name} was altered"
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return f"is torn or foreign ({type(error).__name__}: {error})"
    return None


def _read(folder: Path) -> tuple[Any, Any]:
    """Model and tokenizer in `folder`, no generator moved."""
    import transformers

    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    local: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    kind = getattr(transformers, manifest["model"])
    with seeded(0), no_bar():
        model = kind.from_pretrained(folder, use_safetensors=True, **manifest["options"], **local)
    for tensor in (*model.parameters(), *model.buffers()):
        tensor.data = tensor.data.clone()  # they would be views of the file, which then cannot go everywhere
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **local) if manifest["tokenizer"] else None
    return model.eval(), tokenizer


def _refuse_changed(built: Any, read: Any) -> None:  # noqa: ANN401 - models of transformers
    before, after = built.state_dict(), read.state_dict()
    for name in before.keys() | after.keys():
        if name not in before or name not in after or not torch.equal(before[name].cpu(), after[name]):
            raise ValueError(f"{type(built).__name__} is not read back as it was built: {name!r} differs")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
