"""Every parameter of every notebook refuses what it does not declare, before a kernel starts."""

import pytest

from workbench.experiments.papers import find_papers
from workbench.experiments.parameters import ParameterError, parse_text

EVERY = [(paper, name) for paper in find_papers() for name in paper.parameters]


def bad_values(parameter):
    """Values of a wrong type, beyond the range, and among no choices; as Python has them, then as typed."""
    values = [3.5, 3] if parameter.kind == "str" else ["of another kind"]
    if parameter.kind == "int":
        values += [2.5, True]
    if parameter.kind == "bool":
        values += [1]
    if parameter.kind == "float":
        values += [float("nan"), float("inf"), True]
    if parameter.low is not None:
        values.append(type(parameter.low)(parameter.low) - 1 if parameter.kind == "float" else int(parameter.low) - 1)
    if parameter.high is not None:
        values.append(parameter.high + 1 if parameter.kind == "float" else int(parameter.high) + 1)
    values = [[value] for value in values] + [[], *values] if parameter.is_list else [*values, [values[0]]]
    return values if parameter.optional else [*values, None]


def bad_texts(parameter):
    if parameter.is_list:
        return ["no list", "[", "[]", '{"a": 1}'] + ([] if parameter.kind == "str" else ['["of another kind"]'])
    return [] if parameter.kind == "str" else ["of another kind", "", "1_000", "٣"]


@pytest.mark.parametrize(("paper", "name"), EVERY, ids=lambda x: getattr(x, "slug", x))
def test_a_parameter_refuses_what_it_does_not_declare(paper, name):
    parameter = paper.parameters[name]
    numbers = parameter.kind in {"int", "float"}
    assert not numbers or parameter.low is not None or parameter.high is not None, "a number needs a range"
    for value in bad_values(parameter):
        with pytest.raises(ParameterError, match=name):
            paper.resolve({name: value})
    for text in bad_texts(parameter):
        with pytest.raises(ParameterError, match=name):
            parse_text(parameter, text)


@pytest.mark.parametrize("paper", find_papers(), ids=lambda paper: paper.slug)
def test_a_misspelt_parameter_is_refused_and_the_right_one_offered(paper):
    for name in paper.parameters:
        wrong = name[:-1] + "_" + name[-1]
        with pytest.raises(ParameterError, match=f"did you mean '{name}'"):
            paper.resolve({wrong: paper.parameters[name].default})
