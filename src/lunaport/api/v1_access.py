"""The documents of API v1 about CHAP and access: who may use a target, and what he has to prove.

Secrets go in and never come out: a `SecretState` stands in their place.
"""

from datetime import datetime
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field


class Document(BaseModel):
    """Base of all documents."""

    model_config = ConfigDict(extra="forbid")


Secret = Annotated[
    str | None,
    Field(description="12 to 16 bytes. Left out or null: the stored one stays.", json_schema_extra={"writeOnly": True}),
]


def _parse_time(value: Any) -> Any:
    """A time as text; what is none is left for Pydantic to refuse, numbers too."""
    try:
        return datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        return value


OldSecretValidUntil = Annotated[
    AwareDatetime | None,
    BeforeValidator(_parse_time),
    Field(
        description="With a new secret: how long the old one is still taken; left out: not at all. Without a new one: "
        "a new end for an old one that is still taken; a time that is over ends it."
    ),
]


class ChapIn(Document):
    """One direction of CHAP."""

    enabled: bool = False
    username: str = Field(default="", description="1 to 255 bytes of UTF-8.")
    secret: Secret = None


class OneWayIn(ChapIn):
    """The name and secret of initiators."""

    old_secret_valid_until: OldSecretValidUntil = None


class CredentialIn(Document):
    """Another name and secret of initiators. The secret of a name that is there already may be left out: it stays."""

    username: str = Field(description="1 to 255 bytes of UTF-8.")
    secret: Secret = None
    initiators: list[str] = Field(
        default_factory=list, description="Full names, or patterns with * and ?. Empty: for every initiator."
    )
    old_secret_valid_until: OldSecretValidUntil = None


class ChapPairIn(Document):
    """CHAP in both directions. Initiators have to authenticate when `one_way` is enabled or there are `credentials`."""

    one_way: OneWayIn = Field(default_factory=OneWayIn, description="The target authenticates initiators.")
    mutual: ChapIn = Field(
        default_factory=ChapIn,
        description="The target authenticates itself too; needs one-way CHAP and another secret.",
    )
    credentials: list[CredentialIn] = Field(default_factory=list, description="Names and secrets beside `one_way`.")


class ChapPatch(Document):
    """Changes to one direction of CHAP."""

    enabled: bool | None = None
    username: str | None = None
    secret: Secret = None


class OneWayPatch(ChapPatch):
    """Changes to the name and secret of initiators."""

    old_secret_valid_until: OldSecretValidUntil = None


class ChapPairPatch(Document):
    """Changes to CHAP. The list of credentials is replaced as a whole."""

    one_way: OneWayPatch = Field(default_factory=OneWayPatch)
    mutual: ChapPatch = Field(default_factory=ChapPatch)
    credentials: list[CredentialIn] | None = None


class SecretState(Document):
    """Whether a secret is set, and since when; never the secret."""

    set: bool
    changed_at: datetime | None


class ChapOut(Document):
    """One direction of CHAP."""

    enabled: bool
    username: str
    secret: SecretState


class OneWayOut(ChapOut):
    """The name and secret of initiators."""

    old_secret_valid_until: datetime | None


class CredentialOut(Document):
    """Another name and secret of initiators."""

    username: str
    secret: SecretState
    initiators: list[str]
    old_secret_valid_until: datetime | None


class ChapPairOut(Document):
    """CHAP in both directions."""

    one_way: OneWayOut
    mutual: ChapOut
    credentials: list[CredentialOut]


class DiscoveryChapIn(Document):
    """CHAP of discovery sessions. Who proves `one_way` is told of targets that ask for other secrets too."""

    one_way: OneWayIn = Field(default_factory=OneWayIn, description="Enabled: discovery asks for CHAP.")
    mutual: ChapIn = Field(default_factory=ChapIn, description="The NAS authenticates itself too.")


class DiscoveryChapPatch(Document):
    """Changes to CHAP of discovery sessions."""

    one_way: OneWayPatch = Field(default_factory=OneWayPatch)
    mutual: ChapPatch = Field(default_factory=ChapPatch)


class DiscoveryPatch(Document):
    """Changes to what initiators are told in discovery."""

    open: bool | None = None
    chap: DiscoveryChapPatch = Field(default_factory=DiscoveryChapPatch)


class DiscoveryChapOut(Document):
    """CHAP of discovery sessions."""

    one_way: OneWayOut
    mutual: ChapOut


class AccessRule(Document):
    """Fits when one of the names or patterns does, one of the networks and one of the portal groups; empty: all do."""

    initiators: list[str] = Field(
        default_factory=list, description="Full names, or patterns: * stands for any text, ? for any character."
    )
    networks: list[str] = Field(default_factory=list, description="CIDR: 192.0.2.0/24, 192.0.2.7, 2001:db8::/64.")
    portal_groups: list[int] = Field(default_factory=list, description="Tags of the portal groups that it comes by.")
    read_only: bool = Field(default=False, description="Writes are answered DATA PROTECT, WRITE PROTECTED.")
    luns: list[int] | None = Field(default=None, description="The LUNs that are there for it; null: all.")


class AccessIn(Document):
    """Who may use a target. The first rule that fits counts; no rules: everybody may use it."""

    rules: list[AccessRule] = Field(default_factory=list)
    single_initiator: bool = Field(
        default=False,
        description="One initiator at a time, unless it holds a reservation; one that is dead makes way for another.",
    )


class AccessPatch(Document):
    """Changes to who may use a target. Rules are replaced as a whole."""

    rules: list[AccessRule] | None = None
    single_initiator: bool | None = None
