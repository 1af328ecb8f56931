"""Claims written down before a run, the run itself, its record and its report."""

from workbench.experiments.claims import Bound, Effect, Value
from workbench.experiments.run import Run, start

__all__ = ["Bound", "Effect", "Run", "Value", "start"]
