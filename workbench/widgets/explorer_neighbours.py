"""The nearest rows of one row, fast enough for a click."""

import numpy as np
import torch
from torch import Tensor

from workbench.neighbours import knn_graph
from workbench.tensors import row_blocks

__all__ = ["nearest_rows"]

FEW = 4096  # rows that are compared exactly at once
SPARE = 64  # candidates beyond k, so that rounding decides nothing
ROWS_AT_ONCE = 16_384


def nearest_rows(rows: Tensor, row: int, k: int, *, metric: str) -> tuple[np.ndarray, np.ndarray]:
    """The `k` rows of `rows` (n, d) nearest to row `row`, itself left out, and their similarities as in `knn_graph`.

    Of many rows, candidates are found by float32 products first; among these the search is that of `knn_graph`.

    Raises:
        ValueError: as in `knn_graph`.
    """
    asking, n = rows[row : row + 1], len(rows)
    among = torch.arange(n, device=rows.device)
    if n > FEW and k + 1 + SPARE < n:
        near = torch.cat([_closeness(rows[part], asking, metric) for part in row_blocks(n, ROWS_AT_ONCE)])
        if torch.isfinite(near).all():
            among = near.topk(k + 1 + SPARE).indices.sort().values  # rising, so that ties go to the lower row
    found = knn_graph(rows[among], k=k + 1, queries=asking, metric=metric)
    ids, values = among.cpu().numpy()[found.indices[0]], found.similarities[0]
    others = ids != row
    return ids[others][:k], values[others][:k]


def _closeness(rows: Tensor, asking: Tensor, metric: str) -> Tensor:
    rows, asking = rows.float(), asking.float()
    if metric == "euclidean":
        return -(rows - asking).norm(dim=1)
    products = rows @ asking[0]
    return products if metric == "dot" else products / rows.norm(dim=1)
