"""Encryption at rest: a block device whose bytes lie encrypted on another one (AES-256 in XTS mode, IEEE 1619).

A sector of 4 KiB is one tweak: its number. XTS works on 16 bytes at a time, so a part of a sector is read and written
by itself: nothing is read before a write, and a torn write damages nothing beside it. A run of 512 zero bytes on the
disk is a hole and reads as zeros, so a thin disk stays thin; no ciphertext looks like that. What this reveals to who
has the disk: which runs were never written or were given back, and, to who saw it twice, which 16 bytes changed. It
does not notice changed ciphertext: encryption here keeps secrets, it does not keep integrity.

The data key lies beside the file, encrypted (AES-256-GCM) with the key the NAS keeps for the LUN. Destroying it makes
all data unreadable. This is no `Filter`: what a device learns to do must be thought of here before it can be used.

Invariant: plain text never reaches the device below. Offsets and lengths are multiples of 512.
"""

import os
from collections.abc import Callable, Iterator, Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import XTS

from lunaport.blockdev.device import BlockDevice, Buffer, DeviceError, DeviceFault, Extent, Space
from lunaport.storage.companion import KEY, Companion
from lunaport.storage.errors import StorageError, StorageFault

SECTOR_BYTES = 4096
RUN_BYTES = 512
"""Of the smallest block: what is looked at when holes are told from data."""
NOW_BYTES_MAX = 64 << 10
"""What is encrypted or decrypted on the event loop at once; more goes to a worker thread."""
PIECE_BYTES = 256 << 10
"""What a worker thread encrypts or decrypts at a time."""
WRAPPING_KEY_BYTES = 32

_DATA_KEY_BYTES = 64
"""Two AES-256 keys."""
_NONCE_BYTES = 12
_CONTEXT = b"lunaport data key 1"
_ZEROS = bytes(SECTOR_BYTES)
_FAULTS: dict[DeviceFault, StorageFault] = {DeviceFault.NO_SPACE: "no space", DeviceFault.READ_ONLY: "read only"}

RandomBytes = Callable[[int], bytes]


class KeyFile:
    """The data key of the file at `path`, under the wrapping key."""

    def __init__(self, path: str, wrapping_key: bytes, random_bytes: RandomBytes = os.urandom) -> None:
        self._path = path
        self._companion = Companion(path, KEY)
        self._cipher = AESGCM(wrapping_key)
        self._random_bytes = random_bytes

    def __repr__(self) -> str:
        return "KeyFile()"

    def create(self) -> None:
        """Make the key of a file that does not exist yet. Blocks. Raises StorageError."""
        try:
            self._companion.save(self._wrap(self._random_bytes(_DATA_KEY_BYTES)))
        except DeviceError as error:
            raise StorageError(_FAULTS.get(error.fault, "i/o"), self._path, error.detail) from error

    def load(self) -> bytes:
        """The key. Blocks. Raises StorageError."""
        try:
            document = self._companion.load_or_finish()
        except DeviceError as error:
            raise StorageError("i/o", self._path, error.detail) from error
        if document is None:
            raise StorageError("missing", self._path, f"encrypted, and its key is missing ({self._path}{KEY})")
        try:
            return self._cipher.decrypt(document[:_NONCE_BYTES], document[_NONCE_BYTES:], _CONTEXT)
        except (InvalidTag, ValueError) as error:
            raise StorageError("i/o", self._path, f"the key beside it ({KEY}) is not one of this NAS") from error

    def replace(self) -> bytes:
        """Destroy the key and make a new one, durably. Blocks. Raises DeviceError."""
        key = self._random_bytes(_DATA_KEY_BYTES)
        self._companion.replace_and_destroy(self._wrap(key))
        return key

    def _wrap(self, key: bytes) -> bytes:
        nonce = self._random_bytes(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, key, _CONTEXT)


class EncryptedDevice:
    """A `BlockDevice` on another one. Owns it."""

    def __init__(self, device: BlockDevice, keys: KeyFile, key: bytes) -> None:
        self._device = device
        self._keys = keys
        self._algorithm = AES(key)

    def __repr__(self) -> str:
        return "EncryptedDevice()"

    @property
    def size_bytes(self) -> int:
        return self._device.size_bytes

    @property
    def can_unmap(self) -> bool:
        return self._device.can_unmap

    @property
    def can_anchor(self) -> bool:
        return self._device.can_anchor

    def read_now(self, offset: int, buffers: Sequence[Buffer]) -> int:
        length = sum(map(len, buffers))
        if length > NOW_BYTES_MAX:
            return 0
        data = bytearray(length)
        if self._device.read_now(offset, [memoryview(data)]) < length:
            return 0
        _scatter(self._decrypt(offset, data), buffers)
        return length

    def read(self, offset: int, buffers: Sequence[Buffer]) -> None:
        for position, piece in _pieces(offset, buffers):
            data = bytearray(sum(map(len, piece)))
            self._device.read(position, [memoryview(data)])
            _scatter(self._decrypt(position, data), piece)

    def write_now(self, offset: int, buffers: Sequence[Buffer]) -> int:
        if sum(map(len, buffers)) > NOW_BYTES_MAX:
            return 0
        written = self._device.write_now(offset, [memoryview(self._encrypt(offset, b"".join(buffers)))])
        return written - written % RUN_BYTES

    def write(self, offset: int, buffers: Sequence[Buffer]) -> None:
        for position, piece in _pieces(offset, buffers):
            self._device.write(position, [memoryview(self._encrypt(position, b"".join(piece)))])

    def write_atomic(self, offset: int, data: Buffer) -> None:
        self._device.write_atomic(offset, memoryview(self._encrypt(offset, bytes(data))))

    def flush(self) -> None:
        self._device.flush()

    def unmap(self, offset: int, length: int) -> None:
        self._device.unmap(offset, length)

    def write_zeroes(self, offset: int, length: int) -> None:
        self._device.write_zeroes(offset, length)

    def extents(self, offset: int, length: int) -> list[Extent]:
        return self._device.extents(offset, length)

    def space(self) -> Space:
        return self._device.space()

    def close(self) -> None:
        self._device.close()

    def erase_key(self) -> None:
        """Make all that was written unreadable for ever. Nothing else may use the device meanwhile. Blocks.

        Raises DeviceError.
        """
        self._algorithm = AES(self._keys.replace())

    def _encrypt(self, offset: int, data: bytes) -> bytes:
        parts = []
        for start, end, sector, skipped in _sectors(offset, len(data)):
            encryptor = Cipher(self._algorithm, XTS(sector.to_bytes(16, "little"))).encryptor()
            parts.append(encryptor.update(_ZEROS[:skipped] + data[start:end])[skipped:])
        return b"".join(parts)

    def _decrypt(self, offset: int, data: bytearray) -> bytearray:
        """Decrypt in place."""
        for start, end, sector, skipped in _sectors(offset, len(data)):
            piece = bytes(data[start:end])
            if piece == _ZEROS[: end - start]:
                continue
            decryptor = Cipher(self._algorithm, XTS(sector.to_bytes(16, "little"))).decryptor()
            data[start:end] = decryptor.update(_ZEROS[:skipped] + piece)[skipped:]
            for run in range(0, end - start, RUN_BYTES):
                if piece[run : run + RUN_BYTES] == _ZEROS[:RUN_BYTES]:
                    data[start + run : start + run + RUN_BYTES] = _ZEROS[:RUN_BYTES]
        return data


def open_encrypted(device: BlockDevice, path: str, wrapping_key: bytes) -> EncryptedDevice:
    """The device of an encrypted file that is open. Blocks. Raises StorageError."""
    keys = KeyFile(path, wrapping_key)
    return EncryptedDevice(device, keys, keys.load())


def _sectors(offset: int, length: int) -> list[tuple[int, int, int, int]]:
    """(start, end, number, skipped) of each sector touched: start and end count from `offset`."""
    pieces = []
    start = 0
    while start < length:
        sector, skipped = divmod(offset + start, SECTOR_BYTES)
        end = min(length, start + SECTOR_BYTES - skipped)
        pieces.append((start, end, sector, skipped))
        start = end
    return pieces


def _pieces(offset: int, buffers: Sequence[Buffer]) -> Iterator[tuple[int, list[Buffer]]]:
    """The same as pieces of PIECE_BYTES, the last one perhaps of less: so much memory is taken for each copy."""
    piece: list[Buffer] = []
    room = PIECE_BYTES
    for buffer in buffers:
        rest = buffer
        while len(rest):
            part = rest[:room]
            piece.append(part)
            room -= len(part)
            rest = rest[len(part) :]
            if not room:
                yield offset, piece
                offset += PIECE_BYTES
                piece, room = [], PIECE_BYTES
    if piece:
        yield offset, piece


def _scatter(data: bytearray, buffers: Sequence[Buffer]) -> None:
    position = 0
    for buffer in buffers:
        buffer[:] = data[position : position + len(buffer)]
        position += len(buffer)
