"""Every fault by its name."""

from typing import Final

from tests.faults import databases, disks, processes, surroundings
from tests.faults.stage import Fault

FAULTS: Final[dict[str, Fault]] = {
    "control is killed": processes.killed_control,
    "data is killed": processes.killed_data,
    "the supervisor is killed": processes.killed_supervisor,
    "power is lost": processes.lost_power,
    "control stands still": processes.stopped_control,
    "control hangs": processes.hung_control,
    "data hangs": processes.hung_data,
    "the disk is full": disks.full,
    "a file is cut": disks.truncated,
    "a file is removed": disks.removed,
    "a file system turns read-only": disks.read_only,
    "EIO on read": disks.failing_reads,
    "EIO on write": disks.failing_writes,
    "EIO on fsync": disks.failing_flushes,
    "a disk does not answer": disks.stalled,
    "the database is locked": databases.locked_database,
    "the database is read-only": databases.read_only_database,
    "the database's file system gives up": databases.failed_file_system,
    "the database's disk is full": databases.full_database,
    "the database is garbage": databases.garbage_database,
    "the database is cut": databases.truncated_database,
    "the database is garbage when control is killed": databases.unusable_database,
    "the clock jumps": surroundings.jumping_clock,
    "the portal's address vanishes": surroundings.vanished_address,
    "connections are opened and left": surroundings.crowd,
    "wrong secrets at full speed": surroundings.wrong_secrets,
}
