"""One script of several ES modules, without a build step."""

import re
from pathlib import Path

__all__ = ["joined"]

IMPORT = re.compile(r'^import\s*\{([^}]*)\}\s*from\s*"\./([\w.]+)";\n', re.MULTILINE)
EXPORT = re.compile(r"^export (?=(?:async )?(?:function|const|class) )", re.MULTILINE)


def joined(entry: Path) -> str:
    """The module `entry` with all that it imports from its own folder, each once, as one module.

    Names at the top of the modules share one scope afterwards: each may be declared once only. The exports of `entry`
    stay, the others are dropped. Imports are of the form `import { a, b } from "./c.js";`, without renaming.

    Raises:
        FileNotFoundError: an imported module is not there.
    """
    parts: dict[str, str] = {}
    _collect(entry, parts)
    own = parts.pop(entry.name)
    return "\n".join([*(EXPORT.sub("", text) for text in parts.values()), own])


def _collect(path: Path, parts: dict[str, str]) -> None:
    text = path.read_text(encoding="utf-8")
    for _, name in IMPORT.findall(text):
        if name not in parts:
            _collect(path.with_name(name), parts)
    parts[path.name] = IMPORT.sub("", text)
