"""Smaller, faster, not exact: product quantisation and sign codes, with the first candidates scored anew."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from workbench.retrieval.dense import document_ids, load_documents, query_ids, save_documents
from workbench.retrieval.folders import load_folder, save_array, saving_folder
from workbench.retrieval.hits import Hits
from workbench.retrieval.scoring import best_of, check_metric, checked_shape, pair_scores, prepared, prepared_blocks
from workbench.tensors import row_blocks

if TYPE_CHECKING:
    import faiss

__all__ = ["BinaryIndex", "PQIndex", "recall_against"]

BLOCK = 2**15  # rows coded at a time
CPU = torch.device("cpu")


@dataclass(frozen=True, eq=False)
class PQIndex:
    """Product quantisation by faiss: each row is `m` codes of `bits` bits. Made by `build` or `load`.

    The vectors themselves are kept beside the codes (as a memory map, where they were one) and read for the candidates
    only.

    Reference: Jegou et al. 2011; the rotation is OPQ of Ge et al. 2013.
    """

    documents: tuple[str, ...]
    vectors: np.ndarray
    metric: str
    codes: "faiss.Index"

    @classmethod
    def build(
        cls,
        documents: Sequence[str],
        vectors: np.ndarray,
        *,
        m: int,
        bits: int = 8,
        rotate: bool = True,
        metric: str = "cosine",
        sample: int = 2**16,
        seed: int = 0,
    ) -> "PQIndex":
        """Codes of `vectors` (n, d), learned on `sample` rows drawn with `seed` (all, where there are fewer).

        `rotate` learns a rotation first (OPQ), which lowers the error at some cost in training.

        Raises:
            TypeError: vectors that are not an array.
            ValueError: ids or vectors as refused by `DenseIndex`, a row that `search` refuses, `m` that does not divide
                d, `bits` outside 1..12, or fewer rows to learn from than the 2**bits centres of a code.
        """
        import faiss

        names = _checked(documents, vectors, metric)
        n, width = vectors.shape
        if not 1 <= m <= width or width % m:
            raise ValueError(f"m must divide the d={width} columns, got {m}")
        if not 1 <= bits <= 12 or min(n, sample) < 2**bits:
            raise ValueError(f"{bits} bits take 1..12 and {2**bits} rows to learn from, got {min(n, sample)} rows")
        kind = faiss.METRIC_L2 if metric == "euclidean" else faiss.METRIC_INNER_PRODUCT
        codes = faiss.IndexPQ(width, m, bits, kind)
        codes.pq.cp.seed = seed
        codes.pq.cp.max_points_per_centroid = max(256, sample // 2**bits)  # else faiss warns and draws again
        codes.pq.cp.min_points_per_centroid = 1
        chosen = np.sort(np.random.default_rng(seed).permutation(n)[:sample])
        learned = _ready(vectors[chosen], metric)
        if rotate:
            turn = faiss.OPQMatrix(width, m)
            turn.pq = codes.pq  # else it learns 8 bits whatever `bits` are
            turn.train(learned)
            turn.pq = None
            codes = faiss.IndexPreTransform(turn, codes)
        codes.train(learned)
        for block in prepared_blocks(vectors, BLOCK, metric, CPU):
            codes.add(_floats(block.rows if metric == "euclidean" else block.ready))
        return cls(names, vectors, metric, codes)

    def search(
        self, queries: np.ndarray | Tensor, k: int, *, rescore: int = 4, ids: Sequence[str] | None = None
    ) -> Hits:
        """The `k` nearest documents of each row of `queries` (m, d) among `rescore` x k candidates by their codes.

        Candidates are scored by their own vectors, as `search` does; with `rescore` 0 the k candidates keep the scores
        of their codes. Equal scores in the order of the corpus.

        Raises:
            TypeError, ValueError: as in `DenseIndex.search`, or `rescore` negative.
        """
        names, asked, many = _asked(self, queries, k, rescore, ids)
        near, found = self.codes.search(_ready(asked, self.metric), many)
        if self.metric == "euclidean":
            near = -np.sqrt(np.maximum(near, 0))
        return _scored(self, asked, near, found, k, rescore, names)

    def save(self, folder: str | Path) -> None:
        """Writes codes and vectors; a reader finds the old index or the whole new one, even after a kill.

        Raises:
            ValueError: `folder` is not empty and holds no index.
        """
        import faiss

        with saving_folder(folder, "pq", {"metric": self.metric}) as part:
            save_documents(part, self.documents, self.vectors)
            faiss.write_index(self.codes, str(part / "codes.faiss"))

    @classmethod
    def load(cls, folder: str | Path, *, verify: bool = True) -> "PQIndex":
        """The index that was saved in `folder`, its vectors mapped from there; `verify` compares every SHA-256.

        Raises:
            FileNotFoundError: no index there.
            ValueError: a torn or damaged file, or an index of another kind or version.
        """
        import faiss

        def read(files: Path, settings: dict) -> "PQIndex":
            return cls(*load_documents(files), **settings, codes=faiss.read_index(str(files / "codes.faiss")))

        return load_folder(folder, "pq", read, verify=verify)


@dataclass(frozen=True, eq=False)
class BinaryIndex:
    """One bit per dimension, 1 where the number is above 0, compared by Hamming distance. Made by `build` or `load`.

    `codes` (n, ceil(d / 8)) uint8; the vectors are kept beside them and read for the candidates only.

    Reference: Charikar 2002 (signs and angles); Yamada et al. 2021 (candidates by codes, then the query as floats).
    """

    documents: tuple[str, ...]
    vectors: np.ndarray
    metric: str
    codes: np.ndarray

    @classmethod
    def build(cls, documents: Sequence[str], vectors: np.ndarray, *, metric: str = "cosine") -> "BinaryIndex":
        """Codes of `vectors` (n, d); `metric` is that of the second scoring.

        Raises:
            TypeError: vectors that are not an array.
            ValueError: ids or vectors as refused by `DenseIndex`, or a row that `search` refuses.
        """
        names = _checked(documents, vectors, metric)
        blocks = prepared_blocks(vectors, BLOCK, metric, CPU)
        return cls(names, vectors, metric, np.concatenate([_signs(block.rows.numpy()) for block in blocks]))

    def search(
        self, queries: np.ndarray | Tensor, k: int, *, rescore: int = 4, ids: Sequence[str] | None = None
    ) -> Hits:
        """The `k` nearest documents of each row of `queries` (m, d) among `rescore` x k candidates by their codes.

        Candidates are scored by their own vectors with the query as floats, as `search` does; with `rescore` 0 the k
        candidates have the score 1 - 2 Hamming distance / d, the mean agreement of signs in [-1, 1].

        Raises:
            TypeError, ValueError: as in `DenseIndex.search`, or `rescore` negative.
        """
        import faiss

        names, asked, many = _asked(self, queries, k, rescore, ids)
        flat = faiss.IndexBinaryFlat(8 * self.codes.shape[1])
        flat.add(self.codes)
        far, found = flat.search(_signs(asked), many)
        near = 1 - 2 * far.astype(np.float32) / self.vectors.shape[1]
        return _scored(self, asked, near, found, k, rescore, names)

    def save(self, folder: str | Path) -> None:
        """Writes codes and vectors; a reader finds the old index or the whole new one, even after a kill.

        Raises:
            ValueError: `folder` is not empty and holds no index.
        """
        with saving_folder(folder, "binary", {"metric": self.metric}) as part:
            save_documents(part, self.documents, self.vectors)
            save_array(part / "codes.npy", self.codes)

    @classmethod
    def load(cls, folder: str | Path, *, verify: bool = True) -> "BinaryIndex":
        """The index that was saved in `folder`, its vectors mapped from there; `verify` compares every SHA-256.

        Raises:
            FileNotFoundError: no index there.
            ValueError: a torn or damaged file, or an index of another kind or version.
        """

        def read(files: Path, settings: dict) -> "BinaryIndex":
            return cls(*load_documents(files), **settings, codes=np.load(files / "codes.npy", allow_pickle=False))

        return load_folder(folder, "binary", read, verify=verify)


def recall_against(exact: Hits, found: Hits) -> np.ndarray:
    """Share of each query's exact documents that are among the found ones, float64 (queries,), in [0, 1].

    1 is an index that lost nothing; a query without exact documents has 1.

    Raises:
        ValueError: other queries or other documents, or in another order.
    """
    for name in ("queries", "documents"):
        if getattr(exact, name) != getattr(found, name):
            raise ValueError(f"exact and found must have the same {name} in the same order")
    shares = []
    for wanted, got in zip(exact.indices, found.indices, strict=True):
        wanted = wanted[wanted >= 0]
        shares.append(np.isin(wanted, got).mean() if len(wanted) > 0 else 1.0)
    return np.array(shares, dtype=np.float64)


def _checked(documents: Sequence[str], vectors: np.ndarray, metric: str) -> tuple[str, ...]:
    check_metric(metric)
    if not isinstance(vectors, np.ndarray):
        raise TypeError(f"vectors must be a numpy array or a memory map, got {type(vectors).__name__}")
    return document_ids(documents, vectors)


def _asked(
    index: PQIndex | BinaryIndex, queries: np.ndarray | Tensor, k: int, rescore: int, ids: Sequence[str] | None
) -> tuple[tuple[str, ...], np.ndarray, int]:
    names, (n, width) = query_ids(queries, ids), index.vectors.shape
    if (got := checked_shape(queries, "queries")[1]) != width:
        raise ValueError(f"queries must have {width} columns as the documents have, got {got}")
    if not 1 <= k <= n:
        raise ValueError(f"k must be at least 1 and at most n={n}, got {k}")
    if rescore < 0:
        raise ValueError(f"rescore must not be negative, got {rescore}")
    asked = prepared(queries, 0, index.metric, "queries", CPU).rows.numpy()
    return names, asked, min(n, k * max(1, rescore))


def _scored(
    index: PQIndex | BinaryIndex,
    asked: np.ndarray,
    near: np.ndarray,
    found: np.ndarray,
    k: int,
    rescore: int,
    names: tuple[str, ...],
) -> Hits:
    places, scores = torch.from_numpy(found), torch.from_numpy(near.astype(np.float32))
    if rescore > 0:
        rows = prepared(asked, 0, index.metric, "queries", CPU)
        scores = pair_scores(rows, index.vectors, places, index.metric)
    scores, places = best_of(scores, places, k)
    return Hits(names, index.documents, places.numpy(), scores.numpy())


def _ready(rows: np.ndarray, metric: str) -> np.ndarray:
    block = prepared(rows, 0, metric, "vectors", CPU)
    return _floats(block.rows if metric == "euclidean" else block.ready)


def _floats(rows: Tensor) -> np.ndarray:
    return np.ascontiguousarray(rows.numpy(), dtype=np.float32)


def _signs(rows: np.ndarray) -> np.ndarray:
    return np.concatenate([np.packbits(rows[part] > 0, axis=1) for part in row_blocks(len(rows), BLOCK)])
