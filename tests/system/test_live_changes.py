"""fio runs through every live change that is none of its business: no error, no new login, the same session."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

import pytest

from tests.system.conftest import StartNas
from tests.system.nas import Nas, Share, free_port, wait_until
from tests.system.test_portals import loopback
from tests.system.test_refusals import metric
from tests.system.test_watch import fio_at_work, get, send, session_of

FIO_S: Final = 60
"""At most: it ends with the test."""
ROUNDS: Final = 2
Change = Callable[[Nas, Share, Share], None]


def rules(nas: Nas, share: Share, other: Share) -> None:
    """Rules that let fio in all the same, each by another way, then none."""
    path = f"/targets/{share.id}"
    for rule in ({"initiators": ["iqn.*"]}, {"networks": ["127.0.0.0/8"]}, {"portal_groups": [1, 9]}):
        send(
            nas, "PATCH", path, {"access": {"rules": [{"initiators": ["iqn.2026-11.test:nobody"], "luns": [7]}, rule]}}
        )
    send(nas, "PATCH", path, {"access": {"rules": [], "single_initiator": True}})
    send(nas, "PATCH", path, {"access": {"single_initiator": False}, "portal_groups": [1, 9]})
    send(nas, "PATCH", path, {"portal_groups": [], "isns": False})


def chap(nas: Nas, share: Share, other: Share) -> None:
    """CHAP for logins to come: a user, a new secret with overlap, one without, another user; then none."""
    path = f"/targets/{share.id}"
    alice = {"enabled": True, "username": "alice", "secret": "alice-secret-1"}
    send(nas, "PATCH", path, {"chap": {"one_way": alice}})
    soon = (datetime.now(UTC) + timedelta(seconds=2)).isoformat()
    rotated = {"one_way": {"secret": "alice-secret-2", "old_secret_valid_until": soon}}
    bob = {"username": "bob", "secret": "bob-secret-123", "initiators": ["iqn.2026-11.test:bob"]}
    send(nas, "PATCH", path, {"chap": rotated | {"credentials": [bob]}})
    send(nas, "PATCH", path, {"chap": {"one_way": {"secret": "alice-secret-1"}, "credentials": []}})
    send(nas, "PATCH", path, {"chap": {"one_way": {"enabled": False}}})
    discovery = {"one_way": {"enabled": True, "username": "finder", "secret": "finder-secret-1"}}
    send(nas, "PATCH", "/service", {"discovery": {"open": True, "chap": discovery}})
    send(nas, "PATCH", "/service", {"discovery": {"open": False, "chap": {"one_way": {"enabled": False}}}})


def portals(nas: Nas, share: Share, other: Share) -> None:
    """Portals come and go, its own too; groups; one port for all; an address that is not there."""
    more, own = f"{loopback()}:3260", f"127.0.0.1:{nas.port}"
    send(nas, "PUT", f"/portals/{more}", {"group": 2})
    send(nas, "PUT", f"/portals/{own}", {"group": 3})
    send(nas, "PUT", "/portals/192.0.2.99", {})
    send(nas, "DELETE", "/portals/192.0.2.99", status=204)
    send(nas, "DELETE", f"/portals/{own}", status=204)
    send(nas, "DELETE", "/portals")
    send(nas, "PATCH", "/service", {"port": free_port()})
    send(nas, "PATCH", "/service", {"port": 0})


def others(nas: Nas, share: Share, other: Share) -> None:
    """Other targets are made, renamed, drained, grown, deleted; other initiators are blocked."""
    send(nas, "PUT", f"/targets/{other.id}/drain", {"draining": True})
    send(nas, "PUT", "/blocks/iqn.2026-11.test:nobody", {"until": None})
    made = send(
        nas, "POST", "/targets", {"name": f"third-{time.time_ns()}", "luns": [{"size_bytes": 1 << 20}]}, status=201
    )
    send(
        nas, "PATCH", f"/targets/{made['id']}", {"name": f"renamed-{time.time_ns()}", "luns": [{"size_bytes": 2 << 20}]}
    )
    send(nas, "DELETE", f"/targets/{made['id']}", status=204)
    send(nas, "PUT", f"/targets/{other.id}/drain", {"draining": False})
    send(nas, "DELETE", "/blocks/iqn.2026-11.test:nobody", status=204)


def own(nas: Nas, share: Share, other: Share) -> None:
    """Its own target: limits, digests for logins to come, a larger disk."""
    path = f"/targets/{share.id}"
    send(nas, "PATCH", path, {"limits": {"iops": 500, "bytes_per_second": 32 << 20}})
    send(nas, "PATCH", path, {"header_digest": True, "data_digest": True})
    send(
        nas, "PATCH", path, {"limits": {"iops": 0, "bytes_per_second": 0}, "header_digest": False, "data_digest": False}
    )


def service(nas: Nas, share: Share, other: Share) -> None:
    """iSNS on and off, with a server that is not there."""
    send(nas, "PATCH", "/service", {"isns": {"enabled": True, "address": f"127.0.0.1:{free_port()}"}})
    send(nas, "PATCH", "/service", {"isns": {"enabled": False, "address": ""}})
    for path in ("/sessions", "/login-failures", "/portals", "/service"):
        get(nas, path)


CHANGES: Final[tuple[Change, ...]] = (rules, chap, portals, others, own, service)


def more_than(nas: Nas, share: Share, commands: int) -> bool:
    """Whether the session of a share has executed more commands than these."""
    return bool(session_of(nas, share)["commands"] > commands)


@pytest.mark.peer
def test_fio_notices_no_change_that_is_none_of_its_business(start_nas: StartNas) -> None:
    nas = start_nas()
    nas.secrets_given |= {"alice-secret-1", "alice-secret-2", "bob-secret-123", "finder-secret-1"}
    share, other = nas.create("undisturbed"), nas.create("disturbed")
    with fio_at_work(share, FIO_S):
        wait_until(lambda: get(nas, "/sessions", target=share.iqn)["items"], timeout_s=10, what="session")
        session = session_of(nas, share)
        assert metric(nas, "lunaport_target_logins_total", target=share.iqn) == 1
        for change in CHANGES * ROUNDS:
            change(nas, share, other)
            now = session_of(nas, share)
            assert (now["id"], now["since"]) == (session["id"], session["since"]), change.__doc__
            wait_until(partial(more_than, nas, share, now["commands"]), timeout_s=10, what="more commands")
        nas.kill("control")
        nas.wait_healthy(timeout_s=20)
        now = session_of(nas, share)
        assert (now["id"], now["since"]) == (session["id"], session["since"]), "the same session all the time"
        assert metric(nas, "lunaport_target_logins_total", target=share.iqn) == 1, "no new login"
