"""CHAP, one-way and mutual: what is set through the NAS API decides who logs in."""

import secrets

import pytest

from tests.system.initiator import Chap, Initiator
from tests.system.nas import Nas, Share
from tests.system.peers import output_of, run
from tests.system.wire import InitiatorError, LoginError

ALICE = {"enabled": True, "username": "alice", "password": "alice-secret-1"}
THE_NAS = {"enabled": True, "username": "nas", "password": "nas-secret-123"}
RIGHT = "alice%alice-secret-1"


@pytest.fixture
def share(nas: Nas) -> Share:
    """A share with mutual CHAP, for one test."""
    return nas.create(f"chap-{secrets.token_hex(4)}", one_way_chap=ALICE, mutual_chap=THE_NAS)


@pytest.mark.peer
def test_libiscsi_logs_in_with_the_right_secret(share: Share) -> None:
    assert "LUNAPORT" in output_of("iscsi-inq", share.url(RIGHT))


@pytest.mark.peer
@pytest.mark.parametrize("credentials", ["", "alice%alice-secret-2", "bob%alice-secret-1", "nas%nas-secret-123"])
def test_libiscsi_is_refused_with_anything_else(share: Share, credentials: str) -> None:
    done = run("iscsi-inq", share.url(credentials))
    assert done.returncode != 0
    assert "authentication" in (done.stdout + done.stderr).lower()


@pytest.mark.peer
def test_libiscsi_believes_the_target_with_mutual_chap(share: Share) -> None:
    both = {"LIBISCSI_CHAP_TARGET_USERNAME": "nas", "LIBISCSI_CHAP_TARGET_PASSWORD": "nas-secret-123"}
    assert "LUNAPORT" in output_of("iscsi-inq", share.url(RIGHT), environment=both)


@pytest.mark.peer
@pytest.mark.parametrize(("user", "secret"), [("nas", "nas-secret-124"), ("other", "nas-secret-123")])
def test_libiscsi_turns_away_from_a_target_that_is_not_the_one(share: Share, user: str, secret: str) -> None:
    other = {"LIBISCSI_CHAP_TARGET_USERNAME": user, "LIBISCSI_CHAP_TARGET_PASSWORD": secret}
    assert run("iscsi-inq", share.url(RIGHT), environment=other).returncode != 0


@pytest.mark.parametrize("algorithm", [5, 7])
def test_md5_and_sha256_prove_both_sides(share: Share, algorithm: int) -> None:
    chap = Chap(
        user="alice",
        secret="alice-secret-1",
        algorithms=(algorithm,),
        target_user="nas",
        target_secret="nas-secret-123",
    )
    with Initiator(share.host, share.port, target=share.iqn, chap=chap) as initiator:
        assert initiator.capacity_bytes() == share.size_bytes


def test_a_wrong_secret_and_an_unknown_user_look_alike(share: Share) -> None:
    for chap in (Chap(user="alice", secret="alice-secret-2"), Chap(user="mallory", secret="alice-secret-1")):
        with pytest.raises(LoginError) as refused, Initiator(share.host, share.port, target=share.iqn, chap=chap):
            pass
        assert refused.value.status == 0x0201


def test_the_target_proves_nothing_it_was_not_given_a_secret_for(nas: Nas) -> None:
    share = nas.create("chap-one-way-only", one_way_chap=ALICE)
    chap = Chap(user="alice", secret="alice-secret-1", target_user="nas", target_secret="nas-secret-123")
    with pytest.raises((InitiatorError, KeyError)), Initiator(share.host, share.port, target=share.iqn, chap=chap):
        pass


def test_chap_cannot_be_skipped(share: Share) -> None:
    with pytest.raises(LoginError) as refused, Initiator(share.host, share.port, target=share.iqn):
        pass
    assert refused.value.status == 0x0201


def test_a_new_secret_holds_for_the_next_login(nas: Nas) -> None:
    share = nas.create("chap-rotated", one_way_chap=ALICE)
    old, new = Chap(user="alice", secret="alice-secret-1"), Chap(user="alice", secret="alice-secret-9")
    with Initiator(share.host, share.port, target=share.iqn, chap=old) as logged_in:
        answer = nas.edit(share, one_way_chap={"enabled": True, "username": "alice", "password": "alice-secret-9"})
        assert answer["one-way-chap"] == {"enabled": True, "username": "alice", "password": ""}
        assert logged_in.ready().status == 0, "the session that is there stays"
        with pytest.raises(LoginError), Initiator(share.host, share.port, target=share.iqn, chap=old):
            pass
        with Initiator(share.host, share.port, target=share.iqn, chap=new) as again:
            assert again.ready().status == 0


def test_a_put_without_password_keeps_the_stored_one(nas: Nas) -> None:
    share = nas.create("chap-kept", one_way_chap=ALICE)
    nas.edit(share, one_way_chap={"enabled": True, "username": "alice2", "password": ""})
    with Initiator(share.host, share.port, target=share.iqn, chap=Chap(user="alice2", secret="alice-secret-1")):
        pass
    nas.edit(share, one_way_chap={"enabled": False})
    with Initiator(share.host, share.port, target=share.iqn):
        pass


@pytest.mark.peer
def test_the_secrets_stand_nowhere_in_the_data_directory(nas: Nas, share: Share) -> None:
    output_of("iscsi-inq", share.url(RIGHT))
    for path in nas.data_dir.rglob("*"):
        if path.is_file() and path.stat().st_size < 32 << 20:
            content = path.read_bytes()
            assert b"alice-secret-1" not in content, path
            assert b"nas-secret-123" not in content, path
