"""Every fault has its code and status, each code once; and the table in the documentation says the same."""

import re
from pathlib import Path

from lunaport.api.answers import dotted, nas_field, v1_field
from lunaport.api.faults import WIRE
from lunaport.model.errors import Fault

DOCUMENTATION = Path(__file__).parents[3] / "docs" / "nas-api.md"
NAS_STATUSES = {400, 401, 403, 404, 405, 408, 409, 413, 500}


def test_every_fault_once() -> None:
    assert set(WIRE) == set(Fault)
    assert len({wire.code for wire in WIRE.values()}) == len(WIRE)
    assert {wire.nas_status for wire in WIRE.values()} <= NAS_STATUSES


def test_the_documentation_lists_them_all() -> None:
    listed = {
        (int(code), int(status))
        for code, status in re.findall(r"^\| (\d{4}) \| (\d{3}) \|", DOCUMENTATION.read_text(), re.MULTILINE)
    }
    assert listed == {(wire.code, wire.nas_status) for wire in WIRE.values()}


def test_names_of_fields() -> None:
    assert nas_field(("one_way", "secret")) == "one-way-chap.password"
    assert nas_field(("name",)) == "target"
    assert v1_field(("one_way", "secret")) == "chap.one_way.secret"
    assert v1_field(("size",)) == "luns[0].size_bytes"
    assert v1_field(("isns_address",)) == "isns.address"
    assert dotted(("luns", 0, "size_bytes")) == "luns[0].size_bytes"
    assert dotted(()) == ""
