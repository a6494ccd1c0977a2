"""Host names of portals: looked up beside the loop, and not waited for long."""

import threading
from collections.abc import Iterator

import pytest

from lunaport.engine.embedded import names
from lunaport.engine.embedded.loop import Loop
from lunaport.engine.embedded.names import Names, resolve


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.close()


def test_names_become_addresses(loop: Loop) -> None:
    asked: list[str] = []

    def answer(host: str) -> str:
        asked.append(host)
        if host == "unknown":
            raise OSError("no such name")
        return "192.0.2.7"

    found = Names(loop, answer)
    found.look_up(["nas", "unknown", "nas"], loop.stop)
    loop.run()
    assert found.known == {"nas": "192.0.2.7"}
    assert sorted(asked) == ["nas", "unknown"]


def test_without_names_nothing_is_waited_for(loop: Loop) -> None:
    done: list[None] = []
    Names(loop).look_up([], lambda: done.append(None))
    assert done == [None]


def test_a_name_that_is_gone_is_forgotten(loop: Loop) -> None:
    def nothing(host: str) -> str:
        raise OSError(host)

    found = Names(loop, nothing)
    found.known["nas"] = "192.0.2.7"
    found.look_up(["nas"], loop.stop)
    loop.run()
    assert found.known == {}


def test_a_slow_resolver_is_asked_once_and_not_waited_for(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "LOOK_UP_S_MAX", 0.05)
    told = threading.Event()
    asked: list[str] = []

    def slow(host: str) -> str:
        asked.append(host)
        told.wait(10)
        return "192.0.2.7"

    found = Names(loop, slow)
    for _ in range(2):
        loop.running = True
        found.look_up(["nas"], loop.stop)
        loop.run()
        assert found.known == {}
    told.set()
    loop.running = True
    found.look_up(["nas"], loop.stop)
    loop.run()
    assert (found.known, asked) == ({"nas": "192.0.2.7"}, ["nas"])


def test_the_system_is_asked() -> None:
    assert resolve("localhost") in ("127.0.0.1", "::1")
    with pytest.raises(OSError, match="cannot be a host name"):
        resolve("a" * 64 + ".example")
