"""A share from its creation to the trash, with initiators logged in all the while."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.system.conftest import StartNas
from tests.system.initiator import Initiator
from tests.system.nas import Nas, wait_until
from tests.system.peers import output_of
from tests.system.wire import CHECK_CONDITION, LoginError

CAPACITY_HAS_CHANGED = (0x06, 0x2A, 0x09)
LOGOUT_REQUESTED = (1, 2, 3)
"""Asynchronous events by which a target asks for logout, or drops a connection or all of them."""


@pytest.mark.peer
def test_a_login_right_after_the_answer_succeeds(nas: Nas) -> None:
    for number in range(10):
        share = nas.create(f"at-once-{number}", size="1G")
        with Initiator(share.host, share.port, target=share.iqn) as initiator:
            assert initiator.capacity_bytes() == 1 << 30
        nas.delete(share)
    share = nas.create("at-once-libiscsi")
    assert "LUNAPORT" in output_of("iscsi-inq", share.url())


def test_a_short_name_becomes_a_full_one(nas: Nas) -> None:
    share = nas.create("Short-Name")
    assert share.iqn.startswith("iqn.")
    assert share.iqn.endswith(":short-name")
    assert share.iqn in [row["target"] for row in nas.shares()]


def test_growing_is_seen_by_who_is_logged_in(nas: Nas) -> None:
    share = nas.create("grown", size="30M")
    with Initiator(share.host, share.port, target=share.iqn) as initiator:
        initiator.write(0, b"before".ljust(512))
        while initiator.ready().status:
            pass
        assert nas.edit(share, size="41M")["size"] == str(41 << 20)
        told = initiator.ready()
        assert told.status == CHECK_CONDITION
        assert told.sense_key == CAPACITY_HAS_CHANGED
        assert initiator.ready().status == 0, "told once"
        assert initiator.capacity_bytes() == 41 << 20
        initiator.write((41 << 11) - 1, b"the new end".ljust(512))
        assert initiator.read(0, 1) == b"before".ljust(512)
        assert initiator.read((41 << 11) - 1, 1) == b"the new end".ljust(512)


def test_a_share_never_shrinks(nas: Nas) -> None:
    share = nas.create("not-shrunk", size="20M")
    response = nas.call("PUT", {"id": share.id, "size": "10M"})
    assert response.status_code in (400, 409)
    assert "size" in response.json()["errors"][0]["message"]
    with Initiator(share.host, share.port, target=share.iqn) as initiator:
        assert initiator.capacity_bytes() == 20 << 20


def test_deleting_asks_to_log_out_and_keeps_the_data_in_the_trash(nas: Nas) -> None:
    share = nas.create("deleted", size="12345344")
    file = nas.file_of(share)
    with Initiator(share.host, share.port, target=share.iqn, timeout_s=15) as initiator:
        initiator.write(100, b"precious".ljust(512))
        with ThreadPoolExecutor(1) as pool:
            deleting = pool.submit(nas.delete, share)
            initiator.wait_for_close()
            deleting.result()
        assert initiator.asyncs
        assert initiator.asyncs[0] in LOGOUT_REQUESTED
    assert not file.exists()
    (kept,) = [path for path in nas.trash() if path.stat().st_size == share.size_bytes]
    assert kept.read_bytes()[51200:51208] == b"precious"
    assert share.iqn not in [row["target"] for row in nas.shares()]
    with pytest.raises(LoginError) as refused, Initiator(share.host, share.port, target=share.iqn):
        pass
    assert refused.value.status == 0x0203, "not found"


def test_ids_are_never_used_again(nas: Nas) -> None:
    first = nas.create("id-once")
    nas.delete(first)
    second = nas.create("id-once")
    assert second.id > first.id
    with Initiator(second.host, second.port, target=second.iqn) as initiator:
        assert initiator.read(0, 1) == bytes(512), "nothing of the deleted share"


def test_a_share_and_its_data_survive_a_restart(start_nas: StartNas) -> None:
    nas = start_nas()
    share = nas.create("kept", size="25M", header_digest=True)
    with Initiator(share.host, share.port, target=share.iqn) as initiator:
        initiator.write(7, b"still here".ljust(512))
        initiator.synchronize()
    before = nas.shares()
    nas.stop()
    nas.start()
    assert nas.shares() == before
    with Initiator(share.host, share.port, target=share.iqn, offers={"HeaderDigest": "CRC32C,None"}) as initiator:
        assert initiator.negotiated["HeaderDigest"] == "CRC32C"
        assert initiator.read(7, 1) == b"still here".ljust(512)


def test_a_share_on_a_volume_of_its_own(nas: Nas) -> None:
    directory = nas.data_dir / "more-space"
    body = {"name": "fast", "path": str(directory)}
    response = nas.call("POST", body, path="/api/v1/volumes")
    assert response.status_code in (200, 201), response.text
    share = nas.create("on-a-volume", size="3M", volume="fast")
    assert nas.file_of(share).is_relative_to(directory)
    with Initiator(share.host, share.port, target=share.iqn) as initiator:
        initiator.write(0, bytes(512))
    nas.delete(share)
    wait_until(lambda: any(path.is_relative_to(directory) for path in nas.trash()), timeout_s=5, what="trash")


def test_sessions_show_who_is_there_and_what_was_moved(nas: Nas) -> None:
    share = nas.create("watched")
    assert nas.sessions(share) == []
    with Initiator(share.host, share.port, target=share.iqn, name="iqn.2026-11.test:watcher") as initiator:
        initiator.write(0, bytes(8192))
        initiator.read(0, 8)
        (session,) = nas.sessions(share)
        assert session["initiator"] == "iqn.2026-11.test:watcher"
        assert session["address"].startswith("127.0.0.1:")
        assert session["bytes_written"] == 8192
        assert session["bytes_read"] == 4096
        assert session["commands"] >= 2
        initiator.logout()
    wait_until(lambda: nas.sessions(share) == [], timeout_s=5, what="end of session")
