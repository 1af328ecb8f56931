import pytest

from workbench.corpora import Corpus, Retrieval, function_search, load, title_and_body
from workbench.corpora.searches import first_sentence

CODES = {
    "a.add": "def add(x, y):\n    return x + y",
    "a.Box.open": "def open(self):\n    self.lid = None\n    return self",
    "b.walk": "def walk(tree):\n    for node in tree:\n        yield from walk(node)",
    "b.sort": "def sort(rows):\n    rows.sort(key=len)\n    return rows",
}
SENTENCES = {
    "a.add": "Add one number to the other.",
    "a.Box.open": "Open it.",  # too short for a query
    "b.walk": "Yield every node below a tree.",
    "b.sort": "Put the shortest row of a table first.",
}


def functions(**columns) -> Corpus:
    rows = {
        "name": list(CODES),
        "module": [name[0] for name in CODES],
        "package": [name[0] for name in CODES],
        "code": list(CODES.values()),
    }
    return Corpus([f"{s} More of it.\n\nAnd the rest." for s in SENTENCES.values()], rows | columns)


def with_row(name, sentence, code):
    whole = functions()
    columns = {k: [*v, {"name": name, "code": code}.get(k, name[0])] for k, v in whole.columns.items()}
    return Corpus([*whole.texts, f"{sentence} And something else entirely."], columns)


def test_a_query_is_the_first_sentence_and_its_answer_the_function():
    data = function_search(functions(), n_documents=4, n_queries=3)
    assert data.documents == {name: f"{name} {code}" for name, code in CODES.items()}
    assert data.queries == {f"query {n}": s for n, s in SENTENCES.items() if n != "a.Box.open"}
    assert data.qrels == {f"query {n}": {n: 1} for n in CODES if n != "a.Box.open"}
    assert dict(zip(data.queries, data.columns["module"], strict=True))["query b.walk"] == "b"
    assert dict(zip(data.documents, data.document_columns["title"], strict=True)) == {n: n for n in CODES}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("One. Two.", "One."),
        ("One two\n  three.\n\nFour.", "One two three."),
        ("Reads e.g. a file, i.e. bytes. Then stops.", "Reads e.g. a file, i.e. bytes."),
        ("  Is it so?  Yes.", "Is it so?"),
        ("No stop", "No stop"),
    ],
)
def test_where_a_sentence_ends(text, sentence):
    assert first_sentence(text) == sentence


@pytest.mark.parametrize(
    ("name", "sentence", "code"),
    [
        ("b.walk2", "Yield every node below a tree!", "def walk2(x):\n    return list(x.nodes())"),  # the same query
        ("b.walk3", "Go through all that hangs on a root.", CODES["b.walk"]),  # the same source
        ("b.walk", "Set what the walker is to skip.", "def walk(self, value):\n    self.skip = value"),  # the same name
    ],
)
def test_a_second_answer_to_a_query_is_neither_document_nor_query(name, sentence, code):
    data = function_search(with_row(name, sentence, code), n_documents=4, n_queries=3)
    assert len(data.documents) == len(data.queries) + 1 == 4
    kinds = [key for key in data.documents if key.startswith("b.walk")]
    assert len(kinds) == 1
    with pytest.raises(ValueError, match="4 distinct functions, n_documents=5 wanted"):
        function_search(with_row(name, sentence, code), n_documents=5, n_queries=1)


def test_a_function_that_has_nothing_in_common_stays():
    data = function_search(
        with_row("c.f", "Ask the server for a page.", "def f(url):\n    return get(url)"), n_documents=5, n_queries=4
    )
    assert "c.f" in data.documents
    assert data.queries["query c.f"] == "Ask the server for a page."


def test_a_row_without_code_is_left_out():
    data = function_search(functions(code=["", *list(CODES.values())[1:]]), n_documents=3, n_queries=2)
    assert "a.add" not in data.documents


def test_no_query_of_fewer_than_4_or_more_than_40_words():
    long = Corpus([" ".join(["word"] * 41), "Give back the sum."], {k: [0, 1] for k in ("module", "package")} | {
        "name": ["f", "g"], "code": ["def f(): return 1 + 2 + 3", "def g(x): return sum(x)"]})  # fmt: skip
    assert list(function_search(long, n_documents=2, n_queries=1).queries) == ["query g"]
    with pytest.raises(ValueError, match="1 of 2 functions make a query, n_queries=2 wanted"):
        function_search(long, n_documents=2, n_queries=2)


def test_the_draw_depends_on_seed_and_texts_alone():
    docs = load("pydocs", scope="stdlib-core")
    assert isinstance(docs, Corpus)
    small, large = (function_search(docs, n_documents=n, n_queries=n // 4, seed=1) for n in (60, 200))
    turned = function_search(docs.take(range(len(docs) - 1, -1, -1)), n_documents=60, n_queries=15, seed=1)
    other = function_search(docs, n_documents=60, n_queries=15, seed=2)
    assert list(small.documents) == list(large.documents)[:60] == list(turned.documents)
    assert list(small.queries) == list(large.queries)[:15]
    assert list(small.documents) != list(other.documents)
    assert small.source.fingerprint == turned.source.fingerprint
    assert len({x.source.fingerprint for x in (small, large, other)}) == 3
    code = dict(zip(docs.columns["name"], docs.columns["code"], strict=True))
    assert all(text == f"{name} {code[name]}" for name, text in small.documents.items())


def test_bad_draws_are_refused():
    with pytest.raises(ValueError, match="no column 'code'"):
        function_search(Corpus(["a"], {"name": ["a"], "module": ["a"], "package": ["a"]}), n_documents=1, n_queries=1)
    for n, q in ((0, 1), (1, 0)):
        with pytest.raises(ValueError, match=f"at least 1, got {n} and {q}"):
            function_search(functions(), n_documents=n, n_queries=q)
    with pytest.raises(ValueError, match="4 rows have code, n_documents=5 wanted"):
        function_search(functions(), n_documents=5, n_queries=1)


def test_title_and_body_are_the_document_without_and_with_its_beginning():
    data = Retrieval({"1": "On bees Bees fly.", "2": "Untitled."}, {"q": "bees"}, {"q": {"1": 1}},
                     document_columns={"title": ["On bees", ""]})  # fmt: skip
    assert title_and_body(data) == ({"1": "On bees", "2": ""}, {"1": "Bees fly.", "2": "Untitled."})


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({}, "no document has a title"),
        ({"title": ["", ""]}, "no document has a title"),
        ({"title": ["On ants", ""]}, "document '1' does not begin with its title 'On ants'"),
    ],
)
def test_documents_without_the_field_are_refused(columns, words):
    data = Retrieval({"1": "On bees Bees fly.", "2": "x"}, {"q": "bees"}, {"q": {"1": 1}}, document_columns=columns)
    with pytest.raises(ValueError, match=words):
        title_and_body(data)
