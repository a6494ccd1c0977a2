"""What Windows asks of a disk before it makes it a cluster's: persistent reservations, step by step, from three nodes.

Each step of a failover cluster (register and ignore, reserve, defend, preempt, release, unregister, clear) with what
the node is answered, who holds the reservation afterwards, and what each of the other nodes is told.
"""

from tests.system.cluster import (
    BUS_DEVICE_RESET,
    CLEAR,
    KEY_A,
    KEY_B,
    KEY_C,
    KEY_D,
    PREEMPT,
    PREEMPT_AND_ABORT,
    REGISTER,
    REGISTER_AND_IGNORE,
    REGISTRATIONS_PREEMPTED,
    RELEASE,
    RESERVATION_CONFLICT,
    RESERVATIONS_PREEMPTED,
    RESERVATIONS_RELEASED,
    RESERVE,
    WRITE_EXCLUSIVE,
    WRITE_EXCLUSIVE_RO,
    code_of,
    connect,
    generation,
    keys,
    read,
    reservation,
    reserve_out,
    write,
)
from tests.system.nas import Nas
from tests.system.wire import GOOD


def test_register_reserve_and_defend(nas: Nas) -> None:
    share = nas.create("validated-reserve")
    with connect(share, 1) as first, connect(share, 2) as second, connect(share, 3) as third:
        assert (keys(first), reservation(first)) == ([], None)
        begun = generation(first)
        assert reserve_out(first, RESERVE, KEY_A, kind=WRITE_EXCLUSIVE_RO).status == RESERVATION_CONFLICT
        for _ in range(2):  # once more changes nothing but the generation
            assert reserve_out(first, REGISTER_AND_IGNORE, 0, KEY_A).status == GOOD
        assert (keys(first), generation(first)) == ([KEY_A], begun + 2)
        assert reserve_out(first, REGISTER, KEY_B, KEY_C).status == RESERVATION_CONFLICT, "not the key it has"
        for _ in range(2):
            assert reserve_out(first, RESERVE, KEY_A, kind=WRITE_EXCLUSIVE_RO).status == GOOD
        assert reserve_out(first, RESERVE, KEY_A, kind=WRITE_EXCLUSIVE).status == RESERVATION_CONFLICT, "another type"
        assert reservation(second) == (KEY_A, WRITE_EXCLUSIVE_RO)

        for action in (RESERVE, RELEASE, CLEAR, PREEMPT, PREEMPT_AND_ABORT):
            refused = reserve_out(second, action, KEY_B, KEY_A, WRITE_EXCLUSIVE_RO)
            assert refused.status == RESERVATION_CONFLICT, "it has not registered"
        assert (write(second).status, read(second).status) == (RESERVATION_CONFLICT, GOOD)
        assert reserve_out(second, REGISTER_AND_IGNORE, 0, KEY_B).status == GOOD
        assert reserve_out(third, REGISTER, 0, KEY_C).status == GOOD
        for node, key in ((second, KEY_B), (third, KEY_C)):
            assert (write(node).status, read(node).status) == (GOOD, GOOD)
            assert reserve_out(node, RESERVE, key, kind=WRITE_EXCLUSIVE_RO).status == RESERVATION_CONFLICT
            assert reserve_out(node, RELEASE, key, kind=WRITE_EXCLUSIVE_RO).status == GOOD, "nothing of its own"
        assert keys(second) == [KEY_A, KEY_B, KEY_C]

        # The holder defends: it takes a new key, and is still the holder.
        assert reserve_out(first, REGISTER, KEY_A, KEY_D).status == GOOD
        assert reservation(third) == (KEY_D, WRITE_EXCLUSIVE_RO)
        assert reserve_out(first, CLEAR, KEY_D).status == GOOD


def test_preempt_release_unregister_and_clear(nas: Nas) -> None:
    share = nas.create("validated-preempt")
    with connect(share, 1) as first, connect(share, 2) as second, connect(share, 3) as third:
        for node, key in ((first, KEY_A), (second, KEY_B), (third, KEY_C)):
            assert reserve_out(node, REGISTER_AND_IGNORE, 0, key).status == GOOD
        assert reserve_out(first, RESERVE, KEY_A, kind=WRITE_EXCLUSIVE_RO).status == GOOD

        assert reserve_out(second, PREEMPT, KEY_B, KEY_A, WRITE_EXCLUSIVE_RO).status == GOOD
        assert (keys(second), reservation(second)) == ([KEY_B, KEY_C], (KEY_B, WRITE_EXCLUSIVE_RO))
        assert code_of(write(first)) == REGISTRATIONS_PREEMPTED
        assert (write(first).status, read(first).status) == (RESERVATION_CONFLICT, GOOD)
        assert (write(second).status, write(third).status) == (GOOD, GOOD), "nothing changed for a registrant"
        assert reserve_out(second, PREEMPT, KEY_B, KEY_A, WRITE_EXCLUSIVE_RO).status == RESERVATION_CONFLICT, "gone"
        assert reserve_out(first, REGISTER_AND_IGNORE, 0, KEY_A).status == GOOD
        assert write(first).status == GOOD

        # The owner hands over: it releases, and the others are told.
        assert reserve_out(second, RELEASE, KEY_B, kind=WRITE_EXCLUSIVE_RO).status == GOOD
        assert reservation(second) is None
        for node in (first, third):
            assert code_of(write(node)) == RESERVATIONS_RELEASED
            assert write(node).status == GOOD
        assert reserve_out(third, RESERVE, KEY_C, kind=WRITE_EXCLUSIVE_RO).status == GOOD

        # Neither a reset nor the end of a session takes anything away.
        assert first.reset_unit() == 0
        assert [code_of(write(node)) for node in (second, third)] == [BUS_DEVICE_RESET] * 2
    with connect(share, 1) as first, connect(share, 2) as second, connect(share, 3) as third:
        assert reservation(first) == (KEY_C, WRITE_EXCLUSIVE_RO)
        assert keys(first) == [KEY_B, KEY_C, KEY_A]
        assert write(first).status == GOOD

        # Who leaves unregisters, and takes its reservation along.
        assert reserve_out(third, REGISTER, KEY_C, 0).status == GOOD
        assert [code_of(write(node)) for node in (first, second)] == [RESERVATIONS_RELEASED] * 2
        assert (keys(first), reservation(first)) == ([KEY_B, KEY_A], None)
        assert reserve_out(first, RESERVE, KEY_A, kind=WRITE_EXCLUSIVE_RO).status == GOOD
        assert write(third).status == RESERVATION_CONFLICT
        assert reserve_out(second, CLEAR, KEY_B).status == GOOD
        assert (keys(second), reservation(second)) == ([], None)
        assert code_of(write(first)) == RESERVATIONS_PREEMPTED
        assert [write(node).status for node in (first, second, third)] == [GOOD] * 3
