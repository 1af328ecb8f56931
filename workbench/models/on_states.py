"""Poolings trained on what a frozen encoder gave once: no pass of the encoder in training."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from workbench.models.heads import TokenPooling
from workbench.models.passes import evaluating
from workbench.models.seeding import checked_count

__all__ = ["OnStates"]


class OnStates(nn.Module):
    """A pooling on stored token states, and a linear map behind it: numbers of texts in, one vector each out.

    The map has no bias and starts as the identity, so a pooling with nothing to train has as much behind it to train as
    any other. The states are no part of the module: nothing trains them, no checkpoint holds them.

    Args:
        states: float arrays (layers, tokens, d), one per text, such as `Encoder.token_states(texts).values`.
        pooling: takes states (n, t, d), or (layers, n, t, d) where its `all_layers` is true.

    Raises:
        TypeError: `pooling` is no `TokenPooling`.
        ValueError: no states; states of a text that are not 3-D, have no token, are not finite, or differ from those of
            text 0 in layers or width; more layers than one for a pooling of one; or no rows (n, e) from the pooling.
    """

    def __init__(self, states: Sequence[np.ndarray], pooling: nn.Module) -> None:
        super().__init__()
        if not isinstance(pooling, TokenPooling):
            raise TypeError(f"pooling must be a TokenPooling, got {type(pooling).__name__}")
        self._states = _checked(states, one_layer=not pooling.all_layers)
        self.pooling = pooling
        with torch.inference_mode(), evaluating(pooling):
            made = pooling(*self._batch([0, 0], torch.device("cpu")))
        if made.ndim != 2 or len(made) != 2:
            raise ValueError(f"a pooling must give rows (n, e), got shape {tuple(made.shape)} for n=2")
        self.map = nn.Linear(made.shape[1], made.shape[1], bias=False)
        nn.init.eye_(self.map.weight)

    def extra_repr(self) -> str:
        """What the parameters' shapes do not tell."""
        return f"texts={len(self._states)}"

    def forward(self, rows: Tensor) -> Tensor:
        """Vectors (n, e) of the texts with the numbers `rows` (n,), with gradients; not normalised.

        Raises:
            ValueError: `rows` is not 1-D of integers, or a number outside 0..texts - 1.
        """
        if rows.ndim != 1 or rows.is_floating_point() or rows.dtype == torch.bool or len(rows) == 0:
            raise ValueError(f"rows must be 1 or more integers (n,), got {rows.dtype} of shape {tuple(rows.shape)}")
        numbers = rows.tolist()
        if outside := [number for number in numbers if not 0 <= number < len(self._states)]:
            raise ValueError(f"rows must be numbers of the {len(self._states)} texts, from 0, got {outside[0]}")
        return self.map(self.pooling(*self._batch(numbers, self.map.weight.device)))

    def encode(self, rows: Sequence[int], *, batch: int = 64) -> np.ndarray:
        """As `forward` in eval mode without gradients, float32 (n, e), texts of like length `batch` at a time.

        Raises:
            ValueError: as `forward`, or `batch` below 1.
        """
        numbers, size = torch.as_tensor(rows), checked_count("batch", batch)
        made = np.empty((len(numbers), self.map.out_features), dtype=np.float32)
        lengths = [self._states[number].shape[1] if 0 <= number < len(self._states) else 0 for number in rows]
        order = np.argsort(lengths, kind="stable")
        with torch.inference_mode(), evaluating(self):
            for first in range(0, max(1, len(order)), size):
                part = order[first : first + size]
                made[part] = self(numbers[torch.from_numpy(part)]).float().cpu().numpy()
        return made

    def _batch(self, numbers: Sequence[int], device: torch.device) -> tuple[Tensor, Tensor]:
        """States, padded with zeros on the right, and the mask (n, t) that is True on tokens."""
        picked = [self._states[number] for number in numbers]
        longest, (layers, _, width) = max(x.shape[1] for x in picked), picked[0].shape
        states = np.zeros((layers, len(picked), longest, width), dtype=np.float32)
        mask = np.zeros((len(picked), longest), dtype=bool)
        for i, x in enumerate(picked):
            states[:, i, : x.shape[1]], mask[i, : x.shape[1]] = x, True
        there = torch.from_numpy(states).to(device)
        return there if self.pooling.all_layers else there[0], torch.from_numpy(mask).to(device)


def _checked(states: Sequence[np.ndarray], *, one_layer: bool) -> list[np.ndarray]:
    kept = list(states)
    if not kept:
        raise ValueError("states must be of 1 text or more, got none")
    for i, x in enumerate(kept):
        if not isinstance(x, np.ndarray) or x.ndim != 3 or x.dtype.kind != "f" or 0 in x.shape:
            got = f"{x.dtype} of shape {x.shape}" if isinstance(x, np.ndarray) else type(x).__name__
            raise ValueError(f"states of text {i} must be a float array (layers, tokens, d), got {got}")
        if (len(x), x.shape[2]) != (len(kept[0]), kept[0].shape[2]):
            raise ValueError(f"states of text {i} are {x.shape}, those of text 0 {kept[0].shape}: layers and d differ")
        if not np.isfinite(x).all():
            raise ValueError(f"states of text {i} must be finite")
    if one_layer and len(kept[0]) > 1:
        raise ValueError(f"this pooling reads one layer, states have {len(kept[0])}")
    return kept
