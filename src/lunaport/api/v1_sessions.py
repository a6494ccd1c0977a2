"""`/api/v1/sessions` and `/api/v1/login-failures`: who is logged in, and who could not."""

from typing import Annotated, Final

from fastapi import APIRouter, Path, Query

from lunaport.api import v1_models as v1
from lunaport.api.v1_routes import READING, errors
from lunaport.api.v1_words import make_cursor, parse_cursor, parse_limit, when
from lunaport.service.actions import CloseSession
from lunaport.service.nas import Nas, RefusedLogin, SessionReport

PAGE_COUNT_DEFAULT: Final = 100
PAGE_COUNT_MAX: Final = 1000
FAILURE_COUNT_MAX: Final = 2048
ID_CHARS_MAX: Final = 64
LATENCY_FIRST_US: Final = 2**14 / 1000
"""What the first class of `SessionReport.latency` ends with; each further one ends with twice as much."""

Id = Annotated[str, Path(description="The session's id.", json_schema_extra={"example": "1-800000000001"})]


def add_session_routes(router: APIRouter, nas: Nas) -> None:
    """Add the routes."""

    @router.get("/sessions", tags=["sessions"], operation_id="list_sessions", responses=errors(*READING, 422))
    async def list_sessions(
        limit: Annotated[str, Query(description=f"1 to {PAGE_COUNT_MAX}.")] = str(PAGE_COUNT_DEFAULT),
        cursor: Annotated[str | None, Query(description="`next_cursor` of the page before.")] = None,
        target: Annotated[str | None, Query(description="Only those of this target, by its full name.")] = None,
        initiator: Annotated[str | None, Query(description="Only those of this initiator.")] = None,
    ) -> v1.SessionList:
        """The sessions of now, with what was negotiated, a page at a time."""
        count = parse_limit(limit, PAGE_COUNT_MAX)
        after = 0 if cursor is None else parse_cursor(cursor)
        wanted = (
            session
            for session in await nas.sessions()
            if session.tsih > after and target in (None, session.target) and initiator in (None, session.initiator)
        )
        found = sorted(wanted, key=lambda session: session.tsih)
        page = found[:count]
        return v1.SessionList(
            items=[session_out(session) for session in page],
            next_cursor=make_cursor(page[-1].tsih) if len(found) > count else None,
        )

    @router.get(
        "/sessions/{session_id}", tags=["sessions"], operation_id="get_session", responses=errors(*READING, 404)
    )
    async def get_session(session_id: Id) -> v1.SessionOut:
        """One session."""
        return session_out(await nas.session(session_id))

    @router.delete(
        "/sessions/{session_id}",
        status_code=204,
        tags=["sessions"],
        operation_id="close_session",
        responses=errors(401, 403, 404, 500, 503),
    )
    async def close_session(session_id: Id) -> None:
        """Ask the initiator to log out, and close the session when it does not. It may log in again at once."""
        await nas.perform(CloseSession(session_id=session_id[:ID_CHARS_MAX]))

    @router.get(
        "/login-failures", tags=["sessions"], operation_id="list_login_failures", responses=errors(*READING, 422)
    )
    async def list_login_failures(
        limit: Annotated[str, Query(description=f"1 to {FAILURE_COUNT_MAX}.")] = str(PAGE_COUNT_DEFAULT),
        target: Annotated[str | None, Query(description="Only those that asked for this target.")] = None,
        initiator: Annotated[str | None, Query(description="Only those that called themselves this.")] = None,
    ) -> v1.LoginFailureList:
        """The last logins that were refused, the newest first, and why. A restart of the data process forgets them."""
        count = parse_limit(limit, FAILURE_COUNT_MAX)
        found = [
            each
            for each in await nas.refused_logins()
            if target in (None, each.target) and initiator in (None, each.initiator)
        ]
        return v1.LoginFailureList(items=[_failure_out(each) for each in found[:count]])


def session_out(session: SessionReport) -> v1.SessionOut:
    """A session as a document."""
    return v1.SessionOut(
        id=session.id,
        target=session.target,
        initiator=session.initiator,
        initiator_alias=session.initiator_alias,
        address=session.address,
        portal=session.portal,
        portal_group=session.portal_group,
        since=when(session.since),
        isid=session.isid,
        tsih=session.tsih,
        chap_user=session.chap_user,
        read_only=session.read_only,
        luns=list(session.luns),
        negotiated=session.negotiated,
        commands=session.commands,
        outstanding=session.outstanding,
        bytes_read=session.bytes_read,
        bytes_written=session.bytes_written,
        rates=v1.RatesOut(
            commands=round(session.rates.commands, 1),
            bytes_read=round(session.rates.bytes_read, 1),
            bytes_written=round(session.rates.bytes_written, 1),
        ),
        latency=[
            v1.LatencyOut(
                below_us=LATENCY_FIRST_US * 2**number if number < len(session.latency) - 1 else None, count=count
            )
            for number, count in enumerate(session.latency)
            if count
        ],
    )


def _failure_out(refused: RefusedLogin) -> v1.LoginFailureOut:
    return v1.LoginFailureOut(
        at=when(refused.at),
        reason=refused.reason,
        detail=refused.detail,
        initiator=refused.initiator,
        target=refused.target,
        address=refused.address,
        portal=refused.portal,
    )
