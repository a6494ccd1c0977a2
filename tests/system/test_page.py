"""The page in a real browser, in front of a real NAS with real initiators."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.system.browser import Visitor, chromium
from tests.system.conftest import StartNas
from tests.system.initiator import Initiator
from tests.system.nas import Nas, Share, wait_until
from tests.system.wire import LoginError
from tests.vm.machine import HOST, SCRIPTS, Guest

pytestmark = pytest.mark.peer

PLACES = {
    "/": "Overview",
    "/shares": "Shares",
    "/sessions": "Sessions",
    "/volumes": "Volumes",
    "/service": "Service",
    "/users": "Users and tokens",
    "/audit": "Audit",
    "/settings": "Settings",
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for all."""
    with chromium() as running:
        yield running


def share_of(nas: Nas, name: str) -> Share:
    """A share that was made by the page."""
    (found,) = [each for each in nas.shares() if each["target"].endswith(f":{name}")]
    return nas.share(found)


def test_from_the_first_login_to_a_disk_that_grows_under_load(
    browser: Browser, start_nas: StartNas, tmp_path: Path
) -> None:
    nas = start_nas(hosts=(HOST,))
    visitor = Visitor(browser, nas)
    page = visitor.page
    visitor.log_in(password="wrong-password")
    expect(page.get_by_role("alert")).to_have_text("User name or password are wrong.")
    visitor.log_in()
    visitor.see("Overview")
    visitor.open("/shares", "Shares")
    visitor.press("New share")
    visitor.fill("Name", "Not A Name!")
    visitor.press("Create")
    expect(page.get_by_text("is not allowed in an iSCSI name").last).to_be_visible()
    visitor.fill("Name", "Mail")
    expect(page.get_by_text("Initiators will know it as iqn.2026-11.io.lunaport:mail")).to_be_visible()
    visitor.fill("Size", "128M")
    visitor.press("Create")
    expect(page.get_by_role("heading", name="mail is ready. Connect to it")).to_be_visible()
    visitor.press("Copy")
    lines = page.evaluate("navigator.clipboard.readText()")
    assert "iscsiadm" in lines
    share = share_of(nas, "mail")
    secret = next(line.split()[-1] for line in lines.splitlines() if "auth.password" in line)
    nas.secrets_given.add(secret)
    visitor.press("Open the share")
    visitor.see("mail")
    with Guest(SCRIPTS / "guest-page.sh", {"LINES": lines}, tmp_path) as guest:
        guest.wait_for_step("mounted", timeout_s=120)
        expect(page.get_by_role("region", name="Sessions")).to_contain_text("iqn.2026-11.test.lunaport:guest")
        written = page.get_by_role("img", name="Throughput: now")
        page.wait_for_function(
            "() => !/write 0 B/.test(document.querySelector('svg[aria-label^=\"Throughput\"]').ariaLabel)"
        )
        assert "write" in str(written.get_attribute("aria-label"))
        line = "document.querySelector('svg[aria-label^=\"Throughput\"] polyline').getAttribute('points')"
        before = page.evaluate(line)
        page.wait_for_function(f"(before) => {line} !== before", arg=before)
        visitor.press("Grow")
        visitor.fill("New size", "192M")
        page.get_by_role("dialog").get_by_role("button", name="Grow", exact=True).click()
        wait_until(lambda: share_of(nas, "mail").size_bytes == 192 << 20, timeout_s=10, what="the larger size")
        guest.answer()
        guest.wait_for_step("grown", timeout_s=60)
        visitor.see("mail")
        expect(page.get_by_text("192 MiB").first).to_be_visible()
        guest.answer()
        assert f"GROWN {128 << 11} {192 << 11}" in guest.finish()
    assert share.iqn.endswith(":mail")
    visitor.check()


def test_a_login_is_refused_and_the_page_says_why(browser: Browser, nas: Nas) -> None:
    secret = {"enabled": True, "username": "alice", "password": "alice-secret-1"}
    share = nas.create("page-refusing", one_way_chap=secret)
    with pytest.raises(LoginError), Initiator(share.host, share.port, target=share.iqn, name="iqn.2026-11.test:nobody"):
        pass
    visitor = Visitor(browser, nas).log_in()
    visitor.see("Overview")
    page = visitor.open(f"/shares/{share.id}", "page-refusing")
    row = page.locator("li", has_text="iqn.2026-11.test:nobody")
    expect(row).to_contain_text("offered no CHAP, but the share asks for it")
    page = visitor.open("/sessions", "Sessions")
    expect(page.locator("#refused")).to_contain_text("iqn.2026-11.test:nobody")
    page = visitor.open("/", "Overview")
    expect(page.get_by_text("in the last hour").first).to_be_visible()
    visitor.check()


def test_a_session_is_closed_and_a_share_goes_and_comes_back(browser: Browser, nas: Nas) -> None:
    share = nas.create("page-life", size="32M")
    visitor = Visitor(browser, nas).log_in()
    visitor.see("Overview")
    page = visitor.open(f"/shares/{share.id}", "page-life")
    with Initiator(share.host, share.port, target=share.iqn, name="iqn.2026-11.test:page", timeout_s=15) as initiator:
        assert initiator.ready().status == 0
        page.get_by_role("button", name="Close the session of iqn.2026-11.test:page").click()
        page.get_by_role("dialog").get_by_role("button", name="Close", exact=True).click()
        initiator.wait_for_close()
    expect(page.get_by_text("Nobody is connected")).to_be_visible()
    visitor.press("Delete")
    visitor.fill("Type page-life to confirm", "page-wife")
    page.get_by_role("dialog").get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_text("That is not page-life")).to_be_visible()
    visitor.fill("Type page-life to confirm", "page-life")
    page.get_by_role("dialog").get_by_role("button", name="Delete", exact=True).click()
    visitor.see("Shares")
    assert share.iqn not in [each["target"] for each in nas.shares()]
    page.get_by_role("button", name="Restore page-life").click()
    page.get_by_role("dialog").get_by_role("button", name="Restore", exact=True).click()
    wait_until(lambda: share.iqn in [each["target"] for each in nas.shares()], timeout_s=10, what="the share again")
    with Initiator(share.host, share.port, target=share.iqn) as initiator:
        assert initiator.ready().status == 0
    visitor.check()


def test_each_role_sees_and_does_what_it_may(browser: Browser, nas: Nas) -> None:
    for role in ("viewer", "operator"):
        body = {"name": f"page-{role}", "password": "password-of-it", "role": role}
        assert nas.client.post("/api/v1/users", json=body).status_code == 201
    nas.create("page-roles", size="1M")
    visitor = Visitor(browser, nas).log_in("page-viewer", "password-of-it")
    visitor.see("Overview")
    page = visitor.open("/shares", "Shares")
    assert page.get_by_role("button", name="New share").count() == 0
    assert page.get_by_role("link", name="Audit").count() == 0
    visitor.open("/audit", "Audit")
    expect(page.get_by_text("The audit log needs the role admin")).to_be_visible()
    (share,) = [each for each in nas.shares() if each["target"].endswith(":page-roles")]
    visitor.open(f"/shares/{share['id']}", "page-roles")
    expect(page.get_by_role("button", name="Connect to it")).to_be_visible()
    for name in ("Edit", "Grow", "Drain", "Delete", "Change access", "Add a disk"):
        assert page.get_by_role("button", name=name, exact=True).count() == 0
    visitor.press("Log out")
    page.wait_for_url("**/login")
    visitor.log_in("page-operator", "password-of-it")
    visitor.see("Overview")
    visitor.open("/shares", "Shares")
    expect(page.get_by_role("button", name="New share")).to_be_visible()
    # Who is an operator no more makes nothing more, whatever his page still shows.
    visitor.press("New share")
    visitor.fill("Name", "page-not-any-more")
    assert nas.client.patch("/api/v1/users/page-operator", json={"role": "viewer"}).status_code == 200
    visitor.press("Create")
    expect(page.get_by_text("You are viewer; this needs the role operator.")).to_be_visible()
    assert not [each for each in nas.shares() if "page-not-any-more" in each["target"]]
    assert nas.client.delete("/api/v1/users/page-operator").status_code == 204
    page.wait_for_url("**/login*")
    visitor.check()


@pytest.mark.parametrize("width", [390, 768, 1440])
def test_every_page_is_there_for_everybody(browser: Browser, nas: Nas, width: int) -> None:
    share = nas.create(f"page-axe-{width}", size="1M")
    visitor = Visitor(browser, nas, width=width)
    visitor.page.goto(f"{visitor.url}/login")
    seen_by_all(visitor, "the login")
    visitor.log_in()
    visitor.see("Overview")
    for path, title in (PLACES | {f"/shares/{share.id}": f"page-axe-{width}"}).items():
        page = visitor.open(path, title)
        seen_by_all(visitor, path)
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{path} is {wide} pixels wider than the screen"
    visitor.open("/shares", "Shares")
    visitor.press("New share")
    expect(visitor.page.get_by_label("Name", exact=True)).to_be_focused()
    visitor.page.get_by_role("button", name='Expand "Access, digests, limits"').click()
    visitor.page.get_by_role("button", name='Expand "Kind of disk"').click()
    visitor.page.wait_for_timeout(500)  # it fades in
    seen_by_all(visitor, "the dialog")
    visitor.check()


def seen_by_all(visitor: Visitor, what: str) -> None:
    """axe finds nothing serious, neither in light nor in dark colours."""
    for scheme in ("dark", "light"):
        visitor.page.emulate_media(color_scheme=scheme)
        visitor.page.wait_for_function(f"matchMedia('(prefers-color-scheme: {scheme})').matches")
        assert visitor.serious() == [], f"{what}, {scheme}"


def test_strangers_get_the_login_and_nothing_else(nas: Nas) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{nas.http_port}", trust_env=False) as stranger:
        for path in PLACES:
            answer = stranger.get(path)
            assert (answer.status_code, answer.headers["location"].startswith("/login")) == (303, True)
        assert stranger.get("/_nicegui_ws/socket.io/?EIO=4&transport=polling").status_code == 401
        form = {"name": "admin", "password": "only-for-tests", "next": "//elsewhere.example"}
        other = {"origin": "http://elsewhere.example"}
        assert stranger.post("/login", data=form, headers=other).status_code == 403
        assert stranger.post("/login", data=form).status_code == 403, "a browser says where a form comes from"
        answer = stranger.post("/login", data=form, headers={"origin": str(stranger.base_url).rstrip("/")})
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        page = stranger.get("/")
        policy = page.headers["content-security-policy"]
        nonce = policy.partition("'nonce-")[2].partition("'")[0]
        assert "'unsafe-inline'" not in policy.partition("style-src")[0]
        assert page.text.count("<script") == page.text.count(f'<script nonce="{nonce}"') > 3
        assert page.headers["x-frame-options"] == "DENY"
