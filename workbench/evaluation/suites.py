"""Many models on many tasks: the table of scores, and the same table without each twentieth of every task's items."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from workbench.corpora import Labels, Pairs, Retrieval, Scores
from workbench.evaluation.base import Evaluation, Sentences
from workbench.evaluation.bitext import evaluate_bitext
from workbench.evaluation.classification import evaluate_knn
from workbench.evaluation.clustering import evaluate_clustering
from workbench.evaluation.pairs import evaluate_pairs
from workbench.evaluation.retrieval import evaluate_retrieval
from workbench.evaluation.sts import evaluate_sts
from workbench.intervals import Estimate, jackknife_replicates

__all__ = ["ScoreTable", "common_scores", "left_out_scores", "score_table", "texts_of"]

Task = tuple[str, Labels | Pairs | Retrieval]  # kind and data
BLOCKS = 20

KINDS: dict[str, Callable[[Sentences, Any], Evaluation]] = {
    "sts": evaluate_sts,
    "pairs": evaluate_pairs,
    "bitext": evaluate_bitext,
    "retrieval": evaluate_retrieval,
    "classification": evaluate_knn,
    "clustering": lambda encoder, data: evaluate_clustering(encoder, data, draw=len(data)),
}


@dataclass(frozen=True, eq=False)
class ScoreTable:
    """Main scores of models on tasks.

    Attributes:
        models: names of the rows.
        tasks: names of the columns.
        kinds: kind of each task.
        scores: float64 (models, tasks).
        left_out: float64 (20, models, tasks): the scores without the first, second, ... twentieth of each task's items.
    """

    models: tuple[str, ...]
    tasks: tuple[str, ...]
    kinds: tuple[str, ...]
    scores: np.ndarray
    left_out: np.ndarray

    def take(self, *, models: Sequence[str] | None = None, tasks: Sequence[str] | None = None) -> "ScoreTable":
        """The table of some models and some tasks, by name, in the order given; None takes all.

        Raises:
            ValueError: no such model or task.
        """
        rows, columns = _places(self.models, models, "model"), _places(self.tasks, tasks, "task")
        return ScoreTable(
            tuple(self.models[i] for i in rows),
            tuple(self.tasks[i] for i in columns),
            tuple(self.kinds[i] for i in columns),
            self.scores[np.ix_(rows, columns)],
            self.left_out[:, rows][:, :, columns],
        )

    def estimates(self, statistic: Callable[[np.ndarray], Sequence[float]], *definitions: str) -> list[Estimate]:
        """The numbers that `statistic` makes of scores (models, tasks), with intervals over the items of all tasks.

        One definition for each number. The interval is the delete-block jackknife: every task loses its block of items
        at once. Models and tasks are held fixed.

        Raises:
            ValueError: not one definition for each number, or a number that is not finite.
        """
        values = np.array([statistic(scores) for scores in (self.scores, *self.left_out)], dtype=np.float64)
        if values.shape != (BLOCKS + 1, len(definitions)):
            raise ValueError(f"{len(definitions)} definitions for numbers of shape {values.shape[1:]}")
        return [
            jackknife_replicates(column[0], column[1:], definition=definition)
            for column, definition in zip(values.T, definitions, strict=True)
        ]


def score_table(models: Mapping[str, Sentences], tasks: Mapping[str, Task]) -> ScoreTable:
    """Every model on every task: a name, its kind and its data.

    Kinds: "sts", "pairs", "bitext", "retrieval", "classification" (5 nearest rows) and "clustering" (version 2, as many
    rows drawn as there are). Scores are the main ones of the evaluations.

    Raises:
        ValueError: no models or tasks, an unknown kind, what the evaluation of that kind refuses, or fewer than 20
            blocks of items.
    """
    if not models or not tasks:
        raise ValueError(f"a table needs models and tasks, got {len(models)} and {len(tasks)}")
    if wrong := [name for name, (kind, _) in tasks.items() if kind not in KINDS]:
        raise ValueError(f"task {wrong[0]!r} is of kind {tasks[wrong[0]][0]!r}; there are {', '.join(KINDS)}")
    cells = np.empty((BLOCKS + 1, len(models), len(tasks)))
    for column, (task, (kind, data)) in enumerate(tasks.items()):
        for row, model in enumerate(models.values()):
            evaluation = KINDS[kind](model, data)
            left_out = left_out_scores(evaluation)
            if len(left_out) != BLOCKS:
                raise ValueError(f"task {task!r} has {len(left_out)} blocks of items, {BLOCKS} are needed")
            cells[:, row, column] = [evaluation[evaluation.main].value, *left_out]
    return ScoreTable(tuple(models), tuple(tasks), tuple(kind for kind, _ in tasks.values()), cells[0], cells[1:])


def left_out_scores(evaluation: Evaluation) -> np.ndarray:
    """The main score without each block of items in turn, float64 (blocks,), in the order of the block numbers."""
    if evaluation.main in evaluation.replicates:
        return np.asarray(evaluation.replicates[evaluation.main], dtype=np.float64)
    values, blocks = evaluation.arrays[evaluation.main], evaluation.blocks
    return np.array([values[blocks != one].mean() for one in np.unique(blocks)])


def common_scores(published: Scores, *, models: Sequence[str]) -> tuple[np.ndarray, list[tuple[str, str, str]]]:
    """Published scores of `models` on what all of them have, in [0, 1], float64 (models, tasks), and those tasks.

    `published` has the columns set, subset, metric, model and main_score_x100; a task is (set, subset, first word of
    the metric), tasks in the order of their names.

    Raises:
        ValueError: a column is missing, no task is common to all models, or a model has two scores on a task.
    """
    columns = ("set", "subset", "metric", "model", "main_score_x100")
    if missing := [name for name in columns if name not in published.columns]:
        raise ValueError(f"{published.source.name} has no column {missing[0]!r}")
    held: dict[tuple[str, str, str], dict[str, float]] = {}
    for name, subset, metric, model, score in zip(*(published.columns[c] for c in columns), strict=True):
        task = held.setdefault((name, subset, metric.split()[0]), {})
        if model in task:
            raise ValueError(f"{published.source.name}: two scores of {model} on {name} {subset}")
        task[model] = score / 100
    common = sorted(task for task, scores in held.items() if set(models) <= scores.keys())
    if not common:
        raise ValueError(f"{published.source.name}: no task has scores of all {len(models)} models")
    return np.array([[held[task][model] for task in common] for model in models]), common


def texts_of(tasks: Mapping[str, Task]) -> list[str]:
    """Every text of the tasks once, in order: what an encoder meets that is fitted to them without labels."""
    found: dict[str, None] = {}
    for _, data in tasks.values():
        if isinstance(data, Retrieval):
            found |= dict.fromkeys([*data.documents.values(), *data.queries.values()])
        else:
            found |= dict.fromkeys([*data.left, *data.right] if isinstance(data, Pairs) else data.texts)
    return list(found)


def _places(names: tuple[str, ...], wanted: Sequence[str] | None, what: str) -> list[int]:
    if unknown := [name for name in wanted or () if name not in names]:
        raise ValueError(f"no {what} {unknown[0]!r}; there are {', '.join(names)}")
    return [names.index(name) for name in (names if wanted is None else wanted)]
