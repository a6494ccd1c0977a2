"""Changes of the configuration that become durable together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lunaport.model.block import Block
from lunaport.model.iscsi_service import IscsiService
from lunaport.model.lun import Lun
from lunaport.model.target import Target
from lunaport.model.user import User
from lunaport.model.volume import Volume


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Changes that become durable together, in this order. What is not said is left alone."""

    add_volumes: Sequence[Volume] = ()
    replace_volumes: Sequence[Volume] = ()
    trash_targets: Mapping[int, Mapping[str, str]] = field(default_factory=dict)
    """Target to LUN uuid to the file it shall be moved to."""
    trash_luns: Sequence[tuple[int, str, str]] = ()
    """Target, LUN uuid, the file it shall be moved to."""
    reserve_luns: Sequence[tuple[int, Sequence[Lun]]] = ()
    """Target, its LUNs that have not been reserved."""
    replace_targets: Sequence[Target] = ()
    activate_targets: Sequence[int] = ()
    add_targets: Sequence[Target] = ()
    service: IscsiService | None = None
    put_blocks: Sequence[Block] = ()
    remove_blocks: Sequence[str] = ()
    add_users: Sequence[User] = ()
    replace_users: Sequence[User] = ()
    remove_users: Sequence[str] = ()
    now: float = 0.0
