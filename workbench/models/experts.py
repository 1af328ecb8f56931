"""The MLP of each layer as several experts, equal copies at the start, and a router that picks among them."""

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from workbench.models.flat import wide
from workbench.models.layers import layer_stack
from workbench.models.seeding import seeded

__all__ = ["ExpertLinear", "mlp_experts"]


class ExpertLinear(nn.Module):
    """Several linear layers of one shape: weight (experts, out, in), bias (experts, out) or None.

    The first ones of an MLP send each row, or each token, to its experts; what comes out has one copy per expert that
    was picked, stacked along the rows. The last one brings the copies together, weighted.

    Args:
        linear: what every expert starts as.
        experts: how many.
        route: the layer's choice, shared by its linears.
        last: whether this is the MLP's last linear.
    """

    def __init__(self, linear: nn.Linear, experts: int, route: "_Route", *, last: bool) -> None:
        super().__init__()
        self.in_features, self.out_features, self.last = linear.in_features, linear.out_features, last
        self.weight = nn.Parameter(linear.weight.detach().repeat(experts, 1, 1))
        self.bias = None if linear.bias is None else nn.Parameter(linear.bias.detach().repeat(experts, 1))
        self.router: nn.Linear | None = None
        self._route = route

    def extra_repr(self) -> str:
        """What the parameters' shapes do not tell."""
        return f"{self.in_features}, {self.out_features}, experts={len(self.weight)}, last={self.last}"

    def forward(self, x: Tensor) -> Tensor:
        """Of the first linears (n, t, in) -> (k n, t, out), of the last (k n, t, in) -> (n, t, out)."""
        route = self._route
        if not self.last:
            if self.router is not None:
                route.choose(self.router(x))
            x = x if route.k == 1 else x.repeat(route.k, 1, 1)
        index = route.index(len(x) // route.k)  # (k n) experts of rows, or (k n t) of tokens
        out = self._sent(x.reshape(len(index), -1, x.shape[-1]), index).reshape(*x.shape[:-1], -1)
        return route.together(out) if self.last else out

    def _sent(self, x: Tensor, index: Tensor) -> Tensor:
        order = index.argsort(stable=True)
        parts = x[order].split(index.bincount(minlength=len(self.weight)).tolist())
        biases: Any = [None] * len(parts) if self.bias is None else self.bias
        made = [functional.linear(p, w, b) for p, w, b in zip(parts, self.weight, biases, strict=True)]
        return torch.cat(made)[order.argsort()]


class _Route:
    """Which experts take a batch: by text, from `texts`; or by token, from what the layer's router says."""

    def __init__(self, texts: "_Texts | None", k: int) -> None:
        self.texts, self.k = texts, k
        self.picked = self.shares = torch.empty(0)

    def choose(self, logits: Tensor) -> None:
        """The k best experts of each token, weighted by softmax over the k."""
        best, self.picked = wide(logits).topk(self.k, dim=-1)  # (n, t, k)
        if self.k > 1:
            self.shares = best.softmax(dim=-1)
        else:  # the only share is 1 whatever the router says: this one is 1 and has the gradient of its probability
            chance = wide(logits).softmax(dim=-1).gather(-1, self.picked)
            self.shares = chance / chance.detach()

    def index(self, n: int) -> Tensor:
        if self.texts is None:
            return self.picked.permute(2, 0, 1).reshape(-1)
        if len(self.texts.experts) != n:
            raise ValueError(f"{n} rows reached the experts for {len(self.texts.experts)} texts: use the whole model")
        return self.texts.experts

    def together(self, out: Tensor) -> Tensor:
        if self.texts is not None:
            return out
        copies, shares = out.unflatten(0, (self.k, -1)), self.shares
        self.picked = self.shares = torch.empty(0)  # else the graph lives until the next batch
        return (copies * shares.permute(2, 0, 1).unsqueeze(-1).to(out.dtype)).sum(dim=0)


class _Texts:
    """The expert of each text of the batch."""

    def __init__(self) -> None:
        self.experts = torch.empty(0, dtype=torch.int64)


class _ReadingEmbedding(nn.Embedding):
    """A word embedding that also reads off which expert each text asks for: its first token among `expert_tokens`."""

    expert_tokens: Tensor
    texts: _Texts

    def forward(self, input: Tensor) -> Tensor:
        asked = input.unsqueeze(-1) == self.expert_tokens  # (n, t, experts)
        some = asked.any(dim=-1)
        if not bool(some.any(dim=1).all()):
            row = int((~some.any(dim=1)).nonzero()[0])
            raise ValueError(f"row {row} has none of the experts' tokens {self.expert_tokens.tolist()}")
        first = some.int().argmax(dim=1)
        self.texts.experts = asked[torch.arange(len(input), device=input.device), first].int().argmax(dim=1)
        return super().forward(input)


def mlp_experts(
    model: nn.Module,
    *,
    experts: int,
    tokens: Sequence[int] | None = None,
    layers: Sequence[int] | None = None,
    top: int = 1,
    seed: int = 0,
) -> Any:  # noqa: ANN401 - of the model's own class
    """A copy of `model` with `experts` copies of the MLP in its layers (Hallee 2024; Komatsuzaki 2023, upcycling).

    Attention, norms and embeddings stay shared. Right after, the outputs are the model's own. With `tokens` a text goes
    through the expert that its own first such token names, in every layer; without, a linear router per layer picks
    `top` experts for each token (softmax over those; with one, its gradient is that of its probability). The weights
    load into the same surgery on a model of the same configuration, not through `from_pretrained`.

    Args:
        model: a transformers model that embeds token ids.
        experts: how many.
        tokens: one token id per expert; every text must then hold one of them.
        layers: the layers that get experts, from 0; None: all.
        top: experts per token of the learned router.
        seed: of the routers' weights; the global generator stays as it was.

    Raises:
        ValueError: fewer than 2 experts; `tokens` not one per expert, not distinct or not in the vocabulary; a layer
            that is not there or whose MLP is not made of nn.Linear; `top` outside 1..experts, or above 1 with `tokens`.
    """
    new: Any = copy.deepcopy(model)
    stack = layer_stack(new)
    picked = list(range(len(stack))) if layers is None else list(layers)
    _check(experts, tokens, picked, len(stack), top)
    texts = None if tokens is None else _read_tokens(new, tokens)
    names = {number: _mlp_linears(stack[number], number) for number in picked}
    with seeded(seed):
        for number in picked:
            _split(stack[number], names[number], experts, _Route(texts, top))
    # part of what tells two models apart: the weights' shapes do not say it
    new.config.mlp_experts = {"experts": experts, "tokens": tokens and list(tokens), "layers": picked, "top": top}
    return new


def _split(layer: nn.Module, names: list[str], experts: int, route: _Route) -> None:
    for place, name in enumerate(names):
        parent, _, last = name.rpartition(".")
        linear: Any = layer.get_submodule(name)
        made = ExpertLinear(linear, experts, route, last=place == len(names) - 1)
        if place == 0 and route.texts is None:
            made.router = nn.Linear(linear.in_features, experts, bias=False).to(linear.weight)
        layer.get_submodule(parent)._modules[last] = made


def _mlp_linears(layer: nn.Module, number: int) -> list[str]:
    """Names of the linears of a layer that are in no attention, the one back to the layer's width last."""
    names = [
        name
        for name, module in layer.named_modules()
        if isinstance(module, nn.Linear) and not any("attention" in x or "attn" in x for x in name.lower().split("."))
    ]
    if len(names) >= 2:
        *first, last = [layer.get_submodule(name) for name in names]
        if all(m.in_features == last.out_features for m in first):
            return names
    raise ValueError(f"layer {number} ({type(layer).__name__}) has no MLP of nn.Linear that leads back to its width")


def _read_tokens(model: Any, tokens: Sequence[int]) -> _Texts:  # noqa: ANN401 - a transformers model
    embedding = model.get_input_embeddings()
    if type(embedding) is not nn.Embedding:
        raise ValueError(f"tokens need a plain nn.Embedding of the words, got {type(embedding).__name__}")
    wrong = [token for token in tokens if not 0 <= token < embedding.num_embeddings]
    if wrong:
        raise ValueError(f"tokens must be below {embedding.num_embeddings}, the vocabulary, got {wrong[0]}")
    texts, ids = _Texts(), torch.tensor(list(tokens), device=embedding.weight.device)
    for name, module in model.named_modules():
        # T5 has one embedding per stack, all of one weight; what the decoder reads decides nothing
        if type(module) is nn.Embedding and module.weight is embedding.weight and "decoder" not in name.split("."):
            module.__class__ = _ReadingEmbedding  # keeps weights, ties, names and the place in the model
            module.register_buffer("expert_tokens", ids, persistent=False)
            module.texts = texts  # pyright: ignore[reportArgumentType]
    return texts


def _check(experts: int, tokens: Sequence[int] | None, picked: Sequence[int], depth: int, top: int) -> None:
    if experts < 2:
        raise ValueError(f"experts must be at least 2, got {experts}")
    if tokens is not None and (len(tokens) != experts or len(set(tokens)) != experts):
        raise ValueError(f"tokens must be {experts} distinct ids, one per expert, got {list(tokens)}")
    wrong = [number for number in picked if not 0 <= number < depth]
    if wrong or len(set(picked)) < len(picked):
        raise ValueError(f"layers must be distinct and between 0 and {depth - 1}, got {list(picked)}")
    if not 1 <= top <= (1 if tokens is not None else experts):
        raise ValueError(f"top must be between 1 and {experts}, and 1 with tokens, got {top}")
