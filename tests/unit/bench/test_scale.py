"""What the measurements of scale make of what they found."""

import pytest
from bench.scale import bars, churn, loads, measure, writers
from bench.scale.__main__ import PARTS
from bench.scale.bars import Bar
from hypothesis import given
from hypothesis import strategies as st

MOST = Bar(says="how long it takes", figure="took_ms", limit=30, unit="ms")
LEAST = Bar(says="how many there are", figure="count", limit=400, at_least=True)


@pytest.mark.parametrize(("value", "met"), [(29.9, True), (30, True), (30.1, False)])
def test_a_bar_of_at_most(value: float, met: bool) -> None:
    assert MOST.is_met({"took_ms": value}) is met
    assert MOST.line({"took_ms": value}).startswith("met" if met else "MISSED")


@pytest.mark.parametrize(("value", "met"), [(399.9, False), (400, True), (401, True)])
def test_a_bar_of_at_least(value: float, met: bool) -> None:
    assert LEAST.is_met({"count": value}) is met


def test_what_was_not_measured_is_not_met_and_says_so() -> None:
    assert not MOST.is_met({})
    assert bars.table([MOST, LEAST], {"count": 500}).splitlines()[0].startswith("not measured")
    assert bars.missed([MOST, LEAST], {"count": 500}) == ["how long it takes"]
    assert bars.markdown([MOST, LEAST], {"took_ms": 31}).splitlines() == [
        "| how long it takes | ≤ 30 ms | **31 ms, missed** |",
        "| how many there are | ≥ 400 | not measured |",
    ]
    [first, second] = bars.document([MOST, LEAST], {"count": 500})
    assert (first["value"], first["met"], second["value"], second["met"]) == (None, False, 500, True)


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (1.5, "1.50"), (12.34, "12.3"), (123.4, "123"), (12345, "12,345"), (0.0006, "0.00")]
)
def test_numbers_have_as_many_places_as_tell_something(value: float, text: str) -> None:
    assert bars.number(value) == text


def test_each_part_has_bars_with_figures_of_their_own() -> None:
    for part in PARTS.values():
        figures = [bar.figure for bar in part.bars]
        assert figures
        assert len(set(figures)) == len(figures)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1), st.floats(0, 1))
def test_a_percentile_is_one_of_the_values_and_as_many_lie_below(values: list[float], part: float) -> None:
    found = measure.percentile(values, part)
    assert found in values
    assert sum(value < found for value in values) <= part * len(values)
    assert sum(value <= found for value in values) >= min(part * len(values), len(values))


def test_a_percentile_of_nothing() -> None:
    with pytest.raises(ValueError, match="no values"):
        measure.percentile([], 0.99)


def test_a_rise_is_told_by_the_hour() -> None:
    assert measure.slope_per_hour([(0, 100), (10, 110), (20, 120)]) == pytest.approx(3600)
    assert measure.slope_per_hour([(0, 7), (5, 7)]) == 0
    with pytest.raises(ValueError, match="one moment"):
        measure.slope_per_hour([(1, 7), (1, 8)])


def test_what_fio_says_of_its_jobs() -> None:
    def side(ios: int, p99_ns: float = 0, max_ns: float = 0, speed: int = 0) -> dict[str, object]:
        return {
            "total_ios": ios,
            "bw_bytes": speed,
            "clat_ns": {"percentile": {"99.000000": p99_ns}, "max": max_ns},
        }

    jobs = [
        {"error": 0, "read": side(0), "write": side(10, 2000, 3e9, 500)},
        {"error": 5, "read": side(10, 9000, 1e9, 100), "write": side(10, 1000, 2e9, 200)},
    ]
    assert loads.speeds(jobs) == [500, 300]
    assert loads.p99_us(jobs) == 9
    assert loads.longest_s(jobs) == 3
    assert loads.errors(jobs) == 1


def test_data_under_way_is_that_of_all_processes() -> None:
    text = """\
# HELP lunaport_data_under_way_bytes Data under way.
lunaport_data_under_way_bytes{process="data"} 100.0
lunaport_data_under_way_bytes{process="data 2"} 20.0
lunaport_data_under_way_peak_bytes{process="data"} 2e+03
lunaport_data_under_way_peak_bytes{process="data 2"} 1000.0
lunaport_data_under_way_limit_bytes{process="data"} 4000.0
lunaport_data_under_way_limit_bytes{process="data 2"} 1000.0
lunaport_process_resident_bytes{process="data"} 7.0
"""
    assert writers.under_way(text) == {"bytes": 120, "peak_bytes": 3000, "limit_bytes": 5000}
    assert writers.fullest(text) == 1, "each process has a limit of its own"


def test_growth_is_told_for_each_process() -> None:
    def sample(at_s: float, kib: int, files: int = 10) -> churn.Sample:
        return churn.Sample("data", at_s, kib, files)

    samples = [sample(0, 5000), sample(10, 9000), sample(20, 1000), sample(30, 1010)]
    found = churn.growth({"data": sample(0, 1000)}, {"data": sample(0, 1100, 12)}, samples)
    assert (found["data_ratio"], found["data_files_more"]) == (1.1, 2)
    assert found["data_rise_kib_per_hour"] == pytest.approx(3600), "of the second half"
