"""QEMU's own iSCSI driver: real images in and out, and space given back."""

import os
from pathlib import Path

import pytest

from tests.system.nas import Nas
from tests.system.peers import output_of, run

ALICE = {"enabled": True, "username": "alice", "password": "alice-secret-1"}


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A 48 MiB disk image: an ext4 with files in it, between runs of zeros."""
    content, image = tmp_path / "content", tmp_path / "image.raw"
    content.mkdir()
    for number in range(4):
        (content / f"random{number}").write_bytes(os.urandom(1_500_000 + number))
    (content / "zeros").write_bytes(bytes(4 << 20))
    with image.open("wb") as file:
        os.truncate(file.fileno(), 48 << 20)
    output_of("mke2fs", "-q", "-t", "ext4", "-d", content, image)
    return image


@pytest.mark.peer
def test_an_image_goes_in_and_comes_back_the_same(nas: Nas, image: Path, tmp_path: Path) -> None:
    share = nas.create("image", size="48M", one_way_chap=ALICE, header_digest=True, data_digest=True)
    url = share.url("alice%alice-secret-1")
    output_of("qemu-img", "convert", "-n", "-f", "raw", "-O", "raw", image, url)
    assert "identical" in output_of("qemu-img", "compare", "-f", "raw", "-F", "raw", image, url)
    back = tmp_path / "back.raw"
    output_of("qemu-img", "convert", "-f", "raw", "-O", "raw", url, back)
    assert back.read_bytes() == image.read_bytes()
    output_of("e2fsck", "-fn", back)


@pytest.mark.peer
def test_a_difference_of_one_byte_is_found(nas: Nas, image: Path) -> None:
    share = nas.create("image-differs", size="48M")
    output_of("qemu-img", "convert", "-n", "-f", "raw", "-O", "raw", image, share.url())
    with image.open("r+b") as file:
        file.seek(20_000_000)
        byte = file.read(1)
        file.seek(20_000_000)
        file.write(bytes([byte[0] ^ 1]))
    assert run("qemu-img", "compare", "-f", "raw", "-F", "raw", image, share.url()).returncode == 1


@pytest.mark.peer
def test_qcow2_unpacks_into_a_share(nas: Nas, image: Path, tmp_path: Path) -> None:
    packed = tmp_path / "image.qcow2"
    output_of("qemu-img", "convert", "-f", "raw", "-O", "qcow2", "-c", image, packed)
    share = nas.create("image-qcow2", size="48M")
    output_of("qemu-img", "convert", "-n", "-f", "qcow2", "-O", "raw", packed, share.url())
    assert "identical" in output_of("qemu-img", "compare", "-f", "qcow2", "-F", "raw", packed, share.url())


@pytest.mark.peer
def test_a_share_is_thin_and_unmap_gives_space_back(nas: Nas) -> None:
    share = nas.create("thin", size="73M")
    file = nas.file_of(share)
    assert file.stat().st_blocks * 512 < 1 << 20, "nothing written, nothing used"
    output_of("qemu-io", "-f", "raw", "-c", "write -P 0x5a 0 64M", "-c", "flush", share.url())
    assert file.stat().st_blocks * 512 >= 64 << 20
    output_of("qemu-io", "-f", "raw", "-d", "unmap", "-c", "discard 16M 32M", "-c", "flush", share.url())
    assert file.stat().st_blocks * 512 < 33 << 20
    zeros, pattern = "read -P 0 16M 32M", "read -P 0x5a 48M 16M"
    printed = output_of("qemu-io", "-f", "raw", "-c", zeros, "-c", pattern, "-c", "read -P 0x5a 0 16M", share.url())
    assert "verification failed" not in printed
    assert file.stat().st_size == share.size_bytes


@pytest.mark.peer
def test_zeros_written_by_write_same_use_no_space(nas: Nas) -> None:
    share = nas.create("zeroed", size="74M")
    file = nas.file_of(share)
    output_of("qemu-io", "-f", "raw", "-c", "write -P 7 0 8M", "-c", "write -z -u 0 64M", "-c", "flush", share.url())
    assert file.stat().st_blocks * 512 < 1 << 20
    assert "verification failed" not in output_of("qemu-io", "-f", "raw", "-c", "read -P 0 0 64M", share.url())
