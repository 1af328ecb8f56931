"""What `workbench evaluate` evaluates: a task's data, the evaluation that follows from it, published numbers."""

import difflib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from workbench.corpora import Labels, Pairs, Retrieval
    from workbench.corpora.base import Record
    from workbench.encoders import Encoder
    from workbench.evaluation import Evaluation

__all__ = ["Task", "published", "task_of", "unknown"]

WHOLE = {"sick"}  # the leaderboards' SICK-R is of all its pairs
CANDIDATES = {"msmarco_dl"}  # sets whose task is to reorder their candidates
METRICS = {"spearman": "Spearman of cosine", "ndcg@10": "nDCG@10", "accuracy": "accuracy", "f1": "F1"}
KINDS = "Pairs of unlike scores, Labels with splits train and test, Retrieval"


@dataclass(frozen=True)
class Task:
    """One task of a command line, ready to be evaluated.

    Attributes:
        name: as on the command line: a set, or set:subset.
        data: its rows.
        texts: every text that may be encoded, once.
        kind: what `Evaluation.task` will say.
        evaluate: the evaluation of an encoder.
    """

    name: str
    data: "Record"
    texts: tuple[str, ...]
    kind: str
    evaluate: "Callable[[Encoder], Evaluation]"


def unknown(name: str) -> str | None:
    """Why this names no task, with the nearest name; None for a set that the catalogue knows."""
    from workbench.corpora import catalogue

    entries = catalogue()
    base = name.partition(":")[0]
    if base in {entry.name for entry in entries}:
        return None
    can = [entry.name for entry in entries if entry.record in ("Pairs", "Labels", "Retrieval")]
    near = difflib.get_close_matches(base, can, n=1)
    return f"no data set is named {base!r}" + (f"; the nearest is {near[0]!r}" if near else "")


def task_of(name: str, *, split: str | None) -> Task:
    """The task of this name; without `split` the rows that the leaderboards take: the test split where there is one.

    Raises:
        LookupError: the set is not here.
        TypeError: nothing here evaluates such a set; says what can be evaluated.
        ValueError: an unknown split or subset.
    """
    from workbench.corpora import Labels, Pairs, Retrieval, load

    base, _, subset = name.partition(":")
    data = load(base, split=split, subset=subset or None)
    if isinstance(data, Labels):
        return _labels(name, data, split)
    if isinstance(data, Pairs):
        tested = split is None and base not in WHOLE and "test" in data.columns.get("split", ())
        return _pairs(name, cast(Pairs, load(base, split="test", subset=subset or None)) if tested else data)
    if isinstance(data, Retrieval):
        return _retrieval(name, data)
    raise TypeError(_refusal(name, f"is {type(data).__name__}"))


def published(task: Task, found: "Evaluation", model: str) -> float | None:
    """The published main score, times 100, of the model of this name in the set `reference_scores`; None without one.

    Names are matched by their last part; the metric and the number of rows must be those of `found`.
    """
    from workbench.corpora import UnknownCorpus, load

    try:
        table = load("reference_scores").columns
    except UnknownCorpus:
        return None
    base, _, subset = task.name.partition(":")
    names = ("set", "subset", "split", "model", "metric", "main_score_x100")
    for known, part, split, who, metric, score in zip(*(table[name] for name in names), strict=True):
        same = (known, part, split) == (base, subset or "default", "test")
        if same and who.rpartition("/")[2] == model.rpartition("/")[2] and _same_metric(metric, found):
            return float(score)
    return None


def _same_metric(metric: str, found: "Evaluation") -> bool:
    said = re.fullmatch(r"(.*?)(?: \(all (\d+) pairs\))?", metric)
    if said is None or said[1] != METRICS.get(found.main):
        return False
    return said[2] is None or int(said[2]) == len(found.ids)


def _pairs(name: str, data: "Pairs") -> Task:
    scores = set(data.scores.tolist())
    texts = (*data.left, *data.right)
    if len(scores) > 2:
        from workbench.evaluation.sts import evaluate_sts

        return _task(name, data, texts, "sts", lambda encoder: evaluate_sts(encoder, data))
    if scores == {0.0, 1.0}:
        from workbench.evaluation.pairs import evaluate_pairs

        return _task(name, data, texts, "pairs", lambda encoder: evaluate_pairs(encoder, data))
    raise TypeError(_refusal(name, f"holds pairs whose scores are {sorted(scores)} only"))


def _labels(name: str, data: "Labels", split: str | None) -> Task:
    from workbench.corpora import Labels, load

    if split is None and not {"train", "test"} <= set(data.columns.get("split", ())):
        raise TypeError(_refusal(name, "has labels, but not both splits, train and test"))
    from workbench.evaluation.few_shot import evaluate_classification

    base, _, subset = name.partition(":")
    if split is not None:
        taught = cast(Labels, load(base, split="train", subset=subset or None))
        texts = (*data.texts, *taught.texts)
        return _task(
            name, data, texts, "classification", lambda encoder: evaluate_classification(encoder, data, train=taught)
        )
    return _task(name, data, data.texts, "classification", lambda encoder: evaluate_classification(encoder, data))


def _retrieval(name: str, data: "Retrieval") -> Task:
    asked = tuple(data.queries.values())
    if name in CANDIDATES and data.candidates:
        from workbench.evaluation.reranking import evaluate_reranking

        wanted = dict.fromkeys(d for documents in data.candidates.values() for d in documents)
        texts = (*asked, *(data.documents[d] for d in wanted))
        return _task(name, data, texts, "reranking", lambda encoder: evaluate_reranking(encoder, data))
    from workbench.evaluation.retrieval import evaluate_retrieval

    texts = (*asked, *data.documents.values())
    return _task(name, data, texts, "retrieval", lambda encoder: evaluate_retrieval(encoder, data))


def _task(
    name: str, data: "Record", texts: Sequence[str], kind: str, evaluate: "Callable[[Encoder], Evaluation]"
) -> Task:
    return Task(name, data, tuple(dict.fromkeys(texts)), kind, evaluate)


def _refusal(name: str, why: str) -> str:
    from workbench.corpora import catalogue

    records = ("Pairs", "Labels", "Retrieval")
    by_record: dict[str, list[str]] = {record: [] for record in records}
    for entry in catalogue():
        if entry.here and entry.record in records:
            by_record[entry.record].append(entry.name)
    listed = "; ".join(f"{record}: {', '.join(names) or 'none here'}" for record, names in by_record.items())
    return f"{name} {why}; what can be evaluated is {KINDS}: {listed}"
