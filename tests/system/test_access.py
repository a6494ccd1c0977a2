"""Who may use what, with libiscsi's tools and a plain initiator: rules, several users, secrets that overlap."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from tests.system.conftest import StartNas
from tests.system.initiator import Chap, Initiator
from tests.system.nas import Json, Nas, Share, wait_until
from tests.system.peers import output_of, run
from tests.system.wire import LoginError

WRITER, READER = "iqn.2026-11.test.lunaport:writer", "iqn.2026-11.test.lunaport:reader"
BLOCK = b"written".ljust(512)


def patch(nas: Nas, share: Share, body: Json) -> Json:
    """PATCH of the target behind a share, in API v1."""
    response = nas.call("PATCH", body, path=f"/api/v1/targets/{share.id}")
    assert response.status_code == 200, response.text
    answer: Json = response.json()
    return answer


def log_in(share: Share, name: str, chap: Chap | None = None) -> Initiator:
    return Initiator(share.host, share.port, target=share.iqn, name=name, chap=chap)


def refused(share: Share, name: str, chap: Chap | None = None) -> int:
    with pytest.raises(LoginError) as error, log_in(share, name, chap):
        pass
    return error.value.status


@pytest.mark.peer
def test_two_initiators_with_different_rights_at_once(start_nas: StartNas) -> None:
    nas = start_nas()
    share = nas.create("rights")
    with log_in(share, WRITER) as writer, log_in(share, READER) as reader:
        rules = [{"initiators": [WRITER]}, {"initiators": ["*:reader"], "read_only": True}]
        assert patch(nas, share, {"access": {"rules": rules}})["warnings"] == []
        writer.write(0, BLOCK)
        wait_until(lambda: reader.ready().status == 0, timeout_s=5, what="the news of the changed rights")
        assert reader.read(0, 1) == BLOCK
        result = reader.command(bytes.fromhex("2a000000000000000100"), data_out=bytes(512))
        assert result.sense[2] & 0xF == 7
        assert result.sense[12:14] == b"\x27\x00"
        assert reader.read(0, 1) == BLOCK
        assert [row["read_only"] for row in nas.sessions(share)] == [False, True]
        nas.kill("control")
        nas.wait_healthy(timeout_s=10)
        writer.write(1, BLOCK)
        assert refused(share, "iqn.2026-11.test.lunaport:stranger") == 0x0202
        assert share.iqn not in output_of("iscsi-ls", f"iscsi://127.0.0.1:{nas.port}")
        allowed = output_of("iscsi-ls", "-i", WRITER, f"iscsi://127.0.0.1:{nas.port}")
        assert share.iqn in allowed
        assert run("iscsi-inq", "-i", READER, share.url()).returncode == 0
        assert run("iscsi-inq", "-i", "iqn.2026-11.test.lunaport:stranger", share.url()).returncode != 0


def test_networks(start_nas: StartNas) -> None:
    nas = start_nas()
    share = nas.create("networks")
    patch(nas, share, {"access": {"rules": [{"networks": ["192.0.2.0/24"]}]}})
    assert refused(share, WRITER) == 0x0202
    patch(nas, share, {"access": {"rules": [{"networks": ["192.0.2.0/24", "127.0.0.0/8"]}]}})
    with log_in(share, WRITER) as initiator:
        assert initiator.ready().status == 0
    nas.kill("data")
    nas.wait_healthy(timeout_s=10)
    with log_in(share, WRITER) as initiator:
        assert initiator.ready().status == 0


def test_an_old_secret_ends_at_its_time(start_nas: StartNas) -> None:
    nas = start_nas()
    share = nas.create("rotated", one_way_chap={"enabled": True, "username": "alice", "password": "alice-secret-1"})
    nas.secrets_given |= {"alice-secret-2", "bob-secret-123"}
    old, new = Chap(user="alice", secret="alice-secret-1"), Chap(user="alice", secret="alice-secret-2")
    end = datetime.now(UTC) + timedelta(seconds=4)
    change = {"secret": "alice-secret-2", "old_secret_valid_until": end.isoformat()}
    bob = {"username": "bob", "secret": "bob-secret-123", "initiators": [READER]}
    patch(nas, share, {"chap": {"one_way": change, "credentials": [bob]}})
    for chap in (old, new):
        with log_in(share, WRITER, chap) as initiator:
            assert initiator.ready().status == 0
    time.sleep(max(0.0, (end - datetime.now(UTC)).total_seconds()))
    assert refused(share, WRITER, old) == 0x0201
    with log_in(share, WRITER, new) as initiator:
        assert initiator.ready().status == 0
    with log_in(share, READER, Chap(user="bob", secret="bob-secret-123")) as initiator:
        assert initiator.ready().status == 0
    assert refused(share, WRITER, Chap(user="bob", secret="bob-secret-123")) == 0x0201


@pytest.mark.peer
def test_the_secret_of_discovery(start_nas: StartNas) -> None:
    nas = start_nas()
    share = nas.create("found", one_way_chap={"enabled": True, "username": "alice", "password": "alice-secret-1"})
    nas.secrets_given.add("finder-secret-1")
    chap = {"one_way": {"enabled": True, "username": "finder", "secret": "finder-secret-1"}}
    body = {"enabled": True, "discovery": {"chap": chap}}
    assert nas.call("PUT", body, path="/api/v1/service").status_code == 200
    assert run("iscsi-ls", f"iscsi://127.0.0.1:{nas.port}").returncode != 0
    assert share.iqn in output_of("iscsi-ls", f"iscsi://finder%finder-secret-1@127.0.0.1:{nas.port}")
    assert share.iqn in output_of("iscsi-ls", f"iscsi://alice%alice-secret-1@127.0.0.1:{nas.port}")
    assert run("iscsi-inq", share.url("finder%finder-secret-1")).returncode != 0, "it opens no target"
    nas.stop()
    nas.start()
    assert run("iscsi-ls", f"iscsi://127.0.0.1:{nas.port}").returncode != 0, "stored"


def test_one_initiator_at_a_time(start_nas: StartNas) -> None:
    nas = start_nas()
    share = nas.create("alone")
    patch(nas, share, {"access": {"single_initiator": True}})
    with log_in(share, WRITER) as first:
        assert refused(share, READER) == 0x0302
        assert first.ready().status == 0

        def in_its_place() -> bool:
            # The first one is silent from now on, as if it were dead: it answers no ping.
            try:
                with log_in(share, READER) as second:
                    return bool(second.ready().status == 0)
            except LoginError:
                time.sleep(0.5)
                return False

        wait_until(in_its_place, timeout_s=20, what="the place of the dead initiator")
