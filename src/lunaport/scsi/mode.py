"""MODE SENSE and MODE SELECT, (6) and (10) (SPC-4 6.11 to 6.14). The pages themselves are in `mode_pages`.

One set of mode parameters serves all nexuses: who changes it, tells the others by a unit attention. A parameter list is
checked whole before anything of it takes effect.
"""

import struct
from dataclasses import replace

from lunaport.scsi.data_out import collect
from lunaport.scsi.enums import ModePage, PageControl
from lunaport.scsi.logical_unit import LogicalUnit
from lunaport.scsi.mode_pages import (
    METHODS,
    PROVISIONING_SUBPAGE,
    UNIT_ATTENTION,
    Modes,
    changeable_pages,
    modes_of,
    provisioning_page,
)
from lunaport.scsi.nexus import Nexus
from lunaport.scsi.optical_pages import pages_for
from lunaport.scsi.reply import run, send
from lunaport.scsi.sense import (
    ScsiError,
    failure_prediction_test,
    invalid_field_in_cdb,
    invalid_field_in_parameter_list,
    mode_parameters_changed,
    parameter_list_length_error,
    saving_parameters_not_supported,
)
from lunaport.scsi.task import Task

_HEADER_6 = struct.Struct(">BBBB")
_HEADER_10 = struct.Struct(">HBBBxH")
_BLOCK_DESCRIPTOR = struct.Struct(">II")
_LONG_BLOCK_DESCRIPTOR = struct.Struct(">Q4xI")

_DBD = 0x08
_LLBAA = 0x10
_LONGLBA = 0x01
_WP = 0x80
_DPOFUA = 0x10
_PF_BIT = 4
_PF = 0x10
_SP = 0x01
_PS = 0x80
_SPF = 0x40
_PAGE_CODE = 0x3F
_PAGE_HEADER_BYTES, _SUBPAGE_HEADER_BYTES = 2, 4
_ALL_PAGES = 0x3F
_BLOCKS_MAX = 0xFFFFFFFF
_NO_SUBPAGE = 0x00
_ALL_SUBPAGES = 0xFF


def mode_sense_6(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    cdb = task.cdb
    pages = _pages(unit, cdb)
    descriptor = b"" if cdb[1] & _DBD or unit.drive is not None else _short_descriptor(unit)
    length = _HEADER_6.size - 1 + len(descriptor) + len(pages)
    send(task, _HEADER_6.pack(length, 0, _device_specific(nexus, unit), len(descriptor)) + descriptor + pages, cdb[4])


def mode_sense_10(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    cdb = task.cdb
    pages = _pages(unit, cdb)
    descriptor = b""
    long_lba = 0
    if not cdb[1] & _DBD and unit.drive is None:
        long_lba = _LONGLBA if cdb[1] & _LLBAA else 0
        descriptor = _long_descriptor(unit) if long_lba else _short_descriptor(unit)
    length = _HEADER_10.size - 2 + len(descriptor) + len(pages)
    header = _HEADER_10.pack(length, 0, _device_specific(nexus, unit), long_lba, len(descriptor))
    send(task, header + descriptor + pages, int.from_bytes(cdb[7:9]))


def _device_specific(nexus: Nexus, unit: LogicalUnit) -> int:
    """The device-specific parameter (SBC-3 6.4.1); drives have none (MMC-6 7.2.2)."""
    if unit.drive is not None:
        return 0
    return _DPOFUA | (_WP if unit.write_protected or nexus.rights.read_only else 0)


def _pages(unit: LogicalUnit, cdb: bytes) -> bytes:
    control, code, subpage = cdb[2] >> 6, cdb[2] & _PAGE_CODE, cdb[3]
    pages = _pages_by_control(unit, control)
    if code != _ALL_PAGES and code not in pages:
        raise ScsiError(invalid_field_in_cdb(2, 5))
    with_subpages = _subpages(unit, control) if subpage else {}
    if subpage not in (_NO_SUBPAGE, _ALL_SUBPAGES):
        if (code, subpage) not in with_subpages:
            raise ScsiError(invalid_field_in_cdb(3))
        return with_subpages[code, subpage]
    savable = 0 if unit.save_modes is None else _PS
    chosen = [bytes((page[0] | savable,)) + page[1:] for own, page in pages.items() if code in (own, _ALL_PAGES)]
    chosen += [page for (own, _), page in with_subpages.items() if code in (own, _ALL_PAGES)]
    return b"".join(chosen)


def _subpages(unit: LogicalUnit, control: int) -> dict[tuple[int, int], bytes]:
    """Mode pages that have a subpage code; nothing in them is for initiators to choose."""
    if not unit.thin:
        return {}
    page = provisioning_page(unit.threshold)
    if control == PageControl.CHANGEABLE:
        page = page[:4] + bytes(len(page) - 4)
    return {(ModePage.INFORMATIONAL_EXCEPTIONS, PROVISIONING_SUBPAGE): page}


def _pages_by_control(unit: LogicalUnit, control: int) -> dict[int, bytes]:
    match control:
        case PageControl.CHANGEABLE:
            return _changeable(unit)
        case PageControl.DEFAULT:
            return pages_for(unit, unit.default_modes)
        case PageControl.SAVED:
            if unit.save_modes is None:
                raise ScsiError(saving_parameters_not_supported())
            return pages_for(unit, unit.saved_modes or unit.default_modes)
        case _:
            return pages_for(unit, unit.modes)


def _changeable(unit: LogicalUnit) -> dict[int, bytes]:
    """What of each page of a unit can be changed; of a page that only drives have, nothing."""
    changeable = changeable_pages()
    return {
        code: changeable.get(code, page[:2] + bytes(len(page) - 2))
        for code, page in pages_for(unit, unit.modes).items()
    }


def _short_descriptor(unit: LogicalUnit) -> bytes:
    return _BLOCK_DESCRIPTOR.pack(min(unit.block_count, _BLOCKS_MAX), unit.block_size_bytes)


def _long_descriptor(unit: LogicalUnit) -> bytes:
    return _LONG_BLOCK_DESCRIPTOR.pack(unit.block_count, unit.block_size_bytes)


def mode_select_6(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    _mode_select(nexus, unit, task, task.cdb[4], long_form=False)


def mode_select_10(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    _mode_select(nexus, unit, task, int.from_bytes(task.cdb[7:9]), long_form=True)


def _mode_select(nexus: Nexus, unit: LogicalUnit, task: Task, length: int, *, long_form: bool) -> None:
    if not task.cdb[1] & _PF:
        raise ScsiError(invalid_field_in_cdb(1, _PF_BIT))
    save = bool(task.cdb[1] & _SP)
    if save and unit.save_modes is None:
        raise ScsiError(invalid_field_in_cdb(1, 0))
    if length == 0:
        task.good()
        return

    def then(parameters: bytes) -> None:
        if len(parameters) < length:
            raise ScsiError(parameter_list_length_error())
        _choose(nexus, unit, task, parse_mode_parameters(parameters, unit, long_form=long_form), save=save)

    collect(nexus, unit, task, length, then)


def _check_exceptions(modes: Modes, position: int) -> None:
    """What the informational exceptions page may say (SPC-4 7.5.12)."""
    if modes.exceptions_test and not modes.exceptions:
        raise ScsiError(invalid_field_in_parameter_list(position + 2, 2))
    if modes.exceptions_method not in METHODS:
        raise ScsiError(invalid_field_in_parameter_list(position + 3, 3))


def _choose(nexus: Nexus, unit: LogicalUnit, task: Task, modes: Modes, *, save: bool) -> None:
    if modes != unit.modes:
        through = unit.modes.write_cache and not modes.write_cache
        testing = modes.exceptions_test and not unit.modes.exceptions_test
        unit.set_modes(modes)
        unit.raise_attention(mode_parameters_changed(), but=nexus)
        if testing and modes.exceptions_method == UNIT_ATTENTION:
            unit.raise_attention(failure_prediction_test(attention=True))
    else:
        through = False
    keep = unit.save_modes if save else None
    modes = replace(modes, exceptions_test=False)
    if keep is not None:
        unit.saved_modes = modes
    if keep is None and not through:
        task.good()
        return

    def work() -> None:
        # Switching the cache off promises that what is in it is on the medium (SBC-3 6.4.5).
        if through:
            unit.device.flush()
        if keep is not None:
            keep(modes)

    run(nexus, unit, task, work, changes=True)


def parse_mode_parameters(parameters: bytes, unit: LogicalUnit, *, long_form: bool) -> Modes:
    """The mode parameters that a MODE SELECT parameter list asks for. Raises ScsiError."""
    header = _HEADER_10 if long_form else _HEADER_6
    if len(parameters) < header.size:
        raise ScsiError(parameter_list_length_error())
    long_lba = False
    if long_form:
        *_, flags, descriptor_length = _HEADER_10.unpack_from(parameters)
        long_lba = bool(flags & _LONGLBA)
    else:
        *_, descriptor_length = _HEADER_6.unpack_from(parameters)
    position = header.size + descriptor_length
    if descriptor_length:
        _check_block_descriptor(parameters, unit, header.size, descriptor_length, long_lba=long_lba)
    modes = unit.modes
    while position < len(parameters):
        page = _take_page(parameters, position, unit, modes)
        if not page[0] & _SPF:
            modes = modes_of(modes, page)
            _check_exceptions(modes, position)
        position += len(page)
    return modes


def _check_block_descriptor(
    parameters: bytes, unit: LogicalUnit, position: int, length: int, *, long_lba: bool
) -> None:
    """The number and length of blocks cannot be chosen here: only what is already so may be asked for."""
    form = _LONG_BLOCK_DESCRIPTOR if long_lba else _BLOCK_DESCRIPTOR
    if length != form.size:
        raise ScsiError(invalid_field_in_parameter_list(position - 1))
    if len(parameters) < position + length:
        raise ScsiError(parameter_list_length_error())
    blocks, size = form.unpack_from(parameters, position)
    whole = unit.block_count if long_lba else min(unit.block_count, _BLOCKS_MAX)
    if blocks not in (0, whole):
        raise ScsiError(invalid_field_in_parameter_list(position))
    if size != unit.block_size_bytes:
        raise ScsiError(invalid_field_in_parameter_list(position + length - 4))


def _take_page(parameters: bytes, position: int, unit: LogicalUnit, modes: Modes) -> bytes:
    code = parameters[position] & _PAGE_CODE
    with_subpage = parameters[position] & _SPF
    if len(parameters) - position < (_SUBPAGE_HEADER_BYTES if with_subpage else _PAGE_HEADER_BYTES):
        raise ScsiError(parameter_list_length_error())
    if with_subpage:
        known = (code, parameters[position + 1])
        current = _subpages(unit, PageControl.CURRENT).get(known)
        changeable = _subpages(unit, PageControl.CHANGEABLE).get(known, b"")
        header = _SUBPAGE_HEADER_BYTES
    else:
        current = pages_for(unit, modes).get(code)
        changeable = _changeable(unit).get(code, b"")
        header = _PAGE_HEADER_BYTES
    if current is None:
        raise ScsiError(invalid_field_in_parameter_list(position, 6 if with_subpage else 5))
    length_at = position + header // 2  # one byte behind the code, or two behind the subpage's
    if int.from_bytes(parameters[length_at : position + header]) != len(current) - header:
        raise ScsiError(invalid_field_in_parameter_list(length_at))
    page = parameters[position : position + len(current)]
    if len(page) < len(current):
        raise ScsiError(parameter_list_length_error())
    for index in range(header, len(page)):
        wrong = (page[index] ^ current[index]) & ~changeable[index] & 0xFF
        if wrong:
            raise ScsiError(invalid_field_in_parameter_list(position + index, wrong.bit_length() - 1))
    return page
