"""One training loop, the steps and batches it takes, exact large batches, mining of negatives, checkpoints."""

from workbench.training.autoencoding import autoencode_step
from workbench.training.batches import Batches
from workbench.training.capacity import (
    FreeVectors,
    SizeSearch,
    all_pairs,
    free_vectors,
    moment_curve,
    separations,
    size_search,
)
from workbench.training.config import CheckpointError, Diverged, FitConfig, FitResult, Monitor
from workbench.training.continuing import continuation_step
from workbench.training.embedding import embed
from workbench.training.exits import exits_step
from workbench.training.interaction import late_step, listwise_step
from workbench.training.localities import local_order, negative_batches
from workbench.training.loop import fit
from workbench.training.masking import mask_tokens
from workbench.training.mining import mine_lexical, mine_negatives
from workbench.training.mixtures import Curriculum, Mixture
from workbench.training.negatives import Negatives, denoise
from workbench.training.pair_heads import pair_head
from workbench.training.paragraphs import fit_paragraphs, held_out_paragraphs, word_draws
from workbench.training.processes import gathered
from workbench.training.queues import VectorQueue, update_average
from workbench.training.steps import embed_step
from workbench.training.token_heads import fit_token_head, token_entropy, token_nats
from workbench.training.token_targets import inverse_frequencies, token_targets

__all__ = [
    "Batches",
    "CheckpointError",
    "Curriculum",
    "Diverged",
    "FitConfig",
    "FitResult",
    "FreeVectors",
    "Mixture",
    "Monitor",
    "Negatives",
    "SizeSearch",
    "VectorQueue",
    "autoencode_step",
    "all_pairs",
    "continuation_step",
    "denoise",
    "embed",
    "embed_step",
    "exits_step",
    "fit",
    "fit_paragraphs",
    "fit_token_head",
    "free_vectors",
    "gathered",
    "held_out_paragraphs",
    "inverse_frequencies",
    "late_step",
    "listwise_step",
    "local_order",
    "mask_tokens",
    "mine_lexical",
    "mine_negatives",
    "moment_curve",
    "pair_head",
    "negative_batches",
    "separations",
    "size_search",
    "token_entropy",
    "token_nats",
    "token_targets",
    "update_average",
    "word_draws",
]
