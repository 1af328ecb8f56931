"""mteb's own tasks on rows made in a test, and a model of theirs that looks its vectors up."""

import numpy as np
from datasets import Dataset, DatasetDict
from mteb.abstasks.classification import AbsTaskClassification
from mteb.abstasks.clustering import AbsTaskClustering
from mteb.abstasks.clustering_legacy import AbsTaskClusteringLegacy
from mteb.abstasks.task_metadata import TaskMetadata

UNSTATED = (
    *("reference", "date", "domains", "task_subtypes", "license"),
    *("annotations_creators", "dialect", "sample_creation", "bibtex_citation"),
)


def metadata(kind: str, main: str) -> TaskMetadata:
    return TaskMetadata(
        name=f"Local{kind}",
        description="rows made in a test",
        dataset={"path": "local/none", "revision": "0"},
        type=kind,
        category="t2c",
        modalities=["text"],
        eval_splits=["test"],
        eval_langs=["eng-Latn"],
        main_score=main,
        **dict.fromkeys(UNSTATED),
    )


class Classification(AbsTaskClassification):
    metadata = metadata("Classification", "accuracy")


class Clustering(AbsTaskClustering):
    metadata = metadata("Clustering", "v_measure")
    max_fraction_of_documents_to_embed = None


class ClusteringLegacy(AbsTaskClusteringLegacy):
    metadata = metadata("Clustering", "v_measure")


class LookUp:
    """A model in mteb's protocol."""

    mteb_model_meta = None

    def __init__(self, vectors):
        self.vectors = vectors

    def encode(self, inputs, **_):
        return np.stack([self.vectors[text] for batch in inputs for text in batch["text"]])

    def similarity(self, a, b):
        raise NotImplementedError

    def similarity_pairwise(self, a, b):
        raise NotImplementedError


def scores(task, splits, vectors):
    """What mteb itself gives for the test split."""
    task.dataset = DatasetDict({name: Dataset.from_dict(columns) for name, columns in splits.items()})
    task.data_loaded = True
    return task.evaluate(LookUp(vectors), split="test", encode_kwargs={})["default"]
