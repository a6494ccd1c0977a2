"""Images in a volume: opened, listed, received, removed, and what is no image."""

import os
import time
from pathlib import Path

import pytest

from lunaport.storage import image
from lunaport.storage.errors import StorageError
from lunaport.storage.image import ImageDraft, list_images, open_image, remove_image
from lunaport.storage.volume import make_volume, volume_usage

SECTOR = image.SECTOR_BYTES


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    make_volume(str(tmp_path / "v"))
    return tmp_path / "v"


def put(volume: Path, name: str, size: int = SECTOR) -> str:
    path = volume / "iso" / name
    path.write_bytes(b"x" * size)
    return str(path)


def test_two_drives_read_one_image(volume: Path) -> None:
    path = put(volume, "a.iso", 2 * SECTOR + 5)
    first, second = open_image(path, time.monotonic), open_image(path, time.monotonic)
    assert first.size_bytes == 2 * SECTOR
    data = memoryview(bytearray(SECTOR))
    second.read(SECTOR, [data])
    assert bytes(data) == b"x" * SECTOR
    assert not first.can_unmap
    for device in (first, second):
        with pytest.raises(StorageError) as used:
            remove_image(path)
        assert used.value.fault == "in use"
        device.close()
    remove_image(path)
    assert list_images(str(volume)) == []
    with pytest.raises(StorageError) as gone:
        remove_image(path)
    assert gone.value.fault == "missing"


def test_what_is_no_image(volume: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"s" * SECTOR)
    (volume / "iso" / "link.iso").symlink_to(secret)
    (volume / "iso" / "folder.iso").mkdir()
    os.mkfifo(volume / "iso" / "fifo.iso")
    put(volume, "small.iso", SECTOR - 1)
    put(volume, ".hidden")
    assert [each.name for each in list_images(str(volume))] == ["small.iso"]
    for name in ("link.iso", "folder.iso", "fifo.iso", "small.iso", "none.iso"):
        with pytest.raises(StorageError):
            open_image(str(volume / "iso" / name), time.monotonic)
    for name in ("link.iso", "folder.iso"):
        with pytest.raises(StorageError):
            remove_image(str(volume / "iso" / name))
    assert secret.exists()


def test_a_folder_behind_a_link_is_not_looked_into(volume: Path, tmp_path: Path) -> None:
    (volume / "iso").rmdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.iso").write_bytes(b"x" * SECTOR)
    (volume / "iso").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StorageError):
        list_images(str(volume))
    with pytest.raises(StorageError):
        open_image(str(volume / "iso" / "a.iso"), time.monotonic)


def test_the_list_is_bounded(volume: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image, "IMAGES_MAX", 3)
    for number in range(5):
        put(volume, f"{number}.iso")
        assert len(list_images(str(volume))) == min(3, number + 1)


def test_an_image_is_received(volume: Path) -> None:
    draft = ImageDraft(str(volume), "1")
    draft.write(b"a" * SECTOR)
    assert list_images(str(volume)) == []
    draft.write(b"b" * SECTOR)
    draft.finish("new.iso")
    draft.abandon()
    (found,) = list_images(str(volume))
    assert (found.name, found.size_bytes) == ("new.iso", 2 * SECTOR)
    assert (volume / "iso" / "new.iso").read_bytes() == b"a" * SECTOR + b"b" * SECTOR
    assert (volume / "iso" / "new.iso").stat().st_mode & 0o777 == 0o600
    assert volume_usage(str(volume)).used_bytes >= 2 * SECTOR
    assert len(list((volume / "iso").iterdir())) == 1


def test_a_name_that_is_taken_is_not_replaced(volume: Path) -> None:
    put(volume, "a.iso")
    draft = ImageDraft(str(volume), "1")
    draft.write(b"b" * SECTOR)
    with pytest.raises(StorageError) as taken:
        draft.finish("a.iso")
    assert taken.value.fault == "exists"
    draft.abandon()
    assert (volume / "iso" / "a.iso").read_bytes() == b"x" * SECTOR
    assert [path.name for path in (volume / "iso").iterdir()] == ["a.iso"]


def test_what_a_crash_left_goes_and_what_is_being_received_stays(volume: Path) -> None:
    live = ImageDraft(str(volume), "live")
    (volume / "iso" / ".upload-dead").write_bytes(b"x")
    other = ImageDraft(str(volume), "other")
    assert {path.name for path in (volume / "iso").iterdir()} == {".upload-live", ".upload-other"}
    live.abandon()
    other.abandon()


def test_a_volume_of_an_earlier_version_has_no_folder_yet(volume: Path) -> None:
    (volume / "iso").rmdir()
    assert list_images(str(volume)) == []
    assert volume_usage(str(volume)).used_bytes == 0
    ImageDraft(str(volume), "1").finish("a.iso")
    assert len(list_images(str(volume))) == 1
