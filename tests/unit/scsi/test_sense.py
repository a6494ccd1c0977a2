"""Sense data, byte by byte."""

import pytest

from lunaport.blockdev.device import DeviceError, DeviceFault
from lunaport.scsi import sense
from lunaport.scsi.enums import SenseKey
from lunaport.scsi.sense import FieldPointer, ScsiError, Sense, sense_of

CASES = [
    (sense.no_sense(), 0x0, 0x0000),
    (sense.initializing_command_required(), 0x2, 0x0402),
    (sense.unrecovered_read_error(), 0x3, 0x1100),
    (sense.write_error(), 0x3, 0x0C00),
    (sense.communication_failure(), 0x4, 0x0800),
    (sense.internal_target_failure(), 0x4, 0x4400),
    (sense.invalid_opcode(), 0x5, 0x2000),
    (sense.invalid_field_in_cdb(1), 0x5, 0x2400),
    (sense.invalid_field_in_parameter_list(1), 0x5, 0x2600),
    (sense.parameter_list_length_error(), 0x5, 0x1A00),
    (sense.wrong_data_length(), 0x5, 0x0E03),
    (sense.lba_out_of_range(), 0x5, 0x2100),
    (sense.logical_unit_not_supported(), 0x5, 0x2500),
    (sense.saving_parameters_not_supported(), 0x5, 0x3900),
    (sense.bus_device_reset(), 0x6, 0x2903),
    (sense.capacity_data_has_changed(), 0x6, 0x2A09),
    (sense.commands_cleared_by_another_initiator(), 0x6, 0x2F00),
    (sense.reported_luns_data_has_changed(), 0x6, 0x3F0E),
    (sense.write_protected(), 0x7, 0x2700),
    (sense.space_allocation_failed(), 0x7, 0x2707),
    (sense.miscompare(5), 0xE, 0x1D00),
]


@pytest.mark.parametrize(("condition", "key", "code"), CASES)
def test_key_and_code_in_both_formats(condition: Sense, key: int, code: int) -> None:
    fixed, descriptor = condition.fixed(), condition.descriptor()
    assert (fixed[2], int.from_bytes(fixed[12:14])) == (key, code)
    assert (descriptor[1], int.from_bytes(descriptor[2:4])) == (key, code)
    assert len(fixed) == 8 + fixed[7] == 18
    assert len(descriptor) == 8 + descriptor[7]


def test_fixed_format_with_a_field_pointer() -> None:
    assert sense.invalid_field_in_cdb(0x102, 3).fixed() == bytes.fromhex(
        "70"  # current, information not valid
        "00"
        "05"  # ILLEGAL REQUEST
        "00000000"  # information
        "0A"  # additional sense length
        "00000000"  # command specific information
        "24 00"  # INVALID FIELD IN CDB
        "00"  # field replaceable unit
        "CB"  # SKSV, C/D, BPV, bit 3
        "0102"  # field pointer
    )


def test_fixed_format_with_a_field_of_the_parameter_list() -> None:
    assert sense.invalid_field_in_parameter_list(16).fixed()[15:] == bytes.fromhex("80 0010")


def test_fixed_format_with_information() -> None:
    assert sense.miscompare(0x12345678).fixed()[:8] == bytes.fromhex("F0 00 0E 12345678 0A")


def test_information_that_does_not_fit_the_fixed_format() -> None:
    assert sense.miscompare(1 << 32).fixed()[:8] == bytes.fromhex("70 00 0E 00000000 0A")
    assert sense.miscompare(0xFFFFFFFF).fixed()[:8] == bytes.fromhex("F0 00 0E FFFFFFFF 0A")


def test_descriptor_format() -> None:
    condition = Sense(key=SenseKey.ILLEGAL_REQUEST, code=0x2400, information=1 << 40, field=FieldPointer(byte=2, bit=7))
    assert condition.descriptor() == bytes.fromhex(
        "72 05 24 00"  # current, key, code
        "000000"
        "14"  # additional sense length
        "00 0A 80 00 0000010000000000"  # information: valid
        "02 06 0000 CF 0002 00"  # sense key specific: field pointer
    )


@pytest.mark.parametrize(
    ("fault", "key", "code"),
    [
        (DeviceFault.MEDIUM_READ, 0x3, 0x1100),
        (DeviceFault.MEDIUM_WRITE, 0x3, 0x0C00),
        (DeviceFault.NO_SPACE, 0x7, 0x2707),
        (DeviceFault.READ_ONLY, 0x7, 0x2700),
        (DeviceFault.GONE, 0x4, 0x0800),
        (DeviceFault.FLUSH_FAILED, 0x3, 0x0C00),
    ],
)
def test_every_device_fault_has_its_sense(fault: DeviceFault, key: int, code: int) -> None:
    condition = sense_of(DeviceError(fault, "detail"))
    assert (condition.key, condition.code) == (key, code)


def test_scsi_error() -> None:
    error = ScsiError(sense.lba_out_of_range())
    assert sense_of(error) is error.sense
    assert str(error) == "ILLEGAL_REQUEST 2100h"
