"""What is done to get from the targets that run to those that shall."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from lunaport.engine.interface import Change, Credential, LunSpec, TargetSpec
from lunaport.engine.plan import diff, diff_step, step, updatable


def target(name: str, *, size: int = 1024, path: str = "/v/luns/a.img", secret: str = "") -> TargetSpec:
    return TargetSpec(
        name=name,
        credentials=(Credential(username="u", secret=secret),) if secret else (),
        luns=(LunSpec(lun=0, uuid="0" * 32, path=path, size_bytes=size),),
    )


def by_name(*specs: TargetSpec) -> dict[str, TargetSpec]:
    return {spec.name: spec for spec in specs}


def test_equal_targets_are_left_alone() -> None:
    plan = diff(by_name(target("a")), by_name(target("a")))
    assert (plan.stop, plan.update, plan.start) == ((), (), ())


def test_new_and_gone() -> None:
    plan = diff(by_name(target("a")), by_name(target("b")))
    assert (plan.stop, plan.update, plan.start) == (("a",), (), (target("b"),))


def test_secrets_and_larger_disks_change_under_sessions() -> None:
    for changed in (target("a", secret="s" * 12), target("a", size=2048), replace(target("a"), header_digest=True)):
        plan = diff(by_name(target("a")), by_name(changed))
        assert (plan.stop, plan.update, plan.start) == ((), (changed,), ())


def test_another_disk_or_a_smaller_one_starts_the_target_anew() -> None:
    for changed in (target("a", path="/v/luns/b.img"), target("a", size=512)):
        plan = diff(by_name(target("a")), by_name(changed))
        assert (plan.stop, plan.update, plan.start) == (("a",), (), (changed,))


def test_luns_come_and_go_and_change_under_sessions() -> None:
    (only,) = target("a").luns
    second = LunSpec(lun=1, uuid="1" * 32, path="/v/luns/c.img", size_bytes=512)
    another = replace(second, lun=0)
    for luns in ((), (only, second), (another,), (replace(only, read_only=True, write_cache=False),)):
        changed = replace(target("a"), luns=luns)
        assert diff(by_name(target("a")), by_name(changed)).update == (changed,)


def test_a_step_removes_before_it_puts() -> None:
    change = Change(put=(target("a", size=2048), target("c")), removed=("a", "b"))
    assert step(by_name(target("a"), target("b")), change) == by_name(target("a", size=2048), target("c"))


def test_a_secret_is_not_in_the_representation() -> None:
    assert "hidden-secret" not in repr(target("a", secret="hidden-secret"))


specs = st.builds(
    target, st.sampled_from("abcd"), size=st.sampled_from([512, 1024]), path=st.sampled_from(["/x", "/y"])
)


@given(st.lists(specs), st.lists(specs))
def test_a_plan_leads_to_what_is_desired(running: list[TargetSpec], desired: list[TargetSpec]) -> None:
    """Carrying the plan out gives the desired targets, and touches no target that is as it should be."""
    before, after = by_name(*running), by_name(*desired)
    plan = diff(before, after)
    state = {name: spec for name, spec in before.items() if name not in plan.stop}
    for spec in plan.update:
        assert updatable(state[spec.name], spec)
        state[spec.name] = spec
    for spec in plan.start:
        assert spec.name not in state
        state[spec.name] = spec
    assert state == after
    touched = {*plan.stop, *(spec.name for spec in plan.update + plan.start)}
    assert touched == {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


@given(st.lists(specs), st.lists(specs), st.lists(st.sampled_from("abcd")))
def test_the_plan_of_a_change_is_that_of_the_whole(
    running: list[TargetSpec], put: list[TargetSpec], removed: list[str]
) -> None:
    before, change = by_name(*running), Change(put=tuple(by_name(*put).values()), removed=tuple(removed))
    quick, whole = diff_step(before, change), diff(before, step(before, change))
    for steps in ("stop", "update", "start"):
        assert set(getattr(quick, steps)) == set(getattr(whole, steps))
