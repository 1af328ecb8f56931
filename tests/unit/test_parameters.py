"""The parameters cell: what is read, what is refused, and what a command line's text means."""

import json

import pytest

from workbench.experiments.parameters import ParameterError, check_values, parse_text, read_parameters, read_values

CELL = """
from typing import Annotated, Literal
scale: Literal["smoke", "small", "paper"] = "smoke"
seed: int = 0
taus: Annotated[list[float] | None, "0.05..1"] = None
n_texts: Annotated[int | None, "1..5000"] = None
url: str = "a=b#c"
deep: bool = False
rate: Annotated[float, "0.."] = 1e-3
"""


@pytest.fixture
def declared():
    return read_parameters(CELL)


def test_types_ranges_and_choices_that_papermill_misreads_are_read(declared):
    assert list(declared) == ["scale", "seed", "taus", "n_texts", "url", "deep", "rate"]
    assert declared["scale"].choices == ("smoke", "small", "paper")
    assert declared["taus"].is_list
    assert declared["taus"].optional
    assert (declared["n_texts"].low, declared["n_texts"].high) == (1, 5000)
    assert declared["url"].default == "a=b#c"
    assert (declared["rate"].low, declared["rate"].high) == (0, None)


@pytest.mark.parametrize(
    "line",
    [
        "x = 1",
        "x: int = 1 + y",
        "x: int = '1'",
        "x: dict = {}",
        "x: int | str = 1",
        "print(1)",
        "x: int",
        "x: int =",
        'x: Annotated[int, "1-5"] = 1',
        'x: Annotated[int, "1..5"] = 9',
    ],
)
def test_anything_but_an_annotated_literal_is_refused(line):
    with pytest.raises(ParameterError):
        read_parameters(line)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("taus", "[1, 0.8]", [1.0, 0.8]),
        ("taus", "None", None),
        ("taus", "null", None),
        ("n_texts", "40", 40),
        ("url", "7", "7"),
        ("deep", "True", True),
        ("rate", "1e-5", 1e-5),
        ("rate", "3", 3.0),
        ("scale", "small", "small"),
    ],
)
def test_a_command_lines_text_is_read_by_the_declared_type(declared, name, text, value):
    got = parse_text(declared[name], text)
    assert got == value
    assert type(got) is type(value)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("taus", "1,0.8"),
        ("taus", "[]"),
        ("taus", "[2]"),
        ("taus", "[true]"),
        ("taus", '["1"]'),
        ("taus", "0.8"),
        ("taus", "[1e999]"),
        ("n_texts", "0"),
        ("n_texts", "5001"),
        ("n_texts", "4.5"),
        ("n_texts", "many"),
        ("seed", "none"),
        ("deep", "1"),
        ("rate", "nan"),
        ("rate", "-1"),
        ("rate", "inf"),
        ("scale", "Small"),
    ],
)
def test_a_refused_text_names_the_parameter_the_value_and_the_rule(declared, name, text):
    with pytest.raises(ParameterError) as caught:
        parse_text(declared[name], text)
    assert name in str(caught.value)
    assert declared[name].describe() in str(caught.value)


def test_an_unknown_name_is_refused_with_the_nearest_one(declared):
    with pytest.raises(ParameterError, match=r"'tus', did you mean 'taus'\?"):
        check_values(declared, {"tus": [1.0]})
    with pytest.raises(ParameterError, match="declared: scale, seed"):
        check_values(declared, {"entirely_else": 1})


def test_a_whole_number_is_a_float_and_a_truth_value_is_no_number(declared):
    assert check_values(declared, {"taus": [1]}) == {"taus": [1.0]}
    with pytest.raises(ParameterError):
        check_values(declared, {"seed": True})


def test_injected_values_are_literals_only():
    assert read_values("# Parameters\na = 1\nb = [1, 0.8]\nc = None") == {"a": 1, "b": [1, 0.8], "c": None}
    for line in ("a = float('nan')", "a: int = 1", "a = b = 1", "import os", "a ="):
        with pytest.raises(ParameterError):
            read_values(line)


def test_every_json_list_of_floats_comes_back(declared):
    for values in ([0.05], [1.0, 0.5, 0.25], [0.1] * 50):
        assert parse_text(declared["taus"], json.dumps(values)) == values
