"""Clustering: do groups of near vectors agree with the labels? The two protocols of mteb."""

import dataclasses
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np

from workbench.corpora import Labels
from workbench.evaluation.agreement import MEASURES, matched
from workbench.evaluation.base import Evaluation, Sentences, evaluation_of, ids_of, lengths_of, recipe_of
from workbench.evaluation.labelled import as_codes, vectors_of
from workbench.intervals import Estimate, Unit, blocks_of
from workbench.intervals.estimate import t_estimate

__all__ = ["evaluate_clustering"]

BOOTSTRAPS = 10  # of version 2
RESTARTS = 5  # clusterings of version 1, from which the spread over seeds is known; the first is the score


@dataclass(frozen=True)
class Clustering:
    """One run of k-means: `rows` (m,), their label and cluster numbers, and how often the run drew each."""

    rows: np.ndarray
    labels: np.ndarray
    clusters: np.ndarray
    drawn: np.ndarray

    def table(self, counts: np.ndarray) -> np.ndarray:
        """Labels x clusters: how many items, each counted `counts[row]` times."""
        shape = self.labels.max() + 1, self.clusters.max() + 1
        at = self.labels * shape[1] + self.clusters
        return np.bincount(at, weights=counts, minlength=shape[0] * shape[1]).reshape(shape)


def evaluate_clustering(
    encoder: Sentences,
    data: Labels,
    *,
    version: Literal[1, 2] = 2,
    groups: str | None = None,
    levels: Sequence[str] = (),
    most: int | None = None,
    draw: int = 16_384,
    seed: int = 42,
) -> Evaluation:
    """Clusters against labels: "v_measure" (main) by mteb's protocol, "ami", "ari", "accuracy", "purity" beside it.

    V-measure (the same number as normalised mutual information with the arithmetic mean), accuracy (clusters matched
    to labels one to one) and purity lie in [0, 1]; AMI and ARI are 0 by chance, 1 at best. k-means has as many
    clusters as there are labels. Version 1: each value of column `groups`, or all rows, is clustered once; the mean.
    Version 2: `most` rows (None: all), then 10 times `draw` rows with replacement; the mean, for the labels and for
    each column of `levels` (None: the row has no such level). The copies that are drawn enter V-measure, as in mteb;
    the other numbers count every item once, because copies agree of themselves.

    Intervals: the jackknife over 20 blocks of texts with the clusterings held fixed, plus the variance over the
    draws (version 2: over their number) or over 5 seeds (version 1). How other items would move the clusters is
    not in them. Parts by `take` and `by` hold the clusterings fixed and have the jackknife alone.

    Raises:
        ValueError: fewer than 2 labels or a row for each label (in a group, at a level), no such column, `most` or
            `draw` below 2 or below the number of labels, options of the other version, or vectors that are not finite.

    Reference: Muennighoff et al. 2023, MTEB, section 3.2; Enevoldsen et al. 2025, MMTEB, appendix on clustering;
        mteb 2, AbsTaskClusteringLegacy and AbsTaskClustering.
    """
    if (version == 1 and (levels or most is not None or draw != 16_384)) or (version == 2 and groups is not None):
        raise ValueError("levels, most and draw belong to version 2, groups to version 1")
    if len(data) == 0:
        raise ValueError(f"{data.source.name}: no rows to cluster")
    if min(draw, 2 if most is None else most) < 2:
        raise ValueError(f"most and draw must be at least 2, got {most} and {draw}")
    rng = random.Random(seed)
    if most is not None:
        data = data.take(rng.sample(range(len(data)), k=min(most, len(data))))
    parts = _parts(data, groups, levels)
    if (k := max(codes.max() + 1 for _, codes in parts)) > draw:
        raise ValueError(f"draw must not be fewer than the {k} clusters, one a label, got {draw}")
    x = vectors_of(encoder, list(data.texts))
    rows = (x.float() if x.element_size() < 4 else x).numpy()
    if version == 1:
        runs = [[_once(rows, *part, seed + i) for part in parts] for i in range(RESTARTS)]
        kept, over = runs[0], 1
    else:
        kept = [_drawn(rows, *part, draw, rng, seed) for part in parts for _ in range(BOOTSTRAPS)]
        runs, over = [kept[i::BOOTSTRAPS] for i in range(BOOTSTRAPS)], BOOTSTRAPS
    protocol = f"mteb clustering, version {version}, seed {seed}" + (f", {draw} rows drawn" if version == 2 else "")
    given = {"groups": groups, "levels": list(levels), "most": most}
    recipe = recipe_of(encoder, data=data.source.name, split=data.source.split or "all", protocol=protocol, **given)
    return _scored(data, kept, runs, over, lengths_of(encoder, data.texts), recipe)


def _parts(data: Labels, groups: str | None, levels: Sequence[str]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Rows and label numbers of everything that is clustered on its own: the groups, or the levels."""
    if missing := [name for name in (*levels, *([groups] if groups else [])) if name not in data.columns]:
        raise ValueError(f"{data.source.name} has no column {missing[0]!r}; it has {sorted(data.columns)}")
    everything = np.arange(len(data))
    if groups is not None:
        group = np.array([str(value) for value in data.columns[groups]])
        named = [(f"{groups} {name}", np.flatnonzero(group == name), data.labels) for name in dict.fromkeys(group)]
    else:
        named = [("the labels", everything, data.labels)]
        for level in levels:
            values = data.columns[level]
            named.append(
                (f"level {level}", np.array([i for i in range(len(data)) if values[i] is not None], int), values)
            )
    parts = []
    for name, rows, labels in named:
        codes, names = as_codes([labels[i] for i in rows.tolist()])
        if not 2 <= len(names) < len(rows):
            raise ValueError(
                f"{name}: {len(names)} labels of {len(rows)} rows; there must be 2 or more, and fewer than rows"
            )
        parts.append((rows, codes))
    return parts


def _once(x: np.ndarray, rows: np.ndarray, labels: np.ndarray, seed: int) -> Clustering:
    from sklearn.cluster import MiniBatchKMeans

    model = MiniBatchKMeans(labels.max() + 1, batch_size=500, n_init="auto", random_state=seed)
    return Clustering(rows, labels, np.asarray(model.fit(x[rows]).labels_), np.ones(len(rows), dtype=int))


def _drawn(x: np.ndarray, rows: np.ndarray, labels: np.ndarray, draw: int, rng: random.Random, seed: int) -> Clustering:
    from sklearn.cluster import MiniBatchKMeans

    drawn = rng.choices(range(len(rows)), k=draw)
    model = MiniBatchKMeans(labels.max() + 1, batch_size=512, init="k-means++", n_init="auto", random_state=seed)
    clusters = np.asarray(model.fit(x[rows][drawn]).predict(x[rows]))  # of all rows, those that were not drawn too
    return Clustering(rows, labels, clusters, np.bincount(drawn, minlength=len(rows)))


def _value(kept: np.ndarray, runs: list[Clustering], name: str) -> float:
    """Mean over clusterings of a measure of the items `kept`, where they have 2 labels or more; else NaN."""
    values = []
    for run in runs:
        counts = np.bincount(kept, minlength=run.rows.max() + 1)[run.rows]
        table = run.table(counts * run.drawn if name == "v_measure" else counts)
        if (table.sum(axis=1) > 0).sum() > 1:
            values.append(MEASURES[name][0](table))
    return float(np.mean(values)) if values else float("nan")


def _right(runs: list[Clustering], n: int) -> np.ndarray:
    """Share of the clusterings in which each item's cluster is matched to its label, (n,)."""
    right, held = np.zeros(n), np.zeros(n)
    for run in runs:
        match = matched(run.table(np.ones(len(run.rows))))
        np.add.at(right, run.rows, [match.get(c) == label for c, label in zip(run.clusters, run.labels, strict=True)])
        np.add.at(held, run.rows, 1)
    return right / held


def _scored(
    data: Labels, kept: list[Clustering], runs: list[list[Clustering]], over: int, lengths: np.ndarray, recipe: dict
) -> Evaluation:
    n = len(data)
    result = evaluation_of(
        "clustering",
        main="v_measure",
        arrays={"accuracy": _right(kept, n)},
        ids=ids_of(data.texts),
        means={"accuracy": "share of items in the cluster matched to their label"},
        statistics={
            name: (lambda rows, name=name: _value(rows, kept, name), definition)
            for name, (_, definition) in MEASURES.items()
        },
        blocks=blocks_of(list(data.texts)),
        columns={**data.columns, "label": [str(label) for label in data.labels], "length": lengths.tolist()},
        source=data.source.fingerprint,
        recipe=recipe,
    )
    everything = np.arange(n)
    spread = {name: [_value(everything, run, name) for run in runs] for name in MEASURES}
    spread["accuracy"] = [float(_right(run, n).mean()) for run in runs]
    scores = {
        name: _widened(e, float(np.var(spread[name], ddof=1)) / over, len(runs)) for name, e in result.scores.items()
    }
    return dataclasses.replace(result, scores=scores)


def _widened(estimate: Estimate, variance: float, runs: int) -> Estimate:
    """The estimate with the variance over `runs` clusterings added to that over items."""
    if not np.isfinite(estimate.standard_error):
        return estimate
    terms = [(estimate.standard_error**2, estimate.degrees_of_freedom), (variance, runs - 1)]
    method = f"{estimate.method}, and variance over {runs} clusterings"
    return t_estimate(
        estimate.value,
        terms,
        n=estimate.n,
        unit=cast(Unit, estimate.unit),
        method=method,
        definition=estimate.definition,
    )
