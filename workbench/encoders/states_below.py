"""Token states below the last layers, computed once: what training and reading `LastLayers` again and again needs."""

from collections.abc import Iterable

import torch
from torch import Tensor

from workbench.encoders.encoder import Encoder
from workbench.encoders.last_layers import LastLayers
from workbench.models.passes import evaluating
from workbench.models.texts import check_texts

__all__ = ["StatesBelow"]


class StatesBelow:
    """The states of texts that go into the last layers of `encoder`; those of a text are computed once and kept.

    Calling it gives the list of states (tokens, d) that `LastLayers(encoder, count)` takes, on the CPU. A text of t
    tokens holds 4 t d bytes. The layers below must not be trained meanwhile.

    Args:
        encoder: of text.
        count: last layers, 1 to all of the encoder's, that are left out.

    Raises:
        ValueError: `count` out of range.
    """

    def __init__(self, encoder: Encoder, count: int) -> None:
        if not 1 <= count <= encoder.n_layers:
            raise ValueError(f"count must be between 1 and {encoder.n_layers}, the encoder's layers, got {count}")
        self._layer = encoder.n_layers - count
        self._lower = encoder.with_settings(layers=max(1, self._layer))  # nothing above is run
        self._kept: dict[str, Tensor] = {}

    def __len__(self) -> int:
        """Number of different texts that are kept."""
        return len(self._kept)

    def __call__(self, texts: Iterable[object]) -> list[Tensor]:
        """States of each text, float32 (tokens, d).

        Raises:
            TypeError: a bare str, or an item that is not a str; names its index.
            ValueError: a text that is not valid Unicode; names its index.
        """
        asked = check_texts(texts)
        new = [text for text in dict.fromkeys(asked) if text not in self._kept]
        if new:
            found = self._lower.token_states(new, layers=[self._layer]).values
            self._kept.update({text: torch.from_numpy(one[0]) for text, one in zip(new, found, strict=True)})
        return [self._kept[text] for text in asked]

    def vectors(self, last: LastLayers, texts: Iterable[object]) -> Tensor:
        """What `last` makes of `texts`, float32 (n, d) on the CPU, without dropout and without gradients.

        Raises:
            TypeError, ValueError: as above, or as `LastLayers`.
        """
        with torch.no_grad(), evaluating(last):
            return last(self(texts)).cpu()
