"""CD-ROM drives: machines boot from them, a kernel mounts what lies in them, and media come and go."""

import base64
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.system.conftest import StartNas
from tests.system.initiator import Initiator
from tests.system.nas import PASSWORD, Nas, wait_until
from tests.system.peers import require, run
from tests.vm.machine import HOST, SCRIPTS, Guest

IMAGES = "/api/v1/volumes/default/images"
BOOTED = "LUNAPORT-BOOTED"
EJECT, LOAD = bytes.fromhex("1B 00 00 00 02 00"), bytes.fromhex("1B 00 00 00 03 00")
LOCK = bytes.fromhex("1E 00 00 00 01 00")
READ = bytes.fromhex("28 00 00000010 00 0001 00")
TOC = bytes.fromhex("43 00 00 00 00 00 00 0100 00")
TRAY_OPEN, CHANGED = (2, 0x3A, 2), (6, 0x28, 0)


def image(folder: Path, name: str, text: str) -> Path:
    """An image with a file in it."""
    source = folder / f"{name}-files"
    source.mkdir()
    (source / "marker.txt").write_text(text + "\n")
    (source / "filling").write_bytes(bytes(range(256)) * 4096)
    made = folder / name
    done = run(require("xorriso"), "-as", "mkisofs", "-quiet", "-o", made, source)
    assert done.returncode == 0, done.stderr
    return made


def bootable(folder: Path) -> Path:
    """An image with a boot loader that prints a file of it on the serial line and switches the machine off."""
    source = folder / "boot-files"
    (source / "boot" / "grub").mkdir(parents=True)
    (source / "marker.txt").write_text("read from the disc\n")
    script = f"serial --unit=0\nterminal_output serial\necho {BOOTED}\ncat /marker.txt\nhalt\n"
    (source / "boot" / "grub" / "grub.cfg").write_text(script)
    made = folder / "boot.iso"
    modules = "serial echo cat halt iso9660 biosdisk normal configfile terminal"
    require("xorriso")
    done = run(
        require("grub-mkrescue"), "-o", made, source, "--fonts=", "--locales=", "--themes=",
        f"--install-modules={modules}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return made


def send(nas: Nas, file: Path, name: str) -> None:
    """Send an image, piece by piece."""
    with file.open("rb") as opened:
        size = str(file.stat().st_size)
        sent = nas.client.put(f"{IMAGES}/{name}", content=pieces(opened), headers={"Content-Length": size})
    assert sent.status_code == 201, sent.text


def pieces(opened: Any) -> Iterator[bytes]:
    while data := opened.read(1 << 16):
        yield data


def drive(nas: Nas, name: str, disc: str) -> tuple[str, str]:
    """A target with a drive at LUN 0; its name and the path of its medium."""
    luns = [{"device_type": "cdrom", "image": disc}]
    made = nas.client.post("/api/v1/targets", json={"name": name, "luns": luns})
    assert made.status_code == 201, made.text
    return made.json()["name"], f"/api/v1/targets/{made.json()['id']}/luns/0/medium"


def session(nas: Nas, target: str, **names: Any) -> Initiator:
    return Initiator(nas.hosts[0], nas.port, target=target, **names)


@pytest.mark.peer
@pytest.mark.parametrize("device", ["scsi-block", "scsi-cd"])
def test_a_machine_boots_from_it(nas: Nas, tmp_path: Path, device: str) -> None:
    """With `scsi-block` the machine's own commands reach the drive."""
    qemu = require("qemu-system-x86_64")
    send(nas, bootable(tmp_path), f"boot-{device}.iso")
    target, _ = drive(nas, f"boot-{device}", f"boot-{device}.iso")
    url = f"iscsi://{nas.hosts[0]}:{nas.port}/{target}/0"
    done = subprocess.run(
        [
            qemu,
            *("-M", "pc", "-accel", "tcg", "-m", "64", "-nodefaults", "-display", "none", "-no-reboot"),
            *("-serial", "stdio", "-device", "virtio-scsi-pci"),
            *("-drive", f"file={url},if=none,id=cd,format=raw,readonly=on"),
            *("-device", f"{device},drive=cd,bootindex=0"),
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert BOOTED in done.stdout, done.stdout + done.stderr
    assert "read from the disc" in done.stdout


@pytest.mark.peer
def test_a_kernel_mounts_ejects_and_loads(start_nas: StartNas, tmp_path: Path) -> None:
    nas = start_nas(hosts=(HOST,))
    first, second = image(tmp_path, "one.iso", "this is one"), image(tmp_path, "two.iso", "this is two")
    send(nas, first, "one.iso")
    send(nas, second, "two.iso")
    target, medium = drive(nas, "kernel-cdrom", "one.iso")
    summed = run("cksum", first).stdout.split()[0]
    given = {"PORTAL": f"{HOST}:{nas.port}", "TARGET": target}
    with Guest(SCRIPTS / "guest-cdrom.sh", given, tmp_path) as guest:
        guest.wait_for_step("mounted")
        locked = nas.client.put(medium, json={"image": "two.iso"})
        (error,) = locked.json()["errors"]
        assert (locked.status_code, error["code"]) == (409, "medium_locked")
        assert error["blockers"] == ["iqn.2026-11.test.lunaport:guest"]
        guest.answer()
        guest.wait_for_step("unmounted")
        assert nas.client.put(medium, json={"image": "two.iso"}).json()["loaded"]
        guest.answer()
        guest.wait_for_step("ejected")
        assert nas.client.get(medium).json()["tray_open"]
        guest.answer()
        console = guest.finish()
    assert "DRIVE CD-ROM" in console
    for able in ("Can read DVD 1", "Can open tray 1", "Can lock tray 1"):
        assert able in console
    assert f"SUM {summed} {first.stat().st_size}" in console
    assert "FIRST this is one\n" in console
    assert "SECOND this is two\n" in console
    assert "THIRD this is two\n" in console


def plain_image(tmp_path: Path, name: str, byte: bytes) -> Path:
    path = tmp_path / name
    path.write_bytes(byte * (1 << 20))
    return path


def test_what_was_done_with_a_medium_survives_the_death_of_every_process(start_nas: StartNas, tmp_path: Path) -> None:
    nas = start_nas()
    send(nas, plain_image(tmp_path, "a", b"a"), "a.iso")
    send(nas, plain_image(tmp_path, "b", b"b"), "b.iso")
    target, medium = drive(nas, "lasting", "a.iso")
    with session(nas, target) as initiator:
        assert initiator.command(READ, data_in=2048).data == b"a" * 2048
        assert initiator.command(TOC, data_in=256).data[16:20] == (512).to_bytes(4)
        assert initiator.command(EJECT).status == 0
    nas.destroy()
    nas.start()
    assert nas.client.get(medium).json()["tray_open"]
    with session(nas, target) as initiator, session(nas, target, name="iqn.2026-11.test:other") as other:
        assert initiator.ready().sense_key == TRAY_OPEN
        assert initiator.command(LOAD).status == 0
        assert other.ready().sense_key == CHANGED
        assert other.command(LOCK).status == 0
        assert nas.client.delete(medium).status_code == 409
        assert nas.client.put(medium, json={"image": "b.iso", "force": True}).status_code == 200
        assert initiator.ready().sense_key == CHANGED
        assert initiator.command(READ, data_in=2048).data == b"b" * 2048
        assert nas.client.delete(f"{IMAGES}/a.iso").status_code == 204
        assert nas.client.delete(f"{IMAGES}/b.iso").status_code == 409
    nas.kill("data")
    nas.wait_healthy(timeout_s=10)
    with session(nas, target) as initiator:
        assert initiator.command(READ, data_in=2048).data == b"b" * 2048
    assert nas.client.delete(medium).json()["image"] == ""
    assert [path.name for path in (nas.data_dir / "volumes" / "default" / "iso").iterdir()] == ["b.iso"]


def test_an_upload_that_ends_in_the_middle_leaves_nothing(nas: Nas) -> None:
    credentials = base64.b64encode(f"admin:{PASSWORD}".encode()).decode()
    head = f"PUT {IMAGES}/half.iso HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {credentials}\r\n"
    with socket.create_connection(("127.0.0.1", nas.http_port)) as sock:
        sock.sendall(f"{head}Content-Length: {8 << 20}\r\n\r\n".encode() + bytes(4 << 20))
        folder = nas.data_dir / "volumes" / "default" / "iso"
        wait_until(lambda: any(folder.glob(".upload-*")), timeout_s=5, what="the image to come in")
    wait_until(lambda: not any(folder.glob(".upload-*")), timeout_s=5, what="what came to be removed")
    names = [each["name"] for each in nas.client.get(IMAGES).json()["items"]]
    assert "half.iso" not in names
