"""The events of several processes as one stream."""

import asyncio
from typing import Any

import pytest

from lunaport.engine.embedded import messages, news
from lunaport.engine.embedded.news import News
from lunaport.engine.interface import EngineEvent, EngineUnavailableError, EventBatch, EventMark

pytestmark = pytest.mark.anyio


class Source:
    """A line to a process that says what the test says."""

    def __init__(self, run: str = "r") -> None:
        self.run = run
        self.available = asyncio.Event()
        self.available.set()
        self.asked: list[EventMark] = []
        self.answers: asyncio.Queue[EventBatch | EngineUnavailableError] = asyncio.Queue()
        self.number = 0

    def say(self, *kinds: str, lost: int = 0, **facts: str) -> None:
        self.number += len(kinds)
        events = tuple(EngineEvent(kind=kind, at=0, facts=facts) for kind in kinds)
        self.answers.put_nowait(EventBatch(mark=EventMark(run=self.run, number=self.number), events=events, lost=lost))

    async def expect(self, body: Any, kind: object, *, attempts: int) -> messages.Events:
        assert kind is messages.Events
        assert attempts == 1
        self.asked.append(body.after)
        answer = await self.answers.get()
        if isinstance(answer, EngineUnavailableError):
            raise answer
        return messages.Events(answer)


class Stand:
    """Two processes and their news."""

    def __init__(self) -> None:
        self.drained = True
        self.news = News(self.is_drained)
        self.sources = [Source("x"), Source("y")]
        for process, source in enumerate(self.sources):
            self.news.follow(process, source, from_the_beginning=process == 1)  # type: ignore[arg-type]

    async def is_drained(self) -> bool:
        return self.drained

    async def kinds(self) -> list[str]:
        return [event.kind for event in (await self.news.next()).events]


async def test_each_is_asked_from_where_it_was_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(news, "WAIT_S_MAX", 0.05)
    stand = Stand()
    first, second = stand.sources
    first.say()
    assert (await stand.news.next()).mark.run, "the first answer says from where on is read"
    second.say("a", "b")
    assert await stand.kinds() == ["a", "b"]
    first.say("c")
    batch = await stand.news.next()
    assert ([event.kind for event in batch.events], batch.mark.number) == (["c"], 3)
    assert (await stand.news.next()).events == (), "nothing happened for a while"
    assert first.asked == [EventMark(), EventMark(run="x"), EventMark(run="x", number=1)]
    assert second.asked == [EventMark(run="none"), EventMark(run="y", number=2)]
    await stand.news.close()


async def test_a_process_that_begins_anew_is_another_run() -> None:
    stand = Stand()
    first, second = stand.sources
    first.say()
    run = (await stand.news.next()).mark.run
    second.say("a")
    assert (await stand.news.next()).mark.run == run
    second.run, second.number = "z", 0
    second.say()
    assert (await stand.news.next()).mark.run != run
    await stand.news.close()


async def test_a_process_that_is_away_is_told_once_and_read_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(news, "RETRY_S", 0)
    stand = Stand()
    first, second = stand.sources
    first.say()
    await stand.news.next()
    for _ in range(3):
        second.answers.put_nowait(EngineUnavailableError("away"))
    second.say("back", lost=4)
    with pytest.raises(EngineUnavailableError):
        await stand.news.next()
    batch = await stand.news.next()
    assert ([event.kind for event in batch.events], batch.lost) == (["back"], 4)
    await stand.news.close()


async def test_a_volume_gets_scarce_once_and_is_well_once() -> None:
    stand = Stand()
    first, second = stand.sources
    first.say("space_scarce", volume="v")
    assert await stand.kinds() == ["space_scarce"]
    second.say("space_scarce", "mark", volume="v")
    assert await stand.kinds() == ["mark"]
    first.say("space_enough", "mark", volume="v")
    assert await stand.kinds() == ["mark"]
    second.say("space_enough", volume="v")
    assert await stand.kinds() == ["space_enough"]
    first.say("space_scarce", volume="v")
    assert await stand.kinds() == ["space_scarce"]
    first.run = "new"
    first.say("mark")
    await stand.kinds()
    second.say("space_scarce", volume="v")
    assert await stand.kinds() == ["space_scarce"], "the one that said so is gone"
    await stand.news.close()


async def test_drained_is_told_once_when_all_are() -> None:
    stand = Stand()
    first, second = stand.sources
    stand.drained = False
    first.say("drained", "mark", target="")
    assert await stand.kinds() == ["mark"]
    first.say("drained", target="one")
    assert await stand.kinds() == ["drained"], "that of a target is another"
    stand.drained = True
    second.say("drained", target="")
    assert await stand.kinds() == ["drained"]
    first.say("drained", "mark", target="")
    assert await stand.kinds() == ["mark"]
    stand.news.steered()
    first.say("drained", target="")
    assert await stand.kinds() == ["drained"]
    await stand.news.close()


async def test_nobody_is_read_before_he_is_there() -> None:
    stand = Stand()
    late = Source("late")
    late.available.clear()
    stand.news.follow(2, late, from_the_beginning=True)  # type: ignore[arg-type]
    for _ in range(10):
        await asyncio.sleep(0)
    assert late.asked == []
    late.available.set()
    late.say("first")
    assert await stand.kinds() == ["first"]
    await stand.news.close()
