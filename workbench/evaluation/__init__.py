"""Predictions and gold in, per-item arrays and estimates out."""

from workbench.evaluation.answers import answer_ranks
from workbench.evaluation.base import Evaluation, Sentences
from workbench.evaluation.bitext import evaluate_bitext
from workbench.evaluation.candidates import with_candidates
from workbench.evaluation.classification import (
    evaluate_class_texts,
    evaluate_knn,
    evaluate_nearest_mean,
    evaluate_probe,
    probe,
)
from workbench.evaluation.clustering import evaluate_clustering
from workbench.evaluation.comparison import Compared, Comparison, compare
from workbench.evaluation.demonstrations import Pools, draw_pools, nearest_example
from workbench.evaluation.exits import Layered, exit_scores, parts_interval
from workbench.evaluation.few_shot import evaluate_classification
from workbench.evaluation.left_out import without_blocks
from workbench.evaluation.likelihood import bits_per_byte, bits_per_character, perplexity
from workbench.evaluation.matching import evaluate_matching
from workbench.evaluation.multilabel import evaluate_multilabel
from workbench.evaluation.pairs import auc, evaluate_pairs
from workbench.evaluation.pooling import order_agreement, pooled_corpus, runs_of
from workbench.evaluation.ranking_systems import Placed, Ranking, borda_points, rank_intervals, rank_systems
from workbench.evaluation.rankings import rank_metrics
from workbench.evaluation.ratios import mean_ratio
from workbench.evaluation.reranking import PairScores, evaluate_reranking
from workbench.evaluation.retrieval import evaluate_retrieval, evaluate_run
from workbench.evaluation.saving import is_evaluation, load_evaluation, save_evaluation
from workbench.evaluation.score_matrices import expected_ndcg, expected_precision, likeness
from workbench.evaluation.spans import span_f1, spans_of
from workbench.evaluation.sts import evaluate_sts
from workbench.evaluation.suites import ScoreTable, common_scores, left_out_scores, score_table, texts_of
from workbench.evaluation.summaries import pk, rouge, window_diff
from workbench.evaluation.task_orders import task_orders
from workbench.evaluation.task_selection import (
    Selection,
    Trial,
    order_kept,
    predictability,
    select_tasks,
    selection_trial,
)
from workbench.evaluation.vector_recall import vector_recall
from workbench.evaluation.words import evaluate_analogies, evaluate_word_similarity

__all__ = [
    "with_candidates",
    "without_blocks",
    "Layered",
    "exit_scores",
    "expected_ndcg",
    "expected_precision",
    "parts_interval",
    "Compared",
    "Comparison",
    "Evaluation",
    "PairScores",
    "Placed",
    "Pools",
    "Ranking",
    "ScoreTable",
    "Selection",
    "Sentences",
    "Trial",
    "answer_ranks",
    "auc",
    "bits_per_byte",
    "bits_per_character",
    "borda_points",
    "common_scores",
    "compare",
    "draw_pools",
    "evaluate_analogies",
    "evaluate_bitext",
    "evaluate_class_texts",
    "evaluate_classification",
    "evaluate_clustering",
    "evaluate_knn",
    "evaluate_matching",
    "evaluate_multilabel",
    "evaluate_nearest_mean",
    "evaluate_pairs",
    "evaluate_probe",
    "evaluate_reranking",
    "evaluate_retrieval",
    "evaluate_run",
    "evaluate_sts",
    "evaluate_word_similarity",
    "is_evaluation",
    "left_out_scores",
    "likeness",
    "load_evaluation",
    "mean_ratio",
    "nearest_example",
    "order_agreement",
    "order_kept",
    "perplexity",
    "pk",
    "pooled_corpus",
    "predictability",
    "probe",
    "rank_intervals",
    "rank_metrics",
    "rank_systems",
    "rouge",
    "runs_of",
    "save_evaluation",
    "score_table",
    "select_tasks",
    "selection_trial",
    "span_f1",
    "spans_of",
    "task_orders",
    "texts_of",
    "vector_recall",
    "window_diff",
]
