"""Discovery and identity, as libiscsi's tools and a plain initiator see them."""

import pytest

from tests.system.conftest import StartNas
from tests.system.initiator import Initiator
from tests.system.nas import Nas
from tests.system.peers import output_of, run
from tests.system.wire import REJECT, InitiatorError


@pytest.mark.peer
@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_iscsi_ls_finds_a_share_where_it_asked(nas: Nas, host: str) -> None:
    share = nas.create(f"found-at-{len(host)}")
    lines = output_of("iscsi-ls", f"iscsi://{host}:{nas.port}").splitlines()
    assert any(share.iqn in line and f"Portal:{host}:{nas.port}," in line for line in lines), lines


@pytest.mark.peer
def test_iscsi_ls_logs_in_everywhere_and_sees_lun_0(start_nas: StartNas) -> None:
    nas = start_nas()
    shares = [nas.create(f"listed-{number}") for number in (1, 2)]
    listing = output_of("iscsi-ls", "--show-luns", f"iscsi://127.0.0.1:{nas.port}")
    for share in shares:
        lines = listing[listing.index(share.iqn) :].splitlines()
        assert lines[1].startswith("Lun:0    Type:DIRECT_ACCESS")


@pytest.mark.peer
def test_iscsi_inq_sees_a_disk_with_an_identity_of_its_own(nas: Nas) -> None:
    one, two = nas.create("inquiry-one"), nas.create("inquiry-two")
    standard = output_of("iscsi-inq", one.url())
    assert "LUNAPORT" in standard
    assert "DIRECT_ACCESS" in standard
    pages = output_of("iscsi-inq", "--evpd", "1", "--pagecode", "0", one.url())
    for page in ("0x80", "0x83", "0xb0", "0xb1", "0xb2"):
        assert page in pages.lower()
    serials = [output_of("iscsi-inq", "--evpd", "1", "--pagecode", "128", share.url()) for share in (one, two)]
    assert serials[0] != serials[1]
    assert serials[0] == output_of("iscsi-inq", "--evpd", "1", "--pagecode", "128", one.url())


@pytest.mark.peer
@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_capacity_is_the_size_that_was_asked_for(nas: Nas, host: str) -> None:
    share = nas.create(f"capacity-{len(host)}", size="10000001")
    assert share.size_bytes == 10000384, "rounded up to whole blocks"
    url = f"iscsi://{host}:{nas.port}/{share.iqn}/0"
    assert output_of("iscsi-readcapacity16", "--size", url).strip() == "10000384"


ALICE = {"enabled": True, "username": "alice", "password": "alice-secret-1"}
OTHER_ALICE = ALICE | {"password": "alice-secret-2"}


@pytest.mark.peer
def test_iscsi_ls_is_told_of_what_it_may_use(start_nas: StartNas) -> None:
    nas = start_nas()
    shares = {
        "open": nas.create("open"),
        "alice": nas.create("alice", one_way_chap=ALICE),
        "other": nas.create("other", one_way_chap=OTHER_ALICE),
    }

    def told(credentials: str = "") -> set[str]:
        listing = output_of("iscsi-ls", f"iscsi://{credentials}127.0.0.1:{nas.port}")
        return {name for name, share in shares.items() if share.iqn in listing}

    assert told() == {"open"}
    assert told("alice%alice-secret-1@") == {"open", "alice"}
    assert told("alice%alice-secret-2@") == {"open", "other"}
    for wrong in ("alice%alice-secret-3@", "mallory%alice-secret-1@"):
        assert run("iscsi-ls", f"iscsi://{wrong}127.0.0.1:{nas.port}").returncode != 0
    with Initiator("127.0.0.1", nas.port, target=shares["open"].iqn) as staying:
        body = {"enabled": True, "discovery": {"open": True}}
        assert nas.call("PUT", body, path="/api/v1/service").status_code == 200
        assert told() == {"open", "alice", "other"}
        nas.kill("control")
        nas.wait_healthy(timeout_s=10)
        assert told() == {"open", "alice", "other"}, "stored"
        assert nas.call("PUT", {"enabled": True}, path="/api/v1/service").status_code == 200
        assert told() == {"open"}
        assert staying.ready().status == 0, "the session stays"


def test_send_targets_names_every_portal_of_a_target(nas: Nas) -> None:
    share = nas.create("all-portals")
    with Initiator("127.0.0.1", nas.port) as discovery:
        pairs = discovery.text({"SendTargets": share.iqn})
        assert pairs[0] == ("TargetName", share.iqn)
        addresses = {value.split(",")[0] for key, value in pairs if key == "TargetAddress"}
        assert addresses == {f"127.0.0.1:{nas.port}", f"[::1]:{nas.port}"}
        everything = discovery.text({"SendTargets": "All"})
        assert ("TargetName", share.iqn) in everything
        assert discovery.text({"SendTargets": "iqn.2026-11.test:none"}) == []
        assert discovery.logout() == 0


def test_a_normal_session_learns_of_its_own_target_only(nas: Nas) -> None:
    share, other = nas.create("own-target"), nas.create("not-own-target")
    with Initiator("127.0.0.1", nas.port, target=share.iqn) as initiator:
        names = [value for key, value in initiator.text({"SendTargets": ""}) if key == "TargetName"]
        assert names == [share.iqn]
        with pytest.raises(InitiatorError) as refused:
            initiator.text({"SendTargets": other.iqn})
        assert f"Pdu(opcode={REJECT}," in str(refused.value)
        assert initiator.ready().status == 0, "the session goes on"
