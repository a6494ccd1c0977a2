"""The login phase of a connection, initiator side, without I/O (RFC 7143 sections 6.3, 11.12, 11.13 and 12).

    start ─┬─> SECURITY ──> OPERATIONAL ──> full feature phase
           └────────────────^  (no CHAP)

The caller sends what each step gives it and hands in whole PDUs; the last step has an `outcome` or a `failure`. What
the target does wrong ends the login with the reason.

Invariants: a login that failed stays failed; with mutual CHAP asked for, nothing but the target's proof leads to full
feature phase; the number of rounds and the text gathered are bounded by `limits`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from lunaport.iscsi.chap import RandomBytes
from lunaport.iscsi.enums import LoginStatus, Opcode, Stage
from lunaport.iscsi.errors import AuthenticationError, LocalProtocolError, NegotiationError, RemoteProtocolError, quoted
from lunaport.iscsi.initiator_chap import ChapProver
from lunaport.iscsi.initiator_negotiation import Agreement, operational_offers
from lunaport.iscsi.initiator_options import Options
from lunaport.iscsi.keys import KEYS, Kind
from lunaport.iscsi.limits import LOGIN_PDUS_MAX, TEXT_REQUEST_BYTES_MAX
from lunaport.iscsi.login import DISCOVERY, NAMES, NORMAL
from lunaport.iscsi.negotiation import SessionParameters
from lunaport.iscsi.pdu import LoginRequest, LoginResponse, opcode_of, parse_login_response
from lunaport.iscsi.text import parse_text, serialize_text

MOVED = (LoginStatus.TARGET_MOVED_TEMPORARILY, LoginStatus.TARGET_MOVED_PERMANENTLY)
INITIATOR_TASK_TAG = 0
"""Of the login. Commands may use it again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginSuccess:
    """What a login led to. `answers` is all that the target said outside the security stage, by key."""

    parameters: SessionParameters
    tsih: int
    answers: Mapping[str, str]
    exp_stat_sn: int
    exp_cmd_sn: int
    max_cmd_sn: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginFailure:
    """Why a login ended: `status` is the target's, 0 where it is us who ended it."""

    status: int = LoginStatus.SUCCESS
    reason: str
    target_address: str = ""
    """Where the target has moved to, if it says so (section 13.8)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InitiatorLoginStep:
    """What to send next, or how it ended."""

    request: bytes = b""
    outcome: LoginSuccess | None = None
    failure: LoginFailure | None = None


@dataclass(slots=True)
class _Progress:
    """Where a login is."""

    stage: int
    over: bool = False
    rounds: int = 0
    exp_stat_sn: int | None = None
    transit: bool = False
    rest: bytes = b""
    """Text of ours that waits for the target to take what came before it."""
    rest_transit: bool = False
    gathered: bytes = b""


class InitiatorLogin:
    """One login on one connection."""

    def __init__(self, options: Options, random_bytes: RandomBytes) -> None:
        self._options = options
        self._random_bytes = random_bytes
        stage = options.start_stage
        if stage is None:
            stage = Stage.SECURITY if options.chap else Stage.OPERATIONAL
        self._progress = _Progress(stage=stage)
        self._chap: ChapProver | None = None
        self._method = ""
        self._agreement = Agreement(operational_offers(options))
        self._answered: dict[str, str] = {}

    def start(self) -> bytes:
        """The first request."""
        options = self._options
        pairs = {"InitiatorName": options.initiator_name}
        if options.target_name:
            pairs["SessionType"] = NORMAL
            pairs["TargetName"] = options.target_name
        else:
            pairs["SessionType"] = DISCOVERY
        # The caller's own names, and with the security stage its own keys for that.
        for name, value in options.keys.items():
            row = KEYS.get(name)
            if name in NAMES or (row is not None and row.kind is Kind.DECLARATIVE):
                _override(pairs, name, value)
        if self._progress.stage != Stage.SECURITY:
            return self._send({**pairs, **self._agreement.offers}, transit=True)
        pairs["AuthMethod"] = "CHAP" if options.chap else "None"
        return self._send(self._overridden(pairs), transit=options.chap is None)

    def receive(self, bhs: bytes, data: bytes) -> InitiatorLoginStep:
        """Take one PDU of the target."""
        if self._progress.over:
            raise LocalProtocolError("the login is over")
        try:
            step = self._receive(bhs, data)
        except RemoteProtocolError as error:
            step = InitiatorLoginStep(failure=LoginFailure(reason=error.reason))
        self._progress.over = step.outcome is not None or step.failure is not None
        return step

    def _receive(self, bhs: bytes, data: bytes) -> InitiatorLoginStep:
        progress = self._progress
        if opcode_of(bhs) != Opcode.LOGIN_RESPONSE:
            raise RemoteProtocolError(f"a PDU with opcode 0x{opcode_of(bhs):02x} within the login")
        response = parse_login_response(bhs, data)
        if response.status != LoginStatus.SUCCESS:
            return InitiatorLoginStep(failure=_failure(response))
        self._check(response)
        if progress.rest:
            if data or response.transit:
                raise RemoteProtocolError("the target answers a login request that goes on")
            return InitiatorLoginStep(request=self._send_rest())
        progress.gathered += data
        if len(progress.gathered) > TEXT_REQUEST_BYTES_MAX:
            raise RemoteProtocolError(f"login text of more than {TEXT_REQUEST_BYTES_MAX} bytes in one answer")
        if response.continues:
            return InitiatorLoginStep(request=self._send_text(b"", transit=False))
        pairs = parse_text(progress.gathered)
        progress.gathered = b""
        if progress.stage == Stage.SECURITY:
            return self._receive_security(response, pairs)
        return self._receive_operational(response, pairs)

    def _check(self, response: LoginResponse) -> None:
        """What every response has to keep (section 11.13)."""
        progress = self._progress
        progress.rounds += 1
        if progress.rounds > LOGIN_PDUS_MAX:
            raise RemoteProtocolError(f"a login of more than {LOGIN_PDUS_MAX} responses")
        if response.initiator_task_tag != INITIATOR_TASK_TAG or response.isid != self._options.isid:
            raise RemoteProtocolError("a login response with another task tag or ISID")
        if response.current_stage != progress.stage:
            raise RemoteProtocolError(f"a login response of stage {response.current_stage} in stage {progress.stage}")
        if response.version_active:
            raise RemoteProtocolError(f"the target speaks version {response.version_active}")
        if progress.exp_stat_sn is not None and response.stat_sn != progress.exp_stat_sn:
            raise RemoteProtocolError(f"StatSN {response.stat_sn} where {progress.exp_stat_sn} is due")
        progress.exp_stat_sn = response.stat_sn + 1 & 0xFFFFFFFF
        if response.transit:
            if not progress.transit or response.continues:
                raise RemoteProtocolError("the target moves on where nobody asked for it")
            if response.next_stage != _next_stage(progress.stage):
                raise RemoteProtocolError(f"the target moves to stage {response.next_stage}")

    # Security stage

    def _receive_security(self, response: LoginResponse, pairs: dict[str, str]) -> InitiatorLoginStep:
        reply: list[tuple[str, str]] = []
        others = {name: value for name, value in pairs.items() if name != "AuthMethod" and "CHAP_" not in name}
        self._answered.update(others)
        if "AuthMethod" in pairs:
            reply = self._take_method(pairs["AuthMethod"])
        elif self._chap is not None and "CHAP_A" in pairs:
            reply = self._chap.respond(pairs)
        elif self._chap is not None and ("CHAP_N" in pairs or "CHAP_R" in pairs):
            self._chap.check(pairs)
        if response.transit:
            self._check_authenticated()
            self._progress.stage = Stage.OPERATIONAL
            return InitiatorLoginStep(request=self._send(self._agreement.offers, transit=True))
        awaiting = self._chap is not None and reply[:1] == self._chap.offer()
        return InitiatorLoginStep(request=self._send(self._overridden(dict(reply)), transit=not awaiting))

    def _take_method(self, method: str) -> list[tuple[str, str]]:
        if self._method:
            raise NegotiationError("the target answers AuthMethod twice")
        offered = self._options.keys.get("AuthMethod") or ("CHAP" if self._options.chap else "None")
        if method not in offered.split(","):
            raise NegotiationError(f"the target chooses AuthMethod {quoted(method)}, which was not offered")
        self._method = method
        if method != "CHAP" or self._options.chap is None:
            return []
        self._chap = ChapProver(self._options.chap, self._random_bytes)
        return self._chap.offer()

    def _check_authenticated(self) -> None:
        """With mutual CHAP nobody is believed before the proof; a target may do without ours if we offer that."""
        chap = self._options.chap
        if chap is None or (self._chap is not None and self._chap.done):
            return
        if chap.mutual is not None or self._chap is not None or self._method != "None":
            raise AuthenticationError("CHAP: the target moves on before all is proven")

    # Operational stage

    def _receive_operational(self, response: LoginResponse, pairs: dict[str, str]) -> InitiatorLoginStep:
        reply = self._agreement.receive(pairs)
        if not response.transit:
            return InitiatorLoginStep(request=self._send(dict(reply), transit=True))
        if reply:
            raise NegotiationError("the target ends the login with offers that nobody has answered")
        if not response.tsih:
            raise RemoteProtocolError("a login that ends with TSIH 0")
        assert self._progress.exp_stat_sn is not None, "set with the first response"
        return InitiatorLoginStep(
            outcome=LoginSuccess(
                parameters=self._agreement.parameters(),
                tsih=response.tsih,
                answers={**self._answered, **self._agreement.answers},
                exp_stat_sn=self._progress.exp_stat_sn,
                exp_cmd_sn=response.exp_cmd_sn,
                max_cmd_sn=response.max_cmd_sn,
            )
        )

    # Requests

    def _overridden(self, pairs: dict[str, str]) -> dict[str, str]:
        """Pairs of the security stage, with the caller's own values for keys of that stage."""
        for name, value in self._options.keys.items():
            row = KEYS.get(name)
            if row is not None and row.kind is Kind.SECURITY and name in pairs:
                _override(pairs, name, value)
        return pairs

    def _send(self, pairs: Mapping[str, str], *, transit: bool) -> bytes:
        self._progress.rest = serialize_text(pairs.items())
        self._progress.rest_transit = transit
        return self._send_rest()

    def _send_rest(self) -> bytes:
        """The next piece of our text; T goes with the last."""
        progress = self._progress
        size = self._options.login_segment_bytes
        piece, progress.rest = progress.rest[:size], progress.rest[size:]
        return self._send_text(
            piece, transit=progress.rest_transit and not progress.rest, continues=bool(progress.rest)
        )

    def _send_text(self, text: bytes, *, transit: bool, continues: bool = False) -> bytes:
        progress = self._progress
        progress.transit = transit
        return LoginRequest(
            transit=transit,
            continues=continues,
            current_stage=progress.stage,
            next_stage=_next_stage(progress.stage) if transit else 0,
            isid=self._options.isid,
            tsih=self._options.tsih,
            initiator_task_tag=INITIATOR_TASK_TAG,
            cid=self._options.cid,
            cmd_sn=self._options.cmd_sn,
            exp_stat_sn=progress.exp_stat_sn or 0,
            data=text,
        ).serialize()


def _override(pairs: dict[str, str], name: str, value: str | None) -> None:
    if value is None:
        pairs.pop(name, None)
    else:
        pairs[name] = value


def _next_stage(stage: int) -> int:
    return Stage.OPERATIONAL if stage == Stage.SECURITY else Stage.FULL_FEATURE


def _failure(response: LoginResponse) -> LoginFailure:
    """What a refusal says (section 11.13.5)."""
    names = {int(status): status.name.lower().replace("_", " ") for status in LoginStatus}
    reason = f"login refused: {names.get(response.status, f'status 0x{response.status:04x}')}"
    address = parse_text(response.data).get("TargetAddress", "") if response.status in MOVED else ""
    return LoginFailure(status=response.status, reason=reason, target_address=address)
