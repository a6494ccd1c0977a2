"""A real Prometheus scrapes a NAS under load: what it says is what the NAS counts and what the initiator did."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.system.initiator import Initiator
from tests.system.nas import Nas, free_port, wait_until
from tests.system.peers import ROOT, fio, output_of, require
from tests.system.wire import LoginError

MONITORING = ROOT / "monitoring"
BLOCKS = 2048


@contextmanager
def prometheus(nas: Nas, token: str, folder: Path) -> Iterator[httpx.Client]:
    """Prometheus as the manual sets it up, but for the addresses and a shorter interval."""
    (folder / "lunaport.token").write_text(token)
    shutil.copy(MONITORING / "alerts.yml", folder)
    text = (MONITORING / "prometheus.yml").read_text()
    text = text.replace("15s", "1s").replace("nas.example:8080", f"127.0.0.1:{nas.http_port}")
    text = text.replace("/etc/prometheus/lunaport.token", str(folder / "lunaport.token"))
    config = folder / "prometheus.yml"
    config.write_text(f"global: {{evaluation_interval: 1s}}\nrule_files: [{folder}/alerts.yml]\n{text}")
    output_of("promtool", "check", "config", config)
    port = free_port()
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [require("prometheus"), f"--config.file={config}", f"--storage.tsdb.path={folder}/tsdb",
             f"--web.listen-address=127.0.0.1:{port}"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", trust_env=False, timeout=30) as client:
            yield client
    finally:
        process.terminate()
        process.wait(20)


def ask(client: httpx.Client, expression: str) -> list[Any]:
    """What Prometheus answers."""
    with suppress(httpx.TransportError):
        answer = client.get("/query", params={"query": expression})
        if answer.status_code == 200:
            found: list[Any] = answer.json()["data"]["result"]
            return found
        assert answer.status_code == 503, f"{expression}: {answer.text}"
    return []


def value(client: httpx.Client, expression: str) -> float:
    """The one number; -1 where there is none yet."""
    found = ask(client, expression)
    return float(found[0]["value"][1]) if found else -1.0


@pytest.mark.peer
def test_prometheus_counts_what_the_initiator_did(nas: Nas, tmp_path: Path) -> None:
    require("prometheus")
    made = nas.client.post("/api/v1/tokens", json={"name": "prometheus", "role": "viewer"})
    assert made.status_code == 201, made.text
    token = made.json()["token"]
    nas.secrets_given.add(token)
    share = nas.create("metered", size="16M")
    secret = {"enabled": True, "username": "alice", "password": "alice-secret-1"}
    closed = nas.create("metered-closed", size="1M", one_way_chap=secret)
    with prometheus(nas, token, tmp_path) as client:
        of = f'{{target="{share.iqn}"}}'
        load = fio(share.url(), "--rw=randwrite", "--bs=4k", "--iodepth=8", "--size=8m", "--output-format=json")
        printed = output_of(*load)
        assert json.loads(printed[printed.index("{") :])["jobs"][0]["error"] == 0
        with pytest.raises(LoginError), Initiator(closed.host, closed.port, target=closed.iqn):
            pass
        written = f'lunaport_target_bytes_total{of[:-1]},kind="write"}}'
        wait_until(lambda: value(client, written) == BLOCKS * 4096, timeout_s=20, what="all that was written")
        assert value(client, f'lunaport_target_commands_total{of[:-1]},kind="write"}}') == BLOCKS
        assert value(client, f"lunaport_target_logins_total{of}") >= 1
        refused = f'lunaport_target_refused_logins_total{{target="{closed.iqn}"}}'
        wait_until(lambda: value(client, refused) == 1, timeout_s=10, what="the refused login")
        assert ask(client, refused)[0]["metric"]["reason"] == "no_authentication"
        assert value(client, 'up{job="lunaport"}') == 1
        assert value(client, "lunaport_engine_up") == 1
        assert value(client, "histogram_quantile(0.5, sum by (le) (lunaport_command_seconds_bucket))") > 0
        scrapes = f"min(count_over_time(lunaport_target_commands_total{of}[1m]))"
        wait_until(lambda: value(client, scrapes) >= 3, timeout_s=10, what="rates")
        check_dashboard(client)
        rules = client.get("/rules").json()["data"]["groups"][0]["rules"]
        wait_until(lambda: len(ask(client, "up")) == 1, timeout_s=5, what="a scrape")
        assert {rule["health"] for rule in rules} <= {"ok", "unknown"}


def check_dashboard(client: httpx.Client) -> None:
    """Prometheus understands every question of the dashboard, and has an answer to the main ones."""
    board = json.loads((MONITORING / "grafana.json").read_text())
    silent = []
    for panel in board["panels"]:
        for target in panel.get("targets", ()):
            text = target["expr"].replace("$__rate_interval", "1m").replace("$instance", ".*").replace("$target", ".*")
            answer = client.get("/query", params={"query": text})
            assert answer.status_code == 200, f"{panel['title']}: {answer.text}"
            if not answer.json()["data"]["result"]:
                silent.append(target["expr"])
    may_be_silent = ("task_management", "failed_commands")
    assert [each for each in silent if not any(word in each for word in may_be_silent)] == []


def test_promtool_accepts_the_rules() -> None:
    assert "SUCCESS" in output_of("promtool", "check", "rules", MONITORING / "alerts.yml")
