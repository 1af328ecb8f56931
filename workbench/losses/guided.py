"""Negatives that a frozen guide lets pass."""

import torch
import torch.nn.functional as F
from torch import Tensor

from workbench.losses.checks import checked_rows, checked_temperature, full_precision, not_negative
from workbench.tensors import unit

__all__ = ["gist", "guided_mask"]


def gist(
    anchors: Tensor,
    positives: Tensor,
    guide_anchors: Tensor,
    guide_positives: Tensor,
    *,
    negatives: tuple[Tensor, Tensor] | None = None,
    temperature: float | Tensor = 0.05,
    margin: float = 0.0,
    same_side: bool = True,
) -> Tensor:
    """Cross-entropy, in nats, of picking row i of `positives` (n, d) for anchor i, false negatives left out by a guide.

    Candidates of row i: anchor i with the n positives and the m `negatives`, and with `same_side` anchor i with the
    n - 1 other anchors and positive i with the n - 1 other positives. Left out is every candidate that the guide finds
    more similar than the pair itself, less `margin`; the pair stays. In [0, inf), lower is better. A collapsed encoder
    scores the mean of ln(candidates left); pairs at right angles to each other score, with c candidates left,
    ln(1 + (c - 1) exp(-1 / temperature)).

    The guide's rows may have a width of their own and get no gradient. One that never masks, `torch.eye(n)` on both
    sides, gives the same candidates unguided. A duplicate of the right answer ties with it and stays: a small `margin`
    drops it.

    Args:
        anchors: The student's rows.
        positives: The partner of each.
        guide_anchors: (n, g), the guide's rows of the same texts.
        guide_positives: (n, g).
        negatives: Rows (m, d) of the student and (m, g) of the guide.
        temperature: Divides the student's cosines; a tensor of one number is learned.
        margin: How far below the pair's similarity masking begins, in the guide's cosine.
        same_side: Contrast anchors with anchors and positives with positives too.

    Raises:
        ValueError: fewer than 2 rows, shapes that do not match, a row that is zero or not finite, a temperature that
            is not above 0, or a negative margin.

    Reference: Solatorio 2024, section 3; the margin as in sentence-transformers' GISTEmbedLoss ("absolute").
    """
    with full_precision(anchors):
        a, p = checked_rows(anchors, positives, names="anchors positives", least=2)
        guides = checked_rows(guide_anchors.detach(), guide_positives.detach(), names="guide_anchors guide_positives")
        n, extra, guide_extra = len(a), (), None
        if len(guides[0]) != n:
            raise ValueError(f"the guide must have the student's {n} rows, got {len(guides[0])}")
        if negatives is not None:
            extra, guide_extra = _negatives(*negatives, a, guides[0])
        logits = _similarities(a, p, extra, same_side) / checked_temperature(temperature, a)
        mask = guided_mask(*guides, negatives=guide_extra, margin=margin, same_side=same_side)
        return F.cross_entropy(logits.masked_fill(mask, -torch.inf), torch.arange(n, device=a.device))


def guided_mask(
    guide_anchors: Tensor,
    guide_positives: Tensor,
    *,
    negatives: Tensor | None = None,
    margin: float = 0.0,
    same_side: bool = True,
) -> Tensor:
    """Which candidates `gist` leaves out, bool (n, c): True where the guide finds one more similar than the pair.

    Columns in this order: the n positives, the m `negatives`, and with `same_side` the n anchors and the n positives
    again, for positive i. A row itself is never a candidate and is True there; its pair is False.

    Args:
        guide_anchors: (n, g), the guide's rows.
        guide_positives: (n, g).
        negatives: (m, g).
        margin: How far below the pair's similarity masking begins, in the guide's cosine.
        same_side: Anchors with anchors and positives with positives too.

    Raises:
        ValueError: shapes that do not match, a row that is zero or not finite, or a negative margin.

    Reference: Solatorio 2024, section 3.
    """
    with full_precision(guide_anchors):
        a, p = checked_rows(guide_anchors.detach(), guide_positives.detach(), names="guide_anchors guide_positives")
        extra = () if negatives is None else checked_rows(negatives.detach(), names="guide_negatives")
        if extra and extra[0].shape[1] != a.shape[1]:
            raise ValueError(f"guide_negatives must be (m, {a.shape[1]}), got {tuple(extra[0].shape)}")
        guide, pair = _similarities(a, p, extra, same_side), torch.eye(len(a), dtype=torch.bool, device=a.device)
        itself = [pair.new_zeros(len(a), len(a) + sum(map(len, extra))), *[pair] * (2 * same_side)]
        # the threshold is an entry of the same matrix: worked out apart, rounding could mask the pair
        mask = (guide > guide.diagonal()[:, None] - not_negative(margin, "margin")) | torch.cat(itself, dim=1)
        mask[:, : len(a)] &= ~pair
        return mask


def _negatives(rows: Tensor, guide: Tensor, a: Tensor, guide_a: Tensor) -> tuple[tuple[Tensor], Tensor]:
    (rows,), (guide,) = checked_rows(rows, names="negatives"), checked_rows(guide.detach(), names="guide_negatives")
    if rows.shape[1] != a.shape[1] or guide.shape[1] != guide_a.shape[1] or len(rows) != len(guide):
        raise ValueError(
            f"negatives must be (m, {a.shape[1]}) and (m, {guide_a.shape[1]}), "
            f"got {tuple(rows.shape)} and {tuple(guide.shape)}"
        )
    return (rows.to(a),), guide.to(guide_a)


def _similarities(a: Tensor, p: Tensor, extra: tuple[Tensor, ...], same_side: bool) -> Tensor:
    """Cosines of anchors with positives and negatives, then of both sides with themselves, as (n, candidates)."""
    a, p = unit(a), unit(p)
    blocks = [a @ p.T, *(a @ unit(x).T for x in extra)]
    return torch.cat([*blocks, a @ a.T, p @ p.T] if same_side else blocks, dim=1)
