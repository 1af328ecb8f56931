"""Tokenizers trained on given texts: WordPiece for BERT's kind, byte-level BPE for decoders; no number by chance."""

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from workbench.models.seeding import checked_count
from workbench.models.texts import check_texts

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

__all__ = ["train_bpe", "train_wordpiece"]

WORDPIECE_SPECIAL = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
BPE_SPECIAL = {"pad": "<pad>", "bos": "<s>", "eos": "</s>"}
CHARACTERS = 1000  # as in BERT: rarer characters are unknown


def train_wordpiece(
    texts: Iterable[object], *, vocabulary: int, lower: bool = True, max_length: int = 256
) -> "PreTrainedTokenizerFast":
    """A WordPiece tokenizer as BERT's, trained on `texts`: PreTrainedTokenizerFast.

    [PAD], [UNK], [CLS], [SEP] and [MASK] are tokens 0 to 4; a text is read as "[CLS] text [SEP]", a pair as
    "[CLS] first [SEP] second [SEP]" with token types 0 and 1. Equal texts give the same numbers in every process. Of
    more than 1,000 different characters the rarest are read as [UNK].

    Args:
        texts: what is counted; each of them once.
        vocabulary: most tokens, special ones included; fewer where the texts give no more.
        lower: lower case and without accents, as in BERT uncased.
        max_length: `model_max_length` of the tokenizer: the positions of the model it is for.

    Raises:
        TypeError: `texts` is one str, or holds an item that is not a str; names its index.
        ValueError: no text, a text that is not valid Unicode, no character in all texts, or a vocabulary too small for
            the special tokens and the characters.

    Reference: Schuster and Nakajima 2012; Devlin et al. 2019.
    """
    from tokenizers import decoders, processors

    given = _checked_texts(texts)
    special = list(WORDPIECE_SPECIAL.values())
    entries = _wordpieces(_bert_words(lower=lower), given, checked_count("vocabulary", vocabulary))
    whole = _bert_words({token: number for number, token in enumerate(entries)}, lower=lower)
    whole.decoder = decoders.WordPiece()
    whole.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0",
        pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
        special_tokens=[(token, special.index(token)) for token in ("[CLS]", "[SEP]")],
    )
    return _wrapped(whole, WORDPIECE_SPECIAL, max_length, ["input_ids", "token_type_ids", "attention_mask"])


def train_bpe(texts: Iterable[object], *, vocabulary: int, max_length: int = 256) -> "PreTrainedTokenizerFast":
    """A byte-level BPE tokenizer as GPT-2's, trained on `texts`: PreTrainedTokenizerFast.

    <pad>, <s> and </s> are tokens 0 to 2; a text is read as "<s> text", and what trains a language model adds </s>
    behind it. Every text can be read and is decoded to itself. Equal texts give the same numbers in every process.

    Args:
        texts: what is counted; each of them once.
        vocabulary: most tokens, special ones included; fewer where the texts give no more.
        max_length: `model_max_length` of the tokenizer: the positions of the model it is for.

    Raises:
        TypeError, ValueError: as `train_wordpiece`; the vocabulary holds at least 259 tokens, the bytes and the special
            ones.

    Reference: Sennrich et al. 2016; Radford et al. 2019, section 2.2.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    given = _checked_texts(texts)
    special, letters = list(BPE_SPECIAL.values()), pre_tokenizers.ByteLevel.alphabet()
    checked_count("vocabulary", vocabulary, least=len(special) + len(letters))
    whole = Tokenizer(models.BPE())
    whole.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    whole.decoder = decoders.ByteLevel()
    whole.train_from_iterator(
        given,
        trainers.BpeTrainer(
            vocab_size=vocabulary, special_tokens=special, initial_alphabet=letters, show_progress=False
        ),
    )
    whole.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", special.index("<s>"))]
    )
    return _wrapped(whole, BPE_SPECIAL, max_length, ["input_ids", "attention_mask"])


def _bert_words(numbers: dict[str, int] | None = None, *, lower: bool) -> Any:  # noqa: ANN401 - a tokenizers.Tokenizer
    """BERT's normalisation and cut into words, before pieces of these numbers; without them, to be trained."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    whole = Tokenizer(models.WordPiece(numbers, unk_token="[UNK]"))
    whole.normalizer = normalizers.BertNormalizer(lowercase=lower)
    whole.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return whole


def _wordpieces(whole: Any, texts: list[str], vocabulary: int) -> list[str]:  # noqa: ANN401 - a tokenizers.Tokenizer
    """The vocabulary in the order of its numbers.

    The library numbers the pieces "##x" of one character in the order of a hash table, another one in every process,
    and breaks ties between merges by these numbers. Given as special tokens they come in our order.
    """
    from tokenizers import trainers

    letters, inner = _alphabet(whole, texts)
    first = [*WORDPIECE_SPECIAL.values(), *inner]
    if vocabulary < len(first) + len(letters):
        parts = f"{len(WORDPIECE_SPECIAL)} special tokens and {len(letters) + len(inner)} characters"
        raise ValueError(f"vocabulary must hold {parts}, at least {len(first) + len(letters)}, got {vocabulary}")
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocabulary,
        special_tokens=first,
        initial_alphabet=letters,
        limit_alphabet=len(letters),
        show_progress=False,
    )
    whole.train_from_iterator(texts, trainer)
    numbers = whole.get_vocab()
    return sorted(numbers, key=numbers.__getitem__)


def _alphabet(whole: Any, texts: list[str]) -> tuple[list[str], list[str]]:  # noqa: ANN401 - a tokenizers.Tokenizer
    """The characters kept, and "##" before those of them that stand inside a word, both sorted."""
    words: Counter[str] = Counter()
    for text in texts:
        words.update(word for word, _ in whole.pre_tokenizer.pre_tokenize_str(whole.normalizer.normalize_str(text)))
    counts: Counter[str] = Counter()
    for word, many in words.items():
        for character in word:
            counts[character] += many
    if not counts:
        raise ValueError(f"texts must hold a character that is no space, none of {len(texts)} does")
    kept = sorted(sorted(counts, key=lambda character: (-counts[character], character))[:CHARACTERS])
    inside = {character for word in words for character in word[1:]}
    return kept, [f"##{character}" for character in kept if character in inside]


def _wrapped(whole: Any, special: dict[str, str], max_length: int, inputs: list[str]) -> "PreTrainedTokenizerFast":  # noqa: ANN401
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(
        tokenizer_object=whole,
        model_max_length=checked_count("max_length", max_length),
        padding_side="right",
        clean_up_tokenization_spaces=False,
        model_input_names=inputs,
        **{f"{role}_token": token for role, token in special.items()},
    )


def _checked_texts(texts: Iterable[object]) -> list[str]:
    given = check_texts(texts)
    if not given:
        raise ValueError("a tokenizer is trained on one text or more, got none")
    return given
