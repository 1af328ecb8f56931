"""Losses over a vocabulary or over fixed classes: which token stands here, was it replaced, which words are inside."""

import torch
import torch.nn.functional as F
from torch import Tensor

from workbench.losses.checks import checked_temperature, full_precision
from workbench.losses.scores import checked_mask, integers, raised
from workbench.tensors import as_rows

__all__ = ["bag_of_words", "causal_lm", "class_matrix", "masked_lm", "replaced_token"]

IGNORED = -100  # torch's and transformers' label for a token that is not predicted


def masked_lm(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy, in nats, of the token that stood at each masked place, averaged over these places.

    In [0, inf). The candidates are the v entries of the vocabulary. Towards 0 when every token is named with
    certainty; ln v for logits that are all equal; a collapsed encoder, one distribution for all places, has at least
    the entropy of the labels' frequencies.

    Args:
        logits: (..., v), any axes before the vocabulary.
        labels: (...), the token's number, or -100 where nothing is predicted.

    Raises:
        ValueError: shapes that do not fit, fewer than 2 entries, logits not of a floating dtype, labels that are no
            integers, none of them to predict, one outside 0..v - 1, or logits of a predicted place that are not finite.

    Reference: Devlin et al. 2019, section 3.1.
    """
    wanted = integers(labels, "labels")
    return _token_entropy(logits, wanted, wanted != IGNORED, "labels")


def causal_lm(logits: Tensor, ids: Tensor, *, mask: Tensor | None = None) -> Tensor:
    """Cross-entropy, in nats, of each token given those before it, averaged over the predicted tokens of the batch.

    In [0, inf); exp of it is the perplexity. The candidates are the v entries of the vocabulary, and logits of place
    t are read against the token of place t + 1: the first token is never predicted, the last logits never used.
    Towards 0 for certainty, ln v for logits that are all equal; a collapsed encoder has at least the entropy of the
    tokens' frequencies.

    Args:
        logits: (n, l, v).
        ids: (n, l), the tokens that went in.
        mask: (n, l), True for a token to predict: not padding, not a prompt, and where padding stands on the left not
            the first token behind it, which would be predicted from padding.

    Raises:
        ValueError: shapes that do not fit, fewer than 2 places or entries, logits not of a floating dtype, ids that
            are no integers, a mask of another shape or dtype, no token to predict, one outside 0..v - 1, or logits
            that predict a token and are not finite.

    Reference: Radford et al. 2018, Eq. 1 (its mean over tokens, with the whole past as context).
    """
    wanted = integers(ids, "ids")
    if logits.ndim != 3 or wanted.shape != logits.shape[:2] or logits.shape[1] < 2:
        both = f"{tuple(logits.shape)} and {tuple(ids.shape)}"
        raise ValueError(f"logits must be (n, l, v) and ids (n, l), with 2 places or more, got {both}")
    kept = checked_mask(mask, wanted)
    return _token_entropy(logits[:, :-1], wanted[:, 1:], kept[:, 1:], "ids")


def replaced_token(logits: Tensor, replaced: Tensor, *, mask: Tensor | None = None) -> Tensor:
    """Binary cross-entropy, in nats, of whether each token was replaced, averaged over all tokens of the batch.

    In [0, inf). Two candidates for each token; a positive logit says replaced (the paper's D is the probability of
    the opposite). Towards 0 for certainty, ln 2 for logits of 0; a collapsed encoder, one logit for all, has at least
    the entropy of the share of replaced tokens. Small beside a softmax over the vocabulary: the paper adds 50 times
    this to the generator's loss. A sampled token that happens to be the original is not replaced.

    Args:
        logits: (n, l).
        replaced: (n, l), bool.
        mask: (n, l), True for a token, False for padding.

    Raises:
        ValueError: shapes that differ or are not 2-D, no row, logits not of a floating dtype, `replaced` or `mask` not
            of dtype bool, no token, or a token's logit that is not finite.

    Reference: Clark et al. 2020, section 2 (L_Disc, as a mean).
    """
    if logits.ndim != 2 or logits.shape != replaced.shape or not logits.is_floating_point():
        both = f"{logits.dtype} {tuple(logits.shape)} and {tuple(replaced.shape)}"
        raise ValueError(f"logits must be floats (n, l), and replaced (n, l) as well, got {both}")
    if replaced.dtype != torch.bool:
        raise ValueError(f"replaced must be of dtype bool, got {replaced.dtype}")
    kept = checked_mask(mask, logits)
    chosen = raised(_kept(logits, kept))
    return F.binary_cross_entropy_with_logits(chosen, replaced[kept].to(chosen.dtype))


def bag_of_words(logits: Tensor, ids: Tensor, *, mask: Tensor | None = None) -> Tensor:
    """Cross-entropy, in nats, of a text's set of tokens: mean of -ln softmax over its distinct tokens, then over texts.

    In [ln s, inf) for a text of s distinct tokens, reached when the softmax lies evenly on them: a perfect model does
    not come to 0. ln v for logits that are all equal; a collapsed encoder, one distribution for all texts, has at
    least the entropy of the mean of the texts' even distributions. The candidates are the v entries of the vocabulary.
    How often and where a token occurs does not matter.

    Args:
        logits: (n, v), one row per text.
        ids: (n, l), the text's tokens.
        mask: (n, l), True for a token that counts: not padding, as a rule no special tokens.

    Raises:
        ValueError: shapes that do not fit, no text, fewer than 2 entries, logits not of a floating dtype or not
            finite, ids that are no integers, a mask of another shape or dtype, a text without tokens, or a token
            outside 0..v - 1.

    Reference: Liu et al. 2023 (DupMAE), the bag-of-words decoding objective.
    """
    scores, wanted = raised(as_rows(logits, name="logits")), integers(ids, "ids")
    if wanted.ndim != 2 or len(wanted) != len(scores) or scores.shape[1] < 2:
        both = f"{tuple(logits.shape)} and {tuple(ids.shape)}"
        raise ValueError(f"logits must be (n, v), v at least 2, and ids (n, l), got {both}")
    kept = checked_mask(mask, wanted)
    empty = torch.nonzero(~kept.any(dim=1))
    if len(empty):
        raise ValueError(f"ids: row {int(empty[0])} has no token that counts")
    _refuse_outside(wanted, kept, scores.shape[1], "ids")
    inside = torch.zeros(scores.shape, dtype=torch.bool, device=scores.device)
    inside[torch.nonzero(kept)[:, 0], wanted[kept]] = True
    likelihoods = scores.log_softmax(dim=1).masked_fill(~inside, 0)
    return -(likelihoods.sum(dim=1) / inside.sum(dim=1)).mean()


def class_matrix(
    rows: Tensor, matrix: Tensor, labels: Tensor, *, temperature: float = 1.0, bias: Tensor | None = None
) -> Tensor:
    """Cross-entropy, in nats, of each row's class, the logits being rows . matrix / temperature + bias.

    In [0, inf), averaged over rows. The candidates are the c rows of `matrix`, one for each class: word embeddings,
    encoded definitions, trained weights; no other row of the batch. Towards 0 for certainty, ln c where all logits
    are equal; a collapsed encoder has at least the entropy of the labels' frequencies. Dot products of what is given:
    scale both to length 1 beforehand for cosines. A matrix that must not move is handed over detached.

    Args:
        rows: (n, d).
        matrix: (c, d).
        labels: (n,), the class of each row.
        temperature: divides the products, not the bias.
        bias: (c,).

    Raises:
        ValueError: `temperature` not above 0 and finite, rows or matrix empty, not finite, not 2-D or of different
            widths, fewer than 2 classes, labels that are no integers, of another number or outside 0..c - 1, a bias of
            another shape or not finite.

    Reference: Tsukagoshi, Sasano and Takeda 2021 (DefSent): the matrix is the word embeddings', frozen.
    """
    checked_temperature(temperature, rows)
    x, classes = raised(as_rows(rows, name="rows")), raised(as_rows(matrix, least=2, name="matrix"))
    if x.shape[1] != classes.shape[1]:
        raise ValueError(f"rows and matrix must have as many columns, got {x.shape[1]} and {classes.shape[1]}")
    dtype = torch.promote_types(x.dtype, classes.dtype)
    with full_precision(x):
        logits = x.to(dtype) @ classes.to(dtype).T / temperature
    if bias is not None:
        if bias.shape != (len(classes),) or not bias.is_floating_point() or not torch.isfinite(bias).all():
            raise ValueError(f"bias must be {len(classes)} finite floats, one per class, got {bias.dtype} {bias.shape}")
        logits = logits + bias
    wanted = integers(labels, "labels")
    return _token_entropy(logits, wanted, torch.ones_like(wanted, dtype=torch.bool), "labels")


def _token_entropy(logits: Tensor, ids: Tensor, kept: Tensor, name: str) -> Tensor:
    if logits.ndim < 2 or logits.shape[:-1] != ids.shape or logits.shape[-1] < 2 or not logits.is_floating_point():
        both = f"{logits.dtype} {tuple(logits.shape)} and {tuple(ids.shape)}"
        raise ValueError(f"logits must be floats of the shape of {name} and an axis of 2 or more behind it, got {both}")
    chosen = _kept(logits, kept)
    _refuse_outside(ids, kept, logits.shape[-1], name)
    return F.cross_entropy(raised(chosen), ids[kept])


def _kept(logits: Tensor, kept: Tensor) -> Tensor:
    """The logits that count, (places, ...): what is left out may be NaN, and is never raised to a wider dtype."""
    if not kept.any():
        raise ValueError(f"no place of {kept.numel()} counts: nothing is left to predict")
    chosen = logits[kept]
    wrong = torch.nonzero(~torch.isfinite(chosen).reshape(len(chosen), -1).all(dim=1))
    if len(wrong):
        place = torch.nonzero(kept)[int(wrong[0])].tolist()
        raise ValueError(f"logits: place {tuple(place)} is not finite")
    return chosen


def _refuse_outside(ids: Tensor, kept: Tensor, entries: int, name: str) -> None:
    wrong = torch.nonzero(kept & ((ids < 0) | (ids >= entries)))
    if len(wrong):
        place = tuple(wrong[0].tolist())
        raise ValueError(f"{name} must lie in 0..{entries - 1}, got {int(ids[place])} at {place}")
