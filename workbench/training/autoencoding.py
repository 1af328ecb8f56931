"""The step of `fit` that pre-trains every exit of an encoder as a masked autoencoder."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from workbench.losses import masked_lm
from workbench.models.autoencoder import ExitAutoencoder
from workbench.training.masking import mask_tokens

__all__ = ["autoencode_step"]


def autoencode_step(
    tokenizer: Any,  # noqa: ANN401 - transformers has no common type for its tokenizers
    exits: Sequence[tuple[int, int]],
    *,
    max_length: int,
    rate: float = 0.2,
    decoder_rate: float | None = 0.4,
) -> Callable[[ExitAutoencoder, Mapping[str, Any], dict[str, Any]], Tensor]:
    """A step for `fit` with an `ExitAutoencoder`: the mean over `exits` (layer, size) of how badly tokens are guessed.

    Of an exit: the masked-LM loss of its own states, and the loss of the decoder that sees its first state and a text
    with other tokens masked, each in nats, averaged. One forward pass of the encoder serves all exits, and all see the
    same masks. With `exits` the full model alone and no decoder this is masked language modelling. Batches have a
    column "text"; state["rng"] is the torch.Generator that draws the masks.

    Args:
        tokenizer: of the model, with a mask token.
        exits: layers count from 1.
        max_length: tokens kept of a text.
        rate: share of the tokens that the encoder must guess, above 0 and at most 1.
        decoder_rate: share that the decoder must guess; None: no decoder.

    Raises:
        ValueError: no exits, or a tokenizer without a mask token; and in a step: an exit that the model does not have.

    Reference: Zhuang et al. 2024 (Starbucks, SMAE), who mask whole words for the decoder; here tokens are masked.
    """
    if not exits:
        raise ValueError("exits must be one (layer, size) or more, got none")
    if tokenizer.mask_token_id is None:
        raise ValueError(f"{type(tokenizer).__name__} has no mask token")

    def step(model: ExitAutoencoder, batch: Mapping[str, Any], state: dict[str, Any]) -> Tensor:
        read = tokenizer(
            list(batch["text"]), padding=True, truncation=True, max_length=max_length, return_tensors="pt"
        ).to(model.model.device)
        ids, mask = read["input_ids"], read["attention_mask"].bool()
        hide = partial(mask_tokens, ids, mask, replacement=tokenizer.mask_token_id)
        hide = partial(hide, special=tokenizer.all_special_ids, generator=state["rng"])
        seen, places = hide(rate=rate)
        decoded, hidden = (ids, places) if decoder_rate is None else hide(rate=decoder_rate)
        states, losses = model.states(seen, mask), []
        for layer, size in exits:
            if not 1 <= layer < len(states):
                raise ValueError(f"an exit's layer must lie in 1..{len(states) - 1}, got {layer}")
            cut = states[layer][..., :size]
            loss = masked_lm(model.token_logits(cut[places]), ids[places])
            if decoder_rate is not None:
                logits = model.decoded_logits(cut[:, 0], decoded, mask, hidden)
                loss = (loss + masked_lm(logits, ids[hidden])) / 2
            losses.append(loss)
        return torch.stack(losses).mean()

    return step
