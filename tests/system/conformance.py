"""libiscsi's `iscsi-test-cu` on LUNs of several kinds, and what its tests really did.

Its own summary counts a test as passed that it skipped because a command or a kind of LUN is missing, so this reads the
single lines. Each suite runs in a process of its own: a test that skips itself can leave a hook behind that spoils the
next suite. A test counts as passed when it ran and passed on one kind of LUN at least and failed on none.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.system.initiator import Initiator
from tests.system.nas import Nas
from tests.system.peers import output_of, run

SUITES_AT_ONCE = 4
SUITE_TIMEOUT_S = 400
Outcome = Literal["pass", "skip", "fail"]

HARMLESS = {
    "Test not implemented yet",
    "No alignment restrictions on this LUN",
    "No granularity restrictions on this LUN",
}
"""What tests say that skip a step and do the rest."""


SIZES = {"Sanitize.Reset": 6 << 30}
"""It looks twice, seconds apart, whether the disk is still being overwritten."""
NOT_THE_LONG_ONE = r"(?!Sanitize\.Reset)"
BLOCK_ERASE = bytes.fromhex("48 02 00 00 00 00 00 00 00 00")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of LUN, and which suites make sense on it."""

    name: str
    lun: Mapping[str, Any] = field(default_factory=dict)
    suites: str = "."
    """A regular expression."""
    paths: int = 1


KINDS = (
    Kind(name="thin"),
    Kind(name="4096-byte blocks", lun={"block_size_bytes": 4096}, suites=NOT_THE_LONG_ONE),
    Kind(name="fully provisioned", lun={"unmap": False}, suites=NOT_THE_LONG_ONE),
    Kind(name="removable", lun={"removable": True}, suites=NOT_THE_LONG_ONE),
    Kind(
        name="read-only",
        lun={"read_only": True},
        suites="Inquiry|Mandatory|ModeSense6|Read(6|10|12|16)|ReadOnly|ReadCapacity|ReadDefect|Report|TestUnitReady",
    ),
    Kind(name="encrypted", lun={"encrypted": True}, suites=r"Sanitize\.(?!Reset)|Read10|Write(10|16|Same16)|Unmap"),
    Kind(name="two paths", suites="MultipathIO", paths=2),
)

WRONG_TESTS = {
    # Expects the first descriptor to be of LBA i + 8 where it asked for LBA i + 1.
    ("thin", "GetLBAStatus.UnmapSingle"),
    ("removable", "GetLBAStatus.UnmapSingle"),
}
"""Tests that are wrong about a kind of LUN, with what they get wrong."""


def suites() -> list[str]:
    """Every suite of the program that is installed; of SANITIZE each test by itself, for it needs a disk of its own."""
    listed = output_of("iscsi-test-cu", "--list")
    names = re.findall(r"^ALL\.(\w+)$", listed, re.MULTILINE)
    erasures = re.findall(r"^ALL\.(Sanitize\.\w+)$", listed, re.MULTILINE)
    return [name for name in names if name != "Sanitize"] + erasures


def run_kind(nas: Nas, kind: Kind, names: Iterable[str]) -> dict[str, Outcome]:
    """Run the suites on a LUN of this kind; each has a LUN of its own."""

    def run_suite(suite: str) -> dict[str, Outcome]:
        name = f"{kind.name}-{suite}".lower().replace(" ", "-").replace(".", "-")
        document = {"name": name, "luns": [{"size_bytes": SIZES.get(suite, 100 << 20), **kind.lun}]}
        made = nas.client.post("/api/v1/targets", json=document)
        assert made.status_code == 201, made.text
        url = f"iscsi://{nas.hosts[0]}:{nas.port}/{made.json()['name']}/0"
        options = ("--dataloss", "--allow-sanitize", "--test", f"ALL.{suite}")
        done = run("iscsi-test-cu", *options, *[url] * kind.paths, timeout_s=SUITE_TIMEOUT_S)
        if suite in SIZES:
            with Initiator(nas.hosts[0], nas.port, target=made.json()["name"]) as initiator:
                assert initiator.command(BLOCK_ERASE).status == 0, "the disk is needed for others"
        return outcomes(suite.partition(".")[0], done.stdout + done.stderr)

    chosen = [name for name in names if re.match(kind.suites, name)]
    with ThreadPoolExecutor(SUITES_AT_ONCE) as pool:
        found = list(pool.map(run_suite, chosen))
    return {test: outcome for each in found for test, outcome in each.items()}


def outcomes(suite: str, printed: str) -> dict[str, Outcome]:
    """What each test of a suite did, from what the program printed."""
    found: dict[str, Outcome] = {}
    for part in re.split(r"^  Test: ", printed, flags=re.MULTILINE)[1:]:
        name = part.split(" ", 1)[0]
        skips = set(re.findall(r"\[SKIPPED\] (.*)", part)) - HARMLESS
        if re.search(r"(^|[^\[])FAILED", part, re.MULTILINE):  # [FAILED] is a step that may fail
            found[f"{suite}.{name}"] = "fail"
        elif skips:
            found[f"{suite}.{name}"] = "skip"
        elif "passed" in part:
            found[f"{suite}.{name}"] = "pass"
        else:  # it ended in the middle
            found[f"{suite}.{name}"] = "fail"
    return found


def verdicts(by_kind: Mapping[str, Mapping[str, Outcome]]) -> dict[str, Outcome]:
    """Each test over all kinds."""
    found: dict[str, Outcome] = {}
    for kind, tests in by_kind.items():
        for test, outcome in tests.items():
            if (kind, test) in WRONG_TESTS:
                continue
            before = found.get(test, "skip")
            found[test] = "fail" if "fail" in (before, outcome) else "pass" if "pass" in (before, outcome) else "skip"
    return found


def table(by_kind: Mapping[str, Mapping[str, Outcome]]) -> str:
    """The numbers of each kind and of all of them, as text."""
    rows = [(kind, Counter(tests.values())) for kind, tests in by_kind.items()]
    rows.append(("all", Counter(verdicts(by_kind).values())))
    lines = [f"{'kind':20}{'pass':>6}{'fail':>6}{'skip':>6}"]
    lines += [f"{name:20}{count['pass']:6}{count['fail']:6}{count['skip']:6}" for name, count in rows]
    return "\n".join(lines)
