"""A scriptable iSCSI initiator on asyncio, for those who test targets: `connect` is where to start.

It keeps RFC 7143 and watches whether the target does, unless it is told to misbehave. All of the protocol is in
`lunaport.iscsi`; here are sockets, tasks and the few CDBs that reading and writing take.
"""

from lunaport.initiator.errors import (
    AbortedError,
    CommandError,
    ConnectionEndedError,
    InitiatorError,
    LoginError,
    RejectedError,
    TargetMovedError,
)
from lunaport.initiator.session import Session, Submitted, connect
from lunaport.iscsi.initiator_discovery import DiscoveredTarget
from lunaport.iscsi.initiator_events import (
    Announced,
    CommandResult,
    LogoutResult,
    ManagementResult,
    PingReceived,
    Rejected,
)
from lunaport.iscsi.initiator_options import ChapOptions, Options
from lunaport.iscsi.initiator_task import CommandRequest, lun_field

__all__ = [
    "AbortedError",
    "Announced",
    "ChapOptions",
    "CommandError",
    "CommandRequest",
    "CommandResult",
    "ConnectionEndedError",
    "DiscoveredTarget",
    "InitiatorError",
    "LoginError",
    "LogoutResult",
    "ManagementResult",
    "Options",
    "PingReceived",
    "Rejected",
    "RejectedError",
    "Session",
    "Submitted",
    "TargetMovedError",
    "connect",
    "lun_field",
]
