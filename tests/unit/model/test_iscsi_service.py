"""The service object."""

import pytest

from lunaport.model.errors import Fault, InvalidError
from lunaport.model.iscsi_service import IscsiService, ServiceChange, merge_service

NOW = IscsiService(port=860, isns_address="192.0.2.1")


def test_what_is_left_out_stays() -> None:
    assert merge_service(NOW, ServiceChange()) == NOW


def test_an_empty_port_is_each_portals_own() -> None:
    assert merge_service(NOW, ServiceChange(port="")).port is None
    assert merge_service(NOW, ServiceChange(port="3260")).port == 3260


def test_off() -> None:
    assert merge_service(NOW, ServiceChange(enabled=False)).enabled is False


def test_the_address_is_kept_as_typed() -> None:
    assert merge_service(NOW, ServiceChange(isns_address="nas.Example.org:99")).isns_address == "nas.Example.org:99"
    assert merge_service(NOW, ServiceChange(isns_address="")).isns_address == ""


def test_discovery_is_closed_until_somebody_opens_it() -> None:
    assert not IscsiService().discovery_open
    opened = merge_service(NOW, ServiceChange(discovery_open=True))
    assert opened.discovery_open
    assert merge_service(opened, ServiceChange()).discovery_open
    assert not merge_service(opened, ServiceChange(discovery_open=False)).discovery_open


def test_everything_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(InvalidError) as caught:
        merge_service(NOW, ServiceChange(port="abc", isns=True, isns_address="?"))
    assert [(each.fault, each.path) for each in caught.value.problems] == [
        (Fault.PORT_INVALID, ("port",)),
        (Fault.ISNS_ADDRESS_INVALID, ("isns_address",)),
        (Fault.ISNS_UNAVAILABLE, ("isns",)),
    ]
    assert "not available yet" in caught.value.problems[2].message
