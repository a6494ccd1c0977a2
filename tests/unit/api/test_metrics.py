"""`/metrics` as Prometheus reads it, and what is asked of it by the dashboard and the alerts."""

import json
import re
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from lunaport.engine.interface import Counters, EngineCounters, EngineUnavailableError, MemoryUse
from tests.unit.api.http import NAME, SERVICE
from tests.unit.service.stand import Stand

pytestmark = pytest.mark.anyio

MONITORING = Path(__file__).parents[3] / "monitoring"
BUSY = Counters(
    reads=5,
    writes=2,
    bytes_read=100,
    latency=(3, 1, 0, 1),
    latency_s=0.5,
    failures={"reservation_conflict": 2, "check_condition": 1},
    digest_errors=1,
    task_management={"abort_task": 1},
    logins=4,
    refused_logins={"wrong_secret": 7},
    sessions=1,
    outstanding=3,
)


async def samples(client: httpx.AsyncClient) -> dict[str, float]:
    """Name with labels to value."""
    response = await client.get("/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {
        each.name + "".join(f"|{key}={value}" for key, value in sorted(each.labels.items())): each.value
        for family in text_string_to_metric_families(response.text)
        for each in family.samples
    }


async def test_counters_of_the_nas_and_of_each_target(client: httpx.AsyncClient, stand: Stand) -> None:
    memory = {"data": MemoryUse(held_bytes=10, peak_bytes=20, limit_bytes=30)}
    stand.engine.counted = EngineCounters(total=BUSY, targets={NAME: BUSY}, memory=memory)
    found = await samples(client)
    for prefix, label in (("lunaport", ""), ("lunaport_target", f"|target={NAME}")):
        assert found[f"{prefix}_commands_total|kind=read{label}"] == 5
        assert found[f"{prefix}_bytes_total|kind=read{label}"] == 100
        assert found[f"{prefix}_reservation_conflicts_total{label}"] == 2
        assert found[f"{prefix}_digest_errors_total{label}"] == 1
        assert found[f"{prefix}_logins_total{label}"] == 4
        assert found[f"{prefix}_refused_logins_total|reason=wrong_secret{label}"] == 7
        assert found[f"{prefix}_outstanding_commands{label}"] == 3
        assert found[f"{prefix}_command_seconds_count{label}"] == 5
        assert found[f"{prefix}_command_seconds_sum{label}"] == 0.5
    assert found["lunaport_command_seconds_bucket|le=3.2768e-05"] == 4, "classes add up"
    for name, value in (("bytes", 10), ("peak_bytes", 20), ("limit_bytes", 30)):
        assert found[f"lunaport_data_under_way_{name}|process=data"] == value
    assert found["lunaport_engine_up"] == 1
    assert found["lunaport_process_resident_bytes|process=control"] > 1 << 20
    assert found["lunaport_volume_size_bytes|volume=default"] > found["lunaport_volume_used_bytes|volume=default"]


async def test_without_an_engine_it_says_so(client: httpx.AsyncClient, stand: Stand) -> None:
    stand.engine.failures["counters"] = EngineUnavailableError("it restarts")
    assert "lunaport_commands_total|kind=read" not in await samples(client)


async def test_the_state_of_isns(client: httpx.AsyncClient) -> None:
    await client.put(SERVICE, json={"isns": True, "isns-address": "192.0.2.3"})
    found = await samples(client)
    states = [value for name, value in found.items() if name.startswith("lunaport_isns_state|server=192.0.2.3:3205|")]
    assert sorted(states) == [0, 0, 0, 1], "it is in one of them"


async def test_strangers_read_nothing(stranger: httpx.AsyncClient) -> None:
    assert (await stranger.get("/metrics")).status_code == 401


async def test_dashboard_and_alerts_ask_for_what_there_is(client: httpx.AsyncClient, stand: Stand) -> None:
    stand.engine.counted = EngineCounters(total=BUSY, targets={NAME: BUSY})
    await client.put(SERVICE, json={"isns": True, "isns-address": "192.0.2.3"})
    names = {name.partition("|")[0] for name in await samples(client)}
    board = json.loads((MONITORING / "grafana.json").read_text())
    asked = [target["expr"] for panel in board["panels"] for target in panel.get("targets", ())]
    assert len(asked) > 20
    asked.append((MONITORING / "alerts.yml").read_text())
    unknown = {name for text in asked for name in re.findall(r"\blunaport_\w+", text)} - names
    assert not unknown
