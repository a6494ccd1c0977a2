"""libiscsi's own conformance tests, for all that Lunaport implements.

Its summary counts a test as passed that it skipped because a command is missing, so this reads the single lines. Each
suite runs in a process of its own: a test that skips itself can leave a hook behind that spoils the next suite.
"""

import re

import pytest

from tests.system.initiator import Initiator
from tests.system.nas import Nas
from tests.system.peers import run

BLOCK_ERASE = bytes.fromhex("48 02 00 00 00 00 00 00 00 00")
SUITES: dict[str, tuple[int, set[str]]] = {
    "ExtendedCopy": (6, set()),
    "Inquiry": (7, set()),
    "Mandatory": (1, set()),
    "ModeSense6": (5, set()),
    "PrinReadKeys": (2, set()),
    "PrinReportCapabilities": (1, set()),
    "PrinServiceactionRange": (1, set()),
    "ProutClear": (1, set()),
    "ProutPreempt": (1, set()),
    "ProutRegister": (1, set()),
    "ProutReserve": (13, set()),
    "Read6": (2, set()),
    "Read10": (6, set()),
    "Read12": (5, set()),
    "Read16": (5, set()),
    "ReadCapacity10": (1, set()),
    "ReadCapacity16": (4, set()),
    "ReportSupportedOpcodes": (4, set()),
    "ReceiveCopyResults": (2, set()),
    "Reserve6": (7, set()),
    **{
        f"Sanitize.{test}": (
            1,
            {
                "SANITIZE CRYPTO_ERASE is not implemented according to REPORT_SUPPORTED_OPCODES.",
                "GET_LBA_STATUS is not implemented.",
                "GETLBASTATUS is not implemented.",
            },
        )
        for test in (
            "BlockErase",
            "BlockEraseReserved",
            "CryptoErase",
            "CryptoEraseReserved",
            "ExitFailureMode",
            "InvalidServiceAction",
            "Overwrite",
            "OverwriteReserved",
            "Reservations",
            "Reset",
        )
    },
    "StartStopUnit": (3, {"Media is not removable."}),
    "TestUnitReady": (1, set()),
    "Unmap": (3, set()),
    "Verify10": (8, set()),
    "Verify12": (8, set()),
    "Verify16": (8, set()),
    "Write10": (6, set()),
    "Write12": (5, set()),
    "Write16": (5, set()),
    "WriteSame10": (10, {"WRITESAME10 does not support 0-blocks."}),
    "WriteSame16": (10, {"WRITESAME16 does not support 0-blocks."}),
    "iSCSIcmdsn": (2, set()),
    "iSCSIdatasn": (1, set()),
    "iSCSIResiduals": (10, {f"WRITEVERIFY{bits} is not implemented." for bits in (10, 12, 16)}),
    "iSCSITMF": (2, set()),
}
"""How many tests each suite has, and which of its skips are right."""
SIZES = {"Sanitize.Reset": "12G"}
"""It looks twice, seconds apart, whether the disk is still being overwritten."""


@pytest.mark.peer
@pytest.mark.parametrize("suite", SUITES)
def test_suite(nas: Nas, suite: str) -> None:
    tests_count, skips = SUITES[suite]
    share = nas.create(f"conformance-{suite}", size=SIZES.get(suite, "100M"))
    done = run("iscsi-test-cu", "--dataloss", "--allow-sanitize", "--test", f"ALL.{suite}", share.url(), timeout_s=150)
    printed = done.stdout + done.stderr
    if suite in SIZES:
        with Initiator(share.host, share.port, target=share.iqn) as initiator:
            assert initiator.command(BLOCK_ERASE).status == 0, "the disk is needed for others"
    assert len(re.findall(r"^  Test: ", printed, re.MULTILINE)) == tests_count, printed
    assert not re.search(r"(^|[^\[])FAILED", printed, re.MULTILINE), printed  # [FAILED] is a step that may fail
    assert set(re.findall(r"\[SKIPPED\] (.*)", printed)) <= skips, printed
