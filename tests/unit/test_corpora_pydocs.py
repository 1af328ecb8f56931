import ast
import hashlib
import importlib
import inspect
import platform
import subprocess
import sys
import textwrap
import time

import pytest

from workbench.corpora import Corpus, fingerprint, load, pydocs
from workbench.corpora.docstrings import COLUMNS, described, source_files


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    root = tmp_path_factory.mktemp("project")
    (root / "notebooks").mkdir()
    (root / "pyproject.toml").touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKBENCH_HOME", str(root))
        yield root


@pytest.fixture(scope="module")
def core(home) -> Corpus:
    return load("pydocs", scope="stdlib-core")


def test_the_core_scope_serves_smoke_runs(core):
    assert len(core) >= 1500
    assert sum(len(text) > 1500 for text in core.texts) >= 60
    assert min(map(len, core.texts)) >= 30
    assert set(core.columns) == {"name", "module", "package", "kind", "signature", "code"}
    assert set(core.columns["kind"]) == {"module", "class", "function", "method"}


def test_rows_come_in_the_order_of_the_hash_of_their_text(core):
    hashes = [hashlib.sha256(text.encode()).hexdigest() for text in core.texts]
    assert hashes == sorted(hashes)
    assert len(set(hashes)) == len(hashes)


def test_texts_are_the_docstrings_that_python_itself_gives(core):
    some = core.where(package=["argparse", "difflib", "json", "mailbox", "statistics", "textwrap"])
    for text, name, module in zip(some.texts, some.columns["name"], some.columns["module"], strict=True):
        thing = importlib.import_module(module)
        for part in name.removeprefix(module).split(".")[1:]:
            thing = inspect.getattr_static(thing, part)
        thing = getattr(thing, "__func__", thing)  # of a class method
        assert inspect.cleandoc(thing.__doc__) == text, name
    assert len(some) > 200


def test_code_is_the_source_without_its_docstring(core):
    statistics = core.where(module="statistics", kind="function")
    tree = ast.parse(inspect.getsource(importlib.import_module("statistics")))
    sources = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    for name, code in zip(statistics.columns["name"], statistics.columns["code"], strict=True):
        node = sources[name.rpartition(".")[2]]
        node.body = node.body[1:]
        assert ast.unparse(ast.parse(code)) == ast.unparse(node), name
    assert len(statistics) > 15


MODULE = '''
"""A module docstring that is long enough to stay."""
try:
    import fast
except ImportError:
    def fallback(x, *, y=1) -> int:
        """Fallback of the fast thing, also long enough."""
        # größer
        return x

class Outer(Base, metaclass=Meta):
    """The outer class, described at sufficient length."""

    class Inner:
        """The inner class, described at sufficient length."""

    @decorated(
        1)
    async def method(self):
        r"""A method whose docstring
            is indented, at some length.
        """; return 2

    def short(self):
        """Too short."""

    def only(self):
        """Nothing but this docstring is in here."""

def one_line(): "Everything on a single line, still counted."; return 1

def holder():
    def local():
        """A local function, which nobody can import."""
'''


@pytest.fixture
def rows(tmp_path) -> dict[str, dict[str, str]]:
    path = tmp_path / "m.py"
    path.write_text(MODULE, encoding="utf-8")
    return {row[1]: dict(zip(COLUMNS, row, strict=True)) for row in described(path, "pkg.m")}


def test_every_described_thing_is_found_and_named(rows):
    assert {name: row["kind"] for name, row in rows.items()} == {
        "pkg.m": "module",
        "pkg.m.fallback": "function",
        "pkg.m.Outer": "class",
        "pkg.m.Outer.Inner": "class",
        "pkg.m.Outer.method": "method",
        "pkg.m.Outer.only": "method",
        "pkg.m.one_line": "function",
    }
    assert {(row["module"], row["package"]) for row in rows.values()} == {("pkg.m", "pkg")}


def test_texts_signatures_and_code_of_a_small_module(rows):
    assert rows["pkg.m.Outer.method"]["text"] == "A method whose docstring\nis indented, at some length."
    assert rows["pkg.m.Outer"]["signature"] == "class Outer(Base, metaclass=Meta)"
    assert rows["pkg.m.Outer.Inner"]["signature"] == "class Inner"
    assert rows["pkg.m.Outer.method"]["signature"] == "async def method(self)"
    assert rows["pkg.m.fallback"]["signature"] == "def fallback(x, *, y=1) -> int"
    assert (rows["pkg.m"]["signature"], rows["pkg.m"]["code"], rows["pkg.m.Outer"]["code"]) == ("", "", "")
    assert rows["pkg.m.fallback"]["code"] == "def fallback(x, *, y=1) -> int:\n    # größer\n    return x"
    method = "@decorated(\n    1)\nasync def method(self):\n    return 2"
    assert rows["pkg.m.Outer.method"]["code"] == method
    assert rows["pkg.m.Outer.only"]["code"] == "def only(self):"
    assert rows["pkg.m.one_line"]["code"] == "def one_line(): ; return 1"


def test_a_file_that_cannot_be_parsed_gives_no_rows(tmp_path):
    path = tmp_path / "old.py"
    path.write_text("print 'python 2'\n")
    assert list(described(path, "old")) == []


def test_tests_and_fixtures_are_left_out(tmp_path):
    for name in ("a.py", "pkg/__init__.py", "pkg/b.py", "pkg/tests/c.py", "test/d.py", "pkg/test_e.py", "conftest.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    for name in ("testing/_internal/f.py", "testing/g.py", "not-a-name.py", "site-packages/h.py", "pkg/i.pyi"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert {name for _, name in source_files(tmp_path)} == {"a", "pkg", "pkg.b", "testing.g"}
    assert {name for _, name in source_files(tmp_path, only={"pkg"})} == {"pkg", "pkg.b"}


def test_nothing_is_imported_and_no_torch_is_loaded(home):
    script = """
        import sys
        before = set(sys.modules)
        import workbench.corpora
        heavy = {'torch', 'datasets', 'pandas', 'pyarrow', 'transformers', 'sklearn'}
        assert not heavy & set(sys.modules), heavy & set(sys.modules)
        workbench.corpora.load('pydocs', scope='stdlib-core')
        assert 'turtle' not in sys.modules and 'tkinter' not in sys.modules
        assert not (heavy - {'pyarrow', 'pandas'}) & set(sys.modules)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=True)


def test_the_fingerprint_names_scope_and_versions_and_is_cheap(core, monkeypatch):
    start = time.process_time()
    before = [fingerprint("pydocs", scope=scope) for scope in ("stdlib-core", "stdlib", "all")]
    assert time.process_time() - start < 0.3
    assert core.source.fingerprint == before[0]
    assert len(set(before)) == 3
    assert fingerprint("pydocs") == before[2]
    monkeypatch.setattr(platform, "python_version", lambda: "3.99.0")
    changed = [fingerprint("pydocs", scope=scope) for scope in ("stdlib-core", "stdlib", "all")]
    assert not set(changed) & set(before)


def test_a_new_version_of_a_package_changes_the_fingerprint(monkeypatch):
    before = {scope: fingerprint("pydocs", scope=scope) for scope in ("stdlib", "all")}
    version = pydocs.importlib.metadata.version
    monkeypatch.setattr(pydocs.importlib.metadata, "version", lambda name: "0.0" if name == "torch" else version(name))
    assert fingerprint("pydocs", scope="all") != before["all"]
    assert fingerprint("pydocs", scope="stdlib") == before["stdlib"]


def test_a_package_that_is_not_installed_is_named(monkeypatch, home):
    monkeypatch.setattr(pydocs, "_PACKAGES", {"no_such_package": "no-such-package"})
    with pytest.raises(ModuleNotFoundError, match="no-such-package"):
        load("pydocs")
    monkeypatch.setattr(pydocs, "_PACKAGES", {"no_such_module": "numpy"})
    with pytest.raises(ModuleNotFoundError, match="pydocs reads no_such_module, which is not installed"):
        list(pydocs._files("all"))


def test_rows_are_parsed_once_and_a_torn_cache_file_is_parsed_again(core, home, monkeypatch):
    path = home / "data" / "cache" / "pydocs" / f"{core.source.fingerprint}.parquet"
    whole = path.read_bytes()
    parsed = pydocs._parsed
    calls = []
    monkeypatch.setattr(pydocs, "_parsed", lambda scope: calls.append(scope) or parsed(scope))
    assert load("pydocs", scope="stdlib-core").texts == core.texts
    assert calls == []
    path.write_bytes(whole[: len(whole) // 2])
    again = load("pydocs", scope="stdlib-core")
    assert calls == ["stdlib-core"]
    assert (again.texts, again.columns) == (core.texts, core.columns)
    assert path.read_bytes() == whole


@pytest.mark.parametrize("option", ["split", "subset", "text", "label"])
def test_a_built_in_set_takes_a_scope_alone(option):
    with pytest.raises(ValueError, match=f"'pydocs' is a built-in set and takes no {option}, got 'x'"):
        load("pydocs", **{option: "x"})


def test_an_unknown_scope_names_those_there_are():
    for call in (load, fingerprint):
        with pytest.raises(ValueError, match=r"one of \['stdlib-core', 'stdlib', 'all'\], got 'core'"):
            call("pydocs", scope="core")


def test_the_fingerprint_of_the_core_names_its_modules(home, monkeypatch):
    before = {scope: fingerprint("pydocs", scope=scope) for scope in ("stdlib-core", "stdlib")}
    monkeypatch.setattr(pydocs, "_CORE", ("argparse",))
    assert fingerprint("pydocs", scope="stdlib-core") != before["stdlib-core"]
    assert fingerprint("pydocs", scope="stdlib") == before["stdlib"]
