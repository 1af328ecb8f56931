"""papermill imported without the grammar of addresses, in a process of its own."""

import subprocess
import sys

CODE = """
import sys
import workbench.experiments.runner
slow = [name for name in sys.modules if name.startswith("rfc3987_syntax")]
assert "papermill" in sys.modules and slow == [], slow  # nor an entry that would keep others from importing it
import nbformat
nbformat.validate(nbformat.v4.new_notebook())
try:
    nbformat.validate({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{"cell_type": "no"}]})
except nbformat.ValidationError:
    print("refused")
"""


def test_papermill_is_there_and_the_grammar_is_not():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=False)
    assert done.stdout == "refused\n", done.stderr
