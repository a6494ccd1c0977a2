"""Every bound of a data process on what its peers may take: connections, sessions, memory, lines in the log.

What an administrator may want to change is in `DataLimits` and comes from the settings; the rest is fixed. The bounds
of the protocol stand in `iscsi.limits`, those of commands in `scsi.limits`. No logic but what follows from a number.
The tests go to n - 1, n and n + 1 of each.
"""

from dataclasses import dataclass, replace
from typing import Final

import msgspec

CONNECTIONS_MAX: Final = 8192
"""Sockets of initiators in all: sessions, logins, and those that are about to close."""
DESCRIPTORS_KEPT_MAX: Final = 1024
"""Where the system gives few descriptors, half of them and no more than this many are kept for disks and portals."""
BEFORE_LOGIN_MAX: Final = 1024
"""Connections that have not logged in; one more drops the oldest of them, so strangers cannot lock others out."""
BEFORE_LOGIN_PER_ADDRESS_MAX: Final = 256
"""The same for those from one address: one more drops the oldest from there, and nobody else's."""
HAND_OVERS_WAITING_MAX: Final = 512
"""Logins that wait for another data process to take them, beside what the line to it holds; more are refused."""

CONNECTION_BYTES_MAX: Final = 32 << 20
"""What one connection may hold while there is plenty: a whole command window of 256 KiB each."""
SHARE_SHIFT: Final = 3
"""While there is less, a connection may hold an eighth of what is free: nobody can take all of it."""
STALL_S: Final = 2.0
"""While memory is short, peers that hold some and move nothing for this long are closed, who holds most first."""
STALL_PROGRESS_BYTES: Final = 65536
"""What it has to move in that time."""

REFUSAL_PAUSE_S: Final = 60.0
"""The same refusal of the same address is logged once in this time, with how often it came."""
REFUSALS_KEPT_MAX: Final = 256
"""Refusals that are told apart; more are counted together."""


class DataLimits(msgspec.Struct, kw_only=True, frozen=True):
    """What the settings say; see docs/limits.md."""

    sessions: int = 4096
    """Sessions of the NAS."""
    target_sessions: int = 1024
    """Sessions of one target; discovery sessions together count as those of one target."""
    initiator_sessions: int = 64
    """Sessions of one initiator name with one target."""
    address_connections: int = 2048
    """Connections from one address."""
    memory_mib: int = 256
    """What all connections together may hold of data under way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionBounds:
    """How many connections there may be."""

    in_all: int = CONNECTIONS_MAX
    per_address: int = DataLimits().address_connections
    before_login: int = BEFORE_LOGIN_MAX
    before_login_per_address: int = BEFORE_LOGIN_PER_ADDRESS_MAX

    def within(self, descriptors: int) -> "ConnectionBounds":
        """These, where the system gives the process so many descriptors."""
        in_all = descriptors - min(DESCRIPTORS_KEPT_MAX, descriptors // 2)
        return replace(self, in_all=min(self.in_all, in_all))
