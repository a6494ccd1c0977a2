"""How problems are gathered."""

import pytest

from lunaport.model.errors import Collector, Fault, InvalidError, Problem, invalid


def test_problems_are_gathered_below_a_path() -> None:
    collector = Collector()
    collector.add(Fault.WRONG_TYPE, "is a string", "a")
    collector.take(invalid(Fault.CHAP_SECRET_INVALID, "is 3 bytes long", "secret"), "one_way")
    with pytest.raises(InvalidError) as caught:
        collector.raise_any()
    assert caught.value.problems == (
        Problem(fault=Fault.WRONG_TYPE, message="is a string", path=("a",)),
        Problem(fault=Fault.CHAP_SECRET_INVALID, message="is 3 bytes long", path=("one_way", "secret")),
    )
    assert str(caught.value) == "a: is a string; one_way.secret: is 3 bytes long"


def test_no_problem_no_error() -> None:
    Collector().raise_any()
