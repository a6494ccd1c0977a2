"""The service object."""

import pytest

from lunaport.model.address import HostPort
from lunaport.model.errors import Fault, InvalidError
from lunaport.model.iscsi_service import IscsiService, ServiceChange, merge_service, parse_isns_address


def merge(current: IscsiService, change: ServiceChange) -> IscsiService:
    return merge_service(current, change, now=9.0)


NOW = IscsiService(port=860, isns_address="192.0.2.1")


def test_what_is_left_out_stays() -> None:
    assert merge(NOW, ServiceChange()) == NOW


def test_an_empty_port_is_each_portals_own() -> None:
    assert merge(NOW, ServiceChange(port="")).port is None
    assert merge(NOW, ServiceChange(port="3260")).port == 3260


def test_off() -> None:
    assert merge(NOW, ServiceChange(enabled=False)).enabled is False


def test_the_address_is_kept_as_typed() -> None:
    assert merge(NOW, ServiceChange(isns_address="nas.Example.org:99")).isns_address == "nas.Example.org:99"
    assert merge(NOW, ServiceChange(isns_address="")).isns_address == ""


def test_discovery_is_closed_until_somebody_opens_it() -> None:
    assert not IscsiService().discovery_open
    opened = merge(NOW, ServiceChange(discovery_open=True))
    assert opened.discovery_open
    assert merge(opened, ServiceChange()).discovery_open
    assert not merge(opened, ServiceChange(discovery_open=False)).discovery_open


def test_everything_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(InvalidError) as caught:
        merge(NOW, ServiceChange(port="abc", isns=True, isns_address="?"))
    assert [(each.fault, each.path) for each in caught.value.problems] == [
        (Fault.PORT_INVALID, ("port",)),
        (Fault.ISNS_ADDRESS_INVALID, ("isns_address",)),
    ]


def test_isns_needs_an_address() -> None:
    assert merge(NOW, ServiceChange(isns=True)).isns_servers == (HostPort(host="192.0.2.1", port=3205),)
    for current, change in [
        (IscsiService(), ServiceChange(isns=True)),
        (NOW, ServiceChange(isns=True, isns_address="")),
        (IscsiService(isns=True, isns_address="192.0.2.1"), ServiceChange(isns_address="")),
    ]:
        with pytest.raises(InvalidError) as caught:
            merge(current, change)
        assert [(each.fault, each.path) for each in caught.value.problems] == [
            (Fault.ISNS_ADDRESS_MISSING, ("isns_address",))
        ]


def test_no_server_counts_while_isns_is_off() -> None:
    assert NOW.isns_servers == ()


def test_several_servers() -> None:
    assert parse_isns_address("192.0.2.1, [2001:db8::1]:99,nas.example.org") == (
        HostPort(host="192.0.2.1", port=3205),
        HostPort(host="2001:db8::1", port=99),
        HostPort(host="nas.example.org", port=3205),
    )
    assert parse_isns_address("") == ()
    assert len(parse_isns_address(",".join(f"192.0.2.{n}" for n in range(8)))) == 8


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("192.0.2.1,", "is not a host name"),
        (" ", "is not a host name"),
        (",", "is not a host name"),
        ("192.0.2.1,192.0.2.1:3205", "names a server twice"),
        (",".join(f"192.0.2.{n}" for n in range(9)), "more servers than the 8"),
        ("," * 100_000, "more servers than the 8"),
        ("192.0.2.1, x" + "y" * 10**6, "is not an address"),
    ],
)
def test_servers_refused(text: str, reason: str) -> None:
    with pytest.raises(InvalidError, match=reason) as caught:
        parse_isns_address(text)
    assert len(str(caught.value)) < 1000
