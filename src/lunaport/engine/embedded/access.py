"""Who may log in to a target and what he may do there, from its specification (`engine.interface.TargetSpec`).

Pure: names, addresses and the time are passed in. What an initiator says of itself (its name) and where it comes from
are looked at before CHAP, which proves the rest. The first rule that fits counts; where there are rules and none fits,
the login is refused.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

from lunaport.engine.interface import AccessRule, Credential, TargetSpec
from lunaport.iscsi.chap import ChapCredential
from lunaport.iscsi.enums import LoginStatus
from lunaport.iscsi.errors import LoginRefused, Refusal
from lunaport.scsi.rights import ALL_RIGHTS, Rights

Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Who wants something: the name it gives itself, and where it comes from."""

    name: str
    address: Address
    portal_group: int = 1
    """By which it comes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """A rule, ready to be asked."""

    initiators: tuple[str, ...]
    networks: tuple[IPv4Network | IPv6Network, ...]
    portal_groups: tuple[int, ...]
    rights: Rights

    def fits_address(self, address: Address) -> bool:
        return not self.networks or any(address in network for network in self.networks)

    def fits_portal_group(self, group: int) -> bool:
        return not self.portal_groups or group in self.portal_groups


class Access:
    """Who may do what with one target."""

    def __init__(self, spec: TargetSpec, clock: Callable[[], float]) -> None:
        self._credentials = spec.credentials
        self._mutual = spec.mutual
        self._rules = tuple(_compile(rule) for rule in spec.rules)
        self._clock = clock

    def rights_of(self, asker: Asker) -> Rights:
        """What the asker may do. Raises LoginRefused."""
        if not self._rules:
            return ALL_RIGHTS
        named = [rule for rule in self._rules if fits_name(rule.initiators, asker.name)]
        addressed = [rule for rule in named if rule.fits_address(asker.address)]
        for rule in addressed:
            if rule.fits_portal_group(asker.portal_group):
                return rule.rights
        if addressed:
            reason, refusal = f"the portal group {asker.portal_group} is not allowed", Refusal.PORTAL_NOT_ALLOWED
        elif named:
            reason, refusal = f"the address {asker.address} is not allowed", Refusal.ADDRESS_NOT_ALLOWED
        else:
            reason, refusal = f"the initiator name {asker.name} is not allowed", Refusal.NAME_NOT_ALLOWED
        raise LoginRefused(LoginStatus.AUTHORIZATION_FAILURE, f"{reason} to use the target", refusal=refusal)

    def allows(self, asker: Asker) -> bool:
        """Whether there is anything that the asker may do."""
        try:
            self.rights_of(asker)
        except LoginRefused:
            return False
        return True

    def credentials(self, initiator_name: str) -> tuple[ChapCredential, ...] | None:
        """What a login of this initiator has to prove one of, now; None: no CHAP is asked for."""
        return chap_credentials(self._credentials, self._mutual, initiator_name, self._clock())


def chap_credentials(
    credentials: tuple[Credential, ...], mutual: Credential | None, initiator_name: str, now: float
) -> tuple[ChapCredential, ...] | None:
    """Those of `credentials` that are for this initiator and valid now; none of them: nobody gets in. None: no CHAP."""
    if not credentials:
        return None
    ours = (mutual.username, mutual.secret.encode()) if mutual is not None else None
    return tuple(
        ChapCredential(user=each.username, secret=each.secret.encode(), mutual=ours)
        for each in credentials
        if fits_name(each.initiators, initiator_name) and (each.valid_until is None or now < each.valid_until)
    )


def fits_name(patterns: tuple[str, ...], name: str) -> bool:
    """Whether a name is, or fits, one of `patterns`; no patterns: every name."""
    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)


def _compile(rule: AccessRule) -> _Rule:
    return _Rule(
        initiators=rule.initiators,
        networks=tuple(ip_network(network) for network in rule.networks),
        portal_groups=rule.portal_groups,
        rights=Rights(read_only=rule.read_only, luns=None if rule.luns is None else frozenset(rule.luns)),
    )
