"""Token states for late interaction: texts in, one unit vector per token out."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from workbench.models.seeding import checked_count, seeded
from workbench.tensors import unit

__all__ = ["TokenEncoder"]


class TokenEncoder(nn.Module):
    """A transformers model whose last states are projected to few dimensions and scaled to length 1, token by token.

    Queries and documents are read alike: without the markers and the mask tokens that ColBERT adds to queries.

    Args:
        model: a model of transformers whose first output is the states (n, t, d); shared, not copied.
        tokenizer: its tokenizer.
        width: dimensions of a token's vector.
        max_length: tokens kept of a text, special ones included.
        seed: of the projection's weights.

    Raises:
        ValueError: a size below 1, or a tokenizer without a padding token.

    Reference: Khattab and Zaharia 2020 (ColBERT), section 3.2.
    """

    def __init__(self, model: nn.Module, tokenizer: Any, *, width: int, max_length: int, seed: int) -> None:  # noqa: ANN401 - transformers has no common type
        super().__init__()
        if tokenizer.pad_token_id is None:
            raise ValueError("tokenizer must have a padding token, got None")
        config: Any = model.config
        self.model, self.tokenizer = model, tokenizer
        self.max_length = checked_count("max_length", max_length)
        with seeded(seed):
            self.projection = nn.Linear(config.hidden_size, checked_count("width", width), bias=False)

    def forward(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """States (n, t, width) of length 1, and the mask (n, t) that is 1 for a token; with gradients.

        Padded on the right to the longest text.

        Raises:
            ValueError: no texts.
        """
        if len(texts) == 0:
            raise ValueError("a batch must hold at least one text, got none")
        rows = self.tokenizer(list(texts), truncation=True, max_length=self.max_length)["input_ids"]
        longest, device = max(map(len, rows)), self.projection.weight.device
        filled = [row + [self.tokenizer.pad_token_id] * (longest - len(row)) for row in rows]
        mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows], device=device)
        states = self.model(input_ids=torch.tensor(filled, device=device), attention_mask=mask)[0]
        return unit(self.projection(states)), mask

    @torch.inference_mode()
    def encode(self, texts: Sequence[str], *, batch: int = 32) -> tuple[Tensor, Tensor]:
        """As `forward` in eval mode without gradients, `batch` texts at a time; padding states are 0.

        Raises:
            ValueError: no texts, or `batch` below 1.
        """
        if len(texts) == 0 or batch < 1:
            raise ValueError(f"encode takes 1 text or more and a batch of 1 or more, got {len(texts)} and {batch}")
        modes = [(part, part.training) for part in self.modules()]
        self.eval()
        try:
            parts = [self(texts[i : i + batch]) for i in range(0, len(texts), batch)]
        finally:
            for part, mode in modes:
                part.training = mode
        longest = max(mask.shape[1] for _, mask in parts)
        masks = [nn.functional.pad(mask, (0, longest - mask.shape[1])) for _, mask in parts]
        states = [nn.functional.pad(x * mask[..., None], (0, 0, 0, longest - mask.shape[1])) for x, mask in parts]
        return torch.cat(states), torch.cat(masks)
