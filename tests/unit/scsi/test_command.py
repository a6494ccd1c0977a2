"""The command table's mechanics: usage data, validation, look-up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunaport.scsi.command import Command, CommandTable, check_fields
from lunaport.scsi.commands import COMMANDS
from lunaport.scsi.logical_unit import LogicalUnit
from lunaport.scsi.nexus import Nexus
from lunaport.scsi.sense import ScsiError
from lunaport.scsi.task import Task


def handle(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    """Do nothing."""


def otherwise(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    """Do nothing either."""


SIX = Command(usage=bytes.fromhex("08 1F FF FF FF 00"), handler=handle)
SERVICE = Command(
    usage=bytes.fromhex("9E 10 00 00 00 00 00 00 00 00 FF FF FF FF 00 00"), handler=handle, service_action=0x10
)
TABLE = CommandTable([SIX, SERVICE], absent={})


def test_illegal_bits_of_a_short_cdb_leave_the_padding_alone() -> None:
    assert SIX.opcode == 0x08
    assert SIX.illegal.to_bytes(16) == bytes.fromhex("00 E0 00 00 00 FF") + bytes(10)


def test_the_service_action_is_no_illegal_bit() -> None:
    assert SERVICE.illegal.to_bytes(16) == bytes.fromhex("00 E0 FF FF FF FF FF FF FF FF 00 00 00 00 FF FF")


@pytest.mark.parametrize(
    ("cdb", "pointer"),
    [
        ("08 20 00 00 00 00", "CD 0001"),  # byte 1, bit 5
        ("08 FF 00 00 00 FF", "CF 0001"),  # the first of several
        ("08 00 00 00 00 04", "CA 0005"),  # NACA
    ],
)
def test_field_pointer_names_the_first_wrong_bit(cdb: str, pointer: str) -> None:
    with pytest.raises(ScsiError) as raised:
        check_fields(bytes.fromhex(cdb) + bytes(10), SIX.illegal)
    assert raised.value.sense.fixed()[12:] == bytes.fromhex("2400 00" + pointer)


@given(st.binary(min_size=15, max_size=15))
def test_any_cdb_is_legal_or_the_pointer_is_at_an_illegal_bit(rest: bytes) -> None:
    cdb = b"\x08" + rest
    try:
        check_fields(cdb, SIX.illegal)
        assert all(byte & ~used == 0 for byte, used in zip(cdb[1:6], SIX.usage[1:], strict=True))
    except ScsiError as error:
        field = error.sense.field
        assert field is not None
        assert field.bit is not None
        assert cdb[field.byte] & ~SIX.usage[field.byte] & 1 << field.bit


def test_find() -> None:
    assert TABLE.find(bytes.fromhex("08 00")) is SIX
    assert TABLE.find(bytes.fromhex("9E 10")) is SERVICE
    assert TABLE.find(bytes.fromhex("9E F0")) is SERVICE
    assert TABLE.has_service_actions(0x9E)
    assert not TABLE.has_service_actions(0x08)
    assert TABLE.get(0x9E, None) is None
    assert list(TABLE.rows) == [SIX, SERVICE]


@pytest.mark.parametrize(("cdb", "sense"), [("09 00", "2000 00 C0 0000"), ("9E 11", "2400 00 CC 0001")])
def test_find_refuses(cdb: str, sense: str) -> None:
    with pytest.raises(ScsiError) as raised:
        TABLE.find(bytes.fromhex(cdb))
    assert raised.value.sense.fixed()[12:] == bytes.fromhex(sense)


def test_dispatch_has_an_entry_for_each_operation_code() -> None:
    table = TABLE.dispatch(otherwise, otherwise)
    assert len(table) == 256
    assert table[0x08] == (handle, SIX.illegal)
    assert table[0x9E] == table[0xFF] == (otherwise, 0)


def test_all_targets_have_one_dispatch_table() -> None:
    def refused(*_: object) -> None:
        """Another handler."""

    table = COMMANDS.dispatch(Nexus.execute_found, Nexus.execute_in_order)
    assert COMMANDS.dispatch(Nexus.execute_found, Nexus.execute_in_order) is table
    read_only = COMMANDS.dispatch(Nexus.execute_found, Nexus.execute_in_order, writes=refused)
    assert (read_only[0x2A][0], table[0x2A][0] is refused, read_only[0x28]) == (refused, False, table[0x28])
