"""VPD page 8Fh, byte by byte."""

from lunaport.scsi.vpd_copy import third_party_copy_page

from .copying import Pair


def descriptors(page: bytes) -> dict[int, bytes]:
    found = {}
    while page:
        length = int.from_bytes(page[2:4], "big")
        assert length % 4 == 0
        found[int.from_bytes(page[:2], "big")] = page[4 : 4 + length]
        page = page[4 + length :]
    return found


def test_the_descriptors_come_in_order() -> None:
    page = Pair().run(bytes.fromhex("12 01 8F 0400 00")).data
    assert page[:4] == bytes.fromhex("00 8F") + (len(page) - 4).to_bytes(2, "big")
    assert list(descriptors(page[4:])) == [0x0000, 0x0001, 0x0004, 0x0008, 0x0106, 0x0108, 0x8001]


def test_what_they_say() -> None:
    found = descriptors(third_party_copy_page(9))
    assert found[0x0000] == bytes.fromhex(
        "000000000000"
        "0040"  # ranges
        "0000012C"  # longest inactivity timeout
        "0000001E"  # usual one
        "0000000000200000"  # largest transfer in blocks
        "0000000000020000"  # best one
    )
    assert found[0x0001] == bytes.fromhex("10 83 05 00 01 10 11 1C 84 07 00 01 03 04 05 06 07 000000")
    assert found[0x0004] == bytes.fromhex("00000000 0010 0100 00001E00 00000000") + bytes(12)
    assert found[0x0008] == bytes.fromhex("02 02 E4 00")
    assert found[0x0106][:44] == bytes(16) + bytes.fromhex("0000012C 0000012C") + bytes(18) + bytes.fromhex("0030")
    assert found[0x0106][44:] == bytes.fromhex(
        "00 00 002C 0000 0000"
        "0000000040000000"  # most bytes of a token
        "0000000004000000 0000000004000000 0000000004000000"
        "0000000000000000"
    )
    assert found[0x0108] == (
        bytes.fromhex("0000 0080")
        + bytes.fromhex("00800001 03 00 0001").ljust(64, b"\0")
        + bytes.fromhex("FFFF0001 02 00 0000").ljust(64, b"\0")
    )
    assert found[0x8001] == bytes.fromhex("00000008 00000008 10000000 09 00") + bytes(18)


def test_counts_of_blocks_follow_the_block_size() -> None:
    assert descriptors(third_party_copy_page(12))[0x0000][16:24] == (1 << 18).to_bytes(8, "big")
