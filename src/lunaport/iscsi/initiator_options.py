"""What an initiator brings to a connection: who it is, how it proves that, which keys it offers, how it misbehaves."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from lunaport.iscsi.chap import PREFERENCE
from lunaport.iscsi.enums import Stage
from lunaport.iscsi.initiator_faults import Fault, send_as_is
from lunaport.iscsi.limits import LOGIN_DATA_SEGMENT_BYTES_MAX

ISID: Final = bytes.fromhex("800000000001")
"""Of the type "random" (RFC 7143 section 11.12.5)."""

Observer = Callable[[bytes, bytes], None]
"""Gets header and data of each PDU received, before anything is made of it."""


def ignore(_header: bytes, _data: bytes) -> None:
    """No observer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChapOptions:
    """CHAP: the initiator's name and secret; with `mutual` the target has to prove that it is (name, secret) too."""

    user: str
    secret: bytes = field(repr=False)
    mutual: tuple[str, bytes] | None = field(default=None, repr=False)
    algorithms: tuple[int, ...] = PREFERENCE
    """CHAP_A, in this order."""
    base64: bool = False
    """Write binary values in base64 instead of hexadecimal."""
    challenge_bytes: int = 16
    """Of our challenge to the target."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to log in, and how to behave. Without `target_name` it is a discovery session."""

    initiator_name: str
    target_name: str = ""
    chap: ChapOptions | None = None
    header_digest: bool = False
    """Offer CRC32C first; the target may still choose None."""
    data_digest: bool = False
    keys: Mapping[str, str | None] = field(default_factory=dict, repr=False)
    """Keys with values of one's own in place of ours or beside them, legal or not; None leaves a key out."""
    isid: bytes = ISID
    tsih: int = 0
    cid: int = 0
    cmd_sn: int = 1
    """CmdSN of the login and of the first command."""
    start_stage: Stage | None = None
    """Where the login starts: with the security stage if there is CHAP, without it otherwise."""
    login_segment_bytes: int = LOGIN_DATA_SEGMENT_BYTES_MAX
    """Text longer than this is sent in several requests (C bit)."""
    answers_pings: bool = True
    plugs_gaps: bool = True
    """Send the CmdSN of what was rejected again (RFC 7143 section 7.3), for what is behind it to be carried out."""
    fault: Fault = field(default=send_as_is, repr=False)
    observer: Observer = field(default=ignore, repr=False)
