"""Worker threads for what may block on a disk: each logical unit has its own few, so one slow disk stalls no other."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from lunaport.blockdev.device import DeviceError, DeviceFault
from lunaport.engine.embedded.loop import Loop

THREADS_PER_DISK_MAX = 4


class Workers:
    """A small pool of threads, started as needed, that hands results back to the event loop."""

    def __init__(self, loop: Loop, name: str, threads_max: int = THREADS_PER_DISK_MAX) -> None:
        self.loop = loop
        self.executor = ThreadPoolExecutor(threads_max, thread_name_prefix=name)
        self.under_way = 0
        self.when_idle: Callable[[], None] | None = None
        self.closed = False

    def submit(self, work: Callable[[], None], done: Callable[[BaseException | None], None]) -> None:
        """Run `work` in a thread, then `done` (with what it raised, or None) on the loop.

        After `close` nothing is begun any more: what had waited for its turn ends as if the disk were gone.
        """
        if self.closed:
            gone = DeviceError(DeviceFault.GONE, "the disk was closed")
            self.loop.call_soon(lambda: done(gone))
            return

        def run() -> None:
            failure: BaseException | None = None
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - it is the task's failure, not the thread's
                failure = error
            self.loop.call_from_thread(lambda: self._end(done, failure))

        self.under_way += 1
        self.executor.submit(run)

    def hold(self) -> None:
        """Another disk's work begins to use what these threads work on: `close` waits for `release` too."""
        self.under_way += 1

    def release(self) -> None:
        """That work has ended."""
        self._less()

    def _less(self) -> None:
        self.under_way -= 1
        if not self.under_way and self.when_idle is not None:
            self.when_idle()

    def _end(self, done: Callable[[BaseException | None], None], failure: BaseException | None) -> None:
        try:
            # Before the work counts as ended: it may go on with a next piece.
            done(failure)
        finally:
            self._less()

    def close(self, when_idle: Callable[[], None]) -> None:
        """Take no more work; `when_idle` when the last of it has ended."""
        self.closed = True
        self.executor.shutdown(wait=False)
        if self.under_way:
            self.when_idle = when_idle
        else:
            when_idle()
