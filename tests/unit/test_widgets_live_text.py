"""LiveText without a browser: every number against the encoder, the diagnostics and plain loops."""

import threading
import time

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from workbench.diagnostics import tte_depth
from workbench.encoders import attention_temperature
from workbench.neighbours import knn_graph
from workbench.widgets.live_corpus import LiveCorpus
from workbench.widgets.live_latest import Latest
from workbench.widgets.live_panel import Panel
from workbench.widgets.live_text import LiveText
from workbench.widgets.live_words import near_rows, number_rows, parts, seconds_in_words
from workbench.widgets.map import Map

TEXTS = [
    f"{a} {b} {c}."
    for a in ("A fox", "The cat", "My neighbour", "An old owl")
    for b in ("watches", "has lost")
    for c in ("the river", "a red car", "fresh bread", "new laws", "its engine")
]
EDITED = "The red cat watches a river engine"
HOSTILE = [
    "",
    "   \n\t",
    "\U0001f98a\U0001f468‍\U0001f469‍\U0001f467",
    "שלום עולם",
    "<img src=x onerror=alert(1)>",
    "\x00\x01",
]


@pytest.fixture
def sent(monkeypatch):
    """What any panel sends to its page."""
    messages = []
    monkeypatch.setattr(Panel, "send", lambda _, content: messages.append(content))
    return messages


@pytest.fixture
def vectors(enc):
    return enc.encode(TEXTS, store=False)


@pytest.fixture
def live(enc, vectors):
    return LiveText(enc, TEXTS, x=vectors)


def fresh(enc, text, tau=1.0):
    with attention_temperature(enc, tau):
        return enc.encode([text], store=False)[0]


def ready(live):
    live._panel._hear(live._panel, {"kind": "ready", "view": "a"}, [])


def shown(live, kind):
    return live._panel._shown[kind]


def test_an_edit_is_a_fresh_encode_placed_among_the_rows(enc, live, vectors):
    before = live.result
    assert before.text == TEXTS[0]
    result = live.edit(EDITED)
    vector = fresh(enc, EDITED)
    assert np.abs(result.vector - vector).max() <= 1e-5
    peer = PCA(2).fit(vectors.astype(np.float64))
    expected = peer.transform(vector[None].astype(np.float64))[0]
    assert np.abs(result.point) == pytest.approx(np.abs(expected), abs=1e-5)
    assert live.map.points[-1] == pytest.approx(result.point)
    assert live.map.points[:-1] == pytest.approx(live._state.corpus.points)
    graph = knn_graph(vectors, k=8, queries=vector[None])
    ids, cosines = result.neighbours
    assert ids.tolist() == graph.indices[0].tolist()
    assert cosines == pytest.approx(graph.similarities[0], abs=1e-6)
    assert live.text == EDITED
    assert live.result is result


def test_the_diagnostics_are_those_of_the_library_before_and_after(enc, live, vectors):
    def by_hand(text):
        raw, vector = enc.encode([text], store=False, normalize=False)[0], fresh(enc, text)
        wide = vectors.astype(np.float64)
        entered = 0
        for row in range(len(TEXTS)):
            others = np.delete(wide @ wide[row], row)
            entered += float(wide[row] @ vector) > np.sort(others)[-8] + 1e-6
        return {
            "norm": float(np.linalg.norm(raw)),
            "depth": tte_depth(vector[None], vectors, distance="chord")[0],
            "mean cosine": float((wide @ vector).mean()),
            "hubness": entered,
            "tokens": len(enc.tokenizer(text)["input_ids"]),
        }

    diagnostics = live.edit(EDITED).diagnostics
    old, new = by_hand(TEXTS[0]), by_hand(EDITED)
    assert set(diagnostics) == set(new)
    for name, (before, after) in diagnostics.items():
        assert (before, after) == pytest.approx((old[name], new[name]), abs=2e-5), name
    assert new["hubness"] > 0
    assert live.edit(TEXTS[3]).diagnostics["tokens"][0] == new["tokens"]


def test_a_row_of_the_corpus_lies_on_its_own_point(live):
    result = live.start_from(7)
    assert result.text == TEXTS[7]
    assert result.point == pytest.approx(live.map.points[7], abs=1e-5)
    assert result.neighbours[0][0] == 7
    assert result.neighbours[1][0] == pytest.approx(1, abs=1e-5)
    with pytest.raises(IndexError, match=r"row must lie in 0\.\.39, got 40"):
        live.start_from(40)


def test_leaving_a_token_out_is_the_text_without_its_characters(enc, live):
    text = "  Antidisestablishmentarianism \U0001f98a שלום <b>x"
    whole = fresh(enc, text).astype(np.float64)
    found = live.left_out(text)
    assert "".join(one.token for one in found) == text.replace(" ", "")
    for token, start, end, effect in found:
        assert text[start:end] == token
        rest = fresh(enc, text[:start] + text[end:]).astype(np.float64)
        assert effect == pytest.approx(1 - rest @ whole / np.linalg.norm(rest) / np.linalg.norm(whole), abs=1e-5)
    assert max(one.effect for one in found) > 0.02
    assert live.left_out("") == []
    live.edit("fox runs")
    assert [one.token for one in live.left_out()] == ["fox", "runs"]
    with pytest.raises(TypeError, match="text"):
        live.left_out(3)


def test_a_prompt_is_not_left_out(enc):
    asked = enc.with_settings(prompt="query: ")
    live = LiveText(asked, TEXTS, x=asked.encode(TEXTS, store=False))
    found = live.left_out("fox runs")
    assert [(one.token, one.start, one.end) for one in found] == [("fox", 0, 3), ("runs", 4, 8)]
    rest, whole = fresh(asked, " runs"), fresh(asked, "fox runs")
    assert found[0].effect == pytest.approx(1 - rest @ whole, abs=1e-5)


def test_a_long_text_is_cut_and_it_is_said(enc, live):
    text = "foxes run wild " * 7000
    result = live.edit(text)
    assert np.abs(result.vector - fresh(enc, text)).max() <= 1e-5
    assert result.diagnostics["tokens"][1] == 21_002
    assert shown(live, "result")["note"].startswith("Only the first 256 of 21,002 tokens are read")
    short = LiveText(
        enc.with_settings(max_length=6), TEXTS, x=enc.with_settings(max_length=6).encode(TEXTS, store=False)
    )
    assert [one.token for one in short.left_out("one two three four five six seven")] == ["one", "two", "three", "four"]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_are_read(enc, live, text):
    assert np.abs(live.edit(text).vector - fresh(enc, text)).max() <= 1e-5
    assert ("no words" in shown(live, "result")["note"]) == (not text.strip())
    assert [one.effect >= 0 for one in live.left_out(text)] == [True] * len(live.left_out(text))


def test_what_is_no_text_is_refused_and_changes_nothing(live):
    live.edit(EDITED)
    with pytest.raises(TypeError, match="text"):
        live.edit(b"abc")
    with pytest.raises(ValueError, match="lone surrogate"):
        live.text = "a\ud800"
    assert live.text == EDITED


def test_temperature_and_pooling_are_the_texts_alone(enc, live, vectors):
    live.edit(EDITED)
    assert live.matched
    live.temperature = 0.5
    assert np.abs(live.result.vector - fresh(enc, EDITED, 0.5)).max() <= 1e-5
    assert np.abs(live.result.vector - fresh(enc, EDITED)).max() > 1e-3
    assert enc.attention_temperature == 1
    assert enc.encode(TEXTS[:1], store=False)[0] == pytest.approx(vectors[0], abs=1e-6)
    assert not live.matched
    assert "different encoders until the corpus is embedded anew" in live.said
    assert "different encoders" in live._controls.said
    assert live._controls.embed.layout.display == ""
    live.pooling = "cls"
    own = enc.with_settings(pooling="cls")
    assert np.abs(live.result.vector - fresh(own, EDITED, 0.5)).max() <= 1e-5
    assert (live._controls.temperature.value, live._controls.pooling.value) == (0.5, "cls")
    for wrong in (0, -1, float("nan")):
        with pytest.raises(ValueError, match="tau must be above 0"):
            live.temperature = wrong
    with pytest.raises(ValueError, match="pooling must be one of"):
        live.pooling = "median"
    assert (live.temperature, live.pooling) == (0.5, "cls")
    assert np.abs(live.result.vector - fresh(own, EDITED, 0.5)).max() <= 1e-5


def test_the_corpus_follows_when_it_is_embedded_anew(enc, live, vectors):
    live.edit(EDITED)
    live.temperature = 2
    assert live.estimate() > 0
    assert live.embed_corpus()
    assert live.matched
    with attention_temperature(enc, 2):
        rows = enc.encode(TEXTS, store=False)
    assert live.result.neighbours[1] == pytest.approx(
        knn_graph(rows, k=8, queries=live.result.vector[None]).similarities[0], abs=1e-5
    )
    assert np.abs(live.map.points[:-1] - LiveCorpus(rows, k=8).points).max() < 1e-4
    # the vectors it began with are kept
    live.temperature = 1
    assert live.matched
    assert np.abs(live.map.points[:-1] - LiveCorpus(vectors, k=8).points).max() < 1e-6


def test_an_embedding_ends_when_it_is_stopped_or_the_settings_change(live, monkeypatch):
    live.temperature = 2
    monkeypatch.setattr(live, "_progress", lambda _: live.stop_embedding())
    live._state.embed(live._progress)
    assert not live.embed_corpus()
    monkeypatch.setattr(live, "_progress", lambda _: setattr(live._state.reader, "temperature", 3))
    assert not live.embed_corpus()
    assert not live.matched


def test_the_page_edits_and_hears_of_the_tokens_in_a_second_message(live, sent):
    ready(live)
    assert live._latest.join(20)
    assert [message["kind"] for message in sent].index("result") < [message["kind"] for message in sent].index("left")
    sent.clear()
    for seq, text in enumerate(["a", "a f", "a fox"], start=1):
        live._panel._hear(live._panel, {"kind": "edit", "text": text, "seq": seq, "view": "a"}, [])
    assert live._latest.join(20)
    answers = [message["seq"] for message in sent if message["kind"] == "answer"]
    assert answers[-1] == 3
    assert live.text == shown(live, "text")["text"] == "a fox"
    [left] = [message for message in sent if message["kind"] == "left"]
    assert [part[0] for part in left["parts"]] == ["a", " ", "fox"]
    assert len(left["rows"]) == 2
    live._panel._hear(live._panel, {"kind": "edit", "text": 7, "seq": 4, "view": "a"}, [])
    live._panel._hear(live._panel, {"kind": "edit", "text": "x\ud800", "seq": 5, "view": "a"}, [])
    assert live._latest.join(20)
    assert "lone surrogate" in shown(live, "result")["note"]
    assert shown(live, "result")["wrong"]
    assert live.text == "a fox"


def test_the_controls_set_what_python_sets(live):
    live._controls.temperature.value = 0.7
    live._controls.pooling.value = "max"
    assert (live.temperature, live.pooling) == (0.7, "max")
    live.temperature = 9
    assert live._controls.temperature.value == 9
    live.temperature, live.pooling = 1, "mean"
    live._controls.near.click()
    assert live.selection.tolist() == sorted([*live.result.neighbours[0].tolist(), len(TEXTS)])
    assert live._controls.start.disabled
    live.selection = [5]
    assert not live._controls.start.disabled
    live._controls.start.click()
    assert live.text == TEXTS[5]


def test_columns_colour_the_map(enc, vectors):
    live = LiveText(enc, TEXTS, x=vectors, columns={"length": [len(t) for t in TEXTS], "kind": ["<b>"] * 40})
    assert [label for label, _ in live.map._colouring.kinds] == ["corpus", "the text"]
    live._controls.colour.value = "length"
    assert live.map._colouring.form == "numbers"
    assert live.map._colouring.codes[-1] == 255
    live.colour_by(None)
    assert live._controls.colour.value == ""
    with pytest.raises(ValueError, match="columns are"):
        live.colour_by("size")


def test_nothing_of_the_texts_is_saved(live):
    live.edit("a secret fox")
    live.left_out()
    state = str([widget.get_state() for widget in (live, live.map, live._panel, live._controls._said)])
    assert "secret" not in state
    assert "neighbour" not in state.replace("neighbours", "")
    assert "secret" not in live.summary
    assert "nearest text has cosine" in live.saved_page("m")


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"encoder": "all-MiniLM-L6-v2"}, TypeError, "encoder"),
        ({"texts": "abc"}, ValueError, "texts must have one entry"),
        ({"texts": ["a", 3]}, TypeError, "texts must be str, got int in row 1"),
        ({"texts": ["a"]}, ValueError, "k must be at least 1 and below the number of texts, 1, got 8"),
        ({"k": 0}, ValueError, "got 0"),
        ({"k": 40}, ValueError, "below the number of texts, 40, got 40"),
        ({"x": np.ones((3, 384), np.float32)}, ValueError, "x must have one row for each of the 40 texts, got 3"),
        ({"x": np.ones((40, 12), np.float32)}, ValueError, "x must have 384 columns"),
        ({"x": np.ones((40, 384), np.float32)}, ValueError, "x: row 0 is not the vector"),
        ({"columns": {"a": [1]}}, ValueError, "one entry for each of the 40 points"),
    ],
)
def test_wrong_arguments_are_refused(enc, vectors, changes, error, words):
    given = {"encoder": enc, "texts": TEXTS, "x": vectors} | changes
    with pytest.raises(error, match=words):
        LiveText(given.pop("encoder"), given.pop("texts"), **given)


def test_vectors_keep_the_scale_that_was_given(enc, vectors):
    raw = enc.encode(TEXTS, store=False, normalize=False)
    live = LiveText(enc, TEXTS, x=torch.from_numpy(raw))
    assert np.linalg.norm(live.result.vector) == pytest.approx(np.linalg.norm(raw[0]), rel=1e-4)
    with pytest.raises(ValueError, match="encoder's lengths or 1, row 0 has 5"):
        LiveText(enc, TEXTS, x=vectors * 5)
    given = enc.with_settings(pooling="max")
    assert LiveText(given, TEXTS[:9], x=given.encode(TEXTS[:9], store=False)).pooling == "max"


def test_an_encoder_inside_a_temperature_keeps_it(enc):
    with attention_temperature(enc, 0.5):
        live = LiveText(enc, TEXTS, x=enc.encode(TEXTS, store=False))
    assert live.temperature == 0.5
    assert np.abs(live.result.vector - fresh(enc, TEXTS[0], 0.5)).max() <= 1e-5


def test_a_corpus_of_one_direction_has_one_axis():
    corpus = LiveCorpus(np.array([[1.0, 0], [2, 0], [4, 0]]), k=1)
    assert corpus.place(np.array([3.0, 5])) == pytest.approx([2 / 3, 0], abs=1e-12)
    two = LiveCorpus(np.array([[1.0, 0, 0], [0, 1, 0]]), k=1)
    assert two.points[:, 1].tolist() == [0, 0]
    same = LiveCorpus(np.ones((4, 3)), k=2)
    assert same.place(np.array([1.0, 2, 3])).tolist() == [0, 0]
    assert same.nearest(same.cosines(np.ones(3)))[0].tolist() == [0, 1]
    assert same.depth(np.ones(3), same.cosines(np.ones(3))) == pytest.approx(2, abs=1e-6)
    assert same.hubness(same.cosines(np.ones(3))) == 0
    with pytest.raises(ValueError, match="zero"):
        LiveCorpus(np.zeros((3, 2)), k=1)


def test_hubness_beyond_the_bound_is_a_share_of_those_asked(monkeypatch):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(900, 8)).astype(np.float32)
    vector = x.mean(axis=0) + 0.1 * x[3]
    exact = LiveCorpus(x, k=10)
    known = exact.hubness(exact.cosines(vector))
    monkeypatch.setattr("workbench.widgets.live_corpus.ASKED_ALL", 100)
    monkeypatch.setattr("workbench.widgets.live_corpus.ASKED", 450)
    some = LiveCorpus(x, k=10)
    assert len(some.asked) == 450
    cosines = some.cosines(vector)
    inside = (
        cosines[some.asked] > np.array([np.sort(np.delete(exact.cosines(x[i]), i))[-10] for i in some.asked]) + 1e-6
    )
    assert some.hubness(cosines) == pytest.approx(inside.sum() * 2)
    assert known > 5


def test_the_newest_job_wins_and_the_thread_ends(monkeypatch):
    monkeypatch.setattr("workbench.widgets.live_latest.IDLE", 0.05)
    latest, done, started, go = Latest(), [], threading.Event(), threading.Event()

    def slow(newest):
        started.set()
        go.wait(5)
        done.append(("slow", newest()))

    latest.put(slow)
    assert started.wait(5)
    latest.put(lambda _: done.append("dropped"))
    latest.put(lambda newest: done.append(("last", newest())))
    go.set()
    assert latest.join(5)
    assert done == [("slow", False), ("last", True)]
    for _ in range(50):  # a busy machine lets it end late
        time.sleep(0.1)
        if not [t for t in threading.enumerate() if t.name == "workbench-latest"]:
            break
    assert not [t for t in threading.enumerate() if t.name == "workbench-latest"]
    latest.put(lambda _: done.append("again"))
    assert latest.join(5)
    assert done[-1] == "again"


def test_words():
    assert [seconds_in_words(s) for s in (0.3, 2.34, 45.2, 240, 7200)] == [
        "less than a second",
        "about 2.3 s",
        "about 45 s",
        "about 4 min",
        "about 2 h",
    ]
    rows = number_rows({"depth": (0.5, 0.25), "tokens": (1200, 1203)}, k=8, sampled=False)["rows"]
    assert [row[1:] for row in rows] == [["0.5000", "0.2500", "−0.2500"], ["1,200", "1,203", "+3"]]
    near = near_rows(np.array([1, 0]), np.array([0.5, 0.25]), ["a" * 300, "<b>"])["rows"]
    assert near[0] == [1, "0.5000", "<b>"]
    assert len(near[1][2]) == 200
    assert parts("ab", []) == []


def test_points_are_moved_one_by_one(monkeypatch):
    messages = []
    monkeypatch.setattr(Map, "send", lambda _, content, buffers=None: messages.append((content, buffers)))
    map = Map(np.arange(10.0).reshape(5, 2))
    map._hear(map, {"kind": "ready", "view": "a"}, [])
    assert messages[-1][0]["moved"] == []
    map.move([3, 1], [[1, 1], [0, 8]])
    assert map.points.tolist() == [[0, 1], [0, 8], [4, 5], [1, 1], [8, 9]]
    content, buffers = messages[-1]
    assert content == {"kind": "move"}
    assert np.frombuffer(buffers[0], "<u4").tolist() == [3, 1]
    assert np.frombuffer(buffers[1], "<f4").reshape(2, 2) == pytest.approx((np.array([[1, 1], [0, 8]]) - [4, 5]) / 4)
    map._hear(map, {"kind": "ready", "view": "b"}, [])
    assert messages[-1][0]["moved"] == [3, 1]
    for ids, points, error, words in (
        ([5], [[0, 0]], ValueError, "0..4, got 5"),
        ([1, 1], [[0, 0], [1, 1]], ValueError, "distinct, one for each of the 2 points"),
        ([1], [[0, 0], [1, 1]], ValueError, "distinct"),
        ([0.5], [[0, 0]], TypeError, "whole numbers"),
        ([1], [[0, np.nan]], ValueError, "finite"),
    ):
        with pytest.raises(error, match=words):
            map.move(ids, points)
    assert map.points[1].tolist() == [0, 8]
