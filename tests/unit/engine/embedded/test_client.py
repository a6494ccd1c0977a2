"""The control side of the engine, where it waits for the data process."""

import asyncio
from pathlib import Path

from lunaport.engine.embedded import messages
from lunaport.engine.embedded.client import EmbeddedEngine
from lunaport.engine.interface import DesiredState, EngineUnavailableError, EventMark


def test_who_waits_can_be_cancelled_in_the_moment_the_data_process_goes_away(tmp_path: Path) -> None:
    """Both get SIGTERM at once when the NAS ends."""

    async def run() -> None:
        ended = asyncio.Event()

        async def take_the_desired_state(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            (length,) = messages.LENGTH.unpack(await reader.readexactly(messages.LENGTH.size))
            request = messages.request_decoder.decode(await reader.readexactly(length))
            writer.write(messages.encode(messages.Reply(request.number, messages.Done())))
            await reader.read()
            writer.close()
            await writer.wait_closed()
            ended.set()

        path = str(tmp_path / "data.sock")
        async with await asyncio.start_unix_server(take_the_desired_state, path):
            engine = EmbeddedEngine([path])
            await engine.start(DesiredState())
            waiting = asyncio.create_task(engine.events(EventMark()))
            await asyncio.sleep(0)
            (reply,) = engine.lines[0].replies.values()
            reply.set_exception(EngineUnavailableError("the data process went away"))
            waiting.cancel()
            (result,) = await asyncio.gather(waiting, return_exceptions=True)
            await engine.close()
            await ended.wait()
        assert isinstance(result, asyncio.CancelledError)

    asyncio.run(run())
