"""Between API v1's documents about CHAP and access, and the model."""

from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime

from lunaport.api import v1_access as v1
from lunaport.model.access import Access, AccessChange, AccessRule
from lunaport.model.chap import Chap, ChapChange, Credential, CredentialChange, OldSecret
from lunaport.model.target import Target


def chap_change(chap: v1.ChapIn | v1.ChapPatch) -> ChapChange:
    """The change that a document asks for."""
    return ChapChange(enabled=chap.enabled, username=chap.username, secret=chap.secret)


def one_way_change(chap: v1.OneWayIn | v1.OneWayPatch) -> ChapChange:
    """The change that a document asks for."""
    return replace(chap_change(chap), old_secret_valid_until=_seconds(chap.old_secret_valid_until))


def credential_change(credential: v1.CredentialIn) -> CredentialChange:
    """A credential as a document wants it."""
    return CredentialChange(
        username=credential.username,
        secret=credential.secret,
        initiators=tuple(credential.initiators),
        old_secret_valid_until=_seconds(credential.old_secret_valid_until),
    )


def _seconds(when: datetime | None) -> float | None:
    return None if when is None else when.timestamp()


def access_change(access: v1.AccessIn | v1.AccessPatch) -> AccessChange:
    """The change that a document asks for."""
    rules = access.rules
    return AccessChange(
        rules=None
        if rules is None
        else tuple(
            AccessRule(
                initiators=tuple(rule.initiators),
                networks=tuple(rule.networks),
                portal_groups=tuple(rule.portal_groups),
                read_only=rule.read_only,
                luns=None if rule.luns is None else tuple(rule.luns),
            )
            for rule in rules
        ),
        single_initiator=access.single_initiator,
    )


def when(seconds: float) -> datetime:
    """A time as documents have it."""
    return datetime.fromtimestamp(seconds, UTC)


def _secret_state(chap: Chap | Credential) -> v1.SecretState:
    is_set = bool(chap.secret)
    return v1.SecretState(set=is_set, changed_at=when(chap.secret_changed_at) if is_set else None)


def _old_until(old: OldSecret | None) -> datetime | None:
    return None if old is None else when(old.valid_until)


def chap_out(chap: Chap) -> v1.ChapOut:
    """One direction of CHAP as a document."""
    return v1.ChapOut(enabled=chap.enabled, username=chap.username, secret=_secret_state(chap))


def one_way_out(chap: Chap) -> v1.OneWayOut:
    """The name and secret of initiators as a document."""
    return v1.OneWayOut(
        enabled=chap.enabled,
        username=chap.username,
        secret=_secret_state(chap),
        old_secret_valid_until=_old_until(chap.old),
    )


def credential_out(credential: Credential) -> v1.CredentialOut:
    """A credential as a document."""
    return v1.CredentialOut(
        username=credential.username,
        secret=_secret_state(credential),
        initiators=list(credential.initiators),
        old_secret_valid_until=_old_until(credential.old),
    )


def access_out(access: Access) -> v1.AccessIn:
    """Who may use a target as a document."""
    return v1.AccessIn(
        rules=[
            v1.AccessRule(
                initiators=list(rule.initiators),
                networks=list(rule.networks),
                portal_groups=list(rule.portal_groups),
                read_only=rule.read_only,
                luns=None if rule.luns is None else list(rule.luns),
            )
            for rule in access.rules
        ],
        single_initiator=access.single_initiator,
    )


def warnings(target: Target, groups: Collection[int] | None) -> list[str]:
    """What to think about; wording may change. `groups`: the portal groups that there are, where that is known."""
    found = []
    if not target.access.rules:
        found.append(
            "there are no access rules: every initiator that knows a user name and secret may use this target"
            if target.asks_for_chap
            else "there are no access rules and no CHAP: every initiator may use this target"
        )
    if groups is not None and target.portal_groups and not set(target.portal_groups) & set(groups):
        found.append("no portal is in one of its portal groups: nobody can log in to this target")
    return found
