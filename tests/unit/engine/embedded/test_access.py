"""Rules and credentials of one target, as a login asks them."""

from ipaddress import ip_address

import pytest

from lunaport.engine.embedded.access import Access, Asker, fits_name
from lunaport.engine.interface import AccessRule, Credential, TargetSpec
from lunaport.iscsi.errors import LoginRefused, Refusal
from lunaport.scsi.rights import ALL_RIGHTS, Rights

HOST, OTHER = "iqn.2026-11.test:host", "iqn.2026-11.test:other"
BOB = Credential(username="bob", secret="bob-secret-123")


def access(*rules: AccessRule, credentials: tuple[Credential, ...] = (), now: float = 0.0) -> Access:
    return Access(TargetSpec(name="iqn.2026-11.test:a", rules=rules, credentials=credentials), lambda: now)


def asker(name: str = HOST, address: str = "192.0.2.7") -> Asker:
    return Asker(name=name, address=ip_address(address))


@pytest.mark.parametrize(
    ("patterns", "name", "fits"),
    [
        ((), HOST, True),
        ((HOST,), HOST, True),
        ((OTHER,), HOST, False),
        ((OTHER, "iqn.2026-11.test:*"), HOST, True),
        (("iqn.2026-11.test:h??t",), HOST, True),
        (("iqn.2026-11.test:h??",), HOST, False),
        (("*",), HOST, True),
        (("*:host",), OTHER, False),
        (("*" * 20 + "x",), "a" * 223, False),
    ],
)
def test_names(patterns: tuple[str, ...], name: str, fits: bool) -> None:
    assert fits_name(patterns, name) is fits


def test_without_rules_everybody_may_do_everything() -> None:
    assert access().rights_of(asker()) == ALL_RIGHTS


def test_the_first_rule_that_fits_counts() -> None:
    rules = access(
        AccessRule(initiators=(HOST,), networks=("192.0.2.0/24",)),
        AccessRule(initiators=("iqn.2026-11.test:*",), networks=("192.0.2.0/24", "2001:db8::/32"), read_only=True),
        AccessRule(networks=("198.51.100.7/32",), luns=(1, 2)),
    )
    assert rules.rights_of(asker()) == ALL_RIGHTS
    assert rules.rights_of(asker(OTHER)) == Rights(read_only=True)
    assert rules.rights_of(asker(HOST, "2001:db8::9")) == Rights(read_only=True)
    assert rules.rights_of(asker("iqn.2000-01.test:x", "198.51.100.7")) == Rights(luns=frozenset({1, 2}))


@pytest.mark.parametrize(
    ("who", "refusal"),
    [
        (asker("iqn.2000-01.test:x"), Refusal.NAME_NOT_ALLOWED),
        (asker(HOST, "198.51.100.7"), Refusal.ADDRESS_NOT_ALLOWED),
        (asker(HOST, "2001:db8::9"), Refusal.ADDRESS_NOT_ALLOWED),
    ],
)
def test_whom_no_rule_fits_is_refused(who: Asker, refusal: Refusal) -> None:
    rules = access(AccessRule(initiators=("iqn.2026-11.test:*",), networks=("192.0.2.0/24",)))
    with pytest.raises(LoginRefused) as refused:
        rules.rights_of(who)
    assert (refused.value.refusal, refused.value.status) == (refusal, 0x0202)
    assert not rules.allows(who)
    assert rules.allows(asker())


def test_credentials_are_for_those_they_are_tied_to() -> None:
    tied = Credential(username="carol", secret="carol-secret-1", initiators=(OTHER,))
    rules = access(credentials=(BOB, tied))

    def users(name: str) -> list[str]:
        return [each.user for each in rules.credentials(name) or ()]

    assert users(HOST) == ["bob"]
    assert users(OTHER) == ["bob", "carol"]
    assert access().credentials(HOST) is None
    assert access(credentials=(tied,)).credentials(HOST) == (), "CHAP is asked for, and nothing is good enough"


@pytest.mark.parametrize(("now", "taken"), [(99.0, True), (100.0, False), (101.0, False)])
def test_an_old_secret_ends_at_its_time(now: float, taken: bool) -> None:
    old = Credential(username="bob", secret="bob-secret-000", valid_until=100.0)
    credentials = access(credentials=(BOB, old), now=now).credentials(HOST)
    assert credentials is not None
    assert len(credentials) == (2 if taken else 1)
