"""How sure a number is: estimates with 95 % intervals, and the one rule that turns an interval into a verdict.

Every interval here is two-sided at 95 % and rests on Student's t or on resampling of whole units. Below 30 units no
normal quantile and no bootstrap is used: with three trained models those cover the truth in about four cases of five.
"""

from workbench.intervals.blocks import blocks_of, jackknife, jackknife_replicates
from workbench.intervals.estimate import Estimate, Unit
from workbench.intervals.means import mean_interval
from workbench.intervals.resampling import bootstrap, holm, permutation_test, permutation_tests
from workbench.intervals.seeds import seed_block_interval, seed_item_interval
from workbench.intervals.verdicts import Verdict, detectable_effect, judge_bound, judge_effect, seeds_needed

__all__ = [
    "Estimate",
    "Unit",
    "Verdict",
    "mean_interval",
    "seed_item_interval",
    "jackknife",
    "jackknife_replicates",
    "seed_block_interval",
    "blocks_of",
    "bootstrap",
    "permutation_test",
    "permutation_tests",
    "holm",
    "judge_effect",
    "judge_bound",
    "detectable_effect",
    "seeds_needed",
]
