"""Between API v1's documents and the model: changes in, documents out, entity tags, cursors."""

import base64
import binascii
import re
from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from lunaport.api import v1_models as v1
from lunaport.api.answers import RequestError, refuse
from lunaport.api.body import parse_object
from lunaport.api.v1_access import ChapPairOut, DiscoveryChapOut
from lunaport.api.v1_access_words import (
    access_change,
    access_out,
    chap_change,
    chap_out,
    credential_change,
    credential_out,
    one_way_change,
    one_way_out,
    warnings,
)
from lunaport.api.v1_access_words import (
    when as when,
)
from lunaport.api.v1_lun_models import LunIn, LunNew, LunOut, LunPatch
from lunaport.model.address import HostPort
from lunaport.model.errors import Fault, Problem
from lunaport.model.iscsi_service import IscsiService, ServiceChange
from lunaport.model.limits import LimitsChange
from lunaport.model.lun import KIND_FIELDS, Lun, LunChange
from lunaport.model.target import Target, TargetChange
from lunaport.service.nas import IsnsServerReport, PortalReport
from lunaport.service.volumes import VolumeReport

Model = TypeVar("Model", bound=BaseModel)

_ETAG: Final = re.compile(r'"r([0-9]{1,18})"')
_FAULTS: Final = {"extra_forbidden": Fault.UNKNOWN_FIELD, "missing": Fault.MISSING_FIELD}
_MESSAGES: Final = {"extra_forbidden": "is not a field", "missing": "is missing"}
TAG_COUNT_MAX: Final = 32
PAGE_COUNT_DEFAULT: Final = 100
PAGE_COUNT_MAX: Final = 1000


async def read_document(request: Request, model: type[Model]) -> Model:
    """The request's body as a document. Raises RequestError naming every field that is wrong."""
    try:
        return model.model_validate(parse_object(await request.body()), strict=True)
    except ValidationError as error:
        raise RequestError(
            [
                Problem(
                    fault=_FAULTS.get(each["type"], Fault.WRONG_TYPE),
                    message=_MESSAGES.get(each["type"], each["msg"][:1].lower() + each["msg"][1:]),
                    path=tuple(step[:64] if isinstance(step, str) else step for step in each["loc"]),
                )
                for each in error.errors(include_url=False, include_input=False, include_context=False)
            ]
        ) from None


def etag(revision: int) -> str:
    """The entity tag of a revision."""
    return f'"r{revision}"'


def expected_revisions(request: Request) -> frozenset[int] | None:
    """The revisions that If-Match allows (RFC 9110 section 13.1.1); None when it allows any."""
    header = request.headers.get("if-match")
    if header is None or header.strip() == "*":
        return None
    tags = [tag.strip() for tag in header.split(",", TAG_COUNT_MAX)]
    # A tag of another form, a weak one too, fits nothing.
    return frozenset(int(match[1]) for match in map(_ETAG.fullmatch, tags) if match)


def make_cursor(last_id: int) -> str:
    """An opaque text for "what follows this one"."""
    return base64.urlsafe_b64encode(f"id:{last_id}".encode()).decode().rstrip("=")


def parse_cursor(text: str) -> int:
    """The id that a cursor stands for. Raises RequestError."""
    try:
        plain = base64.urlsafe_b64decode(text[:64].encode() + b"==").decode()
    except (binascii.Error, ValueError):
        plain = ""
    match = re.fullmatch(r"id:([0-9]{1,18})", plain, re.ASCII)
    if match is None:
        raise refuse(Fault.PARAMETER_INVALID, "is not a cursor of an earlier answer", "cursor")
    return int(match[1])


def parse_limit(text: str, count_max: int = PAGE_COUNT_MAX) -> int:
    """The `limit` of a page. Raises RequestError."""
    if text.isascii() and text.isdigit() and len(text) <= 6 and 1 <= int(text) <= count_max:
        return int(text)
    raise refuse(Fault.PARAMETER_INVALID, f"is not a number from 1 to {count_max}", "limit")


def parse_id(text: str) -> int:
    """The id in a path; -1, which no target has, for what cannot be one."""
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text, re.ASCII) else -1


def lun_change(lun: LunIn | LunNew | LunPatch) -> LunChange:
    """The change that a document asks for."""
    kind = {name: value for name in KIND_FIELDS if (value := getattr(lun, name, None)) is not None}
    if isinstance(lun, LunPatch):
        return LunChange(size=lun.size_bytes, kind=kind)
    return LunChange(lun=lun.lun, size=lun.size_bytes, volume=lun.volume, kind=kind, image=lun.image)


def target_change(document: v1.TargetIn | v1.TargetPatch) -> TargetChange:
    """The change that a document asks for."""
    return TargetChange(
        name=document.name,
        luns=tuple(map(lun_change, document.luns)) if document.luns else None,
        whole=isinstance(document, v1.TargetIn) or None,
        header_digest=document.header_digest,
        data_digest=document.data_digest,
        one_way=one_way_change(document.chap.one_way),
        mutual=chap_change(document.chap.mutual),
        credentials=None
        if document.chap.credentials is None
        else tuple(map(credential_change, document.chap.credentials)),
        access=access_change(document.access),
        limits=LimitsChange(iops=document.limits.iops, bytes_per_second=document.limits.bytes_per_second),
        portal_groups=None if document.portal_groups is None else tuple(document.portal_groups),
        isns=document.isns,
    )


def service_change(document: v1.ServiceIn | v1.ServicePatch) -> ServiceChange:
    """The change that a document asks for."""
    if isinstance(document, v1.ServicePatch):
        return ServiceChange(
            enabled=document.enabled,
            port="" if document.port == 0 else document.port,
            isns=document.isns.enabled if document.isns else None,
            isns_address=document.isns.address if document.isns else None,
            discovery_open=document.discovery.open,
            discovery_one_way=one_way_change(document.discovery.chap.one_way),
            discovery_mutual=chap_change(document.discovery.chap.mutual),
        )
    return ServiceChange(
        enabled=document.enabled,
        port="" if document.port is None else document.port,
        isns=document.isns.enabled,
        isns_address=document.isns.address,
        discovery_open=document.discovery.open,
        discovery_one_way=one_way_change(document.discovery.chap.one_way),
        discovery_mutual=chap_change(document.discovery.chap.mutual),
    )


def _maybe(seconds: float | None) -> datetime | None:
    return None if seconds is None else when(seconds)


def parse_when(text: str | None, field: str) -> float | None:
    """A time with its zone, in seconds since 1970. Raises RequestError."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text[:64])
        if moment.tzinfo is not None:
            return moment.timestamp()
    except (ValueError, OverflowError):
        pass
    raise refuse(Fault.TIME_INVALID, "is no time with its zone; right would be 2030-01-31T12:00:00Z", field)


def lun_out(lun: Lun) -> LunOut:
    """A LUN as a document."""
    return LunOut(
        lun=lun.lun,
        uuid=lun.uuid,
        size_bytes=lun.medium_bytes,
        volume=lun.volume,
        image=lun.medium.image,
        **asdict(lun.kind),
    )


def target_out(target: Target, groups: Collection[int] | None = None) -> v1.TargetOut:
    """A target as a document. `groups`: the portal groups that there are, where that is known."""
    return v1.TargetOut(
        id=target.id,
        name=target.name,
        header_digest=target.header_digest,
        data_digest=target.data_digest,
        luns=[lun_out(lun) for lun in target.luns],
        chap=ChapPairOut(
            one_way=one_way_out(target.one_way),
            mutual=chap_out(target.mutual),
            credentials=[credential_out(each) for each in target.credentials],
        ),
        access=access_out(target.access),
        warnings=warnings(target, groups),
        limits=v1.LimitsIn(iops=target.limits.iops, bytes_per_second=target.limits.bytes_per_second),
        portal_groups=list(target.portal_groups),
        isns=target.isns,
        draining=target.draining,
        created_at=when(target.created_at),
        revision=target.revision,
    )


def volume_out(report: VolumeReport) -> v1.VolumeOut:
    """A volume as a document."""
    usage = report.usage
    return v1.VolumeOut(
        name=report.volume.name,
        path=report.volume.path,
        overcommit_factor=report.volume.overcommit_factor,
        low_space_percent=report.volume.low_space_percent,
        committed_bytes=report.committed_bytes,
        usage=None
        if usage is None
        else v1.UsageOut(total_bytes=usage.total_bytes, free_bytes=usage.free_bytes, used_bytes=usage.used_bytes),
        error=report.error,
    )


def _isns_server_out(server: IsnsServerReport) -> v1.IsnsServerOut:
    return v1.IsnsServerOut(
        address=server.address,
        state=server.state,
        targets=server.targets,
        portals=server.portals,
        registered_since=_maybe(server.registered_since),
        confirmed_at=_maybe(server.confirmed_at),
        error=server.error,
        last_error=server.last_error,
        last_error_at=_maybe(server.last_error_at),
    )


def portal_out(report: PortalReport) -> v1.PortalOut:
    """A portal as a document."""
    return v1.PortalOut(
        portal=str(HostPort(host=report.host, port=report.port)),
        group=report.group,
        listening=report.listening,
        error=report.error,
        since=when(report.since) if report.since else None,
    )


def service_out(
    service: IscsiService, portals: Sequence[PortalReport], isns_servers: Sequence[IsnsServerReport]
) -> v1.ServiceOut:
    """The service as a document."""
    return v1.ServiceOut(
        enabled=service.enabled,
        port=service.port,
        isns=v1.IsnsOut(
            enabled=service.isns,
            address=service.isns_address,
            servers=[_isns_server_out(each) for each in isns_servers],
        ),
        discovery=v1.DiscoveryOut(
            open=service.discovery_open,
            chap=DiscoveryChapOut(
                one_way=one_way_out(service.discovery_one_way), mutual=chap_out(service.discovery_mutual)
            ),
        ),
        portals=[portal_out(each) for each in portals],
        revision=service.revision,
    )
