"""The control process: HTTP, the configuration database and the use cases, around one engine.

Started by the supervisor as `python -m lunaport.runtime.control '<json>'` with HTTP sockets that are bound already:
requests wait in them while this process is restarted. It ends on SIGTERM, on SIGINT, and when its standard input ends
(the supervisor has died). It exits with EXIT_UNUSABLE when a restart would not help: the database or the key cannot be
used. No engine yet is no reason to end: HTTP answers, actions say that the engine is starting.
"""

import asyncio
import datetime as dt
import json
import logging
import os
import secrets
import signal
import stat
import sys
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lunaport.api.app import make_app
from lunaport.engine.interface import Engine, EngineError
from lunaport.model.address import ISCSI_PORT, HostPort, parse_host_port
from lunaport.model.errors import DatabaseFailedError, InvalidError
from lunaport.model.name import DEFAULT_IQN_PREFIX
from lunaport.model.secret import new_secret
from lunaport.model.user import ADMIN
from lunaport.model.volume import DEFAULT_VOLUME
from lunaport.runtime import logs
from lunaport.runtime.addresses import interface_addresses
from lunaport.runtime.allocator import return_memory
from lunaport.runtime.certificate import CertificateError, CertificateFiles, check_files, make_certificate, own_names
from lunaport.runtime.ending import end
from lunaport.runtime.heartbeat import BEAT_S, Heartbeat
from lunaport.runtime.isns import IsnsRegistrar
from lunaport.runtime.notify import notify
from lunaport.runtime.web_server import make_servers
from lunaport.service.actions import TidyUp
from lunaport.service.auth import Argon2Hasher, Authenticator
from lunaport.service.context import AUDIT_DAYS_DEFAULT, TRASH_DAYS_DEFAULT, Context, NasConfig
from lunaport.service.errors import ServiceError
from lunaport.service.nas import Nas
from lunaport.service.pace import REQUESTS_PER_S_DEFAULT, Pace
from lunaport.store.errors import StoreError
from lunaport.store.store import SqlStore, open_store
from lunaport.web.gate import Gate
from lunaport.web.loading import SiteConfig, site_loader
from lunaport.web.tickets import Tickets

LOG = logging.getLogger(__name__)

ADMIN_PASSWORD_VARIABLE: Final = "LUNAPORT_ADMIN_PASSWORD"  # noqa: S105 - a variable's name
EXIT_UNUSABLE: Final = 78
"""EX_CONFIG of sysexits.h: the supervisor gives up on this one."""
VOLUMES_FOLDER: Final = "volumes"
CERTIFICATE_FOLDER: Final = "https"
ENGINE_RETRY_S: Final = 0.25
TIDY_INTERVAL_S: Final = 3600.0
LARGE_BLOCK_BYTES: Final = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlConfig:
    """What the supervisor hands over."""

    data_dir: Path
    http_fds: Mapping[str, Sequence[int]]
    """Listening sockets that serve `http`, `https`, and those that only lead to HTTPS (`redirect`)."""
    http_urls: tuple[str, ...]
    engine_sockets: tuple[str, ...]
    """Of the data processes, by their number."""
    portals: tuple[str, ...]
    engine_running: tuple[int, ...] = (0,)
    """The data processes that run already; the others are started by connecting to their sockets."""
    https_certificate: str = ""
    https_key: str = ""
    log_level: str = "info"
    log_format: str = "text"
    iqn_prefix: str = DEFAULT_IQN_PREFIX
    trash_days: float = TRASH_DAYS_DEFAULT
    audit_days: float = AUDIT_DAYS_DEFAULT
    http_requests_per_s: float = REQUESTS_PER_S_DEFAULT
    set_aside_database: bool = False


def parse_config(text: str) -> ControlConfig:
    """The configuration from the argument."""
    given = json.loads(text)
    for key in ("http_urls", "portals", "engine_sockets", "engine_running"):
        if key in given:
            given[key] = tuple(given[key])
    return ControlConfig(**{**given, "data_dir": Path(given["data_dir"])})


class Control:
    """One run of the control process."""

    def __init__(self, config: ControlConfig, engine: Engine, admin_password: str) -> None:
        self._config = config
        self._engine = engine
        self._admin_password = admin_password
        self._registrar = IsnsRegistrar(own_addresses=interface_addresses)
        self._stop = asyncio.Event()

    def stop(self) -> None:
        """End the run, soon."""
        self._stop.set()

    async def run(self) -> None:
        """Serve until `stop`. Raises StoreError when the database cannot be used, InvalidError for the password."""
        config = self._config
        store = await open_store(config.data_dir, random_bytes=os.urandom, replace_broken=config.set_aside_database)
        try:
            nas = Nas(self._context(store))
            self._registrar.publish = nas.events.publish
            authenticator = Authenticator(store, Argon2Hasher(), key=secrets.token_bytes(32))
            await self._serve(store, nas, authenticator)
        finally:
            await self._registrar.close()
            await store.close()
            await self._engine.close()

    def _context(self, store: SqlStore) -> Context:
        config = self._config
        return Context(
            store=store,
            engine=self._engine,
            config=NasConfig(
                portals=tuple(parse_host_port(each, ISCSI_PORT) for each in config.portals),
                default_volume_path=str(config.data_dir.absolute() / VOLUMES_FOLDER / DEFAULT_VOLUME),
                iqn_prefix=config.iqn_prefix,
                trash_days=config.trash_days,
                audit_days=config.audit_days,
            ),
            clock=time.time,
            new_uuid=lambda: uuid.uuid4().hex,
            registrar=self._registrar,
        )

    async def _serve(self, store: SqlStore, nas: Nas, authenticator: Authenticator) -> None:
        gate = self._gate(store, nas, authenticator)
        servers = make_servers(gate, self._config.http_fds, self._certificate)
        serving = [asyncio.create_task(server.serve(sockets=sockets)) for server, sockets in servers]
        ready = asyncio.gather(*(server.ready.wait() for server, _ in servers))
        working = asyncio.create_task(self._work(ready, store, nas, authenticator))
        stopping = asyncio.create_task(self._stop.wait())
        following = asyncio.gather(nas.follow_engine(), nas.look_after_database())
        try:
            await asyncio.wait({*serving, working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for server, _ in servers:
                server.should_exit = True
            nas.events.close()
            for task in (working, stopping, following):
                task.cancel()
            await asyncio.gather(ready, working, stopping, following, return_exceptions=True)
            await gate.close()
            await asyncio.gather(*serving)
        if working.done() and not working.cancelled():
            working.result()

    def _gate(self, store: SqlStore, nas: Nas, authenticator: Authenticator) -> Gate:
        """The page around the interfaces for programs."""
        config = self._config
        site = SiteConfig(
            storage_secret=store.derived_key("page storage").hex(),
            iqn_prefix=config.iqn_prefix,
            trash_days=config.trash_days,
            audit_days=config.audit_days,
            data_dir=str(config.data_dir.absolute()),
            http_urls=config.http_urls,
        )
        tickets = Tickets(store.derived_key("page tickets"))
        pace = Pace(config.http_requests_per_s, time.monotonic)
        return Gate(make_app(nas, authenticator, pace), authenticator, tickets, site_loader(nas, site), pace)

    def _certificate(self) -> CertificateFiles:
        config = self._config
        if config.https_certificate:
            return check_files(CertificateFiles(certificate=Path(config.https_certificate), key=Path(config.https_key)))
        folder = config.data_dir / CERTIFICATE_FOLDER
        files = make_certificate(folder, own_names(config.http_urls), dt.datetime.now(dt.UTC))
        _say(f"HTTPS with our own certificate {files.certificate}   SHA-256 {files.fingerprint()}")
        return files

    async def _work(self, ready: Awaitable[object], store: SqlStore, nas: Nas, authenticator: Authenticator) -> None:
        await self._start_engine(nas, lambda: self._make_admin(store, authenticator))
        await ready
        await self._announce(nas)
        registering = asyncio.create_task(self._registrar.run(nas.registration))
        try:
            await self._tidy_up(nas)
        finally:
            registering.cancel()
            await asyncio.wait({registering})

    async def _tidy_up(self, nas: Nas) -> None:
        while True:
            await asyncio.sleep(TIDY_INTERVAL_S)
            try:
                await nas.perform(TidyUp())
            except (ServiceError, DatabaseFailedError) as error:
                LOG.warning("tidying up was not possible: %s", error)

    async def _start_engine(self, nas: Nas, prepare: Callable[[], Awaitable[None]]) -> None:
        said = ""
        while True:
            try:
                await nas.start(prepare)
            except (EngineError, DatabaseFailedError) as error:
                if str(error) != said:
                    LOG.warning("waiting before it serves: %s", error)
                    said = str(error)
                await asyncio.sleep(ENGINE_RETRY_S)
            else:
                return

    async def _make_admin(self, store: SqlStore, authenticator: Authenticator) -> None:
        """Make the first user when there is none.

        The password is printed before it is stored: killed in between, the next start makes another one.
        """
        if await store.has_users():
            return
        password = self._admin_password or new_secret()
        if not self._admin_password:
            _say(f"First start. User: {ADMIN}   Password: {password}   (printed only once)")
        await authenticator.make_admin(password, time.time())

    async def _announce(self, nas: Nas) -> None:
        """Say where the NAS is."""
        portals = ", ".join(str(HostPort(host=each.host, port=each.port)) for each in await nas.portals())
        if (await nas.service()).portals is not None:
            LOG.info("portals are those that were set while the NAS ran; --portal does not count")
        for url in self._config.http_urls:
            _say(f"Lunaport is ready: {url}   user: {ADMIN}   iSCSI: {portals or 'off'}")
        notify("READY=1", f"STATUS=iSCSI: {portals or 'off'}")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _watch_stdin(loop: asyncio.AbstractEventLoop, stop: Callable[[], None]) -> None:
    """Stop when standard input ends; only a pipe or socket tells that the supervisor has died."""
    try:
        mode = os.fstat(0).st_mode
    except OSError:
        return
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        return

    def readable() -> None:
        try:
            ended = not os.read(0, 4096)
        except ConnectionResetError:  # a supervisor that died before it had read everything
            ended = True
        if ended:
            loop.remove_reader(0)
            stop()

    loop.add_reader(0, readable)


MakeEngine = Callable[[Sequence[str], Sequence[int]], Engine]


async def _run(config: ControlConfig, make_engine: MakeEngine, admin_password: str) -> None:
    control = Control(config, make_engine(config.engine_sockets, config.engine_running), admin_password)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, control.stop)
    _watch_stdin(loop, control.stop)
    heart = Heartbeat()

    def beat() -> None:
        heart.beat()
        loop.call_later(BEAT_S, beat)

    beat()
    await control.run()


def run(config: ControlConfig, make_engine: MakeEngine, admin_password: str) -> int:
    """Run the control process to its end; returns its exit code."""
    os.umask(0o077)
    return_memory(LARGE_BLOCK_BYTES)
    logs.configure(config.log_level, config.log_format)
    try:
        (config.data_dir / VOLUMES_FOLDER).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        LOG.error("cannot make the data directory: %s", error)
        return EXIT_UNUSABLE
    try:
        asyncio.run(_run(config, make_engine, admin_password))
    except StoreError as error:
        LOG.error("cannot start: %s", error)
        return EXIT_UNUSABLE
    except CertificateError as error:
        LOG.error("cannot serve HTTPS: %s", error)
        return EXIT_UNUSABLE
    except InvalidError as error:
        LOG.error("%s: %s", ADMIN_PASSWORD_VARIABLE, error)
        return EXIT_UNUSABLE
    return 0


def main() -> None:
    """The entry of `python -m lunaport.runtime.control`."""
    from lunaport.engine.embedded.client import EmbeddedEngine

    # Taken out of the environment, so that no child process inherits it.
    admin_password = os.environ.pop(ADMIN_PASSWORD_VARIABLE, "")
    end(run(parse_config(sys.argv[1]), EmbeddedEngine, admin_password))


if __name__ == "__main__":
    main()
