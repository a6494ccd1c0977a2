"""A share on the page in a real browser: who may use it, its disks, what initiators hold, what takes long."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.system.browser import Visitor, chromium
from tests.system.cluster import APTPL, KEY_A, KEY_B, REGISTER, RESERVE, WRITE_EXCLUSIVE_RO, reserve_out
from tests.system.conftest import StartNas
from tests.system.initiator import Initiator
from tests.system.nas import Nas, Share, wait_until
from tests.system.test_erasure import overwrite
from tests.system.wire import CHECK_CONDITION, GOOD, LoginError

pytestmark = pytest.mark.peer

READER = "iqn.2026-11.test:page-reader"
MIB = 1 << 20


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for all."""
    with chromium() as running:
        yield running


def log_in(share: Share, name: str = "iqn.2026-11.test:page") -> Initiator:
    return Initiator(share.host, share.port, target=share.iqn, name=name, timeout_s=30)


def test_access_is_changed_where_it_is_seen(browser: Browser, nas: Nas) -> None:
    share = nas.create("page-access", size="4M")
    visitor = Visitor(browser, nas).log_in()
    visitor.see("Overview")
    page = visitor.open(f"/shares/{share.id}", "page-access")
    visitor.press("Change access")
    visitor.press("Add a rule")
    visitor.fill("Initiators", "nobody special")
    visitor.fill("Networks", "127.0.0.1/8")
    visitor.press("Save")
    fields = page.get_by_role("dialog").locator(".q-field")
    expect(fields.filter(has=page.get_by_label("Initiators", exact=True))).to_contain_text("not a full iSCSI name")
    expect(fields.filter(has=page.get_by_label("Networks", exact=True))).to_contain_text("right would be 127.0.0.0/8")
    visitor.fill("Initiators", READER)
    visitor.fill("Networks", "127.0.0.0/8")
    page.get_by_role("switch", name="May only read").click()
    visitor.press("Save")
    expect(page.get_by_role("region", name="Disks")).to_be_visible()
    expect(page.get_by_text(f"{READER} from 127.0.0.0/8")).to_be_visible()
    with log_in(share, READER) as initiator:
        assert initiator.command(bytes.fromhex("2A 00 00000000 00 0001 00"), data_out=bytes(512)).status != GOOD
        assert initiator.read(0, 1) == bytes(512)
    with pytest.raises(LoginError), log_in(share):
        pass
    expect(page.get_by_text("has a name that is in no rule of the share")).to_be_visible()
    expect(page.get_by_text("access.rules").first).to_be_visible()  # in its history
    visitor.press("Change access")
    visitor.press("Remove")
    visitor.press("Save")
    expect(page.get_by_text("Everyone who reaches the NAS.")).to_be_visible()
    with log_in(share):
        pass
    visitor.check()


def test_disks_come_grow_change_and_go(browser: Browser, nas: Nas) -> None:
    share = nas.create("page-disks", size="4M")
    visitor = Visitor(browser, nas).log_in()
    visitor.see("Overview")
    page = visitor.open(f"/shares/{share.id}", "page-disks")

    def luns() -> dict[int, dict[str, object]]:
        found = nas.answer("GET", path=f"/api/v1/targets/{share.id}/luns")["items"]
        return {each["lun"]: each for each in found}

    visitor.press("Add a disk")
    visitor.fill("Size", "none at all")
    visitor.fill("LUN", "0")
    visitor.press("Add")
    expect(page.get_by_role("dialog")).to_contain_text("which this target has already")
    visitor.fill("LUN", "7")
    visitor.press("Add")
    size = page.get_by_role("dialog").locator(".q-field").filter(has=page.get_by_label("Size", exact=True))
    expect(size).to_contain_text("is not a size")
    visitor.fill("Size", "8M")
    visitor.press("Add")
    wait_until(lambda: 7 in luns(), timeout_s=10, what="LUN 7")
    page.get_by_role("button", name="Grow LUN 7").click()
    visitor.fill("New size", "12M")
    visitor.in_dialog("Grow")
    wait_until(lambda: luns()[7]["size_bytes"] == 12 * MIB, timeout_s=10, what="the larger disk")
    page.get_by_role("button", name="Change LUN 7").click()
    page.get_by_role("switch", name="Read-only").click()
    visitor.press("Save")
    wait_until(lambda: luns()[7]["read_only"], timeout_s=10, what="the read-only disk")
    with log_in(share) as initiator:
        assert initiator.ready().status == CHECK_CONDITION or initiator.ready().status == GOOD
        assert (
            initiator.command(bytes.fromhex("2A 00 00000000 00 0001 00"), lun=7, data_out=bytes(512)).status
            == CHECK_CONDITION
        )
    page.get_by_role("button", name="Remove LUN 7").click()
    visitor.fill("Type 7 to confirm", "7")
    visitor.in_dialog("Remove")
    wait_until(lambda: 7 not in luns(), timeout_s=10, what="the end of LUN 7")
    visitor.check()


def test_reservations_are_shown_with_who_holds_them(browser: Browser, nas: Nas) -> None:
    share = nas.create("page-reserved", size="4M")
    names = [f"iqn.2026-11.test:page-node-{number}" for number in (1, 2)]
    visitor = Visitor(browser, nas).log_in()
    visitor.see("Overview")
    page = visitor.open(f"/shares/{share.id}", "page-reserved")
    expect(page.get_by_text("No initiator holds a reservation or is registered.")).to_be_visible()
    with log_in(share, names[0]) as one, log_in(share, names[1]) as two:
        for node, key in ((one, KEY_A), (two, KEY_B)):
            assert reserve_out(node, REGISTER, 0, key, flags=APTPL).status == GOOD
        assert reserve_out(one, RESERVE, KEY_A, kind=WRITE_EXCLUSIVE_RO).status == GOOD
    table = page.get_by_role("region", name="Registrations of LUN 0")
    expect(table.get_by_role("row", name=names[0])).to_contain_text("holds it")
    expect(table.get_by_role("row", name=names[1])).to_contain_text("registered")
    expect(table).to_contain_text(f"0x{KEY_A:016x}")
    expect(page.get_by_text("survives power loss")).to_be_visible()
    answer = nas.answer("GET", path=f"/api/v1/targets/{share.id}/reservations")
    assert [each["initiator"] for each in answer["items"][0]["registrations"]] == names
    visitor.check()


def test_long_work_is_seen_left_and_found_again(browser: Browser, nas: Nas) -> None:
    share = nas.create("page-erased", size="512M")
    visitor = Visitor(browser, nas).log_in()
    visitor.see("Overview")
    with log_in(share) as initiator:
        assert overwrite(initiator, b"moon", passes=31) == GOOD
    page = visitor.open(f"/shares/{share.id}", "page-erased")
    bar = page.locator("#work").get_by_role("img", name="Erasing (SANITIZE)")
    expect(bar).to_be_visible()
    before = bar.get_attribute("aria-label")
    visitor.open("/settings", "Settings")
    page = visitor.open("/", "Overview")
    row = page.locator("#work li").filter(has_text="page-erased")
    expect(row).to_contain_text("of 15.5 GiB")
    expect(row.get_by_role("img")).not_to_have_attribute("aria-label", str(before))
    assert [each["kind"] for each in nas.answer("GET", path="/api/v1/work")["items"] if each["target"] == share.iqn]
    nas.delete(share)
    expect(row).to_have_count(0)
    visitor.check()


def test_draining_says_who_is_left(browser: Browser, nas: Nas) -> None:
    share = nas.create("page-drained", size="4M")
    visitor = Visitor(browser, nas).log_in()
    visitor.see("Overview")
    page = visitor.open(f"/shares/{share.id}", "page-drained")
    with log_in(share) as initiator:
        assert initiator.ready().status == GOOD
        visitor.press("Drain")
        visitor.in_dialog("Drain")
        expect(page.locator("#work")).to_contain_text("1 session left")
        page = visitor.open("/", "Overview")
        expect(page.locator("#work li").filter(has_text="page-drained")).to_contain_text("1 session left")
        page = visitor.open(f"/shares/{share.id}", "page-drained")
    expect(page.locator("#work")).to_contain_text("all have gone")
    visitor.press("Drain")
    visitor.in_dialog("Let in")
    expect(page.locator("#work")).to_have_count(0)
    with log_in(share) as initiator:
        assert initiator.ready().status == GOOD
    visitor.check()


def test_an_image_is_taken_in_and_lies_in_a_drive(browser: Browser, start_nas: StartNas, tmp_path: Path) -> None:
    nas = start_nas()
    share = nas.create("install", size="4M")
    image = tmp_path / "rescue disc.iso"
    image.write_bytes(b"\1" * MIB)
    visitor = Visitor(browser, nas).log_in()
    visitor.see("Overview")
    page = visitor.open("/volumes", "Volumes")
    visitor.press("Take an image in")
    visitor.press("Send")
    expect(page.get_by_text("Choose a file first")).to_be_visible()
    page.set_input_files("input[type=file]", image)
    visitor.fill("Name", ".hidden")
    visitor.press("Send")
    name = page.get_by_role("dialog").locator(".q-field").filter(has=page.get_by_label("Name", exact=True))
    expect(name).to_contain_text("right would be the name of a file such as debian.iso")
    visitor.fill("Name", "")
    visitor.press("Send")
    expect(page.get_by_text("rescue disc.iso is in default")).to_be_visible()
    expect(page.get_by_role("button", name="Delete rescue disc.iso")).to_be_visible()
    page = visitor.open(f"/shares/{share.id}", "install")
    visitor.press("Add a disk")
    page.get_by_label("Type", exact=True).click()
    page.get_by_role("option", name="CD-ROM drive").click()
    expect(page.get_by_label("Size", exact=True)).to_be_hidden()
    visitor.press("Add")
    page.get_by_role("button", name="The medium of LUN 1").click()
    visitor.press("Put it in")
    medium = f"/api/v1/targets/{share.id}/luns/1/medium"
    wait_until(lambda: nas.answer("GET", path=medium)["loaded"], timeout_s=10, what="the medium")
    expect(page.get_by_role("region", name="Disks")).to_contain_text("rescue disc.iso")
    page.get_by_role("button", name="The medium of LUN 1").click()
    visitor.press("Take it out")
    wait_until(lambda: not nas.answer("GET", path=medium)["loaded"], timeout_s=10, what="the empty drive")
    visitor.open("/volumes", "Volumes")
    page.get_by_role("button", name="Delete rescue disc.iso").click()
    visitor.in_dialog("Delete")
    expect(page.get_by_text("No images of discs.")).to_be_visible()
    # A disk whose file goes missing needs attention.
    nas.file_of(share).unlink()
    page = visitor.open("/", "Overview")
    expect(page.locator("li").filter(has_text="A disk cannot be used")).to_contain_text(f"{share.iqn} LUN 0")
    visitor.check()
