"""Text: `parse_text`, every parser of a value, and the answer to SendTargets."""

from contextlib import suppress

from lunaport.iscsi import limits
from lunaport.iscsi.discovery import Portal, send_targets
from lunaport.iscsi.errors import RemoteProtocolError
from lunaport.iscsi.text import (
    parse_binary,
    parse_boolean,
    parse_list,
    parse_name,
    parse_number,
    parse_text,
    serialize_binary,
    serialize_text,
)

NAME = "iqn.2026-11.test:t"
TARGETS = ((NAME, (Portal(host="192.0.2.1", port=3260), Portal(host="2001:db8::1", port=3260))),)


def check_value(value: str) -> None:
    """Each parser reads a value, within its bound, or refuses it with TextError."""
    with suppress(RemoteProtocolError):
        assert 0 <= parse_number(value) < 16**limits.TEXT_NUMBER_CHARACTERS_MAX
    with suppress(RemoteProtocolError):
        assert ("No", "Yes")[parse_boolean(value)] == value
    with suppress(RemoteProtocolError):
        items = parse_list(value)
        assert ",".join(items) == value
        assert len(items) <= limits.LIST_ITEMS_MAX
    with suppress(RemoteProtocolError):
        binary = parse_binary(value, limits.CHALLENGE_BYTES_MAX)
        assert 0 < len(binary) <= limits.CHALLENGE_BYTES_MAX
        assert parse_binary(serialize_binary(binary), limits.CHALLENGE_BYTES_MAX) == binary
    with suppress(RemoteProtocolError):
        name = parse_name(value)
        assert 0 < len(name.encode()) <= limits.NAME_BYTES_MAX
        assert parse_name(name) == name


def run(data: bytes) -> None:
    """Any bytes are pairs within the bounds, which come back the same when written, or a TextError."""
    check_value(data.decode("utf-8", "replace"))
    try:
        pairs = parse_text(data)
    except RemoteProtocolError:
        return
    assert len(pairs) <= limits.TEXT_KEYS_MAX
    assert parse_text(serialize_text(pairs.items())) == pairs
    for key, value in pairs.items():
        assert len(key) <= limits.TEXT_KEY_BYTES_MAX
        check_value(value)
        for current_target in ("", NAME):
            with suppress(RemoteProtocolError):
                assert len(send_targets(value, current_target, TARGETS)) < 1024
