"""How many requests an address may make."""

from hypothesis import given
from hypothesis import strategies as st

from lunaport.service.pace import ADDRESSES_MAX, SECONDS_AT_ONCE, TELL_AGAIN_S, Pace
from tests.unit.service.test_throttle import Clock

PER_S = 10.0
FULL = int(PER_S * SECONDS_AT_ONCE)


def test_a_bucket_empties_and_fills_again() -> None:
    clock = Clock()
    pace = Pace(PER_S, clock)
    assert [pace.take("192.0.2.1") for _ in range(FULL)] == [0.0] * FULL
    assert pace.take("192.0.2.1") == 0.1
    assert pace.take("192.0.2.2") == 0.0, "each has its own"
    clock.now += 0.2
    assert [pace.take("192.0.2.1") for _ in range(3)] == [0.0, 0.0, 0.1]
    clock.now += 1e6
    assert sum(pace.take("192.0.2.1") == 0.0 for _ in range(2 * FULL)) == FULL, "no more than a full one"


def test_no_limit() -> None:
    pace = Pace(0, Clock())
    assert not any(pace.take("192.0.2.1") for _ in range(10_000))


def test_the_addresses_of_an_ipv6_host_are_one() -> None:
    pace = Pace(PER_S, Clock())
    for number in range(FULL):
        assert pace.take(f"2001:db8::{number:x}") == 0.0
    assert pace.take("2001:db8::ffff%eth0") > 0
    assert pace.take("2001:db8:0:1::1") == 0.0
    assert pace.take("no:address") == 0.0


def test_the_oldest_address_is_forgotten() -> None:
    pace = Pace(PER_S, Clock())
    for _ in range(FULL + 1):
        pace.take("first")
    for number in range(ADDRESSES_MAX - 1):
        pace.take(str(number))
    assert pace.take("first") > 0
    for number in range(ADDRESSES_MAX):
        pace.take(str(number))
    assert pace.take("first") == 0.0


def test_an_address_is_in_the_log_once_a_minute() -> None:
    clock = Clock()
    pace = Pace(0, clock)
    assert [pace.is_news("192.0.2.1") for _ in range(3)] == [True, False, False]
    assert pace.is_news("192.0.2.2")
    clock.now += TELL_AGAIN_S
    assert pace.is_news("192.0.2.1")


@given(st.lists(st.floats(min_value=0, max_value=3), max_size=80))
def test_never_more_than_the_rate_and_a_full_bucket(pauses: list[float]) -> None:
    clock = Clock()
    pace, passed = Pace(PER_S, clock), 0
    for pause in pauses:
        clock.now += pause
        passed += sum(pace.take("192.0.2.1") == 0.0 for _ in range(20))
    assert passed <= PER_S * clock.now + FULL + 1
