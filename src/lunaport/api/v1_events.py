"""`/api/v1/events`: what happens, as server-sent events (WHATWG HTML, section 9.2)."""

import json
from collections.abc import AsyncIterator
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse

from lunaport.api.answers import refuse
from lunaport.api.v1_routes import errors
from lunaport.api.v1_words import when
from lunaport.model.errors import Fault
from lunaport.service.events import Event, TooManyListenersError
from lunaport.service.nas import Nas

LAST_ID_CHARS_MAX: Final = 64
STREAM: Final = "text/event-stream"
GREETING: Final = b"retry: 2000\n\n"
"""How long a client that lost us waits, in milliseconds; and the first bytes, so that it knows it is connected."""
KEEP_ALIVE: Final = b":\n\n"


def add_event_routes(router: APIRouter, nas: Nas) -> None:
    """Add the route."""

    @router.get(
        "/events",
        tags=["events"],
        operation_id="get_events",
        response_class=StreamingResponse,
        responses={
            200: {"description": "Events without end.", "content": {STREAM: {"schema": {"type": "string"}}}},
            **errors(401, 503),
        },
        openapi_extra={
            "parameters": [
                {
                    "name": "Last-Event-ID",
                    "in": "header",
                    "required": False,
                    "schema": {"type": "string"},
                    "description": "The id of the last event that was seen: those after it are sent first.",
                }
            ]
        },
    )
    async def get_events(request: Request) -> Response:
        """Logins, logouts, refusals, changes and failures, as they happen."""
        last_id = request.headers.get("last-event-id", "")[:LAST_ID_CHARS_MAX]
        try:
            nas.events.check_room()
        except TooManyListenersError:
            message = "too many listen already; try again later"
            raise refuse(Fault.BUSY, message, headers={"Retry-After": "10"}) from None
        return StreamingResponse(_stream(nas, last_id), media_type=STREAM)


async def _stream(nas: Nas, last_id: str) -> AsyncIterator[bytes]:
    yield GREETING
    try:
        async for event in nas.events.listen(last_id):
            yield KEEP_ALIVE if event is None else serialize(event)
    except TooManyListenersError:
        return  # who came at the same moment was quicker


def serialize(event: Event) -> bytes:
    """An event as it is on the wire. JSON holds no line breaks, so `data` is one line."""
    data = json.dumps({"at": when(event.at).isoformat(), **event.facts})
    head = f"id: {event.id}\n" if event.id else ""
    return f"{head}event: {event.kind}\ndata: {data}\n\n".encode()
