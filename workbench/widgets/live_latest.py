"""A thread that does the newest job; jobs that came before it and have not begun are dropped."""

import threading
from collections.abc import Callable

__all__ = ["Latest"]

IDLE = 5.0  # seconds without a job after which the thread ends; the next job starts another

Job = Callable[[Callable[[], bool]], object]


class Latest:
    """Runs one job at a time. A job is given a function that says whether it is still the newest."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._job: Job | None = None
        self._newest, self._running, self._busy = 0, False, False

    def put(self, job: Job) -> None:
        """Hands over the newest job, and drops one that waits."""
        with self._condition:
            self._job, self._newest = job, self._newest + 1
            self._condition.notify_all()
            if not self._running:
                self._running = True
                threading.Thread(target=self._run, name="workbench-latest", daemon=True).start()

    def pause(self, seconds: float) -> bool:
        """Waits, for a job of this thread; False as soon as another job has come."""
        with self._condition:
            return not self._condition.wait_for(lambda: self._job is not None, timeout=seconds)

    def join(self, seconds: float) -> bool:
        """Waits for at most so many seconds until nothing is left to do; whether that was reached."""
        with self._condition:
            return self._condition.wait_for(lambda: self._job is None and not self._busy, timeout=seconds)

    def _run(self) -> None:
        while True:
            with self._condition:
                self._busy = False
                self._condition.notify_all()
                if not self._condition.wait_for(lambda: self._job is not None, timeout=IDLE):
                    self._running = False
                    return
                job, self._job, self._busy, number = self._job, None, True, self._newest
            try:
                if job is not None:
                    job(lambda number=number: number == self._newest)
            except BaseException:
                with self._condition:
                    self._running = self._busy = False
                raise
