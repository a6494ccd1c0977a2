"""The connection shell: a TCP socket on one side, the iSCSI core on the other.

One receive call a readiness event, then the core handles every complete PDU, then one send. Memory comes from the
process's pool while something is under way and goes back when nothing is; an idle connection owns a socket and little
else. What is held between two events is counted (`memory`): a peer that does not take what it asked for, or asks for
more than its share, is not read from. The login comes first, within a time limit.
"""

import socket
from collections import deque
from collections.abc import Callable
from typing import NamedTuple, Protocol

import structlog

from lunaport.engine.embedded.loop import HUNG_UP, READABLE, WRITABLE, Loop, Timer
from lunaport.engine.embedded.memory import Memory
from lunaport.engine.embedded.pool import RECEIVE_BYTES, BufferPool
from lunaport.iscsi import limits
from lunaport.iscsi.connection import IDLE_OUTPUT, Connection
from lunaport.iscsi.errors import LoginRefused
from lunaport.iscsi.login import LoginOutcome, LoginPhase, LoginStep
from lunaport.iscsi.output import Output
from lunaport.iscsi.pdu import BHS, pad4
from lunaport.iscsi.task import Task

log = structlog.get_logger()

REMAINDER_BYTES_MAX = 8192
"""An incomplete PDU up to this size is copied aside, so that its connection holds no receive buffer."""
LINGER_S = 2.0
"""How long a connection that we end may take to receive our last words."""
LOGIN_RECEIVE_BYTES = limits.BHS_BYTES + limits.AHS_BYTES_MAX + limits.LOGIN_DATA_SEGMENT_BYTES_MAX


class Begun(NamedTuple):
    """A login that began in another process."""

    received: bytes
    """All that has come."""
    answered_count: int
    """Responses that the initiator has got."""
    until: float
    """When it has to be complete, by the loop's clock."""


class Owner(Protocol):
    """Whoever accepts connections and keeps sessions."""

    def begin_login(self, transport: "Transport") -> LoginPhase:
        """The login phase of a new connection."""

    def hand_over(self, transport: "Transport", process: int, begun: Begun) -> None:
        """Another process has to take this login: `let_go` when it does, `refuse` where it does not."""

    def begin_session(self, transport: "Transport", outcome: LoginOutcome) -> Connection:
        """The full feature phase after a good login."""

    def end_connection(self, transport: "Transport", reason: str) -> None:
        """The connection ends: nothing it sends counts any more."""

    def forget(self, transport: "Transport") -> None:
        """Its socket is closed."""


class Transport:
    """A connection from accept to close."""

    def __init__(
        self,
        loop: Loop,
        pool: BufferPool,
        memory: Memory,
        owner: Owner,
        sock: socket.socket,
        address: str,
        portal: str,
        portal_group: int = 1,
    ) -> None:
        self.loop = loop
        self.pool = pool
        self.memory = memory
        self.owner = owner
        self.sock = sock
        self.fd = sock.fileno()
        self.address = address
        self.portal = portal
        self.portal_group = portal_group
        self.buffer: memoryview | None = None
        self.head = 0
        self.tail = 0
        self.remainder = b""
        # Receive calls that brought something: when it stands still, the peer is silent.
        self.receives = 0
        # PDUs of which a part was kept, so far.
        self.partials = 0
        # What the memory account says of this connection, and the part that tasks hold.
        self.held_bytes = 0
        self.task_bytes = 0
        # Of those, what belongs to tasks that are executed later: it never keeps this connection from being read.
        self.deferred_bytes = 0
        # Bytes that the peer took or sent after it had let something lie: when it stands still, the peer does.
        self.moved_bytes = 0
        # Not read from: until this connection has its share again, or until the process has memory.
        self.over_share = False
        self.halted = False
        self.pending: deque[Output] = deque()
        self.mask = READABLE
        # Left unread for a while, because its target has done as much as it may.
        self.paused = False
        self.closed = False
        self.ending = ""
        self.timer: Timer | None = None
        self.login: LoginPhase | None = None
        self.connection: Connection | None = None
        # How the login was refused, and whose it was.
        self.refused: LoginStep | None = None
        # As long as it is not known who logs in to what: all that was handled, for whoever takes the login over ...
        self.handled = b""
        # ... and the responses to it: that were sent here, or (`answered`) by who had it before.
        self.responded_count = self.answered_count = 0
        self.login_until = 0.0
        self.leaving = False

    def start(self, begun: Begun | None = None) -> None:
        """Begin: wait for the login, or go on with one that began elsewhere."""
        self.sock.setblocking(False)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
        self.login = self.owner.begin_login(self)
        now = self.loop.now()
        self.login_until = begun.until if begun is not None else now + limits.LOGIN_TIMEOUT_S
        self.timer = self.loop.call_later(
            max(0.0, self.login_until - now), lambda: self.close(f"no login within {limits.LOGIN_TIMEOUT_S:.0f} s")
        )
        self.loop.register(self.fd, self.on_event, READABLE)
        if begun is not None:
            self.remainder = begun.received
            self.answered_count = begun.answered_count
            self.loop.call_soon(self._resume)

    def on_event(self, mask: int) -> None:
        """What epoll says. A mistake of ours ends this connection and no other."""
        connection = self.connection
        try:
            if (
                mask == READABLE
                and connection is not None
                and connection.output is IDLE_OUTPUT
                and not (self.remainder or self.buffer or self.pending or self.ending or connection.held)
            ):
                self._exchange(connection)
                return
            if mask & WRITABLE:
                self.flush()
            if mask & ~WRITABLE and not self.closed:
                self.read()
        except Exception:
            log.exception("internal error", address=self.address)
            self.close("internal error")

    # In

    def _exchange(self, connection: Connection) -> None:
        """Receive once, handle what is complete, send what came of it: where nothing is left from before.

        What `read` and `flush` do, in one piece: the initiator waits for every step up to the send call.
        """
        pool = self.pool
        buffer = pool.take_receive()
        try:
            count = self.sock.recv_into(buffer)
        except BlockingIOError:
            pool.give_receive(buffer)
            return
        except OSError as error:
            self.close(f"connection lost: {error.strerror}")
            return
        if not count:
            self.close("closed by the initiator")
            return
        output = connection.output = pool.outputs.pop() if pool.outputs else pool.take_output(0)
        head = connection.receive(buffer, 0, count)
        if connection.output is output and not self.pending:
            filled = output.filled
            if filled:
                try:
                    output.sent = self.sock.send(output.view[:filled])
                except BlockingIOError:
                    pass
                except OSError as error:
                    self.close(f"connection lost: {error.strerror}")
                    return
            if output.sent == filled:
                connection.output = IDLE_OUTPUT
                output.filled = output.sent = 0
                pool.outputs.append(output)
        self.receives += 1
        if head == count:
            pool.give_receive(buffer)
        else:
            self.buffer, self.head, self.tail = buffer, head, count
            self.partials += 1
            self._keep_rest()
        if connection.output is not IDLE_OUTPUT or self.pending or self.buffer is not None:
            self.flush()
        if connection.closing and not self.closed:
            self.end(connection.closing)

    def read(self) -> None:
        """Receive once, handle what is complete, send what came of it."""
        buffer = self.buffer
        if buffer is None:
            buffer = self.buffer = self.pool.take_receive()
            if self.remainder:
                self.tail = len(self.remainder)
                buffer[: self.tail] = self.remainder
                self.remainder = b""
        try:
            if self.tail or self.login is not None:
                end = self._receive_end()
                count = self.sock.recv_into(buffer[self.tail : end])
            else:
                count = self.sock.recv_into(buffer)
        except BlockingIOError:
            self._keep_rest()
            return
        except OSError as error:
            self.close(f"connection lost: {error.strerror}")
            return
        if not count:
            self.close(self.ending or ("closed by the initiator" if not self.tail else "closed within a PDU"))
            return
        if self.leaving:
            self.close("closed before another process had its login")  # only its end wakes it
            return
        if self.ending:
            self.head = self.tail = 0  # nothing that comes after the end counts
            return
        self.tail += count
        self.receives += 1
        self.moved_bytes += count
        self._handle(buffer)

    def _receive_end(self) -> int:
        """Where to stop receiving: a long PDU that has begun is completed exactly, so that the next starts in front.

        What has come of it is moved to the front when the rest would not fit behind it.
        """
        connection = self.connection
        if connection is None:
            return self.tail + LOGIN_RECEIVE_BYTES
        needed = connection.needed_bytes
        assert self.buffer is not None
        room = len(self.buffer)
        if self.head + needed > room:
            size = self.tail - self.head
            self.buffer[:size] = self.buffer[self.head : self.tail]
            self.head, self.tail = 0, size
        return self.head + needed if needed > REMAINDER_BYTES_MAX else room

    def _handle(self, buffer: memoryview) -> None:
        connection = self.connection
        if connection is None:
            self._handle_login(buffer)
            connection = self.connection
            if connection is None or self.closed:
                return
        if self.head < self.tail or connection.held:
            head = self.head
            self.head = connection.receive(buffer, head, self.tail)
            if self.head != head:
                self.partials += 1
        self._keep_rest()
        self.flush()
        if connection.closing and not self.closed:
            self.end(connection.closing)

    def _keep_rest(self) -> None:
        """Give the receive buffer back where little or nothing is left in it."""
        buffer = self.buffer
        if buffer is None:
            return
        size = self.tail - self.head
        if size <= REMAINDER_BYTES_MAX or self.connection is None:
            if size:
                self.remainder = bytes(buffer[self.head : self.tail])
            self._give_buffer(buffer)
            self.head = self.tail = 0

    def _give_buffer(self, buffer: memoryview) -> None:
        self.buffer = None
        if len(buffer) == RECEIVE_BYTES:
            self.pool.give_receive(buffer)

    def _handle_login(self, buffer: memoryview) -> None:
        """Login requests, until the last: what follows it in the buffer belongs to the full feature phase."""
        while self.login is not None and self.tail - self.head >= limits.BHS_BYTES:
            lengths: int = BHS.unpack_from(buffer, self.head)[3]
            ahs_bytes, data_bytes = lengths >> 24 << 2, lengths & 0xFFFFFF
            if ahs_bytes > limits.AHS_BYTES_MAX or data_bytes > limits.LOGIN_DATA_SEGMENT_BYTES_MAX:
                self.close("what came first is no login request, or too long for one")
                return
            data = self.head + limits.BHS_BYTES + ahs_bytes
            end = data + pad4(data_bytes)
            if end > self.tail:
                break
            header = bytes(buffer[self.head : self.head + limits.BHS_BYTES])
            step = self.login.receive(header, bytes(buffer[data : data + data_bytes]))
            if step.elsewhere is not None:
                self._leave(buffer, step.elsewhere)
                return
            if not self.login.is_identified:
                self.handled += buffer[self.head : end]
            self.head = end
            if step.failed:
                self._refuse(step)
                return
            for response in step.responses:
                if self.answered_count:
                    self.answered_count -= 1
                else:
                    self._append(response)
                self.responded_count += 1
            if step.outcome is not None:
                self._begin_session(step.outcome)
        if self.connection is None:
            self._keep_rest()  # before it is counted what is held
        self.flush()

    def _leave(self, buffer: memoryview, process: int) -> None:
        """Nothing is received any more until the login is another process's, or refused."""
        received = self.handled + buffer[self.head : self.tail]
        self.head = self.tail
        self._keep_rest()
        self.leaving = True
        self.flush()
        if self.pending:
            self.close("it did not take the answer to the first half of its request")
        if not self.closed:
            self.owner.hand_over(self, process, Begun(received, self.responded_count, self.login_until))

    def let_go(self) -> None:
        """The connection is another process's: it is forgotten here, and stays open there."""
        if self.closed:
            return
        self.closed = True
        if self.timer is not None:
            self.timer.cancel()
        self.loop.unregister(self.fd)
        self.sock.close()

    def refuse(self, refusal: LoginRefused) -> None:
        """Refuse the login that was to be handed over."""
        self.leaving = False
        assert self.login is not None
        self._refuse(self.login.refuse(refusal))

    def _refuse(self, step: LoginStep) -> None:
        self.head = self.tail
        self._keep_rest()
        for response in step.responses:
            self._append(response)
        self.login = None
        self.refused = step
        self.flush()
        if not self.closed:
            self.end(step.failed)

    def _begin_session(self, outcome: LoginOutcome) -> None:
        self.login = None
        self.handled = b""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        self.connection = self.owner.begin_session(self, outcome)

    # Out

    def _append(self, data: bytes) -> None:
        output = Output(len(data))
        output.append(data)
        self.pending.append(output)

    def make_room(self, connection: Connection, room_bytes: int) -> Output:
        """See `iscsi.connection.Shell.make_room`."""
        if connection.output.filled > connection.output.sent or self.pending:
            self._flush()
        output = connection.output
        if output is not IDLE_OUTPUT:
            # The peer does not take it as fast as it asks: nothing more of it is handled until it does.
            self.pending.append(output)
            connection.blocked = True
        connection.output = self.pool.take_output(room_bytes)
        return connection.output

    def send_output(self, connection: Connection, output: Output) -> None:
        """See `iscsi.connection.Shell.send_output`."""
        if connection.output is not IDLE_OUTPUT:
            self.pending.append(connection.output)
            connection.output = IDLE_OUTPUT
        self.pending.append(output)
        self.loop.call_soon(self.flush)

    def wake(self, _connection: Connection) -> None:
        """See `iscsi.connection.Shell.wake`."""
        self.loop.call_soon(self.flush)

    def defer(self, _connection: Connection, call: Callable[[], None]) -> None:
        """See `iscsi.connection.Shell.defer`."""

        def called() -> None:
            if not self.closed and not self.ending:
                call()

        self.loop.call_soon(called)

    def flush(self) -> None:
        """Send as much as the socket takes, and count what is held. Not while PDUs are being handled."""
        self._flush()
        if not self.closed:
            if self.memory.scarce:
                self._trim()
            self._count()

    def _flush(self) -> None:
        if self.closed:
            return
        connection = self.connection
        try:
            while self.pending:
                if not self._send(self.pending[0]):
                    self._watch(READABLE | WRITABLE if connection is None or not connection.blocked else WRITABLE)
                    return
                self.pool.give_output(self.pending.popleft())
            if connection is not None:
                output = connection.output
                if output.filled > output.sent:
                    if not self._send(output):
                        self._watch(READABLE | WRITABLE)
                        self._unblock(connection)
                        return
                    connection.output = IDLE_OUTPUT
                    self.pool.give_output(output)
        except OSError as error:
            self.close(f"connection lost: {error.strerror}")
            return
        self._watch(READABLE)
        if self.ending:
            self._shut()
        elif connection is not None:
            self._unblock(connection)

    def pause(self) -> None:
        """Receive and handle nothing until `resume`; what is to be sent goes out."""
        self.paused = True
        if self.connection is not None:
            self.connection.blocked = True
        self._watch(self.mask)

    def resume(self) -> None:
        """Go on after `pause`."""
        self.paused = False
        if self.closed or self.ending or self.connection is None:
            return
        self.flush()
        self._unblock(self.connection)

    def ping(self) -> None:
        """Let the initiator hear from us."""
        if self.connection is not None and not self.closed and not self.ending:
            self.connection.ping()

    def _shut(self) -> None:
        """Say that nothing more comes; the peer closes when it has read all."""
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.close(self.ending)

    def _unblock(self, connection: Connection) -> None:
        """All but the newest output is gone: handle what was left unhandled."""
        if connection.blocked and not (self.over_share or self.paused):
            connection.blocked = False
            self.loop.call_soon(self._resume)

    def _resume(self) -> None:
        if self.closed or self.ending or self._is_halted():
            return
        if self.buffer is None and (self.remainder or (self.connection is not None and self.connection.held)):
            self.buffer = self.pool.take_receive()
            self.tail = len(self.remainder)
            self.buffer[: self.tail] = self.remainder
            self.remainder = b""
        if self.buffer is not None:
            self._handle(self.buffer)

    def _send(self, output: Output) -> bool:
        """Send an output; whether all of it went."""
        try:
            count = self.sock.send(output.view[output.sent : output.filled])
        except BlockingIOError:
            return False
        output.sent += count
        if self.mask & WRITABLE:
            self.moved_bytes += count
        return output.sent == output.filled

    def _watch(self, mask: int) -> None:
        if self.over_share or self.halted or self.paused or self.leaving:
            mask = self._allowed(mask)
        if mask != self.mask and not self.closed:
            self.mask = mask
            self.loop.modify(self.fd, mask)

    # Memory

    @property
    def partial(self) -> int:
        """A number for the PDU of which a part is here; 0: there is none, or it waits for us."""
        blocked = self.connection is not None and self.connection.blocked
        return self.partials if (self.remainder or self.buffer is not None) and not blocked else 0

    @property
    def is_kept_waiting(self) -> bool:
        """Whether we do not read, for want of memory or because its target has done as much as it may."""
        return self.over_share or self.paused or self._is_halted()

    @property
    def peer_bytes(self) -> int:
        """What is held because the peer does not take or finish it."""
        return self.held_bytes - self.task_bytes

    def lend(self, connection: Connection, task: Task, size_bytes: int) -> None:
        """See `iscsi.connection.Shell.lend`."""
        memory = self.memory
        if self not in memory.waiting and memory.has_room(self.held_bytes - self.deferred_bytes, size_bytes):
            self._lend(task, size_bytes)
            return
        memory.wait(self)
        if memory.scarce:
            # Otherwise its commands go on, so that it can still abort what waits for a disk.
            self._stop_reading(connection)

    def borrow(self) -> bool:
        """See `memory.Borrower`."""
        connection = self.connection
        while connection is not None and connection.borrowing:
            task, (size_bytes, _) = next(iter(connection.borrowing.items()))
            if not self.memory.has_room(self.held_bytes - self.deferred_bytes, size_bytes):
                return False
            self._lend(task, size_bytes)
        self._read_again()
        return True

    def _lend(self, task: Task, size_bytes: int) -> None:
        self.task_bytes += size_bytes
        self._count()
        task.take_loan()

    def hold(self, connection: Connection, size_bytes: int, *, crowded: bool) -> bool:
        """See `iscsi.connection.Shell.hold`."""
        memory = self.memory
        if memory.used + size_bytes > memory.bytes_max:
            return False
        self.task_bytes += size_bytes
        self._count()
        if crowded or self.held_bytes - self.deferred_bytes > memory.share():
            self._stop_reading(connection)
        return True

    def release(self, _connection: Connection, size_bytes: int) -> None:
        """See `iscsi.connection.Shell.release`."""
        self.task_bytes -= size_bytes
        self._count()
        self._read_again()

    def keep(self, connection: Connection, size_bytes: int) -> bool:
        """See `iscsi.connection.Shell.keep`."""
        if self.memory.scarce or self.memory.used + size_bytes > self.memory.bytes_max:
            return False
        self.task_bytes += size_bytes
        self.deferred_bytes += size_bytes
        self._count()
        return True

    def drop(self, connection: Connection, size_bytes: int) -> None:
        """See `iscsi.connection.Shell.drop`."""
        self.deferred_bytes -= size_bytes
        self.release(connection, size_bytes)

    def _stop_reading(self, connection: Connection) -> None:
        connection.blocked = self.over_share = True
        self.loop.call_soon(self.flush)

    def _read_again(self) -> None:
        """Where this connection has no more than its share, and waits for nothing."""
        if not self.over_share or (self.connection is not None and self.connection.borrowing):
            return
        deferred = self.deferred_bytes
        if self.task_bytes == deferred or self.held_bytes - deferred <= self.memory.share():
            self.over_share = False
            self.loop.call_soon(self.flush)

    def _count(self) -> None:
        """Tell the account what is held now."""
        connection = self.connection
        held = self.task_bytes
        if self.buffer is not None:
            held += len(self.buffer)
        for output in self.pending:
            held += output.size
        if connection is not None and not self.closed:
            if connection.output is not IDLE_OUTPUT:
                held += connection.output.size
            held += connection.holding.bytes + len(connection.requests.text.rest)
        change = held - self.held_bytes
        if change:
            self.held_bytes = held
            self.memory.change(change)
            if change > 0 and self.memory.short and connection is not None and connection.held and not self.closed:
                # Who waits for a command that did not come may go on while all others stand still, but not take more.
                self.close("too much received out of order while memory is short")

    def _trim(self) -> None:
        """Keep no more than is in use: of a PDU that has begun its own length, of an output what is not sent."""
        connection, buffer = self.connection, self.buffer
        if connection is None:
            return
        needed, size = connection.needed_bytes, self.tail - self.head
        if buffer is not None and size < needed < len(buffer):
            exact = memoryview(bytearray(needed))
            exact[:size] = buffer[self.head : self.tail]
            self.pool.give_receive(buffer)
            self.buffer, self.head, self.tail = exact, 0, size
        if connection.output is not IDLE_OUTPUT:
            connection.output = self._trimmed(connection.output)
        for number, output in enumerate(self.pending):
            self.pending[number] = self._trimmed(output)

    def _trimmed(self, output: Output) -> Output:
        if (output.filled - output.sent) * 2 > output.size:
            return output
        rest = output.rest()
        self.pool.give_output(output)
        return rest

    def halt(self) -> None:
        """Memory is short: do not read on, unless something that has begun can be finished."""
        self.halted = True
        # This round's events are known already, so it is not enough not to watch for more.
        self.loop.handlers[self.fd] = self._on_event_halted
        self._watch(self.mask)

    def go_on(self) -> None:
        """Memory is there again."""
        self.halted = False
        if not self.closed:
            self.loop.handlers[self.fd] = self.on_event
            if self.connection is not None and not self.connection.blocked:
                self.loop.call_soon(self._resume)
            self.loop.call_soon(self.flush)

    def _on_event_halted(self, mask: int) -> None:
        mask = self._allowed(mask)
        if mask:
            self.on_event(mask)

    def _is_halted(self) -> bool:
        connection = self.connection
        if not self.halted or connection is None:
            return False
        return not connection.held and (self.buffer is None or not connection.needed_bytes)

    def _allowed(self, mask: int) -> int:
        if self.leaving:
            return HUNG_UP
        waits = self.over_share or (self.paused and not self.ending) or self._is_halted()
        return mask & ~READABLE if waits else mask

    # The end

    def end(self, reason: str) -> None:
        """End the connection after what is laid down has been sent; the peer gets a moment to read it."""
        if self.closed or self.ending:
            return
        self.ending = reason
        if self.connection is not None:
            self.connection.abort_tasks()
        if self.timer is not None:
            self.timer.cancel()
        self.timer = self.loop.call_later(LINGER_S, lambda: self.close(reason))
        self.owner.end_connection(self, reason)
        self.flush()

    def close(self, reason: str) -> None:
        """Close now."""
        if self.closed:
            return
        self.closed = True
        if self.timer is not None:
            self.timer.cancel()
        self.loop.unregister(self.fd)
        self.sock.close()
        if self.buffer is not None:
            self._give_buffer(self.buffer)
        self.remainder = b""
        self.pending.clear()
        connection = self.connection
        if connection is not None:
            connection.closing = connection.closing or reason
            connection.abort_tasks()
            connection.drop()
        self._count()
        if not self.ending:
            self.owner.end_connection(self, reason)
        self.owner.forget(self)
