"""The documents of API v1, as Pydantic models: what goes in (`...In`, `...Patch`) and what comes out.

Sizes are integers in bytes. Secrets go in and never come out: a `SecretState` stands in their place. Unknown fields are
refused, types are taken strictly. How a document becomes an action, or a value of the model a document, stands in
`api.v1_words`.
"""

from datetime import datetime
from typing import Any, Literal

from pydantic import ConfigDict, Field

from lunaport.api.v1_access import (
    AccessIn,
    AccessPatch,
    ChapPairIn,
    ChapPairOut,
    ChapPairPatch,
    DiscoveryChapIn,
    DiscoveryChapOut,
    DiscoveryPatch,
)
from lunaport.api.v1_access import (
    Document as Document,
)
from lunaport.api.v1_lun_models import LunIn, LunOut
from lunaport.model.lun import LUNS_MAX
from lunaport.model.volume import LOW_SPACE_PERCENT_DEFAULT, OVERCOMMIT_FACTOR_DEFAULT


def example(document: Any) -> ConfigDict:
    """The configuration of a document that is shown with an example."""
    return ConfigDict(extra="forbid", json_schema_extra={"example": document})


PORTAL_GROUPS = "The portal groups through which it is served; empty: all."


class LimitsIn(Document):
    """What all sessions of a target together may do in a second. Flow control: commands wait, none fails."""

    iops: int = Field(default=0, description="Commands, at least 10; 0: no limit.")
    bytes_per_second: int = Field(default=0, description="Bytes read and written, at least 1048576; 0: no limit.")


class LimitsPatch(Document):
    """Changes to limits."""

    iops: int | None = Field(default=None, description="0: no limit.")
    bytes_per_second: int | None = Field(default=None, description="0: no limit.")


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
    access: AccessIn = Field(default_factory=AccessIn)
    limits: LimitsIn = Field(default_factory=LimitsIn)
    portal_groups: list[int] = Field(default_factory=list, description=PORTAL_GROUPS)
    isns: bool = Field(default=True, description="Whether iSNS servers are told of it.")


class TargetPatch(Document):
    """Changes to a target; what is left out or null stays as it is."""

    model_config = example({"luns": [{"lun": 0, "size_bytes": 21474836480}]})

    name: str | None = None
    header_digest: bool | None = None
    data_digest: bool | None = None
    luns: list[LunIn] | None = Field(default=None, min_length=1, max_length=LUNS_MAX)
    chap: ChapPairPatch = Field(default_factory=ChapPairPatch)
    access: AccessPatch = Field(default_factory=AccessPatch)
    limits: LimitsPatch = Field(default_factory=LimitsPatch)
    portal_groups: list[int] | None = Field(default=None, description=PORTAL_GROUPS)
    isns: bool | None = Field(default=None, description="Whether iSNS servers are told of it.")


class TargetOut(Document):
    """A target."""

    id: int = Field(description="Never used again.")
    name: str
    header_digest: bool
    data_digest: bool
    luns: list[LunOut]
    chap: ChapPairOut
    access: AccessIn
    warnings: list[str] = Field(description="What an administrator may not have meant, in words.")
    limits: LimitsIn
    portal_groups: list[int] = Field(description=PORTAL_GROUPS)
    isns: bool = Field(description="Whether iSNS servers are told of it.")
    draining: bool = Field(description="Its initiators are asked to log out, and nobody is let in.")
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
    low_space_percent: int = Field(
        default=LOW_SPACE_PERCENT_DEFAULT,
        description="Initiators of thin disks are told when no more than this of the file system is free: 1 to 90; "
        "0: never.",
    )


class VolumePatch(Document):
    """Changes to a volume."""

    overcommit_factor: float | None = Field(default=None, description="1 to 1000; left out: as it is.")
    low_space_percent: int | None = Field(default=None, description="0 to 90; left out: as it is.")


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
    low_space_percent: int = Field(description="Initiators are told when no more than this is free; 0: never.")
    committed_bytes: int = Field(description="The sizes of its shares, added up.")
    usage: UsageOut | None = Field(description="Null when the directory does not answer; `error` says why.")
    error: str


class VolumeList(Document):
    """All volumes."""

    items: list[VolumeOut]


class IsnsIn(Document):
    """Registration with iSNS servers."""

    enabled: bool = Field(default=False, description="True needs an address.")
    address: str = Field(
        default="",
        description="host or host:port; port 3205 when left out. Up to 8 servers, with commas between.",
    )


class IsnsServerOut(Document):
    """How it stands with an iSNS server now."""

    address: str = Field(description="host:port.")
    state: Literal["idle", "registering", "registered", "failing"] = Field(
        description="`idle`: there is nothing to register; `registering`: it is being done; `registered`: the server "
        "has us as we are; `failing`: it has not, `error` says why, and it is tried again."
    )
    targets: int = Field(description="As registered.")
    portals: int = Field(description="As registered.")
    registered_since: datetime | None
    confirmed_at: datetime | None = Field(description="When the server last said that it has us as we are.")
    error: str = Field(description="What is wrong now; empty: nothing.")
    last_error: str = Field(description="What was wrong last, even if it is over.")
    last_error_at: datetime | None


class IsnsOut(Document):
    """Registration with iSNS servers."""

    enabled: bool
    address: str
    servers: list[IsnsServerOut] = Field(description="Empty while it is switched off.")


class DiscoveryOut(Document):
    """What initiators are told in discovery."""

    open: bool
    chap: DiscoveryChapOut


class DiscoveryIn(Document):
    """What initiators are told in discovery."""

    open: bool = Field(
        default=False,
        description="False: nobody is told of a target that he may not use, be it for want of CHAP. "
        "True: everybody is told of all.",
    )
    chap: DiscoveryChapIn = Field(default_factory=DiscoveryChapIn)


class ServiceIn(Document):
    """The iSCSI service."""

    model_config = example({"enabled": True, "port": None, "isns": {"enabled": False, "address": ""}})

    enabled: bool = Field(description="False: nothing listens, sessions end.")
    port: int | None = Field(default=None, description="For all portals; null: each portal's own.")
    isns: IsnsIn = Field(default_factory=IsnsIn)
    discovery: DiscoveryIn = Field(default_factory=DiscoveryIn)


class ServicePatch(Document):
    """Changes to the service; what is left out or null stays as it is."""

    model_config = example({"port": 860})

    enabled: bool | None = None
    port: int | None = Field(default=None, description="For all portals; 0: each portal's own.")
    isns: IsnsIn | None = None
    discovery: DiscoveryPatch = Field(default_factory=DiscoveryPatch)


class PortalOut(Document):
    """An address to listen on, and whether that works."""

    portal: str
    group: int = Field(description="Portal group tag.")
    listening: bool
    error: str = Field(description="Why it does not listen; it is tried again by itself. Empty: nothing is wrong.")
    since: datetime | None = Field(description="Since when it listens, or since when it cannot.")


class ServiceOut(Document):
    """The iSCSI service."""

    enabled: bool
    port: int | None
    isns: IsnsOut
    discovery: DiscoveryOut
    portals: list[PortalOut]
    revision: int


class RatesOut(Document):
    """What a session did a second, over the last five seconds or so."""

    commands: float
    bytes_read: float
    bytes_written: float


class LatencyOut(Document):
    """How many commands of a sample took this long: less than `below_us`, and not less than half of it."""

    below_us: float | None = Field(description="Microseconds; null: longer than all other classes.")
    count: int


class SessionOut(Document):
    """A session as it is now. Counters run from the login on."""

    id: str
    target: str = Field(description="Empty for a discovery session.")
    initiator: str
    initiator_alias: str
    address: str
    portal: str
    portal_group: int = Field(description="The tag of the portal group that it came by.")
    since: datetime
    isid: str
    tsih: int
    chap_user: str
    read_only: bool
    luns: list[int] = Field(description="The LUNs that are there for it.")
    negotiated: dict[str, str] = Field(description="RFC 7143 keys and the values in force.")
    commands: int
    outstanding: int
    bytes_read: int
    bytes_written: int
    rates: RatesOut
    latency: list[LatencyOut] = Field(
        description="Of a sample of commands, the time from their arrival to their status. Classes that are empty are "
        "left out.",
    )


class SessionList(Document):
    """A page of sessions."""

    items: list[SessionOut]
    next_cursor: str | None = Field(description="Give it as `cursor` to get the next page; null on the last one.")


class DrainIn(Document):
    """Whether to drain."""

    model_config = example({"draining": True})

    draining: bool


class DrainOut(Document):
    """A drain. It is done when nobody is left."""

    draining: bool = Field(description="Initiators are asked to log out, and nobody is let in.")
    sessions: int = Field(description="Sessions that are left.")


class BlockIn(Document):
    """Keep an initiator out."""

    model_config = example({"until": "2030-01-01T00:00:00Z", "note": "moved to another NAS"})

    until: str | None = Field(
        default=None,
        description="A time with its zone (RFC 3339); null: for good.",
        json_schema_extra={"format": "date-time"},
    )
    note: str = Field(default="", description="Up to 200 characters for whoever looks at it later.")


class BlockOut(Document):
    """An initiator that is kept out."""

    initiator: str
    until: datetime | None
    note: str
    created_at: datetime
    created_by: str = Field(description="The user who asked for it.")


class BlockList(Document):
    """All initiators that are kept out, by name."""

    items: list[BlockOut]


class LoginFailureOut(Document):
    """A login that was refused."""

    at: datetime
    reason: str = Field(description="In one word; docs/sessions.md lists them.")
    detail: str = Field(description="The same for people. Never a secret.")
    initiator: str = Field(description="As it called itself, be it true or not; empty where it did not come to that.")
    target: str = Field(description="What it asked for; empty for discovery.")
    address: str
    portal: str


class LoginFailureList(Document):
    """The last logins that were refused, the newest first."""

    items: list[LoginFailureOut]


class HealthOut(Document):
    """How the NAS is. `ok`: all is well; `degraded`: there are problems; `unavailable`: nothing is served."""

    status: str
    engine: bool
    portals: int
    portals_listening: int
    database: bool = Field(description="Whether the configuration can be read and changed.")
    problems: int = Field(description="How many there are; `/api/v1/problems` names them.")


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
