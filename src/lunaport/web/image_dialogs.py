"""Images of discs in a volume: the list, taking one in, deleting one."""

from collections.abc import Iterable
from typing import Any, Final

from nicegui import ui

from lunaport.model.image import Image
from lunaport.service.actions import DeleteImage
from lunaport.web.forms import answered, confirm, dialog_form, file_field, js, tell
from lunaport.web.markup import Html, act, ago, size, tag
from lunaport.web.page import Page

SEND_S: Final = 86400.0
"""How long sending an image may take."""
SHOWN_MAX: Final = 50


def image_list(volume: str, images: Iterable[Image], *, may: bool) -> Html:
    """The images of a volume."""
    found = list(images)
    rows = [
        tag(
            "li",
            tag("span", tag("b", each.name), " ", tag("span", size(each.size_bytes), class_="soft"), class_="grow"),
            ago(each.modified_at),
            act("Delete", "unimage", f"{volume}/{each.name}", kind="danger", name=f"Delete {each.name}") if may else "",
        )
        for each in found[:SHOWN_MAX]
    ]
    if len(found) > SHOWN_MAX:
        rows.append(tag("li", f"and {len(found) - SHOWN_MAX} more"))
    return tag("ul", *rows, class_="list") if rows else tag("p", "No images of discs.", class_="soft")


def take_in(page: Page, volume: str) -> None:
    """Send an image from this computer."""
    with dialog_form(f"Take an image into {volume}") as form:
        file = file_field(form, "Image of a CD or DVD", accept=".iso,.img,.bin")
        name = form.text("Name", "name", hint="Empty: as the file is called", autocomplete="off")
        bar = f"{file}-bar"
        ui.html(Html(f'<progress id="{bar}" aria-label="Sent" max="1" value="0" hidden></progress>'), sanitize=False)
        text = "It is sent by this page: leave it open. Look around in the meantime; links open beside it."
        ui.html(tag("p", text, class_="hint"), sanitize=False)

        async def work() -> None:
            await page.check_role(DeleteImage)
            wanted = name.value.strip()
            script = f"return await lunaport.sendImage({js(file)}, {js(bar)}, {js(volume)}, {js(wanted)})"
            result: Any = await ui.run_javascript(script, timeout=SEND_S)
            if form.closed and result.get("errors"):
                with page.main:
                    tell(f"The image was not taken in: {result['errors'][0].get('message', '')}", good=False)
                return
            answer = answered(form, result)
            if answer is not None:
                form.dialog.close()
                with page.main:
                    tell(f"{answer.get('name', 'The image')} is in {volume}")

        form.foot("Send", work, leave="Close")
    form.dialog.props("persistent")
    form.dialog.open()


def delete(page: Page, volume: str, name: str) -> None:
    """Remove an image for good."""

    async def work() -> None:
        await page.perform(DeleteImage(volume=volume, name=name))
        tell(f"{name} is gone")

    confirm(f"Delete {name}?", "It is removed for good; it lies in no drive.", "Delete", work)
