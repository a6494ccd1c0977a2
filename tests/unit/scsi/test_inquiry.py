"""INQUIRY, byte by byte."""

import pytest

from lunaport.scsi.enums import Status
from lunaport.scsi.inquiry import naa_designator

from .support import UUID, Bench


def inquire(bench: Bench, page: int) -> bytes:
    task = bench.run(bytes([0x12, 1, page, 4, 0, 0]))
    assert task.status == Status.GOOD
    assert task.data[0] == 0
    assert task.data[1] == page
    assert int.from_bytes(task.data[2:4]) == len(task.data) - 4
    return task.data[4:]


def test_standard_data() -> None:
    assert Bench().run("12 00 00 01 00 00").data == (
        bytes.fromhex(
            "00"  # a disk that is there
            "00"  # not removable
            "06"  # SPC-4
            "12"  # HISUP, response data format 2
            "5B"  # additional length
            "18"  # TPGS: implicit; third-party copy
            "00"
            "02"  # CMDQUE
        )
        + b"LUNAPORT"
        + b"DISK            "
        + b"0001"
        + bytes(22)
        + bytes.fromhex("00A0 0961 0460 04C0")  # SAM-5, iSCSI as in RFC 7143, SPC-4, SBC-3
        + bytes(30)
    )


def test_is_cut_to_the_allocation_length_and_to_what_is_expected() -> None:
    bench = Bench()
    assert len(bench.run("12 00 00 00 24 00").data) == 36
    assert bench.run("12 00 00 00 00 00").data == b""
    assert len(bench.run("12 00 00 00 24 00", expected_length=5).data) == 5


@pytest.mark.parametrize(
    ("cdb", "pointer"),
    [
        ("12 00 80 00 FF 00", (2, None)),  # a page, but not EVPD
        ("12 01 B3 00 FF 00", (2, None)),  # no such page
        ("12 02 00 00 FF 00", (1, 1)),  # CMDDT, obsolete
    ],
)
def test_refuses(cdb: str, pointer: tuple[int, int | None]) -> None:
    task = Bench().run(cdb)
    assert (task.sense_code, task.field_pointer) == (0x2400, pointer)


def test_supported_pages_are_all_there() -> None:
    bench = Bench()
    pages = inquire(bench, 0x00)
    assert pages == bytes.fromhex("00 80 83 86 87 88 8F B0 B1 B2")
    for page in pages:
        inquire(bench, page)


def test_unit_serial_number() -> None:
    assert inquire(Bench(), 0x80) == UUID.encode()


def test_naa_designator_is_locally_assigned_and_from_the_uuid() -> None:
    assert naa_designator("00112233445546678899aabbccddeeff").hex() == "3" + "001122334455667"
    assert naa_designator("f" * 32).hex() == "3" + "f" * 15


def test_device_identification() -> None:
    page = inquire(Bench(), 0x83)
    naa = "3001122334455667"
    assert page == (
        bytes.fromhex("01 03 00 08" + naa)  # binary, of the unit, NAA
        + bytes.fromhex("02 01 00 28")  # ASCII, of the unit, T10 vendor id
        + b"LUNAPORT"
        + UUID.encode()
        + bytes.fromhex("03 08 00 18")  # UTF-8, of the unit, SCSI name string
        + b"naa."
        + naa.upper().encode()
        + bytes(4)
        + bytes.fromhex("01 0A 00 12 1000" + UUID)  # binary, of the unit, UUID
        + bytes.fromhex("51 94 00 04 00000001")  # of the port: relative target port
        + bytes.fromhex("51 95 00 04 00000001")  # of the port: its group
        + bytes.fromhex("53 98 00 24")  # of the port: its name
        + b"iqn.2026-01.example:disk,t,0x0001\0\0\0"
        + bytes.fromhex("53 A8 00 1C")  # of the device: its name
        + b"iqn.2026-01.example:disk\0\0\0\0"
    )


def test_a_target_without_a_name_has_no_name_designators() -> None:
    bench = Bench()
    bench.target.name = ""
    assert inquire(bench, 0x83).endswith(bytes.fromhex("51 95 00 04 00000001"))


def test_block_limits() -> None:
    assert inquire(Bench(), 0xB0) == bytes.fromhex(
        "01"  # WSNZ
        "80"  # maximum compare and write length: 128 blocks
        "0008"  # optimal transfer length granularity: 4 KiB
        "00004000"  # maximum transfer length: 8 MiB
        "00000000"  # optimal transfer length
        "00000000"  # maximum prefetch length
        "00100000"  # maximum unmap LBA count
        "00000100"  # maximum unmap block descriptor count
        "00000008"  # optimal unmap granularity
        "80000000"  # its alignment, valid
        "0000000000008000"  # maximum write same length: 16 MiB
        "00000800"  # maximum atomic transfer length: 1 MiB
        "00000000 00000000"  # atomic alignment and granularity
        "00000000 00000000"  # no atomic boundaries
    )


def test_block_limits_of_a_thick_unit_of_4096_byte_blocks() -> None:
    assert inquire(Bench(thin=False, block_size_bytes=4096), 0xB0) == bytes.fromhex(
        "00 80 0001 00000800 00000000 00000000 00000000 00000000 00000000 00000000 0000000000001000"
        "00000100 00000000 00000000 00000000 00000000"
    )


def test_block_device_characteristics() -> None:
    assert inquire(Bench(), 0xB1) == bytes.fromhex("0001 00 40") + bytes(56)  # non-rotating, WABEREQ


def test_logical_block_provisioning() -> None:
    # space is counted in 2^11 blocks; LBPU, LBPWS, LBPWS10, LBPRZ, ANC_SUP; thin
    assert inquire(Bench(), 0xB2) == bytes.fromhex("0B E6 02 00")
    assert inquire(Bench(thin=False), 0xB2) == bytes(4)


def test_absent_unit() -> None:
    task = Bench().run("12 00 00 00 60 00", lun=1 << 48)
    assert task.status == Status.GOOD
    assert task.data[:5] == bytes.fromhex("7F 00 06 12 5B")
    assert task.data[8:36] == b" " * 28
    assert Bench().run("12 01 80 00 60 00", lun=1 << 48).sense_code == 0x2400


def test_extended_inquiry_data_says_that_the_cache_is_volatile() -> None:
    assert inquire(Bench(), 0x86) == bytes.fromhex("00 07 01 01") + bytes(56)  # head of queue, ordered, simple


def test_mode_pages_are_shared_by_all_nexuses() -> None:
    assert inquire(Bench(), 0x87) == bytes.fromhex("3F FF 00 00")


def test_the_one_target_port() -> None:
    name = b"iqn.2026-01.example:disk,t,0x0001\0\0\0"
    designator = bytes.fromhex("53 98 00 24") + name
    assert inquire(Bench(), 0x88) == bytes.fromhex("0000 0001 0000 0000 0000 0028") + designator


def test_a_removable_unit_says_so() -> None:
    bench = Bench(removable=True)
    assert bench.run("12 00 00 00 02 00").data == bytes.fromhex("00 80")
