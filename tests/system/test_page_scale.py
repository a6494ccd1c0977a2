"""The page in front of many shares: a page of the list at a time, and how long it takes to open.

`PAGE_SHARES=2000` tries as many as docs/page.md speaks of.
"""

import os
import statistics
import time
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.system.browser import Visitor, chromium
from tests.system.conftest import StartNas

pytestmark = [pytest.mark.peer, pytest.mark.alone]

SHARES = int(os.environ.get("PAGE_SHARES", "120"))
OPENS_S = 1.5
OPENINGS = 5
ROWS = "table.data tbody tr"
SHOWN = 25


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for all."""
    with chromium() as running:
        yield running


def median_s(what: Callable[[], object], count: int = OPENINGS) -> float:
    """The median of several times."""
    took = []
    for _ in range(count):
        started = time.monotonic()
        what()
        took.append(time.monotonic() - started)
    return statistics.median(took)


def test_many_shares_are_paged_sorted_and_searched_by_the_server(browser: Browser, start_nas: StartNas) -> None:
    nas = start_nas()
    targets = [
        {"name": f"share-{number:04}", "luns": [{"lun": 0, "size_bytes": (1 + number) << 12}]}
        for number in range(SHARES)
    ]
    nas.client.timeout = 300
    assert nas.client.put("/api/v1/config", json={"version": 1, "targets": targets}).status_code == 200
    visitor = Visitor(browser, nas).log_in()
    visitor.see("Overview")
    state = visitor.context.storage_state()

    def open_cold(path: str, title: str) -> None:
        """With an empty cache, as on the first day."""
        context = browser.new_context(storage_state=state)
        page = context.new_page()
        page.goto(f"{visitor.url}{path}")
        page.get_by_role("heading", name=title, level=1).wait_for()
        context.close()

    took = {
        "overview, cold": median_s(lambda: open_cold("/", "Overview")),
        "overview": median_s(lambda: visitor.open("/", "Overview")),
        "shares": median_s(lambda: visitor.open("/shares", "Shares")),
    }
    page = visitor.page
    rows = page.locator(ROWS)
    expect(rows).to_have_count(SHOWN)
    expect(page.get_by_text(f"1 to 25 of {SHARES}")).to_be_visible()

    def turn(button: str, first: str) -> float:
        started = time.monotonic()
        page.get_by_role("button", name=button, exact=True).click()
        expect(rows.first).to_contain_text(first)
        return time.monotonic() - started

    took["next page"] = turn("Next", "share-0025")
    took["page before"] = turn("Previous", "share-0000")
    took["sort"] = turn("Size", f"share-{SHARES - 1:04}")
    expect(rows).to_have_count(SHOWN)
    started = time.monotonic()
    page.get_by_label("Search name, volume or CHAP user").fill("share-0077")
    expect(rows).to_have_count(1)
    took["search"] = time.monotonic() - started
    print(f"{SHARES} shares:", {name: round(seconds, 2) for name, seconds in took.items()})
    visitor.check()
    # On a machine that is busy with other things all of it takes so much longer.
    limit_s = OPENS_S * max(1.0, 2 * os.getloadavg()[0] / (os.cpu_count() or 1))
    assert {name: seconds for name, seconds in took.items() if seconds > limit_s} == {}
