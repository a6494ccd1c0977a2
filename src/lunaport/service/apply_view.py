"""What of a thing is told in a plan: its fields by the names that documents have for them, without what nobody sets.

Pure. Secrets are masked where values are compared (`model.audit`).
"""

from dataclasses import asdict
from typing import Any, Final

from lunaport.model.audit import differences
from lunaport.model.block import Block
from lunaport.model.iscsi_service import IscsiService
from lunaport.model.lun import Lun, LunKind
from lunaport.model.target import Target
from lunaport.model.volume import Volume

Changes = dict[str, tuple[Any, Any]]

_UNSAID: Final = ("secret_changed_at", "created_at", "created_by", "revision")
"""What follows from a change, and is none."""
_SECRET_FIELDS: Final = {"password_hash": "password"}


def changes(before: object, after: object) -> Changes:
    """Each field that differs, as a plan tells it."""
    found = {}
    for path, both in differences(before, after).items():
        last = path.rpartition(".")[2]
        if last not in _UNSAID:
            found[f"{path.removesuffix(last)}{_SECRET_FIELDS.get(last, last)}"] = both
    return found


def target_view(target: Target | None) -> dict[str, Any]:
    """A target; None: what one has by default."""
    shown = target or Target(id=0, name="")
    return {
        "header_digest": shown.header_digest,
        "data_digest": shown.data_digest,
        "chap": {
            "one_way": shown.one_way,
            "mutual": shown.mutual,
            "credentials": {each.username: each for each in shown.credentials},
        },
        "access": {
            "rules": list(shown.access.rules),
            "single_initiator": shown.access.single_initiator,
        },
        "limits": shown.limits,
        "portal_groups": list(shown.portal_groups),
        "isns": shown.isns,
        "draining": shown.draining,
        "luns": {str(lun.lun): lun_view(lun) for lun in shown.luns},
    }


def lun_view(lun: Lun) -> dict[str, Any]:
    """A LUN: its size and volume, and what makes it another kind than the usual one."""
    usual = asdict(LunKind())
    kind = {name: value for name, value in asdict(lun.kind).items() if value != usual[name]}
    if lun.kind.is_drive:
        return {"image": lun.medium.image, "volume": lun.volume, **kind}
    return {"size_bytes": lun.size_bytes, "volume": lun.volume, **kind}


def service_view(service: IscsiService) -> dict[str, Any]:
    """The service."""
    return {
        "enabled": service.enabled,
        "port": service.port,
        "portals": [{"portal": str(each), "group": each.group} for each in service.portals or ()],
        "isns": {"enabled": service.isns, "address": service.isns_address},
        "discovery": {
            "open": service.discovery_open,
            "chap": {"one_way": service.discovery_one_way, "mutual": service.discovery_mutual},
        },
        "draining": service.draining,
    }


def volume_view(volume: Volume | None) -> dict[str, Any]:
    """A volume."""
    if volume is None:
        return {}
    return {
        "path": volume.path,
        "overcommit_factor": volume.overcommit_factor,
        "low_space_percent": volume.low_space_percent,
    }


def block_view(block: Block | None) -> dict[str, Any]:
    """A block."""
    return {} if block is None else {"until": block.until, "note": block.note}
