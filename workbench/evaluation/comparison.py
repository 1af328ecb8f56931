"""Two systems on the same items: paired differences, their tests, and first of all how the recipes differ."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from workbench.evaluation.base import Evaluation
from workbench.evaluation.tables import Table
from workbench.intervals import (
    Estimate,
    detectable_effect,
    holm,
    jackknife_replicates,
    mean_interval,
    permutation_tests,
)

__all__ = ["Compared", "Comparison", "compare"]


@dataclass(frozen=True)
class Compared:
    """One metric of one task, of two systems.

    Attributes:
        task: name of the task.
        metric: the metric compared.
        a: value of the first system.
        b: value of the second.
        difference: second minus first, with its paired interval.
        p: of the paired test, two-sided.
        p_holm: the same, adjusted for all rows of the comparison.
        detectable: smallest true difference that a test like this finds in four cases of five; before Holm.
        significant: `p_holm` below 0.05.
        n: items.
    """

    task: str
    metric: str
    a: float
    b: float
    difference: Estimate
    p: float
    p_holm: float
    detectable: float
    significant: bool
    n: int


@dataclass(frozen=True, repr=False)
class Comparison(Table):
    """What differs between two recipes, then the test of each task; shows itself as a table.

    Attributes:
        rows: one for each task.
        recipe_difference: (what, first, second) for all that the recipes do not share; empty when they are equal.
    """

    rows: tuple[Compared, ...]
    recipe_difference: tuple[tuple[str, str, str], ...]

    heads = ("task", "metric", "first", "second", "second - first [95 %]", "p", "p (Holm)", "detectable", "n", "")

    @property
    def preface(self) -> list[str]:
        """The recipe's difference, a line for each part of it."""
        if not self.recipe_difference:
            return ["the same recipe"]
        return [f"recipe, {what}: {a} -> {b}" for what, a, b in self.recipe_difference]

    def cells(self) -> list[tuple[str, ...]]:
        """The table's cells as texts; values times 100."""
        return [
            (
                row.task,
                row.metric,
                f"{100 * row.a:.2f}",
                f"{100 * row.b:.2f}",
                difference_text(row.difference),
                p_text(row.p),
                p_text(row.p_holm),
                f"{100 * row.detectable:.2f}" if math.isfinite(row.detectable) else "none",
                f"{row.n:,}",
                "significant" if row.significant else "not significant",
            )
            for row in self.rows
        ]

    def records(self) -> list[dict[str, object]]:
        """A flat row of plain numbers for each task, not multiplied."""
        return [{**vars(row), "difference": row.difference.value, **ends(row.difference)} for row in self.rows]


def compare(
    a: Evaluation | Mapping[str, Evaluation],
    b: Evaluation | Mapping[str, Evaluation],
    *,
    metric: str | None = None,
    resamples: int = 10_000,
    seed: int = 0,
) -> Comparison:
    """Second system minus first on the same items, of one evaluation each or of one for each task.

    A metric that is a mean: Student's t interval of the paired differences, and p by flipping their signs (mid-p, so
    that tied items do not hide a difference). A statistic: jackknife of the difference over the blocks of both, and
    p by t. Of a single item or fewer than 5 blocks there is neither interval nor test, and p is 1. Holm's rule over
    all tasks. Items are paired by their ids. In the unit of the metric; `metric` None takes each task's main one;
    `seed` draws the flips.

    Raises:
        ValueError: other tasks, items, data or blocks on one side, or no such metric; names what differs.
    """
    pairs = _by_task(a, b)
    rng = np.random.default_rng(seed)
    rows = [_compared(task, *aligned(task, x, y), metric, rng, resamples) for task, (x, y) in pairs.items()]
    adjusted = holm([row.p for row in rows])
    done = (replace(r, p_holm=float(p), significant=bool(p < 0.05)) for r, p in zip(rows, adjusted, strict=True))
    return Comparison(tuple(done), tuple(_recipes(pairs)))


def paired(task: str, a: Evaluation, b: Evaluation, metric: str) -> Estimate:
    """Second minus first in one metric of two aligned evaluations, with its interval.

    Raises:
        ValueError: the blocks of a statistic are not the same.
    """
    value, definition = b[metric].value - a[metric].value, f"difference in {metric}, second minus first"
    if metric not in a.replicates:
        differences = b.arrays[metric] - a.arrays[metric]
        return mean_interval(differences, definition=definition) if len(differences) > 1 else _open(value, definition)
    if not np.array_equal(a.blocks, b.blocks):
        raise ValueError(f"{task}: the jackknife of {metric} needs the same blocks in both, and they differ")
    left_out = b.replicates[metric] - a.replicates[metric]
    if len(left_out) < 5 or not np.isfinite(left_out).all():
        return _open(value, definition, n=len(left_out), unit="block")
    return jackknife_replicates(value, left_out, definition=definition)


def p_of(estimate: Estimate) -> float:
    """Two-sided p of Student's t that the estimate's truth is 0; 1 where it has no error to hold it against."""
    from scipy.special import stdtr

    if estimate.value == 0 or math.isnan(estimate.standard_error):
        return 1.0
    if estimate.standard_error == 0:
        return 0.0
    return float(2 * stdtr(estimate.degrees_of_freedom, -abs(estimate.value) / estimate.standard_error))


def difference_text(estimate: Estimate) -> str:
    """Difference and interval times 100, with their signs."""
    if not math.isfinite(estimate.low):
        return f"{100 * estimate.value:+.2f} (no interval)"
    return f"{100 * estimate.value:+.2f} [{100 * estimate.low:+.2f}, {100 * estimate.high:+.2f}]"


def p_text(p: float) -> str:
    """A p-value in four digits."""
    return f"{p:.4f}" if p >= 0.0001 else "<0.0001"


def ends(estimate: Estimate) -> dict[str, float]:
    """Both ends of an interval, by name."""
    return {"low": estimate.low, "high": estimate.high}


def _by_task(a: Mapping, b: Mapping) -> dict[str, tuple[Evaluation, Evaluation]]:
    if isinstance(a, Evaluation) and isinstance(b, Evaluation):
        return {a.task: (a, b)}
    if isinstance(a, Evaluation) or isinstance(b, Evaluation):
        raise ValueError("compare takes two evaluations, or two mappings from tasks to evaluations, not one of each")
    if a.keys() != b.keys() or not a:
        raise ValueError(f"both must hold the same tasks, got {sorted(a)} and {sorted(b)}")
    return {task: (a[task], b[task]) for task in a}


def aligned(task: str, a: Evaluation, b: Evaluation) -> tuple[Evaluation, Evaluation]:
    """Both with their items in the order of the first; refused where they are not of the same items."""
    if a.task != b.task:
        raise ValueError(f"{task}: one evaluation is of kind {a.task!r}, the other {b.task!r}")
    if a.source != b.source:
        raise ValueError(f"{task}: the data differ: fingerprints {a.source[:12]!r} and {b.source[:12]!r}")
    if a.ids == b.ids:
        return a, b
    if alone := sorted(set(a.ids) ^ set(b.ids)):
        side = "first" if alone[0] in a.ids else "second"
        raise ValueError(f"{task}: {len(alone)} items are in one evaluation only, {alone[0]!r} in the {side}")
    place = {name: i for i, name in enumerate(b.ids)}
    if len(place) < len(b.ids) or len(a.ids) != len(b.ids):
        raise ValueError(f"{task}: ids in another order must be unique, and some are not")
    rows = [place[name] for name in a.ids]
    return a, replace(b, ids=a.ids, arrays={k: v[rows] for k, v in b.arrays.items()}, blocks=b.blocks[rows], columns={})


def _compared(
    task: str, a: Evaluation, b: Evaluation, metric: str | None, rng: np.random.Generator, resamples: int
) -> Compared:
    name = metric or a.main
    for side in (a, b):
        if name not in side:
            raise ValueError(f"{task}: no metric {name!r} in one of the evaluations; it has {', '.join(side)}")
    if (name in a.replicates) is not (name in b.replicates):
        raise ValueError(f"{task}: {name} is a mean of items in one evaluation and a statistic of all in the other")
    difference = paired(task, a, b, name)
    known = math.isfinite(difference.standard_error)
    if name in a.replicates or not known:
        p = p_of(difference)
    else:
        differences = (b.arrays[name] - a.arrays[name])[:, None]
        p = float(permutation_tests(differences, rng=rng, resamples=resamples, mid=True)[0])
    least = detectable_effect(difference) if known else math.inf
    return Compared(task, name, a[name].value, b[name].value, difference, p, p, least, False, len(a.ids))


def _open(value: float, definition: str, *, n: int = 1, unit: str = "item") -> Estimate:
    return Estimate(value, -math.inf, math.inf, n, unit, "too few units for an interval", definition)


def _recipes(pairs: Mapping[str, tuple[Evaluation, Evaluation]]) -> Iterator[tuple[str, str, str]]:
    """What the recipes do not share: once where it is the same in all tasks, else with the task's name."""
    found: dict[str, dict[str, tuple[str, str]]] = {}
    for task, (a, b) in pairs.items():
        for what in dict.fromkeys([*a.recipe, *b.recipe]):
            mine, theirs = (_said(side.recipe, what) for side in (a, b))
            if mine != theirs:
                found.setdefault(what, {})[task] = (mine, theirs)
    for what, by_task in found.items():
        if len(by_task) == len(pairs) and len(set(by_task.values())) == 1:
            yield (what, *next(iter(by_task.values())))
        else:
            yield from ((f"{what} of {task}", *said) for task, said in by_task.items())


def _said(recipe: Mapping[str, object], what: str) -> str:
    """A part of a recipe as text, the same before and after it went through a file; hashes are cut to 12 digits."""
    if what not in recipe:
        return "not said"
    value = recipe[what]
    if isinstance(value, str):
        return value[:12] if len(value) == 64 and not value.strip("0123456789abcdef") else value
    return json.dumps(value, default=str)
