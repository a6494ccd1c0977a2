"""The configuration database that fails under a NAS at work."""

import contextlib
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.stage import Fio, Result, Stage, fill
from tests.faults.workload import Writer
from tests.system.nas import wait_until
from tests.system.network import PATH

NEW = {"target": "one-more", "size": "1M"}
DATABASE_FAILED = 2004


def _database(
    stage: Stage, *, tried: str, word: str, spoiled: contextlib.AbstractContextManager[None], volume: str = "default"
) -> Result:
    """The wire goes on, changes are refused with the reason, and when the database is back they work."""
    nas = stage.nas
    writer = stage.writer(nas.create("served", size="16M", volume=volume))
    running = stage.fio(volume)
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
    return _end(
        stage, writer, running, tried, f"POST answers: {error['message']}; problem {problem}; event database_failed"
    )


def _end(stage: Stage, writer: Writer, running: Fio, tried: str, told: str) -> Result:
    stage.told("database_works", timeout_s=30)
    nas = stage.nas
    wait_until(lambda: nas.call("POST", NEW).status_code in (200, 409), timeout_s=15, what="changes that work again")
    writer.wait_for(20)
    ios = running.finish()
    writer.stop()
    assert writer.record.refused == {}
    nas.stop()
    nas.start()
    names = {share["target"].rpartition(":")[2] for share in nas.shares()}
    assert names == {"served", "fio", "one-more"}
    return Result(
        tried=tried,
        saw=f"nothing: {writer.record.count} synchronized writes and {ios}, none failed",
        told=told,
        kept=f"{writer.verify()} blocks right, fio's too; the configuration is what it was",
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


def read_only_database(stage: Stage) -> Result:
    """Nobody may write to the database and what lies beside it, root neither; and then again."""
    nas = stage.start()

    @contextlib.contextmanager
    def protected() -> Iterator[None]:
        files = [str(path) for path in nas.data_dir.glob("lunaport.db*")]
        done = subprocess.run(["chattr", "+i", *files], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"this file system has no immutable files: {done.stderr.strip()}")
        try:
            yield
        finally:
            run("chattr", "-i", *files)

    tried = "a database that nobody may write to (chattr +i), and writable again"
    return _database(stage, tried=tried, word="readonly", spoiled=protected())


def failed_file_system(stage: Stage) -> Result:
    """The file system of the database gives up, as ext4 does on an error: read-only until it is mounted anew."""
    image, folder = stage.folder / "image", stage.folder / "nas"
    with image.open("wb") as file:
        file.truncate(64 << 20)
    run("mke2fs", "-q", "-F", "-t", "ext4", image)
    folder.mkdir()
    mount("-o", "loop", image, folder)
    stage.undo.callback(lambda: subprocess.run(["umount", "-l", folder], check=False, stderr=subprocess.DEVNULL))
    nas = stage.start()
    volume = stage.volume(stage.folder / "volume")
    writer = stage.writer(nas.create("served", size="16M", volume=volume))
    running = stage.fio(volume)
    writer.wait_for(20)
    mount("-o", "remount,abort", folder)
    response = nas.call("POST", NEW)
    assert response.status_code == 500, response.text
    (error,) = response.json()["errors"]
    assert error["code"] == DATABASE_FAILED, error
    problem = stage.wait_for_problem("database")
    stage.told("database_failed")
    nas.kill("control")
    wait_until(lambda: "cannot open the database" in nas.log.read_text(), timeout_s=20, what="the reason in the log")
    writer.wait_for(50)
    ios = running.finish()
    writer.stop()
    assert writer.record.refused == {}
    nas.stop()
    run("umount", folder)
    run("e2fsck", "-p", image)
    mount("-o", "loop", image, folder)
    nas.start()
    assert {share["target"].rpartition(":")[2] for share in nas.shares()} == {"served", "fio"}
    result = Result(
        tried="an ext4 for the database that gave up (mount option abort), then SIGKILL of control, then a repair",
        saw=f"nothing: {writer.record.count} synchronized writes and {ios}, none failed",
        told=f"POST answers: {error['message']}; problem {problem}; event database_failed; once control was killed HTTP"
        " answered no more, and the log said why",
        kept=f"{writer.verify()} blocks right, fio's too; the configuration is what it was",
    )
    stage.close()
    return result


def mount(*words: str | Path) -> None:
    """The command mount; skips where it is not allowed."""
    done = subprocess.run(["mount", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"mount {' '.join(map(str, words))} does not work here: {done.stderr.strip()}")


def run(*words: str | Path) -> None:
    """A command of the administrator's; it must succeed."""
    done = subprocess.run(words, capture_output=True, text=True, check=False, env={"PATH": PATH})
    assert done.returncode in (0, 1), done.stdout + done.stderr  # 1: e2fsck has mended something


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
    running = stage.fio()
    writer.wait_for(20)
    with _overwritten(path, b"garbage!"):
        nas.kill("control")
        wait_until(lambda: "cannot use the database" in nas.log.read_text(), timeout_s=20, what="the reason in the log")
        writer.wait_for(100)
    nas.wait_healthy(timeout_s=60)
    nas.answer("POST", NEW)
    ios = running.finish()
    writer.stop()
    assert writer.record.refused == {}
    return Result(
        tried="SIGKILL of control while the database is garbage, then put back",
        saw=f"nothing: {writer.record.count} synchronized writes and {ios}, none failed",
        told="the reason in the log; HTTP answers again when the database is back",
        kept=f"{writer.verify()} blocks right, fio's too",
    )
