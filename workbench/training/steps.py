"""The step of `fit` for a loss of embeddings."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from workbench.training import processes
from workbench.training.embedding import embed
from workbench.training.processes import gathered

__all__ = ["embed_step"]

WATCHED = 256  # rows that alignment and uniformity are taken of: their cost grows with the square


def embed_step(
    loss: Callable[..., Tensor],
    *,
    columns: Sequence[str] | Mapping[str, str] = ("anchor", "positive"),
    given: Sequence[str] = (),
    chunk: int | None = None,
) -> Callable[[Any, Mapping[str, Any], dict[str, Any]], Tensor]:
    """A step for `fit` that embeds `columns` of a batch and gives `loss(*embedded, *given)`.

    All columns of one module are embedded together. In several processes the loss sees the rows of all of them. What
    alignment and uniformity of the first two columns are goes into state["metrics"] (Wang and Isola 2020, exponents 2
    and t = 2, of at most 256 rows).

    Args:
        loss: takes the vectors (n, d) of each of `columns`, then the rows of each of `given`; gives a scalar.
        columns: columns to embed. With several modules, a mapping from column to the module's name.
        given: columns handed to the loss as tensors, such as scores, labels or a guide's vectors; texts, such as the
            names of sources, as they are (in one process only).
        chunk: rows whose activations are held at a time, for batches that do not fit: see `embed`. Value and gradient
            stay those of the whole batch.

    Raises:
        ValueError: no columns, a column listed twice, `chunk` below 1; and in a step: a batch with a column that is
            not listed or without one that is, no rows, columns of unequal length, or a loss that is no scalar.
        KeyError: in a step, a module that `modules` does not have.
    """
    places = dict(columns) if isinstance(columns, Mapping) else dict.fromkeys(columns)
    listed = [*columns, *given]
    if not places or len(set(listed)) < len(listed):
        raise ValueError(f"columns must be one or more, each listed once, got {listed}")
    if chunk is not None and chunk < 1:
        raise ValueError(f"chunk must be 1 or more, got {chunk}")

    def step(modules: Any, batch: Mapping[str, Any], state: dict[str, Any]) -> Tensor:  # noqa: ANN401
        _check_batch(batch, listed)
        made = _embedded(modules, batch, places, chunk)
        device = next(iter(made.values())).device
        rest = [_given(batch[name], device) for name in given]
        if len(made) > 1:
            state["metrics"] = _watched(*list(made.values())[:2])
        return loss(*made.values(), *rest)

    return step


def _embedded(
    modules: Any,  # noqa: ANN401 - as in `fit`
    batch: Mapping[str, Any],
    places: Mapping[str, str | None],
    chunk: int | None,
) -> dict[str, Tensor]:
    groups: dict[str | None, list[str]] = {}
    for column, name in places.items():
        groups.setdefault(name, []).append(column)
    made = {}
    for name, columns in groups.items():
        rows = embed(_module(modules, name), _joined([batch[c] for c in columns]), chunk=chunk)
        parts = rows.split([len(batch[c]) for c in columns])
        made |= {column: gathered(part) for column, part in zip(columns, parts, strict=True)}
    return {column: made[column] for column in places}


def _given(rows: Any, device: torch.device) -> Any:  # noqa: ANN401 - texts, or what tensors are made of
    if not isinstance(rows, list) or not all(isinstance(row, str) for row in rows):
        return gathered(torch.as_tensor(rows).to(device))
    if processes.place()[2] > 1:
        raise ValueError("a column of texts cannot be gathered from several processes: give numbers for them")
    return rows


def _module(modules: Any, name: str | None) -> Any:  # noqa: ANN401
    several = isinstance(modules, Mapping) and not isinstance(modules, nn.Module)
    if not several and name is None:
        return modules
    if several and name is None and len(modules) == 1:
        return next(iter(modules.values()))
    if not several or name not in modules:
        have = list(modules) if several else type(modules).__name__
        raise KeyError(
            f"columns name the module {name!r}, modules are {have}: give columns as a mapping to their names"
        )
    return modules[name]


def _joined(columns: list[Any]) -> Any:  # noqa: ANN401 - lists of texts, or tensors
    if all(isinstance(rows, list | tuple) for rows in columns):
        return [row for rows in columns for row in rows]
    return torch.cat([torch.as_tensor(rows) for rows in columns])


def _check_batch(batch: Mapping[str, Any], listed: Sequence[str]) -> None:
    foreign, missing = [c for c in batch if c not in listed], [c for c in listed if c not in batch]
    if foreign or missing:
        wrong = f"has {foreign[0]!r}, which the step does not know" if foreign else f"lacks {missing[0]!r}"
        raise ValueError(f"a batch {wrong}: the step takes the columns {', '.join(listed)}")
    lengths = {c: len(batch[c]) for c in listed}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"columns of a batch must be of equal length, got {lengths}")
    if 0 in lengths.values():
        raise ValueError("a batch must hold at least one row, got none")


@torch.no_grad()
def _watched(first: Tensor, second: Tensor) -> dict[str, float]:
    if first.shape != second.shape or len(first) < 2:
        return {}
    a, b = (nn.functional.normalize(rows[:WATCHED].detach().float(), dim=1) for rows in (first, second))
    return {
        "alignment": float((a - b).square().sum(dim=1).mean()),
        "uniformity": float(torch.pdist(a).square().mul(-2).exp().mean().log()),
    }
