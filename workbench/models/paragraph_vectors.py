"""Vectors of texts from which the texts' words are predicted, real or rounded to bits (PV-DBOW and its binary form)."""

import copy

import numpy as np
import torch
from torch import Tensor, nn

from workbench.models.seeding import checked_count, seeded

__all__ = ["ParagraphVectors", "straight_through"]

SPREAD = 0.1  # of the first numbers: near 0 a bit is undecided, far from it the sigmoid passes no gradient


def straight_through(x: Tensor) -> Tensor:
    """Bits, 1.0 where `x` is above 0, with the gradient of sigmoid(x) as though nothing had been rounded.

    Reference: Krizhevsky and Hinton 2011 (rounding a deep autoencoder's code); Bengio et al. 2013.
    """
    soft = torch.sigmoid(x)
    return (x > 0).to(soft.dtype) + (soft - soft.detach())  # the bracket is 0 exactly


class ParagraphVectors(nn.Module):
    """A vector for each text and one for each word: a text's words are predicted from its vector, or from its code.

    With `bits` the words see a code of zeros and ones alone: rounded sigmoids of the vector itself where `bits` is
    `width`, else of a linear map of it without offset, so that one model has real vectors and short codes
    (Real-Binary). `forward(rows)` gives what the words of these texts are predicted from, (n, bits or width).

    Attributes:
        vectors: (texts, width), the real vectors.
        outputs: (words, bits or width), one vector a word.
        bias: (words,).
        projection: the linear map, or None.

    Args:
        texts: number of texts.
        words: number of words.
        width: numbers of a text's vector.
        bits: length of the code; None: none, words are predicted from the vector.
        seed: of the first weights; the global generator stays as it was.

    Raises:
        ValueError: a number below 1, or a seed that is none.

    Reference: Le and Mikolov 2014; Grzegorczyk and Kurdziel 2017, Binary Paragraph Vectors.
    """

    def __init__(self, texts: int, words: int, *, width: int, bits: int | None = None, seed: int) -> None:
        super().__init__()
        for name, value in {"texts": texts, "words": words, "width": width, "bits": bits}.items():
            if value is not None:
                checked_count(name, value)
        self.bits = bits
        with seeded(seed):
            self.vectors = nn.Parameter(SPREAD * torch.randn(texts, width))
            self.outputs = nn.Parameter(SPREAD * torch.randn(words, bits or width))
            self.projection = nn.Linear(width, bits, bias=False) if bits not in (None, width) else None
        self.bias = nn.Parameter(torch.zeros(words))

    def forward(self, rows: Tensor) -> Tensor:
        """What the words of the texts `rows` (n,) are predicted from: their vectors, or their bits as floats.

        Raises:
            ValueError: rows that are no integers in 0..texts - 1.
        """
        if rows.is_floating_point() or rows.ndim != 1:
            raise ValueError(f"rows must be integers (n,), got {rows.dtype} of shape {tuple(rows.shape)}")
        if rows.numel() and not 0 <= int(rows.min()) <= int(rows.max()) < len(self.vectors):
            raise ValueError(f"rows must lie in 0..{len(self.vectors) - 1}, got {int(rows.min())}..{int(rows.max())}")
        return self.vectors[rows] if self.bits is None else straight_through(self._undecided(self.vectors[rows]))

    @torch.no_grad()
    def codes(self) -> np.ndarray:
        """Bits of every text, bool (texts, bits).

        Raises:
            ValueError: the model has none.
        """
        if self.bits is None:
            raise ValueError("this model has real vectors and no codes: bits is None")
        return (self._undecided(self.vectors) > 0).cpu().numpy()

    def numbers(self) -> np.ndarray:
        """Real vector of every text, float32 (texts, width), a copy."""
        return self.vectors.detach().cpu().numpy().copy()

    def for_texts(self, texts: int, *, seed: int) -> "ParagraphVectors":
        """A model for other texts: the same words and map, which do not train, and new vectors, which do.

        Raises:
            ValueError: `texts` below 1, or a seed that is none.
        """
        checked_count("texts", texts)
        other = copy.deepcopy(self).requires_grad_(False)
        with seeded(seed):
            other.vectors = nn.Parameter(SPREAD * torch.randn(texts, self.vectors.shape[1]))
        return other

    def _undecided(self, rows: Tensor) -> Tensor:
        return rows if self.projection is None else self.projection(rows)
