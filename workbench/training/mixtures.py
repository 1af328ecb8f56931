"""Batches of several sources in given proportions, and batches that grow harder."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from torch import Tensor

from workbench.training.batches import DRAW, Batches, checked_done, checked_epoch, checked_seed
from workbench.training.columns import Column, taken

__all__ = ["Curriculum", "Mixture"]


class Mixture:
    """Batches of several sources: which source gives the next batch is drawn anew each time.

    The chance of a source is proportional to (batches of its pass) ** (1 / temperature): in proportion to size at 1,
    the more even the higher (Raffel et al. 2020); or it is proportional to `weights`. A pass has as many batches as the
    sources' first passes together. Each source goes on through its own epochs from pass to pass of the mixture, so none
    repeats a row before its own pass is over. Draws follow from `seed` and the epoch alone; `set_epoch(e)` works out
    how far each source had come by then, and the pass less its first k batches is the rest after k batches.

    Args:
        sources: name -> batches; their columns may differ.
        weights: name -> weight, 0 or more; a weight of 0 leaves the source out, though not out of the length.
        temperature: above 0; 1 where neither is given.
        seed: of the draws; not negative.
        name: a further column of every batch with the source's name in every row; None: no such column.

    Raises:
        TypeError: a source that is no `Batches`, `Curriculum` or `Mixture`, or a seed that is no integer.
        ValueError: no sources, one given under two names, both `weights` and `temperature`, weights that are not one
            for each source, finite, not negative and not all 0, a temperature that is not above 0, a negative seed, or
            a `name` that is a column already.
    """

    def __init__(
        self,
        sources: "Mapping[str, Batches | Curriculum | Mixture]",
        *,
        weights: Mapping[str, float] | None = None,
        temperature: float | None = None,
        seed: int = 0,
        name: str | None = None,
    ) -> None:
        self.sources = dict(sources)
        self._check(name)
        self._lengths: dict[tuple[str, int], int] = {}
        self.seed, self.name, self.epoch = checked_seed(seed), name, 0
        sizes = np.array([self._length(source, 0) for source in self.sources], dtype=float)
        self.probabilities = dict(
            zip(self.sources, _probabilities(self.sources, sizes, weights, temperature).tolist(), strict=True)
        )
        self._batches = int(sizes.sum())

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all columns that some batch has."""
        columns = [column for source in self.sources.values() for column in source.names]
        return tuple(dict.fromkeys(columns if self.name is None else [*columns, self.name]))

    def __len__(self) -> int:
        """Batches of a pass, the same in every epoch."""
        return self._batches

    def set_epoch(self, epoch: int) -> None:
        """Which pass the next iteration makes; passes under way go on as they were.

        Raises:
            ValueError: `epoch` is negative.
        """
        self.epoch = checked_epoch(epoch)

    def draws(self) -> list[str]:
        """The source of every batch of this epoch's pass."""
        return [list(self.sources)[i] for i in self._drawn(self.epoch)]

    def rest(self, done: int) -> Iterator[dict[str, Column]]:
        """This epoch's pass less its first `done` batches, which are not made.

        Raises:
            ValueError: `done` outside 0..batches of the pass.
        """
        return self._rest(self.epoch, checked_done(done, len(self)))

    def __iter__(self) -> Iterator[dict[str, Column]]:
        """One pass, that of the epoch set now."""
        return self.rest(0)

    def _rest(self, epoch: int, done: int) -> Iterator[dict[str, Column]]:
        names, drawn = list(self.sources), self._drawn(epoch)
        past = np.concatenate([*map(self._drawn, range(epoch)), drawn[:done]])
        counts = np.bincount(past, minlength=len(names)).tolist()
        flows = {name: self._from(name, count) for name, count in zip(names, counts, strict=True)}
        for place in drawn[done:]:
            batch = next(flows[names[place]])
            if self.name is not None:
                batch = {**batch, self.name: [names[place]] * len(next(iter(batch.values())))}
            yield batch

    def _drawn(self, epoch: int) -> np.ndarray:
        rng = np.random.default_rng((self.seed, epoch, DRAW))
        return rng.choice(len(self.sources), size=self._batches, p=list(self.probabilities.values()))

    def _from(self, name: str, done: int) -> Iterator[dict[str, Column]]:
        """The source's batches, pass after pass, less its first `done`."""
        epoch = 0
        while done >= (length := self._length(name, epoch)):
            done, epoch = done - length, epoch + 1
        while True:
            self.sources[name].set_epoch(epoch)
            yield from self.sources[name].rest(done)
            done, epoch = 0, epoch + 1

    def _length(self, name: str, epoch: int) -> int:
        if (name, epoch) not in self._lengths:
            self.sources[name].set_epoch(epoch)
            self._lengths[name, epoch] = len(self.sources[name])
        return self._lengths[name, epoch]

    def _check(self, name: str | None) -> None:
        if not self.sources:
            raise ValueError("a mixture needs at least 1 source, got none")
        seen: dict[int, str] = {}
        for label, source in self.sources.items():
            if not isinstance(source, Batches | Curriculum | Mixture):
                raise TypeError(
                    f"source {label!r} must be Batches, a Curriculum or a Mixture, got {type(source).__name__}"
                )
            if id(source) in seen:
                raise ValueError(f"sources {seen[id(source)]!r} and {label!r} are the same batches")
            seen[id(source)] = label
            if name in source.names:
                raise ValueError(f"name={name!r} is a column of source {label!r} already")


def _probabilities(
    sources: Mapping[str, object],
    sizes: np.ndarray,
    weights: Mapping[str, float] | None,
    temperature: float | None,
) -> np.ndarray:
    if weights is None:
        heat = 1.0 if temperature is None else temperature
        if not 0 < heat < np.inf:
            raise ValueError(f"temperature must be above 0 and finite, got {temperature}")
        scaled = np.exp((np.log(sizes) - np.log(sizes).max()) / heat)
        return scaled / scaled.sum()
    if temperature is not None:
        raise ValueError(f"give weights or a temperature, got both (temperature={temperature})")
    if set(weights) != set(sources):
        raise ValueError(f"weights must be given for {sorted(sources)}, got them for {sorted(weights)}")
    chosen = np.array([weights[name] for name in sources], dtype=float)
    if not (np.isfinite(chosen).all() and (chosen >= 0).all() and chosen.sum() > 0):
        raise ValueError(f"weights must be finite, not negative and not all 0, got {dict(weights)}")
    return chosen / chosen.sum()


class Curriculum:
    """Batches that grow harder: each draws from the easiest share of the rows, and the share grows with every batch.

    Batch t (from 0, over all passes) draws `size` rows without repetition from the easiest
    share(t) = start + (1 - start) t / (passes x batches of a pass) of the rows, at least `size` of them, anew for every
    batch; after `passes` passes, the passes are those of `Batches`: every row once, rows that fill no batch left out.
    A pass has n // size batches. Rows of equal difficulty stand in a random order that follows from `seed`. All draws
    follow from `seed`, epoch and batch, so the pass less its first k batches is the rest after k batches.

    Args:
        columns: as `Batches`.
        difficulty: (n,) finite numbers, larger is harder.
        size: rows of a batch, 1 to n.
        passes: passes until every row may be drawn, at least 1.
        start: share of the rows that the first batch draws from, above 0 and at most 1.
        seed: of everything drawn; not negative.

    Raises:
        TypeError: as `Batches`, or a difficulty that is neither an array nor a tensor.
        ValueError: as `Batches`; a difficulty that is not (n,) or not finite (names the row), `passes` below 1, or a
            `start` outside (0, 1].

    Reference: Platanios et al. 2019, linear competence over the ranks of difficulty.
    """

    def __init__(
        self,
        columns: Mapping[str, Sequence | np.ndarray | Tensor],
        difficulty: np.ndarray | Tensor,
        *,
        size: int,
        passes: int,
        start: float = 0.1,
        seed: int = 0,
    ) -> None:
        self._whole = Batches(columns, size=size, seed=seed)
        if passes < 1:
            raise ValueError(f"passes must be at least 1, got {passes}")
        if not 0 < start <= 1:
            raise ValueError(f"start must be above 0 and at most 1, got {start}")
        self.passes, self.start, self.epoch = passes, start, 0
        ties = np.random.default_rng((self._whole.seed, 0, DRAW)).random(self._whole.n_rows)
        self._easiest = np.lexsort((ties, _difficulties(difficulty, self._whole.n_rows)))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns of a batch."""
        return self._whole.names

    def __len__(self) -> int:
        """Batches of a pass, the same in every epoch."""
        return len(self._whole)

    def set_epoch(self, epoch: int) -> None:
        """Which pass the next iteration makes; passes under way go on as they were.

        Raises:
            ValueError: `epoch` is negative.
        """
        self.epoch = checked_epoch(epoch)

    def available(self, batch: int) -> int:
        """From how many rows, the easiest, batch number `batch` (from 0, over all passes) is drawn."""
        share = self.start + (1 - self.start) * min(1.0, batch / (self.passes * len(self)))
        return min(self._whole.n_rows, max(self._whole.size, int(np.ceil(share * self._whole.n_rows - 1e-9))))

    def rest(self, done: int) -> Iterator[dict[str, Column]]:
        """This epoch's pass less its first `done` batches, which are not made.

        Raises:
            ValueError: `done` outside 0..batches of the pass.
        """
        if self.epoch < self.passes:
            return self._growing(self.epoch, checked_done(done, len(self)))
        self._whole.set_epoch(self.epoch)
        return self._whole.rest(done)

    def __iter__(self) -> Iterator[dict[str, Column]]:
        """One pass, that of the epoch set now."""
        return self.rest(0)

    def _growing(self, epoch: int, done: int) -> Iterator[dict[str, Column]]:
        for batch in range(done, len(self)):
            rng = np.random.default_rng((self._whole.seed, epoch, DRAW, batch))
            among = self.available(epoch * len(self) + batch)
            rows = rng.choice(among, size=self._whole.size, replace=False)
            yield taken(self._whole.columns, self._easiest[rows])


def _difficulties(difficulty: np.ndarray | Tensor, n: int) -> np.ndarray:
    if not isinstance(difficulty, np.ndarray | Tensor):
        raise TypeError(f"difficulty must be an array or a tensor, got {type(difficulty).__name__}")
    values = (
        difficulty.astype(float) if isinstance(difficulty, np.ndarray) else difficulty.detach().cpu().double().numpy()
    )
    if values.shape != (n,):
        raise ValueError(f"difficulty must be one number for each of {n} rows, got shape {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError(f"difficulty: row {int(np.argmin(np.isfinite(values)))} is not finite")
    return values
