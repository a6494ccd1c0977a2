"""Who may use a target: rules over the names and the addresses of initiators. Pure.

An initiator may use a target when one of its rules fits; the first that fits says what it may do there. Without rules
everybody may. A rule fits when one of its names does, one of its networks and one of its portal groups; what it does
not name does not matter. Names are what initiators say of themselves: only CHAP proves anything.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from lunaport.model.errors import Collector, Fault, InvalidError, invalid
from lunaport.model.name import parse_initiator
from lunaport.model.portal import merge_groups

RULES_MAX: Final = 64
"""Of a target."""
ENTRIES_MAX: Final = 64
"""Names, or networks, of a rule."""
LUNS_MAX: Final = 256
"""LUNs that a rule names."""
LUN_MAX: Final = 16383
NETWORK_CHARS_MAX: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRule:
    """`initiators`: full names, or patterns with `*` and `?`; `networks` in CIDR form; `luns` None: all."""

    initiators: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    portal_groups: tuple[int, ...] = ()
    """By which it has to come; none: by any."""
    read_only: bool = False
    luns: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """`single_initiator`: one initiator at a time, unless it holds a reservation."""

    rules: tuple[AccessRule, ...] = ()
    single_initiator: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessChange:
    """What a request says about access; None: as it is. Rules are replaced as a whole."""

    rules: tuple[AccessRule, ...] | None = None
    single_initiator: bool | None = None


def merge_access(current: Access, change: AccessChange) -> Access:
    """`current` as `change` makes it, its rules normalised. Raises InvalidError with every problem."""
    problems = Collector()
    rules = current.rules
    if change.rules is not None:
        if len(change.rules) > RULES_MAX:
            raise invalid(
                Fault.ACCESS_INVALID, f"has {len(change.rules)} rules; at most {RULES_MAX} are allowed", "rules"
            )
        rules = tuple(_rule(rule, number, problems) for number, rule in enumerate(change.rules))
    problems.raise_any()
    single = current.single_initiator if change.single_initiator is None else change.single_initiator
    return Access(rules=rules, single_initiator=single)


def parse_initiators(texts: Sequence[str], problems: Collector, *path: str | int) -> tuple[str, ...]:
    """Names and patterns, normalised, each once. What is wrong is noted at `path`."""
    if len(texts) > ENTRIES_MAX:
        problems.add(Fault.ACCESS_INVALID, f"has {len(texts)} names; at most {ENTRIES_MAX} are allowed", *path)
        return ()
    found: dict[str, None] = {}
    for number, text in enumerate(texts):
        try:
            found[parse_initiator(text)] = None
        except InvalidError as error:
            problems.take(error, *path, number)
    return tuple(found)


def _rule(rule: AccessRule, number: int, problems: Collector) -> AccessRule:
    luns = rule.luns
    if luns is not None and (len(luns) > LUNS_MAX or not all(0 <= lun <= LUN_MAX for lun in luns)):
        reason = f"is not a list of at most {LUNS_MAX} LUNs from 0 to {LUN_MAX}; left out or null: all LUNs"
        problems.add(Fault.ACCESS_INVALID, reason, "rules", number, "luns")
    return AccessRule(
        initiators=parse_initiators(rule.initiators, problems, "rules", number, "initiators"),
        networks=_networks(rule.networks, problems, number),
        portal_groups=merge_groups(rule.portal_groups, problems, "rules", number, "portal_groups"),
        read_only=rule.read_only,
        luns=None if luns is None else tuple(sorted(set(luns))),
    )


def _networks(texts: Sequence[str], problems: Collector, rule: int) -> tuple[str, ...]:
    if len(texts) > ENTRIES_MAX:
        reason = f"has {len(texts)} networks; at most {ENTRIES_MAX} are allowed"
        problems.add(Fault.ACCESS_INVALID, reason, "rules", rule, "networks")
        return ()
    found: dict[str, None] = {}
    for number, text in enumerate(texts):
        try:
            found[_network(text)] = None
        except InvalidError as error:
            problems.take(error, "rules", rule, "networks", number)
    return tuple(found)


def _network(text: str) -> str:
    # A scope (fe80::1%eth0) is a name of this machine's interface, and says nothing of where a peer is.
    shown = repr(text) if len(text) <= NETWORK_CHARS_MAX else f"a text of {len(text)} characters"
    reason = f"{shown} is not a network; right would be 192.0.2.0/24, 192.0.2.7 or 2001:db8::/64"
    if len(text) > NETWORK_CHARS_MAX or "%" in text:
        raise invalid(Fault.ACCESS_INVALID, reason)
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise invalid(Fault.ACCESS_INVALID, reason) from None
    if network.network_address != ipaddress.ip_address(text.partition("/")[0]):
        raise invalid(Fault.ACCESS_INVALID, f"{shown} is an address within {network}; right would be {network}")
    return str(network)
