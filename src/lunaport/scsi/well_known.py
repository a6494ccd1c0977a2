"""The REPORT LUNS well known logical unit (SPC-4 8.2), at LUN C101h of every target.

An initiator that knows no LUN of a target can ask it for all of them. It has no medium and no state: no reservation,
no unit attention and no ordinary logical unit's trouble is in its way.
"""

from collections.abc import Mapping
from typing import Final

from lunaport.scsi.command import AbsentHandler
from lunaport.scsi.enums import Opcode
from lunaport.scsi.inquiry import inquiry_well_known
from lunaport.scsi.nexus import Nexus
from lunaport.scsi.readiness import request_sense_well_known
from lunaport.scsi.report import report_luns_absent
from lunaport.scsi.task import Task


def test_unit_ready_well_known(nexus: Nexus, task: Task) -> None:
    task.good()


WELL_KNOWN: Final[Mapping[int, AbsentHandler]] = {
    Opcode.TEST_UNIT_READY: test_unit_ready_well_known,
    Opcode.REQUEST_SENSE: request_sense_well_known,
    Opcode.INQUIRY: inquiry_well_known,
    Opcode.REPORT_LUNS: report_luns_absent,
}
"""Its commands; their fields are those of the command table."""
