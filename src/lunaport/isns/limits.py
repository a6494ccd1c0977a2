"""Bounds on what a server, or anyone who claims to be one, may have us hold."""

from typing import Final

PDU_PAYLOAD_BYTES_MAX: Final = 65532
"""The largest multiple of four that the length field holds (RFC 4171 section 5.1.3)."""
MESSAGE_BYTES_MAX: Final = 4 << 20
"""Of an answer, over all its PDUs."""
CALL_BYTES_MAX: Final = 1 << 16
"""Of a message from somebody who calls us (ESI, SCN)."""
ATTRIBUTE_COUNT_MAX: Final = 1 << 16
TEXT_BYTES_MAX: Final = 256
"""With the NUL (sections 6.2.1, 6.4.3)."""
NODES_BYTES_PER_REQUEST_MAX: Final = 2048
"""Of targets in one registration. Servers echo what is registered, some about three times as long, and open-isns makes
no message above 8192 bytes."""
LISTING_BYTES_MAX: Final = 4096
"""Of targets that a server is asked for in one query, for the same reason."""
OBJECTS_PER_DEREGISTRATION_MAX: Final = 16
CHECKED_NODES_MAX: Final = 32
"""Targets that one check asks for one by one, where they are too many for one query."""
CALLS_MAX: Final = 16
"""Connections to our listeners at once."""
