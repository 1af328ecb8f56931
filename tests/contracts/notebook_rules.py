"""The rules that every paper's notebook keeps, as functions that return what is wrong."""

import ast

from workbench.experiments.papers import Paper

MOST_CELLS, MOST_CODE_LINES, LONGEST_CELL = 22, 160, 25


def wrong_with(paper: Paper) -> list[str]:
    """Every breach of the contract in words; an empty list for a good notebook."""
    checks = (tags, budgets, literals, parameters_reach_start, claims_are_measured, outputs, figures)
    return [f"{check.__name__}: {words}" for check in checks for words in check(paper)]


def code_cells(paper):
    return [cell for cell in paper.cells if cell["cell_type"] == "code"]


def calls(paper, name):
    """All calls of `name` or of a method of that name, in the order of the cells."""
    for cell in code_cells(paper):
        for node in ast.walk(ast.parse(cell["source"])):
            if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == name:
                yield node


def tags(paper):
    order = [tag for cell in paper.cells for tag in cell["metadata"].get("tags", [])]
    wanted = ["parameters", "claims", "verdict", "exercise", "explore"]
    if order != wanted:
        yield f"tags must be {wanted} in this order, got {order}"


def budgets(paper):
    lines = [[line for line in cell["source"].splitlines() if line.strip()] for cell in code_cells(paper)]
    if len(paper.cells) > MOST_CELLS:
        yield f"{len(paper.cells)} cells, at most {MOST_CELLS}"
    if sum(map(len, lines)) > MOST_CODE_LINES:
        yield f"{sum(map(len, lines))} code lines, at most {MOST_CODE_LINES}"
    yield from (f"a cell of {len(cell)} lines, at most {LONGEST_CELL}" for cell in lines if len(cell) > LONGEST_CELL)
    for cell in code_cells(paper):
        if any(isinstance(node, ast.ClassDef) for node in ast.walk(ast.parse(cell["source"]))):
            yield "a notebook defines no class"


def literals(paper):
    if list(paper.parameters)[:3] != ["scale", "seed", "seeds"]:
        yield f"the first parameters are scale, seed and seeds, got {list(paper.parameters)[:3]}"
    for scale, preset in paper.scales.items():
        empty = [name for name, value in paper.resolve({"scale": scale}).items() if value is None]
        if empty:
            yield f"scale {scale} leaves {empty} without a value (it sets {list(preset)})"
    if sum(claim.decides for claim in paper.claims) != 1:
        yield "exactly one claim decides"
    unused = {claim.on for claim in paper.claims} - set(paper.uses["corpora"])
    if unused:
        yield f"claims are on {unused}, which USES does not name"


def parameters_reach_start(paper):
    found = list(calls(paper, "start"))
    if len(found) != 1 or ast.literal_eval(found[0].args[0]) != paper.slug:
        yield f"start is called once, with the slug {paper.slug!r} first"
        return
    passed = {keyword.arg: ast.unparse(keyword.value) for keyword in found[0].keywords}
    if passed != {name: name for name in paper.parameters}:
        yield f"start must get every parameter under its own name, got {passed}"


def claims_are_measured(paper):
    said = {ast.literal_eval(c.args[0]) for name in ("record", "not_measured") for c in calls(paper, name)}
    missing = {claim.key for claim in paper.claims} - said
    if missing:
        yield f"no cell records {sorted(missing)}"
    if len(list(calls(paper, "verdict"))) != 1:
        yield "run.verdict() is called once"


def outputs(paper):
    if any(cell["outputs"] or cell["execution_count"] is not None for cell in code_cells(paper)):
        yield "committed with outputs"


def figures(paper):
    found = list(calls(paper, "figure"))
    if not found or not all("alt" in {k.arg for k in call.keywords} for call in found):
        yield "a figure, each with its alternative text"
