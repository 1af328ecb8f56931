"""Embedding tables that take less memory than a row for each type: shared rows, pairs of rows, low rank.

Types are numbered 0, 1, ... from the most frequent on. Which rows a type shares is computed by a seeded permutation, in
place of a hash function: it is no part of what is stored, and not counted.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from workbench.models.seeding import checked_count, seeded

__all__ = ["CompositionalTable", "HashedTable", "LowRankTable"]

SPREAD = 0.1  # standard deviation of the numbers of a type's vector before training, in every table


class _Table(nn.Module):
    """A vector for each of `n` types; subclasses say how."""

    def __init__(self, n: int, width: int) -> None:
        super().__init__()
        self.n, self.width = checked_count("n", n), checked_count("width", width)

    @property
    def bytes(self) -> int:
        """Bytes of all trained numbers in float32: what is trained and what is stored."""
        return 4 * sum(parameter.numel() for parameter in self.parameters())

    def extra_repr(self) -> str:
        """What the parameters' shapes do not tell."""
        return f"n={self.n}, width={self.width}"

    def _checked(self, ids: Tensor) -> Tensor:
        if ids.dtype not in (torch.int32, torch.int64):
            raise ValueError(f"ids must be integers (32 or 64 bits), got {ids.dtype}")
        if ids.numel() and not 0 <= int(ids.min()) <= int(ids.max()) < self.n:
            raise ValueError(f"ids must lie in 0..{self.n - 1}, got {int(ids.min())}..{int(ids.max())}")
        return ids.long()


class HashedTable(_Table):
    """`rows` rows for `n` types: the `own` most frequent have one each, the others share the rest evenly.

    With `own` 0 plain hashing; with `own` = `rows` = `n` the full table; with `own` = `rows` - 1 the rare types are
    one.

    Args:
        n: number of types.
        width: numbers of a vector.
        rows: rows that are stored, 1 to n.
        own: types with a row of their own.
        seed: of the first weights and of who shares a row with whom.

    Raises:
        ValueError: a number below 1, `rows` above n, `own` outside 0..rows, or no row left for the other types; and
            in a call: ids that are no integers in 0..n - 1.

    Reference: Weinberger et al. 2009 (hashing); Zhang et al. 2023, "AdaptEmb", for rows of frequent types.
    """

    places: Tensor

    def __init__(self, n: int, width: int, *, rows: int, own: int = 0, seed: int) -> None:
        super().__init__(n, width)
        if checked_count("rows", rows) > n or checked_count("own", own, least=0) > rows:
            raise ValueError(f"rows must be at most n={n} and own at most rows, got rows={rows}, own={own}")
        if own == rows < n:
            raise ValueError(f"{n - own} types have no row: own={own} must be below rows={rows}")
        with seeded(seed):
            self.weight = nn.Parameter(SPREAD * torch.randn(rows, width))
            shared = torch.randperm(n - own) % max(1, rows - own)
        self.register_buffer("places", torch.cat([torch.arange(own), own + shared]), persistent=False)

    def forward(self, ids: Tensor) -> Tensor:
        """Vectors (..., width) of the types `ids` (...)."""
        return functional.embedding(self.places[self._checked(ids)], self.weight)


class CompositionalTable(_Table):
    """Two small tables, quotient and remainder: each type has a pair of rows that no other type has.

    Of the permuted type i the rows i // r and i % r are multiplied number by number, or added; r is the largest that
    `rows` rows in all allow.

    Args:
        n: number of types.
        width: numbers of a vector.
        rows: rows that may be stored in both tables together.
        joined: "product" or "sum".
        seed: of the first weights and of the permutation.

    Raises:
        ValueError: a number below 1, fewer rows than unique pairs need (says how many), another `joined`; and in a
            call: ids that are no integers in 0..n - 1.

    Reference: Shi et al. 2020 (quotient-remainder trick).
    """

    places: Tensor

    def __init__(self, n: int, width: int, *, rows: int, joined: str = "product", seed: int) -> None:
        super().__init__(n, width)
        if joined not in ("product", "sum"):
            raise ValueError(f"joined must be 'product' or 'sum', got {joined!r}")
        needed = {r: r + -(-n // r) for r in range(1, n + 1)}
        fitting = [r for r, many in needed.items() if many <= checked_count("rows", rows)]
        if not fitting:
            raise ValueError(f"unique pairs of {n} types need {min(needed.values())} rows, got {rows}")
        self.joined, self.base = joined, fitting[-1]
        scales = (1.0, SPREAD) if joined == "product" else (SPREAD / 2**0.5, SPREAD / 2**0.5)
        with seeded(seed):
            self.quotient = nn.Parameter(scales[0] * torch.randn(-(-n // self.base), width))
            self.remainder = nn.Parameter(scales[1] * torch.randn(self.base, width))
            order = torch.randperm(n)
        self.register_buffer("places", order, persistent=False)

    def forward(self, ids: Tensor) -> Tensor:
        """Vectors (..., width) of the types `ids` (...)."""
        places = self.places[self._checked(ids)]
        first = functional.embedding(places // self.base, self.quotient)
        second = functional.embedding(places % self.base, self.remainder)
        return first * second if self.joined == "product" else first + second


class LowRankTable(_Table):
    """A short vector for each type, and one projection that makes it long.

    Args:
        n: number of types.
        width: numbers of a vector.
        rank: numbers stored for a type, 1 to width.
        seed: of the first weights.

    Raises:
        ValueError: a number below 1, or `rank` above width; and in a call: ids that are no integers in 0..n - 1.

    Reference: Ginart et al. 2021 (mixed dimension embeddings), with one dimension for all.
    """

    def __init__(self, n: int, width: int, *, rank: int, seed: int) -> None:
        super().__init__(n, width)
        if checked_count("rank", rank) > width:
            raise ValueError(f"rank must be at most width={width}, got {rank}")
        with seeded(seed):
            self.short = nn.Parameter(torch.randn(n, rank))
            self.projection = nn.Parameter(SPREAD / rank**0.5 * torch.randn(rank, width))

    def forward(self, ids: Tensor) -> Tensor:
        """Vectors (..., width) of the types `ids` (...)."""
        return functional.embedding(self._checked(ids), self.short) @ self.projection
