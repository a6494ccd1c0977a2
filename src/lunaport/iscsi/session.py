"""Sessions of this target device: who is logged in with which ISID, and what a new login replaces (RFC 7143 6.3.5).

A session has one connection here (MaxConnections 1), so reinstating the connection or the session comes to the same:
the old one ends, its tasks are aborted, the new one takes its place.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from lunaport.iscsi.enums import LoginStatus
from lunaport.iscsi.errors import LoginRefused, Refusal
from lunaport.iscsi.login import LoginOutcome

T = TypeVar("T")
K = TypeVar("K")

TSIH_MAX = 0xFFFF

SessionKey = tuple[str, bytes, str, int, str]
"""Initiator name, ISID, target name, portal group tag: the I_T nexus, which can exist once (section 4.4.2).

A discovery session has no target but what it is about: one exists for each portal or named target (section 7.4.2).
"""


def session_key(outcome: LoginOutcome) -> SessionKey:
    """What makes a login the same session as another."""
    return (
        outcome.initiator_name,
        outcome.isid,
        outcome.target_name,
        outcome.portal_group_tag,
        outcome.discovery_of,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry(Generic[T]):
    """A session that exists; its connection's number and the name it proved."""

    tsih: int
    cid: int
    chap_user: str
    session: T


@dataclass(slots=True)
class SessionTable(Generic[T]):
    """Sessions by nexus. `T` is whatever the shell keeps of a session.

    Discovery sessions count as those of one target without a name. Where several processes have tables of one target
    device, each gives out every `tsih_step`th TSIH from `tsih_first` on, so that none is given twice.
    """

    sessions_max: int
    target_sessions_max: int = TSIH_MAX
    initiator_sessions_max: int = TSIH_MAX
    """Of one initiator name with one target: each with an ISID of its own."""
    tsih_first: int = 1
    tsih_step: int = 1
    elsewhere_count: int = 0
    """Sessions in other tables; they count for `sessions_max`."""
    sessions: dict[SessionKey, Entry[T]] = field(default_factory=dict, init=False)
    tsihs: set[int] = field(default_factory=set, init=False)
    per_target: Counter[str] = field(default_factory=Counter, init=False)
    per_initiator: Counter[tuple[str, str]] = field(default_factory=Counter, init=False)
    last_tsih: int = field(default=0, init=False)

    def admit(self, outcome: LoginOutcome) -> tuple[int, T | None]:
        """The TSIH for a login, and the session it takes the place of. Raises LoginRefused.

        TSIH 0 asks for a new session, which replaces one of the same nexus; another TSIH names the session that the
        connection belongs to.
        """
        old = self.sessions.get(session_key(outcome))
        if outcome.tsih:
            if old is None or old.tsih != outcome.tsih:
                raise LoginRefused(LoginStatus.SESSION_DOES_NOT_EXIST, f"no session with TSIH {outcome.tsih}")
            _check_reinstatement(old, outcome)
            return old.tsih, old.session
        if old is None:
            self._check_room(outcome)
        while True:
            following = self.last_tsih + self.tsih_step
            self.last_tsih = following if self.last_tsih and following <= TSIH_MAX else self.tsih_first
            if self.last_tsih not in self.tsihs:
                return self.last_tsih, old.session if old else None

    def _check_room(self, outcome: LoginOutcome) -> None:
        """Raises LoginRefused where one session more is too many."""
        initiator, target = outcome.initiator_name, outcome.target_name
        # One TSIH stays free, for a session that takes the place of another.
        tsihs_max = (TSIH_MAX - self.tsih_first) // self.tsih_step
        if len(self.sessions) + self.elsewhere_count >= self.sessions_max or len(self.sessions) >= tsihs_max:
            reason = f"there are {min(self.sessions_max, tsihs_max)} sessions already"
        elif self.per_target[target] >= self.target_sessions_max:
            reason = f"the target has {self.target_sessions_max} sessions already"
        elif self.per_initiator[initiator, target] >= self.initiator_sessions_max:
            reason = f"the initiator has {self.initiator_sessions_max} sessions with this target already"
        else:
            return
        raise LoginRefused(LoginStatus.OUT_OF_RESOURCES, reason, refusal=Refusal.TOO_MANY_SESSIONS)

    def add(self, outcome: LoginOutcome, tsih: int, session: T) -> None:
        """The login is complete; the session whose place it takes was removed before."""
        entry = Entry(tsih=tsih, cid=outcome.cid, chap_user=outcome.chap_user, session=session)
        self.sessions[session_key(outcome)] = entry
        self.tsihs.add(tsih)
        self.per_target[outcome.target_name] += 1
        self.per_initiator[outcome.initiator_name, outcome.target_name] += 1

    def remove(self, outcome: LoginOutcome, session: T) -> None:
        """The session has ended; one that took its place stays."""
        key = session_key(outcome)
        current = self.sessions.get(key)
        if current is None or current.session is not session:
            return
        del self.sessions[key]
        self.tsihs.discard(current.tsih)
        count_down(self.per_target, outcome.target_name)
        count_down(self.per_initiator, (outcome.initiator_name, outcome.target_name))


def _check_reinstatement(old: Entry[T], outcome: LoginOutcome) -> None:
    """Raises LoginRefused where a connection cannot take the place of the one that a session has."""
    if old.cid != outcome.cid:
        reason = f"a second connection (CID {outcome.cid}) for a session, which has one at most"
        raise LoginRefused(LoginStatus.TOO_MANY_CONNECTIONS, reason, refusal=Refusal.TOO_MANY_SESSIONS)
    if old.chap_user != outcome.chap_user:
        # Section 9.2: all connections of a session prove the same.
        reason = "a connection for the session of another CHAP name"
        raise LoginRefused(LoginStatus.AUTHENTICATION_FAILURE, reason, refusal=Refusal.AUTHENTICATION_FAILED)


def count_down(counter: Counter[K], key: K) -> None:
    """One less; nothing is kept of what is not there any more."""
    counter[key] -= 1
    if not counter[key]:
        del counter[key]
