import ast
import collections
import hashlib
import importlib
import inspect
import io
import platform
import subprocess
import sys
import sysconfig
import textwrap
import time
import tokenize
from pathlib import Path

import pytest

from tests.unit.conftest import empty_project
from workbench.corpora import Corpus, pydocs, pysource
from workbench.corpora.pycode import functions, named, source_text, split_words
from workbench.corpora.pycomments import comments
from workbench.corpora.pysource import SUBSETS, load_pysource, package_split, pysource_fingerprint
from workbench.corpora.splits import SPLITS

STDLIB = Path(sysconfig.get_path("stdlib"))


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    root = empty_project(tmp_path_factory.mktemp("pysource") / "home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKBENCH_HOME", str(root))
        yield root


@pytest.fixture(scope="module")
def core(home) -> dict[str, Corpus]:
    return {subset: load_pysource(scope="stdlib-core", subset=subset) for subset in SUBSETS}


@pytest.fixture
def package(home, monkeypatch, tmp_path):
    """Loads a scope of the given files instead of the standard library's."""

    def load(files: dict[str, str | bytes], **options):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        found = [(tmp_path / name, name.removesuffix(".py").replace("/", ".")) for name in files]
        key = hashlib.sha256(str(tmp_path).encode() + repr(sorted(files.items())).encode()).hexdigest()
        monkeypatch.setattr(pysource, "scope_files", lambda _: iter(found))
        monkeypatch.setattr(pysource, "scope_versions", lambda scope: [scope, key])
        return load_pysource(scope="stdlib", **options)

    return load


def test_rows_columns_and_order_of_every_subset(core):
    least = {"files": 80, "functions": 3000, "comments": 2000, "identifiers": 3000}
    for subset, corpus in core.items():
        assert ("text", *corpus.columns) == SUBSETS[subset]
        assert len(corpus) >= least[subset]
        hashes = [hashlib.sha256(text.encode()).hexdigest() for text in corpus.texts]
        assert hashes == sorted(hashes)
        assert len(set(hashes)) == len(hashes)
        numbers = {"lines", "line", "count"} & set(corpus.columns)
        assert all(type(n) is int and n >= 1 for name in numbers for n in corpus.columns[name])
        assert (corpus.source.name, corpus.source.kind, corpus.source.split) == ("pysource", "built-in", None)
        assert corpus.source.scope == f"stdlib-core, {subset}"
    assert load_pysource(scope="stdlib-core").texts == core["functions"].texts


def test_files_are_those_on_the_disk(core):
    files = core["files"]
    for text, path, module, package, lines in zip(files.texts, *files.columns.values(), strict=True):
        with tokenize.open(STDLIB / path) as file:
            assert file.read() == text
        assert lines == len((STDLIB / path).read_bytes().rstrip(b"\n").split(b"\n"))
        assert importlib.util.find_spec(package).name == package == module.split(".")[0]
    assert {"argparse.py", "email/__init__.py", "email/message.py"} <= set(files.columns["path"])


def test_functions_are_their_source_without_docstring(core):
    some = core["functions"].where(module=["argparse", "difflib", "mailbox", "textwrap"])
    for text, name, module, docstring in zip(
        some.texts, *(some.columns[c] for c in ("name", "module", "docstring")), strict=True
    ):
        thing = importlib.import_module(module)
        for part in name.removeprefix(module + ".").split("."):
            private = part.startswith("__") and not part.endswith("__")
            thing = inspect.getattr_static(thing, f"_{thing.__name__.lstrip('_')}{part}" if private else part)
        thing = getattr(thing, "__func__", thing)  # of a class method
        thing = getattr(thing, "fget", thing)  # of a property
        node = ast.parse(textwrap.dedent(inspect.getsource(thing))).body[0]
        if ast.get_docstring(node) is not None:
            node.body = node.body[1:]
        assert ast.unparse(ast.parse(text)) == ast.unparse(node), name
        assert docstring == inspect.cleandoc(thing.__doc__ or "")
    assert len(some) > 100


def test_every_function_is_one_that_parses_alone(core):
    corpus = core["functions"]
    for text, signature, lines in zip(corpus.texts, corpus.columns["signature"], corpus.columns["lines"], strict=True):
        (node,) = ast.parse(text).body
        assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        assert signature.removeprefix("async ").startswith(f"def {node.name}(")
        assert lines == len(text.split("\n"))
    assert set(corpus.columns["kind"]) == {"function", "method"}


MODULE = '''
def plain(x):
    return x


class Holder:
    @property
    def half(self):
        """Half of it."""
        def local():
            return 2
        return f"""
at the margin
        within""" + str(local())

    async def asked(self, *, deep: bool = False) -> int:
        return await self.other(deep)

    def stub(self):
        """Says what it would do."""

    def later(self): ...

    def never(self):
        pass
'''


def test_functions_of_a_small_module():
    rows = {name: rest for _, name, *rest in functions(MODULE, "m")}
    assert rows == {
        "m.plain": ["function", "def plain(x)", "", 2],
        "m.Holder.half": ["method", "def half(self)", "Half of it.", 7],
        "m.Holder.asked": ["method", "async def asked(self, *, deep: bool=False) -> int", "", 2],
    }
    texts = {name: code for code, name, *_ in functions(MODULE, "m")}
    assert texts["m.Holder.asked"].startswith("async def asked(self, *, deep: bool = False) -> int:\n    return")
    assert texts["m.Holder.half"] == (
        "@property\ndef half(self):\n    def local():\n        return 2\n"
        '    return f"""\nat the margin\n    within""" + str(local())'
    )
    assert list(functions("def f(:", "m")) == []


def test_spaces_at_the_ends_of_lines_within_a_text_stay():
    ((code, *_),) = functions('class A:\n    def f(self):\n        return """one  \n  two"""  \n', "m")
    assert code == 'def f(self):\n    return """one  \n  two"""'


COMMENTED = '''#!/usr/bin/env python3 and then some more words
# -*- coding: utf-8 -*- is what this file is in
# Copyright 2001 by the Foundation; see the licence for details.
"""Docstring."""
# Author: Somebody who wrote all of this down <a@b.org>

# a comment about the import that follows it
import os  # too short

# a heading that nothing follows directly, only a space

x = {
    # the first key is for those that come first
    "a": 1,
    "b": 2,  # the second key stands beside its value
}  # the whole dictionary is meant by this one


class A:
    # what is said here has two lines,
    #   and the second is set in

    # -------- rules of dashes go, what is between stays --------
    @decorator(
        1)
    def f(self, y):  # beside the header of a function
        if y:  # noqa: this is for a linter and not for us
            return (y +
                    1)  # beside the end of a whole statement
        # this is said at the end of a block
    # and this of the class, further out in the file
    z = 3  # type: ignore  # nor is this for a reader of texts


# old = call_of_a_function(with_arguments, and_more)
# return old

# THIS IS A HEADING ALL IN CAPITALS, NOT A SENTENCE
table = [
    "x",  # 0x41 -> LATIN CAPITAL LETTER A WITH ACUTE
]
# parts were Copyright (c) 1999 by another author
# pylint: disable=something-that-is-long-enough
# Copied from transformers.models.bert.modeling_bert.BertLayer
y = 1  # a reason for one is given here  # noqa: E501
# the last one has no code below it at all'''


def test_comments_of_a_small_module_with_their_code():
    assert list(comments(COMMENTED)) == [
        ("a comment about the import that follows it", 7, "import os  # too short"),
        ("a heading that nothing follows directly, only a space", 10, ""),
        ("the first key is for those that come first", 13, '"a": 1,'),
        ("the second key stands beside its value", 15, '"b": 2,'),
        (
            "the whole dictionary is meant by this one",
            16,
            'x = {\n    # the first key is for those that come first\n    "a": 1,\n'
            '    "b": 2,  # the second key stands beside its value\n}',
        ),
        ("what is said here has two lines,\n  and the second is set in", 20, ""),
        (
            "rules of dashes go, what is between stays",
            23,
            "@decorator(\n    1)\ndef f(self, y):  # beside the header of a function",
        ),
        ("beside the header of a function", 26, "@decorator(\n    1)\ndef f(self, y):"),
        ("beside the end of a whole statement", 29, "return (y +\n        1)"),
        ("this is said at the end of a block", 30, ""),
        (
            "and this of the class, further out in the file",
            31,
            "z = 3  # type: ignore  # nor is this for a reader of texts",
        ),
        ("a reason for one is given here", 45, "y = 1"),
        ("the last one has no code below it at all", 46, ""),
    ]  # fmt: skip


def test_a_comment_at_the_end_of_a_block_is_not_about_what_follows_further_out():
    text = "if x:\n    y = 1\n    # this is the last that is said of x\nz = 2\n"
    assert list(comments(text)) == [("this is the last that is said of x", 3, "")]
    assert list(comments(text.replace("    # this", "# this"))) == [("this is the last that is said of x", 3, "z = 2")]


def test_a_file_that_cannot_be_read_as_tokens_has_no_comments():
    assert list(comments("x = (  # never closed, although it should have been\n")) == []
    assert list(comments("if x:\n        y\n    z  # comes back to no level there was before\n")) == []


def test_of_a_long_statement_its_nearest_line_stands_for_the_code():
    def both(lines):
        inner = "".join(f"    {i},\n" for i in range(lines - 2))
        return f"# what this list is for is said here\nx = [\n{inner}]  # and something more beside its end\n", inner

    text, inner = both(20)
    assert [code for _, _, code in comments(text)] == [
        f"x = [\n{inner}]  # and something more beside its end",
        f"x = [\n{inner}]",
    ]
    assert [code for _, _, code in comments(both(21)[0])] == ["x = [", "]"]


def test_every_comment_stands_where_it_says(core):
    corpus = core["comments"]
    paths = {module: path.relative_to(STDLIB) for path, module in pydocs.scope_files("stdlib-core")}
    sources: dict[str, list[str]] = {}
    for text, module, line, code in zip(
        corpus.texts, *(corpus.columns[c] for c in ("module", "line", "code")), strict=True
    ):
        if module not in sources:
            sources[module] = (STDLIB / paths[module]).read_text("utf-8").split("\n")
        lines = sources[module]
        assert len(text) >= 30
        # where a line of the comment was a rule of dashes or a mark, the text begins further down
        assert any(text.split("\n")[0].strip() in one and "#" in one for one in lines[line - 1 : line + 6]), text
        for part in code.split("\n"):
            assert any(part.strip() in one for one in lines), (module, line, part)
    assert sum(code != "" for code in corpus.columns["code"]) > 0.7 * len(corpus)


@pytest.mark.parametrize(
    ("identifier", "words"),
    [
        ("getHTTPResponse2", "get http response 2"),
        ("snake_case_name", "snake case name"),
        ("__dunder_name__", "dunder name"),
        ("MAX_LENGTH", "max length"),
        ("XMLParser", "xml parser"),
        ("parseURLsFromText", "parse urls from text"),
        ("user_IDs", "user ids"),
        ("HTTPSocket", "http socket"),
        ("conv2d", "conv 2d"),
        ("Conv2dLayer", "conv 2d layer"),
        ("utf8_to_utf16", "utf 8 to utf 16"),
        ("ÄnderungsListe", "änderungs liste"),
        ("x", "x"),
        ("_", ""),
        ("", ""),
    ],
)
def test_words_of_an_identifier(identifier, words):
    assert " ".join(split_words(identifier)) == words


def test_what_identifiers_name():
    source = """
import some_module as other_name
class BigThing(some_module.SmallThing, key_word=1):
    class_field: int = 0
    async def do_it(self, first_arg, *more_args):
        try:
            self.set_up(first_arg, by_name=class_field)
        except some_error as its_name:
            raise
"""
    kinds = collections.defaultdict(list)
    for name, kind in named(source):
        kinds[name].append(kind)
    assert {name: sorted(found) for name, found in kinds.items() if "_" in name or name[0].isupper()} == {
        "BigThing": ["class"],
        "SmallThing": ["attribute"],
        "some_module": [""],
        "key_word": ["argument"],
        "class_field": ["", "variable"],
        "do_it": ["function"],
        "first_arg": ["", "argument"],
        "more_args": ["argument"],
        "set_up": ["attribute"],
        "by_name": ["argument"],
        "some_error": [""],
        "its_name": ["variable"],
    }
    assert list(named("def f(:")) == []


def test_identifiers_are_counted_over_spellings_and_packages(package):
    first = "def get_item(x):\n    return x.get_item\n\nonly_used\nx1 = a_b = 1\n"
    second = "getItem = get_item = 1\nprint(getItem)\nGetItem = 2\n"
    third = "get_item\n" * 3
    corpus = package({"one.py": first, "two.py": second, "three.py": third}, subset="identifiers")
    assert corpus.texts == ("get item",)
    assert {name: values[0] for name, values in corpus.columns.items()} == {
        "identifier": "get_item",
        "kinds": "attribute, function, variable",
        "count": 9,  # get_item 2 + 1 + 3, getItem 2, GetItem 1
        "package": "two",  # 4 of 9
    }


def test_counts_of_identifiers_are_those_of_the_tokens(core):
    tokens: collections.Counter[str] = collections.Counter()
    for text in load_whole_core():
        for kind, string, *_ in tokenize.generate_tokens(io.StringIO(text).readline):
            tokens[string] += kind == tokenize.NAME
    spellings = collections.Counter(" ".join(split_words(token)) for token in tokens if token.isidentifier())
    columns = core["identifiers"].columns
    alone = [
        (identifier, count)
        for identifier, count in zip(columns["identifier"], columns["count"], strict=True)
        if tokens[identifier] > 20 and spellings[" ".join(split_words(identifier))] == 1
    ][:50]
    # imports, `global` and the insides of f-strings make the two counts differ a little
    assert len(alone) == 50
    assert sum(abs(count - tokens[identifier]) for identifier, count in alone) < 0.05 * sum(n for _, n in alone)


def load_whole_core() -> list[str]:
    texts = (source_text(path) for path, _ in pydocs.scope_files("stdlib-core"))
    return [text for text in texts if text]


def test_files_that_are_empty_or_undecodable_are_skipped(package):
    body = "def area(width, height):\n    if width < 0:\n        raise ValueError(width)\n    return width * height\n"
    files = {
        "empty.py": " \n\n",
        "broken.py": b"# no such byte in UTF-8: \xff\nx = 1\n",
        "unknown.py": b"# -*- coding: no-such-code -*-\nx = 1\n",
        "latin.py": "# -*- coding: latin-1 -*-\ncafé = 'ü'\n".encode("latin-1"),
        "windows.py": body.replace("\n", "\r\n"),
        "marked.py": b"\xef\xbb\xbfvalue = 'with a mark before it'\n",
        "old.py": "print 'python 2'\n",
    }
    corpus = package(files, subset="files")
    assert dict(zip(corpus.columns["path"], corpus.texts, strict=True)) == {
        "latin.py": "# -*- coding: latin-1 -*-\ncafé = 'ü'\n",
        "windows.py": body,
        "marked.py": "value = 'with a mark before it'\n",
        "old.py": "print 'python 2'\n",
    }
    assert package(files, subset="functions").texts == (body.rstrip("\n"),)
    assert package(files, subset="functions").columns["lines"] == (4,)


def test_near_duplicates_of_functions_and_copies_of_comments_are_dropped(package):
    body = "".join(f"    value_{i} = compute(argument_{i}, other_{i})\n" for i in range(30))
    noted = "# this remark stands in two of the packages\nx = 1\n"
    files = {
        "one.py": f"def first():\n{body}{noted}",
        "two.py": f"def second():\n{body}{noted}# and this one in one alone of the two\n",
        "three.py": "def third():\n    return 'nothing like the others at all'\n",
    }
    assert sorted(package(files).columns["name"]) in (["one.first", "three.third"], ["three.third", "two.second"])
    corpus = package(files, subset="comments")
    assert dict(zip(corpus.texts, corpus.columns["module"], strict=True)) == {
        "this remark stands in two of the packages": "one",
        "and this one in one alone of the two": "two",
    }


@pytest.mark.parametrize("subset", SUBSETS)
def test_no_package_is_in_two_splits(core, subset):
    parts = {split: load_pysource(scope="stdlib-core", subset=subset, split=split) for split in SPLITS}
    assert sorted(t for part in parts.values() for t in part.texts) == sorted(core[subset].texts)
    packages = [package for part in parts.values() for package in set(part.columns["package"])]
    assert len(packages) == len(set(packages)) == len(set(core[subset].columns["package"]))
    assert {split: part.source.split for split, part in parts.items()} == {split: split for split in SPLITS}
    for split, part in parts.items():
        assert {package_split(package) for package in part.columns["package"]} == {split}
    assert 0.6 < len(parts["train"]) / len(core[subset]) < 0.9


def test_a_package_falls_to_its_split_by_its_name_in_the_stated_shares():
    n = 20_000
    found = collections.Counter(package_split(f"package{i}") for i in range(n))
    for split, share in zip(SPLITS, (0.8, 0.1, 0.1), strict=True):
        assert abs(found[split] - share * n) < 5 * (n * share * (1 - share)) ** 0.5


def test_a_split_without_a_package_is_refused(home, monkeypatch):
    monkeypatch.setattr(pydocs, "_CORE", ("textwrap",))
    only = package_split("textwrap")
    assert len(load_pysource(scope="stdlib-core", split=only)) > 5
    for split in set(SPLITS) - {only}:
        sentence = (
            f"split '{split}' of pysource holds no package of scope 'stdlib-core'.*all 1 .* fell to \\['{only}'\\]"
        )
        with pytest.raises(ValueError, match=sentence):
            load_pysource(scope="stdlib-core", split=split)


def test_a_scope_without_rows_gives_an_empty_corpus(package):
    corpus = package({"one.py": "x = 1\n"}, subset="comments")
    assert (corpus.texts, set(corpus.columns.values())) == ((), {()})


def test_rows_are_parsed_once_and_a_torn_cache_file_is_parsed_again(core, home, monkeypatch):
    before = core["comments"]
    path = home / "data" / "cache" / "pysource" / f"comments-{before.source.fingerprint}.parquet"
    whole = path.read_bytes()
    parsed = pysource._READERS["comments"]
    calls = []
    monkeypatch.setitem(pysource._READERS, "comments", lambda scope: calls.append(scope) or parsed(scope))
    assert load_pysource(scope="stdlib-core", subset="comments").columns == before.columns
    assert calls == []
    path.write_bytes(whole[: len(whole) // 2])
    again = load_pysource(scope="stdlib-core", subset="comments")
    assert calls == ["stdlib-core"]
    assert (again.texts, again.columns) == (before.texts, before.columns)
    assert path.read_bytes() == whole


def test_the_fingerprint_names_scope_and_versions_and_is_cheap(core, monkeypatch):
    start = time.process_time()
    before = [pysource_fingerprint(scope) for scope in ("stdlib-core", "stdlib", "all")]
    assert time.process_time() - start < 0.3
    assert {corpus.source.fingerprint for corpus in core.values()} == {before[0]}
    assert len({*before, *(pydocs.pydocs_fingerprint(scope) for scope in ("stdlib-core", "stdlib", "all"))}) == 6
    assert pysource_fingerprint() == before[2]
    version = pydocs.importlib.metadata.version
    with monkeypatch.context() as patch:
        patch.setattr(pydocs.importlib.metadata, "version", lambda name: "0.0" if name == "scipy" else version(name))
        assert [pysource_fingerprint(s) == b for s, b in zip(("stdlib", "all"), before[1:], strict=True)] == [
            True,
            False,
        ]
    monkeypatch.setattr(platform, "python_version", lambda: "3.99.0")
    assert not {pysource_fingerprint(scope) for scope in ("stdlib-core", "stdlib", "all")} & set(before)


def test_unknown_options_name_those_there_are(home):
    for call in (lambda: load_pysource(scope="core"), lambda: pysource_fingerprint("core")):
        with pytest.raises(
            ValueError, match=r"scope of pysource is one of \['stdlib-core', 'stdlib', 'all'\], got 'core'"
        ):
            call()
    with pytest.raises(ValueError, match=r"subset of pysource is one of \['files', 'functions', .*\], got 'classes'"):
        load_pysource(scope="stdlib-core", subset="classes")
    with pytest.raises(ValueError, match=r"pysource has no split 'all'; it has \['dev', 'test', 'train'\]"):
        load_pysource(scope="stdlib-core", split="all")


def test_a_package_that_is_not_installed_is_named(monkeypatch, home):
    monkeypatch.setattr(pydocs, "_PACKAGES", {"no_such_package": "no-such-package"})
    for call in (load_pysource, pysource_fingerprint):
        with pytest.raises(ModuleNotFoundError, match="no-such-package"):
            call()


def test_nothing_is_imported(home):
    script = """
        import sys
        from workbench.corpora.pysource import load_pysource
        heavy = {'torch', 'datasets', 'pandas', 'pyarrow', 'transformers', 'sklearn'}
        assert not heavy & set(sys.modules), heavy & set(sys.modules)
        load_pysource(scope='stdlib-core', subset='identifiers')
        assert 'turtle' not in sys.modules and 'tkinter' not in sys.modules
        assert not (heavy - {'pyarrow', 'pandas'}) & set(sys.modules)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=True)
