"""BM25: documents ranked by the words that they share with a query; scores by bm25s."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from workbench.retrieval.folders import load_folder, saving_folder
from workbench.retrieval.hits import Hits

if TYPE_CHECKING:
    import bm25s

__all__ = ["BM25"]

Method = Literal["lucene", "robertson", "atire"]


@dataclass(frozen=True, eq=False)
class BM25:
    """An index of words. Made by `BM25.build` or `BM25.load`.

    The score of a document is the sum over the words w of the query (each as often as it stands there) of

        idf(w) tf / (tf + k1 (1 - b + b length / mean length)),   idf(w) = ln(1 + (N - df + 0.5) / (df + 0.5))

    with tf how often w is in the document, df how many of the N documents have it (method "lucene"; Kamphuis et al.
    2020 for the others). A word is a run of 2 or more letters or digits in lower case, without stop words, stemmed by
    Snowball where a stemmer is named. Scores are float32, not negative; higher is nearer.
    """

    documents: tuple[str, ...]
    stemmer: str | None
    stopwords: str | tuple[str, ...] | None
    scorer: "bm25s.BM25"

    @classmethod
    def build(
        cls,
        documents: Mapping[str, str],
        *,
        k1: float = 0.9,
        b: float = 0.4,
        stemmer: str | None = "english",
        stopwords: str | Sequence[str] | None = "en",
        method: Method | str = "lucene",
    ) -> "BM25":
        """The index of `documents`, id -> text.

        `k1` and `b` are Anserini's; `stopwords` are words in lower case, or a language that bm25s has a list for ("en":
        the 33 words of Lucene's); `stemmer` is one of Snowball's.

        Raises:
            TypeError: a text is no str.
            ValueError: no documents, none with a word, `k1` negative, `b` outside 0..1, or an unknown method, stemmer
                or language.
        """
        import bm25s

        if method not in get_args(Method):
            raise ValueError(f"method must be one of {get_args(Method)}, got {method!r}")
        if not (0 <= k1 < np.inf and 0 <= b <= 1):
            raise ValueError(f"k1 must not be negative and b must be in 0..1, got k1={k1}, b={b}")
        if not documents:
            raise ValueError("the corpus is empty: an index needs at least 1 document")
        stopped = stopwords if stopwords is None or isinstance(stopwords, str) else tuple(stopwords)
        words = _words(documents, stemmer, stopped)
        known = {word: i for i, word in enumerate(sorted({word for row in words for word in row}))}
        if not known:
            raise ValueError(f"none of the {len(documents)} documents has a word that is no stop word")
        scorer = bm25s.BM25(k1=k1, b=b, method=method)
        places = [[known[word] for word in row] for row in words]
        scorer.index((places, known), create_empty_token=False, show_progress=False)
        return cls(tuple(documents), stemmer, stopped, scorer)

    def search(self, queries: Mapping[str, str], k: int) -> Hits:
        """The `k` best documents of each query, id -> text; equal scores in the order of the corpus.

        A document with score 0 is no hit: a query without a word that is in the corpus has none.

        Raises:
            TypeError: a text is no str.
            ValueError: `k` outside 1..n documents.
        """
        return self.search_words({query: Counter(row) for query, row in self.words(queries).items()}, k)

    def search_words(self, queries: Mapping[str, Mapping[str, float]], k: int) -> Hits:
        """As `search`, for queries of weighted words: id -> word as the index has it -> weight, 1 for one mention.

        Raises:
            ValueError: `k` outside 1..n documents, or a weight that is negative or not finite.
        """
        if not 1 <= k <= len(self.documents):
            raise ValueError(f"k must be at least 1 and at most n={len(self.documents)}, got {k}")
        indices = np.full((len(queries), k), -1, np.int64)
        scores = np.full((len(queries), k), -np.inf, np.float32)
        values, starts, places = (self.scorer.scores[name] for name in ("data", "indptr", "indices"))
        for i, (query, words) in enumerate(queries.items()):
            sums = np.zeros(len(self.documents), np.float32)
            for word, weight in words.items():
                if not 0 <= weight < np.inf:
                    raise ValueError(f"query {query!r}: the weight of {word!r} must be finite, not negative: {weight}")
                if (column := self.scorer.vocab_dict.get(word)) is not None:
                    part = slice(starts[column], starts[column + 1])  # a document is there once
                    sums[places[part]] += np.float32(weight) * values[part]
            found = _largest(sums, k)
            indices[i, : len(found)], scores[i, : len(found)] = found, sums[found]
        return Hits(tuple(queries), self.documents, indices, scores)

    def words(self, texts: Mapping[str, str]) -> dict[str, list[str]]:
        """The words of each text as the index has them: in lower case, without stop words, stemmed.

        Raises:
            TypeError: a text is no str.
        """
        return dict(zip(texts, _words(texts, self.stemmer, self.stopwords), strict=True))

    def save(self, folder: str | Path) -> None:
        """Writes the index; a reader finds the old one or the whole new one, even after a kill.

        Raises:
            ValueError: `folder` is not empty and holds no index.
        """
        with saving_folder(folder, "bm25", {"stemmer": self.stemmer, "stopwords": self.stopwords}) as part:
            self.scorer.save(part, show_progress=False)
            (part / "documents.json").write_text(json.dumps(self.documents, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def load(cls, folder: str | Path, *, verify: bool = True) -> "BM25":
        """The index that was saved in `folder`, its scores mapped from there; `verify` compares every SHA-256.

        Raises:
            FileNotFoundError: no index there.
            ValueError: a torn or damaged file, or an index of another kind or version.
        """
        import bm25s

        def read(files: Path, settings: dict) -> "BM25":
            scorer = bm25s.BM25.load(files, mmap=True, show_progress=False)
            documents = json.loads((files / "documents.json").read_text(encoding="utf-8"))
            stops = settings["stopwords"]
            return cls(
                tuple(documents), settings["stemmer"], tuple(stops) if isinstance(stops, list) else stops, scorer
            )

        return load_folder(folder, "bm25", read, verify=verify)


def _words(texts: Mapping[str, str], stemmer: str | None, stopwords: str | tuple[str, ...] | None) -> list[list[str]]:
    import bm25s
    import Stemmer

    for key, text in texts.items():
        if not isinstance(text, str):
            raise TypeError(f"text {key!r} must be a str, got {type(text).__name__}")
    if stemmer is not None and stemmer not in Stemmer.algorithms():
        raise ValueError(f"stemmer must be one of {Stemmer.algorithms()}, got {stemmer!r}")
    if not texts:
        return []
    stops: Any = stopwords if isinstance(stopwords, str | None) else list(stopwords)
    cut: Any = None if stemmer is None else Stemmer.Stemmer(stemmer)
    rows: Any = bm25s.tokenize(
        list(texts.values()), stopwords=stops, stemmer=cut, return_ids=False, show_progress=False
    )
    return [list(row) for row in rows]


def _largest(values: np.ndarray, k: int) -> np.ndarray:
    """Places of the k largest positive values, largest first, of equal ones the lower place first."""
    places = np.flatnonzero(values > 0)
    if len(places) > k:
        least = np.partition(values[places], -k)[-k]
        places = places[values[places] >= least]
    return places[np.argsort(-values[places], kind="stable")][:k]
