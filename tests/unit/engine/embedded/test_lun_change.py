"""LUNs that come, change and go under a nexus, on real files."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest

from lunaport.engine.embedded import disk as disks
from lunaport.engine.embedded.loop import Loop
from lunaport.engine.embedded.targets import Target, TargetTable
from lunaport.engine.interface import EngineError, LunSpec, TargetSpec
from lunaport.scsi.nexus import Nexus
from lunaport.storage.volume import create_file
from tests.unit.scsi.support import FakeTask

SIZE = 1 << 20
NAME = "iqn.2026-11.test:t"
WRITE_10 = "2A 00 00000000 00 0001 00"
INVENTORY = (6, 0x3F0E)
MODES = (6, 0x2A01)


class Stand:
    """A target table on a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.loop = Loop()
        self.table = TargetTable(self.loop, time.time)

    def spec(self, number: int, **change: object) -> LunSpec:
        """A LUN on a file that is there; its uuid has its number, or that of `uuid`."""
        uuid = UUID(int=int(str(change.pop("uuid", number)))).hex
        path = self.folder / uuid
        if not path.exists():
            create_file(str(path), SIZE)
        return replace(LunSpec(lun=number, uuid=uuid, path=str(path), size_bytes=SIZE), **change)  # type: ignore[arg-type]

    def open(self, *luns: LunSpec) -> Nexus:
        """The target with these, and a nexus to it."""
        self.table.open(TargetSpec(name=NAME, luns=luns), partly=False)
        return self.target.scsi.attach("iqn.2026-11.test:i,i,0x1")

    @property
    def target(self) -> Target:
        return self.table.targets[NAME]

    def update(self, *luns: LunSpec, partly: bool = False) -> BaseException | None:
        """Change the LUNs, to the end."""
        ended: list[BaseException | None] = []
        self.table.update(TargetSpec(name=NAME, luns=luns), ended.append, partly=partly)
        self.run_until(lambda: bool(ended))
        return ended[0]

    def run_until(self, condition: Callable[[], bool]) -> None:
        """Turn the loop."""
        end = time.monotonic() + 10

        def look() -> None:
            assert time.monotonic() < end
            if condition():
                self.loop.stop()
            else:
                self.loop.call_later(0.002, look)

        self.loop.running = True
        look()
        self.loop.run()

    def run(self, nexus: Nexus, text: str, lun: int = 0, *, data_in: int = 0, data_out: bytes = b"") -> FakeTask:
        """A command, to its end."""
        task = FakeTask(bytes.fromhex(text), lun=lun << 48, expected_length=data_in, data_out=data_out)
        nexus.execute(task)
        self.run_until(lambda: task.status is not None)
        return task

    def sense(self, nexus: Nexus, lun: int = 0) -> tuple[int, int]:
        """What TEST UNIT READY is told."""
        task = self.run(nexus, "00 00 00 00 00 00", lun)
        return (task.sense_key, task.sense_code) if task.status else (0, 0)


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    made = Stand(tmp_path)
    yield made
    for name in list(made.table.targets):
        ended: list[object] = []
        made.table.close(name, ended.append)
        made.run_until(partial(bool, ended))
    made.loop.close()


def test_a_lun_comes_and_goes(stand: Stand) -> None:
    first, second = stand.spec(0), stand.spec(1)
    nexus = stand.open(first)
    assert stand.update(first, second) is None
    assert stand.sense(nexus) == stand.sense(nexus, 1) == INVENTORY
    assert stand.run(nexus, WRITE_10, 1, data_out=b"x" * 512).status == 0
    assert stand.update(first) is None
    assert stand.sense(nexus) == INVENTORY
    assert stand.sense(nexus, 1) == (5, 0x2500)
    assert Path(second.path).read_bytes()[:512] == b"x" * 512
    assert stand.update(first, second) is None, "its file is free again"


def test_a_number_gets_another_disk(stand: Stand) -> None:
    first, old, new = stand.spec(0), stand.spec(1), stand.spec(1, uuid=7)
    nexus = stand.open(first, old)
    assert stand.run(nexus, WRITE_10, 1, data_out=b"x" * 512).status == 0
    assert stand.update(first, new) is None
    assert stand.sense(nexus, 1) == INVENTORY
    assert stand.run(nexus, "28 00 00000000 00 0001 00", 1, data_in=512).data == bytes(512)


def test_what_cannot_be_opened_changes_nothing(stand: Stand) -> None:
    first, good = stand.spec(0), stand.spec(1)
    nexus = stand.open(first)
    bad = replace(stand.spec(2), path="/nowhere/at/all")
    assert isinstance(stand.update(replace(first, read_only=True), good, bad), EngineError)
    assert list(stand.target.disks) == [0]
    assert stand.sense(nexus) == (0, 0)
    assert stand.update(first, good) is None, "the file of the good one was closed"


def test_at_a_start_what_cannot_be_opened_is_tried_again(stand: Stand) -> None:
    first, late = stand.spec(0), stand.spec(1)
    moved = Path(late.path).rename(late.path + ".away")
    nexus = stand.open(first)
    assert stand.update(first, late, partly=True) is None
    assert list(stand.target.missing) == [1]
    assert isinstance(stand.update(first, replace(late, read_only=True)), EngineError)
    moved.rename(late.path)
    stand.table.open_missing()
    assert not stand.target.missing
    assert stand.sense(nexus, 1) == INVENTORY


def test_a_missing_lun_goes(stand: Stand) -> None:
    first, second = stand.spec(0), stand.spec(1)
    Path(second.path).unlink()
    stand.table.open(TargetSpec(name=NAME, luns=(first, second)), partly=True)
    assert list(stand.target.missing) == [1]
    assert stand.update(first) is None
    assert not stand.target.missing


def test_a_lun_becomes_read_only_and_writable_again(stand: Stand) -> None:
    lun = stand.spec(0)
    nexus = stand.open(lun)
    assert stand.run(nexus, WRITE_10, data_out=b"a" * 512).status == 0
    assert stand.update(replace(lun, read_only=True)) is None
    assert stand.sense(nexus) == MODES
    refused = stand.run(nexus, WRITE_10, data_out=b"b" * 512)
    assert (refused.sense_key, refused.sense_code) == (7, 0x2700)
    assert stand.run(nexus, "1A 08 08 00 FF 00", data_in=255).data[2] & 0x80
    assert stand.update(lun) is None
    assert stand.sense(nexus) == MODES
    assert stand.run(nexus, WRITE_10, data_out=b"c" * 512).status == 0
    assert Path(lun.path).read_bytes()[:512] == b"c" * 512


def test_a_lun_that_was_opened_read_only_becomes_writable(stand: Stand) -> None:
    lun = stand.spec(0, read_only=True)
    nexus = stand.open(lun)
    assert stand.update(replace(lun, read_only=False)) is None
    stand.sense(nexus)
    assert stand.run(nexus, WRITE_10, data_out=b"c" * 512).status == 0
    assert (
        stand.run(
            nexus,
            "42 00 00000000 00 0018 00",
            data_out=bytes.fromhex("0016 0010 00000000") + bytes(8) + bytes.fromhex("00000001 00000000"),
        ).status
        == 0
    )
    assert Path(lun.path).read_bytes()[:512] == bytes(512)


def test_nothing_lands_after_a_lun_became_read_only(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    lun = stand.spec(0)
    nexus = stand.open(lun)
    device = stand.target.disks[0].device
    write = device.write
    order: list[str] = []

    def slow(offset: int, buffers: object) -> None:
        time.sleep(0.1)
        write(offset, buffers)  # type: ignore[arg-type]
        order.append("written")

    monkeypatch.setattr(device, "write_now", lambda offset, buffers: 0)
    monkeypatch.setattr(device, "write", slow)
    task = FakeTask(bytes.fromhex(WRITE_10), data_out=b"x" * 512)
    nexus.execute(task)
    assert stand.update(replace(lun, read_only=True)) is None
    order.append("read-only")
    assert order == ["written", "read-only"]
    assert task.status == 0


def test_a_lun_writes_through_and_back(stand: Stand) -> None:
    lun = stand.spec(0)
    nexus = stand.open(lun)
    for write_cache in (False, True):
        assert stand.update(replace(lun, write_cache=write_cache)) is None
        assert stand.sense(nexus) == MODES
        page = stand.run(nexus, "1A 08 08 00 FF 00", data_in=255).data
        assert bool(page[6] & 4) == write_cache


def test_what_an_initiator_saved_does_not_win_over_the_administrator(stand: Stand) -> None:
    lun = stand.spec(0)
    nexus = stand.open(lun)
    saved = stand.run(nexus, "15 11 00 00 18 00", data_out=bytes.fromhex("00000000 0812 04" + "00" * 17))
    if saved.status:
        pytest.skip("this file system keeps no attributes")
    assert stand.update(replace(lun, write_cache=False)) is None
    ended: list[object] = []
    stand.table.close(NAME, ended.append)
    stand.run_until(partial(bool, ended))
    nexus = stand.open(replace(lun, write_cache=False))
    assert not stand.run(nexus, "1A 08 08 00 FF 00", data_in=255).data[6] & 4


def test_commands_under_way_on_a_lun_that_goes_may_end(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = stand.spec(0), stand.spec(1)
    nexus = stand.open(first, second)
    task = FakeTask(bytes.fromhex(WRITE_10), lun=1 << 48, data_out=b"x" * 512, immediate=0)
    nexus.execute(task)
    stand.loop.call_later(0.05, task.deliver)
    assert stand.update(first) is None
    assert task.status == 0
    assert Path(second.path).read_bytes()[:512] == b"x" * 512


def test_commands_that_do_not_end_are_given_up(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disks, "LEAVE_WITHIN_S", 0.05)
    first, second = stand.spec(0), stand.spec(1)
    nexus = stand.open(first, second)
    task = FakeTask(bytes.fromhex(WRITE_10), lun=1 << 48, data_out=b"x" * 512, immediate=0)
    nexus.execute(task)
    assert stand.update(first) is None
    assert task.aborted
    assert stand.update(first, second) is None, "its file is closed"


def test_a_lun_that_is_erased_does_not_change_its_kind(stand: Stand) -> None:
    lun = stand.spec(0)
    stand.open(lun)
    stand.target.disks[0].unit.erasure = object()  # type: ignore[assignment]
    assert isinstance(stand.update(replace(lun, read_only=True)), EngineError)
    stand.target.disks[0].unit.erasure = None
