"""A small language model from nothing: a BERT that has learnt to guess masked tokens of given texts."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from workbench.models.autoencoder import ExitAutoencoder
from workbench.models.passes import evaluating
from workbench.models.small import small_bert
from workbench.models.tokenizers import train_wordpiece
from workbench.training.autoencoding import autoencode_step
from workbench.training.batches import Batches
from workbench.training.config import FitConfig
from workbench.training.loop import fit

__all__ = ["masked_nats", "pretrain_bert", "token_entropy"]

BATCH, RATE, MASKED = 64, 1e-3, 0.15  # texts, highest learning rate, share of the tokens that are guessed


def pretrain_bert(
    texts: Sequence[str], *, vocabulary: int, layers: int, width: int, max_length: int, steps: int, seed: int
) -> tuple[Any, Any]:
    """A BertForMaskedLM trained on `texts` for `steps` batches of 64, and a WordPiece tokenizer trained on them.

    15 % of the tokens are masked and guessed; AdamW at 1e-3, falling linearly. The head is tied to the word embeddings.
    The seed draws first weights, batches, masks and dropout; the tokenizer depends on the texts alone.

    Args:
        texts: 64 or more.
        vocabulary: most tokens.
        layers: transformer layers.
        width: dimensions of a state, divisible by 4 heads.
        max_length: tokens read of a text, and positions of the model.
        steps: updates.
        seed: of all that is drawn.

    Raises:
        TypeError: a text that is not a str.
        ValueError: fewer than 64 texts, or as `FitConfig`, `train_wordpiece` and `small_bert`.

    Reference: Devlin et al. 2019, section 3.1, without its second task.
    """
    if len(texts) < BATCH:
        raise ValueError(f"a language model is trained on {BATCH} texts or more, got {len(texts)}")
    tokenizer = train_wordpiece(texts, vocabulary=vocabulary, max_length=max_length)
    model = small_bert(len(tokenizer), layers=layers, width=width, positions=max_length, head="masked_lm", seed=seed)
    step = autoencode_step(tokenizer, [(layers, width)], max_length=max_length, rate=MASKED, decoder_rate=None)
    batches, state = Batches({"text": list(texts)}, size=BATCH, seed=seed), {"rng": torch.Generator().manual_seed(seed)}
    fit(ExitAutoencoder(model, seed=seed), batches, step=step, config=FitConfig(steps, RATE, seed=seed), state=state)
    return model, tokenizer


def masked_nats(
    model: Any,  # noqa: ANN401 - a BertForMaskedLM
    tokenizer: Any,  # noqa: ANN401 - transformers has no common type for its tokenizers
    texts: Sequence[str],
    *,
    max_length: int,
    seed: int = 0,
) -> float:
    """Mean cross-entropy, in nats, of the masked tokens of `texts`: 15 % of each text, drawn by `seed`.

    In [0, inf), lower is better; ln v for a model that knows nothing of v tokens. Beside the entropy of single tokens
    it says whether the model uses any context. All texts in one batch, without dropout and without gradients.

    Raises:
        TypeError: a model other than BertForMaskedLM.
        ValueError: no texts, or none with a token to mask.
    """
    if len(texts) == 0:
        raise ValueError("a loss is taken over one text or more, got none")
    auto = ExitAutoencoder(model, seed=0)
    full = [(int(model.config.num_hidden_layers), auto.width)]
    step = autoencode_step(tokenizer, full, max_length=max_length, rate=MASKED, decoder_rate=None)
    with torch.no_grad(), evaluating(auto):
        return float(step(auto, {"text": list(texts)}, {"rng": torch.Generator().manual_seed(seed)}))


def token_entropy(tokenizer: Any, texts: Sequence[str]) -> float:  # noqa: ANN401 - as above
    """Entropy, in nats, of the frequencies of the tokens of `texts`, special ones left out.

    In [0, ln v]. What a token costs on average where nothing but these frequencies is known: a language model that uses
    no context has no less.

    Raises:
        ValueError: texts without a token.
    """
    # not verbose: nothing is run through a model, so no text is too long
    read = tokenizer(list(texts), add_special_tokens=False, verbose=False)["input_ids"] if len(texts) else []
    ids = [token for row in read for token in row]
    if not ids:
        raise ValueError(f"an entropy is taken over one token or more, {len(texts)} texts have none")
    shares = np.unique(ids, return_counts=True)[1] / len(ids)
    return float(-shares @ np.log(shares))
