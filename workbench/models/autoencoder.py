"""A masked autoencoder over the exits of a masked language model: one head and one decoder layer for all of them."""

import copy
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["ExitAutoencoder"]


class ExitAutoencoder(nn.Module):
    """A BERT-type masked language model whose every (layer, size) predicts tokens, by itself and through its [CLS].

    `exit` states, those of one layer cut to some leading dimensions, go through the model's own masked-LM head, of
    which only the first dense layer is cut, on its input side: `token_logits`. The cut state of the first token alone,
    through the same dense layer, stands in for the first token's embedding of a one-layer decoder that reads the text
    with other tokens masked: `decoded_logits`. The decoder layer is of the model's own kind, freshly drawn; embeddings
    and head are shared with the model, which is trained in place and used without the decoder afterwards.

    Args:
        model: a BertForMaskedLM of transformers.
        seed: draws the decoder's weights; the global generator is left as it was.

    Raises:
        TypeError: a model of another kind.

    Reference: Zhuang et al. 2024 (Starbucks), section on SMAE; Xiao et al. 2022 (RetroMAE) for the decoder.
    """

    def __init__(self, model: nn.Module, *, seed: int) -> None:
        from transformers import BertForMaskedLM
        from transformers.models.bert.modeling_bert import BertLayer

        if not isinstance(model, BertForMaskedLM):
            raise TypeError(f"model must be a transformers BertForMaskedLM, got {type(model).__name__}")
        super().__init__()
        self.model = model
        config: Any = copy.deepcopy(model.config)
        config._attn_implementation = model.config._attn_implementation
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.decoder = BertLayer(config)
            self.decoder.apply(model._init_weights)
        self.decoder.to(device=model.device, dtype=model.dtype)

    @property
    def width(self) -> int:
        """Number of dimensions of the model's states."""
        return int(self.model.config.hidden_size)

    def states(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        """States (n, t, d) after each layer, entry 0 the output of the embeddings; `mask` is True on tokens."""
        output = self.model.bert(input_ids=ids, attention_mask=mask, output_hidden_states=True)
        return output.hidden_states

    def token_logits(self, exit: Tensor) -> Tensor:
        """Logits (..., vocabulary) of the masked-LM head for exit states (..., size).

        Raises:
            ValueError: a size outside 1..width.
        """
        head = self.model.cls.predictions
        return head.decoder(self._transformed(exit))

    def decoded_logits(self, first: Tensor, ids: Tensor, mask: Tensor, places: Tensor) -> Tensor:
        """Logits (k, vocabulary) that the decoder gives at `places`, from the first token's exit states (n, size).

        `ids` (n, t) are the tokens it reads, masked ones among them, `mask` (n, t) True on tokens, `places` (n, t)
        True at the k places to predict, row by row. What `ids` has at the first place plays no part.

        Raises:
            ValueError: a size outside 1..width.
        """
        read = self.model.bert.embeddings(input_ids=ids)
        inputs = torch.cat([self._transformed(first)[:, None], read[:, 1:]], dim=1)
        hidden = torch.zeros_like(mask, dtype=inputs.dtype).masked_fill(~mask.bool(), torch.finfo(inputs.dtype).min)
        output = self.decoder(inputs, attention_mask=hidden[:, None, None, :])
        return self.token_logits((output[0] if isinstance(output, tuple) else output)[places])

    def _transformed(self, exit: Tensor) -> Tensor:
        size = exit.shape[-1]
        if not 1 <= size <= self.width:
            raise ValueError(f"an exit's size must lie in 1..{self.width}, got {size}")
        transform = self.model.cls.predictions.transform
        dense = F.linear(exit, transform.dense.weight[:, :size], transform.dense.bias)
        return transform.LayerNorm(transform.transform_act_fn(dense))
