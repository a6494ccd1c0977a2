"""Negotiation of operational parameters, initiator side (RFC 7143 sections 6.2 and 13), over the table in `keys`.

We offer, the target answers; what it offers by itself is answered too. An answer that the rules of its key do not allow
raises NegotiationError: whoever tests a target wants to know. Where the caller offers a value that is none, any answer
will do, and the default holds.
"""

from collections.abc import Mapping
from dataclasses import replace

from lunaport.iscsi.errors import NegotiationError, TextError, quoted
from lunaport.iscsi.initiator_options import Options
from lunaport.iscsi.keys import KEYS, Key, Kind, Phase, Sender
from lunaport.iscsi.negotiation import BOOLEANS, CRC32C, NONE, NUMBERS, SEGMENT_LENGTH, SessionParameters
from lunaport.iscsi.text import NOT_UNDERSTOOD, REJECT, VERDICTS, parse_boolean, parse_list, parse_number, parse_text

DIGESTS = ("HeaderDigest", "DataDigest")
NOT_OFFERED = ("iSCSIProtocolLevel",)
"""Keys that mean something to targets of newer levels only."""


def operational_offers(options: Options) -> dict[str, str]:
    """What to offer: the whole table with our values, then the caller's own."""
    offers = {
        "HeaderDigest": f"{CRC32C},{NONE}" if options.header_digest else NONE,
        "DataDigest": f"{CRC32C},{NONE}" if options.data_digest else NONE,
    }
    discovery = not options.target_name
    for key in KEYS.values():
        if key.name in NOT_OFFERED or (discovery and key.irrelevant_in_discovery):
            continue
        if key.kind in BOOLEANS:
            offers[key.name] = "Yes" if key.ours else "No"
        elif key.kind in NUMBERS or key.kind is Kind.DECLARED_NUMBER:
            offers[key.name] = str(key.ours)
    for name, value in options.keys.items():
        row = KEYS.get(name)
        if value is None:
            offers.pop(name, None)
        elif name in offers or row is None or (row.kind is not Kind.SECURITY and row.kind is not Kind.DECLARATIVE):
            offers[name] = value
    return offers


class Agreement:
    """What has been offered, and what the target made of it."""

    def __init__(self, offers: Mapping[str, str]) -> None:
        self.offers = dict(offers)
        self.answers: dict[str, str] = {}
        """All that the target said, by key."""
        self._agreed: dict[str, str] = {}

    def receive(self, pairs: Mapping[str, str]) -> list[tuple[str, str]]:
        """Take the target's pairs; returns the answers to what it offers itself. Raises NegotiationError."""
        answers = []
        for name, value in pairs.items():
            if name in self.answers:
                raise NegotiationError(f"the target negotiates {name} twice in one login")
            self.answers[name] = value
            key = KEYS.get(name)
            if key is not None and (Sender.TARGET not in key.sender or Phase.LOGIN & key.phase == Phase(0)):
                raise NegotiationError(f"the target sends {name}, which is not for it to send")
            if name == SEGMENT_LENGTH:
                self._agreed[name] = str(_number(KEYS[name], value))
            elif name in self.offers:
                self._check_answer(name, key, self.offers[name], value)
            elif value in VERDICTS:
                raise NegotiationError(f"the target answers {name}, which nobody offered")
            elif key is None:
                answers.append((name, NOT_UNDERSTOOD))
            elif key.kind not in (Kind.DECLARATIVE, Kind.SECURITY):
                answers.append((name, self._answer(key, value)))
        return answers

    def parameters(self) -> SessionParameters:
        """What is in force, as far as it has been agreed on."""
        numbers = {key.name: self._in_force(key) for key in KEYS.values() if key.kind in (*BOOLEANS, *NUMBERS)}
        declared = KEYS[SEGMENT_LENGTH]
        return SessionParameters(
            header_digest=self._agreed.get("HeaderDigest") == CRC32C,
            data_digest=self._agreed.get("DataDigest") == CRC32C,
            initial_r2t=bool(numbers["InitialR2T"]),
            immediate_data=bool(numbers["ImmediateData"]),
            max_recv_data_segment_length=_number_or(declared, self.offers.get(SEGMENT_LENGTH, ""), declared.default),
            peer_max_recv_data_segment_length=_number_or(
                declared, self._agreed.get(SEGMENT_LENGTH, ""), declared.default
            ),
            max_burst_length=numbers["MaxBurstLength"],
            first_burst_length=min(numbers["FirstBurstLength"], numbers["MaxBurstLength"]),
            max_outstanding_r2t=numbers["MaxOutstandingR2T"],
            default_time2wait=numbers["DefaultTime2Wait"],
            default_time2retain=numbers["DefaultTime2Retain"],
            error_recovery_level=numbers["ErrorRecoveryLevel"],
            max_connections=numbers["MaxConnections"],
            data_pdu_in_order=bool(numbers["DataPDUInOrder"]),
            data_sequence_in_order=bool(numbers["DataSequenceInOrder"]),
        )

    def _in_force(self, key: Key) -> int:
        value = self._agreed.get(key.name)
        if value is None:
            return key.default
        return int(parse_boolean(value)) if key.kind in BOOLEANS else parse_number(value)

    def _check_answer(self, name: str, key: Key | None, offered: str, value: str) -> None:
        """Keep an answer to an offer of ours, if the rules allow it."""
        if value in VERDICTS or key is None:
            return
        try:
            allowed = _is_allowed(key, offered, value)
        except TextError:
            return  # what we offered is no value of this key: there is nothing to hold the answer against
        if not allowed:
            raise NegotiationError(f"the target answers {name}={quoted(offered)} with {quoted(value)}")
        self._agreed[name] = value

    def _answer(self, key: Key, value: str) -> str:
        """Answer an offer of the target by what holds without it."""
        if key.kind is Kind.OBSOLETE:
            return key.answer
        if key.kind is Kind.LIST:
            return NONE if key.name in DIGESTS and NONE in value.split(",") else REJECT
        try:
            offered = int(parse_boolean(value)) if key.kind in BOOLEANS else parse_number(value)
        except TextError:
            return REJECT
        if not key.lowest <= offered <= key.highest:
            return REJECT
        choose = min if key.kind in (Kind.MINIMUM, Kind.AND) else max
        agreed = choose(offered, key.default)
        answer = ("Yes" if agreed else "No") if key.kind in BOOLEANS else str(agreed)
        self._agreed[key.name] = answer
        return answer


def renegotiated(in_force: SessionParameters, offers: Mapping[str, str], text: bytes) -> SessionParameters:
    """What holds after our text request with these keys was answered by `text` (section 6.4). Raises TextError."""
    answers = parse_text(text)
    ours, theirs = offers.get(SEGMENT_LENGTH, ""), answers.get(SEGMENT_LENGTH, "")
    taken = theirs not in VERDICTS
    key = KEYS[SEGMENT_LENGTH]
    return replace(
        in_force,
        max_recv_data_segment_length=_number_or(key, ours, in_force.max_recv_data_segment_length)
        if taken
        else in_force.max_recv_data_segment_length,
        peer_max_recv_data_segment_length=_number_or(key, theirs, in_force.peer_max_recv_data_segment_length),
    )


def _is_allowed(key: Key, offered: str, value: str) -> bool:
    """Whether `value` may answer `offered`. Raises TextError where `offered` is no value of the key."""
    if key.kind is Kind.LIST:
        return value in parse_list(offered)
    if key.kind in BOOLEANS:
        ours = parse_boolean(offered)
        forced = not ours if key.kind is Kind.AND else ours  # No decides AND, Yes decides OR (section 6.2.2)
        return value == offered if forced else value in ("Yes", "No")
    if key.kind in NUMBERS:
        number = parse_number(offered)
        if not key.lowest <= number <= key.highest:
            raise TextError(f"{key.name} out of its range")
        theirs = _number(key, value)
        return theirs <= number if key.kind is Kind.MINIMUM else theirs >= number
    return True


def _number(key: Key, value: str) -> int:
    try:
        number = parse_number(value)
    except TextError as error:
        raise NegotiationError(f"{key.name}: {error}") from error
    if not key.lowest <= number <= key.highest:
        raise NegotiationError(f"{key.name}={number} is not within {key.lowest} to {key.highest}")
    return number


def _number_or(key: Key, value: str, otherwise: int) -> int:
    """A declared number, something else where it is none."""
    try:
        number = parse_number(value)
    except TextError:
        return otherwise
    return number if key.lowest <= number <= key.highest else otherwise
