"""Word vectors: do their cosines rank words as people do, and do their differences carry meaning?"""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from scipy.stats import rankdata
from torch import Tensor

from workbench.corpora import Words
from workbench.evaluation.base import Evaluation, Sentences, Statistic, evaluation_of, recipe_of
from workbench.intervals import blocks_of
from workbench.tensors import as_rows, row_blocks, unit

__all__ = ["evaluate_analogies", "evaluate_word_similarity"]

Vectors = Sentences | Mapping  # an encoder, or word -> vector
PARTS = ("a", "b", "c", "d")
NAMED = 20  # words without a vector that the recipe names
BLOCK_NUMBERS = 2**24  # cosines held at a time


def evaluate_word_similarity(vectors_of: Vectors, data: Words) -> Evaluation:
    """Spearman correlation of cosine with human scores for each list ("spearman:LIST"), and their mean, "spearman".

    In [-1, 1]. Lists are the column "subset"; each has a scale of its own, so scores are never pooled over lists.
    `vectors_of` is an encoder, or a mapping from word to vector; pairs with a word that it lacks are left out, and
    the recipe counts them and names the first words. Lists with fewer than 3 pairs left, or equal scores, have no
    number. Intervals by jackknife over 20 blocks; pairs that share their first word stay in one block.

    Raises:
        ValueError: no list is left, or a vector that is zero, not finite or of another width; the message names its
            word.
    """
    words, rows = _vectors(vectors_of, [*data.word1, *data.word2])
    pairs = list(zip(data.word1, data.word2, strict=True))
    kept = [i for i, pair in enumerate(pairs) if all(word in words for word in pair)]
    left, right = (rows[[words[pairs[i][side]] for i in kept]].double() for side in (0, 1))
    cosine, gold = torch.einsum("nd,nd->n", left, right).numpy(), np.asarray(data.scores)[kept]
    subset = np.array([str(data.columns["subset"][i]) if "subset" in data.columns else "all" for i in kept])

    def spearman(chosen: np.ndarray) -> float:
        if len(chosen) < 3 or np.ptp(gold[chosen]) == 0 or np.ptp(cosine[chosen]) == 0:
            return float("nan")
        return float(np.corrcoef(rankdata(cosine[chosen]), rankdata(gold[chosen]))[0, 1])

    every = np.arange(len(kept))
    lists = [name for name in dict.fromkeys(subset) if np.isfinite(spearman(every[subset == name]))]
    if not lists:
        raise ValueError(
            f"{data.source.name}: no list has 3 pairs with vectors and unequal scores: nothing to correlate"
        )

    def mean(chosen: np.ndarray) -> float:
        held = set(subset[chosen])
        return float(np.mean([spearman(chosen[subset[chosen] == name]) for name in lists if name in held] or [np.nan]))

    statistics: dict[str, tuple[Statistic, str]] = {
        "spearman": (mean, f"mean over {len(lists)} lists of Spearman of cosine with human scores")
    }
    for name in lists:
        statistics[f"spearman:{name}"] = (_of_list(spearman, subset, name), f"Spearman of cosine with scores of {name}")
    return evaluation_of(
        "word similarity",
        main="spearman",
        arrays={"cosine": cosine, "score": gold},
        ids=[str(i) for i in kept],
        statistics=statistics,
        blocks=blocks_of([data.word1[i] for i in kept]),
        columns={name: [values[i] for i in kept] for name, values in data.columns.items()},
        source=data.source.fingerprint,
        recipe=_recipe(vectors_of, data, words, [*data.word1, *data.word2], len(pairs) - len(kept)),
    )


def evaluate_analogies(vectors_of: Vectors, data: Words, *, vocabulary: Sequence[str] | None = None) -> Evaluation:
    """Share of analogies solved, a is to b as c is to d: "3cosadd" by cos(d, b - a + c), and "3cosmul".

    In [0, 1]; `.by("category")` has the share in each category. The answer is the best word of `vocabulary` other than
    a, b and c; None takes every word of a mapping, and the words of the questions where `vectors_of` is an encoder
    (an easier choice). 3CosMul is cos(d, b) cos(d, c) / (cos(d, a) + 0.001), cosines brought to [0, 1]. A question
    with a word outside the vocabulary is left out; the recipe counts those and names the first words. Intervals by
    jackknife over 20 blocks; questions with the same a and b stay in one block.

    Raises:
        ValueError: no analogies, none with all four words, a word twice in `vocabulary`, or vectors as refused by
            `evaluate_word_similarity`.

    Reference: Levy and Goldberg 2014, CoNLL, sections 3 and 6; 0.001 is theirs.
    """
    parts = [list(data.analogies.get(part, ())) for part in PARTS]
    asked = [word for part in parts for word in part]
    if not asked:
        raise ValueError(f"{data.source.name} has no analogies")
    names = list(vectors_of if isinstance(vectors_of, Mapping) else dict.fromkeys(asked))
    names = names if vocabulary is None else list(vocabulary)
    if twice := [word for word, count in Counter(names).items() if count > 1]:
        raise ValueError(f"a vocabulary holds a word once, got {twice[0]!r} twice or more")
    words, rows = _vectors(vectors_of, names)
    questions = list(zip(*parts, strict=True))
    kept = [i for i, question in enumerate(questions) if all(word in words for word in question)]
    if not kept:
        raise ValueError(f"{data.source.name}: none of {len(questions)} analogies has all its words in the vocabulary")
    solved = _solved(rows.float(), np.array([[words[word] for word in questions[i]] for i in kept]))
    columns = {name: [values[i] for i in kept] for name, values in data.analogies.items() if name not in PARTS}
    left_out = len(questions) - len(kept)
    return evaluation_of(
        "analogies",
        main="3cosadd",
        arrays=solved,
        ids=[str(i) for i in kept],
        statistics={name: (_mean_of(hits), f"share of analogies solved by {name}") for name, hits in solved.items()},
        blocks=blocks_of([f"{questions[i][0]}\x1f{questions[i][1]}" for i in kept]),
        columns=columns,
        source=data.source.fingerprint,
        recipe={**_recipe(vectors_of, data, words, asked, left_out), "vocabulary": len(words)},
    )


def _solved(rows: Tensor, questions: np.ndarray) -> dict[str, np.ndarray]:
    """Whether each question (a, b, c, d), rows of `rows`, is answered right, by both rules."""
    added, multiplied = np.zeros(len(questions)), np.zeros(len(questions))
    for part in row_blocks(len(questions), max(1, BLOCK_NUMBERS // len(rows))):
        block = torch.from_numpy(questions[part])
        needed, place = torch.unique(block[:, :3], return_inverse=True)
        cosine = rows[needed] @ rows.T
        a, b, c = (cosine[place[:, i]] for i in range(3))
        shifted = [(values + 1) / 2 for values in (a, b, c)]
        for hits, score in ((added, b - a + c), (multiplied, shifted[1] * shifted[2] / (shifted[0] + 0.001))):
            score.scatter_(1, block[:, :3], -torch.inf)
            hits[part] = (score.argmax(dim=1) == block[:, 3]).numpy()
    return {"3cosadd": added, "3cosmul": multiplied}


def _vectors(vectors_of: Vectors, wanted: Sequence[str]) -> tuple[dict[str, int], Tensor]:
    """Row number of each word that has a vector, and the vectors at length 1."""
    words = list(dict.fromkeys(wanted))
    if isinstance(vectors_of, Mapping):
        words = [word for word in words if word in vectors_of]
        table = [np.asarray(vectors_of[word], dtype=np.float32) for word in words]
        if not words:
            raise ValueError(f"none of {len(set(wanted))} words has a vector")
        for word, row in zip(words, table, strict=True):
            if row.ndim != 1 or row.shape != table[0].shape:
                raise ValueError(f"{word!r}: vectors must be as wide as the first, {table[0].shape}, got {row.shape}")
        vectors = np.stack(table)
    else:
        vectors = np.asarray(vectors_of.encode(words))
    wrong = np.flatnonzero(~np.isfinite(vectors).all(axis=1) | ~vectors.any(axis=1))
    if len(wrong):
        raise ValueError(f"{words[wrong[0]]!r} has a vector that is zero or not finite")
    return {word: i for i, word in enumerate(words)}, unit(as_rows(vectors))


def _recipe(vectors_of: Vectors, data: Words, words: Mapping, asked: Sequence[str], left_out: int) -> dict[str, object]:
    missing = list(dict.fromkeys(word for word in asked if word not in words))
    return recipe_of(
        vectors_of,
        data=data.source.name,
        left_out=left_out,
        words_without_vector=len(missing),
        first_without_vector=missing[:NAMED],
    )


def _of_list(statistic: Statistic, subset: np.ndarray, name: str) -> Statistic:
    return lambda rows: statistic(rows[subset[rows] == name])


def _mean_of(values: np.ndarray) -> Statistic:
    return lambda rows: float(values[rows].mean()) if len(rows) else float("nan")
