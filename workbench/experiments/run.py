"""What a paper's notebook calls: start, record, not_measured, figure, verdict."""

import json
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from workbench.experiments.claims import Claim, claims_digest
from workbench.experiments.keys import ABSENT, device_class, fingerprints, versions
from workbench.experiments.measured import claim_row, estimate_of, missing_row, peak_memory
from workbench.experiments.papers import Paper, find_paper
from workbench.experiments.records import Record, write_atomic
from workbench.experiments.table import VerdictTable
from workbench.home import data_dir
from workbench.intervals import Estimate

__all__ = ["RUN_FOLDER", "FigureView", "Run", "start"]

RUN_FOLDER = "WORKBENCH_RUN"  # set by the engine; without it a notebook run by hand writes to runs/<slug>/interactive


def start(
    slug: str,
    claims: Sequence[Claim],
    scales: dict[str, dict[str, object]],
    uses: dict[str, list[str]],
    **given: object,
) -> "Run":
    """Opens the run of this notebook: checks parameters, fills in the scale's preset, prints what it runs on.

    `given` are the notebook's parameters; None means "by scale".

    Raises:
        UnknownPaper: no notebook has this slug.
        ParameterError: an undeclared name, or a value outside its declared type, range or choices.
        ValueError: two claims share a key, or not exactly one decides.
    """
    keys = [claim.key for claim in claims]
    if len(set(keys)) < len(keys):
        raise ValueError(f"claim keys must differ, got {keys}")
    if sum(claim.decides for claim in claims) != 1:
        raise ValueError(f"exactly one claim decides, got {[c.key for c in claims if c.decides]}")
    paper = find_paper(slug)
    parameters = paper.resolve(given)
    notes = _differences_from_file(paper, claims, scales, uses)
    folder = Path(os.environ.get(RUN_FOLDER) or data_dir() / "runs" / slug / "interactive")
    folder.mkdir(parents=True, exist_ok=True)
    return Run(paper, list(claims), parameters, notes, folder, uses)


class Run:
    """One run of a paper's notebook, opened by `start`.

    Attributes:
        p: every parameter's value, as in `run.p.n_texts`.
        seeds: the seeds to redraw everything trained with: `seed`, `seed` + 1, ...
        folder: where the record and the figures go.
    """

    def __init__(
        self,
        paper: Paper,
        claims: list[Claim],
        parameters: dict[str, object],
        notes: list[str],
        folder: Path,
        uses: dict[str, list[str]],
    ) -> None:
        self.p: Any = SimpleNamespace(**parameters)
        first, count = int(self.p.seed), int(self.p.seeds)
        self.seeds = list(range(first, first + count))
        self.folder = folder
        self._paper, self._claims, self._notes = paper, {c.key: c for c in claims}, notes
        self._parameters = parameters
        self._changed = paper.changed(parameters)
        self._uses = fingerprints(uses)
        self._measured: dict[str, Estimate | str] = {}
        self._replications: list[tuple[Claim, Estimate, str]] = []
        self._figures: list[dict[str, str]] = []
        self._began, self._cpu = time.monotonic(), time.process_time()

    def __repr__(self) -> str:
        names = ", ".join(f"{k}={v!r}" for k, v in self._parameters.items())
        libraries = ", ".join(f"{k} {v}" for k, v in versions().items())
        return f"{self._paper.slug}: {names}\non {device_class()}; {libraries}\n{self._why_not_judged() or 'judged'}"

    def here(self, corpus: str) -> bool:
        """Whether a corpus that USES names is on this machine."""
        if corpus not in self._uses["corpora"]:
            raise KeyError(f"USES names the corpora {list(self._uses['corpora'])}, not {corpus!r}")
        return self._uses["corpora"][corpus] != ABSENT

    def record(self, key: str, measured: Estimate | np.ndarray | Sequence, *, on: str | None = None) -> Estimate:
        """Keeps a claim's measurement: an Estimate, or per-item numbers (items,) or (seeds, items).

        `on` names the corpus it was measured on when that is not the claim's own; such a replication is
        shown and never judged.

        Raises:
            KeyError: the key was not declared.
            ValueError: a second measurement of the same claim on the same corpus, or a bare number.
        """
        claim = self._claim(key)
        estimate = estimate_of(claim, measured)
        if on is not None and on != claim.on:
            if any(c.key == key and name == on for c, _, name in self._replications):
                raise ValueError(f"claim {key} was already measured on {on}")
            self._replications.append((claim, estimate, on))
            return estimate
        self._once(key)
        self._measured[key] = estimate
        return estimate

    def not_measured(self, key: str, reason: str) -> None:
        """Says why a claim has no number in this run.

        Raises:
            KeyError: the key was not declared.
            ValueError: the claim already has a measurement, or the reason is empty.
        """
        self._claim(key)
        self._once(key)
        if not reason.strip():
            raise ValueError(f"claim {key} needs a reason why it was not measured")
        self._measured[key] = reason

    @property
    def by_hand(self) -> bool:
        """Whether a person runs the cells, so that a widget is worth showing."""
        return RUN_FOLDER not in os.environ

    def checkpoints(self, name: str) -> Path | None:
        """Folder for the checkpoints of one training, which a killed run goes on from; None in a run by hand.

        Such a run's cells change without a new folder, so its checkpoints could be of another recipe. `verdict`
        removes them: the record is what stays.

        Raises:
            ValueError: a name that is no single part of a path.
        """
        if Path(name).name != name:
            raise ValueError(f"a training's name is one part of a path, got {name!r}")
        return None if self.by_hand else self.folder / "training" / name

    def figure(self, name: str, figure: Any, *, alt: str) -> "FigureView":  # noqa: ANN401 - plotly, imported late
        """Keeps a plotly Figure with its alternative text; a cell whose last line this is shows it.

        Raises:
            ValueError: an empty alternative text, or a name that is not lower-case letters, digits and '_'.
        """
        if not alt.strip():
            raise ValueError(f"figure {name} needs an alternative text")
        if not (name.isascii() and name.replace("_", "").isalnum() and name.islower()):
            raise ValueError(f"a figure's name has lower-case letters, digits and '_', got {name!r}")
        (self.folder / "figures").mkdir(exist_ok=True)
        text = figure.to_json()
        write_atomic(self.folder / "figures" / f"{name}.json", text)
        self._figures = [f for f in self._figures if f["name"] != name] + [{"name": name, "alt": alt}]
        return FigureView(text, alt)

    def verdict(self) -> VerdictTable:
        """Judges every claim by the rule, writes the record, returns the table.

        Raises:
            ValueError: a claim was neither recorded nor said to be not measured.
        """
        silent = [key for key in self._claims if key not in self._measured]
        if silent:
            raise ValueError(f"claims neither recorded nor said to be not measured: {', '.join(silent)}")
        record = self._record()
        write_atomic(self.folder / "measured.json", json.dumps(record, indent=1) + "\n")
        shutil.rmtree(self.folder / "training", ignore_errors=True)
        return VerdictTable(record)

    def _record(self) -> Record:
        why = self._why_not_judged()
        rows = []
        for key, claim in self._claims.items():
            found = self._measured[key]
            judged = None if isinstance(found, str) or why else claim.judge(found, str(self.p.scale))
            rows.append(
                missing_row(claim, found) if isinstance(found, str) else claim_row(claim, found, claim.on, judged, why)
            )
        shown = "a replication, shown and not judged"
        return {
            "slug": self._paper.slug,
            "scale": str(self.p.scale),
            "claims_sha": claims_digest(list(self._claims.values())),
            "parameters": self._parameters,
            "changed": self._changed,
            "seeds": self.seeds,
            "uses": self._uses,
            "versions": versions(),
            "device": device_class(),
            "seconds": round(time.monotonic() - self._began, 1),
            "cpu_seconds": round(time.process_time() - self._cpu, 1),
            "peak_memory": peak_memory(),
            "claims": rows,
            "replications": [claim_row(c, e, on, None, shown) for c, e, on in self._replications],
            "figures": self._figures,
            "notes": self._notes,
        }

    def _why_not_judged(self) -> str:
        if self.p.scale == "smoke":
            return "not judged (smoke scale)"
        changed = [name for name in self._changed if name != "scale"]
        if changed:
            return f"not judged ({', '.join(changed)} {'was' if len(changed) == 1 else 'were'} changed)"
        return f"not judged ({self._notes[0]})" if self._notes else ""

    def _claim(self, key: str) -> Claim:
        if key not in self._claims:
            raise KeyError(f"claim {key!r} was not declared; declared: {', '.join(self._claims)}")
        return self._claims[key]

    def _once(self, key: str) -> None:
        if key in self._measured:
            raise ValueError(f"claim {key} already has a result in this run")


@dataclass(frozen=True)
class FigureView:
    """A figure as a notebook shows it: plotly's JSON, and the alternative text where that cannot be drawn.

    Plotly's own display imports nbformat's validators first, 2 s of CPU in every notebook.
    """

    json_text: str
    alt: str

    def _repr_mimebundle_(self, **_: object) -> dict[str, object]:
        return {"application/vnd.plotly.v1+json": json.loads(self.json_text), "text/plain": self.alt}


def _differences_from_file(
    paper: Paper, claims: Sequence[Claim], scales: dict[str, dict[str, object]], uses: dict[str, list[str]]
) -> list[str]:
    """Why a run may not be judged although its parameters are the preset: its literals are not those on disk."""
    same = [asdict(a) for a in claims] == [asdict(b) for b in paper.claims]
    notes = [] if same else ["claims differ from the saved notebook"]
    if paper.scales != {name: preset | {} for name, preset in scales.items()} or paper.uses != uses:
        notes.append("SCALES or USES differ from the saved notebook")
    return notes
