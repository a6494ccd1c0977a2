"""Who has access under each type of reservation."""

import pytest

from lunaport.scsi.enums import Access, ReservationType
from lunaport.scsi.reservations import ALL_REGISTRANTS, NexusId, Reservations

from .persistent import (
    EXCLUSIVE_ACCESS,
    EXCLUSIVE_ACCESS_AR,
    EXCLUSIVE_ACCESS_RO,
    WRITE_EXCLUSIVE,
    WRITE_EXCLUSIVE_AR,
    WRITE_EXCLUSIVE_RO,
)

HOLDER, REGISTERED, STRANGER = (NexusId(initiator_port=name, target_port=1) for name in ("holder", "reg", "stranger"))


@pytest.mark.parametrize(
    ("kind", "registered", "stranger"),
    [
        (WRITE_EXCLUSIVE, "r", "r"),
        (EXCLUSIVE_ACCESS, "", ""),
        (WRITE_EXCLUSIVE_RO, "rw", "r"),
        (EXCLUSIVE_ACCESS_RO, "rw", ""),
        (WRITE_EXCLUSIVE_AR, "rw", "r"),
        (EXCLUSIVE_ACCESS_AR, "rw", ""),
    ],
)
def test_types(kind: ReservationType, registered: str, stranger: str) -> None:
    now = Reservations(
        registrations={HOLDER: 1, REGISTERED: 2}, type=kind, holder=None if kind in ALL_REGISTRANTS else HOLDER
    )
    for nexus, expected in ((HOLDER, "rw"), (REGISTERED, registered), (STRANGER, stranger)):
        assert now.allows(nexus, Access.ALWAYS)
        assert now.allows(nexus, Access.READING) == ("r" in expected)
        assert now.allows(nexus, Access.CHANGING) == ("w" in expected)
        assert now.is_unrestricted(nexus) == (expected == "rw")
    assert now.is_holder(HOLDER)
    assert now.is_holder(REGISTERED) == (kind in ALL_REGISTRANTS)
    assert not now.is_holder(STRANGER)


def test_the_same_initiator_at_another_target_port_is_another_nexus() -> None:
    now = Reservations(registrations={HOLDER: 1}, type=EXCLUSIVE_ACCESS, holder=HOLDER)
    assert not now.allows(NexusId(initiator_port="holder", target_port=2), Access.READING)


def test_without_a_reservation_everything_is_legal_unless_it_was_lost() -> None:
    assert Reservations(registrations={HOLDER: 1}).is_unrestricted(STRANGER)
    assert not Reservations(lost=True).is_unrestricted(STRANGER)
