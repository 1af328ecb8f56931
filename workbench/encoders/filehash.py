"""SHA-256 of large files, computed once: kept under the file's path, size and time of change."""

import contextlib
import hashlib
import json
from pathlib import Path

from workbench.home import cache_dir, replacing

__all__ = ["file_sha256"]


def file_sha256(path: Path) -> str:
    """SHA-256, in hex, of the file `path`; a file not changed since the last call is not read again."""
    path = path.absolute()
    stat = path.stat()
    # the inode's own time of change cannot be set back, unlike the time of modification
    state = [str(path), stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]
    note = cache_dir("hashes") / f"{hashlib.sha256(str(path).encode()).hexdigest()}.json"
    try:
        known = json.loads(note.read_text())
    except (OSError, ValueError):
        known = {}
    if isinstance(known, dict) and known.get("state") == state:
        return str(known["sha256"])
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    # a note that cannot be kept costs the next call its time, nothing else
    with contextlib.suppress(OSError), replacing(note) as kept:
        kept.write(json.dumps({"state": state, "sha256": digest}).encode())
    return digest
