"""Document vectors under their ids, searched exactly; in memory or mapped from a disk."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from workbench.retrieval.exact import search
from workbench.retrieval.folders import load_folder, save_array, saving_folder
from workbench.retrieval.hits import Hits, unique_ids
from workbench.retrieval.scoring import check_metric, checked_shape

__all__ = ["DenseIndex"]


@dataclass(frozen=True, eq=False)
class DenseIndex:
    """Vectors (n, d) of n documents, searched exactly.

    Attributes:
        documents: document ids, each once.
        vectors: one row per document: an array, a memory map, or a tensor on any device.
        metric: "cosine", "dot" or "euclidean".

    Raises:
        TypeError: vectors that are neither an array nor a tensor.
        ValueError: no documents, an id given twice, another number of rows than ids, vectors that are not 2-D floats,
            or an unknown metric. The numbers are checked when they are searched.
    """

    documents: tuple[str, ...]
    vectors: np.ndarray | Tensor
    metric: str = "cosine"

    def __post_init__(self) -> None:
        object.__setattr__(self, "documents", document_ids(self.documents, self.vectors))
        check_metric(self.metric)

    def search(self, queries: np.ndarray | Tensor, k: int, *, ids: Sequence[str] | None = None) -> Hits:
        """The `k` nearest documents of each row of `queries` (m, d); equal scores in the order of the corpus.

        `ids` are the ids of the queries; None numbers them "0", "1", ...

        Raises:
            TypeError, ValueError: as in `search`: another width, `k` above the number of documents, a row that is not
                finite; or another number of ids than rows, or an id given twice.
        """
        names = query_ids(queries, ids)
        return Hits(names, self.documents, *search(queries, self.vectors, k, metric=self.metric))

    def save(self, folder: str | Path) -> None:
        """Writes the index; a reader finds the old one or the whole new one, even after a kill.

        Raises:
            ValueError: `folder` is not empty and holds no index.
        """
        with saving_folder(folder, "dense", {"metric": self.metric}) as part:
            save_documents(part, self.documents, self.vectors)

    @classmethod
    def load(cls, folder: str | Path, *, verify: bool = True) -> "DenseIndex":
        """The index that was saved in `folder`, its vectors mapped from there; `verify` compares every SHA-256.

        Raises:
            FileNotFoundError: no index there.
            ValueError: a torn or damaged file, or an index of another kind or version.
        """
        return load_folder(folder, "dense", lambda files, kept: cls(*load_documents(files), **kept), verify=verify)


def query_ids(queries: np.ndarray | Tensor, ids: Sequence[str] | None) -> tuple[str, ...]:
    """`ids`, or the row numbers as texts where None.

    Raises:
        ValueError: another number of ids than rows, or an id given twice.
    """
    rows = checked_shape(queries, "queries")[0]
    names = tuple(map(str, range(rows))) if ids is None else unique_ids(ids, "ids")
    if len(names) != rows:
        raise ValueError(f"ids must name every row of queries, got {len(names)} for {rows}")
    return names


def document_ids(ids: Sequence[str], vectors: np.ndarray | Tensor) -> tuple[str, ...]:
    """`ids` of the rows of `vectors`.

    Raises:
        TypeError: vectors that are neither an array nor a tensor.
        ValueError: no documents, an id given twice, another number of rows than ids, or vectors that are not 2-D
            floats.
    """
    names = unique_ids(ids, "documents")
    if not names:
        raise ValueError("the corpus is empty: an index needs at least 1 document")
    if (rows := checked_shape(vectors, "vectors")[0]) != len(names):
        raise ValueError(f"vectors must have one row per document, got {rows} for {len(names)}")
    return names


def save_documents(part: Path, documents: Sequence[str], vectors: np.ndarray | Tensor) -> None:
    """Ids and vectors of an index, into the folder `part`."""
    rows = vectors.detach().cpu().numpy() if isinstance(vectors, Tensor) else vectors
    save_array(part / "vectors.npy", rows)
    (part / "documents.json").write_text(json.dumps(documents, ensure_ascii=False), encoding="utf-8")


def load_documents(files: Path) -> tuple[tuple[str, ...], np.ndarray]:
    """Ids and vectors as `save_documents` wrote them, the vectors mapped."""
    documents = json.loads((files / "documents.json").read_text(encoding="utf-8"))
    return tuple(documents), np.load(files / "vectors.npy", mmap_mode="r", allow_pickle=False)
