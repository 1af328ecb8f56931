"""A plain probe: can a linear classifier read a label off the vectors?"""

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from workbench.tensors import as_rows, unit

__all__ = ["probe"]


def probe(x: np.ndarray | Tensor, labels: Sequence[str], *, groups: Sequence[str], folds: int = 5) -> np.ndarray:
    """Whether each row's label is predicted right out of fold, (n,) of booleans; their mean is the accuracy.

    Logistic regression (L2, C = 1) on unit rows of `x` (n, d). Rows of one group are never on both sides of a
    split, so that near copies and pieces of one text cannot leak; folds keep the shares of the labels where the
    groups allow it. Nothing is random.

    Raises:
        ValueError: `labels` or `groups` are not one for each row, fewer than 2 labels, or a label that lies in
            fewer groups than there are folds.
    """
    rows = unit(as_rows(x, least=2)).numpy()
    y, group = np.asarray(labels), np.asarray(groups)
    if y.shape != (len(rows),) or group.shape != (len(rows),):
        raise ValueError(
            f"labels and groups must be one for each of the {len(rows)} rows, got {y.shape} and {group.shape}"
        )
    names = np.unique(y)
    if len(names) < 2:
        raise ValueError(f"a probe tells 2 labels or more apart, got {names.tolist()}")
    for name in names:
        if len(set(group[y == name])) < folds:
            raise ValueError(f"label {name!r} lies in {len(set(group[y == name]))} groups, fewer than {folds} folds")
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold

    correct = np.zeros(len(rows), dtype=bool)
    for train, test in StratifiedGroupKFold(folds).split(rows, y, group):
        model = LogisticRegression(C=1.0, max_iter=1000).fit(rows[train], y[train])
        correct[test] = model.predict(rows[test]) == y[test]
    return correct
