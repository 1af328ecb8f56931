"""From what a notebook measured to rows of a record."""

import math
import sys
from collections.abc import Sequence

import numpy as np

from workbench.experiments.claims import Bound, Claim, Effect
from workbench.experiments.records import ClaimRow
from workbench.intervals import (
    Estimate,
    Verdict,
    detectable_effect,
    mean_interval,
    seed_item_interval,
    seeds_needed,
)

__all__ = ["claim_row", "estimate_of", "missing_row", "peak_memory"]


def estimate_of(claim: Claim, measured: Estimate | np.ndarray | Sequence) -> Estimate:
    """The claim's measurement with its interval; arrays are (items,) or (seeds, items).

    Of one or two seeds the interval holds the variance between items alone, and says so.

    Raises:
        ValueError: a bare number, or an array of another shape.
    """
    if isinstance(measured, Estimate):
        return measured
    values = np.asarray(measured, dtype=np.float64)
    if values.ndim == 1:
        return mean_interval(values, definition=f"{claim.says}, {claim.unit}")
    if values.ndim == 2 and 1 <= len(values) < 3:  # smoke scale: an interval between seeds needs three of them
        return mean_interval(values.mean(axis=0), definition=f"{claim.says}, {claim.unit}; between items alone")
    if values.ndim == 2:
        return seed_item_interval(values, definition=f"{claim.says}, {claim.unit}")
    raise ValueError(
        f"claim {claim.key} needs an interval: give an Estimate, (items,) or (seeds, items) numbers, got {measured!r}"
    )


def claim_row(claim: Claim, estimate: Estimate, on: str, verdict: Verdict | None, why: str) -> ClaimRow:
    """A measured claim's row; `why` says why it is not judged, where it is not."""
    note = _power(claim, estimate) if verdict == "inconclusive" else (why or _not_judged(verdict))
    return _row(claim, on) | {
        "n": estimate.n,
        "n_unit": estimate.unit,
        "value": estimate.value,
        "low": estimate.low,
        "high": estimate.high,
        "verdict": verdict,
        "note": note,
    }  # pyright: ignore[reportReturnType]


def missing_row(claim: Claim, reason: str) -> ClaimRow:
    """The row of a claim that this run did not measure."""
    return _row(claim, claim.on) | {"note": f"not measured: {reason}"}  # pyright: ignore[reportReturnType]


def peak_memory() -> int:
    """Largest resident memory of this process so far, in bytes."""
    if sys.platform == "win32":
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _row(claim: Claim, on: str) -> ClaimRow:
    return {
        "key": claim.key,
        "kind": claim.kind,
        "says": claim.says,
        "unit": claim.unit,
        "on": on,
        "where": claim.where,
        "expect": claim.expect,
        "n": None,
        "n_unit": None,
        "value": None,
        "low": None,
        "high": None,
        "limit": claim.limit,  # pyright: ignore[reportReturnType]
        "verdict": None,
        "note": "",
        "decides": claim.decides,
    }


def _not_judged(verdict: Verdict | None) -> str:
    return "not judged (a paper's value is judged at paper scale only)" if verdict is None else ""


def _power(claim: Claim, estimate: Estimate) -> str:
    """What an inconclusive run could have shown, and the seeds that the claim's limit would need."""
    if not isinstance(claim, Effect | Bound) or math.isnan(estimate.standard_error):
        return ""
    note = f"smallest effect this run could have shown (80 % power): {detectable_effect(estimate):.3g} {claim.unit}"
    if isinstance(claim, Effect) and estimate.n_seeds:
        seeds = seeds_needed(estimate, at_least=claim.at_least)
        note += f"; seeds that {claim.at_least:g} needs: {seeds or 'no number, the texts are too few'}"
    return note
