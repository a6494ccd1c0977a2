"""Persistent reservations for tests: a store in memory, and PERSISTENT RESERVE OUT and IN in short."""

import struct
from dataclasses import dataclass

from lunaport.blockdev.device import DeviceError, DeviceFault
from lunaport.scsi.enums import ReservationType, ReserveIn, ReserveOut, Status
from lunaport.scsi.nexus import Nexus
from lunaport.scsi.reservation_book import ReservationBook
from lunaport.scsi.reservation_store import load_reservations

from .support import Bench, FakeTask

A, B = 0xA, 0xB
HOST, OTHER, THIRD = (f"iqn.2026-01.example:{name}" for name in ("host", "other", "third"))
WRITE_EXCLUSIVE = ReservationType.WRITE_EXCLUSIVE
EXCLUSIVE_ACCESS = ReservationType.EXCLUSIVE_ACCESS
WRITE_EXCLUSIVE_RO = ReservationType.WRITE_EXCLUSIVE_REGISTRANTS_ONLY
EXCLUSIVE_ACCESS_RO = ReservationType.EXCLUSIVE_ACCESS_REGISTRANTS_ONLY
WRITE_EXCLUSIVE_AR = ReservationType.WRITE_EXCLUSIVE_ALL_REGISTRANTS
EXCLUSIVE_ACCESS_AR = ReservationType.EXCLUSIVE_ACCESS_ALL_REGISTRANTS
SINGLE = [WRITE_EXCLUSIVE, EXCLUSIVE_ACCESS, WRITE_EXCLUSIVE_RO, EXCLUSIVE_ACCESS_RO]
"""Types with one holder."""
FOR_ALL = [WRITE_EXCLUSIVE_AR, EXCLUSIVE_ACCESS_AR]
"""Types that every registrant holds."""
CONFLICT = Status.RESERVATION_CONFLICT

APTPL, ALL_TG_PT, SPEC_I_PT = 0x01, 0x04, 0x08
PREEMPTED, RELEASED, UNREGISTERED = 0x2A03, 0x2A04, 0x2A05
READ = "28 00 00000000 00 0001 00"
WRITE = "2A 00 00000000 00 0001 00"
TEST_UNIT_READY = "00 00 00 00 00 00"


class MemoryStore:
    """A `ReservationStore` that can be told to fail."""

    def __init__(self, document: bytes | None = None) -> None:
        self.document = document
        self.saves = 0
        self.fails = False

    def load(self) -> bytes | None:
        if self.fails:
            raise DeviceError(DeviceFault.MEDIUM_READ, "told to fail")
        return self.document

    def save(self, document: bytes | None) -> None:
        if self.fails:
            raise DeviceError(DeviceFault.NO_SPACE, "told to fail")
        self.saves += 1
        self.document = document


def powered_on(
    store: MemoryStore, ports: tuple[int, ...] = (1,), *, removable: bool = False, read_only: bool = False
) -> Bench:
    """A target after a power cycle."""
    reservations = ReservationBook(store, load_reservations(store)[0])
    return Bench(reservations=reservations, ports=ports, removable=removable, read_only=read_only)


def reserve_out_cdb(action: int, scope_and_type: int = 0, length: int = 24) -> bytes:
    return struct.pack(">BBBxxIx", 0x5F, action, scope_and_type, length)


def basic_list(key: int, action_key: int = 0, flags: int = 0, additional: bytes = b"") -> bytes:
    return struct.pack(">QQ4xB3x", key, action_key, flags) + additional


def move_list(key: int, action_key: int, transport_id: bytes, flags: int = 0, port: int = 1) -> bytes:
    return struct.pack(">QQxBHI", key, action_key, flags, port, len(transport_id)) + transport_id


def port_id(text: str, *, form: int = 0x45) -> bytes:
    """A TransportID, byte by byte: the port form, or with 05h the one that names the initiator."""
    value = text.encode() + b"\0"
    value += bytes(-len(value) % 4)
    value = value.ljust(20, b"\0")
    return bytes((form, 0)) + len(value).to_bytes(2) + value


def port_list(*transport_ids: bytes) -> bytes:
    """Additional parameter data of SPEC_I_PT."""
    together = b"".join(transport_ids)
    return len(together).to_bytes(4) + together


def reserve_out(
    bench: Bench,
    action: ReserveOut,
    key: int = 0,
    action_key: int = 0,
    kind: int = 0,
    *,
    nexus: Nexus | None = None,
    flags: int = 0,
    additional: bytes = b"",
) -> FakeTask:
    """PERSISTENT RESERVE OUT with the basic parameter list."""
    data = basic_list(key, action_key, flags, additional)
    return bench.run(reserve_out_cdb(action, kind, len(data)), nexus=nexus, data_out=data)


def register(bench: Bench, nexus: Nexus, key: int, *, before: int = 0, flags: int = 0) -> FakeTask:
    return reserve_out(bench, ReserveOut.REGISTER, before, key, nexus=nexus, flags=flags)


def both_registered(kind: ReservationType | None = None, *, keys: tuple[int, int] = (A, B), flags: int = 0) -> Bench:
    """Both nexuses registered, and a reservation of the first."""
    bench = powered_on(MemoryStore())
    for nexus, key in zip((bench.nexus, bench.other), keys, strict=True):
        assert register(bench, nexus, key, flags=flags).status == 0
    if kind is not None:
        assert reserve_out(bench, ReserveOut.RESERVE, keys[0], kind=kind).status == 0
    return bench


def reserve_in(bench: Bench, action: ReserveIn, *, nexus: Nexus | None = None, room: int = 8192) -> FakeTask:
    return bench.run(struct.pack(">BB5xHx", 0x5E, action, room), nexus=nexus)


def keys(bench: Bench) -> list[int]:
    """READ KEYS, without the generation."""
    data = reserve_in(bench, ReserveIn.READ_KEYS).data
    assert int.from_bytes(data[4:8]) == len(data) - 8
    return [int.from_bytes(data[at : at + 8]) for at in range(8, len(data), 8)]


def generation(bench: Bench) -> int:
    return int.from_bytes(reserve_in(bench, ReserveIn.READ_KEYS).data[:4])


def reservation(bench: Bench) -> tuple[int, int] | None:
    """READ RESERVATION: key, scope and type."""
    data = reserve_in(bench, ReserveIn.READ_RESERVATION).data
    if len(data) == 8:
        return None
    assert data[4:8] == bytes((0, 0, 0, 16))
    assert len(data) == 24
    return int.from_bytes(data[8:16]), data[21]


@dataclass(frozen=True, slots=True, kw_only=True)
class FullStatus:
    """A descriptor of READ FULL STATUS."""

    key: int
    holder: bool
    scope_and_type: int
    target_port: int
    transport_id: bytes


def full_status(bench: Bench) -> list[FullStatus]:
    data = reserve_in(bench, ReserveIn.READ_FULL_STATUS).data
    assert int.from_bytes(data[4:8]) == len(data) - 8
    found = []
    at = 8
    while at < len(data):
        key, flags, scope_and_type, port, length = struct.unpack_from(">Q4xBB4xHI", data, at)
        found.append(
            FullStatus(
                key=key,
                holder=bool(flags & 1),
                scope_and_type=scope_and_type,
                target_port=port,
                transport_id=data[at + 24 : at + 24 + length],
            )
        )
        at += 24 + length
    return found


def attentions(bench: Bench, nexus: Nexus) -> list[int]:
    """All unit attentions of a nexus, taken."""
    found = []
    while (sense := nexus.take_attention(bench.unit)) is not None:
        found.append(sense.code)
    return found


def can(bench: Bench, nexus: Nexus) -> str:
    """What a nexus may do: `rw`, `r` or nothing."""
    read = bench.run(READ, nexus=nexus).status == 0
    write = bench.run(WRITE, nexus=nexus, data_out=bytes(512)).status == 0
    assert read or not write
    return "r" * read + "w" * write


def list_field(task: FakeTask) -> tuple[int, int | None]:
    """Byte and bit of the field in error in a parameter list."""
    assert task.sense_code == 0x2600
    assert task.sense[15] & 0xC0 == 0x80
    return int.from_bytes(task.sense[16:18]), task.sense[15] & 7 if task.sense[15] & 8 else None
