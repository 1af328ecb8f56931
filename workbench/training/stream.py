"""The batches of a training run, pass after pass, from any place on."""

from collections.abc import Iterable, Iterator
from typing import Any

from torch import Tensor

from workbench.training.config import CheckpointError
from workbench.training.identity import batch_digest
from workbench.training.randomness import generator_states, restore_generators

__all__ = ["Stream"]


class Stream:
    """Batches one after another, iterated anew when a pass is over.

    Attributes:
        epoch: the pass, from 0.
        position: batches of this pass already given.
    """

    def __init__(self, batches: Iterable[Any]) -> None:
        # a generator is its own iterator: it can neither be gone through again nor resumed
        if isinstance(batches, Iterator) or not hasattr(batches, "__iter__"):
            raise TypeError(f"batches must be iterable more than once, as a list is, got a {type(batches).__name__}")
        self.epoch, self.position = 0, 0
        self._batches = batches
        self._iterator: Iterator[Any] | None = None
        self._drawn: tuple[dict[str, Tensor], dict[str, Any]] | None = None
        self._last: Any = None

    def next(self) -> Any:  # noqa: ANN401 - whatever a step takes
        """The next batch.

        Raises:
            ValueError: a pass without any batch.
        """
        for _ in range(2):
            if self._iterator is None:
                self._begin()
            for batch in self._iterator or ():
                self.position += 1
                self._last = batch
                return batch
            if self.position == 0:
                break
            self._iterator, self.epoch, self.position = None, self.epoch + 1, 0
        raise ValueError("batches gave no batch: there must be at least one in a pass")

    def where(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """The place in the batches, as tensors and JSON: generators as the pass began, the last batch's digest."""
        tensors, plain = self._drawn or generator_states()
        digest = batch_digest(self._last) if self.position else ""
        return tensors, {"epoch": self.epoch, "position": self.position, "drawn": plain, "digest": digest}

    def seek(self, tensors: dict[str, Tensor], plain: dict[str, Any]) -> None:
        """Go to the place that `where` gave; the generators are then where going there has left them.

        Raises:
            CheckpointError: the batches on the way are others than they were.
        """
        self.epoch = plain["epoch"]
        if not plain["position"]:
            return
        restore_generators(tensors, plain["drawn"])
        self._begin()
        for _ in range(plain["position"]):
            batch = next(self._iterator or iter(()), None)
            self._last, self.position = batch, self.position + 1
        if batch_digest(self._last) != plain["digest"]:
            raise CheckpointError(
                f"batch {self.position} of pass {self.epoch} is not the one that was trained on: a run goes on only "
                "with the same batches in the same order"
            )

    def _begin(self) -> None:
        self._drawn = generator_states()
        if hasattr(self._batches, "set_epoch"):
            self._batches.set_epoch(self.epoch)  # pyright: ignore[reportAttributeAccessIssue]
        self._iterator = iter(self._batches)
