"""The record types: frozen, checked when made, equal lengths row by row."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, no_type_check

import numpy as np

from workbench.corpora.base import Record, as_sequence, check_texts

__all__ = ["Corpus", "Dictionary", "Images", "Labels", "Pairs", "Retrieval", "Scores", "Triplets", "Words"]

Columns = Mapping[str, Sequence[Any]]


@no_type_check
@dataclass(frozen=True, eq=False, repr=False)
class Pairs(Record):
    """Two texts a row with a score, in the scale of the set (STS 0 to 5, yes/no sets 0 or 1; higher: more alike).

    `scores` is a float64 array of shape (n,), read-only.

    Raises:
        TypeError: a text is no str.
        ValueError: unequal lengths, or a score that is NaN or infinite; the message names the row.
    """

    _rows: ClassVar[tuple[str, ...]] = ("left", "right", "scores")
    _texts: ClassVar[tuple[str, ...]] = ("left", "right")
    left: Sequence[str]
    right: Sequence[str]
    scores: np.ndarray
    columns: Columns = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "scores", _scores(self.scores, self.source.name))
        super().__post_init__()


@no_type_check
@dataclass(frozen=True, eq=False, repr=False)
class Labels(Record):
    """One text and one label a row; labels are str or int, as the set has them.

    Raises:
        TypeError: a text is no str, or a label is neither str nor int; the message names the row.
        ValueError: unequal lengths.
    """

    _rows: ClassVar[tuple[str, ...]] = ("texts", "labels")
    _texts: ClassVar[tuple[str, ...]] = ("texts",)
    texts: Sequence[str]
    labels: Sequence[str | int]
    columns: Columns = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", tuple(as_sequence(self.labels, "labels")))
        for i, label in enumerate(self.labels):
            if not isinstance(label, str | int | np.integer):
                raise TypeError(f"{self.source.name}: a label is str or int, row {i} is {label!r}")
        super().__post_init__()


@no_type_check
@dataclass(frozen=True, eq=False, repr=False)
class Retrieval(Record):
    """Queries, documents and judgements; its rows are the queries.

    Attributes:
        documents: document id -> text (title, one space, text, where a set has titles).
        queries: query id -> text.
        qrels: query id -> document id -> relevance; above 0 is relevant, a document not named counts as 0.
        candidates: query id -> document ids to rerank, best first; None where the set has none.
        columns: further columns of the queries, in their order (kind, history, lang, answer ...).
        document_columns: further columns of the documents, in their order (title, lang ...).

    Raises:
        TypeError: a text is no str, or a relevance no int.
        ValueError: a judgement or candidate names an id that is not there.
    """

    documents: dict[str, str]
    queries: dict[str, str]
    qrels: dict[str, dict[str, int]]
    candidates: dict[str, list[str]] | None = None
    columns: Columns = dataclasses.field(default_factory=dict)
    document_columns: Columns = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        name = self.source.name
        check_texts(self.documents.values(), "documents", name)
        check_texts(self.queries.values(), "queries", name)
        self._check_ids("qrels", self.qrels)
        self._check_ids("candidates", self.candidates or {})
        for query, judged in self.qrels.items():
            if bad := [(d, r) for d, r in judged.items() if not isinstance(r, int | np.integer)]:
                raise TypeError(f"{name}: a relevance is an int, query {query!r} has {bad[0]}")
        if any(len(values) != len(self.documents) for values in self.document_columns.values()):
            raise ValueError(f"{name}: every document column holds n={len(self.documents)} values")
        super().__post_init__()

    def _check_ids(self, field: str, rows: Mapping[str, Iterable[str]]) -> None:
        for query, documents in rows.items():
            if query not in self.queries:
                raise ValueError(f"{self.source.name}: {field} names query {query!r}, which is not in queries")
            if missing := [d for d in documents if d not in self.documents]:
                raise ValueError(f"{self.source.name}: {field} of query {query!r} names no document: {missing[0]!r}")

    def _by_name(self) -> dict[str, Sequence[Any]]:
        return {"id": tuple(self.queries), "query": tuple(self.queries.values()), **self.columns}

    def _row_keys(self) -> Iterable[bytes]:
        return (text.encode("utf-8", "surrogatepass") for text in self.queries.values())

    def _picked(self: "Retrieval", indices: list[int]) -> "Retrieval":
        ids = list(self.queries)
        keep = [ids[i] for i in indices]
        return dataclasses.replace(
            self,
            queries={q: self.queries[q] for q in keep},
            qrels={q: self.qrels[q] for q in keep if q in self.qrels},
            candidates=self.candidates and {q: self.candidates[q] for q in keep if q in self.candidates},
            columns={name: tuple(values[i] for i in indices) for name, values in self.columns.items()},
        )


@no_type_check
@dataclass(frozen=True, eq=False, repr=False)
class Triplets(Record):
    """An anchor, a text that belongs to it and one that does not, row by row.

    Raises:
        TypeError: a text is no str.
        ValueError: unequal lengths.
    """

    _rows: ClassVar[tuple[str, ...]] = ("anchors", "positives", "negatives")
    _texts: ClassVar[tuple[str, ...]] = _rows
    anchors: Sequence[str]
    positives: Sequence[str]
    negatives: Sequence[str]
    columns: Columns = dataclasses.field(default_factory=dict)


@no_type_check
@dataclass(frozen=True, eq=False, repr=False)
class Dictionary(Record):
    """A word and a definition a row; a word with several senses has several rows.

    `tables` holds what else the set has: hypernyms, pairs, skill_groups.

    Raises:
        TypeError: a text is no str.
        ValueError: unequal lengths.
    """

    _rows: ClassVar[tuple[str, ...]] = ("words", "definitions")
    _texts: ClassVar[tuple[str, ...]] = _rows
    words: Sequence[str]
    definitions: Sequence[str]
    columns: Columns = dataclasses.field(default_factory=dict)


@no_type_check
@dataclass(frozen=True, eq=False, repr=False)
class Words(Record):
    """Two words and a human similarity a row, in the scale of the list; higher: more alike.

    `scores` is a float64 array of shape (n,); `analogies` maps a, b, c, d and category to equally long
    columns (a is to b as c is to d), empty where the set has none.

    Raises:
        TypeError: a word is no str.
        ValueError: unequal lengths, or a score that is NaN or infinite; the message names the row.
    """

    _rows: ClassVar[tuple[str, ...]] = ("word1", "word2", "scores")
    _texts: ClassVar[tuple[str, ...]] = ("word1", "word2")
    word1: Sequence[str]
    word2: Sequence[str]
    scores: np.ndarray
    analogies: Columns = dataclasses.field(default_factory=dict)
    columns: Columns = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "scores", _scores(self.scores, self.source.name))
        super().__post_init__()


@no_type_check
@dataclass(frozen=True, eq=False, repr=False)
class Images(Record):
    """Images with a class each: `images` uint8 (n, height, width) or (n, height, width, 3), `labels` int (n,).

    `label_names[labels[i]]` is the name of the class of image i.

    Raises:
        TypeError: images that are not uint8, or labels that are not integers.
        ValueError: wrong shapes, unequal lengths, or a label without a name; the message names the row.
    """

    _rows: ClassVar[tuple[str, ...]] = ("images", "labels")
    images: np.ndarray
    labels: np.ndarray
    label_names: Sequence[str]
    columns: Columns = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        name = self.source.name
        object.__setattr__(self, "label_names", check_texts(self.label_names, "label_names", name))
        if self.images.dtype != np.uint8 or not np.issubdtype(self.labels.dtype, np.integer):
            raise TypeError(f"{name}: images are uint8, labels integers, got {self.images.dtype}, {self.labels.dtype}")
        if self.images.ndim not in (3, 4) or self.labels.ndim != 1:
            raise ValueError(
                f"{name}: images are (n, h, w) or (n, h, w, 3), labels (n,), "
                f"got {self.images.shape} and {self.labels.shape}"
            )
        outside = np.flatnonzero((self.labels < 0) | (self.labels >= len(self.label_names)))
        if outside.size:
            raise ValueError(
                f"{name}: row {outside[0]} has label {self.labels[outside[0]]} of {len(self.label_names)} label_names"
            )
        super().__post_init__()

    def _row_keys(self) -> Iterable[bytes]:
        return (image.tobytes() for image in self.images)


@no_type_check
@dataclass(frozen=True, eq=False, repr=False)
class Corpus(Record):
    """One text a row.

    Raises:
        TypeError: a text is no str.
        ValueError: unequal lengths.
    """

    _rows: ClassVar[tuple[str, ...]] = ("texts",)
    _texts: ClassVar[tuple[str, ...]] = ("texts",)
    texts: Sequence[str]
    columns: Columns = dataclasses.field(default_factory=dict)


@no_type_check
@dataclass(frozen=True, eq=False, repr=False)
class Scores(Record):
    """A table of published scores: nothing but columns, each value of one row.

    Raises:
        ValueError: unequal lengths.
    """

    columns: Columns = dataclasses.field(default_factory=dict)


def _scores(values: object, name: str) -> np.ndarray:
    try:
        scores = np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as wrong:
        raise ValueError(f"{name}: scores are one number per row: {wrong}") from wrong
    if scores.ndim != 1:
        raise ValueError(f"{name}: scores are one number per row, got shape {scores.shape}")
    bad = np.flatnonzero(~np.isfinite(scores))
    if bad.size:
        raise ValueError(f"{name}: a score must be finite, row {bad[0]} is {scores[bad[0]]}")
    scores.flags.writeable = False
    return scores
