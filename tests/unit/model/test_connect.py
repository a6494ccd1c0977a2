"""What to type where: complete, ready to be copied, and safe whatever the names are."""

import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lunaport.model.chap import Chap, Credential
from lunaport.model.connect import MUTUAL_SECRET, SECRET, Endpoint, endpoint_of, ways_to_connect
from lunaport.model.lun import Lun
from lunaport.model.target import Target

NAME = "iqn.2026-11.io.lunaport:disk"
OPEN = Endpoint(name=NAME, host="192.0.2.9")
FULL = Endpoint(
    name=NAME, host="2001:db8::9", port=3261, header_digest=True, data_digest=True, user="alice",
    secret="alice-secret-1", mutual_user="nas", mutual_secret="nas-secret-123",
)  # fmt: skip


def way(to: Endpoint, key: str) -> str:
    """The text of one way."""
    (found,) = [each.text for each in ways_to_connect(to) if each.key == key]
    return found


def test_every_kind_of_initiator_is_there_once() -> None:
    keys = [each.key for each in ways_to_connect(OPEN)]
    assert keys == ["linux", "windows", "vmware", "qemu", "kubernetes", "ipxe", "macos"]
    assert all(each.text and each.title for each in ways_to_connect(FULL))


def test_linux_without_and_with_everything() -> None:
    node = f"iscsiadm -m node -T {NAME} -p 192.0.2.9:3260"
    assert way(OPEN, "linux").splitlines() == [
        f"{node} -o new",
        f"{node} -o update -n node.startup -v automatic",
        f"{node} --login",
    ]
    words = [shlex.split(line)[-3:] for line in way(FULL, "linux").splitlines()]
    assert ["node.session.auth.password_in", "-v", "nas-secret-123"] in words
    assert ["node.conn[0].iscsi.DataDigest", "-v", "CRC32C"] in words
    assert "[2001:db8::9]:3261" in shlex.split(way(FULL, "linux").splitlines()[0])


def test_windows_says_what_kind_of_chap() -> None:
    assert "Authentication" not in way(OPEN, "windows")
    full = way(FULL, "windows")
    assert "Set-IscsiChapSecret -ChapSecret 'nas-secret-123'" in full
    assert "-AuthenticationType MUTUALCHAP -ChapUsername 'alice' -ChapSecret 'alice-secret-1'" in full
    assert "-TargetPortalAddress '2001:db8::9' -TargetPortalPortNumber 3261" in full


def test_kubernetes_gets_secret_volume_and_claim() -> None:
    secret, volume, claim = yaml.safe_load_all(way(FULL, "kubernetes"))
    assert secret["type"] == "kubernetes.io/iscsi-chap"
    for part in ("node.session", "discovery.sendtargets"):
        assert secret["stringData"][f"{part}.auth.password"] == "alice-secret-1"
        assert secret["stringData"][f"{part}.auth.password_in"] == "nas-secret-123"
    iscsi = volume["spec"]["iscsi"]
    assert (iscsi["targetPortal"], iscsi["iqn"], iscsi["lun"]) == ("[2001:db8::9]:3261", NAME, 0)
    assert iscsi["chapAuthDiscovery"]
    assert iscsi["chapAuthSession"]
    assert iscsi["secretRef"]["name"] == secret["metadata"]["name"] == "disk-chap"
    assert claim["spec"]["volumeName"] == volume["metadata"]["name"]
    alone, _ = yaml.safe_load_all(way(OPEN, "kubernetes"))
    assert "chapAuthSession" not in alone["spec"]["iscsi"]


DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
QUANTITY = re.compile(r"[0-9]+([KMGTPE]i)?")
META = {"name": DNS_LABEL}
MODES = [re.compile("ReadWriteOnce|ReadOnlyMany|ReadWriteMany|ReadWriteOncePod")]
CHAP_KEY = r"(node\.session|discovery\.sendtargets)\.auth\.(username|password)(_in)?"
KUBERNETES: dict[str, dict[str, Any]] = {
    "Secret": {
        "apiVersion": re.compile("v1"), "kind": str, "metadata": META, "type": re.compile("kubernetes.io/iscsi-chap"),
        "stringData": {re.compile(CHAP_KEY): str},
    },
    "PersistentVolume": {
        "apiVersion": re.compile("v1"), "kind": str, "metadata": META,
        "spec": {
            "capacity": {"storage": QUANTITY}, "accessModes": MODES,
            "persistentVolumeReclaimPolicy": re.compile("Retain|Recycle|Delete"),
            "iscsi": {
                "targetPortal": str, "iqn": re.compile(r"(iqn|eui|naa)\..+"), "lun": int, "fsType": str,
                "chapAuthDiscovery": bool, "chapAuthSession": bool, "secretRef": META,
            },
        },
    },
    "PersistentVolumeClaim": {
        "apiVersion": re.compile("v1"), "kind": str, "metadata": META,
        "spec": {
            "accessModes": MODES, "storageClassName": str, "volumeName": DNS_LABEL,
            "resources": {"requests": {"storage": QUANTITY}},
        },
    },
}  # fmt: skip
"""The part of Kubernetes's API (core/v1: Secret, PersistentVolumeSpec, ISCSIPersistentVolumeSource,
PersistentVolumeClaimSpec) that is used here: names, types and patterns of the fields."""


def check_shape(value: Any, shape: Any, where: str) -> None:
    """A document has the fields of the API, and they are of its types; nothing else is there."""
    if isinstance(shape, dict):
        assert isinstance(value, dict), where
        for key, each in value.items():
            found = [
                inner
                for name, inner in shape.items()
                if name == key or (not isinstance(name, str) and name.fullmatch(key))
            ]
            assert found, f"{where}.{key} is no field"
            check_shape(each, found[0], f"{where}.{key}")
    elif isinstance(shape, list):
        assert isinstance(value, list), where
        for each in value:
            check_shape(each, shape[0], where)
    elif isinstance(shape, re.Pattern):
        assert isinstance(value, str), where
        assert shape.fullmatch(value), f"{where}: {value}"
    else:
        assert type(value) is shape, f"{where}: {value!r}"


@pytest.mark.parametrize("size_bytes", [512, 10 << 30, 3 << 20, (1 << 30) + 512])
@pytest.mark.parametrize("name", ["disk", "x" * 70, "a.b:c", "-", "a" * 49 + "-b", "1.2"])
@pytest.mark.parametrize("to", [OPEN, FULL])
def test_kubernetes_takes_it(to: Endpoint, name: str, size_bytes: int) -> None:
    full = replace(to, name=f"iqn.2026-11.io.lunaport:{name}", size_bytes=size_bytes)
    for document in yaml.safe_load_all(way(full, "kubernetes")):
        check_shape(document, KUBERNETES[document["kind"]], document["kind"])


def test_ipxe_and_qemu() -> None:
    assert way(OPEN, "ipxe").splitlines()[-1] == f"sanboot iscsi:192.0.2.9::3260:0:{NAME}"
    assert "set username alice" in way(FULL, "ipxe")
    assert f"iscsi://192.0.2.9:3260/{NAME}/0" in way(OPEN, "qemu")


HARD = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=40)


@given(HARD, HARD)
def test_names_and_secrets_stay_one_word_in_the_shell(user: str, secret: str) -> None:
    to = Endpoint(name=NAME, host="192.0.2.9", user=user, secret=secret)
    words = [word for line in way(to, "linux").split("\n") for word in shlex.split(line)]
    assert user in words
    assert secret in words
    vmware = [word for line in way(to, "vmware").split("\n") if "auth chap" in line for word in shlex.split(line)]
    assert f"--authname={user}" in vmware
    assert f"--secret={secret}" in vmware


def test_the_endpoint_of_a_target() -> None:
    lun = Lun(lun=3, uuid="0" * 32, volume="default", file="f", size_bytes=512)
    target = Target(id=1, name=NAME, luns=(lun,), one_way=Chap(enabled=True, username="alice", secret="x" * 12))
    to = endpoint_of(target, "192.0.2.9", 3260)
    assert (to.user, to.secret, to.mutual_user, to.lun) == ("alice", SECRET, "", 3)
    assert "x" * 12 not in "".join(each.text for each in ways_to_connect(to))
    other = Credential(username="bob", secret="y" * 12, secret_changed_at=0.0)
    mutual = Chap(enabled=True, username="nas", secret="z" * 12)
    to = endpoint_of(Target(id=1, name=NAME, luns=(lun,), credentials=(other,), mutual=mutual), "::1", 3260)
    assert (to.user, to.mutual_user, to.mutual_secret) == ("bob", "nas", MUTUAL_SECRET)


@pytest.mark.parametrize(
    ("host", "portal"), [("192.0.2.9", "192.0.2.9:3260"), ("::1", "[::1]:3260"), ("nas", "nas:3260")]
)
def test_portals(host: str, portal: str) -> None:
    assert Endpoint(name=NAME, host=host).portal == portal


def test_the_manual_shows_the_same() -> None:
    page = (Path(__file__).parents[3] / "docs" / "connect.md").read_text()
    name = "iqn.2026-11.io.lunaport:vm-disk"
    for each in ways_to_connect(Endpoint(name=name, host="192.0.2.10", user="alice", size_bytes=10 << 30)):
        assert f"## {each.title}\n" in page
        assert each.text in page
        assert each.note in page
