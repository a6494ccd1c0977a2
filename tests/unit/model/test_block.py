"""Blocks: a full name, an end to come, a note of one line."""

import pytest

from lunaport.model.block import NOTE_CHARS_MAX, UNTIL_MAX, Block, make_block
from lunaport.model.errors import Fault, InvalidError

NAME = "iqn.1993-08.org.debian:01:abc"


def test_a_block() -> None:
    made = make_block(initiator=NAME.upper(), until=11.0, note="why", now=10.0, user="admin")
    assert made == Block(initiator=NAME, until=11.0, note="why", created_at=10.0, created_by="admin")
    assert make_block(initiator=NAME, until=None, note="", now=10.0, user="admin").until is None


@pytest.mark.parametrize(
    ("initiator", "until", "note", "wrong"),
    [
        ("short", None, "", [(Fault.NAME_INVALID, ("initiator",))]),
        ("", None, "", [(Fault.NAME_INVALID, ("initiator",))]),
        ("iqn.nonsense", None, "", [(Fault.NAME_INVALID, ("initiator",))]),
        (NAME, 10.0, "", [(Fault.TIME_INVALID, ("until",))]),
        (NAME, UNTIL_MAX, "", [(Fault.TIME_INVALID, ("until",))]),
        (NAME, None, "x" * (NOTE_CHARS_MAX + 1), [(Fault.NOTE_INVALID, ("note",))]),
        (NAME, None, "two\nlines", [(Fault.NOTE_INVALID, ("note",))]),
        (
            "short",
            1.0,
            "\x1b",
            [
                (Fault.NAME_INVALID, ("initiator",)),
                (Fault.TIME_INVALID, ("until",)),
                (Fault.NOTE_INVALID, ("note",)),
            ],
        ),
    ],
)
def test_what_cannot_be(
    initiator: str, until: float | None, note: str, wrong: list[tuple[Fault, tuple[str, ...]]]
) -> None:
    with pytest.raises(InvalidError) as caught:
        make_block(initiator=initiator, until=until, note=note, now=10.0, user="admin")
    assert [(each.fault, each.path) for each in caught.value.problems] == wrong
