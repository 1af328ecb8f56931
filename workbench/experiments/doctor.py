"""What this machine has, and what cannot run on it and why, in plain words."""

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from workbench.experiments.keys import ABSENT, device_class, versions
from workbench.home import data_dir, project_root

__all__ = ["Finding", "findings"]

ROOM = 5e9  # bytes that vectors and runs want


@dataclass(frozen=True)
class Finding:
    """One thing looked at: whether it is as it should be, and what that means."""

    what: str
    good: bool
    says: str


def findings() -> list[Finding]:
    """Project, data folder, versions, model, sets, hub, disk, memory, threads, device and browser, one each."""
    looks = (
        *(_project, _data, _libraries, _model, _local_sets, _hub),
        *(_disk, _memory, _threads, _device, _bfloat16, _browser),
    )
    return [look() for look in looks]


def _project() -> Finding:
    try:
        return Finding("project", True, str(project_root()))
    except FileNotFoundError as error:
        return Finding("project", False, str(error))


def _data() -> Finding:
    try:
        folder, own = data_dir(), data_dir() == project_root() / "data"
    except FileNotFoundError:
        return Finding("data", False, "nothing can be kept: there is no project")
    if own:
        return Finding("data", True, f"runs and caches go to {folder}")
    return Finding("data", True, f"the project is read-only: runs and caches go to {folder}")


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


def _hub() -> Finding:
    from workbench.hubs import hub_answers

    if os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}:
        return Finding("model hub", False, "HF_HUB_OFFLINE is set: only models and sets in the hub cache can be loaded")
    if hub_answers():
        return Finding("model hub", True, "it answers: models and pinned sets can be fetched")
    return Finding(
        "model hub",
        False,
        "it does not answer: only what is in its cache can be loaded; built-in texts and the embedded model need none",
    )


def _disk() -> Finding:
    folder = next(f for f in (data_dir(), *data_dir().parents) if f.is_dir())
    free = shutil.disk_usage(folder).free
    note = "" if free > ROOM else f"; vectors and runs want {ROOM / 1e9:.0f} GB"
    return Finding("disk", free > ROOM, f"{free / 1e9:.0f} GB free at {folder}{note}")


def _memory() -> Finding:
    import psutil

    total = psutil.virtual_memory().total / 1e9
    small = "" if total > 6 else "; a small run takes up to 3 GB and the browser for figures 1 GB more"
    return Finding("memory", total > 6, f"{total:.0f} GB{small}")


def _threads() -> Finding:
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    asked = os.environ.get("OMP_NUM_THREADS")
    limit = f", of which OMP_NUM_THREADS lets torch use {asked}" if asked else ""
    return Finding("threads", True, f"{cores} cores{limit}; a small run is planned for 2 cores and 15 minutes")


def _device() -> Finding:
    device = device_class()
    if device == "cpu":
        return Finding(
            "device", False, "no GPU is seen: paper scale is out of reach, smoke and small are made for this"
        )
    return Finding("device", True, f"{device}, {_gpu_names()}" if device == "cuda" else device)


def _gpu_names() -> str:
    import subprocess

    command = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.strip()
    except (OSError, subprocess.SubprocessError) as error:
        return f"but nvidia-smi fails: {error}"


def _bfloat16() -> Finding:
    from workbench.encoders.precision import bfloat16_instructions

    if device_class() != "cpu" or bfloat16_instructions():
        return Finding("bfloat16", True, "dtype='bfloat16' is the fast choice for encoding here")
    return Finding("bfloat16", False, "this processor has no bfloat16 instructions: float32 is the fast choice here")


def _browser() -> Finding:
    found = next((p for p in map(shutil.which, ("chromium", "google-chrome", "chrome")) if p), None)
    return Finding(
        "browser",
        found is not None,
        found or "no chromium: figures cannot be written as SVG, browser tests are skipped",
    )
