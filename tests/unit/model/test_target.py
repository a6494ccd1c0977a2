"""How a request meets what is stored."""

import pytest

from lunaport.model.chap import Chap, ChapChange
from lunaport.model.errors import Fault, InvalidError, Path
from lunaport.model.name import DEFAULT_IQN_PREFIX
from lunaport.model.target import Lun, Target, TargetChange, TargetDraft, merge_target, with_draft

ALICE = Chap(enabled=True, username="alice", secret="alice-secret-1", secret_changed_at=1.0)
LUN = Lun(lun=0, uuid="0" * 32, volume="default", file="luns/x.img", size_bytes=1 << 20)
TARGET = Target(id=7, name=f"{DEFAULT_IQN_PREFIX}:disk", header_digest=True, one_way=ALICE, luns=(LUN,))


def merge(current: Target | None, change: TargetChange) -> TargetDraft:
    return merge_target(current, change, iqn_prefix=DEFAULT_IQN_PREFIX, now=9.0)


def faults(current: Target | None, change: TargetChange) -> list[tuple[Fault, Path]]:
    with pytest.raises(InvalidError) as caught:
        merge(current, change)
    return [(each.fault, each.path) for each in caught.value.problems]


def test_the_least_that_makes_a_target() -> None:
    draft = merge(None, TargetChange(name="disk", size="1M"))
    assert draft == TargetDraft(
        name=f"{DEFAULT_IQN_PREFIX}:disk",
        size_bytes=1 << 20,
        volume="default",
        header_digest=False,
        data_digest=False,
        one_way=Chap(),
        mutual=Chap(),
    )


def test_everything_that_is_wrong_is_told_at_once() -> None:
    change = TargetChange(
        size="0",
        one_way=ChapChange(enabled=True, username="", secret="short"),
        mutual=ChapChange(enabled=True, username="x"),
    )
    assert faults(None, change) == [
        (Fault.MISSING_FIELD, ("name",)),
        (Fault.SIZE_NOT_POSITIVE, ("size",)),
        (Fault.CHAP_SECRET_INVALID, ("one_way", "secret")),
        (Fault.CHAP_INCOMPLETE, ("one_way", "username")),
        (Fault.CHAP_INCOMPLETE, ("mutual", "secret")),
    ]


def test_nothing_changes_nothing() -> None:
    assert with_draft(TARGET, merge(TARGET, TargetChange())) == TARGET


def test_it_grows() -> None:
    assert with_draft(TARGET, merge(TARGET, TargetChange(size="2M"))).disk.size_bytes == 2 << 20


def test_it_never_shrinks_and_both_sizes_are_told() -> None:
    with pytest.raises(InvalidError) as caught:
        merge(TARGET, TargetChange(size="512K"))
    (problem,) = caught.value.problems
    assert problem.fault is Fault.SIZE_SHRINKS
    assert "524288" in problem.message
    assert "1048576" in problem.message


def test_one_way_cannot_be_switched_off_below_mutual() -> None:
    both = with_draft(
        TARGET,
        merge(TARGET, TargetChange(mutual=ChapChange(enabled=True, username="nas", secret="nas-secret-123"))),
    )
    assert faults(both, TargetChange(one_way=ChapChange(enabled=False))) == [
        (Fault.CHAP_MUTUAL_ALONE, ("mutual", "enabled"))
    ]
    assert faults(both, TargetChange(one_way=ChapChange(secret="nas-secret-123"))) == [
        (Fault.CHAP_SECRETS_EQUAL, ("mutual", "secret"))
    ]
