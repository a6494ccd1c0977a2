"""Copies that the NAS makes itself, between shares and within one: EXTENDED COPY, and tokens as Windows uses them."""

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.initiator import Initiator
from tests.system.nas import Nas, Share
from tests.system.peers import output_of

NOT_REACHABLE = (0x0A, 0x0D, 0x02)
TOKEN_REVOKED = (0x05, 0x23, 0x06)
TOKEN_UNKNOWN = (0x05, 0x23, 0x04)


@pytest.fixture(scope="module")
def one_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nas]:
    """A NAS with one data process: copies between targets stay within a process (`test_data_processes.py`)."""
    nas = Nas(tmp_path_factory.mktemp("copies") / "data", settings={"LUNAPORT_DATA_PROCESSES": "1"})
    try:
        nas.start()
        yield nas
        nas.stop()
    finally:
        nas.destroy()
        nas.client.close()


@pytest.fixture
def nas(one_process: Nas) -> Nas:
    """That one, in the place of the one that all tests share."""
    return one_process


def log_in(share: Share, *, name: str = "iqn.2026-11.test.lunaport:copier") -> Initiator:
    return Initiator(share.host, share.port, target=share.iqn, name=name)


def designator(initiator: Initiator) -> bytes:
    """The NAA designator of VPD page 83h."""
    page = initiator.command(bytes.fromhex("12 01 83 0400 00"), data_in=1024).data[4:]
    while page[1] & 0x3F != 0x03:
        page = page[4 + page[3] :]
    return page[4 : 4 + page[3]]


def xcopy(
    initiator: Initiator, units: list[bytes], segments: list[tuple[int, int, int, int, int]]
) -> tuple[int, object]:
    targets = b"".join(struct.pack(">BBHBBxB20sI", 0xE4, 0, 0, 1, 3, len(naa), naa, 512) for naa in units)
    body = b"".join(struct.pack(">BBHHHxxHQQ", 2, 0, 24, *each) for each in segments)
    parameters = struct.pack(">BBH4xII", 9, 0, len(targets), len(body), 0) + targets + body
    cdb = b"\x83" + bytes(9) + len(parameters).to_bytes(4, "big") + bytes(2)
    result = initiator.command(cdb, data_out=parameters)
    return result.status, result.sense_key if result.sense else None


def test_blocks_are_copied_between_shares_and_holes_stay_holes(nas: Nas) -> None:
    source, destination = nas.create("copy-from", size="33M"), nas.create("copy-to", size="35M")
    data = b"".join(number.to_bytes(4, "big") * 128 for number in range(4096))
    with log_in(source) as here, log_in(destination) as there:
        for at in range(0, 4096, 512):
            here.write(at, data[at * 512 : (at + 512) * 512])
        there.write(40000, b"old".ljust(512))
        units = [designator(here), designator(there)]
        segments = [(0, 1, 30000, 0, 20000), (0, 1, 30000, 30000, 41000 - 1000)]
        assert xcopy(here, units, segments) == (0, None)
        for at in range(0, 4096, 512):
            assert there.read(20000 + at, 512) == data[at * 512 : (at + 512) * 512]
        assert there.read(40000, 1) == bytes(512)
        status = here.command(bytes.fromhex("84 00 09 00000000000000 00000100 0000"), data_in=256).data
        assert status == bytes.fromhex("00000008 01 0002 00") + (60000 * 512).to_bytes(4, "big")
    # Two MiB of data, and what the file system keeps about them.
    assert nas.file_of(destination).stat().st_blocks * 512 < 4 << 20


def test_a_copy_reaches_what_its_host_is_logged_in_to_and_no_more(nas: Nas) -> None:
    secret, mine = nas.create("copy-secret", size="30M"), nas.create("copy-mine", size="31M")
    with log_in(secret) as owner:
        owner.write(0, b"s" * 4096)
        units = [designator(owner)]
        with log_in(mine, name="iqn.2026-11.test.lunaport:thief") as thief:
            units.append(designator(thief))
            assert xcopy(thief, units, [(0, 1, 8, 0, 0)]) == (2, NOT_REACHABLE)
            assert xcopy(thief, units, [(1, 0, 8, 0, 0)]) == (2, NOT_REACHABLE)
            assert thief.read(0, 8) == bytes(4096)
    with log_in(mine) as owner:
        assert xcopy(owner, units, [(0, 1, 8, 0, 0)]) == (2, NOT_REACHABLE), "its session with the source has ended"


def test_a_token_carries_data_to_another_share_until_the_data_changes(nas: Nas) -> None:
    source, destination = nas.create("token-from", size="26M"), nas.create("token-to", size="27M")
    with log_in(source) as here, log_in(destination, name="iqn.2026-11.test.lunaport:another") as there:
        here.write(0, b"t" * 65536)
        token = populate(here, 0, 128)
        assert use(there, token, 1000, 128) is None
        assert there.read(1000, 128) == b"t" * 65536
        # A token is for who has it, and for nobody who guesses.
        assert use(there, token[:200] + b"\1" + token[201:], 1000, 128) == TOKEN_UNKNOWN
        here.write(5, b"n" * 512)
        assert use(there, token, 1000, 128) == TOKEN_REVOKED
        token = populate(here, 0, 128)
    nas.delete(source)
    with log_in(destination) as there:
        assert use(there, token, 1000, 128) == TOKEN_UNKNOWN


def populate(initiator: Initiator, lba: int, blocks: int) -> bytes:
    parameters = struct.pack(">HBxII2xHQI4x", 30, 0, 0, 0, 16, lba, blocks)
    cdb = struct.pack(">BB4xIIxx", 0x83, 0x10, 77, len(parameters))
    assert initiator.command(cdb, data_out=parameters).status == 0
    answer = initiator.command(struct.pack(">BBI4xIxx", 0x84, 0x07, 77, 1024), data_in=1024).data
    assert answer[5] == 1
    return answer[38:]


def use(initiator: Initiator, token: bytes, lba: int, blocks: int) -> object:
    """The sense of WRITE USING TOKEN, None where it succeeded."""
    parameters = struct.pack(">HB5xQ512s6xHQI4x", 550, 0, 0, token, 16, lba, blocks)
    result = initiator.command(struct.pack(">BB4xIIxx", 0x83, 0x11, 78, len(parameters)), data_out=parameters)
    return None if result.status == 0 else result.sense_key


def test_growing_and_deleting_go_on_while_a_copy_runs(nas: Nas) -> None:
    source, destination = nas.create("copy-gone-from", size="301M"), nas.create("copy-gone-to", size="302M")
    with log_in(source) as here, log_in(destination) as there:
        units = [designator(here), designator(there)]
        for at in range(0, 16384, 2048):
            here.write(at, bytes([at >> 11 | 1]) * (2048 * 512))
        body = struct.pack(">BBHHHxxHQQ", 2, 0, 24, 0, 1, 16384, 0, 0) * 200
        targets = b"".join(struct.pack(">BBHBBxB20sI", 0xE4, 0, 0, 1, 3, len(naa), naa, 512) for naa in units)
        header = struct.pack(">BBH11xBB3xI18xHHH", 1, 0, 0x20, 1, 0xFF, 5, len(targets), len(body), 0)
        parameters = header + targets + body
        cdb = b"\x83\x01" + bytes(8) + len(parameters).to_bytes(4, "big") + bytes(2)
        assert here.command(cdb, data_out=parameters).status == 0
        nas.delete(destination)
        status = here.command(struct.pack(">BBI4xIxx", 0x84, 0x05, 5, 1024), data_in=1024).data
        assert status[5] in (0x01, 0x02)
        assert here.read(0, 1) == b"\1" * 512


@pytest.mark.peer
def test_sg3_utils_understand_the_page(nas: Nas, tmp_path: Path) -> None:
    share = nas.create("copy-page", size="28M")
    with log_in(share) as initiator:
        page = initiator.command(bytes.fromhex("12 01 8F 0400 00"), data_in=1024).data
    (tmp_path / "page").write_bytes(page)
    text = output_of("sg_vpd", "--page=0x8f", "--raw", f"--inhex={tmp_path / 'page'}")
    for expected in ("Maximum range descriptors: 64", "Populate token", "Write using token", "Maximum CSCD descriptor"):
        assert expected.lower() in text.lower(), text
