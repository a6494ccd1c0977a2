"""What `test_portals` runs in a network namespace: a NAS, and the addresses of the interface under it.

`python -m tests.system.addresses_come_and_go DIRECTORY`
"""

import sys
from pathlib import Path

from tests.system.initiator import Initiator
from tests.system.nas import Json, Nas, wait_until
from tests.system.peers import output_of

SOON_S = 15
PORTALS = "/api/v1/portals"
LEFT, RIGHT = "192.0.2.7", "2001:db8::7"


def address(verb: str, text: str) -> None:
    """Give the loopback interface an address, or take it."""
    extra = ("nodad",) if ":" in text and verb == "add" else ()
    output_of("ip", "address", verb, f"{text}/{128 if ':' in text else 32}", "dev", "lo", *extra)


def portal(nas: Nas, host: str) -> Json:
    """A portal as API v1 shows it."""
    (found,) = (each for each in nas.answer("GET", path=PORTALS)["items"] if host in each["portal"])
    shown: Json = found
    return shown


def wait_for(nas: Nas, host: str, *, listening: bool) -> None:
    """Wait until a portal listens, or does not."""
    wait_until(lambda: portal(nas, host)["listening"] is listening, timeout_s=SOON_S, what=f"{host}: {listening}")


def life(nas: Nas) -> None:
    """An address that is not there yet, comes, goes, and comes after a restart."""
    share = nas.create("come-and-go")
    with Initiator("127.0.0.1", nas.port, target=share.iqn) as untouched:
        for host, name in ((LEFT, f"{LEFT}:860"), (RIGHT, f"[{RIGHT}]:860")):
            response = nas.call("PUT", {"group": 2}, path=f"{PORTALS}/{name}")
            assert response.status_code == 200, response.text
            assert response.json()["error"] == "this machine has no such address"
            assert nas.answer("GET", path="/api/v1/health")["status"] == "degraded"
            address("add", host)
            wait_for(nas, host, listening=True)
            with Initiator(host, 860, target=share.iqn) as initiator:
                assert initiator.ready().status == 0
                with Initiator(host, 860, name="iqn.2026-11.test:finder") as discovery:
                    assert ("TargetAddress", f"{name},2") in discovery.text({"SendTargets": share.iqn})
                address("del", host)
                wait_for(nas, host, listening=False)
                assert "any more" in portal(nas, host)["error"]
                came_by = [each["portal"] for each in nas.sessions(share)]
                assert name in came_by, "sessions are not touched"
            assert untouched.ready().status == 0
    nas.stop()
    nas.start()
    for host in (LEFT, RIGHT):
        assert not portal(nas, host)["listening"]
        address("add", host)
        wait_for(nas, host, listening=True)
        with Initiator(host, 860, target=share.iqn) as initiator:
            assert initiator.ready().status == 0
    assert nas.answer("GET", path="/api/v1/health")["status"] == "ok"


def main() -> None:
    """Run it; any failure is an exception."""
    output_of("ip", "link", "set", "lo", "up")
    nas = Nas(Path(sys.argv[1]) / "data")
    try:
        nas.start()
        life(nas)
        nas.stop()
    except BaseException:
        sys.stdout.write(nas.log_tail())
        raise
    finally:
        nas.destroy()
        nas.client.close()


if __name__ == "__main__":
    main()
