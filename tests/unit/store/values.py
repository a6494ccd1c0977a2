"""Values to store."""

from lunaport.model.chap import Chap
from lunaport.model.lun import Lun
from lunaport.model.target import Target

SECRET = "alice-secret-1"
OTHER_SECRET = "nas-secret-123"


def new_target(name: str = "iqn.2026-11.io.lunaport:disk", number: int = 1, volume: str = "default") -> Target:
    """A target that is not stored yet."""
    uuid = f"{number:032x}"
    return Target(
        id=0,
        name=name,
        header_digest=True,
        one_way=Chap(enabled=True, username="alice", secret=SECRET, secret_changed_at=5.0),
        mutual=Chap(enabled=True, username="nas", secret=OTHER_SECRET, secret_changed_at=6.0),
        luns=(Lun(lun=0, uuid=uuid, volume=volume, file=f"luns/{uuid}.img", size_bytes=1 << 20),),
        created_at=4.0,
    )
