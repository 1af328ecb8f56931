"""Base models in the cache: built once, read back bit for bit, whole or not at all, under kills and two processes."""

import json
import os
import random
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.conftest import ROOT
from workbench.models.artefacts import base_model
from workbench.models.small import small_bert, small_decoder
from workbench.models.small_vision import small_vit
from workbench.models.tokenizers import train_wordpiece

TEXTS = ("a red house", "the blue tree")
RECIPE = {"layers": 1, "width": 16}
BUILT = []  # a list that no builder below reads


def made(*, layers, width, seed):
    note()
    tokenizer = train_wordpiece(TEXTS, vocabulary=40, max_length=16)
    return small_bert(len(tokenizer), layers=layers, width=width, heads=2, positions=16, seed=seed), tokenizer


def note():
    """Counts the calls of builders, in the environment: a list would be a value outside them."""
    os.environ["BUILT"] = str(int(os.environ["BUILT"]) + 1)


def decoder(*, seed):
    return small_decoder(30, layers=1, width=16, heads=2, seed=seed).to(torch.bfloat16), None


def pooled(*, seed):
    return small_bert(30, layers=1, width=16, heads=2, head="pooler", seed=seed), None


def vision(*, seed):
    return small_vit(8, patch=4, layers=1, width=16, heads=2, seed=seed), None


def classes(*, seed):
    return small_bert(30, layers=1, width=16, heads=2, head="classes", classes=3, seed=seed), None


def drawing(*, seed):
    model = small_bert(30, layers=1, width=16, heads=2, seed=seed)
    with torch.no_grad():
        model.embeddings.word_embeddings.weight[5:21] += torch.randn(16, 16) * random.random() * np.random.rand()  # noqa: NPY002
    return model, None


@pytest.fixture(autouse=True)
def _counted(home, monkeypatch):
    monkeypatch.setenv("BUILT", "0")


def built():
    return int(os.environ["BUILT"])


def folders(home):
    return sorted(path for path in (home / "data" / "cache" / "models").iterdir() if path.is_dir())


def same(a, b):
    left, right = a.state_dict(), b.state_dict()
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def test_it_is_built_once_and_read_back_as_it_was(home):
    model, tokenizer = base_model(made, recipe=RECIPE, seed=3)
    again, reader = base_model(made, recipe={"width": 16, "layers": 1}, seed=3)
    assert built() == 1
    direct, direct_reader = made(**RECIPE, seed=3)
    for one, its in ((model, tokenizer), (again, reader)):
        assert type(one) is type(direct)
        assert same(one, direct)
        assert not one.training
        assert its("a red blue house", "tree").data == direct_reader("a red blue house", "tree").data
        assert (its.model_max_length, its.mask_token_id) == (16, 4)
    assert model is not again
    (folder,) = folders(home)
    assert {"model.safetensors", "config.json", "tokenizer.json", "artefact.json"} <= {p.name for p in folder.iterdir()}
    about = json.loads((folder / "artefact.json").read_text())
    assert (about["recipe"], about["seed"]) == (RECIPE, 3)


@pytest.mark.parametrize("build", [decoder, pooled, vision, classes])
def test_models_of_every_kind_come_back(build):
    for _ in range(2):
        model, tokenizer = base_model(build, recipe={}, seed=0)
        assert same(model, build(seed=0)[0])
        assert tokenizer is None


def test_the_recipe_the_seed_and_the_source_tell_artefacts_apart(home, monkeypatch):
    base_model(made, recipe=RECIPE, seed=0)
    base_model(made, recipe=RECIPE, seed=1)
    base_model(made, recipe={**RECIPE, "width": 8}, seed=0)
    assert (built(), len(folders(home))) == (3, 3)
    monkeypatch.setattr("tests.unit.test_models_artefacts.TEXTS", ("a red house", "the blue trees"))
    base_model(made, recipe=RECIPE, seed=0)  # a constant that the builder reads
    assert built() == 4
    monkeypatch.setattr("tests.unit.test_models_artefacts.note", note_otherwise)
    base_model(made, recipe=RECIPE, seed=0)  # a function beside it
    assert built() == 5
    monkeypatch.setattr("workbench.models.artefacts.metadata.version", "{}.0".format)
    base_model(made, recipe=RECIPE, seed=0)
    assert built() == 6
    monkeypatch.setattr("workbench.models.artefacts.package_digest", lambda: "other")
    base_model(made, recipe=RECIPE, seed=0)
    assert built() == 7


def note_otherwise():
    note_by(1)


def note_by(number):
    os.environ["BUILT"] = str(int(os.environ["BUILT"]) + number)


def test_what_the_builder_draws_depends_on_the_seed_and_moves_nothing(home):
    before = torch.get_rng_state(), str(np.random.get_state())  # noqa: NPY002
    first, _ = base_model(drawing, recipe={}, seed=4)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert str(np.random.get_state()) == before[1]  # noqa: NPY002
    torch.rand(3)
    other, _ = base_model(drawing, recipe={}, seed=5)
    for folder in folders(home):
        for path in folder.iterdir():
            path.unlink()
    with pytest.warns(UserWarning, match="is made anew"):
        again, _ = base_model(drawing, recipe={}, seed=4)
    assert same(first, again)
    assert not same(first, other)


def shorten(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def flip(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"x")


def foreign(folder):
    about = json.loads((folder / "artefact.json").read_text())
    (folder / "artefact.json").write_text(json.dumps({**about, "seed": 99}))


TORN = {
    "shortened": (shorten, "is torn, model.safetensors was altered"),
    "a byte flipped": (flip, "is torn, model.safetensors was altered"),
    "file missing": (lambda folder: (folder / "config.json").unlink(), "config.json is missing or too much"),
    "file too much": (
        lambda folder: (folder / "pytorch_model.bin").touch(),
        "pytorch_model.bin is missing or too much",
    ),
    "no manifest": (lambda folder: (folder / "artefact.json").unlink(), "FileNotFoundError"),
    "manifest cut": (lambda folder: (folder / "artefact.json").write_text("{"), "JSONDecodeError"),
    "manifest no mapping": (lambda folder: (folder / "artefact.json").write_text("[]"), "TypeError"),
    "another artefact": (foreign, "holds another artefact"),
}


@pytest.mark.parametrize(("harm", "said"), TORN.values(), ids=TORN)
def test_a_torn_or_foreign_folder_is_made_anew_and_said_so(home, harm, said):
    model, _ = base_model(made, recipe=RECIPE, seed=0)
    harm(folders(home)[0])
    with pytest.warns(UserWarning, match=said):
        again, _ = base_model(made, recipe=RECIPE, seed=0)
    assert built() == 2
    assert same(model, again)
    assert len(folders(home)) == 1
    base_model(made, recipe=RECIPE, seed=0)
    assert built() == 2


PROCESSES = """
import json, os, signal, sys, time
from pathlib import Path

import torch

from workbench.home import cache_dir
from workbench.models.artefacts import base_model
from workbench.models.small import small_bert

torch.set_num_threads(1)
log, root = Path(sys.argv[1]), cache_dir("models")


def build(*, log, name, seconds, seed):
    import time
    from pathlib import Path

    with (Path(log) / name).open("a") as file:
        file.write("built ")
    time.sleep(seconds)
    return small_bert(30, layers=1, width=256, heads=2, seed=seed), None


def asked(name, seconds=0.02):
    started = time.monotonic()
    model, _ = base_model(build, recipe={"log": str(log), "name": name, "seconds": seconds}, seed=0)
    return sum(p.double().sum().item() for p in model.parameters()), time.monotonic() - started


def fork(name, seconds=0.02):
    child = os.fork()
    if child == 0:
        total, _ = asked(name, seconds)
        (log / f"{name} {os.getpid()}").write_text(repr(total))
        os._exit(0)
    return child


def builds(name):
    return (log / name).read_text().count("built") if (log / name).exists() else 0


def totals(name):
    return [float(path.read_text()) for path in log.glob(f"{name} *")]


def folders():
    return {path for path in root.iterdir() if path.is_dir()}


right, _ = asked("first")
right, seconds = asked("warm")
for child in [fork("two", 0.5), fork("two", 0.5)]:
    os.waitpid(child, 0)
kills = []
for attempt in range(12):
    name, before = f"kill {attempt}", folders()
    child = fork(name)
    time.sleep(seconds * 1.3 * attempt / 11)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    started, left = builds(name), [path.name for path in folders() - before]
    total, _ = asked(name)
    kills.append([started, builds(name), left, [path.name for path in folders() - before], total == right])
print(json.dumps({"right": right, "two": [builds("two"), totals("two")], "kills": kills}))
"""


@pytest.fixture(scope="module")
def processes(tmp_path_factory):
    """What processes say that were forked to ask for artefacts: two at once, and twelve that were killed."""
    place = tmp_path_factory.mktemp("processes")
    (place / "home" / "notebooks").mkdir(parents=True)
    (place / "home" / "pyproject.toml").touch()
    (place / "log").mkdir()
    (place / "asks.py").write_text(PROCESSES)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "WORKBENCH_HOME": str(place / "home")}
    command = [sys.executable, "-W", "error::UserWarning", str(place / "asks.py"), str(place / "log")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_two_processes_at_once_build_it_once(processes):
    assert processes["two"] == [1, [processes["right"]] * 2]


def test_kill_9_at_any_moment_leaves_nothing_that_is_taken_for_whole(processes):
    cut = 0
    for started, builds, left, after, right in processes["kills"]:
        whole = [name for name in left if not name.startswith(".")]
        assert right
        assert builds == started + (not whole)  # built again unless the killed one had finished
        assert len(after) == 1, "what the killed one left is gone"
        assert whole in ([], after)
        cut += started == 1 and not whole
    assert cut, "no kill came while it was built or written"


class Killed(BaseException):
    """Runs no handler for errors."""


def left_by_a_kill(moment):
    """Whether asking for the artefact was cut off at the moment-th flush or rename; nothing is cleaned up then."""
    reached = 0

    def dying(real):
        def call(*args, **kwargs):
            nonlocal reached
            reached += 1
            if reached == moment:
                raise Killed
            return real(*args, **kwargs)

        return call

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("workbench.models.artefacts.os.fsync", dying(os.fsync))
        patch.setattr("workbench.models.artefacts.Path.rename", dying(Path.rename))
        patch.setattr("workbench.models.artefacts.shutil.rmtree", str)
        try:
            base_model(made, recipe=RECIPE, seed=0)
        except Killed:
            return True
        return False


@pytest.mark.parametrize("torn", [False, True])
def test_a_kill_between_any_two_steps_leaves_nothing_that_is_taken_for_whole(home, torn):
    """The moments that a clock may miss: before each file is flushed and before each rename."""
    model, _ = base_model(made, recipe=RECIPE, seed=0)
    (kept,) = folders(home)
    cut, moment = True, 0
    while cut:
        moment += 1
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            shorten(kept) if torn else shutil.rmtree(kept)
            cut = left_by_a_kill(moment)
            calls = built()
            again, _ = base_model(made, recipe=RECIPE, seed=0)
        assert built() == calls + cut  # after a cut nothing there was taken for whole
        assert same(again, model)
        if cut:
            assert folders(home) == [kept]
    assert moment == (8 if torn else 7)  # 5 files, and the rename; away with the torn one before it


def test_a_full_disk_leaves_nothing_and_the_error(home, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("workbench.models.artefacts.os.fsync", full)
        with pytest.raises(OSError, match="No space left"):
            base_model(made, recipe=RECIPE, seed=0)
    assert folders(home) == []
    base_model(made, recipe=RECIPE, seed=0)
    assert built() == 2


def wrong(*, seed):
    return "no model"


def reads_a_list(*, seed):
    return BUILT, None


def with_default(*, seed, texts=BUILT):
    return texts, None


def half(*, seed):
    model = small_bert(30, layers=1, width=16, heads=2, seed=seed)
    model.extra = torch.nn.Linear(2, 2)
    return model, None


def test_builders_and_recipes_that_no_key_can_tell_are_refused():
    texts = ["a"]

    def closing(*, seed):
        return texts, None

    refused = [
        (closing, ValueError, r"must close over nothing, got \['texts'\]"),
        (reads_a_list, ValueError, "build reads BUILT, a list outside it"),
        (with_default, ValueError, "build reads default 0, a list outside it"),
        (max, ValueError, "build must be a function written with def"),
        (wrong, TypeError, "build must return a model of transformers and its tokenizer or None"),
        (half, ValueError, "BertModel is not read back as it was built: 'extra"),
    ]
    for build, kind, rule in refused:
        with pytest.raises(kind, match=rule):
            base_model(build, recipe={}, seed=0)
    unread = {}
    exec("def build(*, seed): return None", unread)
    with pytest.raises(ValueError, match="the source of build cannot be read"):
        base_model(unread["build"], recipe={}, seed=0)
    for recipe in ({"x": (1, 2)}, {"x": {1: 2}}, {"seed": 3}):
        with pytest.raises(TypeError, match="come back from JSON as it was and have no 'seed'"):
            base_model(made, recipe=recipe, seed=0)
    for recipe in ({"x": np.float32(1)}, {"x": float("nan")}):
        with pytest.raises(TypeError, match="recipe must hold what JSON knows"):
            base_model(made, recipe=recipe, seed=0)
    with pytest.raises(ValueError, match="seed must be a whole number"):
        base_model(made, recipe=RECIPE, seed=-1)
