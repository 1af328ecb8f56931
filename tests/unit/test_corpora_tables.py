import csv
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from workbench.corpora import Corpus, Labels, UnknownCorpus, fingerprint, load

ROWS = [
    {"abstract": 'a "quoted", long\nline', "topic": "x", "year": "2001", "split": "train"},
    {"abstract": "größer und 長い", "topic": "y", "year": "2002", "split": "test"},
    {"abstract": "third", "topic": "x", "year": "2003", "split": "test"},
]


def written(folder: Path, suffix: str, rows: list[dict]) -> Path:
    path = folder / f"my{suffix}"
    if suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif suffix == ".jsonl":
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    else:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), delimiter="\t" if suffix == ".tsv" else ",")
            writer.writeheader()
            writer.writerows(rows)
    return path


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_every_format_gives_the_same_rows(tmp_path, suffix):
    path = written(tmp_path, suffix, ROWS)
    corpus, labels = load(path, text="abstract"), load(str(path), text="abstract", label="topic")
    assert isinstance(corpus, Corpus)
    assert corpus.texts == tuple(row["abstract"] for row in ROWS)
    assert corpus.columns == {key: tuple(row[key] for row in ROWS) for key in ("topic", "year", "split")}
    assert isinstance(labels, Labels)
    assert (labels.labels, list(labels.columns)) == (("x", "y", "x"), ["year", "split"])
    assert load(path, text="abstract", split="test").texts == corpus.texts[1:]
    assert (corpus.source.name, corpus.source.kind, corpus.source.fingerprint) == (
        path.name,
        "table",
        fingerprint(path),
    )


def test_numbers_of_a_parquet_file_stay_numbers(tmp_path):
    path = written(tmp_path, ".parquet", [{"t": "a", "n": 1}, {"t": "b", "n": 2}])
    assert load(path, text="t", label="n").labels == (1, 2)


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path):
    path = tmp_path / "excel.csv"
    path.write_bytes(b"\xef\xbb\xbfabstract,year\r\none,2001\r\n")
    assert load(path, text="abstract").texts == ("one",)


def test_bytes_that_are_not_utf8_are_refused_with_their_position(tmp_path):
    path = tmp_path / "latin.csv"
    path.write_bytes("abstract\ncafé\n".encode("latin-1"))
    with pytest.raises(ValueError, match=r"latin\.csv must be UTF-8, byte 12 \(0xe9\) is not"):
        load(path, text="abstract")


def test_a_field_longer_than_the_readers_default_limit_is_read(tmp_path):
    path = written(tmp_path, ".csv", [{"abstract": "word " * 60_000}])
    before = csv.field_size_limit()
    assert len(load(path, text="abstract").texts[0]) == 300_000
    assert csv.field_size_limit() == before


def test_an_unknown_column_is_answered_with_the_nearest(tmp_path):
    path = written(tmp_path, ".csv", ROWS)
    with pytest.raises(
        ValueError, match=r"no column 'abstrct', the nearest is 'abstract'; it has \['abstract', 'topic'"
    ):
        load(path, text="abstrct")
    with pytest.raises(ValueError, match="no column 'zzzz'; it has"):
        load(path, text="abstract", label="zzzz")
    with pytest.raises(ValueError, match=r"text must name the column of the texts, one of .*'abstract'"):
        load(path)


@pytest.mark.parametrize(
    ("suffix", "content", "message"),
    [
        (".csv", 'a,b\n1,2\n"torn,3\n', "line 3: quotes must open and close a field"),
        (".csv", "a,b\n1,2\n3", "line 3: 1 fields, but the first line names 2"),
        (".csv", "a,a\n1,2\n", "the first line must name every column once"),
        (".csv", "", "the first line must name every column once"),
        (".csv", "a,b\n", "must hold one row or more"),
        (".tsv", 'a\tb\n"x" y\t2\n', "line 2: quotes must open and close a field"),
        (".jsonl", '{"a": "x"}\n{"a": "tor', "line 2: every line must be one JSON object"),
        (".jsonl", '{"a": "x"}\n[1]\n', "line 2: every line must be one JSON object, got list"),
        (".jsonl", '{"a": "x"}\n\n{"b": "y"}\n', "row 1: column 'a' must hold texts, got None"),
        (".parquet", "PAR1 torn", "must be a whole Parquet file"),
    ],
)
def test_a_damaged_file_is_refused_with_its_place(tmp_path, suffix, content, message):
    path = tmp_path / f"my{suffix}"
    path.write_text(content)
    with pytest.raises(ValueError, match=rf"my{suffix}.*{message}"):
        load(path, text="a")


def test_a_truncated_parquet_file_is_refused(tmp_path):
    path = written(tmp_path, ".parquet", ROWS)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ValueError, match=r"my\.parquet must be a whole Parquet file"):
        load(path, text="abstract")


def test_a_missing_file_or_a_folder_is_refused(tmp_path):
    (tmp_path / "folder.csv").mkdir()
    for name in ("absent.csv", "folder.csv"):
        with pytest.raises(ValueError, match=rf"{name} must be a readable file"):
            load(tmp_path / name, text="a")
        with pytest.raises(ValueError, match=rf"{name} must be a readable file"):
            fingerprint(tmp_path / name)


def test_a_file_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "my.xlsx"
    path.write_bytes(b"PK")
    with pytest.raises(ValueError, match=r"my\.xlsx must be one of .*\.csv"):
        load(path, text="a")
    with pytest.raises(UnknownCorpus, match=r"'my\.xlsx', and a file ends in one of \.csv, \.tsv"):
        load("my.xlsx", text="a")


def test_a_null_label_or_a_fraction_is_refused(tmp_path):
    path = written(tmp_path, ".jsonl", [{"t": "a", "n": 1}, {"t": "b", "n": 0.5}])
    with pytest.raises(ValueError, match=r"row 1: column 'n' must hold str or int labels, got 0\.5"):
        load(path, text="t", label="n")


def test_a_split_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"no row has split 'dev'; there are \['test', 'train'\]"):
        load(written(tmp_path, ".csv", ROWS), text="abstract", split="dev")
    with pytest.raises(ValueError, match="has no column 'subset'"):
        load(written(tmp_path, ".csv", ROWS), text="abstract", subset="x")


def test_a_file_takes_no_scope(tmp_path):
    with pytest.raises(ValueError, match="is a file and takes no scope, got 'all'"):
        load(written(tmp_path, ".csv", ROWS), text="abstract", scope="all")
    with pytest.raises(ValueError, match="takes no scope, got 'all'"):
        fingerprint(written(tmp_path, ".csv", ROWS), scope="all")
