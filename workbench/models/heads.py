"""Poolings that are trained: they see the states of every token, of the last layer or of all.

Given to `Encoder(head=...)`, they take the place of its pooling.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from workbench.models.flat import wide
from workbench.models.seeding import seeded

__all__ = ["LatentAttention", "LatentQueries", "LayerMix", "TokenPooling"]


class TokenPooling(nn.Module):
    """A module from token states to one vector per text; subclasses say how.

    `forward(states, mask)` takes states (n, t, d), or (layers, n, t, d) where `all_layers` is true, with the output of
    the embeddings first and the model's output last, and a mask (n, t) that is True on tokens; it gives (n, e). Tokens
    outside the mask must not matter.
    """

    all_layers: ClassVar[bool] = False

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """The vectors (n, e) of the texts.

        Raises:
            NotImplementedError: the subclass does not say how it pools.
        """
        raise NotImplementedError(f"{type(self).__name__} must define forward(states, mask)")


class LatentAttention(TokenPooling):
    """Latent attention of NV-Embed (Lee 2024): each token becomes a mixture of trained latents, then the mean.

    Tokens give the queries, latents the keys and values; residual, GEGLU layer with residual, mean over the mask.
    Before training it is mean pooling exactly, for both residual branches end in zeros.

    Args:
        width: dimensions of the states and of the vectors.
        latents: number of trained latents.
        heads: attention heads, which share `width`.
        seed: of the initial weights; the global generator stays as it was.

    Raises:
        ValueError: `width` is not a multiple of `heads`, or a number below 1.
    """

    def __init__(self, width: int, *, latents: int = 512, heads: int = 8, seed: int) -> None:
        super().__init__()
        _check(width, heads, latents=latents)
        with seeded(seed):
            self.latents = nn.Parameter(torch.randn(latents, width))
            self.attend, self.feed = _Attend(width, heads), _Feed(width)
        nn.init.zeros_(self.attend.out.weight)
        nn.init.zeros_(self.feed.down.weight)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """Vectors (n, d) from the last layer's states (n, t, d)."""
        return _mean(self.feed(self.attend(states, self.latents.expand(len(states), -1, -1))), mask)


class LatentQueries(TokenPooling):
    """Last-layer trainable pooling (Tang 2024): trained latents attend to the tokens, then the mean over latents.

    The mirror image of `LatentAttention`: here the latents are the queries. Tokens outside the mask are not attended.

    Args:
        width: dimensions of the states and of the vectors.
        latents: number of trained latents; they start at a scale of 0.02, for they are a constant in every vector.
        heads: attention heads, which share `width`.
        seed: of the initial weights; the global generator stays as it was.

    Raises:
        ValueError: `width` is not a multiple of `heads`, or a number below 1.
    """

    def __init__(self, width: int, *, latents: int = 32, heads: int = 8, seed: int) -> None:
        super().__init__()
        _check(width, heads, latents=latents)
        with seeded(seed):
            self.latents = nn.Parameter(0.02 * torch.randn(latents, width))
            self.attend, self.feed = _Attend(width, heads), _Feed(width)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """Vectors (n, d) from the last layer's states (n, t, d)."""
        latents = self.latents.expand(len(states), -1, -1)
        return self.feed(self.attend(latents, states, mask)).mean(dim=1)


class LayerMix(TokenPooling):
    """Pooling over all layers, each read as one vector per text.

    `form`: "weights", a learned softmax over layers, all equal at the start (Peters 2018); "cross", trained latents
    attend to the layers (Tang 2024, multi-layers trainable pooling); "self", the layers attend to each other. The last
    two scale each layer's vector by a layer norm without weights and add a learned vector of the layer, then end in a
    GEGLU layer and a mean.

    Args:
        layers: states per token that it takes: the encoder's layers and 1, for the output of the embeddings.
        width: dimensions of the states and of the vectors.
        form: which of the three.
        read: how a layer becomes one vector: "mean" over the tokens, or "last", the last token (causal models).
        latents: number of trained latents of "cross".
        heads: attention heads of "cross" and "self", which share `width`.
        seed: of the initial weights; the global generator stays as it was.

    Raises:
        ValueError: `width` is not a multiple of `heads`, a number below 1, a `form` or `read` that does not exist, or
            later states of another number of layers.
    """

    all_layers: ClassVar[bool] = True

    def __init__(
        self,
        layers: int,
        width: int,
        *,
        form: str = "weights",
        read: str = "mean",
        latents: int = 32,
        heads: int = 8,
        seed: int,
    ) -> None:
        super().__init__()
        if form not in ("weights", "cross", "self"):
            raise ValueError(f"form must be 'weights', 'cross' or 'self', got {form!r}")
        if read not in ("mean", "last"):
            raise ValueError(f"read must be 'mean' or 'last', got {read!r}")
        _check(width, 1 if form == "weights" else heads, latents=latents, layers=layers)
        self.layers, self.form, self.read = layers, form, read
        with seeded(seed):
            if form == "weights":
                self.weights = nn.Parameter(torch.zeros(layers))
                return
            self.places = nn.Parameter(0.02 * torch.randn(layers, width))
            self.attend, self.feed = _Attend(width, heads), _Feed(width)
            if form == "cross":
                self.latents = nn.Parameter(0.02 * torch.randn(latents, width))

    def extra_repr(self) -> str:
        """What the parameters' shapes do not tell."""
        return f"layers={self.layers}, form={self.form!r}, read={self.read!r}"

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """Vectors (n, d) from the states of all layers (layers, n, t, d)."""
        if states.ndim != 4 or len(states) != self.layers:
            raise ValueError(
                f"states must be (layers, n, t, d) with {self.layers} layers, the embeddings' output included, "
                f"got shape {tuple(states.shape)}"
            )
        read = torch.stack([(_mean if self.read == "mean" else _last)(layer, mask) for layer in states], dim=1)
        if self.form == "weights":
            return torch.einsum("l,nld->nd", self.weights.softmax(dim=0), read)
        read = functional.layer_norm(read, read.shape[-1:]) + self.places
        queries = read if self.form == "self" else self.latents.expand(len(read), -1, -1)
        return self.feed(self.attend(queries, read)).mean(dim=1)


class _Attend(nn.Module):
    """queries + attention of the normalised queries to the normalised context; no biases, padding left out."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_queries, self.norm_context = nn.LayerNorm(width), nn.LayerNorm(width)
        self.to_queries, self.to_keys, self.to_values, self.out = (
            nn.Linear(width, width, bias=False) for _ in range(4)
        )

    def extra_repr(self) -> str:
        return f"heads={self.heads}"

    def forward(self, queries: Tensor, context: Tensor, mask: Tensor | None = None) -> Tensor:
        normed, about = self.norm_queries(queries), self.norm_context(context)
        found = functional.scaled_dot_product_attention(
            self._split(self.to_queries(normed)),
            self._split(self.to_keys(about)),
            self._split(self.to_values(about)),
            attn_mask=None if mask is None else mask[:, None, None, :],
        )
        return queries + self.out(found.transpose(1, 2).flatten(2))

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class _Feed(nn.Module):
    """x + GEGLU layer of the normalised x, inner width 4 times as large (Shazeer 2020)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.up, self.down = nn.Linear(width, 8 * width, bias=False), nn.Linear(4 * width, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        value, gate = self.up(self.norm(x)).chunk(2, dim=-1)
        return x + self.down(value * functional.gelu(gate))


def _mean(states: Tensor, mask: Tensor) -> Tensor:
    # masked_fill, for 0 times a padding state that is not finite would be NaN; sums in float32 keep their digits
    total = wide(states).masked_fill(~mask.unsqueeze(-1), 0.0).sum(dim=1)
    return (total / mask.sum(dim=1, keepdim=True)).to(states.dtype)


def _last(states: Tensor, mask: Tensor) -> Tensor:
    return states[torch.arange(len(states), device=states.device), mask.sum(dim=1) - 1]


def _check(width: int, heads: int, **counts: int) -> None:
    for name, count in {"width": width, "heads": heads, **counts}.items():
        if count < 1:
            raise ValueError(f"{name} must be at least 1, got {count}")
    if width % heads:
        raise ValueError(f"width must be a multiple of heads={heads}, got {width}")
