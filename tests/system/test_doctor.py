"""`lunaport doctor` beside a NAS that runs, and after it."""

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.system.conftest import StartNas
from tests.system.nas import Nas, wait_until


def doctor(nas: Nas) -> tuple[int, dict[str, list[dict[str, Any]]]]:
    """Its exit code, and its findings by check. It gets the options of `serve`."""
    program, _, *options = nas.command()
    done = subprocess.run([program, "doctor", "--json", *options], capture_output=True, text=True, check=False)
    found: dict[str, list[dict[str, Any]]] = {}
    for finding in json.loads(done.stdout)["findings"]:
        found.setdefault(finding["check"], []).append(finding)
    return done.returncode, found


def test_while_it_runs_and_when_it_is_stopped(start_nas: StartNas, tmp_path: Path) -> None:
    nas = start_nas()
    share = nas.create("looked-at", size="19M")
    code, found = doctor(nas)
    assert code == 0, found
    assert [each["text"] for each in found["iSCSI"]] == [f"127.0.0.1:{nas.port}: listens"]
    assert found["health"][0]["state"] == "ok"
    assert found["database"][0]["state"] == "ok"
    assert not any("belong to no share" in each["text"] for each in found["volume default"])
    nas.file_of(share).rename(tmp_path / "away")
    wait_until(lambda: doctor(nas)[0] == 1, timeout_s=15, what="a problem that is found")
    assert "problems" in doctor(nas)[1]["health"][0]["help"]
    nas.stop()
    code, found = doctor(nas)
    assert code == 0, found
    assert found["iSCSI"][0]["text"] == f"127.0.0.1:{nas.port}: free"
    assert "health" not in found
    (nas.data_dir / "lunaport.db").write_bytes(b"garbage" * 1000)
    code, found = doctor(nas)
    assert (code, found["database"][0]["state"]) == (1, "error")
