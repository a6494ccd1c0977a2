"""From rows to the model's values and back."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import RowMapping

from lunaport.model.access import Access, AccessRule
from lunaport.model.block import Block
from lunaport.model.chap import Chap, Credential, OldSecret
from lunaport.model.iscsi_service import IscsiService
from lunaport.model.limits import Limits
from lunaport.model.lun import Lun, LunKind, LunState, Medium
from lunaport.model.portal import Portal
from lunaport.model.target import Target
from lunaport.model.trash import TrashedLun, TrashedTarget
from lunaport.model.volume import Volume
from lunaport.store.key import SecretBox

DIRECTIONS = ("one_way", "mutual")
_USUAL_MEDIUM = asdict(Medium())
DISCOVERY = "discovery"
"""Whose CHAP it is, beside the ids of targets."""


def _old_of(row: RowMapping, box: SecretBox, context: str) -> OldSecret | None:
    sealed = row["old_secret"]
    if sealed is None:
        return None
    return OldSecret(
        username=row["old_username"],
        secret=box.decrypt(sealed, f"{context}:old"),
        valid_until=row["old_valid_until"],
    )


def _old_values(old: OldSecret | None, box: SecretBox, context: str) -> dict[str, Any]:
    return {
        "old_username": old.username if old else "",
        "old_secret": box.encrypt(old.secret, f"{context}:old") if old else None,
        "old_valid_until": old.valid_until if old else 0.0,
    }


def chap_of(row: RowMapping, box: SecretBox, owner: int | str) -> Chap:
    """One direction of CHAP of a target or of discovery, its secret in clear."""
    context = f"chap:{owner}:{row['direction']}"
    sealed = row["secret"]
    return Chap(
        enabled=row["enabled"],
        username=row["username"],
        secret=box.decrypt(sealed, context) if sealed is not None else "",
        secret_changed_at=row["secret_changed_at"],
        old=_old_of(row, box, context),
    )


def chap_rows(one_way: Chap, mutual: Chap, box: SecretBox, owner: int | str) -> list[dict[str, Any]]:
    """Both directions of CHAP, secrets encrypted. `owner`: the target's id, or DISCOVERY."""
    found = []
    for direction, chap in zip(DIRECTIONS, (one_way, mutual), strict=True):
        context = f"chap:{owner}:{direction}"
        found.append(
            {
                "direction": direction,
                "enabled": chap.enabled,
                "username": chap.username,
                "secret": box.encrypt(chap.secret, context) if chap.secret else None,
                "secret_changed_at": chap.secret_changed_at,
                **_old_values(chap.old, box, context),
            }
        )
    return found


def credential_of(row: RowMapping, box: SecretBox) -> Credential:
    """A CHAP name of a target beside the one-way one, its secret in clear."""
    context = f"credential:{row['target_id']}:{row['username']}"
    return Credential(
        username=row["username"],
        secret=box.decrypt(row["secret"], context),
        secret_changed_at=row["secret_changed_at"],
        initiators=tuple(json.loads(row["initiators"])),
        old=_old_of(row, box, context),
    )


def credential_rows(credentials: Sequence[Credential], box: SecretBox, target_id: int) -> list[dict[str, Any]]:
    """A target's CHAP names beside the one-way one, secrets encrypted."""
    found = []
    for number, each in enumerate(credentials):
        context = f"credential:{target_id}:{each.username}"
        found.append(
            {
                "target_id": target_id,
                "username": each.username,
                "number": number,
                "initiators": json.dumps(each.initiators),
                "secret": box.encrypt(each.secret, context),
                "secret_changed_at": each.secret_changed_at,
                **_old_values(each.old, box, context),
            }
        )
    return found


def _access_of(row: RowMapping) -> Access:
    rules = tuple(
        AccessRule(
            initiators=tuple(rule["initiators"]),
            networks=tuple(rule["networks"]),
            portal_groups=tuple(rule.get("portal_groups", ())),
            read_only=rule["read_only"],
            luns=None if rule["luns"] is None else tuple(rule["luns"]),
        )
        for rule in json.loads(row["rules"])
    )
    return Access(rules=rules, single_initiator=row["single_initiator"])


def access_values(access: Access) -> dict[str, Any]:
    """A target's access, as columns of its row."""
    return {
        "rules": json.dumps([asdict(rule) for rule in access.rules]),
        "single_initiator": access.single_initiator,
    }


def _key_context(uuid: str) -> str:
    return f"lun:{uuid}:key"


def lun_of(row: RowMapping, box: SecretBox) -> Lun:
    """A LUN, its key in clear."""
    sealed = row["key"]
    return Lun(
        lun=row["lun"],
        uuid=row["uuid"],
        volume=row["volume"],
        file=row["file"],
        size_bytes=row["size_bytes"],
        state=LunState(row["state"]),
        key=box.decrypt(sealed, _key_context(row["uuid"])) if sealed is not None else "",
        kind=replace(LunKind(**json.loads(row["kind"])), encrypted=sealed is not None),
        medium=Medium(**json.loads(row["medium"])),
    )


def lun_row(target_id: int, lun: Lun, box: SecretBox) -> dict[str, Any]:
    """A LUN's row, its key encrypted."""
    return {
        "uuid": lun.uuid,
        "target_id": target_id,
        "lun": lun.lun,
        "volume": lun.volume,
        "file": lun.file,
        "trash_file": "",
        "state": lun.state.value,
        "key": box.encrypt(lun.key, _key_context(lun.uuid)) if lun.key else None,
        **lun_values(lun),
    }


def lun_values(lun: Lun) -> dict[str, Any]:
    """What of a LUN's row a change may change."""
    medium = {name: value for name, value in asdict(lun.medium).items() if value != _USUAL_MEDIUM[name]}
    return {"size_bytes": lun.size_bytes, "kind": _kind_column(lun.kind), "medium": json.dumps(medium)}


def _kind_column(kind: LunKind) -> str:
    # Whether it is encrypted is said by its key.
    usual = asdict(LunKind(encrypted=kind.encrypted))
    return json.dumps({name: value for name, value in asdict(kind).items() if value != usual[name]})


def target_of(
    row: RowMapping,
    luns: Sequence[RowMapping],
    chap: Mapping[str, Chap],
    credentials: Sequence[Credential],
    box: SecretBox,
) -> Target:
    """A target from its row, the rows of its LUNs in order, its CHAP by direction, and its other CHAP names."""
    return Target(
        id=row["id"],
        name=row["name"],
        header_digest=row["header_digest"],
        data_digest=row["data_digest"],
        one_way=chap.get("one_way", Chap()),
        mutual=chap.get("mutual", Chap()),
        credentials=tuple(credentials),
        access=_access_of(row),
        luns=tuple(lun_of(each, box) for each in luns),
        limits=Limits(iops=row["iops_max"], bytes_per_second=row["bytes_per_second_max"]),
        portal_groups=tuple(json.loads(row["portal_groups"])),
        isns=row["isns"],
        draining=row["draining"],
        created_at=row["created_at"],
        revision=row["revision"],
    )


def trashed_of(row: RowMapping, luns: Sequence[RowMapping]) -> TrashedTarget:
    """A deleted target from its row and the rows of its LUNs."""
    return TrashedTarget(
        id=row["id"],
        name=row["name"],
        trashed_at=row["trashed_at"],
        luns=tuple(
            TrashedLun(
                uuid=each["uuid"],
                volume=each["volume"],
                file=each["file"],
                trash_file=each["trash_file"],
                size_bytes=each["size_bytes"],
            )
            for each in luns
        ),
    )


def volume_of(row: RowMapping) -> Volume:
    """A volume."""
    return Volume(
        name=row["name"],
        path=row["path"],
        overcommit_factor=row["overcommit_factor"],
        low_space_percent=row["low_space_percent"],
        revision=row["revision"],
    )


def service_of(row: RowMapping, chap: Mapping[str, Chap]) -> IscsiService:
    """The service object from its row, and the CHAP of discovery by direction."""
    return IscsiService(
        enabled=row["enabled"],
        port=row["port"],
        portals=_portals_of(row["portals"]),
        isns=row["isns"],
        isns_address=row["isns_address"],
        discovery_open=row["discovery_open"],
        draining=row["draining"],
        discovery_one_way=chap.get("one_way", Chap()),
        discovery_mutual=chap.get("mutual", Chap()),
        revision=row["revision"],
    )


def _portals_of(column: str | None) -> tuple[Portal, ...] | None:
    return None if column is None else tuple(Portal(**each) for each in json.loads(column))


def portals_column(portals: Sequence[Portal] | None) -> str | None:
    """The portals of the service as a column."""
    return None if portals is None else json.dumps([asdict(each) for each in portals])


def target_values(target: Target) -> dict[str, Any]:
    """What of a target's row a change may change."""
    return {
        "name": target.name,
        "header_digest": target.header_digest,
        "data_digest": target.data_digest,
        "iops_max": target.limits.iops,
        "bytes_per_second_max": target.limits.bytes_per_second,
        "portal_groups": json.dumps(target.portal_groups),
        "isns": target.isns,
        "draining": target.draining,
        **access_values(target.access),
    }


def block_of(row: RowMapping) -> Block:
    """A blocked initiator."""
    return Block(
        initiator=row["initiator"],
        until=row["until"],
        note=row["note"],
        created_at=row["created_at"],
        created_by=row["created_by"],
    )
