"""The configuration as a whole on the page, HTTPS and the API's documentation in a real browser, and keys alone."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.system.browser import Visitor, chromium
from tests.system.conftest import StartNas
from tests.system.nas import PASSWORD, Nas, free_port, wait_until

pytestmark = pytest.mark.peer

PASSPHRASE = "quite another horse"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for all."""
    with chromium() as running:
        yield running


def names(nas: Nas) -> set[str]:
    return {each["target"].partition(":")[2] for each in nas.shares()}


def test_a_backup_is_saved_and_restored_and_a_document_applied(
    browser: Browser, start_nas: StartNas, tmp_path: Path
) -> None:
    nas = start_nas()
    nas.secrets_given.add(PASSPHRASE)
    share = nas.create("precious", size="4M")
    visitor = Visitor(browser, nas).log_in()
    visitor.see("Overview")
    page = visitor.open("/settings", "Settings")
    visitor.press("Save a backup")
    visitor.fill("Passphrase", "short")
    visitor.fill("The same again", "other")
    visitor.in_dialog("Save")
    expect(page.get_by_text("That is another one")).to_be_visible()
    visitor.fill("The same again", "short")
    visitor.in_dialog("Save")
    passphrase = page.get_by_role("dialog").locator(".q-field").filter(has=page.get_by_label("Passphrase", exact=True))
    expect(passphrase).to_contain_text("12")
    visitor.fill("Passphrase", PASSPHRASE)
    visitor.fill("The same again", PASSPHRASE)
    with page.expect_download() as download:
        visitor.in_dialog("Save")
    backup = tmp_path / "nas.backup"
    download.value.save_as(backup)
    assert json.loads(backup.read_text())["format"] == "lunaport-backup"
    nas.delete(share)

    visitor.press("Restore a backup")
    page.set_input_files("input[type=file]", backup)
    visitor.fill("Its passphrase", "another passphrase")
    visitor.press("Show what it would do")
    field = page.get_by_role("dialog").locator(".q-field").filter(has=page.get_by_label("Its passphrase", exact=True))
    expect(field).to_contain_text("not that of this backup")
    visitor.fill("Its passphrase", PASSPHRASE)
    visitor.press("Show what it would do")
    expect(page.get_by_role("dialog")).to_contain_text("1 shares")
    expect(page.get_by_role("dialog")).to_contain_text("deleted target iqn.2026-11.io.lunaport:precious")
    assert names(nas) == set(), "it was only looked at"
    visitor.in_dialog("Restore")
    page.get_by_role("dialog").filter(has_text="Restore it?").get_by_role("button", name="Restore", exact=True).click()
    wait_until(lambda: names(nas) == {"precious"}, timeout_s=20, what="the restored share")

    document = tmp_path / "nas.json"
    document.write_text(
        json.dumps({"version": 1, "targets": [{"name": "applied", "luns": [{"lun": 0, "size_bytes": 4096}]}]})
    )
    visitor.open("/settings", "Settings")
    with page.expect_download() as download:
        page.get_by_role("link", name="Save as a document").click()
    saved = tmp_path / "saved.json"
    download.value.save_as(saved)
    assert [each["name"].partition(":")[2] for each in json.loads(saved.read_text())["targets"]] == ["precious"]
    visitor.press("Apply a document")
    page.set_input_files("input[type=file]", document)
    visitor.press("Show what it would do")
    expect(page.get_by_role("dialog")).to_contain_text("target iqn.2026-11.io.lunaport:applied")
    assert names(nas) == {"precious"}
    visitor.in_dialog("Apply")
    expect(page.get_by_text("1 thing had to be done")).to_be_visible()
    assert names(nas) == {"applied", "precious"}

    port = free_port()
    page = visitor.open("/service", "Service")
    visitor.press("Add a portal")
    visitor.fill("Address", "nowhere at all")
    visitor.press("Add")
    address = page.get_by_role("dialog").locator(".q-field").filter(has=page.get_by_label("Address", exact=True))
    expect(address).to_contain_text("right would be 192.0.2.7")
    visitor.fill("Address", f"127.0.0.2:{port}")
    visitor.fill("Portal group", "2")
    visitor.press("Add")
    row = page.locator("li").filter(has_text=f"127.0.0.2:{port}")
    expect(row).to_contain_text("group 2")
    expect(row).to_contain_text("listening")
    page.get_by_role("button", name=f"Remove 127.0.0.2:{port}").click()
    visitor.in_dialog("Remove")
    expect(row).to_have_count(0)
    visitor.check()


def test_the_page_by_https_and_the_documentation_of_the_api(browser: Browser, start_nas: StartNas) -> None:
    port = free_port()
    nas = start_nas(options=("--https", f"127.0.0.1:{port}"))
    visitor = Visitor(browser, nas, url=f"https://127.0.0.1:{port}").log_in()
    visitor.see("Overview")
    (cookie,) = [each for each in visitor.context.cookies() if "lunaport" in each["name"]]
    assert (cookie["name"], cookie["secure"], cookie["httpOnly"]) == ("__Host-lunaport", True, True)
    page = visitor.open("/settings", "Settings")
    expect(page.get_by_text("this page comes by HTTPS")).to_be_visible()
    page = visitor.open("/shares", "Shares")
    visitor.press("New share")
    visitor.fill("Name", "by-https")
    visitor.fill("Size", "4M")
    visitor.press("Create")
    expect(page.get_by_role("heading", name="by-https is ready. Connect to it")).to_be_visible()
    page.goto(f"{visitor.url}/api/docs")
    page.get_by_text("/api/v1/targets", exact=True).first.click()
    expect(page.get_by_role("button", name="Try it out").first).to_be_visible()
    visitor.check()


def test_a_share_is_made_by_keys_alone(browser: Browser, nas: Nas) -> None:
    visitor = Visitor(browser, nas)
    page, keys = visitor.page, visitor.page.keyboard
    page.goto(f"{visitor.url}/login")
    expect(page.locator("#name")).to_be_focused()
    keys.type("admin")
    keys.press("Tab")
    expect(page.locator("#password")).to_be_focused()
    keys.type(PASSWORD)
    keys.press("Enter")
    visitor.see("Overview")
    visitor.tab_to("Shares")
    keys.press("Enter")
    visitor.see("Shares")
    visitor.tab_to("New share")
    keys.press("Enter")
    expect(page.get_by_label("Name", exact=True)).to_be_focused()
    keys.type("page-by-keys")
    visitor.tab_to("Size")
    keys.press("Control+A")
    keys.type("4M")
    visitor.tab_to("Initiators log in by CHAP")
    keys.press("Space")
    expect(page.get_by_label("CHAP user", exact=True)).to_be_hidden()
    visitor.tab_to('Expand "Access, digests, limits"')
    keys.press("Enter")
    visitor.tab_to("One initiator at a time")
    keys.press("Space")
    visitor.tab_to("Create")
    keys.press("Enter")
    expect(page.get_by_role("heading", name="page-by-keys is ready. Connect to it")).to_be_visible()
    visitor.tab_to("Copy")
    keys.press("Enter")
    page.wait_for_function("async () => (await navigator.clipboard.readText()).includes('page-by-keys')")
    keys.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    (share,) = [each for each in nas.shares() if each["target"].endswith(":page-by-keys")]
    assert nas.answer("GET", path=f"/api/v1/targets/{share['id']}")["access"]["single_initiator"]
    visitor.open(f"/shares/{share['id']}", "page-by-keys")
    visitor.tab_to("Delete")
    keys.press("Enter")
    visitor.tab_to("Type page-by-keys to confirm")
    keys.type("page-by-keys")
    visitor.tab_to("Delete")
    keys.press("Enter")
    visitor.see("Shares")
    wait_until(lambda: "page-by-keys" not in names(nas), timeout_s=10, what="the end of the share")
    visitor.check()
