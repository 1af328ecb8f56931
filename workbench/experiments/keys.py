"""What a run depends on: parts of its key, so that the same run is done once and a changed one is explained."""

import hashlib
import json
import platform
import re
import shutil
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from workbench.experiments.papers import Paper
from workbench.home import data_dir

__all__ = ["Plan", "device_class", "plan_run", "versions"]

# Packages whose version can change a number.
LIBRARIES = ("torch", "transformers", "tokenizers", "safetensors", "numpy", "scipy", "scikit-learn", "pyarrow")
ABSENT = "not here"
NO_TEXTS = "no texts"  # what USES and a claim's `on` name where nothing is read: free vectors, constructions
IMPORT = re.compile(r"^[ \t]*(?:from (workbench[\w.]*) import|import (workbench[\w.]*))", re.MULTILINE)
PACKAGE = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Plan:
    """One run: the notebook, every parameter's value, and the parts of its key."""

    paper: Paper
    parameters: dict[str, object]
    parts: dict[str, str]

    @property
    def key(self) -> str:
        """16 hex digits of the SHA-256 over all parts."""
        return _digest(json.dumps(self.parts, sort_keys=True))[:16]

    @property
    def folder(self) -> Path:
        """runs/<slug>/<key> of the data folder."""
        return data_dir() / "runs" / self.paper.slug / self.key


def plan_run(paper: Paper, given: dict[str, object]) -> Plan:
    """The run of this notebook with these parameters; nothing is started.

    Raises:
        ParameterError: an unknown name or a refused value.
    """
    parameters = paper.resolve(given)
    parts = {
        "notebook": _digest("\n".join(cell["source"] for cell in paper.cells if cell["cell_type"] == "code")),
        "parameters": json.dumps(parameters, sort_keys=True),
        "versions": json.dumps(versions(), sort_keys=True),
        "device": device_class(),
    }
    parts |= {
        f"source: {path.relative_to(PACKAGE)}": _digest(path.read_text(encoding="utf-8")) for path in _sources_of(paper)
    }
    for kind, prints in fingerprints(paper.uses).items():
        parts |= {f"{kind}: {name}": value for name, value in prints.items()}
    return Plan(paper, parameters, parts)


def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that can change a number."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = ABSENT
    return found


def device_class() -> str:
    """Kind of device, cuda, mps or cpu, told without importing torch; a "+cpu" build of torch never sees a GPU."""
    if versions()["torch"].endswith("+cpu"):
        return "cpu"
    if shutil.which("nvidia-smi"):
        return "cuda"
    return "mps" if platform.system() == "Darwin" and platform.machine() == "arm64" else "cpu"


def fingerprints(uses: dict[str, list[str]]) -> dict[str, dict[str, str]]:
    """Fingerprint of every corpus and model that the notebook names; "not here" where it is absent.

    "no texts" stands for claims that read no corpus, and is always here.
    """
    from workbench.corpora import UnknownCorpus, fingerprint
    from workbench.encoders.sources import UnknownModel, model_fingerprint

    found: dict[str, dict[str, str]] = {"corpora": {}, "models": {}}
    for name in uses["corpora"]:
        try:
            found["corpora"][name] = "none read" if name == NO_TEXTS else fingerprint(name)
        except UnknownCorpus:
            found["corpora"][name] = ABSENT
    for name in uses["models"]:
        try:
            found["models"][name] = model_fingerprint(name)
        except UnknownModel:
            found["models"][name] = ABSENT
    return found


def _sources_of(paper: Paper) -> list[Path]:
    """The files of ours that the notebook's imports reach."""
    return sorted({path for name in _reached(paper) for path in _sources(PACKAGE, name)})


def _reached(paper: Paper) -> set[str]:
    """Dotted names of ours that the notebook imports, and that those import in turn."""
    waiting = {name for cell in paper.cells if cell["cell_type"] == "code" for name in _imports(cell["source"])}
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        seen.add(name)
        for path in _sources(PACKAGE, name):
            waiting |= _imports(path.read_text(encoding="utf-8")) - seen
    return seen


def _imports(source: str) -> set[str]:
    """By a pattern, which takes milliseconds where parsing the package takes a second."""
    return {name for found in IMPORT.findall(source) for name in found if name}


def _sources(package: Path, module: str) -> list[Path]:
    """Files behind one dotted name: the module, or every file of the subpackage it lies in.

    Of `experiments` only what is imported: how runs are listed or started changes no number.
    """
    parts = module.split(".")[1:]
    if not parts:
        return [package / "__init__.py"]
    folder = package / parts[0]
    if parts[0] == "experiments":
        path = folder / f"{parts[-1]}.py"
        return [path if path.is_file() else folder / "__init__.py"]
    return sorted(folder.rglob("*.py")) if folder.is_dir() else [package / f"{parts[0]}.py"]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
