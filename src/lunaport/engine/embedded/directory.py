"""Who may log in to what, and who is told of what (RFC 7143 section 6.3 and appendix C).

Discovery tells nobody more than he may use. A target is told to those whom its rules allow; if it asks for CHAP, only
to those who have proved, in that discovery session, a name and secret that this very target takes from them, or the
one of discovery itself. A setting opens it all. What may not be seen is answered as what does not exist.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from lunaport.engine.embedded.access import Asker, chap_credentials
from lunaport.engine.embedded.portals import peer_address
from lunaport.engine.embedded.targets import PORTAL_GROUP_TAG, Target
from lunaport.iscsi.chap import ChapCredential
from lunaport.iscsi.discovery import Portal, send_targets
from lunaport.iscsi.enums import LoginStatus
from lunaport.iscsi.errors import LoginRefused, Refusal
from lunaport.iscsi.login import LoginOutcome, TargetPolicy
from lunaport.scsi.rights import ALL_RIGHTS

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
        target = self._find(target_name, initiator_name)
        target.access.rights_of(asker_of(self.transport, initiator_name))
        return TargetPolicy(
            name=target_name,
            portal_group_tag=PORTAL_GROUP_TAG,
            header_digest=target.spec.header_digest,
            data_digest=target.spec.data_digest,
            credentials=target.access.credentials(initiator_name),
        )

    def find_discovery_policy(self, initiator_name: str) -> TargetPolicy:
        """Without CHAP of its own: who offers CHAP proves what some target takes, others are let in."""
        self.nas.steering.check(initiator_name, None)
        own = _discovery_credentials(self.nas, initiator_name)
        if self.nas.discovery.open:
            return TargetPolicy(name="", credentials=own)
        asker = asker_of(self.transport, initiator_name)
        theirs = [
            credentials
            for target in self.nas.targets
            if (credentials := target.access.credentials(initiator_name)) is not None and target.access.allows(asker)
        ]
        if own is None and not theirs:
            return TargetPolicy(name="")
        every = tuple(credential for credentials in (own or (), *theirs) for credential in credentials)
        return TargetPolicy(name="", credentials=every, chap_is_optional=own is None)

    def admit(self, outcome: LoginOutcome) -> int:
        """Give a session its TSIH. Raises LoginRefused, for what has changed since the login began too."""
        rights = ALL_RIGHTS
        if outcome.target_name:
            target = self._find(outcome.target_name, outcome.initiator_name)
            rights = target.access.rights_of(asker_of(self.transport, outcome.initiator_name))
            self.nas.exclusive.check(target, outcome.initiator_name)
        tsih, replaced = self.nas.sessions.admit(outcome)
        self.nas.admitted[self.transport] = (tsih, replaced, rights)
        return tsih

    def _find(self, target_name: str, initiator_name: str) -> Target:
        target = self.nas.targets.targets.get(target_name)
        if target is None or target_name in self.nas.closing_targets:
            reason = f"{initiator_name} asked for an unknown target"
            raise LoginRefused(LoginStatus.NOT_FOUND, reason, refusal=Refusal.UNKNOWN_TARGET)
        self.nas.steering.check(initiator_name, target)
        return target


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
        name = self.outcome.initiator_name
        if not target.access.allows(asker_of(self.transport, name)):
            return False
        credentials = target.access.credentials(name)
        return (
            credentials is None
            or _takes(credentials, self.outcome.proven)
            or _takes(_discovery_credentials(self.nas, name) or (), self.outcome.proven)
        )


def asker_of(transport: "Transport", initiator_name: str) -> Asker:
    """Who is at the other end of a connection."""
    return Asker(name=initiator_name, address=peer_address(transport.address))


def _discovery_credentials(nas: "Nas", initiator_name: str) -> tuple[ChapCredential, ...] | None:
    """What discovery itself takes; None: it asks for no CHAP."""
    return chap_credentials(nas.discovery.credentials, nas.discovery.mutual, initiator_name, nas.clock())


def _takes(credentials: Sequence[ChapCredential], proven: ChapCredential | None) -> bool:
    return proven is not None and any((each.user, each.secret) == (proven.user, proven.secret) for each in credentials)
