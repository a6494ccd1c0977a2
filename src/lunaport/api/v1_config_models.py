"""The document of API v1 that holds everything that is configured; a file for `lunaport apply` is the same in YAML.

Built on the documents of the single things, so that a field they get is here too.
"""

from typing import Annotated, Any, Literal

from pydantic import Field

from lunaport.api import v1_models as v1
from lunaport.api.v1_models import Document, example
from lunaport.api.v1_portals import PortalIn
from lunaport.model.document import BLOCKS_MAX, TARGETS_MAX, USERS_MAX, VOLUMES_MAX
from lunaport.model.volume import LOW_SPACE_PERCENT_DEFAULT, OVERCOMMIT_FACTOR_DEFAULT

Draining = Annotated[
    bool | None, Field(description="Initiators are asked to go, and nobody is let in. Left out: as it is.")
]


class ConfigTarget(v1.TargetIn):
    """A whole target, known by its name."""

    draining: Draining = None


class ConfigService(v1.ServiceIn):
    """The whole service."""

    portals: list[PortalIn] | None = Field(
        default=None, description="Left out or null: as they are; an empty list: those of the command line."
    )
    draining: Draining = None


class ConfigVolume(Document):
    """A volume."""

    name: str
    path: str | None = Field(default=None, description="A new one needs it; it does not change. Not for `default`.")
    overcommit_factor: float = Field(default=OVERCOMMIT_FACTOR_DEFAULT, description="1 to 1000.")
    low_space_percent: int = Field(default=LOW_SPACE_PERCENT_DEFAULT, description="0 (nobody is told) to 90.")


class ConfigBlock(Document):
    """An initiator that is kept out."""

    initiator: str
    until: str | None = Field(
        default=None,
        description="A time with its zone (RFC 3339); null: for good. One that is over: not at all.",
        json_schema_extra={"format": "date-time"},
    )
    note: str = ""


class ConfigUser(Document):
    """A user."""

    name: str
    role: Literal["viewer", "operator", "admin"]
    password: str | None = Field(
        default=None,
        description="A new one needs it; left out or null: the stored one stays.",
        json_schema_extra={"writeOnly": True},
    )


class ConfigIn(Document):
    """What shall be. A section that is left out is left alone; secrets that are left out stay as they are stored."""

    model_config = example(
        {
            "version": 1,
            "targets": [{"name": "vm-disk", "luns": [{"lun": 0, "size_bytes": 10737418240}]}],
        }
    )

    version: Literal[1]
    service: ConfigService | None = None
    volumes: list[ConfigVolume] | None = Field(default=None, max_length=VOLUMES_MAX)
    targets: list[ConfigTarget] | None = Field(default=None, max_length=TARGETS_MAX)
    blocks: list[ConfigBlock] | None = Field(default=None, max_length=BLOCKS_MAX)
    users: list[ConfigUser] | None = Field(default=None, max_length=USERS_MAX)


class FieldChangeOut(Document):
    """A field before and after; secrets stand as `(secret)` and `(changed)`."""

    field: str
    before: Any
    after: Any


class StepOut(Document):
    """Something that was done, or would be."""

    action: Literal["create", "update", "delete"]
    kind: str = Field(description="`service`, `volume`, `target`, `block` or `user`; there may come others.")
    name: str
    changes: list[FieldChangeOut]
    note: str = Field(description="What it means for those who use it; empty: nothing ends.")


class ApplyOut(Document):
    """What was done, or would be. No steps: it was so already."""

    applied: bool
    steps: list[StepOut]
    kept: list[str] = Field(description="What the sections do not name, and what stays all the same.")
