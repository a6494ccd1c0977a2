"""Forms in dialogs: fields that show what is wrong with them, in words that help."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from nicegui import ui

from lunaport.model.errors import InvalidError, Path
from lunaport.service.errors import ServiceError
from lunaport.web.markup import h, tag
from lunaport.web.page import NotAllowedError


class Form:
    """The fields of a dialog by the paths of the model, and its button. Wrong values are told at their fields."""

    def __init__(self, dialog: ui.dialog) -> None:
        self.dialog = dialog
        self._fields: dict[Path, Any] = {}
        self._problem = ui.html("", sanitize=False).props('role="alert"')
        self._button: Any = None

    def add(self, field: Any, *path: str | int) -> Any:
        """Take a field in: problems at `path` belong to it."""
        self._fields[path] = field
        return field

    def text(self, label: str, *path: str | int, value: str = "", hint: str = "", **props: str) -> ui.input:
        """A line of text."""
        field = ui.input(label, value=value).props("outlined")
        if hint:
            field.props["hint"] = hint
        for name, content in props.items():
            field.props[name] = content
        if path:
            self.add(field, *path)
        return field

    def secret(self, label: str, *path: str | int, value: str = "", hint: str = "") -> ui.input:
        """A secret that can be looked at."""
        field = ui.input(label, value=value, password=True, password_toggle_button=True).props("outlined")
        field.props["autocomplete"] = "new-password"
        if hint:
            field.props["hint"] = hint
        if path:
            self.add(field, *path)
        return field

    def clear(self) -> None:
        """Take back what was said."""
        self._problem.set_content("")
        for field in self._fields.values():
            if hasattr(field, "error"):
                field.error = None

    def say(self, text: str) -> None:
        """Say what is wrong with the whole."""
        self._problem.set_content(tag("p", text, class_="problem"))

    def show(self, error: InvalidError | ServiceError) -> None:
        """Say what is wrong where it is."""
        rest = []
        for problem in error.problems:
            field = self._find(problem.path)
            if field is None:
                name = ".".join(map(str, problem.path))
                rest.append(f"{name} {problem.message}" if name else problem.message)
            else:
                field.error = problem.message[:1].upper() + problem.message[1:]
        if rest:
            text = "; ".join(rest)
            self.say(text[:1].upper() + text[1:])

    def _find(self, path: Path) -> Any:
        for length in range(len(path), 0, -1):
            field = self._fields.get(path[:length])
            if field is not None and hasattr(field, "error"):
                return field
        return None

    def foot(self, label: str, work: Callable[[], Awaitable[None]], *, danger: bool = False) -> Any:
        """The buttons: cancel, and the one that does it. Raises nothing: errors are shown."""

        async def do() -> None:
            self.clear()
            self._button.props["loading"] = True
            self._button.disable()
            try:
                await work()
            except (InvalidError, ServiceError) as error:
                self.show(error)
            except NotAllowedError as error:
                self.say(str(error))
            finally:
                self._button.props["loading"] = False
                self._button.enable()

        with ui.element("div").classes("foot"):
            button("Cancel", self.dialog.close)
            self._button = button(label, do, kind="danger solid" if danger else "primary")
        return self._button


def button(label: str, work: Callable[[], Any], *, kind: str = "") -> Any:
    """A button."""
    return ui.button(label, on_click=work, color=None).props("unelevated no-caps").classes(f"button {kind}".strip())


@contextmanager
def dialog_form(title: str, *, wide: bool = False) -> Iterator[Form]:
    """A dialog with a form; open it with `form.dialog.open()`."""
    with ui.dialog() as dialog, ui.element("div").classes("dialog wide" if wide else "dialog"):
        name = f"title-{dialog.id}"
        dialog.props(f'aria-labelledby="{name}"')
        ui.html(tag("h2", title, id=name), sanitize=False)
        yield Form(dialog)
    dialog.on("hide", dialog.delete)


def tell(text: str, *, good: bool = True) -> None:
    """Say something in passing."""
    ui.notify(text, type="positive" if good else "negative", position="top", timeout=4000)


def confirm(title: str, text: str, label: str, work: Callable[[], Awaitable[None]], *, typed: str = "") -> None:
    """Ask before something that cannot simply be taken back; `typed`: what has to be typed."""
    with dialog_form(title) as form:
        ui.html(tag("p", text), sanitize=False)
        field = form.text(f"Type {typed} to confirm", autocomplete="off") if typed else None

        async def do() -> None:
            if field is not None and field.value.strip() != typed:
                field.error = f"That is not {typed}"
                return
            await work()
            form.dialog.close()

        form.foot(label, do, danger=True)
    form.dialog.open()


def copybox(text: str, name: str) -> None:
    """Text to be copied."""
    pre = tag("pre", text, id=name, tabindex=0)
    copy = tag("button", "Copy", type="button", class_="button small", data_copy=name)
    ui.html(tag("div", pre, copy, class_="copybox"), sanitize=False)


__all__ = ["Form", "button", "confirm", "copybox", "dialog_form", "h", "tell"]
