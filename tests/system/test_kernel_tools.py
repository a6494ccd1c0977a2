"""sg3-utils and sdparm on the Linux kernel's initiator: what they are told, and what really happened to the blocks.

One virtual machine runs all of them; the tests look at what it printed.
"""

import re
from collections.abc import Iterator
from hashlib import sha256

import pytest

from lunaport.scsi.enums import ReservationType, VpdPage
from tests.system.nas import Nas
from tests.vm.machine import HOST, SCRIPTS, Guest, Run, parse_runs

pytestmark = pytest.mark.peer

Runs = dict[str, Run]
BLOCKS = 100 << 11
BLOCK = (b"block\n" * 86)[:512]
ILLEGAL_REQUEST, UNIT_ATTENTION, NOT_READY, MISCOMPARE, RESERVATION_CONFLICT = 5, 6, 2, 14, 24
"""Exit codes of sg3-utils."""
REFUSED = {
    "compare-and-write-again": MISCOMPARE,
    "verify-other": MISCOMPARE,
    "wrong-key": RESERVATION_CONFLICT,
    "reset-told": UNIT_ATTENTION,
    "stopped": NOT_READY,
    "erase-no-key": ILLEGAL_REQUEST,
}
"""What has to fail, and how. All else succeeds."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    """What every command printed, and its exit code."""
    directory = tmp_path_factory.mktemp("tools")
    nas = Nas(directory / "data", hosts=(HOST,))
    try:
        nas.start()
        luns = [{"lun": 0, "size_bytes": BLOCKS * 512}, {"lun": 1, "size_bytes": BLOCKS * 512, "encrypted": True}]
        made = nas.client.post("/api/v1/targets", json={"name": "tools", "luns": luns})
        assert made.status_code == 201, made.text
        given = {
            "PORTAL": f"{HOST}:{nas.port}",
            "TARGET": made.json()["name"],
            "VPD_PAGES": " ".join(f"{page:02x}" for page in VpdPage),
        }
        with Guest(SCRIPTS / "guest-tools.sh", given, directory) as guest:
            found = parse_runs(guest.finish(timeout_s=180))
        found["uuid"] = Run(0, made.json()["luns"][0]["uuid"])
        yield found
        nas.stop()
    finally:
        nas.destroy()
        nas.client.close()


def content(run: Run) -> tuple[int, str]:
    """How many bytes are not zero, and the checksum."""
    count, checksum = run.text.split()[:2]
    return int(count), checksum


def content_of(data: bytes) -> tuple[int, str]:
    """The same of data that is known."""
    return len(data) - data.count(0), sha256(data).hexdigest()


def extents(run: Run) -> list[tuple[int, int, str]]:
    """First block, count and state of each extent that GET LBA STATUS told."""
    found = re.findall(r"LBA: 0x([0-9a-f]+)  blocks: +(\d+)  (\w+)", run.text)
    return [(int(lba, 16), int(count), state) for lba, count, state in found]


def test_everything_succeeds_but_what_has_to_fail(runs: Runs) -> None:
    failed = {name: run.code for name, run in runs.items() if run.code}
    assert failed == REFUSED, {name: runs[name] for name in failed if name not in REFUSED}


PAGES = {
    VpdPage.UNIT_SERIAL_NUMBER: ["Unit serial number: {uuid}"],
    VpdPage.DEVICE_IDENTIFICATION: [
        "vendor specific: {uuid}",
        "naa.3",
        "Locally assigned UUID",
        "Relative target port: 0x1",
        "Target port group: 0x1",
        ":tools,t,0x0001",
    ],
    VpdPage.EXTENDED_INQUIRY_DATA: ["SIMPSUP=1", "V_SUP=1", "LUICLR=1"],
    VpdPage.MODE_PAGE_POLICY: ["Policy: shared"],
    VpdPage.SCSI_PORTS: ["Relative port=1", ":tools,t,0x0001"],
    VpdPage.THIRD_PARTY_COPY: ["Extended copy(LID1)", "Populate token", "Write using token", "block -> block [0x2]"],
    VpdPage.BLOCK_LIMITS: ["Maximum unmap LBA count: 1048576", "Optimal unmap granularity: 8 blocks"],
    VpdPage.BLOCK_DEVICE_CHARACTERISTICS: ["Non-rotating medium"],
    VpdPage.LOGICAL_BLOCK_PROVISIONING: ["Unmap command supported (LBPU): 1", "thin provisioned"],
}


@pytest.mark.parametrize("page", VpdPage)
def test_every_page_is_understood(runs: Runs, page: VpdPage) -> None:
    text = runs[f"vpd-{page:02x}"].text
    assert "VPD page" in text
    for expected in PAGES.get(page, ()):
        assert expected.format(uuid=runs["uuid"].text) in text, text


def test_the_page_of_pages_lists_them_all(runs: Runs) -> None:
    assert len(runs["vpd-00"].text.splitlines()) == 1 + len(VpdPage)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("inquiry", ["LUNAPORT", "[SPC-4]", "3PC=1", "TPGS=1", "SAM-5", "iSCSI", "SBC-3"]),
        ("luns", ["imples 2 lun entries", "lun=0", "lun=1"]),
        ("capacity", [f"Number of logical blocks={BLOCKS}", "lbpme=1, lbprz=1", "physical block length=4096 bytes"]),
        ("opcodes", ["Unmap", "Extended copy", "Write atomic(16)", "Compare and write", "Sanitize, overwrite"]),
        ("functions", ["Abort task", "Clear task set", "Logical unit reset"]),
        ("port-groups", ["target port group id : 0x1", "active/optimized"]),
        ("ready", ["Completed 10 Test Unit Ready commands with 0 errors"]),
        ("sense", ["No additional sense information"]),
        ("modes", ["Read-Write error recovery", "Caching", "Control", "Informational exceptions"]),
        ("logs", ["Supported log pages", "Used LBA mapping threshold resource count", "Informational Exceptions"]),
        ("copy-parameters", ["Copy from block device to block device", "Identification descriptor"]),
    ],
)
def test_what_the_disk_tells_is_understood(runs: Runs, name: str, expected: list[str]) -> None:
    for each in expected:
        assert each in runs[name].text, runs[name].text


def test_the_kernel_sees_the_write_cache_switched_off_and_on(runs: Runs) -> None:
    assert re.search(r"^WCE +0 ", runs["cache-get"].text, re.MULTILINE)
    assert [runs[name].text.strip() for name in ("cache-off", "cache-on")] == ["write through", "write back"]


def test_what_was_written_is_read_and_what_was_unmapped_is_zeros(runs: Runs) -> None:
    assert content(runs["written"]) == content(runs["random"])
    assert extents(runs["status-written"]) == [(0, 16384, "mapped"), (16384, BLOCKS - 16384, "deallocated")]
    assert content(runs["unmapped"]) == content_of(bytes(8192 * 512))
    assert extents(runs["status-unmapped"])[:2] == [(0, 8192, "deallocated"), (8192, 8192, "mapped")]


def test_write_same(runs: Runs) -> None:
    for name in ("same-16-read", "same-10-read"):
        assert content(runs[name]) == content_of(BLOCK * 4096)
    assert content(runs["same-ndob-read"]) == content_of(bytes(2048 * 512))
    assert extents(runs["status-same"])[0] == (2048, 2048, "deallocated")


def test_compare_and_write_verify_and_what_else_writes(runs: Runs) -> None:
    assert content(runs["compare-and-write-read"]) == content_of(BLOCK + bytes(512) + BLOCK)
    assert "Miscompare at byte offset: 0" in runs["compare-and-write-again"].text
    assert content(runs["three"]) == content_of(BLOCK * 3), "written and verified, atomically, and by OR with zeros"


def test_a_copy_by_the_nas_is_the_same(runs: Runs) -> None:
    assert content(runs["copy-read"]) == content(runs["copy-source"])
    assert content(runs["copy-read"])[0] > 8192 * 500, "random"


def test_persistent_reservations(runs: Runs) -> None:
    def told(name: str, *expected: str) -> None:
        for each in expected:
            assert each in runs[name].text, runs[name].text

    me, other = ":tools,i,0x", "iqn.2026-11.test.lunaport:other,i,0x800000000001"
    told("keys", "1 registered reservation key", "0xa")
    told("reservation", "Key=0xa", "type: Write Exclusive, registrants only")
    told("full-status", "Key=0xa", "Reservation holder", me)
    told("capabilities", "Persist Through Power Loss Active(PTPL_A): 1", "All Target Ports Capable(ATP_C): 1")
    assert len(re.findall(r"(Write Exclusive|Exclusive Access).*: 1", runs["capabilities"].text)) == len(
        ReservationType
    )
    told("preempted", "type: Exclusive Access, registrants only")
    told("released", "there is NO reservation held")
    told("moved", "Key=0xb", "Key=0xc", "Reservation holder", me, other)
    told("cleared", "there are NO registered reservation keys")


def test_a_reset_is_told_once(runs: Runs) -> None:
    assert "Bus device reset function occurred" in runs["reset-told"].text


def test_erasing(runs: Runs) -> None:
    assert content(runs["erased-blocks"]) == content_of(bytes(16384 * 512))
    assert extents(runs["status-erased"]) == [(0, BLOCKS, "deallocated")]
    assert content(runs["overwritten"]) == content_of(BLOCK * 4096)
    assert content(runs["erased-key"])[1] != content(runs["copy-read"])[1]
    assert content(runs["formatted"]) == content_of(bytes(4096 * 512))
