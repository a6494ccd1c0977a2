"""A NAS of a part's own, its administrator, and its initiators."""

import asyncio
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
from tests.system.nas import SHARES, Nas, Share

from lunaport.initiator import Session, connect
from lunaport.iscsi.initiator_options import ChapOptions, Options

USER, SECRET = "alice", "alice-secret-1"
CHAP: Final = {"enabled": True, "username": USER, "password": SECRET}
MANY: Final = {
    "LUNAPORT_SESSIONS": "8192",
    "LUNAPORT_INITIATOR_SESSIONS": "8192",
    "LUNAPORT_ADDRESS_CONNECTIONS": "8192",
}
"""All initiators are one host here."""
UNPACED: Final = {"LUNAPORT_HTTP_REQUESTS_PER_S": "0"}
"""And all clients of the API."""
AT_ONCE: Final = 16
MEMORY: Final = Path("/dev/shm")


class Administrator:
    """Calls the API with a token: no password is hashed for each call."""

    def __init__(self, nas: Nas) -> None:
        self.nas = nas
        body = {"name": "scale", "role": "admin", "days": 1}
        self.token: str = nas.call("POST", body, path="/api/v1/tokens").json()["token"]
        self.client = httpx.Client(base_url=nas.client.base_url, headers=self.headers, timeout=60, trust_env=False)

    @property
    def headers(self) -> dict[str, str]:
        """What proves who it is."""
        return {"Authorization": f"Bearer {self.token}"}

    def call(self, method: str, path: str, body: object | None = None) -> Any:
        """The answer to a call that must succeed."""
        response = self.client.request(method, path, json=body)
        response.raise_for_status()
        return response.json() if response.content else None

    def create(self, name: str, *, size: str = "64M", chap: bool = True, **more: object) -> Share:
        """A share; fio's libiscsi engine knows no CHAP."""
        body = {"target": name, "size": size} | ({"one-way-chap": CHAP} if chap else {}) | more
        return self.nas.share(self.call("POST", SHARES, body))


@contextmanager
def nas_in(base: Path | None, settings: dict[str, str]) -> Iterator[Nas]:
    """A NAS that runs, its files in a folder of `base` (None: where temporary files go) that goes away with it."""
    directory = Path(tempfile.mkdtemp(prefix="lunaport-scale-", dir=base))
    nas = Nas(directory / "nas", settings=UNPACED | settings)
    try:
        nas.start()
        yield nas
        nas.stop()
    finally:
        nas.destroy()
        nas.client.close()
        shutil.rmtree(directory, ignore_errors=True)


def data_pids(nas: Nas) -> list[int]:
    """The processes that serve initiators."""
    return [pid for pid, role in nas.pids().items() if kind_of(role) == "data"]


def kind_of(role: str) -> str:
    """Of the data processes, however many there are, `data`; or else the role itself."""
    return role.partition("-")[0]


def in_memory() -> Path | None:
    """Where files lie in memory, if anywhere."""
    return MEMORY if MEMORY.is_dir() else None


async def log_in(share: Share, number: int, *, chap: bool = True) -> Session:
    """A session of an initiator of its own."""
    options = Options(
        initiator_name=f"iqn.2026-11.test.lunaport:i{number}",
        target_name=share.iqn,
        chap=ChapOptions(user=USER, secret=SECRET.encode()) if chap else None,
        isid=b"\x80" + number.to_bytes(5, "big"),
    )
    return await connect(share.host, share.port, options, timeout_s=60)


async def told(share: Share) -> int:
    """How many targets discovery names to someone who proves his secret."""
    options = Options(
        initiator_name="iqn.2026-11.test.lunaport:asks", chap=ChapOptions(user=USER, secret=SECRET.encode())
    )
    async with await connect(share.host, share.port, options) as session:
        return len(await session.send_targets("All"))


async def in_groups(jobs: Sequence[Callable[[], Awaitable[object]]], at_once: int = AT_ONCE) -> None:
    """Do all of it, some at once."""
    waiting = list(reversed(jobs))

    async def work() -> None:
        while waiting:
            await waiting.pop()()

    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(work())


async def settle(session: Session) -> None:
    """Take the unit attentions that wait for a new session."""
    for _ in range(8):
        if not (await session.command(bytes(6))).status:
            return
