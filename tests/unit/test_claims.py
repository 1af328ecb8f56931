"""Claims: what they refuse, and how each kind is judged at each scale."""

import math

import pytest

from workbench.experiments.claims import Bound, Effect, Value, claim_from, claims_digest
from workbench.intervals import Estimate

EFFECT = {
    "key": "C1",
    "says": "it rises",
    "unit": "cosine",
    "baseline": "none",
    "at_least": 0.1,
    "on": "x",
    "where": "Fig. 1",
}
BOUND = {"key": "C2", "says": "it stays", "unit": "share", "on": "x", "where": "Fig. 2", "low": 0.5}
VALUE = {
    "key": "C3",
    "says": "it is 3",
    "unit": "points",
    "paper": 3.0,
    "low": 2.0,
    "high": 4.0,
    "on": "x",
    "where": "T. 1",
}


def estimate(low, high):
    return Estimate((low + high) / 2, low, high, 10, "item", "by hand", "a number")


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.2, 0.4, "reproduced"),
        (0.01, 0.05, "weaker"),
        (-0.3, -0.1, "contradicted"),
        (-0.05, 0.05, "absent"),
        (-0.1, 0.3, "inconclusive"),
    ],
)
def test_an_effect_is_judged_by_its_interval(low, high, verdict):
    assert Effect(**EFFECT).judge(estimate(low, high), "small") == verdict
    assert Effect(**EFFECT).judge(estimate(low, high), "smoke") is None


@pytest.mark.parametrize(
    ("low", "high", "verdict"), [(0.5, 0.9, "reproduced"), (0.1, 0.4, "contradicted"), (0.4, 0.6, "inconclusive")]
)
def test_a_bound_is_judged_by_where_the_interval_lies(low, high, verdict):
    assert Bound(**BOUND).judge(estimate(low, high), "small") == verdict
    assert Bound(**BOUND).judge(estimate(low, high), "smoke") is None


def test_a_papers_value_is_judged_at_paper_scale_only():
    assert Value(**VALUE).judge(estimate(2.5, 3.5), "paper") == "reproduced"
    assert Value(**VALUE).judge(estimate(5, 6), "paper") == "contradicted"
    assert Value(**VALUE).judge(estimate(2.5, 3.5), "small") is None


@pytest.mark.parametrize("at_least", [0, -0.1, math.nan, math.inf])
def test_an_effects_limit_must_be_above_zero(at_least):
    with pytest.raises(ValueError, match="above 0"):
        Effect(**EFFECT | {"at_least": at_least})


@pytest.mark.parametrize("limits", [{"low": None, "high": None}, {"low": 2.0, "high": 1.0}, {"low": math.nan}])
def test_a_bound_needs_limits_in_order(limits):
    with pytest.raises(ValueError, match="C2"):
        Bound(**BOUND | limits)


def test_a_papers_value_lies_inside_its_band():
    with pytest.raises(ValueError, match="outside its band"):
        Value(**VALUE | {"paper": 9.0})


@pytest.mark.parametrize("field", ["key", "says", "unit", "baseline", "on", "where"])
def test_a_claim_says_something_in_every_text(field):
    with pytest.raises(ValueError, match=field):
        Effect(**EFFECT | {field: " "})


def test_a_claim_is_read_by_class_and_fields():
    assert claim_from("Effect", EFFECT) == Effect(**EFFECT)
    with pytest.raises(ValueError, match="Efect"):
        claim_from("Efect", EFFECT)
    with pytest.raises(ValueError, match="atleast"):
        claim_from("Effect", EFFECT | {"atleast": 1})


def test_the_digest_changes_with_a_claims_content_and_not_with_its_order_of_fields():
    claims = [Effect(**EFFECT), Bound(**BOUND)]
    again = [Effect(**dict(reversed(EFFECT.items()))), Bound(**BOUND)]
    assert claims_digest(claims) == claims_digest(again)
    assert claims_digest(claims) != claims_digest([Effect(**EFFECT | {"at_least": 0.2}), Bound(**BOUND)])
    assert claims_digest(claims) != claims_digest([Bound(**BOUND | {"high": 1.0}), Effect(**EFFECT)])
