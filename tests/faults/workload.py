"""What writes while something fails: every write is remembered, and whether it was confirmed as synchronized.

A block holds its number and its version, repeated, so that reading it tells which write it is, and whether it is whole.
A loose writer synchronizes nothing: for it a write counts as confirmed when it was answered. One writer owns a share:
it writes random blocks one after the other, each followed by SYNCHRONIZE CACHE or with FUA, comes back when it loses
its session, and goes on. Its ISID stays the same, as that of a real initiator does.
"""

import random
import struct
import threading
import time
from dataclasses import dataclass, field

from tests.system.initiator import Initiator
from tests.system.nas import Share
from tests.system.wire import InitiatorError

BLOCK_BYTES = 4096
SECTORS = BLOCK_BYTES // 512
STAMP = struct.Struct(">QQ")
RETRY_S = 0.05


def contents(block: int, version: int) -> bytes:
    """What a block holds after a write."""
    return STAMP.pack(block, version) * (BLOCK_BYTES // STAMP.size)


def version_in(block: int, data: bytes) -> int:
    """The version that a block holds; 0: never written. Raises AssertionError when it is none of ours, or torn."""
    if data == bytes(BLOCK_BYTES):
        return 0
    number, version = STAMP.unpack_from(data)
    assert number == block, f"block {block} holds what was written to block {number}"
    assert data == contents(block, version), f"block {block} is torn: it begins with version {version}"
    return int(version)


@dataclass(slots=True)
class Record:
    """What was asked for and what was confirmed. Versions only grow."""

    issued: dict[int, int] = field(default_factory=dict)
    """Block to the newest version that was sent."""
    confirmed: dict[int, int] = field(default_factory=dict)
    """Block to the newest version that was confirmed as synchronized."""
    count: int = 0
    """Confirmed writes."""
    refused: dict[str, int] = field(default_factory=dict)
    """What was seen instead, and how often."""
    longest_gap_s: float = 0.0
    """The longest time between two confirmed writes."""


class Writer(threading.Thread):
    """Writes to a share until `stop`. Names and secrets of CHAP are not asked for."""

    def __init__(self, share: Share, *, seed: int = 1, name: str = "writer", loose: bool = False) -> None:
        super().__init__(daemon=True)
        self.share = share
        self.loose = loose
        self.random = random.Random(seed)
        self.initiator_name = f"iqn.2026-11.test.lunaport:{name}"
        self.isid = bytes([0x80, *self.random.randbytes(5)])
        self.blocks = share.size_bytes // BLOCK_BYTES
        self.record = Record()
        self.version = 0
        self.enough = threading.Event()
        self.crash: BaseException | None = None
        self.last = 0.0

    def run(self) -> None:
        """Write; whatever happens, come back."""
        self.last = time.monotonic()
        try:
            while not self.enough.is_set():
                try:
                    with self.log_in() as initiator:
                        while not self.enough.is_set():
                            self._write(initiator)
                except (InitiatorError, OSError) as error:
                    self._note(error)
                    self.enough.wait(RETRY_S)
        except BaseException as error:  # it is told to who waits for this thread
            self.crash = error
            raise

    def log_in(self) -> Initiator:
        """A session, to be entered."""
        share = self.share
        return Initiator(share.host, share.port, share.iqn, name=self.initiator_name, isid=self.isid, timeout_s=30)

    def _write(self, initiator: Initiator) -> None:
        block = self.random.randrange(self.blocks)
        self.version += 1
        self.record.issued[block] = self.version
        fua = self.version % 2 == 0 and not self.loose
        initiator.write(block * SECTORS, contents(block, self.version), fua=fua)
        if not fua and not self.loose:
            initiator.synchronize()
        self.record.confirmed[block] = self.version
        self.record.count += 1
        now = time.monotonic()
        self.record.longest_gap_s = max(self.record.longest_gap_s, now - self.last)
        self.last = now

    def _note(self, error: Exception) -> None:
        text = str(error)
        seen = text if text.startswith(("status", "login refused")) else type(error).__name__
        sense = bytes.fromhex(seen.rpartition("sense ")[2]) if "sense " in seen else b""
        if seen.startswith("status") and not sense:
            seen = seen.partition(",")[0]  # BUSY, for one
        if sense:
            key, asc, ascq = sense[2] & 0xF, sense[12], sense[13]
            if sense[0] & 0x7F in (0x72, 0x73):
                key, asc, ascq = sense[1] & 0xF, sense[2], sense[3]
            seen = f"sense {key:X}/{asc:02X}/{ascq:02X}"
        self.record.refused[seen] = self.record.refused.get(seen, 0) + 1

    def wait_for(self, count: int, *, timeout_s: float = 60) -> None:
        """Wait until so many more writes were confirmed."""
        until, end = self.record.count + count, time.monotonic() + timeout_s
        while self.record.count < until:
            assert self.crash is None, self.crash
            assert time.monotonic() < end, f"no {count} writes within {timeout_s} s; refused: {self.record.refused}"
            time.sleep(0.01)

    def wait_for_refusal(self, *, timeout_s: float = 30) -> None:
        """Wait until something else than a confirmation was seen again."""
        before, end = sum(self.record.refused.values()), time.monotonic() + timeout_s
        while sum(self.record.refused.values()) == before:
            assert time.monotonic() < end, f"all writes were confirmed for {timeout_s} s"
            time.sleep(0.01)

    def stop(self) -> None:
        """Write no more."""
        self.enough.set()
        self.join(60)
        assert not self.is_alive(), "the writer hangs"
        assert self.crash is None, self.crash

    def verify(self) -> int:
        """Every confirmed write must be there, or a later one; returns how many blocks were looked at."""
        with self.log_in() as initiator:
            for block, confirmed in self.record.confirmed.items():
                found = version_in(block, initiator.read(block * SECTORS, SECTORS))
                newest = self.record.issued[block]
                assert confirmed <= found <= newest, (
                    f"block {block} holds version {found}; {confirmed} was confirmed, {newest} sent"
                )
        return len(self.record.confirmed)

    def again(self) -> "Writer":
        """A writer that goes on where this one has stopped."""
        writer = Writer(self.share, seed=self.version + 1, loose=self.loose)
        writer.initiator_name, writer.isid = self.initiator_name, self.isid
        writer.record, writer.version = self.record, self.version
        writer.start()
        return writer

    def lost(self) -> int:
        """How many blocks do not hold what was confirmed."""
        with self.log_in() as initiator:
            return sum(
                version_in(block, initiator.read(block * SECTORS, SECTORS)) < confirmed
                for block, confirmed in self.record.confirmed.items()
            )

    def seen(self) -> str:
        """What was seen beside confirmations, for people."""
        return ", ".join(f"{what} {count} times" for what, count in sorted(self.record.refused.items())) or "nothing"
