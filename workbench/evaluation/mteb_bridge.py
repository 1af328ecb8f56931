"""Our encoders inside mteb's evaluation, and our records as mteb's tasks; needs the extra `mteb`.

Not imported by `workbench.evaluation`: `from workbench.evaluation.mteb_bridge import MtebEncoder, as_task`.
"""

from typing import Any, ClassVar

import numpy as np
from datasets import Dataset, DatasetDict
from mteb.abstasks import AbsTaskClassification, AbsTaskRetrieval, AbsTaskSTS
from mteb.abstasks.abstask import AbsTask
from mteb.abstasks.task_metadata import TaskMetadata
from mteb.models import ModelMeta
from mteb.models.abs_encoder import AbsEncoder
from mteb.types import PromptType

from workbench.corpora import Labels, Pairs, Retrieval
from workbench.corpora.base import MADE_HERE
from workbench.evaluation.base import Sentences

__all__ = ["MtebEncoder", "as_task"]


class MtebEncoder(AbsEncoder):
    """An encoder under mteb's protocol: `mteb.evaluate(MtebEncoder(encoder), tasks)`.

    Queries and documents get the prompts that the encoder's folder names "query" and "document" (or "passage"), where
    it names them, as in `evaluate_retrieval`; other tasks get the encoder as it is.

    Raises:
        TypeError: no `encode`.
    """

    def __init__(self, encoder: Sentences) -> None:
        if not isinstance(encoder, Sentences):
            raise TypeError(f"an encoder has encode(texts), got {type(encoder).__name__}")
        self.encoder = encoder
        name = str(getattr(encoder, "name", type(encoder).__name__)).strip("/").split("/")[-1]
        revision = getattr(encoder, "fingerprint", None)
        self.mteb_model_meta = ModelMeta.create_empty({"name": f"workbench/{name}", "revision": revision})

    def encode(self, inputs: Any, *, prompt_type: PromptType | None = None, **_: Any) -> np.ndarray:  # noqa: ANN401
        """Vectors of all texts of mteb's batches, float32 (n, d)."""
        return self._with_prompt(prompt_type).encode([text for batch in inputs for text in batch["text"]])

    def _with_prompt(self, prompt_type: PromptType | None) -> Any:  # noqa: ANN401 - ours, with more than `encode`
        prompts = getattr(self.encoder, "prompts", {})
        names = {PromptType.query: ("query",), PromptType.document: ("document", "passage")}.get(prompt_type, ())  # pyright: ignore
        name = next((name for name in names if name in prompts), None)
        return self.encoder if name is None else self.encoder.with_settings(prompt=name)  # pyright: ignore


def as_task(data: object, *, name: str | None = None, samples: int = 8) -> AbsTask:
    """The rows of a record as a task of mteb: STS of `Pairs`, classification of `Labels`, retrieval of `Retrieval`.

    Everything is evaluated as split "test": all rows of `Pairs`, all judged queries of `Retrieval`, the rows of
    `Labels` whose split column says so, with those of split "train" to learn from (`samples` of each label).

    Raises:
        TypeError: another record.
        ValueError: `Labels` without both splits.
    """
    title = name or f"{getattr(data, 'source', MADE_HERE).name}-local".replace(" ", "-")
    if isinstance(data, Pairs):
        rows = {"sentence1": list(data.left), "sentence2": list(data.right), "score": list(map(float, data.scores))}
        task = _task(AbsTaskSTS, title, "STS", "cosine_spearman", DatasetDict({"test": Dataset.from_dict(rows)}))
        task.min_score, task.max_score = min(rows["score"]), max(rows["score"])  # pyright: ignore
        return task
    if isinstance(data, Labels):
        dataset = DatasetDict({split: _labelled(data, split) for split in ("train", "test")})
        task = _task(AbsTaskClassification, title, "Classification", "accuracy", dataset)
        task.samples_per_label = samples  # pyright: ignore
        return task
    if isinstance(data, Retrieval):
        return _task(AbsTaskRetrieval, title, "Retrieval", "ndcg_at_10", {"default": {"test": _judged(data)}})
    raise TypeError(f"data must be Pairs, Labels or Retrieval, got {type(data).__name__}")


def _labelled(data: Labels, split: str) -> Dataset:
    rows = [i for i, held in enumerate(data.columns.get("split", ())) if held == split]
    if not rows:
        raise ValueError(f"{data.source.name}: mteb's classification needs rows of split {split!r}")
    return Dataset.from_dict({"text": [data.texts[i] for i in rows], "label": [data.labels[i] for i in rows]})


def _judged(data: Retrieval) -> dict[str, Any]:
    queries = {query: data.queries[query] for query in data.qrels}
    return {
        "corpus": Dataset.from_dict({"id": list(data.documents), "text": list(data.documents.values())}),
        "queries": Dataset.from_dict({"id": list(queries), "text": list(queries.values())}),
        "relevant_docs": {query: dict(judged) for query, judged in data.qrels.items()},
        "top_ranked": data.candidates and dict(data.candidates),
    }


def _task(base: type[AbsTask], name: str, kind: str, main: str, dataset: object) -> AbsTask:
    described = TaskMetadata(
        name=name,
        description=f"{name}, from a record in memory",
        reference=None,
        dataset={"path": "in-memory/record", "revision": "none"},
        type=kind,  # pyright: ignore
        category="t2t",
        modalities=["text"],
        eval_splits=["test"],
        eval_langs=["eng-Latn"],
        main_score=main,
        date=None,
        domains=None,
        task_subtypes=None,
        license=None,
        annotations_creators=None,
        dialect=None,
        sample_creation=None,
        bibtex_citation="",
    )

    class FromRecord(base):  # pyright: ignore
        metadata: ClassVar[TaskMetadata] = described

        def load_data(self, *_: Any, **__: Any) -> None:  # noqa: ANN401
            """The rows are there already."""

    task = FromRecord()  # pyright: ignore
    task.dataset, task.data_loaded = dataset, True  # pyright: ignore
    return task
