"""PDU framing: `Connection.receive` over any stream, cut anywhere, with every digest setting."""

from tests.fuzz.source import Source
from tests.unit.iscsi.full_feature import Peer, with_digests

READ_BYTES_MAX = 1 << 20
"""The disk is not larger than this, so neither is the answer to one PDU, but for its headers."""


def serve(stream: bytes, cuts: list[int], *, header: bool, data: bool) -> tuple[bytes, str, int]:
    """Hand a stream over in pieces; returns what was sent, why the connection ends, and the bytes understood."""
    peer = Peer(with_digests(header=header, data=data))
    buffer = memoryview(bytearray(stream))
    head = 0
    sent = []
    for tail in [*sorted(cuts), len(stream)]:
        before = head
        head = peer.connection.receive(buffer, head, tail)
        assert before <= head <= tail, "consumed what is not there"
        sent.append(peer.raw())
        if peer.connection.closing:
            break
        # What is left is less than one PDU, and it is known how much is missing unless not even its header is whole.
        assert tail - head < max(peer.connection.needed_bytes, 48)
    assert len(b"".join(sent)) <= (len(stream) // 48 + 1) * 2 * READ_BYTES_MAX
    return b"".join(sent), peer.connection.closing, head


def run(data: bytes) -> None:
    """Any stream is answered or ends the connection, and how it is cut makes no difference."""
    source = Source(data)
    settings = source.number()
    cuts = [source.number(2) for _ in range(settings >> 2 & 3)]
    stream = source.rest()
    digests = {"header": settings & 1 == 1, "data": settings & 2 == 2}
    cuts = [min(cut, len(stream)) for cut in cuts]
    sent, closing, head = serve(stream, [], **digests)
    again, closing_again, head_again = serve(stream, cuts, **digests)
    assert (sent, closing) == (again, closing_again)
    assert closing or head == head_again
