"""Predictions and gold in, per-item arrays and estimates out."""

from workbench.evaluation.base import Evaluation, Sentences
from workbench.evaluation.classification import probe
from workbench.evaluation.demonstrations import Pools, draw_pools, nearest_example
from workbench.evaluation.matching import evaluate_matching
from workbench.evaluation.rankings import rank_metrics
from workbench.evaluation.reranking import PairScores, evaluate_reranking
from workbench.evaluation.retrieval import evaluate_retrieval, evaluate_run
from workbench.evaluation.sts import evaluate_sts

__all__ = [
    "Evaluation",
    "PairScores",
    "Pools",
    "Sentences",
    "draw_pools",
    "evaluate_matching",
    "evaluate_reranking",
    "evaluate_retrieval",
    "evaluate_run",
    "evaluate_sts",
    "nearest_example",
    "probe",
    "rank_metrics",
]
