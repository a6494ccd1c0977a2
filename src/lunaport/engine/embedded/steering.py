"""What an administrator does to sessions while they run: limits, draining, blocked initiators.

Desired state says what shall be; `follow` brings the sessions there whenever it has changed. Draining asks every
initiator once and closes nobody; a blocked initiator is asked, and closed when it does not go.
"""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lunaport.engine.embedded.steps import Finish
from lunaport.engine.embedded.throttle import Account, Throttle
from lunaport.engine.interface import BlockSpec, LimitsSpec
from lunaport.iscsi.enums import LoginStatus
from lunaport.iscsi.errors import LoginRefused, Refusal

if TYPE_CHECKING:  # the data process makes both
    from lunaport.engine.embedded.nas import Nas
    from lunaport.engine.embedded.session import Session
    from lunaport.engine.embedded.targets import Target

DRAIN_LOGOUT_WITHIN_S = 10
"""How long initiators are asked to take; those that take longer stay."""


class Steering:
    """Who is let in, and how fast they may be."""

    def __init__(self, nas: "Nas") -> None:
        self.nas = nas
        self.draining = False
        self.blocks: dict[str, float | None] = {}
        self.accounts: dict[str, Account] = {}

    def set(self, draining: bool | None, blocks: Sequence[BlockSpec] | None) -> None:
        """Take over what is not None; `follow` carries it out."""
        if draining is not None:
            self.draining = draining
        if blocks is not None:
            self.blocks = {block.initiator: block.until for block in blocks}

    def check(self, initiator_name: str, target: "Target | None") -> None:
        """Whether an initiator may come in now, to a target or (None) for discovery. Raises LoginRefused."""
        if self._is_blocked(initiator_name):
            reason = f"{initiator_name} is blocked"
            raise LoginRefused(LoginStatus.AUTHORIZATION_FAILURE, reason, refusal=Refusal.BLOCKED)
        if target is not None and (self.draining or target.spec.draining):
            what = "the NAS" if self.draining else "the target"
            reason = f"{what} is being drained"
            raise LoginRefused(LoginStatus.SERVICE_UNAVAILABLE, reason, refusal=Refusal.DRAINING)

    def follow(self, finish: Finish) -> None:
        """Bring every session to what shall be; `finish` when those that have to end have ended."""
        self.accounts = {
            name: self._account(name, target.spec.limits)
            for name, target in self.nas.targets.targets.items()
            if target.spec.limits != LimitsSpec()
        }
        leaving = []
        for transport, session in self.nas.by_transport.items():
            self.limit(session)
            if self._is_blocked(session.outcome.initiator_name):
                leaving.append(transport)
            elif self._is_drained(session) and session.connection is not None:
                session.connection.request_logout(DRAIN_LOGOUT_WITHIN_S)
        self.nas.end_sessions(leaving, "its initiator was blocked", finish)

    def limit(self, session: "Session") -> None:
        """Put a session under the limits of its target, or take it out of them."""
        if session.target is None or session.nexus is None or session.sampler is None:
            return
        account = self.accounts.get(session.target.spec.name)
        if account is (session.throttle.account if session.throttle else None):
            return
        self.release(session)
        if account is None:
            session.sampler.replace(session.nexus.execute)
        else:
            session.throttle = Throttle(self.nas.loop, account, session.transport, session.nexus.execute)
            session.sampler.replace(session.throttle.execute)

    def release(self, session: "Session") -> None:
        """A session ends, or its limits do: nothing keeps it from going on."""
        if session.throttle is not None:
            session.throttle.lift()
            session.throttle = None

    def ended(self, session: "Session") -> None:
        """Tell when the last session of what is being drained has gone."""
        self.release(session)
        if not self._is_drained(session):
            return
        left = [each.target for each in self.nas.by_transport.values() if each.target is not None]
        if self.draining and not left:
            self.nas.journal.add("drained", target="")
        if session.target is not None and session.target.spec.draining and session.target not in left:
            self.nas.journal.add("drained", target=session.target.spec.name)

    def _account(self, name: str, limits: LimitsSpec) -> Account:
        account = self.accounts.get(name)
        return account if account is not None and account.limits == limits else Account(limits)

    def _is_blocked(self, initiator_name: str) -> bool:
        until = self.blocks.get(initiator_name, 0.0)
        return until is None or until > time.time()

    def _is_drained(self, session: "Session") -> bool:
        return session.target is not None and (self.draining or session.target.spec.draining)
