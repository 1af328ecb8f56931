"""Vectors of no model: queries and documents moved freely until every query finds its documents, and how far apart."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import torch
from torch import Tensor

__all__ = ["FreeVectors", "SizeSearch", "all_pairs", "free_vectors", "moment_curve", "separations", "size_search"]

DECAYS, EPSILON = (0.9, 0.999), 1e-8  # of Adam
EVERY, PATIENCE = 50, 1000  # updates from one look at loss and margin to the next, and without progress until the end


@dataclass(frozen=True)
class FreeVectors:
    """What full-batch training found for each seed: the vectors of its widest margin.

    Attributes:
        queries: float32 (seeds, m, d), of length 1.
        documents: float32 (seeds, n, d), of length 1.
        margins: float64 (seeds,), smallest of their `separations` in float64; above 0 where every query is solved.
        steps: int64 (seeds,), updates until the fit stopped.
    """

    queries: Tensor
    documents: Tensor
    margins: Tensor
    steps: Tensor


@dataclass(frozen=True)
class SizeSearch:
    """How many documents free vectors of one width can serve.

    Attributes:
        margins: number of documents -> margin of each seed, float64 (seeds,).
        critical: int64 (seeds,), the largest number with a margin above 0; where there is none, one less than the
            first that was tried.
    """

    margins: dict[int, np.ndarray]
    critical: np.ndarray


def free_vectors(
    relevant: np.ndarray | Tensor,
    *,
    width: int,
    seeds: Sequence[int],
    steps: int = 20_000,
    lr: float = 0.01,
    temperature: float = 0.1,
    device: Any = "cpu",  # noqa: ANN401 - a name, a number or a torch.device
) -> FreeVectors:
    """Unit vectors in `width` dimensions trained for the judgements themselves, all seeds side by side.

    Full-batch InfoNCE: the mean over all relevant (query, document) of -log softmax(q . d / temperature), the softmax
    over every document, the other relevant ones too, so that k relevant ones leave at least ln k. Adam; vectors are
    brought back to length 1 after each update. Every 50 updates the margin is taken and the widest one kept; a seed
    ends when its loss has not fallen by 1e-5 for 1,000 updates, or after `steps`.

    Args:
        relevant: bool (m, n), the documents of each query.
        width: dimensions.
        seeds: of the first vectors, one fit each; a seed gives the same vectors to rounding whatever the others are.
        steps: most updates.
        lr: step size of Adam.
        temperature: divides the cosines.
        device: where to train.

    Raises:
        ValueError: `relevant` is not 2-D of bools, a query without a relevant or an irrelevant document (by its
            number), no seeds, `width` or `steps` below 1, or a rate or temperature that is not above 0.

    Reference: Weller et al. 2025, On the Theoretical Limitations of Embedding-Based Retrieval, section 4.
    """
    asked = _judgements(relevant)
    if min(width, steps, len(seeds)) < 1:
        raise ValueError(f"width, steps and seeds must be 1 or more, got {width}, {steps} and {len(seeds)} seeds")
    if not (lr > 0 and temperature > 0):
        raise ValueError(f"lr and temperature must be above 0, got {lr} and {temperature}")
    m, n = asked.shape
    drawn = [torch.randn(m + n, width, generator=torch.Generator().manual_seed(int(seed))) for seed in seeds]
    rows = torch.nn.functional.normalize(torch.stack(drawn), dim=-1).to(device)
    widest, margins, done = _fitted(rows, asked.to(device), steps, lr, temperature)
    return FreeVectors(widest[:, :m], widest[:, m:], margins, done)


def separations(queries: np.ndarray | Tensor, documents: np.ndarray | Tensor, relevant: np.ndarray | Tensor) -> Tensor:
    """Gap of each query from its worst relevant document's dot product to the best irrelevant one's.

    (..., m) for queries (..., m, d) and documents (..., n, d); of unit vectors in [-2, 2]. Above 0: the query has
    exactly its documents in front; equal scores count as not solved. In the dtype of the vectors: what a narrow one
    cannot tell apart is 0.

    Raises:
        ValueError: judgements as `free_vectors` refuses them, or of another shape than (m, n).
    """
    asked, a, b = _judgements(relevant), torch.as_tensor(queries), torch.as_tensor(documents)
    if asked.shape != (a.shape[-2], b.shape[-2]):
        raise ValueError(f"relevant must be {(a.shape[-2], b.shape[-2])}, got {tuple(asked.shape)}")
    return _gaps(a @ b.mT, asked.to(a.device))


def all_pairs(n: int, *, k: int = 2) -> np.ndarray:
    """Judgements, bool (C(n, k), n), in which every set of `k` of `n` documents is what one query asks for.

    Raises:
        ValueError: `k` outside 1..n - 1.
    """
    if not 1 <= k < n:
        raise ValueError(f"k must be at least 1 and below n={n}, got {k}")
    sets = np.array(list(combinations(range(n), k)))
    relevant = np.zeros((len(sets), n), dtype=bool)
    np.put_along_axis(relevant, sets, values=True, axis=1)
    return relevant


def size_search(
    width: int,
    *,
    seeds: Sequence[int],
    k: int = 2,
    misses: int = 3,
    stride: float = 0.05,
    **recipe: Any,  # noqa: ANN401 - what `free_vectors` takes
) -> SizeSearch:
    """The critical size of each seed: of how many documents free vectors solve the judgements `all_pairs`.

    From `max(width, k) + 1` documents up, each time one more (or a share `stride` more, where that is larger: from 30
    on), until no seed has solved any of `misses` sizes in a row.
    `recipe` are the other options of `free_vectors`.

    Raises:
        ValueError: `misses` below 1, a `stride` below 0, or as `free_vectors`.
    """
    if misses < 1 or not stride >= 0:
        raise ValueError(f"misses must be 1 or more and stride not negative, got {misses} and {stride}")
    found: dict[int, np.ndarray] = {}
    n, missed = max(width, k) + 1, 0
    while missed < misses:
        found[n] = free_vectors(all_pairs(n, k=k), width=width, seeds=seeds, **recipe).margins.cpu().numpy()
        missed = 0 if (found[n] > 0).any() else missed + 1
        n = max(n + 1, round(n * (1 + stride)))
    sizes = [np.where(margins > 0, size, max(width, k)) for size, margins in found.items()]
    return SizeSearch(found, np.max(sizes, axis=0))


def moment_curve(n: int, *, k: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Queries (C(n, k), 2k) and documents (n, 2k), float64 unit vectors, that solve `all_pairs` for any `n`.

    The document at angle x is (cos x, sin x, ..., cos kx, sin kx), the angles evenly spaced. Minus the product of
    1 - cos(x - a), over the angles a of a query's own documents, is 0 at these and below 0 elsewhere; it is also a
    constant and a dot product with the document at x, which gives the query. The margin falls as `n` grows, and with it
    the `n` that a given precision can tell apart.

    Raises:
        ValueError: `k` outside 1..n - 1.

    Reference: Gale 1963, Neighborly and cyclic polytopes.
    """
    sets, angles = np.nonzero(all_pairs(n, k=k))[1].reshape(-1, k), 2 * np.pi * np.arange(n) / n
    series = np.ones((len(sets), 1), dtype=complex)  # Fourier coefficients, from the lowest frequency up
    for turn in np.exp(1j * angles[sets]).T:
        padded = np.pad(series, ((0, 0), (1, 1)))
        low, high = np.roll(padded, -1, axis=1), np.roll(padded, 1, axis=1)
        series = padded - 0.5 * (low * turn[:, None] + high * turn.conj()[:, None])
    wave = 2 * series[:, k + 1 :]
    queries = np.stack([-np.real(wave), np.imag(wave)], axis=-1).reshape(len(sets), 2 * k)
    steps = angles[:, None] * np.arange(1, k + 1)
    documents = np.stack([np.cos(steps), np.sin(steps)], axis=-1).reshape(n, 2 * k) / np.sqrt(k)
    return queries / np.linalg.norm(queries, axis=1, keepdims=True), documents


def _fitted(rows: Tensor, asked: Tensor, steps: int, lr: float, temperature: float) -> tuple[Tensor, Tensor, Tensor]:
    """Vectors (seeds, m + n, d) of the widest margin, the margins and the updates made."""
    target, place = (asked / asked.sum()).to(rows), torch.arange(len(rows), device=rows.device)
    widest, margins = rows.clone(), rows.new_full((len(rows),), -torch.inf, dtype=torch.float64)
    least, waited, ended = margins.neg(), torch.zeros_like(place), torch.zeros_like(place)
    state, done = [rows, torch.zeros_like(rows), torch.zeros_like(rows)], 0
    while len(place) and done < steps:
        more = min(EVERY, steps - done)
        for step in range(done + 1, done + more + 1):
            _update(state, target, step, lr, temperature)
        done += more
        loss, gap = _measured(state[0], asked, target, temperature)
        wider = gap > margins[place]
        widest[place[wider]], margins[place[wider]] = state[0][wider], gap[wider]
        falls = loss < least[place] - 1e-5
        waited[place] = torch.where(falls, 0, waited[place] + more)
        least[place] = torch.where(falls, loss, least[place])
        ended[place] = done
        stays = waited[place] < PATIENCE
        if not stays.all():
            place, state = place[stays], [part[stays] for part in state]
    return widest, margins, ended


def _update(state: list[Tensor], target: Tensor, step: int, lr: float, temperature: float) -> None:
    """One update of Adam in place. The gradient is written out: of matrices this small autograd is most of the time."""
    rows, mean, square = state
    queries, documents = rows[:, : len(target)], rows[:, len(target) :]
    slope = torch.softmax(queries @ documents.mT / temperature, dim=-1)
    slope.mul_(target.sum(dim=1, keepdim=True)).sub_(target)
    gradient = torch.cat([slope @ documents, slope.mT @ queries], dim=1).div_(temperature)
    first, second = DECAYS
    mean.lerp_(gradient, 1 - first)
    square.mul_(second).addcmul_(gradient, gradient, value=1 - second)
    scale = square.sqrt().mul_((1 - second**step) ** -0.5).add_(EPSILON)
    rows.addcdiv_(mean, scale, value=-lr / (1 - first**step))
    rows.div_(torch.linalg.vector_norm(rows, dim=-1, keepdim=True))


def _measured(rows: Tensor, asked: Tensor, target: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """Loss and margin of each seed."""
    rows = rows.double()  # in float32 a margin of 0 may come out as 1e-7
    scores = rows[:, : len(target)] @ rows[:, len(target) :].mT
    loss = -(torch.log_softmax(scores / temperature, dim=-1) * target).sum(dim=(1, 2))
    return loss, _gaps(scores, asked).amin(dim=-1)


def _gaps(scores: Tensor, asked: Tensor) -> Tensor:
    worst = scores.masked_fill(~asked, torch.inf).amin(dim=-1)
    return worst - scores.masked_fill(asked, -torch.inf).amax(dim=-1)


def _judgements(relevant: np.ndarray | Tensor) -> Tensor:
    asked = torch.as_tensor(relevant)
    if asked.ndim != 2 or asked.dtype != torch.bool or 0 in asked.shape:
        raise ValueError(f"relevant must be bools (queries, documents), got {asked.dtype} of {tuple(asked.shape)}")
    one_sided = asked.all(dim=1) | ~asked.any(dim=1)
    if one_sided.any():
        raise ValueError(f"query {int(one_sided.int().argmax())} must have a relevant and an irrelevant document")
    return asked
