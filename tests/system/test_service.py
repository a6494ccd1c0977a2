"""The iSCSI service: on and off, and from port to port, while initiators are there."""

import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.system.conftest import StartNas
from tests.system.initiator import Initiator
from tests.system.nas import SERVICE, Nas, free_port, wait_until
from tests.system.peers import output_of


def service(nas: Nas) -> dict[str, object]:
    """The one service object."""
    (answer,) = nas.answer("GET", path=SERVICE)
    assert isinstance(answer, dict)
    return answer


def listens(port: int) -> bool:
    """Whether somebody takes connections there."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True


def test_off_closes_everything_and_on_opens_it_again(start_nas: StartNas) -> None:
    nas = start_nas()
    share = nas.create("switched")
    assert service(nas)["enabled"] is True
    with Initiator(share.host, share.port, target=share.iqn, timeout_s=15) as initiator:
        initiator.write(0, b"kept".ljust(512))
        with ThreadPoolExecutor(1) as pool:
            switching = pool.submit(nas.edit_service, enabled=False)
            initiator.wait_for_close()
            assert switching.result().status_code == 200
        assert initiator.asyncs, "asked to log out before it was closed"
    assert not listens(nas.port)
    assert service(nas)["enabled"] is False
    nas.stop()
    nas.start()
    assert not listens(nas.port), "still off after a restart"
    assert nas.edit_service(enabled=True).status_code == 200
    with Initiator(share.host, share.port, target=share.iqn) as initiator:
        assert initiator.read(0, 1) == b"kept".ljust(512)


def test_shares_can_be_made_while_the_service_is_off(start_nas: StartNas) -> None:
    nas = start_nas()
    assert nas.edit_service(enabled=False).status_code == 200
    share = nas.create("made-in-the-dark")
    assert nas.edit_service(enabled=True).status_code == 200
    with Initiator(share.host, share.port, target=share.iqn) as initiator:
        assert initiator.capacity_bytes() == share.size_bytes


@pytest.mark.peer
def test_the_port_moves_and_the_sessions_stay(start_nas: StartNas) -> None:
    nas = start_nas()
    share = nas.create("moving")
    new = free_port()
    with Initiator(share.host, share.port, target=share.iqn) as staying:
        assert nas.edit_service(port=str(new)).status_code == 200
        assert service(nas)["port"] == str(new)
        assert listens(new)
        assert not listens(nas.port)
        staying.write(3, b"still at work".ljust(512))
        assert staying.read(3, 1) == b"still at work".ljust(512)
        assert staying.asyncs == []
        assert f":{new}," in output_of("iscsi-ls", f"iscsi://127.0.0.1:{new}")
    nas.stop()
    nas.start()
    assert listens(new)
    assert not listens(nas.port)
    assert nas.edit_service(port="").status_code == 200
    assert listens(nas.port)
    assert not listens(new)


def test_a_port_that_is_taken_changes_nothing(start_nas: StartNas) -> None:
    nas = start_nas()
    share = nas.create("staying")
    with (
        socket.create_server(("127.0.0.1", 0)) as other,
        Initiator(share.host, share.port, target=share.iqn) as initiator,
    ):
        taken = other.getsockname()[1]
        response = nas.edit_service(port=str(taken))
        assert response.status_code in (400, 409)
        assert str(taken) in response.json()["errors"][0]["message"]
        assert initiator.ready().status == 0
    assert service(nas)["port"] == ""
    with Initiator(share.host, share.port, target=share.iqn) as initiator:
        assert initiator.ready().status == 0
    assert nas.healthy()


@pytest.mark.parametrize("port", ["0", "65536", "abc", "-1", "3260 "])
def test_a_port_that_is_none_is_refused(nas: Nas, port: str) -> None:
    response = nas.edit_service(port=port)
    assert response.status_code == 400
    assert "port" in response.json()["errors"][0]["message"]


def test_isns_without_an_address_is_refused(nas: Nas) -> None:
    response = nas.edit_service(isns=True)
    assert response.status_code == 400
    assert "isns-address: is empty while isns is true" in response.json()["errors"][0]["message"]
    assert service(nas)["isns"] is False


@pytest.mark.parametrize("address", ["not a host", "127.0.0.1:99999", "127.0.0.1:abc", "[::1", "a" * 300])
def test_an_isns_address_that_is_none_is_refused(nas: Nas, address: str) -> None:
    response = nas.edit_service(isns_address=address)
    assert response.status_code == 400
    assert "isns-address" in response.json()["errors"][0]["message"]
    assert service(nas)["isns-address"] == ""


def test_the_service_is_back_soon_after_a_restart(start_nas: StartNas) -> None:
    nas = start_nas()
    share = nas.create("restarted")
    nas.stop()
    nas.start()
    wait_until(lambda: listens(nas.port), timeout_s=5, what="portal")
    with Initiator(share.host, share.port, target=share.iqn) as initiator:
        assert initiator.ready().status == 0
