"""Small questions to the model hub and its cache, asked before any call of the hub's own client."""

import threading
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["cached_repos", "cached_snapshot", "hub_answers", "hub_snapshot"]

PROBE_SECONDS = 3.0  # the client alone retries for about 28 s before it gives up


def hub_answers() -> bool:
    """Whether the model hub answers at all, in at most 3 seconds; False when offline mode is set."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return False
    answered = threading.Event()

    def ask() -> None:
        request = urllib.request.Request(constants.ENDPOINT, method="HEAD")
        try:
            urllib.request.urlopen(request, timeout=PROBE_SECONDS).close()
        except urllib.error.HTTPError:
            answered.set()  # an error page is an answer
        except (OSError, ValueError):
            return
        answered.set()

    # a thread, because looking up a host's name obeys no time-out
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(PROBE_SECONDS)
    return answered.is_set()


def cached_snapshot(repo: str, *, patterns: Sequence[str]) -> Path | None:
    """Folder of the model `repo` in the hub cache, if everything that decides its vectors lies there.

    A snapshot that another library filled may lack modules.json only because nobody asked for it;
    pooling and normalisation would then be guessed, so it does not count.
    """
    from huggingface_hub import snapshot_download, try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(repo, local_files_only=True, **_wanted(patterns)))
    except (LocalEntryNotFoundError, HFValidationError):
        return None
    listed = folder.parent.parent / "trees" / f"{folder.name}.json"  # the client checked against it
    known = listed.is_file() or try_to_load_from_cache(repo, "modules.json") is not None
    return folder if known else None


def hub_snapshot(repo: str, *, patterns: Sequence[str]) -> Path | None:
    """Folder of the model `repo`, fetched from the hub into its cache; None when the hub has no such model."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError

    try:
        return Path(snapshot_download(repo, **_wanted(patterns)))
    except (RepositoryNotFoundError, HFValidationError):
        return None


def _wanted(patterns: Sequence[str]) -> dict[str, Any]:
    return {"allow_patterns": list(patterns), "ignore_patterns": ["onnx/*", "openvino/*"]}


def cached_repos() -> list[str]:
    """Names `owner/model` that lie in the hub cache of this machine, sorted."""
    from huggingface_hub import constants

    folders = Path(constants.HF_HUB_CACHE).glob("models--*")
    return sorted(folder.name.removeprefix("models--").replace("--", "/") for folder in folders)
