"""fio, through its libiscsi engine: every block that it wrote must come back with its checksum."""

import json
import subprocess

import pytest

from tests.system.nas import Nas
from tests.system.peers import fio, output_of


def errors(printed: str) -> int:
    """The errors that fio counted in its JSON report."""
    report = json.loads(printed[printed.index("{") :])
    return sum(int(job["error"]) for job in report["jobs"])


@pytest.mark.peer
@pytest.mark.parametrize(("block", "depth"), [("4k", 32), ("64k", 8), ("1m", 4)])
def test_what_was_written_at_random_reads_back_right(nas: Nas, block: str, depth: int) -> None:
    share = nas.create(f"verified-{block}", size="64M", data_digest=True, header_digest=True)
    command = fio(
        share.url(),
        "--rw=randwrite", f"--bs={block}", f"--iodepth={depth}", "--size=64m", "--io_size=48m",
        "--verify=crc32c", "--do_verify=1", "--verify_fatal=1", "--output-format=json",
    )  # fmt: skip
    assert errors(output_of(*command, timeout_s=120)) == 0


@pytest.mark.peer
def test_many_sessions_at_once(nas: Nas) -> None:
    shares = [nas.create(f"together-{number}", size="16M") for number in range(8)]
    running = [
        subprocess.Popen(
            fio(
                share.url(),
                "--rw=randwrite", "--bsrange=4k-128k", "--iodepth=16", "--size=16m",
                "--verify=crc32c", "--verify_fatal=1", "--output-format=json", f"--randseed={number}",
            ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for number, share in enumerate(shares)
    ]  # fmt: skip
    for process in running:
        printed, _ = process.communicate(timeout=120)
        assert process.returncode == 0, printed
        assert errors(printed) == 0
