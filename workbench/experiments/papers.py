"""The papers' notebooks, found by scanning and read without running them."""

import ast
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from workbench.experiments.claims import Claim, claim_from, claims_digest
from workbench.experiments.parameters import Parameter, check_values, nearest, read_parameters
from workbench.home import project_root

__all__ = ["Paper", "UnknownPaper", "find_paper", "find_papers"]

SCALE_NAMES = ("smoke", "small", "paper")


class UnknownPaper(LookupError):
    """No notebook has this slug."""


@dataclass(frozen=True)
class Paper:
    """One paper's notebook: notebooks/<family>/<slug>.ipynb.

    Raises (on reading a property):
        ValueError: the file is no notebook, or a tagged cell is missing or not made of literals; says which.
    """

    path: Path

    @property
    def slug(self) -> str:
        """File name, record name and figure folder."""
        return self.path.stem

    @property
    def family(self) -> str:
        """The folder it lies in."""
        return self.path.parent.name

    @cached_property
    def cells(self) -> list[dict]:
        """All cells as JSON, with `source` joined to one text."""
        try:
            cells = json.loads(self.path.read_text(encoding="utf-8"))["cells"]
        except (json.JSONDecodeError, KeyError, TypeError, UnicodeDecodeError) as error:
            raise ValueError(f"{self.path} is not a notebook: {error!r}") from error
        return [{**cell, "source": "".join(cell["source"])} for cell in cells]

    def tagged(self, tag: str) -> str:
        """Source of the one cell with this tag."""
        found = [c["source"] for c in self.cells if tag in c.get("metadata", {}).get("tags", [])]
        if len(found) != 1:
            raise ValueError(f"{self.path.name} must have one cell tagged {tag!r}, it has {len(found)}")
        return found[0]

    @cached_property
    def title(self) -> str:
        """First heading of the first cell."""
        return self.cells[0]["source"].splitlines()[0].lstrip("# ").strip()

    @cached_property
    def parameters(self) -> dict[str, Parameter]:
        """Declared parameters in order."""
        return read_parameters(self.tagged("parameters"))

    @cached_property
    def claims(self) -> list[Claim]:
        """Claims in order, from the literals of the claims cell."""
        calls = self._assigned("CLAIMS")
        if not isinstance(calls, ast.List) or not all(isinstance(c, ast.Call) for c in calls.elts):
            raise ValueError(f"{self.path.name}: CLAIMS must be a list of Effect, Bound and Value calls")
        return [_claim(call) for call in calls.elts if isinstance(call, ast.Call)]

    @cached_property
    def claims_sha(self) -> str:
        """Digest of the claims."""
        return claims_digest(self.claims)

    @cached_property
    def scales(self) -> dict[str, dict[str, object]]:
        """Preset parameters of each scale, checked against the declarations."""
        scales = ast.literal_eval(self._assigned("SCALES"))
        if sorted(scales) != sorted(SCALE_NAMES):
            raise ValueError(f"{self.path.name}: SCALES must have exactly {SCALE_NAMES}, it has {tuple(scales)}")
        return {name: check_values(self.parameters, preset) for name, preset in scales.items()}

    @cached_property
    def uses(self) -> dict[str, list[str]]:
        """Corpora and models by name."""
        uses = ast.literal_eval(self._assigned("USES"))
        if sorted(uses) != ["corpora", "models"]:
            raise ValueError(f'{self.path.name}: USES must have "corpora" and "models", it has {tuple(uses)}')
        return uses

    def resolve(self, given: dict[str, object]) -> dict[str, object]:
        """Every parameter's value: what is given, else the scale's preset, else the default.

        Raises:
            ParameterError: an unknown name or a refused value.
        """
        defaults = {name: p.default for name, p in self.parameters.items()}
        values = defaults | check_values(self.parameters, given)
        preset = self.scales[str(values["scale"])]
        return {name: preset.get(name) if value is None else value for name, value in values.items()}

    def changed(self, resolved: dict[str, object]) -> list[str]:
        """Names whose value is not the preset of the chosen scale."""
        preset = self.resolve({"scale": resolved["scale"]})
        return [name for name, value in resolved.items() if value != preset[name]]

    def _assigned(self, name: str) -> ast.expr:
        for node in ast.parse(self.tagged("claims")).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
                return node.value
        raise ValueError(f"{self.path.name}: the claims cell does not assign {name}")


def find_papers() -> list[Paper]:
    """Every paper's notebook of the project, by family and slug."""
    folder = project_root() / "notebooks"
    paths = sorted(folder.glob("*/*.ipynb"))
    return [Paper(p) for p in paths if p.parent.name != "course" and not p.name.startswith(".")]


def find_paper(slug: str) -> Paper:
    """The notebook of this slug.

    Raises:
        UnknownPaper: there is none; the nearest slug is offered.
    """
    papers = {paper.slug: paper for paper in find_papers()}
    if slug not in papers:
        raise UnknownPaper(f"no paper {slug!r}{nearest(slug, papers)} ('workbench papers' lists them)")
    return papers[slug]


def _claim(call: ast.Call) -> Claim:
    names = ("key", "says")
    fields: dict[str, object] = {name: ast.literal_eval(arg) for name, arg in zip(names, call.args, strict=False)}
    fields |= {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in call.keywords}
    return claim_from(ast.unparse(call.func), fields)
