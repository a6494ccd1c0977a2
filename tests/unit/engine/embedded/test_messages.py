"""Messages between control and data survive the way there; errors arrive as what they were."""

import pytest

from lunaport.engine.embedded import messages
from lunaport.engine.interface import (
    Change,
    Credential,
    DesiredState,
    EngineError,
    LunSpec,
    PortalError,
    PortalSpec,
    StorageError,
    TargetSpec,
)

TARGET = TargetSpec(
    name="iqn.2026-11.test:a",
    header_digest=True,
    credentials=(Credential(username="alice", secret="alice-secret-1"),),
    mutual=Credential(username="nas", secret="nas-secret-123"),
    luns=(LunSpec(lun=0, uuid="0" * 32, path="/v/luns/a.img", size_bytes=1 << 40),),
)
PORTAL = PortalSpec(host="::1", port=3260)


@pytest.mark.parametrize(
    "body",
    [
        messages.Start(DesiredState(portals=(PORTAL,), targets=(TARGET,))),
        messages.Apply(Change(put=(TARGET,), removed=("iqn.2026-11.test:b",), portals=None)),
        messages.Apply(Change(portals=())),
        messages.ListSessions(),
        messages.CreateFile("/v/luns/a.img", 10),
    ],
)
def test_a_request_arrives_as_it_was(body: messages.RequestBody) -> None:
    encoded = messages.encode(messages.Request(7, body))
    (length,) = messages.LENGTH.unpack_from(encoded)
    assert length == len(encoded) - messages.LENGTH.size
    request = messages.request_decoder.decode(encoded[messages.LENGTH.size :])
    assert (request.number, request.body) == (7, body)


@pytest.mark.parametrize(
    "error",
    [
        EngineError("something"),
        PortalError(PORTAL, "another program listens on this port already"),
        StorageError("too large", "/v/luns/a.img", "file too large"),
    ],
)
def test_an_error_arrives_as_it_was(error: EngineError) -> None:
    reply = messages.reply_decoder.decode(messages.encode(messages.Reply(1, messages.failure_of(error)))[4:])
    assert isinstance(reply.body, messages.Failure)
    arrived = reply.body.to_error()
    assert type(arrived) is type(error)
    assert str(arrived) == str(error)
