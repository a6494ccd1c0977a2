"""Between the document of the whole configuration and the model."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from lunaport.api import v1_access as access
from lunaport.api import v1_config_models as config
from lunaport.api import v1_models as v1
from lunaport.api.v1_access_words import access_out, when
from lunaport.api.v1_lun_models import LunIn
from lunaport.api.v1_portals import PortalIn
from lunaport.api.v1_words import parse_when, service_change, target_change
from lunaport.model.backup import Configuration
from lunaport.model.chap import Chap, Credential
from lunaport.model.document import VERSION, ApplyReport, BlockWish, ConfigDocument, UserWish, VolumeWish
from lunaport.model.errors import Collector, InvalidError
from lunaport.model.iscsi_service import IscsiService
from lunaport.model.lun import Lun, LunKind
from lunaport.model.portal import Portal, make_portal
from lunaport.model.target import Target
from lunaport.model.user import Role
from lunaport.model.volume import DEFAULT_VOLUME


def config_document(document: config.ConfigIn) -> ConfigDocument:
    """What a document asks for. Raises RequestError."""
    service = document.service
    return ConfigDocument(
        service=None if service is None else replace(service_change(service), draining=service.draining),
        portals=None if service is None or service.portals is None else _portals(service.portals),
        volumes=None
        if document.volumes is None
        else tuple(
            VolumeWish(
                name=each.name,
                path=each.path,
                overcommit_factor=each.overcommit_factor,
                low_space_percent=each.low_space_percent,
            )
            for each in document.volumes
        ),
        targets=None
        if document.targets is None
        else tuple(replace(target_change(each), draining=each.draining) for each in document.targets),
        blocks=None
        if document.blocks is None
        else tuple(
            BlockWish(initiator=each.initiator, until=parse_when(each.until, f"blocks[{index}].until"), note=each.note)
            for index, each in enumerate(document.blocks)
        ),
        users=None
        if document.users is None
        else tuple(UserWish(name=each.name, role=Role(each.role), password=each.password) for each in document.users),
    )


def _portals(documents: Sequence[PortalIn]) -> tuple[Portal, ...]:
    """The portals of a document. Raises InvalidError with every problem."""
    problems = Collector()
    found = []
    for index, each in enumerate(documents):
        try:
            found.append(make_portal(each.portal, each.group))
        except InvalidError as error:
            problems.take(error, "service", "portals", index)
    problems.raise_any()
    return tuple(found)


def config_out(configuration: Configuration) -> config.ConfigIn:
    """What is configured, as the document that asks for it; secrets are left out, for so they stay."""
    return config.ConfigIn(
        version=VERSION,
        service=_service(configuration.service),
        volumes=[
            config.ConfigVolume(
                name=each.name,
                path=None if each.name == DEFAULT_VOLUME else each.path,
                overcommit_factor=each.overcommit_factor,
                low_space_percent=each.low_space_percent,
            )
            for each in configuration.volumes
        ],
        targets=[target_in(each) for each in configuration.targets],
        blocks=[
            config.ConfigBlock(
                initiator=each.initiator,
                until=None if each.until is None else when(each.until).isoformat(),
                note=each.note,
            )
            for each in configuration.blocks
        ],
        users=[config.ConfigUser(name=each.name, role=each.role.value) for each in configuration.users],
    )


def target_in(target: Target) -> config.ConfigTarget:
    """A target, as the document that asks for it."""
    return config.ConfigTarget(
        name=target.name,
        header_digest=target.header_digest,
        data_digest=target.data_digest,
        luns=[_lun(each) for each in target.luns],
        chap=access.ChapPairIn(
            one_way=access.OneWayIn(**_chap(target.one_way)),
            mutual=access.ChapIn(**_chap(target.mutual)),
            credentials=[_credential(each) for each in target.credentials],
        ),
        access=access_out(target.access),
        limits=v1.LimitsIn(iops=target.limits.iops, bytes_per_second=target.limits.bytes_per_second),
        portal_groups=list(target.portal_groups),
        isns=target.isns,
        draining=target.draining,
    )


def _chap(chap: Chap) -> dict[str, Any]:
    return {"enabled": chap.enabled, "username": chap.username}


def _credential(credential: Credential) -> access.CredentialIn:
    return access.CredentialIn(username=credential.username, initiators=list(credential.initiators))


def _lun(lun: Lun) -> LunIn:
    """Of its kind only what is not usual: what is left out has its default."""
    usual = asdict(LunKind())
    kind = {name: value for name, value in asdict(lun.kind).items() if value != usual[name]}
    if lun.kind.is_drive:
        return LunIn(lun=lun.lun, image=lun.medium.image, volume=lun.volume, **kind)
    return LunIn(lun=lun.lun, size_bytes=lun.size_bytes, volume=lun.volume, **kind)


def _service(service: IscsiService) -> config.ConfigService:
    return config.ConfigService(
        enabled=service.enabled,
        port=service.port,
        portals=[PortalIn(portal=str(each), group=each.group) for each in service.portals or ()],
        isns=v1.IsnsIn(enabled=service.isns, address=service.isns_address),
        discovery=v1.DiscoveryIn(
            open=service.discovery_open,
            chap=access.DiscoveryChapIn(
                one_way=access.OneWayIn(**_chap(service.discovery_one_way)),
                mutual=access.ChapIn(**_chap(service.discovery_mutual)),
            ),
        ),
        draining=service.draining,
    )


def apply_out(report: ApplyReport) -> config.ApplyOut:
    """A report as a document."""
    return config.ApplyOut(
        applied=report.applied,
        steps=[
            config.StepOut(
                action=step.action,
                kind=step.kind,
                name=step.name,
                changes=[
                    config.FieldChangeOut(field=path, before=before, after=after)
                    for path, (before, after) in step.changes.items()
                ],
                note=step.note,
            )
            for step in report.steps
        ],
        kept=list(report.kept),
    )
