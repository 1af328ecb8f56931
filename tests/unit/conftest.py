"""An empty project to write caches into, and the embedded model, loaded once."""

import pytest


def empty_project(root):
    (root / "notebooks").mkdir(parents=True)
    (root / "pyproject.toml").touch()
    return root


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A project of this test's own: its caches are empty."""
    root = empty_project(tmp_path / "home")
    monkeypatch.setenv("WORKBENCH_HOME", str(root))
    return root


@pytest.fixture(scope="session")
def loaded(tmp_path_factory):
    """all-MiniLM-L6-v2 on the CPU."""
    from workbench.encoders import load_encoder

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKBENCH_HOME", str(empty_project(tmp_path_factory.mktemp("loaded") / "home")))
        return load_encoder("all-MiniLM-L6-v2", device="cpu")


@pytest.fixture
def enc(loaded, home):
    """The embedded model with an empty vector store."""
    loaded.stores.clear()
    return loaded
