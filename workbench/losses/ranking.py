"""Losses of a list of scores against a list of relevances: of the whole list, or of its pairs."""

import torch
import torch.nn.functional as F
from torch import Tensor

from workbench.losses.checks import checked_temperature
from workbench.losses.scores import candidate_lists

__all__ = ["list_net", "rank_net"]


def list_net(scores: Tensor, relevance: Tensor, *, temperature: float = 1.0, mask: Tensor | None = None) -> Tensor:
    """Cross-entropy, in nats, of the scores' softmax over each list under the softmax of its relevances.

    In [H, inf), averaged over the lists, H the entropy of softmax(relevance / T): a perfect model, whose scores are
    the relevances up to a constant, has H and not 0. Equal scores, as of a collapsed encoder, have ln k. The
    candidates are the k columns of the row, no other row's.

    Args:
        scores: (n, k), one list per row.
        relevance: (n, k), higher is better, of any real dtype; for ranks that start at 1, 1 / rank or -rank.
        temperature: T, which divides both; for two temperatures divide beforehand.
        mask: (n, k), True for a candidate; the rest of a list, be it NaN, is left out.

    Raises:
        ValueError: `temperature` not above 0 and finite, shapes that differ or are not 2-D, no list, a mask of another
            shape or dtype, a list of fewer than 2 candidates, a number of a candidate that is not finite.

    Reference: Cao et al. 2007, section 5 (top-one probabilities, exponential).
    """
    checked_temperature(temperature, scores)
    ours, wanted, kept = candidate_lists(scores, relevance, mask, names=("scores", "relevance"))
    log_q = (ours / temperature).masked_fill(~kept, -torch.inf).log_softmax(dim=1).masked_fill(~kept, 0)
    p = (wanted / temperature).masked_fill(~kept, -torch.inf).softmax(dim=1)
    return -(p * log_q).sum(dim=1).mean()


def rank_net(scores: Tensor, relevance: Tensor, *, mask: Tensor | None = None) -> Tensor:
    """Mean of ln(1 + exp(s_j - s_i)) over the pairs of one list in which candidate i is more relevant than j.

    In [0, inf), in nats, each pair of the batch weighing the same: a longer list counts for more. Towards 0 as the
    right order's gaps grow; equal scores, as of a collapsed encoder, have ln 2. Pairs of equal relevance say nothing
    and are left out (in the paper they pull the scores together). Cosines want a scale beforehand: 10 in E2Rank.

    Args:
        scores: (n, k), one list per row.
        relevance: (n, k), higher is better, of any real dtype; only its order matters. For ranks hand over -rank.
        mask: (n, k), True for a candidate; the rest of a list, be it NaN, is left out.

    Raises:
        ValueError: shapes that differ or are not 2-D, no list, a mask of another shape or dtype, a list of fewer than
            2 candidates, a number of a candidate that is not finite, or no pair of different relevance in any list.

    Reference: Burges et al. 2005, section 3 (target probability 1).
    """
    ours, wanted, kept = candidate_lists(scores, relevance, mask, names=("scores", "relevance"))
    better = (wanted[:, :, None] > wanted[:, None, :]) & kept[:, :, None] & kept[:, None, :]
    if not better.any():
        raise ValueError("relevance must differ within a list: no pair of candidates has an order")
    gaps = ours[:, :, None] - ours[:, None, :]
    return F.softplus(-gaps[better]).mean()
