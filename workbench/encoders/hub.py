"""Models in the hub and in its cache on this machine, with what decides their vectors."""

from collections.abc import Sequence
from pathlib import Path

from workbench.hubs import NotOnHub, fetch_snapshot
from workbench.hubs import cached_snapshot as cached_files

__all__ = ["cached_repos", "cached_snapshot", "hub_snapshot"]


def cached_snapshot(repo: str, *, patterns: Sequence[str]) -> Path | None:
    """Folder of the model `repo` in the hub cache, if everything that decides its vectors lies there.

    A snapshot that another library filled may lack modules.json only because nobody asked for it;
    pooling and normalisation would then be guessed, so it does not count.
    """
    from huggingface_hub import try_to_load_from_cache

    folder = cached_files(repo, patterns=patterns)
    if folder is None:
        return None
    listed = folder.parent.parent / "trees" / f"{folder.name}.json"  # the client checked against it
    known = listed.is_file() or try_to_load_from_cache(repo, "modules.json") is not None
    return folder if known else None


def hub_snapshot(repo: str, *, patterns: Sequence[str]) -> Path | None:
    """Folder of the model `repo`, fetched from the hub into its cache; None when the hub has no such model.

    Raises:
        HubUnreachable: the hub does not answer, or stops in the middle.
        HubRefused: the model is gated, or a file is not what the hub says it is.
    """
    try:
        return fetch_snapshot(repo, patterns=patterns)
    except NotOnHub:
        return None


def cached_repos() -> list[str]:
    """Names `owner/model` that lie in the hub cache of this machine, sorted."""
    from huggingface_hub import constants

    folders = Path(constants.HF_HUB_CACHE).glob("models--*")
    return sorted(folder.name.removeprefix("models--").replace("--", "/") for folder in folders)
