"""Claims written down before a run, the run itself, its record and its report; checks of exercises."""

from workbench.experiments.checks import expect, expect_close
from workbench.experiments.claims import Bound, Effect, Value
from workbench.experiments.run import Run, start

__all__ = ["Bound", "Effect", "Run", "Value", "expect", "expect_close", "start"]
