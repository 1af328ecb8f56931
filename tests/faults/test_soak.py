"""Ten random kills of a run; a hundred with `python tests/benchmarks/soak_run.py`."""

from tests.benchmarks.soak_run import soak


def test_ten_random_kills_leave_whole_records_or_none(tmp_path):
    counts = soak(tmp_path, kills=10, seed=0)
    assert counts["command"] + counts["kernel"] >= 5  # most kills hit a run that was still going
