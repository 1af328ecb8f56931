"""The same tools as in pre-commit: linter, formatter, types, stripped notebooks."""

import subprocess
import sys

import pytest


def run(root, *command):
    done = subprocess.run([sys.executable, "-m", *command], cwd=root, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    "command", [("ruff", "check", "."), ("ruff", "format", "--check", "."), ("pyright", "--pythonpath", sys.executable)]
)
def test_a_tool_finds_nothing(root, command):
    status, said = run(root, *command)
    assert status == 0, said


def test_notebooks_are_stripped(root):
    paths = [str(p) for p in root.glob("notebooks/**/*.ipynb") if ".ipynb_checkpoints" not in p.parts]
    status, said = run(root, "nbstripout", "--keep-id", "--verify", *paths)
    assert status == 0, said


def test_the_package_has_no_path_of_one_machine_and_no_registry_host(root):
    tracked = subprocess.run(["git", "ls-files"], cwd=root, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    banned = ["/ro" + "ot/", "/ho" + "me/", "/wo" + "rk/", "pypi" + ".org", "pythonhosted" + ".org"]
    for name in tracked:
        path = root / name
        if (
            name
            and path.is_file()
            and path.suffix in {".py", ".md", ".ipynb", ".toml", ".json", ".yaml", ".cff", ".j2", ""}
        ):
            found = [word for word in banned if word in path.read_text(encoding="utf-8")]
            assert not found, f"{name}: {found}"
