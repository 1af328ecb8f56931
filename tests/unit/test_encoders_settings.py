"""What a model's folder says, what a caller may ask, and how wrong values are refused."""

import json
from pathlib import Path

import pytest

from workbench.encoders.settings import FolderDefaults, Limits, read_defaults, resolve

LIMITS = Limits(positions=512, layers=6, width=384)
DEFAULTS = FolderDefaults(Path(), prompts={"query": "query: "}, max_length=256, normalize=True)


def settings(**options):
    return resolve(DEFAULTS, LIMITS, options, device="cpu")


def folder_with(path, modules=("Transformer", "Pooling", "Normalize"), pooling=None, **files):
    paths = {"Transformer": "", "Pooling": "1_Pooling", "Normalize": "2_Normalize"}
    listed = [{"type": f"sentence_transformers.models.{m}", "path": paths.get(m, m)} for m in modules]
    (path / "modules.json").write_text(json.dumps(listed))
    (path / "1_Pooling").mkdir()
    (path / "1_Pooling" / "config.json").write_text(json.dumps(pooling or {"pooling_mode_mean_tokens": True}))
    for name, content in files.items():
        (path / f"{name}.json").write_text(json.dumps(content))
    return path


def test_nothing_asked_is_what_the_folder_says():
    got = settings()
    assert (got.pooling, got.max_length, got.prompt, got.normalize, got.dtype) == ("mean", 256, "", True, "float32")
    assert (got.dimensions, got.layers) == (None, None)


def test_a_folder_without_modules_is_a_plain_model(tmp_path):
    got = read_defaults(tmp_path)
    assert (got.pooling, got.normalize, got.max_length, got.default_prompt) == ("mean", False, None, "")


@pytest.mark.parametrize(
    ("config", "pooling"),
    [
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, "cls"),
        ({"pooling_mode_lasttoken": True, "include_prompt": True}, "last"),
        ({"pooling_mode_max_tokens": True}, "max"),
        ({"pooling_mode": "lasttoken"}, "last"),
        ({"pooling_mode": "mean"}, "mean"),
    ],
)
def test_both_forms_of_a_pooling_configuration_are_read(config, pooling, tmp_path):
    assert read_defaults(folder_with(tmp_path, pooling=config)).pooling == pooling


@pytest.mark.parametrize(
    "config",
    [
        {"pooling_mode_mean_sqrt_len_tokens": True},
        {"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": True},
        {"pooling_mode": "weightedmean"},
        {"pooling_mode": ["mean", "cls"]},
        {"pooling_mode": "mean", "include_prompt": False},
    ],
)
def test_a_pooling_that_is_not_here_is_refused_not_replaced(config, tmp_path):
    with pytest.raises(ValueError, match="1_Pooling"):
        read_defaults(folder_with(tmp_path, pooling=config))


def test_a_module_that_is_not_here_is_refused(tmp_path):
    with pytest.raises(ValueError, match="'Dense'"):
        read_defaults(folder_with(tmp_path, modules=("Transformer", "Pooling", "Dense")))


def test_prompts_length_case_and_dtype_come_from_their_files(tmp_path):
    folder = folder_with(
        tmp_path,
        modules=("Transformer", "Pooling"),
        config_sentence_transformers={"prompts": {"query": "q: ", "doc": "d: "}, "default_prompt_name": "doc"},
        sentence_bert_config={"max_seq_length": 77, "do_lower_case": True},
        config={"torch_dtype": "bfloat16"},
    )
    got = read_defaults(folder)
    assert (got.default_prompt, got.max_length, got.lower_case) == ("d: ", 77, True)
    assert (got.dtype, got.normalize) == ("bfloat16", False)


@pytest.mark.parametrize(("asked", "text"), [(None, ""), ("query", "query: "), ("passage: ", "passage: "), ("", "")])
def test_a_prompt_is_a_name_of_the_model_or_the_text_itself(asked, text):
    assert settings(prompt=asked).prompt == text


def test_a_default_prompt_can_be_taken_away():
    defaults = FolderDefaults(Path(), prompts={"query": "q: "}, default_prompt="q: ")
    assert resolve(defaults, LIMITS, {}, device="cpu").prompt == "q: "
    assert resolve(defaults, LIMITS, {"prompt": ""}, device="cpu").prompt == ""


def test_the_length_is_bounded_by_the_positions():
    assert settings(max_length=512).max_length == 512
    assert resolve(FolderDefaults(Path()), LIMITS, {}, device="cpu").max_length == 512
    long = FolderDefaults(Path(), max_length=9999)
    assert resolve(long, LIMITS, {}, device="cpu").max_length == 512
    assert resolve(long, Limits(None, 6, 384), {"max_length": 20000}, device="cpu").max_length == 20000


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"max_length": 513}, "max_length must be between 1 and 512, the model's positions, got 513"),
        ({"max_length": 0}, "got 0"),
        ({"dimensions": 385}, "dimensions must be between 1 and 384, the model's width, got 385"),
        ({"layers": 7}, "layers must be between 1 and 6, the model's layers, got 7"),
        ({"layers": 0}, "got 0"),
        ({"pooling": "median"}, "pooling must be one of .* got 'median'"),
        ({"dtype": "float64"}, "dtype must be one of .* got 'float64'"),
        ({"prompt": "qurey"}, r"'qurey' is none of the model's \['query'\]"),
    ],
)
def test_a_value_outside_the_limits_is_named_with_its_rule(options, words):
    with pytest.raises(ValueError, match=words):
        settings(**options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"max_length": 16.0}, "max_length must be an int"),
        ({"layers": True}, "layers must be an int"),
        ({"prompt": 3}, "prompt must be a str"),
        ({"max_lenght": 16}, "nearest: 'max_length'"),
    ],
)
def test_a_value_of_the_wrong_type_or_a_wrong_name_is_a_type_error(options, words):
    with pytest.raises(TypeError, match=words):
        settings(**options)
