"""Steps of `fit` for models that see tokens of query and document: cross-encoders, and late interaction."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from workbench.retrieval.late import max_sim

__all__ = ["late_step", "listwise_step"]

Step = Callable[[Any, Mapping[str, Any], dict[str, Any]], Tensor]


def late_step(*, temperature: float = 0.05) -> Step:
    """A step that picks the row's own "positive" for each "anchor" of a batch by `max_sim`: cross-entropy, in nats.

    Candidates are the n positives of the batch, as in `losses.info_nce`; collapsed states score ln(n). Its modules are
    one that gives states and mask of texts, such as `models.TokenEncoder`.

    Raises:
        ValueError: a temperature that is not above 0; in a step, a batch of one or with another column.

    Reference: Santhanam et al. 2022 (ColBERTv2, in-batch negatives); Khattab and Zaharia 2020.
    """
    if not 0 < temperature < float("inf"):
        raise ValueError(f"temperature must be above 0 and finite, got {temperature}")

    def step(tokens: Any, batch: Mapping[str, Any], state: dict[str, Any]) -> Tensor:  # noqa: ANN401, ARG001
        if set(batch) != {"anchor", "positive"} or len(batch["anchor"]) < 2:
            raise ValueError(f"late_step takes anchor and positive, 2 rows or more, got {list(batch)}")
        scores = max_sim(*tokens(batch["anchor"]), *tokens(batch["positive"])) / temperature
        return F.cross_entropy(scores, torch.arange(len(scores), device=scores.device))

    return step


def listwise_step() -> Step:
    """A step that picks the first of the columns beside "anchor" for each row by a cross-encoder: cross-entropy, nats.

    The columns are the row's own candidates, the right one first, as in {"anchor": ..., "positive": ..., "negative":
    ...}. A model that gives one score to all k scores ln(k). Its modules are one that is called on pairs of texts, such
    as `models.CrossEncoder`.

    Raises:
        ValueError: in a step, no column "anchor" or fewer than 2 others.

    Reference: Nogueira and Cho 2019; the softmax over a list as in Gao, Dai and Callan 2021.
    """

    def step(cross: Any, batch: Mapping[str, Any], state: dict[str, Any]) -> Tensor:  # noqa: ANN401, ARG001
        columns = [name for name in batch if name != "anchor"]
        if "anchor" not in batch or len(columns) < 2:
            raise ValueError(f"listwise_step takes anchor and 2 columns of candidates or more, got {list(batch)}")
        pairs = [pair for name in columns for pair in zip(batch["anchor"], batch[name], strict=True)]
        scores = cross(pairs).view(len(columns), -1).T
        return F.cross_entropy(scores, scores.new_zeros(len(scores), dtype=torch.long))

    return step
