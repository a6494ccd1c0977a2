"""Text in full feature phase: exchanges of several PDUs, and what they agree on (RFC 7143 6.4, 11.10, 11.11 and 13).

Requests are gathered over the C bit, answers handed out in pieces over target transfer tags. MaxRecvDataSegmentLength
and InitiatorAlias may be declared anew; SendTargets is the text server's to answer; the keys of the login are refused.

Invariants: there is one exchange at a time, under one initiator task tag. A Reject ends it, and nothing of it takes
effect (section 7.12). What it declared holds from its last answer on, and that answer waits for the reads that were
laid out for longer PDUs than the initiator takes from then on.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from lunaport.iscsi import pdu
from lunaport.iscsi.enums import RejectReason
from lunaport.iscsi.errors import NegotiationError, RemoteProtocolError
from lunaport.iscsi.keys import KEYS, Phase
from lunaport.iscsi.limits import TEXT_KEYS_MAX, TEXT_REQUEST_BYTES_MAX
from lunaport.iscsi.negotiation import SEGMENT_LENGTH, check_admissible, declared_number, refuse_verdict
from lunaport.iscsi.text import NOT_UNDERSTOOD, parse_text, serialize_text

if TYPE_CHECKING:  # the connection makes it
    from lunaport.iscsi.connection import Connection

SEND_TARGETS = "SendTargets"
INITIATOR_ALIAS = "InitiatorAlias"


class TextExchange:
    """The text exchange of one connection, under way or not."""

    def __init__(self, connection: "Connection") -> None:
        self.connection = connection
        self.gathered = b""
        self.rest = b""
        self._tag = pdu.RESERVED_TAG
        # Initiator task tag and immediate delivery: the same for all requests of an exchange (section 11.10.3).
        self._identity: tuple[int, bool] | None = None
        self._seen: set[str] = set()
        self._segment_bytes = 0
        self._alias: str | None = None
        # The last answer waits for reads to end.
        self.answering = False

    def handle(self, header: memoryview, data: memoryview) -> None:
        """Take one text request. Raises RemoteProtocolError for what a Reject answers."""
        request = pdu.parse_text_request(header, data)
        if self.answering:
            # Section 11.10: there may be one request without an answer.
            raise RemoteProtocolError("a text request before the answer to the one before")
        try:
            self._receive(request)
        except RemoteProtocolError:
            self.forget()
            raise

    def _receive(self, request: pdu.TextRequest) -> None:
        identity = request.initiator_task_tag, request.immediate
        if request.target_transfer_tag == pdu.RESERVED_TAG:
            self.forget()  # a new exchange takes the place of one that was left (section 11.10.4)
            self._identity = identity
        elif request.target_transfer_tag != self._tag or identity != self._identity:
            reason = "text that goes on with an exchange that is not under way"
            raise RemoteProtocolError(reason, reject_reason=RejectReason.INVALID_PDU_FIELD)
        if request.final and request.continues:
            raise RemoteProtocolError("text that goes on and is final")
        self.gathered += request.data
        if len(self.gathered) > TEXT_REQUEST_BYTES_MAX:
            raise RemoteProtocolError("text request is too long")
        if request.continues:
            self._send(request, b"", final=False)
            return
        if self.gathered:
            if self.rest:
                raise RemoteProtocolError("text while the answer to the text before goes on")
            gathered, self.gathered = self.gathered, b""
            self.rest = self._answer(gathered)
        size = self.connection.parameters.peer_max_recv_data_segment_length
        part, self.rest = self.rest[:size], self.rest[size:]
        if self.rest:
            self.connection.shell.wake(self.connection)
        # Section 11.11.1: a request that is not the initiator's last gets no last answer.
        if request.final and not self.rest:
            self._finish(request, part)
        else:
            self._send(request, part, final=False)

    def _answer(self, text: bytes) -> bytes:
        pairs = parse_text(text)
        if self.connection.device_server is None and SEND_TARGETS not in (pairs.keys() | self._seen):
            # Section 4.3: a discovery session takes text for nothing else.
            reason = "text other than SendTargets in a discovery session"
            raise RemoteProtocolError(reason, reject_reason=RejectReason.COMMAND_NOT_SUPPORTED)
        parts = []
        for name, value in pairs.items():
            # Section 6.4: a key comes once in an exchange.
            if name in self._seen:
                raise NegotiationError(f"{name} comes twice in one exchange")
            self._seen.add(name)
            if len(self._seen) > TEXT_KEYS_MAX:
                raise NegotiationError(f"more than {TEXT_KEYS_MAX} keys in one exchange")
            refuse_verdict(name, value)
            parts.append(self._answer_one(name, value))
        return b"".join(parts)

    def _answer_one(self, name: str, value: str) -> bytes:
        key = KEYS.get(name)
        if key is None:
            return serialize_text([(name, NOT_UNDERSTOOD)])
        check_admissible(key, Phase.FULL_FEATURE)
        if name == SEND_TARGETS:
            return self.connection.text.send_targets(value)
        if name == SEGMENT_LENGTH:
            self._segment_bytes = declared_number(key, value)
            # Ours stays what it is. It needs no answer; some wait for one all the same.
            return serialize_text([(name, str(self.connection.parameters.max_recv_data_segment_length))])
        assert name == INITIATOR_ALIAS, "no other key is for initiators to send in this phase"
        self._alias = value
        return b""

    def _finish(self, request: pdu.TextRequest, part: bytes) -> None:
        """Put what was declared into force, and send the last answer."""
        connection = self.connection
        in_force = connection.parameters
        segment_bytes = self._segment_bytes or in_force.peer_max_recv_data_segment_length
        alias = in_force.initiator_alias if self._alias is None else self._alias
        connection.set_parameters(
            replace(in_force, peer_max_recv_data_segment_length=segment_bytes, initiator_alias=alias)
        )
        too_long = []
        if segment_bytes < in_force.peer_max_recv_data_segment_length:
            too_long = [task for task in connection.tasks.values() if task.data_in_length > segment_bytes]
        left = len(too_long)
        self.answering = bool(too_long)

        def ended() -> None:
            nonlocal left
            left -= 1
            if not left:
                self.answering = False
                self._send(request, part, final=True)
                self.forget()

        for task in too_long:
            task.when_finished(ended)
        if not too_long:
            self._send(request, part, final=True)
            self.forget()

    def _send(self, request: pdu.TextRequest, data: bytes, *, final: bool) -> None:
        connection = self.connection
        self._tag = pdu.RESERVED_TAG if final else connection.next_transfer_tag()
        connection.send(
            pdu.TextResponse(
                final=final,
                continues=bool(self.rest),
                lun=request.lun,
                initiator_task_tag=request.initiator_task_tag,
                target_transfer_tag=self._tag,
                stat_sn=connection.next_stat_sn(),
                exp_cmd_sn=connection.exp_cmd_sn,
                max_cmd_sn=connection.max_cmd_sn,
                data=data,
            ).serialize()
        )

    def forget(self) -> None:
        """No exchange is under way, and nothing of the last one waits to take effect."""
        self.gathered = self.rest = b""
        self._tag = pdu.RESERVED_TAG
        self._identity = None
        self._seen.clear()
        self._segment_bytes = 0
        self._alias = None
