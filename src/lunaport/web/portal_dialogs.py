"""Portals as the page shows and changes them: adding one, putting one into another group, removing, going back."""

from lunaport.model.address import HostPort
from lunaport.model.user import Role
from lunaport.service.actions import PutPortal, RemovePortal, ResetPortals
from lunaport.service.nas import PortalReport
from lunaport.web.forms import confirm, dialog_form, tell
from lunaport.web.markup import Html, act, ago, badge, tag
from lunaport.web.page import Page
from lunaport.web.share_fields import whole_number


def portal_row(page: Page, report: PortalReport) -> Html:
    """A portal: whether it listens, since when or why not."""
    address = str(HostPort(host=report.host, port=report.port))
    state = badge("listening", "good") if report.listening else badge("not listening", "bad")
    tools: object = ""
    if page.may(Role.ADMIN):
        tools = tag(
            "div",
            act("Group", "regroup", f"{report.group} {address}", name=f"The group of {address}"),
            act("Remove", "unportal", address, kind="danger", name=f"Remove {address}"),
            class_="tools",
        )
    error = tag("div", report.error, class_="soft") if report.error else ""
    return tag(
        "li",
        tag("div", tag("span", address, class_="mono"), " ", tag("span", f"group {report.group}", class_="soft"), error,
            class_="grow"),
        state,
        ago(report.since) if report.since else "",
        tools,
    )  # fmt: skip


def put_portal(page: Page, address: str = "", group: int = 1) -> None:
    """Listen on an address too, or put the portal there into another group."""
    with dialog_form(f"The group of {address}" if address else "Add a portal") as form:
        portal = form.text(
            "Address", "portal", value=address, autocomplete="off",
            hint="192.0.2.7, 192.0.2.7:860, [2001:db8::7]:3260, 0.0.0.0 or [::] for all; port 3260 where none is said",
        )  # fmt: skip
        if address:
            portal.disable()
        tag_ = form.text("Portal group", "group", value=str(group), hint="1 to 65535", inputmode="numeric")

        async def work() -> None:
            made = await page.perform(PutPortal(portal=portal.value.strip(), group=whole_number(tag_.value)))
            form.dialog.close()
            tell(f"{made} is in the portal group {made.group}")

        form.foot("Save" if address else "Add", work)
    form.dialog.open()


def remove_portal(page: Page, address: str) -> None:
    """Listen there no more."""

    async def work() -> None:
        await page.perform(RemovePortal(portal=address))
        tell(f"{address} is not listened on any more")

    confirm(f"Remove {address}?", "Nobody logs in there any more; sessions that came by it stay.", "Remove", work)


def reset_portals(page: Page) -> None:
    """Those of the command line again."""

    async def work() -> None:
        await page.perform(ResetPortals())
        tell("The portals are those of the command line")

    confirm("Back to the portals of the start?", "Those that the NAS was started with count again.", "Go back", work)
