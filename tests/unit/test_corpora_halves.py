"""First paragraphs and the rest of their texts: what is kept, what is left out, what is refused."""

import pytest

from workbench.corpora import Corpus
from workbench.corpora.halves import first_and_rest

TEXTS = [
    "Open a  file\nfor reading.\n\nThe file must be there.\n\nIt is closed again.",
    "One paragraph and no rest.",
    "Short.\n\nThe file must be there. It is open again.",
    "Open a file for reading.\n\nAnother rest of several words here.",  # a first paragraph that came before
    "Close a file for good.\n\nThe file must be there. It is closed again.",  # a rest that came before
    "\n\nWrite rows to a table.\n\nA row has one value for each column.",
]


def test_a_pair_is_the_first_paragraph_and_all_after_it():
    pairs = first_and_rest(Corpus(TEXTS, {"module": list("abcdef")}), words=(4, 5))
    assert list(pairs.left) == ["Open a file for reading.", "Write rows to a table."]
    assert list(pairs.right) == [
        "The file must be there. It is closed again.",
        "A row has one value for each column.",
    ]
    assert list(pairs.scores) == [1, 1]
    assert list(pairs.columns["module"]) == ["a", "f"]


def test_the_fewest_words_count_for_either_part():
    assert len(first_and_rest(Corpus(TEXTS), words=(1, 5))) == 3
    assert list(first_and_rest(Corpus(TEXTS), words=(5, 9)).left) == ["Open a file for reading."]


@pytest.mark.parametrize(
    ("error", "message", "call"),
    [
        (TypeError, "takes a Corpus, got list", lambda: first_and_rest(TEXTS)),
        (ValueError, "two numbers of 1 or more", lambda: first_and_rest(Corpus(TEXTS), words=(0, 5))),
        (ValueError, "two numbers of 1 or more", lambda: first_and_rest(Corpus(TEXTS), words=(5,))),
        (ValueError, r"no text has .* \(4, 80\)", lambda: first_and_rest(Corpus(TEXTS), words=(4, 80))),
    ],
)
def test_bad_input_is_refused(error, message, call):
    with pytest.raises(error, match=message):
        call()
