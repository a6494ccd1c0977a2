"""How long wrong passwords make one wait."""

from lunaport.service.throttle import FORGET_S, FREE_FAILURES, KEYS_MAX, WAIT_S_MAX, Throttle


class Clock:
    """Time that a test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


KEY = ("address", "192.0.2.1")


def test_the_wait_doubles_to_its_maximum() -> None:
    clock = Clock()
    throttle = Throttle(clock)
    for _ in range(FREE_FAILURES - 1):
        throttle.failed([KEY])
    assert throttle.wait_s([KEY]) == 0.0
    waits = []
    for _ in range(9):
        throttle.failed([KEY])
        waits.append(throttle.wait_s([KEY]))
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, WAIT_S_MAX, WAIT_S_MAX, WAIT_S_MAX]
    clock.now += 59.0
    assert throttle.wait_s([KEY]) == 1.0
    clock.now += 1.0
    assert throttle.wait_s([KEY]) == 0.0


def test_the_longest_wait_counts() -> None:
    throttle = Throttle(Clock())
    for _ in range(FREE_FAILURES):
        throttle.failed([KEY])
    assert throttle.wait_s([("user", "admin"), KEY]) == 1.0
    assert throttle.wait_s([("user", "admin")]) == 0.0
    assert throttle.wait_s([]) == 0.0


def test_what_is_over_is_forgotten() -> None:
    clock = Clock()
    throttle = Throttle(clock)
    for _ in range(FREE_FAILURES):
        throttle.failed([KEY])
    throttle.succeeded([KEY])
    assert throttle.wait_s([KEY]) == 0.0
    for _ in range(FREE_FAILURES):
        throttle.failed([KEY])
    clock.now += FORGET_S
    assert throttle.wait_s([KEY]) == 0.0
    throttle.failed([KEY])
    assert throttle.wait_s([KEY]) == 0.0, "it begins anew"


def test_memory_is_bounded() -> None:
    throttle = Throttle(Clock())
    for _ in range(FREE_FAILURES):
        throttle.failed([KEY])
    for number in range(KEYS_MAX - 1):
        throttle.failed([("address", str(number))])
    assert throttle.wait_s([KEY]) == 1.0
    throttle.failed([("address", "one more")])
    assert throttle.wait_s([KEY]) == 0.0
