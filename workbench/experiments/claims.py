"""What a paper claims, written down before the run, and how a measured interval is judged."""

import hashlib
import math
from dataclasses import asdict, dataclass
from typing import ClassVar, Literal

from workbench.intervals import Estimate, Verdict, judge_bound, judge_effect

__all__ = ["Bound", "Claim", "Effect", "Value", "claim_from", "claims_digest"]


@dataclass(frozen=True)
class Effect:
    """A difference that the paper says exists, measured so that the claimed direction is positive.

    `at_least` (above 0, in `unit`) is the smallest difference that counts as reproduced; it is fixed
    before the run. `expect` is shown and never judged. `on` names the one corpus that decides.

    Raises:
        ValueError: an empty text, or `at_least` that is not finite and above 0.
    """

    key: str
    says: str
    unit: str
    baseline: str
    at_least: float
    on: str
    where: str
    expect: str = ""
    decides: bool = False

    kind: ClassVar[Literal["effect"]] = "effect"

    def __post_init__(self) -> None:
        _check_texts(self, "key", "says", "unit", "baseline", "on", "where")
        if not (math.isfinite(self.at_least) and self.at_least > 0):
            raise ValueError(f"claim {self.key}: at_least must be finite and above 0, got {self.at_least}")

    @property
    def limit(self) -> float:
        """The smallest effect that counts as reproduced, in `unit`."""
        return self.at_least

    def judge(self, estimate: Estimate, scale: str) -> Verdict | None:
        """Verdict of the measured difference; None where the scale judges nothing."""
        return None if scale == "smoke" else judge_effect(estimate, at_least=self.at_least)


@dataclass(frozen=True)
class Bound:
    """A number that must lie between `low` and `high` (one side may be None, that is open).

    For non-inferiority, equivalence, calibration and counts.

    Raises:
        ValueError: an empty text, no limit at all, or limits that are not in order.
    """

    key: str
    says: str
    unit: str
    on: str
    where: str
    low: float | None = None
    high: float | None = None
    expect: str = ""
    decides: bool = False

    kind: ClassVar[Literal["bound"]] = "bound"

    def __post_init__(self) -> None:
        _check_texts(self, "key", "says", "unit", "on", "where")
        _check_limits(self.key, self.low, self.high)

    @property
    def limit(self) -> list[float | None]:
        """[low, high] in `unit`, None where open."""
        return [self.low, self.high]

    def judge(self, estimate: Estimate, scale: str) -> Verdict | None:
        """Verdict of the measured number; None where the scale judges nothing."""
        return None if scale == "smoke" else judge_bound(estimate, low=self.low, high=self.high)


@dataclass(frozen=True)
class Value:
    """A number that the paper prints (`paper`) and the band in which ours counts as the same.

    Judged at paper scale only: another model or data set has another number.

    Raises:
        ValueError: an empty text, or a band that is not finite, in order and around `paper`.
    """

    key: str
    says: str
    unit: str
    paper: float
    low: float
    high: float
    on: str
    where: str
    expect: str = ""
    decides: bool = False

    kind: ClassVar[Literal["value"]] = "value"

    def __post_init__(self) -> None:
        _check_texts(self, "key", "says", "unit", "on", "where")
        _check_limits(self.key, self.low, self.high)
        if not self.low <= self.paper <= self.high:
            raise ValueError(
                f"claim {self.key}: the paper's {self.paper} is outside its band [{self.low}, {self.high}]"
            )

    @property
    def limit(self) -> list[float]:
        """[low, high] in `unit`."""
        return [self.low, self.high]

    def judge(self, estimate: Estimate, scale: str) -> Verdict | None:
        """Verdict of the measured number; None below paper scale."""
        return judge_bound(estimate, low=self.low, high=self.high) if scale == "paper" else None


Claim = Effect | Bound | Value


def claim_from(kind: str, fields: dict[str, object]) -> Claim:
    """The claim of class `kind` ("Effect", "Bound" or "Value") with these fields.

    Raises:
        ValueError: another class, an unknown or missing field, or a field the class refuses.
    """
    known: dict[str, type[Claim]] = {"Effect": Effect, "Bound": Bound, "Value": Value}
    if kind not in known:
        raise ValueError(f"a claim is one of {', '.join(known)}, got {kind}")
    try:
        return known[kind](**fields)  # pyright: ignore[reportArgumentType]
    except TypeError as error:
        raise ValueError(f"{kind}: {error}") from error


def claims_digest(claims: list[Claim]) -> str:
    """SHA-256 (hex) of what the claims say, whatever their formatting in the notebook."""
    text = repr([(claim.kind, sorted(asdict(claim).items())) for claim in claims])
    return hashlib.sha256(text.encode()).hexdigest()


def _check_texts(claim: object, *names: str) -> None:
    for name in names:
        value = getattr(claim, name)
        if not isinstance(value, str) or not value.strip():
            raise ValueError(f"{type(claim).__name__}: {name} must be a text that says something, got {value!r}")


def _check_limits(key: str, low: float | None, high: float | None) -> None:
    given = [x for x in (low, high) if x is not None]
    if not given:
        raise ValueError(f"claim {key}: a bound needs low, high or both")
    if not all(math.isfinite(x) for x in given) or (len(given) == 2 and given[0] > given[1]):
        raise ValueError(f"claim {key}: low and high must be finite and in order, got [{low}, {high}]")
