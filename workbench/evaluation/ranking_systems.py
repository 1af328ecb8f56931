"""Many systems on many tasks: mean, Borda count, mean rank, and which of them differ from the best."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from workbench.evaluation.base import Evaluation
from workbench.evaluation.comparison import aligned, difference_text, ends, p_of, p_text, paired
from workbench.evaluation.tables import Table
from workbench.intervals import Estimate, holm, permutation_tests
from workbench.intervals.estimate import t_estimate

__all__ = ["Placed", "Ranking", "borda_points", "rank_intervals", "rank_systems"]

LEAST_TASKS = 5  # of fewer, a bootstrap says next to nothing of other tasks


@dataclass(frozen=True)
class Placed:
    """One system among others.

    Attributes:
        system: its name.
        mean: its main metrics' mean over the tasks.
        points: Borda points, see `borda_points`.
        rank: place by points, 1 is best; equal points share the better place.
        low: lower end of the 95 % interval of the place, over tasks; the best possible one with fewer than 5 tasks.
        high: upper end, likewise.
        mean_rank: mean over tasks of its place in each.
        difference: mean of the best minus its own, over the items of these tasks; None for the best itself.
        p: two-sided, paired; 1 for the best.
        p_holm: adjusted for all systems.
        significant: `p_holm` below 0.05.
    """

    system: str
    mean: float
    points: float
    rank: int
    low: int
    high: int
    mean_rank: float
    difference: Estimate | None
    p: float
    p_holm: float
    significant: bool


@dataclass(frozen=True, repr=False)
class Ranking(Table):
    """Systems in the order of their Borda points; shows itself as a table.

    Attributes:
        rows: one for each system, best first.
        tasks: the tasks, in order.
        best: the system of the highest mean, which the others are tested against.
    """

    rows: tuple[Placed, ...]
    tasks: tuple[str, ...]
    best: str

    heads = ("place", "95 %", "system", "mean", "Borda", "mean rank", "best - this [95 %]", "p", "p (Holm)", "")

    @property
    def preface(self) -> list[str]:
        """The tasks, and what is tested."""
        return [f"{len(self.tasks)} tasks: {', '.join(self.tasks)}", f"differences from {self.best}, highest in mean"]

    def cells(self) -> list[tuple[str, ...]]:
        """The table's cells as texts; values times 100."""
        return [
            (
                str(row.rank),
                f"{row.low} to {row.high}",
                row.system,
                f"{100 * row.mean:.2f}",
                f"{row.points:g}",
                f"{row.mean_rank:.2f}",
                *((difference_text(row.difference), p_text(row.p), p_text(row.p_holm)) if row.difference else [""] * 3),
                "best" if row.difference is None else "significant" if row.significant else "not significant",
            )
            for row in self.rows
        ]

    def records(self) -> list[dict[str, object]]:
        """A flat row of plain numbers for each system, not multiplied."""
        flat = []
        for row in self.rows:
            e = row.difference
            own = {"rank_low": row.low, "rank_high": row.high, "difference": e.value if e else 0.0}
            around = ends(e) if e else {"low": 0.0, "high": 0.0}
            flat.append({**vars(row), **own, **around})
        return flat


def rank_systems(systems: Mapping[str, Mapping[str, Evaluation]], *, resamples: int = 10_000, seed: int = 0) -> Ranking:
    """Places of systems by Borda count over tasks, with the systems that differ from the one of the highest mean.

    Each task counts by its main metric. The interval of a place is the 2.5 and 97.5 % quantile over `resamples`
    bootstraps of the tasks; with fewer than 5 tasks it is open, from 1 to the number of systems, and below some 30 it
    is too narrow. The difference from the best concerns these tasks and other items: variances of the tasks' paired
    differences add up, t with Satterthwaite's degrees of freedom; p by sign flips of all items (mid-p) where every
    main metric is a mean, else by t; Holm over the systems. The best was found on the same items, so p is a little
    small where several are nearly as good.

    Raises:
        ValueError: fewer than 2 systems, other tasks, items, data or main metrics in one of them.

    Reference: Enevoldsen et al. 2025, MMTEB, on the Borda count.
    """
    tasks = _shared_tasks(systems)
    names = list(systems)
    scores = np.array([[systems[name][task][systems[name][task].main].value for task in tasks] for name in names])
    rng = np.random.default_rng(seed)
    points, means = borda_points(scores), scores.mean(axis=1)
    places = _places(points)
    low, high = rank_intervals(scores, resamples=resamples, rng=rng)
    best = names[int(np.argmax(means))]
    others = [name for name in names if name != best]
    tests = dict(zip(others, _tests(systems, tasks, best, others, rng, resamples), strict=True))
    adjusted = dict(zip(others, holm([p for _, p in tests.values()]), strict=True))
    mean_ranks = (scores.shape[0] - _points(scores)).mean(axis=1)
    rows = []
    for i in np.lexsort((-means, places)):
        name = names[i]
        difference, p = tests.get(name, (None, 1.0))
        p_holm = float(adjusted.get(name, 1.0))
        place = (int(places[i]), int(low[i]), int(high[i]))
        own = (name, float(means[i]), float(points[i]), *place, float(mean_ranks[i]))
        rows.append(Placed(*own, difference, p, p_holm, p_holm < 0.05))
    return Ranking(tuple(rows), tuple(tasks), best)


def borda_points(scores: np.ndarray) -> np.ndarray:
    """Borda count of each system, float64 (systems,), of `scores` (systems, tasks), higher better.

    In each task a system gets the number of systems minus its place, that is one point for each system it beats;
    equal scores share the mean of their places. In [0, tasks * (systems - 1)].

    Raises:
        ValueError: not 2-D, fewer than 2 systems, no tasks, or a score that is not finite.

    Reference: Colombo et al. 2022, What are the best systems?, NeurIPS; ties as in mteb's leaderboard.
    """
    return _points(_checked(scores)).sum(axis=1)


def rank_intervals(
    scores: np.ndarray, *, rng: np.random.Generator, resamples: int = 10_000
) -> tuple[np.ndarray, np.ndarray]:
    """Both ends of each system's 95 % interval of its Borda place, int64 (systems,), over bootstraps of the tasks.

    From 1 to the number of systems for all of them with fewer than 5 tasks.

    Raises:
        ValueError: as `borda_points`, or fewer than 100 resamples.
    """
    points = _points(_checked(scores))
    systems, tasks = points.shape
    if resamples < 100:
        raise ValueError(f"a bootstrap needs at least 100 resamples, got {resamples}")
    if tasks < LEAST_TASKS:
        return np.ones(systems, dtype=np.int64), np.full(systems, systems)
    drawn = rng.multinomial(tasks, np.full(tasks, 1 / tasks), size=resamples)
    places = _places(drawn @ points.T)
    low = np.quantile(places, 0.025, axis=0, method="lower")
    return low, np.quantile(places, 0.975, axis=0, method="higher")


def _checked(scores: np.ndarray) -> np.ndarray:
    table = np.asarray(scores, dtype=np.float64)
    if table.ndim != 2 or table.shape[0] < 2 or table.shape[1] < 1:
        raise ValueError(f"scores must be (systems, tasks), at least 2 x 1, got shape {table.shape}")
    if not np.isfinite(table).all():
        row, column = np.argwhere(~np.isfinite(table))[0]
        raise ValueError(f"every score must be finite, system {row} has {table[row, column]} on task {column}")
    return table


def _points(scores: np.ndarray) -> np.ndarray:
    """Borda points of each system on each task, (systems, tasks)."""
    from scipy.stats import rankdata

    return len(scores) - rankdata(-scores, method="average", axis=0)


def _places(points: np.ndarray) -> np.ndarray:
    """Places by points along the last axis, 1 for the most, equal points the same better place."""
    from scipy.stats import rankdata

    return rankdata(-points, method="min", axis=-1).astype(np.int64)


def _shared_tasks(systems: Mapping[str, Mapping[str, Evaluation]]) -> list[str]:
    if len(systems) < 2:
        raise ValueError(f"a ranking needs 2 systems or more, got {len(systems)}")
    first, *others = systems
    tasks = list(systems[first])
    if not tasks:
        raise ValueError(f"{first} has no tasks")
    for name in others:
        if different := sorted(set(systems[name]) ^ set(tasks)):
            raise ValueError(f"every system must have every task: {different[0]} is in one of {first} and {name} only")
        for task in tasks:
            a, b = systems[first][task].main, systems[name][task].main
            if a != b:
                raise ValueError(f"{task}: the main metric of {first} is {a}, of {name} {b}")
    return tasks


def _tests(
    systems: Mapping[str, Mapping[str, Evaluation]],
    tasks: list[str],
    best: str,
    others: list[str],
    rng: np.random.Generator,
    resamples: int,
) -> list[tuple[Estimate, float]]:
    """Best minus each other in the mean over tasks, with p."""
    pairs = [[aligned(task, systems[best][task], systems[name][task]) for task in tasks] for name in others]
    found = [_mean_difference(tasks, by_task) for by_task in pairs]
    if any(a.main in a.replicates for a, _ in pairs[0]) or not all(np.isfinite(e.standard_error) for e in found):
        return [(e, p_of(e)) for e in found]
    # an item weighs what it moves the mean over tasks by
    columns = [
        np.concatenate([(a.arrays[a.main] - b.arrays[b.main]) / len(a.ids) for a, b in by_task]) for by_task in pairs
    ]
    p = permutation_tests(np.stack(columns, axis=1), rng=rng, resamples=resamples, mid=True)
    return [(e, float(one)) for e, one in zip(found, p, strict=True)]


def _mean_difference(tasks: list[str], pairs: list[tuple[Evaluation, Evaluation]]) -> Estimate:
    parts = [paired(task, b, a, a.main) for task, (a, b) in zip(tasks, pairs, strict=True)]
    value, n = float(np.mean([e.value for e in parts])), sum(e.n for e in parts)
    definition = "mean over tasks of the best's metric minus this one's"
    if not all(np.isfinite(e.standard_error) for e in parts):
        return Estimate(value, -np.inf, np.inf, n, "item", "too few units for an interval", definition)
    terms = [((e.standard_error / len(parts)) ** 2, e.degrees_of_freedom) for e in parts]
    method = "paired, variances of the tasks added, Satterthwaite t"
    return t_estimate(value, terms, n=n, unit="item", method=method, definition=definition)
