"""libiscsi's own conformance tests on every kind of LUN (`conformance` says how they are counted)."""

from collections.abc import Mapping

import pytest

from tests.system.conformance import KINDS, WRONG_TESTS, Outcome, outcomes, run_kind, suites, table, verdicts
from tests.system.nas import Nas

pytestmark = pytest.mark.long

TESTS_COUNT = 230
Results = Mapping[str, Mapping[str, Outcome]]


@pytest.fixture(scope="module")
def results(shared_nas: Nas) -> Results:
    """What every test did on every kind of LUN."""
    names = suites()
    return {kind.name: run_kind(shared_nas, kind, names) for kind in KINDS}


@pytest.mark.peer
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", [kind.name for kind in KINDS])
def test_none_fails(results: Results, kind: str) -> None:
    failed = {test for test, outcome in results[kind].items() if outcome == "fail" and (kind, test) not in WRONG_TESTS}
    assert not failed, table(results)


@pytest.mark.peer
@pytest.mark.timeout(900)
def test_every_one_runs_and_passes_somewhere(results: Results, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print("\n" + table(results))
    found = verdicts(results)
    assert len(found) == TESTS_COUNT
    assert {test for test, outcome in found.items() if outcome != "pass"} == set()


def test_what_the_program_prints_is_counted_as_what_it_is() -> None:
    printed = """
Suite: S
  Test: Good ...passed
  Test: Left ...    [SKIPPED] WRITE16 is not implemented.
passed
  Test: Partly ...    [SKIPPED] Test not implemented yet
passed
  Test: Step ...    [FAILED] WRITE10 command failed, as it may
passed
  Test: Bad ...FAILED
    1. test_bad.c:31  - CU_ASSERT_EQUAL(_r,0)
  Test: Cut ..."""
    assert outcomes("S", printed) == {
        "S.Good": "pass",
        "S.Left": "skip",
        "S.Partly": "pass",
        "S.Step": "pass",
        "S.Bad": "fail",
        "S.Cut": "fail",
    }
