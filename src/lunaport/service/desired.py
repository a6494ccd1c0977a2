"""From what is stored to what an engine shall serve. Pure."""

import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

from lunaport.engine.interface import Credential, DesiredState, DiscoverySpec, LunSpec, PortalSpec, TargetSpec
from lunaport.model.address import HostPort
from lunaport.model.chap import Chap
from lunaport.model.iscsi_service import IscsiService
from lunaport.model.lun import Lun
from lunaport.model.target import Target
from lunaport.model.volume import Volume


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where things stand: each volume's directory by name."""

    paths: Mapping[str, str]

    def path(self, volume: str, file: str) -> str:
        """The absolute path of a file of a volume."""
        return posixpath.join(self.paths[volume], file)


def make_places(volumes: Iterable[Volume]) -> Places:
    """Places of these volumes, whose paths are absolute."""
    return Places(paths={volume.name: volume.path for volume in volumes})


def _credential(chap: Chap) -> Credential | None:
    return Credential(username=chap.username, secret=chap.secret) if chap.enabled else None


def _lun_spec(lun: Lun, places: Places) -> LunSpec:
    return LunSpec(
        lun=lun.lun,
        uuid=lun.uuid,
        path=places.path(lun.volume, lun.file),
        size_bytes=lun.size_bytes,
        **asdict(lun.kind),
    )


def target_spec(target: Target, places: Places) -> TargetSpec:
    """The target as the engine shall serve it."""
    one_way = _credential(target.one_way)
    return TargetSpec(
        name=target.name,
        header_digest=target.header_digest,
        data_digest=target.data_digest,
        credentials=(one_way,) if one_way else (),
        mutual=_credential(target.mutual),
        luns=tuple(_lun_spec(lun, places) for lun in target.luns),
    )


def portal_specs(service: IscsiService, portals: Iterable[HostPort]) -> tuple[PortalSpec, ...]:
    """The addresses to listen on: none while the service is off; a set port holds for all portals."""
    if not service.enabled:
        return ()
    wanted = (PortalSpec(host=each.host, port=service.port or each.port) for each in portals)
    return tuple(dict.fromkeys(wanted))


def discovery_spec(service: IscsiService) -> DiscoverySpec:
    """What discovery tells."""
    return DiscoverySpec(open=service.discovery_open)


def desired_state(
    service: IscsiService, portals: Iterable[HostPort], targets: Iterable[Target], places: Places
) -> DesiredState:
    """Everything."""
    return DesiredState(
        portals=portal_specs(service, portals),
        targets=tuple(target_spec(target, places) for target in targets),
        discovery=discovery_spec(service),
    )
