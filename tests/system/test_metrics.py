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
import yaml
from playwright.sync_api import expect
from prometheus_client.parser import text_string_to_metric_families

from tests.system.browser import Visitor, chromium
from tests.system.conftest import StartNas
from tests.system.initiator import Initiator
from tests.system.nas import Nas, free_port, wait_until
from tests.system.peers import ROOT, fio, output_of, require, run
from tests.system.wire import LoginError

MONITORING = ROOT / "monitoring"
BLOCKS = 2048
CHECK_CONDITION = 2


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
        with Initiator(share.host, share.port, target=share.iqn, name="iqn.2026-11.test:metered") as initiator:
            assert initiator.command(bytes([0xDF, *bytes(5)])).status == CHECK_CONDITION
            assert initiator.reset_unit() == 0
        of = f'{{target="{share.iqn}"}}'
        shares = f"lunaport_target_sessions{of}"
        wait_until(lambda: value(client, shares) >= 0, timeout_s=20, what="a scrape before the load")
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
        wait_until(lambda: not silent_questions(client), timeout_s=20, what="data for every question of the dashboard")

        def rules() -> list[Any]:
            found: list[Any] = client.get("/rules").json()["data"]["groups"][0]["rules"]
            return found

        wait_until(lambda: all(each["health"] == "ok" for each in rules()), timeout_s=20, what="every rule evaluated")
        assert {each["name"] for each in rules()} == set(alert_names())


def silent_questions(client: httpx.Client) -> list[str]:
    """Prometheus understands every question of the dashboard; those to which it has no answer."""
    board = json.loads((MONITORING / "grafana.json").read_text())
    silent = []
    for panel in board["panels"]:
        for target in panel.get("targets", ()):
            text = target["expr"].replace("$__rate_interval", "1m").replace("$instance", ".*").replace("$target", ".*")
            answer = client.get("/query", params={"query": text})
            assert answer.status_code == 200, f"{panel['title']}: {answer.text}"
            if not answer.json()["data"]["result"]:
                silent.append(target["expr"])
    return silent


def alert_names() -> list[str]:
    """The alerts that there are."""
    groups = yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"]
    return [rule["alert"] for group in groups for rule in group["rules"]]


def test_promtool_accepts_the_rules() -> None:
    assert "SUCCESS" in output_of("promtool", "check", "rules", MONITORING / "alerts.yml")


def test_each_alert_fires_when_it_should_and_not_before() -> None:
    tests = yaml.safe_load((MONITORING / "alerts.test.yml").read_text())["tests"]
    cases = [case for test in tests for case in test["alert_rule_test"]]
    for name in alert_names():
        fires = [bool(case.get("exp_alerts")) for case in cases if case["alertname"] == name]
        assert sorted(set(fires)) == [False, True], f"{name} is not shown both silent and firing"
    done = run("promtool", "test", "rules", MONITORING / "alerts.test.yml")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.peer
def test_page_prometheus_and_api_say_the_same(start_nas: StartNas) -> None:
    """Once the load has stopped, what each says of a target and of its session is equal, and is what was done."""
    nas = start_nas()
    share = nas.create("same", size="4M")
    name = "iqn.2026-11.test:same"
    with chromium() as browser, Initiator(share.host, share.port, target=share.iqn, name=name) as initiator:
        for number in range(40):
            initiator.write(32 * number, bytes(16384))
        for number in range(25):
            initiator.read(16 * number, 16)
        (session,) = nas.sessions(share)
        scraped = {
            each.name + "".join(f"|{each.labels[key]}" for key in sorted(each.labels)): each.value
            for family in text_string_to_metric_families(nas.client.get("/metrics").text)
            for each in family.samples
        }

        def counted(metric: str, kind: str) -> int:
            of_target = scraped[f"lunaport_target_{metric}_total|{kind}|{share.iqn}"]
            assert scraped[f"lunaport_{metric}_total|{kind}"] >= of_target
            return int(of_target)

        assert counted("bytes", "write") == session["bytes_written"] == 40 * 16384
        assert counted("bytes", "read") == session["bytes_read"] == 25 * 8192
        assert (counted("commands", "write"), counted("commands", "read")) == (40, 25)
        commands = sum(counted("commands", kind) for kind in ("read", "write", "other"))
        assert commands == session["commands"]
        assert scraped[f"lunaport_target_sessions|{share.iqn}"] == 1
        assert scraped[f"lunaport_target_outstanding_commands|{share.iqn}"] == session["outstanding"] == 0
        visitor = Visitor(browser, nas).log_in()
        visitor.see("Overview")
        page = visitor.open(f"/shares/{share.id}", "same")
        sessions = page.get_by_role("region", name="Sessions")
        expect(sessions).to_contain_text("640 KiB in all")
        expect(sessions).to_contain_text("200 KiB in all")
        expect(page.locator("dt", has_text="Commands so far").locator("+ dd")).to_have_text(str(commands))
        expect(page.locator("dt", has_text="Reservation conflicts").locator("+ dd")).to_have_text("0")
        visitor.check()
