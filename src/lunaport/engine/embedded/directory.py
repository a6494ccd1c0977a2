"""Who may log in to what, and who is told of what (RFC 7143 section 6.3 and appendix C).

Discovery tells nobody more than he may use. A target that asks for CHAP is told to those who have proved, in that
discovery session, a name and secret that this very target takes; the open ones are told to everybody. A setting opens
it all. What may not be seen is answered as what does not exist.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from lunaport.engine.embedded.targets import PORTAL_GROUP_TAG, Target
from lunaport.iscsi.chap import ChapCredential
from lunaport.iscsi.discovery import Portal, send_targets
from lunaport.iscsi.enums import LoginStatus
from lunaport.iscsi.errors import LoginRefused, Refusal
from lunaport.iscsi.login import LoginOutcome, TargetPolicy

if TYPE_CHECKING:  # the data process makes both
    from lunaport.engine.embedded.nas import Nas
    from lunaport.engine.embedded.transport import Transport


class Directory:
    """What a login asks of this NAS (`iscsi.login.TargetDirectory`)."""

    def __init__(self, nas: "Nas", transport: "Transport") -> None:
        self.nas = nas
        self.transport = transport

    def find_target(self, target_name: str, initiator_name: str) -> TargetPolicy:
        """The rules of a target. Raises LoginRefused."""
        target = self.nas.targets.targets.get(target_name)
        if target is None or target_name in self.nas.closing_targets:
            reason = f"{initiator_name} asked for an unknown target"
            raise LoginRefused(LoginStatus.NOT_FOUND, reason, refusal=Refusal.UNKNOWN_TARGET)
        self.nas.steering.check(initiator_name, target)
        return target.policy()

    def find_discovery_policy(self, initiator_name: str) -> TargetPolicy:
        """Who offers CHAP proves what some target takes; others are let in, to see what asks for nothing."""
        self.nas.steering.check(initiator_name, None)
        if self.nas.discovery.open:
            return TargetPolicy(name="")
        credentials = tuple(each for target in self.nas.targets for each in target.credentials())
        return TargetPolicy(name="", credentials=credentials, chap_is_optional=True)

    def admit(self, outcome: LoginOutcome) -> int:
        """Give a session its TSIH. Raises LoginRefused."""
        tsih, replaced = self.nas.sessions.admit(outcome)
        self.nas.admitted[self.transport] = (tsih, replaced)
        return tsih


class TextAnswers:
    """SendTargets of a session (`iscsi.connection.TextServer`)."""

    def __init__(self, nas: "Nas", transport: "Transport", outcome: LoginOutcome) -> None:
        self.nas = nas
        self.transport = transport
        self.outcome = outcome

    def send_targets(self, query: str) -> bytes:
        """See `iscsi.connection.TextServer.send_targets`."""
        return send_targets(query, self.outcome.target_name, self._targets())

    def _targets(self) -> Iterator[tuple[str, Sequence[Portal]]]:
        portals = [
            Portal(host=host, port=port, portal_group_tag=PORTAL_GROUP_TAG)
            for host, port in self.nas.portals.addresses(self.transport.portal)
        ]
        for name, target in self.nas.targets.targets.items():
            if name not in self.nas.closing_targets and self._may_see(target):
                yield name, portals

    def _may_see(self, target: Target) -> bool:
        """Whether this session is told of a target; as things are now, not as they were at its login."""
        if self.nas.discovery.open or self.outcome.target_name:
            return True
        credentials = target.credentials()
        return not credentials or _takes(credentials, self.outcome.proven)


def _takes(credentials: Sequence[ChapCredential], proven: ChapCredential | None) -> bool:
    return proven is not None and any((each.user, each.secret) == (proven.user, proven.secret) for each in credentials)
