"""Where texts, images and judgements come from: one door, `load(name)`, and frozen record types."""

from workbench.corpora.base import Source
from workbench.corpora.catalogue import Entry, catalogue
from workbench.corpora.door import UnknownCorpus, fingerprint, load
from workbench.corpora.records import (
    Corpus,
    Dictionary,
    Images,
    Labels,
    Pairs,
    Retrieval,
    Scores,
    Triplets,
    Words,
)

__all__ = [
    "load", "catalogue", "fingerprint",
    "Pairs", "Labels", "Retrieval", "Triplets", "Dictionary", "Words", "Images", "Corpus", "Scores",
    "Source", "Entry", "UnknownCorpus",
]  # fmt: skip
