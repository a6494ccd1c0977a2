"""Commands that are executed later: their data-out is kept, and what ends them ends them then too."""

from dataclasses import replace

import pytest

from lunaport.iscsi import pdu
from lunaport.iscsi.task import Task
from tests.unit.iscsi.full_feature import FINAL, PARAMETERS, Disk, Peer, data_out

UNSOLICITED = 0xFFFFFFFF
WRITTEN = bytes(range(256)) * 48  # 24 blocks, more than the first burst


class Later(Disk):
    """Defers every command until it is told to go on."""

    def __init__(self) -> None:
        super().__init__()
        self.deferred: list[Task] = []
        self.ready: list[Task] = []
        self.refused = 0

    def execute(self, task: Task) -> None:
        self.deferred.append(task)
        if not task.defer(self.take):
            self.refused += 1
            task.finish(0x28)

    def take(self, task: Task) -> None:
        if task.aborted:
            self.deferred.remove(task)
            task.finish(0x40)
        else:
            self.ready.append(task)

    def go_on(self) -> None:
        for task in self.ready:
            task.resume(super().execute)
        self.ready.clear()


def deferred(immediate: int, *, final: bool) -> tuple[Peer, Later]:
    disk = Later()
    peer = Peer(disk=disk)
    peer.send(peer.write(2, 24, WRITTEN[:immediate], final=final))
    assert peer.received() == []
    return peer, disk


def complete(peer: Peer, disk: Later) -> None:
    """Answer R2Ts until the status is there."""
    while True:
        [(header, data)] = peer.received()
        if header[0] == 0x21:
            break
        asked = pdu.parse_r2t(header)
        end = asked.offset + asked.length
        peer.send(data_out(1, asked.target_transfer_tag, 0, asked.offset, WRITTEN[asked.offset : end], final=True))
    answer = pdu.parse_scsi_response(header, data)
    assert (answer.status, answer.flags & 0x06) == (0, 0)
    assert disk.data[1024 : 1024 + len(WRITTEN)] == WRITTEN
    assert (peer.lent, peer.connection.deferred, peer.connection.tasks) == (0, {}, {})


@pytest.mark.parametrize("immediate", [0, 512, 8192])
def test_what_came_with_the_command_is_kept(immediate: int) -> None:
    peer, disk = deferred(immediate, final=True)
    assert peer.lent == immediate
    disk.go_on()
    complete(peer, disk)


@pytest.mark.parametrize("immediate", [0, 512])
@pytest.mark.parametrize("burst", [4096, 8192])
def test_what_comes_unasked_is_kept_too(immediate: int, burst: int) -> None:
    peer, disk = deferred(immediate, final=False)
    assert (peer.lent, disk.ready) == (8192, [])
    middle = (immediate + burst) // 2
    peer.send(data_out(1, UNSOLICITED, 0, immediate, WRITTEN[immediate:middle], final=False))
    peer.send(data_out(1, UNSOLICITED, 1, middle, WRITTEN[middle:burst], final=True))
    if burst < 8192:  # the rest of the first burst is asked for, that all of it is here
        [(header, _)] = peer.received()
        asked = pdu.parse_r2t(header)
        assert (asked.offset, asked.length) == (burst, 8192 - burst)
        peer.send(data_out(1, asked.target_transfer_tag, 0, burst, WRITTEN[burst:8192], final=True))
    disk.go_on()
    complete(peer, disk)


@pytest.mark.parametrize("final", [True, False])
def test_an_abort_ends_it_at_once(final: bool) -> None:
    peer, disk = deferred(512, final=final)
    request = pdu.TaskManagementRequest(
        immediate=True, function=1, initiator_task_tag=9, referenced_task_tag=1, cmd_sn=2, ref_cmd_sn=1, exp_stat_sn=0
    )
    peer.send(request.serialize())
    [(header, _)] = peer.received()
    assert pdu.parse_task_management_response(header).response == 0
    assert (peer.lent, peer.connection.deferred, peer.connection.tasks, disk.deferred) == (0, {}, {}, [])


def test_data_that_breaks_the_order_ends_it() -> None:
    peer, disk = deferred(512, final=False)
    peer.send(data_out(1, UNSOLICITED, 3, 512, WRITTEN[512:1024], final=True))
    [(header, data)] = peer.received()
    assert pdu.parse_scsi_response(header, data).status == 2
    assert (peer.lent, peer.connection.deferred, disk.ready) == (0, {}, [])


def test_without_room_it_is_refused_and_its_data_dropped() -> None:
    disk = Later()
    peer = Peer(replace(PARAMETERS), disk=disk)
    peer.keep = lambda connection, size_bytes: False  # type: ignore[method-assign]  # a shell without memory
    peer.send(peer.write(2, 24, WRITTEN[:512], final=False))
    assert (disk.refused, peer.received()) == (1, [])
    peer.send(data_out(1, UNSOLICITED, 0, 512, WRITTEN[512:8192], final=True))
    [(header, data)] = peer.received()
    assert pdu.parse_scsi_response(header, data).status == 0x28
    peer.send(peer.command(bytes(6), flags=FINAL, tag=2))
    assert disk.ready[0].initiator_task_tag == 2  # without data there is nothing to keep
