"""Who may log in to what, and who is told of what (RFC 7143 section 6.3 and appendix C).

Discovery tells nobody more than he may use. A target is told to those whom its rules allow; if it asks for CHAP, only
to those who have proved, in that discovery session, a name and secret that this very target takes from them, or the
one of discovery itself. A setting opens it all. What may not be seen is answered as what does not exist. With each
target come the portals through which that very initiator may use it, be it that it asked through another one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from lunaport.engine.embedded.access import Asker, chap_credentials
from lunaport.engine.embedded.addresses import Listening, peer_address
from lunaport.engine.embedded.targets import Known, Target
from lunaport.iscsi.chap import ChapCredential
from lunaport.iscsi.discovery import Portal, send_targets
from lunaport.iscsi.enums import LoginStatus
from lunaport.iscsi.errors import LoginRefused, Refusal, TargetElsewhere
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
        """The rules of a target. Raises LoginRefused, and TargetElsewhere where another process serves it."""
        self._check_service()
        elsewhere = self.nas.targets.elsewhere.get(target_name)
        if elsewhere is not None:
            raise TargetElsewhere(elsewhere.process)
        target = self._find(target_name, initiator_name)
        target.rights_of(asker_of(self.transport, initiator_name))
        return TargetPolicy(
            name=target_name,
            portal_group_tag=self.transport.portal_group,
            header_digest=target.spec.header_digest,
            data_digest=target.spec.data_digest,
            credentials=target.access.credentials(initiator_name),
        )

    def find_discovery_policy(self, initiator_name: str) -> TargetPolicy:
        """Without CHAP of its own: who offers CHAP proves what some target takes, others are let in."""
        self._check_service()
        self.nas.steering.check(initiator_name, None)
        own = _discovery_credentials(self.nas, initiator_name)
        if self.nas.discovery.open:
            return TargetPolicy(name="", credentials=own)
        asker = asker_of(self.transport, initiator_name)
        groups = self.nas.portals.groups
        theirs = [
            credentials
            for target in self.nas.targets.known()
            if (credentials := target.access.credentials(initiator_name)) is not None
            and any(may_use(target, asker, group) for group in groups)
        ]
        if own is None and not theirs:
            return TargetPolicy(name="")
        every = tuple(credential for credentials in (own or (), *theirs) for credential in credentials)
        return TargetPolicy(name="", credentials=every, chap_is_optional=own is None)

    def admit(self, outcome: LoginOutcome) -> int:
        """Give a session its TSIH. Raises LoginRefused, for what has changed since the login began too."""
        rights = ALL_RIGHTS
        if not outcome.target_name:
            self._check_service()
        else:
            target = self._find(outcome.target_name, outcome.initiator_name)
            rights = target.rights_of(asker_of(self.transport, outcome.initiator_name))
            self.nas.exclusive.check(target, outcome.initiator_name)
        tsih, replaced = self.nas.sessions.admit(outcome)
        self.nas.admitted[self.transport] = (tsih, replaced, rights)
        return tsih

    def _check_service(self) -> None:
        if not self.nas.portals.desired:
            # Nothing listens any more; this one had connected before.
            reason = "the service is switched off"
            raise LoginRefused(LoginStatus.SERVICE_UNAVAILABLE, reason, refusal=Refusal.SERVICE_OFF)

    def _find(self, target_name: str, initiator_name: str) -> Target:
        self._check_service()
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
        found = self.nas.portals.addresses(self.transport.portal)
        groups = {each.group for each in found}
        for target in self.nas.targets.known():
            name = target.spec.name
            if name in self.nas.closing_targets or not self._knows(target):
                continue
            seen = {group for group in groups if self._may_see(target, group)}
            portals = [_told(each) for each in found if each.group in seen]
            if portals:
                yield name, portals

    def _knows(self, target: Known) -> bool:
        """Whether this session has proved what a target asks for; as things are now, not as they were at its login."""
        if self.nas.discovery.open or self.outcome.target_name:
            return True
        name = self.outcome.initiator_name
        credentials = target.access.credentials(name)
        return (
            credentials is None
            or _takes(credentials, self.outcome.proven)
            or _takes(_discovery_credentials(self.nas, name) or (), self.outcome.proven)
        )

    def _may_see(self, target: Known, group: int) -> bool:
        """Whether this session is told of a target's portals in a group."""
        if self.nas.discovery.open or self.outcome.target_name:
            return target.serves(group)
        return may_use(target, asker_of(self.transport, self.outcome.initiator_name), group)


def _told(listening: Listening) -> Portal:
    return Portal(host=listening.host, port=listening.port, portal_group_tag=listening.group)


def may_use(target: Known, asker: Asker, group: int) -> bool:
    """Whether the asker may use a target through a portal group, be it that he came by another one."""
    return target.serves(group) and target.access.allows(replace(asker, portal_group=group))


def asker_of(transport: "Transport", initiator_name: str) -> Asker:
    """Who is at the other end of a connection."""
    return Asker(name=initiator_name, address=peer_address(transport.address), portal_group=transport.portal_group)


def _discovery_credentials(nas: "Nas", initiator_name: str) -> tuple[ChapCredential, ...] | None:
    """What discovery itself takes; None: it asks for no CHAP."""
    return chap_credentials(nas.discovery.credentials, nas.discovery.mutual, initiator_name, nas.clock())


def _takes(credentials: Sequence[ChapCredential], proven: ChapCredential | None) -> bool:
    return proven is not None and any((each.user, each.secret) == (proven.user, proven.secret) for each in credentials)
