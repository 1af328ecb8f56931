"""Token Prepending: a placeholder before the text is given the last token's state, so that all words can see it."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from workbench.encoders.layers import layer_stack
from workbench.models.seeding import checked_seed

if TYPE_CHECKING:
    from workbench.encoders.encoder import Encoder

__all__ = ["token_prepending"]


@contextmanager
def token_prepending(
    enc: "Encoder | nn.Module", token: int, *, start: int = 1, stop: int, random: int | None = None
) -> Iterator[None]:
    """Before each of the layers start..stop - 1 the placeholder takes on the last token's state; restored behind it.

    Layers count from 0, and the state is the one that goes into the layer. Within the block every text holds `token`
    once, before its last token, which a causal model lets see all others: the words behind the placeholder see a
    summary of the whole text, from the output of layer `start` on. Padding may stand on either side. Vectors made in
    the block do not go to the store.

    Args:
        enc: an encoder, or a model of transformers whose layers are one list.
        token: number of the placeholder.
        start: first layer before which the state is copied.
        stop: the layer behind the last of these.
        random: a control: instead of the state, one random direction, drawn with this seed, as long as the state is.

    Raises:
        ValueError: layers that are not 0 <= start < stop <= depth, a seed that is none, or a model whose layers are not
            one list; within the block, a text that does not hold the placeholder once, or has it as its last token, by
            its row in the batch, and a call without input_ids.

    Reference: Fu et al. 2024 (Token Prepending), whose code copies before layers start <= l < exit.
    """
    model: nn.Module = enc if isinstance(enc, nn.Module) else enc.model
    stack = layer_stack(model)
    if not 0 <= start < stop <= len(stack):
        raise ValueError(f"layers must be 0 <= start < stop <= {len(stack)}, got start={start} and stop={stop}")
    draw = None if random is None else torch.Generator().manual_seed(checked_seed(random))
    width = int(model.config.get_text_config().hidden_size)  # pyright: ignore
    direction = None if draw is None else nn.functional.normalize(torch.randn(width, generator=draw), dim=0)
    places: list[Tensor] = []  # of the batch that runs now: the placeholder of each row, and its last token

    def find(_module: nn.Module, args: tuple, kwargs: dict[str, Any]) -> None:
        places[:] = _places(args[0] if args else kwargs.get("input_ids"), kwargs.get("attention_mask"), token)

    def copy(_layer: nn.Module, args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
        states = _overwritten(args[0] if args else kwargs["hidden_states"], places[0], places[1], direction)
        return ((states, *args[1:]), kwargs) if args else (args, {**kwargs, "hidden_states": states})

    with ExitStack() as hooks:
        hooks.callback(model.register_forward_pre_hook(find, with_kwargs=True).remove)
        for layer in stack[start:stop]:
            hooks.callback(layer.register_forward_pre_hook(copy, with_kwargs=True).remove)
        yield


def _places(ids: Tensor | None, mask: Tensor | None, token: int) -> tuple[Tensor, Tensor]:
    """Index of the placeholder and of the last token of each row, int64 (n,) each."""
    if ids is None:
        raise ValueError("token prepending finds its placeholder among input_ids, got none")
    here = ids == token
    seen = torch.ones_like(ids) if mask is None else mask.long()
    last = (seen * torch.arange(1, ids.shape[1] + 1, device=ids.device)).argmax(dim=1)
    counts, place = here.sum(dim=1), here.long().argmax(dim=1)
    wrong = torch.nonzero((counts != 1) | (place >= last))
    if len(wrong):
        row = int(wrong[0])
        raise ValueError(
            f"row {row} must hold the placeholder {token} once and before its last token, got it {int(counts[row])} "
            f"times, first at {int(place[row])} of {int(last[row])}"
        )
    return place, last


def _overwritten(states: Tensor, place: Tensor, last: Tensor, direction: Tensor | None) -> Tensor:
    rows, states = torch.arange(len(states), device=states.device), states.clone()  # what was recorded stays as it was
    summary = states[rows, last]
    if direction is not None:
        summary = summary.norm(dim=1, keepdim=True) * direction.to(summary)
    states[rows, place] = summary
    return states
