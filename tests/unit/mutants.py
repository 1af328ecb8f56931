"""A mutant is a function with one line of its module changed; a check that lets it pass checks nothing there."""

import inspect
from collections.abc import Callable
from types import ModuleType


def killed(module: ModuleType, name: str, old: str, new: str, check: Callable[[Callable], None]) -> bool:
    """Whether `check` fails for `module.name` once `old` reads `new` in the module's source.

    `old` must stand in the source exactly once, and `check` must pass for the function as it is. Only a failed
    assertion kills: a mutant that does not run shows nothing about the check, and its error is raised.
    """
    source = inspect.getsource(module)
    assert source.count(old) == 1, f"{old!r} stands {source.count(old)} times in {module.__name__}"
    check(getattr(module, name))
    names = {"__name__": module.__name__, "__file__": module.__file__}
    exec(compile(source.replace(old, new), f"<mutant of {module.__name__}>", "exec"), names)
    try:
        check(names[name])
    except AssertionError:
        return True
    return False
