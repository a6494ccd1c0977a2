"""What a target says unasked, by asynchronous message (RFC 7143 section 11.9); its pings are the connection's own.

Nothing here ends anything: who announces that a connection or a session ends has to end it. SCSI events are not sent:
asynchronous event reporting is gone from SAM since its fourth edition, and unit attentions say the same.
"""

from lunaport.iscsi.connection import Connection
from lunaport.iscsi.enums import AsyncEvent


def request_negotiation(connection: Connection, within_s: int) -> None:
    """Ask for a text request within so many seconds, in which the initiator may declare anew what it takes."""
    connection.announce(AsyncEvent.NEGOTIATION_REQUEST, (0, 0, within_s))


def announce_connection_drop(connection: Connection) -> None:
    """Say that this connection ends now, and when the initiator may come back."""
    connection.announce(AsyncEvent.CONNECTION_DROP, (connection.outcome.cid, *_times(connection)))


def announce_session_drop(connection: Connection) -> None:
    """Say that the session ends now with all its connections, and when the initiator may come back."""
    connection.announce(AsyncEvent.SESSION_DROP, (0, *_times(connection)))


def _times(connection: Connection) -> tuple[int, int]:
    """Time2Wait and Time2Retain: no task outlives its connection (section 7.6)."""
    return connection.parameters.default_time2wait, 0
