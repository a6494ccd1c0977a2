"""What can go wrong in the iSCSI layer.

    ISCSIError
    ├── LocalProtocolError       we asked for what the protocol does not allow: a bug of ours
    ├── TargetElsewhere          nobody's mistake: another process of this NAS serves the target
    └── RemoteProtocolError      the peer broke a rule; carries the Reject reason that answers it
        ├── TextError            its key=value text is malformed or beyond a bound
        ├── NegotiationError     its keys or values cannot be agreed on
        ├── AuthenticationError  it did not prove who it is
        ├── DigestError          what it sent arrived damaged
        └── LoginRefused         its login ends; carries the login status that answers it
            └── TargetMoved      and the address where it may try again

Remote errors are answered to the peer and told to the administrator; none leaves the package. A reason never holds a
secret, and holds no more of the peer's bytes than `quoted` lets through.
"""

from enum import StrEnum

from lunaport.iscsi.enums import LoginStatus, RejectReason


class Refusal(StrEnum):
    """Why a login was refused, for those who count and look: finer than the status that the peer is told."""

    UNKNOWN_TARGET = "unknown_target"
    NAME_NOT_ALLOWED = "name_not_allowed"
    ADDRESS_NOT_ALLOWED = "address_not_allowed"
    PORTAL_NOT_ALLOWED = "portal_not_allowed"
    WRONG_PORTAL_GROUP = "wrong_portal_group"
    """The target is not served through the portal group that it came by."""
    NO_AUTHENTICATION = "no_authentication"
    """The target asks for CHAP, and the initiator does not offer it, or the other way round."""
    UNKNOWN_USER = "unknown_user"
    WRONG_SECRET = "wrong_secret"  # noqa: S105 - the name of a reason, not a secret
    AUTHENTICATION_FAILED = "authentication_failed"
    """CHAP went wrong in another way."""
    DIGEST_MISMATCH = "digest_mismatch"
    TOO_MANY_SESSIONS = "too_many_sessions"
    IN_USE = "in_use"
    """The target takes one initiator at a time, and another one has it."""
    MOVED = "moved"
    BLOCKED = "blocked"
    """An administrator keeps this initiator out."""
    DRAINING = "draining"
    """An administrator is emptying the target, or the NAS."""
    SERVICE_OFF = "service_off"
    BUSY = "busy"
    """The process that serves the target takes no more logins now."""
    PROTOCOL_ERROR = "protocol_error"
    """The login itself was wrong."""


class ISCSIError(Exception):
    """Base of every error of this package."""


class LocalProtocolError(ISCSIError):
    """The caller misused this package: a bug, not something a peer can bring about."""


class TargetElsewhere(ISCSIError):  # noqa: N818 - an outcome, not an error
    """Another process serves the target of this login; `process` is its number."""

    def __init__(self, process: int) -> None:
        super().__init__(process)
        self.process = process


class RemoteProtocolError(ISCSIError):
    """The peer broke a rule. Where the answer is a Reject, `reject_reason` goes into it; `refusal`: within a login."""

    def __init__(
        self,
        reason: str,
        *,
        reject_reason: RejectReason = RejectReason.PROTOCOL_ERROR,
        refusal: Refusal = Refusal.PROTOCOL_ERROR,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.reject_reason = reject_reason
        self.refusal = refusal

    def __str__(self) -> str:
        return self.reason


class TextError(RemoteProtocolError):
    """Text that is no legal list of key=value pairs (RFC 7143 section 6.1)."""


class NegotiationError(RemoteProtocolError):
    """Keys or values that lead to no agreement (RFC 7143 sections 6.2 and 13)."""


class AuthenticationError(RemoteProtocolError):
    """An initiator that did not prove who it is (RFC 7143 section 12.1). The wire sees one status for all causes.

    Keys that are not those of the step are another mistake (section 9.2).
    """

    def __init__(self, reason: str, *, refusal: Refusal = Refusal.AUTHENTICATION_FAILED) -> None:
        super().__init__(reason, refusal=refusal)


class DigestError(RemoteProtocolError):
    """A header or data segment that does not match its CRC32C (RFC 7143 section 7.8)."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, reject_reason=RejectReason.DATA_DIGEST_ERROR)


class LoginRefused(RemoteProtocolError):  # noqa: N818 - an outcome in the words of the RFC, raised by the engine too
    """A login that ends with `status` (RFC 7143 section 11.13.5); `reason` is for the administrator only."""

    def __init__(self, status: LoginStatus, reason: str, *, refusal: Refusal = Refusal.PROTOCOL_ERROR) -> None:
        super().__init__(reason, refusal=refusal)
        self.status = status


class TargetMoved(LoginRefused):
    """The target is at another address now (RFC 7143 section 13.8): an IP address without brackets, or a host name.

    Temporarily: the initiator comes here again for its next login. Permanently: it need not.
    """

    def __init__(self, host: str, port: int, *, permanently: bool) -> None:
        status = LoginStatus.TARGET_MOVED_PERMANENTLY if permanently else LoginStatus.TARGET_MOVED_TEMPORARILY
        self.target_address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        super().__init__(status, f"the target is at {self.target_address} now", refusal=Refusal.MOVED)


def quoted(text: str, characters_max: int = 64) -> str:
    """Return a peer's text fit for a log line: quoted, escaped, cut."""
    cut = text if len(text) <= characters_max else text[:characters_max] + "..."
    return ascii(cut)
