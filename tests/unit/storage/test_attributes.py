"""What is kept with a LUN's file."""

import errno
import os
from pathlib import Path

import pytest

from lunaport.blockdev.device import DeviceError
from lunaport.storage.file import FileDevice, open_file


def opened(tmp_path: Path) -> FileDevice:
    path = tmp_path / "disk.img"
    path.touch()
    os.truncate(path, 4096)
    return open_file(str(path), lambda: 0.0)


def test_what_is_kept_is_there_again(tmp_path: Path) -> None:
    device = opened(tmp_path)
    if device.read_kept() is None:
        pytest.skip("this file system keeps no attributes")
    assert device.read_kept() == b""
    device.keep(b"chosen")
    device.close()
    (tmp_path / "disk.img").rename(tmp_path / "moved.img")
    device = open_file(str(tmp_path / "moved.img"), lambda: 0.0)
    assert device.read_kept() == b"chosen"
    device.close()


def test_a_file_system_that_keeps_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> bytes:
        raise OSError(errno.EOPNOTSUPP, "not supported")

    device = opened(tmp_path)
    monkeypatch.setattr(os, "getxattr", refuse)
    monkeypatch.setattr(os, "setxattr", refuse)
    assert device.read_kept() is None
    with pytest.raises(DeviceError):
        device.keep(b"x")
    device.close()
