"""The documents of API v1, as Pydantic models: what goes in (`...In`, `...Patch`) and what comes out.

Sizes are integers in bytes. Secrets go in and never come out: a `SecretState` stands in their place. Unknown fields are
refused, types are taken strictly. How a document becomes an action, or a value of the model a document, stands in
`api.v1_words`.
"""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from lunaport.model.lun import LUN_MAX, LUNS_MAX
from lunaport.model.volume import OVERCOMMIT_FACTOR_DEFAULT

Secret = Annotated[
    str | None,
    Field(description="12 to 16 bytes. Left out or null: the stored one stays.", json_schema_extra={"writeOnly": True}),
]


def example(document: Any) -> ConfigDict:
    """The configuration of a document that is shown with an example."""
    return ConfigDict(extra="forbid", json_schema_extra={"example": document})


class Document(BaseModel):
    """Base of all documents."""

    model_config = ConfigDict(extra="forbid")


class ChapIn(Document):
    """One direction of CHAP."""

    enabled: bool = False
    username: str = Field(default="", description="1 to 255 bytes of UTF-8.")
    secret: Secret = None


class ChapPairIn(Document):
    """CHAP in both directions."""

    one_way: ChapIn = Field(default_factory=ChapIn, description="The target authenticates initiators.")
    mutual: ChapIn = Field(
        default_factory=ChapIn,
        description="The target authenticates itself too; needs one-way CHAP and another secret.",
    )


class LunIn(Document):
    """A logical unit. What is left out of one that exists stays; all but its size is chosen when it is made."""

    lun: int = Field(default=0, ge=0, le=LUN_MAX)
    size_bytes: int = Field(description="Rounded up to whole blocks. May grow later, not shrink.")
    volume: str | None = Field(default=None, description="Left out: `default` for a new target, else as it is.")
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


class TargetIn(Document):
    """A whole target. What is left out takes its default; a secret that is left out stays."""

    model_config = example(
        {
            "name": "vm-disk",
            "header_digest": True,
            "data_digest": True,
            "luns": [{"lun": 0, "size_bytes": 10737418240, "volume": "default"}],
            "chap": {"one_way": {"enabled": True, "username": "alice", "secret": "alice-secret-1"}},
        }
    )

    name: str = Field(description="iSCSI name (iqn., eui., naa.), or a short name that becomes one.")
    header_digest: bool = Field(default=False, description="CRC32C with every initiator that offers it.")
    data_digest: bool = Field(default=False, description="CRC32C with every initiator that offers it.")
    luns: list[LunIn] = Field(min_length=1, max_length=LUNS_MAX)
    chap: ChapPairIn = Field(default_factory=ChapPairIn)


class ChapPatch(Document):
    """Changes to one direction of CHAP."""

    enabled: bool | None = None
    username: str | None = None
    secret: Secret = None


class ChapPairPatch(Document):
    """Changes to CHAP."""

    one_way: ChapPatch = Field(default_factory=ChapPatch)
    mutual: ChapPatch = Field(default_factory=ChapPatch)


class TargetPatch(Document):
    """Changes to a target; what is left out or null stays as it is."""

    model_config = example({"luns": [{"lun": 0, "size_bytes": 21474836480}]})

    name: str | None = None
    header_digest: bool | None = None
    data_digest: bool | None = None
    luns: list[LunIn] | None = Field(default=None, min_length=1, max_length=LUNS_MAX)
    chap: ChapPairPatch = Field(default_factory=ChapPairPatch)


class SecretState(Document):
    """Whether a secret is set, and since when; never the secret."""

    set: bool
    changed_at: datetime | None


class ChapOut(Document):
    """One direction of CHAP."""

    enabled: bool
    username: str
    secret: SecretState


class ChapPairOut(Document):
    """CHAP in both directions."""

    one_way: ChapOut
    mutual: ChapOut


class LunOut(Document):
    """A logical unit."""

    lun: int
    uuid: str = Field(description="The NAA identifier derives from it.")
    size_bytes: int
    volume: str
    block_size_bytes: int
    physical_block_size_bytes: int
    read_only: bool
    removable: bool
    write_cache: bool
    unmap: bool
    vendor: str
    product: str
    serial: str = Field(description="Empty: the uuid.")


class TargetOut(Document):
    """A target."""

    id: int = Field(description="Never used again.")
    name: str
    header_digest: bool
    data_digest: bool
    luns: list[LunOut]
    chap: ChapPairOut
    created_at: datetime
    revision: int = Field(description="Of the configuration when this target last changed; also its ETag.")


class TargetList(Document):
    """A page of targets."""

    items: list[TargetOut]
    next_cursor: str | None = Field(description="Give it as `cursor` to get the next page; null on the last one.")


class VolumeIn(Document):
    """A volume to take."""

    model_config = example({"name": "fast", "path": "/srv/fast", "overcommit_factor": 10})

    name: str = Field(description="1 to 63 of a-z, 0-9, dot, dash, underscore.")
    path: str = Field(description="Absolute path of a directory beside those of all other volumes.")
    overcommit_factor: float = Field(
        default=OVERCOMMIT_FACTOR_DEFAULT,
        description="How many times the size of the file system the shares may add up to: 1 to 1000.",
    )


class VolumePatch(Document):
    """Changes to a volume."""

    overcommit_factor: float = Field(description="1 to 1000.")


class UsageOut(Document):
    """A volume's file system."""

    total_bytes: int
    free_bytes: int
    used_bytes: int = Field(description="What the volume's files really occupy, its trash included.")


class VolumeOut(Document):
    """A volume."""

    name: str
    path: str
    overcommit_factor: float
    committed_bytes: int = Field(description="The sizes of its shares, added up.")
    usage: UsageOut | None = Field(description="Null when the directory does not answer; `error` says why.")
    error: str


class VolumeList(Document):
    """All volumes."""

    items: list[VolumeOut]


class IsnsIn(Document):
    """Registration with an iSNS server."""

    enabled: bool = Field(default=False, description="True is not available yet.")
    address: str = Field(default="", description="host or host:port; port 3205 when left out.")


class DiscoveryIn(Document):
    """What initiators are told in discovery."""

    open: bool = Field(
        default=False,
        description="False: nobody is told of a target that he may not use, be it for want of CHAP. "
        "True: everybody is told of all.",
    )


class ServiceIn(Document):
    """The iSCSI service."""

    model_config = example({"enabled": True, "port": None, "isns": {"enabled": False, "address": ""}})

    enabled: bool = Field(description="False: nothing listens, sessions end.")
    port: int | None = Field(default=None, description="For all portals; null: each portal's own.")
    isns: IsnsIn = Field(default_factory=IsnsIn)
    discovery: DiscoveryIn = Field(default_factory=DiscoveryIn)


class PortalOut(Document):
    """An address to listen on, and whether that works."""

    portal: str
    listening: bool
    error: str


class ServiceOut(Document):
    """The iSCSI service."""

    enabled: bool
    port: int | None
    isns: IsnsIn
    discovery: DiscoveryIn
    portals: list[PortalOut]
    revision: int


class SessionOut(Document):
    """A session as it is now. Counters run from the login on."""

    id: str
    target: str = Field(description="Empty for a discovery session.")
    initiator: str
    initiator_alias: str
    address: str
    portal: str
    since: datetime
    isid: str
    tsih: int
    chap_user: str
    negotiated: dict[str, str] = Field(description="RFC 7143 keys and the values in force.")
    commands: int
    outstanding: int
    bytes_read: int
    bytes_written: int


class SessionList(Document):
    """Every session."""

    items: list[SessionOut]


class HealthOut(Document):
    """How the NAS is. `ok`: everything is served; `degraded`: a portal is not; `unavailable`: nothing is."""

    status: str
    engine: bool
    portals: int
    portals_listening: int


class ErrorOut(Document):
    """One thing that is wrong."""

    field: str = Field(description="Empty: the request as a whole.")
    code: str
    message: str
    blockers: list[str] = Field(description="What is in the way, by name.")


class Errors(Document):
    """Everything that is wrong."""

    model_config = example(
        {
            "errors": [
                {
                    "field": "luns[0].size_bytes",
                    "code": "size_shrinks",
                    "message": "is 512 bytes, smaller than the 1024 bytes of now",
                    "blockers": [],
                }
            ]
        }
    )

    errors: list[ErrorOut]
