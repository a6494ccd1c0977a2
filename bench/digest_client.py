"""A client that reads at random with header and data digests on, and checks each: libiscsi knows no data digest.

The initiator of `lunaport.iscsi` logs in; then answers are taken apart in place, so that the client costs as little as
Python lets it. One connection, which is in order: nothing else is expected on it than answers to READ.
"""

import random
import secrets
import socket
import struct
import time
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from crc32c import crc32c

from lunaport.initiator.cdb import READ_CAPACITY_BYTES, block_bytes_of, read_blocks, read_capacity
from lunaport.iscsi.enums import Opcode
from lunaport.iscsi.initiator import Initiator
from lunaport.iscsi.initiator_events import CommandResult, Event, LoggedIn
from lunaport.iscsi.initiator_options import Options
from lunaport.iscsi.initiator_task import CommandRequest, lun_field

READ_BYTES: Final = 4096
HEADER_BYTES: Final = 48
BUFFER_BYTES: Final = 1 << 20
TEST_UNIT_READY: Final = bytes(6)
UNIT_ATTENTIONS_MAX: Final = 8
"""Of a new session, before its unit is ready."""
COMMAND: Final = struct.Struct(">BBHIQIIII16s")
READ_SIMPLE_FINAL: Final = 0xC1
TAG_AND_STAT_SN: Final = struct.Struct(">16xI4xI")
STATUS_INCLUDED: Final = 0x01
DIGEST: Final = struct.Struct("<I")


@dataclass(slots=True)
class Outcome:
    """What was done, and how long each took."""

    ios: int = 0
    seconds: float = 0.0
    latencies_s: list[float] = field(default_factory=list)


class Client:
    """A logged-in session and its socket."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        target, lun = parts.path.strip("/").split("/")
        self.lun = lun_field(int(lun))
        self.sock = socket.create_connection((parts.hostname or "", parts.port or 3260))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.initiator = Initiator(
            Options(
                initiator_name="iqn.2026-11.test.lunaport:digests",
                target_name=target,
                isid=b"\x80" + secrets.token_bytes(5),
                header_digest=True,
                data_digest=True,
            ),
            secrets.token_bytes,
        )
        self.initiator.start()
        if not isinstance(self._await_event(), LoggedIn):
            raise RuntimeError("the target refuses the login")
        if not (self.initiator.parameters.header_digest and self.initiator.parameters.data_digest):
            raise RuntimeError("the target does not agree on both digests")
        for _ in range(UNIT_ATTENTIONS_MAX):
            if not self._command(TEST_UNIT_READY).status:
                break
        capacity = self._command(read_capacity(), READ_CAPACITY_BYTES).data
        self.blocks_each = READ_BYTES // block_bytes_of(capacity)
        self.places = (int.from_bytes(capacity[:4], "big") + 1) // self.blocks_each

    def _await_event(self) -> Event:
        while True:
            self.sock.sendall(b"".join(chunk for chunk in self.initiator.take_output() if isinstance(chunk, bytes)))
            events = self.initiator.receive(self.sock.recv(BUFFER_BYTES))
            if events:
                return events[0]

    def _command(self, cdb: bytes, read_length: int = 0) -> CommandResult:
        self.initiator.command(CommandRequest(cdb=cdb, lun=self.lun, read_length=read_length))
        event = self._await_event()
        if not isinstance(event, CommandResult):
            raise RuntimeError(f"the target answers {event}")
        return event

    def read_for(self, seconds: float, depth: int) -> Outcome:
        """Keep so many reads under way. Raises RuntimeError for a wrong digest or anything but data and GOOD."""
        buffer = bytearray(BUFFER_BYTES)
        view = memoryview(buffer)
        outcome = Outcome()
        sent_at = [0.0] * depth
        cmd_sn, exp_stat_sn = self.initiator.cmd_sn, self.initiator.exp_stat_sn
        begin = now = time.perf_counter()
        due = list(range(depth))
        head = tail = under_way = 0
        while due or under_way:
            requests = bytearray()
            for tag in due:
                cdb = read_blocks(random.randrange(self.places) * self.blocks_each, self.blocks_each)
                header = COMMAND.pack(
                    Opcode.SCSI_COMMAND, READ_SIMPLE_FINAL, 0, 0, self.lun, tag, READ_BYTES, cmd_sn, exp_stat_sn,
                    cdb.ljust(16, b"\0"),
                )  # fmt: skip
                cmd_sn = cmd_sn + 1 & 0xFFFFFFFF
                requests += header + DIGEST.pack(crc32c(header))
                sent_at[tag] = now
            under_way += len(due)
            due.clear()
            self.sock.sendall(requests)
            got = self.sock.recv_into(view[tail:])
            if not got:
                raise RuntimeError("the target closed the connection")
            tail += got
            now = time.perf_counter()
            while (end := self._pdu_end(buffer, view, head, tail)) > 0:
                tag, stat_sn = TAG_AND_STAT_SN.unpack_from(buffer, head)
                opcode, flags = buffer[head] & 0x3F, buffer[head + 1]
                if opcode == Opcode.SCSI_RESPONSE or flags & STATUS_INCLUDED:
                    if buffer[head + 3]:
                        raise RuntimeError(f"a read ended with status {buffer[head + 3]:02x}h")
                    exp_stat_sn = stat_sn + 1 & 0xFFFFFFFF
                    outcome.latencies_s.append(now - sent_at[tag])
                    under_way -= 1
                    if now - begin < seconds:
                        due.append(tag)
                head = end
            view[: tail - head] = view[head:tail]
            head, tail = 0, tail - head
        outcome.ios, outcome.seconds = len(outcome.latencies_s), now - begin
        return outcome

    @staticmethod
    def _pdu_end(buffer: bytearray, view: memoryview, head: int, tail: int) -> int:
        """Where the PDU at `head` ends, its digests checked; 0 where it is not complete."""
        data = head + HEADER_BYTES + DIGEST.size
        if data > tail:
            return 0
        length = int.from_bytes(view[head + 5 : head + 8], "big")
        end = data + (length + -length % 4 + DIGEST.size if length else 0)
        if end > tail:
            return 0
        if buffer[head] & 0x3F not in (Opcode.DATA_IN, Opcode.SCSI_RESPONSE):
            raise RuntimeError(f"the target sends a PDU with opcode {buffer[head] & 0x3F:02x}h")
        if DIGEST.unpack_from(buffer, head + HEADER_BYTES)[0] != crc32c(view[head : head + HEADER_BYTES]):
            raise RuntimeError("a header digest is wrong")
        if length and DIGEST.unpack_from(buffer, end - DIGEST.size)[0] != crc32c(view[data : end - DIGEST.size]):
            raise RuntimeError("a data digest is wrong")
        return end


def run(url: str, *, depth: int, seconds: float) -> Outcome:
    """Log in, read, hang up."""
    client = Client(url)
    with client.sock:
        return client.read_for(seconds, depth)
