"""What this machine has, and what cannot run on it and why, in plain words."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from workbench.experiments.keys import ABSENT, device_class, versions
from workbench.home import project_root

__all__ = ["Finding", "findings"]


@dataclass(frozen=True)
class Finding:
    """One thing looked at: whether it is as it should be, and what that means."""

    what: str
    good: bool
    says: str


def findings() -> list[Finding]:
    """Project, versions, model, local sets, disk, cores, device and browser, one finding each."""
    return [_project(), _libraries(), _model(), _local_sets(), _disk(), _cores(), _device(), _browser()]


def _project() -> Finding:
    try:
        return Finding("project", True, str(project_root()))
    except FileNotFoundError as error:
        return Finding("project", False, str(error))


def _libraries() -> Finding:
    found = versions()
    missing = [name for name, version in found.items() if version == ABSENT]
    listed = ", ".join(f"{k} {v}" for k, v in found.items())
    return Finding("versions", not missing, listed + (f"; not installed: {', '.join(missing)}" if missing else ""))


def _model() -> Finding:
    from workbench.encoders.sources import UnknownModel, find_model

    try:
        return Finding(
            "model", True, f"all-MiniLM-L6-v2 is here, with the published weights: {find_model('all-MiniLM-L6-v2')}"
        )
    except (UnknownModel, ValueError) as error:
        return Finding("model", False, str(error))


def _local_sets() -> Finding:
    folder = os.environ.get("WORKBENCH_DATA")
    if not folder:
        return Finding("local sets", False, "WORKBENCH_DATA is not set: replications on local sets are left out")
    count = len(list(Path(folder).glob("*/card.json")))
    return Finding("local sets", count > 0, f"{count} under {Path(folder).resolve()}")


def _disk() -> Finding:
    free = shutil.disk_usage(Path.cwd()).free / 1e9
    return Finding("disk", free > 5, f"{free:.0f} GB free" + ("" if free > 5 else "; vectors and runs want 5 GB"))


def _cores() -> Finding:
    cores = os.cpu_count() or 1
    return Finding("cores", True, f"{cores}; a small run is planned for 2 cores and 15 minutes")


def _device() -> Finding:
    device = device_class()
    note = (
        "no GPU is seen: paper scale is out of reach, smoke and small are made for this" if device == "cpu" else device
    )
    return Finding("device", device != "cpu", note)


def _browser() -> Finding:
    found = next((p for p in map(shutil.which, ("chromium", "google-chrome", "chrome")) if p), None)
    return Finding(
        "browser",
        found is not None,
        found or "no chromium: figures cannot be written as SVG, browser tests are skipped",
    )
