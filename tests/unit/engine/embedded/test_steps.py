"""Steps one after the other, all together, and in a queue."""

from lunaport.engine.embedded.steps import Finish, Queue, Step, run_steps, run_together


class Waiting:
    """A step that ends when it is told to."""

    def __init__(self) -> None:
        self.finish: Finish | None = None

    def __call__(self, finish: Finish) -> None:
        self.finish = finish

    def end(self, error: BaseException | None = None) -> None:
        assert self.finish is not None, "the step has not begun"
        self.finish(error)


def at_once(finish: Finish) -> None:
    finish(None)


def test_steps_run_in_order_and_stop_at_an_error() -> None:
    first, second, third = Waiting(), Waiting(), Waiting()
    ended: list[BaseException | None] = []
    run_steps([at_once, first, second, third], ended.append)
    assert second.finish is None
    first.end()
    error = ValueError()
    second.end(error)
    assert ended == [error]
    assert third.finish is None


def test_no_steps_end_at_once() -> None:
    ended: list[BaseException | None] = []
    run_steps([], ended.append)
    run_together([], ended.append)
    assert ended == [None, None]


def test_many_steps_do_not_nest() -> None:
    ended: list[BaseException | None] = []
    steps: list[Step] = [at_once] * 5000
    run_steps(steps, ended.append)
    assert ended == [None]


def test_together_waits_for_all_and_tells_the_first_error() -> None:
    first, second = Waiting(), Waiting()
    ended: list[BaseException | None] = []
    run_together([first, second], ended.append)
    error = ValueError()
    second.end(error)
    assert ended == []
    first.end(KeyError())
    assert ended == [error]


def test_a_queue_runs_one_at_a_time() -> None:
    queue = Queue()
    first, second = Waiting(), Waiting()
    ended: list[str] = []
    queue.add(first, lambda _: ended.append("first"))
    queue.add(second, lambda _: ended.append("second"))
    assert second.finish is None
    first.end()
    assert ended == ["first"]
    second.end(ValueError())
    assert ended == ["first", "second"]
    queue.add(at_once, lambda _: ended.append("third"))
    assert ended[-1] == "third"
