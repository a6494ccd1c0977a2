"""Negotiation of operational parameters, target side (RFC 7143 sections 6.2, 6.3.2 and 13), and its result.

Driven by the table in `keys`: we only answer, and declare our own MaxRecvDataSegmentLength. A value that cannot be is
answered with Reject and leaves the key as it was; what breaks the rules of negotiation itself ends it (RFC 7143
section 7.12). Names and security keys are none of its business.

Invariant: `parameters` is consistent after any sequence of answers, FirstBurstLength <= MaxBurstLength above all.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from lunaport.iscsi.errors import NegotiationError, Refusal, TextError, quoted
from lunaport.iscsi.keys import KEYS, Key, Kind, Phase, Sender
from lunaport.iscsi.text import (
    IRRELEVANT,
    NOT_UNDERSTOOD,
    REJECT,
    VERDICTS,
    parse_boolean,
    parse_list,
    parse_number,
)

CRC32C: Final = "CRC32C"
NONE: Final = "None"
SEGMENT_LENGTH: Final = "MaxRecvDataSegmentLength"
BOOLEANS: Final = (Kind.AND, Kind.OR)
NUMBERS: Final = (Kind.MINIMUM, Kind.MAXIMUM)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionParameters:
    """What holds in full feature phase. Lengths in bytes, times in seconds.

    `max_recv_data_segment_length` is ours, `peer_max_recv_data_segment_length` the initiator's.
    """

    header_digest: bool = False
    data_digest: bool = False
    initial_r2t: bool = True
    immediate_data: bool = True
    max_recv_data_segment_length: int = 8192
    peer_max_recv_data_segment_length: int = 8192
    max_burst_length: int = 262144
    first_burst_length: int = 65536
    max_outstanding_r2t: int = 1
    default_time2wait: int = 2
    default_time2retain: int = 20
    error_recovery_level: int = 0
    max_connections: int = 1
    data_pdu_in_order: bool = True
    data_sequence_in_order: bool = True
    initiator_alias: str = ""

    def negotiated(self) -> dict[str, str]:
        """Return the values in force under their RFC names; the two sides' declared lengths are told apart."""
        return {
            "HeaderDigest": CRC32C if self.header_digest else NONE,
            "DataDigest": CRC32C if self.data_digest else NONE,
            "InitialR2T": _yes_no(self.initial_r2t),
            "ImmediateData": _yes_no(self.immediate_data),
            "TargetMaxRecvDataSegmentLength": str(self.max_recv_data_segment_length),
            "InitiatorMaxRecvDataSegmentLength": str(self.peer_max_recv_data_segment_length),
            "MaxBurstLength": str(self.max_burst_length),
            "FirstBurstLength": str(self.first_burst_length),
            "MaxOutstandingR2T": str(self.max_outstanding_r2t),
            "DefaultTime2Wait": str(self.default_time2wait),
            "DefaultTime2Retain": str(self.default_time2retain),
            "ErrorRecoveryLevel": str(self.error_recovery_level),
            "MaxConnections": str(self.max_connections),
            "DataPDUInOrder": _yes_no(self.data_pdu_in_order),
            "DataSequenceInOrder": _yes_no(self.data_sequence_in_order),
        }


class Negotiation:
    """The operational negotiation of one login."""

    def __init__(self, *, discovery: bool, header_digest: bool, data_digest: bool) -> None:
        self._discovery = discovery
        self._digest_wanted = {"HeaderDigest": header_digest, "DataDigest": data_digest}
        self._digests = {"HeaderDigest": False, "DataDigest": False}
        self._numbers = {key.name: key.default for key in KEYS.values()}
        self._seen: set[str] = set()
        self._declared = False

    def answer(self, offered: Mapping[str, str]) -> list[tuple[str, str]]:
        """Return the answers to the pairs of one request; our own declaration comes with the first.

        Raises NegotiationError.
        """
        answers = []
        # The bound of FirstBurstLength is what is agreed for MaxBurstLength, wherever in the request that stands.
        for name in sorted(offered, key="FirstBurstLength".__eq__):
            answer = self._answer_one(name, offered[name])
            if answer:
                answers.append((name, answer))
        if not self._declared:
            self._declared = True
            answers.append((SEGMENT_LENGTH, str(KEYS[SEGMENT_LENGTH].ours)))
        return answers

    def parameters(self, initiator_alias: str = "") -> SessionParameters:
        """Return what is in force by now."""
        numbers = self._numbers
        default = KEYS[SEGMENT_LENGTH].default
        return SessionParameters(
            header_digest=self._digests["HeaderDigest"],
            data_digest=self._digests["DataDigest"],
            initial_r2t=bool(numbers["InitialR2T"]),
            immediate_data=bool(numbers["ImmediateData"]),
            max_recv_data_segment_length=KEYS[SEGMENT_LENGTH].ours if self._declared else default,
            peer_max_recv_data_segment_length=numbers[SEGMENT_LENGTH],
            max_burst_length=numbers["MaxBurstLength"],
            # An initiator that lowers MaxBurstLength alone lowers both (section 13.14).
            first_burst_length=min(numbers["FirstBurstLength"], numbers["MaxBurstLength"]),
            max_outstanding_r2t=numbers["MaxOutstandingR2T"],
            default_time2wait=numbers["DefaultTime2Wait"],
            default_time2retain=numbers["DefaultTime2Retain"],
            error_recovery_level=numbers["ErrorRecoveryLevel"],
            max_connections=numbers["MaxConnections"],
            data_pdu_in_order=bool(numbers["DataPDUInOrder"]),
            data_sequence_in_order=bool(numbers["DataSequenceInOrder"]),
            initiator_alias=initiator_alias,
        )

    def _answer_one(self, name: str, value: str) -> str:
        key = KEYS.get(name)
        refuse_verdict(name, value)
        if key is None:
            return NOT_UNDERSTOOD
        check_admissible(key, Phase.OPERATIONAL)
        # Once a login for each key (section 6.3); names may come again, and `login` takes them out before.
        if name in self._seen:
            raise NegotiationError(f"{name} is negotiated twice in one login")
        self._seen.add(name)
        if key.irrelevant_in_discovery and self._discovery:
            return IRRELEVANT
        if key.kind is Kind.DECLARATIVE:
            return ""
        if key.kind is Kind.OBSOLETE:
            return key.answer
        if key.kind is Kind.DECLARED_NUMBER:
            self._numbers[name] = declared_number(key, value)
            return ""
        if name in self._digests:
            return self._answer_digest(name, value)
        try:
            return self._agree(key, value)
        except TextError:
            return REJECT

    def _agree(self, key: Key, value: str) -> str:
        if key.kind is Kind.LIST:
            offered = parse_list(value)
            return next((choice for choice in key.ours_listed if choice in offered), REJECT)
        number = int(parse_boolean(value)) if key.kind in BOOLEANS else parse_number(value)
        if not key.lowest <= number <= key.highest:
            return REJECT
        # Yes and No as 1 and 0: AND is the smaller of the two, OR the larger.
        choose = min if key.kind in (Kind.MINIMUM, Kind.AND) else max
        agreed = choose(number, key.ours)
        # Always a number, also where InitialR2T=Yes and ImmediateData=No would allow Irrelevant: initiators read it as
        # one.
        if key.name == "FirstBurstLength":
            agreed = min(agreed, self._numbers["MaxBurstLength"])
        self._numbers[key.name] = agreed
        return _yes_no(bool(agreed)) if key.kind in BOOLEANS else str(agreed)

    def _answer_digest(self, name: str, value: str) -> str:
        try:
            offered = parse_list(value)
        except TextError as error:
            raise NegotiationError(f"{name}: {error}") from error
        order = (CRC32C, NONE) if self._digest_wanted[name] else (NONE,)
        for choice in order:
            if choice in offered:
                self._digests[name] = choice == CRC32C
                return choice
        allowed = " or ".join(order)
        reason = f"{name}: the initiator offers {quoted(value)} only, the target takes {allowed}"
        raise NegotiationError(reason, refusal=Refusal.DIGEST_MISMATCH)


def refuse_verdict(name: str, value: str) -> None:
    """Raise NegotiationError where a value is one that only answers have (section 6.2).

    All that we declare is of RFC 7143, which every initiator understands: there is nothing that this could answer.
    """
    if value in VERDICTS:
        raise NegotiationError(f"{name}={value} answers nothing that was asked")


def check_admissible(key: Key, phase: Phase) -> None:
    """Raise NegotiationError unless an initiator may send `key` in `phase`."""
    if Sender.INITIATOR not in key.sender:
        raise NegotiationError(f"{key.name} is for targets to send")
    if phase not in key.phase:
        raise NegotiationError(f"{key.name} is not for this phase")


def declared_number(key: Key, value: str) -> int:
    """The number that a declaration says. Raises NegotiationError."""
    try:
        number = parse_number(value)
    except TextError as error:
        raise NegotiationError(f"{key.name}: {error}") from error
    if not key.lowest <= number <= key.highest:
        raise NegotiationError(f"{key.name}={number} is not within {key.lowest} to {key.highest}")
    return number


def _yes_no(truth: bool) -> str:
    return "Yes" if truth else "No"
