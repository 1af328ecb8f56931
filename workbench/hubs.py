"""The model hub and its cache on this machine, for models and data sets alike: asked first, never waited for long."""

import hashlib
import threading
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

__all__ = ["HubRefused", "HubUnreachable", "NotOnHub", "cached_snapshot", "fetch_snapshot", "hub_answers"]

Kind = Literal["model", "dataset"]

PROBE_SECONDS = 3.0  # the client alone retries for about 28 s before it gives up
_TRIES = 2  # times that one request is sent; a transfer that goes on from a later byte is another request
_ONE = threading.Lock()  # the client's factory is one for the process


class HubUnreachable(LookupError):
    """The hub did not answer, or stopped answering in the middle of a transfer."""


class HubRefused(LookupError):
    """The hub answered, but did not give the files whole: they are gated, or not what it says they are."""


class NotOnHub(HubRefused):
    """The hub has no repository of this name, or not this revision of it."""


def hub_answers() -> bool:
    """Whether the hub answers at all, in at most 3 seconds; False when offline mode is set."""
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


def cached_snapshot(
    repo: str, *, kind: Kind = "model", revision: str | None = None, patterns: Sequence[str]
) -> Path | None:
    """Folder of `repo` in the hub cache if every file of `patterns` lies there, else None; no request is made."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    wanted = _wanted(kind, revision, patterns)
    try:
        return Path(snapshot_download(repo, local_files_only=True, **wanted))
    except (LocalEntryNotFoundError, HFValidationError):
        return None


def fetch_snapshot(repo: str, *, kind: Kind = "model", revision: str | None = None, patterns: Sequence[str]) -> Path:
    """Folder of `repo` with the files of `patterns`, fetched from the hub into its cache.

    A hub that stops answering is given one more chance at the same byte, so the error comes after about 3 s when
    connections are refused, and after two of the client's time-outs when they hang; the cache then holds whole
    files only, and the next call fetches the others. (Files that the hub serves through its Xet storage follow
    that client's own retries.)

    Raises:
        HubUnreachable: offline mode is set, or the hub does not answer, or stops.
        NotOnHub: no such repository or revision.
        HubRefused: the repository is gated, or a file does not have the SHA-256 that the hub states.
    """
    from huggingface_hub import constants, errors, snapshot_download

    where = f"the {kind} {repo!r}" + (f" at revision {revision}" if revision else "")
    if constants.HF_HUB_OFFLINE:
        raise HubUnreachable("the hub is not asked while HF_HUB_OFFLINE is set")
    if not hub_answers():
        raise HubUnreachable(f"the hub {_endpoint()} was not reachable")
    try:
        with _bounded():
            folder = Path(snapshot_download(repo, **_wanted(kind, revision, patterns)))
    except errors.GatedRepoError as error:
        page = f"{_endpoint()}/{'datasets/' if kind == 'dataset' else ''}{repo}"
        rule = f"accept its terms at {page} and log in (hf auth login, or HF_TOKEN)"
        raise HubRefused(f"{where} is gated: {rule}") from error
    except errors.RevisionNotFoundError as error:
        raise NotOnHub(f"the hub {_endpoint()} has no revision {revision} of the {kind} {repo!r}") from error
    except (errors.RepositoryNotFoundError, errors.HFValidationError) as error:
        raise NotOnHub(f"the hub {_endpoint()} has no {kind} {repo!r}, or a private one") from error
    except (OSError, errors.HTTPError) as error:  # pyright: ignore[reportPrivateImportUsage] # of the client's library
        if isinstance(error, OSError) and error.errno and not isinstance(error, ConnectionError):
            raise  # of this machine's disk, and it says so
        raise HubUnreachable(f"the hub {_endpoint()} stopped before {where} was whole: {_first_line(error)}") from error
    _check_hashes(folder)
    return folder


def _wanted(kind: Kind, revision: str | None, patterns: Sequence[str]) -> dict[str, Any]:
    ignored = ["onnx/*", "openvino/*"] if kind == "model" else []
    return {
        "repo_type": kind,
        "revision": revision,
        "allow_patterns": list(patterns),
        "ignore_patterns": ignored,
    }


@contextmanager
def _bounded() -> Iterator[None]:
    """Inside, the client sends a request that fails at most `_TRIES` times, and waits for no answer without end."""
    from huggingface_hub import set_client_factory
    from huggingface_hub.utils import _http

    patience = _Patience()
    with _ONE:
        usual: Callable[[], Any] = _http._GLOBAL_CLIENT_FACTORY  # nothing public gives it, and it must be put back

        def factory() -> Any:  # noqa: ANN401 # a client of httpx, or of httpx2 under a newer huggingface_hub
            client = usual()
            hooks = client.event_hooks
            client.event_hooks = {
                "request": [*hooks["request"], patience.ask],
                "response": [*hooks["response"], patience.hear],
            }
            return client

        set_client_factory(factory)
        try:
            yield
        finally:
            set_client_factory(usual)


class _Patience:
    """How often each request was sent; the client's own loops catch errors of the connection, not this one's."""

    def __init__(self) -> None:
        self._asked: Counter[tuple[str, ...]] = Counter()
        self._refused: dict[tuple[str, ...], int] = {}

    def ask(self, request: Any) -> None:  # noqa: ANN401
        from huggingface_hub import constants

        self._asked[key := _key(request)] += 1
        refused = self._refused.get(key)
        if self._asked[key] > _TRIES and refused != 429:  # when asked to slow down, the client waits by itself
            how = f"answered with status {refused}" if refused else "stopped answering"
            raise HubUnreachable(f"the hub {_endpoint()} {how}: {request.url.path} was asked {_TRIES} times")
        limits = request.extensions.get("timeout", {})
        request.extensions["timeout"] = {
            part: constants.HF_HUB_DOWNLOAD_TIMEOUT if limits.get(part) is None else limits[part]
            for part in ("connect", "read", "write", "pool")
        }

    def hear(self, response: Any) -> None:  # noqa: ANN401
        key = _key(response.request)
        if response.status_code >= 400:
            self._refused[key] = response.status_code
        elif "/xet-" in response.request.url.path:
            self._asked[key] = 0  # a ticket, for which each file may ask anew


def _key(request: Any) -> tuple[str, ...]:  # noqa: ANN401
    return request.method, str(request.url), request.headers.get("range", "")


def _check_hashes(folder: Path) -> None:
    # the client checks the size alone; a large file lies under its SHA-256
    for path in sorted(folder.rglob("*")):
        stored = path.resolve()
        if not stored.is_file() or len(stored.name) != 64:
            continue
        with stored.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != stored.name:
            path.unlink()
            stored.unlink(missing_ok=True)
            raise HubRefused(
                f"{path.name} came with SHA-256 {found}, but the hub states {stored.name}: it was taken out of the "
                "cache, try again"
            )


def _endpoint() -> str:
    from huggingface_hub import constants

    return constants.ENDPOINT


def _first_line(error: BaseException) -> str:
    error = error.__cause__ or error  # the client says that something went wrong, and keeps what it was as the cause
    return (str(error).strip() or type(error).__name__).splitlines()[0]
