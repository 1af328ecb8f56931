"""The papermill engine `workbench`, as papermill finds it: light, because every start of papermill imports it."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import nbformat

__all__ = ["WorkbenchEngine"]


class WorkbenchEngine:
    """Engine of `papermill --engine workbench` and of `workbench run`; the work is done in `kernel.execute`.

    It does not derive from papermill's class, which is not there yet while papermill looks for engines.
    """

    @classmethod
    def execute_notebook(cls, nb: "nbformat.NotebookNode", kernel_name: str, **options: Any) -> "nbformat.NotebookNode":  # noqa: ANN401
        """Checks the injected parameters, runs the cells, and leaves the record of a paper's notebook."""
        from workbench.experiments.kernel import execute

        return execute(nb, kernel_name, **options)

    @classmethod
    def nb_kernel_name(cls, nb: "nbformat.NotebookNode", name: str | None = None) -> str:
        """The kernel that is asked for, else the one that the notebook names."""
        from papermill.utils import nb_kernel_name

        return nb_kernel_name(nb, name)

    @classmethod
    def nb_language(cls, nb: "nbformat.NotebookNode", language: str | None = None) -> str:
        """The language that is asked for, else the one that the notebook names."""
        from papermill.utils import nb_language

        return nb_language(nb, language)
