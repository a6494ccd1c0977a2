"""An initiator that an administrator keeps out, for a time or for good."""

from dataclasses import dataclass
from typing import Final

from lunaport.model.errors import Collector, Fault, InvalidError, invalid
from lunaport.model.name import parse_name

NOTE_CHARS_MAX: Final = 200
UNTIL_MAX: Final = 253_370_764_800.0
"""The year 9999."""
BLOCK_COUNT_MAX: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Times in seconds since 1970. `until` None: for good."""

    initiator: str
    until: float | None = None
    note: str = ""
    created_at: float = 0.0
    created_by: str = ""


def parse_initiator(text: str) -> str:
    """The full, normalised name of an initiator. Raises InvalidError at `initiator`."""
    if not text.lower().startswith(("iqn.", "eui.", "naa.")):
        raise invalid(
            Fault.NAME_INVALID,
            "is not a full iSCSI name; right would be one such as iqn.1993-08.org.debian:01:abc",
            "initiator",
        )
    try:
        return parse_name(text)
    except InvalidError as error:
        raise invalid(Fault.NAME_INVALID, error.problems[0].message, "initiator") from None


def make_block(*, initiator: str, until: float | None, note: str, now: float, user: str) -> Block:
    """A block that begins now. Raises InvalidError with every problem."""
    problems = Collector()
    name = ""
    try:
        name = parse_initiator(initiator)
    except InvalidError as error:
        problems.take(error)
    if until is not None and not now < until < UNTIL_MAX:
        reason = "is over or too far away; right would be a time to come, or null for good"
        problems.add(Fault.TIME_INVALID, reason, "until")
    if len(note) > NOTE_CHARS_MAX or not (note.isprintable() or not note):
        problems.add(Fault.NOTE_INVALID, f"is not a line of at most {NOTE_CHARS_MAX} printable characters", "note")
    problems.raise_any()
    return Block(initiator=name, until=until, note=note, created_at=now, created_by=user)
