"""Who may use a target: what is taken as a rule, and what is told of one that is none."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunaport.model.access import ENTRIES_MAX, LUNS_MAX, RULES_MAX, Access, AccessChange, AccessRule, merge_access
from lunaport.model.errors import Fault, InvalidError, Path

HOST = "iqn.1993-08.org.debian:01:abc"


def rule(
    *initiators: str, networks: tuple[str, ...] = (), luns: tuple[int, ...] | None = None, read_only: bool = False
) -> AccessRule:
    return AccessRule(initiators=initiators, networks=networks, luns=luns, read_only=read_only)


def merge(*rules: AccessRule) -> Access:
    return merge_access(Access(), AccessChange(rules=rules))


def problems(*rules: AccessRule) -> list[tuple[Fault, Path]]:
    with pytest.raises(InvalidError) as caught:
        merge(*rules)
    return [(each.fault, each.path) for each in caught.value.problems]


def test_what_is_left_out_stays() -> None:
    now = Access(rules=(rule(HOST),), single_initiator=True)
    assert merge_access(now, AccessChange()) == now
    assert merge_access(now, AccessChange(rules=())) == Access(single_initiator=True)
    assert merge_access(now, AccessChange(single_initiator=False)) == Access(rules=now.rules)


def test_rules_are_normalised() -> None:
    access = merge(
        rule("IQN.1993-08.org.Debian:01:ABC", HOST, "iqn.1993-08.*", networks=("2001:DB8::/32", "192.0.2.7")),
        rule(luns=(3, 1, 3), read_only=True),
    )
    assert access.rules == (
        rule(HOST, "iqn.1993-08.*", networks=("2001:db8::/32", "192.0.2.7/32")),
        rule(luns=(1, 3), read_only=True),
    )
    assert merge(*access.rules) == access


@pytest.mark.parametrize(
    "text", ["", "disk1", "iqn.nonsense", "eui.02", "a b*", "iqn.2026-11.[ab]*", "*\n", "x" * 224, "host,other*"]
)
def test_what_is_no_name_of_an_initiator(text: str) -> None:
    assert problems(rule(HOST, text)) == [(Fault.NAME_INVALID, ("rules", 0, "initiators", 1))]


@pytest.mark.parametrize("text", ["*", "?", "iqn.1993-08.org.debian:*", "*:host-??", "eui.0200*"])
def test_patterns(text: str) -> None:
    assert merge(rule(text.upper())).rules == (rule(text),)


@pytest.mark.parametrize(
    "text", ["", "192.0.2", "192.0.2.0/33", "host", "fe80::1%eth0", "1" * 65, "192.0.2.0/24/8", "1"]
)
def test_what_is_no_network(text: str) -> None:
    assert problems(rule(networks=("192.0.2.0/24", text))) == [(Fault.ACCESS_INVALID, ("rules", 0, "networks", 1))]


def test_an_address_with_a_prefix_is_told_its_network() -> None:
    with pytest.raises(InvalidError, match=r"right would be 192\.0\.2\.0/24"):
        merge(rule(networks=("192.0.2.7/24",)))


def test_everything_that_is_wrong_is_told_at_once() -> None:
    assert problems(rule("x", networks=("y",)), rule(luns=(-1,))) == [
        (Fault.NAME_INVALID, ("rules", 0, "initiators", 0)),
        (Fault.ACCESS_INVALID, ("rules", 0, "networks", 0)),
        (Fault.ACCESS_INVALID, ("rules", 1, "luns")),
    ]


def test_bounds() -> None:
    def names(count: int) -> AccessRule:
        return rule(*(f"{HOST}{number}" for number in range(count)))

    def networks(count: int) -> AccessRule:
        return rule(networks=tuple(f"192.0.2.{number}" for number in range(count)))

    merge(*[rule()] * RULES_MAX)
    merge(names(ENTRIES_MAX), networks(ENTRIES_MAX), rule(luns=tuple(range(LUNS_MAX))))
    assert problems(*[rule()] * (RULES_MAX + 1)) == [(Fault.ACCESS_INVALID, ("rules",))]
    assert problems(names(ENTRIES_MAX + 1)) == [(Fault.ACCESS_INVALID, ("rules", 0, "initiators"))]
    assert problems(networks(ENTRIES_MAX + 1)) == [(Fault.ACCESS_INVALID, ("rules", 0, "networks"))]
    assert problems(rule(luns=tuple(range(LUNS_MAX + 1)))) == [(Fault.ACCESS_INVALID, ("rules", 0, "luns"))]


@given(st.text(max_size=40), st.text(alphabet="0123456789abcdef.:/%", max_size=24))
def test_any_text_is_refused_or_stable(name: str, network: str) -> None:
    for taken in (rule(name), rule(networks=(network,))):
        try:
            access = merge(taken)
        except InvalidError:
            continue
        assert merge(*access.rules) == access
        for each in access.rules[0].networks:
            ip_network(each)
