"""Differences of distances or similarities, and the geometry of pairs on the sphere."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from workbench.losses.checks import checked_rows, full_precision, not_negative
from workbench.tensors import as_rows, unit

__all__ = ["alignment_uniformity", "cosent", "margin_mse", "triplet"]


def triplet(
    anchors: Tensor,
    positives: Tensor,
    negatives: Tensor,
    *,
    margin: float,
    distance: str = "cosine",
) -> Tensor:
    """How far the positive fails to be nearer than the negative by `margin`, averaged over triplets of rows (n, d).

    max(0, d(anchor, positive) - d(anchor, negative) + margin), d being 1 - cosine (in [0, 2]) or the Euclidean distance
    of the rows as they are. The candidate set of an anchor is its own negative alone. In [0, inf), lower is better,
    0 where every triplet keeps the margin; a collapsed encoder scores exactly `margin`.

    Raises:
        ValueError: no rows, shapes that differ, a row that is not finite or (cosine) zero, a negative margin, or
            another distance.

    Reference: Schroff et al. 2015 (FaceNet), section 3.1, there with the square of the Euclidean distance.
    """
    if distance not in ("cosine", "euclidean"):
        raise ValueError(f"distance must be 'cosine' or 'euclidean', got {distance!r}")
    cosine = distance == "cosine"
    with full_precision(anchors):
        a, p, n = checked_rows(anchors, positives, negatives, names="anchors positives negatives", scaled=cosine)
        if cosine:
            a, p, n = unit(a), unit(p), unit(n)
            gap = (a * n).sum(dim=1) - (a * p).sum(dim=1)
        else:
            gap = torch.linalg.vector_norm(a - p, dim=1) - torch.linalg.vector_norm(a - n, dim=1)
        return F.relu(gap + not_negative(margin, "margin")).mean()


def cosent(cosines: Tensor, scores: Tensor, *, scale: float = 20.0) -> Tensor:
    """ln(1 + the sum of exp(scale (cosine_j - cosine_i)) over all i and j whose gold scores say i above j).

    `cosines` (n,) are of n pairs of texts, `scores` (n,) their gold scores, of which only the order counts. The
    candidate set is the ordered pairs of pairs; ties are left out. In [0, inf), lower is better: near 0 where every
    order holds by much more than 1 / scale. A collapsed encoder scores ln(1 + number of ordered pairs), and a batch of
    one gold score exactly 0.

    Raises:
        ValueError: fewer than 2 pairs, shapes that differ, a number that is not finite, or a scale that is not above 0.

    Reference: Su 2022, CoSENT (kexue.fm/archives/8847).
    """
    if not (math.isfinite(scale) and scale > 0):
        raise ValueError(f"scale must be finite and above 0, got {scale}")
    if cosines.ndim != 1 or cosines.shape != scores.shape:
        shapes = f"{tuple(cosines.shape)} and {tuple(scores.shape)}"
        raise ValueError(f"cosines and scores must be of one shape (n,), got {shapes}")
    if len(cosines) < 2:
        raise ValueError(f"cosent orders 2 pairs or more, got {len(cosines)}")
    (near,) = checked_rows(cosines[:, None], names="cosines", scaled=False)
    if not torch.isfinite(scores).all():
        raise ValueError(f"scores: row {int(torch.nonzero(~torch.isfinite(scores))[0])} is not finite")
    above = scores[:, None] > scores[None, :]
    wrong = scale * (near.T - near).masked_fill(~above, -torch.inf)
    return torch.cat([near.new_zeros(1), wrong.flatten()]).logsumexp(dim=0)


def margin_mse(anchors: Tensor, positives: Tensor, negatives: Tensor, teacher_margins: Tensor) -> Tensor:
    """Mean squared difference between the student's margins of dot products and a teacher's.

    The student's margin is anchor . positive - anchor . negative; `negatives` are (n, d) with `teacher_margins` (n,),
    or (n, k, d) with (n, k). The candidate set of an anchor is its own negatives alone. In [0, inf), lower is better,
    0 where the margins agree; a collapsed encoder scores the mean square of the teacher's margins.

    Raises:
        ValueError: no rows, shapes that do not match, or a number that is not finite.

    Reference: Hofstätter et al. 2020 (Margin-MSE).
    """
    with full_precision(anchors):
        a, p = checked_rows(anchors, positives, names="anchors positives", scaled=False)
        if negatives.ndim not in (2, 3) or (len(negatives), negatives.shape[-1]) != tuple(a.shape):
            n, d = a.shape
            raise ValueError(f"negatives must be ({n}, {d}) or ({n}, k, {d}), got {tuple(negatives.shape)}")
        if teacher_margins.shape != negatives.shape[:-1]:
            got = tuple(teacher_margins.shape)
            raise ValueError(f"teacher_margins must be of shape {tuple(negatives.shape[:-1])}, got {got}")
        margins = as_rows(teacher_margins.reshape(len(a), -1), name="teacher_margins")
        flat = checked_rows(negatives.flatten(0, -2), names="negatives", scaled=False)[0]
        student = (a * p).sum(dim=1)[:, None] - (a[:, None] * flat.reshape(len(a), -1, a.shape[1])).sum(dim=2)
        return (student - margins).square().mean()


def alignment_uniformity(anchors: Tensor, positives: Tensor, *, t: float = 2.0, weight: float = 1.0) -> Tensor:
    """Mean squared distance of pairs, plus `weight` times the mean uniformity of the two sides.

    Rows (n, d) are scaled to length 1. The uniformity of a side is ln of the mean of exp(-t |x_i - x_j|^2) over all
    pairs of distinct rows. In [-2 t weight n / (n - 1), 4], lower is better. A collapsed encoder scores 0; equal
    partners spread as a regular simplex reach the lower end, which is -2 t weight for many texts.

    Raises:
        ValueError: fewer than 2 rows, shapes that differ, a row that is zero or not finite, t not above 0, or a
            negative weight.

    Reference: Wang & Isola 2020, section 4.1.
    """
    if not (math.isfinite(t) and t > 0):
        raise ValueError(f"t must be finite and above 0, got {t}")
    with full_precision(anchors):
        a, p = map(unit, checked_rows(anchors, positives, names="anchors positives", least=2))
        alignment = (a - p).square().sum(dim=1).mean()
        return alignment + not_negative(weight, "weight") * (_uniformity(a, t) + _uniformity(p, t)) / 2


def _uniformity(x: Tensor, t: float) -> Tensor:
    n = len(x)
    own = torch.eye(n, dtype=torch.bool, device=x.device)
    # |x_i - x_j|^2 = 2 - 2 cosine: a distance would have no gradient where two rows meet
    falls = (2 * t * (x @ x.T - 1)).masked_fill(own, -torch.inf)
    return falls.flatten().logsumexp(dim=0) - math.log(n * (n - 1))
