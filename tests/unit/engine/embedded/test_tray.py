"""What initiators did with the medium of a LUN, kept beside its file."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lunaport.blockdev.device import DeviceError
from lunaport.engine.embedded.tray import Tray


def test_it_counts_for_one_insertion(tmp_path: Path) -> None:
    tray = Tray(str(tmp_path / "disk"), 3)
    assert not tray.load()
    tray.save(lambda: True)
    assert tray.load()
    assert not Tray(str(tmp_path / "disk"), 4).load()
    tray.save(lambda: False)
    assert not tray.load()
    assert list(tmp_path.iterdir()) == []


def test_several_at_once_leave_what_holds_in_the_end(tmp_path: Path) -> None:
    """A load and an ejection that were answered at once are put down by threads, in any order."""
    tray = Tray(str(tmp_path / "disk"), 0)
    threads = 8
    barrier = threading.Barrier(threads)
    ejected = False

    def save() -> None:
        barrier.wait()
        tray.save(lambda: ejected)

    for number in range(20):
        ejected = number % 2 == 0
        with ThreadPoolExecutor(threads) as pool:
            for done in [pool.submit(save) for _ in range(threads)]:
                done.result()
        assert tray.load() is ejected


def test_what_cannot_be_kept_is_told(tmp_path: Path) -> None:
    with pytest.raises(DeviceError):
        Tray(str(tmp_path / "missing" / "disk"), 0).save(lambda: True)
