"""Loading the site when it is first wanted: NiceGUI takes a second and memory, which a NAS without visitors saves."""

import asyncio
import importlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.types import ASGIApp

from lunaport.service.nas import Nas
from lunaport.web.gate import Gate


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteConfig:
    """What the page has to know of the process around it."""

    storage_secret: str
    iqn_prefix: str
    trash_days: float
    audit_days: float
    data_dir: str
    http_urls: tuple[str, ...] = ()


def site_loader(nas: Nas, config: SiteConfig) -> Callable[[Gate], Awaitable[ASGIApp]]:
    """What makes the site for a gate."""

    async def load(gate: Gate) -> ASGIApp:
        site = await asyncio.to_thread(importlib.import_module, "lunaport.web.site")
        made: ASGIApp = await site.make_site(nas, gate, config)
        return made

    return load
