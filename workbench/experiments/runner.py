"""Importing this imports papermill, without the 2 s of CPU that jsonschema would spend on a grammar of addresses.

nbformat checks notebooks with jsonschema, which imports rfc3987_syntax where Jupyter's server brought it, and that
builds its grammar at once. No notebook has an address to be checked; who asks for the module later still gets it.
"""

import importlib
import sys
from typing import Any

_SLOW = "rfc3987_syntax"
_modules: dict[str, Any] = sys.modules

if _SLOW in _modules:
    importlib.import_module("papermill")
else:
    _modules[_SLOW] = None  # Python's way to say that there is no such module
    try:
        importlib.import_module("papermill")
    finally:
        del _modules[_SLOW]
