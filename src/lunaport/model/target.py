"""A target as it is kept: its name, digests, CHAP, access and LUNs; and how a request changes it.

`merge_target` is the one place where a request meets what is stored: creation is a merge into nothing. It is pure; what
needs the database or the disk (unique names, known volumes, room) is checked by the use cases.
"""

from dataclasses import dataclass, field, replace

from lunaport.model.access import Access, AccessChange, merge_access
from lunaport.model.chap import (
    Chap,
    ChapChange,
    Credential,
    CredentialChange,
    check_pair,
    merge_chap,
    merge_credentials,
)
from lunaport.model.errors import Collector, Fault, InvalidError, Path
from lunaport.model.limits import Limits, LimitsChange, merge_limits
from lunaport.model.lun import Lun, LunChange, LunDraft, merge_luns
from lunaport.model.name import parse_name
from lunaport.model.portal import merge_groups


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A target and what it holds. `revision` is that of the configuration when it last changed."""

    id: int
    name: str
    header_digest: bool = False
    data_digest: bool = False
    one_way: Chap = field(default_factory=Chap)
    mutual: Chap = field(default_factory=Chap)
    credentials: tuple[Credential, ...] = ()
    access: Access = field(default_factory=Access)
    luns: tuple[Lun, ...] = ()
    limits: Limits = field(default_factory=Limits)
    portal_groups: tuple[int, ...] = ()
    """Those through which it is served; none named: all."""
    isns: bool = True
    """It is registered with the iSNS servers, if there are any."""
    draining: bool = False
    """Its initiators are asked to go, and nobody is let in."""
    created_at: float = 0.0
    revision: int = 0

    @property
    def asks_for_chap(self) -> bool:
        """Whether initiators have to authenticate."""
        return self.one_way.enabled or bool(self.credentials)

    @property
    def disk(self) -> Lun:
        """The first LUN, which every target has: the share of the NAS API."""
        return self.luns[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetChange:
    """What a request says about a target; None: as it is, or when there is nothing yet, the default.

    `size` and `volume` are those of the first LUN, for who knows no other; `luns` are for who does.
    """

    name: str | None = None
    size: str | int | None = None
    volume: str | None = None
    luns: tuple[LunChange, ...] | None = None
    whole: bool | None = None
    """`luns` names every LUN that the target shall have; those that it has not are added."""
    header_digest: bool | None = None
    data_digest: bool | None = None
    one_way: ChapChange = field(default_factory=ChapChange)
    mutual: ChapChange = field(default_factory=ChapChange)
    credentials: tuple[CredentialChange, ...] | None = None
    """Replaces the whole list."""
    access: AccessChange = field(default_factory=AccessChange)
    limits: LimitsChange = field(default_factory=LimitsChange)
    portal_groups: tuple[int, ...] | None = None
    isns: bool | None = None
    draining: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetDraft:
    """A valid target before it has an id and files."""

    name: str
    luns: tuple[LunDraft, ...]
    header_digest: bool
    data_digest: bool
    one_way: Chap
    mutual: Chap
    credentials: tuple[Credential, ...] = ()
    access: Access = field(default_factory=Access)
    limits: Limits = field(default_factory=Limits)
    portal_groups: tuple[int, ...] = ()
    isns: bool = True
    draining: bool = False


def _merge_name(current: Target | None, change: TargetChange, prefix: str, problems: Collector) -> str:
    if change.name is not None:
        try:
            return parse_name(change.name, prefix)
        except InvalidError as error:
            problems.take(error)
    elif current is not None:
        return current.name
    else:
        problems.add(Fault.MISSING_FIELD, f"is missing; right would be a name such as disk1 or {prefix}:disk1", "name")
    return ""


def _merge_luns(current: Target | None, change: TargetChange, problems: Collector) -> tuple[LunDraft, ...]:
    luns = current.luns if current else ()
    if change.luns is None:
        only = LunChange(size=change.size, volume=change.volume)
        return merge_luns(luns, (only,), lambda _, name: (name,), problems)
    if change.whole:
        missing = {lun.lun for lun in luns} - {lun.lun for lun in change.luns}
        if missing:
            problems.add(
                Fault.LUNS_INVALID,
                f"leaves out LUN {', '.join(map(str, sorted(missing)))}; name it too, or delete it first",
                "luns",
            )
    return merge_luns(luns, change.luns, _place_in_list, problems, adds=bool(change.whole))


def _place_in_list(index: int, name: str) -> Path:
    return ("luns", index, name)


def merge_target(current: Target | None, change: TargetChange, *, iqn_prefix: str, now: float) -> TargetDraft:
    """`current` (None: nothing yet) as `change` makes it. Raises InvalidError with every problem."""
    problems = Collector()
    name = _merge_name(current, change, iqn_prefix, problems)
    luns = _merge_luns(current, change, problems)
    one_way, mutual, credentials = _merge_chap(current, change, now, problems)
    access = current.access if current else Access()
    try:
        access = merge_access(access, change.access)
    except InvalidError as error:
        problems.take(error, "access")
    limits = current.limits if current else Limits()
    try:
        limits = merge_limits(limits, change.limits)
    except InvalidError as error:
        problems.take(error, "limits")
    groups = current.portal_groups if current else ()
    if change.portal_groups is not None:
        groups = merge_groups(change.portal_groups, problems, "portal_groups")
    problems.raise_any()
    return TargetDraft(
        name=name,
        luns=luns,
        header_digest=_either(change.header_digest, current.header_digest if current else False),
        data_digest=_either(change.data_digest, current.data_digest if current else False),
        one_way=one_way,
        mutual=mutual,
        credentials=credentials,
        access=access,
        limits=limits,
        portal_groups=groups,
        isns=_either(change.isns, current.isns if current else True),
        draining=_either(change.draining, current.draining if current else False),
    )


def _merge_chap(
    current: Target | None, change: TargetChange, now: float, problems: Collector
) -> tuple[Chap, Chap, tuple[Credential, ...]]:
    one_way = current.one_way if current else Chap()
    mutual = current.mutual if current else Chap()
    credentials = current.credentials if current else ()
    found = len(problems.problems)
    try:
        one_way = merge_chap(one_way, change.one_way, now)
    except InvalidError as error:
        problems.take(error, "one_way")
    try:
        mutual = merge_chap(mutual, change.mutual, now)
    except InvalidError as error:
        problems.take(error, "mutual")
    try:
        credentials = merge_credentials(credentials, change.credentials, now)
    except InvalidError as error:
        problems.take(error, "credentials")
    if len(problems.problems) == found:
        try:
            check_pair(one_way, mutual, credentials)
        except InvalidError as error:
            problems.take(error)
    return one_way, mutual, credentials


def _either(wanted: bool | None, now: bool) -> bool:
    return now if wanted is None else wanted


def with_draft(target: Target, draft: TargetDraft) -> Target:
    """`target` with the values of `draft`; its LUNs keep their places. LUNs that only the draft has are left out."""
    drafts = {lun.lun: lun for lun in draft.luns}
    return replace(
        target,
        name=draft.name,
        header_digest=draft.header_digest,
        data_digest=draft.data_digest,
        one_way=draft.one_way,
        mutual=draft.mutual,
        credentials=draft.credentials,
        access=draft.access,
        limits=draft.limits,
        portal_groups=draft.portal_groups,
        isns=draft.isns,
        draining=draft.draining,
        luns=tuple(
            replace(lun, size_bytes=drafts[lun.lun].size_bytes, kind=drafts[lun.lun].kind) for lun in target.luns
        ),
    )
