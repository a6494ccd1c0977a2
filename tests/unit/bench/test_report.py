"""Medians and ratios of rounds: what `make bench` tells and is held against."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from bench import report
from bench.jobs import EMULATED, FULL, SHORT, Job, sample_of

READ = SHORT[0]


def a_round(iops: float, *, cpu_us: float = 10.0, p99_us: float = 100.0) -> report.Round:
    return {"iops": iops, "bytes_per_s": iops * 4096, "latency_us": 50.0, "p99_us": p99_us, "cpu_us": cpu_us}


ROUNDS: report.Rounds = {
    READ.name: {
        # The machine is twice as fast in the second round, for all of them.
        "lunaport": [a_round(150), a_round(300, cpu_us=20), a_round(90)],
        "tgtd": [a_round(100), a_round(200, p99_us=50), a_round(100)],
        "floor": [a_round(100), a_round(100), a_round(100)],
    }
}


def test_a_ratio_is_taken_within_its_round_and_the_median_counts() -> None:
    found = report.ratios([READ], ROUNDS)
    assert found == {
        READ.name: {
            "tgtd": {"iops": 1.5, "cpu_us": 1.0, "p99_us": 1.0},
            "floor": {"iops": 1.5, "cpu_us": 1.0, "p99_us": 1.0},
        }
    }


def test_the_table_has_a_line_for_each_rival() -> None:
    head, first, second = report.table([READ], ROUNDS).splitlines()
    assert head.split()[:3] == ["rival", "lunaport", "rival's"]
    assert first.startswith(READ.name)
    assert "1.50" in first
    assert second.split()[:2] == ["floor", "0.1k"]


def test_large_blocks_are_told_in_bytes() -> None:
    job = next(job for job in SHORT if job.block == "64k")
    rounds = {job.name: {name: [a_round(1e6)] for name in ("lunaport", *job.rivals)}}
    assert "4.10 GB/s" in report.table([job], rounds)


@pytest.mark.parametrize(("now", "slower"), [(1.39, True), (1.4, False), (1.41, False), (3.0, False)])
def test_clearly_slower_than_what_was_kept_is_a_regression(now: float, slower: bool) -> None:
    kept: report.Ratios = {"job": {"tgtd": {"iops": 2.0}}}
    found = report.regressions({"job": {"tgtd": {"iops": now}}}, kept)
    assert found == (["job: 1.39 times tgtd, it was 2.00"] if slower else [])


def test_what_was_not_measured_is_no_regression() -> None:
    assert not report.regressions({}, {"job": {"tgtd": {"iops": 2.0}}, "other": {"floor": {"iops": 9.0}}})


def test_names_of_jobs_are_unlike_each_other_and_say_what_is_special() -> None:
    names = [job.name for job in (*FULL, *EMULATED)]
    assert len(set(names)) == len(names)
    special = Job(pattern="randrw", block="4k", depth=8, clients=4, digests=True, cold=True, emulated=True)
    assert special.name == "4k 70/30 random QD8 x4 digests cold emulated"


def test_a_result_is_kept_under_the_time_it_was_taken(tmp_path: Path) -> None:
    when = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    path = report.keep(tmp_path / "results", {"a": 1}, when)
    assert (path.name, path.read_text()) == ("2026-01-02-030405.json", '{\n "a": 1\n}\n')


def test_what_fio_says_of_both_directions_is_added_up() -> None:
    def side(ios: int, mean_ns: float, p99_ns: float) -> dict[str, object]:
        return {
            "total_ios": ios,
            "iops": ios / 2,
            "bw_bytes": ios * 2048,
            "lat_ns": {"mean": mean_ns},
            "clat_ns": {"percentile": {"99.000000": p99_ns}},
        }

    sample = sample_of({"read": side(300, 1000, 5000), "write": side(100, 5000, 4000)})
    assert (sample.ios, sample.iops, sample.bytes_per_s) == (400, 200, 400 * 2048)
    assert (sample.latency_us, sample.p99_us) == (2.0, 5.0)
