"""Registers the NAS with iSNS servers: from what the use cases say to one keeper a server, and their reports back.

Beside the control process's work, never in its way: a change only sets an event. From time to time it looks by itself,
for interfaces come and go, and portals open that could not be opened at first.
"""

import asyncio
import ipaddress
import logging
import random
import time
from collections.abc import Awaitable, Callable, Container, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from lunaport.engine.interface import PortalSpec
from lunaport.isns.calls import Call
from lunaport.isns.entity import Entity, Node, Portal
from lunaport.isns.keeper import Keeper, Report, State, Surroundings
from lunaport.isns.resolve import resolve
from lunaport.isns.transport import Listener, Timeouts, connect
from lunaport.model.address import HostPort
from lunaport.model.errors import DatabaseFailedError
from lunaport.service.registration import IsnsServerReport, RegisteredTarget, Registration

LOG = logging.getLogger(__name__)

LOOK_INTERVAL_S: Final = 10.0
LEAVE_TIMEOUT_S: Final = 2.0
RESOLVE_TIMEOUT_S: Final = 5.0
PORTALS_MAX: Final = 32
"""Of those that wildcards stand for; more would not fit into what servers take at once."""

EVENTS: Final = {
    State.REGISTERED: "isns_registered",
    State.FAILING: "isns_failing",
    State.IDLE: "isns_idle",
}
"""How it stands with a server, as events."""


@dataclass(slots=True)
class _Kept:
    """A keeper at work."""

    keeper: Keeper
    task: asyncio.Task[None]


@dataclass(slots=True)
class IsnsRegistrar:
    """Implements `service.registration.Registrar`. `own_addresses`: those of the interfaces; may raise OSError."""

    own_addresses: Callable[[], Sequence[str]]
    timeouts: Timeouts = field(default_factory=Timeouts)
    chance: Callable[[], float] = random.random
    publish: Callable[[str, dict[str, str]], None] = lambda _kind, _facts: None
    """Told what becomes of it, as an event."""
    _kept: dict[HostPort, _Kept] = field(default_factory=dict)
    _leaving: dict[HostPort, asyncio.Task[None]] = field(default_factory=dict)
    _listeners: dict[str, Listener] = field(default_factory=dict)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    def changed(self) -> None:
        """Something that is registered may have changed."""
        self._wake.set()

    def servers(self) -> Sequence[IsnsServerReport]:
        """Every server that is configured now."""
        return [_report(server, kept.keeper) for server, kept in self._kept.items()]

    async def run(self, registration: Callable[[], Awaitable[Registration]]) -> None:
        """Work until cancelled. `close` comes after that."""
        while True:
            self._wake.clear()
            try:
                await self.follow(await registration())
            except DatabaseFailedError:
                pass  # told by the store
            except Exception:  # the edge of this task: the NAS goes on, and the next look is soon
                LOG.exception("the iSNS registration could not be brought up to date")
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_INTERVAL_S if self._kept else None):
                    await self._wake.wait()

    async def follow(self, registration: Registration) -> None:
        """Have every server told."""
        for server in [each for each in self._kept if each not in registration.servers]:
            self._leave(server)
        if not registration.servers:
            await self._listen(())
            return
        portals = await self._portals(registration.portals)
        await self._listen({address for address, _, _ in portals})
        entity = Entity(
            identifier=registration.entity,
            portals=tuple(
                Portal(address=address, port=port, listener_port=self._listener_port(address), group=group)
                for address, port, group in portals
            ),
            nodes=_nodes(registration.targets, {group for _, _, group in portals}),
        )
        for server in registration.servers:
            if server not in self._kept:
                self._keep(server)
            self._kept[server].keeper.follow(entity)

    async def close(self) -> None:
        """Deregister everywhere, as far as that goes within a short time. `run` has ended."""
        for server in list(self._kept):
            self._leave(server)
        if self._leaving:
            await asyncio.wait(self._leaving.values())
        await self._listen(())

    def _keep(self, server: HostPort) -> None:
        around = Surroundings(
            connect=partial(connect, server.host, server.port, self.timeouts),
            clock=time.monotonic,
            wall_clock=time.time,
            chance=self.chance,
        )
        keeper = Keeper(name=str(server), around=around, tell=partial(self._tell, server))
        before = self._leaving.get(server)

        async def keep() -> None:
            if before is not None:
                # A server that was left a moment ago is deregistered from before it is registered with again.
                await asyncio.wait({before})
            await keeper.run()

        self._kept[server] = _Kept(keeper=keeper, task=asyncio.create_task(keep()))

    def _leave(self, server: HostPort) -> None:
        """Deregister in the background."""
        kept = self._kept.pop(server)
        before = self._leaving.get(server)

        async def leave() -> None:
            kept.task.cancel()
            await asyncio.wait({kept.task} if before is None else {kept.task, before})
            await kept.keeper.leave(LEAVE_TIMEOUT_S)
            if self._leaving.get(server) is task:
                del self._leaving[server]

        task = asyncio.create_task(leave())
        self._leaving[server] = task

    def _tell(self, server: HostPort, report: Report) -> None:
        kind = EVENTS.get(report.state)
        if kind is not None:
            facts = {"server": str(server), "targets": str(report.targets), "portals": str(report.portals)}
            if report.error:
                facts["reason"] = report.error
            self.publish(kind, facts)

    async def _portals(self, specs: Iterable[PortalSpec]) -> list[tuple[str, int, int]]:
        """Address, port and group of portals: a wildcard stands for the interfaces', a name for what it resolves to."""
        found: dict[tuple[str, int], int] = {}
        for spec in specs:
            for address in await self._addresses(spec.host):
                found.setdefault((address, spec.port), spec.group)
        if len(found) > PORTALS_MAX:
            LOG.warning("%d addresses listen; the first %d are registered with iSNS", len(found), PORTALS_MAX)
        return [(*key, group) for key, group in found.items()][:PORTALS_MAX]

    async def _addresses(self, host: str) -> list[str]:
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return await _resolve(host)
        if not address.is_unspecified:
            return [str(address)]
        try:
            own = self.own_addresses()
        except OSError as error:
            LOG.warning("the addresses of this machine's interfaces cannot be read: %s", error)
            return []
        return [each for each in own if (":" in each) == (address.version == 6)]

    async def _listen(self, addresses: Iterable[str]) -> None:
        """Listen for the servers' calls on these addresses, and on no others."""
        wanted = set(addresses)
        for address in [each for each in self._listeners if each not in wanted]:
            await self._listeners.pop(address).close()
        for address in sorted(wanted - self._listeners.keys()):
            listener = Listener(called=self._called)
            try:
                await listener.start(address)
            except OSError as error:
                LOG.warning("iSNS servers cannot call back on %s: %s", address, error.strerror or error)
                continue
            self._listeners[address] = listener

    def _listener_port(self, address: str) -> int:
        listener = self._listeners.get(address)
        return listener.port if listener is not None else 0

    def _called(self, peer: str, call: Call) -> None:
        for kept in self._kept.values():
            kept.keeper.called(peer, call)


async def _resolve(host: str) -> list[str]:
    """The address on which a portal with a host name listens, as the engine takes it: the first one."""
    try:
        async with asyncio.timeout(RESOLVE_TIMEOUT_S):
            return (await resolve(host))[:1]
    except (OSError, TimeoutError) as error:
        LOG.warning("the address of portal %s is not known: %s", host, str(error) or "no answer in time")
        return []


def _nodes(targets: Iterable[RegisteredTarget], groups: Container[int]) -> tuple[Node, ...]:
    """The targets that are reached through one of these portal groups."""
    return tuple(
        Node(name=each.name, alias=_alias(each.name), groups=each.portal_groups)
        for each in targets
        if not each.portal_groups or any(group in groups for group in each.portal_groups)
    )


def _alias(name: str) -> str:
    """A name for people: what follows the naming authority in an iqn name; nothing for the others."""
    return name.partition(":")[2] if name.startswith("iqn.") else ""


def _report(server: HostPort, keeper: Keeper) -> IsnsServerReport:
    report = keeper.report
    return IsnsServerReport(
        address=str(server),
        state=report.state.value,
        targets=report.targets,
        portals=report.portals,
        registered_since=report.registered_since,
        confirmed_at=report.confirmed_at,
        error=report.error,
        last_error=report.last_error,
        last_error_at=report.last_error_at,
    )
