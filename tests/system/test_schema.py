"""schemathesis over the whole API: nothing it sends is answered with 500, against the description, or with a secret.

`make schemathesis` runs it for ten minutes; every `make test` for as long as SECONDS says. Random values of an iSNS
server or of a volume would reach out of the test: it runs in a network of its own, and hooks keep folders together.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.system.nas import PASSWORD, Nas
from tests.system.network import in_own_network
from tests.system.peers import ROOT

SECONDS = float(os.environ.get("SCHEMATHESIS_SECONDS", "25"))
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "no_secret_in_an_answer",
)
STREAM = "/api/v1/events"
"""It does not end; its own tests read it."""
CHAP = {"enabled": True, "username": "alice", "password": "alice-secret-1"}
OTHER = {"enabled": True, "username": "nas", "password": "nas-secret-123"}


def explore(folder: Path) -> None:
    """Run it against a NAS with something in it."""
    nas = Nas(folder / "nas")
    try:
        nas.start()
        nas.create("known", size="1M", one_way_chap=CHAP, mutual_chap=OTHER)
        made = nas.client.post("/api/v1/tokens", json={"name": "known", "role": "viewer", "days": 1}).json()
        nas.secrets_given.add(made["token"])
        (folder / "volumes").mkdir()
        environment = os.environ | {
            "SCHEMATHESIS_HOOKS": "tests.system.schema_hooks",
            "KNOWN_SECRETS": "\n".join(nas.secrets_given | {PASSWORD}),
            "VOLUME_FOLDER": str(folder / "volumes"),
        }
        words = [str(Path(sys.executable).with_name("st")), "--config-file", os.devnull, "run"]
        words += [f"http://127.0.0.1:{nas.http_port}/api/v1/openapi.json", "--auth", f"admin:{PASSWORD}", "--no-color"]
        words += ["--checks", ",".join(CHECKS), "--max-time", f"{SECONDS:g}", "--exclude-path", STREAM]
        words += ["--phases", "examples,coverage,fuzzing", "--generation-database", "none", "--warnings", "off"]
        words += ["--continue-on-failure", "--no-shrink", "--request-timeout", "20"]
        done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        report = folder / "report.txt"
        report.write_text(done.stdout + done.stderr)
        if os.environ.get("SCHEMATHESIS_SECONDS"):
            sys.stdout.write(done.stdout[-3000:])
        assert done.returncode == 0, (done.stdout + done.stderr)[-12000:]
        nas.stop()
    finally:
        nas.destroy()
        nas.client.close()


@pytest.mark.timeout(SECONDS * 2 + 300)
def test_nothing_it_sends_finds_a_mistake(tmp_path: Path) -> None:
    in_own_network(lambda: explore(tmp_path))
