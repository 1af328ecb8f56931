"""What every test shares: where the project is, whether local sets are here, and one line that says so."""

import os
from pathlib import Path

import hypothesis
import pytest

ROOT = Path(__file__).resolve().parent.parent
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # two workers on two cores
os.environ["WORKBENCH_HOME"] = str(ROOT)
LOCAL = Path(os.environ["WORKBENCH_DATA"]).resolve() if os.environ.get("WORKBENCH_DATA") else None


def pytest_report_header() -> str:
    if LOCAL is None:
        return (
            "local sets: none (WORKBENCH_DATA is not set); the tests that need them are skipped and listed at the end"
        )
    return f"local sets: {len(list(LOCAL.glob('*/card.json')))} under {LOCAL}"


def pytest_terminal_summary(terminalreporter) -> None:
    skipped = terminalreporter.stats.get("skipped", [])
    terminalreporter.write_line(f"skipped: {len(skipped)} (local sets {'present' if LOCAL else 'absent'})")
    for report in skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        terminalreporter.write_line(f"  {report.nodeid}: {reason}")


def pytest_collection_modifyitems(items) -> None:
    for item in items:
        if item.get_closest_marker("local") and LOCAL is None:
            item.add_marker(pytest.mark.skip(reason="needs the local sets: set WORKBENCH_DATA to their folder"))


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's folder."""
    return ROOT


# the same examples in every run of CI, new ones at every desk: a rare case is found where somebody can look at it
hypothesis.settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    hypothesis.settings.load_profile("ci")
