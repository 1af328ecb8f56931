"""Matching both ways: does a text find its image, and the image its text?"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from workbench.evaluation.base import EMPTY, Evaluation, Statistic, evaluation_of
from workbench.tensors import as_rows, row_blocks, unit

__all__ = ["evaluate_matching"]

BLOCK_NUMBERS = 2**24  # cosines held at a time


def evaluate_matching(
    left: np.ndarray | Tensor,
    right: np.ndarray | Tensor,
    *,
    left_groups: Sequence[str] | None = None,
    right_groups: Sequence[str] | None = None,
    names: tuple[str, str] = ("left", "right"),
    recipe: Mapping[str, object] = EMPTY,
) -> Evaluation:
    """Recall at 1, 5 and 10 and mean rank, both ways: "left to right recall@1", ..., "right to left mean rank".

    Row i of `left` (n, d) belongs to row i of `right` (m, d), or rows of equal groups belong to one another: five
    captions and their image. A row's rank is that of the first row that belongs to it, by cosine; rows that do not
    belong and are equally near count as nearer. Recall is the share of rows with rank k or better, in [0, 1]; mean
    rank is from 1, smaller is better. Items are groups; where their sizes differ, intervals are by jackknife over
    blocks of groups. `names` are those of the two sides.

    Raises:
        ValueError: rows as refused by `as_rows` and `unit`, unequal widths, groups on one side only, not one group for
            each row, without groups unequal numbers of rows, or a group that is missing on one side.
    """
    a, b = unit(as_rows(left, name=names[0])), unit(as_rows(right, name=names[1]))
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"{names[0]} and {names[1]} must have as many columns, got {a.shape[1]} and {b.shape[1]}")
    ids, mine, theirs = _groups((len(a), len(b)), left_groups, right_groups, names)
    arrays, means, statistics = {}, {}, {}
    for (here, there), x, y, group, other in ((names, a, b, mine, theirs), (names[::-1], b, a, theirs, mine)):
        ranks, size = _ranks(x, y, group, other), np.bincount(group)
        for name, values in _measures(ranks).items():
            metric = f"{here} to {there} {name}"
            arrays[metric] = per_group = np.bincount(group, weights=values) / size
            definition = f"{name} of each row of {here} among the rows of {there}, by cosine"
            if size.min() == size.max():
                means[metric] = definition
            else:
                statistics[metric] = (_ratio(per_group, size), definition)
    main = f"{names[0]} to {names[1]} recall@1"
    return evaluation_of(
        "matching", main=main, arrays=arrays, ids=ids, means=means, statistics=statistics, recipe=recipe
    )


def _groups(
    rows: tuple[int, int], left: Sequence[str] | None, right: Sequence[str] | None, names: tuple[str, str]
) -> tuple[list[str], np.ndarray, np.ndarray]:
    if (left is None) != (right is None):
        raise ValueError("groups must be given for both sides or for neither")
    if left is None or right is None:
        if rows[0] != rows[1]:
            raise ValueError(f"without groups row belongs to row: {names[0]} has {rows[0]}, {names[1]} has {rows[1]}")
        return [str(i) for i in range(rows[0])], np.arange(rows[0]), np.arange(rows[0])
    if (len(left), len(right)) != rows:
        raise ValueError(f"groups must be one for each row of {rows}, got {len(left)} and {len(right)}")
    if alone := sorted(set(left) ^ set(right)):
        raise ValueError(f"group {alone[0]!r} is missing on one side")
    number = {name: i for i, name in enumerate(dict.fromkeys(left))}
    return list(number), np.array([number[name] for name in left]), np.array([number[name] for name in right])


def _ranks(x: Tensor, y: Tensor, group: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Rank of the first row of `y` in each row's group: 1 more than the rows of other groups at least as near."""
    dtype = torch.promote_types(x.dtype, y.dtype)
    columns, names, ranks = y.to(dtype).T.contiguous(), torch.from_numpy(other), np.empty(len(x), dtype=np.int64)
    for part in row_blocks(len(x), max(1, BLOCK_NUMBERS // len(y))):
        near = x[part].to(dtype) @ columns
        belongs = torch.from_numpy(group[part])[:, None] == names
        best = near.masked_fill(~belongs, -torch.inf).amax(dim=1, keepdim=True)
        ranks[part] = 1 + ((near >= best) & ~belongs).sum(dim=1).numpy()
    return ranks


def _measures(ranks: np.ndarray) -> dict[str, np.ndarray]:
    return {**{f"recall@{k}": (ranks <= k).astype(float) for k in (1, 5, 10)}, "mean rank": ranks.astype(float)}


def _ratio(per_group: np.ndarray, size: np.ndarray) -> Statistic:
    return lambda rows: float((per_group * size)[rows].sum() / size[rows].sum())
