"""A browser in front of the NAS's page: Debian's Chromium, driven by Playwright; and axe, which knows accessibility."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager, suppress
from importlib.resources import files
from typing import Any

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Error, Page, expect, sync_playwright

from tests.system.nas import PASSWORD, Nas
from tests.system.peers import require
from tests.system.secret_search import remember

OPTIONS = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")
HTTP_OK = 200
TIMEOUT_MS = 30_000
"""Of a machine that is busy."""
SERIOUS = {"serious", "critical"}
FOCUSED = """() => {
  const e = document.activeElement;
  const labels = [...(e.labels || []), e.closest("label")].map((each) => each?.innerText);
  return [e.ariaLabel, e.innerText, ...labels];
}"""
"""What the element that has the focus may be called by."""
EXPECTED = tuple(f"the server responded with a status of {status}" for status in (401, 422, 429))
"""What Chromium says on its console when a login, or a file that is sent, is refused."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser."""
    path = require("chromium")
    expect.set_options(timeout=TIMEOUT_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(OPTIONS))
        try:
            yield browser
        finally:
            browser.close()


class Visitor:
    """One who looks at the page of a NAS. What the browser complains of, or asks elsewhere for, fails `check`."""

    def __init__(
        self, browser: Browser, nas: Nas, *, width: int = 1360, height: int = 900, dark: bool = False, url: str = ""
    ) -> None:
        self.url = url or f"http://127.0.0.1:{nas.http_port}"
        self.context: BrowserContext = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            ignore_https_errors=True,  # the certificate that the NAS makes is its own
        )
        self.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=self.url)
        self.context.set_default_timeout(TIMEOUT_MS)
        self.page: Page = self.context.new_page()
        self.complaints: list[str] = []
        self.elsewhere: set[str] = set()
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._asked)
        self.nas = nas
        self.page.on("response", self._answered)
        self.page.on("websocket", lambda line: line.on("framereceived", self._received))
        self.told: list[str] = []
        """Where a secret was found in what the NAS has sent."""
        self.typed: set[str] = set()
        """Into the page that is open: a field that an error is shown at comes back with what stands in it."""

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not any(each in message.text for each in EXPECTED):
            self.complaints.append(message.text)

    def _asked(self, request: Any) -> None:
        if not request.url.startswith((self.url, "data:", "blob:")):
            self.elsewhere.add(request.url)

    def _answered(self, response: Any) -> None:
        if response.request.resource_type in {"document", "fetch", "xhr"} and response.status == HTTP_OK:
            with suppress(Error):  # a page that was left meanwhile has no body any more
                self._search(response.text(), response.url)

    def _received(self, frame: Any) -> None:
        text = frame if isinstance(frame, str) else frame.decode(errors="replace")
        self._search(text, "the line of the page", but=self.typed)

    def _search(self, text: str, where: str, *, but: AbstractSet[str] = frozenset()) -> None:
        if any(secret in text for secret in (self.nas.secrets_given | {PASSWORD}) - but):
            self.told.append(where)

    def log_in(self, user: str = "admin", password: str = PASSWORD) -> "Visitor":
        """Log in by the form."""
        self.page.goto(f"{self.url}/login")
        self.page.fill("#name", user)
        self.page.fill("#password", password)
        self.page.click("button[type=submit]")
        return self

    def open(self, path: str, title: str) -> Page:
        """Go to a page and wait until it is there, with its line to the NAS."""
        self.page.goto(f"{self.url}{path}")
        self.typed.clear()
        self.see(title)
        return self.page

    def see(self, title: str) -> None:
        """Wait for a page by its title."""
        self.page.get_by_role("heading", name=title, level=1).wait_for()
        self.page.wait_for_function("window.socket && window.socket.connected")

    def press(self, name: str) -> None:
        """Press a button."""
        self.page.get_by_role("button", name=name, exact=True).last.click()

    def fill(self, label: str, text: str) -> None:
        """Fill a field."""
        if label.lower().endswith(("secret", "password")):
            self.nas.secrets_given |= remember({text})
        self.typed.add(text)
        self.page.get_by_label(label, exact=True).last.fill(text)

    def serious(self) -> list[str]:
        """What axe finds that is serious, on the page as it is."""
        self.page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text())
        self.page.wait_for_function("document.getAnimations().every((each) => each.playState !== 'running')")
        # What lies behind a dialog is dimmed and not to be used. axe takes its backdrop, whose z-index is negative, for
        # lying before it.
        self.page.evaluate("document.querySelectorAll('.q-dialog__backdrop').forEach((each) => each.remove())")
        place = "document.querySelector('.q-dialog .dialog') || document"
        found = self.page.evaluate(f"axe.run({place}, {{resultTypes: ['violations']}})")
        return [
            f"{each['id']}: {[node['html'][:160] + node['failureSummary'] for node in each['nodes'][:3]]}"
            for each in found["violations"]
            if each["impact"] in SERIOUS
        ]

    def in_dialog(self, name: str) -> None:
        """Press a button of the dialog."""
        self.page.get_by_role("dialog").get_by_role("button", name=name, exact=True).last.click()

    def tab_to(self, name: str, *, presses_max: int = 80) -> None:
        """Go on with the Tab key to what has this name, or text."""
        for _ in range(presses_max):
            self.page.keyboard.press("Tab")
            if name in self.page.evaluate(FOCUSED):
                return
        raise AssertionError(f"Tab does not lead to {name}")

    def check(self) -> None:
        """Nothing was complained of, and nothing came from anywhere else."""
        assert self.complaints == []
        assert self.elsewhere == set()
        assert self.told == [], "the page was sent a secret"
        self.context.close()
