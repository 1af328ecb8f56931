"""A softmax over a large vocabulary by a sample of it: the word that stood there against words drawn as noise."""

import torch
from torch import Tensor

from workbench.losses.checks import full_precision
from workbench.losses.scores import integers, raised
from workbench.tensors import as_rows

__all__ = ["sampled_softmax"]


def sampled_softmax(
    states: Tensor,
    outputs: Tensor,
    targets: Tensor,
    noise: Tensor,
    *,
    bias: Tensor | None = None,
    log_rates: Tensor | None = None,
) -> Tensor:
    """Cross-entropy, in nats, of each target word among itself and the noise words, averaged over all targets.

    In [0, inf). The candidates of a target are itself and the m noise words, which all rows share; a noise word that is
    the target is one candidate, not two. Logits are states . outputs + bias, minus `log_rates` where given: with the
    logarithm of how likely each word is drawn as noise the best logits are those of the full softmax, ln p(word | row)
    and a constant, near enough where no word is nearly always drawn; without them frequent words come out too low.
    Where every word is drawn (rates 1) it is the full softmax. Towards 0 for certainty; ln(m + 1) where all logits are
    equal and no target is among the noise; a collapsed encoder, one state for all rows, has at least the entropy of the
    targets among their candidates.

    Args:
        states: (n, d), what the words of a row are predicted from.
        outputs: (v, d), the vector of each word.
        targets: (n, t), words of each row.
        noise: (m,), different words.
        bias: (v,).
        log_rates: (v,), finite for every word that is a target or noise.

    Raises:
        ValueError: states or outputs that are not finite 2-D floats of one width, targets that are not (n, t) or noise
            that is not (m,) of integers in 0..v - 1, none of either, a noise word twice, or a bias or rates of another
            shape or not finite where they are read.

    Reference: Bengio and Senecal 2008; Jean et al. 2015, section 3.
    """
    x, table = raised(as_rows(states, name="states")), raised(as_rows(outputs, name="outputs"))
    if x.shape[1] != table.shape[1]:
        raise ValueError(f"states and outputs must have as many columns, got {x.shape[1]} and {table.shape[1]}")
    wanted, drawn = _words(targets, len(table), "targets"), _words(noise, len(table), "noise")
    if wanted.ndim != 2 or len(wanted) != len(x) or drawn.ndim != 1:
        both = f"{tuple(wanted.shape)} and {tuple(drawn.shape)}"
        raise ValueError(f"targets must be ({len(x)}, t) and noise (m,), got {both}")
    among = torch.zeros(len(table), dtype=torch.bool, device=x.device)
    among[drawn] = True
    if int(among.sum()) < len(drawn):
        raise ValueError(f"noise words must differ, got {len(drawn)} with {int(among.sum())} different ones")
    dtype = torch.promote_types(x.dtype, table.dtype)
    with full_precision(x):
        near = (table[wanted].to(dtype) @ x.to(dtype)[:, :, None])[:, :, 0]
        far = x.to(dtype) @ table[drawn].to(dtype).T
    for shift, sign, name in ((bias, 1, "bias"), (log_rates, -1, "log_rates")):
        if shift is not None:
            near, far = near + sign * _at(shift, wanted, table, name), far + sign * _at(shift, drawn, table, name)
    others = far.logsumexp(dim=1, keepdim=True)
    # a target among the noise words is counted there already, with the same logit
    everything = torch.where(among[wanted], others.expand_as(near), torch.logaddexp(others, near))
    return (everything - near).mean()


def _words(ids: Tensor, entries: int, name: str) -> Tensor:
    words = integers(ids, name)
    if words.numel() == 0:
        raise ValueError(f"{name} must hold at least one word, got shape {tuple(words.shape)}")
    least, most = int(words.min()), int(words.max())
    if least < 0 or most >= entries:
        raise ValueError(f"{name} must lie in 0..{entries - 1}, got {least}..{most}")
    return words


def _at(shift: Tensor, words: Tensor, table: Tensor, name: str) -> Tensor:
    if shift.shape != (len(table),) or not shift.is_floating_point():
        raise ValueError(f"{name} must be {len(table)} floats, one per word, got {shift.dtype} {tuple(shift.shape)}")
    chosen = raised(shift[words])
    if not torch.isfinite(chosen).all():
        raise ValueError(f"{name} of a word that is a target or noise is not finite")
    return chosen
