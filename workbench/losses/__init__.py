"""Tensors in, scalar out: each function says its candidate set, its range and what a collapsed encoder scores."""

from workbench.losses.contrastive import info_nce, soft_info_nce, supervised_contrastive
from workbench.losses.distillation import distil_scores, embedding_cosine, embedding_mse
from workbench.losses.guided import gist, guided_mask
from workbench.losses.language import bag_of_words, causal_lm, class_matrix, masked_lm, replaced_token
from workbench.losses.margins import alignment_uniformity, cosent, margin_mse, triplet
from workbench.losses.ranking import list_net, rank_net
from workbench.losses.sampled import sampled_softmax
from workbench.losses.wrappers import layers_and_dimensions, matryoshka, over_layers

__all__ = [
    "alignment_uniformity",
    "bag_of_words",
    "causal_lm",
    "class_matrix",
    "cosent",
    "distil_scores",
    "embedding_cosine",
    "embedding_mse",
    "gist",
    "guided_mask",
    "info_nce",
    "layers_and_dimensions",
    "list_net",
    "margin_mse",
    "masked_lm",
    "matryoshka",
    "over_layers",
    "rank_net",
    "replaced_token",
    "sampled_softmax",
    "soft_info_nce",
    "supervised_contrastive",
    "triplet",
]
