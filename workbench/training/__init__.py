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
from workbench.training.embedding import embed
from workbench.training.exits import exits_step
from workbench.training.interaction import late_step, listwise_step
from workbench.training.loop import fit
from workbench.training.masking import mask_tokens
from workbench.training.mining import mine_lexical, mine_negatives
from workbench.training.mixtures import Curriculum, Mixture
from workbench.training.negatives import Negatives, denoise
from workbench.training.processes import gathered
from workbench.training.queues import VectorQueue, update_average
from workbench.training.steps import embed_step

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
    "denoise",
    "embed",
    "embed_step",
    "exits_step",
    "fit",
    "free_vectors",
    "gathered",
    "late_step",
    "listwise_step",
    "mask_tokens",
    "mine_lexical",
    "mine_negatives",
    "moment_curve",
    "separations",
    "size_search",
    "update_average",
]
