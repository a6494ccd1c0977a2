"""Sessions of this target device: who is logged in with which ISID, and what a new login replaces (RFC 7143 6.3.5).

A session has one connection here (MaxConnections 1), so reinstating the connection or the session comes to the same:
the old one ends, its tasks are aborted, the new one takes its place.
"""

from dataclasses import dataclass, field
from typing import Generic, TypeVar

from lunaport.iscsi.enums import LoginStatus
from lunaport.iscsi.errors import LoginRefused, Refusal
from lunaport.iscsi.login import LoginOutcome

T = TypeVar("T")

SessionKey = tuple[str, bytes, str]
"""Initiator name, ISID, target name: the I_T nexus (with one portal group) that can exist once (section 4.4.2)."""


def session_key(outcome: LoginOutcome) -> SessionKey:
    """What makes a login the same session as another."""
    return outcome.initiator_name, outcome.isid, outcome.target_name


@dataclass(slots=True)
class SessionTable(Generic[T]):
    """Sessions by nexus. `T` is whatever the shell keeps of a session."""

    sessions_max: int
    sessions: dict[SessionKey, tuple[int, T]] = field(default_factory=dict)
    last_tsih: int = 0

    def admit(self, outcome: LoginOutcome) -> tuple[int, T | None]:
        """The TSIH for a login, and the session it takes the place of. Raises LoginRefused.

        TSIH 0 asks for a new session, which replaces one of the same nexus; another TSIH names the session that the
        connection belongs to.
        """
        old = self.sessions.get(session_key(outcome))
        if outcome.tsih:
            if old is None or old[0] != outcome.tsih:
                raise LoginRefused(LoginStatus.SESSION_DOES_NOT_EXIST, f"no session with TSIH {outcome.tsih}")
            return old
        if old is None and len(self.sessions) >= self.sessions_max:
            reason = f"there are {self.sessions_max} sessions already"
            raise LoginRefused(LoginStatus.OUT_OF_RESOURCES, reason, refusal=Refusal.TOO_MANY_SESSIONS)
        used = {tsih for tsih, _ in self.sessions.values()}
        while True:
            self.last_tsih = self.last_tsih % 0xFFFF + 1
            if self.last_tsih not in used:
                return self.last_tsih, old[1] if old else None

    def add(self, outcome: LoginOutcome, tsih: int, session: T) -> None:
        """The login is complete."""
        self.sessions[session_key(outcome)] = (tsih, session)

    def remove(self, outcome: LoginOutcome, session: T) -> None:
        """The session has ended; one that took its place stays."""
        key = session_key(outcome)
        current = self.sessions.get(key)
        if current is not None and current[1] is session:
            del self.sessions[key]
