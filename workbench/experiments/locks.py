"""One run of a key at a time, over all processes of this machine."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

__all__ = ["running"]


@contextlib.contextmanager
def running(folder: Path, *, on_wait: Callable[[], object] = lambda: None) -> Iterator[bool]:
    """Holds a run's folder; yields whether another run had to be waited for, of which `on_wait` is told first.

    The operating system frees the lock when the process that holds it ends, however it ends.
    """
    from filelock import FileLock, Timeout

    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / "lock")
    try:
        lock.acquire(timeout=0)
        waited = False
    except Timeout:
        on_wait()
        lock.acquire()
        waited = True
    try:
        yield waited
    finally:
        lock.release()
