"""Fifty command lines that are right and two hundred that are wrong, through the real command line in one process."""

import random
from itertools import islice

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.faults.conftest import write_project
from workbench.cli import app

GOOD = [
    ["papers"],
    ["doctor"],
    ["cache"],
    ["cache", "--clear", "--older-than", "1000"],
    ["cache", "--clear"],
    *(["show", slug] for slug in ("broken", "other")),
    ["run", "broken", "other", "--why"],
    ["run", "--all", "--why"],
    ["run", "--all", "--why", "--jobs", "3"],
    *(["run", "broken", "--why", "--scale", scale] for scale in ("smoke", "small", "paper")),
    *(["run", "broken", "--why", "--seeds", str(n)] for n in (1, 3, 5)),
    *(["run", slug, "--why", "-p", f"n_texts={n}"] for slug in ("broken", "other") for n in (20, 21, 100, 5000)),
    *(["run", "broken", "--why", "-p", f"seed={n}"] for n in range(5)),
    *(["run", "broken", "--why", "-p", f"scale={scale}"] for scale in ("smoke", "small", "paper")),
    *(["run", "other", "--why", "-p", value] for value in
      ("n_texts=none", "n_texts=None", "seeds=null", "n_texts=+30")),
    *(["run", "other", "--why", "-p", f"seeds={n}"] for n in (2, 4)),
    ["run", "other", "--why", "-p", " n_texts = 30 "],
    ["run", "broken", "--why", "--force", "-p", "n_texts=30", "-p", "seed=2"],
    ["run", "broken", "--scale", "small", "--seeds", "5", "-p", "n_texts=200", "--why"],
    ["run", "broken", "broken", "--why"],
    *(["sweep", "broken", "--why", "-p", "n_texts=20", "-p", f"n_texts={n}"] for n in (30, 40, 50)),
    ["sweep", "other", "--why", "-p", "seed=0", "-p", "seed=1", "-p", "n_texts=30"],
    ["sweep", "other", "--why", "-p", "seed=0", "-p", "seed=1", "-p", "n_texts=30", "-p", "n_texts=40"],
    ["sweep", "other", "--why", "-p", "scale=smoke", "-p", "scale=small", "--jobs", "2"],
    ["new", "a_paper"],
    ["new", "another_paper", "--family", "elastic"],
    ["--help"],
]  # fmt: skip


def broken_name(word, draw):
    """The word with one letter doubled, dropped or changed into one that no name here has."""
    at = draw.randrange(len(word))
    return draw.choice([word[:at] + "q" + word[at + 1 :], word[:at] + "zz" + word[at:], word + "x"])


def mutants(draw):
    """Wrong command lines, each wrong for a reason that holds whatever is drawn."""
    runs = [line for line in GOOD if line[0] in ("run", "sweep")]
    values = ["n_texts=19", "n_texts=5001", "n_texts=-3", "n_texts=1e2", "n_texts=abc", "n_texts=3.5", "n_texts=[20]",
              "n_texts=", "n_texts", "=20", "n_texts=true", "seed=1.5", "seed=one", "seeds=nan", "scale=Smoke",
              "scale=", "scale=large", "n_texts=2_0", "n_texts=٣٠", "n_texts=20;30",
              "seed=0x1", "seed=none"]  # fmt: skip
    while True:
        line = list(draw.choice(runs))
        kind = draw.randrange(7)
        if kind == 0:
            line[0] = broken_name(line[0], draw)
        elif kind == 1:
            slug = draw.choice(["broken", "other"])
            line = ["show" if draw.random() < 0.5 else "run", broken_name(slug, draw)]
        elif kind == 2:
            line += ["-p", f"{broken_name(draw.choice(['n_texts', 'seed', 'seeds', 'scale']), draw)}=20"]
        elif kind == 3:
            line += ["-p", draw.choice(values)]
        elif kind == 4:
            line += [f"--{broken_name(draw.choice(['why', 'scale', 'jobs', 'force']), draw)}"]
        elif kind == 5:
            line += [draw.choice(["--jobs=0", "--jobs=-1", "--jobs=two", "--seeds=many", "--seeds=-1", "--jobs", "-p"])]
        else:
            line = draw.choice([
                ["run"], ["sweep", "broken"], ["sweep", "broken", "-p", f"n_texts={draw.randrange(20, 99)}"],
                ["run", "broken", "--all"], ["show"], ["show", "broken", "other"], ["papers", "broken"], ["compare"],
                ["compare", "broken"], ["cache", "--space", "ab"], ["cache", "--older-than", "3"],
                ["cache", "--clear", "--older-than", "-1"], ["report"], ["new"], ["new", "Bad-Slug"], ["new", "broken"],
                ["run", "broken", "--why", "-p", "seed=1", "-p", "seed=2"],
                ["sweep", "broken", "-p", "seed=1", "-p", "seed=1"], ["encode", "nothing.txt", "x.npy"],
                ["encode", "pyproject.toml", "x.npy"], ["encode", "t.txt", "x.csv"], ["encode", "t.txt"],
            ])  # fmt: skip
        yield line


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    root = tmp_path_factory.mktemp("lines")
    (root / "README.md").write_text(
        "<!-- papers: made by `workbench report --write` -->\n<!-- end of papers -->\n", encoding="utf-8"
    )
    write_project(root, "pass")
    write_project(root, "pass", slug="other")
    return root


@pytest.fixture
def call(project, monkeypatch):
    monkeypatch.setenv("WORKBENCH_HOME", str(project))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.chdir(project)

    def invoke(line):
        done = CliRunner().invoke(app, line)
        return done.exit_code, done.output + done.stderr, done.exception

    return invoke


def test_there_are_fifty_different_good_lines():
    assert len({tuple(line) for line in GOOD}) >= 50


@pytest.mark.parametrize("line", GOOD, ids=" ".join)
def test_a_good_command_line_is_accepted(call, line):
    status, said, _ = call(line)
    assert status == 0, said


def test_two_hundred_mutated_command_lines_are_refused_and_start_nothing(call, project):
    lines = {tuple(line): None for line in islice(mutants(random.Random(0)), 2000)}
    chosen = list(lines)[:200]
    assert len(chosen) == 200
    wrong = []
    for line in chosen:
        status, said, exception = call(list(line))
        if status != 2 or not said.strip() or not isinstance(exception, SystemExit):
            wrong.append((line, status, said))
    assert not wrong, "\n".join(map(str, wrong))
    assert not (project / "data" / "runs").exists()
    assert not list(project.glob("x.*"))


def test_encode_and_diagnose_from_the_command_line(call, tmp_path):
    from workbench.encoders import load_encoder

    texts = [f"the {word} of a small file of texts" for word in ("first", "second", "third", "fourth", "fifth", "last")]
    (tmp_path / "t.txt").write_text("\n".join(texts) + "\n", encoding="utf-8")
    status, said, _ = call(["encode", str(tmp_path / "t.txt"), str(tmp_path / "x.npy"), "--no-normalize"])
    assert status == 0, said
    rows = np.load(tmp_path / "x.npy")
    expected = load_encoder("all-MiniLM-L6-v2", device="cpu").encode(texts, normalize=False, store=False)
    np.testing.assert_allclose(rows, expected, atol=1e-5)
    status, said, _ = call(["cache"])
    assert "all-MiniLM" in said  # a narrow terminal cuts the rest
    status, said, _ = call(["diagnose", str(tmp_path / "x.npy"), "--json"])
    assert status == 0, said
    assert "minutes" in said
    assert '"mean_cosine"' in said
    (tmp_path / "x.npy").write_bytes(b"torn")
    status, said, _ = call(["diagnose", str(tmp_path / "x.npy")])
    assert status == 1
    assert "no whole .npy file" in said
    status, said, _ = call(["encode", str(tmp_path / "t.txt"), str(tmp_path / "x.npy"), "--no-normalize"])
    assert status == 1
    assert (tmp_path / "x.npy").read_bytes() == b"torn"
