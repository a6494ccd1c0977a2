"""Every text key of RFC 7143 sections 12 and 13 that a peer may send, as one table.

The table says what a key is, where and by whom it may be sent, what holds without it, and what we bring to its
negotiation. `negotiation` and `login` decide by it; a key that is not in it is answered with NotUnderstood.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, Flag, auto
from types import MappingProxyType
from typing import Final

from lunaport.iscsi.limits import (
    CONNECTIONS_MAX,
    DATA_SEGMENT_BYTES_MAX,
    DEFAULT_TIME2RETAIN_S,
    DEFAULT_TIME2WAIT_S,
    ERROR_RECOVERY_LEVEL,
    FIRST_BURST_BYTES,
    LOGIN_DATA_SEGMENT_BYTES_MAX,
    MAX_BURST_BYTES,
    OUTSTANDING_R2T_MAX,
)

YES: Final = 1
NO: Final = 0
SEGMENT_LOWEST: Final = 512
SEGMENT_HIGHEST: Final = (1 << 24) - 1


class Kind(Enum):
    """How the value in force comes about (section 6.2)."""

    DECLARATIVE = auto()
    """The sender says it; no answer."""
    DECLARED_NUMBER = auto()
    """The sender says it, within a range; no answer."""
    AND = auto()
    """Yes only if both say Yes."""
    OR = auto()
    """No only if both say No."""
    MINIMUM = auto()
    """The smaller of two numbers."""
    MAXIMUM = auto()
    """The larger of two numbers."""
    LIST = auto()
    """One of the values the originator lists in the order of its preference."""
    SECURITY = auto()
    """Part of the security stage; `login` and `chap` know how."""
    OBSOLETE = auto()
    """Gone since RFC 7143, with an answer of its own (section 13.25)."""


class Phase(Flag):
    """Where a key may be sent."""

    SECURITY = auto()
    OPERATIONAL = auto()
    FULL_FEATURE = auto()
    LOGIN = SECURITY | OPERATIONAL
    ANY = LOGIN | FULL_FEATURE


class Sender(Flag):
    """Who may send a key."""

    INITIATOR = auto()
    TARGET = auto()
    BOTH = INITIATOR | TARGET


class Scope(Enum):
    """What a value holds for."""

    CONNECTION = auto()
    SESSION = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A row. `default`, `ours`, `lowest`, `highest`: numbers, or Yes and No as 1 and 0; lists have `ours_listed`."""

    name: str
    kind: Kind
    phase: Phase
    sender: Sender = Sender.BOTH
    scope: Scope = Scope.SESSION
    default: int = 0
    ours: int = 0
    lowest: int = 0
    highest: int = 0
    ours_listed: tuple[str, ...] = ()
    answer: str = ""
    irrelevant_in_discovery: bool = False


def _declarative(name: str, sender: Sender, phase: Phase = Phase.LOGIN) -> Key:
    return Key(name=name, kind=Kind.DECLARATIVE, phase=phase, sender=sender)


def _security(name: str, sender: Sender = Sender.BOTH) -> Key:
    return Key(name=name, kind=Kind.SECURITY, phase=Phase.SECURITY, sender=sender, scope=Scope.CONNECTION)


def _boolean(name: str, kind: Kind, ours: int) -> Key:
    return Key(
        name=name, kind=kind, phase=Phase.OPERATIONAL, default=YES, ours=ours, highest=1, irrelevant_in_discovery=True
    )


def _number(name: str, kind: Kind, span: tuple[int, int], default: int, ours: int, irrelevant: bool = True) -> Key:
    return Key(
        name=name,
        kind=kind,
        phase=Phase.OPERATIONAL,
        default=default,
        ours=ours,
        lowest=span[0],
        highest=span[1],
        irrelevant_in_discovery=irrelevant,
    )


def _digest(name: str) -> Key:
    # What is ours here is the target's policy, not a constant.
    return Key(name=name, kind=Kind.LIST, phase=Phase.OPERATIONAL, scope=Scope.CONNECTION)


def _obsolete(name: str, answer: str) -> Key:
    return Key(name=name, kind=Kind.OBSOLETE, phase=Phase.OPERATIONAL, scope=Scope.CONNECTION, answer=answer)


SEGMENT: Final = (SEGMENT_LOWEST, SEGMENT_HIGHEST)

_ROWS: Final = (
    _security("AuthMethod"),  # 12.1
    _security("CHAP_A"),  # 12.1.3
    _security("CHAP_I"),
    _security("CHAP_C"),
    _security("CHAP_N"),
    _security("CHAP_R"),
    _digest("HeaderDigest"),  # 13.1
    _digest("DataDigest"),
    _number("MaxConnections", Kind.MINIMUM, (1, 65535), 1, CONNECTIONS_MAX),  # 13.2
    _declarative("SendTargets", Sender.INITIATOR, Phase.FULL_FEATURE),  # 13.3
    # 13.4: in full feature phase it comes from the target only, as part of what answers SendTargets.
    _declarative("TargetName", Sender.BOTH),
    _declarative("InitiatorName", Sender.INITIATOR),  # 13.5
    _declarative("TargetAlias", Sender.TARGET, Phase.ANY),  # 13.6
    _declarative("InitiatorAlias", Sender.INITIATOR, Phase.ANY),  # 13.7
    _declarative("TargetAddress", Sender.TARGET, Phase.ANY),  # 13.8
    _declarative("TargetPortalGroupTag", Sender.TARGET),  # 13.9
    _boolean("InitialR2T", Kind.OR, NO),  # 13.10
    _boolean("ImmediateData", Kind.AND, YES),  # 13.11
    Key(  # 13.12
        name="MaxRecvDataSegmentLength",
        kind=Kind.DECLARED_NUMBER,
        phase=Phase.OPERATIONAL | Phase.FULL_FEATURE,
        scope=Scope.CONNECTION,
        default=LOGIN_DATA_SEGMENT_BYTES_MAX,
        ours=DATA_SEGMENT_BYTES_MAX,
        lowest=SEGMENT_LOWEST,
        highest=SEGMENT_HIGHEST,
    ),
    _number("MaxBurstLength", Kind.MINIMUM, SEGMENT, 262144, MAX_BURST_BYTES),  # 13.13
    _number("FirstBurstLength", Kind.MINIMUM, SEGMENT, 65536, FIRST_BURST_BYTES),  # 13.14
    _number("DefaultTime2Wait", Kind.MAXIMUM, (0, 3600), 2, DEFAULT_TIME2WAIT_S, irrelevant=False),  # 13.15
    _number("DefaultTime2Retain", Kind.MINIMUM, (0, 3600), 20, DEFAULT_TIME2RETAIN_S, irrelevant=False),  # 13.16
    _number("MaxOutstandingR2T", Kind.MINIMUM, (1, 65535), 1, OUTSTANDING_R2T_MAX),  # 13.17
    _boolean("DataPDUInOrder", Kind.OR, YES),  # 13.18
    _boolean("DataSequenceInOrder", Kind.OR, YES),  # 13.19
    _number("ErrorRecoveryLevel", Kind.MINIMUM, (0, 2), 0, ERROR_RECOVERY_LEVEL, irrelevant=False),  # 13.20
    _declarative("SessionType", Sender.INITIATOR),  # 13.21
    Key(  # 13.23
        name="TaskReporting",
        kind=Kind.LIST,
        phase=Phase.OPERATIONAL,
        ours_listed=("RFC3720",),
        irrelevant_in_discovery=True,
    ),
    _number("iSCSIProtocolLevel", Kind.MINIMUM, (0, 31), 1, 1),  # 13.24
    # 13.25: "No" rather than "Reject", both of which are allowed: initiators exist that take Reject for a failure.
    _obsolete("IFMarker", "No"),
    _obsolete("OFMarker", "No"),
    _obsolete("IFMarkInt", "Reject"),
    _obsolete("OFMarkInt", "Reject"),
    _declarative("X#NodeArchitecture", Sender.BOTH),  # 13.26
)

KEYS: Final[Mapping[str, Key]] = MappingProxyType({row.name: row for row in _ROWS})
