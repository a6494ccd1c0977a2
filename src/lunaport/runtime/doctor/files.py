"""The data directory and the volumes: may we, is there room, what can the file system do."""

import errno
import fcntl
import os
import stat
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Final

from lunaport.runtime.doctor.findings import Finding, error, ok, warning
from lunaport.storage import attributes
from lunaport.storage.fallocate import is_in_memory, punch_hole, zero_range
from lunaport.storage.volume import LUNS
from lunaport.store.store import DATABASE_FILE, KEY_FILE

PROBE_BYTES: Final = 1 << 20
FREE_WARNING_SHARE: Final = 0.10
FREE_ERROR_BYTES: Final = 64 << 20
STRAYS_SHOWN_MAX: Final = 3


def is_running(data_dir: Path) -> bool:
    """Whether a NAS holds the lock on its data directory."""
    try:
        fd = os.open(data_dir / "lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(fd)
    return False


def _existing(path: Path) -> Path:
    """The path, or the nearest folder above it that is there."""
    return next((each for each in (path, *path.parents) if each.exists()), Path("/"))


def check_data_directory(data_dir: Path) -> Iterator[Finding]:
    """It has to be ours alone: the key of all secrets lies in it."""
    if not data_dir.exists():
        above = _existing(data_dir.absolute())
        if os.access(above, os.W_OK | os.X_OK):
            yield ok("data directory", f"{data_dir} is not there yet; the first start makes it")
        else:
            yield error(
                "data directory",
                f"{data_dir} is not there, and this user may not make it in {above}",
                f"as root: install -d -m 0700 -o USER {data_dir}; or give --data-dir",
            )
        return
    if not data_dir.is_dir() or not os.access(data_dir, os.R_OK | os.W_OK | os.X_OK):
        yield error(
            "data directory", f"{data_dir} cannot be written to by this user", f"as root: chown -R USER {data_dir}"
        )
        return
    open_ones = []
    for path in (data_dir, data_dir / KEY_FILE, data_dir / DATABASE_FILE):
        try:
            mode = path.stat().st_mode
        except OSError:
            continue
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            open_ones.append(path)
    if open_ones:
        shown = ", ".join(map(str, open_ones))
        yield warning("data directory", f"other users may reach {shown}", f"chmod go= {' '.join(map(str, open_ones))}")
    else:
        yield ok("data directory", f"{data_dir} is this user's alone")
    yield from _check_room("data directory", data_dir)


def _check_room(check: str, path: Path) -> Iterator[Finding]:
    system = os.statvfs(path)
    free, total = system.f_bavail * system.f_frsize, system.f_blocks * system.f_frsize
    text = f"{path}: {free >> 20} MiB of {total >> 20} MiB are free"
    if free < FREE_ERROR_BYTES:
        yield error(check, text, "make room: writes of initiators and changes fail for want of it")
    elif free < total * FREE_WARNING_SHARE:
        yield warning(check, text, "make room, or move shares: thin disks take space as they are written to")
    else:
        yield ok(check, text)
    if not system.f_favail and system.f_files:
        yield error(check, f"{path}: no file can be made any more (no inodes are left)", "remove files there")


def check_volume(name: str, path: Path) -> Iterator[Finding]:
    """A volume's folder, its room, and its file system tried out."""
    check = f"volume {name}"
    place = _existing(path)
    if place != path and name != "default":
        yield error(check, f"{path} is not there", "mount it, or make it; its shares are served as soon as it is there")
        return
    if not place.is_dir() or not os.access(place, os.R_OK | os.W_OK | os.X_OK):
        yield error(check, f"{place} cannot be written to by this user", f"as root: chown -R USER {path}")
        return
    yield from _check_room(check, place)
    try:
        fd = os.open(place, os.O_RDWR | os.O_TMPFILE | os.O_CLOEXEC, 0o600)
    except OSError as failure:
        if failure.errno in (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL):
            yield warning(check, "its file system makes no files without a name, so it was not tried out", "nothing")
        else:
            yield error(check, f"no file can be made in {place}: {failure.strerror}", "see what the system log says")
        return
    try:
        yield from _try_file_system(check, fd)
    finally:
        os.close(fd)


def check_strays(name: str, path: Path, known: Collection[str] | None) -> Iterator[Finding]:
    """Files of disks that no share has. They are told, never touched: an import may be about to use them."""
    if known is None:
        return
    try:
        strays = sorted(each.name for each in (path / LUNS).glob("*.img") if each.name not in known)
    except OSError:
        return
    if strays:
        shown = ", ".join(strays[:STRAYS_SHOWN_MAX]) + (", ..." if len(strays) > STRAYS_SHOWN_MAX else "")
        yield warning(
            f"volume {name}",
            f"{len(strays)} files in {path / LUNS} belong to no share: {shown}",
            "left by a change that was cut off, or by an import in place of other shares; when nobody misses them,"
            " move them away",
        )


def _try_file_system(check: str, fd: int) -> Iterator[Finding]:
    if is_in_memory(fd):
        yield warning(check, "it lies in memory: a restart of the machine loses all shares", "move it to a disk")
    lacking = []
    for name, meaning, attempt in _FEATURES:
        try:
            works = attempt(fd)
        except OSError:
            works = False
        if not works:
            lacking.append(f"{name}: {meaning}")
    try:
        os.fdatasync(fd)
    except OSError as failure:
        yield error(check, f"fsync fails: {failure.strerror}", "replace the disk, or look at the system log")
        return
    if lacking:
        yield warning(check, f"its file system lacks {'; '.join(lacking)}", "ext4, XFS and Btrfs have all of it")
    else:
        yield ok(check, "its file system can do all that helps")


def _sparse(fd: int) -> bool:
    os.ftruncate(fd, PROBE_BYTES)
    return os.fstat(fd).st_blocks * 512 < PROBE_BYTES


def _punch(fd: int) -> bool:
    os.pwrite(fd, bytes(8192), 0)
    punch_hole(fd, 0, 4096)
    return True


def _zero(fd: int) -> bool:
    zero_range(fd, 0, 4096)
    return True


def _holes(fd: int) -> bool:
    os.pwrite(fd, b"x", PROBE_BYTES - 1)
    return os.lseek(fd, 0, os.SEEK_HOLE) < PROBE_BYTES


def _now(fd: int) -> bool:
    try:
        os.preadv(fd, [bytearray(512)], 0, 0 if is_in_memory(fd) else os.RWF_NOWAIT)
    except BlockingIOError:
        return True
    return True


def _keeps(fd: int) -> bool:
    return attributes.can_keep(fd)


def _lock(fd: int) -> bool:
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return True


_FEATURES: Final[tuple[tuple[str, str, Callable[[int], bool]], ...]] = (
    ("sparse files", "disks take all their space at once", _sparse),
    ("holes that can be punched", "initiators cannot give space back", _punch),
    ("quick zeros", "zeroing is writing", _zero),
    ("SEEK_HOLE", "all of a disk counts as in use", _holes),
    ("RWF_NOWAIT", "reads are slower", _now),
    ("extended attributes", "initiators cannot save mode pages", _keeps),
    ("locks", "two programs could serve one disk", _lock),
)
