"""Skip-gram with negative sampling: the pairs of a running text, and the step that moves both tables in place."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

__all__ = ["Bags", "Words", "epoch_blocks", "skipgram_step"]

BLOCK = 256  # centre words a step
NOISE = 256  # noise words shared by a block


@dataclass(frozen=True)
class Bags:
    """Rows of the input table that make up each word: word i owns `rows[starts[i]:starts[i] + sizes[i]]`."""

    rows: np.ndarray
    starts: np.ndarray
    sizes: np.ndarray

    def of(self, words: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
        """Rows of `words` one after the other, where each word's begin, and how many they are."""
        sizes = self.sizes[words]
        offsets = np.cumsum(sizes) - sizes
        within = np.arange(int(sizes.sum())) - np.repeat(offsets, sizes)
        rows = self.rows[np.repeat(self.starts[words], sizes) + within]
        return torch.from_numpy(rows), torch.from_numpy(offsets), torch.from_numpy(sizes)


@dataclass(frozen=True)
class Words:
    """A corpus as numbers: the words of all texts in one row, the text of each, and how often each word comes."""

    ids: np.ndarray
    texts: np.ndarray
    counts: np.ndarray

    def kept(self, subsample: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Words and their texts, the texts in a drawn order, frequent words thinned out.

        A word of frequency f stays with probability min(1, sqrt(t / f) + t / f), t = `subsample`; 0 keeps all.
        """
        place = rng.permutation(int(self.texts[-1]) + 1)[self.texts]
        order = np.argsort(place, kind="stable")
        if subsample:
            ratio = subsample * self.counts.sum() / self.counts
            order = order[rng.random(len(order)) < (np.sqrt(ratio) + ratio)[self.ids[order]]]
        return self.ids[order], self.texts[order]


def epoch_blocks(
    words: Words, *, window: int, subsample: float, rng: np.random.Generator
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, float]]:
    """Centre words (t,), their neighbours (t, 2 window), which of these count (t, 2 window), share of the epoch done.

    Each centre word draws its own reach from 1 to `window`, so that near words count more; texts are not crossed.
    """
    ids, texts = words.kept(subsample, rng)
    offsets = np.concatenate([np.arange(-window, 0), np.arange(1, window + 1)])
    size = max(1, min(BLOCK, len(words.counts)))  # a small vocabulary met often in one step would overshoot
    for start in range(0, len(ids), size):
        places = np.arange(start, min(start + size, len(ids)))
        reach = rng.integers(1, window + 1, size=len(places))
        beside = places[:, None] + offsets
        inside = (beside >= 0) & (beside < len(ids))
        beside = np.where(inside, beside, 0)
        counts = inside & (np.abs(offsets) <= reach[:, None]) & (texts[beside] == texts[places][:, None])
        yield ids[places], ids[beside], counts, start / len(ids)


def skipgram_step(
    inputs: Tensor,
    outputs: Tensor,
    bag: tuple[Tensor, Tensor, Tensor],
    neighbours: tuple[Tensor, Tensor],
    noise: Tensor,
    *,
    negatives: float,
    rate: float,
) -> None:
    """One step up the gradient of skip-gram with negative sampling, on both tables in place.

    With h_i the mean of word i's rows of `inputs`, v of `outputs` and n_i the number of word i's neighbours:
    sum over the pairs (i, j) of ln s(v_j . h_i), plus sum_i n_i k mean over the noise words m of ln s(-v_m . h_i).
    k = `negatives`. The noise words (m,) are shared by the block, which has the expectation of k draws for each pair
    and less variance. As in fastText the rows of a word each move by the whole gradient of their mean.

    Args:
        inputs: (rows, d), of words and their n-grams.
        outputs: (words, d).
        bag: rows of the centre words, where each word's begin (t,), and how many they are (t,): see `Bags`.
        neighbours: words beside each centre word (t, w), and which of them count (t, w).
        noise: words drawn from the noise distribution (m,).
        negatives: noise words for each pair.
        rate: length of the step.

    Reference: Mikolov et al. 2013, Eq. 4; Bojanowski et al. 2017, section 3.1.
    """
    rows, offsets, sizes = bag
    beside, counts = neighbours
    centres = embedding_bag(rows, inputs, offsets, mode="mean")
    near, far = outputs[beside], outputs[noise]
    pull = (1 - torch.sigmoid(torch.bmm(near, centres[:, :, None])[:, :, 0])) * counts * rate
    weight = counts.sum(dim=1, keepdim=True).to(centres) * (negatives * rate / len(noise))
    push = -torch.sigmoid(centres @ far.T) * weight
    moved = torch.bmm(pull[:, None, :], near)[:, 0] + push @ far
    drawn = (pull[:, :, None] * centres[:, None, :]).reshape(-1, centres.shape[1])
    outputs.index_add_(0, beside.reshape(-1), drawn)
    outputs.index_add_(0, noise, push.T @ centres)
    inputs.index_add_(0, rows, moved.repeat_interleave(sizes, dim=0))
