"""Generated pages are those that the committed records make."""

import pytest

from workbench.experiments.pages import family_pages

PAGES = family_pages()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.parent.name)
def test_the_page_of_a_family_is_fresh(path):
    assert path.is_file(), "run `workbench report --write`"
    assert path.read_text(encoding="utf-8") == PAGES[path], "stale: run `workbench report --write`"


def test_no_page_of_a_family_is_left_over(root):
    written = {path for path in (root / "notebooks").glob("*/README.md") if path.parent.name != "course"}
    assert written == set(PAGES)
