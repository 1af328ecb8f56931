"""The maps of an Explorer: one is computed at a time, with an estimate, a bar, and an end on demand."""

import json
import math
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from torch import Tensor

from workbench.widgets.explorer_controls import Controls
from workbench.widgets.projecting import Cancelled, Job, checked_options, computed, flat, seconds_of, spoken

__all__ = ["Function", "Projector"]

Function = Callable[..., object]
Show = Callable[[str, Mapping[str, Any], np.ndarray], object]
TITLES = {"pca": "PCA", "umap": "UMAP", "tsne": "t-SNE"}


class Projector:
    """Makes maps of rows (n, d) and keeps those that were made, so that going back to one takes no time."""

    def __init__(self, rows: Tensor, *, metric: str, seed: int, controls: Controls, show: Show) -> None:
        """`show` gets the name, the options and the points (n, 2) of a map that is ready."""
        self._rows, self._metric, self._seed = rows, metric, seed
        self._controls, self._show = controls, show
        self._made: dict[tuple[str, str], np.ndarray] = {}
        self._functions: dict[str, tuple[Function, dict[str, Any]]] = {}
        self._took: dict[str, float] = {}
        self._job: Job | None = None
        self._lock = threading.Lock()

    def estimate(self, how: object) -> float:
        """Roughly how many seconds a projection takes; NaN for a function that has not run yet."""
        name = how if isinstance(how, str) else called(how)
        if name in self._took:
            return self._took[name]
        if name in self._functions or not isinstance(how, str):
            return math.nan
        checked_options(name, {}, len(self._rows))
        return seconds_of(name, *self._rows.shape)

    def said(self, how: str) -> str:
        """The estimate in words, or why there is none."""
        try:
            kept = (how, _key(self._options(how, {}))) in self._made
            return "at once" if kept else spoken(self.estimate(how))
        except ValueError as error:
            return str(error)

    def begin(self, how: object, options: Mapping[str, Any]) -> Job:
        """Starts a projection, whose end `show` and the controls are told.

        Raises:
            TypeError: neither a name nor a function.
            ValueError: as in `checked_options`.
            RuntimeError: another is being computed.
        """
        if not isinstance(how, str) and not callable(how):
            raise TypeError(f"a projection is 'pca', 'umap', 'tsne' or a function, got {type(how).__name__}")
        name = how if isinstance(how, str) else called(how)
        function = None if isinstance(how, str) else how
        if isinstance(how, str) and how in self._functions:
            function, kept = self._functions[how]
            options = kept | dict(options)
        known = dict(options) if function is not None else self._options(name, options)
        with self._lock:
            if self._job is not None and not self._job.over:
                raise RuntimeError(f"{self._job.name} is being computed: wait for its end, or cancel it")
            job = Job(name, self._maker(name, function, known), ended=self._ending(name, function, known))
            self._job = job
        if function is not None:
            self._functions[name] = (function, known)
            self._controls.offer(name)
        self._controls.running(True)
        self._controls.say(f"{TITLES.get(name, name)}: computed in the background, {self.said(name)}")
        job.start()
        return job

    def keep(self, name: str, points: np.ndarray) -> None:
        """Points that need not be computed: those of `name` without options of its own."""
        self._made[name, _key(self._options(name, {}))] = points

    def cancel(self) -> None:
        """Ends what is being computed, if anything is."""
        if self._job is not None:
            self._job.cancel()

    def _options(self, name: str, options: Mapping[str, Any]) -> dict[str, Any]:
        seed = {"seed": self._seed} if name in ("umap", "tsne") else {}
        return checked_options(name, seed | dict(options), len(self._rows))

    def _maker(self, name: str, function: Function | None, options: dict[str, Any]) -> Callable[[Job], np.ndarray]:
        n, kept = len(self._rows), self._made.get((name, _key(options))) if function is None else None

        def make(job: Job) -> np.ndarray:
            if kept is not None:
                return kept
            began = time.monotonic()
            if function is not None:
                points = flat(function(self._rows.cpu().float().numpy(), **options), n)
            else:
                told = self._controls.told
                points = flat(computed(self._rows, name, options, metric=self._metric, job=job, told=told), n)
                self._made[name, _key(options)] = points
            self._took[name] = time.monotonic() - began
            return points

        return make

    def _ending(self, name: str, function: Function | None, options: dict[str, Any]) -> Callable[[Job], None]:
        def ended(job: Job) -> None:
            title = TITLES.get(name, name)
            try:
                if job.error is None and job.points is not None:
                    self._show(name, options, job.points)
                    self._controls.say(f"The map is {title} now")
                elif isinstance(job.error, Cancelled):
                    goes_on = "; the function goes on, but its result is dropped" if function is not None else ""
                    self._controls.say(f"{title} was cancelled{goes_on}. The map is as it was")
                else:
                    self._controls.say(f"{title} has failed: {job.error}")
            finally:
                self._controls.running(False)

        return ended


def called(function: object) -> str:
    """The name by which a function is offered."""
    return str(getattr(function, "__name__", type(function).__name__))


def _key(options: Mapping[str, Any]) -> str:
    return json.dumps(dict(options), sort_keys=True, default=str)
