"""What is completed, and that nothing is asked, told or raised where the NAS cannot be asked."""

from typing import Any

import pytest

from lunaport.cli import completion
from lunaport.cli.client import Client
from lunaport.cli.errors import CliError, Exit

NAMES = (
    "iqn.2026-11.io.lunaport:disk",
    "iqn.2026-11.io.lunaport:data",
    "iqn.2026-11.org.example:other",
    "naa.52004567",
)


class Context:
    """A command line that is being typed."""

    def __init__(self, **given: str) -> None:
        self.params = {"url": "", "user": "", "password_file": "", "ca": "", "profile": ""} | given

    def find_root(self) -> "Context":
        return self


def completed(incomplete: str, **given: str) -> list[str]:
    """The targets that would be offered."""
    context: Any = Context(**given)
    return completion.complete_target(context, incomplete)


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Client]:
    """The NAS of the test, and who asked it."""
    for name in ("LUNAPORT_TOKEN", "LUNAPORT_PROFILES", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/nonexistent")
    monkeypatch.setenv("LUNAPORT_PASSWORD", "only-for-tests")
    clients: list[Client] = []

    def call(client: Client, *_: object, **__: object) -> dict[str, Any]:
        clients.append(client)
        if client.connection.url == "http://gone":
            raise CliError(Exit.UNREACHABLE, "gone")
        return {"items": [{"name": name} for name in NAMES]}

    monkeypatch.setattr(Client, "call", call)
    return clients


def test_short_and_full_names() -> None:
    assert completed("d") == ["disk", "data"]
    assert completed("DI") == ["disk"]
    assert completed("") == ["disk", "data", "other", "naa.52004567"]
    assert completed("iqn.2026-11.io.lunaport:di") == [NAMES[0]]
    assert completed("naa.") == ["naa.52004567"]


@pytest.mark.parametrize("given", [{"url": "http://gone"}, {"url": "nowhere"}, {"password_file": "/nonexistent"}])
def test_silence_where_nobody_can_be_asked(given: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert completed("d", **given) == []
    assert capsys.readouterr() == ("", "")


def test_without_a_password_nobody_is_asked(monkeypatch: pytest.MonkeyPatch, asked: list[Client]) -> None:
    monkeypatch.delenv("LUNAPORT_PASSWORD")
    assert completed("d") == []
    assert asked == []


def test_words_that_are_known() -> None:
    assert completion.complete_kind("k") == ["kubernetes"]
    assert completion.complete_role("") == ["viewer", "operator", "admin"]
