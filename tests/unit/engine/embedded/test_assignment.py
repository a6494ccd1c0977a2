"""Who serves what, and who is told what."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunaport.engine.embedded.assignment import Assignment, Step, after, neighbours, part_of, split, state_of
from lunaport.engine.embedded.neighbour import Neighbour
from lunaport.engine.interface import BlockSpec, Change, DesiredState, DiscoverySpec, LunSpec, PortalSpec, TargetSpec


def target(name: str, path: str = "", key: str = "") -> TargetSpec:
    lun = LunSpec(lun=0, uuid=name.ljust(32, "0"), path=path or f"/{name}", size_bytes=512, key=key)
    return TargetSpec(name=name, luns=(lun,))


def assigned(count: int, **places: int) -> Assignment:
    made = Assignment(count)
    made.put(places)
    return made


def test_a_new_target_goes_to_the_process_with_the_fewest() -> None:
    made = assigned(3, a=0, b=0, c=1)
    assert made.place([target("d")], [0, 1, 2]) == {"d": 2}
    assert made.place([target("d"), target("e"), target("f"), target("g")], [0, 1, 2]) == {
        "d": 2,
        "e": 1,
        "f": 2,
        "g": 0,
    }
    assert "d" not in made


def test_only_candidates_get_one() -> None:
    assert assigned(3, a=1).place([target("b"), target("c")], [0, 1]) == {"b": 0, "c": 0}


def test_a_target_stays() -> None:
    made = assigned(2, a=1)
    assert made.place([target("a")], [0, 1]) == {}
    made.put({"b": 0})
    assert (made["a"], made["b"], len(made)) == (1, 0, 2)


def test_a_target_that_goes_makes_room() -> None:
    made = assigned(2, a=0, b=1)
    made.remove(["a", "unknown"])
    assert (made.target_count(0), made.target_count(1)) == (0, 1)
    made.put({"b": 0})
    assert (made.target_count(0), made.target_count(1)) == (1, 0)


def test_who_takes_over_a_file_goes_where_the_file_is_let_go() -> None:
    made = assigned(2, a=0, b=1)
    assert made.place([target("new", "/b")], [0, 1], [target("b")]) == {"new": 1}


@given(st.integers(1, 8), st.lists(st.integers(0, 30), unique=True), st.sets(st.integers(0, 30)))
def test_targets_are_spread_evenly(count: int, names: list[int], gone: set[int]) -> None:
    made = Assignment(count)
    for name in names:
        made.put(made.place([target(str(name))], range(count)))
    counts = [made.target_count(each) for each in range(count)]
    assert max(counts) - min(counts) <= 1
    assert sum(counts) == len(names) == len(made)
    made.remove(map(str, gone))
    assert sum(made.target_count(each) for each in range(count)) == len(set(names) - gone)


DESIRED = DesiredState(
    portals=(PortalSpec(host="::1", port=1),),
    targets=(target("a", key="00" * 32), target("b", key="11" * 32)),
    blocks=(BlockSpec(initiator="x"),),
)


def test_a_process_is_told_its_own_targets_and_what_concerns_all() -> None:
    made = assigned(2, a=0, b=1)
    assert state_of(0, DESIRED, made) == replace(DESIRED, targets=(DESIRED.targets[0],))
    assert state_of(1, DESIRED, made) == replace(DESIRED, targets=(DESIRED.targets[1],))


def test_process_0_is_told_who_has_the_others_and_no_keys() -> None:
    [known] = neighbours(DESIRED.targets, assigned(2, a=0, b=1))
    assert known == Neighbour(replace(DESIRED.targets[1], luns=()), 1)


def test_a_part_of_a_change() -> None:
    change = Change(put=DESIRED.targets, removed=("c", "d"), draining=True)
    process_of = {"a": 0, "b": 1, "c": 0, "d": 1}
    first, second = part_of(0, change, process_of), part_of(1, change, process_of)
    assert first.change == Change(put=(DESIRED.targets[0],), removed=("c",), draining=True)
    assert [each.spec.name for each in first.elsewhere] == ["b"]
    assert first.elsewhere_removed == ("d",)
    assert second.change == Change(put=(DESIRED.targets[1],), removed=("d",), draining=True)
    assert (second.elsewhere, second.elsewhere_removed) == ((), ())


A, B, C = target("a"), target("b"), target("c")
PORTALS = (PortalSpec(host="::1", port=2),)
PLACES = {"a": 0, "b": 1, "c": 2}


@pytest.mark.parametrize(
    ("change", "others", "steps"),
    [
        (Change(put=(A,)), {1, 2}, [(Change(put=(A,)), (0,))]),
        (Change(removed=("a",)), {1, 2}, [(Change(removed=("a",)), (0,))]),
        (Change(portals=PORTALS), set(), [(Change(portals=PORTALS), (0,))]),
        (Change(put=(B,)), {1, 2}, [(Change(put=(B,)), (1,)), (Change(put=(B,)), (0,))]),
        (Change(removed=("b",)), {1, 2}, [(Change(removed=("b",)), (0, 1))]),
        (
            Change(put=(B, C), removed=("a",)),
            {1, 2},
            [(Change(removed=("a",)), (0,)), (Change(put=(B, C)), (1, 2)), (Change(put=(B, C)), (0,))],
        ),
        (
            Change(draining=True),
            {2},
            [(Change(draining=True), (2,)), (Change(draining=True), (0,))],
        ),
        (
            Change(portals=PORTALS, put=(B,)),
            {2},
            [
                (Change(portals=PORTALS), (0,)),
                (Change(portals=PORTALS, put=(B,)), (1, 2)),
                (Change(portals=PORTALS, put=(B,)), (0,)),
            ],
        ),
    ],
)
def test_in_which_order_a_change_is_carried_out(
    change: Change, others: set[int], steps: list[tuple[Change, tuple[int, ...]]]
) -> None:
    assert split(change, PLACES, others) == [Step(change=each, processes=told) for each, told in steps]


def test_the_desired_state_after_a_change() -> None:
    assert after(DESIRED, Change(), DESIRED.targets) == DESIRED
    change = Change(portals=(), discovery=DiscoverySpec(open=True), draining=True, blocks=())
    assert after(DESIRED, change, (A,)) == DesiredState(
        portals=(), targets=(A,), discovery=DiscoverySpec(open=True), draining=True, blocks=()
    )
