"""From rows to the model's values and back."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import RowMapping

from lunaport.model.chap import Chap
from lunaport.model.iscsi_service import IscsiService
from lunaport.model.lun import Lun, LunKind, LunState
from lunaport.model.target import Target
from lunaport.model.trash import TrashedLun, TrashedTarget
from lunaport.model.volume import Volume
from lunaport.store.key import SecretBox

DIRECTIONS = ("one_way", "mutual")


def _context(target_id: int, direction: str) -> str:
    return f"chap:{target_id}:{direction}"


def chap_of(row: RowMapping, box: SecretBox) -> Chap:
    """One direction of CHAP, its secret in clear."""
    sealed = row["secret"]
    return Chap(
        enabled=row["enabled"],
        username=row["username"],
        secret=box.decrypt(sealed, _context(row["target_id"], row["direction"])) if sealed is not None else "",
        secret_changed_at=row["secret_changed_at"],
    )


def chap_rows(target: Target, box: SecretBox, target_id: int) -> list[dict[str, Any]]:
    """Both directions of a target's CHAP, secrets encrypted."""
    return [
        {
            "target_id": target_id,
            "direction": direction,
            "enabled": chap.enabled,
            "username": chap.username,
            "secret": box.encrypt(chap.secret, _context(target_id, direction)) if chap.secret else None,
            "secret_changed_at": chap.secret_changed_at,
        }
        for direction, chap in zip(DIRECTIONS, (target.one_way, target.mutual), strict=True)
    ]


def lun_of(row: RowMapping) -> Lun:
    """A LUN."""
    return Lun(
        lun=row["lun"],
        uuid=row["uuid"],
        volume=row["volume"],
        file=row["file"],
        size_bytes=row["size_bytes"],
        state=LunState(row["state"]),
        kind=LunKind(**json.loads(row["kind"])),
    )


def lun_row(target_id: int, lun: Lun) -> dict[str, Any]:
    """A LUN's row."""
    return {
        "uuid": lun.uuid,
        "target_id": target_id,
        "lun": lun.lun,
        "volume": lun.volume,
        "file": lun.file,
        "trash_file": "",
        "size_bytes": lun.size_bytes,
        "state": lun.state.value,
        "kind": _kind_column(lun.kind),
    }


def _kind_column(kind: LunKind) -> str:
    usual = asdict(LunKind())
    return json.dumps({name: value for name, value in asdict(kind).items() if value != usual[name]})


def target_of(row: RowMapping, luns: Sequence[RowMapping], chap: Mapping[str, Chap]) -> Target:
    """A target from its row, the rows of its LUNs in order, and its CHAP by direction."""
    return Target(
        id=row["id"],
        name=row["name"],
        header_digest=row["header_digest"],
        data_digest=row["data_digest"],
        one_way=chap.get("one_way", Chap()),
        mutual=chap.get("mutual", Chap()),
        luns=tuple(lun_of(each) for each in luns),
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
        name=row["name"], path=row["path"], overcommit_factor=row["overcommit_factor"], revision=row["revision"]
    )


def service_of(row: RowMapping) -> IscsiService:
    """The service object."""
    return IscsiService(
        enabled=row["enabled"],
        port=row["port"],
        isns=row["isns"],
        isns_address=row["isns_address"],
        discovery_open=row["discovery_open"],
        revision=row["revision"],
    )
