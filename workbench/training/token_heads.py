"""A head over the vocabulary for an encoder that has none: it names the token at whose place a state stands."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from workbench.encoders.encoder import Encoder
from workbench.losses import masked_lm
from workbench.models.passes import evaluating
from workbench.models.seeding import seeded
from workbench.models.texts import check_texts
from workbench.tensors import row_blocks
from workbench.training.batches import Batches
from workbench.training.config import FitConfig
from workbench.training.loop import fit

__all__ = ["fit_token_head", "token_entropy", "token_nats"]

BATCH, RATE = 64, 2e-3  # places, highest learning rate
ROWS_AT_ONCE = 512  # whose logits are held: 62 MB over 30,522 tokens


def fit_token_head(encoder: Encoder, texts: Sequence[str], *, steps: int, seed: int) -> nn.Module:
    """BERT's masked-LM head on `encoder`, fitted in `steps` batches of 64 tokens to name each at its place; frozen.

    A dense layer, GELU and a layer norm, then the encoder's own word embeddings, which are not trained and whose memory
    is shared, and a bias of each token. It maps states (..., d) to logits (..., v), has `transform` and `decoder` as in
    transformers' BertForMaskedLM, and lies where the encoder does. The encoder stays as it is: its last states of
    `texts` are computed once, without dropout. No token is masked: where the last layers know nothing of a text yet, a
    masked place would teach the frequencies of tokens alone. Special tokens are left out. AdamW at 2e-3, falling
    linearly.

    Args:
        encoder: of a BERT model, without a head.
        texts: with 64 tokens or more in all.
        steps: updates.
        seed: draws the first weights and the batches.

    Raises:
        TypeError: a model of another kind than BERT, or a text that is not a str.
        ValueError: an encoder with a head, fewer than 64 tokens, or as `FitConfig`.

    Reference: Devlin et al. 2019, section 3.1, of which only the case of a token left as it is.
    """
    states, tokens = _places(encoder, texts, least=BATCH)
    head = _fresh(encoder.model, seed)
    config = FitConfig(steps, RATE, seed=seed)
    fit(head, Batches({"state": states, "token": tokens}, size=BATCH, seed=seed), step=_step, config=config)
    for parameter in head.parameters():
        parameter.requires_grad_(False)
    return head.to(encoder.device).eval()


def token_nats(encoder: Encoder, head: nn.Module, texts: Sequence[str]) -> float:
    """Mean cross-entropy, in nats, of the token at each place of `texts`, read by `head` from the last state there.

    In [0, inf), lower is better; ln v for a head that tells nothing of v tokens, and beside `token_entropy` of the
    texts it says whether the head reads more than frequencies. Special tokens are left out. No token is masked, so this
    is no language model's loss: the token's own word embedding has gone into the state.

    Args:
        encoder: of a BERT model, without a head.
        head: states (n, d) to logits (n, v).
        texts: with one token or more.

    Raises:
        TypeError: a model of another kind than BERT, or a text that is not a str.
        ValueError: an encoder with a head, or texts without a token.
    """
    states, tokens = _places(encoder, texts, least=1)
    place = next(head.parameters()).device
    total = 0.0
    with torch.no_grad(), evaluating(head):
        for rows in row_blocks(len(tokens), ROWS_AT_ONCE):
            wanted = tokens[rows].to(place)
            total += float(masked_lm(head(states[rows].to(place)), wanted)) * len(wanted)
    return total / len(tokens)


def token_entropy(tokenizer: Any, texts: Sequence[str]) -> float:  # noqa: ANN401 - transformers has no common type
    """Entropy, in nats, of the frequencies of the tokens of `texts`, special ones left out.

    In [0, ln v]. What a token costs on average where nothing but these frequencies is known.

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


def _step(head: Any, batch: Mapping[str, Tensor], _state: dict[str, Any]) -> Tensor:  # noqa: ANN401 - of transformers
    words = head.decoder.weight
    return masked_lm(head(batch["state"].to(words)), batch["token"].to(words.device))


def _places(encoder: Encoder, texts: Sequence[str], *, least: int) -> tuple[Tensor, Tensor]:
    """Last states (n, d) and tokens (n,) of all places of `texts` that hold no special token."""
    from transformers import BertPreTrainedModel

    if not isinstance(encoder.model, BertPreTrainedModel):
        raise TypeError(f"a head over the vocabulary needs a BERT model, got {type(encoder.model).__name__}")
    if encoder.head is not None:
        raise ValueError(f"a head over the vocabulary needs an encoder without another head, got {encoder!r}")
    read = encoder.token_states(check_texts(texts), layers=[encoder.n_layers])
    kept = [words >= 0 for words in read.words]
    count = sum(int(inside.sum()) for inside in kept)
    if count < least:
        raise ValueError(f"texts must hold {least} tokens or more that are not special, got {count}")
    states = np.concatenate([one[0][inside] for one, inside in zip(read.values, kept, strict=True)])
    pieces = [piece for row, inside in zip(read.pieces, kept, strict=True) for piece in np.array(row)[inside].tolist()]
    return torch.from_numpy(states), torch.tensor(encoder.tokenizer.convert_tokens_to_ids(pieces))


def _fresh(model: Any, seed: int) -> Any:  # noqa: ANN401 - of transformers
    from transformers.models.bert.modeling_bert import BertLMPredictionHead

    with seeded(seed):
        head: Any = BertLMPredictionHead(model.config)
        head.transform.apply(model._init_weights)
    words = model.get_input_embeddings().weight.detach().float()
    head.decoder.weight = nn.Parameter(words, requires_grad=False)
    head.decoder.bias = head.bias  # one bias, as transformers ties them
    return head
