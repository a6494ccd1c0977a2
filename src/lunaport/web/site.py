"""The site: every page, on NiceGUI. Made once in a process; what the pages share is kept here."""

import asyncio
import contextlib
from pathlib import Path

from fastapi import FastAPI
from nicegui import ui
from starlette.types import ASGIApp

from lunaport.service.nas import Nas
from lunaport.web.gate import Gate
from lunaport.web.loading import SiteConfig
from lunaport.web.page import Site
from lunaport.web.pages import audit, overview, service, sessions, settings, share, shares, users, volumes
from lunaport.web.watching import Watching

RECONNECT_S = 30.0
"""How long a page that lost its line may come back as it was."""
ICON = Path(__file__).parent / "assets" / "icon.svg"


async def make_site(nas: Nas, gate: Gate, config: SiteConfig) -> ASGIApp:
    """Register the pages, and start what runs for them; the gate's cleanup ends it."""
    watching = Watching(nas)
    await watching.look()
    site = Site(nas=nas, gate=gate, config=config, watching=watching)
    for module in (overview, shares, share, volumes, service, sessions, users, audit, settings):
        module.register(site)
    style, script = gate.asset_url("page.css"), gate.asset_url("page.js")
    ui.add_head_html(f'<link rel="stylesheet" href="{style}"><script src="{script}"></script>', shared=True)
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    ui.run_with(
        app,
        title="Lunaport",
        favicon=ICON,
        dark=None,
        tailwind=False,
        storage_secret=config.storage_secret,
        reconnect_timeout=RECONNECT_S,
        gzip_middleware_factory=None,  # the gate puts a nonce into pages
        show_welcome_message=False,
        language="en-US",
    )
    await gate.cleanup.enter_async_context(app.router.lifespan_context(app))
    looking = asyncio.create_task(watching.run())

    async def stop() -> None:
        looking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await looking

    gate.cleanup.push_async_callback(stop)
    return app
