"""Several data processes in threads, with the lines between them and a control that knows them all."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from lunaport.engine.embedded.client import EmbeddedEngine
from lunaport.engine.embedded.limits import DataLimits
from lunaport.engine.embedded.loop import Loop
from lunaport.engine.embedded.nas import Nas
from lunaport.engine.embedded.neighbour import Place
from lunaport.engine.interface import DesiredState, PortalSpec
from lunaport.runtime.holdings import make_pair
from tests.unit.engine.embedded.test_line import DataProcess, free_port

HOST = "127.0.0.1"


class Member(DataProcess):
    """One of several. Its ends of the lines outlive it, as they do in the supervisor."""

    def __init__(self, path: Path, number: int, count: int, ends: dict[int, socket.socket], limits: DataLimits) -> None:
        self.number, self.count, self.ends, self.limits = number, count, ends, limits
        super().__init__(path)

    def make_nas(self, loop: Loop) -> Nas:
        """See `DataProcess`."""
        lines = {other: end.dup() for other, end in self.ends.items()}
        return Nas(loop, self.limits, place=Place(number=self.number, count=self.count, lines=lines))


@dataclass(slots=True)
class Several:
    """All of them."""

    engine: EmbeddedEngine
    members: list[Member]
    volume: Path
    port: int

    def names_of(self, number: int) -> list[str]:
        """The targets that a process serves, as it names them itself."""
        return sorted(self.members[number].nas.targets.targets)

    def sessions_of(self, number: int) -> list[str]:
        """The targets that the sessions of a process have."""
        return sorted(each.outcome.target_name for each in list(self.members[number].nas.by_transport.values()))


@asynccontextmanager
async def several(
    tmp_path: Path,
    count: int = 2,
    limits: DataLimits = DataLimits(),  # noqa: B008 - frozen
) -> AsyncIterator[Several]:
    """A control with so many data processes; a portal is open."""
    pairs = {number: make_pair() for number in range(1, count)}
    ends = [{other: pair[0] for other, pair in pairs.items()}, *({0: pairs[number][1]} for number in pairs)]
    members = [Member(tmp_path / f"data-{n}.sock", n, count, ends[n], limits) for n in range(count)]
    engine = EmbeddedEngine([member.path for member in members])
    port = free_port()
    found = Several(engine, members, tmp_path / "volume", port)
    try:
        await engine.make_volume(str(found.volume))
        await engine.start(DesiredState(portals=(PortalSpec(host=HOST, port=port),)))
        yield found
    finally:
        await found.engine.close()
        for member in members:
            member.close()
        for pair in pairs.values():
            for end in pair:
                end.close()
