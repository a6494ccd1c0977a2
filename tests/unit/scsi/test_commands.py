"""The command table's rows, and the answer to any command at all."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lunaport.blockdev.device import DeviceFault
from lunaport.blockdev.filters import DelayFilter, FaultFilter, FaultRule
from lunaport.blockdev.memory import MemoryDevice
from lunaport.scsi.command import Command
from lunaport.scsi.commands import COMMANDS
from lunaport.scsi.enums import (
    Access,
    CopyIn,
    CopyOut,
    MaintenanceIn,
    Opcode,
    ReserveIn,
    ReserveOut,
    Sanitize,
    ServiceActionIn,
    Status,
)

from .support import SIZE, Bench

_CDB_BYTES = {0: 6, 1: 10, 2: 10, 4: 16, 5: 12}


def test_every_opcode_of_the_enum_is_in_the_table_and_no_other() -> None:
    assert {row.opcode for row in COMMANDS.rows} == set(Opcode)


def test_service_actions() -> None:
    found = {(row.opcode, row.service_action) for row in COMMANDS.rows if row.service_action is not None}
    assert found == {
        *((Opcode.PERSISTENT_RESERVE_IN, action) for action in ReserveIn),
        *((Opcode.PERSISTENT_RESERVE_OUT, action) for action in ReserveOut),
        *((Opcode.SERVICE_ACTION_IN_16, action) for action in ServiceActionIn),
        *((Opcode.MAINTENANCE_IN, action) for action in MaintenanceIn),
        *((Opcode.SANITIZE, action) for action in Sanitize),
        *((Opcode.THIRD_PARTY_COPY_OUT, action) for action in CopyOut),
        *((Opcode.THIRD_PARTY_COPY_IN, action) for action in CopyIn),
    }


@pytest.mark.parametrize("row", COMMANDS.rows, ids=lambda row: f"{row.opcode:02X}")
def test_usage_data_is_as_long_as_the_command_and_starts_with_its_code(row: Command) -> None:
    assert len(row.usage) == _CDB_BYTES[row.opcode >> 5]
    if row.service_action is not None:
        assert row.usage[1] & 0x1F == row.service_action
    # Only legal while stopped or reserved: nothing that reads or writes the medium.
    names = ("READ_1", "READ_6", "WRITE", "VERIFY", "UNMAP", "COMPARE", "ORWRITE", "PRE_FETCH")
    if row.opcode in {code for code in Opcode if code.name.startswith(names)} - {Opcode.WRITE_BUFFER}:
        assert not row.when_stopped
        assert not row.with_reservation


_ALWAYS_LEGAL = frozenset(
    (
        0x00,  # TEST UNIT READY
        0x03,  # REQUEST SENSE
        0x12,  # INQUIRY
        0x16,  # RESERVE(6), which has rules of its own, as its like below
        0x17,  # RELEASE(6)
        0x25,  # READ CAPACITY(10)
        0x4D,  # LOG SENSE
        0x56,  # RESERVE(10)
        0x57,  # RELEASE(10)
        0x5E,  # PERSISTENT RESERVE IN
        0x5F,  # PERSISTENT RESERVE OUT, by keys
        0x84,  # RECEIVE COPY RESULTS and what has its operation code
        0xA0,  # REPORT LUNS
        (0x9E, 0x10),  # READ CAPACITY(16)
        (0x9E, 0x13),  # REPORT REFERRALS
        (0xA3, 0x05),  # REPORT IDENTIFYING INFORMATION
        (0xA3, 0x0A),  # REPORT TARGET PORT GROUPS
        (0xA3, 0x0B),  # REPORT ALIASES
        (0xA3, 0x0E),  # REPORT PRIORITY
        (0xA3, 0x0F),  # REPORT TIMESTAMP
        # Of removable media (MMC-6 names no reservations): what tells and changes nothing.
        0x46,  # GET CONFIGURATION
        0x4A,  # GET EVENT STATUS NOTIFICATION
    )
)
_READING = frozenset(
    (
        *(0x08, 0x28, 0xA8, 0x88),  # READ
        *(0x2F, 0xAF, 0x8F),  # VERIFY
        *(0x34, 0x90),  # PRE-FETCH
        *(0x37, 0xB7),  # READ DEFECT DATA
        *(0x1A, 0x5A),  # MODE SENSE
        *(0x3C, 0x9B),  # READ BUFFER
        0x1C,  # RECEIVE DIAGNOSTIC RESULTS
        0x43,  # READ TOC
        (0x83, 0x10),  # POPULATE TOKEN
        (0x9E, 0x12),  # GET LBA STATUS
        (0xA3, 0x0C),  # REPORT SUPPORTED OPERATION CODES
        (0xA3, 0x0D),  # REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS
    )
)


@pytest.mark.parametrize("row", COMMANDS.rows, ids=lambda row: f"{row.opcode:02X}-{row.service_action}")
def test_under_persistent_reservations_of_others_commands_are_legal_as_the_standards_say(row: Command) -> None:
    # SPC-4 table 65 and SBC-3 table 13, with more commands than there are here; all others conflict.
    keys = {row.opcode, (row.opcode, row.service_action)}
    expected = Access.ALWAYS if keys & _ALWAYS_LEGAL else Access.READING if keys & _READING else Access.CHANGING
    assert row.access is expected


@pytest.mark.parametrize("opcode", sorted(set(range(256)) - set(Opcode)))
def test_everything_else_is_an_invalid_operation_code(opcode: int) -> None:
    task = Bench().run(bytes([opcode]) + bytes(15))
    assert (task.status, task.sense_key, task.sense_code) == (Status.CHECK_CONDITION, 5, 0x2000)


opcodes = st.sampled_from(sorted(Opcode)) | st.integers(0, 255)
# Mostly zeros: most of the fields have to be.
tails = st.binary(min_size=15, max_size=15) | st.lists(
    st.sampled_from([0, 0, 0, 0, 1, 2, 8, 16, 255]), min_size=15, max_size=15
).map(bytes)


@given(
    cdbs=st.lists(st.tuples(opcodes, tails), min_size=1, max_size=4),
    lun=st.sampled_from([0, 0, 0, 1 << 48, 0x4000 << 48, 5]),
    data=st.binary(max_size=2000) | st.binary(max_size=40).map(lambda start: start + bytes(600)),
    immediate=st.none() | st.integers(0, 600),
    expected=st.integers(0, 5000),
    slow=st.booleans(),
    bad=st.none() | st.sampled_from(list(DeviceFault)),
    attention=st.booleans(),
)
@settings(max_examples=250, deadline=None)
def test_any_command_gets_exactly_one_valid_answer(
    cdbs: list[tuple[int, bytes]],
    lun: int,
    data: bytes,
    immediate: int | None,
    expected: int,
    slow: bool,
    bad: DeviceFault | None,
    attention: bool,
) -> None:
    memory = MemoryDevice(SIZE)
    device = FaultFilter(memory)
    if bad is not None:
        device.add(FaultRule(operation="read", fault=bad, offset=4096, length=4096))
        device.add(FaultRule(operation="write", fault=bad, offset=4096, length=4096))
        device.add(FaultRule(operation="flush", fault=bad, skip=1))
    bench = Bench(DelayFilter(device, lambda: None) if slow else device)
    if attention:
        memory.grow(2 * SIZE)
        bench.unit.grow()
    for opcode, tail in cdbs:
        task = bench.run(
            bytes([opcode]) + tail,
            lun=lun,
            expected_length=expected,
            data_out=data or None,
            immediate=immediate,
            piece=700,
        )
        assert task.status in set(Status)
        assert (task.status == Status.CHECK_CONDITION) == bool(task.sense)
        assert len(task.data) <= task.expected_length
