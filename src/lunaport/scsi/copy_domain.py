"""Who copies between which logical units, and with which tokens (SPC-4 5.17): what all targets of a NAS have in common.

A copy reaches a logical unit as its initiator would itself: through a nexus that this very initiator has to it now. Who
an initiator is the transport says (`Nexus.identity`); an empty identity reaches the units of its own target only.
A token is different: it may be passed on, and who holds one may read what it stands for. So tokens are random and
too long to guess, live for a short time, and end with the data they stand for: a write to it revokes them.

Invariants: what a token stands for does not change while the token is good (ROD type "point in time copy - change
vulnerable"), because `TokenGuard` sees every write below it; tokens are bounded per unit. Everything but the guard's
device calls runs on the event loop.
"""

import struct
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lunaport.blockdev.copying import CopiesFrom
from lunaport.blockdev.device import BlockDevice, Buffer
from lunaport.blockdev.filters import Filter
from lunaport.scsi.inquiry import naa_designator
from lunaport.scsi.limits import TOKENS_PER_UNIT_MAX
from lunaport.scsi.logical_unit import LogicalUnit
from lunaport.scsi.nexus import Nexus

TOKEN_BYTES = 512
ROD_TYPE_CHANGE_VULNERABLE = 0x00800001
ROD_TYPE_ZEROS = 0xFFFF0001
"""The well known token that stands for zeros (SBC-3 4.7)."""
_TOKEN_HEADER = struct.Struct(">IHHQ")
_LENGTH_BEHIND = TOKEN_BYTES - 8
_SECRET_BYTES = 32
_CREATOR = struct.Struct(">BBHBBxB20sBBH")
_IDENTIFICATION, _BINARY, _NAA = 0xE4, 0x1, 0x3
ZEROS_TOKEN = _TOKEN_HEADER.pack(ROD_TYPE_ZEROS, 0, _LENGTH_BEHIND, 0).ljust(TOKEN_BYTES, b"\0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """A logical unit, and the nexus through which it is reached."""

    nexus: Nexus
    unit: LogicalUnit

    def usable(self, *, writing: bool) -> bool:
        """Whether a command of this nexus would be carried out now."""
        return self.nexus.may_use(self.unit, writing=writing)


class Token:
    """A representation of data (ROD): ranges of one logical unit as they were when it was made."""

    __slots__ = ("expires_at", "ranges", "revoked", "size_bytes", "timeout_s", "unit", "wire")

    def __init__(
        self, wire: bytes, unit: LogicalUnit, ranges: tuple[tuple[int, int], ...], *, timeout_s: float, now: float
    ) -> None:
        self.wire = wire
        self.unit = unit
        self.ranges = ranges
        """(offset, length) in bytes, in the order of the ROD."""
        self.size_bytes = sum(length for _, length in ranges)
        self.timeout_s = timeout_s
        self.expires_at = now + timeout_s
        self.revoked = False

    def cut(self, offset: int, length: int) -> list[tuple[int, int]]:
        """The ranges of the unit that bytes `offset` to `offset + length` of the ROD are."""
        cut: list[tuple[int, int]] = []
        for start, size in self.ranges:
            if length and offset < size:
                taken = min(length, size - offset)
                cut.append((start + offset, taken))
                length -= taken
                offset = 0
            else:
                offset -= min(offset, size)
        return cut


class TokenGuard(Filter):
    """Stands on a device that tokens were made of, and revokes those that a write touches, before it is written.

    It stays for good: a write without tokens costs one look, a read nothing (it is the device's own method).
    """

    def __init__(self, device: BlockDevice) -> None:
        super().__init__(device)
        self.tokens: list[Token] = []
        self._lock = threading.Lock()
        self.read_now = device.read_now  # type: ignore[method-assign]  # reads pass by without a call in between
        self.read = device.read  # type: ignore[method-assign]  # the same

    @property
    def behind(self) -> BlockDevice:
        return self._device

    def watch(self, token: Token) -> None:
        with self._lock:
            self.tokens.append(token)

    def forget(self, token: Token) -> None:
        with self._lock:
            if token in self.tokens:
                self.tokens.remove(token)

    def revoke(self, offset: int, length: int) -> None:
        """End the tokens that stand for bytes of this range."""
        end = offset + length
        with self._lock:
            for token in list(self.tokens):
                if any(start < end and offset < start + size for start, size in token.ranges):
                    token.revoked = True
                    self.tokens.remove(token)

    def write_now(self, offset: int, buffers: Sequence[Buffer]) -> int:
        if self.tokens:
            self.revoke(offset, sum(map(len, buffers)))
        return self._device.write_now(offset, buffers)

    def write(self, offset: int, buffers: Sequence[Buffer]) -> None:
        if self.tokens:
            self.revoke(offset, sum(map(len, buffers)))
        self._device.write(offset, buffers)

    def write_atomic(self, offset: int, data: Buffer) -> None:
        if self.tokens:
            self.revoke(offset, len(data))
        self._device.write_atomic(offset, data)

    def unmap(self, offset: int, length: int) -> None:
        if self.tokens:
            self.revoke(offset, length)
        self._device.unmap(offset, length)

    def write_zeroes(self, offset: int, length: int) -> None:
        if self.tokens:
            self.revoke(offset, length)
        self._device.write_zeroes(offset, length)

    def copy_from(self, source: BlockDevice, source_offset: int, offset: int, length: int) -> bool:
        """See `blockdev.copying.CopiesFrom`."""
        if self.tokens:
            self.revoke(offset, length)
        device = self._device
        return isinstance(device, CopiesFrom) and device.copy_from(readable(source), source_offset, offset, length)


def readable(device: BlockDevice) -> BlockDevice:
    """The device to read from: a guard watches writes only."""
    return device.behind if isinstance(device, TokenGuard) else device


class CopyDomain:
    """The nexuses of all targets by who they belong to, and the tokens. One for a NAS."""

    def __init__(self, clock: Callable[[], float], random_bytes: Callable[[int], bytes]) -> None:
        self._clock = clock
        self._random_bytes = random_bytes
        self._nexuses: dict[str, set[Nexus]] = {}
        self._tokens: dict[bytes, Token] = {}
        self._made = 0

    def enter(self, nexus: Nexus) -> None:
        """A nexus came into being."""
        if nexus.identity:
            self._nexuses.setdefault(nexus.identity, set()).add(nexus)

    def leave(self, nexus: Nexus) -> None:
        """A nexus ended."""
        mine = self._nexuses.get(nexus.identity)
        if mine is not None:
            mine.discard(nexus)
            if not mine:
                del self._nexuses[nexus.identity]

    def find(self, nexus: Nexus, naa: bytes) -> Reach | None:
        """The unit with this NAA designator, and a nexus of the same initiator to it: `nexus` itself where it can."""
        mine = self._nexuses.get(nexus.identity, set()) - {nexus}
        found: list[Reach] = []
        for each in (nexus, *mine):
            unit = _unit_of(each, naa)
            if unit is not None:
                found.append(Reach(nexus=each, unit=unit))
        # Of several ways one that works now: another may be in the way of a reservation.
        return next((reach for reach in found if reach.usable(writing=False)), found[0] if found else None)

    def make_token(self, unit: LogicalUnit, ranges: tuple[tuple[int, int], ...], timeout_s: float) -> Token:
        """A new token for ranges of `unit`."""
        guard = _guard_of(unit)
        for token in [token for token in self._tokens.values() if token.unit is unit and self._over(token)]:
            self._drop(token)
        mine = [token for token in self._tokens.values() if token.unit is unit]
        for token in mine[: max(0, len(mine) - TOKENS_PER_UNIT_MAX + 1)]:
            self._drop(token)
        self._made += 1
        wire = _serialize_token(unit, self._made, sum(size for _, size in ranges), self._random_bytes(_SECRET_BYTES))
        token = Token(wire, unit, ranges, timeout_s=timeout_s, now=self._clock())
        self._tokens[wire] = token
        guard.watch(token)
        return token

    def find_token(self, wire: bytes) -> Token | None:
        """The token, its time starting anew; None when there is none (any more)."""
        token = self._tokens.get(wire)
        if token is None:
            return None
        if self._over(token):
            if not token.revoked:  # one that was revoked says so when it is used
                self._drop(token)
                return None
            return token
        token.expires_at = self._clock() + token.timeout_s
        return token

    def delete_token(self, token: Token) -> None:
        self._drop(token)

    def _over(self, token: Token) -> bool:
        return token.revoked or token.unit.closing or self._clock() > token.expires_at

    def _drop(self, token: Token) -> None:
        self._tokens.pop(token.wire, None)
        _guard_of(token.unit).forget(token)


def _unit_of(nexus: Nexus, naa: bytes) -> LogicalUnit | None:
    return next(
        (unit for unit in nexus.units.values() if naa_designator(unit.uuid) == naa and unit.drive is None), None
    )


def _guard_of(unit: LogicalUnit) -> TokenGuard:
    if unit.token_guard is None:
        unit.token_guard = TokenGuard(unit.bare_device)
        unit.stand_on(unit.token_guard)
    return unit.token_guard


def serialize_identification(unit: LogicalUnit) -> bytes:
    """The identification descriptor CSCD descriptor of a unit (SPC-4 6.4.5.3)."""
    naa = naa_designator(unit.uuid)
    size = unit.block_size_bytes
    return _CREATOR.pack(_IDENTIFICATION, 0, 0, _BINARY, _NAA, len(naa), naa, 0, size >> 16, size & 0xFFFF)


def _serialize_token(unit: LogicalUnit, number: int, size_bytes: int, secret: bytes) -> bytes:
    """ROD token of 512 bytes (SPC-4 5.17.6.3): what others may read of it, and a secret that makes it ours."""
    header = _TOKEN_HEADER.pack(ROD_TYPE_CHANGE_VULNERABLE, 0, _LENGTH_BEHIND, number)
    body = header + serialize_identification(unit) + size_bytes.to_bytes(16, "big") + bytes(32)
    body += unit.block_size_bytes.to_bytes(4, "big") + bytes(28) + secret
    return body.ljust(TOKEN_BYTES, b"\0")
