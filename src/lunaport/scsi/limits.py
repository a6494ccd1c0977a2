"""Every bound of the SCSI layer in one place. Those an initiator has to know stand in VPD page B0."""

TRANSFER_BYTES_MAX = 8 << 20
"""Data of one READ, WRITE or VERIFY."""
UNMAP_BLOCKS_MAX = 1 << 20
"""All ranges of one UNMAP together."""
UNMAP_DESCRIPTORS_MAX = 256
WRITE_SAME_BYTES_MAX = 16 << 20
WRITE_SAME_CHUNK_BYTES = 1 << 20
"""What WRITE SAME and VERIFY move at a time; an abort takes effect between two."""
WAITING_BYTES_MAX = 64 << 20
"""Data-out of one logical unit that was copied to wait for its disk; more is answered TASK SET FULL."""
LUN_MAX = 0x3FFF
"""The largest number that flat space addressing can say (SAM-5 4.7.7.3)."""
REGISTRATIONS_MAX = 512
"""I_T nexuses registered with one logical unit."""
RESERVE_OUT_BYTES_MAX = 16 << 10
"""Parameter list of PERSISTENT RESERVE OUT: 24 bytes, and TransportIDs behind them."""
RESOURCE_UNIT_SHIFT = 20
"""Space of thin units is counted in runs of 2^20 bytes (VPD page B2 says it in blocks)."""
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
