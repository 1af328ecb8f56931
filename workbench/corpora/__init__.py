"""Where texts, images and judgements come from: one door, `load(name)`, and frozen record types."""

from workbench.corpora.base import Source
from workbench.corpora.canvases import Canvases, draw_canvases
from workbench.corpora.catalogue import Entry, catalogue
from workbench.corpora.cldr import cldr_locales
from workbench.corpora.corrupt import drop_words, planted_duplicates, shuffle_words, typos, wrong_pairs
from workbench.corpora.dictionaries import distinct_entries, name_dictionary
from workbench.corpora.door import UnknownCorpus, fingerprint, load
from workbench.corpora.entries import code_entries, entry_schemes, product_entries, type_search
from workbench.corpora.halves import first_and_rest
from workbench.corpora.label_sets import label_sets, unlabelled, without_label_words
from workbench.corpora.likes import relevance_pairs, who_likes
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
from workbench.corpora.related_sentences import related_sentences
from workbench.corpora.rendered import draw_text
from workbench.corpora.searches import first_sentence, function_search, title_and_body
from workbench.corpora.siblings import sibling_pairs
from workbench.corpora.smaller import relevant_documents, sampled_corpus, with_documents
from workbench.corpora.synthetic import infill_words, trigram_texts
from workbench.corpora.task_sets import builtin_tasks, largest_groups, local_tasks
from workbench.corpora.training_pairs import answered_pairs, joined_pairs
from workbench.corpora.views import function_views

__all__ = [
    "load", "catalogue", "fingerprint",
    "Pairs", "Labels", "Retrieval", "Triplets", "Dictionary", "Words", "Images", "Corpus", "Scores",
    "Source", "Entry", "UnknownCorpus",
    "draw_canvases", "draw_text", "Canvases", "cldr_locales",
    "typos", "drop_words", "shuffle_words", "planted_duplicates", "wrong_pairs",
    "infill_words", "trigram_texts", "function_search", "function_views", "title_and_body",
    "first_and_rest", "first_sentence", "related_sentences", "relevance_pairs", "sibling_pairs",
    "who_likes",
    "answered_pairs", "joined_pairs", "distinct_entries", "name_dictionary",
    "code_entries", "entry_schemes", "product_entries", "type_search",
    "label_sets", "unlabelled", "without_label_words",
    "builtin_tasks", "largest_groups", "local_tasks", "relevant_documents", "sampled_corpus", "with_documents",
]  # fmt: skip
