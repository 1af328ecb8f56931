"""What axe-core finds wrong with a part of a page for those who do not see it, or use it without a mouse."""

from functools import cache
from importlib.resources import files

__all__ = ["faults"]

GRAVE = {"serious", "critical"}
# rules of WCAG 2 up to level AA, and axe's own of good practice
LOOK = "async within => (await axe.run({ include: [[within]] }, { resultTypes: ['violations'] })).violations"


@cache
def _script():
    return (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")


def faults(page, within):
    """Violations of impact serious or critical in the elements of this CSS selector, one line a violation."""
    assert page.locator(within).count() > 0, f"nothing on the page is {within}"
    page.evaluate(_script())
    return [
        f"{found['id']} ({found['impact']}): {node['html'][:300]} | {node.get('failureSummary', '')}"
        for found in page.evaluate(LOOK, within)
        for node in found["nodes"]
        if found["impact"] in GRAVE
    ]
