"""Imports go down only, and what must answer at once stays light."""

import ast
import subprocess
import sys

import pytest

GROUND = {"home", "hubs", "lazy"}
# For each layer of the package, the layers of ours that it may import.
MAY_IMPORT = {
    "home": set(),
    "hubs": set(),
    "lazy": set(),
    "tensors": set(),
    "intervals": set(),
    "corpora": set(),
    "neighbours": {"tensors"},
    "projections": {"tensors"},
    "losses": {"tensors"},
    "models": {"tensors"},
    "plots": {"tensors"},
    "encoders": {"tensors", "models"},
    "diagnostics": {"tensors", "intervals", "neighbours"},
    "retrieval": {"tensors", "neighbours"},
    "evaluation": {"tensors", "intervals", "neighbours", "retrieval", "corpora"},
    "training": {"tensors", "losses", "models", "encoders", "retrieval"},
    "widgets": {"tensors", "neighbours", "projections", "diagnostics", "plots", "encoders"},
    "experiments": {"intervals"},
    "cli": {"experiments", "intervals", "corpora", "encoders", "diagnostics", "evaluation"},
}
INSIDE_FUNCTIONS = {"experiments": {"corpora", "encoders"}}  # only where they are needed: they are heavy


def imports_of(tree, *, top_only):
    """Layers of ours that a module imports; at the top of the module only, or anywhere in it."""
    nodes = tree.body if top_only else list(ast.walk(tree))
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("workbench."):
            yield node.module.split(".")[1]
        elif isinstance(node, ast.ImportFrom) and node.module == "workbench":
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name.split(".")[1] for alias in node.names if alias.name.startswith("workbench."))


def layer_of(path, package):
    part = path.relative_to(package).parts[0]
    return part.removesuffix(".py")


def test_every_module_imports_only_the_layers_below_it(root):
    package, wrong = root / "workbench", []
    for path in package.rglob("*.py"):
        layer = layer_of(path, package)
        if layer == "__init__":
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        allowed = MAY_IMPORT[layer] | {layer} | GROUND
        anywhere = allowed | INSIDE_FUNCTIONS.get(layer, set())
        wrong += [f"{path}: {n}" for n in set(imports_of(tree, top_only=True)) - allowed]
        wrong += [f"{path}: {n}" for n in set(imports_of(tree, top_only=False)) - anywhere]
    assert not wrong


def test_the_check_above_sees_an_upward_import():
    tree = ast.parse("def f():\n    from workbench.experiments import start\nimport workbench.cli\n")
    assert set(imports_of(tree, top_only=False)) == {"experiments", "cli"}
    assert set(imports_of(tree, top_only=True)) == {"cli"}


def loaded_by(statement):
    code = f"import sys\n{statement}\nprint(' '.join(sorted({{m.split('.')[0] for m in sys.modules}})))"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import workbench", {"torch", "numpy", "scipy", "papermill"}),
        ("import workbench.cli", {"torch", "papermill", "nbformat", "nbclient", "plotly", "pandas", "transformers"}),
        ("import workbench.corpora", {"torch", "datasets", "pandas"}),
        ("import workbench.encoders.sources", {"torch", "transformers"}),
        ("import workbench.diagnostics", {"plotly", "umap", "datasets", "IPython", "sklearn"}),
        ("import workbench.encoders.encoder", {"plotly", "umap", "datasets", "IPython"}),
    ],
)
def test_what_an_import_must_not_load(statement, absent):
    assert not absent & loaded_by(statement)


def test_the_list_of_papers_loads_no_papermill_nor_torch(root):
    code = "import workbench.cli as c\ntry: c.app(['papers'])\nexcept SystemExit: pass"
    assert not {"torch", "papermill", "nbformat", "nbclient", "plotly"} & loaded_by(code)
