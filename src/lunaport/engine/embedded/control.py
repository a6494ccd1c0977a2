"""The data process's end of the line to control: requests in, replies out, on the event loop."""

import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec
import structlog

from lunaport.engine.embedded import messages
from lunaport.engine.embedded.loop import READABLE, WRITABLE, Loop
from lunaport.engine.embedded.nas import Nas
from lunaport.engine.embedded.unit_reports import report_reservations, report_work
from lunaport.engine.embedded.workers import Workers
from lunaport.engine.interface import EngineError, EventMark, FileReport, StorageError, VolumeUsage
from lunaport.storage import errors as storage_errors
from lunaport.storage import volume
from lunaport.storage.encrypted import KeyFile

log = structlog.get_logger()

RECEIVE_BYTES = 1 << 18
Answer = Callable[[messages.ReplyBody], None]


class ControlListener:
    """Accepts control on the listening Unix socket that the supervisor made."""

    def __init__(self, loop: Loop, sock: socket.socket, nas: Nas) -> None:
        self.loop = loop
        self.sock = sock
        self.nas = nas
        self.files = Workers(loop, "files", threads_max=2)
        self.lines: set[ControlLine] = set()

    def start(self) -> None:
        """Begin to accept."""
        self.sock.setblocking(False)
        self.loop.register(self.sock.fileno(), self._on_readable, READABLE)

    def _on_readable(self, _mask: int) -> None:
        try:
            sock, _ = self.sock.accept()
        except OSError:
            return
        line = ControlLine(self.loop, sock, self.nas, self.files, self.lines.discard)
        self.lines.add(line)
        line.start()

    def close(self) -> None:
        """Hang up."""
        self.loop.unregister(self.sock.fileno())
        self.sock.close()
        for line in list(self.lines):
            line.close()
        self.files.close(lambda: None)


class ControlLine:
    """One connection from control."""

    def __init__(
        self, loop: Loop, sock: socket.socket, nas: Nas, files: Workers, closed: Callable[["ControlLine"], None]
    ) -> None:
        self.loop = loop
        self.closed = closed
        self.sock = sock
        self.nas = nas
        self.files = files
        self.received = bytearray()
        self.unsent = bytearray()
        self.open = True
        self.stop_waiting: Callable[[], None] = lambda: None

    def start(self) -> None:
        """Begin to listen to requests."""
        self.sock.setblocking(False)
        self.loop.register(self.sock.fileno(), self._on_event, READABLE)

    def _on_event(self, mask: int) -> None:
        if mask & WRITABLE:
            self._flush()
        if mask & ~WRITABLE and self.open:
            try:
                data = self.sock.recv(RECEIVE_BYTES)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self.close()
                return
            self.received += data
            self._handle_received()

    def _handle_received(self) -> None:
        header = messages.LENGTH.size
        while len(self.received) >= header:
            (length,) = messages.LENGTH.unpack_from(self.received)
            if length > messages.MESSAGE_BYTES_MAX:
                self.close()
                return
            if len(self.received) < header + length:
                return
            document = bytes(self.received[header : header + length])
            del self.received[: header + length]
            try:
                request = messages.request_decoder.decode(document)
            except msgspec.DecodeError:
                log.exception("control sent what is no request")
                self.close()
                return
            self._handle(request.body, partial(self._answer, request.number))

    def _handle(self, body: messages.RequestBody, answer: Answer) -> None:
        match body:
            case messages.Start(desired, elsewhere):
                self.nas.start(desired, partial(_answer_done, answer), elsewhere)
            case messages.Apply(change, elsewhere, removed):
                done = partial(_answer_done, answer)
                self.nas.apply(change, done, elsewhere=elsewhere, elsewhere_removed=removed)
            case messages.ListTargets():
                answer(messages.Targets(list(self.nas.targets.targets)))
            case messages.ListSessions():
                answer(messages.Sessions(self.nas.session_reports()))
            case messages.CloseSession(session_id):
                self.nas.close_session(session_id, lambda found: answer(messages.Closed(found)))
            case messages.ListRefusedLogins():
                answer(messages.RefusedLogins(self.nas.login_failures.newest()))
            case messages.GetCounters():
                sessions, memory = self.nas.by_transport.values(), self.nas.memory.report()
                answer(messages.CountersReply(self.nas.counters.report(sessions, memory)))
            case messages.AwaitEvents(after):
                self._await_events(after, answer)
            case messages.GetStatus():
                answer(messages.Status(self.nas.status()))
            case messages.GetMedium(target, lun, request_eject):
                answer(messages.MediumIs(self.nas.targets.medium(target, lun, request_eject=request_eject)))
            case messages.GetReservations(target):
                answer(messages.Reservations(report_reservations(self.nas.targets.targets.get(target))))
            case messages.GetWork():
                sessions, draining = self.nas.by_transport.values(), self.nas.steering.draining
                answer(messages.Work(report_work(self.nas.targets, sessions, draining=draining)))
            case _:
                self._handle_files(body, answer)

    def _handle_files(self, body: messages.RequestBody, answer: Answer) -> None:
        """Requests about files and directories."""
        match body:
            case messages.MakeVolume(path):
                self._in_files(partial(volume.make_volume, path), answer)
            case messages.CreateFile(path, size_bytes, key):
                self._in_files(partial(_create_file, path, size_bytes, key), answer)
            case messages.FindFile(path):
                self._find_file(path, answer)
            case messages.GrowFile(path, size_bytes):
                self._in_files(partial(volume.grow_file, path, size_bytes), answer)
            case messages.MoveFile(path, destination):
                self._in_files(partial(volume.move_file, path, destination), answer)
            case messages.RemoveFile(path):
                self._in_files(partial(volume.remove_file, path), answer)
            case messages.GetFileUsage(paths):
                self._file_usage(paths, answer)
            case messages.GetVolumeUsage(path, counted):
                self._volume_usage(path, counted, answer)

    def _file_usage(self, paths: list[str], answer: Answer) -> None:
        found: list[int] = []
        work = partial(_used_bytes, paths, found)
        self.files.submit(
            work, lambda error: answer(messages.FileUsage(found)) if error is None else _answer_done(answer, error)
        )

    def _await_events(self, after: EventMark, answer: Answer) -> None:
        self.stop_waiting()
        self.stop_waiting = self.nas.journal.wait(after, lambda batch: answer(messages.Events(batch)))

    def _in_files(self, work: Callable[[], None], answer: Answer) -> None:
        """File operations sync directories: they wait in a thread, not here."""
        self.files.submit(work, lambda error: _answer_done(answer, error))

    def _find_file(self, path: str, answer: Answer) -> None:
        found: list[tuple[int | None, bool]] = []

        def done(error: BaseException | None) -> None:
            if error is not None:
                _answer_done(answer, error)
            else:
                size_bytes, has_key = found[0]
                answer(messages.Found(FileReport(size_bytes=size_bytes, has_key=has_key)))

        self.files.submit(lambda: found.append(volume.find_file(path)), done)

    def _volume_usage(self, path: str, counted: bool, answer: Answer) -> None:
        found: list[volume.VolumeUsage] = []

        def done(error: BaseException | None) -> None:
            if error is not None:
                _answer_done(answer, error)
            else:
                usage = found[0]
                answer(
                    messages.Usage(
                        VolumeUsage(
                            total_bytes=usage.total_bytes, free_bytes=usage.free_bytes, used_bytes=usage.used_bytes
                        )
                    )
                )

        self.files.submit(lambda: found.append(volume.volume_usage(path, counted=counted)), done)

    def _answer(self, number: int, body: messages.ReplyBody) -> None:
        if self.open:
            self.unsent += messages.encode(messages.Reply(number, body))
            self._flush()

    def _flush(self) -> None:
        try:
            sent = self.sock.send(self.unsent) if self.unsent else 0
        except BlockingIOError:
            sent = 0
        except OSError:
            self.close()
            return
        del self.unsent[:sent]
        self.loop.modify(self.sock.fileno(), READABLE | WRITABLE if self.unsent else READABLE)

    def close(self) -> None:
        """Hang up."""
        if self.open:
            self.open = False
            self.stop_waiting()
            self.loop.unregister(self.sock.fileno())
            self.sock.close()
            self.closed(self)


def _used_bytes(paths: list[str], found: list[int]) -> None:
    for path in paths:
        try:
            found.append(Path(path).stat().st_blocks * 512)
        except OSError:
            found.append(-1)


def _create_file(path: str, size_bytes: int, key: str) -> None:
    if key:
        # The key first: a file that is there has one. A file that was there before keeps its own.
        volume.check_absent(path)
        KeyFile(path, bytes.fromhex(key)).create()
    volume.create_file(path, size_bytes)


def _answer_done(answer: Answer, error: BaseException | None) -> None:
    """Done, or the failure in the terms of the engine interface."""
    if error is None:
        answer(messages.Done())
    elif isinstance(error, storage_errors.StorageError):
        answer(messages.failure_of(StorageError(error.fault, error.path, error.reason)))
    elif isinstance(error, EngineError):
        answer(messages.failure_of(error))
    else:
        log.error("request of control failed", error=repr(error))
        answer(messages.Failure(kind="engine", reason="the data process failed to do this; its log says why"))
