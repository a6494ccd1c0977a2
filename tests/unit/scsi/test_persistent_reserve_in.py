"""PERSISTENT RESERVE IN, byte by byte."""

import pytest

from lunaport.scsi.enums import ReserveIn, ReserveOut, Status

from .persistent import (
    APTPL,
    EXCLUSIVE_ACCESS_AR,
    HOST,
    OTHER,
    THIRD,
    WRITE_EXCLUSIVE,
    A,
    B,
    FullStatus,
    MemoryStore,
    both_registered,
    full_status,
    port_id,
    powered_on,
    register,
    reserve_in,
    reserve_out,
)
from .support import Bench


def test_nothing_registered() -> None:
    bench = Bench()
    for action in (ReserveIn.READ_KEYS, ReserveIn.READ_RESERVATION, ReserveIn.READ_FULL_STATUS):
        assert reserve_in(bench, action).data == bytes(8)


def test_read_keys() -> None:
    bench = both_registered()
    assert reserve_in(bench, ReserveIn.READ_KEYS).data == bytes.fromhex(
        "00000002"  # generation
        "00000010"  # additional length
        "000000000000000A"
        "000000000000000B"
    )


def test_read_reservation() -> None:
    bench = both_registered(WRITE_EXCLUSIVE)
    assert reserve_in(bench, ReserveIn.READ_RESERVATION, nexus=bench.other).data == bytes.fromhex(
        "00000002"  # generation
        "00000010"  # additional length
        "000000000000000A"  # key of the holder
        "00000000 00"
        "01"  # the logical unit, write exclusive
        "0000"
    )


def test_read_reservation_of_all_registrants_has_no_key() -> None:
    data = reserve_in(both_registered(EXCLUSIVE_ACCESS_AR), ReserveIn.READ_RESERVATION).data
    assert data[8:] == bytes.fromhex("0000000000000000 00000000 00 08 0000")


def test_report_capabilities() -> None:
    bench = powered_on(MemoryStore())
    expected = bytes.fromhex(
        "0008"  # length
        "9D"  # RLR_C, CRH, SIP_C, ATP_C, PTPL_C
        "C0"  # TMV, ALLOW COMMANDS 100b
        "EA01"  # every type
        "0000"
    )
    assert reserve_in(bench, ReserveIn.REPORT_CAPABILITIES).data == expected
    register(bench, bench.nexus, A, flags=APTPL)
    assert reserve_in(bench, ReserveIn.REPORT_CAPABILITIES).data[3] == 0xC1  # PTPL_A
    register(bench, bench.other, B)
    assert reserve_in(bench, ReserveIn.REPORT_CAPABILITIES).data == expected


def test_report_capabilities_without_a_place_to_keep_anything() -> None:
    assert reserve_in(Bench(), ReserveIn.REPORT_CAPABILITIES).data == bytes.fromhex("0008 1C C0 EA01 0000")


def test_read_full_status() -> None:
    bench = both_registered(WRITE_EXCLUSIVE)
    assert full_status(bench) == [
        FullStatus(
            key=A, holder=True, scope_and_type=1, target_port=1, transport_id=port_id(f"{HOST},i,0x000000000001")
        ),
        FullStatus(
            key=B, holder=False, scope_and_type=0, target_port=1, transport_id=port_id(f"{OTHER},i,0x000000000002")
        ),
    ]


def test_read_full_status_of_all_registrants() -> None:
    bench = both_registered(EXCLUSIVE_ACCESS_AR)
    assert [(row.holder, row.scope_and_type) for row in full_status(bench)] == [(True, 8), (True, 8)]


def test_registrations_outlive_the_session_with_their_port() -> None:
    bench = both_registered()
    bench.other.close(lambda: None)
    third = bench.target.attach(f"{THIRD},i,0x000000000003", 1)
    register(bench, third, 3)
    assert [row.key for row in full_status(bench)] == [A, B, 3]
    again = bench.target.attach(f"{OTHER},i,0x000000000002")
    assert reserve_out(bench, ReserveOut.RESERVE, B, kind=WRITE_EXCLUSIVE, nexus=again).status == Status.GOOD


def test_is_cut_to_the_allocation_length() -> None:
    bench = both_registered()
    assert reserve_in(bench, ReserveIn.READ_KEYS, room=12).data == bytes.fromhex("00000002 00000010 00000000")


@pytest.mark.parametrize("action", range(4, 32))
def test_no_other_service_action(action: int) -> None:
    assert Bench().run(bytes((0x5E, action, 0, 0, 0, 0, 0, 0, 8, 0))).field_pointer == (1, 4)


@pytest.mark.parametrize("action", ReserveIn)
def test_conflicts_with_a_reservation_of_spc_2(action: ReserveIn) -> None:
    bench = Bench()
    bench.run("16 00 00 00 00 00")
    for nexus in (bench.nexus, bench.other):
        assert reserve_in(bench, action, nexus=nexus).status == Status.RESERVATION_CONFLICT
