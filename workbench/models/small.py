"""Small models of texts with seeded random weights, built from transformers' configurations."""

from typing import TYPE_CHECKING, Any

import torch

from workbench.models.seeding import checked_count, seeded

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["build", "checked_heads", "checked_sizes", "small_bert", "small_decoder", "small_t5"]

BERT_HEADS = ("masked_lm", "tokens", "classes")
DECODER_HEADS = ("causal_lm", "classes")
LEAST_VOCABULARY = 5  # the special tokens of `train_wordpiece`


def small_bert(
    vocabulary: int,
    *,
    layers: int = 4,
    width: int = 256,
    heads: int = 4,
    positions: int = 256,
    dropout: float = 0.1,
    head: str | None = None,
    classes: int | None = None,
    seed: int,
) -> "PreTrainedModel":
    """A BERT with random weights: transformers' BertModel, or the class that carries the asked head.

    Equal arguments give equal weights, whatever was drawn before. Token 0 is the padding, as in the tokenizers of
    `train_wordpiece`. Where there is a head, `model.base_model` is the bare BERT below it, sharing its weights: train
    the whole, encode with `Encoder(model.base_model, tokenizer)`.

    Args:
        vocabulary: number of tokens, `len(tokenizer)`.
        layers: transformer layers.
        width: dimensions of a state; the inner layer of the feed-forward block has 4 times as many.
        heads: attention heads, `width` / `heads` dimensions each.
        positions: longest input in tokens.
        dropout: share dropped of states and attention weights in train mode, in [0, 1).
        head: None (no head and no pooler: every weight takes part in a mean of the last states), "pooler" (BERT's own
            pooled first token, which `dual_encoder` needs), "masked_lm" (logits over the vocabulary, its matrix tied
            to the embeddings), "tokens" (`classes` logits for each token), "classes" (`classes` logits for each text).
        classes: number of logits of the last two.
        seed: of the weights.

    Raises:
        ValueError: a size below 1, `width` not divisible by `heads`, fewer than 5 tokens, `dropout` outside [0, 1), a
            head that does not exist, `classes` without such a head or missing with one, a seed that is none.

    Reference: Devlin et al. 2019.
    """
    import transformers

    checked_sizes(vocabulary=vocabulary, layers=layers, width=width, heads=heads, positions=positions, dropout=dropout)
    config = transformers.BertConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=4 * width,
        max_position_embeddings=positions,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
        **checked_heads(head, classes, (*BERT_HEADS, "pooler")),
    )
    kinds = {
        "masked_lm": transformers.BertForMaskedLM,
        "tokens": transformers.BertForTokenClassification,
        "classes": transformers.BertForSequenceClassification,
    }
    if head in kinds:
        return build(kinds[head], config, seed=seed)
    return build(transformers.BertModel, config, seed=seed, add_pooling_layer=head == "pooler")


def small_decoder(
    vocabulary: int,
    *,
    layers: int = 4,
    width: int = 256,
    heads: int = 4,
    positions: int = 256,
    dropout: float = 0.0,
    head: str | None = "causal_lm",
    classes: int | None = None,
    seed: int,
) -> "PreTrainedModel":
    """A decoder of Llama's kind with random weights: LlamaForCausalLM, or LlamaModel without the language head.

    Rotary positions, RMS norms, gated feed-forward blocks, the head's matrix tied to the embeddings. Equal arguments
    give equal weights, whatever was drawn before. Tokens 0, 1 and 2 are padding, start and end, as in the tokenizers
    of `train_bpe`; of another tokenizer, set `model.config` and `model.generation_config` accordingly.

    Args:
        vocabulary: number of tokens, `len(tokenizer)`.
        layers: transformer layers.
        width: dimensions of a state; the inner layer of the feed-forward block has 8 / 3 times as many.
        heads: attention heads, an even number of `width` / `heads` dimensions each.
        positions: longest input in tokens.
        dropout: share dropped of attention weights in train mode, in [0, 1); decoders of this kind drop nothing else.
        head: "causal_lm", None (the states alone) or "classes" (`classes` logits for each text, at its last token).
        classes: number of logits of the latter.
        seed: of the weights.

    Raises:
        ValueError: as `small_bert`, and an odd number of dimensions in a head, which rotary positions cannot turn.

    Reference: Touvron et al. 2023 (LLaMA), section 2.2.
    """
    import transformers

    checked_sizes(vocabulary=vocabulary, layers=layers, width=width, heads=heads, positions=positions, dropout=dropout)
    if width // heads % 2:
        raise ValueError(f"width / heads must be even for rotary positions, got {width} / {heads}")
    config = transformers.LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=8 * width // 3,
        max_position_embeddings=positions,
        attention_dropout=dropout,
        tie_word_embeddings=True,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        **checked_heads(head, classes, DECODER_HEADS),
    )
    kinds = {"causal_lm": transformers.LlamaForCausalLM, "classes": transformers.LlamaForSequenceClassification}
    return build(kinds.get(head or "", transformers.LlamaModel), config, seed=seed)


def small_t5(
    vocabulary: int,
    *,
    layers: int = 4,
    width: int = 256,
    heads: int = 4,
    dropout: float = 0.1,
    decoder: bool = True,
    seed: int,
) -> "PreTrainedModel":
    """A T5 with random weights: T5ForConditionalGeneration, or T5EncoderModel, which an `Encoder` takes.

    As many layers in the encoder as in the decoder; relative positions, so no longest input; the head's matrix tied
    to the embeddings. Equal arguments give equal weights, whatever was drawn before. Token 0 is padding and starts
    every output, token 2 ends it, as in the tokenizers of `train_bpe`. `model.get_encoder()` is the encoder alone.

    Args:
        vocabulary: number of tokens, `len(tokenizer)`.
        layers: transformer layers of each side.
        width: dimensions of a state; the inner layer of the feed-forward block has 4 times as many.
        heads: attention heads, `width` / `heads` dimensions each.
        dropout: share dropped of states and attention weights in train mode, in [0, 1).
        decoder: with the decoder and its language head, or the encoder alone.
        seed: of the weights.

    Raises:
        ValueError: as `small_bert`.

    Reference: Raffel et al. 2020, section 2.1.
    """
    import transformers

    checked_sizes(vocabulary=vocabulary, layers=layers, width=width, heads=heads, dropout=dropout)
    start: dict[str, Any] = {"decoder_start_token_id": 0}  # which transformers takes for every model and types for none
    config = transformers.T5Config(
        vocab_size=vocabulary,
        d_model=width,
        d_kv=width // heads,
        d_ff=4 * width,
        num_layers=layers,
        num_heads=heads,
        dropout_rate=dropout,
        pad_token_id=0,
        eos_token_id=2,
        **start,
    )
    return build(transformers.T5ForConditionalGeneration if decoder else transformers.T5EncoderModel, config, seed=seed)


def build(kind: Any, *parts: Any, seed: int, **options: Any) -> "PreTrainedModel":  # noqa: ANN401 - any class of transformers
    """`kind(*parts, **options)` on the CPU in float32, in eval mode, its weights drawn by `seed` alone.

    Raises:
        ValueError: a seed that is none.
    """
    before = torch.get_default_dtype()
    with seeded(seed), torch.device("cpu"):
        torch.set_default_dtype(torch.float32)
        try:
            return kind(*parts, **options).eval()
        finally:
            torch.set_default_dtype(before)


def checked_sizes(*, width: int, heads: int, dropout: float, vocabulary: int = LEAST_VOCABULARY, **sizes: int) -> None:
    """Refuse sizes of which no network can be built.

    Raises:
        ValueError: names the size, its value and the rule.
    """
    checked_count("vocabulary", vocabulary, least=LEAST_VOCABULARY)
    for name, value in {"width": width, "heads": heads, **sizes}.items():
        checked_count(name, value)
    if width % heads:
        raise ValueError(f"width must be divisible by heads, got width={width}, heads={heads}")
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout must be in [0, 1), got {dropout}")


def checked_heads(head: str | None, classes: int | None, there: tuple[str, ...]) -> dict[str, Any]:
    """What a configuration must know of the head: its number of logits, where it has classes.

    Raises:
        ValueError: a head that is not `there`, or `classes` that do not go with it.
    """
    if head is not None and head not in there:
        raise ValueError(f"head must be None or one of {there}, got {head!r}")
    if head not in ("tokens", "classes"):
        if classes is not None:
            raise ValueError(f"classes={classes} is no option of head={head!r}")
        return {}
    if classes is None:
        raise ValueError(f"head={head!r} needs classes, the number of logits")
    return {"num_labels": checked_count("classes", classes)}
