"""The login phase of a connection, target side, without I/O (RFC 7143 sections 6.3, 11.12, 11.13 and 12).

    first request ─┬─> SECURITY ──────┬─> OPERATIONAL ──> full feature phase
                   └─> OPERATIONAL ───┼────────────────────────^
                       (no CHAP asked)└────────────────────────┘

The shell hands in whole PDUs; each gives one `LoginStep`: what to send, and whether the login is complete or failed.
Timers and the number of connections are the shell's; digests do not exist yet. Whatever a peer sends leads to a step:
refusals carry the status of section 11.13.5 on the wire and a reason for the administrator beside it.

A target that another process serves is no business of this phase: the step says `elsewhere`, and that one begins from
the first byte. Until then nothing was answered but parts of a request that goes on (the C bit), and those answers are
always the same.

Invariants: what a login costs is bounded by `limits`; where a target asks for CHAP, nothing but a proven secret leads
out of the security stage; a login that failed stays failed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from lunaport.iscsi.chap import ChapCredential, ChapExchange, ChapState, RandomBytes
from lunaport.iscsi.enums import LoginStatus, Opcode, Stage
from lunaport.iscsi.errors import (
    AuthenticationError,
    LocalProtocolError,
    LoginRefused,
    NegotiationError,
    Refusal,
    RemoteProtocolError,
    TargetElsewhere,
    TargetMoved,
    quoted,
)
from lunaport.iscsi.keys import KEYS, Phase
from lunaport.iscsi.limits import (
    BHS_BYTES,
    COMMAND_WINDOW,
    LOGIN_BYTES_MAX,
    LOGIN_DATA_SEGMENT_BYTES_MAX,
    LOGIN_PDUS_MAX,
    TEXT_REQUEST_BYTES_MAX,
)
from lunaport.iscsi.negotiation import Negotiation, SessionParameters, check_admissible, refuse_verdict
from lunaport.iscsi.pdu import LoginRequest, LoginResponse, ReadableBuffer, opcode_of, parse_login_request
from lunaport.iscsi.text import NOT_UNDERSTOOD, parse_list, parse_name, parse_text, serialize_text

NORMAL: Final = "Normal"
DISCOVERY: Final = "Discovery"
NAMES: Final = ("SessionType", "InitiatorName", "TargetName", "InitiatorAlias")
"""Keys that say who is who. They come with the first request, and with later ones if they stay the same."""
AHS_LENGTH_OFFSET: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetPolicy:
    """What a target, or discovery, asks of a login. `credentials` None: AuthMethod None is enough, and all there is.

    An empty tuple: CHAP is asked for, and there is nothing that this initiator could prove.
    """

    name: str
    portal_group_tag: int = 1
    header_digest: bool = False
    data_digest: bool = False
    credentials: tuple[ChapCredential, ...] | None = None
    chap_is_optional: bool = False
    """Who offers CHAP has to prove one of the credentials all the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginOutcome:
    """What a complete login agreed on. `tsih` is the one asked for: 0 for a new session."""

    session_type: str
    initiator_name: str
    initiator_alias: str
    target_name: str
    """Empty for a discovery session."""
    portal_group_tag: int = 1
    """Of the target's portal group; with the name, the SCSI target port."""
    discovery_of: str = ""
    """What a discovery session is about: the target it named, otherwise the portal it came to (section 7.4.2)."""
    isid: bytes
    tsih: int
    cid: int
    parameters: SessionParameters
    proven: ChapCredential | None = None
    """None where no CHAP was asked for."""
    exp_cmd_sn: int
    """CmdSN of the first command."""
    stat_sn: int
    """StatSN of the first response in full feature phase."""

    @property
    def chap_user(self) -> str:
        """The initiator's CHAP name; empty where no CHAP was asked for."""
        return self.proven.user if self.proven is not None else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginStep:
    """What one PDU led to. With `outcome` or `failed` it is the last one; after a failure the connection closes."""

    responses: tuple[bytes, ...] = ()
    outcome: LoginOutcome | None = None
    tsih: int = 0
    """The session's handle, given by `admit`; with `outcome` only."""
    status: int = LoginStatus.SUCCESS
    failed: str = ""
    refusal: Refusal | None = None
    """With `failed`: the kind of reason."""
    initiator_name: str = ""
    """With `failed`: as the peer said it, in lower case; empty where it had not come to that. So for the target."""
    target_name: str = ""
    elsewhere: int | None = None
    """The number of the process that has to take the login from its first byte; `refuse` where it cannot."""


class TargetDirectory(Protocol):
    """Who knows the targets. Every method may raise LoginRefused, TargetMoved too."""

    def find_target(self, target_name: str, initiator_name: str) -> TargetPolicy:
        """The policy of a target for an initiator; names are in lower case. Raises TargetElsewhere too."""

    def find_discovery_policy(self, initiator_name: str) -> TargetPolicy:
        """The policy of discovery sessions; its name and tag do not count."""

    def admit(self, outcome: LoginOutcome) -> int:
        """Take the session in, just before the last response; returns its TSIH, which is not 0."""


class LoginPhase:
    """One login on one connection."""

    def __init__(self, directory: TargetDirectory, random_bytes: RandomBytes, portal: str = "") -> None:
        self._directory = directory
        self._portal = portal
        self._random_bytes = random_bytes
        self._over = False
        self._first: LoginRequest | None = None
        self._last: LoginRequest | None = None
        self._stage = int(Stage.SECURITY)
        self._stat_sn = 0
        self._pdus = 0
        self._bytes = 0
        self._gathered = b""
        self._names: dict[str, str] = {}
        # Set with the first whole request: who it is, and what is agreed on with it.
        self._agreement: tuple[TargetPolicy, Negotiation] | None = None
        self._method = ""
        # Keys of the security stage that have come.
        self._seen: set[str] = set()
        self._chap: ChapExchange | None = None

    def receive(self, bhs: ReadableBuffer, data: ReadableBuffer) -> LoginStep:
        """Take one PDU: its 48-byte header, and its data without padding."""
        if len(bhs) != BHS_BYTES:
            raise LocalProtocolError("a header of another length")
        if self._over:
            return LoginStep(failed="the login is over")
        if opcode_of(bhs) != Opcode.LOGIN_REQUEST:
            return self._refuse_other(opcode_of(bhs))
        request = self._last = parse_login_request(bhs, data)
        try:
            if bhs[AHS_LENGTH_OFFSET]:
                raise RemoteProtocolError("a login request with additional header segments")
            return self._handle(request)
        except LoginRefused as refusal:
            return self._fail(request, refusal.status, refusal)
        except AuthenticationError as error:
            return self._fail(request, LoginStatus.AUTHENTICATION_FAILURE, error)
        except RemoteProtocolError as error:
            return self._fail(request, LoginStatus.INITIATOR_ERROR, error)
        except TargetElsewhere as found:
            self._over = True
            return LoginStep(elsewhere=found.process)

    @property
    def is_identified(self) -> bool:
        """Whether it is known who logs in to what: from then on this login stays here."""
        return self._agreement is not None

    def refuse(self, refusal: LoginRefused) -> LoginStep:
        """Refuse the last request for a reason that lies outside of it."""
        if self._last is None:
            raise LocalProtocolError("there is no request to refuse")
        return self._fail(self._last, refusal.status, refusal)

    def _handle(self, request: LoginRequest) -> LoginStep:
        self._check_limits(request)
        if self._first is None:
            self._begin(request)
        else:
            _check_same(self._first, request)
        self._check_stage(request)
        self._gathered += request.data
        if len(self._gathered) > TEXT_REQUEST_BYTES_MAX:
            raise RemoteProtocolError(f"login text of more than {TEXT_REQUEST_BYTES_MAX} bytes in one request")
        if request.continues:
            # Section 6.2: nothing is answered before the text is whole.
            return LoginStep(responses=(self._respond(request, b"", transit=False),))
        pairs = parse_text(self._gathered)
        self._gathered = b""
        self._take_names(pairs)
        answers = []
        if self._agreement is None:
            policy, negotiation = self._agreement = self._identify()
            if "TargetName" in self._names:
                # Sections 6.3.1 and 13.9: with the first answer to a request that names a target.
                answers.append(("TargetPortalGroupTag", str(policy.portal_group_tag)))
        else:
            policy, negotiation = self._agreement
        if self._stage == Stage.SECURITY:
            answers += self._receive_security(request, pairs, policy)
        elif self._authenticated(policy):
            for name in self._seen & pairs.keys():
                self._check_once(name)
            answers += negotiation.answer(pairs)
        else:
            reason = "the initiator skips authentication, the target asks for CHAP"
            raise AuthenticationError(reason, refusal=Refusal.NO_AUTHENTICATION)
        text = serialize_text(answers)
        if not request.transit or not self._authenticated(policy):
            return LoginStep(responses=(self._respond(request, text, transit=False),))
        if request.next_stage == Stage.FULL_FEATURE:
            return self._complete(request, text, policy, negotiation)
        response = self._respond(request, text, transit=True)
        self._stage = request.next_stage
        return LoginStep(responses=(response,))

    # What every request has to keep

    def _check_limits(self, request: LoginRequest) -> None:
        self._pdus += 1
        self._bytes += len(request.data)
        if self._pdus > LOGIN_PDUS_MAX:
            raise RemoteProtocolError(f"a login of more than {LOGIN_PDUS_MAX} requests")
        if len(request.data) > LOGIN_DATA_SEGMENT_BYTES_MAX:
            raise RemoteProtocolError(f"a login request of more than {LOGIN_DATA_SEGMENT_BYTES_MAX} bytes of data")
        if self._bytes > LOGIN_BYTES_MAX:
            raise RemoteProtocolError(f"a login of more than {LOGIN_BYTES_MAX} bytes")

    def _begin(self, request: LoginRequest) -> None:
        # Section 11.12.4: version 0 is the only one there is.
        if request.version_min > 0:
            reason = f"the initiator speaks version {request.version_min} and later, the target version 0"
            raise LoginRefused(LoginStatus.UNSUPPORTED_VERSION, reason)
        if request.current_stage not in (Stage.SECURITY, Stage.OPERATIONAL):
            raise RemoteProtocolError(f"a login that starts in stage {request.current_stage}")
        self._first = request
        self._stage = request.current_stage
        # The target may start anywhere; the initiator's own expectation suits all of them.
        self._stat_sn = request.exp_stat_sn

    def _check_stage(self, request: LoginRequest) -> None:
        if request.current_stage != self._stage:
            raise RemoteProtocolError(f"a request of stage {request.current_stage} in stage {self._stage}")
        if not request.transit:
            return
        # Section 11.12.2: T and C exclude each other.
        if request.continues:
            raise RemoteProtocolError("a request that both goes on and moves to the next stage")
        if request.next_stage not in (Stage.OPERATIONAL, Stage.FULL_FEATURE) or request.next_stage <= self._stage:
            raise RemoteProtocolError(f"a move from stage {self._stage} to stage {request.next_stage}")

    # Who is who

    def _take_names(self, pairs: dict[str, str]) -> None:
        """Move the names from `pairs` to where they are kept."""
        for key in NAMES:
            value = pairs.pop(key, None)
            if value is not None and self._names.setdefault(key, value) != value:
                raise NegotiationError(f"{key} changes within one login")

    def _identify(self) -> tuple[TargetPolicy, Negotiation]:
        if "InitiatorName" not in self._names:
            raise LoginRefused(LoginStatus.MISSING_PARAMETER, "the initiator does not give its name")
        initiator_name = parse_name(self._names["InitiatorName"])
        session_type = self._names.setdefault("SessionType", NORMAL)
        if session_type == DISCOVERY:
            policy = self._directory.find_discovery_policy(initiator_name)
        elif session_type == NORMAL:
            if "TargetName" not in self._names:
                raise LoginRefused(LoginStatus.MISSING_PARAMETER, "the initiator does not name a target")
            policy = self._directory.find_target(parse_name(self._names["TargetName"]), initiator_name)
        else:
            reason = f"session type {quoted(session_type)} is neither Normal nor Discovery"
            raise LoginRefused(LoginStatus.SESSION_TYPE_NOT_SUPPORTED, reason)
        return policy, Negotiation(
            discovery=session_type == DISCOVERY, header_digest=policy.header_digest, data_digest=policy.data_digest
        )

    # Stages

    def _authenticated(self, policy: TargetPolicy) -> bool:
        if self._chap is not None:
            return self._chap.state is ChapState.AUTHENTICATED
        return policy.credentials is None or policy.chap_is_optional

    def _receive_security(
        self, request: LoginRequest, pairs: Mapping[str, str], policy: TargetPolicy
    ) -> list[tuple[str, str]]:
        answers = []
        chap_pairs = {}
        asked_for_proof = self._chap is not None and self._chap.state is ChapState.AWAIT_RESPONSE
        for name, value in pairs.items():
            key = KEYS.get(name)
            if name.startswith("CHAP_") and key is not None:
                chap_pairs[name] = value
                continue
            refuse_verdict(name, value)
            if key is None:
                answers.append((name, NOT_UNDERSTOOD))
                continue
            check_admissible(key, Phase.SECURITY)
            self._check_once(name)
            if name == "AuthMethod":
                answers.append((name, self._pick_method(value, policy)))
        if self._chap is not None and (chap_pairs or asked_for_proof):
            answers += self._chap.receive(chap_pairs)
        elif chap_pairs:
            raise NegotiationError("CHAP before AuthMethod=CHAP is agreed", refusal=Refusal.AUTHENTICATION_FAILED)
        if request.transit and self._chap is None and not self._authenticated(policy):
            reason = "the initiator offers no authentication, the target asks for CHAP"
            raise AuthenticationError(reason, refusal=Refusal.NO_AUTHENTICATION)
        return answers

    def _check_once(self, name: str) -> None:
        """Section 6.3: nothing is negotiated or declared a second time."""
        if name in self._seen:
            raise NegotiationError(f"{name} comes twice in one login")
        self._seen.add(name)

    def _pick_method(self, offered: str, policy: TargetPolicy) -> str:
        methods = parse_list(offered)
        taken = ["None" if policy.credentials is None else "CHAP"]
        if policy.chap_is_optional:
            taken.append("None")
        # Section 6.2.1: the first of the initiator's that the target takes.
        self._method = next((method for method in methods if method in taken), "")
        if not self._method:
            reason = f"the initiator offers AuthMethod {quoted(offered)}, the target takes {' or '.join(taken)} only"
            raise AuthenticationError(reason, refusal=Refusal.NO_AUTHENTICATION)
        if policy.credentials is not None and self._method == "CHAP":
            self._chap = ChapExchange(policy.credentials, self._random_bytes)
        return self._method

    # Answers

    def _complete(
        self, request: LoginRequest, text: bytes, policy: TargetPolicy, negotiation: Negotiation
    ) -> LoginStep:
        discovery = self._names["SessionType"] == DISCOVERY
        alias = self._names.get("InitiatorAlias", "")
        outcome = LoginOutcome(
            session_type=self._names["SessionType"],
            initiator_name=parse_name(self._names["InitiatorName"]),
            initiator_alias=alias,
            target_name="" if discovery else policy.name,
            portal_group_tag=policy.portal_group_tag,
            discovery_of=self._discovery_of() if discovery else "",
            isid=request.isid,
            tsih=request.tsih,
            cid=request.cid,
            parameters=negotiation.parameters(alias),
            proven=self._chap.proven if self._chap else None,
            # A login request is immediate: it uses its CmdSN without using it up (section 11.12.6).
            exp_cmd_sn=request.cmd_sn,
            stat_sn=self._stat_sn + 1 & 0xFFFFFFFF,
        )
        tsih = self._directory.admit(outcome)
        self._over = True
        response = self._respond(request, text, transit=True, tsih=tsih)
        return LoginStep(responses=(response,), outcome=outcome, tsih=tsih)

    def _discovery_of(self) -> str:
        named = self._names.get("TargetName")
        return self._portal if named is None else parse_name(named)

    def _respond(self, request: LoginRequest, text: bytes, *, transit: bool, tsih: int | None = None) -> bytes:
        response = LoginResponse(
            transit=transit,
            current_stage=request.current_stage,
            next_stage=request.next_stage if transit else 0,
            isid=request.isid,
            tsih=request.tsih if tsih is None else tsih,
            initiator_task_tag=request.initiator_task_tag,
            stat_sn=self._stat_sn,
            exp_cmd_sn=request.cmd_sn,
            max_cmd_sn=request.cmd_sn + COMMAND_WINDOW - 1 & 0xFFFFFFFF,
            data=text,
        )
        self._stat_sn = self._stat_sn + 1 & 0xFFFFFFFF
        return response.serialize()

    def _fail(self, request: LoginRequest, status: LoginStatus, error: RemoteProtocolError) -> LoginStep:
        self._over = True
        # Section 11.13.5: a refusal has no keys, but for where to go instead. No portal group tag: section 13.8.
        moved = serialize_text([("TargetAddress", error.target_address)]) if isinstance(error, TargetMoved) else b""
        response = LoginResponse(
            current_stage=request.current_stage,
            isid=request.isid,
            tsih=request.tsih,
            initiator_task_tag=request.initiator_task_tag,
            stat_sn=self._stat_sn,
            exp_cmd_sn=request.cmd_sn,
            max_cmd_sn=request.cmd_sn,
            status=status,
            data=moved,
        )
        return LoginStep(
            responses=(response.serialize(),),
            status=status,
            failed=error.reason,
            refusal=error.refusal,
            initiator_name=self._names.get("InitiatorName", "").lower(),
            target_name=self._names.get("TargetName", "").lower(),
        )

    def _refuse_other(self, opcode: int) -> LoginStep:
        if self._first is None:
            # Section 6.3: a connection that does not start with a login is closed without an answer.
            self._over = True
            reason = f"the first PDU is no login request (opcode 0x{opcode:02x})"
            return LoginStep(status=LoginStatus.INVALID_DURING_LOGIN, failed=reason, refusal=Refusal.PROTOCOL_ERROR)
        error = RemoteProtocolError(f"a PDU that is no login request (opcode 0x{opcode:02x}) within the login")
        return self._fail(self._first, LoginStatus.INVALID_DURING_LOGIN, error)


def _check_same(first: LoginRequest, request: LoginRequest) -> None:
    """Raise RemoteProtocolError where a field changed that has to stay (sections 11.12.5 to 11.12.8)."""
    changed = [
        name
        for name in ("isid", "tsih", "initiator_task_tag", "cid", "cmd_sn")
        if getattr(first, name) != getattr(request, name)
    ]
    if changed:
        raise RemoteProtocolError(f"{', '.join(changed)} changed within one login")
