"""Logging: one line an event on stderr, as text for people or JSON for machines, for our own and the libraries' logs.

Modules log through the standard library or through structlog; both come out alike. Control characters from peers
cannot break lines: text is escaped, JSON escapes by itself.
"""

import logging
import sys
from typing import Any, Final, TextIO

import structlog
from structlog.types import EventDict, Processor

_LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_QUIET: Final = ("uvicorn.error", "uvicorn.access", "alembic", "asyncio", "httpx", "httpcore")
"""Libraries that say little of use below WARNING."""


def _one_line(_logger: Any, _method: str, event: EventDict) -> EventDict:
    text = str(event.get("event", ""))
    event["event"] = "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
    return event


def _text(_logger: Any, _method: str, event: EventDict) -> str:
    error = event.pop("exception", "")
    head = f"{event.pop('timestamp')} {event.pop('level'):<7} {event.pop('logger', '')}: {event.pop('event')}"
    rest = " ".join(f"{key}={value!r}" for key, value in event.items())
    return f"{head} {rest}".rstrip() + (f"\n{error}" if error else "")


def configure(level: str, form: str, stream: TextIO | None = None) -> None:
    """Send all logs to `stream` (standard error). `level`: debug, info, warning or error; `form`: text or json."""
    shared: list[Processor] = [
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: Processor = structlog.processors.JSONRenderer() if form == "json" else _text
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                _one_line,
                last,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(_LEVELS[level])
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, _LEVELS[level]))
