"""`/api/v1/targets/{id}/reservations` and `/api/v1/work`: who has reserved what, and what takes long."""

from datetime import datetime
from typing import Literal

from fastapi import APIRouter
from pydantic import Field

from lunaport.api.v1_models import Document
from lunaport.api.v1_routes import READING, errors
from lunaport.api.v1_targets import Id
from lunaport.api.v1_words import parse_id, when
from lunaport.service.nas import Nas, ReservationReport, Work


class RegistrationOut(Document):
    """An initiator port that is registered. It stays registered when its sessions end."""

    initiator: str
    port: str = Field(description="Its SCSI port name: the initiator's name, `,i,0x` and its ISID.")
    portal_group: int
    key: str = Field(description="16 hexadecimal digits; empty for the older RESERVE, which has none.")
    holder: bool = Field(description="It holds the reservation, alone or as one of all.")


class ReservationOut(Document):
    """The reservation of a LUN, and who is registered."""

    lun: int
    type: str = Field(
        description="`write_exclusive` or `exclusive_access`, with `_registrants_only` or `_all_registrants` behind "
        "it; `reserve`: the older RESERVE of SPC-2; empty: registrations only."
    )
    generation: int
    persistent: bool = Field(description="It survives the loss of power (APTPL).")
    lost: bool = Field(description="It cannot be read: the disk lets nobody in until somebody replaces it.")
    registrations: list[RegistrationOut]
    count: int = Field(description="Of registrations; `registrations` holds the first 256.")


class ReservationList(Document):
    """The LUNs of a target that are reserved, or have registrations."""

    items: list[ReservationOut]


class WorkOut(Document):
    """Something that is under way and takes long."""

    kind: Literal["sanitize", "format", "copy", "drain", "image", "restore", "apply"] = Field(
        description="`sanitize`, `format`: a LUN is erased; `copy`: initiators let the NAS copy; `drain`: initiators "
        "are asked to go; `image`: one is taken in; `restore`: of a backup; `apply`: of a configuration."
    )
    target: str = Field(description="Empty: none, or for `drain` the NAS as a whole.")
    lun: int | None
    volume: str
    image: str
    done_bytes: int
    total_bytes: int = Field(description="0: not known.")
    sessions: int = Field(description="Those that are still there, for `drain`.")
    failed: bool = Field(description="It ended with an error; the LUN stays closed until it is erased anew.")
    by: str = Field(description="The initiator or the user who asked for it, where that is known.")
    since: datetime | None


class WorkList(Document):
    """What is under way."""

    items: list[WorkOut]


def add_work_routes(router: APIRouter, nas: Nas) -> None:
    """Add the routes."""

    @router.get(
        "/targets/{target_id}/reservations",
        tags=["targets"],
        operation_id="list_reservations",
        responses=errors(*READING, 404),
    )
    async def list_reservations(target_id: Id) -> ReservationList:
        """The LUNs of a target that are reserved by initiators, or have registrations, as they are now."""
        target = await nas.target(parse_id(target_id))
        return ReservationList(items=[_reservation_out(each) for each in await nas.reservations(target)])

    @router.get("/work", tags=["health"], operation_id="list_work", responses=errors(*READING))
    async def list_work() -> WorkList:
        """What is under way and takes long. It goes on whether somebody looks or not."""
        return WorkList(items=[_work_out(each) for each in await nas.work()])


def _reservation_out(report: ReservationReport) -> ReservationOut:
    return ReservationOut(
        lun=report.lun,
        type=report.type,
        generation=report.generation,
        persistent=report.persistent,
        lost=report.lost,
        registrations=[
            RegistrationOut(
                initiator=each.initiator,
                port=each.port,
                portal_group=each.portal_group,
                key=each.key,
                holder=each.holder,
            )
            for each in report.registrations
        ],
        count=report.count,
    )


def _work_out(work: Work) -> WorkOut:
    return WorkOut(
        kind=work.kind,
        target=work.target,
        lun=work.lun,
        volume=work.volume,
        image=work.image,
        done_bytes=work.done_bytes,
        total_bytes=work.total_bytes,
        sessions=work.sessions,
        failed=work.failed,
        by=work.by,
        since=None if work.since is None else when(work.since),
    )
