"""What the README tells a newcomer to type."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from manual.blocks import blocks, pages

from tests.system.conftest import StartNas
from tests.system.nas import PASSWORD
from tests.system.peers import ROOT, output_of, require
from tests.vm.machine import HOST, SCRIPTS, Guest, parse_runs


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


@pytest.mark.peer
def test_linux_logs_in_as_written(start_nas: StartNas, tmp_path: Path) -> None:
    """The kernel's initiator is told what README.md, access.md and connect.md say, with the values of this NAS."""
    nas = start_nas(hosts=(HOST,))
    alice = {"enabled": True, "username": "alice", "password": "alice-secret-1"}
    mutual = {"enabled": True, "username": "nas", "password": "nas-secret-123"}
    first = nas.create("vm-disk", size="64M", header_digest=True, one_way_chap=alice, mutual_chap=mutual)
    second = nas.create("other", size="32M", one_way_chap=alice)
    here = f"{HOST}:{nas.port}"

    def lines(page: str, iqn: str) -> str:
        text = next(each.text for each in blocks(ROOT / page) if each.text.startswith("iscsiadm"))
        for shown in ("127.0.0.1:3260", "192.0.2.10:3260"):
            text = text.replace(shown, here)
        return text.replace("TARGET", iqn).replace(first.iqn, iqn).replace("CHAP-SECRET", "alice-secret-1").strip()

    variables = {
        "DISCOVERY": lines("docs/access.md", ""),
        "README": lines("README.md", first.iqn),
        "CONNECT": lines("docs/connect.md", second.iqn),
    }
    with Guest(SCRIPTS / "guest-manual.sh", variables, tmp_path) as guest:
        console = guest.finish(timeout_s=180)
    runs = parse_runs(console)
    assert {name: each.code for name, each in runs.items()} == dict.fromkeys(
        ("discovery", "readme", "one", "connect", "two", "leave"), 0
    ), console
    for share in (first, second):
        assert f"{here},1 {share.iqn}" in runs["discovery"].text


def test_every_link_leads_somewhere() -> None:
    for page in [*pages(), *(ROOT / name for name in ("ARCHITECTURE.md", "CONFORMANCE.md", "CHANGELOG.md"))]:
        for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
            written = link.startswith(("reference-", "https://", "architecture.md", "conformance.md"))  # by `make docs`
            assert written or (page.parent / link).exists(), f"{page.name} links to {link}"


def test_every_make_target_in_the_documentation_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in pages():
        named = set(re.findall(r"(?:`|^|&& )make ([a-z-]+)", page.read_text(), re.MULTILINE))
        assert named - {"help"} <= targets, page
