"""Small tasks of many kinds out of the built-in and the local sets: name -> (kind, data)."""

from collections import Counter
from typing import Any

from workbench.corpora.door import load
from workbench.corpora.records import Corpus, Labels, Pairs, Retrieval
from workbench.corpora.searches import first_sentence, function_search
from workbench.corpora.smaller import sampled_corpus

__all__ = ["LOCAL_TASKS", "builtin_tasks", "largest_groups", "local_tasks"]

Task = tuple[str, Labels | Pairs | Retrieval]

LOCAL_TASKS: dict[str, tuple[str, ...]] = {
    "sts": ("stsb", "sts13", "sts15", "sick"),
    "pairs": ("quora_test", "mrpc"),
    "classification": ("sst2", "subj", "mr", "ag_news", "cr"),
    "clustering": ("stackoverflow20", "newsgroups20_mini"),
    "bitext": ("tatoeba deu", "tatoeba fra"),
    "retrieval": ("scifact", "cranfield", "cacm"),
}


def builtin_tasks(docs: Corpus, *, n_items: int, n_documents: int, n_queries: int, seed: int = 0) -> dict[str, Task]:
    """Six tasks without any download, of `docs`, rows of `pydocs`, and of `cldr`: name -> (kind, data).

    Retrieval of the function of a sentence (`function_search`) and of the sentence of a name; clustering by module
    (the 10 largest); classification by package (the 4 largest); German and French names of what English names
    differently. Each has `n_items` texts or pairs, or what there is.

    Raises:
        ValueError: as `function_search`.
    """
    named = _some(docs, n_items, seed)
    sentences = dict(zip(named.columns["name"], map(first_sentence, named.texts), strict=True))
    names = {f"name {name}": name.replace(".", " ").replace("_", " ") for name in sentences}
    qrels = {f"name {name}": {name: 1} for name in sentences}
    functions = function_search(docs, n_documents=n_documents, n_queries=n_queries, seed=seed)
    return {
        "function of a sentence": ("retrieval", functions),
        "sentence of a name": ("retrieval", Retrieval(sentences, names, qrels, source=docs.source)),
        "module": ("clustering", _some(largest_groups(docs, "module", n=10), n_items, seed)),
        "package": ("classification", _some(largest_groups(docs, "package", n=4), n_items, seed)),
        "German names": ("bitext", _some(load("cldr", subset="en-de").where(same=False), n_items, seed)),
        "French names": ("bitext", _some(load("cldr", subset="en-fr").where(same=False), n_items, seed)),
    }


def local_tasks(*, n_items: int, n_documents: int, n_queries: int, seed: int = 0) -> dict[str, Task]:
    """The 18 tasks of `LOCAL_TASKS`: name -> (kind, data); similarity, pairs and retrieval of the test splits.

    Each has `n_items` texts or pairs, or what there is. Classification takes rows of all splits and names none, so that
    it is cross-validated. Of SciFact and Cranfield `n_queries` queries search their relevant documents and others at
    random, `n_documents` in all; of CACM all queries search all documents.

    Raises:
        UnknownCorpus: a set is not here.
        ValueError: `n_documents` below the number of relevant ones.
    """
    found: dict[str, Task] = {}
    for kind, names in LOCAL_TASKS.items():
        for name in names:
            corpus, _, subset = name.partition(" ")
            split = "test" if kind in ("sts", "pairs") else None
            data: Any = load(corpus, split=split, subset=subset or None)
            if kind == "retrieval":
                found[name] = kind, data if name == "cacm" else _searched(data, n_documents, n_queries, seed)
            else:
                part = _some(data, n_items, seed)
                plain = isinstance(part, Labels)
                found[name] = kind, Labels(part.texts, part.labels, source=part.source) if plain else part
    return found


def largest_groups(docs: Corpus, column: str, *, n: int) -> Labels:
    """First sentences of the rows of the `n` most frequent values of a column, which are the labels."""
    names = [name for name, _ in Counter(docs.columns[column]).most_common(n)]
    part = docs.where(**{column: names})
    return Labels([first_sentence(text) for text in part.texts], part.columns[column], source=docs.source)


def _some(data: Any, n: int, seed: int) -> Any:  # noqa: ANN401 - any record gives a record of its kind
    return data.sample(min(n, len(data)), seed)


def _searched(data: Retrieval, n_documents: int, n_queries: int, seed: int) -> Retrieval:
    return sampled_corpus(_some(data, n_queries, seed), n=min(n_documents, len(data.documents)), seed=seed)
