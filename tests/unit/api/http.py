"""What the tests of the HTTP interfaces share."""

from typing import Any

import httpx

SHARES = "/index.php/iscsi_shares/api"
SERVICE = "/index.php/iscsi_service/api"
TARGETS = "/api/v1/targets"
BASE_URL = "http://nas"
PASSWORD = "password-1"
NAME = "iqn.2026-11.io.lunaport:disk"
ALICE = {"enabled": True, "username": "alice", "password": "alice-secret-1"}
THE_NAS = {"enabled": True, "username": "nas", "password": "nas-secret-123"}
NEW = {"target": "disk", "size": "1G"}

Json = dict[str, Any]


class PlainHasher:
    """Costs nothing."""

    def hash(self, password: str) -> str:
        """Not a hash."""
        return f"hash of {password}"

    def verify(self, password_hash: str, password: str) -> bool:
        """Whether it fits."""
        return password_hash == f"hash of {password}"


def nas_errors(response: httpx.Response) -> list[Json]:
    """The errors of an answer of the NAS API, in exactly its shape."""
    body = response.json()
    assert set(body) == {"errors"}
    errors: list[Json] = body["errors"]
    assert errors
    for error in errors:
        assert set(error) == {"message", "code"}
        assert isinstance(error["message"], str)
        assert type(error["code"]) is int
    return errors


def v1_errors(response: httpx.Response) -> list[Json]:
    """The errors of an answer of API v1, in exactly its shape."""
    body = response.json()
    assert set(body) == {"errors"}
    errors: list[Json] = body["errors"]
    assert errors
    for error in errors:
        assert set(error) == {"field", "code", "message", "blockers"}
    return errors
