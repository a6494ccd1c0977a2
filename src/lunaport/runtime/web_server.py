"""The ways in to the web application: HTTP, HTTPS, and plain HTTP that only leads to HTTPS.

Each is a server of its own on sockets that are bound already, in the same event loop.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from lunaport.api.redirect import Redirect
from lunaport.runtime.certificate import CertificateFiles

STOP_TIMEOUT_S: Final = 1
CONNECTION_COUNT_MAX: Final = 512
KEEP_ALIVE_S: Final = 30
SOCKET_BYTES_MAX: Final = 1 << 20


class Server(uvicorn.Server):
    """Uvicorn, with signals left to us, and an event that says when it answers."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then tell."""
        await super().startup(sockets)
        self.ready.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Signals are handled by the event loop here."""
        yield


def server_config(app: ASGIApp, certificate: CertificateFiles | None) -> uvicorn.Config:
    """How every way in is served."""
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        http="h11",
        ws="websockets-sansio",
        ws_max_size=SOCKET_BYTES_MAX,
        limit_concurrency=CONNECTION_COUNT_MAX,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=STOP_TIMEOUT_S,
        workers=1,
        ssl_certfile=certificate.certificate if certificate else None,
        ssl_keyfile=certificate.key if certificate else None,
    )


def make_servers(
    app: ASGIApp, descriptors: Mapping[str, Sequence[int]], find_certificate: Callable[[], CertificateFiles]
) -> list[tuple[Server, list[socket.socket]]]:
    """A server for each way in (`http`, `https`, `redirect`), with its sockets."""
    certificate = find_certificate() if descriptors.get("https") else None
    ways = {
        scheme: [socket.socket(fileno=descriptor) for descriptor in group]
        for scheme, group in descriptors.items()
        if group
    }
    servers = []
    for scheme, sockets in ways.items():
        served: ASGIApp = Redirect(ways["https"][0].getsockname()[1]) if scheme == "redirect" else app
        servers.append((Server(server_config(served, certificate if scheme == "https" else None)), sockets))
    return servers
