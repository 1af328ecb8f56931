"""What pins a set on the hub: repository, revision, columns, rows, licence; and the forms that mteb's sets take."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

__all__ = ["Pinned", "bitext", "clusters", "judged", "labels", "sts", "yes_no"]


@dataclass(frozen=True)
class Pinned:
    """A set on the hub at one revision, as far as it is known without looking at it.

    Attributes:
        repo: owner/name of the data set on the hub.
        revision: the commit, 40 hexadecimal digits, never a branch.
        record: the record type that `load` gives.
        columns: field of the record -> column of the set; empty for a `Retrieval`, whose tables have mteb's
            columns. `Pairs` without a column for its scores are pairs that belong together: every score is 1.
        rows: split (train, dev, test) -> its rows, of a `Retrieval` its queries with a judgement; None where they
            are not stated. These splits are taken when none is asked for, of a `Retrieval` the first alone.
        licence: as mteb states it.
        task: one line on what the rows are.
        languages: ISO 639-1; ('many',) where the column `lang` says which.
        config: the configuration of the repository; None for its default, and for a `Retrieval`.
        nested: whether a row of the set holds lists, one entry per row of the record.
        documents: documents of a `Retrieval`; None where they are not stated.
        relevant: judgements other than 0 of its first split; None where they are not stated.
        absent: judgements of its first split that name no document; they go into `tables["absent"]`.
    """

    repo: str
    revision: str
    record: Literal["Pairs", "Labels", "Retrieval"]
    columns: Mapping[str, str]
    rows: Mapping[str, int | None]
    licence: str
    task: str
    languages: tuple[str, ...] = ("en",)
    config: str | None = None
    nested: bool = False
    documents: int | None = None
    relevant: int | None = None
    absent: int = 0


_UNSTATED = "not specified"


def sts(
    repo: str,
    revision: str,
    *,
    languages: tuple[str, ...] = ("en",),
    licence: str = _UNSTATED,
    scale: str = "0 to 5",
    **rows: int | None,
) -> Pinned:
    """Pairs of sentences with a human similarity: columns sentence1, sentence2, score."""
    columns = {"left": "sentence1", "right": "sentence2", "scores": "score"}
    task = f"semantic textual similarity, score {scale}"
    return Pinned(repo, revision, "Pairs", columns, rows, licence, task, languages)


def yes_no(
    repo: str, revision: str, *, languages: tuple[str, ...] = ("en",), licence: str = _UNSTATED, **rows: int | None
) -> Pinned:
    """Pairs with the score 0 or 1: columns sent1, sent2, labels, in one row of lists or row by row."""
    columns = {"left": "sent1", "right": "sent2", "scores": "labels"}
    return Pinned(
        repo, revision, "Pairs", columns, rows, licence, "pair classification, 0 or 1", languages, nested=True
    )


def bitext(repo: str, revision: str, *, licence: str = _UNSTATED, **rows: int | None) -> Pinned:
    """Translations of each other, with the languages in the column lang: columns sentence1, sentence2."""
    columns = {"left": "sentence1", "right": "sentence2"}
    task = "translation pairs: bitext retrieval by nearest neighbour"
    return Pinned(repo, revision, "Pairs", columns, rows, licence, task, ("many",))


def labels(
    repo: str,
    revision: str,
    *,
    languages: tuple[str, ...] = ("en",),
    licence: str = _UNSTATED,
    config: str | None = None,
    **rows: int | None,
) -> Pinned:
    """Texts with a class: columns text, label."""
    columns = {"texts": "text", "labels": "label"}
    return Pinned(repo, revision, "Labels", columns, rows, licence, "classification", languages, config)


def clusters(repo: str, revision: str, *, licence: str = _UNSTATED, **rows: int | None) -> Pinned:
    """Texts with a class, several sets of them: columns sentences, labels, a list each; the set is in column part."""
    columns = {"texts": "sentences", "labels": "labels"}
    return Pinned(repo, revision, "Labels", columns, rows, licence, "clustering, in parts", nested=True)


def judged(
    repo: str,
    revision: str,
    *,
    split: str = "test",
    documents: int | None = None,
    queries: int | None = None,
    relevant: int | None = None,
    absent: int = 0,
    languages: tuple[str, ...] = ("en",),
    licence: str = _UNSTATED,
    task: str = "retrieval",
) -> Pinned:
    """Queries, documents and judgements: configurations queries, corpus, qrels or default, and perhaps top_ranked."""
    held = (documents, relevant, absent)
    return Pinned(repo, revision, "Retrieval", {}, {split: queries}, licence, task, languages, None, False, *held)
