"""Encrypted disks on a real NAS: what lies on the disk, over restarts, and when the key is destroyed."""

import re
from typing import Any

import pytest

from tests.system.conftest import StartNas
from tests.system.initiator import Initiator
from tests.system.nas import Nas, Share
from tests.system.peers import run

CRYPTO_ERASE = bytes.fromhex("48 03 00 00 00 00 00 00 00 00")
CONTENT = b"this is a secret" * 256


def create(nas: Nas, name: str, size_bytes: int) -> Share:
    lun = {"size_bytes": size_bytes, "encrypted": True}
    response = nas.client.post("/api/v1/targets", json={"name": name, "luns": [lun]})
    assert response.status_code == 201, response.text
    target: dict[str, Any] = response.json()
    assert target["luns"][0]["encrypted"] is True
    return Share(id=target["id"], iqn=target["name"], size_bytes=size_bytes, host=nas.hosts[0], port=nas.port)


def log_in(share: Share) -> Initiator:
    return Initiator(share.host, share.port, target=share.iqn)


def test_nothing_of_what_is_written_lies_on_the_disk(start_nas: StartNas) -> None:
    nas = start_nas()
    share = create(nas, "vault", 37 << 20)
    file = nas.file_of(share)
    with log_in(share) as initiator:
        initiator.write(3, CONTENT)
        initiator.write(1000, CONTENT * 64)
        initiator.synchronize()
    assert b"secret" not in file.read_bytes()
    assert file.stat().st_blocks * 512 < 2 << 20, "an encrypted disk is thin"
    nas.kill("data")
    nas.wait_healthy(timeout_s=10)
    with log_in(share) as initiator:
        assert initiator.read(3, 8) == CONTENT
    nas.stop()
    nas.start()
    with log_in(share) as initiator:
        assert initiator.read(3, 8) == CONTENT
        assert initiator.read(1000, 512) == CONTENT * 64
        assert nas.edit(share, size="38M")["size"] == str(38 << 20)
        while initiator.ready().status:
            pass
        initiator.write((38 << 11) - 8, CONTENT)
        key = file.with_name(f"{file.name}.key").read_bytes()
        assert initiator.command(CRYPTO_ERASE).status == 0
        assert initiator.read(3, 8) == bytes(4096)
        assert file.with_name(f"{file.name}.key").read_bytes() != key
        assert file.stat().st_blocks == 0
        initiator.write(3, CONTENT)
    nas.stop()
    nas.start()
    with log_in(share) as initiator:
        assert initiator.read(3, 8) == CONTENT
    nas.delete(share)
    assert [path.suffix for path in nas.trash()] == [".img", ".key"]
    nas.stop()


def test_encryption_is_chosen_once(nas: Nas) -> None:
    share = create(nas, "chosen-once", 39 << 20)
    url = f"/api/v1/targets/{share.id}"
    refused = nas.client.patch(url, json={"luns": [{"size_bytes": 39 << 20, "encrypted": False}]})
    assert refused.status_code == 409
    assert refused.json()["errors"][0]["field"] == "luns[0].encrypted"
    kept = nas.client.put(url, json={"name": "chosen-once", "luns": [{"size_bytes": 39 << 20}]})
    assert kept.json()["luns"][0]["encrypted"] is True


@pytest.mark.peer
@pytest.mark.parametrize(
    "test",
    ["Read10", "Write10", "Write16", "WriteSame16", "Unmap", "Verify16", "Sanitize.CryptoErase", "Sanitize.Overwrite"],
)
def test_libiscsi_suites(nas: Nas, test: str) -> None:
    share = create(nas, f"suite-{test}", 100 << 20)
    done = run("iscsi-test-cu", "--dataloss", "--allow-sanitize", "--test", f"ALL.{test}", share.url(), timeout_s=90)
    printed = done.stdout + done.stderr
    assert re.search(r"tests +(\d+) +\1 +\1 +0 ", printed), printed
