"""Other LUNs for a target that is in use: new ones come, some change, some go; the rest and the sessions go on."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import structlog

from lunaport.engine.embedded.disk import Disk
from lunaport.engine.embedded.steps import Finish, run_steps, run_together
from lunaport.engine.interface import EngineError, LunSpec, StorageError, TargetSpec

if TYPE_CHECKING:  # targets need this module
    from lunaport.engine.embedded.targets import Target

log = structlog.get_logger()


def change_luns(
    target: "Target", spec: TargetSpec, open_lun: Callable[[LunSpec], Disk], finish: Finish, *, partly: bool
) -> None:
    """Give a target the LUNs of `spec`; `finish` when initiators find them and the files of those that went are closed.

    Everything that can be refused comes first: an error leaves the LUNs as they were. `partly`: a LUN that cannot be
    opened is left out and tried again later.
    """
    known = {lun.uuid: lun for lun in target.spec.luns}
    opened: dict[int, Disk] = {}
    missing = {lun.lun: target.missing[lun.lun] for lun in spec.luns if lun.uuid in known and lun.lun in target.missing}

    def give_up(error: BaseException) -> None:
        run_together([disk.close for disk in opened.values()], lambda _: finish(error))

    for lun in spec.luns:
        if lun.lun in missing and lun != known[lun.uuid] and not partly:
            give_up(EngineError(f"LUN {lun.lun} cannot be changed: {missing[lun.lun]}"))
            return
        if lun.uuid in known:
            continue
        try:
            opened[lun.lun] = open_lun(lun)
        except StorageError as error:
            if not partly:
                give_up(error)
                return
            log.error("disk cannot be opened", target=spec.name, lun=lun.lun, reason=str(error))
            missing[lun.lun] = str(error)

    def changed(error: BaseException | None) -> None:
        if error is not None:
            give_up(error)
            return
        wanted = {lun.uuid for lun in spec.luns}
        # A LUN that was missing may have been opened meanwhile.
        staying = {number: disk for number, disk in target.disks.items() if disk.spec.uuid in wanted}
        leaving = [disk for disk in target.disks.values() if disk.spec.uuid not in wanted]
        target.disks = dict(sorted((staying | opened).items()))
        target.missing = {number: reason for number, reason in missing.items() if number not in target.disks}
        if opened or leaving:
            target.scsi.set_units({number: disk.unit for number, disk in target.disks.items()})
        run_together([disk.leave for disk in leaving], finish)

    changing = [
        partial(target.disks[lun.lun].change, lun)
        for lun in spec.luns
        if lun.uuid in known and lun.lun in target.disks and target.disks[lun.lun].spec.uuid == lun.uuid
    ]
    run_steps(changing, changed)
