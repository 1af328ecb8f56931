"""Codebooks of product quantisation as arrays, to look at and to train further, and what they cost in bytes."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

__all__ = ["Codebook", "coded_within", "product_bytes", "product_codebook"]


class Codebook(NamedTuple):
    """Centres and rotation of a product quantiser.

    A row is turned to rotation @ row and cut into m parts; of each part the number of the nearest of its k centres is
    kept.

    Attributes:
        centres: float32 (m, k, d / m).
        rotation: float32 (d, d), orthogonal; the identity, where none was learned.
    """

    centres: np.ndarray
    rotation: np.ndarray


def product_codebook(
    vectors: np.ndarray, *, m: int, bits: int = 8, rotate: bool = True, rounds: int = 50, seed: int = 0
) -> Codebook:
    """The codebook that faiss learns on `vectors` (n, d): `m` parts with 2**bits centres each, by Euclidean distance.

    `rotate` learns a rotation first (OPQ), in `rounds` turns of one pass of k-means (ten in the first) and one
    rotation, as in the reference; the centres are then learned anew, in 25 passes of k-means drawn with `seed`. Rows
    count as they are: scale them to length 1 first for the cosine. `PQIndex` is the index made of such codes.

    Raises:
        TypeError: vectors that are not an array.
        ValueError: not 2-D floats, a row that is not finite, `m` that does not divide d, `bits` outside 1..12, fewer
            rows than centres of a part, `rounds` below 1, or a negative seed.

    Reference: Jegou et al. 2011; the rotation: Ge et al. 2013.
    """
    import faiss

    rows = _checked(vectors, m, bits, rounds, seed)
    width = rows.shape[1]
    rotation = np.eye(width, dtype=np.float32)
    if rotate:
        turn, inner = faiss.OPQMatrix(width, m), _quantiser(width, m, bits, len(rows), seed)
        turn.niter, turn.niter_pq_0, turn.niter_pq = (
            rounds,
            10,
            1,
        )  # faiss's own 4 passes a turn: twice the time, no gain
        turn.pq = inner  # else it learns 8 bits whatever `bits` are
        turn.train(rows)
        turn.pq = None
        rotation = faiss.vector_to_array(turn.A).reshape(width, width).copy()
    learned = _quantiser(width, m, bits, len(rows), seed)
    learned.train(np.ascontiguousarray(rows @ rotation.T))
    return Codebook(faiss.vector_to_array(learned.centroids).reshape(m, 2**bits, width // m).copy(), rotation)


def product_bytes(n: int, width: int, *, m: int, bits: int = 8, rotate: bool = False) -> int:
    """Bytes of `n` rows of `m` codes each, with everything that is needed to read them.

    Codes fill whole bytes in each row; the centres are float32, 2**bits rows of `width` in all parts together; so is
    the rotation, (width, width), where there is one.

    Raises:
        ValueError: a number below 1.
    """
    for name, value in (("n", n), ("width", width), ("m", m), ("bits", bits)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    return n * -(-m * bits // 8) + 4 * width * (2**bits + width * rotate)


def coded_within(
    vectors: np.ndarray, *, budget: int, bits: Sequence[int] = (4, 6, 8), seed: int = 0
) -> tuple[np.ndarray, int]:
    """`vectors` (n, d) as their codes give them back, float32 (n, d), and the bytes these take: at most `budget`.

    Of each number of `bits` the most codes that fit are tried, centres counted (`product_bytes`), without a rotation;
    the one with the least squared error is kept. Numbers of bits with more centres than rows are passed over.

    Raises:
        TypeError: as in `product_codebook`.
        ValueError: as in `product_codebook`, no `bits`, or no codes that fit.
    """
    rows, best = _checked(vectors, 1, 1, 1, seed), None
    n, width = rows.shape
    for few in bits:
        sizes = {m: product_bytes(n, width, m=m, bits=few) for m in range(1, width + 1) if width % m == 0}
        fitting = [m for m, size in sizes.items() if size <= budget and 2**few <= n]
        if not fitting:
            continue
        book = product_codebook(rows, m=fitting[-1], bits=few, rotate=False, seed=seed)
        decoded = _decoded(rows, book.centres)
        error = float(np.square(rows - decoded, dtype=np.float64).sum())
        if best is None or error < best[0]:
            best = error, decoded, sizes[fitting[-1]]
    if best is None:
        raise ValueError(f"no codes of {n} rows of {width} numbers fit budget={budget} bytes with bits {tuple(bits)}")
    return best[1:]


def _quantiser(width: int, m: int, bits: int, n: int, seed: int):  # noqa: ANN202 - faiss is imported late
    import faiss

    quantiser = faiss.ProductQuantizer(width, m, bits)
    quantiser.cp.seed = seed
    quantiser.cp.min_points_per_centroid = 1  # else faiss warns
    quantiser.cp.max_points_per_centroid = n  # else it draws some of the rows
    return quantiser


def _decoded(rows: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Each part of each row replaced by the nearest of its centres."""
    import faiss

    parts = np.split(rows, len(centres), axis=1)
    near = [faiss.knn(np.ascontiguousarray(part), own, 1)[1][:, 0] for part, own in zip(parts, centres, strict=True)]
    return np.concatenate([own[places] for own, places in zip(centres, near, strict=True)], axis=1)


def _checked(vectors: np.ndarray, m: int, bits: int, rounds: int, seed: int) -> np.ndarray:
    if not isinstance(vectors, np.ndarray):
        raise TypeError(f"vectors must be a numpy array or a memory map, got {type(vectors).__name__}")
    if vectors.ndim != 2 or vectors.dtype.kind != "f":
        raise ValueError(f"vectors must be 2-D floats, got {vectors.dtype} of shape {vectors.shape}")
    n, width = vectors.shape
    if not 1 <= m <= width or width % m:
        raise ValueError(f"m must divide the d={width} columns, got {m}")
    if not 1 <= bits <= 12 or n < 2**bits:
        raise ValueError(f"{bits} bits take 1..12 and {2**bits} rows to learn from, got {n} rows")
    if rounds < 1 or seed < 0:
        raise ValueError(f"rounds must be at least 1 and seed not negative, got rounds={rounds}, seed={seed}")
    rows = np.ascontiguousarray(vectors, dtype=np.float32)
    if not (fine := np.isfinite(rows).all(axis=1)).all():
        raise ValueError(f"vectors: row {int(fine.argmin())} is not finite")
    return rows
