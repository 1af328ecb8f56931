"""Who watches a training run where nobody else does: a bar on a terminal."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from workbench.training.config import Monitor
from workbench.training.session import Session

__all__ = ["watching"]


@contextmanager
def watching(monitor: Monitor | None, session: Session) -> Iterator[Monitor]:
    """The monitor, told of the beginning and, whatever happens, of the end."""
    watcher = monitor or _Bar()
    if session.rank:
        watcher = _Bar(silent=True)
    watcher.begin(session.config.steps, session.step)
    try:
        yield watcher
    except BaseException:
        watcher.end("failed")
        raise
    watcher.end(session.reason or "failed")


class _Bar:
    """tqdm's bar, where the standard error is a terminal."""

    def __init__(self, *, silent: bool = False) -> None:
        self.stopping, self._silent = False, silent or not sys.stderr.isatty()

    def begin(self, steps: int, done: int) -> None:
        from tqdm import tqdm

        self._bar = tqdm(total=steps, initial=done, desc="train", unit="step", disable=self._silent)

    def update(self, row: Mapping[str, float]) -> None:
        self._bar.update(1)
        self._bar.set_postfix(loss=f"{row['loss']:.4g}", refresh=False)

    def end(self, reason: str) -> None:
        self._bar.set_postfix_str(reason, refresh=False)
        self._bar.close()
