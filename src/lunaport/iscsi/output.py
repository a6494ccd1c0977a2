"""Memory for what goes out: PDUs are laid down one behind the other and leave in one system call.

Headers and payloads share one stretch of memory; a read lands in it behind the room for its header, so nothing is
joined or copied on the way. No I/O here: the shell sends `view[sent:filled]`.
"""

from struct import Struct

from crc32c import crc32c

DIGEST = Struct("<I")


class Output:
    """A stretch of memory that fills from the front; bytes before `sent` are gone."""

    __slots__ = ("buffer", "filled", "sent", "size", "view")

    def __init__(self, size_bytes: int) -> None:
        self.buffer = bytearray(size_bytes)
        self.view = memoryview(self.buffer)
        self.size = size_bytes
        self.filled = 0
        self.sent = 0

    def append(self, data: bytes) -> None:
        """Lay `data` down; there must be room for it."""
        end = self.filled + len(data)
        assert end <= self.size, "room is asked for before"
        self.view[self.filled : end] = data
        self.filled = end

    def clear(self) -> None:
        """Start at the front again."""
        self.filled = 0
        self.sent = 0

    def rest(self) -> "Output":
        """What is not sent yet, in an output that is just as large."""
        rest = Output(self.filled - self.sent)
        rest.append(bytes(self.view[self.sent : self.filled]))
        return rest


def pad(buffer: bytearray, end: int, length: int) -> int:
    """Write the zeros that bring a data segment of `length` bytes, ending at `end`, to a multiple of four."""
    padding = -length & 3
    buffer[end : end + padding] = bytes(padding)
    return end + padding


def put_digest(view: memoryview, buffer: bytearray, start: int, end: int) -> int:
    """Write the CRC32C of view[start:end] behind it; returns where that ends."""
    DIGEST.pack_into(buffer, end, crc32c(view[start:end]))
    return end + 4
