"""An example or two for every command, shown by `--help`. docs/cli.md has them too, where a test types them."""

from typing import Final

import typer

EXAMPLES: Final[dict[str, tuple[str, ...]]] = {
    "apply": ("lunaport apply -f nas.yaml --plan", "lunaport apply -f nas.yaml"),
    "connect": ("lunaport connect vm-disk", "lunaport connect vm-disk --for kubernetes"),
    "top": ("lunaport top", "lunaport top --once"),
    "serve": (
        "lunaport serve --data-dir /srv/lunaport --https 0.0.0.0:8443 --portal 0.0.0.0:3260",
        "lunaport serve --config /etc/lunaport/lunaport.toml",
    ),
    "doctor": ("lunaport doctor --config /etc/lunaport/lunaport.toml",),
    "target list": ("lunaport target list",),
    "target new-secret": ("lunaport target new-secret > secret.txt",),
    "target show": ("lunaport target show vm-disk",),
    "target create": (
        "lunaport target create vm-disk --size 10G --chap-user alice --chap-secret-file secret.txt",
        "lunaport target create scratch --size 500G --write-through --no-isns",
    ),
    "target edit": (
        "lunaport target edit vm-disk --iops 500 --bytes-per-second 100M",
        "lunaport target edit vm-disk --data-digest --single-initiator",
    ),
    "target grow": ("lunaport target grow vm-disk 20G", "lunaport target grow vm-disk +5G"),
    "target delete": ("lunaport target delete scratch --yes",),
    "target trash": ("lunaport target trash",),
    "target restore": ("lunaport target restore scratch --name scratch-again",),
    "target drain": ("lunaport target drain vm-disk --wait 10", "lunaport target drain vm-disk --undo"),
    "target export": ("lunaport target export vm-disk vm-disk.yaml",),
    "target import": ("lunaport target import vm-disk.yaml --plan",),
    "target lun list": ("lunaport target lun list vm-disk",),
    "target lun add": (
        "lunaport target lun add vm-disk 100G --lun 1 --write-through",
        "lunaport target lun add vm-disk --cdrom --image debian.iso --lun 2",
    ),
    "target lun edit": (
        "lunaport target lun edit vm-disk 1 --size +10G",
        "lunaport target lun edit vm-disk 1 --read-only",
    ),
    "target lun insert": ("lunaport target lun insert vm-disk 2 debian.iso",),
    "target lun eject": ("lunaport target lun eject vm-disk 2",),
    "target lun remove": ("lunaport target lun remove vm-disk 1 --yes",),
    "target rule list": ("lunaport target rule list vm-disk",),
    "target rule add": (
        "lunaport target rule add vm-disk --initiator 'iqn.1993-08.org.debian:*' --network 192.0.2.0/24",
        "lunaport target rule add vm-disk --network 198.51.100.7 --read-only",
    ),
    "target rule remove": ("lunaport target rule remove vm-disk 2",),
    "target chap-user list": ("lunaport target chap-user list vm-disk",),
    "target chap-user set": (
        "lunaport target chap-user set vm-disk bob --secret-file secret.txt --initiator iqn.1993-08.org.debian:01:abc",
        "lunaport target chap-user set vm-disk alice --secret-file new-secret.txt --keep-old 2h",
    ),
    "target chap-user remove": ("lunaport target chap-user remove vm-disk bob",),
    "volume list": ("lunaport volume list",),
    "volume show": ("lunaport volume show default",),
    "volume create": ("lunaport volume create fast /srv/fast --overcommit 3",),
    "volume edit": ("lunaport volume edit fast --low-space 5",),
    "volume delete": ("lunaport volume delete fast --yes",),
    "image list": ("lunaport image list",),
    "image upload": ("lunaport image upload debian.iso",),
    "image delete": ("lunaport image delete debian.iso --yes",),
    "session list": ("lunaport session list --target vm-disk",),
    "session show": ("lunaport session show 63f8a1b2c3d4e.1",),
    "session close": ("lunaport session close 63f8a1b2c3d4e.1 --wait 10",),
    "login failures": ("lunaport login failures --target vm-disk --limit 10",),
    "initiator blocked": ("lunaport initiator blocked",),
    "initiator block": ("lunaport initiator block iqn.1993-08.org.debian:01:abc --until 2h --note moved",),
    "initiator unblock": ("lunaport initiator unblock iqn.1993-08.org.debian:01:abc",),
    "audit list": ("lunaport audit list --action delete_target",),
    "audit export": ("lunaport audit export audit.csv --format csv",),
    "portal list": ("lunaport portal list",),
    "portal add": ("lunaport portal add 192.0.2.7:860 --group 2",),
    "portal edit": ("lunaport portal edit 192.0.2.7:860 --group 3",),
    "portal remove": ("lunaport portal remove 192.0.2.7:860",),
    "portal reset": ("lunaport portal reset",),
    "service show": ("lunaport service show",),
    "service edit": (
        "lunaport service edit --enabled --wait 10",
        "lunaport service edit --discovery-user finder --discovery-secret-file secret.txt",
    ),
    "service drain": ("lunaport service drain --wait 30", "lunaport service drain --undo"),
    "user list": ("lunaport user list",),
    "user me": ("lunaport user me",),
    "user create": ("lunaport user create carol --role operator --new-password-file password.txt",),
    "user edit": ("lunaport user edit carol --role viewer",),
    "user delete": ("lunaport user delete carol --yes",),
    "user password": ("lunaport user password --new-password-file password.txt",),
    "token list": ("lunaport token list",),
    "token create": ("lunaport token create backup-script --role viewer --days 90",),
    "token delete": ("lunaport token delete backup-script",),
    "config export": ("lunaport config export nas.backup --passphrase-file passphrase.txt",),
    "config import": ("lunaport config import nas.backup --passphrase-file passphrase.txt --plan",),
    "config show": ("lunaport config show > nas.yaml",),
}


def add_examples(app: typer.Typer, words: str = "") -> None:
    """Put the examples below the help of each command."""
    for command in app.registered_commands:
        name = command.name or command.callback.__name__ if command.callback is not None else command.name
        found = EXAMPLES.get(f"{words}{name}")
        if found is not None:
            lines = "\n".join(f"  {line}" for line in found)
            command.epilog = f"\b\nExample{'s' * (len(found) > 1)}:\n{lines}"
    for group in app.registered_groups:
        if group.typer_instance is not None:
            add_examples(group.typer_instance, f"{words}{group.typer_instance.info.name} ")
