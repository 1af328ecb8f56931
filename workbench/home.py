"""Where the project lives on this machine, and the one way to write a file whole or not at all."""

import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

__all__ = ["cache_dir", "data_dir", "project_root", "replacing"]


def project_root() -> Path:
    """Absolute path of the project: the folder that holds notebooks/ and pyproject.toml.

    The environment variable WORKBENCH_HOME decides; without it, the nearest such parent of the
    working directory, then of the installed package (which is installed editable).

    Raises:
        FileNotFoundError: WORKBENCH_HOME is no such folder, or no parent is.
    """
    named = os.environ.get("WORKBENCH_HOME")
    if named:
        root = Path(named).resolve()
        if not _is_root(root):
            raise FileNotFoundError(f"WORKBENCH_HOME={named!r} must hold notebooks/ and pyproject.toml")
        return root
    for start in (Path.cwd(), Path(__file__).resolve().parent):
        for folder in (start, *start.parents):
            if _is_root(folder):
                return folder
    raise FileNotFoundError(
        f"no parent of {Path.cwd()} holds notebooks/ and pyproject.toml: change into the project or set WORKBENCH_HOME"
    )


def data_dir() -> Path:
    """Where runs and caches are written: data/ of the project, or the user's own folder where that is read-only.

    On a course server the project often belongs to somebody else; each user then writes to
    $XDG_DATA_HOME/workbench/<hash of the project's path> (by default under ~/.local/share). Committed results
    are read from the project itself.
    """
    root = project_root()
    data = root / "data"
    if os.access(data if data.is_dir() else root, os.W_OK):
        return data
    own = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return own / "workbench" / hashlib.sha256(str(root).encode()).hexdigest()[:12]


def cache_dir(name: str) -> Path:
    """Folder cache/`name` of `data_dir`, created when missing; safe to delete at any time."""
    folder = data_dir() / "cache" / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file to write in the place of `path`: readers see the old file or the whole new one, even after a kill.

    It is written under another name in the same folder (".part-..."), flushed to the disk and renamed when the
    block ends; an error in the block leaves `path` as it was.
    """
    temporary = path.with_name(f".part-{os.getpid()}-{secrets.token_hex(6)}")
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _is_root(folder: Path) -> bool:
    return (folder / "notebooks").is_dir() and (folder / "pyproject.toml").is_file()
