"""Pinned sets: the table, and the real clients against a stand-in hub."""

import gzip
import inspect
import re

import numpy as np
import pytest

from tests.standin_hub import REVISION, Client, StandInHub, lines, parquet, readme, tiny_model
from tests.unit.conftest import empty_project
from workbench.corpora import hub, pin
from workbench.corpora.known import KNOWN
from workbench.corpora.local import RECORDS, data_root, load_local
from workbench.corpora.pinned import PINNED

TEXTS = [inspect.getdoc(getattr(str, name)) for name in dir(str) if not name.startswith("_")]  # built into Python
PARTS = {
    "default": {"test": "qrels/test.jsonl"},
    "corpus": {"corpus": "corpus.jsonl"},
    "queries": {"queries": "q.jsonl"},
}


@pytest.mark.parametrize("name", PINNED)
def test_every_pinned_set_names_a_commit_and_the_columns_of_its_record(name):
    pinned = PINNED[name]
    assert re.fullmatch(r"[0-9a-f]{40}", pinned.revision)
    assert re.fullmatch(r"[\w-]+/[\w.-]+", pinned.repo)
    wanted = {
        "Pairs": ({"left", "right"}, {"scores"}),
        "Labels": ({"texts", "labels"}, set()),
        "Retrieval": (set(), set()),
    }
    needed, may = wanted[pinned.record]
    assert needed <= set(pinned.columns) <= needed | may
    assert set(pinned.rows) <= {"train", "dev", "test"}
    assert all(count is None or count > 0 for count in (*pinned.rows.values(), pinned.documents, pinned.relevant))


def test_no_two_sets_are_pinned_to_the_same_rows():
    assert len({(p.repo, p.revision, p.config) for p in PINNED.values()}) == len(PINNED)


@pytest.mark.parametrize("name", sorted(set(PINNED) & set(KNOWN)))
def test_a_set_of_the_same_name_is_the_same_kind_of_record(name):
    schema, rows = KNOWN[name]
    assert RECORDS[schema].__name__ == PINNED[name].record
    assert PINNED[name].documents in (None, rows)


@pytest.mark.local
@pytest.mark.parametrize("name", sorted(set(PINNED) & set(KNOWN)))
def test_the_pinned_counts_are_those_of_the_local_files(name):
    [split] = PINNED[name].rows
    local = load_local(data_root() / name, split=split)
    assert len(local) == PINNED[name].rows[split]
    if PINNED[name].record == "Retrieval":
        assert sum(r != 0 for judged in local.qrels.values() for r in judged.values()) == PINNED[name].relevant


@pytest.mark.parametrize("ask", [hub.load_hub, hub.hub_fingerprint, hub.is_cached])
def test_a_name_that_is_not_pinned_is_a_lookup_error(ask):
    with pytest.raises(LookupError, match="no pinned set is named 'scifac'; the nearest is 'scifact'"):
        ask("scifac")


def test_a_fingerprint_follows_what_decides_the_rows_and_nothing_else(monkeypatch):
    prints = set()
    for other in (
        pin.sts("o/n", REVISION, test=2),
        pin.sts("o/m", REVISION, test=2),
        pin.sts("o/n", REVISION[::-1], test=2),
        pin.yes_no("o/n", REVISION, test=2),
        pin.labels("o/n", REVISION, test=2),
        pin.labels("o/n", REVISION, test=2, config="en"),
    ):
        monkeypatch.setitem(PINNED, "small", other)
        prints.add(hub.hub_fingerprint("small"))
    assert len(prints) == 6
    before = hub.hub_fingerprint("scifact")
    assert re.fullmatch(r"[0-9a-f]{64}", before)
    assert before == hub.hub_fingerprint("scifact")
    monkeypatch.setattr(hub, "READER", 2)
    assert hub.hub_fingerprint("scifact") != before


@pytest.fixture(scope="module")
def standin():
    with StandInHub() as running:
        yield running


@pytest.fixture(scope="module")
def client(standin, tmp_path_factory):
    root = tmp_path_factory.mktemp("client")
    with Client(empty_project(root / "home"), root / "cache", standin.address) as running:
        yield running


def pinned_in(client, name, form, repo, **facts):
    answer = client.do(
        "from workbench.corpora import hub, pin\nfrom workbench.corpora.pinned import PINNED\n"
        f"PINNED[{name!r}] = pin.{form}({repo!r}, {REVISION!r}, **{facts!r})"
    )
    assert "error" not in answer, answer


def loaded_twice(standin, client, code):
    """What `code` gives, the first and the second time, and the file requests of the second."""
    first = client.do(code)
    standin.asked.clear()
    second = client.do(code)
    assert first.get("value") is not None, first
    return first["value"], second["value"], standin.files_asked(), second["seconds"]


def test_a_similarity_set_is_fetched_once(standin, client):
    scores = [len(text) / 1000 for text in TEXTS]
    content = parquet(sentence1=TEXTS, sentence2=TEXTS[::-1], score=scores)
    standin.add("dataset", "owner/similar", {"README.md": b"# texts\n", "data/test-00000-of-00001.parquet": content})
    pinned_in(client, "similar", "sts", "owner/similar", test=len(TEXTS))
    code = "r = hub.load_hub('similar'); value = [r.left, r.right, r.scores.tolist(), hub.is_cached('similar')]"
    assert client.do("value = hub.is_cached('similar')")["value"] is False
    first, second, files, seconds = loaded_twice(standin, client, code)
    assert first == second == [TEXTS, TEXTS[::-1], scores, True]
    assert standin.asked == files == []
    assert seconds < 5


def test_the_rows_are_those_that_the_library_itself_reads_from_the_hub(standin, client):
    content = parquet(sentence1=TEXTS, sentence2=TEXTS[::-1], score=list(map(len, TEXTS)))
    standin.add("dataset", "owner/plain", {"README.md": b"# texts\n", "data/test-00000-of-00001.parquet": content})
    pinned_in(client, "plain", "sts", "owner/plain", test=len(TEXTS))
    ours = client.do("r = hub.load_hub('plain'); value = [r.left, r.right, r.scores.tolist()]")
    code = f"import datasets\nd = datasets.load_dataset('owner/plain', revision={REVISION!r}, split='test')\n"
    plain = client.do(code + "value = [list(d[c]) for c in ('sentence1', 'sentence2', 'score')]")
    assert plain.get("value") == ours["value"], plain


def test_a_classification_set_is_fetched_once(standin, client):
    rows = [{"text": text, "label": len(text) % 3, "label_text": str(len(text) % 3)} for text in TEXTS]
    standin.add("dataset", "owner/classes", {f"{s}.jsonl.gz": gzip.compress(lines(rows)) for s in ("train", "test")})
    pinned_in(client, "classes", "labels", "owner/classes", test=len(rows), train=len(rows))
    code = "r = hub.load_hub('classes', split='train'); value = [list(r.texts), list(r.labels)]"
    first, second, files, _ = loaded_twice(standin, client, code)
    assert first == second == [TEXTS, [len(text) % 3 for text in TEXTS]]
    assert files == []


def test_a_retrieval_set_is_fetched_once(standin, client):
    judged = [{"query-id": f"q{i}", "corpus-id": f"d{i}", "score": 1} for i in range(len(TEXTS))]
    held = {
        "README.md": readme(**PARTS),
        "qrels/test.jsonl": lines(judged),
        "corpus.jsonl": lines([{"_id": f"d{i}", "title": "", "text": text} for i, text in enumerate(TEXTS)]),
        "q.jsonl": lines([{"_id": f"q{i}", "text": text.splitlines()[0]} for i, text in enumerate(TEXTS)]),
        "script.py": b"raise RuntimeError('never run')",
    }
    standin.add("dataset", "owner/search", held)
    pinned_in(client, "search", "judged", "owner/search", documents=len(TEXTS), queries=len(TEXTS), relevant=len(TEXTS))
    code = "r = hub.load_hub('search'); value = [list(r.documents.values()), list(r.queries.values()), r.qrels]"
    standin.asked.clear()
    client.do(code)
    assert not any("script.py" in line for line in standin.asked)
    first, second, files, _ = loaded_twice(standin, client, code)
    titles = [text.splitlines()[0] for text in TEXTS]
    assert first == second == [TEXTS, titles, {f"q{i}": {f"d{i}": 1} for i in range(len(TEXTS))}]
    assert files == []


def test_a_model_is_fetched_once_and_encodes_as_where_it_was_made(standin, client, tmp_path):
    from workbench.encoders import load_encoder

    standin.add("model", "owner/tiny", tiny_model(tmp_path / "tiny", ["return", "a", "copy", "of", "the", "string"]))
    code = """
from workbench.encoders import load_encoder
value = load_encoder("owner/tiny", device="cpu").encode(["Return a copy of the string"], store=False).tolist()
"""
    first, second, files, _ = loaded_twice(standin, client, code)
    made = load_encoder(tmp_path / "tiny", device="cpu").encode(["Return a copy of the string"], store=False)
    np.testing.assert_allclose(first, made, atol=1e-6)
    assert first == second
    assert files == []
