"""Predictions and gold in, per-item arrays and estimates out."""

from workbench.evaluation.base import Evaluation, Sentences
from workbench.evaluation.classification import probe
from workbench.evaluation.sts import evaluate_sts

__all__ = ["Evaluation", "Sentences", "evaluate_sts", "probe"]
