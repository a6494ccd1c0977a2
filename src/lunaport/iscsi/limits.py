"""Every bound of the iSCSI layer, unit and qualifier last in the name.

Bounds on what a peer may make us hold, do or wait for, and the sizes we offer in negotiation. No logic. The tests go
to n - 1, n and n + 1 of each bound on input.
"""

from typing import Final

BHS_BYTES: Final = 48
"""Basic header segment (RFC 7143 section 11.2)."""
DIGEST_BYTES: Final = 4
AHS_BYTES_MAX: Final = 64
"""Additional header segments of a PDU we read: room for a 32-byte extended CDB and a bidirectional length."""

SILENCE_S_MAX: Final = 30.0
"""A session that is silent this long is pinged; one that is silent as long again is closed."""

# Before full feature phase: what a stranger may cost.
LOGIN_TIMEOUT_S: Final = 15.0
"""From the accepted connection to the end of its login."""
LOGIN_PDUS_MAX: Final = 32
"""Login requests of one login."""
LOGIN_BYTES_MAX: Final = 65536
"""Data of all login requests of one login."""
LOGIN_DATA_SEGMENT_BYTES_MAX: Final = 8192
"""RFC 7143 section 13.12: the value in force until we declare our own."""

# Text (RFC 7143 section 6.1).
TEXT_KEY_BYTES_MAX: Final = 63
TEXT_VALUE_BYTES_MAX: Final = 8192
"""CHAP_C and CHAP_R may be 1024 bytes of binary, twice that in hexadecimal; other values stay far below."""
TEXT_SIMPLE_VALUE_BYTES_MAX: Final = 255
"""Of a value whose key does not say otherwise (section 6.1)."""
TEXT_KEYS_MAX: Final = 64
"""Key=value pairs of one request."""
TEXT_REQUEST_BYTES_MAX: Final = 16384
"""Data of one text or login exchange gathered over the C bit."""
TEXT_NUMBER_CHARACTERS_MAX: Final = 20
LIST_ITEMS_MAX: Final = 16
NAME_BYTES_MAX: Final = 223
"""iSCSI name (section 4.2.7.2)."""

# CHAP (RFC 7143 section 12.1.3).
CHALLENGE_BYTES_MAX: Final = 1024
CHAP_NAME_BYTES_MAX: Final = 223
CHAP_SECRETS_MAX: Final = 1024
"""Secrets of one name that a response is held against: those of different targets, in discovery."""

# What we offer, and the most that we accept.
DATA_SEGMENT_BYTES_MAX: Final = 262144
"""MaxRecvDataSegmentLength we declare."""
MAX_BURST_BYTES: Final = 1048576
FIRST_BURST_BYTES: Final = 262144
OUTSTANDING_R2T_MAX: Final = 8
DEFAULT_TIME2WAIT_S: Final = 2
DEFAULT_TIME2RETAIN_S: Final = 0
"""No task outlives its connection (error recovery level 0)."""
ERROR_RECOVERY_LEVEL: Final = 0
CONNECTIONS_MAX: Final = 1
"""Of one session."""
COMMAND_WINDOW: Final = 128
"""MaxCmdSN - ExpCmdSN + 1 of an idle session."""
IMMEDIATE_COMMANDS_MAX: Final = 16
"""Immediate commands (task management, NOP, text) under way at once, beside the command window."""
HELD_BYTES_MAX: Final = 1048576
"""Of commands that came out of order and wait for their turn."""

# Discovery (RFC 7143 appendix C).
SEND_TARGETS_BYTES_MAX: Final = 1048576
"""An answer longer than this is cut after a whole target."""
