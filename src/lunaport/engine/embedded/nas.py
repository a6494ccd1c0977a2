"""A data process at work: portals accept, logins find their target, sessions run, desired state is carried out.

This is where iSCSI, SCSI and storage meet. Everything runs on the event loop's thread; only disks block elsewhere.
"""

import os
import secrets
import time
from collections.abc import Callable, Collection, Sequence
from functools import partial
from socket import socket
from time import monotonic

import structlog

from lunaport.engine import plan
from lunaport.engine.embedded.admission import Admission
from lunaport.engine.embedded.channel import HandOver
from lunaport.engine.embedded.counting import Counting
from lunaport.engine.embedded.directory import Directory, TextAnswers, asker_of
from lunaport.engine.embedded.exclusive import ExclusiveUse
from lunaport.engine.embedded.failures import Failures
from lunaport.engine.embedded.handing_over import HandingOver
from lunaport.engine.embedded.inspection import Inspection
from lunaport.engine.embedded.journal import Journal
from lunaport.engine.embedded.limits import ConnectionBounds, DataLimits
from lunaport.engine.embedded.login_failures import LoginFailures, printable
from lunaport.engine.embedded.loop import Loop
from lunaport.engine.embedded.memory import Memory
from lunaport.engine.embedded.neighbour import Neighbour, Place
from lunaport.engine.embedded.pool import BufferPool
from lunaport.engine.embedded.portals import Portals
from lunaport.engine.embedded.portals_elsewhere import AnyPortals, PortalsElsewhere
from lunaport.engine.embedded.pressure import Pressure
from lunaport.engine.embedded.refusals import Refusals
from lunaport.engine.embedded.session import Session, end_session
from lunaport.engine.embedded.silence import Silence
from lunaport.engine.embedded.space import FIRST_S, SpaceWatch
from lunaport.engine.embedded.steering import Steering
from lunaport.engine.embedded.steps import Finish, Queue, run_steps
from lunaport.engine.embedded.taking_over import TakingOver, begun_by
from lunaport.engine.embedded.targets import TargetTable
from lunaport.engine.embedded.transport import Begun, Transport
from lunaport.engine.interface import (
    TROUBLES_MAX,
    BlockSpec,
    Change,
    DesiredState,
    DiscoverySpec,
    EngineError,
    EngineStatus,
    PortalSpec,
    RefusedLogin,
    SessionReport,
    TargetSpec,
)
from lunaport.iscsi.connection import Connection
from lunaport.iscsi.errors import LoginRefused
from lunaport.iscsi.limits import SILENCE_S_MAX
from lunaport.iscsi.login import LoginOutcome, LoginPhase, LoginStep
from lunaport.iscsi.session import SessionTable
from lunaport.scsi.logical_unit import LogicalUnit
from lunaport.scsi.rights import Rights
from lunaport.scsi.sense import some_commands_cleared_by_iscsi_event

log = structlog.get_logger()

LOGOUT_WITHIN_S = 2
"""How long an initiator that is asked to log out may take."""
ENDED_CHECK_S = 0.02
RATE_S = 5.0
"""What rates are averaged over."""
RETRY_S = 2.0
"""Pause between attempts to open portals and files that could not be opened, and between looks at addresses."""


def host_of(address: str) -> str:
    """The host of host:port."""
    return address.rpartition(":")[0]


class Nas:
    """The state of a data process."""

    def __init__(
        self,
        loop: Loop,
        limits: DataLimits = DataLimits(),  # noqa: B008 - frozen
        *,
        descriptors: int = 1 << 20,
        clock: Callable[[], float] = time.time,
        place: Place = Place(),  # noqa: B008 - frozen
    ) -> None:
        self.loop = loop
        self.place = place
        self.clock = clock
        self.pool = BufferPool()
        self.memory = Memory(limits.memory_mib << 20)
        self.pressure = Pressure(loop, self.memory, lambda: self.by_transport)
        self.targets = TargetTable(loop, clock)
        self.portals: AnyPortals = PortalsElsewhere(loop) if place.number else Portals(loop, self._accept)
        self.exclusive = ExclusiveUse(self)
        self.discovery = DiscoverySpec()
        self.sessions: SessionTable[Session] = SessionTable(
            limits.sessions,
            target_sessions_max=limits.target_sessions,
            initiator_sessions_max=limits.initiator_sessions,
            tsih_first=place.number + 1,
            tsih_step=place.count,
        )
        bounds = ConnectionBounds(per_address=limits.address_connections).within(descriptors)
        self.admission: Admission[Transport] = Admission(bounds)
        self.refusals = Refusals(time.monotonic)
        self.by_transport: dict[Transport, Session] = {}
        # TSIHs handed out to logins whose last response is being built.
        self.admitted: dict[Transport, tuple[int, Session | None, Rights]] = {}
        self.closing_targets: set[str] = set()
        self.changes = Queue()
        self.since = time.time()
        self.journal = Journal(loop, f"{os.getpid()}-{self.since:.6f}")
        self.login_failures = LoginFailures()
        self.steering = Steering(self)
        self.failures = Failures(self.journal)
        self.space = SpaceWatch(loop, self.targets, self.journal)
        self.inspection = Inspection(loop, self.portals, self.targets, self.failures, monotonic)
        self.retrying = False
        self.counters = Counting(self.targets.targets, place.name)
        self.silence = Silence(lambda transport: self.counters.ping_timed_out(self.by_transport.get(transport)))
        self.handing_over = HandingOver(self, {} if place.number else place.lines)
        self.taking_over = TakingOver(self, place.lines[0]) if place.number else None
        loop.call_later(SILENCE_S_MAX, self._look_for_silence)
        loop.call_later(RATE_S, self._look_at_counters)
        loop.call_later(FIRST_S, self.space.look)
        loop.call_later(RETRY_S, self._look_at_portals)

    # Desired state

    def start(self, desired: DesiredState, finish: Finish, elsewhere: Sequence[Neighbour] = ()) -> None:
        """Bring everything to the wire; what cannot be yet is tried again by itself.

        `elsewhere`: the targets that other processes serve, all of them.
        """
        steer = partial(self._steer, desired.draining, desired.blocks)

        def change(done: Finish) -> None:
            wanted = {spec.name: spec for spec in desired.targets}
            self._change_targets(plan.diff(self.targets.specs(), wanted), done, partly=True)

        def listen(done: Finish) -> None:
            self.discovery = desired.discovery
            self.targets.change_elsewhere(elsewhere, list(self.targets.elsewhere))
            self._set_portals(desired.portals, done, partly=True)

        def begin(done: Finish) -> None:
            if self.taking_over is not None:
                self.taking_over.begin()
            done(None)

        self.changes.add(lambda done: run_steps([steer, change, listen, self.steering.follow, begin], done), finish)

    def apply(
        self,
        change: Change,
        finish: Finish,
        *,
        elsewhere: Sequence[Neighbour] = (),
        elsewhere_removed: Sequence[str] = (),
    ) -> None:
        """Carry a change out; `finish` when it is on the wire, or with the error that prevented it.

        `elsewhere`: targets that other processes serve now, or serve in another way.
        """

        def listen(done: Finish) -> None:
            if change.portals is None:
                done(None)
            else:
                self._set_portals(change.portals, done, partly=False)

        def change_targets(done: Finish) -> None:
            self._change_targets(plan.diff_step(self.targets.specs(), change), done, partly=False)

        def change_discovery(done: Finish) -> None:
            self.discovery = change.discovery or self.discovery
            self.targets.change_elsewhere(elsewhere, elsewhere_removed)
            done(None)

        steer = partial(self._steer, change.draining, change.blocks)
        self.changes.add(
            lambda done: run_steps([listen, change_targets, change_discovery, steer, self.steering.follow], done),
            finish,
        )

    def _steer(self, draining: bool | None, blocks: tuple[BlockSpec, ...] | None, finish: Finish) -> None:
        self.steering.set(draining, blocks)
        finish(None)

    def _set_portals(self, portals: tuple[PortalSpec, ...], finish: Finish, *, partly: bool) -> None:
        def done(error: BaseException | None) -> None:
            self._retry_later()
            if error is not None:
                finish(error)
            elif portals:
                self.targets.set_groups(self.portals.groups)
                finish(None)
            else:
                # Who is about to log in is told so with his next request.
                self.loop.call_later(LOGOUT_WITHIN_S, self._end_logins)
                self.end_sessions(list(self.by_transport), "the service was switched off", finish)

        self.portals.set(portals, done, partly=partly)

    def _end_logins(self) -> None:
        if not self.portals.desired:
            for transport in list(self.admission.before_login):
                transport.close("the service was switched off")

    def _change_targets(self, steps: plan.Plan, finish: Finish, *, partly: bool) -> None:
        """Stop what goes (its sessions first), then update and start the rest; on an error start again what stopped."""
        stopped = [self.targets.targets[name].spec for name in steps.stop]
        started: list[str] = []
        touched = {*steps.stop, *(spec.name for spec in (*steps.update, *steps.start))}
        self.closing_targets.update(steps.stop)
        leaving = [
            transport
            for transport, session in self.by_transport.items()
            if session.target is not None and session.target.spec.name in self.closing_targets
        ]

        def open_target(spec: TargetSpec, done: Finish) -> None:
            try:
                self.targets.open(spec, partly=partly)
            except EngineError as error:
                done(error)
                return
            started.append(spec.name)
            done(None)

        def done(error: BaseException | None) -> None:
            self.closing_targets.difference_update(steps.stop)
            self._retry_later(touched)
            if error is None:
                finish(None)
                return

            def reopen(_: BaseException | None) -> None:
                for spec in stopped:
                    if spec.name not in self.targets.targets:
                        self.targets.open(spec, partly=True)
                self._retry_later(touched)
                finish(error)

            run_steps([partial(self.targets.close, name) for name in started], reopen)

        run_steps(
            [
                partial(self.end_sessions, leaving, "its target was removed"),
                *(partial(self.targets.close, name) for name in steps.stop),
                *(partial(self._update_target, spec, partly=partly) for spec in steps.update),
                *(partial(open_target, spec) for spec in steps.start),
            ],
            done,
        )

    def _update_target(self, spec: TargetSpec, finish: Finish, *, partly: bool) -> None:
        """Change a target and what its sessions may do; those that may do nothing any more end."""

        def updated(error: BaseException | None) -> None:
            if error is not None:
                finish(error)
                return
            target = self.targets.targets[spec.name]
            ending = []
            for transport, session in self.by_transport.items():
                if session.nexus is None or session.outcome.target_name != spec.name:
                    continue
                try:
                    session.nexus.set_rights(target.rights_of(asker_of(transport, session.outcome.initiator_name)))
                except LoginRefused:
                    ending.append(transport)
            self.end_sessions(ending, "its initiator may not use the target any more", finish)

        self.targets.update(spec, updated, partly=partly)

    def end_sessions(self, transports: list[Transport], reason: str, finish: Finish) -> None:
        """Ask initiators to log out, end those that do not in time; `finish` when all have ended."""

        def end_all() -> None:
            for transport in transports:
                end_session(transport, reason)

        def check() -> None:
            if any(transport in self.by_transport for transport in transports):
                self.loop.call_later(ENDED_CHECK_S, check)
            else:
                deadline.cancel()
                finish(None)

        for transport in transports:
            if transport.connection is not None:
                transport.connection.request_logout(LOGOUT_WITHIN_S)
        deadline = self.loop.call_later(LOGOUT_WITHIN_S, end_all)
        check()

    def close_session(self, session_id: str, answer: Callable[[bool], None]) -> None:
        """Ask a session's initiator to log out, then close it; `answer` whether there was such a session."""
        found = [transport for transport, session in self.by_transport.items() if session.id == session_id]
        self.end_sessions(found, "closed by the administrator", lambda _: answer(bool(found)))

    def _retry_later(self, touched: Collection[str] | None = None) -> None:
        """Tell what fails (of the targets that were `touched`, or of all), and try it again by itself."""
        self.failures.tell(self.portals, self.targets, touched)
        missing = self.portals.errors or any(target.missing for target in self.targets)
        if missing and not self.retrying:
            self.retrying = True
            self.loop.call_later(RETRY_S, self._retry)

    def _retry(self) -> None:
        def done(_: BaseException | None) -> None:
            self.retrying = False
            self.targets.open_missing()
            self._retry_later()

        self.portals.open_missing(done)

    def _look_at_portals(self) -> None:
        self.portals.look()
        self._retry_later()
        self.loop.call_later(RETRY_S, self._look_at_portals)

    # Connections

    def _accept(self, sock: socket, address: str, portal: str, group: int) -> None:
        self._admit(sock, address, portal, group)

    def _admit(
        self, sock: socket, address: str, portal: str, group: int, begun: Begun | None = None
    ) -> Transport | None:
        host = host_of(address)
        refusal = self.admission.refusal(host)
        if refusal:
            self.refusals.note("connection refused", host, address, refusal)
            sock.close()
            return None
        crowded_out = self.admission.crowded_out(host)
        if crowded_out is not None:
            crowded_out.close("too many connections have not logged in; this was the oldest")
        transport = Transport(self.loop, self.pool, self.memory, self, sock, address, portal, group)
        self.admission.add(transport, host)
        transport.start(begun)
        return transport

    def take_over(self, sock: socket, login: HandOver) -> Transport | None:
        """Go on with a login that came in at process 0; None where it is not taken."""
        return self._admit(sock, login.address, login.portal, login.portal_group, begun_by(login))

    def hand_over(self, transport: Transport, process: int, begun: Begun) -> None:
        """See `transport.Owner`."""
        self.handing_over.hand_over(transport, process, begun)

    def begin_login(self, transport: Transport) -> LoginPhase:
        """See `transport.Owner`."""
        return LoginPhase(Directory(self, transport), secrets.token_bytes, transport.portal)

    def begin_session(self, transport: Transport, outcome: LoginOutcome) -> Connection:
        """See `transport.Owner`."""
        self.admission.end_login(transport)
        tsih, replaced, rights = self.admitted.pop(transport)
        cleared: list[LogicalUnit] = []
        if replaced is not None:
            if outcome.tsih and replaced.nexus is not None:
                cleared = replaced.nexus.busy_units()
            replaced.transport.close("the initiator logged in again in its place")
        target = self.targets.targets.get(outcome.target_name)
        nexus = None
        if target is not None:
            nexus = target.scsi.attach(
                f"{outcome.initiator_name},i,0x{outcome.isid.hex()}",
                outcome.portal_group_tag,
                # Without CHAP anyone can call himself anything: the name alone does not make two sessions one host's.
                identity=f"{outcome.initiator_name} {transport.address.rsplit(':', 1)[0]}",
                rights=rights,
            )
            # The session goes on: it is told which of its tasks ended with the connection (section 11.14.5).
            for unit in cleared:
                nexus.raise_attention(unit, some_commands_cleared_by_iscsi_event())
        session = Session(transport, outcome, tsih, target, nexus, partial(self._end_target, outcome.target_name))
        connection = Connection(
            outcome,
            tsih=tsih,
            device_server=session if nexus is not None else None,
            text=TextAnswers(self, transport, outcome),
            shell=transport,
        )
        session.connection = connection
        self.sessions.add(outcome, tsih, session)
        self.by_transport[transport] = session
        self.pressure.take_in(transport)
        session.measure(self.loop)
        self.steering.limit(session)
        self.counters.login(outcome.target_name)
        self.journal.add("login", **session.facts())
        log.info(
            "login",
            initiator=outcome.initiator_name,
            address=transport.address,
            target=outcome.target_name or "(discovery)",
        )
        return connection

    def end_connection(self, transport: Transport, reason: str) -> None:
        """See `transport.Owner`."""
        self.admission.end_login(transport)
        self.admitted.pop(transport, None)
        session = self.by_transport.pop(transport, None)
        if session is None:
            address = transport.address
            self.refusals.note("connection ended before login", host_of(address), address, reason)
            if transport.refused is not None:
                self._note_refusal(transport, transport.refused)
            return
        self.sessions.remove(session.outcome, session)
        self.counters.ended(session)
        if session.nexus is not None:
            session.nexus.close(lambda: None)
        log.info(
            "session ended",
            initiator=session.outcome.initiator_name,
            address=transport.address,
            target=session.outcome.target_name or "(discovery)",
            reason=reason,
        )
        self.journal.add("logout", **session.facts(), reason=reason)
        self.steering.ended(session)

    def _note_refusal(self, transport: Transport, step: LoginStep) -> None:
        refused = RefusedLogin(
            at=time.time(),
            reason=step.refusal or "",
            detail=printable(step.failed),
            initiator=printable(step.initiator_name),
            target=printable(step.target_name),
            address=transport.address,
            portal=transport.portal,
        )
        self.login_failures.add(refused)
        self.counters.refused(step.target_name, refused.reason)
        self.journal.add(
            "login_refused",
            initiator=refused.initiator,
            target=refused.target,
            address=refused.address,
            reason=refused.reason,
            detail=refused.detail,
        )

    def _look_at_counters(self) -> None:
        now = monotonic()
        for session in self.by_transport.values():
            if session.connection is not None:
                session.meter.look(now, session.connection)
        self.loop.call_later(RATE_S, self._look_at_counters)

    def _end_target(self, name: str) -> None:
        """A cold reset of this target: all its sessions end, once this batch of answers is complete."""

        def end_all() -> None:
            for transport, session in list(self.by_transport.items()):
                if session.outcome.target_name == name:
                    end_session(transport, "the target was reset")

        self.loop.call_later(0, end_all)

    def forget(self, transport: Transport) -> None:
        """See `transport.Owner`."""
        self.admission.remove(transport)
        self.handing_over.forget(transport)
        if self.taking_over is not None:
            self.taking_over.forget(transport)

    def _look_for_silence(self) -> None:
        self.silence.look(list(self.by_transport))
        self.loop.call_later(SILENCE_S_MAX, self._look_for_silence)

    def close(self) -> None:
        """End everything; initiators come back when the NAS does."""
        self.portals.set((), lambda _: None, partly=True)
        for transport in list(self.admission.connections):
            end_session(transport, "the NAS ends")
            transport.close("the NAS ends")
        self.handing_over.close()
        if self.taking_over is not None:
            self.taking_over.close()

    # Reports

    def status(self) -> EngineStatus:
        """This process now."""
        troubles = self.failures.troubles()
        return EngineStatus(
            available=True,
            pid=os.getpid(),
            since=self.since,
            targets=len(self.targets.targets),
            sessions=len(self.by_transport),
            portals=self.portals.report(),
            troubles=tuple(troubles[:TROUBLES_MAX]),
            troubles_count=len(troubles),
        )

    def session_reports(self) -> list[SessionReport]:
        """Every session now."""
        return [session.report() for session in self.by_transport.values()]
