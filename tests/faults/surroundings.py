"""The database, the clock, the network, and callers who mean harm."""

import contextlib
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from tests.faults.stage import Result, Stage, fill
from tests.faults.workload import Writer
from tests.system.initiator import Chap, Initiator
from tests.system.nas import Nas, Share, resident_bytes, wait_until
from tests.system.network import in_own_network, ip
from tests.system.peers import missing
from tests.system.wire import ClosedError, LoginError

NEW = {"target": "one-more", "size": "1M"}
DATABASE_FAILED = 2004
FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")


def _database(
    stage: Stage, *, tried: str, word: str, spoiled: contextlib.AbstractContextManager[None], volume: str = "default"
) -> Result:
    """The wire goes on, changes are refused with the reason, and when the database is back they work."""
    nas = stage.nas
    writer = stage.writer(nas.create("served", size="16M", volume=volume))
    writer.wait_for(20)
    with spoiled:
        response = nas.call("POST", NEW)
        assert response.status_code == 500, response.text
        (error,) = response.json()["errors"]
        assert error["code"] == DATABASE_FAILED, error
        assert word in error["message"], error
        problem = stage.wait_for_problem("database")
        stage.told("database_failed")
        writer.wait_for(20)
    return _end(stage, writer, tried, f"POST answers: {error['message']}; problem {problem}; event database_failed")


def _end(stage: Stage, writer: Writer, tried: str, told: str) -> Result:
    stage.told("database_works", timeout_s=30)
    nas = stage.nas
    wait_until(lambda: nas.call("POST", NEW).status_code in (200, 409), timeout_s=15, what="changes that work again")
    writer.wait_for(20)
    writer.stop()
    assert writer.record.refused == {}
    nas.stop()
    nas.start()
    names = {share["target"].rpartition(":")[2] for share in nas.shares()}
    assert names == {"served", "one-more"}
    return Result(
        tried=tried,
        saw=f"nothing: {writer.record.count} synchronized writes, none failed",
        told=told,
        kept=f"{writer.verify()} blocks right; the configuration is what it was",
    )


def locked_database(stage: Stage) -> Result:
    """Somebody else holds a lock on the database."""
    nas = stage.start()

    @contextlib.contextmanager
    def locked() -> Iterator[None]:
        with contextlib.closing(sqlite3.connect(nas.data_dir / "lunaport.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
            other.execute("ROLLBACK")

    return _database(stage, tried="a lock held by another process", word="locked", spoiled=locked())


def full_database(stage: Stage) -> Result:
    """The disk of the data directory is full; the shares lie elsewhere."""
    stage.mount_memory(stage.folder / "nas", "16M")
    nas = stage.start()
    volume = stage.volume(stage.folder / "volume")
    ballast = nas.data_dir / "ballast"

    @contextlib.contextmanager
    def filled() -> Iterator[None]:
        fill(ballast)
        yield
        ballast.unlink()

    return _database(stage, tried="no space for the database", word="full", spoiled=filled(), volume=volume)


@contextlib.contextmanager
def _overwritten(path: Path, spoil: bytes | None) -> Iterator[None]:
    """The database holds something else, and then what it held."""
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    held = path.read_bytes()
    with path.open("r+b") as file:
        if spoil is None:
            file.truncate(4096)
        else:
            file.write(spoil * (len(held) // len(spoil)))
    yield
    with path.open("r+b") as file:
        file.write(held)


def garbage_database(stage: Stage) -> Result:
    """The database file is overwritten while the NAS runs."""
    nas = stage.start()
    spoiled = _overwritten(nas.data_dir / "lunaport.db", b"garbage!")
    return _database(stage, tried="a database overwritten with garbage, and put back", word="backup", spoiled=spoiled)


def truncated_database(stage: Stage) -> Result:
    """The database file is cut while the NAS runs."""
    nas = stage.start()
    spoiled = _overwritten(nas.data_dir / "lunaport.db", None)
    return _database(stage, tried="a database cut to its first page, and put back", word="backup", spoiled=spoiled)


def unusable_database(stage: Stage) -> Result:
    """Control is killed while its database cannot be opened: the disks go on being served."""
    nas = stage.start()
    path = nas.data_dir / "lunaport.db"
    writer = stage.writer(nas.create("served", size="16M"))
    writer.wait_for(20)
    with _overwritten(path, b"garbage!"):
        nas.kill("control")
        wait_until(lambda: "cannot use the database" in nas.log.read_text(), timeout_s=20, what="the reason in the log")
        writer.wait_for(100)
    nas.wait_healthy(timeout_s=60)
    nas.answer("POST", NEW)
    writer.stop()
    assert writer.record.refused == {}
    return Result(
        tried="SIGKILL of control while the database is garbage, then put back",
        saw=f"nothing: {writer.record.count} synchronized writes, none failed",
        told="the reason in the log; HTTP answers again when the database is back",
        kept=f"{writer.verify()} blocks right",
    )


def jumping_clock(stage: Stage) -> Result:
    """The wall clock jumps by a day, forth and back."""
    if not FAKETIME.exists():
        missing("faketime is not installed")
    setting = stage.folder / "clock"
    setting.write_text("+0\n")
    nas = stage.start(
        LD_PRELOAD=str(FAKETIME),
        FAKETIME_TIMESTAMP_FILE=str(setting),
        FAKETIME_CACHE_DURATION="1",
        FAKETIME_DONT_FAKE_MONOTONIC="1",
    )
    share = nas.create("clock", size="16M")
    writer = stage.writer(share)
    running = stage.fio(nas.create("fio", size="32M"), 60 if stage.thorough else 8)
    writer.wait_for(20)
    trashed = nas.create("trashed", size="1M")
    nas.delete(trashed)
    for jump in ("+1d", "-1d", "+0"):
        setting.write_text(f"{jump}\n")
        time.sleep(10 if stage.thorough else 2)
        at = nas.client.get("/api/v1/me").headers["date"]
        writer.wait_for(20)
        stage.wait_until_served(share)
        assert nas.healthy(), at
        assert nas.trash(), "a jump of a day empties no trash"
    ios = running.finish()
    writer.stop()
    assert writer.record.refused == {}
    return Result(
        tried="+1 day, -1 day, and back",
        saw=f"nothing: {writer.record.count} synchronized writes and {ios} of fio, none failed, new logins worked;"
        f" longest pause {writer.record.longest_gap_s:.1f} s",
        told="nothing; times in logs and events follow the clock, and the trash stays",
        kept=f"{writer.verify()} blocks right, fio's too",
    )


def vanished_address(stage: Stage) -> Result:
    """The portal's address goes away and comes back, in a network of its own."""
    return in_own_network(lambda: _vanished_address(stage))


def _vanished_address(stage: Stage) -> Result:
    address = "fd00::77"
    ip("address", "add", f"{address}/128", "dev", "lo", "nodad")
    stage.nas = Nas(stage.folder / "vanished", hosts=("127.0.0.1", address))
    nas = stage.start()
    made = nas.create("away", size="16M")
    share = Share(id=made.id, iqn=made.iqn, size_bytes=made.size_bytes, host=address, port=made.port)
    writer, other = stage.writer(share), stage.writer(nas.create("stays", size="17M"))
    writer.wait_for(20)
    ip("address", "del", f"{address}/128", "dev", "lo")
    problem = stage.wait_for_problem("no such address")
    stage.told("portal_failed")
    other.wait_for(20)
    time.sleep(20 if stage.thorough else 1)
    ip("address", "add", f"{address}/128", "dev", "lo", "nodad")
    stage.told("portal_works")
    writer.wait_for(20)
    stage.wait_until_served(share)
    writer.stop()
    other.stop()
    result = Result(
        tried="an address taken from its interface and given back",
        saw=f"no answer meanwhile ({writer.seen()} refused); sessions went on or came back by themselves, longest pause"
        f" {writer.record.longest_gap_s:.0f} s; initiators at the other address saw nothing",
        told=f"problem {problem}; events portal_failed and portal_works",
        kept=f"{writer.verify() + other.verify()} blocks right",
    )
    stage.close()
    return result


def crowd(stage: Stage) -> Result:
    """Thousands of connections are opened and left."""
    nas, count = stage.start(), 10_000 if stage.thorough else 3_000
    share = nas.create("crowded", size="16M")
    writer = stage.writer(share)
    writer.wait_for(20)
    data = nas.pid("data")
    before = resident_bytes(data)
    with contextlib.ExitStack() as stack:
        for number in range(count):
            source = f"127.0.{1 + number % 16}.1"
            sock = stack.enter_context(
                socket.create_connection((share.host, share.port), timeout=30, source_address=(source, 0))
            )
            sock.setblocking(False)
            if number % 500 == 0:
                stage.wait_until_served(share)
        writer.wait_for(20)
        grown = resident_bytes(data) - before
    stage.wait_until_served(share)
    writer.wait_for(20)
    writer.stop()
    assert writer.record.refused == {}
    assert grown < 64 << 20, f"{grown >> 20} MiB"
    return Result(
        tried=f"{count} connections from 16 addresses, opened and left",
        saw=f"those who work: nothing, {writer.record.count} synchronized writes, longest pause"
        f" {writer.record.longest_gap_s:.1f} s, and new logins worked; those who left: the oldest are closed",
        told=f"the log names the addresses and counts; memory of the data process grew by {grown / (1 << 20):.0f} MiB",
        kept=f"{writer.verify()} blocks right",
    )


def wrong_secrets(stage: Stage) -> Result:
    """Logins at full speed with wrong secrets."""
    nas, length_s = stage.start(), 60.0 if stage.thorough else 3.0
    chap = {"enabled": True, "username": "alice", "password": "alice-secret-1"}
    guarded = nas.create("guarded", size="15M", one_way_chap=chap)
    writer = stage.writer(nas.create("worked-on", size="16M"))
    writer.wait_for(20)
    enough = threading.Event()
    tries: list[int] = []
    let_in: list[int] = []

    def guess(number: int) -> None:
        count = 0
        while not enough.is_set():
            chap = Chap(user="alice", secret=f"wrong-secret-{number}"[:16])
            try:
                with Initiator(guarded.host, guarded.port, guarded.iqn, chap=chap):
                    let_in.append(number)
            except (LoginError, ClosedError, ConnectionError):
                count += 1
        tries.append(count)

    threads = [threading.Thread(target=guess, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    log_before, before, began = nas.log.stat().st_size, writer.record.count, time.monotonic()
    time.sleep(length_s)
    during, lasted = writer.record.count - before, time.monotonic() - began
    slowest = time.monotonic()
    right = Chap(user="alice", secret="alice-secret-1")
    with Initiator(guarded.host, guarded.port, guarded.iqn, chap=right) as initiator:
        assert initiator.capacity_bytes() == guarded.size_bytes
    slowest = time.monotonic() - slowest
    enough.set()
    for thread in threads:
        thread.join()
    assert let_in == [], "a wrong secret let somebody in"
    stage.told("login_refused")
    reasons = {each["reason"] for each in nas.answer("GET", path="/api/v1/login-failures")["items"]}
    assert reasons == {"wrong_secret"}
    log_bytes = nas.log.stat().st_size - log_before
    assert log_bytes < 200_000, f"{log_bytes} bytes of log in {lasted:.0f} s"
    writer.stop()
    assert writer.record.refused == {}
    return Result(
        tried=f"{sum(tries)} logins with wrong secrets in {lasted:.0f} s",
        saw=f"the guessers: status 0201h; who works: nothing, {during / lasted:.0f} synchronized writes a second"
        f" meanwhile; the right secret: a login after {slowest:.2f} s",
        told=f"events login_refused, `lunaport login failures` (wrong_secret), {log_bytes / 1000:.0f} kB of log",
        kept=f"{writer.verify()} blocks right",
    )
