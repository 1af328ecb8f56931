"""Training of paragraph vectors: words drawn from each text, told apart from words drawn as noise."""

from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from workbench.losses.sampled import sampled_softmax
from workbench.models.paragraph_vectors import ParagraphVectors
from workbench.training.config import FitConfig, FitResult
from workbench.training.loop import fit

__all__ = ["fit_paragraphs", "held_out_paragraphs", "word_draws"]

FLATTER = 0.75  # power of the counts by which noise words are drawn, as in word2vec


def fit_paragraphs(
    model: ParagraphVectors,
    counts: Any,  # noqa: ANN401 - any sparse matrix
    *,
    config: FitConfig,
    size: int = 128,
    draws: int = 32,
    noise: int = 256,
    frequencies: np.ndarray | None = None,
) -> FitResult:
    """Trains what of `model` may train, on the bags of words `counts` (texts, words), by `sampled_softmax`.

    Each update takes `size` texts (all, where there are fewer; passes in a drawn order), `draws` words of each as often
    as it has them, and `noise` words that differ, drawn by the counts of all texts to the power 0.75. For a model of
    `for_texts` give the word counts that it was trained with as `frequencies`, so that new texts meet the same noise.
    What is drawn follows `config.seed`.

    Raises:
        TypeError: counts that are not sparse.
        ValueError: counts that are not those of the model's texts and words, not whole, negative, or of a text without
            words; `size` or `draws` below 1, or `noise` outside 1..words that occur.

    Reference: Le and Mikolov 2014 (PV-DBOW); Grzegorczyk and Kurdziel 2017.
    """
    shape = len(model.vectors), len(model.outputs)
    if not sparse.issparse(counts):
        raise TypeError(f"counts must be a sparse matrix, got {type(counts).__name__}")
    if counts.shape != shape:
        raise ValueError(f"counts must be {shape}, the model's texts and words, got {counts.shape}")
    totals = np.asarray(counts.sum(axis=0)).ravel() if frequencies is None else np.asarray(frequencies, np.float64)
    if totals.shape != shape[1:]:
        raise ValueError(f"frequencies must be one for each of {shape[1]} words, got shape {totals.shape}")
    share = totals**FLATTER / (totals**FLATTER).sum()
    occurring = int((share > 0).sum())
    if not 1 <= noise <= occurring:
        raise ValueError(f"noise must be 1 to the {occurring} words that occur, got {noise}")
    batches = word_draws(counts, steps=config.steps, size=size, draws=draws, seed=config.seed)
    rng = np.random.default_rng((config.seed, 1))
    for batch in batches:
        batch["noise"] = torch.from_numpy(rng.choice(len(share), size=noise, replace=False, p=share))
    # the chance of a word to be among so many, were they drawn with replacement; one that never occurs is no target
    rates = np.full(len(share), -np.inf)
    rates[share > 0] = np.log(-np.expm1(noise * np.log1p(-np.minimum(share[share > 0], 1 - 1e-9))))
    read = torch.from_numpy(rates).float().to(model.bias.device)

    def step(model: Any, batch: dict[str, Tensor], _state: dict[str, Any]) -> Tensor:  # noqa: ANN401 - as in `fit`
        rows, words, drawn = (batch[name].to(model.bias.device) for name in ("rows", "words", "noise"))
        return sampled_softmax(model(rows), model.outputs, words, drawn, bias=model.bias, log_rates=read)

    return fit(model, batches, step=step, config=config)


def held_out_paragraphs(
    train: Any,  # noqa: ANN401 - any sparse matrix
    test: Any,  # noqa: ANN401
    *,
    width: int,
    bits: int | None = None,
    config: FitConfig | None,
    infer: FitConfig,
    noise: int = 256,
) -> tuple[ParagraphVectors, ParagraphVectors, list[float]]:
    """Paragraph vectors of `train`, then of `test` with the words as `train` left them; and the losses of the first.

    `train` (n, words) and `test` (m, words) are counts of the same words. `config` trains texts and words (None: they
    stay as they were drawn, a control), `infer` the vectors of the other texts alone; its seed draws their first
    numbers, that of `config` those of the model (None: that of `infer`).

    Raises:
        TypeError, ValueError: as `fit_paragraphs`, or counts of different numbers of words.

    Reference: Le and Mikolov 2014, section 2.3 (the inference stage).
    """
    if train.shape[1] != test.shape[1]:
        raise ValueError(f"train and test must count the same words, got {train.shape[1]} and {test.shape[1]}")
    model = ParagraphVectors(*train.shape, width=width, bits=bits, seed=(config or infer).seed)
    losses = [] if config is None else fit_paragraphs(model, train, config=config, noise=noise).column("loss")
    held = model.for_texts(test.shape[0], seed=infer.seed)
    frequencies = np.asarray(train.sum(axis=0)).ravel()
    fit_paragraphs(held, test, config=infer, noise=noise, frequencies=frequencies)
    return model, held, losses


def word_draws(
    counts: Any,  # noqa: ANN401 - any sparse matrix
    *,
    steps: int,
    size: int,
    draws: int,
    seed: int,
) -> list[dict[str, Tensor]]:
    """`steps` batches: "rows" (min(size, n),), different texts, and "words" (rows, draws), words drawn from each.

    Texts come in passes of a drawn order, each as often as any other up to one; what fills no batch begins the next
    pass. A word is drawn as often as the text has it, with replacement.

    Raises:
        ValueError: a number below 1, counts that are not whole or negative, or a text without words (by its number).
    """
    bags = sparse.csr_matrix(counts)
    if min(steps, size, draws) < 1:
        raise ValueError(f"steps, size and draws must be 1 or more, got {steps}, {size} and {draws}")
    if (bags.data < 0).any() or (bags.data != np.round(bags.data)).any():
        raise ValueError("counts must be whole numbers of 0 or more")
    lengths = np.asarray(bags.sum(axis=1)).ravel().astype(np.int64)
    if len(empty := np.flatnonzero(lengths == 0)):
        raise ValueError(f"text {empty[0]} has no words")
    words = np.repeat(bags.indices, bags.data.astype(np.int64))
    starts = np.cumsum(lengths) - lengths
    rng, n = np.random.default_rng((seed, 0)), len(lengths)
    some = min(size, n)
    order, batches = np.empty(0, dtype=np.int64), []
    for _ in range(steps):
        if len(order) < some:
            rest = rng.permutation(np.setdiff1d(np.arange(n), order))
            order = np.concatenate([order, rest, rng.permutation(order)])
        rows, order = order[:some], order[some:]
        places = starts[rows, None] + (rng.random((some, draws)) * lengths[rows, None]).astype(np.int64)
        batches.append({"rows": torch.from_numpy(rows.copy()), "words": torch.from_numpy(words[places]).long()})
    return batches
