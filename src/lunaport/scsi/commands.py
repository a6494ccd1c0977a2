"""The command table: every command that there is; the rows that optical drives alone have are in `optical_commands`.

What is not here is INVALID COMMAND OPERATION CODE. The bytes are the CDB usage data: a bit that is 0 has to be 0 in a
CDB. So protection information, group numbers, power conditions, NACA and the like are refused by the table
alone.
"""

from lunaport.scsi import (
    atomic,
    buffer,
    cache,
    capacity,
    copy_results,
    defects,
    extended_copy,
    format_unit,
    inquiry,
    log,
    mode,
    persistent_reserve_in,
    ports,
    provisioning,
    read,
    readiness,
    report,
    reserve,
    rod_token,
    sanitize,
    verify,
    write,
)
from lunaport.scsi.command import EVERY_DEVICE, AbsentHandler, Command, CommandTable
from lunaport.scsi.enums import (
    Access,
    CopyIn,
    CopyOut,
    DeviceType,
    MaintenanceIn,
    Opcode,
    ReserveIn,
    ReserveOut,
    Sanitize,
    ServiceActionIn,
)
from lunaport.scsi.optical_commands import OPTICAL
from lunaport.scsi.ordering import Ordering
from lunaport.scsi.persistent_reserve_out import persistent_reserve_out
from lunaport.scsi.well_known import WELL_KNOWN

_LONG_S = 120
"""For what may take a disk its time: a flush, ranges without a useful bound."""
_DAYS_S = 3 * 86400
"""For what writes a whole disk."""


def _usage(text: str) -> bytes:
    return bytes.fromhex(text)


_ANY_TIME = (
    Command(
        usage=_usage("00 00 00 00 00 00"),
        handler=readiness.test_unit_ready,
        devices=EVERY_DEVICE,
        access=Access.ALWAYS,
    ),
    Command(
        usage=_usage("03 01 00 00 FF 00"),
        handler=readiness.request_sense,
        devices=EVERY_DEVICE,
        access=Access.ALWAYS,
        when_lost=True,
        with_reservation=True,
        when_stopped=True,
        when_erasing=True,
        ignores_attention=True,
    ),
    Command(
        usage=_usage("12 01 FF FF FF 00"),
        handler=inquiry.inquiry,
        devices=EVERY_DEVICE,
        access=Access.ALWAYS,
        when_lost=True,
        with_reservation=True,
        when_stopped=True,
        when_erasing=True,
        ignores_attention=True,
    ),
    Command(
        usage=_usage("A0 00 FF 00 00 00 FF FF FF FF 00 00"),
        handler=report.report_luns,
        devices=EVERY_DEVICE,
        access=Access.ALWAYS,
        when_lost=True,
        with_reservation=True,
        when_stopped=True,
        when_erasing=True,
        ignores_attention=True,
    ),
    Command(
        usage=_usage("A3 0C 87 FF FF FF FF FF FF FF 00 00"),
        service_action=MaintenanceIn.REPORT_SUPPORTED_OPERATION_CODES,
        handler=report.report_supported_operation_codes,
        devices=EVERY_DEVICE,
        access=Access.READING,
        with_reservation=True,
        when_stopped=True,
        when_erasing=True,
    ),
    Command(
        usage=_usage("16 00 00 00 00 00"),
        handler=reserve.reserve,
        devices=EVERY_DEVICE,
        access=Access.ALWAYS,
        when_stopped=True,
    ),
    Command(
        usage=_usage("17 00 00 00 00 00"),
        handler=reserve.release,
        devices=EVERY_DEVICE,
        access=Access.ALWAYS,
        with_reservation=True,
        when_stopped=True,
    ),
    Command(
        usage=_usage("56 00 00 00 00 00 00 00 00 00"),
        handler=reserve.reserve,
        devices=EVERY_DEVICE,
        access=Access.ALWAYS,
        when_stopped=True,
    ),
    Command(
        usage=_usage("57 00 00 00 00 00 00 00 00 00"),
        handler=reserve.release,
        devices=EVERY_DEVICE,
        access=Access.ALWAYS,
        with_reservation=True,
        when_stopped=True,
    ),
    Command(
        usage=_usage("1A 08 FF FF FF 00"),
        handler=mode.mode_sense_6,
        devices=EVERY_DEVICE,
        access=Access.READING,
        when_stopped=True,
        when_erasing=True,
    ),
    Command(
        usage=_usage("5A 18 FF FF 00 00 00 FF FF 00"),
        handler=mode.mode_sense_10,
        devices=EVERY_DEVICE,
        access=Access.READING,
        when_stopped=True,
        when_erasing=True,
    ),
    Command(
        usage=_usage("15 11 00 00 FF 00"),
        handler=mode.mode_select_6,
        devices=EVERY_DEVICE,
        ordering=Ordering.ALTERS,
        writes=True,
        when_stopped=True,
    ),
    Command(
        usage=_usage("55 11 00 00 00 00 00 FF FF 00"),
        handler=mode.mode_select_10,
        devices=EVERY_DEVICE,
        ordering=Ordering.ALTERS,
        writes=True,
        when_stopped=True,
    ),
    Command(
        usage=_usage("4D 00 FF FF 00 FF FF FF FF 00"),
        handler=log.log_sense,
        access=Access.ALWAYS,
        when_lost=True,
        with_reservation=True,
        when_stopped=True,
    ),
    Command(
        usage=_usage("3C 1F FF FF FF FF FF FF FF 00"),
        handler=buffer.read_buffer,
        devices=EVERY_DEVICE,
        access=Access.READING,
        when_stopped=True,
    ),
    Command(
        usage=_usage("3B 1F FF FF FF FF FF FF FF 00"),
        handler=buffer.write_buffer,
        devices=EVERY_DEVICE,
        when_stopped=True,
    ),
    Command(
        usage=_usage("A3 EA 00 00 00 00 FF FF FF FF 00 00"),
        service_action=MaintenanceIn.REPORT_TARGET_PORT_GROUPS,
        handler=ports.report_target_port_groups,
        access=Access.ALWAYS,
        when_lost=True,
        with_reservation=True,
        when_stopped=True,
    ),
    Command(
        usage=_usage("A3 0D 80 00 00 00 FF FF FF FF 00 00"),
        service_action=MaintenanceIn.REPORT_SUPPORTED_TASK_MANAGEMENT_FUNCTIONS,
        handler=report.report_supported_task_management_functions,
        devices=EVERY_DEVICE,
        access=Access.READING,
        when_lost=True,
        with_reservation=True,
        when_stopped=True,
    ),
    Command(
        usage=_usage("1B 01 00 0F F7 00"),
        handler=readiness.start_stop_unit,
        devices=EVERY_DEVICE,
        ordering=Ordering.ALTERS,
        exempt=readiness.starts,
        when_stopped=True,
        recommended_timeout_s=_LONG_S,
    ),
    Command(
        usage=_usage("1E 00 00 00 01 00"),
        handler=readiness.prevent_allow_medium_removal,
        devices=EVERY_DEVICE,
        exempt=readiness.allows_removal,
        removable_only=True,
        when_stopped=True,
    ),
    Command(
        usage=_usage("25 00 00 00 00 00 00 00 00 00"),
        handler=capacity.read_capacity_10,
        devices=EVERY_DEVICE,
        access=Access.ALWAYS,
        with_reservation=True,
    ),
    Command(
        usage=_usage("9E 10 00 00 00 00 00 00 00 00 FF FF FF FF 00 00"),
        service_action=ServiceActionIn.READ_CAPACITY_16,
        handler=capacity.read_capacity_16,
        access=Access.ALWAYS,
        with_reservation=True,
    ),
)

_RESERVE_IN = {
    ReserveIn.READ_KEYS: persistent_reserve_in.read_keys,
    ReserveIn.READ_RESERVATION: persistent_reserve_in.read_reservation,
    ReserveIn.REPORT_CAPABILITIES: persistent_reserve_in.report_capabilities,
    ReserveIn.READ_FULL_STATUS: persistent_reserve_in.read_full_status,
}

_PERSISTENT = (
    *(
        Command(
            usage=bytes((Opcode.PERSISTENT_RESERVE_IN, action)) + _usage("00 00 00 00 00 FF FF 00"),
            service_action=action,
            handler=handler,
            devices=EVERY_DEVICE,
            access=Access.ALWAYS,
            when_stopped=True,
        )
        for action, handler in _RESERVE_IN.items()
    ),
    *(
        Command(
            usage=bytes((Opcode.PERSISTENT_RESERVE_OUT, action)) + _usage("FF 00 00 FF FF FF FF 00"),
            service_action=action,
            handler=persistent_reserve_out,
            devices=EVERY_DEVICE,
            access=Access.ALWAYS,  # who may do what is decided by registrations and keys
            when_stopped=True,
            when_lost=action == ReserveOut.REPLACE_LOST_RESERVATION,
        )
        for action in ReserveOut
    ),
)

_MEDIUM = (
    Command(usage=_usage("08 1F FF FF FF 00"), handler=read.read_6, ordering=Ordering.READS, access=Access.READING),
    Command(
        usage=_usage("28 18 FF FF FF FF 00 FF FF 00"),
        handler=read.read_10,
        devices=EVERY_DEVICE,
        ordering=Ordering.READS,
        access=Access.READING,
    ),
    Command(
        usage=_usage("A8 18 FF FF FF FF FF FF FF FF 00 00"),
        handler=read.read_12,
        devices=EVERY_DEVICE,
        ordering=Ordering.READS,
        access=Access.READING,
    ),
    Command(
        usage=_usage("88 18 FF FF FF FF FF FF FF FF FF FF FF FF 00 00"),
        handler=read.read_16,
        ordering=Ordering.READS,
        access=Access.READING,
    ),
    Command(usage=_usage("0A 1F FF FF FF 00"), handler=write.write_6, ordering=Ordering.WRITES, writes=True),
    Command(
        usage=_usage("2A 18 FF FF FF FF 00 FF FF 00"), handler=write.write_10, ordering=Ordering.WRITES, writes=True
    ),
    Command(
        usage=_usage("AA 18 FF FF FF FF FF FF FF FF 00 00"),
        handler=write.write_12,
        ordering=Ordering.WRITES,
        writes=True,
    ),
    Command(
        usage=_usage("8A 18 FF FF FF FF FF FF FF FF FF FF FF FF 00 00"),
        handler=write.write_16,
        ordering=Ordering.WRITES,
        writes=True,
    ),
    Command(
        usage=_usage("2F 16 FF FF FF FF 00 FF FF 00"),
        handler=verify.verify_10,
        ordering=Ordering.READS,
        access=Access.READING,
    ),
    Command(
        usage=_usage("AF 16 FF FF FF FF FF FF FF FF 00 00"),
        handler=verify.verify_12,
        ordering=Ordering.READS,
        access=Access.READING,
    ),
    Command(
        usage=_usage("8F 16 FF FF FF FF FF FF FF FF FF FF FF FF 00 00"),
        handler=verify.verify_16,
        ordering=Ordering.READS,
        access=Access.READING,
    ),
    Command(
        usage=_usage("2E 16 FF FF FF FF 00 FF FF 00"),
        handler=verify.write_and_verify_10,
        ordering=Ordering.WRITES,
        writes=True,
    ),
    Command(
        usage=_usage("AE 16 FF FF FF FF FF FF FF FF 00 00"),
        handler=verify.write_and_verify_12,
        ordering=Ordering.WRITES,
        writes=True,
    ),
    Command(
        usage=_usage("8E 16 FF FF FF FF FF FF FF FF FF FF FF FF 00 00"),
        handler=verify.write_and_verify_16,
        ordering=Ordering.WRITES,
        writes=True,
    ),
    Command(
        usage=_usage("89 18 FF FF FF FF FF FF FF FF 00 00 00 FF 00 00"),
        handler=atomic.compare_and_write,
        ordering=Ordering.WRITES,
        writes=True,
    ),
    Command(
        usage=_usage("8B 18 FF FF FF FF FF FF FF FF FF FF FF FF 00 00"),
        handler=atomic.orwrite_16,
        ordering=Ordering.WRITES,
        writes=True,
    ),
    Command(
        usage=_usage("9C 18 FF FF FF FF FF FF FF FF 00 00 FF FF 00 00"),
        handler=atomic.write_atomic_16,
        ordering=Ordering.WRITES,
        writes=True,
    ),
    # The group number of a PRE-FETCH is taken and not used (SBC-3 4.22: grouping is not supported).
    Command(
        usage=_usage("34 02 FF FF FF FF 1F FF FF 00"),
        handler=cache.pre_fetch_10,
        ordering=Ordering.READS,
        access=Access.READING,
    ),
    Command(
        usage=_usage("90 02 FF FF FF FF FF FF FF FF FF FF FF FF 1F 00"),
        handler=cache.pre_fetch_16,
        ordering=Ordering.READS,
        access=Access.READING,
    ),
    Command(
        usage=_usage("37 00 1F 00 00 00 00 FF FF 00"),
        handler=defects.read_defect_data_10,
        access=Access.READING,
    ),
    Command(
        usage=_usage("B7 1F FF FF FF FF FF FF FF FF 00 00"), handler=defects.read_defect_data_12, access=Access.READING
    ),
    Command(
        usage=_usage("9E 12 FF FF FF FF FF FF FF FF FF FF FF FF 00 00"),
        service_action=ServiceActionIn.GET_LBA_STATUS,
        handler=provisioning.get_lba_status,
        ordering=Ordering.READS,
        access=Access.READING,
    ),
    Command(
        usage=_usage("35 06 FF FF FF FF 00 FF FF 00"),
        handler=cache.synchronize_cache_10,
        ordering=Ordering.FLUSHES,
        recommended_timeout_s=_LONG_S,
    ),
    Command(
        usage=_usage("91 06 FF FF FF FF FF FF FF FF FF FF FF FF 00 00"),
        handler=cache.synchronize_cache_16,
        ordering=Ordering.FLUSHES,
        recommended_timeout_s=_LONG_S,
    ),
    Command(
        usage=_usage("42 01 00 00 00 00 00 FF FF 00"),
        handler=provisioning.unmap,
        ordering=Ordering.WRITES,
        writes=True,
        thin_only=True,
        recommended_timeout_s=_LONG_S,
    ),
    Command(
        usage=_usage("41 18 FF FF FF FF 00 FF FF 00"),
        handler=provisioning.write_same_10,
        ordering=Ordering.WRITES,
        writes=True,
        recommended_timeout_s=_LONG_S,
    ),
    Command(
        usage=_usage("93 19 FF FF FF FF FF FF FF FF FF FF FF FF 00 00"),
        handler=provisioning.write_same_16,
        ordering=Ordering.WRITES,
        writes=True,
        recommended_timeout_s=_LONG_S,
    ),
)

_COPY = (
    Command(
        usage=_usage("83 00 00 00 00 00 00 00 00 00 FF FF FF FF 00 00"),
        service_action=CopyOut.EXTENDED_COPY_LID1,
        handler=extended_copy.extended_copy_lid1,
        ordering=Ordering.WRITES,
        recommended_timeout_s=_LONG_S,
    ),
    Command(
        usage=_usage("83 01 00 00 00 00 00 00 00 00 FF FF FF FF 00 00"),
        service_action=CopyOut.EXTENDED_COPY_LID4,
        handler=extended_copy.extended_copy_lid4,
        ordering=Ordering.WRITES,
        recommended_timeout_s=_LONG_S,
    ),
    Command(
        usage=_usage("83 10 00 00 00 00 FF FF FF FF FF FF FF FF 00 00"),
        service_action=CopyOut.POPULATE_TOKEN,
        handler=rod_token.populate_token,
        ordering=Ordering.READS,
        access=Access.READING,
    ),
    Command(
        usage=_usage("83 11 00 00 00 00 FF FF FF FF FF FF FF FF 00 00"),
        service_action=CopyOut.WRITE_USING_TOKEN,
        handler=rod_token.write_using_token,
        ordering=Ordering.WRITES,
        writes=True,
        recommended_timeout_s=_LONG_S,
    ),
    Command(
        usage=_usage("83 1C FF FF FF FF 00 00 00 00 00 00 00 00 00 00"),
        service_action=CopyOut.COPY_OPERATION_ABORT,
        handler=extended_copy.copy_operation_abort,
        with_reservation=True,
        when_stopped=True,
        when_erasing=True,
    ),
    *(
        Command(
            usage=_usage(f"84 {action:02X} {list_id} FF FF FF FF 00 00"),
            service_action=action,
            handler=handler,
            access=Access.ALWAYS,
            with_reservation=True,
            when_stopped=True,
            when_erasing=True,
        )
        for action, list_id, handler in (
            (CopyIn.RECEIVE_COPY_STATUS_LID1, "FF 00 00 00 00 00 00 00", copy_results.receive_copy_status_lid1),
            (CopyIn.RECEIVE_COPY_DATA_LID1, "FF 00 00 00 00 00 00 00", copy_results.receive_copy_data_lid1),
            (
                CopyIn.RECEIVE_COPY_OPERATING_PARAMETERS,
                "FF 00 00 00 00 00 00 00",
                copy_results.receive_copy_operating_parameters,
            ),
            (
                CopyIn.RECEIVE_COPY_FAILURE_DETAILS_LID1,
                "FF 00 00 00 00 00 00 00",
                copy_results.receive_copy_failure_details_lid1,
            ),
            (CopyIn.RECEIVE_COPY_STATUS_LID4, "FF FF FF FF 00 00 00 00", copy_results.receive_copy_status_lid4),
            (CopyIn.RECEIVE_COPY_DATA_LID4, "FF FF FF FF 00 00 00 00", copy_results.receive_copy_data_lid4),
            (
                CopyIn.RECEIVE_ROD_TOKEN_INFORMATION,
                "FF FF FF FF 00 00 00 00",
                copy_results.receive_rod_token_information,
            ),
        )
    ),
)

_ERASE = (
    Command(
        usage=_usage("04 3F 00 00 00 00"),
        handler=format_unit.format_unit,
        writes=True,
        when_erasure_failed=True,
        recommended_timeout_s=_DAYS_S,
    ),
    Command(
        usage=_usage("48 A1 00 00 00 00 00 FF FF 00"),
        service_action=Sanitize.OVERWRITE,
        handler=sanitize.sanitize_overwrite,
        writes=True,
        when_erasure_failed=True,
        recommended_timeout_s=_DAYS_S,
    ),
    Command(
        usage=_usage("48 A2 00 00 00 00 00 FF FF 00"),
        service_action=Sanitize.BLOCK_ERASE,
        handler=sanitize.sanitize_block_erase,
        writes=True,
        thin_only=True,
        when_erasure_failed=True,
        recommended_timeout_s=_LONG_S,
    ),
    Command(
        usage=_usage("48 A3 00 00 00 00 00 FF FF 00"),
        service_action=Sanitize.CRYPTOGRAPHIC_ERASE,
        handler=sanitize.sanitize_cryptographic_erase,
        writes=True,
        when_erasure_failed=True,
        encrypted_only=True,
        recommended_timeout_s=_LONG_S,
    ),
    Command(
        usage=_usage("48 9F 00 00 00 00 00 FF FF 00"),
        service_action=Sanitize.EXIT_FAILURE_MODE,
        handler=sanitize.sanitize_exit_failure_mode,
        when_erasure_failed=True,
    ),
)

ROWS = sorted(_ANY_TIME + _PERSISTENT + _MEDIUM + _COPY + _ERASE + OPTICAL, key=lambda row: row.opcode)
"""Every command of every device type."""

_ABSENT: dict[int, AbsentHandler] = {
    Opcode.INQUIRY: inquiry.inquiry_absent,
    Opcode.REPORT_LUNS: report.report_luns_absent,
    Opcode.REQUEST_SENSE: readiness.request_sense_absent,
}

COMMANDS = CommandTable(ROWS, _ABSENT, well_known=WELL_KNOWN)
OPTICAL_COMMANDS = CommandTable(ROWS, _ABSENT, DeviceType.CDROM)
