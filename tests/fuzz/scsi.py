"""CDBs and parameter lists: `Nexus.execute` on a small thin disk, two nexuses, work in the background."""

from lunaport.scsi.commands import COMMANDS
from lunaport.scsi.copy_domain import ZEROS_TOKEN
from lunaport.scsi.enums import Opcode, Status, TaskAttribute
from lunaport.scsi.limits import REGISTRATIONS_MAX, TRANSFER_BYTES_MAX, WAITING_BYTES_MAX
from lunaport.scsi.mode_pages import Modes, pages_of
from lunaport.scsi.reservation_store import serialize_reservations
from lunaport.scsi.transport_id import serialize_transport_id
from tests.fuzz.source import Source
from tests.unit.scsi.copying import list_1, list_4, populate_list, segment, target_descriptor, write_list
from tests.unit.scsi.persistent import MemoryStore, powered_on
from tests.unit.scsi.support import BLOCKS, Bench, FakeTask

COMMANDS_MAX = 24
KNOWN = sorted((row.opcode, row.service_action or 0) for row in COMMANDS.rows)
STATUSES = frozenset(Status)
ADDRESSES = (0, 1, 8, BLOCKS - 8, BLOCKS - 1, BLOCKS, 0xFFFFFFFF)
PAGES = tuple(pages_of(Modes()).values())
LENGTHS = (0, 1, 8, 255, 2048, 0xFFFF)
TRANSPORT_IDS = tuple(
    serialize_transport_id(f"iqn.2026-01.example:{name}")
    for name in ("host,i,0x000000000001", "other,i,0x000000000002", "other", "third,i,0x000000000003", "x" * 200)
)
ATTRIBUTES = (TaskAttribute.SIMPLE, TaskAttribute.ORDERED, TaskAttribute.HEAD_OF_QUEUE, TaskAttribute.ACA)
LUNS = (0, 0, 0, 0, 0, 0, 1 << 48, 0xC101 << 48, 1 << 63)


def cdb_of(source: Source, parameters_length: int) -> bytes:
    """A CDB: of a command that exists with plausible fields and a few wrong bits, or just bytes."""
    kind = source.number()
    if kind & 3 == 3:
        return source.take(16).ljust(16, b"\0")
    cdb = bytearray(16)
    cdb[0], cdb[1] = source.pick(KNOWN)
    address, length = source.pick(ADDRESSES), source.pick(LENGTHS)
    if cdb[0] < 0x20:
        cdb[2:6] = source.take(4).ljust(4, b"\0")
    elif cdb[0] < 0x60:
        cdb[2:6] = address.to_bytes(4, "big")
        cdb[7:9] = length.to_bytes(2, "big")
    elif cdb[0] == Opcode.THIRD_PARTY_COPY_OUT:
        cdb[10:14] = parameters_length.to_bytes(4, "big")
    elif cdb[0] < 0xA0:
        cdb[2:10] = address.to_bytes(8, "big")
        cdb[10:14] = length.to_bytes(4, "big")
    else:
        cdb[2:6] = address.to_bytes(4, "big")
        cdb[6:10] = length.to_bytes(4, "big")
    for _ in range(kind >> 2 & 3):
        cdb[source.number() % 16] ^= source.number()
    return bytes(cdb)


def parameters_of(source: Source) -> bytes:
    kind = source.number()
    if kind & 3 == 0:
        return b""
    if kind & 3 == 1:
        return copy_list_of(source) if kind & 4 else source.take(source.number())
    if kind & 3 == 2:
        # As UNMAP has it: lengths that fit, and descriptors.
        count = source.number() % 5
        descriptors = b"".join(
            source.pick(ADDRESSES).to_bytes(8, "big") + source.pick(LENGTHS).to_bytes(4, "big") + bytes(4)
            for _ in range(count)
        )
        return (6 + 16 * count).to_bytes(2, "big") + (16 * count).to_bytes(2, "big") + bytes(4) + descriptors
    if kind & 4:
        # As MODE SELECT has it: headers of either length, and pages with a few bits of their own.
        page = bytearray(source.pick(PAGES))
        page[source.number() % len(page)] ^= source.number()
        return bytes(source.pick((4, 8))) + bytes(page)
    return bytes([source.number()]) * (512 * (1 + source.number() % 16))


def reserve_out_of(source: Source, cdb: bytes) -> tuple[bytes, bytes]:
    """PERSISTENT RESERVE OUT as it could be: the length is right, keys are small and meet again, ports are known."""
    data = reserve_out_list_of(source)
    return cdb[:2] + bytes((source.number() & 0x0F, 0, 0)) + len(data).to_bytes(4, "big") + bytes(7), data


def reserve_out_list_of(source: Source) -> bytes:
    """Either parameter list: the one of REGISTER AND MOVE or the one of all others."""
    kind = source.number()
    keys = (kind & 3).to_bytes(8, "big") + (kind >> 2 & 3).to_bytes(8, "big")
    transport_ids = b"".join(source.pick(TRANSPORT_IDS) for _ in range(kind >> 4 & 3))
    if kind & 0x80:
        moved = transport_ids or TRANSPORT_IDS[0]
        return keys + bytes((0, source.number() & 3)) + b"\0\1" + len(moved).to_bytes(4, "big") + moved
    flags = source.number() & 0x0D
    tail = len(transport_ids).to_bytes(4, "big") + transport_ids if flags & 8 else b""
    return keys + bytes(4) + bytes((flags, 0, 0, 0)) + tail


def copy_list_of(source: Source) -> bytes:
    """As EXTENDED COPY and the token commands have it, with a few wrong bytes."""
    lba, length = source.pick(ADDRESSES), source.pick(LENGTHS)
    segments = [segment(0, 0, length & 0xFFFF, lba, source.pick(ADDRESSES))] * (source.number() % 3)
    made = source.pick(
        (
            list_1([target_descriptor(0)], segments),
            list_4([target_descriptor(0)], segments, immediate=True),
            populate_list((lba, length)),
            write_list(ZEROS_TOKEN, (lba, length), flags=source.number() & 3),
        )
    )
    wrong = bytearray(made)
    for _ in range(source.number() & 3):
        wrong[source.number() % len(wrong)] ^= source.number()
    return bytes(wrong)


def run(data: bytes) -> None:
    """Any command ends exactly once with a status that exists, sense where it failed, and bounded data."""
    source = Source(data)
    bench = powered_on(MemoryStore(), removable=source.flag(), read_only=source.number() & 7 == 7)
    tasks: list[FakeTask] = []
    for _ in range(COMMANDS_MAX):
        if not source:
            break
        choices = source.number()
        data_out = parameters_of(source)
        cdb = cdb_of(source, len(data_out))
        if cdb[0] == Opcode.PERSISTENT_RESERVE_OUT and choices & 32:
            cdb, data_out = reserve_out_of(source, cdb)
        task = bench.start(
            cdb,
            nexus=bench.other if choices & 1 else None,
            lun=source.pick(LUNS),
            expected_length=source.pick((0, 1, 36, 512, 4096, 65536)),
            data_out=data_out,
            immediate=len(data_out) if choices & 2 else source.number(),
            piece=512 if choices & 4 else 8192,
            attribute=ATTRIBUTES[choices >> 6],
        )
        tasks.append(task)
        assert bench.unit.waiting_bytes <= WAITING_BYTES_MAX
        if choices & 8:
            task.abort()
        if choices & 16:
            continue  # left as it is while others come
        finish(task, bench)
    for task in tasks:
        finish(task, bench)
    assert not bench.unit.task_set
    assert not bench.unit.order.engaged
    assert bench.unit.waiting_bytes == 0
    assert len(bench.unit.reservations.now.registrations) <= REGISTRATIONS_MAX
    # What was kept is what a power cycle finds.
    again = powered_on(MemoryStore(serialize_reservations(bench.unit.reservations.now)))
    assert not again.unit.reservations.now.lost
    for task in tasks:
        check(task)


def finish(task: FakeTask, bench: Bench) -> None:
    while task.waits_for_data:
        task.deliver()
    bench.background.drain()


def check(task: FakeTask) -> None:
    assert task.finishes == 1
    assert task.status in STATUSES
    assert len(task.data) <= min(task.expected_length, TRANSFER_BYTES_MAX)
    if task.status == Status.CHECK_CONDITION:
        # In the format that a mode page may have chosen meanwhile.
        assert task.sense[0] & 0x7F in {0x70, 0x72}
        assert len(task.sense) == (18 if task.sense[0] & 0x7F == 0x70 else 8 + task.sense[7])
