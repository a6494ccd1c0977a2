"""A data process at work: portals accept, logins find their target, sessions run, desired state is carried out.

This is where iSCSI, SCSI and storage meet. Everything runs on the event loop's thread; only disks block elsewhere.
"""

import os
import secrets
import time
from collections.abc import Callable
from functools import partial
from socket import socket

import structlog

from lunaport.engine import plan
from lunaport.engine.embedded.admission import Admission
from lunaport.engine.embedded.directory import Directory, TextAnswers
from lunaport.engine.embedded.limits import ConnectionBounds, DataLimits
from lunaport.engine.embedded.loop import Loop
from lunaport.engine.embedded.memory import Memory
from lunaport.engine.embedded.pool import BufferPool
from lunaport.engine.embedded.portals import Portals
from lunaport.engine.embedded.pressure import Pressure
from lunaport.engine.embedded.refusals import Refusals
from lunaport.engine.embedded.silence import Silence
from lunaport.engine.embedded.steps import Finish, Queue, run_steps, run_together
from lunaport.engine.embedded.targets import Target, TargetTable
from lunaport.engine.embedded.transport import Transport
from lunaport.engine.interface import (
    Change,
    DesiredState,
    DiscoverySpec,
    EngineError,
    EngineStatus,
    PortalSpec,
    SessionReport,
    TargetSpec,
)
from lunaport.iscsi.announcements import announce_session_drop
from lunaport.iscsi.connection import Connection
from lunaport.iscsi.enums import TaskFunction, TaskResponse
from lunaport.iscsi.limits import SILENCE_S_MAX
from lunaport.iscsi.login import LoginOutcome, LoginPhase
from lunaport.iscsi.session import SessionTable
from lunaport.iscsi.task import Task
from lunaport.scsi.logical_unit import LogicalUnit
from lunaport.scsi.nexus import Nexus

log = structlog.get_logger()

LOGOUT_WITHIN_S = 2
"""How long an initiator that is asked to log out may take."""
ENDED_CHECK_S = 0.02
RETRY_S = 2.0
"""Pause between attempts to open portals and files that could not be opened."""


def refuse(task: Task) -> None:
    """Execute nothing: a discovery session has no device server."""
    raise AssertionError("a discovery session hands out no commands")


class Session:
    """A session with its one connection."""

    __slots__ = ("connection", "end_all", "execute", "nexus", "outcome", "since", "target", "transport", "tsih")

    def __init__(
        self,
        transport: Transport,
        outcome: LoginOutcome,
        tsih: int,
        target: Target | None,
        nexus: Nexus | None,
        end_all: Callable[[], None],
    ) -> None:
        self.transport = transport
        self.outcome = outcome
        self.tsih = tsih
        self.target = target
        self.nexus = nexus
        # Ends every session of the target, this one too, after what is laid down.
        self.end_all = end_all
        self.since = time.time()
        self.connection: Connection | None = None
        # See `iscsi.connection.DeviceServer.execute`: the nexus's own, without a call in between.
        self.execute: Callable[[Task], None] = refuse
        if nexus is not None:
            self.execute = nexus.execute

    def manage(self, function: int, lun: int, done: Callable[[TaskResponse], None]) -> None:
        """See `iscsi.connection.DeviceServer.manage`."""
        nexus = self.nexus
        assert nexus is not None
        complete = partial(done, TaskResponse.FUNCTION_COMPLETE)
        if function in (TaskFunction.TARGET_WARM_RESET, TaskFunction.TARGET_COLD_RESET):

            def reset_done(_: BaseException | None) -> None:
                complete()
                if function == TaskFunction.TARGET_COLD_RESET:
                    self.end_all()  # RFC 7143 section 11.5.1

            run_together([partial(reset, unit) for unit in nexus.target.units.values()], reset_done)
            return
        methods: dict[int, Callable[[int, Callable[[], None]], bool]] = {
            TaskFunction.LOGICAL_UNIT_RESET: nexus.reset_unit,
            TaskFunction.ABORT_TASK_SET: nexus.abort_task_set,
            TaskFunction.CLEAR_TASK_SET: nexus.clear_task_set,
        }
        method = methods.get(function)
        if method is None:
            done(TaskResponse.FUNCTION_NOT_SUPPORTED)
        elif not method(lun, complete):
            done(TaskResponse.LUN_DOES_NOT_EXIST)


def end_session(transport: Transport, reason: str) -> None:
    """Tell the initiator that its session ends, and end it."""
    if transport.connection is not None and not transport.ending:
        announce_session_drop(transport.connection)
    transport.end(reason)


def host_of(address: str) -> str:
    """The host of host:port."""
    return address.rpartition(":")[0]


def reset(unit: LogicalUnit, finish: Finish) -> None:
    """Reset a logical unit as a step."""
    unit.reset(lambda: finish(None))


class Nas:
    """The state of a data process."""

    def __init__(
        self,
        loop: Loop,
        limits: DataLimits = DataLimits(),  # noqa: B008 - frozen
        *,
        descriptors: int = 1 << 20,
    ) -> None:
        self.loop = loop
        self.pool = BufferPool()
        self.memory = Memory(limits.memory_mib << 20)
        self.pressure = Pressure(loop, self.memory, lambda: self.by_transport)
        self.targets = TargetTable(loop)
        self.portals = Portals(loop, self._accept)
        self.discovery = DiscoverySpec()
        self.sessions: SessionTable[Session] = SessionTable(
            limits.sessions,
            target_sessions_max=limits.target_sessions,
            initiator_sessions_max=limits.initiator_sessions,
        )
        bounds = ConnectionBounds(per_address=limits.address_connections).within(descriptors)
        self.admission: Admission[Transport] = Admission(bounds)
        self.refusals = Refusals(time.monotonic)
        self.by_transport: dict[Transport, Session] = {}
        # TSIHs handed out to logins whose last response is being built.
        self.admitted: dict[Transport, tuple[int, Session | None]] = {}
        self.closing_targets: set[str] = set()
        self.changes = Queue()
        self.since = time.time()
        self.retrying = False
        self.silence = Silence()
        loop.call_later(SILENCE_S_MAX, self._look_for_silence)

    # Desired state

    def start(self, desired: DesiredState, finish: Finish) -> None:
        """Bring everything to the wire; what cannot be yet is tried again by itself."""

        def change(done: Finish) -> None:
            wanted = {spec.name: spec for spec in desired.targets}
            self._change_targets(plan.diff(self.targets.specs(), wanted), done, partly=True)

        def listen(done: Finish) -> None:
            self.discovery = desired.discovery
            self._set_portals(desired.portals, done, partly=True)

        self.changes.add(lambda done: run_steps([change, listen], done), finish)

    def apply(self, change: Change, finish: Finish) -> None:
        """Carry a change out; `finish` when it is on the wire, or with the error that prevented it."""

        def listen(done: Finish) -> None:
            if change.portals is None:
                done(None)
            else:
                self._set_portals(change.portals, done, partly=False)

        def change_targets(done: Finish) -> None:
            running = self.targets.specs()
            self._change_targets(plan.diff(running, plan.step(running, change)), done, partly=False)

        def change_discovery(done: Finish) -> None:
            self.discovery = change.discovery or self.discovery
            done(None)

        self.changes.add(lambda done: run_steps([listen, change_targets, change_discovery], done), finish)

    def _set_portals(self, portals: tuple[PortalSpec, ...], finish: Finish, *, partly: bool) -> None:
        try:
            self.portals.set(portals, partly=partly)
        except EngineError as error:
            finish(error)
            return
        self._retry_later()
        if portals:
            finish(None)
            return
        for transport in list(self.admission.before_login):
            transport.close("the service was switched off")
        self._end_sessions(list(self.by_transport), "the service was switched off", finish)

    def _change_targets(self, steps: plan.Plan, finish: Finish, *, partly: bool) -> None:
        """Stop what goes (its sessions first), then update and start the rest; on an error start again what stopped."""
        stopped = [self.targets.targets[name].spec for name in steps.stop]
        started: list[str] = []
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
            self._retry_later()
            if error is None:
                finish(None)
                return

            def reopen(_: BaseException | None) -> None:
                for spec in stopped:
                    if spec.name not in self.targets.targets:
                        self.targets.open(spec, partly=True)
                self._retry_later()
                finish(error)

            run_steps([partial(self.targets.close, name) for name in started], reopen)

        run_steps(
            [
                partial(self._end_sessions, leaving, "its target was removed"),
                *(partial(self.targets.close, name) for name in steps.stop),
                *(partial(self.targets.update, spec) for spec in steps.update),
                *(partial(open_target, spec) for spec in steps.start),
            ],
            done,
        )

    def _end_sessions(self, transports: list[Transport], reason: str, finish: Finish) -> None:
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

    def _retry_later(self) -> None:
        missing = self.portals.errors or any(target.missing for target in self.targets)
        if missing and not self.retrying:
            self.retrying = True
            self.loop.call_later(RETRY_S, self._retry)

    def _retry(self) -> None:
        self.retrying = False
        self.portals.open_missing()
        self.targets.open_missing()
        self._retry_later()

    # Connections

    def _accept(self, sock: socket, address: str, portal: str) -> None:
        host = host_of(address)
        refusal = self.admission.refusal(host)
        if refusal:
            self.refusals.note("connection refused", host, address, refusal)
            sock.close()
            return
        crowded_out = self.admission.crowded_out(host)
        if crowded_out is not None:
            crowded_out.close("too many connections have not logged in; this was the oldest")
        transport = Transport(self.loop, self.pool, self.memory, self, sock, address, portal)
        self.admission.add(transport, host)
        transport.start()

    def begin_login(self, transport: Transport) -> LoginPhase:
        """See `transport.Owner`."""
        return LoginPhase(Directory(self, transport), secrets.token_bytes)

    def begin_session(self, transport: Transport, outcome: LoginOutcome) -> Connection:
        """See `transport.Owner`."""
        self.admission.end_login(transport)
        tsih, replaced = self.admitted.pop(transport)
        if replaced is not None:
            replaced.transport.close("the initiator logged in again in its place")
        target = self.targets.targets.get(outcome.target_name)
        nexus = None
        if target is not None:
            nexus = target.scsi.attach(
                f"{outcome.initiator_name},i,0x{outcome.isid.hex()}",
                # Without CHAP anyone can call himself anything: the name alone does not make two sessions one host's.
                identity=f"{outcome.initiator_name} {transport.address.rsplit(':', 1)[0]}",
            )
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
            return
        self.sessions.remove(session.outcome, session)
        if session.nexus is not None:
            session.nexus.close(lambda: None)
        log.info(
            "session ended",
            initiator=session.outcome.initiator_name,
            address=transport.address,
            target=session.outcome.target_name or "(discovery)",
            reason=reason,
        )

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

    def _look_for_silence(self) -> None:
        self.silence.look(list(self.by_transport))
        self.loop.call_later(SILENCE_S_MAX, self._look_for_silence)

    def close(self) -> None:
        """End everything; initiators come back when the NAS does."""
        self.portals.set((), partly=True)
        for transport in list(self.admission.connections):
            end_session(transport, "the NAS ends")
            transport.close("the NAS ends")

    # Reports

    def status(self) -> EngineStatus:
        """This process now."""
        return EngineStatus(
            available=True,
            pid=os.getpid(),
            since=self.since,
            targets=len(self.targets.targets),
            sessions=len(self.by_transport),
            portals=self.portals.report(),
        )

    def session_reports(self) -> list[SessionReport]:
        """Every session now."""
        return [self._report(session) for session in self.by_transport.values()]

    def _report(self, session: Session) -> SessionReport:
        connection = session.connection
        outcome = session.outcome
        assert connection is not None
        return SessionReport(
            id=f"{session.tsih}-{outcome.isid.hex()}",
            target=outcome.target_name,
            initiator=outcome.initiator_name,
            initiator_alias=connection.parameters.initiator_alias,
            address=session.transport.address,
            portal=session.transport.portal,
            since=session.since,
            isid=outcome.isid.hex(),
            tsih=session.tsih,
            chap_user=outcome.chap_user,
            negotiated=connection.parameters.negotiated(),
            commands=connection.commands,
            outstanding=len(connection.tasks),
            bytes_read=connection.bytes_read,
            bytes_written=connection.bytes_written,
        )
