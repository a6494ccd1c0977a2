"""Volumes: names, paths, factors, and that they stand side by side."""

import math

import pytest

from lunaport.model.errors import Fault, InvalidError
from lunaport.model.volume import Volume, check_apart, make_volume


@pytest.mark.parametrize("name", ["a", "default", "fast-1", "a.b_c", "x" * 63])
def test_name(name: str) -> None:
    assert make_volume(name, "/srv/x", 2).name == name


@pytest.mark.parametrize("name", ["", "-a", "a-", "A", "a b", "a/b", "x" * 64, ".", "\u00e4"])
def test_name_refused(name: str) -> None:
    with pytest.raises(InvalidError) as caught:
        make_volume(name, "/srv/x", 2)
    assert caught.value.problems[0].path == ("name",)


@pytest.mark.parametrize(
    "path", ["", "relative", "./x", "/", "//x", "/x/", "/x/../y", "/x/./y", "/x\x00", "/" + "x" * 1024]
)
def test_path_refused(path: str) -> None:
    with pytest.raises(InvalidError) as caught:
        make_volume("a", path, 2)
    assert caught.value.problems[0].path == ("path",)


@pytest.mark.parametrize("factor", [0.99, 1000.1, -1, math.nan, math.inf])
def test_factor_refused(factor: float) -> None:
    with pytest.raises(InvalidError) as caught:
        make_volume("a", "/srv/x", factor)
    assert caught.value.problems[0].path == ("overcommit_factor",)


def test_several_problems_at_once() -> None:
    with pytest.raises(InvalidError) as caught:
        make_volume("A", "x", 0)
    assert len(caught.value.problems) == 3


@pytest.mark.parametrize("path", ["/srv/x", "/srv/x/y", "/srv"])
def test_volumes_do_not_overlap(path: str) -> None:
    with pytest.raises(InvalidError) as caught:
        check_apart(Volume(name="b", path=path), [Volume(name="a", path="/srv/x")])
    assert caught.value.problems[0].fault is Fault.VOLUME_INVALID
    assert caught.value.problems[0].blockers == ("a",)


def test_volumes_side_by_side() -> None:
    check_apart(Volume(name="b", path="/srv/xy"), [Volume(name="a", path="/srv/x")])
