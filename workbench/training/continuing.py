"""The step of `fit` that teaches a decoder to go on from prompts."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from workbench.losses import causal_lm
from workbench.models.passes import padded
from workbench.models.prompts import continuation_ids, prompt_ids

__all__ = ["continuation_step"]


def continuation_step(
    tokenizer: Any,  # noqa: ANN401 - transformers has no common type for its tokenizers
    *,
    prompt_weight: float = 1.0,
) -> Callable[[Any, Mapping[str, Any], dict[str, Any]], Tensor]:
    """A step for `fit` with a decoder: cross-entropy of the continuations, plus `prompt_weight` times that of all.

    Both in nats, each a mean over its tokens of the whole batch, so that a short answer behind a long prompt counts. A
    batch has the columns "prompt" and "continuation", joined to one text as in `token_log_likelihoods`. The first term
    also stands in the metrics as "continuation".

    Args:
        tokenizer: of the model.
        prompt_weight: 0 trains on continuations alone.

    Raises:
        ValueError: a weight that is negative or not finite; and in a step, what `token_log_likelihoods` refuses of
            prompts and continuations, or an encoder-decoder.
        TypeError: in a step, as there.
    """
    if not (math.isfinite(prompt_weight) and prompt_weight >= 0):
        raise ValueError(f"prompt_weight must be finite and not negative, got {prompt_weight}")

    def step(model: Any, batch: Mapping[str, Any], state: dict[str, Any]) -> Tensor:  # noqa: ANN401 - of transformers
        if model.config.is_encoder_decoder:
            raise ValueError(f"continuations are taught to a decoder, {type(model).__name__} is an encoder-decoder")
        prompts, texts = list(batch["prompt"]), list(batch["continuation"])
        starts = prompt_ids(model, tokenizer, prompts)
        ends = continuation_ids(model, tokenizer, prompts, texts, end=False)
        ids, mask = padded([[*a, *b] for a, b in zip(starts, ends, strict=True)], 0, model.device)
        begins = torch.tensor([len(row) for row in starts], device=ids.device)[:, None]
        behind = mask.bool() & (torch.arange(ids.shape[1], device=ids.device) >= begins)
        logits = model(input_ids=ids, use_cache=False).logits  # padding on the right is seen by padding alone
        loss = causal_lm(logits, ids, mask=behind)
        state["metrics"] = {"continuation": float(loss.detach())}
        return loss + prompt_weight * causal_lm(logits, ids, mask=mask.bool()) if prompt_weight else loss

    return step
