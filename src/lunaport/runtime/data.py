"""The data process: `python -m lunaport.runtime.data OPTIONS`.

It gets its listening control socket from the supervisor and its desired state over that; it has no database, no
configuration file and no HTTP. The end of standard input means that the supervisor is gone: then it ends too.
"""

import gc
import resource
import signal
import socket
import sys

import msgspec
import structlog

from lunaport.engine.embedded.control import ControlListener
from lunaport.engine.embedded.limits import DataLimits
from lunaport.engine.embedded.loop import READABLE, Loop
from lunaport.engine.embedded.nas import Nas
from lunaport.engine.embedded.neighbour import Place
from lunaport.runtime import logs
from lunaport.runtime.allocator import return_memory
from lunaport.runtime.ending import end
from lunaport.runtime.heartbeat import BEAT_S, Heartbeat

log = structlog.get_logger()

LARGE_BLOCK_BYTES = 512 * 1024
"""Memory of long reads goes back to the system; that of usual ones is used again."""


class DataOptions(msgspec.Struct, kw_only=True):
    """What the supervisor tells a data process."""

    control_fd: int
    """A listening Unix socket."""
    number: int = 0
    count: int = 1
    lines: dict[int, int] = {}
    """Descriptors of the sockets to other data processes, by their number (`channel`)."""
    limits: DataLimits = DataLimits()
    log_level: str = "info"
    log_format: str = "text"


def main() -> None:
    """Serve until SIGTERM or the end of standard input."""
    options = msgspec.json.decode(sys.argv[1], type=DataOptions)
    return_memory(LARGE_BLOCK_BYTES)
    logs.configure(options.log_level, options.log_format)
    descriptors = raise_descriptor_limit()
    loop = Loop()
    lines = {number: socket.socket(fileno=fd) for number, fd in options.lines.items()}
    place = Place(number=options.number, count=options.count, lines=lines)
    nas = Nas(loop, options.limits, descriptors=descriptors, place=place)
    ControlListener(loop, socket.socket(fileno=options.control_fd), nas).start()

    def stop(reason: str) -> None:
        log.info("data process ends", reason=reason)
        loop.stop()

    signals_read, signals_write = socket.socketpair()
    signals_write.setblocking(False)
    signal.set_wakeup_fd(signals_write.fileno())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    loop.register(signals_read.fileno(), lambda _: stop("it was told to"), READABLE)
    loop.register(sys.stdin.fileno(), lambda _: stop("the supervisor is gone"), READABLE)
    heart = Heartbeat(sys.stdin.fileno())

    def beat() -> None:
        heart.beat()
        loop.call_later(BEAT_S, beat)

    beat()
    # Everything made so far stays: the collector need not look at it again.
    gc.collect()
    gc.freeze()
    loop.run()
    nas.close()
    loop.close()
    end(0)


def raise_descriptor_limit() -> int:
    """As many descriptors as the system lets us have: a connection and a disk are one each. Returns how many."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard if hard != resource.RLIM_INFINITY else sys.maxsize


if __name__ == "__main__":
    main()
