import pytest

from workbench.corpora import Corpus, load
from workbench.corpora.views import function_views

WORDS = [
    "alpha",
    "beta",
    "gamma",
    "delta",
    "epsilon",
    "zeta",
    "eta",
    "theta",
    "iota",
    "kappa",
    "lambda",
    "mu",
    "nu",
    "xi",
    "omicron",
    "pi",
    "rho",
    "sigma",
    "tau",
]


def rows(n=40):
    names = [f"package.module.f{i}" for i in range(n)]
    own = [" ".join(f"{w}{i}" for w in WORDS[:9]) for i in range(n)]
    texts = [f"Gives the number {i} back to {w}{i}.\n\n{own[i]} end." for i, w in enumerate((WORDS * 9)[:n])]
    code = [f"def f{i}(a{i}):\n    return a{i} + {i} * b{i} - c{i}" for i in range(n)]
    return Corpus(texts, {"name": names, "module": ["package.module"] * n, "code": code})


def made(**how):
    return function_views(rows(), **({"n_functions": 30, "n_test": 10, "share": 0.5} | how))


@pytest.mark.parametrize(("share", "n_documents"), [(0, 30), (0.5, 45), (1, 60)])
def test_a_share_of_the_functions_has_a_second_answer(share, n_documents):
    data = made(share=share)
    assert len(data.queries) == 30
    assert len(data.documents) == n_documents
    assert sum(len(q) for q in data.qrels.values()) == n_documents
    for query, labelled in zip(data.queries, data.columns["labelled"], strict=True):
        assert data.qrels[query][labelled] == 1


def test_both_forms_are_labels_and_hold_what_they_should():
    data = made(share=1)
    labels = data.columns["labelled"]
    assert {label.rpartition(" ")[2] for label in labels} == {"(source)", "(text)"}
    query = "query package.module.f3"
    number = next(i for i, q in enumerate(rows().columns["name"]) if q.endswith(".f3"))
    assert data.queries[query] == rows().texts[number].split("\n")[0]
    source = data.documents["package.module.f3 (source)"]
    assert source == f"module.f3 {rows().columns['code'][number]}"
    assert data.documents["package.module.f3 (text)"] == f"module.f3 {rows().texts[number].split(chr(10))[2]}"


def test_the_first_queries_are_the_test_whatever_the_share():
    one, other = made(share=0), made(share=1)
    assert one.columns["split"] == ("test",) * 10 + ("train",) * 20
    assert list(one.queries) == list(other.queries)
    assert one.columns["labelled"] == other.columns["labelled"]
    assert set(one.documents) < set(other.documents)


def test_the_draw_is_its_seed():
    assert made().source.fingerprint == made().source.fingerprint != made(seed=1).source.fingerprint


def test_a_function_without_a_rest_or_alike_another_is_left_out():
    docs = rows(31)
    texts, code = list(docs.texts), list(docs.columns["code"])
    texts[0] = "Gives the number 0 back to alpha.\n\nToo short."
    code[1] = code[2]
    bad = Corpus(texts, {**docs.columns, "code": code})
    with pytest.raises(ValueError, match="29 distinct functions with two views, n_functions=30"):
        function_views(bad, n_functions=30, n_test=5, share=0.5)


def test_real_docstrings_give_searches():
    data = function_views(load("pydocs", scope="stdlib-core"), n_functions=60, n_test=20, share=0.5)
    assert len(data.documents) == 90
    assert all(len(text.split()) >= 2 for text in data.documents.values())


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"n_test": 0}, "n_test must be in 1..n_functions - 1"),
        ({"n_test": 30}, "n_test must be in 1..n_functions - 1"),
        ({"share": 1.5}, "share must be in"),
        ({"n_functions": 41}, "40 distinct functions"),
    ],
)
def test_bad_numbers_are_refused(how, message):
    with pytest.raises(ValueError, match=message):
        made(**how)


def test_rows_of_another_set_are_refused():
    with pytest.raises(ValueError, match="has no column 'name'"):
        function_views(Corpus(["a"]), n_functions=2, n_test=1, share=0.5)
