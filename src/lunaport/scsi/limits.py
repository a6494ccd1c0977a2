"""Every bound of the SCSI layer in one place. Those an initiator has to know stand in VPD page B0."""

TRANSFER_BYTES_MAX = 8 << 20
"""Data of one READ, WRITE or VERIFY."""
READ_NOW_BYTES_MAX = 1 << 20
"""Data of a READ that is answered at once from the page cache."""
UNMAP_BLOCKS_MAX = 1 << 20
"""All ranges of one UNMAP together."""
UNMAP_DESCRIPTORS_MAX = 256
WRITE_SAME_BYTES_MAX = 16 << 20
WORK_BYTES = 256 << 10
"""What a worker thread moves at a time for WRITE SAME, VERIFY, ORWRITE, PRE-FETCH, copies and erasures: so much memory
it takes, or twice that, besides what is counted. An abort takes effect between two."""
WAITING_BYTES_MAX = 64 << 20
"""Data-out of one logical unit that was copied to wait for its disk; more is answered TASK SET FULL."""
CROWDED_BYTES = WAITING_BYTES_MAX // 2
"""From here on, an initiator whose data-out waits for this unit is not read from until some of it is on the disk."""
COPY_TARGETS_MAX = 16
"""CSCD descriptors of one EXTENDED COPY."""
COPY_SEGMENTS_MAX = 256
COPY_LIST_BYTES_MAX = COPY_TARGETS_MAX * 32 + COPY_SEGMENTS_MAX * 28
COPY_SEGMENT_BYTES_MAX = 1 << 28
"""No segment can say more: 65535 blocks of 4096 bytes."""
COPY_CHUNK_BYTES = 4 << 20
"""What a copy moves as one piece of background work; an abort takes effect between two, and other commands have their
turn."""
COPIES_PER_UNIT_MAX = 8
"""Copies under way through one logical unit; one more is answered TASK SET FULL."""
COPY_RESULTS_PER_UNIT_MAX = 256
"""Results that nobody has fetched; the oldest goes when there is one more."""
ERASE_CHUNK_BYTES = 16 << 20
"""What SANITIZE and FORMAT UNIT erase as one piece of background work."""
ERASE_FLUSH_BYTES = 256 << 20
"""After so many they flush and put down how far they are; a restart goes on from there."""
ERASE_DISCARD_FACTOR = 64
"""So many times more of both where nothing is written, only space given back."""
ERASE_PATTERN_BYTES_MAX = 4096
"""A block at most."""
TOKEN_RANGES_MAX = 64
TOKEN_BYTES_MAX = 1 << 30
TOKEN_OPTIMAL_BYTES = 64 << 20
TOKENS_PER_UNIT_MAX = 64
"""Tokens of one logical unit; the oldest goes when there is one more."""
TOKEN_TIMEOUT_S = 30
"""How long a token lives that is not used."""
TOKEN_TIMEOUT_S_MAX = 300
LUN_MAX = 0x3FFF
"""The largest number that flat space addressing can say (SAM-5 4.7.7.3)."""
REGISTRATIONS_MAX = 512
"""I_T nexuses registered with one logical unit."""
RESERVE_OUT_BYTES_MAX = 16 << 10
"""Parameter list of PERSISTENT RESERVE OUT: 24 bytes, and TransportIDs behind them."""
RESOURCE_UNIT_SHIFT = 20
"""Space of thin units is counted in runs of 2^20 bytes (VPD page B2 says it in blocks)."""
QUEUED_MAX = 1024
"""Commands of one unit that wait for older ones to end (`ordering`); more is answered TASK SET FULL."""
SPANS_WAITING_MAX = 256
"""Pieces of background work of one unit that wait for others they overlap; more is answered TASK SET FULL."""
COMPARE_BLOCKS_MAX = 128
"""Of one COMPARE AND WRITE."""
ATOMIC_BYTES_MAX = 1 << 20
"""Of one WRITE ATOMIC."""
ECHO_BYTES_MAX = 4096
"""What READ BUFFER and WRITE BUFFER hand back and forth in echo mode."""
LBA_STATUS_DESCRIPTORS_MAX = 256
"""Runs that one GET LBA STATUS tells of."""
