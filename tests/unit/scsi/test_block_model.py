"""Reads, writes, UNMAP and WRITE SAME against a bytearray, over a device that answers at once, partly, or later.

The invariant: what the initiator reads is what it was told is written, and every command ends once.
"""

from collections.abc import Sequence

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from lunaport.blockdev.device import Buffer
from lunaport.blockdev.filters import Filter
from lunaport.scsi.enums import Status

from .support import BLOCKS, SIZE, Bench

lbas = st.integers(0, 64)
counts = st.integers(0, 40)


class ShyDevice(Filter):
    """Moves only the first `now_bytes` of a request at once."""

    now_bytes = 1 << 20

    def read_now(self, offset: int, buffers: Sequence[Buffer]) -> int:
        first = buffers[0][: self.now_bytes] if buffers else memoryview(b"")
        return super().read_now(offset, [first] if self.now_bytes < len(first) else buffers) if first else 0

    def write_now(self, offset: int, buffers: Sequence[Buffer]) -> int:
        return super().write_now(offset, [buffers[0][: self.now_bytes]])


class BlockModel(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench()
        self.shy = ShyDevice(self.bench.memory)
        self.bench.unit.device = self.shy
        self.model = bytearray(SIZE)

    @rule(now_bytes=st.sampled_from([0, 1, 512, 700, 4096, 1 << 20]))
    def change_mood(self, now_bytes: int) -> None:
        self.shy.now_bytes = now_bytes

    @rule(
        lba=lbas,
        count=counts,
        fill=st.integers(0, 255),
        form=st.sampled_from(["2A", "AA", "8A"]),
        flags=st.sampled_from(["00", "08", "10"]),
        immediate=st.sampled_from([None, 0, 100, 512, 8192]),
        piece=st.sampled_from([300, 512, 1000, 8192]),
    )
    def write(self, lba: int, count: int, fill: int, form: str, flags: str, immediate: int | None, piece: int) -> None:
        data = bytes((fill + index) & 0xFF for index in range(count)) * 512
        task = self.bench.run(block_cdb(form, flags, lba, count), data_out=data, immediate=immediate, piece=piece)
        assert task.status == Status.GOOD
        self.model[lba * 512 : lba * 512 + len(data)] = data

    @rule(lba=lbas, count=counts, sent=st.integers(0, 20000), fill=st.integers(1, 255))
    def write_too_little(self, lba: int, count: int, sent: int, fill: int) -> None:
        data = bytes([fill]) * min(sent, count * 512)
        task = self.bench.run(block_cdb("2A", "00", lba, count), data_out=data, immediate=0, piece=1000)
        assert task.status == Status.GOOD
        whole = len(data) // 512 * 512
        self.model[lba * 512 : lba * 512 + whole] = data[:whole]

    @rule(lba=lbas, count=st.integers(1, 255), form=st.sampled_from(["08", "28", "A8", "88"]), fua=st.booleans())
    def read(self, lba: int, count: int, form: str, *, fua: bool) -> None:
        flags = "08" if fua and form != "08" else "00"
        task = self.bench.run(block_cdb(form, flags, lba, count), expected_length=count * 512)
        assert task.status == Status.GOOD
        assert task.data == self.model[lba * 512 : (lba + count) * 512]

    @rule(lba=lbas, count=counts, expected=st.integers(0, 9000))
    def read_less_than_asked(self, lba: int, count: int, expected: int) -> None:
        task = self.bench.run(block_cdb("28", "00", lba, count), expected_length=expected)
        assert task.data == self.model[lba * 512 : lba * 512 + min(expected, count * 512)]

    @rule(ranges=st.lists(st.tuples(lbas, counts), max_size=4))
    def unmap(self, ranges: list[tuple[int, int]]) -> None:
        descriptors = b"".join(lba.to_bytes(8) + count.to_bytes(4) + bytes(4) for lba, count in ranges)
        parameters = (len(descriptors) + 6).to_bytes(2) + len(descriptors).to_bytes(2) + bytes(4) + descriptors
        cdb = bytes.fromhex("42 00 00 00 00 00 00") + len(parameters).to_bytes(2) + b"\0"
        assert self.bench.run(cdb, data_out=parameters, immediate=0).status == Status.GOOD
        for lba, count in ranges:
            self.model[lba * 512 : (lba + count) * 512] = bytes(count * 512)

    @rule(
        lba=lbas,
        count=st.integers(1, 40),
        fill=st.sampled_from([0, 0, 7]),
        form=st.sampled_from(["41", "93"]),
        flags=st.sampled_from(["00", "08"]),
    )
    def write_same(self, lba: int, count: int, fill: int, form: str, flags: str) -> None:
        block = bytes([fill]) * 512
        assert self.bench.run(block_cdb(form, flags, lba, count), data_out=block).status == Status.GOOD
        self.model[lba * 512 : (lba + count) * 512] = block * count

    @rule(lba=lbas, count=st.integers(1, 40), flags=st.sampled_from(["01", "09"]))
    def write_same_no_data(self, lba: int, count: int, flags: str) -> None:
        assert self.bench.run(block_cdb("93", flags, lba, count), expected_length=0).status == Status.GOOD
        self.model[lba * 512 : (lba + count) * 512] = bytes(count * 512)

    @rule(
        lba=lbas,
        count=st.integers(1, 40),
        damage=st.none() | st.integers(0, 1 << 20),
        piece=st.sampled_from([500, 8192]),
    )
    def verify(self, lba: int, count: int, damage: int | None, piece: int) -> None:
        data = bytearray(self.model[lba * 512 : (lba + count) * 512])
        if damage is not None:
            data[damage % len(data)] ^= 0x80
        task = self.bench.run(block_cdb("2F", "02", lba, count), data_out=bytes(data), immediate=0, piece=piece)
        if damage is None:
            assert task.status == Status.GOOD
        else:
            assert (task.sense_key, task.sense_code) == (0xE, 0x1D00)
            assert int.from_bytes(task.sense[3:7]) == lba + damage % len(data) // 512

    @rule(
        lba=lbas,
        count=st.integers(1, 40),
        fill=st.integers(0, 255),
        damage=st.none() | st.integers(0, 1 << 20),
        immediate=st.sampled_from([None, 0, 700]),
    )
    def compare_and_write(self, lba: int, count: int, fill: int, damage: int | None, immediate: int | None) -> None:
        expected = bytearray(self.model[lba * 512 : (lba + count) * 512])
        data = bytes([fill]) * len(expected)
        if damage is not None:
            expected[damage % len(expected)] ^= 1
        cdb = b"\x89\0" + lba.to_bytes(8) + bytes(3) + count.to_bytes(1) + bytes(2)
        task = self.bench.run(cdb, data_out=bytes(expected) + data, immediate=immediate)
        if damage is None:
            assert task.status == Status.GOOD
            self.model[lba * 512 : (lba + count) * 512] = data
        else:
            assert (task.sense_key, task.sense_code) == (0xE, 0x1D00)
            assert int.from_bytes(task.sense[3:7]) == damage % len(expected)

    @rule(
        lba=lbas,
        count=counts,
        fill=st.integers(0, 255),
        piece=st.sampled_from([300, 8192]),
        flags=st.sampled_from(["00", "08"]),
    )
    def orwrite(self, lba: int, count: int, fill: int, piece: int, flags: str) -> None:
        data = bytes([fill]) * (count * 512)
        task = self.bench.run(block_cdb("8B", flags, lba, count), data_out=data, immediate=0, piece=piece)
        assert task.status == Status.GOOD
        for index in range(len(data)):
            self.model[lba * 512 + index] |= fill

    @rule(lba=lbas, count=counts, fill=st.integers(0, 255), immediate=st.sampled_from([None, 0, 700]))
    def write_atomic(self, lba: int, count: int, fill: int, immediate: int | None) -> None:
        data = bytes([fill]) * (count * 512)
        cdb = b"\x9c\0" + lba.to_bytes(8) + bytes(2) + count.to_bytes(2) + bytes(2)
        assert self.bench.run(cdb, data_out=data, immediate=immediate).status == Status.GOOD
        self.model[lba * 512 : lba * 512 + len(data)] = data

    @rule(
        lba=lbas,
        count=counts,
        fill=st.integers(0, 255),
        form=st.sampled_from(["2E", "AE", "8E"]),
        flags=st.sampled_from(["00", "02"]),
        piece=st.sampled_from([300, 8192]),
    )
    def write_and_verify(self, lba: int, count: int, fill: int, form: str, flags: str, piece: int) -> None:
        data = bytes([fill]) * (count * 512)
        task = self.bench.run(block_cdb(form, flags, lba, count), data_out=data, immediate=0, piece=piece)
        assert task.status == Status.GOOD
        self.model[lba * 512 : lba * 512 + len(data)] = data

    @rule(lba=lbas, count=counts, form=st.sampled_from(["34", "90"]), flags=st.sampled_from(["00", "02"]))
    def pre_fetch(self, lba: int, count: int, form: str, flags: str) -> None:
        assert self.bench.run(block_cdb(form, flags, lba, count)).status == Status.CONDITION_MET

    @rule(form=st.sampled_from(["28", "2A", "2E", "2F", "34", "41", "35", "8B"]), over=st.integers(1, 50))
    def outside(self, form: str, over: int) -> None:
        task = self.bench.run(block_cdb(form, "00", BLOCKS - 10, 10 + over), data_out=bytes(60 * 512))
        assert task.sense_code == 0x2100

    @invariant()
    def same_bytes(self) -> None:
        view = memoryview(bytearray(65536))
        self.bench.memory.read(0, [view])
        assert view == self.model[:65536]


def block_cdb(form: str, flags: str, lba: int, count: int) -> bytes:
    """A CDB with a block address and a number of blocks, by operation code."""
    head = bytes.fromhex(form + flags)
    match head[0] >> 5:
        case 0:
            return head[:1] + lba.to_bytes(3) + count.to_bytes(1) + b"\0"
        case 4:
            return head + lba.to_bytes(8) + count.to_bytes(4) + b"\0\0"
        case 5:
            return head + lba.to_bytes(4) + count.to_bytes(4) + b"\0\0"
        case _:
            return head + lba.to_bytes(4) + b"\0" + count.to_bytes(2) + b"\0"


TestBlockModel = BlockModel.TestCase
TestBlockModel.settings = settings(
    max_examples=40, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
