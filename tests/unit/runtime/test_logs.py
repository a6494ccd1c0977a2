"""Logs: one line an event, whoever logs, whatever a peer puts into it."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from lunaport.runtime import logs


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Logging as it was, afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_text() -> None:
    stream = io.StringIO()
    logs.configure("info", "text", stream)
    logging.getLogger("lunaport.test").info("hello %s", "you")
    logging.getLogger("lunaport.test").debug("not told")
    structlog.get_logger("lunaport.other").warning("portal is open", portal="[::1]:3260")
    first, second = stream.getvalue().splitlines()
    assert first.endswith("Z info    lunaport.test: hello you")
    assert second.endswith("Z warning lunaport.other: portal is open portal='[::1]:3260'")


def test_json() -> None:
    stream = io.StringIO()
    logs.configure("debug", "json", stream)
    logging.getLogger("lunaport.test").info("hello")
    structlog.get_logger().debug("moved", count=3)
    first, second = map(json.loads, stream.getvalue().splitlines())
    assert (first["event"], first["level"], first["logger"]) == ("hello", "info", "lunaport.test")
    assert (second["event"], second["count"]) == ("moved", 3)


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_peer_cannot_make_a_line(form: str) -> None:
    stream = io.StringIO()
    logs.configure("info", form, stream)
    logging.getLogger("x").info("name %s", "a\nb\x1b[31m\u2028")
    structlog.get_logger("x").info("name", name="a\nb\x1b[31m")
    assert len(stream.getvalue().splitlines()) == 2
    assert "\x1b" not in stream.getvalue()


@pytest.mark.parametrize("form", ["text", "json"])
def test_exceptions_are_told(form: str) -> None:
    stream = io.StringIO()
    logs.configure("info", form, stream)
    try:
        raise ZeroDivisionError("oops")
    except ZeroDivisionError:
        logging.getLogger("x").exception("it failed")
    assert "it failed" in stream.getvalue()
    assert "ZeroDivisionError: oops" in stream.getvalue()


def test_libraries_are_quiet() -> None:
    stream = io.StringIO()
    logs.configure("info", "text", stream)
    logging.getLogger("uvicorn.error").info("Started")
    logging.getLogger("alembic.runtime").info("Context")
    assert stream.getvalue() == ""
