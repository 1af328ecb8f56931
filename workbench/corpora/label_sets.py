"""Sets to cluster, with as many texts of each label; and texts less the words that name the labels."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from workbench.corpora.records import Labels

__all__ = ["label_sets", "unlabelled", "without_label_words"]

_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")  # the words of IfcFlowTerminal are three
_RUN = re.compile(r"[^\W\d_]+")
SHORTEST = 4  # letters of a label's word that says something: not "and", "of", "Ifc"


def label_sets(schemes: Mapping[str, Labels], *, per_label: int, n_sets: int, most: int = 6, seed: int = 0) -> Labels:
    """Disjoint sets of texts to cluster, `per_label` texts of each label in each; columns "scheme" and "set" say which.

    Of each scheme (name -> texts and labels) those labels take part that have `per_label` * `n_sets` texts, at most
    the `most` most frequent; '' is no label. A scheme with fewer than two is left out. Texts are drawn as `sample`
    draws them; the rows of a set stand together. Further columns are those that all schemes have.

    Raises:
        ValueError: `per_label` or `n_sets` below 1, `most` below 2, or no scheme with two such labels.

    Reference: Shahinmoghadam and Motamedi 2024 (sets of several label schemes; they draw unlike texts, not random
        ones).
    """
    if min(per_label, n_sets) < 1 or most < 2:
        raise ValueError(f"per_label and n_sets must be 1 or more, most 2, got {per_label}, {n_sets} and {most}")
    shared = [name for name in _first(schemes) if all(name in data.columns for data in schemes.values())]
    texts, labels, columns = [], [], {name: [] for name in (*shared, "scheme", "set")}
    for scheme, data in schemes.items():
        places = _places(data, seed)
        large = sorted((name for name in places if len(places[name]) >= per_label * n_sets), key=str)
        large = sorted(large, key=lambda name: -len(places[name]))[:most]
        if len(large) < 2:
            continue
        for number in range(n_sets):
            rows = [i for name in large for i in places[name][number * per_label : (number + 1) * per_label]]
            texts += [data.texts[i] for i in rows]
            labels += [data.labels[i] for i in rows]
            for name in shared:
                columns[name] += [data.columns[name][i] for i in rows]
            columns["scheme"] += [scheme] * len(rows)
            columns["set"] += [f"{scheme}, set {number}"] * len(rows)
    if not texts:
        raise ValueError(f"no scheme has two labels of {per_label * n_sets} texts, the schemes are {list(schemes)}")
    return Labels(texts, labels, columns, source=next(iter(schemes.values())).source)


def without_label_words(texts: Sequence[str], labels: Iterable[str], *, letters: int = 5) -> list[str]:
    """The texts less every word that begins as a word of some label does: its first `letters` letters, in any case.

    A label's words have 4 letters or more and are told apart by capitals, as in IfcFlowTerminal. Of the texts only
    runs of letters go, so "fastener-like" keeps its second half. White space is made single; a text may come out empty.

    Raises:
        TypeError: `labels` is one str.
        ValueError: `letters` below 4, or no label with such a word.
    """
    if isinstance(labels, str):
        raise TypeError(f"labels must be several texts, got the one str {labels!r}")
    if letters < SHORTEST:
        raise ValueError(f"letters must be {SHORTEST} or more, got {letters}")
    words = {word.lower() for label in labels for word in _WORD.findall(label)}
    stems = tuple(sorted(word[:letters] for word in words if len(word) >= SHORTEST))
    if not stems:
        raise ValueError(f"no label has a word of {SHORTEST} letters")
    kept = (_RUN.sub(lambda found: "" if found[0].lower().startswith(stems) else found[0], text) for text in texts)
    return [" ".join(text.split()) for text in kept]


def unlabelled(sets: Labels, texts: Sequence[str], *, letters: int = 5) -> list[str]:
    """`without_label_words` for the rows of `label_sets`, each with all labels of its scheme.

    `texts` are the sets' own or others for the same rows, in their order.

    Raises:
        ValueError: no column "scheme", not one text for each row, or as `without_label_words`.
    """
    if "scheme" not in sets.columns or len(texts) != len(sets):
        raise ValueError(f"unlabelled takes rows of label_sets and a text for each of {len(sets)}, got {len(texts)}")
    kept, rows = list(texts), defaultdict(list)
    for i, scheme in enumerate(sets.columns["scheme"]):
        rows[scheme].append(i)
    for places in rows.values():
        labels = [str(name) for name in sorted({sets.labels[i] for i in places}, key=str)]
        for i, text in zip(
            places, without_label_words([kept[i] for i in places], labels, letters=letters), strict=True
        ):
            kept[i] = text
    return kept


def _first(schemes: Mapping[str, Labels]) -> list[str]:
    """Names of the columns of the first scheme; none where there is no scheme."""
    return next((list(data.columns) for data in schemes.values()), [])


def _places(data: Labels, seed: int) -> dict[str | int, list[int]]:
    """Rows of each label but '', in a drawn order."""
    numbered = Labels(data.texts, range(len(data)), source=data.source)  # the draw goes by the text alone
    places: dict[str | int, list[int]] = defaultdict(list)
    for i in numbered.sample(len(data), seed).labels:
        if data.labels[int(i)] != "":
            places[data.labels[int(i)]].append(int(i))
    return places
