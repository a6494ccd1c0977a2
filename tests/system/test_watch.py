"""Seeing and steering with real initiators: who is there, who could not come, who has to go; fio notices nothing."""

import json
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import httpx
import pytest

from tests.system.conftest import StartNas
from tests.system.initiator import Chap, Initiator
from tests.system.nas import Json, Nas, Share, wait_until
from tests.system.peers import fio, run
from tests.system.wire import LoginError

ME = "iqn.2026-11.test.lunaport:raw"
LOGOUT_REQUEST = 1
FIO_INTERRUPTED = 128
ALICE = {"enabled": True, "username": "alice", "password": "alice-secret-1"}


def get(nas: Nas, path: str, **parameters: str) -> Any:
    """The JSON of a GET below /api/v1."""
    response = nas.client.get(f"/api/v1{path}", params=parameters)
    assert response.status_code == 200, response.text
    return response.json()


def send(nas: Nas, method: str, path: str, body: object | None = None, *, status: int = 200) -> Any:
    """The JSON of a change below /api/v1."""
    response = nas.client.request(method, f"/api/v1{path}", json=body)
    assert response.status_code == status, response.text
    return response.json() if response.content else None


def log_in(share: Share, **options: Any) -> Initiator:
    """An initiator that is logged in to a share."""
    return Initiator(share.host, share.port, target=share.iqn, **options)


def session_of(nas: Nas, share: Share) -> Json:
    """The one session of a share."""
    (session,) = get(nas, "/sessions", target=share.iqn)["items"]
    found: Json = session
    return found


@contextmanager
def fio_at_work(share: Share, seconds: int, *options: str, whole: bool = False) -> Iterator[list[Json]]:
    """fio in the background, to the end of the block or, if `whole`, of its seconds; its report is in the list then.

    It must have had no error.
    """
    command = fio(
        share.url(), "--rw=randrw", "--bs=4k", "--iodepth=8", "--size=32m", "--time_based", f"--runtime={seconds}",
        "--output-format=json", *options,
    )  # fmt: skip
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    reports: list[Json] = []
    try:
        yield reports
        if not whole:
            assert process.poll() is None, "it ended before the block did"
            process.send_signal(signal.SIGINT)
        printed, _ = process.communicate(timeout=seconds + 60)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == (0 if whole else FIO_INTERRUPTED), printed
    report = json.loads(printed[printed.index("{") :])
    assert all(job["error"] == 0 for job in report["jobs"]), printed
    reports.append(report)


@pytest.mark.peer
def test_a_session_tells_what_it_does(nas: Nas) -> None:
    share = nas.create("seen", data_digest=True)
    with fio_at_work(share, 60):
        wait_until(lambda: get(nas, "/sessions", target=share.iqn)["items"], timeout_s=10, what="session")
        time.sleep(6)
        session = get(nas, f"/sessions/{session_of(nas, share)['id']}")
        assert session["negotiated"]["HeaderDigest"] in ("None", "CRC32C")
        assert session["commands"] > 100
        assert session["rates"]["commands"] > 10
        assert session["rates"]["bytes_read"] > 0
        assert session["rates"]["bytes_written"] > 0
        assert sum(each["count"] for each in session["latency"]) > 10
    assert get(nas, "/sessions", target=share.iqn)["items"] == []


def test_sessions_come_in_pages(nas: Nas) -> None:
    share = nas.create("paged")
    others = [log_in(share, name=f"iqn.2026-11.test:{number}").__enter__() for number in range(3)]
    try:
        first = get(nas, "/sessions", target=share.iqn, limit="2")
        second = get(nas, "/sessions", target=share.iqn, limit="2", cursor=first["next_cursor"])
        assert (len(first["items"]), len(second["items"]), second["next_cursor"]) == (2, 1, None)
        (one,) = get(nas, "/sessions", target=share.iqn, initiator="iqn.2026-11.test:1")["items"]
        assert one["initiator"] == "iqn.2026-11.test:1"
    finally:
        for other in others:
            other.close()


def test_a_session_is_asked_to_log_out_and_then_closed(nas: Nas) -> None:
    share = nas.create("closed")
    with log_in(share, timeout_s=15) as initiator:
        session = session_of(nas, share)
        closing = threading.Thread(
            target=send, args=(nas, "DELETE", f"/sessions/{session['id']}"), kwargs={"status": 204}
        )
        closing.start()
        initiator.wait_for_close()
        closing.join()
        assert initiator.asyncs[0] == LOGOUT_REQUEST
    assert nas.client.delete(f"/api/v1/sessions/{session['id']}").status_code == 404
    with log_in(share) as initiator:
        assert initiator.ready().status == 0


REFUSALS = [
    ("unknown_target", {"target": "iqn.2026-11.io.lunaport:nothing-there"}),
    ("wrong_secret", {"chap": Chap(user="alice", secret="alice-secret-2")}),
    ("unknown_user", {"chap": Chap(user="mallory", secret="alice-secret-1")}),
    ("no_authentication", {}),
    ("digest_mismatch", {"chap": Chap(user="alice", secret="alice-secret-1"), "offers": {"DataDigest": "CRC32C"}}),
]


@pytest.mark.parametrize(("reason", "options"), REFUSALS, ids=[reason for reason, _ in REFUSALS])
def test_why_a_login_was_refused(nas: Nas, reason: str, options: Json) -> None:
    share = nas.create(f"refusing-{reason.replace('_', '-')}", one_way_chap=ALICE)
    name = f"iqn.2026-11.test:{reason.replace('_', '-')}"
    settings: dict[str, Any] = {"target": share.iqn, "name": name} | options
    initiator = Initiator(share.host, share.port, **settings)
    with pytest.raises(LoginError), initiator:
        pass
    (failure,) = get(nas, "/login-failures", initiator=name)["items"]
    assert failure["reason"] == reason
    assert failure["target"] == options.get("target", share.iqn)
    assert failure["address"].startswith("127.0.0.1:")
    assert failure["detail"]
    assert "alice-secret" not in json.dumps(failure)


@pytest.mark.peer
def test_why_libiscsi_was_refused(nas: Nas) -> None:
    share = nas.create("refusing-libiscsi", one_way_chap=ALICE)
    assert run("iscsi-inq", share.url("alice%alice-secret-9")).returncode != 0
    failures = get(nas, "/login-failures", target=share.iqn)["items"]
    assert [failure["reason"] for failure in failures] == ["wrong_secret"]


def test_a_blocked_initiator_goes_and_stays_out_until_it_is_let_in(start_nas: StartNas) -> None:
    nas = start_nas()
    share = nas.create("blocking")
    with log_in(share) as staying, log_in(share, name="iqn.2026-11.test:other", timeout_s=15) as leaving:
        block = send(nas, "PUT", "/blocks/iqn.2026-11.test:other", {"note": "too loud"})
        assert (block["until"], block["created_by"], block["note"]) == (None, "admin", "too loud")
        leaving.wait_for_close()
        assert staying.ready().status == 0
        assert staying.asyncs == []
    nas.stop()
    nas.start()
    with pytest.raises(LoginError) as refused, log_in(share, name="iqn.2026-11.test:other"):
        pass
    assert refused.value.status == 0x0202
    assert get(nas, "/login-failures")["items"][0]["reason"] == "blocked"
    assert [each["initiator"] for each in get(nas, "/blocks")["items"]] == ["iqn.2026-11.test:other"]
    send(nas, "DELETE", "/blocks/iqn.2026-11.test:other", status=204)
    with log_in(share, name="iqn.2026-11.test:other") as back:
        assert back.ready().status == 0


def test_a_block_ends_by_itself(nas: Nas) -> None:
    share = nas.create("blocked-for-a-moment")
    until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 2))
    send(nas, "PUT", "/blocks/iqn.2026-11.test:soon-back", {"until": until})
    with pytest.raises(LoginError), log_in(share, name="iqn.2026-11.test:soon-back"):
        pass
    time.sleep(2.1)
    with log_in(share, name="iqn.2026-11.test:soon-back") as back:
        assert back.ready().status == 0
    assert get(nas, "/blocks")["items"] == []


def test_a_target_is_drained_and_filled_again(start_nas: StartNas) -> None:
    nas = start_nas()
    share, other = nas.create("drained"), nas.create("not-drained")
    drain = f"/targets/{share.id}/drain"
    with log_in(other) as staying, log_in(share) as leaving:
        assert send(nas, "PUT", drain, {"draining": True}) == {"draining": True, "sessions": 1}
        assert leaving.ready().status == 0, "asked, not thrown out"
        assert leaving.asyncs == [LOGOUT_REQUEST]
        with pytest.raises(LoginError) as refused, log_in(share, name="iqn.2026-11.test:late"):
            pass
        assert refused.value.status == 0x0301
        assert staying.ready().status == 0
        assert staying.asyncs == []
    wait_until(lambda: get(nas, drain) == {"draining": True, "sessions": 0}, timeout_s=5, what="empty")
    nas.stop()
    nas.start()
    with pytest.raises(LoginError), log_in(share):
        pass
    assert send(nas, "PUT", drain, {"draining": False}) == {"draining": False, "sessions": 0}
    with log_in(share) as back:
        assert back.ready().status == 0


def test_the_nas_is_drained(start_nas: StartNas) -> None:
    nas = start_nas()
    share = nas.create("drained-with-all")
    with log_in(share) as leaving:
        assert send(nas, "PUT", "/drain", {"draining": True}) == {"draining": True, "sessions": 1}
        assert leaving.ready().status == 0
        assert leaving.asyncs == [LOGOUT_REQUEST]
        with pytest.raises(LoginError), log_in(share, name="iqn.2026-11.test:late"):
            pass
    wait_until(lambda: get(nas, "/drain")["sessions"] == 0, timeout_s=5, what="empty")
    send(nas, "PUT", "/drain", {"draining": False})
    with log_in(share) as back:
        assert back.ready().status == 0


@pytest.mark.peer
@pytest.mark.alone
def test_limits_hold_and_are_lifted_live(nas: Nas) -> None:
    share = nas.create("limited")
    send(nas, "PATCH", f"/targets/{share.id}", {"limits": {"iops": 200}})
    with fio_at_work(share, 60) as reports:
        wait_until(lambda: get(nas, "/sessions", target=share.iqn)["items"], timeout_s=10, what="session")
        before = session_of(nas, share)
        time.sleep(2)
        after = session_of(nas, share)
        done = after["commands"] - before["commands"]
        assert 200 <= done <= 600, f"{done} commands in about 2 s at 200 a second"
        send(nas, "PATCH", f"/targets/{share.id}", {"limits": {"iops": 0}})
        time.sleep(2)
        free = session_of(nas, share)
        assert free["id"] == before["id"]
        assert free["commands"] - after["commands"] > 2000
    assert reports


@pytest.mark.peer
@pytest.mark.alone
def test_bytes_a_second_hold_for_large_writes(nas: Nas) -> None:
    share = nas.create("limited-bytes")
    send(nas, "PATCH", f"/targets/{share.id}", {"limits": {"bytes_per_second": 4 << 20}})
    with fio_at_work(share, 5, "--bs=512k", whole=True) as reports:
        pass
    (job,) = reports[0]["jobs"]
    moved = job["read"]["io_bytes"] + job["write"]["io_bytes"]
    seconds = max(job["read"]["runtime"], job["write"]["runtime"]) / 1000
    assert moved / seconds < 6 << 20
    assert moved / seconds > 2 << 20


class Listening:
    """Server-sent events, read in a thread."""

    def __init__(self, nas: Nas, last_id: str = "") -> None:
        self.events: list[tuple[str, str, Json]] = []
        self.connected = threading.Event()
        self.client = httpx.Client(base_url=nas.client.base_url, auth=nas.client.auth, timeout=60, trust_env=False)
        self.headers = {"Last-Event-ID": last_id} if last_id else {}
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()
        assert self.connected.wait(10)

    def _read(self) -> None:
        fields: dict[str, str] = {}
        with (
            suppress(httpx.TransportError),
            self.client,
            self.client.stream("GET", "/api/v1/events", headers=self.headers) as response,
        ):
            assert response.headers["content-type"].startswith("text/event-stream")
            self.connected.set()
            for line in response.iter_lines():
                if line.startswith(":"):
                    continue
                if line:
                    name, _, value = line.partition(": ")
                    fields[name] = value
                elif "event" in fields:
                    self.events.append((fields["event"], fields.get("id", ""), json.loads(fields["data"])))
                    fields = {}

    def close(self) -> None:
        """Hear no more."""
        self.client.close()
        self.thread.join(10)

    def kinds(self) -> list[str]:
        """What came so far."""
        return [kind for kind, _, _ in self.events]

    def wait_for(self, kind: str) -> Json:
        """The facts of the first event of a kind."""
        wait_until(lambda: kind in self.kinds(), timeout_s=15, what=f"event {kind} (came: {self.kinds()})")
        return next(facts for each, _, facts in self.events if each == kind)


def test_what_happens_is_told_as_it_happens(start_nas: StartNas) -> None:
    nas = start_nas()
    listening = Listening(nas)
    share = nas.create("told")
    assert listening.wait_for("target_created")["target"] == share.iqn
    with log_in(share):
        login = listening.wait_for("login")
        assert (login["initiator"], login["target"]) == (ME, share.iqn)
    assert listening.wait_for("logout")["session"] == login["session"]
    with pytest.raises(LoginError), Initiator(share.host, share.port, target="iqn.2026-11.test:none"):
        pass
    assert listening.wait_for("login_refused")["reason"] == "unknown_target"
    nas.kill("data")
    listening.wait_for("engine_unavailable")
    listening.wait_for("engine_restarted")
    nas.wait_healthy(timeout_s=20)
    missed = listening.events[0][1]
    again = Listening(nas, missed)
    again.wait_for("engine_restarted")
    assert again.kinds()[: len(listening.kinds()) - 1] == listening.kinds()[1:]
    stranger = Listening(nas, "not-of-this-run.5")
    stranger.wait_for("missed")
    for each in (listening, again, stranger):
        each.close()


def test_the_nas_stops_while_somebody_listens(start_nas: StartNas) -> None:
    nas = start_nas()
    listening = Listening(nas)
    began = time.monotonic()
    nas.stop()
    listening.thread.join(10)
    assert not listening.thread.is_alive()
    assert time.monotonic() - began < 8
