"""Steps that end by a callback, one after the other: how the event loop does what takes several waits."""

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

Finish = Callable[[BaseException | None], None]
"""Called once when a step has ended, with what went wrong."""
Step = Callable[[Finish], None]


def run_steps(steps: Sequence[Step], finish: Finish) -> None:
    """Run each step when the one before has ended well; `finish` after the last, or with the first error."""
    left = deque(steps)
    # A step that ends at once must not nest the next one in its call: there may be thousands.
    running = more = False

    def proceed(error: BaseException | None) -> None:
        nonlocal running, more
        if error is not None:
            finish(error)
            return
        more = True
        if running:
            return
        running = True
        while more:
            more = False
            if not left:
                finish(None)
            else:
                left.popleft()(proceed)
        running = False

    proceed(None)


def run_together(steps: Sequence[Step], finish: Finish) -> None:
    """Run all steps at once; `finish` when every one has ended, with the first error among them."""
    left = len(steps)
    first: BaseException | None = None

    def ended(error: BaseException | None) -> None:
        nonlocal left, first
        left -= 1
        first = first or error
        if not left:
            finish(first)

    if not steps:
        finish(None)
    for step in steps:
        step(ended)


class Queue:
    """Runs one step at a time, in the order in which they came."""

    def __init__(self) -> None:
        self.waiting: deque[tuple[Step, Finish]] = deque()
        self.busy = False

    def add(self, step: Step, finish: Finish) -> None:
        """Run `step` after those before it, then `finish`."""
        self.waiting.append((step, finish))
        if not self.busy:
            self._run()

    def _run(self) -> None:
        self.busy = True
        batch = [partial(_forgiving, step, told) for step, told in self.waiting]
        self.waiting.clear()
        run_steps(batch, self._idle)

    def _idle(self, _error: BaseException | None) -> None:
        if self.waiting:
            self._run()
        else:
            self.busy = False


def _forgiving(step: Step, told: Finish, finish: Finish) -> None:
    """A step whose error goes to who asked for it, and keeps nothing behind it from running."""

    def ended(error: BaseException | None) -> None:
        told(error)
        finish(None)

    step(ended)
