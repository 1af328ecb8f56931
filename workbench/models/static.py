"""Static word vectors: one vector a word, trained by skip-gram, with character n-grams where words may be new."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from workbench.models.seeding import checked_count, checked_seed
from workbench.models.skipgram import NOISE, Bags, Words, epoch_blocks, skipgram_step
from workbench.models.subwords import ngram_buckets, word_lists
from workbench.models.word_vectors import WordVectors

__all__ = ["WordVectors", "train_word_vectors"]


def train_word_vectors(
    texts: Iterable[object],
    *,
    dimensions: int = 100,
    window: int = 5,
    negatives: int = 5,
    subwords: Sequence[int] | None = None,
    min_count: int = 5,
    epochs: int = 5,
    rate: float = 0.025,
    subsample: float = 1e-3,
    lower: bool = True,
    seed: int,
) -> WordVectors:
    """Word vectors of `texts` by skip-gram with negative sampling, word2vec's defaults.

    Frequent words are thinned out, noise words are drawn from the counts to the power 0.75, the rate falls linearly to
    0. Steps are blocks of up to 256 centre words in plain stochastic gradient ascent; the noise words are shared by a
    block (`skipgram_step`). Everything drawn depends on `seed`, and no other generator moves; equal vectors need equal
    threads. On the CPU in float32.

    Args:
        texts: str, cut into words at white space and punctuation, or lists of words (walks on a graph, say). The window
            does not cross them.
        dimensions: of a vector.
        window: farthest neighbour; each centre word draws its own reach up to it.
        negatives: noise words for each pair.
        subwords: shortest and longest character n-gram whose vectors are averaged with the word's own, as (3, 6);
            None: words alone.
        min_count: rarer words are left out.
        epochs: passes over the texts.
        rate: of the first step.
        subsample: t of the thinning: words more frequent than it are dropped at times; 0 keeps all. A small corpus
            wants more than 1e-3.
        lower: lower case; lists of words are taken as they are.
        seed: of the weights and of all draws.

    Raises:
        TypeError: `texts` is one str, or holds an item that is neither a str nor a sequence of str; names its index.
        ValueError: a size below 1, `subwords` that are not two lengths 1 <= shortest <= longest, a rate that is not
            positive and finite, a negative `subsample`, a seed that is none, fewer than two words that come
            `min_count` times, no text with two of them, or vectors that are not finite (the rate is too high).

    Reference: Mikolov et al. 2013; Bojanowski et al. 2017.
    """
    sizes = {"dimensions": dimensions, "window": window, "negatives": negatives, "epochs": epochs}
    for name, value in {**sizes, "min_count": min_count}.items():
        checked_count(name, value)
    _refuse_settings(subwords, rate, subsample)
    rng = np.random.default_rng(checked_seed(seed))
    names, words = _counted(word_lists(texts, lower=lower), min_count)
    bags, buckets = _bags(names, subwords)
    start = rng.random((len(names) + len(buckets), dimensions), dtype=np.float32) - 0.5
    inputs = torch.from_numpy(start / dimensions)
    outputs = torch.zeros(len(names), dimensions)
    share = np.cumsum(words.counts**0.75)
    with torch.inference_mode():
        for epoch in range(epochs):
            for centres, beside, counts, done in epoch_blocks(words, window=window, subsample=subsample, rng=rng):
                noise = np.searchsorted(share, rng.random(NOISE) * share[-1], side="right")
                skipgram_step(
                    inputs,
                    outputs,
                    bags.of(centres),
                    (torch.from_numpy(beside), torch.from_numpy(counts)),
                    torch.from_numpy(np.minimum(noise, len(names) - 1)),
                    negatives=negatives,
                    rate=rate * (1 - (epoch + done) / epochs),
                )
        vectors = _composed(inputs, bags, len(names))
    if not bool(torch.isfinite(vectors).all()):
        raise ValueError(f"training came to vectors that are not finite: rate={rate} is too high")
    settings = {**sizes, "min_count": min_count, "rate": rate, "subsample": subsample, "seed": seed}
    return WordVectors(
        names,
        vectors.numpy(),
        subwords=subwords,
        buckets=dict(zip(buckets, inputs[len(names) :].numpy(), strict=True)) if subwords else None,
        lower=lower,
        recipe={"model": "skip-gram", **settings, "subwords": list(subwords or ()), "tokens": len(words.ids)},
    )


def _counted(lists: list[list[str]], min_count: int) -> tuple[list[str], Words]:
    """Words by falling frequency, and the corpus in their numbers."""
    counts = Counter(word for words in lists for word in words)
    names = sorted((word for word, many in counts.items() if many >= min_count), key=lambda word: (-counts[word], word))
    if len(names) < 2:
        raise ValueError(f"two words or more must come min_count={min_count} times, {len(names)} of {len(counts)} do")
    place = {word: i for i, word in enumerate(names)}
    rows = [[place[word] for word in words if word in place] for words in lists]
    lengths = [len(row) for row in rows]
    if max(lengths) < 2:
        raise ValueError(
            "a text must hold two words or more of the vocabulary, none does: nothing stands beside a word"
        )
    ids = np.fromiter((i for row in rows for i in row), dtype=np.int64, count=sum(lengths))
    return names, Words(ids, np.repeat(np.arange(len(rows)), lengths), np.array([counts[word] for word in names]))


def _bags(names: list[str], subwords: Sequence[int] | None) -> tuple[Bags, list[int]]:
    """The input rows of each word, its own and those of its n-grams, and the bucket of each row behind the words'."""
    if subwords is None:
        each = np.arange(len(names))
        return Bags(each, each, np.ones(len(names), dtype=np.int64)), []
    grams = [ngram_buckets(name, subwords) for name in names]
    buckets = sorted({bucket for of_word in grams for bucket in of_word})
    row = {bucket: len(names) + i for i, bucket in enumerate(buckets)}
    rows = [[i, *(row[bucket] for bucket in of_word)] for i, of_word in enumerate(grams)]
    sizes = np.array([len(of_word) for of_word in rows])
    return Bags(np.concatenate([np.array(r) for r in rows]), np.cumsum(sizes) - sizes, sizes), buckets


def _composed(inputs: Tensor, bags: Bags, n: int) -> Tensor:
    parts = []
    for start in range(0, n, 4096):
        rows, offsets, _ = bags.of(np.arange(start, min(start + 4096, n)))
        parts.append(torch.nn.functional.embedding_bag(rows, inputs, offsets, mode="mean"))
    return torch.cat(parts)


def _refuse_settings(subwords: Any, rate: float, subsample: float) -> None:  # noqa: ANN401
    if subwords is not None:
        if isinstance(subwords, str) or len(subwords) != 2:
            raise ValueError(f"subwords must be None or two lengths such as (3, 6), got {subwords!r}")
        shortest, longest = subwords
        checked_count("the shortest of subwords", shortest)
        checked_count("the longest of subwords", longest, least=shortest)
    if not 0 < rate < float("inf"):
        raise ValueError(f"rate must be above 0 and finite, got {rate}")
    if not 0 <= subsample < float("inf"):
        raise ValueError(f"subsample must be 0 or more and finite, got {subsample}")
