"""From what is stored to what an engine shall serve. Pure."""

import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Final

from lunaport.engine.interface import (
    AccessRule,
    BlockSpec,
    Credential,
    DesiredState,
    DiscoverySpec,
    LimitsSpec,
    LunSpec,
    PortalSpec,
    TargetSpec,
)
from lunaport.model import access as model_access
from lunaport.model import chap as model
from lunaport.model.address import HostPort
from lunaport.model.block import Block
from lunaport.model.chap import Chap, OldSecret
from lunaport.model.iscsi_service import IscsiService
from lunaport.model.lun import Lun
from lunaport.model.portal import Portal, with_port
from lunaport.model.target import Target
from lunaport.model.volume import Volume

IMAGE_FOLDER: Final = "iso"


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where things stand: each volume's directory by name, and when its space is scarce."""

    paths: Mapping[str, str]
    low_space_percents: Mapping[str, int]

    def path(self, volume: str, file: str) -> str:
        """The absolute path of a file of a volume."""
        return posixpath.join(self.paths[volume], file)


def make_places(volumes: Iterable[Volume]) -> Places:
    """Places of these volumes, whose paths are absolute."""
    known = list(volumes)
    return Places(
        paths={volume.name: volume.path for volume in known},
        low_space_percents={volume.name: volume.low_space_percent for volume in known},
    )


def image_path(volume_path: str, name: str) -> str:
    """Where an image of a volume lies."""
    return posixpath.join(volume_path, IMAGE_FOLDER, name)


def _credential(chap: Chap) -> Credential | None:
    return Credential(username=chap.username, secret=chap.secret) if chap.enabled else None


def _old(old: OldSecret | None, initiators: tuple[str, ...] = ()) -> list[Credential]:
    if old is None:
        return []
    return [Credential(username=old.username, secret=old.secret, initiators=initiators, valid_until=old.valid_until)]


def _credentials(one_way: Chap, others: Iterable[model.Credential] = ()) -> tuple[Credential, ...]:
    """All that initiators may prove, old secrets behind new ones."""
    found = []
    if one_way.enabled:
        found += [Credential(username=one_way.username, secret=one_way.secret), *_old(one_way.old)]
    for each in others:
        found.append(Credential(username=each.username, secret=each.secret, initiators=each.initiators))
        found += _old(each.old, each.initiators)
    return tuple(found)


def _rule(rule: model_access.AccessRule) -> AccessRule:
    return AccessRule(
        initiators=rule.initiators,
        networks=rule.networks,
        portal_groups=rule.portal_groups,
        read_only=rule.read_only,
        luns=rule.luns,
    )


def _lun_spec(lun: Lun, places: Places) -> LunSpec:
    return LunSpec(
        lun=lun.lun,
        uuid=lun.uuid,
        path=places.path(lun.volume, lun.file),
        size_bytes=lun.size_bytes,
        key=lun.key,
        image=image_path(places.paths[lun.volume], lun.medium.image) if lun.medium.image else "",
        medium_out=lun.medium.out,
        insertion=lun.medium.insertion,
        low_space_percent=places.low_space_percents[lun.volume],
        **{name: value for name, value in asdict(lun.kind).items() if name != "encrypted"},
    )


def target_spec(target: Target, places: Places) -> TargetSpec:
    """The target as the engine shall serve it."""
    return TargetSpec(
        name=target.name,
        header_digest=target.header_digest,
        data_digest=target.data_digest,
        credentials=_credentials(target.one_way, target.credentials),
        mutual=_credential(target.mutual),
        rules=tuple(_rule(rule) for rule in target.access.rules),
        single_initiator=target.access.single_initiator,
        portal_groups=target.portal_groups,
        luns=tuple(_lun_spec(lun, places) for lun in target.luns),
        limits=LimitsSpec(iops=target.limits.iops, bytes_per_second=target.limits.bytes_per_second),
        draining=target.draining,
    )


def configured_portals(service: IscsiService, command_line: Iterable[HostPort]) -> tuple[Portal, ...]:
    """The portals that count: those that were set while the NAS ran, else those of the command line."""
    if service.portals is not None:
        return service.portals
    return tuple(Portal(host=each.host, port=each.port) for each in command_line)


def portal_specs(service: IscsiService, command_line: Iterable[HostPort]) -> tuple[PortalSpec, ...]:
    """The addresses to listen on: none while the service is off; a set port holds for all portals."""
    if not service.enabled:
        return ()
    listening = with_port(configured_portals(service, command_line), service.port)
    return tuple(PortalSpec(host=each.host, port=each.port, group=each.group) for each in listening)


def discovery_spec(service: IscsiService) -> DiscoverySpec:
    """What discovery tells."""
    return DiscoverySpec(
        open=service.discovery_open,
        credentials=_credentials(service.discovery_one_way),
        mutual=_credential(service.discovery_mutual),
    )


def block_specs(blocks: Iterable[Block]) -> tuple[BlockSpec, ...]:
    """Who is not let in."""
    return tuple(BlockSpec(initiator=block.initiator, until=block.until) for block in blocks)


def desired_state(
    service: IscsiService,
    portals: Iterable[HostPort],
    targets: Iterable[Target],
    places: Places,
    blocks: Iterable[Block] = (),
) -> DesiredState:
    """Everything."""
    return DesiredState(
        portals=portal_specs(service, portals),
        targets=tuple(target_spec(target, places) for target in targets),
        discovery=discovery_spec(service),
        draining=service.draining,
        blocks=block_specs(blocks),
    )
