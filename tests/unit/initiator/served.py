"""The target of the pair tests behind a socket on loopback, in the loop of the test."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from lunaport.iscsi.chap import ChapCredential
from lunaport.iscsi.errors import LoginRefused
from lunaport.iscsi.login import TargetPolicy
from tests.unit.iscsi.full_feature import Disk
from tests.unit.iscsi.initiator import TARGET, Directory
from tests.unit.iscsi.pair import SizedDisk, Target

HOST = "127.0.0.1"
MUTUAL = ("disk", b"other twelve")
CREDENTIALS = (ChapCredential(user="alice", secret=b"twelve bytes", mutual=MUTUAL),)
PLAIN = TargetPolicy(name=TARGET, header_digest=True, data_digest=True)
GUARDED = TargetPolicy(name=TARGET, header_digest=True, data_digest=True, credentials=CREDENTIALS)


class Served:
    """What the connections of one server share, and those there were."""

    def __init__(self, policy: TargetPolicy) -> None:
        self.policy = policy
        self.refusal: LoginRefused | None = None
        self.disk: Disk = SizedDisk()
        self.targets: list[Target] = []
        self.port = 0

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target = Target(Directory(policy=self.policy, discovery=self.policy, refusal=self.refusal), self.disk, 3)
        self.targets.append(target)
        loop = asyncio.get_running_loop()

        def flush() -> None:
            writer.write(target.take_output())

        def wake() -> None:
            loop.call_soon(flush)  # not at once: it is said in the middle of things

        target.woken = wake
        try:
            while not target.closing and (data := await reader.read(65536)):
                writer.write(target.receive(data))
        finally:
            writer.close()


@asynccontextmanager
async def serving(policy: TargetPolicy = PLAIN) -> AsyncIterator[Served]:
    """A server with one target."""
    served = Served(policy)
    server = await asyncio.start_server(served.handle, HOST, 0)
    served.port = server.sockets[0].getsockname()[1]
    async with server:
        yield served
