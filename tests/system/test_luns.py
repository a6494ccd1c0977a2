"""Kinds of LUN, as API v1 makes them and initiators find them; what they chose survives; what is atomic is whole."""

import struct
import time
from typing import Any

import pytest

from tests.system.conftest import StartNas
from tests.system.initiator import Initiator
from tests.system.nas import Nas
from tests.system.peers import output_of
from tests.system.wire import InitiatorError

ATOMIC_BLOCKS = 2048
WRITE_THROUGH = bytes.fromhex("00000000 0812 00" + "00" * 17)


def make(nas: Nas, name: str, *luns: dict[str, Any]) -> str:
    """A target with these LUNs; returns its name."""
    response = nas.client.post("/api/v1/targets", json={"name": name, "luns": luns})
    assert response.status_code == 201, response.text
    return str(response.json()["name"])


def session(nas: Nas, target: str) -> Initiator:
    return Initiator(nas.hosts[0], nas.port, target=target)


def test_several_luns_of_different_kinds(nas: Nas) -> None:
    target = make(
        nas,
        "kinds",
        {
            "lun": 300,
            "size_bytes": 1 << 20,
            "block_size_bytes": 4096,
            "vendor": "ACME",
            "product": "BIG",
            "serial": "S1",
        },
        {"lun": 7, "size_bytes": 1 << 20, "read_only": True},
    )
    with session(nas, target) as initiator:
        luns = initiator.command(bytes.fromhex("A0 00 00 000000 00000100 00 00"), data_in=256).data
        assert luns[:24] == bytes.fromhex("00000010 00000000 0007000000000000 412C000000000000")
        big = 0x412C
        inquiry = initiator.command(bytes.fromhex("12 00 00 00 24 00"), lun=big, data_in=36).data
        assert inquiry[8:32] == b"ACME    BIG             "
        assert initiator.command(bytes.fromhex("12 01 80 00 24 00"), lun=big, data_in=36).data[:6] == b"\0\x80\0\x02S1"
        capacity = initiator.command(bytes.fromhex("25") + bytes(9), lun=big, data_in=8).data
        assert struct.unpack(">II", capacity) == (255, 4096)
        refused = initiator.command(bytes.fromhex("2A 00 00000000 00 0001 00"), lun=7, data_out=bytes(512))
        assert refused.sense_key == (7, 0x27, 0)
        assert initiator.command(bytes.fromhex("28 00 00000000 00 0001 00"), lun=7, data_in=512).data == bytes(512)


@pytest.mark.peer
def test_initiators_find_every_lun(start_nas: StartNas) -> None:
    nas = start_nas()  # of its own: iscsi-ls wants every disk of the NAS to be ready
    target = make(nas, "found", {"lun": 2, "size_bytes": 1 << 20}, {"lun": 5, "size_bytes": 2 << 20})
    found = output_of("iscsi-ls", "--show-luns", f"iscsi://{nas.hosts[0]}:{nas.port}")
    mine = found.partition(target)[2].partition("Target:")[0]
    assert [line.split()[0] for line in mine.splitlines() if line.strip().startswith("Lun")] == ["Lun:2", "Lun:5"]


def test_saved_mode_pages_survive_the_death_of_every_process(start_nas: StartNas) -> None:
    nas = start_nas()
    target = make(nas, "modes", {"size_bytes": 1 << 20})
    with session(nas, target) as initiator:
        assert initiator.command(bytes.fromhex("15 11 00 00 18 00"), data_out=WRITE_THROUGH).status == 0
    nas.destroy()
    nas.start()
    with session(nas, target) as initiator:
        page = initiator.command(bytes.fromhex("1A 08 08 00 FF 00"), data_in=255).data
        assert page[6] == 0, "WCE"


def test_an_atomic_write_is_whole_after_sigkill(start_nas: StartNas) -> None:
    nas = start_nas()
    target = make(nas, "atomic", {"size_bytes": 8 << 20})
    cdb = struct.pack(">BBQHHBB", 0x9C, 0, 0, 0, ATOMIC_BLOCKS, 0, 0)
    confirmed = 0
    for round_number in range(3):
        first = 1 + round_number * 8
        with session(nas, target) as initiator:
            try:
                for fill in range(first, first + 8):
                    if fill == first + 1 + round_number:
                        nas.kill("data")
                    assert initiator.command(cdb, data_out=bytes([fill]) * (ATOMIC_BLOCKS * 512)).status == 0
                    confirmed = fill
            except (InitiatorError, OSError):
                pass
        found = whole(nas, target)
        assert found in (confirmed, confirmed + 1), "all of what was confirmed, or all of the one after it"
        confirmed = found


def whole(nas: Nas, target: str) -> int:
    """The one byte that the whole range is filled with, once the NAS is back."""
    end = time.monotonic() + 15
    while True:
        try:
            with session(nas, target) as initiator:
                data = initiator.read(0, ATOMIC_BLOCKS)
                break
        except (InitiatorError, OSError):
            assert time.monotonic() < end, "the data process is not back"
            time.sleep(0.1)
    assert len(set(data)) == 1
    return data[0]
