"""Inverted lists: a search looks only at the documents that lie around the centres nearest to the query."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from workbench.retrieval.dense import document_ids, query_ids
from workbench.retrieval.hits import Hits
from workbench.retrieval.scoring import best_of, check_metric, checked_shape, prepared, prepared_blocks

if TYPE_CHECKING:
    import faiss

__all__ = ["IVFIndex"]

BLOCK = 2**15  # rows added at a time
CPU = torch.device("cpu")


@dataclass(frozen=True, eq=False)
class IVFIndex:
    """The vectors themselves in lists around k-means centres, by faiss. Made by `build`.

    What is compared is exact; what is missed lies in a list that was not read.

    Reference: Jegou et al. 2011, section IV (without the quantised residuals).
    """

    documents: tuple[str, ...]
    metric: str
    lists: "faiss.IndexIVFFlat"

    @classmethod
    def build(
        cls,
        documents: Sequence[str],
        vectors: np.ndarray,
        *,
        lists: int,
        metric: str = "cosine",
        sample: int = 2**16,
        seed: int = 0,
    ) -> "IVFIndex":
        """`lists` lists of the rows of `vectors` (n, d), their centres learned on `sample` rows drawn with `seed`.

        Raises:
            TypeError: vectors that are not an array.
            ValueError: ids or vectors as refused by `DenseIndex`, a row that `search` refuses, or `lists` outside 1..
                the number of rows to learn from.
        """
        import faiss

        check_metric(metric)
        if not isinstance(vectors, np.ndarray):
            raise TypeError(f"vectors must be a numpy array or a memory map, got {type(vectors).__name__}")
        names = document_ids(documents, vectors)
        if not 1 <= lists <= min(len(names), sample):
            raise ValueError(f"lists must be in 1..{min(len(names), sample)} rows to learn from, got {lists}")
        kind = faiss.METRIC_L2 if metric == "euclidean" else faiss.METRIC_INNER_PRODUCT
        flat = faiss.IndexFlat(vectors.shape[1], kind)
        index = faiss.IndexIVFFlat(flat, vectors.shape[1], lists, kind)
        index.own_fields = True
        flat.this.disown()  # the lists free it  # pyright: ignore[reportAttributeAccessIssue]
        index.cp.seed, index.cp.spherical = seed, metric == "cosine"
        index.cp.max_points_per_centroid, index.cp.min_points_per_centroid = sample, 1  # else faiss draws and warns
        chosen = np.sort(np.random.default_rng(seed).permutation(len(names))[:sample])
        index.train(_ready(vectors[chosen], metric))
        for block in prepared_blocks(vectors, BLOCK, metric, CPU):
            index.add(_floats(block.rows if metric == "euclidean" else block.ready))
        return cls(names, metric, index)

    def search(
        self, queries: np.ndarray | Tensor, k: int, *, probes: int = 1, ids: Sequence[str] | None = None
    ) -> Hits:
        """The `k` nearest documents of each row of `queries` (m, d) in the `probes` lists nearest to it.

        Where those lists hold fewer than k documents, the row ends in -1. Equal scores in the order of the corpus.

        Raises:
            TypeError, ValueError: as in `DenseIndex.search`, or `probes` outside 1..lists.
        """
        names, asked = query_ids(queries, ids), self._asked(queries, probes)
        if not 1 <= k <= len(self.documents):
            raise ValueError(f"k must be at least 1 and at most n={len(self.documents)}, got {k}")
        near, found = self.lists.search(asked, k, params=_probing(probes))
        if self.metric == "euclidean":
            near = -np.sqrt(np.maximum(near, 0))
        near[found < 0] = -np.inf
        last = np.where(found < 0, len(self.documents), found)  # behind every document, as -inf is
        scores, places = best_of(torch.from_numpy(near), torch.from_numpy(last), k)
        indices = places.numpy()
        return Hits(names, self.documents, np.where(indices == len(self.documents), -1, indices), scores.numpy())

    def compared(self, queries: np.ndarray | Tensor, *, probes: int = 1) -> np.ndarray:
        """Share of the work of an exact search that each query takes, float64 (m,): centres and documents compared.

        1 is n comparisons; above 1 where nearly all lists are read, for the centres come on top.

        Raises:
            TypeError, ValueError: as in `search`.
        """
        nearest = self.lists.quantizer.search(self._asked(queries, probes), probes)[1]
        sizes = np.array([self.lists.get_list_size(i) for i in range(self.lists.nlist)])
        return (sizes[nearest].sum(axis=1) + self.lists.nlist) / len(self.documents)

    def _asked(self, queries: np.ndarray | Tensor, probes: int) -> np.ndarray:
        if (got := checked_shape(queries, "queries")[1]) != self.lists.d:
            raise ValueError(f"queries must have {self.lists.d} columns as the documents have, got {got}")
        if not 1 <= probes <= self.lists.nlist:
            raise ValueError(f"probes must be in 1..{self.lists.nlist} lists, got {probes}")
        return _ready(queries, self.metric, "queries")


def _probing(probes: int) -> "faiss.SearchParametersIVF":
    import faiss

    parameters = faiss.SearchParametersIVF()
    parameters.nprobe = probes
    return parameters


def _ready(rows: np.ndarray | Tensor, metric: str, name: str = "vectors") -> np.ndarray:
    block = prepared(rows, 0, metric, name, CPU)
    return _floats(block.rows if metric == "euclidean" else block.ready)


def _floats(rows: Tensor) -> np.ndarray:
    return np.ascontiguousarray(rows.numpy(), dtype=np.float32)
