"""The store within its limit: what is merged, what goes first, what is reported, what is cleared."""

import hashlib
import json
import os
import time
import warnings
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from workbench.encoders.store import VectorStore
from workbench.encoders.store_upkeep import evict, merge_small, store_limit
from workbench.encoders.store_use import clear_store, store_report

SPACE, OTHER = "5" * 64, "6" * 64
HEAD, KEY = 56, 32  # bytes of a file's head and of a key, as the module's text states the format


def rows_for(texts, width=8):
    return np.stack([np.frombuffer(hashlib.sha256(t.encode()).digest(), "<u4")[:width] for t in texts]).astype("f4")


def texts_of(group, n=10):
    return [f"text {group} {i}" for i in range(n)]


def filled(folder, groups, *, space=SPACE, n=10):
    """A store with a file per group; file names in the order they were written, times one second apart."""
    store = VectorStore(space, width=8, folder=folder)
    names = []
    for group in groups:
        before = set(store.folder.glob("*.rows"))
        store.put(texts_of(group, n), rows_for(texts_of(group, n)))
        names += set(store.folder.glob("*.rows")) - before
    for age, path in enumerate(reversed(names)):
        os.utime(path, (time.time() - age - 1,) * 2)
    return store, names


def check_rows(store, texts):
    found = store.get(texts)
    assert found.keys() == set(texts)
    np.testing.assert_array_equal(np.stack([found[t] for t in texts]), rows_for(texts))


@pytest.mark.parametrize(
    ("text", "size"), [("20", 20_000_000_000), ("0.5", 500_000_000), ("1e-3", 1_000_000), (None, 20_000_000_000)]
)
def test_the_limit_is_in_gigabytes_of_ten_to_the_nine(text, size, monkeypatch):
    monkeypatch.delenv("WORKBENCH_CACHE_GB", raising=False)
    if text is not None:
        monkeypatch.setenv("WORKBENCH_CACHE_GB", text)
    assert store_limit() == size


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "lots", "", "5 GB"])
def test_a_limit_that_is_no_size_is_refused_before_anything_is_written(text, monkeypatch, tmp_path):
    monkeypatch.setenv("WORKBENCH_CACHE_GB", text)
    with pytest.raises(ValueError, match=f"WORKBENCH_CACHE_GB must be a finite number .* above 0, got '{text}'"):
        VectorStore(SPACE, width=8, folder=tmp_path).put(texts_of(0), rows_for(texts_of(0)))
    assert list(tmp_path.iterdir()) == []


def test_what_was_not_used_for_longest_goes_first_down_to_80_percent(tmp_path):
    store, names = filled(tmp_path, range(10))
    size = names[0].stat().st_size
    assert size == HEAD + 10 * (KEY + 4 * 8)
    assert evict(tmp_path, limit=10 * size) == 0  # at the limit is within it
    assert VectorStore(SPACE, width=8, folder=tmp_path).get(texts_of(1)) != {}  # the second oldest is read
    assert evict(tmp_path, limit=10 * size - 1) == 3 * size  # 7 files are the most that fit into 8 less a bit
    assert [path.exists() for path in names] == [False, True, False, False] + [True] * 6
    assert store.get(texts_of(0)) == {}
    check_rows(store, texts_of(1) + texts_of(9))


def test_a_put_over_the_limit_evicts_over_all_spaces(tmp_path, monkeypatch):
    _, old = filled(tmp_path, range(5), space=OTHER)
    size = old[0].stat().st_size
    monkeypatch.setenv("WORKBENCH_CACHE_GB", str(6.5 * size / 1e9))
    store, new = filled(tmp_path, range(2))
    assert [path.exists() for path in old + new] == [False, False, True, True, True, True, True]
    check_rows(store, texts_of(0) + texts_of(1))


def test_a_store_smaller_than_one_file_keeps_nothing_and_goes_on(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_CACHE_GB", "1e-9")
    store, _ = filled(tmp_path, range(3))
    assert list(tmp_path.glob("*/*.rows")) == []
    assert store.get(texts_of(2)) == {}


def test_damaged_files_go_before_any_other(tmp_path):
    store, names = filled(tmp_path, range(4))
    names[3].write_bytes(names[3].read_bytes()[:-1])
    with pytest.warns(UserWarning, match="cut short"):
        VectorStore(SPACE, width=8, folder=tmp_path).get(texts_of(3))
    limit = 4 * names[0].stat().st_size - 2
    assert evict(tmp_path, limit=limit) > 0
    assert [path.exists() for path in names] == [True, True, True, False]
    assert list(store.folder.glob("*.bad")) == []


def test_a_file_that_is_read_counts_as_used_once_a_process(tmp_path):
    _, names = filled(tmp_path, range(3))
    for path in names:
        os.utime(path, (1000, 1000))
    reader = VectorStore(SPACE, width=8, folder=tmp_path)
    reader.get(["never put"])
    assert [path.stat().st_mtime > 1000 for path in names] == [False, False, False]
    reader.get(texts_of(1))
    assert [path.stat().st_mtime > 1000 for path in names] == [False, True, False]
    os.utime(names[1], (1000, 1000))
    reader.get(texts_of(1))
    assert names[1].stat().st_mtime == 1000


def test_only_one_process_evicts_at_a_time(tmp_path):
    from filelock import FileLock

    filled(tmp_path, range(10))
    with FileLock(tmp_path / ".lock"):
        assert evict(tmp_path, limit=1) == 0
        assert merge_small(next(tmp_path.glob("5*")), width=8) == 0
    assert evict(tmp_path, limit=1) > 0


def test_more_than_64_small_files_become_one_with_every_row_once(tmp_path):
    store, _ = filled(tmp_path, range(64))
    assert len(list(store.folder.glob("*.rows"))) == 64
    store.put([*texts_of(0), "new"], rows_for([*texts_of(0), "new"]))
    (merged,) = store.folder.glob("*.rows")
    assert merged.stat().st_size == HEAD + 641 * (KEY + 4 * 8)  # the ten texts put twice are there once
    every = [text for group in range(64) for text in texts_of(group)] + ["new"]
    check_rows(VectorStore(SPACE, width=8, folder=tmp_path), every)
    check_rows(store, every)  # which knew the parts


def test_of_a_text_put_twice_the_newer_row_is_kept(tmp_path):
    store, _ = filled(tmp_path, range(64))
    newer = rows_for(texts_of(0)) + 1
    store.put(texts_of(0), newer)
    assert len(list(store.folder.glob("*.rows"))) == 1
    found = VectorStore(SPACE, width=8, folder=tmp_path).get(texts_of(0))
    np.testing.assert_array_equal(np.stack(list(found.values())), newer)


def test_a_merged_file_is_as_old_as_its_newest_part(tmp_path):
    store, names = filled(tmp_path, range(64))
    for path in names:
        os.utime(path, (1000, 1000))
    os.utime(names[3], (2000, 2000))
    (store.folder / "x.rows").write_bytes(names[5].read_bytes())
    os.utime(store.folder / "x.rows", (1500, 1500))
    assert merge_small(store.folder, width=8) == 65
    (merged,) = store.folder.glob("*.rows")
    assert merged.stat().st_mtime == 2000


def test_files_are_merged_up_to_64_megabytes_and_large_ones_left_alone(tmp_path, monkeypatch):
    monkeypatch.setattr("workbench.encoders.store_upkeep.MERGED_BYTES", 20_000)
    monkeypatch.setattr("workbench.encoders.store_upkeep.SMALL_BYTES", 10_000)
    store, _ = filled(tmp_path, [1000], n=300)  # 19 kB: not small
    (large,) = store.folder.glob("*.rows")
    filled(tmp_path, range(64))
    store.put(texts_of(64), rows_for(texts_of(64)))  # 65 of 696 bytes, of which 28 fit
    sizes = sorted(path.stat().st_size for path in store.folder.glob("*.rows"))
    assert large.exists()
    assert sizes == sorted([HEAD + 300 * 64, HEAD + 280 * 64, HEAD + 280 * 64, HEAD + 90 * 64])
    check_rows(store, [t for g in range(65) for t in texts_of(g)] + texts_of(1000, 300))


def test_a_damaged_part_is_put_aside_and_the_others_are_merged(tmp_path):
    store, names = filled(tmp_path, range(64))
    spoilt = bytearray(names[7].read_bytes())
    spoilt[-1] ^= 1
    names[7].write_bytes(spoilt)
    with pytest.warns(UserWarning, match="not what was written: put aside"):
        store.put(["new"], rows_for(["new"]))
    assert len(list(store.folder.glob("*.rows"))) == 1
    reader = VectorStore(SPACE, width=8, folder=tmp_path)
    assert reader.get(texts_of(7)) == {}
    check_rows(reader, [t for g in range(64) if g != 7 for t in texts_of(g)])


def test_a_crash_between_merging_and_removing_leaves_rows_twice_and_none_lost(tmp_path, monkeypatch):
    store, _ = filled(tmp_path, range(64))
    monkeypatch.setattr("workbench.encoders.store_upkeep.remove", lambda _: pytest.fail("killed here"))
    with pytest.raises(pytest.fail.Exception):
        store.put(["new"], rows_for(["new"]))
    assert len(list(store.folder.glob("*.rows"))) == 66
    every = [t for g in range(64) for t in texts_of(g)] + ["new"]
    check_rows(VectorStore(SPACE, width=8, folder=tmp_path), every)
    monkeypatch.undo()
    store.put(["newer"], rows_for(["newer"]))
    assert len(list(store.folder.glob("*.rows"))) == 1
    check_rows(store, [*every, "newer"])


def test_a_reader_finds_rows_again_that_were_merged_under_its_hands(tmp_path, monkeypatch):
    filled(tmp_path, range(64))
    reader = VectorStore(SPACE, width=8, folder=tmp_path)
    assert reader.get(["never put"]) == {}  # it knows the parts
    whole = reader._scan

    def scan_then_merge():
        whole()
        filled(tmp_path, [64])  # another process merges between the look and the reading

    monkeypatch.setattr(reader, "_scan", lambda: (monkeypatch.setattr(reader, "_scan", whole), scan_then_merge()))
    check_rows(reader, [t for g in range(64) for t in texts_of(g)])


def test_space_json_says_what_a_space_is_and_is_never_needed(tmp_path):
    note = {"name": "tiny", "pooling": "mean", "prompt": "größer"}
    store = VectorStore(SPACE, width=8, folder=tmp_path, note=note)
    store.put(texts_of(0), rows_for(texts_of(0)))
    path = store.folder / "space.json"
    assert json.loads(path.read_text()) == {"space": SPACE, "width": 8, **note}
    written = path.stat().st_ino
    store.put(texts_of(1), rows_for(texts_of(1)))
    assert path.stat().st_ino == written  # once
    path.write_text("no json {")
    check_rows(VectorStore(SPACE, width=8, folder=tmp_path), texts_of(0))
    assert store_report(tmp_path)[0].note == {}
    path.unlink()
    check_rows(VectorStore(SPACE, width=8, folder=tmp_path), texts_of(0))


def test_the_report_counts_what_lies_there(tmp_path):
    assert store_report(tmp_path / "none") == []
    VectorStore(OTHER, width=8, folder=tmp_path, note={"name": "m"}).put(texts_of(0), rows_for(texts_of(0)))
    _, names = filled(tmp_path, range(3))
    for path in names:
        os.utime(path, (3000, 3000))
    names[2].write_bytes(names[2].read_bytes()[:-1])
    os.utime(names[2], (5000, 5000))
    names[1].replace(names[1].with_suffix(".bad"))
    (tmp_path / "not a space").mkdir()
    newer, older = store_report(tmp_path)
    assert (newer.space, older.space) == (OTHER[:32], SPACE[:32])
    assert (newer.n_files, newer.n_rows, newer.damaged) == (1, 10, ())
    assert newer.note["name"] == "m"
    assert (older.n_files, older.n_rows, older.note) == (1, 10, {})
    assert older.damaged == tuple(sorted([names[1].with_suffix(".bad").name, names[2].name]))
    assert older.n_bytes == sum(p.stat().st_size for p in names[0].parent.iterdir())
    assert older.last_used == datetime.fromtimestamp(5000, UTC)


def test_clearing_frees_what_it_says_and_leaves_no_folder(tmp_path):
    filled(tmp_path, range(3))
    filled(tmp_path, range(2), space=OTHER)
    (tmp_path / "mine.txt").write_text("stays")
    held = sum(use.n_bytes for use in store_report(tmp_path))
    assert clear_store(folder=tmp_path) == held > 0
    assert [p.name for p in tmp_path.iterdir() if p.name != ".lock"] == ["mine.txt"]
    assert clear_store(folder=tmp_path) == 0
    assert clear_store(folder=tmp_path / "none") == 0


def test_one_space_or_the_old_files_are_cleared_alone(tmp_path):
    _, five = filled(tmp_path, range(3))
    _, six = filled(tmp_path, range(2), space=OTHER)
    day_and_a_half = time.time() - 1.5 * 86400
    for path in [five[0], six[0]]:
        os.utime(path, (day_and_a_half,) * 2)
    assert clear_store(older_than_days=2, folder=tmp_path) == 0
    assert clear_store(space="55", older_than_days=1, folder=tmp_path) == HEAD + 10 * 64
    assert [p.exists() for p in five + six] == [False, True, True, True, True]
    assert clear_store(space="6", folder=tmp_path) == 2 * (HEAD + 10 * 64)
    assert [use.space for use in store_report(tmp_path)] == [SPACE[:32]]


def test_a_space_that_is_not_there_or_not_one_is_refused(tmp_path):
    filled(tmp_path, [0])
    filled(tmp_path, [0], space="57" * 32)
    for space in ("9", "5", ""):
        with pytest.raises(ValueError, match=rf"exactly one of \['{SPACE[:32]}', .*got '{space}'"):
            clear_store(space=space, folder=tmp_path)
    for days in (-1, float("nan")):
        with pytest.raises(ValueError, match=f"older_than_days must be 0 or more, got {days}"):
            clear_store(older_than_days=days, folder=tmp_path)


def test_a_running_store_goes_on_when_it_is_cleared(tmp_path):
    store, _ = filled(tmp_path, range(2))
    clear_store(folder=tmp_path)
    assert store.get(texts_of(0)) == {}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        store.put(texts_of(0), rows_for(texts_of(0)))
    check_rows(store, texts_of(0))


def test_a_store_cleared_between_its_folder_and_its_file_writes_again(tmp_path, monkeypatch):
    store = VectorStore(SPACE, width=8, folder=tmp_path, note={"name": "m"})
    from workbench.encoders import store as module

    whole, calls = module.write_rows, []

    def clear_first(folder, keys, rows):
        if not calls:
            calls.append(clear_store(folder=tmp_path))
        return whole(folder, keys, rows)

    monkeypatch.setattr(module, "write_rows", clear_first)
    store.put(texts_of(0), rows_for(texts_of(0)))
    assert calls[0] > 0
    check_rows(store, texts_of(0))
    assert Path(store.folder / "space.json").is_file()
