"""One training loop, the steps and batches it takes, exact large batches, mining of negatives, checkpoints."""

from workbench.training.config import CheckpointError, Diverged, FitConfig, FitResult, Monitor
from workbench.training.embedding import embed
from workbench.training.loop import fit
from workbench.training.processes import gathered
from workbench.training.steps import embed_step

__all__ = [
    "CheckpointError",
    "Diverged",
    "FitConfig",
    "FitResult",
    "Monitor",
    "embed",
    "embed_step",
    "fit",
    "gathered",
]
