"""Keeps one server up to date with what we serve, for as long as it runs.

It never raises and never makes anybody wait: `follow` notes what shall be registered, `run` does it. Addresses that
lead nowhere from elsewhere (loopback) are registered only with a server on this machine.
"""

import asyncio
import contextlib
import ipaddress
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from lunaport.isns.calls import Call
from lunaport.isns.client import Account, bring, deregister
from lunaport.isns.entity import Entity
from lunaport.isns.enums import Function
from lunaport.isns.errors import IsnsError
from lunaport.isns.schedule import Schedule
from lunaport.isns.transport import Connection

LOG = logging.getLogger(__name__)

ONLY_LOOPBACK: Final = (
    "nothing is registered: every portal has a loopback address, which initiators elsewhere cannot reach"
)

REFUSED: Final = "the server refused {count} of the targets; another entity there may have their names: {names}"
NAMES_SHOWN_MAX: Final = 3


class State(StrEnum):
    """How it stands with a server."""

    IDLE = "idle"
    """There is nothing to register."""
    REGISTERING = "registering"
    REGISTERED = "registered"
    FAILING = "failing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How it stands with a server now. Times are seconds since 1970; None: never."""

    state: State = State.IDLE
    targets: int = 0
    portals: int = 0
    """As registered."""
    registered_since: float | None = None
    confirmed_at: float | None = None
    """When the server last said that it has us as we are."""
    error: str = ""
    """What is wrong now; empty: nothing."""
    last_error: str = ""
    last_error_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """`connect` opens a connection to the server, `chance` gives numbers from 0 to 1, `clock` never goes back."""

    connect: Callable[[], Awaitable[Connection]]
    clock: Callable[[], float]
    wall_clock: Callable[[], float]
    chance: Callable[[], float]


@dataclass(slots=True)
class Keeper:
    """One server. `name` stands in the log."""

    name: str
    around: Surroundings
    tell: Callable[[Report], None] = lambda _: None
    """Told whenever state or error are others than before."""
    account: Account = field(default_factory=Account)
    schedule: Schedule = field(default_factory=Schedule)
    report: Report = field(default_factory=Report)
    _wanted: Entity | None = None
    _peer: str = ""
    _is_changed: bool = False
    """There is something to tell the server."""
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    def _set(self, report: Report) -> None:
        before, self.report = self.report, report
        if (report.state, report.error) != (before.state, before.error):
            self.tell(report)

    def follow(self, wanted: Entity) -> None:
        """From now on, this is what shall be registered."""
        if wanted == self._wanted:
            return
        self._wanted = wanted
        self._is_changed = True
        if self.report.state is State.IDLE:
            self._set(replace(self.report, state=State.REGISTERING))
        self.schedule.change(self.around.clock())
        self._wake.set()

    def called(self, peer: str, call: Call) -> None:
        """Somebody called our listener."""
        if call.function is Function.ESI:
            self.account.heard_esi = self.account.heard_esi or peer == self._peer
        elif self._wanted is not None and any(node.name in call.names for node in self._wanted.nodes):
            self.schedule.look(self.around.clock())
            self._wake.set()

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            self._wake.clear()
            pause_s = self.schedule.due - self.around.clock()
            if pause_s > 0:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause_s if pause_s < 1e6 else None):
                        await self._wake.wait()
                continue
            await self.work()

    async def work(self) -> None:
        """Speak to the server once, and note when to do it again."""
        wanted = self._wanted
        if wanted is None or (wanted.is_empty and self.account.registered is None):
            self._rest("")
            return
        try:
            reachable = await self._bring(wanted)
        except IsnsError as error:
            self._fail(str(error))
        except Exception:  # the edge of this task: the other servers and the NAS go on
            LOG.exception("iSNS server %s: unexpected", self.name)
            self._fail("an unexpected error, see the log")
        else:
            if reachable.is_empty:
                self._rest("" if wanted.is_empty else ONLY_LOOPBACK)
            else:
                self._succeed(reachable, self.account.refused)
        if self._is_changed:
            self.schedule.change(self.around.clock())

    async def leave(self, timeout_s: float) -> None:
        """Deregister, if that can be done in time. Only when `run` has ended."""
        if self.account.registered is None:
            return
        try:
            async with asyncio.timeout(timeout_s):
                connection = await self.around.connect()
                try:
                    await connection.converse(deregister(self.account))
                finally:
                    await connection.close()
        except (IsnsError, TimeoutError) as error:
            LOG.warning("iSNS server %s: not deregistered: %s", self.name, str(error) or "no answer in time")
        else:
            LOG.info("iSNS server %s: deregistered", self.name)
            self._set(Report(last_error=self.report.last_error, last_error_at=self.report.last_error_at))

    async def _bring(self, wanted: Entity) -> Entity:
        """Make the server hold what it can use of `wanted`, and return that."""
        self._is_changed = False
        connection = await self.around.connect()
        try:
            self._peer = connection.peer
            reachable = wanted if connection.is_local else _without_loopback(wanted)
            losses = self.account.losses
            await connection.converse(bring(self.account, reachable))
            if self.account.losses != losses:
                LOG.warning("iSNS server %s: had lost our registration", self.name)
                self.report = replace(self.report, registered_since=None)
        finally:
            await connection.close()
        return reachable

    def _succeed(self, reachable: Entity, refused: tuple[str, ...]) -> None:
        now = self.around.wall_clock()
        targets = len(reachable.nodes) - len(refused)
        self.report = replace(self.report, targets=targets, portals=len(reachable.portals), confirmed_at=now)
        if refused:
            self._note(REFUSED.format(count=len(refused), names=", ".join(refused[:NAMES_SHOWN_MAX])))
        else:
            if self.report.registered_since is None:
                LOG.info(
                    "iSNS server %s: registered, %d targets on %d portals", self.name, targets, self.report.portals
                )
            since = self.report.registered_since or now
            self._set(replace(self.report, state=State.REGISTERED, registered_since=since, error=""))
        self.schedule.succeed(self.around.clock(), self.account.period_s, self.around.chance())

    def _fail(self, text: str) -> None:
        self._note(text)
        self.schedule.fail(self.around.clock(), self.around.chance())

    def _note(self, error: str) -> None:
        if error != self.report.error:
            LOG.warning("iSNS server %s: %s", self.name, error)
        self._set(
            replace(
                self.report,
                state=State.FAILING,
                registered_since=None,
                error=error,
                last_error=error,
                last_error_at=self.around.wall_clock(),
            )
        )

    def _rest(self, error: str) -> None:
        if self.report.state is State.REGISTERED:
            LOG.info("iSNS server %s: deregistered, there is nothing to register", self.name)
        if error and error != self.report.error:
            LOG.warning("iSNS server %s: %s", self.name, error)
        self._set(Report(error=error, last_error=self.report.last_error, last_error_at=self.report.last_error_at))
        self.schedule.rest()


def _without_loopback(entity: Entity) -> Entity:
    portals = tuple(each for each in entity.portals if not ipaddress.ip_address(each.address).is_loopback)
    return replace(entity, portals=portals)
