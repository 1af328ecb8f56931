"""One vector a word, used as an encoder of texts: the mean of their words."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from workbench.home import replacing
from workbench.models.subwords import ngram_buckets, word_lists

__all__ = ["WordVectors"]

TABLES, ABOUT = "word_vectors.safetensors", "word_vectors.json"
KIND, VERSION = "word vectors", 1


class WordVectors:
    """Words and their vectors; an encoder wherever something with `.encode` is taken.

    With `subwords` a word outside the vocabulary is the mean of those of its character n-grams that words of the
    vocabulary have too; without, it has no vector.

    Args:
        words: the vocabulary, by falling frequency where they were trained.
        vectors: float (words, d).
        subwords: shortest and longest n-gram.
        buckets: vector of each n-gram's bucket (see `ngram_buckets`).
        lower: whether texts are put into lower case before they are cut into words.
        name: what the vectors are called.
        recipe: what they were made of; goes into the records of evaluations.

    Attributes:
        words: the vocabulary.
        vectors: float32 (words, d), in its order.
        width: d.

    Raises:
        ValueError: no words, one that comes twice, not one finite vector for each, or `buckets` without `subwords`, the
            other way round, or of another width.
    """

    def __init__(
        self,
        words: Sequence[str],
        vectors: np.ndarray,
        *,
        subwords: Sequence[int] | None = None,
        buckets: Mapping[int, np.ndarray] | None = None,
        lower: bool = True,
        name: str = "word vectors",
        recipe: Mapping[str, object] | None = None,
    ) -> None:
        self.words: tuple[str, ...] = tuple(words)
        self.vectors = _table(vectors, "vectors")
        self._place = {word: i for i, word in enumerate(self.words)}
        if not self.words or len(self._place) < len(self.words) or len(self.vectors) != len(self.words):
            raise ValueError(
                f"words must be different and have one vector each, got {len(self.words)} words, "
                f"{len(self._place)} different, and {len(self.vectors)} vectors"
            )
        if (subwords is None) != (buckets is None):
            raise ValueError(f"subwords and buckets go together, got subwords={subwords}")
        self.subwords: tuple[int, ...] | None = None if subwords is None else tuple(subwords)
        self.lower, self.name = lower, name
        self._bucket = {bucket: i for i, bucket in enumerate(buckets or {})}
        self._grams = _table(np.stack(list(buckets.values())), "buckets") if buckets else self.vectors[:0]
        if self._grams.shape[1] != self.width:
            raise ValueError(f"buckets must be as wide as vectors, {self.width}, got {self._grams.shape[1]}")
        self.recipe: dict[str, object] = {"model": name, **dict(recipe or {})}

    @property
    def width(self) -> int:
        """Dimensions of a vector."""
        return int(self.vectors.shape[1])

    def __len__(self) -> int:
        """Number of words of the vocabulary."""
        return len(self.words)

    def __contains__(self, word: object) -> bool:
        """Whether `word` stands in the vocabulary; with sub-words others have a vector too."""
        return word in self._place

    def vector(self, word: str) -> np.ndarray:
        """Vector of `word` as it is written, float32 (d,), a copy.

        Raises:
            KeyError: it is outside the vocabulary and no n-gram of it is known.
        """
        found = self._found(word)
        if found is None:
            also = "no n-gram of it is known" if self.subwords else "there are no sub-words"
            raise KeyError(f"{word!r} is not one of {len(self.words)} words, and {also}")
        return found.copy()

    def encode(self, texts: Iterable[object], *, unknown: str = "refuse") -> np.ndarray:
        """Mean of the vectors of each text's words, float32 (n, d), not scaled; words without a vector are left out.

        Args:
            texts: str, cut as in training, or lists of words; none give (0, d).
            unknown: "refuse" a text none of whose words has a vector, or give it the row "zero".

        Raises:
            TypeError: a bare str, or an item that is neither a str nor a sequence of str; names its index.
            ValueError: a text without any word that has a vector, by its index; `unknown` is something else.
        """
        if unknown not in ("refuse", "zero"):
            raise ValueError(f"unknown must be 'refuse' or 'zero', got {unknown!r}")
        lists = word_lists(texts, lower=self.lower)
        rows = np.zeros((len(lists), self.width), dtype=np.float32)
        found: dict[str, np.ndarray | None] = {}
        for i, words in enumerate(lists):
            for word in words:
                if word not in found:
                    found[word] = self._found(word)
            known = [vector for vector in (found[word] for word in words) if vector is not None]
            if known:
                rows[i] = np.mean(known, axis=0, dtype=np.float64)
            elif unknown == "refuse":
                said = f"its words begin with {words[:3]}" if words else "it has no words"
                raise ValueError(f"text {i} must hold a word that has a vector: {said}")
        return rows

    def count_tokens(self, texts: Iterable[object]) -> np.ndarray:
        """Number of words of each text, int64 (n,), known or not."""
        return np.array([len(words) for words in word_lists(texts, lower=self.lower)], dtype=np.int64)

    def save(self, folder: str | Path) -> None:
        """Write the vectors into `folder`: a safetensors file, and a JSON file that names its SHA-256, last."""
        from safetensors.numpy import save

        root = Path(folder)
        root.mkdir(parents=True, exist_ok=True)
        numbers = np.array(list(self._bucket), dtype=np.int64)
        tables = save({"vectors": self.vectors, "grams": self._grams, "buckets": numbers})
        about = {
            "kind": KIND,
            "version": VERSION,
            "sha256": hashlib.sha256(tables).hexdigest(),
            "subwords": self.subwords,
            "lower": self.lower,
            "name": self.name,
            "recipe": self.recipe,
            "words": self.words,
        }
        text = json.dumps(about).encode()
        with replacing(root / TABLES) as file:
            file.write(tables)
        with replacing(root / ABOUT) as file:
            file.write(text)

    @classmethod
    def load(cls, folder: str | Path) -> "WordVectors":
        """What `save` wrote into `folder`.

        Raises:
            FileNotFoundError: one of the two files is missing.
            ValueError: the JSON file is none of ours, or does not belong to the safetensors file beside it.
        """
        from safetensors.numpy import load

        path = Path(folder) / ABOUT
        try:
            about = json.loads(path.read_bytes())
            if (about["kind"], about["version"]) != (KIND, VERSION):
                raise ValueError(f"{path} holds {about['kind']!r} of version {about['version']!r}, not {KIND!r}")
            subwords = None if about["subwords"] is None else tuple(about["subwords"])
            settings = {name: about[name] for name in ("words", "sha256", "lower", "name", "recipe")}
        except (KeyError, TypeError, json.JSONDecodeError) as wrong:
            raise ValueError(f"{path} does not describe word vectors: {wrong!r}") from wrong
        data = (Path(folder) / TABLES).read_bytes()
        if hashlib.sha256(data).hexdigest() != settings["sha256"]:
            raise ValueError(f"{Path(folder) / TABLES} has another SHA-256 than {ABOUT} says: save the vectors again")
        tables = load(data)
        grams = dict(zip(tables["buckets"].tolist(), tables["grams"], strict=True))
        return cls(
            settings["words"],
            tables["vectors"],
            subwords=subwords,
            buckets=grams if subwords else None,
            lower=settings["lower"],
            name=settings["name"],
            recipe=settings["recipe"],
        )

    def _found(self, word: str) -> np.ndarray | None:
        place = self._place.get(word)
        if place is not None:
            return self.vectors[place]
        if self.subwords is None:
            return None
        rows = [self._bucket[b] for b in ngram_buckets(word, self.subwords) if b in self._bucket]
        return self._grams[rows].mean(axis=0) if rows else None


def _table(values: np.ndarray, name: str) -> np.ndarray:
    table = np.ascontiguousarray(values, dtype=np.float32)
    if table.ndim != 2 or not np.isfinite(table).all():
        raise ValueError(f"{name} must be a table of finite numbers, one row each, got shape {table.shape}")
    return table
