"""What to type where, to use a target: the one source of the page, the command line, API v1 and the manual. Pure.

Every way is ready to be copied. What is not known here (a secret is never told again) stands as a word in capitals.
"""

import shlex
from dataclasses import dataclass
from typing import Final

from lunaport.model.address import ISCSI_PORT
from lunaport.model.target import Target

SECRET: Final = "CHAP-SECRET"  # noqa: S105 - stands where the secret belongs
MUTUAL_SECRET: Final = "MUTUAL-SECRET"  # noqa: S105 - stands where the secret belongs


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """What an initiator has to know. `host`: a name or an address, IPv6 without brackets; no user: no CHAP."""

    name: str
    host: str
    port: int = ISCSI_PORT
    lun: int = 0
    size_bytes: int = 0
    """0: not known."""
    header_digest: bool = False
    data_digest: bool = False
    user: str = ""
    secret: str = SECRET
    mutual_user: str = ""
    mutual_secret: str = MUTUAL_SECRET

    @property
    def portal(self) -> str:
        """host:port."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One kind of initiator. `text` is to be copied as it is; `note` says what else there is to know."""

    key: str
    title: str
    text: str
    note: str = ""


def endpoint_of(target: Target, host: str, port: int, *, secret: str = "", mutual_secret: str = "") -> Endpoint:
    """The endpoint of a target at a portal."""
    user = ""
    if target.one_way.enabled:
        user = target.one_way.username
    elif target.credentials:
        user = target.credentials[0].username
    return Endpoint(
        name=target.name,
        host=host,
        port=port,
        lun=target.disk.lun,
        size_bytes=target.disk.size_bytes,
        header_digest=target.header_digest,
        data_digest=target.data_digest,
        user=user,
        secret=secret or SECRET,
        mutual_user=target.mutual.username if target.mutual.enabled else "",
        mutual_secret=mutual_secret or MUTUAL_SECRET,
    )


def ways_to_connect(to: Endpoint) -> tuple[Way, ...]:
    """Every way, the most used first."""
    return (_linux(to), _windows(to), _vmware(to), _qemu(to), _kubernetes(to), _ipxe(to), _macos(to))


def _linux(to: Endpoint) -> Way:
    node = f"iscsiadm -m node -T {shlex.quote(to.name)} -p {shlex.quote(to.portal)}"
    settings: list[tuple[str, str]] = []
    if to.user:
        settings += [
            ("node.session.auth.authmethod", "CHAP"),
            ("node.session.auth.username", to.user),
            ("node.session.auth.password", to.secret),
        ]
    if to.user and to.mutual_user:
        settings += [
            ("node.session.auth.username_in", to.mutual_user),
            ("node.session.auth.password_in", to.mutual_secret),
        ]
    if to.header_digest:
        settings.append(("node.conn[0].iscsi.HeaderDigest", "CRC32C"))
    if to.data_digest:
        settings.append(("node.conn[0].iscsi.DataDigest", "CRC32C"))
    settings.append(("node.startup", "automatic"))
    lines = [f"{node} -o new"]
    lines += [f"{node} -o update -n {shlex.quote(name)} -v {shlex.quote(value)}" for name, value in settings]
    lines.append(f"{node} --login")
    path = f"/dev/disk/by-path/ip-{to.portal}-iscsi-{to.name}-lun-{to.lun}"
    return Way(
        key="linux",
        title="Linux",
        text="\n".join(lines),
        note=f"With open-iscsi, as root. The disk is {path}. Leave it with: {node} --logout",
    )


def _powershell(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _windows(to: Endpoint) -> Way:
    where = f"-TargetPortalAddress {_powershell(to.host)} -TargetPortalPortNumber {to.port}"
    chap = ""
    lines = ["Set-Service msiscsi -StartupType Automatic", "Start-Service msiscsi"]
    if to.user:
        kind = "MUTUALCHAP" if to.mutual_user else "ONEWAYCHAP"
        chap = f" -AuthenticationType {kind} -ChapUsername {_powershell(to.user)} -ChapSecret {_powershell(to.secret)}"
        if to.mutual_user:
            lines.append(f"Set-IscsiChapSecret -ChapSecret {_powershell(to.mutual_secret)}")
    digests = " -IsHeaderDigest $true" * to.header_digest + " -IsDataDigest $true" * to.data_digest
    lines += [
        f"New-IscsiTargetPortal {where}{chap}",
        f"Connect-IscsiTarget -NodeAddress {_powershell(to.name)} {where}{chap}{digests} -IsPersistent $true",
        "Get-Disk | Where-Object BusType -eq 'iSCSI'",
    ]
    note = (
        "In PowerShell as administrator. A new disk is then set up with Initialize-Disk, New-Partition, Format-Volume."
    )
    if to.user:
        note += " Windows takes CHAP secrets of 12 to 16 characters."
    return Way(key="windows", title="Windows", text="\n".join(lines), note=note)


def _vmware(to: Endpoint) -> Way:
    name, portal = shlex.quote(to.name), shlex.quote(to.portal)
    lines = [
        "esxcli iscsi software set --enabled=true",
        "ADAPTER=$(esxcli iscsi adapter list | awk '/iscsi_vmk/ {print $1}')",
        f"esxcli iscsi adapter discovery statictarget add --adapter=$ADAPTER --address={portal} --name={name}",
    ]
    auth = f"esxcli iscsi adapter target portal auth chap set --adapter=$ADAPTER --address={portal} --name={name}"
    if to.user:
        lines.append(
            f"{auth} --direction=uni --level=required --authname={shlex.quote(to.user)}"
            f" --secret={shlex.quote(to.secret)}"
        )
    if to.user and to.mutual_user:
        lines.append(
            f"{auth} --direction=mutual --level=required --authname={shlex.quote(to.mutual_user)}"
            f" --secret={shlex.quote(to.mutual_secret)}"
        )
    lines.append("esxcli storage core adapter rescan --adapter=$ADAPTER")
    return Way(
        key="vmware",
        title="VMware ESXi",
        text="\n".join(lines),
        note="In the host's shell. The disk then shows up under Storage, where a VMFS datastore can be made on it.",
    )


def _qemu(to: Endpoint) -> Way:
    url = f"iscsi://{to.portal}/{to.name}/{to.lun}"
    options = []
    if to.user:
        options += [f"user={to.user}", f"password={to.secret}"]
    if to.header_digest:
        options.append("header-digest=CRC32C")
    extra = f" -iscsi {shlex.quote(','.join(options))}" if options else ""
    lines = [f"qemu-system-x86_64 -m 2G -drive {shlex.quote(f'file={url},format=raw,if=virtio')}{extra}"]
    with_user = f"iscsi://{to.user}%{to.secret}@{to.portal}/{to.name}/{to.lun}" if to.user else url
    lines.append(f"qemu-img convert -n -O raw disk.qcow2 {shlex.quote(with_user)}")
    return Way(
        key="qemu",
        title="QEMU",
        text="\n".join(lines),
        note="The first line starts a machine with the disk, the second copies an image to it; nothing is set up.",
    )


def _yaml(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _quantity(size_bytes: int) -> str:
    """A size as Kubernetes writes it."""
    for unit, factor in (("Gi", 1 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10)):
        if size_bytes and size_bytes % factor == 0:
            return f"{size_bytes // factor}{unit}"
    return f'"{size_bytes}"' if size_bytes else "CAPACITY"


def _kubernetes(to: Endpoint) -> Way:
    label = "".join(char if char.isascii() and char.isalnum() else "-" for char in to.name.partition(":")[2].lower())
    label = label.strip("-")[:50].strip("-") or "lunaport"
    capacity = _quantity(to.size_bytes)
    secret = []
    chap = []
    if to.user:
        # Nodes ask by discovery first, which names a target with CHAP only to those who authenticate there too.
        data: dict[str, str] = {}
        for part in ("discovery.sendtargets", "node.session"):
            data |= {f"{part}.auth.username": to.user, f"{part}.auth.password": to.secret}
            if to.mutual_user:
                data |= {f"{part}.auth.username_in": to.mutual_user, f"{part}.auth.password_in": to.mutual_secret}
        secret = [
            "apiVersion: v1",
            "kind: Secret",
            f"metadata: {{name: {label}-chap}}",
            "type: kubernetes.io/iscsi-chap",
            "stringData:",
            *(f"  {name}: {_yaml(value)}" for name, value in data.items()),
            "---",
        ]
        chap = ["    chapAuthDiscovery: true", "    chapAuthSession: true", f"    secretRef: {{name: {label}-chap}}"]
    lines = [
        *secret,
        "apiVersion: v1",
        "kind: PersistentVolume",
        f"metadata: {{name: {label}}}",
        "spec:",
        f"  capacity: {{storage: {capacity}}}",
        "  accessModes: [ReadWriteOnce]",
        "  persistentVolumeReclaimPolicy: Retain",
        "  iscsi:",
        f"    targetPortal: {_yaml(to.portal)}",
        f"    iqn: {_yaml(to.name)}",
        f"    lun: {to.lun}",
        "    fsType: ext4",
        *chap,
        "---",
        "apiVersion: v1",
        "kind: PersistentVolumeClaim",
        f"metadata: {{name: {label}}}",
        "spec:",
        "  accessModes: [ReadWriteOnce]",
        '  storageClassName: ""',
        f"  volumeName: {label}",
        f"  resources: {{requests: {{storage: {capacity}}}}}",
    ]
    return Way(
        key="kubernetes",
        title="Kubernetes",
        text="\n".join(lines),
        note="For kubectl apply -f, into the namespace of the pods that use the claim. The nodes need open-iscsi.",
    )


def _ipxe(to: Endpoint) -> Way:
    lines = ["#!ipxe", "dhcp"]
    if to.user:
        lines += [f"set username {to.user}", f"set password {to.secret}"]
    if to.user and to.mutual_user:
        lines += [f"set reverse-username {to.mutual_user}", f"set reverse-password {to.mutual_secret}"]
    host = f"[{to.host}]" if ":" in to.host else to.host
    lines.append(f"sanboot iscsi:{host}::{to.port}:{to.lun:x}:{to.name}")
    return Way(
        key="ipxe",
        title="iPXE",
        text="\n".join(lines),
        note="Boots a machine from the disk. sanhook in place of sanboot attaches it for an installer.",
    )


def _macos(to: Endpoint) -> Way:
    lines = [f"Target name:  {to.name}", f"Portal:       {to.portal}", f"LUN:          {to.lun}"]
    if to.user:
        lines += [f"CHAP user:    {to.user}", f"CHAP secret:  {to.secret}"]
    if to.user and to.mutual_user:
        lines += [f"Mutual user:  {to.mutual_user}", f"Mutual secret: {to.mutual_secret}"]
    return Way(
        key="macos",
        title="macOS and others",
        text="\n".join(lines),
        note="macOS brings no initiator of its own. An added one asks for these values, as does any other system.",
    )
