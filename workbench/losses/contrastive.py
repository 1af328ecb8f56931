"""Picking the right candidate among many: the name of such a loss does not define it, its candidate set does."""

import functools
from typing import NamedTuple

import torch
from torch import Tensor

from workbench.losses.blocks import lean_unit, summed_in_blocks
from workbench.losses.checks import (
    checked_rows,
    checked_temperature,
    checked_weights,
    full_precision,
    not_negative,
)
from workbench.tensors import unit

__all__ = ["info_nce", "soft_info_nce", "supervised_contrastive"]


def info_nce(
    anchors: Tensor,
    positives: Tensor,
    *,
    negatives: Tensor | None = None,
    temperature: float | Tensor = 0.05,
    symmetric: bool = False,
    same_side: bool = False,
    skip: Tensor | None = None,
    margin: float = 0.0,
    weights: Tensor | None = None,
    normalize: bool = True,
    chunk: int | None = None,
) -> Tensor:
    """Cross-entropy, in nats, of picking row i of `positives` (n, d) for row i of `anchors` (n, d).

    Candidates of anchor i, in this order: the n positives; the `negatives`, (m, d) for all anchors or (n, k, d) for
    each its own; with `same_side` the n - 1 other anchors. In [0, inf), lower is better, a mean over anchors. A
    collapsed encoder scores ln(c) for c candidates; one that gives each pair a direction of its own, at right angles
    to the others, ln(1 + (c - 1) exp(-1 / temperature)).

    Args:
        anchors: One row per text.
        positives: The partner of each.
        negatives: Further wrong candidates.
        temperature: Divides the similarities; a tensor of one number is learned.
        symmetric: Average with the other direction, which picks the anchor for each positive (CLIP). Negatives serve
            the anchors alone. With `same_side` this is NT-Xent over 2n views (SimCLR).
        same_side: Contrast anchors with anchors too.
        skip: (n, c) bool, True leaves a candidate out (a false negative); with `same_side` c counts n columns for
            the anchors, of which a row's own is never a candidate. The other direction reads the first n columns
            transposed and the last n as they are.
        margin: Taken off the similarity of each pair before the temperature.
        weights: (n,), what each anchor counts in the mean.
        normalize: Cosine; otherwise the dot product.
        chunk: Work in blocks of so many anchors: the same value and gradients (not the second), and memory
            linear in n, if there is no `skip`: that one is n by c.

    Raises:
        ValueError: one row and nothing to contrast it with, shapes that do not match, a row that is not finite or
            (with `normalize`) zero, a temperature that is not above 0, a negative margin or weight, a `skip` that
            is not bool or leaves out a pair, `chunk` below 1.

    References: van den Oord et al. 2018, Eq. 4; Chen et al. 2020 (SimCLR), Eq. 1; Radford et al. 2021 (CLIP), Fig. 3;
    Yang et al. 2019 (additive margin softmax).
    """
    least = 2 if symmetric or negatives is None else 1
    with full_precision(anchors):
        rows, columns, others = _prepared(anchors, positives, negatives, least, normalize, chunk is not None)
        scale, margin = checked_temperature(temperature, rows), not_negative(margin, "margin")
        weights, n = checked_weights(weights, rows), len(rows)
        _check_mask(skip, n, n + _width(others) + n * same_side)
        whole = _Whole(scale, columns, others, peers=rows if same_side else None)
        loss = _one_way(_Rowwise(rows, weights, skip), whole, margin=margin, chunk=chunk)
        if symmetric:
            if skip is not None:
                skip = torch.cat([skip[:, :n].T, skip[:, -n:]], dim=1) if same_side else skip[:, :n].T
            whole = _Whole(scale, rows, peers=columns if same_side else None)
            loss = (loss + _one_way(_Rowwise(columns, weights, skip), whole, margin=margin, chunk=chunk)) / 2
        return loss


def soft_info_nce(
    anchors: Tensor,
    positives: Tensor,
    targets: Tensor,
    *,
    negatives: Tensor | None = None,
    temperature: float | Tensor = 0.05,
    weights: Tensor | None = None,
    normalize: bool = True,
    chunk: int | None = None,
) -> Tensor:
    """Cross-entropy, in nats, of `targets` (n, c), a distribution over the candidates of each anchor.

    Apart from `info_nce` because no single candidate is the right one: there is no pair to take a margin off, nor one
    that `skip` must spare. Candidates: the n positives, then the `negatives` as in `info_nce`. In [0, inf), at least
    the mean entropy of the targets, which is reached where the softmax equals them; a collapsed encoder scores ln(c),
    and `torch.eye(n)` gives `info_nce`.

    Raises:
        ValueError: as in `info_nce`; targets of another shape, negative, or with a row that does not sum to 1.

    Reference: Hinton et al. 2015, section 2, with the candidates for classes.
    """
    least = 1 if negatives is not None else 2
    with full_precision(anchors):
        rows, columns, others = _prepared(anchors, positives, negatives, least, normalize, chunk is not None)
        shape = (len(rows), len(rows) + _width(others))
        if targets.shape != shape:
            raise ValueError(f"targets must be of shape {shape}, got {tuple(targets.shape)}")
        wrong = torch.nonzero(~((targets >= 0).all(dim=1) & ((targets.sum(dim=1) - 1).abs() < 1e-3)))
        if len(wrong):  # the tolerance lets targets in half precision pass
            raise ValueError(f"targets: row {int(wrong[0])} is no distribution (not negative, sum 1)")
        rowwise = _Rowwise(rows, checked_weights(weights, rows), targets=targets.to(rows))
        whole = _Whole(checked_temperature(temperature, rows), columns, others)
        return _one_way(rowwise, whole, margin=0.0, chunk=chunk)


def supervised_contrastive(rows: Tensor, labels: Tensor, *, temperature: float | Tensor = 0.1) -> Tensor:
    """Cross-entropy, in nats, of a row's class-mates among all other rows, averaged over the mates, then over rows.

    Candidates of row i of `rows` (n, d): the n - 1 others; all with the label of i in `labels` (n,) are right. Rows
    alone in their class are candidates only. In [0, inf), lower is better. A collapsed encoder scores ln(n - 1);
    classes of m rows at right angles to each other, ln(m - 1 + (n - m) exp(-1 / temperature)), which is above 0 where
    m > 2.

    Raises:
        ValueError: fewer than 2 rows, a row that is zero or not finite, labels that are not n integers, no label
            that occurs twice, or a temperature that is not above 0.

    Reference: Khosla et al. 2020, Eq. 2 (the outer sum).
    """
    with full_precision(rows):
        (rows,) = checked_rows(rows, names="rows", least=2)
        if labels.shape != rows.shape[:1] or labels.is_floating_point() or labels.is_complex():
            raise ValueError(f"labels must be {len(rows)} integers, got {labels.dtype} of {tuple(labels.shape)}")
        own = torch.eye(len(rows), dtype=torch.bool, device=rows.device)
        mates = (labels[:, None] == labels[None, :]) & ~own
        count = mates.sum(dim=1)
        if not count.any():
            raise ValueError("labels must hold one label at least twice: no row has a class-mate")
        near = unit(rows)
        logits = near / checked_temperature(temperature, near) @ near.T
        picked = logits.masked_fill(own, -torch.inf).logsumexp(dim=1, keepdim=True) - logits
        return ((picked * mates).sum(dim=1) / count.clamp(min=1)).sum() / (count > 0).sum()


def _prepared(
    anchors: Tensor, positives: Tensor, negatives: Tensor | None, least: int, normalize: bool, lean: bool
) -> tuple[Tensor, Tensor, Tensor | None]:
    a, p = checked_rows(anchors, positives, names="anchors positives", least=least, scaled=normalize)
    scaled = (lean_unit if lean else unit) if normalize else torch.as_tensor
    if negatives is None:
        return scaled(a), scaled(p), None
    if negatives.ndim not in (2, 3) or negatives.shape[-1] != a.shape[1]:
        raise ValueError(f"negatives must be (m, d) or (n, k, d), d={a.shape[1]}, got {tuple(negatives.shape)}")
    if negatives.ndim == 3 and len(negatives) != len(a):
        raise ValueError(f"negatives must be of {len(a)} anchors, got {len(negatives)}")
    (flat,) = checked_rows(negatives.flatten(0, -2), names="negatives", scaled=normalize)
    return scaled(a), scaled(p), scaled(flat.to(a)).reshape(negatives.shape)


def _width(others: Tensor | None) -> int:
    return 0 if others is None else others.shape[-2]


def _check_mask(skip: Tensor | None, n: int, width: int) -> None:
    if skip is None:
        return
    if skip.dtype != torch.bool or skip.shape != (n, width):
        raise ValueError(f"skip must be bool of shape ({n}, {width}), got {skip.dtype} of {tuple(skip.shape)}")
    gone = torch.nonzero(skip.diagonal())
    if len(gone):
        raise ValueError(f"skip must spare the pair of each row, leaves out that of row {int(gone[0])}")


class _Rowwise(NamedTuple):
    rows: Tensor
    weights: Tensor
    skip: Tensor | None = None
    targets: Tensor | None = None
    negatives: Tensor | None = None


class _Whole(NamedTuple):
    temperature: Tensor
    columns: Tensor
    negatives: Tensor | None = None
    peers: Tensor | None = None


def _one_way(rowwise: _Rowwise, whole: _Whole, *, margin: float, chunk: int | None) -> Tensor:
    """The weighted mean cross-entropy of `rowwise.rows` among the candidates in `whole`."""
    if whole.negatives is not None and whole.negatives.ndim == 3:
        rowwise, whole = rowwise._replace(negatives=whole.negatives), whole._replace(negatives=None)
    total = summed_in_blocks(functools.partial(_block, margin), rowwise, whole, chunk=chunk)
    return total / rowwise.weights.sum()


def _block(margin: float, first: int, rowwise: tuple, whole: tuple) -> Tensor:
    """The weighted sum over a block of rows, from row `first` on, of their cross-entropies."""
    (rows, weights, skip, targets, per_row), (temperature, columns, shared, peers) = _Rowwise(*rowwise), _Whole(*whole)
    rows, pair = rows / temperature, torch.arange(first, first + len(rows), device=rows.device)[:, None]
    logits = [rows @ columns.T]
    if shared is not None:
        logits.append(rows @ shared.T)
    if per_row is not None:
        logits.append(torch.einsum("bd,bkd->bk", rows, per_row))
    if peers is not None:
        logits.append((rows @ peers.T).scatter(1, pair, -torch.inf))
    logits = torch.cat(logits, dim=1) if len(logits) > 1 else logits[0]
    if targets is not None:
        return (weights * (logits.logsumexp(dim=1) - (targets * logits).sum(dim=1))).sum()
    right = logits.gather(1, pair) - margin / temperature
    if margin:
        logits = logits.scatter(1, pair, right)
    if skip is not None:
        logits = logits.masked_fill(skip, -torch.inf)
    return (weights * (logits.logsumexp(dim=1) - right[:, 0])).sum()
