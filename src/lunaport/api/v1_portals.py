"""`/api/v1/portals`: where iSCSI listens, and in which portal group each of these addresses is."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Request, Response
from pydantic import Field

from lunaport.api.v1_access import Document
from lunaport.api.v1_models import PortalOut, example
from lunaport.api.v1_routes import CHANGING, READING, described_body, errors
from lunaport.api.v1_words import etag, expected_revisions, portal_out, read_document
from lunaport.model.errors import Collector, InvalidError
from lunaport.model.portal import GROUP_DEFAULT, GROUP_MAX, PORTALS_MAX, Portal, make_portal
from lunaport.service.actions import PutPortal, RemovePortal, ResetPortals, SetPortals
from lunaport.service.nas import Nas, PortalReport

Address = Annotated[
    str,
    Path(description="host:port, as in the list; 3260 may be left out.", json_schema_extra={"example": "[::1]:860"}),
]


class PortalPut(Document):
    """A portal."""

    model_config = example({"group": 2})

    group: int | None = Field(
        default=None, description=f"Portal group tag, 1 to {GROUP_MAX}. Left out: as it is; a new one is in group 1."
    )


class PortalIn(Document):
    """A portal in a list."""

    portal: str = Field(description="host or host:port: an IPv4 or IPv6 address, a wildcard, or a host name.")
    group: int = Field(default=GROUP_DEFAULT, description=f"Portal group tag, 1 to {GROUP_MAX}.")


class PortalsIn(Document):
    """All portals."""

    model_config = example({"items": [{"portal": "192.0.2.7:3260", "group": 1}, {"portal": "[::]:860", "group": 2}]})

    items: list[PortalIn] = Field(description=f"1 to {PORTALS_MAX}.")


class PortalList(Document):
    """All portals, in their order."""

    source: Literal["command_line", "stored"] = Field(
        description="`command_line`: those of `--portal`; `stored`: they were set here, and `--portal` does not count."
    )
    items: list[PortalOut]


def add_portal_routes(router: APIRouter, nas: Nas) -> None:
    """Add the routes."""

    @router.get("/portals", tags=["service"], operation_id="list_portals", responses=errors(*READING))
    async def list_portals(response: Response) -> PortalList:
        """Where iSCSI listens, and whether that works. While the service is off nothing listens."""
        return await _list(nas, response)

    @router.put(
        "/portals",
        tags=["service"],
        operation_id="put_portals",
        responses=errors(*CHANGING, 412),
        openapi_extra=described_body(PortalsIn, if_match=True),
    )
    async def put_portals(request: Request, response: Response) -> PortalList:
        """Have these portals and no others. Sessions stay."""
        document = await read_document(request, PortalsIn)
        await nas.perform(SetPortals(portals=_portals(document), revisions=expected_revisions(request)))
        return await _list(nas, response)

    @router.delete(
        "/portals", tags=["service"], operation_id="reset_portals", responses=errors(401, 403, 409, 500, 503)
    )
    async def reset_portals(response: Response) -> PortalList:
        """Have the portals of the command line again."""
        await nas.perform(ResetPortals())
        return await _list(nas, response)

    @router.put(
        "/portals/{portal}",
        tags=["service"],
        operation_id="put_portal",
        responses=errors(*CHANGING),
        openapi_extra=described_body(PortalPut),
    )
    async def put_portal(portal: Address, request: Request) -> PortalOut:
        """Listen on an address too, or put the portal there into another group. Sessions stay.

        An address that this machine does not have is taken all the same: it is listened on as soon as it comes.
        """
        document = await read_document(request, PortalPut)
        made = await nas.perform(PutPortal(portal=portal, group=document.group))
        return _out(made, await _reports(nas))

    @router.delete(
        "/portals/{portal}",
        status_code=204,
        tags=["service"],
        operation_id="delete_portal",
        responses=errors(401, 403, 404, 409, 422, 500, 503),
    )
    async def delete_portal(portal: Address) -> None:
        """Listen on an address no more. Sessions that came by it stay; the last portal cannot go."""
        await nas.perform(RemovePortal(portal=portal))


def _portals(document: PortalsIn) -> tuple[Portal, ...]:
    """The portals of a document. Raises InvalidError with every problem."""
    problems = Collector()
    found = []
    for number, each in enumerate(document.items[: PORTALS_MAX + 1]):
        try:
            found.append(make_portal(each.portal, each.group))
        except InvalidError as error:
            problems.take(error, "portals", number)
    problems.raise_any()
    return tuple(found)


async def _reports(nas: Nas) -> dict[tuple[str, int], PortalReport]:
    return {(each.host, each.port): each for each in (await nas.engine_status()).portals}


async def _list(nas: Nas, response: Response) -> PortalList:
    service = await nas.service()
    response.headers["ETag"] = etag(service.revision)
    reports = await _reports(nas)
    return PortalList(
        source="command_line" if service.portals is None else "stored",
        items=[_out(each, reports, service.port) for each in await nas.configured_portals()],
    )


def _out(portal: Portal, reports: dict[tuple[str, int], PortalReport], port: int | None = None) -> PortalOut:
    report = reports.get((portal.host, port or portal.port))
    off = PortalReport(host=portal.host, port=portal.port, group=portal.group, listening=False)
    shown = portal_out(report or off)
    return shown.model_copy(update={"portal": str(portal), "group": portal.group})
