"""Sense data (SPC-4 4.5): one constructor a condition. No additional sense code stands anywhere else.

Fixed format is what CHECK CONDITION carries (D_SENSE is 0 in the control mode page); descriptor format is for REQUEST
SENSE with DESC set.
"""

import struct
from dataclasses import dataclass

from lunaport.blockdev.device import DeviceError, DeviceFault
from lunaport.scsi.enums import SenseKey

_FIXED = struct.Struct(">BxBIB4xBBxBH")
_DESCRIPTOR_HEADER = struct.Struct(">BBBB3xB")
_INFORMATION = struct.Struct(">BBBxQ")
_SENSE_KEY_SPECIFIC = struct.Struct(">BB2xBHx")

_CURRENT_FIXED = 0x70
_CURRENT_DESCRIPTOR = 0x72
_VALID = 0x80
_SKSV = 0x80
_IN_CDB = 0x40
_IN_SEGMENT = 0x20
_BPV = 0x08


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldPointer:
    """Where the field in error starts (SPC-4 4.5.2.4.2). `bit` is its leftmost one, None: the whole byte."""

    byte: int
    bit: int | None = None
    in_cdb: bool = True
    in_segment: bool = False
    """Counted from the start of a segment descriptor (SPC-4 4.5.2.4.6), not of the parameter list."""

    def flags(self) -> int:
        where = _IN_CDB if self.in_cdb else _IN_SEGMENT if self.in_segment else 0
        return _SKSV | where | (0 if self.bit is None else _BPV | self.bit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sense:
    """One condition."""

    key: SenseKey
    code: int
    """Additional sense code and its qualifier, as one 16-bit number."""
    information: int | None = None
    field: FieldPointer | None = None
    progress: int | None = None
    """Of 65536 (SPC-4 4.5.2.4.4); there is a field or this, not both."""

    def fixed(self) -> bytes:
        """Fixed format, 18 bytes. Information that does not fit its 4 bytes is left out, as 4.5.3 demands."""
        valid = self.information is not None and self.information <= 0xFFFFFFFF
        return _FIXED.pack(
            _CURRENT_FIXED | (_VALID if valid else 0),
            self.key,
            self.information if valid and self.information is not None else 0,
            _FIXED.size - 8,
            self.code >> 8,
            self.code & 0xFF,
            *self._specific(),
        )

    def _specific(self) -> tuple[int, int]:
        """The sense key specific field: its flags, and its number."""
        if self.progress is not None:
            return _SKSV, self.progress
        return (self.field.flags(), self.field.byte) if self.field else (0, 0)

    def descriptor(self) -> bytes:
        """Descriptor format."""
        descriptors = b""
        if self.information is not None:
            descriptors += _INFORMATION.pack(0x00, _INFORMATION.size - 2, _VALID, self.information)
        if self.field is not None or self.progress is not None:
            descriptors += _SENSE_KEY_SPECIFIC.pack(0x02, _SENSE_KEY_SPECIFIC.size - 2, *self._specific())
        header = _DESCRIPTOR_HEADER.pack(
            _CURRENT_DESCRIPTOR, self.key, self.code >> 8, self.code & 0xFF, len(descriptors)
        )
        return header + descriptors


class ScsiError(Exception):
    """A command ends with CHECK CONDITION. The package's only exception: the nexus turns it into the answer."""

    def __init__(self, sense: Sense) -> None:
        super().__init__(sense)
        self.sense = sense

    def __str__(self) -> str:
        return f"{self.sense.key.name} {self.sense.code:04X}h"


def no_sense() -> Sense:
    return Sense(key=SenseKey.NO_SENSE, code=0x0000)


# Illegal requests


def invalid_opcode() -> Sense:
    return Sense(key=SenseKey.ILLEGAL_REQUEST, code=0x2000, field=FieldPointer(byte=0))


def invalid_field_in_cdb(byte: int, bit: int | None = None) -> Sense:
    return Sense(key=SenseKey.ILLEGAL_REQUEST, code=0x2400, field=FieldPointer(byte=byte, bit=bit))


def invalid_field_in_parameter_list(byte: int, bit: int | None = None) -> Sense:
    field = FieldPointer(byte=byte, bit=bit, in_cdb=False)
    return Sense(key=SenseKey.ILLEGAL_REQUEST, code=0x2600, field=field)


def parameter_list_length_error() -> Sense:
    return Sense(key=SenseKey.ILLEGAL_REQUEST, code=0x1A00)


def wrong_data_length() -> Sense:
    """INVALID FIELD IN COMMAND INFORMATION UNIT: the initiator sends other than the one block the command needs."""
    return Sense(key=SenseKey.ILLEGAL_REQUEST, code=0x0E03)


def invalid_release_of_persistent_reservation() -> Sense:
    return Sense(key=SenseKey.ILLEGAL_REQUEST, code=0x2604)


def insufficient_registration_resources() -> Sense:
    return Sense(key=SenseKey.ILLEGAL_REQUEST, code=0x5504)


def lba_out_of_range() -> Sense:
    return Sense(key=SenseKey.ILLEGAL_REQUEST, code=0x2100)


def logical_unit_not_supported() -> Sense:
    return Sense(key=SenseKey.ILLEGAL_REQUEST, code=0x2500)


def invalid_message() -> Sense:
    """INVALID MESSAGE ERROR: a task attribute that cannot be (SAM-5 8.7.5)."""
    return Sense(key=SenseKey.ILLEGAL_REQUEST, code=0x4900)


def command_sequence_error() -> Sense:
    return Sense(key=SenseKey.ILLEGAL_REQUEST, code=0x2C00)


def saving_parameters_not_supported() -> Sense:
    return Sense(key=SenseKey.ILLEGAL_REQUEST, code=0x3900)


# The state of the unit and its medium


def initializing_command_required() -> Sense:
    """LOGICAL UNIT NOT READY: it was stopped."""
    return Sense(key=SenseKey.NOT_READY, code=0x0402)


def medium_not_present() -> Sense:
    return Sense(key=SenseKey.NOT_READY, code=0x3A00)


def medium_not_present_tray_closed() -> Sense:
    return Sense(key=SenseKey.NOT_READY, code=0x3A01)


def medium_not_present_tray_open() -> Sense:
    return Sense(key=SenseKey.NOT_READY, code=0x3A02)


def incompatible_medium() -> Sense:
    """CANNOT READ MEDIUM, INCOMPATIBLE FORMAT: the command is for another kind of disc."""
    return Sense(key=SenseKey.ILLEGAL_REQUEST, code=0x3002)


def illegal_mode_for_this_track() -> Sense:
    return Sense(key=SenseKey.ILLEGAL_REQUEST, code=0x6400)


def medium_removal_prevented() -> Sense:
    return Sense(key=SenseKey.ILLEGAL_REQUEST, code=0x5302)


def format_in_progress(progress: int) -> Sense:
    return Sense(key=SenseKey.NOT_READY, code=0x0404, progress=progress)


def sanitize_in_progress(progress: int) -> Sense:
    return Sense(key=SenseKey.NOT_READY, code=0x041B, progress=progress)


def format_corrupted() -> Sense:
    """MEDIUM FORMAT CORRUPTED: FORMAT UNIT failed."""
    return Sense(key=SenseKey.MEDIUM_ERROR, code=0x3100)


def sanitize_failed() -> Sense:
    return Sense(key=SenseKey.MEDIUM_ERROR, code=0x3103)


def unrecovered_read_error() -> Sense:
    return Sense(key=SenseKey.MEDIUM_ERROR, code=0x1100)


def write_error() -> Sense:
    return Sense(key=SenseKey.MEDIUM_ERROR, code=0x0C00)


def write_protected() -> Sense:
    return Sense(key=SenseKey.DATA_PROTECT, code=0x2700)


def space_allocation_failed() -> Sense:
    return Sense(key=SenseKey.DATA_PROTECT, code=0x2707)


def persistent_reservation_information_lost() -> Sense:
    return Sense(key=SenseKey.DATA_PROTECT, code=0x4401)


def communication_failure() -> Sense:
    return Sense(key=SenseKey.HARDWARE_ERROR, code=0x0800)


def internal_target_failure() -> Sense:
    return Sense(key=SenseKey.HARDWARE_ERROR, code=0x4400)


def miscompare(information: int) -> Sense:
    """MISCOMPARE DURING VERIFY OPERATION; the information says where: an LBA for VERIFY, an offset in the data-out for
    COMPARE AND WRITE."""
    return Sense(key=SenseKey.MISCOMPARE, code=0x1D00, information=information)


# Third-party copies


def operation_in_progress() -> Sense:
    """A copy with this list identifier is under way."""
    return Sense(key=SenseKey.ILLEGAL_REQUEST, code=0x0016)


def too_many_copy_descriptors(*, segments: bool) -> Sense:
    return Sense(key=SenseKey.ILLEGAL_REQUEST, code=0x2608 if segments else 0x2606)


def unsupported_copy_descriptor(byte: int, *, segment: bool) -> Sense:
    field = FieldPointer(byte=byte, in_cdb=False)
    return Sense(key=SenseKey.ILLEGAL_REQUEST, code=0x2609 if segment else 0x2607, field=field)


def inline_data_length_exceeded() -> Sense:
    return Sense(key=SenseKey.ILLEGAL_REQUEST, code=0x260B)


def inexact_segment() -> Sense:
    """The blocks of source and destination do not make the same number of bytes."""
    return Sense(key=SenseKey.COPY_ABORTED, code=0x260A)


def copy_aborted(byte: int) -> Sense:
    """A segment that cannot be carried out; `byte` of its descriptor says why."""
    field = FieldPointer(byte=byte, in_cdb=False, in_segment=True)
    return Sense(key=SenseKey.COPY_ABORTED, code=0x0000, field=field)


def unreachable_copy_target(byte: int) -> Sense:
    field = FieldPointer(byte=byte, in_cdb=False, in_segment=True)
    return Sense(key=SenseKey.COPY_ABORTED, code=0x0804, field=field)


def copy_target_not_reachable() -> Sense:
    return Sense(key=SenseKey.COPY_ABORTED, code=0x0D02)


def third_party_device_failure() -> Sense:
    return Sense(key=SenseKey.COPY_ABORTED, code=0x0D01)


def copy_cleared_by_device_server() -> Sense:
    """COMMANDS CLEARED BY DEVICE SERVER: COPY OPERATION ABORT ended the copy."""
    return Sense(key=SenseKey.COPY_ABORTED, code=0x2F02)


def token_unknown() -> Sense:
    return Sense(key=SenseKey.ILLEGAL_REQUEST, code=0x2304)


def token_revoked() -> Sense:
    return Sense(key=SenseKey.ILLEGAL_REQUEST, code=0x2306)


# Unit attentions


def bus_device_reset() -> Sense:
    """BUS DEVICE RESET FUNCTION OCCURRED: a logical unit reset."""
    return Sense(key=SenseKey.UNIT_ATTENTION, code=0x2903)


def medium_may_have_changed() -> Sense:
    """NOT READY TO READY CHANGE, MEDIUM MAY HAVE CHANGED."""
    return Sense(key=SenseKey.UNIT_ATTENTION, code=0x2800)


def capacity_data_has_changed() -> Sense:
    return Sense(key=SenseKey.UNIT_ATTENTION, code=0x2A09)


def reservations_preempted() -> Sense:
    return Sense(key=SenseKey.UNIT_ATTENTION, code=0x2A03)


def reservations_released() -> Sense:
    return Sense(key=SenseKey.UNIT_ATTENTION, code=0x2A04)


def registrations_preempted() -> Sense:
    return Sense(key=SenseKey.UNIT_ATTENTION, code=0x2A05)


def commands_cleared_by_another_initiator() -> Sense:
    return Sense(key=SenseKey.UNIT_ATTENTION, code=0x2F00)


def failure_prediction_test(*, attention: bool) -> Sense:
    """FAILURE PREDICTION THRESHOLD EXCEEDED (FALSE): somebody tests how informational exceptions are reported."""
    return Sense(key=SenseKey.UNIT_ATTENTION if attention else SenseKey.NO_SENSE, code=0x5DFF)


def soft_threshold_reached() -> Sense:
    """THIN PROVISIONING SOFT THRESHOLD REACHED."""
    return Sense(key=SenseKey.UNIT_ATTENTION, code=0x3807)


def some_commands_cleared_by_iscsi_event() -> Sense:
    return Sense(key=SenseKey.UNIT_ATTENTION, code=0x477F)


def mode_parameters_changed() -> Sense:
    return Sense(key=SenseKey.UNIT_ATTENTION, code=0x2A01)


def reported_luns_data_has_changed() -> Sense:
    return Sense(key=SenseKey.UNIT_ATTENTION, code=0x3F0E)


_DEVICE_FAULTS = {
    DeviceFault.MEDIUM_READ: unrecovered_read_error(),
    DeviceFault.MEDIUM_WRITE: write_error(),
    DeviceFault.NO_SPACE: space_allocation_failed(),
    DeviceFault.READ_ONLY: write_protected(),
    DeviceFault.GONE: communication_failure(),
    DeviceFault.FLUSH_FAILED: write_error(),
}


def sense_of(error: DeviceError | ScsiError) -> Sense:
    """What an initiator is told of `error`. A DeviceError does not say which block: no information field."""
    return error.sense if isinstance(error, ScsiError) else _DEVICE_FAULTS[error.fault]
