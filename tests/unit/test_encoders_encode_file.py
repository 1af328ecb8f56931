"""A file in, a file out: the same rows as `encode`, every refusal before work starts, nothing done twice."""

import csv
import inspect
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from filelock import FileLock

from tests.faults.tiny_bert import WIDTH, make_tiny_bert
from workbench.encoders import file_encoding as module
from workbench.encoders import load_encoder
from workbench.encoders.file_encoding import encode_file

pytestmark = pytest.mark.usefixtures("home")

TEXTS = [
    "text number 1",
    "",
    'rows, "texts"\tand columns',
    "text\nnumber\r\n2",
    "caf\u00e9 \u6f22\u5b57 \U0001f600 \u2028 \x85 \x0b one line",
    "  text  ",
    "text number 1",
    "NA",
    "null",
    "007",
    "number 5 " * 30_000,
]
LINES = [text for text in TEXTS if "\n" not in text]


@pytest.fixture(scope="module")
def tiny_folder(tmp_path_factory):
    return make_tiny_bert(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def tiny(tiny_folder):
    return load_encoder(tiny_folder, device="cpu")


@pytest.fixture
def seen(tiny, monkeypatch):
    """The numbers of texts that went through the model, call by call."""
    calls, whole = [], tiny.pooled
    monkeypatch.setattr(tiny, "pooled", lambda ids: calls.append(len(ids)) or whole(ids))
    return calls


def write(path, texts, column="text"):
    """The texts as a file of the kind that the path says, with a column of numbers beside them."""
    numbers = [str(i) for i in range(len(texts))]
    if path.suffix == ".txt":
        path.write_bytes("".join(text + "\n" for text in texts).encode())
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps({"n": i, column: text}) + "\n" for i, text in enumerate(texts)))
    elif path.suffix == ".parquet":
        pq.write_table(pa.table({"n": pa.array(range(len(texts)), pa.int16()), column: texts}), path)
    else:
        with path.open("w", newline="", encoding="utf-8") as file:
            lines = csv.writer(file, delimiter="\t" if path.suffix == ".tsv" else ",")
            lines.writerows([["n", column], *zip(numbers, texts, strict=True)])
    return path


def embeddings(path):
    return np.stack(pq.read_table(path)["embedding"].to_numpy())


@pytest.mark.parametrize("kind", [".txt", ".jsonl", ".csv", ".tsv", ".parquet"])
@pytest.mark.parametrize("size", [3, 8192])
def test_the_rows_are_those_of_encode_from_every_kind_of_file(tiny, tmp_path, kind, size, monkeypatch):
    monkeypatch.setattr("workbench.encoders.file_texts.BLOCK", min(size, 256))
    monkeypatch.setattr(module, "WINDOW", size)
    texts = LINES if kind == ".txt" else TEXTS
    source = write(tmp_path / f"source{kind}", texts)
    expected = tiny.encode(texts, store=False)
    target = encode_file(source, tmp_path / "rows.npy", encoder=tiny)
    assert target == tmp_path / "rows.npy"
    rows = np.load(target)
    assert (rows.dtype, rows.shape) == (np.float32, (len(texts), WIDTH))
    np.testing.assert_allclose(rows, expected, atol=1e-6)
    encode_file(source, tmp_path / "rows.parquet", encoder=tiny)
    np.testing.assert_allclose(embeddings(tmp_path / "rows.parquet"), expected, atol=1e-6)
    table = pq.read_table(tmp_path / "rows.parquet")
    assert table["text"].to_pylist() == texts
    left = sorted(path.name for path in tmp_path.iterdir() if path.name != "home")
    assert left == sorted(["rows.npy", "rows.npy.json", "rows.parquet", "rows.parquet.json", source.name])


def test_a_parquet_target_has_the_sources_columns_as_they_were_and_one_more(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "WINDOW", 4)
    columns = {
        "day": pa.array([0, None, 2] * 4, pa.date32()),
        "body": pa.array([f"text number {i}" for i in range(12)]).dictionary_encode(),
        "tags": pa.array([["a"], [], None] * 4),
        "deep": pa.array([{"x": i} for i in range(12)]),
    }
    table = pa.table(columns).replace_schema_metadata({b"mine": b"kept"})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=5)
    encode_file(tmp_path / "a.parquet", tmp_path / "b.parquet", encoder=tiny, text="body")
    made = pq.read_table(tmp_path / "b.parquet")
    assert made.drop_columns("embedding").equals(table)
    assert made.schema.field("embedding").type == pa.list_(pa.float32(), WIDTH)
    assert made.schema.metadata[b"mine"] == b"kept"


def test_a_parquet_target_is_written_a_window_a_group(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "WINDOW", 4)
    monkeypatch.setattr("workbench.encoders.file_texts.BLOCK", 2)
    encode_file(write(tmp_path / "a.csv", TEXTS), tmp_path / "b.parquet", encoder=tiny)
    whole = pq.ParquetFile(tmp_path / "b.parquet").metadata
    assert [whole.row_group(i).num_rows for i in range(whole.num_row_groups)] == [4, 4, 3]


def test_columns_of_json_take_the_type_of_all_their_values(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr("workbench.encoders.file_texts.BLOCK", 2)
    rows = [
        {"text": "a", "n": 1, "late": None},
        {"text": "b", "n": 2},
        {"n": 2.5, "text": "c", "late": "2026-01-01"},
        {"text": "d", "n": None, "late": "x", "last": [1]},
    ]
    (tmp_path / "a.jsonl").write_text("\n\n".join(map(json.dumps, rows)) + "\n \n")
    encode_file(tmp_path / "a.jsonl", tmp_path / "b.parquet", encoder=tiny)
    made = pq.read_table(tmp_path / "b.parquet").drop_columns("embedding")
    assert made.to_pylist() == [
        {"text": "a", "n": 1.0, "late": None, "last": None},
        {"text": "b", "n": 2.0, "late": None, "last": None},
        {"text": "c", "n": 2.5, "late": "2026-01-01", "last": None},
        {"text": "d", "n": None, "late": "x", "last": [1]},
    ]


def test_values_of_a_csv_stay_texts(tiny, tmp_path):
    (tmp_path / "a.csv").write_text("\ufeffid,text\r\n007,a\r\n\r\n,NA\r\n")
    encode_file(tmp_path / "a.csv", tmp_path / "b.parquet", encoder=tiny)
    made = pq.read_table(tmp_path / "b.parquet").drop_columns("embedding")
    assert made.to_pylist() == [{"id": "007", "text": "a"}, {"id": "", "text": "NA"}]


def test_lines_of_a_txt_end_with_any_line_end_and_the_last_one_may_not(tiny, tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbftext\r\n\nnumber 1")
    encode_file(tmp_path / "a.txt", tmp_path / "b.npy", encoder=tiny)
    np.testing.assert_allclose(
        np.load(tmp_path / "b.npy"), tiny.encode(["text", "", "number 1"], store=False), atol=1e-6
    )


def test_rows_are_scaled_where_it_is_asked_for(tiny, tmp_path):
    source = write(tmp_path / "a.jsonl", TEXTS)
    encode_file(source, tmp_path / "unit.npy", encoder=tiny, normalize=True, batch_tokens=7)
    np.testing.assert_allclose(np.linalg.norm(np.load(tmp_path / "unit.npy"), axis=1), 1, atol=1e-6)
    assert (abs(np.linalg.norm(tiny.encode(TEXTS), axis=1) - 1) > 0.01).all()


def test_a_finished_file_is_not_made_again(tiny, seen, tmp_path):
    source = write(tmp_path / "a.csv", TEXTS)
    for target in (tmp_path / "b.npy", tmp_path / "b.parquet"):
        encode_file(source, target, encoder=tiny)
        before, calls = target.stat(), len(seen)
        tiny.stores.clear()
        (target.with_name(f".{target.name}.part")).write_bytes(b"of a run killed at its very end")
        assert encode_file(source, target, encoder=tiny) == target
        assert (target.stat().st_ino, target.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
        assert len(seen) == calls
        assert not target.with_name(f".{target.name}.part").exists()


@pytest.mark.parametrize("kind", [".npy", ".parquet"])
def test_what_was_not_made_by_this_very_call_is_never_overwritten(tiny, seen, tmp_path, kind):
    source, target = write(tmp_path / "a.csv", TEXTS), tmp_path / f"b{kind}"
    sentence = "not made from a.csv with this encoder and these settings.*move it away, or name another target"
    target.write_bytes(b"mine")
    with pytest.raises(FileExistsError, match=sentence):
        encode_file(source, target, encoder=tiny)
    assert target.read_bytes() == b"mine"
    target.unlink()
    encode_file(source, target, encoder=tiny)
    made, calls = target.read_bytes(), len(seen)
    for changes in ({"normalize": True}, {"text": "n"}):
        with pytest.raises(FileExistsError, match=sentence):
            encode_file(source, target, encoder=tiny, **changes)
    with pytest.raises(FileExistsError, match=sentence):
        encode_file(source, target, encoder=tiny.with_settings(max_length=9))
    write(source, [*TEXTS, "one more"])
    with pytest.raises(FileExistsError, match=sentence):
        encode_file(source, target, encoder=tiny)
    assert (target.read_bytes(), len(seen)) == (made, calls)
    write(source, TEXTS)
    assert encode_file(source, target, encoder=tiny) == target
    target.write_bytes(made[:-1])  # cut
    with pytest.raises(FileExistsError, match=sentence):
        encode_file(source, target, encoder=tiny)


def test_a_table_of_the_right_length_that_is_not_ours_is_refused(tiny, tmp_path):
    source = write(tmp_path / "a.csv", TEXTS)
    encode_file(source, tmp_path / "b.parquet", encoder=tiny)
    pq.write_table(pa.table({"text": TEXTS}), tmp_path / "b.parquet")
    with pytest.raises(FileExistsError, match=r"b\.parquet was not made from a\.csv"):
        encode_file(source, tmp_path / "b.parquet", encoder=tiny)


@pytest.mark.parametrize("content", [b"{}", b"[1]", b"no json", b"\xff"])
def test_a_note_that_is_somebody_elses_is_never_overwritten(tiny, tmp_path, content):
    source = write(tmp_path / "a.csv", TEXTS)
    (tmp_path / "b.npy.json").write_bytes(content)
    with pytest.raises(FileExistsError, match=r"b\.npy\.json was not made from a\.csv"):
        encode_file(source, tmp_path / "b.npy", encoder=tiny)
    assert (tmp_path / "b.npy.json").read_bytes() == content
    assert not (tmp_path / "b.npy").exists()


def test_a_target_that_comes_while_it_is_encoded_is_left_alone(tiny, tmp_path, monkeypatch):
    source, whole = write(tmp_path / "a.csv", TEXTS), tiny.pooled
    monkeypatch.setattr(tiny, "pooled", lambda ids: (tmp_path / "b.npy").write_bytes(b"mine") and whole(ids))
    with pytest.raises(FileExistsError, match="move it away"):
        encode_file(source, tmp_path / "b.npy", encoder=tiny)
    assert (tmp_path / "b.npy").read_bytes() == b"mine"


def test_a_source_that_changes_while_it_is_encoded_is_refused(tiny, tmp_path, monkeypatch):
    source, whole = write(tmp_path / "a.csv", TEXTS), tiny.pooled
    monkeypatch.setattr(tiny, "pooled", lambda ids: write(source, TEXTS[::-1]) and whole(ids))
    with pytest.raises(ValueError, match=r"a\.csv was changed while it was encoded: call again"):
        encode_file(source, tmp_path / "b.npy", encoder=tiny)
    assert not (tmp_path / "b.npy").exists()


def interrupted(tiny, source, target, monkeypatch, *, after):
    """A run that is stopped once so many rows are done."""
    append = module.GrowingRows.append

    def stop(self, rows):
        append(self, rows)
        if self.done >= after:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module.GrowingRows, "append", stop)
        with pytest.raises(KeyboardInterrupt):
            encode_file(source, target, encoder=tiny)
    assert not target.exists()
    assert json.loads(target.with_name(f"{target.name}.json").read_text())["done"] == after


@pytest.mark.parametrize("kind", [".npy", ".parquet"])
def test_the_next_call_goes_on_behind_the_finished_windows(tiny, seen, tmp_path, kind, monkeypatch):
    monkeypatch.setattr(module, "WINDOW", 10)
    monkeypatch.setattr("workbench.encoders.file_texts.BLOCK", 4)
    whole = module.fill_rows  # without the store, which would know the texts too
    monkeypatch.setattr(module, "fill_rows", lambda *given, **options: whole(*given, **{**options, "store": False}))
    texts = [f"text number {i}" for i in range(50)]
    source, target = write(tmp_path / "a.jsonl", texts), tmp_path / f"b{kind}"
    interrupted(tiny, source, target, monkeypatch, after=24)  # windows are of whole blocks: 12 texts
    assert sum(seen) == 24
    encode_file(source, target, encoder=tiny)
    assert sum(seen) == 50
    rows = np.load(target) if kind == ".npy" else embeddings(target)
    np.testing.assert_allclose(rows, tiny.encode(texts, store=False), atol=1e-6)


@pytest.mark.parametrize("change", ["source", "setting", "shorter part", "no part", "foreign part"])
def test_what_was_begun_otherwise_starts_afresh(tiny, tmp_path, change, monkeypatch):
    monkeypatch.setattr(module, "WINDOW", 4)
    monkeypatch.setattr("workbench.encoders.file_texts.BLOCK", 4)
    texts = [f"text number {i}" for i in range(20)]
    source, target = write(tmp_path / "a.jsonl", texts), tmp_path / "b.npy"
    interrupted(tiny, source, target, monkeypatch, after=8)
    part, encoder = tmp_path / ".b.npy.part", tiny
    if change == "source":
        texts = texts[::-1]
        write(source, texts)
    elif change == "setting":
        encoder = tiny.with_settings(max_length=4)
    elif change == "no part":
        part.unlink()
    else:
        content = part.read_bytes()
        part.write_bytes(content[:-1] if change == "shorter part" else b"x" * len(content))
    encode_file(source, target, encoder=encoder)
    np.testing.assert_allclose(np.load(target), encoder.encode(texts, store=False), atol=1e-6)


def test_rows_behind_those_that_the_note_counts_are_cut_off(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "WINDOW", 4)
    monkeypatch.setattr("workbench.encoders.file_texts.BLOCK", 4)
    texts = [f"text number {i}" for i in range(20)]
    source, target = write(tmp_path / "a.jsonl", texts), tmp_path / "b.npy"
    interrupted(tiny, source, target, monkeypatch, after=8)
    with (tmp_path / ".b.npy.part").open("ab") as part:
        part.write(b"half a row that a killed run wrote")
    encode_file(source, target, encoder=tiny)
    np.testing.assert_allclose(np.load(target), tiny.encode(texts, store=False), atol=1e-6)
    assert target.stat().st_size == 128 + 20 * WIDTH * 4  # numpy's header takes 128 bytes


def refused(tiny, seen, source, target="rows.npy", *, error=ValueError, match, folder, **options):
    with pytest.raises(error, match=match):
        encode_file(folder / source, folder / target, **{"encoder": tiny, **options})
    assert seen == []
    assert not list(folder.glob("*rows*"))
    assert not list(folder.glob(".*rows*"))


@pytest.mark.parametrize(
    ("name", "content", "options", "words"),
    [
        ("a.csv", "id,body\n1,x\n", {}, r"a.csv has no column 'text'; it has \['id', 'body'\]"),
        ("a.csv", "id,body\n1,x\n", {"text": "bodi"}, "no column 'bodi', the nearest is 'body'"),
        ("a.tsv", "id\tbody\n1\tx\n", {}, r"has no column 'text'; it has \['id', 'body'\]"),
        ("a.csv", "text,text\n1,x\n", {}, "must name every column once"),
        ("a.csv", "", {}, "must name every column once"),
        ("a.csv", "text\n", {}, "a.csv must hold one row or more, it holds none"),
        ("a.csv", "id,text\n1,x\n2\n", {}, "a.csv, line 3: 1 fields, but the first line names 2"),
        ("a.csv", 'text\nx\n"y\n', {}, "a.csv, line 3: quotes must open and close a field"),
        ("a.jsonl", '{"body": "x"}\n', {}, r"has no column 'text'; it has \['body'\]"),
        ("a.jsonl", '{"text": "x"}\n{"text": null}\n', {}, "a.jsonl, row 1: column 'text' must hold texts, got None"),
        ("a.jsonl", '{"text": "x"}\n{"body": "y"}\n', {}, "a.jsonl, row 1: column 'text' must hold texts, got None"),
        ("a.jsonl", '{"text": "x"}\n\n{"text": 7}\n', {}, "a.jsonl, row 1: column 'text' must hold texts, got 7"),
        ("a.jsonl", '{"text": "x"}\n\n{"text": "y"\n', {}, "a.jsonl, line 3: every line must be one JSON object"),
        ("a.jsonl", '["x"]\n', {}, "a.jsonl, line 1: every line must be one JSON object, got list"),
        ("a.jsonl", '{"text": "a\\ud800"}\n', {}, "row 0: text must be valid Unicode: lone surrogate at 1"),
        ("a.jsonl", "\n", {}, "a.jsonl must hold one row or more, it holds none"),
        ("a.txt", "", {}, "a.txt must hold one row or more, it holds none"),
        ("a.txt", "x\n", {"text": "body"}, "has no column 'body'"),
        ("a.txt", b"x\ncaf\xe9\n", {}, "a.txt must be UTF-8, but holds 0xe9: save it so"),
        ("a.csv", b"text\ncaf\xe9\n", {}, "a.csv must be UTF-8, but holds 0xe9: save it so"),
        ("a.parquet", b"PAR1 torn", {}, "a.parquet must be a whole Parquet file"),
        ("a.xlsx", b"x", {}, "a.xlsx must be one of .txt, .jsonl, .csv, .tsv, .parquet"),
    ],
)
def test_a_file_that_cannot_be_read_as_it_is_said_to_be_is_refused(tiny, seen, tmp_path, name, content, options, words):
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    refused(tiny, seen, name, match=words, folder=tmp_path, **options)


@pytest.mark.parametrize("where", [0, 700])
def test_a_null_or_a_number_in_a_parquet_is_refused_by_its_row(tiny, seen, tmp_path, where):
    texts = ["text"] * 900
    texts[where] = None
    pq.write_table(pa.table({"text": texts, "n": range(900)}), tmp_path / "a.parquet")
    refused(tiny, seen, "a.parquet", match=f"row {where}: column 'text' must hold texts, got None", folder=tmp_path)
    refused(tiny, seen, "a.parquet", text="n", match="row 0: column 'n' must hold texts, got 0", folder=tmp_path)


def test_a_parquet_with_other_bytes_than_utf8_or_no_rows_or_a_column_twice_is_refused(tiny, seen, tmp_path):
    bad = pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(np.array([0, 2], "<i4")), pa.py_buffer(b"a\xe9")])
    pq.write_table(pa.table({"text": bad}), tmp_path / "a.parquet")
    refused(tiny, seen, "a.parquet", match="a.parquet must be UTF-8, but holds 0xe9", folder=tmp_path)
    pq.write_table(pa.table({"text": pa.array([], pa.string())}), tmp_path / "a.parquet")
    refused(tiny, seen, "a.parquet", match="must hold one row or more, it holds none", folder=tmp_path)
    pq.write_table(pa.table([["a"], ["b"]], names=["text", "text"]), tmp_path / "a.parquet")
    refused(tiny, seen, "a.parquet", match="must name every column once", folder=tmp_path)


def test_columns_of_several_types_are_refused_only_where_they_are_written(tiny, seen, tmp_path, monkeypatch):
    for block in (256, 1):
        monkeypatch.setattr("workbench.encoders.file_texts.BLOCK", block)
        (tmp_path / "a.jsonl").write_text('{"text": "a", "x": 1}\n{"text": "b", "x": "one"}\n')
        refused(
            tiny, seen, "a.jsonl", "rows.parquet", match="every column must hold values of one type", folder=tmp_path
        )
    encode_file(tmp_path / "a.jsonl", tmp_path / "rows.npy", encoder=tiny)
    assert np.load(tmp_path / "rows.npy").shape == (2, WIDTH)


def test_a_target_or_an_encoder_of_another_kind_is_refused(tiny, seen, tmp_path, monkeypatch):
    source = write(tmp_path / "a.csv", TEXTS).name
    refused(
        tiny, seen, source, "rows.csv", match=r"target must end in .npy or .parquet, got .*rows\.csv", folder=tmp_path
    )
    refused(
        tiny, seen, source, "no/rows.npy", error=FileNotFoundError, match="in a folder that is there", folder=tmp_path
    )
    refused(tiny, seen, "none.csv", error=FileNotFoundError, match=r"none\.csv", folder=tmp_path)
    with pytest.raises(TypeError, match="encoder must be an Encoder, as load_encoder gives it, got str"):
        inspect.unwrap(encode_file)(tmp_path / source, tmp_path / "rows.npy", encoder="MiniLM")  # not by type checking
    refused(tiny, seen, source, batch_tokens=0, match="batch_tokens must be 1 or more, got 0", folder=tmp_path)
    pq.write_table(pa.table({"text": ["a"], "embedding": [1]}), tmp_path / "a.parquet")
    refused(tiny, seen, "a.parquet", "rows.parquet", match="has a column 'embedding' already", folder=tmp_path)
    monkeypatch.setenv("WORKBENCH_CACHE_GB", "-1")
    refused(tiny, seen, source, match="WORKBENCH_CACHE_GB must be", folder=tmp_path)


def test_a_model_with_hooks_is_refused(tiny, seen, tmp_path):
    source = write(tmp_path / "a.csv", TEXTS).name
    handle = tiny.model.register_forward_hook(lambda *_: None)
    refused(tiny, seen, source, match="no hooks", folder=tmp_path)
    handle.remove()


def test_a_disk_without_room_is_refused_first(tiny, seen, tmp_path, monkeypatch):
    source = write(tmp_path / "a.csv", TEXTS).name
    free = len(TEXTS) * WIDTH * 4
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": free})())
    words = rf"11 rows of 32 need {2 * free} bytes more, {free} are free"
    refused(tiny, seen, source, "rows.parquet", error=OSError, match=words, folder=tmp_path)
    encode_file(tmp_path / source, tmp_path / "rows.npy", encoder=tiny)


def test_two_processes_do_not_write_one_target(tiny, seen, tmp_path):
    source = write(tmp_path / "a.csv", TEXTS)
    with FileLock(tmp_path / ".b.npy.lock"), pytest.raises(OSError, match=r"another process writes .*b\.npy: wait"):
        encode_file(source, tmp_path / "b.npy", encoder=tiny)
    assert seen == []
    encode_file(source, tmp_path / "b.npy", encoder=tiny)


def test_an_error_of_the_model_names_the_row_of_the_file(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "WINDOW", 4)
    monkeypatch.setattr("workbench.encoders.file_texts.BLOCK", 4)
    whole = tiny.pooled

    def spoil(ids):
        rows = whole(ids).clone()
        rows[[len(row) == 5 for row in ids]] = torch.nan
        return rows

    monkeypatch.setattr(tiny, "pooled", spoil)
    source = write(tmp_path / "a.txt", [*["text"] * 9, "text number 5"])
    with pytest.raises(ValueError, match="text 9 has a vector that is zero or not finite"):
        encode_file(source, tmp_path / "b.npy", encoder=tiny)
    assert not (tmp_path / "b.npy").exists()


def test_the_note_says_what_the_rows_are(tiny, tmp_path):
    source = write(tmp_path / "a.csv", TEXTS)
    encode_file(source, tmp_path / "b.npy", encoder=tiny.with_settings(max_length=12))
    note = json.loads((tmp_path / "b.npy.json").read_text())
    assert (note["source"], note["column"], note["rows"], note["done"]) == ("a.csv", "text", 11, 11)
    assert (note["encoder"], note["model"], note["max_length"]) == (tiny.name, tiny.fingerprint, 12)


def test_windows_of_long_texts_or_wide_vectors_hold_fewer_of_them(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_WINDOW_CHARACTERS", 1000)
    monkeypatch.setattr("workbench.encoders.file_texts.BLOCK", 1)
    sizes, append = [], module.GrowingRows.append
    monkeypatch.setattr(module.GrowingRows, "append", lambda self, rows: sizes.append(len(rows)) or append(self, rows))
    encode_file(write(tmp_path / "a.txt", ["text " * 60] * 10), tmp_path / "b.npy", encoder=tiny)
    assert sizes == [4, 4, 2]  # 300 characters each
    monkeypatch.setattr(module, "_WINDOW_CHARACTERS", 2**22)
    monkeypatch.setattr(module, "_WINDOW_BYTES", 3 * WIDTH * 4)
    encode_file(tmp_path / "a.txt", tmp_path / "c.npy", encoder=tiny)
    assert sizes[3:] == [3, 3, 3, 1]


def test_limits_of_the_csv_module_are_put_back(tiny, tmp_path):
    before = csv.field_size_limit()
    encode_file(write(tmp_path / "a.csv", TEXTS), tmp_path / "b.npy", encoder=tiny)
    assert csv.field_size_limit() == before


def test_a_bar_counts_rows_and_only_for_many(tiny, tmp_path, capsys):
    few, many = write(tmp_path / "few.txt", ["text"] * 999), write(tmp_path / "many.txt", ["text", "number"] * 500)
    encode_file(few, tmp_path / "few.npy", encoder=tiny)
    encode_file(many, tmp_path / "quiet.npy", encoder=tiny, progress=False)
    assert capsys.readouterr().err == ""
    encode_file(many, tmp_path / "many.npy", encoder=tiny)
    assert "1000/1000" in capsys.readouterr().err
