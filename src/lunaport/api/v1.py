"""API v1 below `/api/v1`: the router, and how its routes are described.

It promises never to break: fields and routes are only added. A 2xx is sent after the wire serves the new state.
"""

from typing import Final

from fastapi import APIRouter

from lunaport.api import v1_models as models
from lunaport.api.v1_audit import add_audit_routes
from lunaport.api.v1_backup import ExportIn, ImportIn, add_backup_routes
from lunaport.api.v1_config import add_config_routes
from lunaport.api.v1_config_models import ConfigIn
from lunaport.api.v1_events import add_event_routes
from lunaport.api.v1_lun_models import LunNew, LunPatch, MediumIn
from lunaport.api.v1_luns import add_lun_routes
from lunaport.api.v1_media import add_image_routes, add_medium_routes
from lunaport.api.v1_portals import PortalPut, PortalsIn, add_portal_routes
from lunaport.api.v1_service import add_service_routes
from lunaport.api.v1_sessions import add_session_routes
from lunaport.api.v1_status import add_status_routes
from lunaport.api.v1_steering import add_block_routes, add_drain_routes
from lunaport.api.v1_targets import add_target_routes
from lunaport.api.v1_trash import RestoreIn, add_trash_routes
from lunaport.api.v1_users import PasswordIn, TokenIn, UserIn, UserPatch, add_own_routes, add_user_routes
from lunaport.api.v1_volumes import add_volume_routes
from lunaport.api.v1_work import add_work_routes
from lunaport.service.nas import Nas

PREFIX: Final = "/api/v1"


def v1_router(nas: Nas) -> APIRouter:
    """The routes of API v1."""
    router = APIRouter(prefix=PREFIX)
    add_target_routes(router, nas)
    add_lun_routes(router, nas)
    add_medium_routes(router, nas)
    add_trash_routes(router, nas)
    add_volume_routes(router, nas)
    add_image_routes(router, nas)
    add_service_routes(router, nas)
    add_portal_routes(router, nas)
    add_session_routes(router, nas)
    add_drain_routes(router, nas)
    add_block_routes(router, nas)
    add_event_routes(router, nas)
    add_status_routes(router, nas)
    add_work_routes(router, nas)
    add_user_routes(router, nas)
    add_own_routes(router, nas)
    add_audit_routes(router, nas)
    add_backup_routes(router, nas)
    add_config_routes(router, nas)
    return router


BODY_MODELS: Final[tuple[type[models.Document], ...]] = (
    models.TargetIn,
    models.TargetPatch,
    LunNew,
    LunPatch,
    MediumIn,
    RestoreIn,
    models.VolumeIn,
    models.VolumePatch,
    models.ServiceIn,
    UserIn,
    UserPatch,
    PasswordIn,
    TokenIn,
    models.ServicePatch,
    PortalPut,
    PortalsIn,
    models.DrainIn,
    models.BlockIn,
    ExportIn,
    ImportIn,
    ConfigIn,
)
"""Documents that routes read by hand; the description of the interface needs them all the same."""
