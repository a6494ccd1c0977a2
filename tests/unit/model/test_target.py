"""How a request meets what is stored."""

from dataclasses import replace

import pytest

from lunaport.model.chap import Chap, ChapChange
from lunaport.model.errors import Fault, InvalidError, Path
from lunaport.model.lun import LUNS_MAX, Lun, LunChange, LunDraft, LunKind, free_number
from lunaport.model.name import DEFAULT_IQN_PREFIX
from lunaport.model.target import Target, TargetChange, TargetDraft, merge_target, with_draft

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
        luns=(LunDraft(lun=0, size_bytes=1 << 20, volume="default"),),
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


def test_luns_of_the_users_choice() -> None:
    change = TargetChange(
        name="disk",
        luns=(
            LunChange(lun=7, size=4097, kind={"block_size_bytes": 4096}),
            LunChange(lun=3, size="1M", volume="fast", kind={"read_only": True, "serial": "A1"}),
        ),
    )
    first, second = merge(None, change).luns
    assert (first.lun, first.volume, first.kind) == (3, "fast", LunKind(read_only=True, serial="A1"))
    assert (second.lun, second.size_bytes, second.kind.block_size_bytes) == (7, 8192, 4096)


@pytest.mark.parametrize(
    ("change", "fault", "field"),
    [
        (LunChange(lun=0, size=1, kind={"block_size_bytes": 1024}), Fault.LUN_KIND_INVALID, "block_size_bytes"),
        (
            LunChange(lun=0, size=1, kind={"block_size_bytes": 4096, "physical_block_size_bytes": 512}),
            Fault.LUN_KIND_INVALID,
            "physical_block_size_bytes",
        ),
        (LunChange(lun=0, size=1, kind={"vendor": "nine chars"}), Fault.LUN_KIND_INVALID, "vendor"),
        (LunChange(lun=0, size=1, kind={"product": ""}), Fault.LUN_KIND_INVALID, "product"),
        (LunChange(lun=0, size=1, kind={"serial": "tab\t"}), Fault.LUN_KIND_INVALID, "serial"),
        (LunChange(lun=0), Fault.MISSING_FIELD, "size"),
        (LunChange(lun=0, size="x"), Fault.SIZE_INVALID, "size"),
    ],
)
def test_a_kind_there_is_not(change: LunChange, fault: Fault, field: str) -> None:
    assert faults(None, TargetChange(name="disk", luns=(change,))) == [(fault, ("luns", 0, field))]


def test_a_lun_stays_what_it_is() -> None:
    same = LunChange(lun=0, size=2 << 20, kind={"block_size_bytes": 512, "vendor": "LUNAPORT"})
    assert merge(TARGET, TargetChange(luns=(same,))).luns[0].size_bytes == 2 << 20
    other = TargetChange(luns=(LunChange(lun=0, kind={"block_size_bytes": 4096, "vendor": "LUNAPORT"}),))
    assert faults(TARGET, other) == [(Fault.LUN_KIND_FIXED, ("luns", 0, "block_size_bytes"))]


def test_what_may_change_of_a_lun() -> None:
    change = LunChange(lun=0, kind={"read_only": True, "write_cache": False})
    draft = merge(TARGET, TargetChange(luns=(change,)))
    assert draft.luns[0].kind == LunKind(read_only=True, write_cache=False)
    assert with_draft(TARGET, draft).luns[0].kind == draft.luns[0].kind


def test_only_a_document_that_names_all_luns_adds_some() -> None:
    more = TargetChange(luns=(LunChange(lun=0), LunChange(lun=1, size=1)))
    assert faults(TARGET, more) == [(Fault.LUNS_INVALID, ("luns", 1, "lun"))]
    draft = merge(TARGET, replace(more, whole=True))
    assert [(lun.lun, lun.size_bytes) for lun in draft.luns] == [(0, LUN.size_bytes), (1, 512)]
    assert with_draft(TARGET, draft).luns == TARGET.luns, "the new one has no file yet"


def test_the_number_of_luns_is_bounded() -> None:
    luns = tuple(
        Lun(lun=number, uuid=f"{number:032x}", volume="default", file=str(number), size_bytes=512)
        for number in range(LUNS_MAX)
    )
    assert free_number(luns) == LUNS_MAX
    assert free_number(luns[1:]) == 0
    full = Target(id=1, name="x", luns=luns)
    same = tuple(LunChange(lun=lun.lun) for lun in luns)
    merge(full, TargetChange(luns=same, whole=True))
    more = TargetChange(luns=(*same, LunChange(lun=LUNS_MAX, size=1)), whole=True)
    assert faults(full, more) == [(Fault.LUNS_INVALID, ("luns",))]


def test_a_lun_is_not_left_out_by_accident() -> None:
    two = Target(id=1, name="x", luns=(LUN, Lun(lun=1, uuid="1" * 32, volume="default", file="y", size_bytes=512)))
    fewer = TargetChange(luns=(LunChange(lun=1),), whole=True)
    assert faults(two, fewer) == [(Fault.LUNS_INVALID, ("luns",))]
    assert with_draft(two, merge(two, TargetChange(luns=(LunChange(lun=1, size=1024),)))).luns[1].size_bytes == 1024
