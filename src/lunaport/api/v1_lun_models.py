"""The documents of API v1 about logical units."""

from pydantic import Field

from lunaport.api.v1_access import Document
from lunaport.model.lun import LUN_MAX


class LunIn(Document):
    """A logical unit. What is left out of one that exists stays.

    Its size may grow, and `read_only` and `write_cache` may change; all else is chosen when it is made.
    """

    lun: int = Field(default=0, ge=0, le=LUN_MAX)
    size_bytes: int = Field(description="Rounded up to whole blocks. May grow later, not shrink.")
    volume: str | None = Field(default=None, description="Left out: `default` for a new target, else as it is.")
    encrypted: bool | None = Field(default=None, description="Encryption at rest (AES-256-XTS). False by default.")
    block_size_bytes: int | None = Field(default=None, description="512 (default) or 4096.")
    physical_block_size_bytes: int | None = Field(default=None, description="512 to 65536; 4096 by default.")
    read_only: bool | None = Field(default=None, description="Initiators may only read.")
    removable: bool | None = Field(default=None, description="Initiators may eject and load the medium.")
    write_cache: bool | None = Field(
        default=None, description="False: every write is durable before it is answered. True by default."
    )
    unmap: bool | None = Field(
        default=None, description="Initiators may give space back; false: it looks fully provisioned. True by default."
    )
    vendor: str | None = Field(default=None, description="What INQUIRY says: 1 to 8 characters of ASCII.")
    product: str | None = Field(default=None, description="What INQUIRY says: 1 to 16 characters of ASCII.")
    serial: str | None = Field(default=None, description="Up to 36 characters of ASCII; empty: the uuid.")


class LunNew(LunIn):
    """A logical unit to add to a target that is in use."""

    lun: int | None = Field(  # type: ignore[assignment] # here, none means: choose one
        default=None, ge=0, le=LUN_MAX, description="Left out: the lowest free number."
    )


class LunPatch(Document):
    """Changes to a logical unit that is in use; what is left out or null stays as it is."""

    size_bytes: int | None = Field(default=None, description="Rounded up to whole blocks. Not less than now.")
    read_only: bool | None = Field(default=None, description="Initiators may only read.")
    write_cache: bool | None = Field(default=None, description="False: every write is durable before it is answered.")


class LunOut(Document):
    """A logical unit."""

    lun: int
    uuid: str = Field(description="The NAA identifier derives from it.")
    size_bytes: int
    volume: str
    encrypted: bool = Field(description="Whether its data lies encrypted on the disk.")
    block_size_bytes: int
    physical_block_size_bytes: int
    read_only: bool
    removable: bool
    write_cache: bool
    unmap: bool
    vendor: str
    product: str
    serial: str = Field(description="Empty: the uuid.")


class LunList(Document):
    """All logical units of a target, by their numbers."""

    items: list[LunOut]
