"""Predictions and gold in, per-item arrays and estimates out."""

from workbench.evaluation.base import Evaluation, Sentences
from workbench.evaluation.classification import probe
from workbench.evaluation.demonstrations import Pools, draw_pools, nearest_example
from workbench.evaluation.sts import evaluate_sts

__all__ = ["Evaluation", "Pools", "Sentences", "draw_pools", "evaluate_sts", "nearest_example", "probe"]
