"""What the README tells a newcomer to type."""

import json
import re
import subprocess

import pytest

from tests.system.conftest import StartNas
from tests.system.nas import PASSWORD
from tests.system.peers import ROOT, output_of, require


def command(word: str) -> str:
    """The command of the README that starts with this word."""
    blocks = re.findall(r"^```sh\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    (found,) = [block for block in blocks if block.startswith(word)]
    return str(found)


@pytest.mark.peer
def test_the_first_share_works_as_written(start_nas: StartNas) -> None:
    nas = start_nas()
    require("curl")
    line = command("curl").replace("PASSWORD", PASSWORD).replace("127.0.0.1:8080", f"127.0.0.1:{nas.http_port}")
    printed = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True).stdout
    answer = json.loads(printed)
    assert isinstance(answer["id"], int)
    assert answer["target"].startswith("iqn.")
    assert answer["target"].endswith(":vm-disk")
    assert answer["size"] == str(10 << 30)
    assert answer["one-way-chap"]["password"] == answer["mutual-chap"]["password"] == ""
    share = nas.share(answer)
    nas.secrets_given |= {"alice-secret-1", "nas-secret-123"}
    both = {"LIBISCSI_CHAP_TARGET_USERNAME": "nas", "LIBISCSI_CHAP_TARGET_PASSWORD": "nas-secret-123"}
    url = share.url("alice%alice-secret-1", options="?header_digest=crc32c")
    assert "LUNAPORT" in output_of("iscsi-inq", url, environment=both)


@pytest.mark.peer
def test_the_image_goes_in_as_written(start_nas: StartNas) -> None:
    nas = start_nas()
    chap = {"enabled": True, "username": "alice", "password": "alice-secret-1"}
    share = nas.create("vm-disk", size="8M", one_way_chap=chap)
    disk = nas.data_dir / "disk.qcow2"
    output_of("qemu-img", "create", "-f", "qcow2", disk, "8M")
    line = command("qemu-img").replace("TARGET", share.iqn).replace("127.0.0.1:3260", f"127.0.0.1:{nas.port}")
    words = [str(disk) if word == "disk.qcow2" else word for word in line.split()]
    output_of(*words)


def test_every_link_leads_somewhere() -> None:
    for page in ("README.md", "docs/development.md"):
        text = (ROOT / page).read_text()
        for link in re.findall(r"\]\(([^)]+)\)", text):
            assert ((ROOT / page).parent / link).exists(), f"{page} links to {link}"


def test_every_make_target_in_the_documentation_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in ("README.md", "docs/development.md"):
        named = set(re.findall(r"make ([a-z-]+)", (ROOT / page).read_text()))
        assert named - {"help"} <= targets, page
