"""LUNs that come, change and go while initiators work on the others."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.system.conftest import StartNas
from tests.system.initiator import Initiator
from tests.system.nas import Nas

MIB = 1 << 20
INVENTORY = (6, 0x3F, 0x0E)
READ_ONLY = (7, 0x27, 0)


def make(nas: Nas, name: str) -> tuple[str, str]:
    """A target with LUN 0; its name and its LUNs' path."""
    made = nas.client.post("/api/v1/targets", json={"name": name, "luns": [{"size_bytes": 8 * MIB}]}).json()
    return made["name"], f"/api/v1/targets/{made['id']}/luns"


@contextmanager
def writing(nas: Nas, target: str) -> Iterator[list[int]]:
    """Somebody writes to LUN 0 all the time, and reads back what he wrote; the list grows with each round."""
    rounds: list[int] = []
    stop = threading.Event()

    def work() -> None:
        with Initiator(nas.hosts[0], nas.port, target=target) as initiator:
            number = 0
            while not stop.is_set():
                number += 1
                data = number.to_bytes(4) * 1024
                result = initiator.command(bytes.fromhex("2A 00 00000010 00 0008 00"), data_out=data)
                assert result.status == 0 or result.sense_key == INVENTORY
                if result.status == 0:
                    assert initiator.command(bytes.fromhex("28 00 00000010 00 0008 00"), data_in=4096).data in (
                        data,
                        b"",
                    )
                    rounds.append(number)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield rounds
    finally:
        stop.set()
        thread.join()


def test_luns_change_while_another_is_written_to(nas: Nas) -> None:
    target, luns = make(nas, "live")
    with writing(nas, target) as rounds, Initiator(nas.hosts[0], nas.port, target=target) as initiator:
        for _ in range(3):
            done = len(rounds)
            assert nas.client.post(luns, json={"lun": 300, "size_bytes": MIB}).status_code == 201
            assert initiator.ready().sense_key == INVENTORY
            big = 0x412C
            assert initiator.command(bytes(6), lun=big).sense_key == INVENTORY
            assert (
                initiator.command(bytes.fromhex("2A 00 00000000 00 0001 00"), lun=big, data_out=b"x" * 512).status == 0
            )
            assert nas.client.patch(f"{luns}/300", json={"read_only": True}).status_code == 200
            assert initiator.command(bytes(6), lun=big).sense_key == (6, 0x2A, 1)
            refused = initiator.command(bytes.fromhex("2A 00 00000000 00 0001 00"), lun=big, data_out=b"y" * 512)
            assert refused.sense_key == READ_ONLY
            assert nas.client.patch(f"{luns}/300", json={"read_only": False, "size_bytes": 2 * MIB}).status_code == 200
            assert initiator.command(bytes(6), lun=big).sense_key[0] == 6
            assert initiator.command(bytes(6), lun=big).sense_key[0] == 6
            capacity = initiator.command(b"\x25" + bytes(9), lun=big, data_in=8).data
            assert int.from_bytes(capacity[:4]) == 4095
            assert nas.client.delete(f"{luns}/300").status_code == 204
            assert initiator.command(bytes(6), lun=big).sense_key == (5, 0x25, 0)
            assert initiator.ready().sense_key == INVENTORY
            assert len(rounds) > done, "the other LUN went on"
    assert rounds == sorted(rounds)


def test_changed_luns_survive_the_death_of_every_process(start_nas: StartNas) -> None:
    nas = start_nas()
    target, luns = make(nas, "lasting")
    for number in (1, 2):
        assert nas.client.post(luns, json={"lun": number, "size_bytes": MIB}).status_code == 201
    assert nas.client.patch(f"{luns}/1", json={"read_only": True, "write_cache": False}).status_code == 200
    assert nas.client.delete(f"{luns}/2").status_code == 204
    before = nas.client.get(luns).json()
    trash = nas.trash()
    assert len(trash) == 1
    nas.destroy()
    nas.start()
    assert nas.client.get(luns).json() == before
    assert nas.trash() == trash
    with Initiator(nas.hosts[0], nas.port, target=target) as initiator:
        listed = initiator.command(bytes.fromhex("A0 00 00 000000 00000100 00 00"), data_in=256).data
        assert len(listed) == 24
        refused = initiator.command(bytes.fromhex("2A 00 00000000 00 0001 00"), lun=1, data_out=bytes(512))
        assert refused.sense_key == READ_ONLY
        page = initiator.command(bytes.fromhex("1A 08 08 00 FF 00"), lun=1, data_in=255).data
        assert not page[6] & 4, "WCE"
