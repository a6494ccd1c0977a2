"""CRC32C digests: the share's two switches decide, for every initiator that offers a choice."""

import pytest

from tests.system.initiator import Initiator
from tests.system.nas import Nas
from tests.system.peers import output_of
from tests.system.wire import InitiatorError, LoginError

BOTH = {"HeaderDigest": "CRC32C,None", "DataDigest": "CRC32C,None"}
PATTERN = bytes(range(256)) * 16


@pytest.mark.parametrize("header", [False, True])
@pytest.mark.parametrize("data", [False, True])
def test_digests_are_as_the_share_says(nas: Nas, header: bool, data: bool) -> None:
    share = nas.create(f"digests-{header:d}-{data:d}", header_digest=header, data_digest=data)
    with Initiator(share.host, share.port, target=share.iqn, offers=BOTH) as initiator:
        assert initiator.negotiated["HeaderDigest"] == ("CRC32C" if header else "None")
        assert initiator.negotiated["DataDigest"] == ("CRC32C" if data else "None")
        initiator.write(8, PATTERN)
        assert initiator.read(8, len(PATTERN) // 512) == PATTERN
        assert initiator.ping(b"odd") == b"odd"
        (session,) = nas.sessions(share)
        assert session["negotiated"]["HeaderDigest"] == ("CRC32C" if header else "None")
        assert session["negotiated"]["DataDigest"] == ("CRC32C" if data else "None")
        assert session["initiator"] == initiator.name


def test_an_initiator_that_prefers_none_still_gets_what_the_share_says(nas: Nas) -> None:
    share = nas.create("digests-preferred", header_digest=True, data_digest=True)
    offers = {"HeaderDigest": "None,CRC32C", "DataDigest": "None,CRC32C"}
    with Initiator(share.host, share.port, target=share.iqn, offers=offers) as initiator:
        assert initiator.negotiated["HeaderDigest"] == initiator.negotiated["DataDigest"] == "CRC32C"


def test_an_initiator_without_crc32c_gets_in(nas: Nas) -> None:
    share = nas.create("digests-not-offered", header_digest=True, data_digest=True)
    with Initiator(share.host, share.port, target=share.iqn) as initiator:
        assert initiator.negotiated["HeaderDigest"] == initiator.negotiated["DataDigest"] == "None"


def test_a_put_holds_for_the_next_login(nas: Nas) -> None:
    share = nas.create("digests-put", header_digest=False, data_digest=False)
    with Initiator(share.host, share.port, target=share.iqn, offers=BOTH) as before:
        nas.edit(share, header_digest=True, data_digest=True)
        before.write(0, PATTERN)
        with Initiator(share.host, share.port, target=share.iqn, offers=BOTH) as after:
            assert after.negotiated["DataDigest"] == "CRC32C"
            assert after.read(0, 8) == PATTERN
        assert before.read(0, 8) == PATTERN


@pytest.mark.peer
def test_libiscsi_with_a_header_digest(nas: Nas) -> None:
    share = nas.create("digests-libiscsi", header_digest=True)
    assert "LUNAPORT" in output_of("iscsi-inq", share.url(options="?header_digest=crc32c"))


def test_who_insists_on_a_digest_is_refused_where_it_is_off(nas: Nas) -> None:
    share = nas.create("digests-insisted", data_digest=False)
    only = {"DataDigest": "CRC32C"}
    with (
        pytest.raises((LoginError, InitiatorError)),
        Initiator(share.host, share.port, target=share.iqn, offers=only) as initiator,
    ):
        assert initiator.negotiated["DataDigest"] == "Reject"
        raise InitiatorError("rejected, as RFC 7143 section 6.2 lets a target do")


def test_a_corrupt_data_digest_is_noticed_and_nothing_is_written(nas: Nas) -> None:
    share = nas.create("digests-corrupt", data_digest=True)
    with Initiator(share.host, share.port, target=share.iqn, offers=BOTH) as good:
        good.write(0, PATTERN)
        with Initiator(share.host, share.port, target=share.iqn, offers=BOTH) as bad:
            bad.corrupt_next_data_digest = True
            with pytest.raises(InitiatorError):
                bad.write(0, bytes(4096))
        assert good.read(0, 8) == PATTERN
