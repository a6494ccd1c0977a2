"""Forms in dialogs: fields that show what is wrong with them, in words that help."""

import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from inspect import isawaitable
from typing import Any, Final

from nicegui import ui

from lunaport.model.errors import Fault, InvalidError, Path, Problem
from lunaport.service.errors import ServiceError
from lunaport.web.markup import Html, h, tag
from lunaport.web.page import NotAllowedError

ERRORS_SHOWN_MAX: Final = 8
MESSAGE_CHARS_MAX: Final = 500


class Form:
    """The fields of a dialog by the paths of the model, and its button. Wrong values are told at their fields."""

    def __init__(self, dialog: ui.dialog) -> None:
        self.dialog = dialog
        self._fields: dict[Path, Any] = {}
        self._problem = ui.html("", sanitize=False).props('role="alert"').classes("said")
        self._button: Any = None
        self.closed = False

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

    def switch(self, label: str, *path: str | int, value: bool = False) -> ui.switch:
        """Something that is on or off."""
        field = ui.switch(label, value=value)
        return self.add(field, *path) if path else field

    def choice(self, label: str, options: Any, *path: str | int, value: Any) -> ui.select:
        """One of several."""
        field = ui.select(options, value=value, label=label).props("outlined")
        return self.add(field, *path) if path else field

    def forget(self, *path: str | int) -> None:
        """Take out the fields at `path` and below: they are not there any more."""
        self._fields = {each: field for each, field in self._fields.items() if each[: len(path)] != path}

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
            if problem.fault is Fault.STALE:
                rest.append("somebody has changed it meanwhile: close this, look, and open it again")
            elif field is None:
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

    def guarded(self, work: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        """The same, with its errors shown where they belong."""

        async def do() -> None:
            self.clear()
            if self._button is not None:
                self._button.props["loading"] = True
                self._button.disable()
            try:
                await work()
            except (InvalidError, ServiceError) as error:
                self.show(error)
            except NotAllowedError as error:
                self.say(str(error))
            except TimeoutError:
                self.say("Your browser has not answered.")
            finally:
                if self._button is not None and not self.closed:
                    self._button.props["loading"] = False
                    self._button.enable()

        return do

    def foot(
        self, label: str, work: Callable[[], Awaitable[None]], *, danger: bool = False, leave: str = "Cancel"
    ) -> Any:
        """The buttons: one to leave, and the one that does it. Raises nothing: errors are shown."""

        do = self.guarded(work)
        with ui.element("div").classes("foot"):
            button(leave, self.dialog.close)
            self._button = button(label, do, kind="danger solid" if danger else "primary")
        return self._button


def link_button(label: str, work: Callable[[], Any]) -> None:
    """A small button in a row of its own."""
    with ui.element("div").classes("tools"):
        button(label, work, kind="small")


def button(label: str, work: Callable[[], Any], *, kind: str = "") -> Any:
    """A button. What its work cannot do, and does not say itself, is said in passing."""

    async def do() -> None:
        try:
            result = work()
            if isawaitable(result):
                await result
        except (InvalidError, ServiceError, NotAllowedError) as error:
            tell(str(error), good=False)

    return ui.button(label, on_click=do, color=None).props("unelevated no-caps").classes(f"button {kind}".strip())


@contextmanager
def dialog_form(title: str, *, wide: bool = False) -> Iterator[Form]:
    """A dialog with a form; open it with `form.dialog.open()`."""
    with ui.dialog() as dialog, ui.element("div").classes("dialog wide" if wide else "dialog"):
        name = f"title-{dialog.id}"
        dialog.props(f'aria-labelledby="{name}"')
        ui.html(tag("h2", title, id=name), sanitize=False)
        form = Form(dialog)
        yield form

    def hidden() -> None:
        form.closed = True
        dialog.delete()

    dialog.on("hide", hidden)


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


def file_field(form: Form, label: str, *path: str | int, accept: str = "") -> str:
    """A field for a file, which the browser sends itself; returns the id of its element."""
    name = f"file-{form.dialog.id}"
    kind = f' accept="{h(accept)}"' if accept else ""
    shown = FileProblem(name)
    ui.html(
        Html(f'<label class="file" for="{name}">{h(label)}<input type="file" id="{name}"{kind}></label>'),
        sanitize=False,
    )
    shown.draw()
    form.add(shown, *(path or ("file",)))
    return name


class FileProblem:
    """What is wrong with a file, said below its field."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._said: ui.html | None = None

    def draw(self) -> None:
        """Make its place."""
        self._said = ui.html("", sanitize=False).props('role="alert"').classes("said")

    @property
    def error(self) -> str | None:
        """What is wrong."""
        return None

    @error.setter
    def error(self, text: str | None) -> None:
        if self._said is not None:
            self._said.set_content(tag("p", text, class_="problem") if text else "")


def js(value: object) -> str:
    """A value for JavaScript."""
    return json.dumps(value)


def answered(form: Form, result: dict[str, Any]) -> dict[str, Any] | None:
    """The answer of API v1 to what the browser sent; None where there were errors, which are shown."""
    errors = result.get("errors") or []
    if not errors:
        return dict(result.get("answer") or {})
    problems = [
        Problem(
            fault=Fault.PARAMETER_INVALID,
            message=str(each.get("message", ""))[:MESSAGE_CHARS_MAX],
            path=_path(each.get("field")),
        )
        for each in errors[:ERRORS_SHOWN_MAX]
    ]
    form.show(InvalidError(problems))
    return None


def _path(field: object) -> Path:
    return tuple(str(field).split(".")) if field else ()


def copybox(text: str, name: str) -> None:
    """Text to be copied."""
    pre = tag("pre", text, id=name, tabindex=0)
    copy = tag("button", "Copy", type="button", class_="button small", data_copy=name)
    ui.html(tag("div", pre, copy, class_="copybox"), sanitize=False)


__all__ = ["Form", "answered", "button", "confirm", "copybox", "dialog_form", "file_field", "h", "js", "tell"]
