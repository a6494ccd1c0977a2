"""Two targets of one NAS, an initiator that is logged in to both, and the parameter lists of third-party copies."""

import struct

from lunaport.blockdev.device import BlockDevice
from lunaport.blockdev.memory import MemoryDevice
from lunaport.scsi.copy_domain import CopyDomain
from lunaport.scsi.inquiry import naa_designator
from lunaport.scsi.logical_unit import LogicalUnit
from lunaport.scsi.nexus import Nexus
from lunaport.scsi.target import ScsiTarget

from .support import SIZE, FakeBackground, FakeTask

UUIDS = ("00112233445546678899aabbccddeeff", "ffeeddccbbaa49988776655443322110")
HOST = "iqn.2026-01.example:host 192.0.2.1"


class Clock:
    """Time that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Pair:
    """`units[0]` and `units[1]` are LUN 0 of two targets; `nexuses` belong to one host, `stranger` to another."""

    def __init__(
        self, *, devices: tuple[BlockDevice, BlockDevice] | None = None, block_sizes: tuple[int, int] = (512, 512)
    ) -> None:
        self.clock = Clock()
        self.secrets = 0
        self.domain = CopyDomain(self.clock, self.random_bytes)
        self.devices = devices or (MemoryDevice(SIZE), MemoryDevice(SIZE))
        self.backgrounds = (FakeBackground(), FakeBackground())
        self.units = tuple(
            LogicalUnit(device, background, uuid=uuid, serial=uuid, block_size_bytes=size)
            for device, background, uuid, size in zip(self.devices, self.backgrounds, UUIDS, block_sizes, strict=True)
        )
        self.targets = tuple(
            ScsiTarget({0: unit}, name=f"iqn.2026-01.example:{number}", domain=self.domain)
            for number, unit in enumerate(self.units)
        )
        self.nexuses = tuple(
            target.attach("iqn.2026-01.example:host,i,0x000000000001", identity=HOST) for target in self.targets
        )
        self.stranger = self.targets[0].attach(
            "iqn.2026-01.example:other,i,0x000000000001", identity="iqn.2026-01.example:other 192.0.2.2"
        )

    def random_bytes(self, length: int) -> bytes:
        self.secrets += 1
        return self.secrets.to_bytes(length, "big")

    def start(self, cdb: bytes, data_out: bytes = b"", *, which: int = 0, nexus: Nexus | None = None) -> FakeTask:
        task = FakeTask(cdb, expected_length=len(data_out) or 65536, data_out=data_out)
        (nexus or self.nexuses[which]).execute(task)
        while task.waits_for_data:
            task.deliver()
        return task

    def drain(self) -> None:
        while any(background.queue for background in self.backgrounds):
            for background in self.backgrounds:
                background.drain()
        assert [background.held for background in self.backgrounds] == [0, 0]

    def run(self, cdb: bytes, data_out: bytes = b"", *, which: int = 0, nexus: Nexus | None = None) -> FakeTask:
        task = self.start(cdb, data_out, which=which, nexus=nexus)
        self.drain()
        assert task.finishes == 1
        return task

    def content(self, which: int, offset: int, length: int) -> bytes:
        data = bytearray(length)
        self.devices[which].read(offset, [memoryview(data)])
        return bytes(data)

    def fill(self, which: int, offset: int, data: bytes) -> None:
        self.devices[which].write(offset, [memoryview(data)])


def target_descriptor(which: int, *, block_size: int = 512, naa: bytes | None = None) -> bytes:
    designator = naa_designator(UUIDS[which]) if naa is None else naa
    return struct.pack(
        ">BBHBBxB20sI",
        0xE4,  # identification descriptor
        0x00,  # block device
        0,
        0x01,  # binary
        0x03,  # NAA, of the logical unit
        len(designator),
        designator,
        block_size,
    )


def segment(source: int, destination: int, blocks: int, source_lba: int, lba: int, *, flags: int = 0) -> bytes:
    return struct.pack(">BBHHHxxHQQ", 0x02, flags, 24, source, destination, blocks, source_lba, lba)


def list_1(targets: list[bytes], segments: list[bytes], *, list_id: int = 1, usage: int = 0) -> bytes:
    t, s = b"".join(targets), b"".join(segments)
    return struct.pack(">BBH4xII", list_id, usage << 3, len(t), len(s), 0) + t + s


def list_4(targets: list[bytes], segments: list[bytes], *, list_id: int = 1, immediate: bool = False) -> bytes:
    t, s = b"".join(targets), b"".join(segments)
    header = struct.pack(">BBH11xBB3xI18xHHH", 0x01, 0, 0x20, immediate, 0xFF, list_id, len(t), len(s), 0)
    return header + t + s


def extended_copy(parameters: bytes, service_action: int = 0) -> bytes:
    return bytes((0x83, service_action)) + bytes(8) + len(parameters).to_bytes(4, "big") + bytes(2)


def token_command(service_action: int, list_id: int, parameters: bytes) -> bytes:
    return (
        bytes((0x83, service_action))
        + bytes(4)
        + list_id.to_bytes(4, "big")
        + len(parameters).to_bytes(4, "big")
        + bytes(2)
    )


def results(service_action: int, list_id: int = 1, *, allocation: int = 4096) -> bytes:
    identifier = bytes((list_id,)).ljust(8, b"\0") if service_action < 5 else list_id.to_bytes(4, "big") + bytes(4)
    return bytes((0x84, service_action)) + identifier + allocation.to_bytes(4, "big") + bytes(2)


def abort(list_id: int) -> bytes:
    return bytes((0x83, 0x1C)) + list_id.to_bytes(4, "big") + bytes(10)


def ranges(*each: tuple[int, int]) -> bytes:
    return b"".join(lba.to_bytes(8, "big") + blocks.to_bytes(4, "big") + bytes(4) for lba, blocks in each)


def populate_list(*each: tuple[int, int], flags: int = 0, timeout_s: int = 0, rod_type: int = 0) -> bytes:
    body = ranges(*each)
    return struct.pack(">HBxII2xH", 14 + len(body), flags, timeout_s, rod_type, len(body)) + body


def write_list(token: bytes, *each: tuple[int, int], offset: int = 0, flags: int = 0) -> bytes:
    body = ranges(*each)
    return struct.pack(">HB5xQ512s6xH", 534 + len(body), flags, offset, token, len(body)) + body
