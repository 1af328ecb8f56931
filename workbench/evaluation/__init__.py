"""Predictions and gold in, per-item arrays and estimates out."""

from workbench.evaluation.classification import probe
from workbench.evaluation.sts import Evaluation, Sentences, evaluate_sts

__all__ = ["Evaluation", "Sentences", "evaluate_sts", "probe"]
